"""A local exchange in this process, agents as processes of their own on it, and both sets of books side by side."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

from aiohttp import web

from polymarket_agent.sandbox import server
from polymarket_agent.sandbox.fault_plan import FaultPlan
from polymarket_agent.sandbox.policy import Policy
from polymarket_agent.sandbox.sdk import no_proxy_for_loopback
from tests.conftest import REPOSITORY
from tests.crash.live_rows import count, differences, starts_of, state_of
from tests.sandbox.running import admin, call

QUICK = Policy(salt="crash", mined_ms=300, settle_ms=900)
PATIENCE_S = 40.0

CONFIG = """\
mode: live
database: {ledger}
risk: {{max_position_size: 40, max_event_exposure: 200, max_total_exposure: 900, max_markets: 30, max_daily_loss: 2000,
       max_drawdown: 5000, max_daily_turnover: 90000, max_order_size: 40, max_open_orders: 40, entries_per_minute: 100,
       entries_per_hour: 3000, duplicate_window_s: 0, orders_per_minute: 1000}}
sizing: {{method: fixed, fixed_size: 8}}
feed: {{limit: 40, clob_url: "{clob_url}", gamma_url: "{gamma_url}", market_ws_url: "{market_ws_url}"}}
live: {{client: {client}, data_url: "{data_url}", relayer_url: "{relayer_url}", user_ws_url: "{user_ws_url}",
       geoblock_url: "{geoblock_url}", http_timeout_s: 2, start_gap_s: 1{live}}}
strategies:
  - kind: signal_trader
    params: {{every_ms: 250, window_ms: 2000, baseline_ms: 3000, cooldown_ms: 500, rest_ms: 2000, max_hold_ms: 4000,
             min_time_left_ms: 1000, min_confidence: 0.2, velocity_scale: 0.01}}
  - kind: market_maker
    params: {{max_markets: 6, quote_quantity: 12, max_inventory: 60, min_time_left_ms: 5000}}
"""


@dataclass
class Spy:
    """Sees every request of the venue before and after it is handled, in the exchange's thread."""

    before: Callable[[str, str, bytes], bool | None] = lambda method, path, body: None  # True: it is lost on the way
    after: Callable[[str, str, bytes], object] = lambda method, path, body: None  # the body is the answer's
    seen: Counter[tuple[str, str]] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    @web.middleware
    async def middleware(self, request: web.Request, handler: Any) -> web.StreamResponse:
        body = await request.read() if request.method in ("POST", "DELETE") else b""
        self.seen[request.method, request.path] += 1
        if self._do(self.before, request.method, request.path, body) and request.transport is not None:
            request.transport.abort()
            raise ConnectionResetError("this request is lost")
        body = b""
        try:
            answer: web.StreamResponse = await handler(request)
            if isinstance(answer, web.Response) and isinstance(answer.body, bytes):
                body = answer.body
        finally:
            self._do(self.after, request.method, request.path, body)
        return answer

    def _do(self, what: Callable[..., Any], *words: object) -> Any:
        try:
            return what(*words)
        except Exception as error:  # noqa: BLE001 - told by the test that owns it
            self.failures.append(f"{type(error).__name__}: {error}")
            return None

    @property
    def orders(self) -> int:
        """How many POSTs of orders arrived."""
        return self.seen["POST", "/clob/order"] + self.seen["POST", "/clob/orders"]

    @property
    def cancels(self) -> int:
        """How many requests to cancel arrived."""
        return sum(n for (method, path), n in self.seen.items() if method == "DELETE" and "/auth/" not in path)


