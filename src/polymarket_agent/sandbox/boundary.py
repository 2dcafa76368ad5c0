"""The HTTP border: refusals become answers, surprises become the venue's 500, and planned faults happen here."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import structlog
from aiohttp import web

from polymarket_agent.sandbox.eip712 import domain_for, order_digest
from polymarket_agent.sandbox.fault_effects import StaleAnswers, altered
from polymarket_agent.sandbox.model import Refused
from polymarket_agent.sandbox.requests import json_body
from polymarket_agent.sandbox.routes_common import VENUE, RefusedError, refusal, reply
from polymarket_agent.sandbox.signing import order_fields

if TYPE_CHECKING:
    from polymarket_agent.sandbox.faults import Fault
    from polymarket_agent.sandbox.venue import Venue

__all__ = ["Boundary", "guard", "point_of"]

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_INTERNAL = Refused(500, "Internal server error")

# The first part of a path that names a read, for services whose reads the plan tells apart.
_CLOB_READS = {
    "": "ok",
    "ok": "ok",
    "time": "time",
    "version": "version",
    "book": "book",
    "books": "books",
    "price": "price",
    "prices": "price",
    "midpoint": "midpoint",
    "midpoints": "midpoint",
    "spread": "spread",
    "spreads": "spread",
    "last-trade-price": "last_trade",
    "last-trades-prices": "last_trade",
    "tick-size": "tick_size",
    "neg-risk": "market",
    "fee-rate": "market",
    "clob-markets": "market",
    "markets-by-token": "market",
    "markets": "markets",
    "simplified-markets": "markets",
    "sampling-markets": "markets",
    "sampling-simplified-markets": "markets",
    "prices-history": "history",
    "balance-allowance": "balance",
    "notifications": "notifications",
    "auth": "auth",
    "order": "order",
}
_DATA_READS = {"positions": "positions", "trades": "trades", "prices-history": "history"}
_GAMMA_READS = {"events": "events", "public-search": "search"}


def point_of(method: str, path: str) -> str | None:
    """Return the name of a fault point without its half, None for what no plan can touch."""
    parts = path.split("/")
    service, rest = parts[1] if len(parts) > 1 else "", parts[2:]
    head = rest[0] if rest else ""
    if service == "clob":
        if head in ("order", "orders", "cancel-all", "cancel-market-orders") and method == "DELETE":
            return "cancel"
        if head in ("order", "orders") and method == "POST":
            return "post"
        if head == "heartbeats" or rest[:2] == ["v1", "heartbeats"]:
            return "heartbeat"
        if head == "data" and len(rest) > 1:
            return {"orders": "read.orders", "order": "read.order", "trades": "read.trades"}.get(rest[1], "read.orders")
        if head == "auth" and "ban-status" in rest:
            return "read.ban_status"
        return f"read.{_CLOB_READS.get(head, 'market')}"
    if service == "gamma":
        return f"read.{_GAMMA_READS.get(head, 'gamma')}"
    if service == "data":
        return f"read.{_DATA_READS.get(rest[1] if len(rest) > 1 else '', 'data')}"
    return {"relayer": "read.relayer", "rpc": "read.rpc"}.get(service)


@web.middleware
async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn refusals into answers and whatever else is raised into the venue's 500, which is logged.

    A `Host` that is not loopback is another site's page that a browser here has open.
    """
    if request.host.rpartition(":")[0] not in _LOOPBACK and request.host not in _LOOPBACK:
        return refusal(Refused(403, "this is a sandbox on loopback"))
    try:
        return await handler(request)
    except RefusedError as error:
        return refusal(error.refused, error.body, error.headers)
    except web.HTTPException as error:
        status = error.status
        return refusal(Refused(status, {404: "not found", 413: "Payload exceeds the limit"}.get(status, error.reason)))
    except (asyncio.CancelledError, ConnectionError):
        raise
    except Exception:  # noqa: BLE001 - the border: whatever is wrong with one request ends with it, and is logged
        structlog.get_logger("sandbox").exception("request_failed", method=request.method, path=request.path)
        return refusal(_INTERNAL)


