"""Vectors of the specification and of captured traffic: three independent computations agreed on them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from coincurve import PublicKey

from polymarket_agent.adapters.polymarket.hashing import (
    DOMAIN_TYPE,
    ORDER_TYPE,
    checksum,
    domain_separator,
    keccak,
    typed_digest,
)
from polymarket_agent.adapters.polymarket.l2 import L2
from polymarket_agent.adapters.polymarket.signer import DOMAIN_SEPARATORS, OrderSigner, order_body, order_id_of
from polymarket_agent.adapters.polymarket.wallets import address_of, addresses_of, kind_of
from polymarket_agent.domain.levels import Side
from polymarket_agent.domain.market import AssetId, ConditionId
from polymarket_agent.domain.money import MICRO, Price, Shares
from polymarket_agent.domain.order import TimeInForce
from polymarket_agent.domain.venue import OrderTicket, SignedOrder, WalletIdentity, WalletKind
from polymarket_agent.keys import ApiCredentials, Secret, parse_private_key
from tests.sandbox.signing_vectors import CTF_TOKEN, TEST_ADDRESS, TEST_KEY, captured, captured_requests, raw_body

KEY = parse_private_key(TEST_KEY, "a test")
EXCHANGES = {
    "v2_standard": ("2", "0xE111180000d2663C0091e4f400237545B87B996B"),
    "v2_negrisk": ("2", "0xe2222d279d744050d28e00520010520000310F59"),
    "v3": ("3", "0xe3333700cA9d93003F00f0F71f8515005F6c00Aa"),
}
# Failure model, section 2.1: salt 123456789, timestamp 1700000000000.
IDS = [
    (TEST_ADDRESS, 0, Side.BUY, False, "0xbd7c8006b0dfb3c34b71dc37155ab8a128c2ecb4bf9b28f243323cce0baa7701"),
    (TEST_ADDRESS, 0, Side.SELL, True, "0xbf1f8a378ad4f60330fcb48ee86cea18e4b6e65497b638468066c8c3c5cbadc0"),
    (
        "0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
        3,
        Side.BUY,
        False,
        "0xb7ab070807780aff653b99626a3e418527a92ff7a521025c9ff83cbfc92aef50",
    ),
]


def ticket_of(order: dict[str, Any], *, neg_risk: bool, kind: str = "GTC", post_only: bool = False) -> OrderTicket:
    """Return the ticket that a captured `order` object came from."""
    gives, wants = int(order["makerAmount"]), int(order["takerAmount"])
    buys = order["side"] == "BUY"
    money, quantity = (gives, wants) if buys else (wants, gives)
    market_buy = buys and kind in ("FOK", "FAK")
    # The captured market BUYs had a limit price on a grid of 0.01, which the amounts give back.
    at = money * MICRO // quantity // 100 * 100 if market_buy else money * MICRO // quantity
    return OrderTicket(
        condition_id=ConditionId("0x01"),
        asset_id=AssetId(order["tokenId"]),
        side=Side.BUY if buys else Side.SELL,
        price=Price(at),
        quantity=Shares(quantity),
        maker_amount=gives,
        taker_amount=wants,
        neg_risk=neg_risk,
        time_in_force=TimeInForce(kind),
        post_only=post_only,
        expires_s=int(order["expiration"]),
    )


def signed_again(order: dict[str, Any], ticket: OrderTicket) -> SignedOrder:
    kind = WalletKind(order["signatureType"])
    identity = WalletIdentity(signer=TEST_ADDRESS, wallet=order["maker"], kind=kind)
    return OrderSigner(KEY, identity).sign(ticket, salt=order["salt"], timestamp_ms=int(order["timestamp"]))


def test_domain_separators_are_computed_from_their_parts() -> None:
    """Each exchange's separator is the hash of name, version, chain and contract."""
    for name, (version, contract) in EXCHANGES.items():
        assert domain_separator("Polymarket CTF Exchange", version, 137, contract) == DOMAIN_SEPARATORS[name]


