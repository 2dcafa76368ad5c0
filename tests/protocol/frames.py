"""Self-made frames of the market channel, in every shape that the venue has used."""

from __future__ import annotations

import json
from typing import Any

YES = str((1 << 250) + (7 << 40) + 1)
NO = str((1 << 250) + (9 << 40) + 2)
CONDITION = "0x" + "ab" * 32
AT_MS = 1_779_223_899_159


def text(message: Any) -> bytes:
    return json.dumps(message, separators=(",", ":")).encode()


def book(asset_id: str = YES, *, at_ms: int = AT_MS, **fields: Any) -> dict[str, Any]:
    return {
        "market": CONDITION,
        "asset_id": asset_id,
        "timestamp": str(at_ms),
        "hash": "9b947278caccb41d166fb08a02fa98fdf095e8a9",
        "bids": [{"price": "0.47", "size": "10"}, {"price": ".48", "size": "30.5"}],
        "asks": [{"price": "0.60", "size": "100.00"}, {"price": "0.52", "size": "25"}],
        "tick_size": "0.01",
        "event_type": "book",
        "last_trade_price": "0.530",
        **fields,
    }


def change(asset_id: str = YES, price: Any = "0.5", size: Any = "81.07", side: str = "BUY") -> dict[str, Any]:
    return {"asset_id": asset_id, "price": price, "size": size, "side": side, "hash": "h", "best_bid": "0.5"}


def price_change(*changes: dict[str, Any], at_ms: int = AT_MS, **fields: Any) -> dict[str, Any]:
    listed = list(changes) or [change(YES), change(NO, side="SELL")]
    return {
        "market": CONDITION,
        "price_changes": listed,
        "timestamp": str(at_ms),
        "event_type": "price_change",
        **fields,
    }


def trade(asset_id: str = YES, *, at_ms: int = AT_MS, **fields: Any) -> dict[str, Any]:
    return {
        "market": CONDITION,
        "asset_id": asset_id,
        "price": "0.52",
        "size": "27.79",
        "side": "SELL",
        "fee_rate_bps": "0",
        "timestamp": str(at_ms),
        "event_type": "last_trade_price",
        "transaction_hash": "0x" + "1" * 64,
        **fields,
    }


def resolved(winner: str = NO) -> dict[str, Any]:
    return {
        "event_type": "market_resolved",
        "id": "1",
        "market": CONDITION,
        "assets_ids": [YES, NO],
        "winning_asset_id": winner,
        "winning_outcome": "No",
        "timestamp": str(AT_MS),
        "tags": [],
    }
