"""A canary for a key: whatever goes wrong, no byte of it or of what is derived from it is in anything that is left behind."""

from __future__ import annotations

import base64
import json
import os
import re
import resource
import time
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import pytest

from polymarket_agent.sandbox.wallets import Wallet
from tests.crash.live_rows import count
from tests.crash.live_world import Agent, World, a_world
from tests.sandbox.running import admin

CANARY = "0x" + "cafe5ca1ab1e" * 3 + "d15ea5ed0ddba11" + "b01dface7ac0"[:13] + "1"
SHORTEST = 16
CLIENTS = tuple(os.environ.get("CRASH_CLIENTS", "direct,unified,clob").split(","))


def spellings(secret: str) -> set[bytes]:
    """Return every way in which a secret, or a half of it, could be written down."""
    raw = [secret.encode()]
    digits = secret.removeprefix("0x")
    if re.fullmatch("[0-9a-fA-F]{64}", digits):
        raw += [digits.encode(), bytes.fromhex(digits), str(int(digits, 16)).encode()]
    else:
        raw += [base64.urlsafe_b64decode(secret + "=" * (-len(secret) % 4))] if re.fullmatch(r"[\w=-]+", secret) else []
    found = set()
    for each in raw:
        text = [each, each[::-1], each.hex().encode(), base64.b64encode(each), base64.urlsafe_b64encode(each)]
        text += [repr(each)[2:-1].encode(), urllib.parse.quote_from_bytes(each, safe="").encode()]
        for one in (form.rstrip(b"=") for form in text):
            half = len(one) // 2
            found |= {one, one.upper(), one.lower(), one[:half], one[half:], one[:half].upper(), one[half:].upper()}
    return {each for each in found if len(each) >= SHORTEST}


def leaks(folder: Path, secrets: set[str], whole: set[str]) -> list[str]:
    """Return which file has a piece of 16 characters of a secret, or at least half of what is only secret as a whole."""
    wanted = {each for secret in whole for each in spellings(secret)}
    for text in {each for secret in secrets for each in spellings(secret)}:
        wanted |= {text[at : at + SHORTEST] for at in range(len(text) - SHORTEST + 1)}
    found = []
    for path in sorted(each for each in folder.rglob("*") if each.is_file()):
        content = path.read_bytes()
        found += [f"{path.name}: {each!r}" for each in wanted if each in content]
    return found


class Heard:
    """What the exchange gave and got that nobody else may have: API secrets, passphrases, signatures of orders."""

    def __init__(self, world: World) -> None:
        self.secrets: set[str] = set()
        self.signatures: set[str] = set()
        world.spy.before, world.spy.after = self.before, self.after

    def before(self, method: str, path: str, body: bytes) -> None:
        if method == "POST" and path == "/clob/order":
            self.signatures.add(json.loads(body)["order"]["signature"])

    def after(self, method: str, path: str, body: bytes) -> None:
        if path.startswith("/clob/auth/") and body.startswith(b"{"):
            found = json.loads(body)
            self.secrets |= {found[name] for name in ("secret", "passphrase") if name in found}


class Case(NamedTuple):
    """One way to fail: environment, addresses, faults, and what is done while it runs."""

    env: Mapping[str, str] = MappingProxyType({})
    urls: Mapping[str, str] = MappingProxyType({})
    faults: tuple[dict[str, object], ...] = ()
    then: Callable[[World, Agent], None] = lambda world, agent: time.sleep(0.5)
    starts: bool = True  # whether it gets as far as trading


def full_disk(world: World, agent: Agent) -> None:
    resource.prlimit(agent.pid, resource.RLIMIT_FSIZE, (60_000, 60_000))
    time.sleep(2)


def killed(world: World, agent: Agent) -> None:
    agent.kill()


def breaks(place: str) -> dict[str, str]:
    return {"CRASH_RAISE": f"polymarket_agent.{place}"}


def answer(point: str, name: str) -> tuple[dict[str, object], ...]:
    return ({"point": point, "fault": "replace", "argument": name, "every": 1},)


