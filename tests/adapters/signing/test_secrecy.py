"""Canaries: a key that must not be seen anywhere, and every way we know of looking."""

from __future__ import annotations

import copy
import dataclasses
import json
import logging
import pickle
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from polymarket_agent.adapters.polymarket.l2 import L2
from polymarket_agent.adapters.polymarket.signer import OrderSigner
from polymarket_agent.adapters.polymarket.wallets import address_of, addresses_of
from polymarket_agent.domain.venue import WalletIdentity, WalletKind
from polymarket_agent.errors import AgentError
from polymarket_agent.keys import (
    PRIVATE_KEY_VARIABLE,
    ApiCredentials,
    Secret,
    load_key,
    parse_private_key,
    read_keystore,
    write_keystore,
)
from tests.adapters.signing.official import Wanted, identities, random_key, random_wanted, ticket_of
from tests.adapters.signing.traces import found_in, locals_of, shown_by
from tests.sandbox.signing_vectors import SECOND_KEY

CANARY = "c0ffee1234567890abcdefdeadbeef0badcafe99887766554433221100aabbcc"
KEY = Secret("0x" + CANARY)
CREDENTIALS = ApiCredentials("key-id", Secret(CANARY), Secret(CANARY))
EOA = addresses_of(address_of(KEY)).eoa
IDENTITY = WalletIdentity(signer=EOA, wallet=EOA, kind=WalletKind.EOA)
HOLDERS = {
    "secret": KEY,
    "credentials": CREDENTIALS,
    "signer": OrderSigner(KEY, IDENTITY),
    "l2": L2(CREDENTIALS, EOA),
}


def nobody(question: str) -> str:
    raise AssertionError(question)


@pytest.mark.parametrize("name", HOLDERS)
@pytest.mark.parametrize(
    "show",
    [
        repr,
        str,
        "{}".format,
        "{!r}".format,
        lambda holder: "%s %r" % (holder, holder),  # noqa: UP031 - one more way to text
        lambda holder: f"{[holder]} {{'k': holder}}",
        dir,
        lambda holder: json.dumps({"holder": holder}, default=repr),
        lambda holder: logging.LogRecord("n", 20, "p", 1, "%s %r", (holder, holder), None).getMessage(),
    ],
)
def test_no_text_of_a_holder_shows_the_secret(name: str, show: Callable[[Any], object]) -> None:
    """However a key, credentials, a signer or an authenticator is turned into text, nothing of the secret is in it."""
    assert found_in(str(show(HOLDERS[name])), CANARY) == []


def test_a_format_changes_nothing_about_a_secret() -> None:
    """Width, alignment and other wishes are not looked at."""
    assert f"{KEY:>80}" == f"{KEY:.3}" == f"{KEY!s}" == "Secret(not shown)"


@pytest.mark.parametrize("name", HOLDERS)
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_holder_cannot_be_pickled(name: str, protocol: int) -> None:
    """Pickling fails by every protocol, and the failure shows nothing."""
    with pytest.raises((TypeError, pickle.PicklingError)) as caught:
        pickle.dumps(HOLDERS[name], protocol)

    assert found_in(shown_by(caught.value), CANARY) == []


@pytest.mark.parametrize("name", HOLDERS)
def test_a_holder_has_no_open_attributes(name: str) -> None:
    """No holder has a dictionary, and no public attribute of it shows the secret."""
    holder = HOLDERS[name]

    assert not hasattr(holder, "__dict__")
    public = [getattr(holder, each) for each in dir(holder) if not each.startswith("_") and each != "reveal"]
    assert found_in(repr(public), CANARY) == []


def test_a_copy_of_a_secret_is_the_secret() -> None:
    """Copying makes no second value, also inside credentials and `asdict`."""
    assert copy.copy(KEY) is KEY
    assert copy.deepcopy([KEY])[0] is KEY
    assert dataclasses.asdict(CREDENTIALS)["secret"] is CREDENTIALS.secret


@pytest.mark.parametrize("name", ["signer", "l2"])
def test_what_signs_cannot_be_copied(name: str) -> None:
    """A second signer is made from the key or not at all."""
    for copies in (copy.copy, copy.deepcopy):
        with pytest.raises(TypeError):
            copies(HOLDERS[name])


def test_secrets_are_not_compared_by_value() -> None:
    """Two secrets with one text are not equal, so nothing can be guessed by comparing; sets and dicts still work."""
    first, second = Secret("one"), Secret("one")

    assert first != second
    assert first == first  # noqa: PLR0124 - that is what is tested
    assert len({first, second}) == 2


def test_a_secret_does_not_change() -> None:
    """Neither its value nor a new attribute can be set."""
    secret = Secret("one")
    for name in ("_Secret__value", "value"):
        with pytest.raises(AttributeError):
            setattr(secret, name, "two")
        with pytest.raises(AttributeError):
            delattr(secret, name)
    assert secret.reveal() == "one"


def test_a_secret_has_no_heirs() -> None:
    """The class is marked final, so no subclass opens it."""
    assert getattr(Secret, "__final__", False)


