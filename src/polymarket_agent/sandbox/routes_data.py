"""The Data API: what wallets hold and did. No authentication, pages by cursor."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from aiohttp import web

from polymarket_agent.domain.market import AssetId, Market
from polymarket_agent.domain.money import MICRO
from polymarket_agent.sandbox import wire_data
from polymarket_agent.sandbox.contracts import APPROVALS
from polymarket_agent.sandbox.keccak import address_bytes, checksum
from polymarket_agent.sandbox.model import Leg, Refused, TradeChanged
from polymarket_agent.sandbox.routes_common import RefusedError, cursor_at, offset_of, query_int, reply, venue_of
from polymarket_agent.sandbox.venue import Venue
from polymarket_agent.sandbox.wire_markets import number

__all__ = [
    "ROUTES",
    "activity",
    "approvals",
    "geoblock",
    "leaderboard",
    "positions",
    "prices_history",
    "resolutions",
    "status",
    "trades",
    "value",
]

ROUTES = web.RouteTableDef()

_BAD_USER = Refused(400, "invalid user address")
_MOST = 10_000
_DUST = 100_000  # positions below 0.1 share are hidden
_INTERVALS_S = {"1h": 3_600, "6h": 21_600, "1d": 86_400, "1w": 604_800, "1m": 2_592_000}


def _user(request: web.Request) -> str:
    try:
        return checksum(address_bytes(request.query.get("user", "")))
    except ValueError:
        raise RefusedError(_BAD_USER) from None


def _page(request: web.Request, rows: list[Any]) -> web.Response:
    limit = query_int(request, "limit", 100, low=1, high=_MOST)
    start = offset_of(request.query.get("cursor")) if "cursor" in request.query else query_int(request, "offset", 0)
    cursor = cursor_at(start + limit) if start + limit < len(rows) else None
    return reply(wire_data.page(rows[start : start + limit], limit=limit, offset=start, next_cursor=cursor))


def _conditions(request: web.Request) -> set[str]:
    values = request.query.getall("condition_id", [])
    return {each.lower() for value in values for each in value.split(",") if each}


def _markets(request: web.Request) -> Iterator[Market]:
    venue, wanted = venue_of(request), _conditions(request)
    for market in list(venue.exchange.markets.values()):
        if not wanted or market.condition_id in wanted:
            yield market


def _positions(request: web.Request, venue: Venue, wallet: str) -> list[dict[str, Any]]:
    held = venue.exchange.positions(wallet)
    rows = []
    for market in _markets(request):
        sizes = [held.get(each, 0) for each in market.asset_ids]
        known = [venue.records.holdings.get((wallet.lower(), each)) for each in market.asset_ids]
        if not any(sizes) and not any(known):
            continue
        listing = venue.listing(market)
        for index, asset_id in enumerate(market.asset_ids):
            if sizes[index] or known[index]:
                holding = venue.records.holdings[wallet.lower(), asset_id]
                both = sizes[index], sizes[1 - index]
                rows.append(wire_data.position(wallet, listing, index, both, holding))
    return rows


def _has_status(row: dict[str, Any], wanted: str) -> bool:
    match wanted:
        case "":
            return bool(row["status"] != "CLOSED")
        case "MERGEABLE":
            return bool(row["mergeable"])
        case "REDEEMABLE_LOST":
            return bool(row["redeemable"] and not row["current_price"])
        case "OPEN":
            return bool(row["status"] == "OPEN" and row["current_size"] * MICRO >= _DUST)
        case _:
            return bool(row["status"] == wanted)


@ROUTES.get("/data/v2/positions")
async def positions(request: web.Request) -> web.Response:
    """Return what a wallet holds."""
    venue = venue_of(request)
    venue.turn()
    rows = _positions(request, venue, _user(request))
    return _page(request, [row for row in rows if _has_status(row, request.query.get("status", "").upper())])


def _legs(trade: TradeChanged, wallet: str) -> Iterator[Leg]:
    yield from (leg for leg in (trade.taker, *trade.makers) if leg.wallet.lower() == wallet.lower())


def _trades(request: web.Request, venue: Venue) -> Iterator[tuple[TradeChanged, Leg]]:
    wanted = _conditions(request)
    start, end = query_int(request, "start", 0), query_int(request, "end", 1 << 52)
    if "user" in request.query:
        wallet = _user(request)
        found = [(trade, leg) for trade in venue.records.trades_by(wallet) for leg in _legs(trade, wallet)]
    else:
        found = [(trade, trade.taker) for trade in reversed(venue.records.trades.values())]
    for trade, leg in found:
        fits = not wanted or trade.condition_id in wanted
        if (
            fits
            and start <= trade.matched_ms // 1000 <= end
            and request.query.get("side", leg.side.value) == leg.side.value
        ):
            yield trade, leg


@ROUTES.get("/data/v2/trades")
async def trades(request: web.Request) -> web.Response:
    """Return trades, newest first: of a wallet, or all takers'."""
    venue = venue_of(request)
    venue.turn()
    rows = []
    for trade, leg in _trades(request, venue):
        market = venue.exchange.markets[trade.condition_id]
        rows.append(wire_data.trade_row(trade, leg, venue.listing(market)))
        if len(rows) >= _MOST:
            break
    return _page(request, rows)


