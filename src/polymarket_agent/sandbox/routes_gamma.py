"""Discovery: Gamma's lists, pages by cursor, search."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from aiohttp import web

from polymarket_agent.sandbox.model import Refused
from polymarket_agent.sandbox.routes_common import RefusedError, cursor_at, offset_of, query_int, reply, venue_of
from polymarket_agent.sandbox.wire_markets import Listing, gamma_event, gamma_market

__all__ = [
    "ROUTES",
    "event",
    "event_by_slug",
    "event_tags",
    "events",
    "events_keyset",
    "market",
    "market_by_slug",
    "market_tags",
    "markets",
    "markets_keyset",
    "nothing",
    "search",
    "status",
    "tags",
]

T = TypeVar("T")

ROUTES = web.RouteTableDef()

_NOT_FOUND = Refused(404, "not found")
_PAGE, _MOST = 20, 100

_ORDERS: dict[str, Callable[[Listing], Any]] = {
    "volume": lambda each: each.volume,
    "volumeNum": lambda each: each.volume,
    "volume24hr": lambda each: each.volume,
    "endDate": lambda each: each.market.end_at_ms or 0,
    "startDate": lambda each: each.listed_ms,
    "createdAt": lambda each: each.listed_ms,
    "id": lambda each: each.number,
}


def _flag(request: web.Request, name: str) -> bool | None:
    return {"true": True, "false": False}.get(request.query.get(name, "").lower())


def _all(request: web.Request, *names: str) -> set[str]:
    """Return every value of a parameter that may be repeated or hold commas."""
    values = [value for name in names for value in request.query.getall(name, [])]
    return {part for value in values for part in value.lower().split(",") if part}


def _chosen(request: web.Request) -> list[Listing]:
    """Return the listings that a query asks for, in the order that it names."""
    venue = venue_of(request)
    venue.turn()
    rows = list(venue.listings())
    wanted: list[tuple[set[str], Callable[[Listing], set[str]]]] = [
        (_all(request, "condition_ids", "condition_id"), lambda each: {each.market.condition_id}),
        (_all(request, "clob_token_ids"), lambda each: set(each.market.asset_ids)),
        (_all(request, "position_ids"), lambda each: set(each.market.asset_ids)),
        (_all(request, "id", "ids"), lambda each: {str(each.number)}),
        (_all(request, "slug"), lambda each: {gamma_market(each)["slug"]}),
        (_all(request, "tag_slug"), lambda each: {tag.lower() for tag in each.tags}),
    ]
    for values, of in wanted:
        if values:
            rows = [each for each in rows if of(each) & values]
    closed = _flag(request, "closed")
    if closed is not None:
        rows = [each for each in rows if each.closed is closed]
    active = _flag(request, "active")
    if active is False:
        rows = []
    return _ordered(request, rows)


def _ordered(request: web.Request, rows: list[Listing]) -> list[Listing]:
    names = [name for name in request.query.get("order", "").split(",") if name in _ORDERS]
    if names:
        rows.sort(
            key=lambda each: tuple(_ORDERS[name](each) for name in names), reverse=not _flag(request, "ascending")
        )
    return rows


def _part(request: web.Request, rows: Sequence[T]) -> tuple[list[T], str | None]:
    """Return a page and the cursor of the next; the limit is clamped, not refused."""
    if "offset" in request.query:
        raise RefusedError(Refused(422, "offset is not supported on keyset endpoints, use after_cursor"))
    limit = query_int(request, "limit", _PAGE, low=1, high=_MOST)
    start = offset_of(request.query.get("after_cursor"))
    more = start + limit < len(rows)
    return list(rows[start : start + limit]), cursor_at(start + limit) if more else None


def _offset_part(request: web.Request, rows: Sequence[T]) -> list[T]:
    limit = query_int(request, "limit", _PAGE, low=0, high=500)
    start = query_int(request, "offset", 0, high=2000)
    return list(rows[start : start + limit])


def _page(name: str, rows: list[Any], cursor: str | None) -> web.Response:
    body: dict[str, Any] = {name: rows}
    if cursor is not None:
        body["next_cursor"] = cursor
    return reply(body)


def _events(request: web.Request) -> list[list[Listing]]:
    groups: dict[int, list[Listing]] = {}
    for listing in _chosen_for_events(request):
        groups.setdefault(listing.event_number, []).append(listing)
    closed = _flag(request, "closed")
    out = list(groups.values())
    return out if closed is None else [each for each in out if all(row.closed for row in each) is closed]


def _chosen_for_events(request: web.Request) -> list[Listing]:
    venue = venue_of(request)
    venue.turn()
    rows, tags = list(venue.listings()), _all(request, "tag_slug")
    if tags:
        rows = [each for each in rows if {tag.lower() for tag in each.tags} & tags]
    numbers, slugs = _all(request, "id", "ids"), _all(request, "slug")
    rows = [
        each
        for each in rows
        if (not numbers or str(each.event_number) in numbers) and (not slugs or each.event_slug.lower() in slugs)
    ]
    return _ordered(request, rows)


def _event(request: web.Request, listings: list[Listing]) -> dict[str, Any]:
    group = venue_of(request).group_of(listings[0].market.condition_id)
    with_markets = _flag(request, "include_markets") is not False
    return gamma_event(listings, complete=group is None or group.complete, with_markets=with_markets)


@ROUTES.get("/gamma/markets/keyset")
async def markets_keyset(request: web.Request) -> web.Response:
    """A page of markets by cursor."""
    part, cursor = _part(request, _chosen(request))
    return _page("markets", [gamma_market(each) for each in part], cursor)


@ROUTES.get("/gamma/markets")
async def markets(request: web.Request) -> web.Response:
    """A page of markets by offset: the old way, which still answers."""
    return reply([gamma_market(each) for each in _offset_part(request, _chosen(request))])


@ROUTES.get("/gamma/events/keyset")
async def events_keyset(request: web.Request) -> web.Response:
    """A page of events by cursor."""
    part, cursor = _part(request, _events(request))
    return _page("events", [_event(request, each) for each in part], cursor)


@ROUTES.get("/gamma/events")
async def events(request: web.Request) -> web.Response:
    """A page of events by offset."""
    return reply([_event(request, each) for each in _offset_part(request, _events(request))])


@ROUTES.get("/gamma/markets/{id}")
async def market(request: web.Request) -> web.Response:
    """One market by its number."""
    venue = venue_of(request)
    venue.turn()
    found = venue.market_by_number(request.match_info["id"])
    if found is None:
        raise RefusedError(_NOT_FOUND)
    return reply(gamma_market(venue.listing(found)))


def _one(request: web.Request, fits: Callable[[Listing], bool]) -> Listing:
    venue = venue_of(request)
    venue.turn()
    found = next((each for each in venue.listings() if fits(each)), None)
    if found is None:
        raise RefusedError(_NOT_FOUND)
    return found


@ROUTES.get("/gamma/markets/slug/{slug}")
async def market_by_slug(request: web.Request) -> web.Response:
    """One market by its slug."""
    slug = request.match_info["slug"]
    return reply(gamma_market(_one(request, lambda each: gamma_market(each)["slug"] == slug)))


@ROUTES.get("/gamma/markets/{id}/tags")
async def market_tags(request: web.Request) -> web.Response:
    """Return the tags of a market."""
    number = request.match_info["id"]
    return reply(gamma_market(_one(request, lambda each: str(each.number) == number))["tags"])


def _one_event(request: web.Request, fits: Callable[[Listing], bool]) -> dict[str, Any]:
    first = _one(request, fits)
    return _event(request, venue_of(request).events()[first.event_number])


@ROUTES.get("/gamma/events/{id}")
async def event(request: web.Request) -> web.Response:
    """One event by its number."""
    number = request.match_info["id"]
    return reply(_one_event(request, lambda each: str(each.event_number) == number))


@ROUTES.get("/gamma/events/slug/{slug}")
async def event_by_slug(request: web.Request) -> web.Response:
    """One event by its slug."""
    slug = request.match_info["slug"]
    return reply(_one_event(request, lambda each: each.event_slug == slug))


@ROUTES.get("/gamma/events/{id}/tags")
async def event_tags(request: web.Request) -> web.Response:
    """Return the tags of an event."""
    number = request.match_info["id"]
    return reply(_one_event(request, lambda each: str(each.event_number) == number)["tags"])


@ROUTES.get("/gamma/tags")
async def tags(request: web.Request) -> web.Response:
    """Return every tag in use."""
    found: dict[str, Any] = {}
    for each in venue_of(request).listings():
        found.update({tag["slug"]: tag for tag in gamma_market(each)["tags"]})
    return reply(_offset_part(request, [found[slug] for slug in sorted(found)]))


@ROUTES.get("/gamma/public-search")
async def search(request: web.Request) -> web.Response:
    """Return events in whose texts every word of the question stands.

    The venue's list of profiles may hold a null, which the official client 0.14.0 refuses; ours is empty.
    """
    venue = venue_of(request)
    venue.turn()
    words = request.query.get("q", "").lower().split()
    hits = [
        listings
        for listings in venue.events().values()
        if all(any(word in f"{each.event_title} {each.market.question}".lower() for each in listings) for word in words)
    ]
    size = query_int(request, "limit_per_type", _PAGE, low=1, high=50)
    page = query_int(request, "page", 1, low=1)
    part = hits[(page - 1) * size : page * size]
    return reply(
        {
            "events": [_event(request, each) for each in part],
            "tags": [],
            "profiles": [],
            "pagination": {"hasMore": page * size < len(hits), "totalResults": len(hits)},
        }
    )


@ROUTES.get("/gamma/status")
async def status(_: web.Request) -> web.Response:
    """Say that the service runs."""
    return reply("OK")


@ROUTES.get("/gamma/sports")
@ROUTES.get("/gamma/series")
@ROUTES.get("/gamma/teams")
@ROUTES.get("/gamma/comments")
async def nothing(_: web.Request) -> web.Response:
    """Return an empty list: there are none in the sandbox."""
    return reply([])
