"""`EventFeed` over the venue's market websocket: listed markets first, then everything that happens in them.

There are no sequence numbers and nothing is replayed after a reconnect, so the feed proves what it can: a line
is alive while frames or answers to PING come, a book is known from a snapshot on, an asset that goes silent is
compared with the venue's book. Whatever cannot be proven is a `Gap`, and a fresh snapshot follows it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from random import Random, SystemRandom

import aiohttp
import structlog

from polymarket_agent.adapters.polymarket.connection import BookSource, Connection, FeedPolicy
from polymarket_agent.adapters.polymarket.outbox import Outbox
from polymarket_agent.adapters.polymarket.parse import MarketChannelParser
from polymarket_agent.adapters.polymarket.upkeep import BookKeeper
from polymarket_agent.domain.events import BookSnapshot, Event, GroupListed, MarketListed
from polymarket_agent.domain.market import AssetId, Market, MarketGroup
from polymarket_agent.errors import VenueError
from polymarket_agent.ports import Clock, MarketData
from polymarket_agent.version import __version__

__all__ = ["MARKET_WS_URL", "PolymarketFeed"]

_log = structlog.get_logger(__name__)

MARKET_WS_URL = "wss://ws-subscriptions-clob.polymarket.com/ws/market"


class PolymarketFeed:
    """The live stream of some markets.

    `parser` has the counts: messages by type, what was dropped and why, malformed frames.

    Args:
        markets: what to listen to.
        groups: groups to announce; their members are listened to only when they are in `markets`.
        clock: stamps events with our time.
        data: fetches books that the stream owes, many at once if it can.
        url: the market channel.
        policy: keep-alive, liveness, back-off, and bounds.
        jitter: spreads reconnects.
    """

    name = "polymarket"
    streaming = True
    replayed = False

    def __init__(
        self,
        markets: Sequence[Market],
        *,
        clock: Clock,
        data: BookSource | MarketData,
        groups: Sequence[MarketGroup] = (),
        url: str = MARKET_WS_URL,
        policy: FeedPolicy | None = None,
        jitter: Random | None = None,
    ) -> None:
        self._markets = {market.condition_id: market for market in markets}
        self._groups = tuple(groups)
        self._clock = clock
        self._source = data if isinstance(data, BookSource) else _OneByOne(data)
        self._url = url
        self._policy = policy or FeedPolicy()
        self._jitter = jitter or SystemRandom()
        self._outbox = Outbox(self._policy.max_waiting)
        self._owner: asyncio.Task[None] | None = None
        self._closed = False
        self.parser = MarketChannelParser(
            {
                asset_id: (market.condition_id, index)
                for market in self._markets.values()
                for index, asset_id in enumerate(market.asset_ids)
            }
        )

    async def events(self) -> AsyncIterator[Event]:
        """Yield the listings, then the stream, until `aclose`. To be iterated once."""
        if self._owner is not None:
            raise RuntimeError("a feed is read once; make another one")
        for event in self._listings():
            yield event
        if self._closed:
            return
        # One task owns the group of connections. A group around the yields would cancel whoever reads them.
        self._owner = asyncio.get_running_loop().create_task(self._hold_connections(), name="polymarket-feed")
        self._owner.add_done_callback(lambda _: self._outbox.close())
        try:
            while (waiting := await self._outbox.next()) is not None:
                yield waiting
        finally:
            await self.aclose()
        if not self._owner.cancelled():
            self._owner.result()  # a connection that failed on a mistake of ours says so here

    async def aclose(self) -> None:
        """Close all connections; events that wait are still handed out. May be called more than once."""
        self._closed = True
        if self._owner is not None:
            self._owner.cancel()
            await asyncio.wait([self._owner])
        self._outbox.close()

    def _listings(self) -> Iterator[Event]:
        now_ms = self._clock.now_ms()
        for market in self._markets.values():
            yield MarketListed(market, now_ms, now_ms)
        for group in self._groups:
            yield GroupListed(group, now_ms, now_ms)

    async def _hold_connections(self) -> None:
        listed = list(self._markets.values())
        size = max(1, self._policy.max_assets // 2)  # both outcomes of a market share a line: they come in one message
        chunks = [listed[start : start + size] for start in range(0, len(listed), size)]
        # Proxy variables are not heeded: they hold for loopback too.
        headers = {"User-Agent": f"polymarket-agent/{__version__}"}
        async with aiohttp.ClientSession(trust_env=False, headers=headers) as session, asyncio.TaskGroup() as tasks:
            for chunk in chunks:
                connection = Connection(
                    self._url,
                    keeper=BookKeeper(chunk),
                    parser=self.parser,
                    outbox=self._outbox,
                    source=self._source,
                    clock=self._clock,
                    policy=self._policy,
                    jitter=self._jitter,
                )
                tasks.create_task(connection.run(session))


class _OneByOne:
    """Books of a source that hands out only one at a time; one that cannot be read is left out."""

    def __init__(self, data: MarketData) -> None:
        self._data = data

    async def books(self, asset_ids: Sequence[AssetId]) -> list[BookSnapshot]:
        found = []
        for asset_id in asset_ids:
            try:
                book = await self._data.order_book(asset_id)
            except VenueError as error:
                _log.warning("book_not_fetched", asset_id=asset_id, error=str(error))
                continue
            found.append(BookSnapshot(asset_id, tuple(book.bids()), tuple(book.asks()), book.at_ms))
        return found
