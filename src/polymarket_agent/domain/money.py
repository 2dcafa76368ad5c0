"""Exact amounts: the only bridge between text and whole micro-units (10⁻⁶).

`Usdc`, `Shares` and `Price` are integers of micro-units in memory, on disk and in signed orders alike,
which are the venue's own base units. Costs round up and proceeds round down, always against us.
"""

from __future__ import annotations

from decimal import Context, Decimal, Inexact, InvalidOperation
from typing import NewType

from polymarket_agent.errors import MoneyError

__all__ = [
    "LOT",
    "MICRO",
    "PRICE_GRID",
    "Price",
    "Shares",
    "Usdc",
    "ceil_div",
    "complement",
    "cost_rounded_up",
    "decimal_text",
    "display",
    "floor_to_lot",
    "price",
    "proceeds_rounded_down",
    "round_down_to_tick",
    "round_up_to_tick",
    "shares",
    "shares_for",
    "usdc",
]

Usdc = NewType("Usdc", int)
Shares = NewType("Shares", int)
Price = NewType("Price", int)

MICRO = 1_000_000
LOT = Shares(10_000)  # orders are whole hundredths of a share
PRICE_GRID = Price(100)  # 0.0001: every tick size of the venue is a multiple of it

# The largest amount we take from outside. A 64-bit column holds it with room for sums.
_MAX_MICRO = 10**17
_MAX_DIGITS = 12

# Raises instead of rounding, whatever the length of the number and the caller's own decimal context.
_EXACT = Context(prec=60, traps=[InvalidOperation, Inexact])


def usdc(amount: str | int | Decimal) -> Usdc:
    """Return `amount` dollars in micro-USDC.

    Raises:
        MoneyError: `amount` is finer than a micro-unit, not finite, not a number, or absurdly large.
    """
    return Usdc(_exact_micro(amount))


def shares(quantity: str | int | Decimal) -> Shares:
    """Return `quantity` shares in micro-shares.

    Raises:
        MoneyError: as `usdc`.
    """
    return Shares(_exact_micro(quantity))


def price(text: str | int | Decimal) -> Price:
    """Return a price in micro-USDC per share, strictly between 0 and 1.

    Raises:
        MoneyError: not exact, or outside (0, 1).
    """
    micro = _exact_micro(text)
    if not 0 < micro < MICRO:
        raise MoneyError(f"a price of {text} is not between 0 and 1; prices are USDC for a share that pays 0 or 1")
    return Price(micro)


def _exact_micro(value: str | int | Decimal) -> int:
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise MoneyError(f"{value!r} is a {type(value).__name__}; give an amount as text, int or Decimal")
    if isinstance(value, int):
        if abs(value) > _MAX_MICRO // MICRO:
            raise MoneyError(f"a whole number of {value.bit_length()} bits is larger than any amount here can be")
        return value * MICRO
    if isinstance(value, str) and ("_" in value or not value.isascii()):
        raise MoneyError(f"{_shown(value)} is not a number; write an amount such as 12.50")
    try:
        number = Decimal(value)
        if not number.is_finite():
            raise MoneyError(f"{_shown(value)} is not finite; write an amount such as 12.50")
        if number.adjusted() >= _MAX_DIGITS:
            raise MoneyError(f"{_shown(value)} is larger than any amount here can be")
        micro = int(_EXACT.to_integral_exact(_EXACT.scaleb(number, 6)))
    except Inexact as error:
        raise MoneyError(
            f"{_shown(value)} is finer than 0.000001; round it first, with a named rounding from money.py"
        ) from error
    except InvalidOperation as error:
        raise MoneyError(f"{_shown(value)} is not a number; write an amount such as 12.50") from error
    if abs(micro) > _MAX_MICRO:
        raise MoneyError(f"{_shown(value)} is larger than any amount here can be")
    return micro


def _shown(value: str | Decimal) -> str:
    return repr(str(value)[:60])


def decimal_text(micro: int) -> str:
    """Return micro-units as the shortest plain decimal, the way the venue writes it: 500000 -> "0.5"."""
    sign = "-" if micro < 0 else ""
    whole, part = divmod(abs(micro), MICRO)
    if not part:
        return f"{sign}{whole}"
    return f"{sign}{whole}.{part:06d}".rstrip("0")


def display(micro: int, places: int = 2) -> str:
    """Return micro-units for a person's eyes with `places` decimals, rounded half away from zero."""
    unit = 10 ** (6 - places)
    rounded = (abs(micro) + unit // 2) // unit
    whole, part = divmod(rounded, 10**places)
    sign = "-" if micro < 0 and rounded else ""
    return f"{sign}{whole:,}.{part:0{places}d}" if places else f"{sign}{whole:,}"


def ceil_div(numerator: int, denominator: int) -> int:
    """Return the quotient rounded up; exact for integers of any size."""
    return -(-numerator // denominator)


def cost_rounded_up(at: Price, quantity: Shares) -> Usdc:
    """Return what `quantity` costs at a price, in micro-USDC, rounded up."""
    return Usdc(ceil_div(at * quantity, MICRO))


def proceeds_rounded_down(at: Price, quantity: Shares) -> Usdc:
    """Return what selling `quantity` brings at a price before fees, in micro-USDC, rounded down."""
    return Usdc(at * quantity // MICRO)


def shares_for(amount: Usdc, at: Price) -> Shares:
    """Return how many micro-shares `amount` buys at a price, rounded down."""
    return Shares(amount * MICRO // at)


def floor_to_lot(quantity: Shares) -> Shares:
    """Return the largest whole number of lots (0.01 share) in `quantity`."""
    return Shares(quantity // LOT * LOT)


def round_down_to_tick(value: int, tick_size: Price) -> Price:
    """Return the nearest price on the grid that is not above `value`: what a buyer may bid."""
    return Price(value // tick_size * tick_size)


def round_up_to_tick(value: int, tick_size: Price) -> Price:
    """Return the nearest price on the grid that is not below `value`: what a seller may ask."""
    return Price(ceil_div(value, tick_size) * tick_size)


def complement(of: Price) -> Price:
    """Return the same claim's price seen from the other outcome: 1 - price."""
    return Price(MICRO - of)
