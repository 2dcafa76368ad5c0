"""The venue's market-channel messages as it sends them: typed, with its own claims, nothing concluded.

`decode_messages` is for whoever checks the venue (hashes, best prices); trading uses `parse.py`. Numbers are text,
letter for letter as they came: the venue writes most of them as strings, and a JSON number is taken by its text.
Fields that nobody reads are skipped by the decoder.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

from polymarket_agent.errors import VenueDataError

__all__ = [
    "PONG",
    "WireBestBidAsk",
    "WireBook",
    "WireChange",
    "WireLevel",
    "WireMessage",
    "WireNewMarket",
    "WirePriceChange",
    "WireResolved",
    "WireTickSize",
    "WireTrade",
    "WireUnknown",
    "decode_messages",
    "excerpt_of",
    "with_numbers_as_text",
]

PONG = "PONG"
EXCERPT_CHARS = 160


class _Tagged(msgspec.Struct, tag_field="event_type", gc=False):
    """What every message of the market channel may carry. `timestamp` is milliseconds, 0 when it is missing."""

    market: str = ""
    timestamp: int = 0


class WireLevel(msgspec.Struct, gc=False):
    """One level of a book."""

    price: str
    size: str


class WireChange(msgspec.Struct, gc=False):
    """One changed level with the venue's claims about the book after it."""

    price: str
    size: str
    side: str
    asset_id: str = ""
    hash: str = ""
    best_bid: str | None = None
    best_ask: str | None = None


class WireBook(_Tagged, tag="book", kw_only=True):
    """A whole book. A websocket book leaves `min_order_size` and `neg_risk` out, although its hash covers them."""

    asset_id: str
    bids: list[WireLevel]
    asks: list[WireLevel]
    hash: str = ""
    tick_size: str | None = None
    last_trade_price: str | None = None
    min_order_size: str | None = None
    neg_risk: bool | None = None


class WirePriceChange(_Tagged, tag="price_change", kw_only=True):
    """Changed levels, in any of the three shapes that the venue has used: flat, `changes`, `price_changes`."""

    price_changes: list[WireChange] | None = None
    changes: list[WireChange] | None = None
    asset_id: str = ""
    price: str | None = None
    size: str | None = None
    side: str = ""
    hash: str = ""

    @property
    def entries(self) -> list[WireChange]:
        """The changes in the newest shape, each with its asset; a hash of the message goes to its last change.

        Raises:
            VenueDataError: none of the three shapes.
        """
        if self.price_changes is not None:
            return self.price_changes
        if self.changes is not None:
            last = len(self.changes) - 1
            return [
                WireChange(c.price, c.size, c.side, self.asset_id, self.hash if index == last else "")
                for index, c in enumerate(self.changes)
            ]
        if self.price is None or self.size is None:
            raise VenueDataError("a price_change holds neither price_changes nor changes nor a price and a size")
        return [WireChange(self.price, self.size, self.side, self.asset_id, self.hash)]


class WireTrade(_Tagged, tag="last_trade_price", kw_only=True):
    """A trade; `side` is the taker's."""

    asset_id: str
    price: str
    side: str
    size: str | None = None
    transaction_hash: str | None = None


class WireTickSize(_Tagged, tag="tick_size_change", kw_only=True):
    """A new price grid."""

    asset_id: str
    new_tick_size: str


class WireBestBidAsk(_Tagged, tag="best_bid_ask", kw_only=True):
    """The venue's claim about the top of a book; 0 and 1 stand for none."""

    asset_id: str
    best_bid: str | None = None
    best_ask: str | None = None


class WireNewMarket(_Tagged, tag="new_market", kw_only=True):
    """A market was listed."""

    slug: str = ""


class WireResolved(_Tagged, tag="market_resolved", kw_only=True):
    """A market was answered."""

    assets_ids: list[str] | None = None
    winning_asset_id: str | None = None


class WireUnknown(msgspec.Struct, gc=False):
    """A message of a type that we do not know."""

    event_type: str


_Known = WireBook | WirePriceChange | WireTrade | WireTickSize | WireBestBidAsk | WireNewMarket | WireResolved
WireMessage = _Known | WireUnknown

# Not strict: a timestamp is a string of digits, and the decoder turns it into an integer on its way.
_decode_one = msgspec.json.Decoder(_Known, strict=False).decode
_decode_books = msgspec.json.Decoder(list[WireBook], strict=False).decode  # what a subscription opens with
_decode_many = msgspec.json.Decoder(list[_Known], strict=False).decode
_KNOWN_TYPES = frozenset(
    ("book", "price_change", "last_trade_price", "tick_size_change", "best_bid_ask", "new_market", "market_resolved")
)


def excerpt_of(raw: bytes | str) -> str:
    """Return the start of a frame as printable text."""
    text = raw[:EXCERPT_CHARS].decode("utf-8", "replace") if isinstance(raw, bytes) else raw[:EXCERPT_CHARS]
    return "".join(character if character.isprintable() else "?" for character in text)


def with_numbers_as_text(raw: bytes | str) -> Any:
    """Return decoded JSON in which every number stands as it was written.

    Raises:
        ValueError: not JSON.
        RecursionError: nested too deeply.
    """
    return json.loads(raw, parse_float=str, parse_int=str, parse_constant=str)


def decode_messages(raw: bytes | str) -> list[WireMessage]:
    """Return the messages of one frame: an object, an array of mixed objects, or nothing for `PONG` and `[]`.

    Raises:
        VenueDataError: the frame is not JSON, or a message of a known type lacks a field or has a wrong type in it.
    """
    start = raw[:64].lstrip()[:4]
    if start in (PONG, b"PONG") and raw.strip() in (PONG, b"PONG"):
        return []
    is_array = start[:1] in ("[", b"[")
    try:
        try:
            return _decode_array(raw) if is_array else [_decode_one(raw)]
        except msgspec.ValidationError:
            # A number that is no string, or a type that we do not know: slower, with every number as its text.
            found = with_numbers_as_text(raw)
            return [_message_of(each) for each in (found if is_array else [found])]
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise VenueDataError(
            f"a frame of the market channel cannot be read: {error}", excerpt=excerpt_of(raw)
        ) from error


def _decode_array(raw: bytes | str) -> list[WireMessage]:
    try:
        return list(_decode_books(raw))
    except msgspec.ValidationError:
        return list(_decode_many(raw))


def _message_of(found: Any) -> WireMessage:
    kind = found.get("event_type") if isinstance(found, dict) else None
    if isinstance(kind, str) and kind not in _KNOWN_TYPES:
        return WireUnknown(kind)
    message: WireMessage = msgspec.convert(found, _Known, strict=False)
    return message
