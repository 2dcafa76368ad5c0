"""`MarketData` over the venue's public HTTP endpoints: no wallet, no key, no SDK.

Listings are Gamma's keyset pages; they come from a cache that may be five minutes old. Books and price
histories are the order-book API's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any, TypeVar
from urllib.parse import quote

import structlog

from polymarket_agent.adapters.polymarket.answers import (
    Dropped,
    decoded,
    parse_book,
    parse_books,
    parse_price_history,
)
from polymarket_agent.adapters.polymarket.groups import ListedGroup, parse_group, parse_groups
from polymarket_agent.adapters.polymarket.listing import parse_market, parse_markets
from polymarket_agent.adapters.polymarket.reader import HttpReader, NotFoundError, ReadPolicy
from polymarket_agent.domain.book import OrderBook
from polymarket_agent.domain.events import BookSnapshot
from polymarket_agent.domain.market import AssetId, ConditionId, Market, MarketState
from polymarket_agent.domain.money import PRICE_GRID
from polymarket_agent.errors import VenueDataError
from polymarket_agent.ports import Interval, MarketQuery, PricePoint

__all__ = ["CLOB_URL", "GAMMA_URL", "PolymarketPublic"]

CLOB_URL = "https://clob.polymarket.com"
GAMMA_URL = "https://gamma-api.polymarket.com"

MAX_BOOKS_A_REQUEST = 500  # one more is refused as a whole
MAX_PAGE = 100  # Gamma clamps a larger limit without saying so
MAX_PAGES = 50  # a list that does not end is the venue's mistake, not a reason to read forever
MAX_IDS_A_REQUEST = 50  # condition ids in one query string, which stays under 4 kB

# Minutes between points: fine enough for indicators, coarse enough that an answer stays small.
_FIDELITY_MINUTES = {
    Interval.HOUR: 1,
    Interval.SIX_HOURS: 1,
    Interval.DAY: 5,
    Interval.WEEK: 30,
    Interval.MONTH: 120,
    Interval.MAX: 1_440,
}

T = TypeVar("T")
_log = structlog.get_logger(__name__)


class PolymarketPublic:
    """Public reads of Polymarket.

    `dropped` counts what was left out of answers, by reason.

    Args:
        clob_url: the order-book API.
        gamma_url: the listing API.
        policy: limits of every read.
    """

    def __init__(
        self, *, clob_url: str = CLOB_URL, gamma_url: str = GAMMA_URL, policy: ReadPolicy | None = None
    ) -> None:
        self._clob = HttpReader(clob_url, policy=policy)
        self._gamma = HttpReader(gamma_url, policy=policy)
        self.dropped: Counter[str] = Counter()

    async def markets(self, query: MarketQuery) -> list[Market]:
        """Return the markets of a query, most traded first.

        Markets asked for by slug or condition id come whatever their state; an unknown one is left out.
        `open_only` holds for searches and for the list of all.

        Raises:
            VenueError: the venue cannot be read.
        """
        found: dict[ConditionId, Market] = {}
        for slug in query.slugs:
            market = await self._named(f"/markets/slug/{quote(slug, safe='')}", parse_market)
            if market is not None:
                found[market.condition_id] = market
        found |= await self._by_condition(query.condition_ids)
        if not query.slugs and not query.condition_ids:
            listed = self._search(query) if query.text else self._all_markets(query)
            found |= {market.condition_id: market for market in await listed}
        ranked = sorted(found.values(), key=lambda market: -market.volume)
        return ranked[: max(query.limit, len(query.slugs) + len(query.condition_ids))]

    async def groups(self, query: MarketQuery) -> list[ListedGroup]:
        """Return groups with their markets: by slug of the group, by text, or the most traded of all.

        Raises:
            VenueError: the venue cannot be read.
        """
        if query.slugs:
            named = [await self._named(f"/events/slug/{quote(slug, safe='')}", parse_group) for slug in query.slugs]
            found = [group for group in named if group is not None]
        elif query.text:
            found = await self._search_groups(query)
        else:
            found = await self._pages("/events/keyset", query, parse_groups)
        for listed in found:
            self._note(listed.dropped, f"group {listed.group.slug}")
        return found

    async def order_book(self, asset_id: AssetId) -> OrderBook:
        """Return the book of an asset.

        Raises:
            VenueError: the venue cannot be read, or knows no book for the asset.
        """
        snapshot = parse_book(await self._clob.get("/book", {"token_id": asset_id}))
        if snapshot.asset_id != asset_id:
            raise VenueDataError(f"asked for the book of {asset_id}, got another", excerpt=snapshot.asset_id)
        book = OrderBook(asset_id, snapshot.tick_size or PRICE_GRID)
        book.replace(snapshot.bids, snapshot.asks, snapshot.at_ms)
        return book

    async def books(self, asset_ids: Sequence[AssetId]) -> list[BookSnapshot]:
        """Return the books of many assets, in no order and without those that the venue does not know.

        Raises:
            VenueError: the venue cannot be read.
        """
        found: list[BookSnapshot] = []
        for chunk in _chunks(asset_ids, MAX_BOOKS_A_REQUEST):
            books, dropped = parse_books(await self._clob.post("/books", [{"token_id": each} for each in chunk]))
            self._note(dropped, "books")
            asked_for = set(chunk)
            found += [book for book in books if book.asset_id in asked_for]
        return found

    async def price_history(self, asset_id: AssetId, interval: Interval) -> list[PricePoint]:
        """Return past prices, oldest first.

        Raises:
            VenueError: the venue cannot be read.
        """
        fidelity = str(_FIDELITY_MINUTES[interval])
        raw = await self._clob.get(
            "/prices-history", {"market": asset_id, "interval": interval.value, "fidelity": fidelity}
        )
        points, dropped = parse_price_history(raw)
        self._note(dropped, "price history")
        return points

    async def time(self) -> datetime:
        """Return the venue's clock, in whole seconds, UTC.

        Raises:
            VenueError: the venue cannot be read.
        """
        seconds = decoded(await self._clob.get("/time"))
        if not isinstance(seconds, int) or isinstance(seconds, bool) or not 0 < seconds < 10**10:
            raise VenueDataError(f"the venue's time is {str(seconds)[:40]}, not a count of seconds")
        return datetime.fromtimestamp(seconds, UTC)

    async def aclose(self) -> None:
        """Let go of connections. May be called more than once."""
        await self._clob.aclose()
        await self._gamma.aclose()

    async def _named(self, path: str, parse: Callable[[bytes], T]) -> T | None:
        try:
            return parse(await self._gamma.get(path))
        except NotFoundError:
            self.dropped["an unknown slug"] += 1
            _log.warning("slug_not_found", path=path)
            return None

    async def _by_condition(self, condition_ids: Sequence[str]) -> dict[ConditionId, Market]:
        found: dict[ConditionId, Market] = {}
        for chunk in _chunks(condition_ids, MAX_IDS_A_REQUEST):
            # Without `closed` the listing leaves closed markets out in places, so they are asked for by name.
            for extra in ((), (("closed", "true"),)):
                missing = [each for each in chunk if ConditionId(each) not in found]
                if missing:
                    ids = [("condition_ids", each) for each in missing]
                    raw = await self._gamma.get("/markets/keyset", [*ids, ("limit", str(MAX_PAGE)), *extra])
                    markets, dropped = parse_markets(raw)
                    self._note(dropped, "markets by condition id")
                    found |= {m.condition_id: m for m in markets if m.condition_id in chunk}
        return found

    async def _all_markets(self, query: MarketQuery) -> list[Market]:
        return await self._pages("/markets/keyset", query, parse_markets)

    async def _pages(self, path: str, query: MarketQuery, parse: Callable[[Any], tuple[list[T], Dropped]]) -> list[T]:
        """Read pages until there is enough, or no further cursor. A page's length says nothing: it is clamped."""
        found: list[T] = []
        cursor = ""
        for _ in range(MAX_PAGES):
            parameters = {"order": "volume24hr", "ascending": "false", "limit": str(min(query.limit, MAX_PAGE))}
            if query.open_only:
                parameters["closed"] = "false"
            if cursor:
                parameters["after_cursor"] = cursor
            page = decoded(await self._gamma.get(path, parameters))
            good, dropped = parse(page)
            self._note(dropped, path)
            found += good
            before, cursor = cursor, _next_cursor(page)
            if not cursor or cursor == before or len(found) >= query.limit:
                break
        return found[: query.limit]

    async def _search(self, query: MarketQuery) -> list[Market]:
        groups = await self._search_groups(query)
        found = [market for listed in groups for market in listed.markets]
        for listed in groups:
            self._note(listed.dropped, f"group {listed.group.slug}")
        return [market for market in found if market.state is MarketState.OPEN] if query.open_only else found

    async def _search_groups(self, query: MarketQuery) -> list[ListedGroup]:
        parameters = {"q": query.text, "limit_per_type": str(min(query.limit, MAX_PAGE))}
        groups, dropped = parse_groups(await self._gamma.get("/public-search", parameters), whole=False)
        self._note(dropped, "search")
        return groups

    def _note(self, dropped: Dropped, where: str) -> None:
        for index, reason in dropped:
            self.dropped[reason] += 1
            _log.warning("listing_dropped", where=where, index=index, reason=reason)


def _next_cursor(page: object) -> str:
    cursor = page.get("next_cursor") if isinstance(page, dict) else None
    return cursor if isinstance(cursor, str) else ""


def _chunks(items: Sequence[T], size: int) -> Iterator[tuple[T, ...]]:
    rest = iter(items)
    while chunk := tuple(islice(rest, size)):
        yield chunk
