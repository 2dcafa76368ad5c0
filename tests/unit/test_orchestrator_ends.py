from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from polymarket_agent.db import Database
from polymarket_agent.domain.events import Event, Timer
from polymarket_agent.domain.money import Usdc, shares
from polymarket_agent.errors import DatabaseError, LedgerError
from polymarket_agent.orchestrator import Orchestrator
from polymarket_agent.strategies.base import Wakes
from tests.unit.agent_world import (
    START_MS,
    Listed,
    Says,
    Script,
    a_config,
    a_market,
    held,
    opening,
    rows,
    take,
    ticks,
    yes,
)


@pytest.fixture
def db() -> Iterator[Database]:
    with Database(":memory:") as database:
        yield database


# -- ways to end ----------------------------------------------------------------------------------------------------


def ended(db: Database) -> list[str]:
    return [row[0] for row in rows(db, "SELECT ended FROM runs")]


class Failing(Listed):
    """A feed that breaks after its events."""

    def __init__(self, events: list[Event], error: BaseException) -> None:
        super().__init__(events)
        self._error = error

    async def events(self) -> AsyncIterator[Event]:
        async for event in super().events():
            yield event
        raise self._error


@pytest.mark.parametrize("error", [ConnectionResetError("gone"), asyncio.CancelledError()], ids=repr)
async def test_a_feed_that_breaks_leaves_the_ledger_flushed_and_the_run_ended(db: Database, error: Exception) -> None:
    """What happened before is on disk, the run's row says how it ended, and the feed is closed."""
    feed = Failing([*opening(a_market()), *ticks(1, 2)], error)
    script = Script({START_MS + 1: [take(yes(), "0.50", "5")]})

    with pytest.raises(type(error)), Orchestrator(a_config(), db, feed, strategies=[script]) as agent:
        await agent.run()

    assert ended(db) == [f"failed: {type(error).__name__}"]
    assert rows(db, "SELECT count(*) FROM fills") == [(1,)]
    assert rows(db, "SELECT level, event FROM notices") == [("critical", "run_failed")]
    assert feed.closed


async def test_a_ledger_that_cannot_be_written_ends_the_run_at_once(db: Database) -> None:
    """After the writer has failed nothing more is decided: DatabaseError, and no second error on the way out."""

    class Breaking(Listed):
        async def events(self) -> AsyncIterator[Event]:
            for event in opening(a_market()):
                yield event
            db.submit(lambda connection: connection.execute("no statement at all"))
            with pytest.raises(DatabaseError):
                db.flush()
            for number in range(10_000):
                yield Timer(START_MS + number, START_MS + number)

    feed = Breaking([])
    with pytest.raises(DatabaseError), Orchestrator(a_config(), db, feed, strategies=[]) as agent:
        await agent.run()

    assert feed.closed
    assert agent.stats.event_count < 10_000
    with pytest.raises(DatabaseError):
        db.close()


async def test_books_that_do_not_balance_halt_and_say_so(db: Database) -> None:
    """An account that disagrees with the postings is a LedgerError, a critical notice, and a run ended as halted."""

    class Tampering(Listed):
        async def events(self) -> AsyncIterator[Event]:
            async for event in super().events():
                yield event
            agent.account.cash = Usdc(agent.account.cash + 1)

    with (
        pytest.raises(LedgerError, match="cash is 1000000001 by the account and 1000000000 by the ledger"),
        Orchestrator(a_config(), db, Tampering(opening(a_market())), strategies=[]) as agent,
    ):
        await agent.run()

    assert ended(db) == ["halted: the books do not balance"]
    assert rows(db, "SELECT level, event FROM notices") == [("critical", "books_do_not_balance")]


def test_stop_ends_after_the_event_it_is_at(db: Database) -> None:
    """A strategy's event that asks for the end is worked off whole, and the next one is not taken in."""

    def speak(event: Event, view: Any) -> Any:
        if event.at_ms == START_MS + 1:
            agents[0].stop()
            return [take(yes(), "0.50", "5")]
        return ()

    agents: list[Orchestrator] = []
    feed = Listed([*opening(a_market()), *ticks(1, 2, 3)])
    with Orchestrator(a_config(), db, feed, strategies=[Says(speak, wakes=Wakes(every_ms=1))]) as agent:
        agents.append(agent)
        summary = asyncio.run(agent.run())

    assert (summary["ended"], summary["events"]["total"], held(agent, yes())) == ("stopped", 4, shares(10))


async def test_stop_does_not_wait_for_a_silent_feed(db: Database) -> None:
    """A run that waits for the next event ends at once, and so does the feed's own clean-up."""
    left: list[str] = []

    class Silent(Listed):
        async def events(self) -> AsyncIterator[Event]:
            try:
                for event in opening(a_market()):
                    yield event
                asyncio.get_running_loop().call_soon(agent.stop)
                await asyncio.Event().wait()
            finally:
                left.append("events")

    with Orchestrator(a_config(), db, Silent([]), strategies=[]) as agent:
        summary = await asyncio.wait_for(agent.run(), timeout=30)

    assert (summary["ended"], left, ended(db)) == ("stopped", ["events"], ["stopped"])


async def test_a_cancellation_from_outside_is_not_swallowed(db: Database) -> None:
    """Only `stop` turns a cancellation into an end; a task group's goes through."""

    class Endless(Listed):
        async def events(self) -> AsyncIterator[Event]:
            yield Timer(START_MS)
            await asyncio.Event().wait()

    with Orchestrator(a_config(), db, Endless([]), strategies=[]) as agent:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(agent.run())
            await asyncio.sleep(0)
            task.cancel()

    assert task.cancelled()
    assert ended(db) == ["stopped"]


async def test_a_cancellation_after_stop_is_not_swallowed_either(db: Database) -> None:
    """A run that is stopped in the middle of a decision and then cancelled from outside is cancelled."""
    waiting = asyncio.Event()

    class Slow(Listed):
        async def events(self) -> AsyncIterator[Event]:
            agent.stop()  # by the run's own task: it ends after this event, unless it is cancelled before
            waiting.set()
            await asyncio.Event().wait()
            yield Timer(START_MS)

    with Orchestrator(a_config(), db, Slow([]), strategies=[]) as agent:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(agent.run())
            await waiting.wait()
            task.cancel()

    assert task.cancelled()
