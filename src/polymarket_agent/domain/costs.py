"""What orders can cost, before and after their fills, and what a market can lose."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from polymarket_agent.domain.levels import Side
from polymarket_agent.domain.market import FeeSchedule, most_taker_fee
from polymarket_agent.domain.money import Price, Shares, Usdc, cost_rounded_up
from polymarket_agent.domain.order import Fill, Order
from polymarket_agent.errors import LedgerError

__all__ = ["exposure_of", "rest_cost", "shrink", "unshrink", "worst_cost"]


def worst_cost(side: Side, at: Price, quantity: Shares, fees: FeeSchedule, *, post_only: bool) -> int:
    """Return what an order can cost at most: micro-USDC for a BUY (fee included), micro-shares for a SELL."""
    if side is Side.SELL:
        return quantity
    amount = cost_rounded_up(at, quantity)
    return amount if post_only and fees.taker_only else amount + most_taker_fee(amount, quantity, fees)


def shrink(order: Order, fill: Fill, fees: FeeSchedule) -> Order:
    """Return an order after one of its fills: matched grown, its reservation down to what the rest can cost.

    A reservation falls by at least what the fill took, so that free cash never pays for a fill.

    Raises:
        LedgerError: the order would be filled beyond its quantity, or beyond its budget.
    """
    matched, spent = Shares(order.matched + fill.quantity), Usdc(order.spent + fill.notional)
    if spent > order.budget if order.budget else matched > order.quantity:
        raise LedgerError(f"order {order.order_id} of {order.budget or order.quantity} would be filled beyond it")
    after = replace(order, matched=matched, spent=spent, updated_ms=fill.at_ms)
    taken: int = fill.quantity if order.side is Side.SELL else fill.notional + fill.fee
    rest = rest_cost(after, fees, post_only=order.post_only or fill.is_maker)
    return replace(after, reserved=max(0, min(order.reserved - taken, rest)))


def unshrink(order: Order, fill: Fill, fees: FeeSchedule) -> Order:
    """Return an order whose fill failed to settle: it counts no more, and what may still be matched is reserved again.

    An order that cannot be matched any more reserves nothing.
    """
    matched = Shares(max(0, order.matched - fill.quantity))
    after = replace(order, matched=matched, spent=Usdc(max(0, order.spent - fill.notional)))
    if order.state.final:
        return after
    return replace(after, reserved=rest_cost(after, fees, post_only=order.post_only or fill.is_maker))


def rest_cost(order: Order, fees: FeeSchedule, *, post_only: bool) -> int:
    """Return what the unmatched rest of an order can cost: micro-USDC for a BUY, micro-shares for a SELL."""
    if not order.budget:
        return worst_cost(order.side, order.price, Shares(max(0, order.remaining)), fees, post_only=post_only)
    amount = Usdc(max(0, order.budget - order.spent))
    return amount + most_taker_fee(amount, order.remaining, fees) if amount else 0


def exposure_of(holdings: Iterable[tuple[Shares, Usdc]], open_buys: Usdc = Usdc(0)) -> Usdc:
    """Return the most that can still be lost in one market, in micro-USDC.

    cost of what is held with entry fees + worst cost of live buys - the smallest payout over both answers.

    Args:
        holdings: (shares, cost with entry fees) of each outcome; missing outcomes count as none held.
        open_buys: worst cost of buys that may still be matched.
    """
    held = list(holdings)
    guaranteed = min(quantity for quantity, _ in held) if len(held) > 1 else 0
    return Usdc(sum(cost for _, cost in held) + open_buys - guaranteed)
