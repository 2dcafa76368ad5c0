"""What the market and user channels send. Pure; written from the specification.

Times are digit text in milliseconds; a JSON number makes the official client drop the event without a word.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from polymarket_agent.domain.market import AssetId, Market
from polymarket_agent.domain.money import MICRO, decimal_text
from polymarket_agent.sandbox.model import BookChanged, Leg, OrderChanged, TickChanged, TradeChanged
from polymarket_agent.sandbox.model import TradePrinted as Printed
from polymarket_agent.sandbox.wire import maker_order, side_of
from polymarket_agent.sandbox.wire_markets import Listing, gamma_market

__all__ = [
    "Top",
    "best_bid_ask",
    "last_trade",
    "market_resolved",
    "new_market",
    "price_change",
    "tick_change",
    "user_order",
    "user_trade",
]


class Top(NamedTuple):
    """The best prices of an asset and the hash of its book; 0 and 1000000 stand for an empty side."""

    best_bid: int
    best_ask: int
    hash: str


def price_change(changed: BookChanged, tops: Mapping[AssetId, Top]) -> dict[str, Any]:
    """Return a price_change: levels of both tokens of a market, with their new absolute size."""
    return {
        "market": changed.condition_id,
        "price_changes": [
            {
                "asset_id": asset_id,
                "price": decimal_text(at),
                "size": decimal_text(size),
                "side": "BUY" if is_bid else "SELL",
                "hash": tops[asset_id].hash,
                "best_bid": decimal_text(tops[asset_id].best_bid),
                "best_ask": decimal_text(tops[asset_id].best_ask),
            }
            for asset_id, is_bid, at, size in changed.changes
        ],
        "timestamp": str(changed.at_ms),
        "event_type": "price_change",
    }


def best_bid_ask(market: str, asset_id: str, top: Top, at_ms: int) -> dict[str, Any]:
    """Return a best_bid_ask; only those who asked for custom features get it."""
    return {
        "market": market,
        "asset_id": asset_id,
        "best_bid": decimal_text(top.best_bid),
        "best_ask": decimal_text(top.best_ask),
        "spread": decimal_text(top.best_ask - top.best_bid),
        "timestamp": str(at_ms),
        "event_type": "best_bid_ask",
    }


def last_trade(printed: Printed) -> dict[str, Any]:
    """Return a last_trade_price; the side is the taker's."""
    return {
        "market": printed.condition_id,
        "asset_id": printed.asset_id,
        "price": decimal_text(printed.price),
        "size": decimal_text(printed.quantity),
        "fee_rate_bps": str(printed.fee_rate),
        "side": printed.taker_side.value,
        "timestamp": str(printed.at_ms),
        "event_type": "last_trade_price",
        "transaction_hash": printed.transaction_hash,
    }


def tick_change(changed: TickChanged, asset_id: str) -> dict[str, Any]:
    """Return a tick_size_change of one token."""
    return {
        "market": changed.condition_id,
        "asset_id": asset_id,
        "old_tick_size": decimal_text(changed.old),
        "new_tick_size": decimal_text(changed.new),
        "timestamp": str(changed.at_ms),
        "event_type": "tick_size_change",
    }


def new_market(listing: Listing, at_ms: int) -> dict[str, Any]:
    """Return a new_market."""
    market = listing.market
    listed = gamma_market(listing)
    return {
        "id": str(listing.number),
        "question": market.question,
        "market": market.condition_id,
        "slug": listed["slug"],
        "description": listing.description,
        "assets_ids": list(market.asset_ids),
        "outcomes": [outcome.label for outcome in market.outcomes],
        "event_message": {
            "id": str(listing.event_number),
            "ticker": listing.event_slug,
            "slug": listing.event_slug,
            "title": listing.event_title,
            "description": listing.description,
        },
        "timestamp": str(at_ms),
        "tags": list(listing.tags),
        "condition_id": market.condition_id,
        "active": True,
        "clob_token_ids": list(market.asset_ids),
        "sports_market_type": "moneyline" if listing.seconds_delay else "",
        "line": "",
        "game_start_time": listed.get("gameStartTime", ""),
        "order_price_min_tick_size": decimal_text(market.tick_size),
        "group_item_title": market.group_item,
        "event_type": "new_market",
    }


def market_resolved(market: Market, number: int, tags: tuple[str, ...], at_ms: int) -> dict[str, Any]:
    """Return a market_resolved; a 50/50 result has no winner."""
    event: dict[str, Any] = {
        "id": str(number),
        "market": market.condition_id,
        "assets_ids": list(market.asset_ids),
        "timestamp": str(at_ms),
        "tags": list(tags),
        "event_type": "market_resolved",
    }
    for outcome, payout in zip(market.outcomes, market.payouts or (0, 0), strict=True):
        if payout > MICRO // 2:
            event["winning_asset_id"] = outcome.asset_id
            event["winning_outcome"] = outcome.label
    return event


def user_order(changed: OrderChanged) -> dict[str, Any]:
    """Return an order event for the owner.

    A killed order's reason stands in its status and its matched size and time are empty text, as recorded: the
    official client drops exactly that event.
    """
    order = changed.order
    killed = changed.kind == "CANCELLATION" and "killed" in changed.reason
    return {
        "event_type": "order",
        "type": changed.kind,
        "id": order.order_id,
        "owner": order.owner,
        "market": order.condition_id,
        "asset_id": order.asset_id,
        "side": order.side.value,
        "order_owner": order.owner,
        "original_size": decimal_text(order.original),
        "size_matched": "" if killed and not order.matched else decimal_text(order.matched),
        "price": decimal_text(order.price),
        "associate_trades": list(order.trade_ids) or None,
        "outcome": order.outcome,
        "created_at": "" if killed else str(order.created_ms // 1000),
        "expiration": str(order.expires_s),
        "order_type": order.order_type.value,
        "status": f"CANCELED_{changed.reason}" if killed else order.status.value,
        "maker_address": order.wallet,
        "timestamp": str(changed.at_ms),
    }


def user_trade(trade: TradeChanged, leg: Leg, market: Market | None) -> dict[str, Any]:
    """Return a trade event for the owner of `leg`; the same id comes again at every step of settlement."""
    taker = trade.taker
    makers = []
    for each in trade.makers:
        row = maker_order(each)
        row["outcome_index"] = market.index_of(each.asset_id) if market is not None else 0
        makers.append(row)
    return {
        "event_type": "trade",
        "type": "TRADE",
        "id": trade.trade_id,
        "taker_order_id": taker.order_id,
        "market": trade.condition_id,
        "asset_id": taker.asset_id,
        "side": taker.side.value,
        "size": decimal_text(taker.quantity),
        "price": decimal_text(taker.price),
        "fee_rate_bps": str(taker.fee_rate),
        "status": trade.status.value,
        "match_time": str(trade.matched_ms // 1000),
        "last_update": str(trade.updated_ms // 1000),
        "outcome": taker.outcome,
        "owner": leg.owner,
        "trade_owner": taker.owner,
        "maker_address": leg.wallet,
        "transaction_hash": trade.transaction_hash,
        "bucket_index": trade.bucket_index,
        "maker_orders": makers,
        "trader_side": side_of(trade, leg.owner),
        "timestamp": str(trade.updated_ms),
    }
