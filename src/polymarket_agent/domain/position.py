"""Shares of one asset, at average cost, and the fills of it that may still fail."""

from __future__ import annotations

from dataclasses import dataclass, replace

from polymarket_agent.domain.levels import Side
from polymarket_agent.domain.market import AssetId, ConditionId
from polymarket_agent.domain.money import MICRO, Price, Shares, Usdc, ceil_div
from polymarket_agent.domain.order import Fill
from polymarket_agent.errors import LedgerError

__all__ = ["Position", "Unsettled", "after_fill"]


@dataclass(frozen=True, slots=True)
class Position:
    """Shares of one asset. `cost` is what the held shares cost before fees, `entry_fees` the fees on top.

    Selling a part takes the same part of both, rounded down; the last share takes the rest.
    """

    asset_id: AssetId
    condition_id: ConditionId
    quantity: Shares = Shares(0)
    cost: Usdc = Usdc(0)
    entry_fees: Usdc = Usdc(0)

    @property
    def average_cost(self) -> Price:
        """Micro-USDC paid per share held, rounded up; 0 for none."""
        return Price(ceil_div(self.cost * MICRO, self.quantity)) if self.quantity else Price(0)

    def basis_of(self, quantity: Shares) -> Usdc:
        """Return the cost that leaves with `quantity`."""
        return Usdc(self.cost * quantity // self.quantity)


def after_fill(position: Position, fill: Fill) -> tuple[Position, int]:
    """Return a position after a fill and the gain that the fill realised, before its fee.

    Raises:
        LedgerError: more would be sold than is held.
    """
    if fill.side is Side.BUY:
        after = replace(
            position,
            quantity=Shares(position.quantity + fill.quantity),
            cost=Usdc(position.cost + fill.notional),
            entry_fees=Usdc(position.entry_fees + fill.fee),
        )
        return after, 0
    if fill.quantity > position.quantity:
        raise LedgerError(f"fill {fill.trade_id} sells {fill.quantity}, {position.quantity} are held")
    basis = position.basis_of(fill.quantity)
    after = replace(
        position,
        quantity=Shares(position.quantity - fill.quantity),
        cost=Usdc(position.cost - basis),
        entry_fees=Usdc(position.entry_fees - position.entry_fees * fill.quantity // position.quantity),
    )
    return after, fill.notional - basis


@dataclass(slots=True)
class Unsettled:
    """An asset with fills that may still fail: the position before the first of them, and all fills since."""

    base: Position
    fills: list[Fill]

    def replay(self) -> tuple[Position, int]:
        """Return the position after these fills, and what they realised."""
        position, realised = self.base, 0
        for fill in self.fills:
            position, gain = after_fill(position, fill)
            realised += gain
        return position, realised

    def fold(self) -> None:
        """Let go of fills that are final and have none before them that is not."""
        while self.fills and self.fills[0].settlement.final:
            self.base, _ = after_fill(self.base, self.fills.pop(0))

    def pending(self, side: Side) -> list[Fill]:
        """Fills of a side that are not final."""
        return [fill for fill in self.fills if fill.side is side and not fill.settlement.final]
