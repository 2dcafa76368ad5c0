"""The books by plain arithmetic, for comparison with the ledger."""

from __future__ import annotations

from dataclasses import dataclass, field

from polymarket_agent.domain.market import AssetId
from polymarket_agent.domain.money import MICRO
from tests.trading_world import NO, YES

__all__ = ["Model"]


@dataclass
class Model:
    """The books by plain arithmetic: every amount from a list of what happened, gone through from its beginning."""

    happened: list[tuple[str, AssetId, int, int, int]] = field(default_factory=list)  # what, asset, shares, amount, fee
    failed: set[int] = field(default_factory=set)

    def replayed(self) -> dict[tuple[str, str], int]:  # noqa: C901 - a line for each thing that can happen
        """Return the sums that are not 0, without what failed."""
        held, cost = {YES: 0, NO: 0}, {YES: 0, NO: 0}
        cash = realised = fees = deposits = 0

        def leave(asset: AssetId, quantity: int) -> int:
            part = cost[asset] * quantity // held[asset]
            cost[asset] -= part
            held[asset] -= quantity
            return part

        for number, (what, asset, quantity, amount, fee) in enumerate(self.happened):
            if number in self.failed:
                continue
            if what == "buy":
                held[asset], cost[asset], cash, fees = (
                    *(held[asset] + quantity, cost[asset] + amount),
                    *(cash - amount - fee, fees + fee),
                )
            elif what == "sell":
                realised += amount - leave(asset, quantity)
                cash, fees = cash + amount - fee, fees + fee
            elif what == "cash":
                cash, deposits = cash + amount, deposits + amount
            elif what == "shares" and quantity > 0:
                held[asset], cost[asset], deposits = held[asset] + quantity, cost[asset] + amount, deposits + amount
            elif what == "shares":
                deposits -= leave(asset, -quantity)
            elif what == "adjust":
                cash, fees = cash + amount, fees - amount
            elif what == "merge":
                realised += quantity - leave(YES, quantity) - leave(NO, quantity)
                cash += quantity
            elif what == "redeem":
                received = held[asset] * amount // MICRO
                realised += received - leave(asset, held[asset])
                cash += received
        usd = {"cash": cash, "realised": -realised, "fees": fees, "deposits": -deposits}
        sums = {(name, "USDC"): amount for name, amount in usd.items()}
        for asset in (YES, NO):
            sums |= {("holding", asset): held[asset], ("market", asset): -held[asset]}
            sums[(f"cost:{asset}", "USDC")] = cost[asset]
        return {key: amount for key, amount in sums.items() if amount}

    def held(self, asset: AssetId) -> int:
        """Return the micro-shares of an asset."""
        return self.replayed().get(("holding", asset), 0)