class Boundary:
    """Carries out planned faults around every request."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._stale = StaleAnswers()

    @web.middleware
    async def faults(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Let the plan strike before and after the handler."""
        point = point_of(request.method, request.path) if self._venue.faulty else None
        if point is None:
            return await handler(request)
        context = await _context(request)
        injector, now_ms = self._venue.injector, self._venue.now_ms()
        fault = injector.at(f"{point}.request", now_ms=now_ms, **context)
        if fault is not None:
            early = await self._before(fault, request, handler, context)
            if early is not None:
                return early
        response = await handler(request)
        if not isinstance(response, web.Response):
            return response
        return await self._after(point, request, response, context)

    async def _before(
        self, fault: Fault, request: web.Request, handler: Handler, context: dict[str, Any]
    ) -> web.StreamResponse | None:
        match fault.kind:
            case "drop":
                return _lost(request)
            case "delay":
                await asyncio.sleep(fault.delay_ms / 1000)
            case "duplicate":
                await handler(request)  # the first copy's answer is lost, the second's is told
            case "replace":
                return web.Response(status=fault.answer.status, text=fault.answer.body, headers=fault.answer.headers)
            case "fill_first":
                order_id = context.get("order_id") or self._oldest_order(context.get("owner"))
                if isinstance(order_id, str):
                    self._venue.injector.fill_first(self._venue.exchange, order_id, self._venue.now_ms())
                    self._venue.publish()
            case _:
                pass
        return None

    def _oldest_order(self, owner: object) -> str | None:
        """Return an order that a cancellation of all would cancel."""
        orders = self._venue.exchange.open_orders(owner) if isinstance(owner, str) else []
        return orders[0].order_id if orders else None

    async def _after(
        self, point: str, request: web.Request, response: web.Response, context: dict[str, Any]
    ) -> web.StreamResponse:
        body, now_ms = _body(response), self._venue.now_ms()
        key = f"{request.method} {request.path_qs} {context.get('owner', '')}"
        if point.startswith("read."):
            self._stale.remember(key, now_ms, body)
        fault = self._venue.injector.at(f"{point}.answer", now_ms=now_ms, status=response.status, **context)
        if fault is None:
            return response
        match fault.kind:
            case "drop":
                return _lost(request)
            case "delay":
                await asyncio.sleep(fault.delay_ms / 1000)
                return response
            case "replace":
                return web.Response(status=fault.answer.status, text=fault.answer.body, headers=fault.answer.headers)
            case "cut":
                return await _cut(request, response, body, altered(fault, body))
            case "stale":
                body = self._stale.as_of(key, now_ms - fault.delay_ms) or body
            case _:
                body = altered(fault, body)
        return web.Response(body=body, status=response.status, content_type="application/json")


def _body(response: web.Response) -> bytes:
    return response.body if isinstance(response.body, bytes) else b""


def _lost(request: web.Request) -> web.Response:
    """Break the connection without an answer."""
    if request.transport is not None:
        request.transport.abort()
    return reply(None)


async def _cut(request: web.Request, response: web.Response, body: bytes, left: bytes) -> web.StreamResponse:
    """Announce the whole length, send a part, and close."""
    answer = web.StreamResponse(status=response.status, headers={"Content-Type": "application/json"})
    answer.content_length = len(body)
    await answer.prepare(request)
    await answer.write(left)
    if request.transport is not None:
        request.transport.close()
    return answer


async def _context(request: web.Request) -> dict[str, Any]:
    """Return what rules can choose by: of the path, the query, the headers and an order in the body."""
    out: dict[str, Any] = {"method": request.method, "path": request.path.removeprefix("/clob")}
    owner = request.headers.get("POLY_API_KEY")
    if owner is not None:
        out["owner"] = owner
    for name, key in (("market", "market"), ("asset_id", "asset_id"), ("token_id", "asset_id"), ("user", "wallet")):
        if name in request.query:
            out[key] = request.query[name]
    if request.method == "GET" or not request.path.startswith("/clob/order"):
        return out
    body = json_body(await request.read())
    first = body[0] if isinstance(body, list) and body else body
    if isinstance(first, str):
        out["order_id"] = first
    elif isinstance(first, dict):
        out.update(_order_context(request, first))
    return out


def _order_context(request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    order = body.get("order")
    if not isinstance(order, dict):
        return {"order_id": body.get("orderID")}
    out = {
        "order_type": body.get("orderType"),
        "post_only": bool(body.get("postOnly")),
        "asset_id": order.get("tokenId"),
        "side": order.get("side"),
        "signature_type": order.get("signatureType"),
        "wallet": order.get("maker"),
    }
    fields = order_fields(order)
    market = request.app[VENUE].market_by_asset(str(order.get("tokenId")))
    if not isinstance(fields, Refused) and market is not None:
        domain = domain_for(str(fields.token_id), neg_risk=market.neg_risk)
        out["order_id"] = "0x" + order_digest(fields, domain).hex()
        out["market"] = market.condition_id
    return out