def test_type_hashes_are_those_of_the_specification(shared_data: Path) -> None:
    """The struct and domain types hash to the published values."""
    hashes = captured(shared_data, "vectors")["type_hashes"]

    assert "0x" + keccak(ORDER_TYPE).hex() == hashes["order_v2_v3"]
    assert "0x" + keccak(DOMAIN_TYPE).hex() == hashes["domain_with_contract"]


@pytest.mark.parametrize(("wallet", "kind", "side", "neg_risk", "expected"), IDS)
def test_order_ids_are_those_of_the_failure_model(
    wallet: str, kind: int, side: Side, neg_risk: bool, expected: str
) -> None:
    """Salt, time, parties and amounts of the failure model's three vectors give its three order ids."""
    gives, wants = (5_000_000, 10_000_000) if side is Side.BUY else (10_000_000, 5_000_000)
    ticket = OrderTicket(
        condition_id=ConditionId("0x01"),
        asset_id=AssetId(CTF_TOKEN),
        side=side,
        price=Price(500_000),
        quantity=Shares(10_000_000),
        maker_amount=gives,
        taker_amount=wants,
        neg_risk=neg_risk,
    )
    identity = WalletIdentity(signer=TEST_ADDRESS, wallet=wallet, kind=WalletKind(kind))

    assert order_id_of(ticket, identity, salt=123_456_789, timestamp_ms=1_700_000_000_000) == expected


def test_current_vectors_are_reproduced(shared_data: Path) -> None:
    """The eight orders of the current versions get the captured signature, id and domain; version 1 is not ours."""
    vectors = [each for each in captured(shared_data, "vectors")["vectors"] if "timestamp" in each["order"]]
    assert len(vectors) == 8
    for vector in vectors:
        order = vector["order"]
        kind = "GTD" if int(order["expiration"]) else "GTC"
        found = signed_again(order, ticket_of(order, neg_risk=vector["domain"] == "v2_negrisk", kind=kind))

        assert found.signature == order["signature"]
        assert found.order_id == vector["order_id"]
        assert found.domain == vector["domain"]
        assert found.signer == order["signer"]


def test_captured_bodies_are_reproduced(shared_data: Path) -> None:
    """Every order body that the unified client sent for its own wallets comes out byte for byte."""
    known = addresses_of(TEST_ADDRESS)
    done = 0
    for request in captured_requests(shared_data):
        body = request["body"]
        if (
            request["method"] != "POST"
            or request["path"] != "/order"
            or not raw_body(request).startswith(b'{"deferExec"')
        ):
            continue
        order = body["order"]
        if order["builder"].strip("0x") or order["maker"] not in known_addresses(known):
            continue
        if list(order) != sorted(order):  # the other client's order of keys
            continue
        for neg_risk in (False, True):
            ticket = ticket_of(order, neg_risk=neg_risk, kind=body["orderType"], post_only=body.get("postOnly", False))
            if order_body(signed_again(order, ticket), body["owner"]) == raw_body(request):
                done += 1
                break
        else:
            pytest.fail(f"not reproduced: {body}")

    assert done >= 8


def known_addresses(known: object) -> set[str]:
    return {getattr(known, name) for name in ("eoa", "proxy", "safe", "deposit", "deposit_uups")}


def test_a_signature_recovers_to_the_key(shared_data: Path) -> None:
    """What a plain wallet signs is the order id, and the curve gives the key's address back from it."""
    for vector in captured(shared_data, "vectors")["vectors"]:
        order = vector["order"]
        if "timestamp" not in order or order["signatureType"] == 3:
            continue
        found = signed_again(order, ticket_of(order, neg_risk=vector["domain"] == "v2_negrisk"))
        raw = bytes.fromhex(found.signature[2:])
        digest = bytes.fromhex(found.order_id[2:])
        public = PublicKey.from_signature_and_message(raw[:64] + bytes([raw[64] - 27]), digest, hasher=None)

        assert checksum(keccak(public.format(compressed=False)[1:])[12:]) == TEST_ADDRESS


