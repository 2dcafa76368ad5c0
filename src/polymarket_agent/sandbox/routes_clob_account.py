"""Own orders and trades, balances and notifications of the CLOB."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from polymarket_agent.domain.market import AssetId
from polymarket_agent.domain.money import decimal_text
from polymarket_agent.sandbox import wire
from polymarket_agent.sandbox.auth import Credentials
from polymarket_agent.sandbox.model import OpenOrder, Refused, TradeChanged
from polymarket_agent.sandbox.requests import json_body
from polymarket_agent.sandbox.routes_common import (
    RefusedError,
    caller,
    clob_page,
    query_int,
    reply,
    venue_of,
)
from polymarket_agent.sandbox.venue import Venue
from polymarket_agent.sandbox.wallets import wallets_of

__all__ = [
    "ROUTES",
    "balance_allowance",
    "drop_notifications",
    "notifications",
    "old_orders",
    "one_order",
    "open_orders",
    "order_scoring",
    "orders_scoring",
    "session_signers",
    "tier",
    "trades",
    "update_balance",
]

ROUTES = web.RouteTableDef()

_NO_ORDER = Refused(404, "order not found")


def _fits(request: web.Request, order: OpenOrder) -> bool:
    query = request.query
    return (
        query.get("id", order.order_id) in ("", order.order_id)
        and query.get("market", order.condition_id) in ("", order.condition_id)
        and query.get("asset_id", order.asset_id) in ("", order.asset_id)
    )


@ROUTES.get("/clob/data/orders")
async def open_orders(request: web.Request) -> web.Response:
    """Open orders of the caller's key."""
    venue = venue_of(request)
    venue.turn()
    credentials, _ = await caller(request)
    rows = [order for order in venue.exchange.open_orders(credentials.api_key) if _fits(request, order)]
    part, around = clob_page(request, rows)
    return reply({"data": [wire.open_order(order) for order in part], **around})


@ROUTES.get("/clob/data/pre-migration-orders")
async def old_orders(request: web.Request) -> web.Response:
    """No order here is older than the second protocol."""
    await caller(request)
    _, around = clob_page(request, ())
    return reply({"data": [], **around})


@ROUTES.get("/clob/data/order/{order}")
@ROUTES.get("/clob/order/{order}")
async def one_order(request: web.Request) -> web.Response:
    """One order of the caller; a finished one is `null`, as users report."""
    venue = venue_of(request)
    venue.turn()
    credentials, _ = await caller(request)
    order = venue.exchange.order(request.match_info["order"].lower())
    if order is None or order.owner != credentials.api_key:
        raise RefusedError(_NO_ORDER)
    if order.status.value not in ("LIVE", "DELAYED") and not venue.tells_finished:
        return reply(None)
    return reply(wire.open_order(order))


def _trade_fits(request: web.Request, trade: TradeChanged) -> bool:
    query = request.query
    matched_s = trade.matched_ms // 1000
    assets = {leg.asset_id for leg in (trade.taker, *trade.makers)}
    wallets = {leg.wallet.lower() for leg in (trade.taker, *trade.makers)}
    return (
        query.get("id", trade.trade_id) in ("", trade.trade_id)
        and query.get("market", trade.condition_id) in ("", trade.condition_id)
        and (not query.get("asset_id") or query["asset_id"] in assets)
        and (not query.get("maker_address") or query["maker_address"].lower() in wallets)
        and matched_s >= query_int(request, "after", 0)
        and matched_s <= query_int(request, "before", 1 << 52)
    )


@ROUTES.get("/clob/data/trades")
async def trades(request: web.Request) -> web.Response:
    """Trades of the caller's key, newest first."""
    venue = venue_of(request)
    venue.turn()
    credentials, _ = await caller(request)
    found = [each for each in venue.exchange.trades(credentials.api_key) if _trade_fits(request, each)]
    found.sort(key=lambda each: each.matched_ms, reverse=True)
    part, around = clob_page(request, found)
    rows = []
    for trade in part:
        own = next(leg for leg in (trade.taker, *trade.makers) if leg.owner == credentials.api_key)
        rows.append(wire.account_trade(trade, credentials.api_key, own.wallet))
    return reply({"data": rows, **around})


