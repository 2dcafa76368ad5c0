"""The order as it is going to be signed, against the wish that it came from: the same rules on the final integers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from polymarket_agent.decision.view import Refusal
from polymarket_agent.domain.book import Side
from polymarket_agent.domain.market import Market
from polymarket_agent.domain.money import Usdc, cost_rounded_up, decimal_text, display
from polymarket_agent.domain.order import Order, TimeInForce
from polymarket_agent.domain.portfolio import rest_cost
from polymarket_agent.domain.signal import Signal

__all__ = ["differences", "not_whole", "of_order", "wish_of"]


def not_whole(order: Order) -> list[Refusal]:
    """Return a refusal for each number of an order that is no whole number; nothing else can be judged then."""
    found = []
    for name in ("price", "quantity", "reserved", "budget"):
        value = getattr(order, name)
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            found.append(Refusal("shape", f"{name} of the order is {value!r}; it must be whole micro-units"))
    return found


def of_order(order: Order, signal: Signal) -> Signal:
    """Return the wish with the price and the size of the order, exactly, for the rules to judge."""
    return replace(signal, target_price=order.price, size=cost_rounded_up(order.price, order.quantity))


def wish_of(order: Order) -> Signal:
    """Return a wish that asks for exactly an order that exists."""
    return Signal(
        strategy=order.strategy,
        asset_id=order.asset_id,
        side=order.side,
        target_price=order.price,
        reason="the same bytes again",
        size=cost_rounded_up(order.price, order.quantity),
        time_in_force=order.time_in_force,
        post_only=order.post_only,
        expires_at_ms=order.expires_at_ms,
        signal_id=order.signal_id,
        basket_id=order.basket_id,
    )


def differences(order: Order, signal: Signal, market: Market | None) -> Iterator[Refusal]:
    """Yield every way in which an order is not exactly what was wished for, or reserves less than it can cost."""
    yield from _not_as_wished(order, signal)
    if market is None:
        return
    if order.condition_id != market.condition_id:
        yield Refusal(
            "instrument", f"the order names market {order.condition_id}, its asset is of {market.condition_id}"
        )
    if order.budget:
        yield from _wrong_budget(order)
    need = rest_cost(order, market.fees, post_only=order.post_only)
    if order.reserved < need:
        unit = "USDC" if order.side is Side.BUY else "shares"
        yield Refusal("means", f"{display(order.reserved, 6)} {unit} are reserved, it can cost {display(need, 6)}")


def _not_as_wished(order: Order, signal: Signal) -> Iterator[Refusal]:
    for name in ("strategy", "asset_id", "side", "time_in_force", "post_only", "signal_id", "basket_id"):
        if getattr(order, name) != getattr(signal, name):
            yield Refusal(
                "agreement", f"{name} of the order is {getattr(order, name)}, of the wish {getattr(signal, name)}"
            )
    if order.price != signal.target_price:
        said = f"{decimal_text(order.price)}, of the wish {decimal_text(signal.target_price)}"
        yield Refusal("agreement", f"the price of the order is {said}")
    if order.quantity != signal.quantity:
        said = f"{decimal_text(order.quantity)} shares, the wish {decimal_text(signal.quantity)}"
        yield Refusal("agreement", f"the order is for {said}")
    if order.time_in_force is TimeInForce.GTD and order.expires_at_ms != signal.expires_at_ms:
        yield Refusal("agreement", f"the order ends at {order.expires_at_ms}, the wish at {signal.expires_at_ms}")
    if order.matched or order.spent:
        yield Refusal("agreement", "the order is matched in part already; it is no new one")


def _wrong_budget(order: Order) -> Iterator[Refusal]:
    most = cost_rounded_up(order.price, order.quantity)
    if order.side is not Side.BUY or order.time_in_force.rests:
        yield Refusal("agreement", "only a FOK or FAK buy is bounded by what it spends")
    elif order.budget > most:
        said = f"{display(order.budget, 6)} USDC, the wish costs at most {display(Usdc(most), 6)}"
        yield Refusal("agreement", f"the order may spend {said}")
