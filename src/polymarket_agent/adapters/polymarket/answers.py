"""Answers of the public HTTP endpoints other than listings: books, price histories, trades. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import msgspec

from polymarket_agent.adapters.polymarket.exact import Number, asset_id_of, micro_of, nearest_micro
from polymarket_agent.adapters.polymarket.parse import snapshot_of
from polymarket_agent.adapters.polymarket.wire import WireBook, WireLevel, excerpt_of, with_numbers_as_text
from polymarket_agent.domain.book import BookIdentity, book_hash
from polymarket_agent.domain.events import BookSnapshot, TradePrint
from polymarket_agent.domain.market import AssetId
from polymarket_agent.domain.money import MICRO, Price, Shares
from polymarket_agent.errors import VenueDataError
from polymarket_agent.ports import PricePoint

__all__ = [
    "Dropped",
    "claimed_hash_matches",
    "decoded",
    "each_of",
    "elements",
    "parse_book",
    "parse_books",
    "parse_price_history",
    "parse_public_trades",
    "time_ms",
]

# (place in the list, reason) of each element that was left out.
Dropped = list[tuple[int, str]]

T = TypeVar("T")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST_S = 10**10


class _Point(msgspec.Struct):
    t: int
    p: Number


class _PublicTrade(msgspec.Struct):
    asset: str
    side: str
    size: Number
    price: Number
    timestamp: int
    transactionHash: str = ""  # noqa: N815 - the venue's spelling


class _RestBook(WireBook, tag=False, kw_only=True):
    """A book of `/book`: as on the websocket, without a type name, and complete except on old recordings."""


_decode_book = msgspec.json.Decoder(_RestBook, strict=False).decode
_decode_raws = msgspec.json.Decoder(list[msgspec.Raw]).decode


def decoded(raw: object) -> Any:
    """Return JSON as plain values; anything that is no text is taken for decoded already.

    Raises:
        VenueDataError: not JSON.
    """
    if not isinstance(raw, bytes | str):
        return raw
    try:
        return msgspec.json.decode(raw)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise VenueDataError(f"an answer of the venue is not JSON: {error}", excerpt=excerpt_of(raw)) from error


def elements(answer: object, key: str) -> list[Any]:
    """Return the list that an answer is, or holds under `key`; a null one is empty.

    Raises:
        VenueDataError: neither.
    """
    found = answer
    if isinstance(answer, dict) and key in answer:
        found = [] if answer[key] is None else answer[key]
    if not isinstance(found, list):
        raise VenueDataError(f"an answer of the venue holds no list of {key}", excerpt=excerpt_of(str(found)))
    return found


def each_of(listed: Iterable[Any], parse: Callable[[Any], T]) -> tuple[list[T], Dropped]:
    """Return what could be parsed, and the place and reason of what could not."""
    good: list[T] = []
    dropped: Dropped = []
    for index, each in enumerate(listed):
        try:
            good.append(parse(each))
        except VenueDataError as error:
            dropped.append((index, str(error)))
    return good, dropped


def time_ms(text: str | None) -> int | None:
    """Return milliseconds since 1970 of a time such as 2026-06-08T00:00:00Z or 2026-06-08 00:00:16+00.

    Raises:
        VenueDataError: a text that is neither empty nor a time.
    """
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise VenueDataError(f"{text[:40]!r} is not a time") from error
    aware = found if found.tzinfo is not None else found.replace(tzinfo=UTC)
    return (aware - _EPOCH) // timedelta(milliseconds=1)


def parse_book(raw: bytes | str | msgspec.Raw, received_ms: int = 0) -> BookSnapshot:
    """Return the book of a `/book` answer.

    Raises:
        VenueDataError: malformed.
    """
    return snapshot_of(_wire_book(raw), received_ms)


def parse_books(raw: bytes | str, received_ms: int = 0) -> tuple[list[BookSnapshot], Dropped]:
    """Return the books of a `/books` answer: in the venue's order, without the assets that it does not know.

    Raises:
        VenueDataError: the answer as a whole is malformed.
    """
    try:
        listed = _decode_raws(raw)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise VenueDataError(f"an answer holds no list of books: {error}", excerpt=excerpt_of(raw)) from error
    return each_of(listed, lambda each: parse_book(each, received_ms))


def claimed_hash_matches(raw: bytes | str | msgspec.Raw) -> bool | None:
    """Whether a `/book` answer's hash is the hash of its own levels; None when it lacks what the hash covers.

    Raises:
        VenueDataError: malformed.
    """
    book = _wire_book(raw)
    if not book.hash or book.tick_size is None or book.min_order_size is None or book.neg_risk is None:
        return None
    identity = BookIdentity(
        book.market, book.min_order_size, book.tick_size, book.neg_risk, book.last_trade_price or ""
    )
    bids, asks = _levels(book.bids), _levels(book.asks)
    return book_hash(book.asset_id, str(book.timestamp), bids, asks, identity) == book.hash


def parse_price_history(raw: bytes | str) -> tuple[list[PricePoint], Dropped]:
    """Return the points of a `/prices-history` answer, oldest first; a price is rounded to the micro-unit.

    Raises:
        VenueDataError: the answer as a whole is malformed.
    """
    points, dropped = each_of(elements(decoded(raw), "history"), _point_of)
    points.sort(key=lambda point: point.at_ms)
    return points, dropped


def parse_public_trades(raw: bytes | str, received_ms: int = 0) -> tuple[list[TradePrint], Dropped]:
    """Return the trades of a data-API answer; their prices are averages and are rounded to the micro-unit.

    Raises:
        VenueDataError: the answer as a whole is malformed.
    """
    return each_of(elements(decoded(raw), "data"), lambda each: _trade_of(each, received_ms))


def _wire_book(raw: bytes | str | msgspec.Raw) -> WireBook:
    plain = raw if isinstance(raw, bytes | str) else bytes(raw)
    try:
        try:
            return _decode_book(plain)
        except msgspec.ValidationError:
            return msgspec.convert(with_numbers_as_text(plain), _RestBook, strict=False)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise VenueDataError(f"a book of the venue is malformed: {error}", excerpt=excerpt_of(plain)) from error


def _levels(levels: list[WireLevel]) -> Iterable[Any]:
    return [(micro_of(level.price), micro_of(level.size)) for level in levels]


def _converted(found: object, kind: type[T]) -> T:
    try:
        return msgspec.convert(found, kind)
    except msgspec.ValidationError as error:
        raise VenueDataError(f"an element of an answer is malformed: {error}") from error


def _seconds_to_ms(seconds: int) -> int:
    if not 0 < seconds < _LATEST_S:
        raise VenueDataError(f"a time of {seconds} is not in seconds since 1970")
    return seconds * 1000


def _inner_price(number: Number) -> Price:
    price = nearest_micro(number)
    if not 0 < price < MICRO:
        raise VenueDataError(f"a price of {number} is not between 0 and 1")
    return Price(price)


def _point_of(found: object) -> PricePoint:
    point = _converted(found, _Point)
    return PricePoint(_seconds_to_ms(point.t), _inner_price(point.p))


def _trade_of(found: object, received_ms: int) -> TradePrint:
    trade = _converted(found, _PublicTrade)
    if trade.side not in {"BUY", "SELL"}:
        raise VenueDataError(f"a side of {trade.side[:20]!r} is neither BUY nor SELL")
    asset_id: AssetId = asset_id_of(trade.asset)
    price, size = _inner_price(trade.price), Shares(micro_of(trade.size))
    key = f"{trade.transactionHash}:{asset_id}:{price}:{size}" if trade.transactionHash else ""
    return TradePrint(asset_id, price, size, trade.side == "BUY", _seconds_to_ms(trade.timestamp), received_ms, key)
