from typing import Any

import pytest
from coincurve import PrivateKey

from polymarket_agent.sandbox.eip712 import sign, wallet_digest
from polymarket_agent.sandbox.model import Refused
from polymarket_agent.sandbox.signing import (
    DOMAINS,
    Domain,
    VerifiedOrder,
    Wallet,
    order_digest,
    recover,
    verify_order,
    wallets_of,
)
from tests.sandbox.signing_vectors import (
    CTF_TOKEN,
    POSITION,
    SECOND_KEY,
    TEST_ADDRESS,
    TEST_KEY,
    fields_of,
    signed,
)

BAD_SIGNATURE = Refused(400, "invalid signature")
CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
DEPOSIT = wallets_of(TEST_ADDRESS).deposit_beacon
SESSION = Wallet(SECOND_KEY, 3, wallet=DEPOSIT)


def verify(body: object, **options: Any) -> VerifiedOrder | Refused:
    return verify_order(body, neg_risk=False, **options)


def raw(body: dict[str, Any]) -> bytes:
    return bytes.fromhex(body["signature"][2:])


@pytest.mark.parametrize("signature_type", [0, 1, 2, 3])
def test_each_signature_type_is_accepted_for_its_wallet(signature_type: int) -> None:
    """An order of each type verifies, belongs to the wallet of that type, and names the key that signed."""
    wallet = Wallet(TEST_KEY, signature_type)
    found = verify(signed(wallet), key_address=TEST_ADDRESS)

    assert isinstance(found, VerifiedOrder)
    assert (found.wallet, found.signer_eoa, found.by_session) == (wallet.address, TEST_ADDRESS, False)
    assert found.signer == (wallet.address if signature_type == 3 else TEST_ADDRESS)


def test_the_older_deposit_wallet_is_accepted_too() -> None:
    """Both kinds of deposit wallet belong to their key."""
    older = Wallet(TEST_KEY, 3, wallet=wallets_of(TEST_ADDRESS).deposit_uups)

    assert isinstance(verify(signed(older), key_address=TEST_ADDRESS), VerifiedOrder)


def test_a_session_key_needs_its_authorisation() -> None:
    """A session key trades for a deposit wallet exactly when the pair is authorised."""
    assert SESSION.session
    body = signed(SESSION)
    allowed = {(SESSION.eoa, DEPOSIT)}

    found = verify(body, key_address=SESSION.eoa, sessions=allowed)
    assert isinstance(found, VerifiedOrder)
    assert (found.wallet, found.signer_eoa, found.by_session) == (DEPOSIT, SESSION.eoa, True)
    assert verify(body, key_address=SESSION.eoa) == Refused(
        400, "the order signer address has to be the address of the API KEY"
    )
    assert verify(body) == BAD_SIGNATURE
    assert verify(body, sessions={(SESSION.eoa, TEST_ADDRESS)}) == BAD_SIGNATURE


