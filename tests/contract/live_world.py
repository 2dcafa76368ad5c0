"""The live executor as the contract wants it: what others do happens at the venue, and orders go through the executor."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from polymarket_agent.domain.events import (
    BookDelta,
    BookSnapshot,
    Event,
    MarketClosed,
    MarketResolved,
    TradePrint,
)
from polymarket_agent.domain.levels import Side
from polymarket_agent.domain.market import AssetId
from polymarket_agent.domain.order import Fill, Order, OrderState
from polymarket_agent.domain.signal import Signal
from polymarket_agent.execution.live_types import LivePolicy
from polymarket_agent.sandbox.policy import Policy
from tests.contract.live_agent import FAST, LiveAgent
from tests.contract.live_venue import MAKER, QUICK, live_venue
from tests.trading_world import YES

__all__ = ["LiveDesk", "live_desk"]

GTD_LIVES_MS = 1_500


class LiveDesk(LiveAgent):
    """Does what the cards ask for, and returns when what came of it is known and settled."""

    def asset(self, asset_id: AssetId) -> AssetId:
        """Return what this venue calls YES or NO of the cards."""
        return self.market.asset_ids[0 if asset_id == YES else 1]

    def ends_ms(self) -> int:
        """Return the next whole second at which an order may end."""
        return (self.venue.clock.now_ms() + GTD_LIVES_MS) // 1_000 * 1_000

    def before(self, ends_ms: int) -> int:
        """Return a time before an end at which something can still happen: now."""
        assert self.venue.clock.now_ms() < ends_ms, "the test was too slow"
        return self.venue.clock.now_ms()

    def is_refused(self, order: Order) -> bool:
        """Whether an order was refused and is known to be dead: by us before sending, or by the venue and proven."""
        return order.state in (OrderState.ABANDONED, OrderState.REJECTED) and not order.matched

    async def happens(self, *events: Event) -> list[Fill]:
        """Let events happen at the venue; return the fills that they led to."""
        before = len(self.fills)
        for event in events:
            await self._happens(event)
        await self.until(self.in_step)
        return self.fills[before:]

    async def _happens(self, event: Event) -> None:
        venue, now_ms = self.venue, self.venue.clock.now_ms
        match event:
            case BookSnapshot():
                if event.asset_id == YES:
                    venue.show(event.bids, event.asks)
            case BookDelta():
                for asset_id, is_bid, at, size in event.changes:
                    if asset_id == YES and size:
                        venue.place(MAKER, Side.BUY if is_bid else Side.SELL, at, size)
            case TradePrint():
                # A trade at the end of something comes after it.
                await self.until(lambda: now_ms() >= event.at_ms or event.at_ms - now_ms() > 10_000)
                venue.trade_through(event, self.asset(event.asset_id))
            case MarketClosed():
                venue.sandbox.exchange.close_market(self.market.condition_id, now_ms())
            case MarketResolved():
                venue.sandbox.exchange.resolve(self.market.condition_id, event.payouts, now_ms())
                self.board.apply(MarketResolved(self.market.condition_id, event.payouts, now_ms(), now_ms()))
            case _:
                raise AssertionError(f"nobody can make {event} happen")
        venue.sandbox.venue.turn()

    async def settle(self) -> None:
        """Redeem what has resolved, as the wallet's holder does; wait until the ledger has heard of it."""
        refused = self.venue.sandbox.exchange.redeem(self.venue.account.wallet, self.market.condition_id)
        assert refused is None, refused
        await self.until(self.equal)

    async def place(self, signal: Signal) -> Order:
        """Place an order, and wait until what it came to is proven and settled."""
        order = await self.send(signal)
        if order.state is OrderState.ABANDONED:
            return order
        await self.until(self.in_step)
        return self.order(order)

    async def send(self, signal: Signal) -> Order:
        """Place an order and wait for nothing."""
        now_ms = self.venue.clock.now_ms()
        for asset_id in self.market.asset_ids:  # the market channel has its own tests; the books are true here
            book = self.venue.sandbox.exchange.book(asset_id)
            bids, asks = ([(each.price, each.size) for each in side] for side in (book.bids(), book.asks()))
            self.board.apply(BookSnapshot(asset_id, tuple(bids), tuple(asks), now_ms, now_ms))
        return await self.trader.place_order(replace(signal, asset_id=self.asset(signal.asset_id)))

    async def cancel(self, order: Order) -> bool:
        """Cancel an order, and wait until what that came to is proven."""
        asked = await self.trader.cancel_order(order.order_id)
        if asked:
            await self.until(lambda: order.order_id not in self.account.orders and self.in_step())
        return asked


@asynccontextmanager
async def live_desk(
    client: str, *, policy: LivePolicy = FAST, policy_of_venue: Policy = QUICK, **venue: Any
) -> AsyncIterator[LiveDesk]:
    """Run a venue and a desk at it that may trade."""
    async with live_venue(policy=policy_of_venue, **venue) as place:
        desk = LiveDesk(place, client, policy=policy)
        try:
            await desk.start()
            yield desk
        finally:
            await desk.stop()
