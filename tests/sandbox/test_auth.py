import json
from pathlib import Path
from typing import Any

import pytest

from polymarket_agent.sandbox.auth import (
    Credentials,
    Keyring,
    l1_nonce,
    l2_headers,
    l2_signature,
)
from polymarket_agent.sandbox.eip712 import clob_auth_digest, recover
from polymarket_agent.sandbox.keccak import address_bytes
from polymarket_agent.sandbox.model import Refused
from polymarket_agent.sandbox.signing import Wallet
from tests.sandbox.signing_vectors import SECOND_KEY, TEST_ADDRESS, TEST_KEY, captured, captured_requests, raw_body

NOW_S = 1_795_360_427
BAD_L1 = Refused(401, "Invalid L1 Request headers")
BAD_L2 = Refused(401, "Unauthorized/Invalid api key")
BODY = b'{"orderID":"0xabab"}'


@pytest.fixture
def keyring() -> Keyring:
    return Keyring(1, skew_s=60)


@pytest.fixture
def credentials(keyring: Keyring) -> Credentials:
    made = keyring.create(TEST_ADDRESS)
    assert isinstance(made, Credentials)
    return made


def flipped(text: str, at: int) -> str:
    return text[:at] + ("1" if text[at] != "1" else "2") + text[at + 1 :]


def test_the_recorded_l1_headers_are_reproduced(shared_data: Path, keyring: Keyring) -> None:
    """Digest, signature and address of the recorded L1 headers are reproduced and accepted at their time."""
    l1 = captured(shared_data, "vectors")["l1"]
    headers = l1["headers"]
    digest = clob_auth_digest(address_bytes(headers["POLY_ADDRESS"]), headers["POLY_TIMESTAMP"], 0)

    assert "0x" + digest.hex() == l1["digest"]
    assert recover(digest, bytes.fromhex(headers["POLY_SIGNATURE"][2:])) == l1["recovers_to"]
    assert Wallet(TEST_KEY).l1_headers(int(headers["POLY_TIMESTAMP"])) == headers
    assert keyring.check_l1(headers, NOW_S) == TEST_ADDRESS


def test_the_unit_vectors_of_authentication(shared_data: Path) -> None:
    """The official package's own L1 and HMAC vectors are reproduced; the first is of the test chain."""
    found: dict[str, Any] = json.loads((shared_data / "vectors" / "vectors.json").read_text(encoding="utf-8"))
    row, mac = found["clob_auth_eip712"][0], found["hmac"][0]
    claim = row["message"]
    headers = {
        "POLY_ADDRESS": claim["address"],
        "POLY_NONCE": str(claim["nonce"]),
        "POLY_SIGNATURE": row["signature"],
        "POLY_TIMESTAMP": claim["timestamp"],
    }

    assert Keyring(1, chain_id=80002).check_l1(headers, 10_000_000) == row["address"]
    assert Keyring(1).check_l1(headers, 10_000_000) == BAD_L1
    assert (
        l2_signature(mac["secret"], mac["timestamp"], mac["method"], mac["path"], mac["body"].encode())
        == mac["signature"]
    )


def test_every_captured_request_is_authentic(shared_data: Path) -> None:
    """All L1 and L2 requests of the captures pass over their raw bytes, with their query left out."""
    kinds = {"l1": 0, "l2": 0}
    for request in captured_requests(shared_data):
        headers = request["headers"]
        if "POLY_ADDRESS" not in headers:
            continue
        keyring, now_s = Keyring(1), int(headers["POLY_TIMESTAMP"])
        if "POLY_NONCE" in headers:
            assert keyring.check_l1(headers, now_s) == TEST_ADDRESS
            kinds["l1"] += 1
            continue
        secret = captured(shared_data, "vectors")["l2"]["secret"]
        known = Credentials(headers["POLY_API_KEY"], secret, headers["POLY_PASSPHRASE"], TEST_ADDRESS)
        keyring.admit(known)
        path = "/clob" + request["path"] + ("?" + request["query"] if request["query"] else "")
        assert keyring.check_l2(headers, request["method"], path, raw_body(request), now_s) == known, path
        kinds["l2"] += 1

    assert kinds["l1"] >= 10
    assert kinds["l2"] >= 31


def test_the_recorded_hmacs_are_reproduced(shared_data: Path) -> None:
    """Each worked L2 message has its recorded signature."""
    l2 = captured(shared_data, "vectors")["l2"]
    for row in l2["cases"]:
        assert l2_signature(l2["secret"], "", "", row["message"]) == row["poly_signature_sent"], row["case"]


def test_keys_follow_from_seed_address_and_nonce(keyring: Keyring, credentials: Credentials) -> None:
    """The same seed gives the same keys whatever was created before; another nonce, address or seed gives others."""
    other = Keyring(1)
    other.create(Wallet(SECOND_KEY).eoa, 5)

    assert other.create(TEST_ADDRESS.lower()) == credentials
    assert keyring.create(TEST_ADDRESS, 1) != credentials
    assert Keyring(2).create(TEST_ADDRESS) != credentials
    assert len(credentials.passphrase) == 64
    assert len(credentials.secret) == 44
    assert credentials.secret not in repr(credentials)


def test_a_second_create_is_refused_and_derive_answers(keyring: Keyring, credentials: Credentials) -> None:
    """Clients post first and derive only on 400, so a repeated create is a 400 that changes nothing."""
    assert keyring.create(TEST_ADDRESS) == Refused(400, "Could not create api key")
    assert keyring.derive(TEST_ADDRESS) == credentials
    assert keyring.list_keys(TEST_ADDRESS) == (credentials.api_key,)


