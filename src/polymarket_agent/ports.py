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
from polymarket_agent.domain.order import OrderId
from polymarket_agent.domain.venue import (
    AccountFlags,
    Balances,
    CancelOutcome,
    HeldPosition,
    Leg,
    OrderSnapshot,
    OrderTicket,
    SignedOrder,
    SubmitOutcome,
    VenueFacts,
    WalletIdentity,
)
from polymarket_agent.keys import ApiCredentials

__all__ = ["Clock", "EventFeed", "Interval", "MarketData", "MarketQuery", "PricePoint", "RateBudget", "VenueGateway"]


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


@dataclass(slots=True)
class RateBudget:
    """What the venue last said about our orders and cancels a second; None before it said anything."""

    remaining: int | None = None
    reset_s: float | None = None  # Unix time
    tier: str = ""
    warning: str = ""
    heard_ms: int = 0


class VenueGateway(Protocol):
    """One account at the venue. One object, one wallet, one API key.

    Reads raise `VenueError` (`VenueUnavailableError`, `RateLimitedError`, `VenueDataError`) and never return a part of
    an answer: a list is all of its pages or an error. `submit` raises nothing; it sends once and says what the answer
    proves. Cancels and reads do not wait behind a `submit`.
    """

    name: str
    identity: WalletIdentity
    budget: RateBudget

    @property
    def credentials(self) -> ApiCredentials:
        """The API credentials in use, for the channel of our own orders."""
        ...

    async def connect(self) -> VenueFacts:
        """Get API credentials (create or derive) and read the venue's order version and time.

        Raises:
            LiveLockedError: the venue signs orders in a version that we do not know, or refuses the key; says why.
            VenueError: it cannot be read.
        """
        ...

    def sign(self, ticket: OrderTicket, *, salt: int, timestamp_ms: int) -> SignedOrder:
        """Sign a ticket; no input or output. The same arguments give the same bytes."""
        ...

    async def submit(self, order: SignedOrder) -> SubmitOutcome:
        """POST an order once, with no retry and no redirect, and classify the answer."""
        ...

    async def cancel(self, order_ids: Sequence[OrderId]) -> CancelOutcome:
        """Ask for cancellations of some orders."""
        ...

    async def cancel_all(self) -> CancelOutcome:
        """Ask for the cancellation of every order of this API key."""
        ...

    async def order(self, order_id: OrderId) -> OrderSnapshot | None:
        """Return an order; None when the venue answers that it has no such active order. None alone proves nothing."""
        ...

    async def open_orders(self) -> Sequence[OrderSnapshot]:
        """Return all open orders of the wallet."""
        ...

    async def legs(self, since_s: int) -> Sequence[Leg]:
        """Return our part of every trade matched at or after a Unix second, oldest first."""
        ...

    async def balances(self, asset_ids: Sequence[AssetId]) -> Balances:
        """Return cash, allowances, and shares of these assets as the venue has them cached."""
        ...

    async def refresh_balances(self, asset_ids: Sequence[AssetId]) -> None:
        """Make the venue read the chain again for cash and these assets."""
        ...

    async def positions(self) -> Sequence[HeldPosition]:
        """Return everything that the wallet holds, by the data service, which may lag."""
        ...

    async def server_time_ms(self) -> int:
        """Return the venue's clock (whole seconds there)."""
        ...

    async def account_flags(self) -> AccountFlags:
        """Ask whether this account is closed-only and whether this place is blocked."""
        ...

    async def heartbeat(self) -> None:
        """Send one order heartbeat; the first one arms the venue's dead-man's switch."""
        ...

    async def aclose(self) -> None:
        """Let go of connections. May be called more than once."""
        ...
