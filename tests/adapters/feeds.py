"""A feed on loopback, quick enough for tests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Any

from polymarket_agent.adapters.polymarket.connection import FeedPolicy
from polymarket_agent.adapters.polymarket.feed import PolymarketFeed
from polymarket_agent.clock import ManualClock
from polymarket_agent.domain.events import BookSnapshot
from polymarket_agent.domain.market import AssetId, Market, MarketGroup
from polymarket_agent.domain.money import Price, Shares
from tests.adapters.venue import BookShelf, ChannelVenue, Reader, market, serve
from tests.protocol.frames import AT_MS, book

QUICK = FeedPolicy(
    ping_s=0.02,
    dead_after_s=2.0,
    check_s=0.01,
    snapshot_wait_s=0.05,
    silence_s=60.0,
    grace_s=0.02,
    backoff_min_s=0.01,
    backoff_max_s=0.05,
    close_s=0.1,
)
ONE = market(1)
YES, NO = ONE.asset_ids


def opening(asset_ids: Sequence[str]) -> Any:
    return [book(asset_id) for asset_id in asset_ids]


def snapshot(asset_id: AssetId, size: int = 7, at_ms: int = AT_MS + 1_000) -> BookSnapshot:
    return BookSnapshot(asset_id, ((Price(300_000), Shares(size)),), (), at_ms)


@asynccontextmanager
async def listening(
    venue: ChannelVenue,
    *markets: Market,
    policy: FeedPolicy = QUICK,
    shelf: BookShelf | None = None,
    groups: Sequence[MarketGroup] = (),
) -> AsyncIterator[tuple[Reader, PolymarketFeed]]:
    async with serve(venue.handle) as address:
        feed = PolymarketFeed(
            markets or (ONE,),
            clock=ManualClock(AT_MS),
            data=shelf or BookShelf(),
            groups=groups,
            url=f"ws://{address}/ws/market",
            policy=policy,
        )
        async with aclosing(feed.events()) as events:  # type: ignore[type-var]
            yield Reader(events), feed


async def opened(reader: Reader) -> None:
    """Read past the listings and both opening books."""
    await reader.next(BookSnapshot)
    await reader.next(BookSnapshot)
