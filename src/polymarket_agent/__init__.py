"""A trading agent for Polymarket that is honest about orders, fills and numbers.

What a plug-in or a program around the agent needs is here; everything is imported when it is first used, so that
importing the package itself costs nothing.
"""

from __future__ import annotations

import importlib
import typing
from typing import TYPE_CHECKING

from polymarket_agent.version import __version__

if TYPE_CHECKING:
    from polymarket_agent.db import Database
    from polymarket_agent.domain.book import Level, OrderBook, Side
    from polymarket_agent.domain.market import AssetId, ConditionId, FeeSchedule, Market, MarketGroup, Outcome
    from polymarket_agent.domain.money import Price, Shares, Usdc, price, shares, usdc
    from polymarket_agent.domain.order import Evidence, Fill, Order, OrderState, TimeInForce
    from polymarket_agent.domain.signal import Basket, Cancel, Quote, Signal, TargetQuotes
    from polymarket_agent.errors import AgentError
    from polymarket_agent.execution.base import Executor
    from polymarket_agent.orchestrator import Orchestrator
    from polymarket_agent.strategies.base import MarketView, Strategy, Wakes

__all__ = [
    "AgentError",
    "AssetId",
    "Basket",
    "Cancel",
    "ConditionId",
    "Database",
    "Evidence",
    "Executor",
    "FeeSchedule",
    "Fill",
    "Level",
    "Market",
    "MarketGroup",
    "MarketView",
    "Orchestrator",
    "Order",
    "OrderBook",
    "OrderState",
    "Outcome",
    "Price",
    "Quote",
    "Shares",
    "Side",
    "Signal",
    "Strategy",
    "TargetQuotes",
    "TimeInForce",
    "Usdc",
    "Wakes",
    "__version__",
    "price",
    "shares",
    "usdc",
]

_HOMES = {
    "db": ("Database",),
    "domain.book": ("Level", "OrderBook", "Side"),
    "domain.market": ("AssetId", "ConditionId", "FeeSchedule", "Market", "MarketGroup", "Outcome"),
    "domain.money": ("Price", "Shares", "Usdc", "price", "shares", "usdc"),
    "domain.order": ("Evidence", "Fill", "Order", "OrderState", "TimeInForce"),
    "domain.signal": ("Basket", "Cancel", "Quote", "Signal", "TargetQuotes"),
    "errors": ("AgentError",),
    "execution.base": ("Executor",),
    "orchestrator": ("Orchestrator",),
    "strategies.base": ("MarketView", "Strategy", "Wakes"),
}


def __getattr__(name: str) -> typing.Any:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(importlib.import_module(f"{__name__}.{home}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