def _wallet(venue: Venue, request: web.Request, credentials: Credentials) -> str:
    """Return the caller's wallet of the signature type that the query names."""
    kind = query_int(request, "signature_type", 0)
    if kind > 3:
        raise RefusedError(Refused(400, "Invalid signature_type"))
    own = wallets_of(credentials.address).of_type(kind)
    return next((each for each in own if venue.chain.is_deployed(each)), own[0])


@ROUTES.get("/clob/balance-allowance")
async def balance_allowance(request: web.Request) -> web.Response:
    """What a wallet has of an asset, and which contracts may take it."""
    venue = venue_of(request)
    venue.turn()
    credentials, _ = await caller(request)
    wallet = _wallet(venue, request, credentials)
    asset: AssetId | None = None
    kind = request.query.get("asset_type", "")
    if kind in ("CONDITIONAL", "CONDITIONAL-V2"):
        asset = AssetId(request.query.get("token_id", ""))
        if venue.market_by_asset(asset) is None:
            raise RefusedError(Refused(400, "Invalid token id"))
    elif kind != "COLLATERAL":
        raise RefusedError(Refused(400, "Invalid asset type"))
    balance, _ = venue.injector.balance(venue.exchange, wallet, asset)
    return reply(wire.balance_allowance(balance, venue.exchange.allowances(wallet, asset)))


@ROUTES.get("/clob/balance-allowance/update")
async def update_balance(request: web.Request) -> web.Response:
    """Make the venue read the chain again; that ends a planned staleness, else nothing changes."""
    credentials, _ = await caller(request)
    venue = venue_of(request)
    venue.injector.refresh(_wallet(venue, request, credentials))
    return reply("")


def _notification(row: dict[str, Any], venue: Venue) -> dict[str, Any]:
    order: OpenOrder = row["order"]
    market = venue.market_by_asset(order.asset_id)
    return {
        **{key: value for key, value in row.items() if key != "order"},
        "payload": {
            "asset_id": order.asset_id,
            "market": order.condition_id,
            "order_id": order.order_id,
            "side": order.side.value,
            "type": order.order_type.value,
            "price": decimal_text(order.price),
            "original_size": decimal_text(order.original),
            "matched_size": decimal_text(order.matched),
            "remaining_size": decimal_text(order.original - order.matched),
            "outcome": order.outcome,
            "outcome_index": market.index_of(order.asset_id) if market else 0,
            "question": market.question if market else "",
            "market_slug": market.slug if market else "",
        },
    }


@ROUTES.get("/clob/notifications")
async def notifications(request: web.Request) -> web.Response:
    """What happened to the caller's orders."""
    venue = venue_of(request)
    credentials, _ = await caller(request)
    return reply([_notification(row, venue) for row in venue.records.notifications[credentials.api_key]])


@ROUTES.delete("/clob/notifications")
async def drop_notifications(request: web.Request) -> web.Response:
    """Drop notifications by id."""
    venue = venue_of(request)
    credentials, _ = await caller(request)
    dropped = set(request.query.get("ids", "").split(","))
    kept = [row for row in venue.records.notifications[credentials.api_key] if str(row["id"]) not in dropped]
    venue.records.notifications[credentials.api_key].clear()
    venue.records.notifications[credentials.api_key].extend(kept)
    return reply("OK")


@ROUTES.get("/clob/order-scoring")
async def order_scoring(request: web.Request) -> web.Response:
    """No rewards are paid here, so no order scores."""
    await caller(request)
    return reply({"scoring": False})


@ROUTES.post("/clob/orders-scoring")
async def orders_scoring(request: web.Request) -> web.Response:
    """No rewards are paid here, so no order scores."""
    _, raw = await caller(request)
    body = json_body(raw)
    return reply({each: False for each in body if isinstance(each, str)} if isinstance(body, list) else {})


@ROUTES.get("/clob/v1/user/rate-limit-tier")
async def tier(request: web.Request) -> web.Response:
    """Which rate limits hold for the caller."""
    await caller(request)
    found = venue_of(request).buckets.tier
    return reply(
        {
            "tier": found.name,
            "orders_per_second": found.orders_per_s,
            "orders_burst": found.orders_burst,
            "cancels_per_second": found.cancels_per_s,
            "cancels_burst": found.cancels_burst,
        }
    )


@ROUTES.get("/clob/v1/user/session-signers")
async def session_signers(request: web.Request) -> web.Response:
    """No session keys are kept here."""
    await caller(request)
    return reply([])
