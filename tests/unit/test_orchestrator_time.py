from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from polymarket_agent.clock import ManualClock
from polymarket_agent.db import Database
from polymarket_agent.domain.events import Event, MarketResolved, Timer, TradePrint
from polymarket_agent.domain.market import ConditionId
from polymarket_agent.domain.money import price, shares, usdc
from polymarket_agent.domain.signal import Wish
from polymarket_agent.orchestrator import Orchestrator
from polymarket_agent.strategies.base import Wakes
from tests.unit.agent_world import (
    DAY_MS,
    START_MS,
    Listed,
    Says,
    Script,
    a_config,
    a_market,
    book,
    buy,
    held,
    mirrored,
    no,
    opening,
    rows,
    run,
    take,
    ticks,
    verdicts,
    yes,
)


@pytest.fixture
def db() -> Iterator[Database]:
    with Database(":memory:") as database:
        yield database


# -- time -----------------------------------------------------------------------------------------------------------


class LiveClock:
    """A clock that a test sets, in both directions; not a ManualClock, so the agent does not move it."""

    def __init__(self, at_ms: int) -> None:
        self._manual = ManualClock(at_ms)
        self.at_ms = at_ms

    def now(self) -> Any:
        return self._manual.now()

    def now_ms(self) -> int:
        return self.at_ms


async def follow(db: Database, clock: LiveClock, steps: list[tuple[int, Event]], *strategies: Any) -> Orchestrator:
    """Run live events, the clock standing at the given time for each."""

    class Stepping(Listed):
        async def events(self) -> AsyncIterator[Event]:
            for at_ms, event in steps:
                clock.at_ms = at_ms
                yield event

    feed = Stepping([], replayed=False)
    with Orchestrator(a_config(), db, feed, clock=clock, strategies=strategies) as agent:
        await agent.run()
    return agent


async def test_midnight_between_an_event_and_its_decision_opens_the_day_durably(db: Database) -> None:
    """A decision that falls into the next day opens that day in the ledger, so that a restart knows it."""
    before = START_MS + DAY_MS - 1
    steps = [(before - 1, event) for event in opening(a_market(), at_ms=before - 1)]
    steps += [(before + 2, Timer(before, before))]
    await follow(db, LiveClock(before), steps, Script({before: [take(yes(), "0.50", "5")]}))

    assert [day for (day,) in rows(db, "SELECT day FROM day_opens")] == ["2026-02-16", "2026-02-17"]
    assert [verdict for verdict, *_ in verdicts(db)] == ["approved"]


async def test_a_clock_that_steps_back_neither_opens_a_day_nor_a_throttle(db: Database) -> None:
    """E9: decisions keep the latest time seen, so an hour back gives nobody a second budget."""
    late = START_MS + DAY_MS + 5_000
    lines: dict[int, list[Wish]] = {late + n: [take(yes(), "0.50", "3")] for n in range(4)}
    steps = [(late, event) for event in opening(a_market(), at_ms=late)]
    steps += [(late - 3_600_000 * (n % 2), Timer(late + n, late + n)) for n in range(4)]
    clock = LiveClock(late)
    agent = await follow(db, clock, steps, Script(lines))

    times = [at_ms for (at_ms,) in rows(db, "SELECT at_ms FROM signals ORDER BY rowid")]
    assert times == sorted(times)
    assert agent.gate.day.day == "2026-02-17"


# -- restart --------------------------------------------------------------------------------------------------------


def test_a_replay_over_its_own_ledger_changes_nothing(db: Database) -> None:
    """Events that the ledger has lived through are not traded on again: fills, cash, payouts and days stay."""
    lines: dict[int, list[Wish]] = {START_MS + 1: [take(yes(), "0.50", "20")], START_MS + 2: [buy(yes(), "0.40", "5")]}
    resolved = MarketResolved(ConditionId("m"), (1_000_000, 0), START_MS + 3)
    events = [*opening(a_market()), *ticks(1, 2), resolved, *ticks(4)]
    run(events, Script(lines), db=db)
    before = rows(db, "SELECT entry, account, unit, amount FROM postings ORDER BY posting_id")
    agent = run(events, Script(lines), db=db)

    assert rows(db, "SELECT entry, account, unit, amount FROM postings ORDER BY posting_id") == before
    assert (agent.stats.already_known, agent.stats.event_count) == (len(events), 0)
    assert agent.account.cash == usdc(1_020)


def test_nobody_decides_while_a_replay_catches_up(db: Database) -> None:
    """A strategy that is reminded of its fills after a restart is asked when the books are where they were."""
    first = [*opening(a_market()), *ticks(1, 2)]
    run(first, Script({START_MS + 1: [take(yes(), "0.50", "10")]}), db=db)
    strategy = Says(lambda *_: (), wakes=Wakes(fills=True))
    assert run(first, strategy, db=db).stats.already_known == len(first)
    assert strategy.asked == 0

    run([*first, *ticks(3)], strategy, db=db)
    assert strategy.asked == 1


def test_throttles_and_the_days_loss_survive_a_restart(db: Database) -> None:
    """The entries of the last hour and the morning's loss count after a restart exactly as before it."""
    config = a_config(risk={"entries_per_minute": 2, "max_daily_loss": 10})
    lines: dict[int, list[Wish]] = {START_MS + n: [take(yes(), "0.50", "10")] for n in (1, 2, 10)}
    fall = mirrored(yes(), no(), "0.25", "0.26", 1_000, START_MS + 9)
    first = [*opening(a_market()), *ticks(1, 2, 3)]
    run(first, Script(lines), db=db, config=config)
    agent = run([*first, *fall, *ticks(10)], Script({START_MS + 10: [buy(yes(), "0.26", "3")]}), db=db, config=config)

    assert agent.gate.day.loss(agent.equity()) == usdc(10)
    assert verdicts(db)[-1][1] == "repetition,max_daily_loss"


def test_a_crossed_book_sells_nothing_and_buys_nothing(db: Database) -> None:
    """F30: an invalid book refuses entries; what is held is worth nine tenths of its cost until a price comes."""
    lines: dict[int, list[Wish]] = {START_MS + 1: [take(yes(), "0.50", "10")], START_MS + 3: [buy(yes(), "0.50", "5")]}
    crossed = book(yes(), [("0.60", 10)], [("0.55", 10)], START_MS + 2)
    agent = run([*opening(a_market()), *ticks(1), crossed, *ticks(3)], Script(lines), db=db)

    assert "freshness" in verdicts(db)[-1][1]
    assert (held(agent, yes()), agent.equity()) == (shares(20), usdc("999"))


def test_a_quote_that_is_filled_later_counts_as_an_entry(db: Database) -> None:
    """The throttle sees an order as it is now: a resting quote counts from the trade that fills it."""
    quotes = [buy(yes(), at, "5", post_only=True) for at in ("0.40", "0.39")]
    lines: dict[int, list[Wish]] = {START_MS + 1: [quotes[0]], START_MS + 3: [quotes[1]]}
    trade = TradePrint(yes(), price("0.39"), shares(50), taker_buys=False, at_ms=START_MS + 2)
    events = [*opening(a_market()), *ticks(1), trade, *ticks(3)]
    run(events, Script(lines), db=db, config=a_config(risk={"entries_per_minute": 1}))

    assert verdicts(db)[-1][1:] == ("repetition", "1 entries in a minute; risk.entries_per_minute is 1")
