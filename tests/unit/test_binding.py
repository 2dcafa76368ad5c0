"""The binding check: the rules again, on the integers that are going to be signed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from polymarket_agent.config import RiskConfig
from polymarket_agent.decision.conditions import Conditions
from polymarket_agent.decision.gate import Gate
from polymarket_agent.decision.view import as_order
from polymarket_agent.domain.book import Side
from polymarket_agent.domain.market import FeeSchedule
from polymarket_agent.domain.money import LOT, Price, Shares, Usdc, shares, usdc
from polymarket_agent.domain.order import Order, OrderId, OrderState, TimeInForce
from polymarket_agent.domain.portfolio import rest_cost
from polymarket_agent.domain.signal import Signal
from polymarket_agent.domain.venue import VenueMode
from tests.unit.agent_world import buy, sell
from tests.unit.strategy_world import START_MS, World, a_market, no, yes

FEES = FeeSchedule(rate=50_000)
MARKET = a_market(fees=FEES)
TICK = MARKET.tick_size
LIMITS: dict[str, Any] = {"max_position_size": 21, "max_daily_loss": 50, "max_open_orders": 5, "entries_per_minute": 2}
WISH = replace(buy(yes(), "0.50", "20"), signal_id="s1")  # 40 shares; 20 and 1 of fee, exactly the limit


class Desk:
    """A gate over a world with a narrow book, and an account that may hold something."""

    def __init__(self, *, held: int = 0, **limits: Any) -> None:
        self.world = World(MARKET)
        self.world.mirrored("0.48", "0.50", size=1_000)
        self.conditions = Conditions()
        risk = RiskConfig.model_validate(LIMITS | limits)
        self.gate = Gate(risk, self.world.account, self.world.board, streaming=True, conditions=self.conditions)
        self.gate.heard_ms = START_MS
        if held:
            owner: Any = type("Owner", (), {"name": "s"})()
            self.world.fill(owner, yes(), Side.BUY, "0.40", held)

    def said(self, order: Order, signal: Signal = WISH) -> dict[str, str]:
        return dict(self.gate.refusals_of_order(order, signal, START_MS))


def order_of(signal: Signal, **changes: Any) -> Order:
    """Return the order of a signal with changed integers, and a reservation that fits them."""
    order = replace(as_order(signal, MARKET, START_MS), order_id=OrderId("0xid"), **changes)
    need = rest_cost(order, FEES, post_only=order.post_only)
    return replace(order, reserved=changes.get("reserved", need))


def test_the_exact_order_of_a_wish_passes() -> None:
    """What the wish was approved for passes as an order too, at the limit to the micro-unit."""
    assert Desk().gate.refusals(WISH, START_MS) == []
    assert Desk().said(order_of(WISH)) == {}


@pytest.mark.parametrize(
    ("changes", "rules"),
    [
        ({"quantity": Shares(shares(40) + LOT)}, {"agreement", "max_order_size", "max_position_size"}),
        ({"quantity": Shares(shares(40) - LOT)}, {"agreement"}),
        ({"quantity": Shares(shares(40) - 1)}, {"agreement", "form"}),
        ({"price": Price(500_000 + TICK)}, {"agreement", "max_order_size", "max_position_size"}),
        ({"price": Price(500_000 - TICK)}, {"agreement"}),
        ({"price": Price(500_000 - 1)}, {"agreement", "form"}),
        ({"asset_id": no()}, {"agreement"}),
        ({"strategy": "t"}, {"agreement"}),
        ({"time_in_force": TimeInForce.FOK}, {"agreement"}),
        ({"post_only": True}, {"agreement"}),
        ({"condition_id": "other"}, {"instrument"}),
        ({"matched": shares(1)}, {"agreement"}),
    ],
)
def test_a_change_between_wish_and_order_is_caught(changes: dict[str, Any], rules: set[str]) -> None:
    """One lot, one tick, another claim, kind or strategy: the order is refused, and by the limits that it breaks too."""
    assert set(Desk().said(order_of(WISH, **changes))) >= rules


def test_an_order_that_reserves_too_little_is_refused() -> None:
    """I12: one micro-unit less than it can cost is refused; more is not."""
    need = order_of(WISH).reserved
    assert need == usdc(21)

    assert "20.999999 USDC are reserved" in Desk().said(order_of(WISH, reserved=need - 1))["means"]
    assert "max_position_size" in Desk().said(order_of(WISH, reserved=need + 1))


@pytest.mark.parametrize("value", [0.5, float("nan"), float("inf"), True, None, "1", -1])
@pytest.mark.parametrize("name", ["price", "quantity", "reserved", "budget"])
def test_no_number_that_is_none_passes_a_limit(name: str, value: Any) -> None:
    """NaN compares as below every limit; here nothing but whole numbers is compared at all."""
    broken = replace(order_of(WISH), **{name: value})

    assert set(Desk().said(broken)) == {"shape"}
    assert set(Desk().said(order_of(WISH), replace(WISH, confidence=float("nan")))) == {"shape"}


def test_a_buy_bounded_by_its_collateral_counts_with_that() -> None:
    """A FOK buy may spend its budget and the fee on it, whatever number of shares that gives."""
    wish = replace(WISH, time_in_force=TimeInForce.FOK)
    good = order_of(wish, budget=usdc("19.20"))

    assert good.reserved == usdc("20.16")
    assert Desk().said(good, wish) == {}
    assert "may spend 20.01" in Desk().said(order_of(wish, budget=usdc("20.01")), wish)["agreement"]
    assert set(Desk(cash_reserve=980).said(good, wish)) == {"means"}
    assert "bounded" in Desk().said(order_of(WISH, budget=usdc(20)), WISH)["agreement"]


def test_an_order_does_not_count_against_itself() -> None:
    """Whether it is written down before or after the check, it is no duplicate, takes no cash and no place twice."""
    desk = Desk(max_open_orders=1, max_total_exposure=21)
    order = replace(order_of(WISH), state=OrderState.PREPARED)
    desk.world.account.apply_order(order)
    desk.gate.remember([order])

    assert desk.said(order) == {}
    other = replace(order, order_id=OrderId("0xother"))
    assert set(desk.said(other)) >= {"duplicate", "max_open_orders", "max_position_size", "max_total_exposure"}


def test_an_exit_is_sized_in_shares() -> None:
    """A sale of 100 shares that cost 40 USDC is a sale of 100 shares; one lot more than is free is refused."""
    desk = Desk(held=100)
    sale = replace(sell(yes(), "0.48", "100"), signal_id="s2")

    assert order_of(sale).reserved == shares(100)
    assert desk.said(order_of(sale), sale) == {}
    more = replace(sell(yes(), "0.48", "100.01"), signal_id="s2")
    assert "100.01 shares are to be sold, 100.00 are free" in desk.said(order_of(more), more)["means"]


def test_no_order_goes_around_the_state() -> None:
    """A kill between wish and signature refuses the exact order, exits too."""
    desk = Desk(held=100)
    desk.conditions.states.enter("kill", at_ms=START_MS)
    sale = replace(sell(yes(), "0.48", "100"), signal_id="s2")

    assert set(desk.said(order_of(sale), sale)) == {"state"}


# -- the same bytes again ---------------------------------------------------------------------------------------------


def unknown(signal: Signal) -> Order:
    return replace(order_of(signal), state=OrderState.UNKNOWN)


def resend(desk: Desk, order: Order) -> set[str]:
    return {refusal.rule for refusal in desk.gate.refusals_of_resend(order, START_MS)}


def test_the_same_bytes_may_go_again_while_nothing_has_changed() -> None:
    """An order of unknown fate is no obstacle to itself: it is reserved, and the venue takes the bytes once."""
    desk = Desk()
    order = unknown(WISH)
    desk.world.account.apply_order(order)
    desk.gate.remember([order])

    assert resend(desk, order) == set()


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (lambda d: d.conditions.states.enter("drawdown", at_ms=START_MS), "state"),
        (lambda d: setattr(d.conditions, "authority", False), "authority"),
        (lambda d: setattr(d.conditions, "mode", VenueMode.RESTARTING), "venue"),
        (lambda d: setattr(d.conditions, "clock_ok", False), "clock"),
        (lambda d: d.world.gap(), "freshness"),
        (lambda d: d.world.mirrored("0.42", "0.44"), "collar"),
    ],
)
def test_the_same_bytes_do_not_go_again_when_the_world_has_changed(change: Any, rule: str) -> None:
    """State, authority, venue, clock, book and price are asked again before each attempt of an entry."""
    desk = Desk()
    desk.world.account.apply_order(unknown(WISH))
    change(desk)

    assert rule in resend(desk, unknown(WISH))


def test_an_unanswered_exit_may_go_again_while_the_agent_only_reduces() -> None:
    """Its own reservation of the shares does not make it an entry, nor does a lost book."""
    desk = Desk(held=100)
    order = unknown(replace(sell(yes(), "0.48", "100"), signal_id="s2"))
    desk.world.account.apply_order(order)
    desk.conditions.states.enter("drawdown", at_ms=START_MS)
    desk.world.gap()

    assert resend(desk, order) == set()
    assert Usdc(0) <= desk.world.account.free_cash
