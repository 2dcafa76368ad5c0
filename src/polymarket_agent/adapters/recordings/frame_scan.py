"""Telling frames apart: wrapped ones, those of other channels, and what they say about their markets."""

from __future__ import annotations

import msgspec

from polymarket_agent.adapters.polymarket.exact import tick_size_of
from polymarket_agent.adapters.polymarket.wire import (
    WireBestBidAsk,
    WireBook,
    WireMessage,
    WirePriceChange,
    WireResolved,
    WireTickSize,
    WireTrade,
    WireUnknown,
    decode_messages,
)
from polymarket_agent.domain.money import Price
from polymarket_agent.errors import VenueDataError

__all__ = ["Sight", "look", "other_type", "unwrapped"]


class _Envelope(msgspec.Struct, gc=False):
    """What tells a line that is no market-channel frame: a wrapped message, a real-time-data or a user frame."""

    message: msgspec.Raw = msgspec.Raw()
    fixture: str | None = None
    topic: str | None = None
    event_type: str | None = None
    type: str | None = None
    id: msgspec.Raw = msgspec.Raw()
    status: str | None = None


class _NewMarket(msgspec.Struct, gc=False):
    market: str
    assets_ids: list[str]
    question: str = ""
    outcomes: list[str] = []
    order_price_min_tick_size: str | float | None = None


_envelope = msgspec.json.Decoder(_Envelope)
_new_market = msgspec.json.Decoder(_NewMarket)


def other_type(line: bytes) -> str | None:
    """Return the name of a message that belongs to another channel, or None for a line that belongs to none."""
    try:
        envelope = _envelope.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    if envelope.topic:
        return f"{envelope.topic}:{envelope.type or 'message'}"
    if bytes(envelope.id) and envelope.status is not None and envelope.event_type is None:
        return "trade"  # of the user channel, from before it had types
    return None


def unwrapped(line: bytes) -> bytes:
    """Return the message inside a {"fixture", "message"} line; any other line as it is."""
    if b'"message"' not in line:
        return line
    try:
        envelope = _envelope.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return line
    if not bytes(envelope.message) or envelope.event_type is not None:
        return line
    return bytes(envelope.message)


class Sight:
    """What a pass over the frames tells about one market: its assets in order, and details of its listing."""

    __slots__ = ("assets", "labels", "neg_risk", "question", "tick_size")

    def __init__(self) -> None:
        self.assets: dict[str, None] = {}
        self.labels: tuple[str, ...] = ()
        self.question = ""
        self.tick_size: Price | None = None
        self.neg_risk = False

    def see(self, message: WireMessage) -> None:
        """Take in a message of this market."""
        match message:
            case WireBook():
                self.assets.setdefault(message.asset_id)
                if message.tick_size and self.tick_size is None:
                    self.tick_size = tick_size_of(message.tick_size)
                self.neg_risk = self.neg_risk or bool(message.neg_risk)
            case WirePriceChange():
                for entry in message.entries:
                    self.assets.setdefault(entry.asset_id)
            case WireTrade() | WireBestBidAsk() | WireTickSize():
                self.assets.setdefault(message.asset_id)
            case WireResolved() if message.assets_ids:
                self.name(message.assets_ids)
            case _:
                pass

    def name(self, assets: list[str]) -> None:
        """Take over the venue's order of the outcomes."""
        self.assets = {**dict.fromkeys(assets), **self.assets}


def look(line: bytes, sights: dict[str, Sight]) -> None:
    """Take in what a frame says about markets; one that cannot be read says nothing."""
    try:
        for message in decode_messages(line):
            if not isinstance(message, WireUnknown):
                sights.setdefault(message.market, Sight()).see(message)
        if b'"new_market"' in line:
            _look_at_listing(_new_market.decode(line), sights)
    except (msgspec.MsgspecError, UnicodeDecodeError, VenueDataError):
        return


def _look_at_listing(listing: _NewMarket, sights: dict[str, Sight]) -> None:
    sight = sights.setdefault(listing.market, Sight())
    sight.name(listing.assets_ids)
    sight.question, sight.labels = listing.question, tuple(listing.outcomes[:2])
    if listing.order_price_min_tick_size:
        sight.tick_size = tick_size_of(listing.order_price_min_tick_size)
