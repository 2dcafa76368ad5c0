"""What the venue says about an account besides orders and trades: balances, positions, cancels, flags. Pure."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from polymarket_agent.adapters.polymarket.account_rows import converted_row, order_id_of, seconds_of
from polymarket_agent.adapters.polymarket.answers import decoded
from polymarket_agent.adapters.polymarket.exact import Number, asset_id_of, condition_id_of, nearest_micro
from polymarket_agent.adapters.polymarket.outcomes import cleaned
from polymarket_agent.domain.money import Shares, Usdc
from polymarket_agent.domain.venue import AccountFlags, CancelOutcome, HeldPosition
from polymarket_agent.errors import VenueDataError

__all__ = [
    "AssetBalance",
    "parse_balance",
    "parse_cancel",
    "parse_closed_only",
    "parse_flags",
    "parse_positions",
    "parse_time",
    "parse_version",
]

_MOST_BASE_UNITS_DIGITS = 78  # of 2^256


class AssetBalance(NamedTuple):
    """What a wallet has of one asset and whom it lets take it, in base units."""

    balance: int
    allowances: dict[str, int]


class _Position(msgspec.Struct):
    token_id: str
    condition_id: str
    current_size: Number
    total_cost_usdc: Number
    redeemable: bool = False
    mergeable: bool = False


class _Paging(msgspec.Struct):
    has_more: bool
    next_cursor: str | None


class _Balance(msgspec.Struct):
    balance: str | int
    allowances: dict[str, str | int]


class _Cancelled(msgspec.Struct):
    canceled: list[str] | None
    not_canceled: dict[str, str] | None = None


class _Geoblock(msgspec.Struct):
    blocked: bool
    country: str | None = None


class _ClosedOnly(msgspec.Struct):
    closed_only: bool


class _Version(msgspec.Struct):
    version: int


def parse_balance(body: bytes | str) -> AssetBalance:
    """Return an answer of `/balance-allowance`.

    Raises:
        VenueDataError: malformed.
    """
    row = converted_row(decoded(body), _Balance)
    return AssetBalance(_base_units(row.balance), {who: _base_units(most) for who, most in row.allowances.items()})


def parse_positions(body: bytes | str) -> tuple[list[HeldPosition], str | None]:
    """Return a page of `/v2/positions` without empty positions, and the next cursor, None at the end.

    The data service writes JSON numbers and may lag, so its sizes are rounded to the micro-unit: they say what is
    held, not how much is owned to the last digit.

    Raises:
        VenueDataError: the page or one of its rows is malformed, or it does not say whether it is the last.
    """
    answer = decoded(body)
    if not isinstance(answer, dict) or not isinstance(answer.get("data"), list):
        raise VenueDataError("a page of positions holds no list")
    paging = converted_row(answer.get("pagination"), _Paging)
    if paging.has_more is not bool(paging.next_cursor):
        raise VenueDataError("a page of positions contradicts itself about a next page")
    held = [_position_of(converted_row(row, _Position)) for row in answer["data"]]
    return [each for each in held if each.quantity], paging.next_cursor or None


def parse_cancel(body: bytes | str) -> CancelOutcome:
    """Return the answer to a cancel of any kind.

    Raises:
        VenueDataError: malformed.
    """
    row = converted_row(decoded(body), _Cancelled)
    reasons = {order_id_of(each): cleaned(why) for each, why in (row.not_canceled or {}).items()}
    return CancelOutcome(canceled=tuple(map(order_id_of, row.canceled or ())), not_canceled=reasons)


def parse_time(body: bytes | str) -> int:
    """Return the answer of `/time` in milliseconds.

    Raises:
        VenueDataError: malformed.
    """
    answer = decoded(body)
    if isinstance(answer, bool) or not isinstance(answer, int | str) or not (seconds := seconds_of(answer)):
        raise VenueDataError("the venue's time is not in whole seconds since 1970")
    return seconds * 1000


def parse_version(body: bytes | str) -> int:
    """Return the version in which orders are signed, of `/version`.

    Raises:
        VenueDataError: malformed.
    """
    return converted_row(decoded(body), _Version).version


def parse_closed_only(body: bytes | str) -> bool:
    """Return whether the account may only reduce, of `/auth/ban-status/closed-only`.

    Raises:
        VenueDataError: malformed.
    """
    return converted_row(decoded(body), _ClosedOnly).closed_only


def parse_flags(closed_only: bytes | str, geoblock: bytes | str) -> AccountFlags:
    """Return what the two answers about an account and its place say.

    Raises:
        VenueDataError: one is malformed.
    """
    place = converted_row(decoded(geoblock), _Geoblock)
    country = cleaned(place.country or "")[:40]
    return AccountFlags(closed_only=parse_closed_only(closed_only), blocked=place.blocked, country=country)


def _base_units(amount: str | int) -> int:
    text = str(amount)
    if not (text.isascii() and text.isdigit()) or len(text) > _MOST_BASE_UNITS_DIGITS:
        raise VenueDataError(f"{cleaned(text)[:40]!r} is not a whole number of base units")
    return int(text)


def _position_of(row: _Position) -> HeldPosition:
    return HeldPosition(
        asset_id=asset_id_of(row.token_id),
        condition_id=condition_id_of(row.condition_id),
        quantity=Shares(nearest_micro(row.current_size)),
        cost=Usdc(nearest_micro(row.total_cost_usdc)),
        redeemable=row.redeemable,
        mergeable=row.mergeable,
    )
