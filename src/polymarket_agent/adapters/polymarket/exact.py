"""Numbers of the wire as exact micro-units: text of any form, JSON integers, JSON floats by their shortest text.

The venue writes "0.5", ".48", "0.50" and "100.00" for the same kind of number. The same few thousand texts
come again and again (on a recorded game 92 % of the sizes and all prices), so reading one is a dictionary
lookup; only a new text is taken apart. The dictionaries are bounded: a full one is emptied.
"""

from __future__ import annotations

import re
from decimal import ROUND_HALF_EVEN, Decimal

from polymarket_agent.domain.market import TICK_SIZES, AssetId, ConditionId
from polymarket_agent.domain.money import MICRO, PRICE_GRID, Price, Shares, shares
from polymarket_agent.errors import MoneyError, VenueDataError

__all__ = [
    "Memory",
    "Number",
    "Sizes",
    "asset_id_of",
    "condition_id_of",
    "micro_of",
    "nearest_micro",
    "price_of",
    "text_of",
    "tick_size_of",
]

Number = str | int | float

MAX_CACHED_PRICES = 32_768  # 9,999 prices, about three spellings each
MAX_CACHED_SIZES = 16_384
MAX_CACHED_IDS = 100_000

_WHOLE_DIGITS = 11  # 10^11 units are 10^17 micro-units, the most that money.py takes
_ASSET_ID_DIGITS = 78  # of 2^256
_SCALES: tuple[int, ...] = tuple(10 ** (6 - places) for places in range(7))
_DECIMAL = re.compile(r"(?:[0-9]{1,40}\.?[0-9]{0,40}|\.[0-9]{1,40})(?:[eE][+-]?[0-9]{1,2})?")
_CONDITION_ID = re.compile(r"0x(?:[0-9a-fA-F]{62}|[0-9a-fA-F]{64})")
_HEX_ID = re.compile(r"0x[0-9a-fA-F]{1,64}")


def text_of(number: Number) -> str:
    """Return the shortest text of a JSON number; text stays as it is."""
    return number if isinstance(number, str) else repr(number)


def micro_of(number: Number) -> int:
    """Return a number that is not negative in micro-units, exactly.

    Raises:
        VenueDataError: not a number, negative, not finite, finer than 0.000001, or absurdly large.
    """
    text = text_of(number)
    whole, _, part = text.partition(".")
    digits = whole + part
    if digits.isdigit() and digits.isascii() and len(part) <= 6 and len(whole) <= _WHOLE_DIGITS:
        return int(digits) * _SCALES[len(part)]
    if not _DECIMAL.fullmatch(text):
        raise VenueDataError(f"{text[:40]!r} is not an amount; expected digits such as 12.5")
    try:
        return shares(text)
    except MoneyError as error:
        raise VenueDataError(f"{text[:40]!r} is not an exact amount: {error}") from error


def price_of(number: Number) -> Price:
    """Return a price of the book: strictly between 0 and 1, on the 0.0001 grid.

    Raises:
        VenueDataError: any other number.
    """
    micro = micro_of(number)
    if not 0 < micro < MICRO or micro % PRICE_GRID:
        raise VenueDataError(f"a price of {text_of(number)[:40]} is not between 0 and 1 on the grid of 0.0001")
    return Price(micro)


def tick_size_of(number: Number) -> Price:
    """Return a price grid of the venue's closed set.

    Raises:
        VenueDataError: any other number.
    """
    micro = micro_of(number)
    if micro not in TICK_SIZES:
        raise VenueDataError(f"a tick size of {text_of(number)[:40]} is not one of the venue's")
    return Price(micro)


def nearest_micro(number: Number) -> int:
    """Return a number that is not negative in micro-units, rounded half to even: for statistics, never for money.

    Raises:
        VenueDataError: not a number, negative, not finite, or absurdly large.
    """
    text = text_of(number)
    if not _DECIMAL.fullmatch(text) or (value := Decimal(text)) >= 10**_WHOLE_DIGITS:
        raise VenueDataError(f"{text[:40]!r} is not an amount; expected digits such as 12.5")
    return int((value * MICRO).to_integral_value(ROUND_HALF_EVEN))


def asset_id_of(text: str) -> AssetId:
    """Return an asset id as a decimal string; the `0x…` form of the venue's command is turned into it.

    Raises:
        VenueDataError: neither form, or longer than 256 bits.
    """
    if not text:
        raise VenueDataError("an asset id is empty")
    if _HEX_ID.fullmatch(text):
        return AssetId(str(int(text, 16)))
    if not (text.isascii() and text.isdigit() and len(text) <= _ASSET_ID_DIGITS):
        raise VenueDataError("an asset id is not a decimal number of at most 256 bits", excerpt=text)
    return AssetId(text)


def condition_id_of(text: str) -> ConditionId:
    """Return a condition id: `0x` and 64 hex digits, or 62 as the second protocol writes it in places.

    Raises:
        VenueDataError: any other text.
    """
    if not _CONDITION_ID.fullmatch(text):
        raise VenueDataError("a condition id is not 0x and 62 or 64 hex digits", excerpt=text)
    return ConditionId(text)


class Sizes(dict[str, Shares]):
    """Text -> micro-shares; a new one is checked, a full cache is emptied."""

    def __missing__(self, text: str) -> Shares:
        found = Shares(micro_of(text))
        if len(self) >= MAX_CACHED_SIZES:
            self.clear()
        self[text] = found
        return found


class Memory:
    """Numbers and ids that were read and found good before.

    `prices` and `asset_ids` are plain dictionaries, which are quickest to look into; almost nothing is new to
    them. New sizes are common, so `sizes` learns by itself.
    """

    __slots__ = ("asset_ids", "prices", "sizes")

    def __init__(self) -> None:
        self.asset_ids: dict[str, AssetId] = {}
        self.prices: dict[str, Price] = {}
        self.sizes = Sizes()

    def price(self, text: str) -> Price:
        """Return `price_of(text)`, remembered."""
        found = self.prices.get(text)
        if found is None:
            found = price_of(text)
            if len(self.prices) >= MAX_CACHED_PRICES:
                self.prices.clear()
            self.prices[text] = found
        return found

    def asset_id(self, text: str) -> AssetId:
        """Return the one string object of an id, so that equal ids compare and hash at once.

        Raises:
            VenueDataError: not a decimal number of at most 256 bits.
        """
        found = self.asset_ids.get(text)
        if found is None:
            if not (text.isascii() and text.isdigit() and len(text) <= _ASSET_ID_DIGITS):
                raise VenueDataError("an asset id is not a decimal number of at most 256 bits", excerpt=text)
            if len(self.asset_ids) >= MAX_CACHED_IDS:
                self.asset_ids.clear()
            found = self.asset_ids[text] = AssetId(text)
        return found
