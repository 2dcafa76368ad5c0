"""A sandbox, a folder with a live config for it, and the program as a process of its own with or without the key."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from polymarket_agent.db import open_for_reading
from polymarket_agent.sandbox.policy import Policy
from polymarket_agent.sandbox.sdk import no_proxy_for_loopback
from polymarket_agent.sandbox.server import Sandbox, in_thread
from tests.sandbox.running import admin, call

__all__ = ["LiveWorld", "live_world", "until"]

T = TypeVar("T")

PROGRAM = [sys.executable, "-c", "from polymarket_agent.cli import main; main()"]
QUICK = Policy(salt="control", mined_ms=100, settle_ms=300)
DEPOSIT = 3
_PATIENCE_S = 60.0

_CONFIG = """\
mode: {mode}
database: ledger.db
risk: {{max_position_size: 40, max_daily_loss: 40, max_open_orders: 14, entries_per_minute: 60, entries_per_hour: 600}}
sizing: {{method: fixed, fixed_size: 12}}
feed: {{limit: 40, clob_url: "{clob_url}", gamma_url: "{gamma_url}", market_ws_url: "{market_ws_url}"}}
live:
  client: {client}
  data_url: "{data_url}"
  relayer_url: "{relayer_url}"
  user_ws_url: "{user_ws_url}"
  geoblock_url: "{geoblock_url}"
strategies:
  - kind: market_maker
    params: {{max_markets: 3, quote_quantity: 12, max_inventory: 60, min_time_left_ms: 5000}}
"""


@dataclass
class Done:
    """How a process ended, and all that it wrote."""

    code: int
    out: str
    err: str

    @property
    def said(self) -> str:
        return self.out + self.err

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class LiveWorld:
    """`key` holds the variables of the key; a process gets nothing else of the environment."""

    folder: Path
    sandbox: Sandbox
    key: dict[str, str]
    agents: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def ledger(self) -> Path:
        return self.folder / "ledger.db"

    @property
    def wallet(self) -> str:
        return self.key["POLYMARKET_FUNDER"]

    def write_config(self, *, mode: str = "live", client: str = "unified", **urls: str) -> None:
        known = {"geoblock_url": "", **self.sandbox.urls, **urls}
        (self.folder / "polymarket-agent.yaml").write_text(_CONFIG.format(mode=mode, client=client, **known))

    def environment(self, *, key: bool, **more: str) -> dict[str, str]:
        base = {"PATH": os.environ["PATH"], "XDG_STATE_HOME": str(self.folder / "state"), **more}
        return {**base, **(self.key if key else {}), **{name: more[name] for name in more}}

    def call(self, *words: str, key: bool = False, **more: str) -> Done:
        """Run a command to its end."""
        done = subprocess.run(
            [*PROGRAM, *words],
            cwd=self.folder,
            env=self.environment(key=key, **more),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def start(self) -> subprocess.Popen[str]:
        """Start an agent, and return when it has orders open at the venue."""
        log = (self.folder / "agent.log").open("a")
        agent = subprocess.Popen(
            [*PROGRAM, "run", "--live", "--json"],
            cwd=self.folder,
            env=self.environment(key=True),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            text=True,
        )
        log.close()
        self.agents.append(agent)
        until(lambda: self.open_orders() or self._died(agent))
        return agent

    def _died(self, agent: subprocess.Popen[str]) -> bool:
        assert agent.poll() is None, (self.folder / "agent.log").read_text()
        return False

    def open_orders(self) -> list[dict[str, Any]]:
        """Return our orders that are live at the venue."""
        status, seen = call(f"{self.sandbox.urls['admin_url']}/account/{self.wallet}")
        assert status == 200, seen
        return [each for each in seen["orders"] if each["status"] in ("LIVE", "DELAYED")]

    def sent(self) -> int:
        """Return how many orders the ledger has noted as sent."""
        return int(self.query("SELECT count(*) FROM attempts")[0][0])

    def query(self, statement: str) -> list[Any]:
        with open_for_reading(self.ledger) as connection:
            return [tuple(row) for row in connection.execute(statement)]

    def state(self) -> str:
        """Return the agent's state as `status` tells it."""
        return str(self.call("status", "--json").json["live"]["state"])

    def admin(self, path: str, body: Any) -> Any:
        return admin(self.sandbox, path, body)

    def end(self) -> None:
        for agent in self.agents:
            if agent.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    agent.send_signal(signal.SIGCONT)
                agent.kill()
            agent.wait()


@contextlib.contextmanager
def live_world(folder: Path, *, scenario: str = "fast", kind: int = DEPOSIT, **options: Any) -> Iterator[LiveWorld]:
    """Run a sandbox with a crowd, and write a live config for it."""
    no_proxy_for_loopback()
    with in_thread(**{"seed": 1, "scenario": scenario, "policy": QUICK, **options}) as sandbox:
        account = sandbox.accounts[kind]
        key = {
            "POLYMARKET_PRIVATE_KEY": account.private_key,
            "POLYMARKET_FUNDER": account.wallet,
            "POLYMARKET_SIGNATURE_TYPE": str(kind),
        }
        world = LiveWorld(folder, sandbox, key)
        world.write_config()
        try:
            yield world
        finally:
            world.end()


def until(look: Callable[[], T], *, within_s: float = _PATIENCE_S) -> T:
    """Look until something is there, and return it."""
    ends = time.monotonic() + within_s
    while not (found := look()):
        assert time.monotonic() < ends, "it did not happen in time"
        time.sleep(0.05)
    return found
