"""Results of the client `polymarket-client` as the JSON objects they were made from, for the one parser of accounts. Pure.

Amounts go as decimal text: the client keeps them as `Decimal`, so nothing is lost on the way.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from polymarket_agent.adapters.polymarket.account_state import parse_cancel
from polymarket_agent.adapters.polymarket.gateway_common import ZERO_BYTES32
from polymarket_agent.domain.venue import CancelOutcome, SignedOrder

__all__ = ["cancelled", "order_fields", "order_row", "position_page", "trade_row"]


def _text(amount: Decimal | None) -> str:
    return "" if amount is None else format(amount, "f")


def _second(moment: datetime | None) -> str:
    return "0" if moment is None else str(int(moment.timestamp()))


def order_fields(order: SignedOrder) -> dict[str, Any]:
    """Return the arguments of the client's own `SignedOrder`."""
    ticket = order.ticket
    return {
        "builder": ZERO_BYTES32,
        "metadata": ZERO_BYTES32,
        "maker": order.maker,
        "signer": order.signer,
        "signature": order.signature,
        "signature_type": order.signature_type,
        "salt": order.salt,
        "timestamp": order.timestamp_ms,
        "maker_amount": ticket.maker_amount,
        "taker_amount": ticket.taker_amount,
        "token_id": ticket.asset_id,
        "side": ticket.side.value,
        "order_type": ticket.time_in_force.value,
        "expiration": ticket.expires_s,
        "post_only": ticket.post_only,
    }


def order_row(order: Any) -> dict[str, Any]:
    """Return an `OpenOrder` as a row of `/data/orders`."""
    return {
        "id": str(order.id),
        "status": str(order.status),
        "owner": str(order.owner),
        "maker_address": str(order.maker_address),
        "market": str(order.condition_id),
        "asset_id": str(order.asset_id),
        "side": str(order.side),
        "original_size": _text(order.original_size),
        "size_matched": _text(order.size_matched),
        "price": _text(order.price),
        "outcome": str(order.outcome),
        "expiration": _second(order.expires_at),
        "order_type": str(order.order_type),
        "associate_trades": [str(each) for each in order.associate_trades],
        "created_at": int(_second(order.created_at)),
    }


def trade_row(trade: Any) -> dict[str, Any]:
    """Return a `ClobTrade` as a row of `/data/trades`."""
    return {
        "id": str(trade.id),
        "taker_order_id": str(trade.taker_order_id),
        "market": str(trade.condition_id),
        "asset_id": str(trade.asset_id),
        "side": str(trade.side),
        "size": _text(trade.size),
        "price": _text(trade.price),
        "fee_rate_bps": _text(trade.fee_rate_bps),
        "status": str(trade.status),
        "match_time": _second(trade.matched_at),
        "last_update": _second(trade.updated_at),
        "outcome": str(trade.outcome),
        "bucket_index": int(trade.bucket_index),
        "owner": str(trade.owner),
        "maker_address": str(trade.maker_address),
        "transaction_hash": trade.transaction_hash or "",
        "trader_side": str(trade.trader_side),
        "maker_orders": [_maker_row(each) for each in trade.maker_orders],
    }


def _maker_row(maker: Any) -> dict[str, Any]:
    return {
        "order_id": str(maker.order_id),
        "owner": str(maker.owner),
        "maker_address": str(maker.maker_address),
        "matched_amount": _text(maker.matched_amount),
        "price": _text(maker.price),
        "fee_rate_bps": _text(maker.fee_rate_bps),
        "asset_id": str(maker.asset_id),
        "outcome": str(maker.outcome),
        "side": str(maker.side),
    }


def position_page(positions: Iterable[Any]) -> bytes:
    """Return `Position`s as a page of the data service's `/v2/positions`, its last: what counts for what is held."""
    rows = [
        {
            "token_id": str(each.asset_id),
            "condition_id": str(each.condition_id),
            "current_size": _text(each.current_size),
            "total_cost_usdc": _text(each.total_cost_usdc),
            "redeemable": bool(each.redeemable),
            "mergeable": bool(each.mergeable),
        }
        for each in positions
    ]
    return msgspec.json.encode({"data": rows, "pagination": {"has_more": False, "next_cursor": None}})


def cancelled(answer: Any) -> CancelOutcome:
    """Return a `CancelOrdersResponse` in our words."""
    return parse_cancel(
        msgspec.json.encode({"canceled": list(answer.canceled), "not_canceled": dict(answer.not_canceled)})
    )
