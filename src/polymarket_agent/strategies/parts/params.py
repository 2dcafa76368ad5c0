"""Checks of what a strategy is built with. An error names the param, the value and what is allowed."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from polymarket_agent.domain.money import MICRO

__all__ = ["Number", "micro", "number", "ordered", "whole"]

Number = int | float | str


def number(name: str, value: Number, low: float, high: float) -> float:
    """Return a finite number in [low, high].

    Raises:
        ValueError: it is none.
    """
    return float(_exact(name, value, Decimal(str(low)), Decimal(str(high))))


def whole(name: str, value: Number, low: int, high: int) -> int:
    """Return a whole number in [low, high].

    Raises:
        ValueError: it is none.
    """
    exact = _exact(name, value, Decimal(low), Decimal(high))
    if exact != exact.to_integral_value():
        raise ValueError(f"{name} is {value}; allowed are whole numbers from {low} to {high}")
    return int(exact)


def micro(name: str, value: Number, low: str, high: str) -> int:
    """Return a price or quantity in [low, high] in micro-units; a float enters by its shortest text.

    Raises:
        ValueError: out of range or finer than 0.000001.
    """
    scaled = _exact(name, value, Decimal(low), Decimal(high)) * MICRO
    if scaled != scaled.to_integral_value():
        raise ValueError(f"{name} is {value}; the finest step is 0.000001, allowed is {low} to {high}")
    return int(scaled)


def ordered(smaller: str, small: float, larger: str, large: float) -> None:
    """Check that one param is below another.

    Raises:
        ValueError: it is not.
    """
    if not small < large:
        raise ValueError(f"{smaller} is {small} and {larger} is {large}; {smaller} must be below {larger}")


def _exact(name: str, value: Number, low: Decimal, high: Decimal) -> Decimal:
    allowed = f"allowed are numbers from {low} to {high}"
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"{name} is {value!r}; {allowed}")  # noqa: TRY004 - one kind of error for a bad param
    try:
        exact = Decimal(str(value))
    except InvalidOperation:
        raise ValueError(f"{name} is {value!r}; {allowed}") from None
    if not exact.is_finite() or not low <= exact <= high:
        raise ValueError(f"{name} is {value}; {allowed}")
    return exact
