"""Feeds around feeds: a replay at a chosen speed, timers beside a live feed, a snapshot taken once."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence

from polymarket_agent.domain.events import BookSnapshot, Event, GroupListed, MarketListed, Timer
from polymarket_agent.domain.market import Market, MarketGroup
from polymarket_agent.ports import Clock, EventFeed, MarketData

__all__ = ["PacedFeed", "SnapshotFeed", "TimerFeed"]

_WORTH_SLEEPING_S = 0.005


class PacedFeed:
    """Plays a recording at `speed` times real time; the events themselves are not changed."""

    replayed = True

    def __init__(self, feed: EventFeed, *, speed: float) -> None:
        self._feed = feed
        self._speed = speed
        self.name = feed.name
        self.streaming = feed.streaming

    async def events(self) -> AsyncIterator[Event]:
        """Yield the events, each not before its turn."""
        loop = asyncio.get_running_loop()
        began_s, first_ms = loop.time(), None
        async for event in self._feed.events():
            at_ms = event.received_ms or event.at_ms
            if first_ms is None:
                first_ms = at_ms
            due_s = began_s + (at_ms - first_ms) / 1_000 / self._speed
            ahead_s = due_s - loop.time()
            if ahead_s > _WORTH_SLEEPING_S:
                await asyncio.sleep(ahead_s)
            yield event

    async def aclose(self) -> None:
        """Close the recording."""
        await self._feed.aclose()


class TimerFeed:
    """Yields a `Timer` every `every_ms`, to be merged with a live feed, so that arrivals and expiries are on time.

    These timers carry no `received_ms`: they are no sign of life of the venue. A `reader` is closed with the feed.
    """

    name = "timer"
    streaming = False
    replayed = False

    def __init__(self, clock: Clock, *, every_ms: int = 200, reader: MarketData | None = None) -> None:
        self._clock = clock
        self._every_s = every_ms / 1_000
        self._reader = reader
        self._closed = asyncio.Event()

    async def events(self) -> AsyncIterator[Event]:
        """Yield timers until `aclose`."""
        while not self._closed.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._every_s):
                    await self._closed.wait()
            yield Timer(self._clock.now_ms())

    async def aclose(self) -> None:
        """End, and close the reader that fetches books for the feed beside it."""
        self._closed.set()
        if self._reader is not None:
            await self._reader.aclose()


class SnapshotFeed:
    """Each market's books once, as events; then a moment for orders to arrive, and the end."""

    streaming = False
    replayed = False

    def __init__(
        self,
        data: MarketData,
        markets: Sequence[Market],
        clock: Clock,
        *,
        groups: Sequence[MarketGroup] = (),
        settle_ms: int = 100,
        name: str = "snapshot",
    ) -> None:
        self.name = name
        self._data = data
        self._markets = markets
        self._groups = groups
        self._clock = clock
        self._settle_ms = settle_ms
        self.failures: list[str] = []

    async def events(self) -> AsyncIterator[Event]:
        """Yield groups, markets, their books, and a last timer. A book that cannot be read is noted and left out."""
        from polymarket_agent.errors import VenueError

        for group in self._groups:
            yield GroupListed(group, self._clock.now_ms())
        for market in self._markets:
            yield MarketListed(market, self._clock.now_ms())
        for market in self._markets:
            for asset_id in market.asset_ids:
                try:
                    book = await self._data.order_book(asset_id)
                except VenueError as error:
                    self.failures.append(f"{market.slug or asset_id}: {error}")
                    continue
                now_ms = self._clock.now_ms()
                yield BookSnapshot(asset_id, tuple(book.bids()), tuple(book.asks()), book.at_ms or now_ms, now_ms)
        await asyncio.sleep(self._settle_ms / 1_000)
        yield Timer(self._clock.now_ms())

    async def aclose(self) -> None:
        """Close the reader."""
        await self._data.aclose()
