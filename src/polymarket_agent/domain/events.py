"""Everything that can happen, as one union.

Events are `msgspec.Struct`s and not dataclasses: a frozen dataclass costs eight times as much to build, and
there is one for every message of the venue. Times are whole milliseconds since 1970 UTC: `at_ms` is the
venue's, `received_ms` ours (0 in a recording that does not have it).
"""

from __future__ import annotations

import msgspec

from polymarket_agent.domain.market import AssetId, ConditionId, Market, MarketGroup
from polymarket_agent.domain.money import Price, Shares
from polymarket_agent.domain.order import Fill, Order
from polymarket_agent.domain.venue import Leg, OrderSnapshot

__all__ = [
    "BookDelta",
    "BookSnapshot",
    "Event",
    "Filled",
    "Gap",
    "GroupListed",
    "LevelChange",
    "MarketClosed",
    "MarketListed",
    "MarketResolved",
    "OrderUpdated",
    "TickSizeChange",
    "Timer",
    "TradePrint",
    "UserStream",
    "VenueLeg",
    "VenueOrder",
    "time_of",
]

# asset, is_bid, price, absolute new size (0 removes the level): a plain tuple, because it is the hot path.
LevelChange = tuple[AssetId, bool, Price, Shares]


class BookSnapshot(msgspec.Struct, frozen=True, gc=False):
    """The whole book of an asset, levels as (price, size) in any order.

    `synthetic` marks a book that nobody displayed: made from a daily close or a quote without sizes.
    """

    asset_id: AssetId
    bids: tuple[tuple[Price, Shares], ...]
    asks: tuple[tuple[Price, Shares], ...]
    at_ms: int
    received_ms: int = 0
    tick_size: Price | None = None
    synthetic: bool = False


class BookDelta(msgspec.Struct, frozen=True, gc=False):
    """Levels that changed in one message, both outcomes of a market together, to be applied as a whole."""

    changes: tuple[LevelChange, ...]
    at_ms: int
    received_ms: int = 0


class TradePrint(msgspec.Struct, frozen=True, gc=False):
    """A trade between others. `taker_buys` says whether the taker bought this asset; `key` tells copies apart."""

    asset_id: AssetId
    price: Price
    size: Shares
    taker_buys: bool
    at_ms: int
    received_ms: int = 0
    key: str = ""


class TickSizeChange(msgspec.Struct, frozen=True, gc=False):
    """The price grid of a market changed; orders that follow must fit the new one."""

    asset_id: AssetId
    tick_size: Price
    at_ms: int
    received_ms: int = 0


class MarketListed(msgspec.Struct, frozen=True):
    """A market became known, or what is known about it changed."""

    market: Market
    at_ms: int
    received_ms: int = 0


class GroupListed(msgspec.Struct, frozen=True):
    """A group of markets became known, or gained a member."""

    group: MarketGroup
    at_ms: int
    received_ms: int = 0


class MarketClosed(msgspec.Struct, frozen=True, gc=False):
    """A market takes no more orders; its answer is not known yet."""

    condition_id: ConditionId
    at_ms: int
    received_ms: int = 0


class MarketResolved(msgspec.Struct, frozen=True, gc=False):
    """The answer: micro-USDC a share for each outcome, in the market's order; (500000, 500000) is 50/50."""

    condition_id: ConditionId
    payouts: tuple[int, int]
    at_ms: int
    received_ms: int = 0


class Gap(msgspec.Struct, frozen=True, gc=False):
    """Messages of these assets may be missing: their books mean nothing until a snapshot. Empty means all."""

    asset_ids: tuple[AssetId, ...]
    reason: str
    at_ms: int
    received_ms: int = 0


class OrderUpdated(msgspec.Struct, frozen=True, gc=False):
    """One of our orders moved to another state, or shrank."""

    order: Order
    at_ms: int
    received_ms: int = 0


class Filled(msgspec.Struct, frozen=True, gc=False):
    """A part of one of our orders was matched."""

    fill: Fill
    at_ms: int
    received_ms: int = 0


class VenueOrder(msgspec.Struct, frozen=True, gc=False):
    """The venue says something about one of our wallet's orders. Evidence, not yet a move."""

    snapshot: OrderSnapshot
    at_ms: int
    received_ms: int = 0


class VenueLeg(msgspec.Struct, frozen=True, gc=False):
    """The venue says something about a fill of our wallet. The same leg comes again at every step of settlement."""

    leg: Leg
    at_ms: int
    received_ms: int = 0


class UserStream(msgspec.Struct, frozen=True, gc=False):
    """The channel of our orders came up (a new epoch begins) or was lost. What was said in between is not repeated."""

    up: bool
    epoch: int
    reason: str
    at_ms: int
    received_ms: int = 0


class Timer(msgspec.Struct, frozen=True, gc=False):
    """Time passed and nothing else happened."""

    at_ms: int
    received_ms: int = 0


Event = (
    BookSnapshot
    | BookDelta
    | TradePrint
    | TickSizeChange
    | MarketListed
    | GroupListed
    | MarketClosed
    | MarketResolved
    | Gap
    | OrderUpdated
    | Filled
    | VenueOrder
    | VenueLeg
    | UserStream
    | Timer
)


def time_of(event: Event) -> int:
    """Return when we learned of an event: `received_ms` where it is known, else the venue's time."""
    return event.received_ms or event.at_ms
