"""Trade prints that were seen: each trade is evidence once, however often and on whichever outcome it is told."""

from __future__ import annotations

from typing import Any

from polymarket_agent.domain.events import TradePrint
from polymarket_agent.domain.market import AssetId, Market
from polymarket_agent.domain.money import MICRO

__all__ = ["PrintMemory", "in_first_terms"]

REMEMBERED = 2_048


def in_first_terms(market: Market, event: TradePrint) -> tuple[bool, int]:
    """Return (taker buys, price) of a trade as seen from the market's first outcome.

    A price between two steps of the grid is an average over several makers; the step that is worse evidence for
    resting orders stands for it, because nobody knows how much of the trade went beyond.
    """
    first = event.asset_id == market.asset_ids[0]
    taker_buys = event.taker_buys if first else not event.taker_buys
    at = event.price if first else MICRO - event.price
    tick = market.tick_size
    return taker_buys, at // tick * tick if taker_buys else -(-at // tick) * tick


class PrintMemory:
    """The last prints, by what makes two of them one trade.

    A copy has the same `key`, or comes from the market's other outcome with the same time, size, side and price
    in first terms. Two equal prints of one outcome without a key count as two trades: venues print such.
    """

    __slots__ = ("_keys", "_trades")

    def __init__(self) -> None:
        self._keys: dict[tuple[str, str], None] = {}
        self._trades: dict[tuple[str, int, int, int, bool], AssetId] = {}

    def is_copy(self, market: Market, event: TradePrint) -> bool:
        """Whether this trade was told before; it is remembered from now on."""
        first = event.asset_id == market.asset_ids[0]
        taker_buys = event.taker_buys if first else not event.taker_buys
        at = event.price if first else MICRO - event.price
        trade = (market.condition_id, event.at_ms, at, int(event.size), taker_buys)
        told_by = self._trades.setdefault(trade, event.asset_id)
        copy = told_by != event.asset_id
        if event.key:
            key = (market.condition_id, event.key)
            copy = copy or key in self._keys
            self._keys[key] = None
            _trim(self._keys)
        _trim(self._trades)
        return copy


def _trim(memory: dict[Any, Any]) -> None:
    if len(memory) > REMEMBERED:
        del memory[next(iter(memory))]  # the oldest: a dict keeps the order of insertion
