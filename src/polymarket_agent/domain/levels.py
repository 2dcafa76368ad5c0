"""Sides and price levels: what a book is made of and what walking it gives."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from polymarket_agent.domain.money import Price, Shares, Usdc

__all__ = ["Level", "Side", "Walk"]


class Side(Enum):
    """What an order does with its asset."""

    BUY = "BUY"
    SELL = "SELL"

    @property
    def opposite(self) -> Side:
        """The side that it trades against."""
        return Side.SELL if self is Side.BUY else Side.BUY


class Level(NamedTuple):
    """All resting orders of an asset at one price: micro-USDC a share, micro-shares."""

    price: Price
    size: Shares


class Walk(NamedTuple):
    """What walking the book from the best level gives.

    `quantity` may be less than asked when the levels within the limit run out. `notional` is in micro-USDC:
    rounded up level by level for a buy, down for a sale. `worst` is the last price touched, 0 if none.
    """

    levels: tuple[Level, ...]
    quantity: Shares
    notional: Usdc
    worst: Price
