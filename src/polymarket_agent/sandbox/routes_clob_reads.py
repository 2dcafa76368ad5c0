"""Public reads of the CLOB: books, prices, metadata, lists of markets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aiohttp import web

from polymarket_agent.domain.levels import Side
from polymarket_agent.domain.market import AssetId, Market
from polymarket_agent.domain.money import MICRO
from polymarket_agent.sandbox import wire_books, wire_markets
from polymarket_agent.sandbox.model import Refused
from polymarket_agent.sandbox.requests import token_requests
from polymarket_agent.sandbox.routes_common import (
    RefusedError,
    body_of,
    clob_page,
    query_int,
    raise_if_refused,
    reply,
    venue_of,
)
from polymarket_agent.sandbox.wire_books import BookView
from polymarket_agent.sandbox.wire_markets import Listing, number

__all__ = [
    "ROUTES",
    "book",
    "books",
    "builder_fees",
    "clob_market",
    "fee_rate",
    "last_trade_price",
    "last_trades_prices",
    "live_activity",
    "market",
    "market_by_token",
    "midpoint",
    "neg_risk",
    "ok",
    "price",
    "prices",
    "prices_history",
    "spread",
    "tick_size",
    "time",
    "version",
]

ROUTES = web.RouteTableDef()

_NO_BOOK = Refused(404, "No orderbook exists for the requested token id")
_NO_MARKET = Refused(404, "market not found")
_INTERVALS_S = {"1h": 3_600, "6h": 21_600, "1d": 86_400, "1w": 604_800, "1m": 2_592_000}


@ROUTES.get("/clob")
@ROUTES.get("/clob/")
@ROUTES.get("/clob/ok")
async def ok(_: web.Request) -> web.Response:
    """Say that the service runs."""
    return reply("OK")


@ROUTES.get("/clob/time")
async def time(request: web.Request) -> web.Response:
    """Tell the venue's second."""
    return reply(venue_of(request).told_s())


@ROUTES.get("/clob/version")
async def version(_: web.Request) -> web.Response:
    """Tell which order version is in force."""
    return reply({"version": 2})


def _market(request: web.Request) -> Market:
    market = venue_of(request).market_by_asset(request.query.get("token_id", ""))
    if market is None:
        raise RefusedError(_NO_MARKET)
    return market


def _view(request: web.Request) -> BookView:
    view = venue_of(request).view(request.query.get("token_id", ""))
    if view is None:
        raise RefusedError(_NO_BOOK)
    return view


def _side(text: str) -> Side:
    try:
        return Side(text.upper())
    except ValueError:
        raise RefusedError(Refused(400, "Invalid side")) from None


@ROUTES.get("/clob/book")
async def book(request: web.Request) -> web.Response:
    """One book."""
    return reply(wire_books.book(_view(request)))


@ROUTES.get("/clob/price")
async def price(request: web.Request) -> web.Response:
    """Best of one side of the book: BUY is the best bid."""
    side = _side(request.query.get("side", ""))
    return reply({"price": wire_books.price(_view(request), side)})


@ROUTES.get("/clob/midpoint")
async def midpoint(request: web.Request) -> web.Response:
    """Mean of the bests."""
    return reply({"mid": wire_books.midpoint(_view(request))})


@ROUTES.get("/clob/spread")
async def spread(request: web.Request) -> web.Response:
    """Difference of the bests."""
    return reply({"spread": wire_books.spread(_view(request))})


@ROUTES.get("/clob/last-trade-price")
async def last_trade_price(request: web.Request) -> web.Response:
    """Price and taker's side of the last trade."""
    view = _view(request)
    side = venue_of(request).side_of_last_trade(view.market.condition_id)
    return reply(wire_books.last_price(view.last_trade_price, side))


async def _batch(request: web.Request) -> list[tuple[BookView, str]]:
    """Return the books asked for; unknown ones are left out without a word, as the venue does."""
    venue = venue_of(request)
    asked = raise_if_refused(token_requests(await body_of(request)))
    found = ((venue.view(token), side) for token, side in dict.fromkeys(asked))
    return [(view, side) for view, side in found if view is not None]


def _batch_of(write: Callable[[BookView], Any]) -> Callable[[web.Request], Any]:
    async def handler(request: web.Request) -> web.Response:
        return reply({view.asset_id: write(view) for view, _ in await _batch(request)})

    return handler


ROUTES.post("/clob/midpoints")(_batch_of(wire_books.midpoint))
ROUTES.post("/clob/spreads")(_batch_of(wire_books.spread))


@ROUTES.post("/clob/books")
async def books(request: web.Request) -> web.Response:
    """Return several books."""
    return reply([wire_books.book(view) for view, _ in await _batch(request)])


