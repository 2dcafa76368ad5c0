"""Orders that the official packages' own code signs, against ours; skipped where those packages are not installed."""

from random import Random
from types import SimpleNamespace
from typing import Any

import pytest

from polymarket_agent.sandbox import eip712
from polymarket_agent.sandbox.auth import Keyring, l2_signature
from polymarket_agent.sandbox.keccak import keccak
from polymarket_agent.sandbox.model import Refused
from polymarket_agent.sandbox.signing import DOMAINS, VerifiedOrder, Wallet, order_v1_digest, verify_order, wallets_of
from tests.sandbox.signing_vectors import v1_fields_of

ORDERS = 1_000
SEED = 20_261_122


def random_token(random: Random, *, position: bool) -> str:
    value = random.getrandbits(256)
    reserved = ((1 << 64) - 1) << 40
    return str(value & ~reserved if position else value | 1 << 50)


def random_bytes32(random: Random) -> str:
    return "0x" + (random.randbytes(32) if random.random() < 0.5 else bytes(32)).hex()


def random_case(random: Random) -> SimpleNamespace:
    """Return one draw of everything that an order and its signature depend on."""
    domain = random.choice(["v2_standard", "v2_negrisk", "v3"])
    key, signature_type = random.randbytes(32).hex(), random.randrange(4)
    eoa = Wallet("0x" + key).eoa
    session = signature_type == 3 and random.random() < 0.3
    owner = Wallet("0x" + random.randbytes(32).hex()).eoa if session else eoa
    return SimpleNamespace(
        domain=DOMAINS[domain],
        key=key,
        eoa=eoa,
        session=session,
        signature_type=signature_type,
        maker=random.choice(wallets_of(owner).of_type(signature_type)),
        token=random_token(random, position=domain == "v3"),
        neg_risk=domain == "v2_negrisk",
        maker_amount=random.randrange(10**12),
        taker_amount=random.randrange(10**12),
        side=random.choice(["BUY", "SELL"]),
        salt=random.getrandbits(53),
        timestamp_ms=random.randrange(1_700_000_000_000, 1_900_000_000_000),
        metadata=random_bytes32(random),
        builder=random_bytes32(random),
    )


def unsigned_body(case: SimpleNamespace) -> dict[str, Any]:
    return {
        "builder": case.builder,
        "expiration": "0",
        "maker": case.maker,
        "makerAmount": str(case.maker_amount),
        "metadata": case.metadata,
        "salt": case.salt,
        "side": case.side,
        "signatureType": case.signature_type,
        "signer": case.maker if case.signature_type == 3 else case.eoa,
        "takerAmount": str(case.taker_amount),
        "timestamp": str(case.timestamp_ms),
        "tokenId": case.token,
    }


def check(case: SimpleNamespace, body: dict[str, Any], order_id: str) -> None:
    sessions = {(case.eoa, case.maker)} if case.session else set()
    found = verify_order(body, neg_risk=case.neg_risk, key_address=case.eoa, sessions=sessions)

    assert isinstance(found, VerifiedOrder), (case, found)
    assert (found.order_id, found.domain) == (order_id, case.domain.name)
    assert (found.wallet, found.signer_eoa, found.by_session) == (case.maker, case.eoa, case.session)


def test_orders_of_the_unified_client_verify() -> None:
    """Random orders over all domains and signature types, session keys too, signed by the unified client's code, verify."""
    typed_data = pytest.importorskip("polymarket._internal.actions.orders.typed_data")
    types = pytest.importorskip("polymarket._internal.actions.orders.types")
    wallet = pytest.importorskip("polymarket._internal.wallet")
    account = pytest.importorskip("eth_account")
    messages = pytest.importorskip("eth_account.messages")
    random = Random(SEED)
    for _ in range(ORDERS):
        case = random_case(random)
        body = unsigned_body(case)
        unsigned = types.UnsignedOrder(
            chain_id=137,
            builder=case.builder,
            exchange_address=case.domain.contract,
            expiration=0,
            maker=case.maker,
            maker_amount=case.maker_amount,
            metadata=case.metadata,
            order_type="GTC",
            salt=case.salt,
            side=case.side,
            signature_type=case.signature_type,
            signer=body["signer"],
            taker_amount=case.taker_amount,
            timestamp=case.timestamp_ms,
            token_id=case.token,
            protocol_version=case.domain.version,
        )
        signer = account.Account.from_key("0x" + case.key)
        made = signer.sign_typed_data(full_message=typed_data.build_order_typed_data(unsigned))
        body["signature"] = wallet.wrap_deposit_wallet_signature(
            signer=signer.address,
            signer_type="SESSION_KEY" if case.session else "OWNER",
            signature=typed_data.build_order_signature(unsigned, "0x" + made.signature.hex()),
        )
        plain = typed_data._build_standard_typed_data(unsigned, protocol_version=case.domain.version)
        message = messages.encode_typed_data(full_message=plain)
        check(case, body, "0x" + keccak(b"\x19" + message.version + message.header + message.body).hex())


