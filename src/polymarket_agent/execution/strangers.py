"""What the venue reports of orders that are not in memory: closed long ago, or never ours.

Only the ledger can tell. What it does not have either was made by somebody else with this wallet: it is imported, so
that it counts in exposure and profit, and reported, so that entries stop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from polymarket_agent.domain.costs import worst_cost
from polymarket_agent.domain.market import ConditionId, Market
from polymarket_agent.domain.money import Shares
from polymarket_agent.domain.order import EXTERNAL, Order, OrderCause, OrderId, TimeInForce
from polymarket_agent.domain.venue import Leg, OrderSnapshot
from polymarket_agent.execution.live_books import LiveBooks
from polymarket_agent.execution.live_types import Markets
from polymarket_agent.ports import Clock

__all__ = ["Strangers"]


class Strangers:
    """Places what belongs to no order that is known.

    Args:
        find: looks an order up in the ledger, of any age.
        fetch_markets: reads markets that are not known yet, so that `markets` has them afterwards.
    """

    def __init__(
        self,
        books: LiveBooks,
        clock: Clock,
        markets: Markets,
        *,
        find: Callable[[OrderId], Awaitable[Order | None]],
        fetch_markets: Callable[[list[ConditionId]], Awaitable[None]],
    ) -> None:
        self._books, self._clock, self._markets = books, clock, markets
        self._find, self._fetch = find, fetch_markets
        self._one = asyncio.Lock()

    def waiting(self) -> list[str]:
        """Ids of orders whose messages could not be placed."""
        return [each.order_id for each in self._books.strangers]

    async def settle(self) -> None:
        """Place what waits; what still has no market stays."""
        async with self._one:
            if not self._books.strangers:
                return
            waiting = list(self._books.strangers)
            unknown = {each.condition_id for each in waiting if self._markets(each.asset_id) is None}
            if unknown:
                await self._fetch(sorted(unknown))
            for order_id in dict.fromkeys(each.order_id for each in waiting):
                if self._books.find(order_id) is None:
                    found = await self._find(order_id)
                    if found is not None:
                        self._books.remember(found)
            for _ in waiting:  # only now: a read that failed before has lost nothing
                self._books.strangers.popleft()
            for each in sorted(waiting, key=lambda each: isinstance(each, Leg)):  # an order says more than its part
                self._place(each)

    def _place(self, each: Leg | OrderSnapshot) -> None:
        """Apply one message; an order that the ledger does not have either is imported first."""
        now_ms, market = self._clock.now_ms(), self._markets(each.asset_id)
        if market is None:
            self._books.strangers.append(each)
            return
        if self._books.find(each.order_id) is None:
            if isinstance(each, OrderSnapshot) and not each.active and not each.matched:
                return  # nobody's business: it is closed and has matched nothing
            self._books.adopt(_external(each, market, now_ms), now_ms)
            if isinstance(each, OrderSnapshot) and each.matched:  # perhaps before our time; what comes of it counts
                self._books.failed[each.order_id] = each.matched
        if isinstance(each, Leg):
            self._books.leg_said(each, now_ms, source="list")
        else:
            self._books.order_said(each, now_ms, source="list")


def _external(said: Leg | OrderSnapshot, market: Market, now_ms: int) -> Order:
    """Return an order as somebody else made it; of one that is only known by a leg, as much as the leg shows."""
    quantity = said.quantity
    order = Order(
        order_id=OrderId(said.order_id),
        signal_id="",
        strategy=EXTERNAL,
        condition_id=market.condition_id,
        asset_id=said.asset_id,
        side=said.side,
        price=said.price,
        quantity=Shares(quantity),
        time_in_force=TimeInForce.GTC,
        created_ms=now_ms,
        updated_ms=now_ms,
        reserved=worst_cost(said.side, said.price, quantity, market.fees, post_only=False),
        intent=f"external:{said.order_id}",
    )
    return order.move(OrderCause.ATTEMPT_COMMITTED, now_ms).move(OrderCause.SIGN_OF_LIFE, now_ms)
