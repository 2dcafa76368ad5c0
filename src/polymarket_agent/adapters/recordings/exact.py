"""Numbers of a recording as exact micro-units, and the one exception for a row that cannot be believed."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from functools import lru_cache

from polymarket_agent.domain.money import MICRO, PRICE_GRID, Price, Shares, shares
from polymarket_agent.errors import MoneyError, RecordingError

__all__ = [
    "EARLIEST_MS",
    "LATEST_MS",
    "BadRowError",
    "Number",
    "Sides",
    "levels_of",
    "micro",
    "milliseconds",
    "trade_price_of",
]

Number = str | int | float
Sides = tuple[tuple[Price, Shares], ...]

# Milliseconds of the year 2001 and of 2286: outside, a "time" is in other units or damaged.
EARLIEST_MS = 10**12
LATEST_MS = 10**13


class BadRowError(RecordingError):
    """One row or line that is dropped and counted; the message is the reason, from a small closed set."""


def micro(value: Number) -> int:
    """Return a number in micro-units, a float by its shortest text.

    Raises:
        BadRowError: not a number, negative, finer than a micro-unit, or absurdly large.
    """
    if type(value) is str:
        whole, _, part = value.partition(".")
        if len(whole) <= 11 and len(part) <= 6 and whole.isdecimal() and value.isascii():
            if not part:
                return int(whole) * MICRO
            if part.isdecimal():
                return int(whole) * MICRO + int(part.ljust(6, "0"))
    try:
        amount = shares(Decimal(repr(value)) if isinstance(value, float) else value)
    except MoneyError:
        raise BadRowError("a number that is not an exact amount") from None
    if amount < 0:
        raise BadRowError("a negative number")
    return amount


@lru_cache(maxsize=20_000)
def _level_price(value: Number) -> Price:
    at = micro(value)
    if not 0 < at < MICRO or at % PRICE_GRID:
        raise BadRowError("a price that no book can have")
    return Price(at)


def levels_of(levels: Iterable[tuple[Number, Number]]) -> Sides:
    """Return one side of a book.

    Raises:
        BadRowError: a level that no book can have.
    """
    return tuple([(_level_price(price), Shares(micro(size))) for price, size in levels])


def trade_price_of(value: Number) -> Price:
    """Return the price of a trade: an average may lie between the steps of the grid.

    Raises:
        BadRowError: not strictly between 0 and 1.
    """
    at = micro(value)
    if not 0 < at < MICRO:
        raise BadRowError("a trade price that is not between 0 and 1")
    return Price(at)


def milliseconds(value: Number) -> int:
    """Return a time in whole milliseconds since 1970.

    Raises:
        BadRowError: not a whole number, or not in milliseconds.
    """
    try:
        at_ms = int(value)
    except (ValueError, OverflowError):
        raise BadRowError("a time that is not a number") from None
    if not EARLIEST_MS <= at_ms < LATEST_MS:
        raise BadRowError("a time that is not in milliseconds")
    return at_ms