BROKEN = {
    "short": CANARY[:-1],
    "long": CANARY + "7",
    "not hexadecimal": CANARY[:40] + "g" + CANARY[41:],
    "two": CANARY + " " + CANARY,
    "quoted": f'"{CANARY}"',
    "named": f"{PRIVATE_KEY_VARIABLE}={CANARY}",
    "out of range": "ffffffffffffffffffffffffffffffff" + CANARY[32:],
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_mistyped_key_is_not_repeated(tmp_path: Path, name: str) -> None:
    """A key with a slip in it, from the environment or a file, is refused without any piece of it, locals included."""
    path = tmp_path / "key"
    path.write_text(BROKEN[name], encoding="ascii")
    path.chmod(0o600)
    attempts: list[Callable[[], object]] = [
        lambda: parse_private_key(BROKEN[name], "the text"),
        lambda: load_key({PRIVATE_KEY_VARIABLE: BROKEN[name]}, key_file=None, keystore=None, ask=nobody),
        lambda: load_key({}, key_file=path, keystore=None, ask=nobody),
    ]
    for attempt in attempts:
        with pytest.raises(AgentError) as caught:
            attempt()
        assert found_in(shown_by(caught.value), CANARY) == []
    with pytest.raises(AgentError) as caught:
        load_key({}, key_file=path, keystore=None, ask=nobody)
    assert found_in(locals_of(caught.value, "keys.py"), CANARY) == []


def test_a_key_that_is_open_to_others_or_given_twice_is_not_repeated(tmp_path: Path) -> None:
    """Errors about where a key is say nothing of what it is."""
    path = tmp_path / "key"
    path.write_text(CANARY, encoding="ascii")
    path.chmod(0o644)
    both = {PRIVATE_KEY_VARIABLE: CANARY}
    for environ, keystore in ((both, None), (both, path), ({}, None)):
        with pytest.raises(AgentError) as caught:
            load_key(environ, key_file=path, keystore=keystore, ask=nobody)
        assert found_in(shown_by(caught.value), CANARY) == []


def test_a_bytes_file_that_is_no_text_is_not_repeated(tmp_path: Path) -> None:
    """A raw binary key in a file is refused without its bytes."""
    path = tmp_path / "key"
    path.write_bytes(bytes.fromhex(CANARY))
    path.chmod(0o600)
    with pytest.raises(AgentError) as caught:
        load_key({}, key_file=path, keystore=None, ask=nobody)

    assert found_in(shown_by(caught.value), CANARY) == []


def test_keystore_errors_repeat_neither_key_nor_passphrase(tmp_path: Path) -> None:
    """A wrong passphrase, an overwrite and a bad key leave no trace of either."""
    path = tmp_path / "store.json"
    write_keystore(KEY, Secret(CANARY), path, scrypt_n=2)
    attempts: list[Callable[[], object]] = [
        lambda: read_keystore(path, Secret(CANARY[:-1])),
        lambda: write_keystore(KEY, Secret(CANARY), path, scrypt_n=2),
        lambda: write_keystore(Secret(CANARY[:-1]), Secret("p"), tmp_path / "b", scrypt_n=2),
        lambda: write_keystore(KEY, Secret(CANARY), tmp_path / "c", scrypt_n=3),
    ]
    for attempt in attempts:
        with pytest.raises((AgentError, ValueError)) as caught:
            attempt()
        assert found_in(shown_by(caught.value), CANARY) == []
    assert found_in(path.read_text(encoding="ascii"), CANARY) == []


def test_credentials_that_are_no_base64_are_not_repeated() -> None:
    """A secret that cannot be decoded is refused by the id of its key."""
    for text in ("A" + CANARY, CANARY[:1], "é" + CANARY, ""):
        with pytest.raises(AgentError, match="key-id") as caught:
            L2(ApiCredentials("key-id", Secret(text), Secret(CANARY)), EOA)
        assert found_in(shown_by(caught.value), CANARY) == []


def wanted() -> Wanted:
    return random_wanted(Random(4))


def test_a_signer_that_fails_shows_nothing() -> None:
    """Wrong wallets, foreign keys, damaged tickets, salts and times are refused without a piece of the key."""
    other = identities(random_key(Random(1)))
    ticket = ticket_of(wanted())
    signer = HOLDERS["signer"]
    assert isinstance(signer, OrderSigner)
    attempts: list[Callable[[], object]] = [
        *(lambda each=each, session=session: OrderSigner(KEY, each, session=session) for each, session in other),
        lambda: OrderSigner(Secret(SECOND_KEY), IDENTITY),
        lambda: OrderSigner(KEY, dataclasses.replace(IDENTITY, wallet="0x" + "1" * 41)),
        lambda: OrderSigner(KEY, dataclasses.replace(IDENTITY, kind=WalletKind.SAFE)),
        lambda: signer.sign(dataclasses.replace(ticket, maker_amount=1), salt=1, timestamp_ms=1),
        lambda: signer.sign(ticket, salt=1 << 53, timestamp_ms=1),
        lambda: signer.sign(ticket, salt=-1, timestamp_ms=1),
        lambda: signer.sign(ticket, salt=1, timestamp_ms=0),
        lambda: signer.sign(ticket, salt=1, timestamp_ms=1 << 53),
        lambda: signer.l1_headers(1, nonce=-1),
    ]
    for attempt in attempts:
        with pytest.raises(AgentError) as caught:
            attempt()
        assert found_in(shown_by(caught.value), CANARY) == []


def test_a_signed_order_does_not_show_its_signature() -> None:
    """The signature is a bearer instrument: it stands in the body and not in the object's text."""
    signer = HOLDERS["signer"]
    assert isinstance(signer, OrderSigner)
    found = signer.sign(ticket_of(wanted()), salt=5, timestamp_ms=1_795_360_431_340)

    assert len(found.signature) == 132
    assert found.signature[2:20] not in repr(found)
    assert found_in(repr(found), CANARY) == []
