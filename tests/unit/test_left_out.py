"""What cannot be is dropped whole, counted, and does not stop the rest."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from polymarket_agent.config import Config
from polymarket_agent.db import Database
from polymarket_agent.domain.events import BookSnapshot, Event, MarketListed, TickSizeChange
from polymarket_agent.domain.market import AssetId, ConditionId, Market, Outcome
from polymarket_agent.domain.money import Price, price, shares
from polymarket_agent.orchestrator import Orchestrator

YES, NO = AssetId("7" * 70), AssetId("8" * 70)
MARKET = Market(ConditionId("0x1"), "Will it?", (Outcome(YES, "Yes"), Outcome(NO, "No")))


class Feed:
    """Events from a list."""

    name, streaming, replayed = "list", True, True

    def __init__(self, events: Sequence[Event]) -> None:
        self._events = events

    async def events(self) -> AsyncIterator[Event]:
        for event in self._events:
            yield event

    async def aclose(self) -> None:
        pass


async def test_an_impossible_event_is_dropped_and_the_rest_arrives() -> None:
    """A tick size that no market has is noted and left out; the book behind it is there."""
    book = BookSnapshot(YES, ((price("0.4"), shares("5")),), ((price("0.5"), shares("5")),), 3)
    feed = Feed([MarketListed(MARKET, 1), TickSizeChange(YES, Price(7), 2), book])
    with Database(":memory:") as db, Orchestrator(Config(), db, feed, strategies=[]) as run:
        summary = await run.run()
        notices = db.run(lambda c: c.execute("SELECT event, detail FROM notices").fetchall())
    assert run.board.books[YES].top == (400_000, 500_000)
    assert summary["events"]["total"] == 2
    assert [event for event, _ in notices] == ["event_dropped"]


async def test_an_older_book_is_counted_in_the_summary() -> None:
    """A snapshot older than what is known is left out, and the summary of the run says so."""
    young = BookSnapshot(YES, ((price("0.4"), shares("5")),), (), 10)
    old = BookSnapshot(YES, ((price("0.3"), shares("5")),), (), 9)
    feed = Feed([MarketListed(MARKET, 1), young, old])
    with Database(":memory:") as db, Orchestrator(Config(), db, feed, strategies=[]) as run:
        summary = await run.run()
    assert summary["left_out"]["stale_snapshots"] == 1
    assert run.board.books[YES].best_bid == price("0.4")
