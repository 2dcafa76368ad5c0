"""From a wish to the exact integers that are signed. Pure.

A limit order signs quantity * price, which is exact on the grid. The venue bounds FOK and FAK buys by their collateral,
in whole cents, and compares shares to four decimals: what they may spend is what the book asks for the wished quantity
now, never more than the limit, so that a cheaper fill gives more shares and never costs more.

Source: ../shared/spec/polymarket-wire.md, sections 4.8 and 4.9.
"""

from __future__ import annotations

from dataclasses import replace

from polymarket_agent.domain.book import OrderBook
from polymarket_agent.domain.costs import rest_cost, worst_cost
from polymarket_agent.domain.levels import Side
from polymarket_agent.domain.market import Market
from polymarket_agent.domain.money import MICRO, Price, Shares, Usdc, floor_to_lot
from polymarket_agent.domain.order import Order, OrderId, TimeInForce
from polymarket_agent.domain.signal import Signal
from polymarket_agent.domain.venue import OrderTicket
from polymarket_agent.errors import AgentError

__all__ = ["GTD_MARGIN_S", "draft", "reserve", "ticket_of"]

GTD_MARGIN_S = 60  # the venue ends an order a minute before the second that it is told

_CENT = 10_000
_TAKING_UNIT = 100  # four decimals of a share


def draft(signal: Signal, market: Market, book: OrderBook | None, now_ms: int) -> Order:
    """Return the order that a signal becomes, not yet signed: on the grid and in lots, never worse than the wish.

    Raises:
        AgentError: no order can be made of it; says what would be needed.
    """
    tick = market.tick_size
    at = signal.target_price // tick * tick if signal.side is Side.BUY else -(-signal.target_price // tick) * tick
    if not tick <= at <= MICRO - tick:
        raise AgentError(f"a price of {signal.target_price / MICRO} has no place on the grid of {tick / MICRO}")
    quantity = signal.quantity
    if quantity <= 0:
        raise AgentError("the size buys no share; raise it")
    expires_ms = signal.expires_at_ms if signal.time_in_force is TimeInForce.GTD else None
    if signal.time_in_force is TimeInForce.GTD and expires_ms is None:
        raise AgentError("a GTD order needs the time of its end")
    order = Order(
        order_id=OrderId(f"of {signal.signal_id}"),
        signal_id=signal.signal_id,
        strategy=signal.strategy,
        condition_id=market.condition_id,
        asset_id=signal.asset_id,
        side=signal.side,
        price=Price(at),
        quantity=quantity,
        time_in_force=signal.time_in_force,
        created_ms=now_ms,
        updated_ms=now_ms,
        post_only=signal.post_only,
        expires_at_ms=expires_ms,
        basket_id=signal.basket_id,
        intent=signal.signal_id,
    )
    if order.side is Side.BUY and not order.time_in_force.rests:
        budget = _walk_cost(order, book) // _CENT * _CENT
        if budget < MICRO:
            raise AgentError("a buy that takes must be for 1 USDC at least at the prices shown; raise the size")
        order = replace(order, budget=Usdc(budget))
    return order


def _walk_cost(order: Order, book: OrderBook | None) -> int:
    """Return what the book asks for the quantity within the limit; what it does not show counts at the limit."""
    left, cost = int(order.quantity), 0
    if book is not None and book.ready:
        walk = book.walk(Side.BUY, order.quantity, order.price)
        for at, size in walk.levels:
            cost += at * size
            left -= size
    return -(-(cost + left * order.price) // MICRO)


def ticket_of(order: Order, market: Market) -> OrderTicket:
    """Return what is signed and sent for an order."""
    if order.budget:
        making, taking = int(order.budget), order.budget * MICRO // order.price // _TAKING_UNIT * _TAKING_UNIT
    elif order.side is Side.BUY:
        making, taking = order.price * order.quantity // MICRO, int(order.quantity)
    else:
        making, taking = int(order.quantity), order.price * order.quantity // MICRO
    expires_s = 0
    if order.expires_at_ms is not None:
        expires_s = -(-order.expires_at_ms // 1_000) + GTD_MARGIN_S
    return OrderTicket(
        condition_id=market.condition_id,
        asset_id=order.asset_id,
        side=order.side,
        price=order.price,
        quantity=floor_to_lot(Shares(taking)) if order.budget else order.quantity,
        maker_amount=making,
        taker_amount=taking,
        neg_risk=market.neg_risk,
        time_in_force=order.time_in_force,
        post_only=order.post_only,
        expires_s=expires_s,
    )


def reserve(order: Order, market: Market) -> Order:
    """Return an order with what it can cost at most set apart, fee included."""
    if order.budget:
        need = rest_cost(order, market.fees, post_only=False)
    else:
        need = worst_cost(order.side, order.price, order.quantity, market.fees, post_only=order.post_only)
    return replace(order, reserved=need)
