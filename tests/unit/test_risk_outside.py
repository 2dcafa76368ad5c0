"""The rules about amounts beyond one market, and about what lies outside the books."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from polymarket_agent.decision.risk import RULES, reduces_risk
from polymarket_agent.decision.view import as_order
from polymarket_agent.domain.events import MarketListed
from polymarket_agent.domain.market import AssetId
from polymarket_agent.domain.money import usdc
from polymarket_agent.domain.order import OrderState
from polymarket_agent.domain.signal import Signal
from polymarket_agent.domain.venue import VenueMode
from tests.unit import test_risk_rules
from tests.unit.agent_world import buy, sell
from tests.unit.risk_desk import EXIT, PLAIN, SECOND, Desk, Make, given
from tests.unit.strategy_world import START_MS, a_market, no, yes


def _entered(cause: str) -> Make:
    return given(lambda desk: desk.conditions.states.enter(cause, detail="so", at_ms=START_MS))


def _facts(**facts: Any) -> Make:
    return given(lambda desk: desk.facts(**facts))


def _event(limit: str, **more: str) -> Make:
    """Hold 20 USDC of another market of the event, with a limit on the event or beyond."""

    def make(desk: Desk) -> Signal:
        desk.world.board.apply(MarketListed(a_market("other"), START_MS))
        desk.world.group("g", [a_market(), a_market("other")], neg_risk=True)
        desk.hold(yes("other"), 40, "0.50")
        desk.limits |= {limit: 24, **more}
        return PLAIN

    return make


def _unanswered(age_ms: int, state: OrderState = OrderState.SUBMITTED, asset_id: AssetId | None = None) -> Make:
    def make(desk: Desk) -> Signal:
        desk.conditions.answer_due_ms = 10_000
        order = desk.order(buy(asset_id or yes(), "0.40", "5"), state=state)
        order = replace(order, created_ms=desk.world.now_ms - age_ms, updated_ms=desk.world.now_ms - age_ms)
        desk.world.account.apply_order(order)
        return PLAIN

    return make


def _unknown_elsewhere(count: int) -> Make:
    def make(desk: Desk) -> Signal:
        for number in range(count):
            order = desk.order(buy(no(), "0.10", "1"), order_id=f"u{number}", state=OrderState.UNKNOWN)
            desk.world.account.apply_order(order)
        desk.limits["max_orders_per_side"] = 50
        return PLAIN

    return make


def _rejected(count: int, age_s: int) -> Make:
    def make(desk: Desk) -> Signal:
        for _ in range(count):
            desk.breakers.rejected("s", START_MS - age_s * SECOND)
        return PLAIN

    return make


# rule, how it comes to it, what the refusal must say: the value and the limit.
REFUSALS: list[tuple[str, Make, tuple[str, ...]]] = [
    ("state", _entered("drawdown"), ("REDUCING (drawdown: so)", "sales that reduce risk")),
    ("state", _entered("ledger"), ("HALTED (ledger: so)", "only cancels")),
    ("state", _entered("kill"), ("KILLED", "only cancels")),
    ("state", _entered("start"), ("RECOVERING", "only cancels")),
    ("authority", _facts(authority=False), ("may not send",)),
    ("venue", _facts(banned="the answer said so"), ("shut this account out: the answer said so",)),
    ("venue", _facts(blocked=True), ("from this place",)),
    ("venue", _facts(closed_only=True), ("closed-only", "sales that reduce risk")),
    ("venue", _facts(mode=VenueMode.POST_ONLY), ("only post-only",)),
    ("venue", _facts(mode=VenueMode.RESTARTING), ("mode restarting",)),
    ("venue", _facts(mode=VenueMode.CANCEL_ONLY), ("mode cancel_only",)),
    ("venue", _facts(mode=VenueMode.DISABLED), ("mode disabled",)),
    ("listing", _facts(listed_ms={}), ("nobody has read",)),
    ("listing", _facts(listed_ms={a_market().condition_id: START_MS - 300_001}), ("300 s ago", "at most 300 s")),
    ("clock", _facts(clock_ok=False), ("clock disagrees",)),
    ("stream", _facts(stream_up=False), ("not heard",)),
    ("max_order_size", given(lambda d: d.limits.update(max_order_size=4)), ("cost 5.00 USDC", "max_order_size is 4.00")),
    ("max_event_exposure", _event("max_event_exposure"), ("25.00 USDC", "20.00 without it", "max_event_exposure is 24.00")),
    ("max_strategy_exposure", _event("max_strategy_exposure"), ("25.00 USDC", "in s,", "max_strategy_exposure is 24.00")),
    ("max_total_exposure", _event("max_total_exposure"), ("25.00 USDC", "all markets", "max_total_exposure is 24.00")),
    ("max_markets", _event("max_order_size", max_markets="1"), ("1 markets", "max_markets is 1")),
    ("means", _facts(allowance=usdc(4)), ("may take 4.00", "5.00 are needed")),
    ("max_drawdown", given(lambda d: setattr(d, "fallen", "150")), ("150.00 USDC below", "max_drawdown is 150.00")),
    ("max_daily_turnover", given(lambda d: d.turned_over("95.01", 100)), ("100.01 USDC", "max_daily_turnover is 100.00")),
    ("message_rate", given(lambda d: d.sent(10)), ("orders_per_second = 5 with a burst of 10", "200 ms")),
    ("message_rate", given(lambda d: d.sent(3, {"orders_per_minute": 3})), ("3 orders left", "orders_per_minute is 3")),
    ("message_rate", _facts(orders_left=0, orders_left_until_ms=START_MS + 1), ("takes 0 more",)),
    ("breakers", _unknown_elsewhere(3), ("fate of 3 orders", "with 3")),
    ("breakers", _unanswered(0, OrderState.UNKNOWN), ("for this asset is unknown (o)",)),
    ("breakers", _unanswered(10_001), ("no answer after 10001 ms (o)",)),
    ("breakers", _facts(suspect={yes(): "the venue has matched more"}), ("the venue has matched more",)),
    ("breakers", _rejected(5, 59), ("5 orders of s were refused in a minute", "after 5")),
    ("breakers", given(lambda d: [d.breakers.settled(a_market().condition_id, START_MS - 1, failed=True) for _ in range(3)]), ("fail to settle", "another 60 min")),
    ("breakers", given(lambda d: d.lost_streams(5, 599_999)), ("5 times a stream was lost", "after 5")),
]  # fmt: skip


def test_every_rule_has_a_test_here_or_there() -> None:
    """The two tables refuse at least once by each rule of the gate, and by no rule that does not exist."""
    assert {rule for rule, *_ in (*REFUSALS, *test_risk_rules.REFUSALS)} == {rule.name for rule in RULES}


@pytest.mark.parametrize(("rule", "make", "words"), REFUSALS)
def test_a_refusal_says_what_stands_in_the_way(rule: str, make: Make, words: tuple[str, ...]) -> None:
    """A rule refuses what breaks it, and its sentence has the value and what would pass."""
    desk = Desk()
    signal = make(desk)

    said = desk.said(signal).get(rule, "")

    assert all(word in said for word in words), said


@pytest.mark.parametrize(
    "make",
    [
        _facts(listed_ms={a_market().condition_id: START_MS - 300_000}),
        _facts(suspect={no(): "another asset"}),
        _facts(allowance=usdc(5)),
        _facts(orders_left=1, orders_left_until_ms=START_MS + 1),
        _facts(orders_left=0, orders_left_until_ms=START_MS),
        given(lambda d: d.limits.update(max_order_size=5)),
        _event("max_event_exposure", max_event_exposure="25"),
        _event("max_strategy_exposure", max_strategy_exposure="25"),
        _event("max_total_exposure", max_total_exposure="25"),
        _event("max_order_size", max_markets="2"),
        given(lambda d: setattr(d, "fallen", "149.999999")),
        given(lambda d: d.turned_over("95", 100)),
        given(lambda d: d.sent(9)),
        given(lambda d: d.sent(3, {"orders_per_minute": 4})),
        _unknown_elsewhere(2),
        _unanswered(10_000),
        _unanswered(60_000, asset_id=no()),
        _rejected(4, 0),
        _rejected(5, 60),
        given(lambda d: d.lost_streams(5, 600_000)),
    ],
)
def test_a_value_at_the_limit_passes(make: Make) -> None:
    """A limit is what is still allowed: the value itself passes, one step more does not."""
    desk = Desk()

    assert desk.said(make(desk)) == {}


def test_an_exit_is_not_held_by_what_goes_wrong_outside() -> None:
    """Losses, unknown orders, failed fills, a wrong clock, a lost stream, closed-only: a sale of what is held passes."""
    desk = Desk(loss="900", fallen="900", turnover="900000", limits={"max_markets": 1, "max_order_size": 1})
    _unknown_elsewhere(3)(desk)
    _rejected(9, 0)(desk)
    desk.facts(clock_ok=False, stream_up=False, closed_only=True, listed_ms={}, suspect={yes(): "why"}, allowance=0)
    for _ in range(5):
        desk.breakers.settled(a_market().condition_id, START_MS, failed=True)
    desk.conditions.states.enter("drawdown", at_ms=START_MS)
    desk.hold(yes(), 10)

    assert desk.said(EXIT) == {}


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (lambda d: d.conditions.states.enter("ledger", at_ms=START_MS), "state"),
        (lambda d: d.conditions.states.enter("kill", at_ms=START_MS), "state"),
        (lambda d: d.conditions.states.enter("start", at_ms=START_MS), "state"),
        (lambda d: d.facts(authority=False), "authority"),
        (lambda d: d.facts(banned="so"), "venue"),
        (lambda d: d.facts(blocked=True), "venue"),
        (lambda d: d.facts(mode=VenueMode.CANCEL_ONLY), "venue"),
        (lambda d: d.facts(mode=VenueMode.POST_ONLY), "venue"),
        (lambda d: d.sent(10), "message_rate"),
        (lambda d: d.facts(orders_left=0, orders_left_until_ms=START_MS + 1), "message_rate"),
    ],
)
def test_no_exit_goes_around_the_gate(change: Callable[[Desk], object], rule: str) -> None:
    """I17: a halt, a kill, a venue that takes nothing and the rate of messages hold a sale too."""
    desk = Desk()
    desk.hold(yes(), 10)
    change(desk)

    assert set(desk.said(EXIT)) == {rule}


def test_a_sale_that_breaks_a_pair_across_markets_is_an_entry() -> None:
    """100 NO of two answers of one event hedge each other: selling one leaves its market as it was, not the event."""
    desk = Desk()
    desk.world.board.apply(MarketListed(a_market("other"), START_MS))
    desk.world.group("g", [a_market(), a_market("other")], neg_risk=True)
    desk.hold(no(), 100, "0.40")
    desk.hold(no("other"), 100, "0.45")
    sale = sell(no(), "0.50", "100")

    assert desk.view().exposure(a_market(), more=as_order(sale, a_market())) == usdc(40)
    assert not reduces_risk(sale, desk.view())
    desk.limits["max_event_exposure"] = 44
    assert "45.00 USDC" in desk.said(sale)["max_event_exposure"]
    desk.conditions.states.enter("daily_loss", at_ms=START_MS)
    assert "state" in desk.said(sale)


def test_a_sale_may_leave_its_market_one_sided_while_its_event_is_safer() -> None:
    """Another market of the event stands against what is left; but no exit takes its market above its own limit."""
    desk = Desk(limits={"max_event_exposure": 500})
    desk.world.board.apply(MarketListed(a_market("other"), START_MS))
    desk.world.group("g", [a_market(), a_market("other")], neg_risk=True)
    desk.hold(yes(), 100, "0.50")
    desk.hold(no(), 100, "0.50")
    desk.hold(no("other"), 100, "0.60")
    sale = sell(yes(), "0.48", "100")

    desk.limits["max_position_size"] = 50
    assert reduces_risk(sale, desk.view())
    desk.limits["max_position_size"] = 49
    assert not reduces_risk(sale, desk.view())
