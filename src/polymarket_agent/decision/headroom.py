"""What one more buy may cost before a limit on amounts is reached, for the sizer to bound wishes by."""

from __future__ import annotations

from dataclasses import dataclass

from polymarket_agent.config import RiskConfig
from polymarket_agent.decision.exposure import event_exposure, related_to, total_exposure, worst_exposure
from polymarket_agent.domain.board import Board
from polymarket_agent.domain.market import Market
from polymarket_agent.domain.portfolio import Account

__all__ = ["Headroom"]


@dataclass(frozen=True, slots=True)
class Headroom:
    """Room left by the limits on exposure, in micro-USDC, at the worst cost of the buys to come.

    Args:
        limits: the configured limits.
        account: what is held and ordered.
        board: the markets and their events; without it only orders and markets by themselves are bounded.
    """

    limits: RiskConfig
    account: Account
    board: Board | None = None

    def in_market(self, market: Market) -> int:
        """Room in one market, for one order."""
        limit = self.limits.max_position_size
        return min(limit, limit - worst_exposure(self.account, market, self.account.orders_of(market)))

    def in_event(self, market: Market) -> int:
        """Room in the event of a market, for all orders to come together."""
        if self.board is None:
            return self.limits.max_event_exposure
        event = related_to(self.board, market.condition_id)
        return self.limits.max_event_exposure - event_exposure(self.account, event, self.account.orders.values())

    def event_key(self, market: Market) -> str:
        """Return what tells the event of a market from others."""
        return market.condition_id if self.board is None else related_to(self.board, market.condition_id).key

    def of_strategy(self, strategy: str) -> int:
        """Room of one strategy."""
        if self.board is None:
            return self.limits.max_strategy_exposure
        at_risk = total_exposure(self.board, self.account, self.account.orders.values(), strategy)
        return self.limits.max_strategy_exposure - at_risk

    def in_all(self) -> int:
        """Room in all markets together."""
        if self.board is None:
            return self.limits.max_total_exposure
        return self.limits.max_total_exposure - total_exposure(self.board, self.account, self.account.orders.values())
