from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from polymarket_agent.config import RiskConfig
from polymarket_agent.decision.gate import Gate
from polymarket_agent.decision.view import as_order
from polymarket_agent.domain.money import Price, usdc
from polymarket_agent.domain.order import Order, OrderId, OrderState
from tests.unit.agent_world import buy
from tests.unit.strategy_world import START_MS, World, a_market, yes

LIMITS = RiskConfig.model_validate(
    {"max_position_size": 100, "max_daily_loss": 50, "max_open_orders": 5, "entries_per_minute": 2}
)
PLAIN = buy(yes(), "0.50", "5")


def a_gate(*, streaming: bool = True, world: World | None = None, **more: Any) -> Gate:
    if world is None:
        world = World(a_market())
        world.mirrored("0.48", "0.50", size=1_000)
    gate = Gate(LIMITS, world.account, world.board, streaming=streaming, **more)
    gate.heard_ms = START_MS
    return gate


def an_order(order_id: str, *, age_s: int = 0, state: OrderState = OrderState.FILLED, post_only: bool = False) -> Order:
    order = as_order(replace(PLAIN, post_only=post_only), a_market(), START_MS - age_s * 1_000)
    return replace(order, order_id=OrderId(order_id), state=state)


def rules(gate: Gate, now_ms: int = START_MS) -> list[str]:
    return [refusal.rule for refusal in gate.refusals(PLAIN, now_ms)]


@pytest.mark.parametrize(("streaming", "rule"), [(True, []), (False, ["freshness"])])
def test_silence_of_one_asset_means_no_change_only_while_a_stream_lives(streaming: bool, rule: list[str]) -> None:
    """With a stream a book is as young as the last thing heard at all, with polling as its last snapshot."""
    gate = a_gate(streaming=streaming)
    gate.heard_ms = START_MS + 60_000

    assert rules(gate, START_MS + 60_000) == rule


def test_a_stream_that_fell_silent_is_stale() -> None:
    """Nothing heard for longer than max_book_age_ms refuses entries, whatever the book shows."""
    assert rules(a_gate(), START_MS + 2_000) == []
    assert rules(a_gate(), START_MS + 2_001) == ["freshness"]


def test_an_order_counts_as_it_is_now() -> None:
    """An order is counted once, in its latest state: a rejection that was accepted before is no entry."""
    gate = a_gate()
    for state in (OrderState.SUBMITTED, OrderState.OPEN, OrderState.FILLED):
        gate.remember([an_order("a", state=state)])
    assert rules(gate) == []

    gate.remember([an_order("b")])
    assert rules(gate) == ["repetition"]
    gate.remember([an_order("b", state=OrderState.REJECTED)])
    assert rules(gate) == []


def test_a_quote_counts_from_its_first_fill() -> None:
    """Resting quotes leave no trace until they are filled."""
    gate = a_gate()
    quotes = [an_order(f"q{n}", state=OrderState.CANCELED, post_only=True) for n in range(9)]
    gate.remember(quotes)
    assert rules(gate) == []

    gate.remember(replace(quote, matched=quote.quantity) for quote in quotes[:2])
    assert rules(gate) == ["repetition"]


def test_an_hour_is_remembered_and_no_more() -> None:
    """Orders older than an hour are forgotten, so that memory is bounded by the limits."""
    gate = a_gate()
    gate.remember(an_order(f"o{n}", age_s=3_599) for n in range(10))

    assert rules(gate) == ["repetition"]
    assert rules(gate, START_MS + 1_000) == []


def test_a_step_of_the_clock_back_opens_no_budget() -> None:
    """Orders that seem to lie in the future still count."""
    gate = a_gate()
    gate.remember([an_order("a"), an_order("b")])

    assert rules(gate, START_MS - 3_600_000)[-1] == "repetition"


def test_garbage_is_refused_before_it_is_used_as_a_key() -> None:
    """A signal with a field that cannot even be looked up is refused by shape; the gate does not raise."""
    broken = replace(PLAIN, asset_id=["no", "text"])  # type: ignore[arg-type]

    assert [refusal.rule for refusal in a_gate().refusals(broken, START_MS)] == ["shape"]
    assert "whole micro-units" in a_gate().refusals(replace(PLAIN, target_price=0.5), START_MS)[0].reason  # type: ignore[arg-type]


def test_legs_of_a_basket_are_checked_on_top_of_each_other() -> None:
    """E3 within a basket: what was found good a moment ago counts against cash, exposure and order places."""
    world = World(a_market(), cash="40")
    world.mirrored("0.48", "0.50", size=1_000)
    gate = a_gate(world=world)
    legs = [replace(PLAIN, size=usdc(15 + n), target_price=Price(500_000 - n * 10_000)) for n in range(2)]

    assert gate.refusals(legs[1], START_MS, legs[:1]) == []
    third = replace(PLAIN, size=usdc(14), target_price=Price(470_000))
    said = {refusal.rule: refusal.reason for refusal in gate.refusals(third, START_MS, legs)}
    assert "9.00 are free" in said["means"]
    assert "2 orders stand on this side" in said["max_open_orders"]
