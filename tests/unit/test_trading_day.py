from __future__ import annotations

import pytest

from polymarket_agent.config import RiskConfig
from polymarket_agent.decision.day import TradingDay, day_of
from polymarket_agent.decision.gate import Gate
from polymarket_agent.domain.money import usdc
from tests.unit.strategy_world import START_MS, World, a_market

DAY_MS = 86_400_000
SECOND_2ND = START_MS + DAY_MS + 5_000  # 00:00:05 on the 17th
BEFORE = START_MS + DAY_MS - 10_000  # 23:59:50 on the 16th


def a_gate(day: TradingDay | None = None, last: str | None = None) -> Gate:
    world = World(a_market())
    last_equity = usdc(last) if last is not None else None
    return Gate(RiskConfig(), world.account, world.board, streaming=True, day=day, last_equity=last_equity)


@pytest.mark.parametrize(
    ("at_ms", "day"), [(START_MS, "2026-02-16"), (START_MS - 1, "2026-02-15"), (START_MS + DAY_MS, "2026-02-17")]
)
def test_a_day_is_a_utc_date(at_ms: int, day: str) -> None:
    """The day changes at 00:00:00.000 UTC and not a millisecond before."""
    assert day_of(at_ms) == day


def test_e4_the_loss_is_the_fall_of_equity() -> None:
    """E4 without its deposit: day open 1000, equity 950 is a loss of 50; a rise is none."""
    day = TradingDay()
    day.open(START_MS, usdc(1_000))

    assert (day.loss(usdc(950)), day.loss(usdc(1_200))) == (usdc(50), 0)


def test_e9_a_clock_that_steps_back_over_midnight_stays_in_the_later_day() -> None:
    """E9: 00:00:05 on the 2nd, then 23:59:50 on the 1st: the day and its budget stay those of the 2nd."""
    gate = a_gate()
    gate.keep_day(SECOND_2ND, usdc(1_000))

    assert not gate.keep_day(BEFORE, usdc(900))
    assert not gate.keep_day(SECOND_2ND, usdc(900))
    assert gate.day.loss(usdc(900)) == usdc(100)


@pytest.mark.parametrize(("first", "opens"), [("940", "1000"), ("1010", "1010")])
def test_a_loss_while_the_agent_was_down_at_midnight_counts(first: str, opens: str) -> None:
    """After a start in a new day the day opens with the higher of the last recorded and the first equity."""
    gate = a_gate(TradingDay("2026-02-16", usdc(1_000)), last="1000")

    assert gate.keep_day(SECOND_2ND, usdc(first))
    assert gate.day.open_equity == usdc(opens)


def test_a_restart_in_the_same_day_keeps_its_opening() -> None:
    """A loss of the morning is not forgotten by starting again at noon."""
    gate = a_gate(TradingDay("2026-02-16", usdc(1_000)), last="960")

    assert not gate.keep_day(START_MS + 43_200_000, usdc(960))
    assert gate.day.loss(usdc(960)) == usdc(40)


def test_the_day_before_does_not_raise_the_next_one() -> None:
    """Running over midnight the day opens with the first equity in it, even if yesterday's was higher."""
    gate = a_gate()
    gate.keep_day(BEFORE, usdc(1_000))

    assert gate.keep_day(SECOND_2ND, usdc(940))
    assert gate.day.open_equity == usdc(940)


def test_a_day_that_opens_without_prices_opens_with_the_last_priced_equity() -> None:
    """A haircut on what has no price at midnight is no profit when the price comes back lower than before."""
    gate = a_gate()
    gate.keep_day(BEFORE, usdc(1_000))
    gate.keep_day(SECOND_2ND, usdc(990), priced=False)

    assert gate.day.loss(usdc(992)) == usdc(8)
