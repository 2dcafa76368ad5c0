"""What the buys of a UTC day spent and may still spend."""

from __future__ import annotations

from polymarket_agent.decision.day import day_of
from polymarket_agent.domain.book import Side
from polymarket_agent.domain.money import Usdc
from polymarket_agent.domain.order import Order, OrderId

__all__ = ["Turnover"]


class Turnover:
    """Counts a buy at its worst cost while it may be matched, and at what it spent once it is closed.

    So a loop that buys and buys comes to an end, and a quote that is taken off the book unfilled costs nothing. An
    order that is alive at midnight counts in the new day too. The day never goes back.
    """

    def __init__(self) -> None:
        self._day = ""
        self._spent: dict[OrderId, int] = {}
        self._alive: set[OrderId] = set()

    def take(self, order: Order) -> None:
        """Take in a buy, new or moved on."""
        if order.side is not Side.BUY:
            return
        self._roll(max(order.created_ms, order.updated_ms))
        known = order.order_id in self._spent
        amount = order.spent + order.reserved
        self._alive.discard(order.order_id)
        if not order.state.final:
            self._alive.add(order.order_id)
        if amount and (known or not order.state.final or day_of(order.created_ms) == self._day):
            self._spent[order.order_id] = amount
        else:
            self._spent.pop(order.order_id, None)

    def today(self, now_ms: int, *, without: Order | None = None) -> Usdc:
        """Return the sum for the day of an instant, in micro-USDC, without one order if given."""
        self._roll(now_ms)
        own = self._spent.get(without.order_id, 0) if without is not None else 0
        return Usdc(sum(self._spent.values()) - own)

    def _roll(self, at_ms: int) -> None:
        day = day_of(at_ms)
        if day > self._day:
            self._day = day
            self._spent = {each: amount for each, amount in self._spent.items() if each in self._alive}
            self._alive &= self._spent.keys()
