"""Where a run's events come from: live market data, a recording, the built-in scenario."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from polymarket_agent.errors import UsageError

if TYPE_CHECKING:
    from polymarket_agent.config import Config
    from polymarket_agent.domain.market import ConditionId, Market, MarketGroup
    from polymarket_agent.ports import EventFeed, MarketData

__all__ = ["live_feed", "replay_feed", "watched"]


def replay_feed(feed: str, markets: Path | None, speed: float | None) -> EventFeed:
    """Return the built-in scenario (`demo`) or a recording, at a pace or as fast as it goes.

    Raises:
        RecordingError: the recording cannot be read.
    """
    from polymarket_agent.adapters.pacing import PacedFeed

    source: EventFeed
    if feed == "demo":
        from polymarket_agent.adapters.scenario import ScenarioFeed

        source = ScenarioFeed()
    else:
        from polymarket_agent.adapters.recordings import open_recording

        source = open_recording(Path(feed), markets=_listed(markets)).feed()
    return source if speed is None else PacedFeed(source, speed=speed)


def _listed(path: Path | None) -> list[Market]:
    if path is None:
        return []
    from polymarket_agent.adapters.polymarket.listing_file import read_markets

    return read_markets(path)


async def watched(settings: Config) -> tuple[MarketData, list[Market], list[MarketGroup]]:
    """Return the reader, the markets that the config wants watched, and their groups."""
    from polymarket_agent.cli.market_commands import market_data

    data = market_data(settings, None)
    try:
        found, groups = await _ask_for_markets(data, settings)
    except BaseException:
        await data.aclose()
        raise
    return data, found, groups


async def _ask_for_markets(data: MarketData, settings: Config) -> tuple[list[Market], list[MarketGroup]]:
    from polymarket_agent.adapters.polymarket.public import PolymarketPublic
    from polymarket_agent.ports import MarketQuery

    wanted = settings.feed
    found: dict[ConditionId, Market] = {}
    groups: list[MarketGroup] = []
    if wanted.groups:
        if not isinstance(data, PolymarketPublic):
            raise UsageError(
                "feed.groups needs feed.source: websocket", hint="name the markets with feed.slugs instead"
            )
        for listed in await data.groups(MarketQuery(slugs=wanted.groups)):
            groups.append(listed.group)
            found |= {market.condition_id: market for market in listed.markets if market.tradable}
    if wanted.slugs or wanted.search or not wanted.groups:
        query = MarketQuery(text=wanted.search, slugs=wanted.slugs, limit=wanted.limit)
        found |= {market.condition_id: market for market in await data.markets(query)}
    if not found:
        raise UsageError("no open market matches the config's feed section", hint="see: polymarket-agent markets list")
    return list(found.values()), groups


async def live_feed(settings: Config, *others: EventFeed) -> tuple[EventFeed, MarketData]:
    """Return the live market data of a config with a timer and other feeds beside it, and the reader behind it.

    Raises:
        UsageError: no open market matches the config.
        VenueError: the markets cannot be listed.
    """
    from polymarket_agent.adapters.merged import MergedFeed
    from polymarket_agent.adapters.pacing import TimerFeed
    from polymarket_agent.clock import SystemClock
    from polymarket_agent.config import FeedSource

    data, found, groups = await watched(settings)
    clock = SystemClock()
    source: EventFeed
    if settings.feed.source is FeedSource.CLI:
        from polymarket_agent.adapters.cli_feed import CliFeed

        source = CliFeed(data, found, clock=clock, interval_s=settings.feed.poll_s)
    else:
        from polymarket_agent.adapters.polymarket.feed import PolymarketFeed

        source = PolymarketFeed(found, clock=clock, data=data, groups=groups, url=settings.feed.market_ws_url)
    return MergedFeed(source, TimerFeed(clock, reader=data), *others), data
