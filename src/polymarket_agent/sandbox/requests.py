"""What clients send, read strictly: raw bytes in, typed request or the venue's refusal out. Pure.

The signed part of an order stays as it came; `signing.verify_order` reads it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from polymarket_agent.sandbox.model import OrderType, Refused

__all__ = [
    "MAX_BATCH",
    "MAX_CANCELS",
    "MAX_TOKENS",
    "OrderRequest",
    "cancel_ids",
    "cancel_market",
    "cancel_one",
    "json_body",
    "order_request",
    "order_requests",
    "token_requests",
]

MAX_BATCH = 15
MAX_CANCELS = 3000
MAX_TOKENS = 500
_ID_LENGTH = 66

_BAD_PAYLOAD = Refused(400, "Invalid order payload")
_BAD_ID = Refused(400, "Invalid orderID")
_ORDER_TYPES = {each.value: each for each in OrderType}


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """A POSTed order before its signature is looked at: the order as sent, and what travels beside it."""

    order: dict[str, Any]
    owner: str
    order_type: OrderType
    token_id: str
    post_only: bool
    defer_exec: bool


def json_body(raw: bytes) -> Any:
    """Return the JSON of a body, or None when it is not JSON."""
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None


def order_request(body: Any) -> OrderRequest | Refused:
    """Read one order of POST /order."""
    if not isinstance(body, dict) or not isinstance(body.get("order"), dict):
        return _BAD_PAYLOAD
    order, owner, kind = body["order"], body.get("owner"), body.get("orderType")
    if not isinstance(owner, str) or not isinstance(kind, str) or kind not in _ORDER_TYPES:
        return _BAD_PAYLOAD
    post_only, defer_exec = body.get("postOnly"), body.get("deferExec")
    if not isinstance(post_only, bool | None) or not isinstance(defer_exec, bool | None):
        return _BAD_PAYLOAD
    token = order.get("tokenId")
    if not isinstance(token, str):
        return Refused(400, "Invalid token id")
    return OrderRequest(order, owner, _ORDER_TYPES[kind], token, bool(post_only), bool(defer_exec))


def order_requests(body: Any) -> list[OrderRequest | Refused] | Refused:
    """Read the array of POST /orders; a bad element spoils itself only, too many spoil all."""
    if not isinstance(body, list) or not body:
        return _BAD_PAYLOAD
    if len(body) > MAX_BATCH:
        return Refused(400, f"Too many orders in payload: {len(body)}, max allowed: {MAX_BATCH}")
    return [order_request(each) for each in body]


def _is_order_id(value: object) -> bool:
    if not isinstance(value, str) or len(value) != _ID_LENGTH or not value.startswith("0x"):
        return False
    try:
        return len(bytes.fromhex(value[2:])) == 32
    except ValueError:
        return False


def cancel_one(body: Any) -> str | Refused:
    """Read DELETE /order."""
    if not isinstance(body, dict) or not _is_order_id(body.get("orderID")):
        return _BAD_ID
    return str(body["orderID"])


def cancel_ids(body: Any) -> list[str] | Refused:
    """Read DELETE /orders."""
    if not isinstance(body, list) or not body:
        return _BAD_ID
    if len(body) > MAX_CANCELS:
        return Refused(400, f"Too many orders in payload: {len(body)}, max allowed: {MAX_CANCELS}")
    return [str(each) for each in body] if all(_is_order_id(each) for each in body) else _BAD_ID


def cancel_market(body: Any) -> tuple[str | None, str | None] | Refused:
    """Read DELETE /cancel-market-orders: (market, asset id), None where nothing or "" was sent."""
    if not isinstance(body, dict):
        return _BAD_PAYLOAD
    market, asset = body.get("market") or None, body.get("asset_id") or None
    if not isinstance(market, str | None) or not isinstance(asset, str | None):
        return _BAD_PAYLOAD
    return (market, asset) if market or asset else _BAD_PAYLOAD


def token_requests(body: Any) -> list[tuple[str, str]] | Refused:
    """Read the array of a batch read: (token id, side), side "" where none was sent."""
    if not isinstance(body, list):
        return Refused(400, "Invalid payload")
    if len(body) > MAX_TOKENS:
        return Refused(400, "Payload exceeds the limit")
    out: list[tuple[str, str]] = []
    for each in body:
        token = each.get("token_id") if isinstance(each, dict) else None
        if not isinstance(token, str):
            return Refused(400, "Invalid token id")
        side = each.get("side")
        out.append((token, side if isinstance(side, str) else ""))
    return out
