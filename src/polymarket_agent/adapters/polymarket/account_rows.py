"""What the rows of all private lists have in common: pages, typed rows, ids, sides, prices, times. Pure."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from polymarket_agent.adapters.polymarket.answers import decoded, elements
from polymarket_agent.adapters.polymarket.exact import Number, nearest_micro, text_of
from polymarket_agent.adapters.polymarket.outcomes import cleaned
from polymarket_agent.domain.levels import Side
from polymarket_agent.domain.money import MICRO, Price
from polymarket_agent.domain.order import OrderId
from polymarket_agent.errors import VenueDataError

__all__ = [
    "END_CURSOR",
    "MAX_PAGES",
    "Cursors",
    "converted_row",
    "order_id_of",
    "rows_and_cursor",
    "seconds_of",
    "share_price",
    "side_of",
]

T = TypeVar("T")

END_CURSOR = "LTE="
MAX_PAGES = 500

_LATEST_S = 10**10


class Cursors:
    """Follows the cursors of one list to its end: at most 500 pages, none twice."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._seen: set[str] = set()

    def after(self, cursor: str) -> str:
        """Return the cursor of the next page to ask for.

        Raises:
            VenueDataError: it was there before, or the list has more than 500 pages.
        """
        if cursor in self._seen:
            raise VenueDataError(f"the list of {self._what} leads back to a page that was read already", excerpt=cursor)
        self._seen.add(cursor)
        if len(self._seen) >= MAX_PAGES:
            raise VenueDataError(f"the list of {self._what} has more than {MAX_PAGES} pages")
        return cursor


def converted_row(found: object, kind: type[T]) -> T:
    """Return a decoded row as a typed one.

    Raises:
        VenueDataError: a field is missing or has a wrong type.
    """
    try:
        return msgspec.convert(found, kind)
    except msgspec.ValidationError as error:
        raise VenueDataError(f"a row of the account is malformed: {error}") from error


def order_id_of(text: str) -> OrderId:
    """Return an order id in lower case.

    Raises:
        VenueDataError: empty, too long, or with characters that no id has.
    """
    if not 0 < len(text) <= 128 or not text.isascii() or not text.isalnum():
        raise VenueDataError("an order id is not 0x and hex digits", excerpt=cleaned(text))
    return OrderId(text.lower())


def side_of(text: str) -> Side:
    """Return BUY or SELL.

    Raises:
        VenueDataError: any other word.
    """
    if text not in ("BUY", "SELL"):
        raise VenueDataError(f"a side of {cleaned(text)[:20]!r} is neither BUY nor SELL")
    return Side(text)


def share_price(number: Number) -> Price:
    """Return a price strictly between 0 and 1, rounded to the micro-unit: an average may have more decimals.

    Raises:
        VenueDataError: not such a number.
    """
    micro = nearest_micro(number)
    if not 0 < micro < MICRO:
        raise VenueDataError(f"a price of {text_of(number)[:40]} is not between 0 and 1")
    return Price(micro)


def seconds_of(number: Number | None) -> int:
    """Return Unix seconds; 0 where nothing is said.

    Raises:
        VenueDataError: a text that is no whole number of seconds.
    """
    text = "" if number is None else text_of(number)
    if not text:
        return 0
    if not (text.isascii() and text.isdigit()) or len(text) > 11 or int(text) >= _LATEST_S:
        raise VenueDataError(f"a time of {cleaned(text)[:40]} is not in whole seconds since 1970")
    return int(text)


def rows_and_cursor(body: bytes | str) -> tuple[list[Any], str | None]:
    """Return the rows of a page of the CLOB and the cursor of the next one, None at the end.

    Raises:
        VenueDataError: no page.
    """
    answer = decoded(body)
    if isinstance(answer, dict) and "data" not in answer:
        raise VenueDataError("a page of the account holds no data", excerpt=cleaned(str(sorted(answer))))
    cursor = answer.get("next_cursor") if isinstance(answer, dict) else None
    if cursor is not None and (not isinstance(cursor, str) or not cursor):
        raise VenueDataError("the cursor of a page of the account is no text")
    return elements(answer, "data"), None if cursor == END_CURSOR else cursor
