"""Limits that change while the agent runs: only ever to the tighter side."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import NamedTuple

from polymarket_agent.config import RiskConfig

__all__ = ["TIGHTER", "Tightened", "Tighter", "tightened"]


class Tighter(Enum):
    """Which way a limit lets less pass."""

    LOWER = "lower"
    HIGHER = "higher"


_LOWER, _HIGHER = Tighter.LOWER, Tighter.HIGHER
# Every key of the section, so that a new one cannot be forgotten: a test compares.
TIGHTER: Mapping[str, Tighter] = {
    "max_position_size": _LOWER,
    "max_daily_loss": _LOWER,
    "max_open_orders": _LOWER,
    "max_markets": _LOWER,
    "max_order_size": _LOWER,
    "max_event_exposure": _LOWER,
    "max_total_exposure": _LOWER,
    "max_strategy_exposure": _LOWER,
    "max_drawdown": _LOWER,
    "max_daily_turnover": _LOWER,
    "max_book_age_ms": _LOWER,
    "max_slippage": _LOWER,
    "price_collar": _LOWER,
    "exit_collar": _LOWER,
    "min_time_to_end_s": _HIGHER,
    "duplicate_window_s": _HIGHER,
    "entries_per_minute": _LOWER,
    "entries_per_hour": _LOWER,
    "exits_per_minute": _LOWER,
    "max_orders_per_side": _LOWER,
    "orders_per_second": _LOWER,
    "order_burst": _LOWER,
    "orders_per_minute": _LOWER,
    "cash_reserve": _HIGHER,
}


class Tightened(NamedTuple):
    """The limits that hold now, the keys that became tighter, and those whose loosening was ignored."""

    limits: RiskConfig
    taken: tuple[str, ...]
    ignored: tuple[str, ...]


def tightened(old: RiskConfig, new: RiskConfig) -> Tightened:
    """Return the tighter of two sets of limits, key by key. Loosening needs a restart."""
    taken = [key for key, way in TIGHTER.items() if _tighter(getattr(new, key), getattr(old, key), way)]
    ignored = [key for key, way in TIGHTER.items() if _tighter(getattr(old, key), getattr(new, key), way)]
    limits = old.model_copy(update={key: getattr(new, key) for key in taken})
    return Tightened(limits, tuple(taken), tuple(ignored))


def _tighter(one: int, other: int, way: Tighter) -> bool:
    return one < other if way is _LOWER else one > other
