"""Orders, cancels and heartbeats of the CLOB: authenticated over the raw bytes, answered with the venue's texts."""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import web

from polymarket_agent.domain.market import AssetId, ConditionId
from polymarket_agent.sandbox import wire
from polymarket_agent.sandbox.auth import Credentials, check_owner
from polymarket_agent.sandbox.checks import mode_refusal
from polymarket_agent.sandbox.faults import Target
from polymarket_agent.sandbox.model import CancelAnswer, OrderEntry, Placed, Refused
from polymarket_agent.sandbox.requests import (
    OrderRequest,
    cancel_ids,
    cancel_market,
    cancel_one,
    json_body,
    order_request,
    order_requests,
)
from polymarket_agent.sandbox.routes_common import RefusedError, caller, raise_if_refused, refusal, reply, venue_of
from polymarket_agent.sandbox.signing import verify_order
from polymarket_agent.sandbox.venue import Venue

__all__ = [
    "ROUTES",
    "cancel_all",
    "cancel_market_orders",
    "chained_heartbeat",
    "delete_order",
    "delete_orders",
    "place",
    "plain_heartbeat",
    "post_order",
    "post_orders",
]

ROUTES = web.RouteTableDef()

_NO_BOOK = Refused(404, "No orderbook exists for the requested token id")
_TOO_MANY = Refused(429, "Too Many Requests", retry_after_s=1)
_LONGEST_HOLD_MS = 10_000


def place(venue: Venue, credentials: Credentials, request: OrderRequest | Refused) -> Placed | Refused:
    """Take one order through the checks around its signature and hand it to the exchange."""
    if isinstance(request, Refused):
        return request
    stranger = check_owner(credentials, request.owner)
    if stranger is not None:
        return stranger
    market = venue.market_by_asset(request.token_id)
    verified = verify_order(
        request.order,
        neg_risk=market is not None and market.neg_risk,
        key_address=credentials.address,
        eoa_allowed=venue.eoa_allowed,
    )
    if isinstance(verified, Refused):
        return verified
    if market is None:
        return _NO_BOOK
    # Known even while nothing is planned: a rule may come later by the operator's hand.
    target = Target(credentials.api_key, verified.wallet, credentials.address, verified.signature_type)
    venue.injector.know(target)
    return venue.exchange.place(
        OrderEntry(
            order_id=verified.order_id,
            owner=credentials.api_key,
            wallet=verified.wallet,
            signer=verified.signer_eoa,
            signature_type=verified.signature_type,
            asset_id=verified.asset_id,
            side=verified.side,
            maker_amount=verified.maker_amount,
            taker_amount=verified.taker_amount,
            order_type=request.order_type,
            expires_s=verified.expires_s,
            post_only=request.post_only,
            defer_exec=request.defer_exec,
        ),
        venue.now_ms(),
    )


async def _final(venue: Venue, answer: Placed | Refused, *, deferred: bool) -> Placed | Refused:
    """Wait for an order that a taker delay holds; a sports delay answers `delayed` at once."""
    if not isinstance(answer, Placed) or answer.status != "delayed" or deferred:
        return answer
    until_ms = venue.exchange.held_until(answer.order_id)
    if until_ms is None:
        return answer
    wait_ms = min(_LONGEST_HOLD_MS, max(0, until_ms - venue.now_ms()))
    await asyncio.sleep((wait_ms + 1) / 1000 / venue.clock.speed)
    venue.turn()
    return venue.exchange.outcome(answer.order_id) or answer


def _open_for_orders(venue: Venue) -> None:
    """Refuse before anything else is looked at where no order at all is taken."""
    refused = mode_refusal(venue.exchange.mode, None, post_only=True)
    if refused is not None:
        raise RefusedError(refused)


def _limited(venue: Venue, credentials: Credentials, cost: int, *, cancel: bool = False) -> dict[str, str]:
    passed, headers = venue.buckets.take(credentials.address, cost, venue.now_ms(), cancel=cancel)
    if not passed:
        raise RefusedError(_TOO_MANY, headers=headers)
    return headers


@ROUTES.post("/clob/order")
async def post_order(request: web.Request) -> web.Response:
    """One order."""
    venue = venue_of(request)
    venue.turn()
    _open_for_orders(venue)
    credentials, raw = await caller(request)
    headers = _limited(venue, credentials, 1)
    asked = order_request(json_body(raw))
    answer = place(venue, credentials, asked)
    venue.publish()
    answer = await _final(venue, answer, deferred=isinstance(asked, OrderRequest) and asked.defer_exec)
    if isinstance(answer, Refused):
        return refusal(answer, headers=headers)
    return reply(wire.order_answer(answer), headers=headers)


