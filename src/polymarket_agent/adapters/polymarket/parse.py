"""The fast path: one raw frame of the market channel -> domain events, or VenueDataError and nothing at all.

Nineteen of twenty messages are a `price_change` of the newest shape. It is decoded at once into a struct of
exactly the fields that count; everything else takes the general path through `wire.py`. Both give equal
events: `tests/protocol/test_parse.py` holds them against each other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Literal, assert_never

import msgspec

from polymarket_agent.adapters.polymarket.exact import Memory, micro_of, tick_size_of
from polymarket_agent.adapters.polymarket.wire import (
    WireBestBidAsk,
    WireBook,
    WireLevel,
    WireMessage,
    WireNewMarket,
    WirePriceChange,
    WireResolved,
    WireTickSize,
    WireTrade,
    WireUnknown,
    decode_messages,
    excerpt_of,
)
from polymarket_agent.domain.events import (
    BookDelta,
    BookSnapshot,
    Event,
    MarketResolved,
    TickSizeChange,
    TradePrint,
)
from polymarket_agent.domain.market import AssetId, ConditionId
from polymarket_agent.domain.money import MICRO, Price, Shares
from polymarket_agent.errors import VenueDataError

__all__ = ["MarketChannelParser", "OutcomeIndex", "snapshot_of"]

# asset -> its market and its place among the market's outcomes (0 or 1).
OutcomeIndex = Mapping[AssetId, tuple[ConditionId, int]]

# Milliseconds of the years 2001 and 2286: a time outside them is in another unit, or damaged.
EARLIEST_MS = 10**12
LATEST_MS = 10**13


class _Change(msgspec.Struct, gc=False):
    asset_id: str
    price: str
    size: str
    side: Literal["BUY", "SELL"]


class _PriceChange(msgspec.Struct, tag="price_change", tag_field="event_type", gc=False):
    price_changes: list[_Change]
    timestamp: int


_decode_price_change = msgspec.json.Decoder(_PriceChange, strict=False).decode


class MarketChannelParser:
    """Turns frames into events and keeps count.

    Args:
        outcomes: where the winner named by `market_resolved` stands in its market. The caller fills it when
            markets are listed; a resolution of an unlisted market is dropped and counted.

    `counts` has messages by type (`pong` included), `dropped` has what was left out on purpose, by reason.
    Frames that raise are in `malformed`, and in neither of the others.
    """

    def __init__(self, outcomes: OutcomeIndex | None = None) -> None:
        self._outcomes: OutcomeIndex = {} if outcomes is None else outcomes
        self._memory = Memory()
        self._price_changes = 0
        self._others: Counter[str] = Counter()
        self.dropped: Counter[str] = Counter()
        self.malformed = 0

    @property
    def counts(self) -> Counter[str]:
        """Messages taken in, by the venue's type name."""
        return self._others + Counter({"price_change": self._price_changes})

    def parse(self, raw: bytes | str, received_ms: int) -> list[Event]:
        """Return the events of one frame, in its order; none for `PONG`, `[]`, and messages that change nothing.

        Raises:
            VenueDataError: the frame breaks the contract anywhere. Nothing of it counts then.
        """
        try:
            message = _decode_price_change(raw)
            at_ms = message.timestamp
            if EARLIEST_MS <= at_ms < LATEST_MS:
                memory = self._memory
                asset_ids, prices, sizes = memory.asset_ids, memory.prices, memory.sizes
                changes = []
                for change in message.price_changes:
                    # Not a comprehension: in Python 3.11 that is a call, and this is the hot path.
                    changes.append(  # noqa: PERF401
                        (asset_ids[change.asset_id], change.side == "BUY", prices[change.price], sizes[change.size])
                    )
                self._price_changes += 1
                return [BookDelta(tuple(changes), at_ms, received_ms)] if changes else []
        except (msgspec.MsgspecError, ValueError, LookupError, RecursionError, VenueDataError):
            pass  # another type or shape, a price not seen before, or malformed: the general path says which
        return self._parse_any(raw, received_ms)

    def _parse_any(self, raw: bytes | str, received_ms: int) -> list[Event]:
        try:
            messages = decode_messages(raw)
            events = [self._event_of(message, received_ms) for message in messages]
        except VenueDataError as error:
            self.malformed += 1
            error.excerpt = error.excerpt or excerpt_of(raw)
            raise
        # Counted only here, where nothing can raise any more.
        for message, event in zip(messages, events, strict=True):
            self._count(message)
            if isinstance(event, str):
                self.dropped[event] += 1
        if not messages and raw[:64].strip()[:1] not in ("[", b"["):
            self._others["pong"] += 1
        return [event for event in events if event is not None and not isinstance(event, str)]

    def _count(self, message: WireMessage) -> None:
        if isinstance(message, WirePriceChange):
            self._price_changes += 1
        elif isinstance(message, WireUnknown):
            self._others["unknown"] += 1
        else:
            self._others[str(message.__struct_config__.tag)] += 1

    def _event_of(self, message: WireMessage, received_ms: int) -> Event | str | None:
        """Return the event, the reason why there is none, or None where none is expected."""
        match message:
            case WireBook():
                return snapshot_of(message, received_ms, self._memory)
            case WirePriceChange():
                return self._delta_of(message, received_ms)
            case WireTrade():
                return self._trade_of(message, received_ms)
            case WireTickSize():
                at_ms = _time_of(message.timestamp, received_ms)
                return TickSizeChange(
                    self._memory.asset_id(message.asset_id), tick_size_of(message.new_tick_size), at_ms, received_ms
                )
            case WireResolved():
                return self._resolution_of(message, received_ms)
            case WireBestBidAsk() | WireNewMarket():
                return None
            case WireUnknown():
                return "a message of an unknown type"
            case _:
                assert_never(message)

    def _delta_of(self, message: WirePriceChange, received_ms: int) -> Event | None:
        memory = self._memory
        changes = tuple(
            (memory.asset_id(c.asset_id), _is_buy(c.side), memory.price(c.price), memory.sizes[c.size])
            for c in message.entries
        )
        at_ms = _time_of(message.timestamp, received_ms)
        return BookDelta(changes, at_ms, received_ms) if changes else None

    def _trade_of(self, message: WireTrade, received_ms: int) -> Event | str:
        asset_id = self._memory.asset_id(message.asset_id)
        taker_buys = _is_buy(message.side)
        price = micro_of(message.price)  # an average over several makers may lie between the steps of the grid
        if not 0 < price < MICRO:
            raise VenueDataError(f"a trade at {message.price} is not between 0 and 1")
        at_ms = _time_of(message.timestamp, received_ms)
        if message.size is None:
            return "a trade without a size"
        size = self._memory.sizes[message.size]
        if not size:
            return "a trade of nothing"
        transaction = message.transaction_hash
        # One transaction may hold several trades of an asset; a copy of a frame is equal in all of these.
        key = f"{transaction}:{asset_id}:{price}:{size}" if transaction else ""
        return TradePrint(asset_id, Price(price), size, taker_buys, at_ms, received_ms, key)

    def _resolution_of(self, message: WireResolved, received_ms: int) -> Event | str:
        at_ms = _time_of(message.timestamp, received_ms)
        if not message.winning_asset_id:
            return "a resolution without a winner"
        winner = self._memory.asset_id(message.winning_asset_id)
        if message.assets_ids and winner not in message.assets_ids:
            raise VenueDataError("a market is resolved to an asset that it does not have", excerpt=winner)
        known = self._outcomes.get(winner)
        if known is None:
            return "a resolution of a market that is not listed"
        condition_id, index = known
        return MarketResolved(condition_id, (0, MICRO) if index else (MICRO, 0), at_ms, received_ms)


