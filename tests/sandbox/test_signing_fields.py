from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymarket_agent.sandbox.keccak import address_bytes
from polymarket_agent.sandbox.model import Refused
from polymarket_agent.sandbox.signing import VerifiedOrder, Wallet, verify_order, wallets_of
from tests.sandbox.signing_vectors import CTF_TOKEN, TEST_ADDRESS, TEST_KEY, signed

BAD_SIGNATURE = Refused(400, "invalid signature")


def verify(body: object, **options: Any) -> VerifiedOrder | Refused:
    return verify_order(body, neg_risk=False, **options)


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "0x",
        "0x00",
        "hello",
        "0X" + "11" * 65,
        "0x" + "zz" * 65,
        "0x" + "11" * 64,
        "0x" + "11" * 66,
        "0x" + "1" * 131,
        "0x" + "11" * 317,
        "0x" + "11" * 480,
        "0x" + "1 " * 65,
        "0x" + "11" * 10_000,
        "0x" + "\ud800" * 130,
    ],
)
@pytest.mark.parametrize("signature_type", [0, 3])
def test_text_that_is_no_signature_is_refused(signature_type: int, bad: str) -> None:
    """Wrong lengths, other characters and blanks are an invalid signature, never a crash."""
    assert verify(signed(Wallet(TEST_KEY, signature_type)) | {"signature": bad}) == BAD_SIGNATURE


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"side": "HOLD"}, "Invalid side"),
        ({"side": ["BUY"]}, "Invalid side"),
        ({"side": 0}, "Invalid side"),
        ({"tokenId": "0x12"}, "Invalid token id"),
        ({"tokenId": str(1 << 256)}, "Invalid token id"),
        ({"tokenId": "9" * 5_000}, "Invalid token id"),
        ({"tokenId": 12}, "Invalid token id"),
        ({"signatureType": 4}, "Invalid signature_type"),
        ({"signatureType": -1}, "Invalid signature_type"),
        ({"signatureType": "0"}, "Invalid order payload"),
        ({"signatureType": True}, "Invalid order payload"),
        ({"salt": "7"}, "Invalid order payload"),
        ({"salt": 7.0}, "Invalid order payload"),
        ({"salt": -1}, "Invalid order payload"),
        ({"salt": 1 << 256}, "Invalid order payload"),
        ({"makerAmount": 4_500_000}, "Invalid order payload"),
        ({"makerAmount": "4.5"}, "Invalid order payload"),
        ({"takerAmount": "-1"}, "Invalid order payload"),
        ({"takerAmount": "1_0"}, "Invalid order payload"),
        ({"takerAmount": "\u0661"}, "Invalid order payload"),
        ({"timestamp": None}, "Invalid order payload"),
        ({"expiration": 0}, "Invalid order payload"),
        ({"maker": "0x12"}, "Invalid order payload"),
        ({"maker": TEST_ADDRESS[2:]}, "Invalid order payload"),
        ({"signer": None}, "Invalid order payload"),
        ({"signer": [TEST_ADDRESS]}, "Invalid order payload"),
        ({"metadata": "0x"}, "Invalid order payload"),
        ({"builder": 0}, "Invalid order payload"),
        ({"signature": None}, "Invalid order payload"),
    ],
)
def test_a_malformed_field_is_named(change: dict[str, Any], said: str) -> None:
    """What is not of the documented type and range is refused before any cryptography, in the venue's words."""
    assert verify(signed(Wallet(TEST_KEY)) | change) == Refused(400, said)


def test_an_address_in_lower_case_is_the_same_account() -> None:
    """Spelling does not make another account: answers are checksummed."""
    body = signed(Wallet(TEST_KEY))
    found = verify(body | {"maker": body["maker"].lower(), "signer": body["signer"].lower()}, key_address=TEST_ADDRESS)

    assert isinstance(found, VerifiedOrder)
    assert found.wallet == found.signer == TEST_ADDRESS


def test_a_token_id_has_one_spelling_in_the_answer() -> None:
    """Leading zeros do not make another asset."""
    found = verify(signed(Wallet(TEST_KEY)) | {"tokenId": "0" + CTF_TOKEN})

    assert isinstance(found, VerifiedOrder)
    assert found.asset_id == CTF_TOKEN


def test_a_wallet_shows_no_key() -> None:
    """The text of a wallet can be logged, and only a deposit wallet can be somebody else's."""
    assert TEST_KEY[2:] not in repr(Wallet(TEST_KEY))
    assert Wallet(TEST_KEY).private_key == TEST_KEY
    assert Wallet.from_seed(1, "maker").eoa == Wallet.from_seed(1, "maker").eoa != Wallet.from_seed(2, "maker").eoa
    with pytest.raises(ValueError, match="is not the POLY_PROXY wallet"):
        Wallet(TEST_KEY, 1, wallet=TEST_ADDRESS)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
FIELDS = [*signed(Wallet(TEST_KEY)), "taker", "nonce", "feeRateBps"]


@given(JSON | st.dictionaries(st.sampled_from(FIELDS), JSON))
def test_any_json_is_refused_and_raises_nothing(body: object) -> None:
    """Whatever is posted as an order, the answer is a refusal."""
    assert isinstance(verify(body, key_address=TEST_ADDRESS), Refused)


@given(st.sampled_from(FIELDS), JSON)
def test_any_json_in_one_field_raises_nothing(name: str, value: object) -> None:
    """A good order with anything in one field gets an answer; only unsigned fields can leave it good."""
    body = signed(Wallet(TEST_KEY))
    found = verify(body | {name: value}, key_address=TEST_ADDRESS)

    assert (
        isinstance(found, Refused) or value == body.get(name) or name in {"expiration", "taker", "nonce", "feeRateBps"}
    )


def test_unknown_fields_are_ignored() -> None:
    """A body may carry more than we know."""
    assert isinstance(verify(signed(Wallet(TEST_KEY)) | {"note": {}}), VerifiedOrder)


def test_addresses_are_checked_at_the_border() -> None:
    """Wallets are derived from addresses only."""
    with pytest.raises(ValueError, match="expected 0x"):
        wallets_of("0x12")
    assert len(address_bytes(TEST_ADDRESS)) == 20
