"""What the signer, the authenticator and addresses refuse or leave out, beyond what vectors can show."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from polymarket_agent.adapters.polymarket.hashing import address_bytes, checksum
from polymarket_agent.adapters.polymarket.l2 import L2
from polymarket_agent.adapters.polymarket.signer import OrderSigner, domain_of, order_body, order_id_of
from polymarket_agent.domain.market import AssetId
from polymarket_agent.domain.venue import WalletIdentity, WalletKind
from polymarket_agent.errors import AgentError, ConfigError
from polymarket_agent.keys import ApiCredentials, Secret, parse_private_key
from tests.adapters.signing.official import identities, random_wanted, ticket_of
from tests.sandbox.signing_vectors import CTF_TOKEN, POSITION, TEST_ADDRESS, TEST_KEY

KEY = parse_private_key(TEST_KEY, "a test")
OWN = [identity for identity, session in identities(KEY) if not session]
STRANGER = next(identity for identity, session in identities(KEY) if session)
TICKET = ticket_of(random_wanted(Random(4)))


@pytest.mark.parametrize("kind", WalletKind)
@pytest.mark.parametrize("own", OWN, ids=lambda each: f"{each.kind.name} {each.wallet[:6]}")
def test_a_wallet_is_signed_for_only_as_what_it_is(own: WalletIdentity, kind: WalletKind) -> None:
    """The key's wallets are taken as their own kind and as no other."""
    if kind is own.kind:
        OrderSigner(KEY, own)
    else:
        with pytest.raises(ConfigError, match=f"not the {kind.name} wallet"):
            OrderSigner(KEY, replace(own, kind=kind))


@pytest.mark.parametrize("kind", WalletKind)
def test_a_stranger_wallet_is_refused_unless_a_session_key_is_meant(kind: WalletKind) -> None:
    """A mistyped wallet address is found here; only a deposit wallet can be traded for somebody else, and when it is said."""
    with pytest.raises(ConfigError, match="wallet"):
        OrderSigner(KEY, replace(STRANGER, kind=kind))
    if kind is WalletKind.DEPOSIT:
        signed = OrderSigner(KEY, STRANGER, session=True).sign(TICKET, salt=1, timestamp_ms=1)
        assert len(bytes.fromhex(signed.signature[2:])) == 480
    else:
        with pytest.raises(ConfigError, match="session key"):
            OrderSigner(KEY, replace(STRANGER, kind=kind), session=True)


@pytest.mark.parametrize("own", OWN, ids=lambda each: f"{each.kind.name} {each.wallet[:6]}")
def test_an_own_wallet_is_not_traded_with_a_session_key(own: WalletIdentity) -> None:
    """A key that owns a wallet signs as its owner."""
    with pytest.raises(ConfigError, match="session key"):
        OrderSigner(KEY, own, session=True)


def test_signing_again_gives_the_same_bytes() -> None:
    """A second signer, as after a restart, makes the same body from the same fields, and another salt another id."""
    for own in OWN:
        first = OrderSigner(KEY, own).sign(TICKET, salt=7, timestamp_ms=9)
        again = OrderSigner(KEY, own).sign(TICKET, salt=7, timestamp_ms=9)

        assert order_body(first, "o") == order_body(again, "o")
        assert OrderSigner(KEY, own).sign(TICKET, salt=8, timestamp_ms=9).order_id != first.order_id


def test_every_signed_field_changes_the_id_and_no_other_does() -> None:
    """Salt, time, asset, amounts, side and exchange are in the id; expiry, time in force and post-only are not."""
    identity = OWN[0]

    def id_of(ticket: Any = TICKET, salt: int = 7, timestamp_ms: int = 9) -> str:
        return order_id_of(ticket, identity, salt=salt, timestamp_ms=timestamp_ms)

    standard = replace(TICKET, asset_id=AssetId(CTF_TOKEN), neg_risk=False)
    signed = {
        id_of(standard),
        id_of(replace(standard, neg_risk=True)),
        id_of(replace(standard, asset_id=AssetId(POSITION))),
        id_of(replace(standard, maker_amount=standard.maker_amount + 1)),
        id_of(replace(standard, taker_amount=standard.taker_amount + 1)),
        id_of(replace(standard, side=next(side for side in type(standard.side) if side is not standard.side))),
        id_of(standard, salt=8),
        id_of(standard, timestamp_ms=10),
        order_id_of(standard, OWN[1], salt=7, timestamp_ms=9),
    }
    unsigned = {
        id_of(standard),
        id_of(replace(standard, expires_s=5)),
        id_of(replace(standard, post_only=not standard.post_only)),
        *(id_of(replace(standard, time_in_force=each)) for each in type(standard.time_in_force)),
    }

    assert len(signed) == 9
    assert len(unsigned) == 1


