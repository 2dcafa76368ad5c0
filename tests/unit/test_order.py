"""The two tables: which evidence moves an order and a settlement where, and that nothing else moves them."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from polymarket_agent.domain.book import Side
from polymarket_agent.domain.money import Price, price, shares
from polymarket_agent.domain.order import (
    POSSIBLY_ALIVE,
    OrderCause,
    OrderState,
    SettlementStatus,
    TimeInForce,
    form_refusal,
    move_settlement,
)
from polymarket_agent.errors import OrderStateError
from tests.trading_world import START_MS, a_market, an_order

S, C = OrderState, OrderCause

# Section 2.4 of the failure model, written down a second time: what is not here must raise.
ALLOWED = {
    (S.PREPARED, C.ATTEMPT_COMMITTED, S.SUBMITTED),
    (S.PREPARED, C.ABANDON, S.ABANDONED),
    (S.SUBMITTED, C.ACCEPTED, S.OPEN),
    (S.SUBMITTED, C.ACCEPTED_DELAYED, S.DELAYED),
    (S.SUBMITTED, C.REFUSED, S.REJECTED),
    (S.SUBMITTED, C.REFUSED_NOW, S.QUARANTINED),
    (S.SUBMITTED, C.NO_ANSWER, S.UNKNOWN),
    (S.SUBMITTED, C.SIGN_OF_LIFE, S.OPEN),
    (S.UNKNOWN, C.REFUSED, S.REJECTED),
    (S.UNKNOWN, C.REFUSED_NOW, S.QUARANTINED),
    (S.UNKNOWN, C.ACCEPTED, S.OPEN),
    (S.UNKNOWN, C.SIGN_OF_LIFE, S.OPEN),
    (S.UNKNOWN, C.ABSENCE_PROVEN, S.QUARANTINED),
    (S.DELAYED, C.SIGN_OF_LIFE, S.OPEN),
    (S.DELAYED, C.NO_ANSWER, S.UNKNOWN),
    (S.DELAYED, C.CLOSED_FILLED, S.FILLED),
    (S.DELAYED, C.CLOSED_CANCELED, S.CANCELED),
    (S.QUARANTINED, C.LAST_LOOK, S.REJECTED),
    (S.QUARANTINED, C.SIGN_OF_LIFE, S.OPEN),
    (S.OPEN, C.SIGN_OF_LIFE, S.OPEN),
    (S.OPEN, C.ACCEPTED, S.OPEN),
    (S.OPEN, C.CLOSED_FILLED, S.FILLED),
    (S.OPEN, C.CLOSED_CANCELED, S.CANCELED),
    (S.REJECTED, C.SIGN_OF_LIFE, S.OPEN),
    (S.ABANDONED, C.SIGN_OF_LIFE, S.OPEN),
    (S.CANCELED, C.SIGN_OF_LIFE, S.OPEN),
    (S.FILLED, C.SETTLEMENT_FAILED, S.OPEN),
}
FORBIDDEN = sorted(set(product(S, C)) - {(state, cause) for state, cause, _ in ALLOWED}, key=str)


@pytest.mark.parametrize(("state", "cause", "to"), sorted(ALLOWED, key=str))
def test_an_allowed_move_is_made(state: OrderState, cause: OrderCause, to: OrderState) -> None:
    """Each row of the table leads where it says, with the time and the reason of the evidence."""
    moved = replace(an_order(), state=state).move(cause, START_MS + 5, "why", reserved=7 if state.final else None)
    assert (moved.state, moved.updated_ms, moved.reason) == (to, START_MS + 5, "why")


@pytest.mark.parametrize(("state", "cause"), FORBIDDEN)
def test_a_forbidden_move_raises_and_changes_nothing(state: OrderState, cause: OrderCause) -> None:
    """Every other pair of state and evidence raises, and the order is what it was."""
    order = replace(an_order(), state=state)
    before = replace(order)
    with pytest.raises(OrderStateError, match="cannot move it"):
        order.move(cause, START_MS + 5, "why", reserved=7)
    assert order == before


def test_only_evidence_leads_out_of_a_final_state() -> None:
    """Final states have no way out but a sign of life; FILLED ends only by a fill that failed, and may be open then."""
    out = {(state, cause) for state, cause, _ in ALLOWED if state.final}
    alive = {(state, C.SIGN_OF_LIFE) for state in S if state.final and state is not S.FILLED}
    assert out == alive | {(S.FILLED, C.SETTLEMENT_FAILED)}


@pytest.mark.parametrize("state", S)
def test_a_reservation_is_held_exactly_while_the_order_may_cost(state: OrderState) -> None:
    """No state is final and possibly alive, and every state but PREPARED is one of both."""
    assert state.final + (state in POSSIBLY_ALIVE) == (state is not S.PREPARED)


def test_closing_releases_and_reviving_reserves_again() -> None:
    """A closed order promises nothing; one found alive after all must say what it may cost, or it does not move."""
    closed = an_order().move(C.CLOSED_CANCELED, START_MS)
    assert closed.reserved == 0
    with pytest.raises(OrderStateError, match="alive after all"):
        closed.move(C.SIGN_OF_LIFE, START_MS)
    assert closed.move(C.SIGN_OF_LIFE, START_MS, reserved=5_000_000).reserved == 5_000_000


T = SettlementStatus
LATER = {
    T.MATCHED: {T.MINED, T.RETRYING, T.CONFIRMED, T.FAILED},
    T.MINED: {T.RETRYING, T.CONFIRMED, T.FAILED},
    T.RETRYING: {T.MINED, T.CONFIRMED, T.FAILED},
    T.CONFIRMED: set(),
    T.FAILED: set(),
}


@pytest.mark.parametrize(("now", "to"), list(product(T, T)))
def test_a_settlement_moves_on_and_never_back(now: SettlementStatus, to: SettlementStatus) -> None:
    """A later status is taken up, an older one ignored, and CONFIRMED against FAILED raises."""
    if {now, to} == {T.CONFIRMED, T.FAILED}:
        with pytest.raises(OrderStateError, match="both are final"):
            move_settlement(now, to)
    else:
        assert move_settlement(now, to) is (to if to in LATER[now] else now)


@pytest.mark.parametrize(
    ("at", "quantity", "tif", "says"),
    [
        ("0.505", "10", TimeInForce.GTC, "grid"),
        ("0.001", "10", TimeInForce.GTC, "grid"),
        ("0.5", "4.99", TimeInForce.GTC, "minimum"),
        ("0.5", "4.99", TimeInForce.GTD, "minimum"),
        ("0.5", "10.001", TimeInForce.GTC, "hundredths"),
        ("0.5", "0", TimeInForce.FAK, "hundredths"),
        ("0.5", "1.99", TimeInForce.FOK, "1 USDC"),
    ],
)
def test_a_wrong_form_is_refused_with_what_would_pass(at: str, quantity: str, tif: TimeInForce, says: str) -> None:
    """Grid, lots, the market's minimum for orders that may rest, 1 USDC for those that only take."""
    assert says in (form_refusal(a_market(), price(at), shares(quantity), tif) or "")


@pytest.mark.parametrize(("at", "quantity", "tif"), [("0.01", "5", TimeInForce.GTC), ("0.5", "2", TimeInForce.FOK)])
def test_the_smallest_right_form_passes(at: str, quantity: str, tif: TimeInForce) -> None:
    """The limits themselves are allowed, and so is 1 - tick."""
    assert form_refusal(a_market(), price(at), shares(quantity), tif) is None
    assert form_refusal(a_market(), Price(990_000), shares("5"), TimeInForce.GTC) is None


def test_sides_and_times_in_force_know_their_kind() -> None:
    """Each side trades against the other; GTC and GTD may rest."""
    assert (Side.BUY.opposite, Side.SELL.opposite) == (Side.SELL, Side.BUY)
    assert [tif.rests for tif in TimeInForce] == [True, True, False, False]
    assert [status.final for status in T] == [False, False, False, True, True]