def test_the_login_vector_is_reproduced(shared_data: Path) -> None:
    """The captured L1 headers come out equal, digest and all."""
    vector = captured(shared_data, "vectors")["l1"]
    identity = WalletIdentity(signer=TEST_ADDRESS, wallet=TEST_ADDRESS, kind=WalletKind.EOA)

    assert OrderSigner(KEY, identity).l1_headers(int(vector["headers"]["POLY_TIMESTAMP"])) == vector["headers"]


def test_the_wrapped_signature_has_the_published_layout(shared_data: Path) -> None:
    """A deposit wallet's signature is 317 bytes: inner signature, domain, struct hash, type, its length."""
    vectors = captured(shared_data, "vectors")["vectors"]
    vector = next(each for each in vectors if each["order"]["signatureType"] == 3)
    found = bytes.fromhex(signed_again(vector["order"], ticket_of(vector["order"], neg_risk=False)).signature[2:])

    assert len(found) == 317
    assert found[65:97] == DOMAIN_SEPARATORS["v2_standard"]
    assert "0x" + found[97:129].hex() == vector["struct_hash"]
    assert "0x" + typed_digest(found[65:97], found[97:129]).hex() == vector["order_id"]
    assert found[129:315] == ORDER_TYPE
    assert found[315:] == b"\x00\xba"


def test_captured_requests_are_authenticated_alike(shared_data: Path) -> None:
    """Every captured request with L2 headers gets the same headers from the captured secret."""
    secret = captured(shared_data, "vectors")["l2"]["secret"]
    done = 0
    for request in captured_requests(shared_data):
        sent = {name.upper().replace("-", "_"): value for name, value in request["headers"].items()}
        if "POLY_PASSPHRASE" not in sent:
            continue
        credentials = ApiCredentials(sent["POLY_API_KEY"], Secret(secret), Secret(sent["POLY_PASSPHRASE"]))
        found = L2(credentials, sent["POLY_ADDRESS"]).headers(
            request["method"], request["path"], raw_body(request), int(sent["POLY_TIMESTAMP"])
        )
        assert found.items() <= sent.items(), request["path"]
        done += 1

    assert done >= 30


def test_the_clients_own_hmac_vector_is_reproduced(shared_data: Path) -> None:
    """The example of the official client's test suite comes out, for its odd method too."""
    path = shared_data / "vectors" / "vectors.json"
    if not path.is_file():
        pytest.skip("no vectors of the official clients here")
    for vector in json.loads(path.read_text(encoding="utf-8"))["hmac"]:
        signs = L2(ApiCredentials("id", Secret(vector["secret"]), Secret("p")), TEST_ADDRESS)
        found = signs.headers(vector["method"], vector["path"], vector["body"].encode(), int(vector["timestamp"]))

        assert found["POLY_SIGNATURE"] == vector["signature"]


def test_wallets_of_the_development_key_are_the_captured_ones() -> None:
    """The specification's four addresses for the development key are derived, and each tells its kind."""
    known = addresses_of(address_of(KEY))

    assert known.eoa == TEST_ADDRESS
    assert known.proxy == "0x365f0CA36Ae1f641E02fE3B7743673da42A13A70"
    assert known.safe == "0xd93B25cb943D14d0d34FBaF01Fc93a0f8b5F6E47"
    assert known.deposit == "0xBc0fF067b7740Eff76C1ca93c875Ba6B890d6B50"
    assert known.deposit_uups == "0xdf8b9E8f9AB23f261F6e1B171B7454ae6E46Ba76"
    assert [
        kind_of(TEST_ADDRESS, wallet)
        for wallet in (known.eoa, known.proxy.lower(), known.safe, known.deposit, known.deposit_uups)
    ] == [WalletKind.EOA, WalletKind.PROXY, WalletKind.SAFE, WalletKind.DEPOSIT, WalletKind.DEPOSIT]
    assert kind_of(TEST_ADDRESS, "0x70997970C51812dc3A010C7d01b50e0d17dc79C8") is None
