"""Signed amounts as the venue reads them: price, size, accuracy and fees. Whole base units, no floats.

An order signs how much it makes (gives) and how much it takes (wants). A limit order's ratio is exactly a price on
the grid. A FOK or FAK buy signs collateral and a number of shares rounded to few decimals, so its ratio lies beside
the grid: its limit is the last grid price within the ratio, and a ratio that no rounding explains is off the grid.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from polymarket_agent.domain.book import Side
from polymarket_agent.domain.market import FeeSchedule
from polymarket_agent.domain.money import LOT, MICRO, Price, Shares, ceil_div, decimal_text
from polymarket_agent.sandbox.model import OrderEntry, OrderType
from polymarket_agent.sandbox.policy import FeeRounding

__all__ = ["MARKET_TYPES", "Terms", "accuracy_error", "ratio_text", "taker_fee", "terms_of"]

MARKET_TYPES = (OrderType.FOK, OrderType.FAK)

FEE_UNIT = 10  # fees are whole 0.00001 USDC

# Collateral decimals of limit orders by tick size (wire specification 4.9).
_AMOUNT_DECIMALS = {100_000: 3, 10_000: 4, 5_000: 5, 2_500: 6, 1_000: 5, 100: 6}


class Terms(NamedTuple):
    """What an order asks for: a limit on the grid, shares, and collateral where it aims at that (0 else)."""

    price: Price
    quantity: Shares
    budget: int


def terms_of(entry: OrderEntry, tick_size: int) -> Terms | None:
    """Return an order's terms, or None when its price breaks the tick size rule."""
    buying = entry.side is Side.BUY
    collateral, quantity = (
        (entry.maker_amount, entry.taker_amount) if buying else (entry.taker_amount, entry.maker_amount)
    )
    if quantity <= 0:
        return None
    if entry.order_type in MARKET_TYPES:
        price = _market_price(collateral, quantity, tick_size, buying=buying)
        budget = collateral if buying else 0
    else:
        price, rest = divmod(collateral * MICRO, quantity)
        if rest or price % tick_size:
            return None
        budget = 0
    if not tick_size <= price <= MICRO - tick_size:
        return None
    return Terms(Price(price), Shares(quantity), budget)


def _market_price(collateral: int, quantity: int, tick_size: int, *, buying: bool) -> int:
    """Return the limit of a FOK or FAK order; 0 when its ratio is off the grid by more than rounding to 0.01.

    An official client that rounded the wanted shares up signs a ratio just below its limit; it then matches one
    tick lower only (py-sdk #291), so the limit is never rounded in the order's favour.
    """
    exact = collateral * MICRO
    limit = exact // (quantity * tick_size) * tick_size if buying else ceil_div(exact, quantity * tick_size) * tick_size
    step = tick_size if buying else -tick_size
    for price in (limit, limit + step):
        # A buy rounds the shares it wants to 0.01 or finer, a sale floors the collateral it wants.
        rounding = LOT * price if buying else 10 ** (6 - _AMOUNT_DECIMALS[tick_size]) * MICRO
        if price > 0 and abs(exact - price * quantity) < rounding:
            return limit
    return 0


def ratio_text(entry: OrderEntry) -> str:
    """Return the price that an order's amounts imply, to six decimals, as refusals quote it."""
    buying = entry.side is Side.BUY
    collateral, quantity = (
        (entry.maker_amount, entry.taker_amount) if buying else (entry.taker_amount, entry.maker_amount)
    )
    return decimal_text(collateral * MICRO // quantity) if quantity > 0 else "0"


def accuracy_error(entry: OrderEntry, tick_size: int, flat_limit_decimals: int | None) -> str | None:
    """Return the venue's sentence about amounts with too many decimals, or None."""
    if entry.side is Side.BUY and entry.order_type in MARKET_TYPES:
        kind, making, taking = "market buy", 2, 4
    else:
        decimals = _AMOUNT_DECIMALS[tick_size] if flat_limit_decimals is None else flat_limit_decimals
        kind, making, taking = ("buy", decimals, 2) if entry.side is Side.BUY else ("sell", 2, decimals)
    if entry.maker_amount % 10 ** (6 - making) or entry.taker_amount % 10 ** (6 - taking):
        return (
            f"invalid amounts, the {kind} orders maker amount supports a max accuracy of {making} decimals, "
            f"taker amount a max of {taking} decimals"
        )
    return None


def taker_fee(parts: Iterable[tuple[int, int]], schedule: FeeSchedule, rounding: FeeRounding) -> int:
    """Return the fee for taking (price, quantity) parts, in micro-USDC, rounded once for all of them.

    fee = quantity * rate * (price * (1 - price)) ** exponent, in units of 0.00001 USDC.
    """
    if not schedule.rate:
        return 0
    exponent = schedule.exponent
    exact: int = sum(quantity * (price * (MICRO - price)) ** exponent for price, quantity in parts) * schedule.rate
    unit: int = MICRO ** (1 + 2 * exponent) * FEE_UNIT
    match rounding:
        case FeeRounding.UP:
            return ceil_div(exact, unit) * FEE_UNIT
        case FeeRounding.NEAREST:
            return (2 * exact + unit) // (2 * unit) * FEE_UNIT
        case FeeRounding.DOWN:
            return exact // unit * FEE_UNIT
