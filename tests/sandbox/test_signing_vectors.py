import json
from pathlib import Path
from typing import Any

import pytest

from polymarket_agent.domain.levels import Side
from polymarket_agent.sandbox import eip712
from polymarket_agent.sandbox.keccak import address_bytes, keccak
from polymarket_agent.sandbox.model import Refused
from polymarket_agent.sandbox.signing import (
    DOMAINS,
    Domain,
    OrderFields,
    VerifiedOrder,
    Wallet,
    order_digest,
    order_v1_digest,
    recover,
    verify_order,
    wallets_of,
)
from tests.sandbox.signing_vectors import (
    CTF_TOKEN,
    NEG_RISK_TOKEN,
    TEST_ADDRESS,
    TEST_KEY,
    captured,
    captured_orders,
    fields_of,
    v1_fields_of,
)


@pytest.fixture
def vectors(shared_data: Path) -> dict[str, Any]:
    found: dict[str, Any] = captured(shared_data, "vectors")
    return found


@pytest.fixture
def unit_vectors(shared_data: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((shared_data / "vectors" / "vectors.json").read_text(encoding="utf-8"))
    return found


def test_keccak_is_not_sha3() -> None:
    """The hash of nothing is the known one of Keccak-256; SHA3-256 pads otherwise."""
    assert keccak(b"").hex() == "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"


def test_type_hashes_and_separators_are_the_recorded_ones(vectors: dict[str, Any]) -> None:
    """Domains and type hashes that are computed at import equal those of the wire specification."""
    hashes, separators = vectors["type_hashes"], vectors["domain_separators_chain_137"]

    assert "0x" + eip712._DOMAIN_TYPE.hex() == hashes["domain_with_contract"]
    assert "0x" + eip712._ORDER_TYPE_HASH.hex() == hashes["order_v2_v3"]
    assert "0x" + eip712._ORDER_V1_TYPE_HASH.hex() == hashes["order_v1"]
    assert {name: "0x" + domain.separator.hex() for name, domain in DOMAINS.items()} == {
        name: row["separator"] for name, row in separators.items()
    }


def test_recorded_orders_have_their_hashes_and_signers(vectors: dict[str, Any]) -> None:
    """Struct hash, order id and recovered key of the nine worked orders are reproduced."""
    assert len(vectors["vectors"]) == 9
    for row in vectors["vectors"]:
        domain, body = DOMAINS[row["domain"]], row["order"]
        v1 = row["domain"].startswith("v1")
        order = v1_fields_of(body) if v1 else fields_of(body)
        digest = order_digest(order, domain) if isinstance(order, OrderFields) else order_v1_digest(order, domain)

        assert "0x" + order.struct_hash().hex() == row["struct_hash"], row["case"]
        assert "0x" + digest.hex() == row["order_id"], row["case"]
        if "signature_recovers_to" in row:
            assert recover(digest, bytes.fromhex(body["signature"][2:])) == row["signature_recovers_to"], row["case"]


def test_recorded_orders_verify(vectors: dict[str, Any]) -> None:
    """Each worked order passes with its recorded id, for the api key of the recorded address; version 1 does not."""
    for row in vectors["vectors"]:
        found = verify_order(row["order"], neg_risk=row["domain"] == "v2_negrisk", key_address=vectors["address"])
        if row["domain"].startswith("v1"):
            assert found == Refused(400, "order_version_mismatch")
            continue
        assert isinstance(found, VerifiedOrder), (row["case"], found)
        assert (found.order_id, found.domain) == (row["order_id"], row["domain"])
        assert found.signer_eoa == vectors["address"]
        assert found.wallet == row["order"]["maker"]


def test_the_parts_of_a_deposit_wallet_signature_are_the_recorded_ones(vectors: dict[str, Any]) -> None:
    """The nested digest, its type hash and every part of the 317 bytes are reproduced."""
    row = next(row for row in vectors["vectors"] if row["order"]["signatureType"] == 3)
    order, domain, parts = fields_of(row["order"]), DOMAINS[row["domain"]], row["signature_parts"]
    inner = eip712.wallet_digest(order.struct_hash(), domain, order.maker)

    assert "0x" + eip712._WALLET_TYPE_HASH.hex() == row["typed_data_sign_typehash"]
    assert "0x" + inner.hex() == row["inner_digest"]
    assert recover(inner, bytes.fromhex(parts["inner_65"][2:])) == row["inner_recovers_to"]
    assert "0x" + domain.separator.hex() == parts["app_domain_separator_32"]
    assert "0x" + order.struct_hash().hex() == parts["contents_hash_32"]
    assert eip712.ORDER_TYPE.decode() == parts["contents_type_186"]
    assert len(eip712.ORDER_TYPE) == parts["length_u16"]


def test_our_signatures_are_the_recorded_ones(vectors: dict[str, Any]) -> None:
    """Signing is deterministic: our wallet makes the bodies of the official clients again, byte for byte."""
    for row in vectors["vectors"]:
        body = row["order"]
        if row["domain"].startswith("v1"):
            continue
        again = Wallet(vectors["private_key"], body["signatureType"]).sign_order(
            body["tokenId"],
            Side(body["side"]),
            int(body["makerAmount"]),
            int(body["takerAmount"]),
            salt=body["salt"],
            timestamp_ms=int(body["timestamp"]),
            neg_risk=row["domain"] == "v2_negrisk",
        )
        assert again == body, row["case"]


def test_every_captured_order_verifies(shared_data: Path) -> None:
    """Whatever the clients posted in the captures is good; what the oldest client posted is of another version."""
    answers = []
    for body in captured_orders(shared_data):
        found = verify_order(body, neg_risk=body["tokenId"] == NEG_RISK_TOKEN, key_address=TEST_ADDRESS)
        assert isinstance(found, VerifiedOrder) or "taker" in body, found
        answers.append(found)

    assert answers.count(Refused(400, "order_version_mismatch")) == 1
    assert len(answers) > 25


def test_unit_vectors_of_orders(unit_vectors: dict[str, Any]) -> None:
    """The official package's own order vectors, made for the test chain, are reproduced."""
    first, nested = unit_vectors["order_eip712"]
    domain = Domain("amoy", "1", first["domain"]["verifyingContract"], chain_id=80002)
    digest = order_v1_digest(v1_fields_of(first["message"]), domain)
    assert "0x" + digest.hex() == first["order_hash"]
    assert recover(digest, bytes.fromhex(first["signature"][2:])) == TEST_ADDRESS

    domain = Domain("amoy", "2", nested["domain"]["verifyingContract"], chain_id=80002)
    order = fields_of(nested["message"] | {"salt": int(nested["message"]["salt"]), "side": "BUY"})
    signature = bytes.fromhex(nested["signature"][2:])
    inner = eip712.wallet_digest(order.struct_hash(), domain, order.maker)
    assert recover(inner, signature[:65]) == TEST_ADDRESS
    assert signature[65:] == domain.separator + order.struct_hash() + eip712.ORDER_TYPE + b"\x00\xba"


@pytest.mark.parametrize(
    ("domain", "maker", "side", "amounts", "signature_type", "order_id"),
    [
        (
            "v2_standard",
            TEST_ADDRESS,
            0,
            (5, 10),
            0,
            "bd7c8006b0dfb3c34b71dc37155ab8a128c2ecb4bf9b28f243323cce0baa7701",
        ),
        ("v2_negrisk", TEST_ADDRESS, 1, (10, 5), 0, "bf1f8a378ad4f60330fcb48ee86cea18e4b6e65497b638468066c8c3c5cbadc0"),
        (
            "v2_standard",
            "0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
            0,
            (5, 10),
            3,
            "b7ab070807780aff653b99626a3e418527a92ff7a521025c9ff83cbfc92aef50",
        ),
    ],
)
def test_order_ids_of_the_failure_model(
    domain: str, maker: str, side: int, amounts: tuple[int, int], signature_type: int, order_id: str
) -> None:
    """The three order ids of the failure model, section 2.1, are reproduced."""
    order = OrderFields(
        salt=123456789,
        maker=address_bytes(maker),
        signer=address_bytes(maker),
        token_id=int(CTF_TOKEN),
        maker_amount=amounts[0] * 1_000_000,
        taker_amount=amounts[1] * 1_000_000,
        side=side,
        signature_type=signature_type,
        timestamp_ms=1700000000000,
    )

    assert order_digest(order, DOMAINS[domain]).hex() == order_id


def test_wallets_of_the_test_key() -> None:
    """The wallets that follow from the test key are those of the wire specification."""
    found = wallets_of(TEST_ADDRESS)

    assert found.proxy == "0x365f0CA36Ae1f641E02fE3B7743673da42A13A70"
    assert found.safe == "0xd93B25cb943D14d0d34FBaF01Fc93a0f8b5F6E47"
    assert found.deposit_beacon == "0xBc0fF067b7740Eff76C1ca93c875Ba6B890d6B50"
    assert found.deposit_uups == "0xdf8b9E8f9AB23f261F6e1B171B7454ae6E46Ba76"
    assert Wallet(TEST_KEY, 3).address == found.deposit_beacon
