"""What of a ledger's shares can be turned into collateral: winners of resolved markets, and complete sets. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from polymarket_agent.domain.market import AssetId
from polymarket_agent.domain.money import MICRO, decimal_text

if TYPE_CHECKING:
    from polymarket_agent.domain.market import Market

__all__ = ["Payout", "payouts_of"]


@dataclass(frozen=True, slots=True)
class Payout:
    """One redemption or merge: the market, micro-sets to merge (0 for a redemption), and micro-USDC that it brings."""

    market: Market
    amount: int
    value: int

    def plain(self) -> dict[str, Any]:
        """Return it as a table and JSON tell it."""
        return {
            "kind": "merge" if self.amount else "redeem",
            "market": self.market.question or self.market.condition_id,
            "condition_id": self.market.condition_id,
            "sets": decimal_text(self.amount) if self.amount else None,
            "value_usdc": decimal_text(self.value),
        }


def payouts_of(markets: Iterable[Market], held: Mapping[AssetId, int], promised: Mapping[AssetId, int]) -> list[Payout]:
    """Return what can be had, the most valuable first.

    Args:
        markets: as the venue lists them now.
        held: micro-shares by asset.
        promised: micro-shares in open sales; a merge leaves them alone.
    """
    found = []
    for market in markets:
        if market.payouts is not None:
            value = sum(
                held.get(each, 0) * paid // MICRO for each, paid in zip(market.asset_ids, market.payouts, strict=True)
            )
            amount = 0
        else:
            value = amount = max(0, min(held.get(each, 0) - promised.get(each, 0) for each in market.asset_ids))
        if value > 0:
            found.append(Payout(market, amount, value))
    return sorted(found, key=lambda each: -each.value)
