"""Recordings made by hand: a tiny venue that hashes its own books, and writers for every kind of file."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

YES = "1" * 70
NO = "2" * 70
CONDITION = "0x" + "ab" * 32
START_MS = 1_780_000_000_000


class Venue:
    """One market with two mirrored books, written apart from the code under test: plain dicts and `json`."""

    def __init__(self, *, neg_risk: bool = False, min_order_size: str = "5", last_trade_price: str = "0.50") -> None:
        self.bids: dict[Decimal, Decimal] = {}
        self.asks: dict[Decimal, Decimal] = {}
        self.neg_risk = neg_risk
        self.min_order_size = min_order_size
        self.last_trade_price = last_trade_price
        self.at_ms = START_MS

    def levels(self, asset: str) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
        """Return bids rising and asks falling, the way the venue orders them."""
        if asset == YES:
            bids, asks = self.bids, self.asks
        else:
            bids = {1 - price: size for price, size in self.asks.items()}
            asks = {1 - price: size for price, size in self.bids.items()}
        return (
            [{"price": text(p), "size": text(bids[p])} for p in sorted(bids)],
            [{"price": text(p), "size": text(asks[p])} for p in sorted(asks, reverse=True)],
        )

    def hash(self, asset: str) -> str:
        """Return the venue's hash of a book now."""
        bids, asks = self.levels(asset)
        whole = {
            "market": CONDITION,
            "asset_id": asset,
            "timestamp": str(self.at_ms),
            "hash": "",
            "bids": bids,
            "asks": asks,
            "min_order_size": self.min_order_size,
            "tick_size": "0.01",
            "neg_risk": self.neg_risk,
            "last_trade_price": self.last_trade_price,
        }
        return hashlib.sha1(json.dumps(whole, separators=(",", ":")).encode(), usedforsecurity=False).hexdigest()

    def best(self, asset: str) -> tuple[str, str]:
        """Return best bid and best ask as text, "0" and "1" for none."""
        bids, asks = self.levels(asset)
        return (bids[-1]["price"] if bids else "0"), (asks[-1]["price"] if asks else "1")

    def book(self, asset: str) -> dict[str, Any]:
        """Return an opening book message."""
        bids, asks = self.levels(asset)
        return {
            "event_type": "book",
            "market": CONDITION,
            "asset_id": asset,
            "timestamp": str(self.at_ms),
            "hash": self.hash(asset),
            "bids": bids,
            "asks": asks,
            "tick_size": "0.01",
            "last_trade_price": self.last_trade_price,
        }

    def set(self, price: str, size: str, *, bid: bool) -> None:
        """Change one level of YES."""
        side = self.bids if bid else self.asks
        side.pop(Decimal(price), None)
        if Decimal(size):
            side[Decimal(price)] = Decimal(size)

    def change(self, price: str, size: str, *, bid: bool) -> dict[str, Any]:
        """Change one level and return the message, both halves of it."""
        self.at_ms += 1
        self.set(price, size, bid=bid)
        return {
            "event_type": "price_change",
            "market": CONDITION,
            "timestamp": str(self.at_ms),
            "price_changes": [
                self._half(YES, price, size, "BUY" if bid else "SELL"),
                self._half(NO, text(1 - Decimal(price)), size, "SELL" if bid else "BUY"),
            ],
        }

    def _half(self, asset: str, price: str, size: str, side: str) -> dict[str, str]:
        best_bid, best_ask = self.best(asset)
        return {
            "asset_id": asset,
            "price": price,
            "size": size,
            "side": side,
            "hash": self.hash(asset),
            "best_bid": best_bid,
            "best_ask": best_ask,
        }

    def trade(self, price: str, size: str = "1") -> dict[str, Any]:
        """Return a trade; its price is the last one from now on."""
        self.last_trade_price = price
        return {
            "event_type": "last_trade_price",
            "market": CONDITION,
            "asset_id": YES,
            "price": price,
            "size": size,
            "side": "BUY",
            "timestamp": str(self.at_ms),
        }


def text(number: Decimal) -> str:
    """Return the shortest plain decimal."""
    shown = f"{number:f}"
    return shown.rstrip("0").rstrip(".") if "." in shown else shown


def lines(path: Path, rows: Iterable[Any]) -> Path:
    """Write one line a row: text as it is, anything else as JSON; gzip by the name."""
    body = "".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows).encode()
    path.write_bytes(gzip.compress(body, mtime=0) if path.suffix == ".gz" else body)
    return path


def session(path: Path, changes: int = 3) -> Path:
    """Write a small session of frames: two opening books, changes, a trade, and what else a channel carries."""
    venue = Venue()
    venue.set("0.48", "100", bid=True)
    venue.set("0.52", "70.5", bid=False)
    rows: list[Any] = ["PONG", [venue.book(YES), venue.book(NO)], [], ""]
    rows += [venue.change(f"0.4{index % 10}", str(10 + index), bid=True) for index in range(changes)]
    rows += [venue.trade("0.52")]
    return lines(path, rows)


def parquet(path: Path, columns: dict[str, list[Any]], **types: Any) -> Path:
    """Write a Parquet file; `types` names Arrow types of columns."""
    pa = pytest.importorskip("pyarrow", reason="the data extra is not installed")
    pq = pytest.importorskip("pyarrow.parquet")
    arrays = {name: pa.array(values, type=types.get(name)) for name, values in columns.items()}
    pq.write_table(pa.table(arrays), path)
    return path


def ticks(path: Path, rows: Iterable[tuple[int, str, str, float, float, float, float]]) -> Path:
    """Write a tick stream: (ms after the start, asset, side or "TRADE BID", price, size, best bid, best ask)."""
    pa = pytest.importorskip("pyarrow", reason="the data extra is not installed")
    listed = list(rows)
    return parquet(
        path,
        {
            "timestamp": [START_MS + row[0] for row in listed],
            "price": [row[3] for row in listed],
            "size": [row[4] for row in listed],
            "best_bid": [row[5] for row in listed],
            "best_ask": [row[6] for row in listed],
            "side": [row[2].split()[-1] for row in listed],
            "event_type": ["LAST_TRADE" if row[2].startswith("TRADE") else "PRICE_CHANGE" for row in listed],
            "asset_id": [row[1] for row in listed],
        },
        timestamp=pa.timestamp("ms", tz="UTC"),
    )


def both(at: int, price: float, size: float, best_bid: float, best_ask: float) -> list[Any]:
    """Return a bid for YES and its mirror."""
    mirror = (1 - Decimal(str(each)) for each in (price, best_ask, best_bid))
    no_price, no_bid, no_ask = (float(each) for each in mirror)
    return [
        (at, YES, "BID", price, size, best_bid, best_ask),
        (at, NO, "ASK", no_price, size, no_bid, no_ask),
    ]


def ask(at: int, price: float, size: float, best_bid: float, best_ask: float) -> list[Any]:
    """Return an ask of YES and its mirror."""
    one, other = both(at, price, size, best_bid, best_ask)
    return [(*one[:2], "ASK", *one[3:]), (*other[:2], "BID", *other[3:])]