@ROUTES.post("/clob/orders")
async def post_orders(request: web.Request) -> web.Response:
    """Several orders, answered in their order; a refusal stands inside its element."""
    venue = venue_of(request)
    venue.turn()
    _open_for_orders(venue)
    credentials, raw = await caller(request)
    asked = raise_if_refused(order_requests(json_body(raw)))
    headers = _limited(venue, credentials, len(asked))
    answers = [place(venue, credentials, each) for each in asked]
    venue.publish()
    rows: list[dict[str, Any]] = []
    for each, answer in zip(asked, answers, strict=True):
        deferred = isinstance(each, OrderRequest) and each.defer_exec
        final = await _final(venue, answer, deferred=deferred)
        rows.append(wire.batch_refusal(final) if isinstance(final, Refused) else wire.order_answer(final))
    return reply(rows, headers=headers)


def _open_for_cancels(venue: Venue) -> None:
    refused = venue.exchange.cancel_refusal()
    if refused is not None:
        raise RefusedError(refused)


def _cancelled(venue: Venue, answer: CancelAnswer, headers: dict[str, str]) -> web.Response:
    venue.publish()
    return reply(wire.cancel_answer(answer), headers=headers)


@ROUTES.delete("/clob/order")
async def delete_order(request: web.Request) -> web.Response:
    """Cancel one order."""
    venue = venue_of(request)
    now_ms = venue.turn()
    _open_for_cancels(venue)
    credentials, raw = await caller(request)
    order_id = raise_if_refused(cancel_one(json_body(raw)))
    headers = _limited(venue, credentials, 1, cancel=True)
    return _cancelled(venue, venue.exchange.cancel(credentials.api_key, [order_id], now_ms), headers)


@ROUTES.delete("/clob/orders")
async def delete_orders(request: web.Request) -> web.Response:
    """Cancel several orders."""
    venue = venue_of(request)
    now_ms = venue.turn()
    _open_for_cancels(venue)
    credentials, raw = await caller(request)
    order_ids = raise_if_refused(cancel_ids(json_body(raw)))
    headers = _limited(venue, credentials, len(order_ids), cancel=True)
    return _cancelled(venue, venue.exchange.cancel(credentials.api_key, order_ids, now_ms), headers)


@ROUTES.delete("/clob/cancel-all")
async def cancel_all(request: web.Request) -> web.Response:
    """Cancel everything of this key."""
    venue = venue_of(request)
    now_ms = venue.turn()
    _open_for_cancels(venue)
    credentials, _ = await caller(request)
    answer = venue.exchange.cancel_all(credentials.api_key, now_ms)
    return _cancelled(venue, answer, _limited(venue, credentials, 1 + len(answer.canceled), cancel=True))


@ROUTES.delete("/clob/cancel-market-orders")
async def cancel_market_orders(request: web.Request) -> web.Response:
    """Cancel what this key has in a market or for a token."""
    venue = venue_of(request)
    now_ms = venue.turn()
    _open_for_cancels(venue)
    credentials, raw = await caller(request)
    market, asset = raise_if_refused(cancel_market(json_body(raw)))
    answer = venue.exchange.cancel_market(
        credentials.api_key,
        now_ms,
        condition_id=ConditionId(market.lower()) if market else None,
        asset_id=AssetId(asset) if asset else None,
    )
    return _cancelled(venue, answer, _limited(venue, credentials, 1 + len(answer.canceled), cancel=True))


@ROUTES.post("/clob/v1/heartbeats")
async def chained_heartbeat(request: web.Request) -> web.Response:
    """Arm or feed the dead man's switch; each answer carries the id that the next one must send."""
    venue = venue_of(request)
    now_ms = venue.turn()
    credentials, raw = await caller(request)
    body = json_body(raw)
    sent = body.get("heartbeat_id", "") if isinstance(body, dict) else None
    if not isinstance(sent, str | None) or not isinstance(body, dict):
        raise RefusedError(Refused(400, "Invalid payload"))
    answer = venue.exchange.heartbeat(credentials.api_key, sent or "", now_ms)
    if isinstance(answer, Refused):
        return refusal(answer, body={"error_msg": answer.error, "heartbeat_id": answer.code or ""})
    return reply({"heartbeat_id": answer})


@ROUTES.post("/clob/heartbeats")
async def plain_heartbeat(request: web.Request) -> web.Response:
    """Feed the switch without a chain of ids."""
    venue = venue_of(request)
    now_ms = venue.turn()
    credentials, _ = await caller(request)
    raise_if_refused(venue.exchange.heartbeat(credentials.api_key, None, now_ms))
    return reply({"status": "ok"})