GONE = "http://127.0.0.1:9"
KEY = "POLYMARKET_PRIVATE_KEY"
CASES = {
    "a key with a wrong letter": Case(env={KEY: CANARY[:-1] + "x"}, starts=False),
    "a key that is too short": Case(env={KEY: CANARY[:-1]}, starts=False),
    "a key in quotes": Case(env={KEY: f'"{CANARY}"'}, starts=False),
    "two keys": Case(env={KEY: f"{CANARY} {CANARY}"}, starts=False),
    "the key as a wallet": Case(env={"POLYMARKET_FUNDER": CANARY}, starts=False),
    "the key as a kind": Case(env={"POLYMARKET_SIGNATURE_TYPE": CANARY}, starts=False),
    "somebody else's wallet": Case(env={"POLYMARKET_FUNDER": "0x" + "11" * 20}, starts=False),
    "nobody there": Case(urls={"clob_url": GONE, "data_url": GONE}, starts=False),
    "a page for a login": Case(faults=answer("read.auth.answer", "ok_html"), starts=False),
    "a refused login": Case(faults=answer("read.auth.answer", "unauthorized"), starts=False),
    "refused orders": Case(faults=answer("post.answer", "unauthorized")),
    "pages for orders": Case(faults=answer("post.answer", "forbidden_html")),
    "another order's id": Case(faults=({"point": "post.answer", "fault": "wrong_id", "every": 1},)),
    "pages for lists": Case(faults=answer("read.any.answer", "edge_502"), starts=False),
    "a full disk": Case(then=full_disk),
    "kill -9": Case(then=killed),
    "a mistake in a strategy": Case(env=breaks("strategies.market_maker:MarketMaker.on_event")),
    "a mistake at the key": Case(env=breaks("adapters.polymarket.wallets:address_of"), starts=False),
    "a mistake in the signer": Case(env=breaks("adapters.polymarket.signer:OrderSigner.sign")),
    "a mistake at the headers": Case(env=breaks("adapters.polymarket.l2:L2.headers"), starts=False),
    "a mistake in sending": Case(env=breaks("adapters.polymarket.direct:DirectGateway.submit")),
    "a mistake in the stream": Case(env=breaks("adapters.polymarket.user_connection:UserConnection.run")),
    "a mistake at the start": Case(env=breaks("live_desk:LiveDesk.attach"), starts=False),
}
OF_EVERY_CLIENT = ("a page for a login", "refused orders", "kill -9")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, Heard]]:
    with a_world(tmp_path_factory.mktemp("canary")) as made:
        wallet = Wallet(CANARY, 3)
        admin(made.sandbox, "fund", {"wallet": wallet.address, "amount": "2000"})
        admin(made.sandbox, "approve", {"wallet": wallet.address})
        made.key, made.wallet = CANARY, wallet.address
        yield made, Heard(made)


@pytest.mark.parametrize(
    ("client", "name"),
    [(client, name) for client in CLIENTS for name in CASES if client == "direct" or name in OF_EVERY_CLIENT],
)
def test_no_secret_is_left_behind(world: tuple[World, Heard], client: str, name: str) -> None:
    """With the log at debug and tracebacks shown: not in output, log, ledger, its files beside, or folders of state."""
    exchange, heard = world
    case = CASES[name]
    for rule in case.faults:
        exchange.fault(**rule)
    folder = exchange.folder / f"{client}-{list(CASES).index(name)}"
    folder.mkdir()
    exchange.folder, home = folder, exchange.folder
    try:
        env = exchange.environment(POLYMARKET_AGENT_DEBUG="1", PYTHONFAULTHANDLER="1", **case.env) | dict(case.env)
        posts = exchange.spy.orders
        agent = exchange.start(exchange.config(client=client, **case.urls), "--log-level", "debug", env=env)
        ends = time.monotonic() + 25
        reached = name.startswith("a mistake in")
        while agent.running() and time.monotonic() < ends and exchange.spy.orders < posts + 1:
            if reached and count(agent.ledger, "agent_states", "cause = 'start' AND left_ms IS NOT NULL"):
                break
            time.sleep(0.05)
        if agent.running():
            case.then(exchange, agent)
        if agent.running():
            agent.stop()
        assert not case.starts or exchange.spy.orders > posts or reached, agent.told()
        config = agent.config
        config.unlink()  # what we wrote ourselves
        assert not leaks(folder, {CANARY, *heard.secrets}, heard.signatures)
        assert agent.err.stat().st_size + agent.out.stat().st_size, "nothing was said, so nothing was searched"
    finally:
        exchange.folder = home
        exchange.no_faults()
        take_off(exchange)


def take_off(exchange: World) -> None:
    """Let the venue cancel what a killed agent left open: to the next one's ledger it would be somebody else's."""
    ends = time.monotonic() + 10
    while any(each["status"] == "LIVE" for each in exchange.books()["orders"]):
        assert time.monotonic() < ends, "what was left open stays open"
        exchange.fault(point="venue", fault="heartbeat_expiry", argument={"account": exchange.wallet}, at_s=0)
        time.sleep(0.2)
    exchange.no_faults()


def test_the_search_finds_what_it_looks_for(tmp_path: Path) -> None:
    """A secret in any spelling is found, and so is half of one; the exchange gives two secrets for each key."""
    secret = "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA="
    for number, text in enumerate(sorted(spellings(CANARY) | spellings(secret))):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "some.log").write_bytes(b"before " + text + b" after")
        assert leaks(folder, {CANARY, secret}, set())
