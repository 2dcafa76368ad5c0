"""What an arriving order would match, without changing anything: price, then time, at the resting order's price.

The contract lets a resting order give a whole number of base units and get the floor of what its ratio promises; the
rest is the taker's, so the taker never does worse than its limit. Resting orders stand on the grid, so their ratio is
their price. Whoever is bounded by the taker's own end is the last match, which ends every loop.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from polymarket_agent.domain.book import Side
from polymarket_agent.domain.money import MICRO
from polymarket_agent.sandbox.ladder import Order
from polymarket_agent.sandbox.policy import SelfTrade

__all__ = ["Fill", "Plan", "plan_matches"]


class Fill(NamedTuple):
    """Part of a resting order matched: shares, and the collateral that it pays (buying) or gets (selling)."""

    maker: Order
    quantity: int
    collateral: int

    def taker_price(self, taker: Order) -> int:
        """The price in the taker's own asset."""
        return self.maker.price if self.maker.index == taker.index else MICRO - self.maker.price

    def taker_collateral(self, taker: Order) -> int:
        """What the taker pays (buying) or gets (selling) before fees."""
        return self.collateral if self.maker.index == taker.index else self.quantity - self.collateral


class Plan(NamedTuple):
    """Matches in order. `done`: the taker got all that it aimed at. `own`: its wallet's orders that are in the way."""

    fills: list[Fill]
    done: bool
    own: list[Order]
    stopped: bool = False


def plan_matches(taker: Order, self_trade: SelfTrade) -> Plan:
    """Return what `taker` matches now."""
    fills: list[Fill] = []
    own: list[Order] = []
    left = taker.budget or taker.left
    for maker in _reachable(taker):
        if maker.wallet is taker.wallet and self_trade is not SelfTrade.ALLOW:
            if self_trade is SelfTrade.CANCEL_TAKER:
                return Plan(fills, done=False, own=own, stopped=True)
            own.append(maker)
            continue
        wanted = _shares_for(taker, maker, left) if taker.budget else left
        fill = _fill(maker, min(wanted, maker.left))
        if fill.quantity:
            fills.append(fill)
            left -= fill.taker_collateral(taker) if taker.budget else fill.quantity
        if wanted <= maker.left or not left:
            return Plan(fills, done=True, own=own)
    return Plan(fills, done=False, own=own)


def _reachable(taker: Order) -> Iterator[Order]:
    ladder = taker.trading.ladders[1 - taker.rung]
    for bid in reversed(ladder.prices):
        if taker.bid + bid < MICRO:
            return
        yield from ladder.levels[bid].orders.values()


def _shares_for(taker: Order, maker: Order, budget: int) -> int:
    """Return how many shares the rest of a buyer's collateral pays at a resting order's price."""
    price = maker.price if maker.index == taker.index else MICRO - maker.price
    return budget * MICRO // price


def _fill(maker: Order, wanted: int) -> Fill:
    if maker.side is Side.SELL:
        return Fill(maker, wanted, wanted * maker.price // MICRO)
    quantity = collateral = 0
    while True:  # at most a few rounds: each takes a whole base unit of what is left by the floors before it
        paid = min((wanted - quantity) * maker.price // MICRO, maker.reserved - collateral)
        got = paid * MICRO // maker.price
        if not got:
            return Fill(maker, quantity, collateral)
        quantity += got
        collateral += paid
