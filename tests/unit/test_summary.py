from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Iterator
from dataclasses import replace

import pytest
import structlog

from polymarket_agent import log
from polymarket_agent.db import Database
from polymarket_agent.domain.book import Side
from polymarket_agent.domain.events import Filled, OrderUpdated
from polymarket_agent.domain.money import usdc
from polymarket_agent.domain.order import Evidence, OrderState
from polymarket_agent.domain.settlement import SettlementStatus
from polymarket_agent.summary import RunStats
from tests.unit.agent_world import START_MS, Says, Script, opening, run, sell, take, ticks
from tests.unit.strategy_world import World, a_market, yes


def test_equity_is_followed_to_its_deepest_fall() -> None:
    """The drawdown is the deepest fall from the highest point before it, not from the start."""
    stats = RunStats()
    for equity in (1_000, 1_100, 1_040, 1_200, 1_150):
        stats.note_equity(usdc(equity), usdc(equity - 1_000))
    stats.note_equity(usdc(1_400), usdc(200))  # 250 were paid in
    stats.note_equity(usdc(1_100), usdc(200))  # 300 were taken out

    assert (stats.highest_equity, stats.lowest_equity, stats.deepest_drawdown) == (usdc(1_400), usdc(1_000), usdc(60))


def test_fills_are_summed_by_evidence_and_by_strategy() -> None:
    """Each fill counts once on each axis, in exact text."""
    world, stats = World(a_market()), RunStats()
    fill = world.fill(Says(lambda *_: ()), yes(), Side.BUY, "0.40", 10, fee="0.1").fill
    stats.absorb(Filled(fill, START_MS))
    stats.absorb(Filled(replace(fill, evidence=Evidence.QUEUE, strategy="t", fee=usdc(0)), START_MS))

    displayed = stats.by_evidence["displayed"].plain()
    assert displayed == {"fills": 1, "shares": "10", "notional_usdc": "4", "fees_usdc": "0.1"}
    assert set(stats.by_evidence) == {"displayed", "queue"}
    assert set(stats.by_strategy) == {"s", "t"}


def test_a_fill_that_failed_to_settle_is_taken_back() -> None:
    """Two fills of the venue, of which one fails: one counts. A failure of an earlier run's fill takes nothing."""
    world, stats = World(a_market()), RunStats()
    fill = replace(world.fill(Says(lambda *_: ()), yes(), Side.BUY, "0.40", 10).fill, evidence=Evidence.VENUE)
    other, failed = replace(fill, trade_id="other"), SettlementStatus.FAILED
    for each in (fill, other):
        stats.absorb(Filled(each, START_MS))
    stats.final(replace(fill, settlement=failed))
    stats.final(replace(fill, settlement=failed))
    stats.final(replace(fill, trade_id="of yesterday", settlement=failed))
    stats.final(replace(other, settlement=SettlementStatus.CONFIRMED))

    assert stats.by_evidence["venue"].plain()["fills"] == stats.by_strategy["s"].plain()["fills"] == 1
    assert (stats.by_evidence["venue"].plain()["notional_usdc"], stats.failed_fills) == ("4", 1)


def test_an_order_is_counted_in_its_latest_state() -> None:
    """However often an order moves, it is one order."""
    world, stats = World(a_market()), RunStats()
    order = world.rest(Says(lambda *_: ()), yes(), Side.BUY, "0.40", 10)
    stats.absorb(OrderUpdated(order, START_MS))
    stats.absorb(OrderUpdated(replace(order, state=OrderState.CANCELED, reason="enough"), START_MS))

    assert [each.state for each in stats.orders.values()] == [OrderState.CANCELED]


def test_the_summary_of_a_run_adds_up() -> None:
    """Cash, equity and PnL agree with each other and with the fills, and the whole is one JSON object."""
    with Database(":memory:") as db:
        lines = {START_MS + 1: [take(yes(), "0.50", "10")], START_MS + 2: [sell(yes(), "0.48", "5")]}
        run([*opening(a_market()), *ticks(1, 2, 3)], Script(lines), db=db)
        text = db.run(lambda connection: connection.execute("SELECT summary FROM runs").fetchone()[0])
    summary = json.loads(text)

    assert summary["events"] == {
        "total": 6,
        "by_type": {"BookSnapshot": 2, "MarketListed": 1, "Timer": 3},
        "already_known": 0,
    }
    assert (summary["cash_usdc"], summary["equity_usdc"], summary["pnl_usdc"]) == ("992.4", "999.6", "-0.4")
    assert summary["fills"]["total"] == 2
    assert summary["signals"] == {"approved": 2}
    assert summary["ended"] == "end of feed"


@pytest.fixture
def logging() -> Iterator[None]:
    """Put back what other tests have configured."""
    before = structlog.get_config()
    yield
    structlog.configure(**before)


@pytest.mark.usefixtures("logging")
def test_a_log_line_is_an_event_with_its_module() -> None:
    """Away from a terminal a line is JSON with event, level, time and module; below the level there is none."""
    with contextlib.redirect_stderr(io.StringIO()) as stream:
        log.configure("warning")
        log.get("here").warning("strategy_set_aside", detail="boom")
        log.get("here").info("unheard")

    line = json.loads(stream.getvalue())
    assert (line["event"], line["level"], line["module"], line["detail"]) == (
        "strategy_set_aside",
        "warning",
        "here",
        "boom",
    )


@pytest.mark.usefixtures("logging")
def test_a_logger_outlives_the_stream_it_began_with() -> None:
    """Standard error is looked up for each line, so one that was closed since does no harm."""
    with contextlib.redirect_stderr(io.StringIO()) as closed:
        log.configure("warning")
        logger = log.get("here")
    closed.close()
    with contextlib.redirect_stderr(io.StringIO()) as later:
        logger.error("still_heard")

    assert "still_heard" in later.getvalue()