@ROUTES.post("/clob/prices")
async def prices(request: web.Request) -> web.Response:
    """Best prices of several tokens by side."""
    out: dict[str, dict[str, str]] = {}
    for view, text in await _batch(request):
        for side in (_side(text),) if text else (Side.BUY, Side.SELL):
            out.setdefault(view.asset_id, {})[side.value] = wire_books.price(view, side)
    return reply(out)


@ROUTES.post("/clob/last-trades-prices")
async def last_trades_prices(request: web.Request) -> web.Response:
    """Last trades of several tokens."""
    venue = venue_of(request)
    rows = []
    for view, _ in await _batch(request):
        side = venue.side_of_last_trade(view.market.condition_id)
        rows.append({**wire_books.last_price(view.last_trade_price, side), "token_id": view.asset_id})
    return reply(rows)


@ROUTES.get("/clob/tick-size")
async def tick_size(request: web.Request) -> web.Response:
    """Price grid, as a number."""
    return reply({"minimum_tick_size": number(_market(request).tick_size)})


@ROUTES.get("/clob/neg-risk")
async def neg_risk(request: web.Request) -> web.Response:
    """Whether the market is one of a neg-risk group."""
    return reply({"neg_risk": _market(request).neg_risk})


@ROUTES.get("/clob/fee-rate")
async def fee_rate(request: web.Request) -> web.Response:
    """Return the legacy base fee, which is no fee to reckon with."""
    return reply({"base_fee": 1000 if _market(request).fees.rate else 0})


@ROUTES.get("/clob/clob-markets/{condition}")
async def clob_market(request: web.Request) -> web.Response:
    """One market with short keys."""
    return reply(wire_markets.clob_compact(_listing(request, request.match_info["condition"])))


@ROUTES.get("/clob/markets-by-token/{token}")
async def market_by_token(request: web.Request) -> web.Response:
    """Which market a token belongs to."""
    market = venue_of(request).market_by_asset(request.match_info["token"])
    if market is None:
        raise RefusedError(_NO_MARKET)
    first, second = market.asset_ids
    return reply({"condition_id": market.condition_id, "primary_token_id": first, "secondary_token_id": second})


def _listing(request: web.Request, condition_id: str) -> Listing:
    venue = venue_of(request)
    market = venue.market(condition_id)
    if market is None:
        raise RefusedError(_NO_MARKET)
    return venue.listing(market)


@ROUTES.get("/clob/markets/{condition}")
async def market(request: web.Request) -> web.Response:
    """One market."""
    return reply(wire_markets.clob_market(_listing(request, request.match_info["condition"])))


def _list_of(write: Callable[[Listing], Any], *, sampling: bool) -> Callable[[web.Request], Any]:
    async def handler(request: web.Request) -> web.Response:
        chosen = [each for each in venue_of(request).listings() if not sampling or each.market.tradable]
        part, around = clob_page(request, chosen)
        return reply({"data": [write(each) for each in part], **around})

    return handler


ROUTES.get("/clob/markets")(_list_of(wire_markets.clob_market, sampling=False))
ROUTES.get("/clob/simplified-markets")(_list_of(wire_markets.clob_simplified, sampling=False))
ROUTES.get("/clob/sampling-markets")(_list_of(wire_markets.clob_market, sampling=True))
ROUTES.get("/clob/sampling-simplified-markets")(_list_of(wire_markets.clob_simplified, sampling=True))


@ROUTES.get("/clob/prices-history")
async def prices_history(request: web.Request) -> web.Response:
    """Prices of a token over time; `fidelity` is minutes between points."""
    venue = venue_of(request)
    asset_id = request.query.get("market", "")
    if venue.market_by_asset(asset_id) is None:
        raise RefusedError(_NO_MARKET)
    now_s = venue.now_ms() // 1000
    span = _INTERVALS_S.get(request.query.get("interval", ""), now_s)
    start = query_int(request, "startTs", now_s - span)
    end = query_int(request, "endTs", now_s)
    step = max(1, query_int(request, "fidelity", 1, low=1)) * 60
    points: dict[int, float] = {}
    for at_s, at_price in venue.exchange.history(AssetId(asset_id)):
        if start <= at_s <= end:
            points[at_s // step] = at_price / MICRO
    return reply({"history": [{"t": bucket * step, "p": value} for bucket, value in points.items()]})


@ROUTES.get("/clob/fees/builder-fees/{code}")
async def builder_fees(_: web.Request) -> web.Response:
    """No builder takes a fee here."""
    return reply({"builder_maker_fee_rate_bps": 0, "builder_taker_fee_rate_bps": 0})


@ROUTES.get("/clob/markets/live-activity/{condition}")
async def live_activity(request: web.Request) -> web.Response:
    """Nothing is kept of live activity; the market must exist."""
    _listing(request, request.match_info["condition"])
    return reply([])
