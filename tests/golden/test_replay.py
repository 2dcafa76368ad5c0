from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from polymarket_agent.adapters.scenario import ScenarioFeed
from polymarket_agent.config import Config
from polymarket_agent.config_file import parse_config
from polymarket_agent.db import Database
from polymarket_agent.domain.events import Event
from polymarket_agent.orchestrator import Orchestrator

CONFIG = """\
paper: {latency_ms: 80}
risk: {max_position_size: 60, max_daily_loss: 40, max_open_orders: 24, entries_per_minute: 4, entries_per_hour: 30}
sizing: {fixed_size: 15}
strategies:
  - kind: signal_trader
  - {kind: market_maker, params: {max_markets: 1, quote_quantity: 15, max_inventory: 60}}
  - kind: arbitrageur
  - {kind: technical, params: {bar_ms: 10000, cooldown_bars: 6}}
"""
TABLES = (
    "signals",
    "orders",
    "order_events",
    "fills",
    "postings",
    "equity",
    "day_opens",
    "marks",
    "notices",
    "markets",
)
REPOSITORY = Path(__file__).parent.parent.parent


def a_config() -> Config:
    return parse_config(CONFIG, source="golden")


class Cut(ScenarioFeed):
    """The built-in scenario, over after some events; at most at the end of an instant, as no real stop splits one."""

    def __init__(self, events: int | None = None) -> None:
        super().__init__()
        self._most = events

    async def events(self) -> AsyncIterator[Event]:
        last_ms = 0
        for number, event in enumerate(self.generate()):
            if self._most is not None and number >= self._most and event.at_ms > last_ms:
                return
            last_ms = event.at_ms
            yield event


def rows(db: Database, query: str) -> list[Any]:
    found: list[Any] = db.run(lambda connection: connection.execute(query).fetchall())
    return found


def trace(db: Database) -> str:
    """Return every row that the agent wrote, as JSON lines in the order of writing; the run's own row has wall time."""
    lines = []
    for table in TABLES:
        lines += [json.dumps([table, *row]) for row in rows(db, f"SELECT * FROM {table}")]
    return "\n".join(lines)


def play(db: Database, events: int | None = None) -> Orchestrator:
    with Orchestrator(a_config(), db, Cut(events)) as agent:
        agent.summary = asyncio.run(agent.run())  # type: ignore[attr-defined]
    return agent


def golden() -> str:
    """Return the summary and trace of a whole run; wall time apart, everything in it is the agent's own doing."""
    with Database(":memory:") as db:
        summary: dict[str, Any] = play(db).summary  # type: ignore[attr-defined]
        del summary["wall_s"], summary["events_per_s"]
        return json.dumps(summary) + "\n" + trace(db)


@pytest.fixture(scope="module")
def once() -> str:
    return golden()


def test_the_scenario_is_worth_comparing(once: str) -> None:
    """The run has orders in several states, fills, refusals and a resolution, so equality means something."""
    summary = json.loads(once.splitlines()[0])

    assert summary["events"]["by_type"]["MarketResolved"] == 4
    assert summary["fills"]["total"] > 50
    assert len(summary["fills"]["by_evidence"]) >= 2
    assert summary["refusals"]
    assert {"FILLED", "CANCELED"} <= set(summary["orders"]["by_state"])
    assert summary["strategies_set_aside"] == {}


def test_the_same_events_give_the_same_bytes(once: str) -> None:
    """I28: a second run in the same process writes the same summary and the same rows."""
    assert golden() == once


@pytest.mark.parametrize("seed", ["0", "1", "4242"])
def test_the_hash_seed_of_python_changes_nothing(once: str, seed: str) -> None:
    """I28: no order of a set or of an id reaches a decision, in a fresh interpreter with any hash seed."""
    code = "import sys; from tests.golden.test_replay import golden; sys.stdout.write(golden())"
    environ = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environ)

    assert done.stdout == once


def state(agent: Orchestrator) -> dict[str, Any]:
    """Return what a restart must bring back, with the throttles as the gate would count them now."""
    account, day = agent.account, agent.gate.day
    recent = {
        str(key): sorted((order.order_id, order.state, order.matched) for order in orders.values())
        for key, orders in agent.gate._recent.items()
        if orders
    }
    return {
        "cash": (account.cash, account.deposits, account.realised, account.fees, account.free_cash),
        "positions": account.positions,
        "orders": account.orders,
        "day": (day.day, day.open_equity),
        "recent": recent,
        "marks": {asset_id: agent.gate.valuer.last_good[asset_id] for asset_id in account.positions},
    }


@pytest.mark.parametrize("events", [1, 40, 3_000, 7_777, 12_000, 16_500, 19_000])
def test_a_restart_brings_back_the_state_exactly(tmp_path: Path, events: int) -> None:
    """Cash, positions, live orders, the day and the throttles after reopening the file are those before closing it."""
    path = tmp_path / "agent.db"
    with Database(path) as db:
        before = state(play(db, events))
    with Database(path) as db, Orchestrator(a_config(), db, Cut(0)) as agent:
        after = state(agent)

    assert after == before


@pytest.mark.parametrize("cuts", [(3_000,), (7_777, 12_000), (500, 5_000, 5_001, 16_500, 19_000)])
def test_a_run_in_pieces_doubles_and_loses_nothing(tmp_path: Path, cuts: tuple[int, ...]) -> None:
    """Stopped and started again over the same events, the books balance and no event is taken in twice."""
    path = tmp_path / "agent.db"
    taken = 0
    for events in (*cuts, None):
        with Database(path) as db:
            agent = play(db, events)
        assert agent.stats.already_known == taken
        taken += agent.stats.event_count

    with Database(path) as db:
        unbalanced = rows(db, "SELECT entry FROM postings GROUP BY entry, unit HAVING sum(amount) <> 0")
        doubled = rows(db, "SELECT entry FROM postings GROUP BY entry, account, unit HAVING count(*) > 1")
        fills = dict(rows(db, "SELECT order_id, sum(quantity) FROM fills GROUP BY 1"))
        matched = dict(rows(db, "SELECT order_id, matched FROM orders WHERE matched > 0"))
    assert taken == sum(1 for _ in ScenarioFeed().generate())
    assert (unbalanced, doubled) == ([], [])
    assert fills == matched
