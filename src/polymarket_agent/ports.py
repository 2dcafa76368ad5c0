"""What the agent needs from outside, in its own words. Adapters implement these."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import NamedTuple, Protocol

from polymarket_agent.domain.book import OrderBook
from polymarket_agent.domain.events import Event
from polymarket_agent.domain.market import AssetId, Market
from polymarket_agent.domain.money import Price

__all__ = ["Clock", "EventFeed", "Interval", "MarketData", "MarketQuery", "PricePoint"]


class Clock(Protocol):
    """The only reader of wall time."""

    def now(self) -> datetime:
        """Return the time, aware, UTC."""
        ...

    def now_ms(self) -> int:
        """Return the time in whole milliseconds since 1970 UTC."""
        ...


class EventFeed(Protocol):
    """A stream of events in the order in which they are to be believed.

    `streaming` says that silence means "no change" while the feed lives (a websocket); otherwise a book is only
    as fresh as its last snapshot (polling, a recording of polled books). `replayed` says that the events carry
    the time and that nothing happens between them.
    """

    name: str
    streaming: bool
    replayed: bool

    def events(self) -> AsyncIterator[Event]:
        """Yield events until shutdown or the end of the recording."""
        ...

    async def aclose(self) -> None:
        """Let go of connections and files. May be called more than once."""
        ...


class Interval(Enum):
    """How far back a price history goes; the values are the venue's own words (`1m` is one month)."""

    HOUR = "1h"
    SIX_HOURS = "6h"
    DAY = "1d"
    WEEK = "1w"
    MONTH = "1m"
    MAX = "max"


class PricePoint(NamedTuple):
    """One price of a history. The venue does not say whether it is a mid or a last trade."""

    at_ms: int
    price: Price


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketQuery:
    """Which markets are wanted. `text` searches; `limit` bounds the answer; `slugs` and `condition_ids` name some."""

    text: str = ""
    slugs: tuple[str, ...] = ()
    condition_ids: tuple[str, ...] = ()
    open_only: bool = True
    limit: int = 20


class MarketData(Protocol):
    """Public reads: no wallet, no key."""

    async def markets(self, query: MarketQuery) -> Sequence[Market]:
        """Return the markets of a query, most traded first; a malformed one is counted and left out."""
        ...

    async def order_book(self, asset_id: AssetId) -> OrderBook:
        """Return the book of an asset."""
        ...

    async def price_history(self, asset_id: AssetId, interval: Interval) -> Sequence[PricePoint]:
        """Return past prices, oldest first."""
        ...

    async def aclose(self) -> None:
        """Let go of connections. May be called more than once."""
        ...