def test_a_lenient_policy_gives_the_same_key_again() -> None:
    """With the policy off, create is repeatable."""
    keyring = Keyring(1, refuse_second_create=False)

    assert keyring.create(TEST_ADDRESS) == keyring.create(TEST_ADDRESS)


def test_what_was_not_created_cannot_be_derived(keyring: Keyring) -> None:
    """Derive finds created keys only."""
    assert keyring.derive(TEST_ADDRESS) == Refused(400, "Could not derive api key!")


def test_a_deleted_key_is_dead(keyring: Keyring, credentials: Credentials) -> None:
    """After delete a key authenticates nothing and is not listed; its nonce can be created anew."""
    keyring.create(TEST_ADDRESS, 3)
    headers = l2_headers(credentials, "GET", "/data/orders", now_s=NOW_S)
    assert keyring.check_l2(headers, "GET", "/data/orders", b"", NOW_S) == credentials

    assert keyring.delete(credentials.api_key)
    assert not keyring.delete(credentials.api_key)
    assert keyring.check_l2(headers, "GET", "/data/orders", b"", NOW_S) == BAD_L2
    assert keyring.derive(TEST_ADDRESS) == Refused(400, "Could not derive api key!")
    assert len(keyring.list_keys(TEST_ADDRESS)) == 1
    assert keyring.create(TEST_ADDRESS) == credentials


def test_admitted_credentials_take_the_place_of_older_ones(keyring: Keyring, credentials: Credentials) -> None:
    """A (address, nonce) has one key and a key has one owner, also when credentials come from elsewhere."""
    stored = Credentials("stored", credentials.secret, "p", TEST_ADDRESS)
    keyring.admit(stored)
    assert keyring.derive(TEST_ADDRESS) == stored
    assert keyring.find(credentials.api_key) is None

    moved = Credentials("stored", credentials.secret, "p", Wallet(SECOND_KEY).eoa)
    keyring.admit(moved)
    assert keyring.derive(TEST_ADDRESS) == Refused(400, "Could not derive api key!")
    assert keyring.find("stored") == moved


@pytest.mark.parametrize("off_s", [-60, 0, 60])
def test_a_clock_within_the_tolerance_passes(keyring: Keyring, credentials: Credentials, off_s: int) -> None:
    """A client's clock may be off by the tolerance, both ways."""
    l1 = Wallet(TEST_KEY).l1_headers(NOW_S + off_s)
    l2 = l2_headers(credentials, "GET", "/ok", now_s=NOW_S + off_s)

    assert keyring.check_l1(l1, NOW_S) == TEST_ADDRESS
    assert keyring.check_l2(l2, "GET", "/ok", b"", NOW_S) == credentials


@pytest.mark.parametrize("off_s", [-61, 61, 10**6])
def test_a_clock_beyond_the_tolerance_is_refused(keyring: Keyring, credentials: Credentials, off_s: int) -> None:
    """Beyond it the headers are refused, until the tolerance is widened."""
    l1 = Wallet(TEST_KEY).l1_headers(NOW_S + off_s)
    l2 = l2_headers(credentials, "GET", "/ok", now_s=NOW_S + off_s)
    assert keyring.check_l1(l1, NOW_S) == BAD_L1
    assert keyring.check_l2(l2, "GET", "/ok", b"", NOW_S) == BAD_L2

    keyring.skew_s = 10**7
    assert keyring.check_l1(l1, NOW_S) == TEST_ADDRESS
    assert keyring.check_l2(l2, "GET", "/ok", b"", NOW_S) == credentials


def test_the_nonce_is_signed(keyring: Keyring) -> None:
    """L1 headers carry a nonce that the signature covers."""
    headers = Wallet(TEST_KEY).l1_headers(NOW_S, nonce=23)

    assert keyring.check_l1(headers, NOW_S) == TEST_ADDRESS
    assert l1_nonce(headers) == 23
    assert keyring.check_l1(headers | {"POLY_NONCE": "24"}, NOW_S) == BAD_L1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("POLY_ADDRESS", Wallet(SECOND_KEY).eoa),
        ("POLY_ADDRESS", "0x12"),
        ("POLY_NONCE", "-1"),
        ("POLY_NONCE", "9" * 79),
        ("POLY_NONCE", ""),
        ("POLY_TIMESTAMP", str(NOW_S + 1)),
        ("POLY_TIMESTAMP", "now"),
        ("POLY_TIMESTAMP", "0" + str(NOW_S)),
        ("POLY_TIMESTAMP", "9" * 5_000),
        ("POLY_SIGNATURE", "0x"),
        ("POLY_SIGNATURE", "0x" + "11" * 65),
        ("POLY_SIGNATURE", "0x" + "zz" * 65),
        ("POLY_SIGNATURE", "\udcff" * 132),
    ],
)
def test_wrong_l1_headers_are_refused(keyring: Keyring, name: str, value: str) -> None:
    """A header that was not signed like this, or is no such thing, is refused with one text."""
    headers = Wallet(TEST_KEY).l1_headers(NOW_S)

    assert keyring.check_l1(headers | {name: value}, NOW_S) == BAD_L1
    del headers[name]
    assert keyring.check_l1(headers, NOW_S) == BAD_L1


def test_an_l1_signature_has_no_free_digit(keyring: Keyring) -> None:
    """Any changed digit of the signature is refused, and so is its v as 0 or 1."""
    headers = Wallet(TEST_KEY).l1_headers(NOW_S)
    good = headers["POLY_SIGNATURE"]
    wrong = [flipped(good, at) for at in range(2, len(good))] + [good[:-2] + "00", good[:-2] + "01"]

    assert {keyring.check_l1(headers | {"POLY_SIGNATURE": bad}, NOW_S) for bad in wrong} == {BAD_L1}
