"""Orders, trades, cancels and balances as the venue writes them. Pure; written from the specification.

Whatever the agent's parser believes, this module must be able to disagree with it: it is the other side of the border.
Amounts are decimal text of shares and collateral, except in balances, which are whole base units.
"""

from __future__ import annotations

from typing import Any

from polymarket_agent.domain.money import decimal_text
from polymarket_agent.sandbox.model import CancelAnswer, Leg, OpenOrder, Placed, Refused, TradeChanged

__all__ = [
    "account_trade",
    "balance_allowance",
    "batch_refusal",
    "cancel_answer",
    "error",
    "maker_order",
    "open_order",
    "order_answer",
    "side_of",
]


def error(refused: Refused) -> dict[str, Any]:
    """Return the body of a refusal; restrictions also carry their code and when to come back."""
    body: dict[str, Any] = {"error": refused.error}
    if refused.code is not None:
        body["code"] = refused.code
    if refused.retry_after_s is not None and refused.code is not None:
        body["retry_after_seconds"] = refused.retry_after_s
    return body


def order_answer(placed: Placed) -> dict[str, Any]:
    """Return the answer to an accepted order. What was matched at once is human decimals; nothing is empty text."""
    return {
        "success": True,
        "errorMsg": "",
        "orderID": placed.order_id,
        "status": placed.status,
        "makingAmount": decimal_text(placed.making_amount) if placed.making_amount else "",
        "takingAmount": decimal_text(placed.taking_amount) if placed.taking_amount else "",
        "tradeIDs": list(placed.trade_ids),
        "transactionsHashes": list(placed.transaction_hashes),
    }


def batch_refusal(refused: Refused) -> dict[str, Any]:
    """Return the element of a batch whose order was refused.

    In post-only mode the venue says success and gives the error beside it; elsewhere it says what it means.
    """
    return {
        "success": refused.code == "post_only_mode",
        "errorMsg": refused.error,
        "orderID": "",
        "status": "",
        "makingAmount": "",
        "takingAmount": "",
        "tradeIDs": [],
        "transactionsHashes": [],
    }


def cancel_answer(answer: CancelAnswer) -> dict[str, Any]:
    """Return the answer to a cancel; it is 200 whatever was cancelled."""
    return {"canceled": list(answer.canceled), "not_canceled": dict(answer.not_canceled)}


def open_order(order: OpenOrder) -> dict[str, Any]:
    """Return a row of /data/orders; sizes are shares, `created_at` is a number of seconds."""
    return {
        "id": order.order_id,
        "status": order.status.value,
        "owner": order.owner,
        "maker_address": order.wallet,
        "market": order.condition_id,
        "asset_id": order.asset_id,
        "side": order.side.value,
        "original_size": decimal_text(order.original),
        "size_matched": decimal_text(order.matched),
        "price": decimal_text(order.price),
        "outcome": order.outcome,
        "expiration": str(order.expires_s),
        "order_type": order.order_type.value,
        "associate_trades": list(order.trade_ids),
        "created_at": order.created_ms // 1000,
    }


def side_of(trade: TradeChanged, owner: str) -> str:
    """Return whether an owner took or made; who did both is told of the taking."""
    return "TAKER" if trade.taker.owner == owner else "MAKER"


def maker_order(leg: Leg) -> dict[str, Any]:
    """Return a maker's part of a trade; its fee rate is empty because makers pay none."""
    return {
        "order_id": leg.order_id,
        "owner": leg.owner,
        "maker_address": leg.wallet,
        "matched_amount": decimal_text(leg.quantity),
        "price": decimal_text(leg.price),
        "fee_rate_bps": str(leg.fee_rate) if leg.fee_rate else "",
        "asset_id": leg.asset_id,
        "outcome": leg.outcome,
        "side": leg.side.value,
    }


def account_trade(trade: TradeChanged, owner: str, wallet: str) -> dict[str, Any]:
    """Return a row of /data/trades as `owner` sees it: the taker's order on top, the makers' below."""
    taker = trade.taker
    return {
        "id": trade.trade_id,
        "taker_order_id": taker.order_id,
        "market": trade.condition_id,
        "asset_id": taker.asset_id,
        "side": taker.side.value,
        "size": decimal_text(taker.quantity),
        "fee_rate_bps": str(taker.fee_rate),
        "price": decimal_text(taker.price),
        "status": f"TRADE_STATUS_{trade.status.value}",
        "match_time": str(trade.matched_ms // 1000),
        "last_update": str(trade.updated_ms // 1000),
        "outcome": taker.outcome,
        "bucket_index": trade.bucket_index,
        "owner": owner,
        "maker_address": wallet,
        "transaction_hash": trade.transaction_hash,
        "trader_side": side_of(trade, owner),
        "maker_orders": [maker_order(leg) for leg in trade.makers],
    }


def balance_allowance(balance: int, allowances: dict[str, int]) -> dict[str, Any]:
    """Return what a wallet has and whom it lets take it; base units as text."""
    return {"balance": str(balance), "allowances": {spender: str(amount) for spender, amount in allowances.items()}}
