"""Order books and prices as the venue writes them. Pure; written from the specification.

Both sides of a book have their best price last. An empty side counts as 0 below and 1 above, as in recorded answers.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from polymarket_agent.domain.levels import Level, Side
from polymarket_agent.domain.market import Market, ProtocolVersion
from polymarket_agent.domain.money import MICRO, decimal_text

__all__ = ["BookView", "book", "book_event", "last_price", "midpoint", "price", "spread"]


class BookView(NamedTuple):
    """A book of one asset at an instant: levels from the best on, and what the venue tells beside them."""

    market: Market
    asset_id: str
    bids: list[Level]
    asks: list[Level]
    at_ms: int
    hash: str
    last_trade_price: str

    @property
    def best_bid(self) -> int:
        """The highest buy in micro-USDC, 0 if there is none."""
        return self.bids[0].price if self.bids else 0

    @property
    def best_ask(self) -> int:
        """The lowest sell in micro-USDC, 1000000 if there is none."""
        return self.asks[0].price if self.asks else MICRO


def _levels(side: Iterable[Level]) -> list[dict[str, str]]:
    rows = [{"price": decimal_text(level.price), "size": decimal_text(level.size)} for level in side]
    rows.reverse()
    return rows


def book(view: BookView) -> dict[str, Any]:
    """Return the answer of GET /book; every number is text."""
    market = view.market
    answer: dict[str, Any] = {
        "market": market.condition_id,
        "asset_id": view.asset_id,
        "timestamp": str(view.at_ms),
        "hash": view.hash,
        "bids": _levels(view.bids),
        "asks": _levels(view.asks),
        "min_order_size": decimal_text(market.min_order_size),
        "tick_size": decimal_text(market.tick_size),
        "neg_risk": market.neg_risk,
        "last_trade_price": view.last_trade_price,
    }
    if market.version is ProtocolVersion.V2:
        answer["version"] = "v2"
    return answer


def book_event(view: BookView) -> dict[str, Any]:
    """Return a book as the market channel sends it: in the initial dump and after trades."""
    market = view.market
    event: dict[str, Any] = {
        "market": market.condition_id,
        "asset_id": view.asset_id,
        "timestamp": str(view.at_ms),
        "hash": view.hash,
        "bids": _levels(view.bids),
        "asks": _levels(view.asks),
        "tick_size": decimal_text(market.tick_size),
        "event_type": "book",
        "last_trade_price": view.last_trade_price,
    }
    if market.version is ProtocolVersion.V2:
        event["version"] = "v2"
    return event


def price(view: BookView, side: Side) -> str:
    """Return the best of a side of the book: BUY is the best bid, SELL the best ask."""
    return decimal_text(view.best_bid if side is Side.BUY else view.best_ask)


def midpoint(view: BookView) -> str:
    """Return the mean of the bests, exact to half a micro-unit's floor."""
    return decimal_text((view.best_bid + view.best_ask) // 2)


def spread(view: BookView) -> str:
    """Return best ask minus best bid."""
    return decimal_text(view.best_ask - view.best_bid)


def last_price(text: str, side: str) -> dict[str, str]:
    """Return the answer of GET /last-trade-price; an asset that never traded is 0.5 with no side."""
    return {"price": text or "0.5", "side": side if text else ""}