@ROUTES.get("/data/v2/activity")
async def activity(request: web.Request) -> web.Response:
    """Return what a wallet did, newest first."""
    venue = venue_of(request)
    venue.turn()
    wallet, wanted = _user(request), _conditions(request)
    kinds = {each for value in request.query.getall("type", []) for each in value.upper().split(",") if each}
    rows = [
        wire_data.activity_trade(trade, leg, venue.listing(venue.exchange.markets[trade.condition_id]))
        for trade, leg in _trades(request, venue)
    ]
    for done in venue.records.activity.get(wallet.lower(), ()):
        if not wanted or done.condition_id in wanted:
            listing = venue.listing(venue.exchange.markets[done.condition_id])
            rows.append(wire_data.activity_event(wallet, done, listing))
    rows = [row for row in rows if not kinds or row["type"] in kinds]
    rows.sort(key=lambda row: row["timestamp"], reverse=request.query.get("sort_direction", "DESC").upper() != "ASC")
    return _page(request, rows)


def _value(request: web.Request, venue: Venue, wallet: str) -> float:
    total = 0
    for market in _markets(request):
        held = venue.exchange.positions(wallet)
        if any(held.get(each) for each in market.asset_ids):
            prices = venue.listing(market).prices
            total += sum(held.get(each, 0) * at // MICRO for each, at in zip(market.asset_ids, prices, strict=True))
    return number(total)


@ROUTES.get("/data/v2/value")
async def value(request: web.Request) -> web.Response:
    """Return what a wallet's positions are worth at the mid."""
    venue, wallet = venue_of(request), _user(request)
    venue.turn()
    return reply({"data": {"proxy_wallet": wallet, "value": _value(request, venue, wallet)}})


@ROUTES.get("/data/v2/resolutions")
async def resolutions(request: web.Request) -> web.Response:
    """Return where answers stand."""
    venue = venue_of(request)
    venue.turn()
    question, events = request.query.get("question_id"), set(request.query.getall("event_id", []))
    if not _conditions(request) and question is None and not events:
        raise RefusedError(Refused(400, "one of question_id, condition_id or event_id is required"))
    rows = []
    for market in _markets(request):
        listing = venue.listing(market)
        row = wire_data.resolution(listing, venue.records.oracle.get(market.condition_id))
        if question in (None, row["question_id"]) and (not events or str(listing.event_number) in events):
            rows.append(row)
    return reply({"data": rows})


@ROUTES.get("/data/v2/approvals")
async def approvals(request: web.Request) -> web.Response:
    """Return who may take what from a wallet."""
    venue, wallet = venue_of(request), _user(request)
    allowed = {
        (each.token, each.spender): venue.chain.allowance(wallet, each.token, each.spender) for each in APPROVALS
    }
    return reply({"data": wire_data.approvals(wallet, allowed)})


@ROUTES.get("/data/v2/prices-history")
async def prices_history(request: web.Request) -> web.Response:
    """Return prices of a token, newest last."""
    venue = venue_of(request)
    asset_id = AssetId(request.query.get("token_id", ""))
    if venue.market_by_asset(asset_id) is None:
        raise RefusedError(Refused(404, "token not found"))
    now_s = venue.now_ms() // 1000
    start = query_int(request, "start", now_s - _INTERVALS_S.get(request.query.get("interval", ""), now_s))
    end = query_int(request, "end", now_s)
    step = query_int(request, "bucket_seconds", 60, low=1)
    points = {at_s // step * step: price for at_s, price in venue.exchange.history(asset_id) if start <= at_s <= end}
    rows = [{"timestamp": at_s, "price": number(price), "resolution_seconds": step} for at_s, price in points.items()]
    return _page(request, rows)


@ROUTES.get("/data/v2/leaderboard")
async def leaderboard(request: web.Request) -> web.Response:
    """Return wallets by profit or by volume."""
    venue = venue_of(request)
    venue.turn()
    totals: dict[str, list[float]] = {}
    for (wallet, asset_id), holding in venue.records.holdings.items():
        market = venue.market_by_asset(asset_id)
        if market is None:
            continue
        best_bid, best_ask = venue.exchange.best(asset_id)
        price = market.payout_of(asset_id)
        mark = (best_bid + best_ask) // 2 if price is None else price
        total = totals.setdefault(wallet, [0.0, 0.0])
        total[0] += (holding.realized + holding.size * mark // MICRO - holding.cost) / MICRO
        total[1] += holding.bought / MICRO
    by = 1 if request.query.get("sort_by", "PNL").upper().startswith("VOL") else 0
    ranked = sorted(totals.items(), key=lambda row: row[1][by], reverse=True)
    rows: list[dict[str, Any]] = [
        {"rank": rank, "user_id": wallet, "pnl": pnl, "volume": volume, "user_name": "", "verified": False}
        for rank, (wallet, (pnl, volume)) in enumerate(ranked, start=1)
    ]
    wanted = request.query.get("user")
    return _page(request, rows if wanted is None else [row for row in rows if row["user_id"].lower() == wanted.lower()])


@ROUTES.get("/data/v2/status")
async def status(_: web.Request) -> web.Response:
    """Say that the service runs."""
    return reply({"data": {"status": "ok"}})


@ROUTES.get("/api/geoblock")
async def geoblock(request: web.Request) -> web.Response:
    """Say whether trading is blocked where the request comes from; the venue has this on its web site."""
    country = venue_of(request).blocked_country
    return reply({"blocked": bool(country), "ip": "127.0.0.1", "country": country, "region": ""})