def snapshot_of(message: WireBook, received_ms: int, memory: Memory | None = None) -> BookSnapshot:
    """Return the snapshot that a book message holds; a parser's memory makes it faster.

    Raises:
        VenueDataError: a level, a time or a tick size that cannot be, or a price that stands twice on one side.
    """
    memory = Memory() if memory is None else memory
    return BookSnapshot(
        memory.asset_id(message.asset_id),
        _side_of(message.bids, memory),
        _side_of(message.asks, memory),
        _time_of(message.timestamp, received_ms),
        received_ms,
        tick_size_of(message.tick_size) if message.tick_size else None,
    )


def _side_of(levels: list[WireLevel], memory: Memory) -> tuple[tuple[Price, Shares], ...]:
    prices, sizes = memory.prices, memory.sizes
    try:
        side = {prices[level.price]: sizes[level.size] for level in levels}
    except KeyError:
        side = {memory.price(level.price): sizes[level.size] for level in levels}
    if len(side) != len(levels):
        raise VenueDataError("a book has two levels at one price on one side")
    return tuple(side.items())


def _is_buy(side: str) -> bool:
    """Whether a side is BUY, in either case.

    Raises:
        VenueDataError: neither BUY nor SELL.
    """
    upper = side.upper()
    if upper not in {"BUY", "SELL"}:
        raise VenueDataError(f"a side of {side[:20]!r} is neither BUY nor SELL")
    return upper == "BUY"


def _time_of(timestamp: int, received_ms: int) -> int:
    """Return the venue's time in milliseconds, ours where it has sent none.

    Raises:
        VenueDataError: a time that is not in milliseconds.
    """
    if not timestamp:
        return received_ms
    if not EARLIEST_MS <= timestamp < LATEST_MS:
        raise VenueDataError(f"a timestamp of {timestamp} is not in milliseconds since 1970")
    return timestamp