def test_orders_of_the_v2_client_verify() -> None:
    """Random orders signed by the second client's order builder verify and have the id that it computes itself."""
    builder = pytest.importorskip("py_clob_client_v2.order_utils.exchange_order_builder_v2")
    model = pytest.importorskip("py_clob_client_v2.order_utils.model")
    signer = pytest.importorskip("py_clob_client_v2.signer")
    random = Random(SEED + 1)
    for _ in range(ORDERS // 5):
        case = random_case(random)
        if case.session:
            continue  # that client has no session keys
        body = unsigned_body(case)
        made = builder.ExchangeOrderBuilderV2(
            case.domain.contract,
            137,
            signer.Signer("0x" + case.key, 137),
            generate_salt=lambda case=case: str(case.salt),
            domain_version=case.domain.version,
        )
        order = made.build_signed_order(
            model.OrderDataV2(
                maker=case.maker,
                tokenId=case.token,
                makerAmount=body["makerAmount"],
                takerAmount=body["takerAmount"],
                side=model.Side[case.side],
                signer=body["signer"],
                signatureType=model.SignatureTypeV2(case.signature_type),
                timestamp=body["timestamp"],
                metadata=case.metadata,
                builder=case.builder,
            )
        )
        sent = model.order_data_v2.order_to_json_v2(order, "owner", "GTC")["order"]
        check(case, sent, made.build_order_hash(made.build_order_typed_data(order)))


@pytest.mark.parametrize("domain", ["v1_standard", "v1_negrisk"])
def test_orders_of_the_first_client_have_our_digest_and_are_refused(domain: str) -> None:
    """Orders of version 1 hash alike, recover their key, and get the answer that tells the client to be replaced."""
    builder = pytest.importorskip("py_clob_client_v2.order_utils.exchange_order_builder_v1")
    model = pytest.importorskip("py_clob_client_v2.order_utils.model")
    signer = pytest.importorskip("py_clob_client_v2.signer")
    random = Random(SEED + 2)
    for _ in range(100):
        case = random_case(random)
        made = builder.ExchangeOrderBuilderV1(
            DOMAINS[domain].contract, 137, signer.Signer("0x" + case.key, 137), lambda case=case: str(case.salt)
        )
        order = made.build_signed_order(
            model.OrderDataV1(
                maker=case.eoa,
                taker=case.maker,
                tokenId=case.token,
                makerAmount=str(case.maker_amount),
                takerAmount=str(case.taker_amount),
                side=model.Side[case.side],
                feeRateBps="1000",
                nonce=str(case.salt),
                expiration="5",
            )
        )
        sent = model.order_data_v1.order_to_json_v1(order, "owner", "GTC")["order"]
        digest = order_v1_digest(v1_fields_of(sent), DOMAINS[domain])

        assert "0x" + digest.hex() == made.build_order_hash(made.build_order_typed_data(order))
        assert eip712.recover(digest, bytes.fromhex(sent["signature"][2:])) == case.eoa
        assert verify_order(sent, neg_risk=False) == Refused(400, "order_version_mismatch")


def test_wallets_are_those_of_the_unified_client() -> None:
    """Random keys have the wallets that the unified client derives."""
    wallet = pytest.importorskip("polymarket._internal.wallet")
    environments = pytest.importorskip("polymarket.environments")
    config = environments.PRODUCTION._config.wallet_derivation
    random = Random(SEED + 3)
    for _ in range(100):
        eoa = Wallet("0x" + random.randbytes(32).hex()).eoa
        found = wallets_of(eoa)

        assert found.proxy == wallet.derive_proxy_wallet_address(eoa, config)
        assert found.safe == wallet.derive_safe_wallet_address(eoa, config)
        assert found.deposit_beacon == wallet.derive_beacon_deposit_wallet_address(eoa, config)
        assert found.deposit_uups == wallet.derive_uups_deposit_wallet_address(eoa, config)


def test_l1_and_l2_are_those_of_the_unified_client() -> None:
    """Random claims and messages are signed by the unified client's code as by ours."""
    l1_auth = pytest.importorskip("polymarket._internal.l1_auth")
    mac = pytest.importorskip("polymarket._internal.hmac")
    account = pytest.importorskip("eth_account")
    random = Random(SEED + 4)
    for _ in range(100):
        key, nonce, now_s = random.randbytes(32).hex(), random.getrandbits(30), random.randrange(10**10)
        wallet = Wallet("0x" + key)
        theirs = l1_auth.sign_api_key_auth(account.Account.from_key(key), chain_id=137, timestamp=now_s, nonce=nonce)
        headers = wallet.l1_headers(now_s, nonce)
        assert headers["POLY_SIGNATURE"] == theirs.signature
        assert Keyring(1).check_l1(headers, now_s) == wallet.eoa

        secret, body = "QUJD" * 8 + "QQ"[: random.choice([0, 2])], '{"a":"é\'"}'
        signature = mac.build_hmac_signature(secret=secret, timestamp=now_s, method="POST", path="/order", body=body)
        assert l2_signature(secret, now_s, "POST", "/order", body.encode()) == signature
