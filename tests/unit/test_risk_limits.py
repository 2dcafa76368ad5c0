"""Limits that change while the agent runs, and those that follow from others."""

from __future__ import annotations

from typing import Any

import pytest

from polymarket_agent.config import RiskConfig
from polymarket_agent.decision.gate import Gate
from polymarket_agent.decision.limits import TIGHTER, Tighter, tightened
from polymarket_agent.domain.money import usdc
from tests.unit.agent_world import buy
from tests.unit.strategy_world import START_MS, World, a_market, yes

MIDDLE: dict[str, Any] = {
    "max_position_size": 50,
    "max_daily_loss": 50,
    "max_open_orders": 50,
    "max_markets": 50,
    "cash_reserve": 50,
    "min_time_to_end_s": 50,
    "entries_per_minute": 50,
    "exits_per_minute": 50,
    "max_orders_per_side": 10,
    "orders_per_second": 10,
    "max_order_size": 50,
    "max_event_exposure": 50,
    "max_total_exposure": 50,
    "max_strategy_exposure": 50,
    "max_drawdown": 50,
    "max_daily_turnover": 50,
}


def risk(**changes: Any) -> RiskConfig:
    return RiskConfig.model_validate(MIDDLE | changes)


def test_every_limit_says_which_way_is_tighter() -> None:
    """A new key of the section without a direction would be loosened while running; there is none."""
    assert set(TIGHTER) == set(RiskConfig.model_fields)
    assert {key for key, way in TIGHTER.items() if way is Tighter.HIGHER} == {
        "min_time_to_end_s",
        "duplicate_window_s",
        "cash_reserve",
    }


@pytest.mark.parametrize("key", sorted(TIGHTER))
def test_each_limit_is_taken_up_when_tighter_and_ignored_when_looser(key: str) -> None:
    """I24: whatever key a new file changes, the limit that holds afterwards is never looser than before."""
    old = risk()
    now = getattr(old, key)
    step = 1 if TIGHTER[key] is Tighter.LOWER else -1
    tighter, looser = (old.model_copy(update={key: now + sign * step}) for sign in (-1, 1))

    assert tightened(old, tighter) == (tighter, (key,), ())
    assert tightened(old, looser) == (old, (), (key,))
    assert tightened(old, old) == (old, (), ())


def test_a_file_that_tightens_one_and_loosens_another_gives_only_the_first() -> None:
    """Each key is looked at by itself."""
    result = tightened(risk(), risk(max_daily_loss=20, max_position_size=900))

    assert result.limits.max_daily_loss == usdc(20)
    assert result.limits.max_position_size == usdc(50)
    assert result.ignored == ("max_position_size",)


def test_the_gate_takes_up_what_is_tighter_and_keeps_the_rest() -> None:
    """The next signal is judged by the tightened limit; a looser file later does not give it back."""
    world = World(a_market(end_at_ms=START_MS + 3_600_000))
    world.mirrored("0.48", "0.50", size=1_000)
    gate = Gate(risk(), world.account, world.board, streaming=True)
    gate.heard_ms = START_MS
    signal = buy(yes(), "0.50", "30")
    assert gate.refusals(signal, START_MS) == []

    assert gate.tighten(risk(max_order_size=20)).taken == ("max_order_size",)
    assert [refusal.rule for refusal in gate.refusals(signal, START_MS)] == ["max_order_size"]
    assert gate.tighten(risk()).ignored == ("max_order_size",)
    assert gate.limits.max_order_size == usdc(20)


# -- limits that follow from others -----------------------------------------------------------------------------------


def test_an_absent_limit_follows_from_those_that_are_given() -> None:
    """An order and an event may cost what one market may; all markets together what so many of them may."""
    limits = RiskConfig.model_validate({"max_position_size": 50, "max_daily_loss": 20, "max_markets": 8})

    assert limits.max_order_size == limits.max_event_exposure == usdc(50)
    assert limits.max_total_exposure == limits.max_strategy_exposure == usdc(400)
    assert limits.max_drawdown == usdc(60)
    assert limits.max_daily_turnover == usdc(4_000)


def test_a_limit_that_is_given_is_taken_as_it_is() -> None:
    """And those that follow from it follow from what was given."""
    limits = RiskConfig.model_validate({"max_position_size": 50, "max_total_exposure": 70, "max_drawdown": 5})

    assert (limits.max_strategy_exposure, limits.max_daily_turnover, limits.max_drawdown) == (
        usdc(70),
        usdc(700),
        usdc(5),
    )


def test_nothing_that_follows_lies_above_the_ceiling() -> None:
    """A million is the most of any amount, however many markets there may be."""
    limits = RiskConfig.model_validate({"max_position_size": 1_000_000, "max_markets": 1_000})

    assert limits.max_total_exposure == limits.max_daily_turnover == usdc(1_000_000)