class World:
    """One exchange, one wallet, one ledger. Agents are started and killed by the test."""

    def __init__(self, sandbox: server.Sandbox, spy: Spy, folder: Path) -> None:
        self.sandbox, self.spy, self.folder = sandbox, spy, folder
        self.account = next(each for each in sandbox.accounts if each.signature_type == 3)
        self.key, self.wallet, self.signature_type = self.account.private_key, self.account.wallet, "3"
        self.agents: list[Agent] = []

    def config(self, name: str = "live", *, client: str = "direct", live: str = "", **urls: str) -> Path:
        path = self.folder / f"{name}.yaml"
        addresses = {**self.sandbox.urls, **urls}
        text = CONFIG.format(ledger=self.ledger(name), client=client, live=live and f", {live}", **addresses)
        path.write_text(text, encoding="utf-8")
        return path

    def ledger(self, name: str = "live") -> Path:
        return self.folder / f"{name}.db"

    def environment(self, **more: str) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("POLYMARKET_")}
        return {
            **kept,
            "XDG_STATE_HOME": str(self.folder / "state"),
            "POLYMARKET_PRIVATE_KEY": self.key,
            "POLYMARKET_FUNDER": self.wallet,
            "POLYMARKET_SIGNATURE_TYPE": self.signature_type,
            **more,
        }

    def start(
        self, config: Path, *words: str, env: dict[str, str] | None = None, prefix: tuple[str, ...] = ()
    ) -> Agent:
        agent = Agent(self, config, words, env or self.environment(), prefix)
        self.agents.append(agent)
        return agent

    def books(self) -> dict[str, Any]:
        status, answer = call(f"{self.sandbox.urls['admin_url']}/account/{self.wallet}")
        assert status == 200, answer
        return dict(answer)

    def differences(self, ledger: Path) -> list[str]:
        """Return what a ledger and the exchange do not agree on about our wallet; nothing if all is well."""
        return differences(self.books(), ledger)

    def arrived(self) -> int:
        return len(self.books()["orders"])

    def fault(self, **rule: Any) -> None:
        admin(self.sandbox, "faults", rule)

    def no_faults(self) -> None:
        admin(self.sandbox, "faults", None, "DELETE")


class Agent:
    """An agent that runs as a process of its own; its output goes to files."""

    def __init__(
        self, world: World, config: Path, words: tuple[str, ...], env: dict[str, str], prefix: tuple[str, ...]
    ) -> None:
        number = len(world.agents)
        self.config, self.ledger = config, config.with_suffix(".db")
        self.out, self.err = config.with_suffix(f".{number}.out"), config.with_suffix(f".{number}.err")
        self.starts, self.rounds = starts_of(self.ledger), count(self.ledger, "rounds", "clean = 1")
        command = [*prefix, sys.executable, "-m", "tests.crash.live_agent", "run", "--config", str(config), "--live"]
        with self.out.open("wb") as out, self.err.open("wb") as err:
            self.process = subprocess.Popen(
                [*command, "--json", *words],
                cwd=REPOSITORY,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self.process.pid

    def running(self) -> bool:
        return self.process.poll() is None

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone; with what runs it, because a tracer that is killed lets its process go on."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)  # its own session: nobody else is in it
        self.process.wait(10)

    def stop(self, within_s: float = 30.0) -> int:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGTERM)
        return self.process.wait(within_s)

    def told(self) -> str:
        return self.out.read_text(errors="replace")[-1500:] + self.err.read_text(errors="replace")[-1500:]

    def until(self, look: Callable[[], Any], what: str, within_s: float = PATIENCE_S) -> Any:
        """Look until something is there; the agent must not end before."""
        ends = time.monotonic() + within_s
        while not (found := look()):
            assert self.running(), f"the agent ended while waiting for {what}: {self.told()}"
            assert time.monotonic() < ends, f"{what}: not within {within_s} s; {state_of(self.ledger)} {self.told()}"
            time.sleep(0.01)
        return found

    def begun(self) -> bool:
        """Whether it has taken the ledger and compared the books cleanly twice in this life."""
        return starts_of(self.ledger) > self.starts and count(self.ledger, "rounds", "clean = 1") >= self.rounds + 2

    def until_active(self, within_s: float = PATIENCE_S) -> None:
        """Wait until this life has begun and nothing holds it back."""
        self.until(lambda: self.begun() and state_of(self.ledger) == "ACTIVE", "ACTIVE", within_s)

    def until_trading(self, orders: int = 1) -> None:
        """Wait until it has sent some orders in this life."""
        before = count(self.ledger, "attempts")
        self.until(lambda: count(self.ledger, "attempts") >= before + orders, f"{orders} orders")


@contextlib.contextmanager
def a_world(folder: Path, *, seed: int = 1, faults: tuple[dict[str, Any], ...] = (), **options: Any) -> Iterator[World]:
    """Run an exchange; every agent that a test leaves behind is killed."""
    no_proxy_for_loopback()
    spy = Spy()

    class Watched(server.Sandbox):
        def _app(self) -> web.Application:
            app = super()._app()
            app.middlewares.insert(0, spy.middleware)
            return app

    plan = FaultPlan.load({"seed": seed, "rules": list(faults)})
    with (
        mock.patch.object(server, "Sandbox", Watched),
        server.in_thread(**{"seed": seed, "scenario": "fast", "policy": QUICK, "plan": plan, **options}) as sandbox,
    ):
        world = World(sandbox, spy, folder)
        try:
            yield world
        finally:
            for agent in world.agents:
                if agent.running():
                    agent.kill()


def body_of(body: bytes) -> dict[str, Any]:
    found = json.loads(body)
    return dict(found if isinstance(found, dict) else found[0])