@pytest.mark.parametrize("text", ["", "0", "01", "-1", "1.0", "0x10", " 1", "1 ", "1_0", "٣", str(1 << 256), "9" * 400])
def test_an_asset_id_that_is_no_number_is_not_signed(text: str) -> None:
    """Only a canonical decimal uint256 is an asset id, so one asset has one spelling in the body."""
    with pytest.raises(AgentError):
        domain_of(AssetId(text), neg_risk=False)
    with pytest.raises(AgentError):
        OrderSigner(KEY, OWN[0]).sign(replace(TICKET, asset_id=AssetId(text)), salt=1, timestamp_ms=1)


@pytest.mark.parametrize("owner", ["plain", 'a"b', "a\\b", "a\nb", "é"])
def test_an_odd_owner_cannot_break_the_body(owner: str) -> None:
    """Whatever the venue gave as the id of a key is quoted: the body stays one JSON object with that owner."""
    signed = OrderSigner(KEY, OWN[0]).sign(TICKET, salt=1, timestamp_ms=1)

    assert json.loads(order_body(signed, owner))["owner"] == owner


@pytest.mark.parametrize("length", [1, 31, 32, 63, 64, 65, 200])
@pytest.mark.parametrize("body", [None, b"", b'{"a":"\xc3\xa9"}'])
def test_requests_are_authenticated_as_hmac_says(length: int, body: bytes | None) -> None:
    """Secrets of any length, padded or not, and any body give what the standard library's HMAC gives; no query is signed."""
    raw = Random(length).randbytes(length)
    text = base64.urlsafe_b64encode(raw).decode()
    expected = hmac.digest(raw, b"12GET/data/orders" + (body or b""), hashlib.sha256)
    for spelling in (text, text.rstrip("=")):
        signs = L2(ApiCredentials("id", Secret(spelling), Secret("word")), TEST_ADDRESS)
        for _ in range(2):
            assert signs.headers("GET", "/data/orders?market=0x1&next_cursor=a==", body, 12) == {
                "POLY_ADDRESS": TEST_ADDRESS,
                "POLY_API_KEY": "id",
                "POLY_PASSPHRASE": "word",
                "POLY_SIGNATURE": base64.urlsafe_b64encode(expected).decode(),
                "POLY_TIMESTAMP": "12",
            }


# From the text of EIP-55.
CHECKSUMMED = [
    "0x52908400098527886E0F7030069857D2E4169EE7",
    "0xde709f2102306220921060314715629080e2fb77",
    "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
    "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
    "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
    "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
]


@pytest.mark.parametrize("address", CHECKSUMMED)
def test_addresses_are_spelled_with_their_checksum(address: str) -> None:
    """The examples of the standard come out of any one case, and one letter in the wrong case is an error."""
    assert (
        checksum(address.lower()) == checksum("0x" + address[2:].upper()) == checksum(address_bytes(address)) == address
    )
    mixed = address[2:].lower() != address[2:] != address[2:].upper()
    letter = next((at for at in range(2, 42) if address[at].isalpha()), None)
    if mixed and letter is not None:
        with pytest.raises(AgentError, match="wrong case"):
            address_bytes(address[:letter] + address[letter].swapcase() + address[letter + 1 :])


@pytest.mark.parametrize(
    "text", ["", "0x", "0x" + "1" * 39, "0x" + "1" * 41, "0X" + "1" * 40, "0x" + " 1" * 20, "1" * 42]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    """Other lengths, prefixes and characters are errors."""
    with pytest.raises(AgentError, match="not an address"):
        checksum(text)