@pytest.mark.parametrize("wallet", [Wallet(TEST_KEY), Wallet(TEST_KEY, 2), Wallet(TEST_KEY, 3), SESSION], ids=repr)
def test_a_flipped_bit_anywhere_in_the_signature_is_refused(wallet: Wallet) -> None:
    """No bit of a signature is free: in the curve's numbers, v, separator, struct hash, type text, length, ABI, magic."""
    body = signed(wallet)
    good = raw(body)
    sessions = {(SESSION.eoa, DEPOSIT)}
    assert isinstance(verify(body, sessions=sessions), VerifiedOrder)

    for bit in range(8 * len(good)):
        bad = bytearray(good)
        bad[bit // 8] ^= 1 << bit % 8
        assert verify(body | {"signature": "0x" + bad.hex()}, sessions=sessions) == BAD_SIGNATURE, bit


@pytest.mark.parametrize(
    "change",
    [
        {"salt": 8},
        {"makerAmount": "4500001"},
        {"takerAmount": "10000001"},
        {"side": "SELL"},
        {"timestamp": "1795360431341"},
        {"metadata": "0x" + "00" * 31 + "01"},
        {"builder": "0x01" + "00" * 31},
        {"tokenId": str(int(CTF_TOKEN) + 1)},
        {"maker": wallets_of(TEST_ADDRESS).safe},
        {"signer": Wallet(SECOND_KEY).eoa},
        {"signatureType": 1},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_changed_field_breaks_the_signature(change: dict[str, Any]) -> None:
    """Every signed field is covered by the digest."""
    assert verify(signed(Wallet(TEST_KEY)) | change) == BAD_SIGNATURE


def test_expiration_is_not_covered_by_the_signature() -> None:
    """Expiration travels beside the signed fields, so it changes neither the id nor the verdict."""
    body = signed(Wallet(TEST_KEY))
    before, after = verify(body), verify(body | {"expiration": "1795360999"})

    assert isinstance(before, VerifiedOrder)
    assert isinstance(after, VerifiedOrder)
    assert (before.order_id, after.expires_s) == (after.order_id, 1795360999)


@pytest.mark.parametrize("signature_type", [0, 1, 2, 3])
def test_another_chain_is_refused(signature_type: int) -> None:
    """An order signed for the test chain is no order of this one."""
    wallet = Wallet(TEST_KEY, signature_type)
    body = signed(wallet)
    order, amoy = fields_of(body), Domain("amoy", "2", DOMAINS["v2_standard"].contract, chain_id=80002)
    digest = order_digest(order, amoy)
    if signature_type == 3:
        digest = wallet_digest(order.struct_hash(), amoy, order.maker)
    made = sign(digest, PrivateKey.from_hex(TEST_KEY[2:])) + raw(body)[65:]

    assert verify(body | {"signature": "0x" + made.hex()}) == BAD_SIGNATURE


@pytest.mark.parametrize("signature_type", [0, 3])
def test_the_other_exchange_of_the_same_version_is_refused(signature_type: int) -> None:
    """A standard order sent to a neg-risk market, or the reverse, is signed wrongly."""
    wallet = Wallet(TEST_KEY, signature_type)

    assert verify_order(signed(wallet), neg_risk=True) == BAD_SIGNATURE
    assert verify_order(signed(wallet, neg_risk=True), neg_risk=False) == BAD_SIGNATURE


@pytest.mark.parametrize("signature_type", [0, 1, 2, 3])
def test_another_version_is_named(signature_type: int) -> None:
    """A position order that is signed for the exchange of version 2 is told to be of the wrong version."""
    wallet = Wallet(TEST_KEY, signature_type)
    body = signed(wallet, token=POSITION)
    order, domain = fields_of(body), DOMAINS["v2_standard"]
    digest = order_digest(order, domain)
    if signature_type == 3:
        digest = wallet_digest(order.struct_hash(), domain, order.maker)
    inner = sign(digest, PrivateKey.from_hex(TEST_KEY[2:]))
    rest = domain.separator + raw(body)[97:] if signature_type == 3 else b""
    wrong = body | {"signature": "0x" + (inner + rest).hex()}

    assert isinstance(verify(body), VerifiedOrder)
    assert verify(wrong) == Refused(400, "order_version_mismatch")


@pytest.mark.parametrize("signature_type", [0, 1, 2, 3])
def test_a_maker_that_is_not_the_signers_wallet_is_refused(signature_type: int) -> None:
    """A well signed order for somebody else's wallet moves nothing."""
    stranger, victim = Wallet(SECOND_KEY), Wallet(TEST_KEY, signature_type)
    body = signed(victim)
    signer = victim.address if signature_type == 3 else stranger.eoa
    forged = body | {"signer": signer}
    order, domain = fields_of(forged), DOMAINS["v2_standard"]
    digest = order_digest(order, domain)
    if signature_type == 3:
        digest = wallet_digest(order.struct_hash(), domain, order.maker)
    inner = sign(digest, PrivateKey.from_hex(SECOND_KEY[2:]))
    rest = domain.separator + order.struct_hash() + raw(body)[129:] if signature_type == 3 else b""

    assert verify(forged | {"signature": "0x" + (inner + rest).hex()}) == BAD_SIGNATURE


@pytest.mark.parametrize("signature_type", [0, 1, 2, 3])
def test_the_named_signer_is_the_one_that_signed(signature_type: int) -> None:
    """The signer is the key itself for types 0 to 2 and the wallet for type 3; a good signature mends no other name."""
    body = signed(Wallet(TEST_KEY, signature_type))
    named = body | {"signer": TEST_ADDRESS if signature_type == 3 else Wallet(SECOND_KEY).eoa}
    order, domain = fields_of(named), DOMAINS["v2_standard"]
    digest = order_digest(order, domain)
    if signature_type == 3:
        digest = wallet_digest(order.struct_hash(), domain, order.maker)
    inner = sign(digest, PrivateKey.from_hex(TEST_KEY[2:]))
    rest = domain.separator + order.struct_hash() + raw(body)[129:] if signature_type == 3 else b""

    assert verify(named | {"signature": "0x" + (inner + rest).hex()}) == BAD_SIGNATURE


@pytest.mark.parametrize("signature_type", [0, 1, 2, 3])
def test_an_order_of_another_account_is_refused(signature_type: int) -> None:
    """The signer of an order is the address behind the api key, or its deposit wallet."""
    body = signed(Wallet(TEST_KEY, signature_type))

    assert verify(body, key_address=Wallet(SECOND_KEY).eoa) == Refused(
        400, "the order signer address has to be the address of the API KEY"
    )


def test_plain_keys_can_be_kept_out() -> None:
    """Where plain EOAs are not allowed, the venue says which flow to use, and only after the signature was good."""
    body = signed(Wallet(TEST_KEY))
    other = signed(Wallet(TEST_KEY), salt=8)

    assert verify(body, eoa_allowed=False) == Refused(
        400, "maker address not allowed, please use the deposit wallet flow"
    )
    assert verify(body | {"signature": other["signature"]}, eoa_allowed=False) == BAD_SIGNATURE
    assert isinstance(verify(signed(Wallet(TEST_KEY, 3)), eoa_allowed=False), VerifiedOrder)


def test_a_malleable_signature_is_refused() -> None:
    """The mirror image of s recovers the same key in plain mathematics; it is refused, so an order has one signature."""
    body = signed(Wallet(TEST_KEY))
    good = raw(body)
    mirrored = CURVE_ORDER - int.from_bytes(good[32:64], "big")
    bad = good[:32] + mirrored.to_bytes(32, "big") + bytes((55 - good[64],))

    assert verify(body | {"signature": "0x" + bad.hex()}) == BAD_SIGNATURE


@pytest.mark.parametrize("v", [0, 1, 2, 26, 29, 31, 255])
def test_v_is_27_or_28(v: int) -> None:
    """Other recovery bytes, also the raw 0 and 1, are refused."""
    body = signed(Wallet(TEST_KEY))

    assert verify(body | {"signature": "0x" + raw(body)[:64].hex() + f"{v:02x}"}) == BAD_SIGNATURE


@pytest.mark.parametrize("number", [b"\x00" * 32, CURVE_ORDER.to_bytes(32, "big"), b"\xff" * 32])
def test_numbers_off_the_curve_recover_nobody(number: bytes) -> None:
    """r or s of zero, or beyond the curve's order, recovers no key and raises nothing."""
    digest, one = b"\x01" * 32, (1).to_bytes(32, "big")

    assert recover(digest, number + one + b"\x1b") is None
    assert recover(digest, one + number + b"\x1b") is None
