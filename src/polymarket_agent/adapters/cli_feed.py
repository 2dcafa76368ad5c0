"""An event feed that polls books, for a source that cannot push them: the `polymarket` command."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress

from polymarket_agent.domain.events import BookSnapshot, Event, MarketListed
from polymarket_agent.domain.market import AssetId, Market
from polymarket_agent.errors import UsageError, VenueError
from polymarket_agent.ports import Clock, MarketData

__all__ = ["CliFeed"]

_SHOWN_CHARS = 200


class CliFeed:
    """An `EventFeed` that polls the books of some markets. A failed poll is counted in `errors`; the rest goes on.

    The time of a book is when it was asked for: the venue's own is that of its last change, which may be long ago
    in a quiet market, while the book is as fresh as the poll.

    Args:
        source: where the books come from.
        markets: whose books are polled.
        clock: tells the time.
        interval_s: seconds from the end of one round to the start of the next.
    """

    streaming = False
    replayed = False

    def __init__(self, source: MarketData, markets: Sequence[Market], *, clock: Clock, interval_s: float = 5) -> None:
        self.name = "polymarket command"
        self.errors: Counter[str] = Counter()
        self._source = source
        self._markets = tuple(markets)
        self._clock = clock
        self._interval_s = interval_s
        self._closed = asyncio.Event()

    async def events(self) -> AsyncIterator[Event]:
        """Yield the markets, then round after round their books, until `aclose`."""
        for market in self._markets:
            now_ms = self._clock.now_ms()
            yield MarketListed(market, now_ms, now_ms)
        assets = [asset_id for market in self._markets for asset_id in market.asset_ids]
        while not self._closed.is_set():
            # All at once: the source bounds how many calls run side by side.
            for snapshot in await asyncio.gather(*(self._poll(asset_id) for asset_id in assets)):
                if snapshot is not None:
                    yield snapshot
            with suppress(TimeoutError):
                async with asyncio.timeout(self._interval_s):
                    await self._closed.wait()

    async def aclose(self) -> None:
        """End the feed after its current round."""
        self._closed.set()

    async def _poll(self, asset_id: AssetId) -> BookSnapshot | None:
        at_ms = self._clock.now_ms()
        try:
            book = await self._source.order_book(asset_id)
        except (VenueError, UsageError) as error:
            self.errors[f"{type(error).__name__}: {error}"[:_SHOWN_CHARS]] += 1
            return None
        return BookSnapshot(asset_id, tuple(book.bids()), tuple(book.asks()), at_ms, self._clock.now_ms())
