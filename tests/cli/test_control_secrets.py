"""Nothing that a command prints or writes has a part of the key or of API credentials in it, whatever goes wrong."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from polymarket_agent.db import Database
from polymarket_agent.sandbox.keccak import address_bytes, checksum
from tests.cli.live_world import Done, LiveWorld, live_world
from tests.sandbox.running import admin

COMMANDS = [
    ("run", "--live", "--for", "1", "--log-level", "debug"),
    ("tick", "--live"),
    ("cancel-all", "--live"),
    ("reconcile",),
    ("redeem", "--yes", "--live"),
    ("kill", "--verify-s", "0", "--patience-s", "3"),
]
RELAYER_KEY = "relayer-canary-58d1e0"
OTHER_WALLET = "0x" + "ab" * 20


@pytest.fixture(scope="module", params=["unified", "direct", "clob"])
def shared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[LiveWorld, str]]:
    with live_world(tmp_path_factory.mktemp("venue"), scenario="quiet") as world:
        yield world, request.param


@pytest.fixture
def world(shared: tuple[LiveWorld, str], tmp_path: Path) -> LiveWorld:
    running, client = shared
    world = LiveWorld(tmp_path, running.sandbox, dict(running.key))
    world.write_config(client=client)
    with Database(world.ledger) as db:
        db.run(lambda c: c.execute("INSERT INTO binding VALUES (1, 'venue', 137, ?)", (world.wallet,)))
    return world


def secrets_of(world: LiveWorld) -> list[bytes]:
    """Return what must appear nowhere: the key and the API secrets, plain and in other clothes, and halves of them."""
    keyring, address = world.sandbox.venue.keyring, checksum(address_bytes(world.sandbox.accounts[3].address))
    key = world.key["POLYMARKET_PRIVATE_KEY"].removeprefix("0x")
    raw = bytes.fromhex(key) if len(key) == 64 else key.encode()
    texts = [
        key,
        key.upper(),
        key[::-1],
        key[:16],
        key[-16:],
        base64.b64encode(raw).decode(),
        str(int(key, 16)),
        RELAYER_KEY,
    ]
    made = keyring._made_from(address, 0)
    texts += [made.secret, made.passphrase, made.secret[:16], made.passphrase[:16]]
    return [text.encode() for text in texts]


def run_all(world: LiveWorld, debug: str) -> list[Done]:
    """Run every command with the official client; with the others those that differ by it."""
    unified = "client: unified" in (world.folder / "polymarket-agent.yaml").read_text()
    commands = COMMANDS if unified else [COMMANDS[0], COMMANDS[-1]]
    more = {"POLYMARKET_RELAYER_API_KEY": RELAYER_KEY, **({"POLYMARKET_AGENT_DEBUG": "1"} if debug else {})}
    return [world.call(*words, key=True, **more) for words in commands]


def assert_nothing_leaked(world: LiveWorld, done: list[Done]) -> None:
    for each in done:
        for secret in secrets_of(world):
            assert secret not in each.said.encode()
    for path in world.folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert not [secret for secret in secrets_of(world) if secret in content], path


def unreachable(world: LiveWorld) -> None:
    config = (world.folder / "polymarket-agent.yaml").read_text()
    client = config.partition("client: ")[2].split()[0]
    world.write_config(client=client, **dict.fromkeys(world.sandbox.urls, "http://127.0.0.1:9"))


def wrong_wallet(world: LiveWorld) -> None:
    world.key["POLYMARKET_FUNDER"] = OTHER_WALLET


def refused_login(world: LiveWorld) -> None:
    answer = {"status": 401, "body": {"error": "Unauthorized/Invalid api key"}}
    world.admin("faults", {"point": "read.auth.answer", "fault": "replace", "argument": answer, "every": 1})


def broken_key(world: LiveWorld) -> None:
    world.key["POLYMARKET_PRIVATE_KEY"] = world.key["POLYMARKET_PRIVATE_KEY"][:-1]


@pytest.mark.parametrize("trouble", [unreachable, wrong_wallet, refused_login, broken_key])
def test_no_failure_says_a_secret(world: LiveWorld, trouble: Callable[[LiveWorld], None]) -> None:
    """Each command that needs the key fails with a sentence, with DEBUG too, and no secret is in it or in any file."""
    trouble(world)
    try:
        done = run_all(world, "1")
    finally:
        admin(world.sandbox, "faults", None, "DELETE")
    assert all(each.code in (1, 2, 3) for each in done[:-1])  # kill may know that nothing can be open
    assert not [each.said for each in done if "Traceback" in each.said]
    assert_nothing_leaked(world, done)


def test_success_says_no_secret(world: LiveWorld) -> None:
    """Commands that work, with the most talkative log, print and write no secret either."""
    done = run_all(world, "")
    assert [each.code for each in done if each.code > 1] == []
    assert_nothing_leaked(world, done)
