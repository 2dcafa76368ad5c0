"""What the rules of the gate may look at."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from polymarket_agent.config import RiskConfig
from polymarket_agent.decision.exposure import worst_exposure
from polymarket_agent.domain.board import Board
from polymarket_agent.domain.book import OrderBook, Side
from polymarket_agent.domain.market import AssetId, Market
from polymarket_agent.domain.money import Shares, Usdc
from polymarket_agent.domain.order import Order, OrderId
from polymarket_agent.domain.portfolio import Account, worst_cost
from polymarket_agent.domain.signal import Signal

__all__ = ["Refusal", "RiskView", "Rule", "as_order", "reduces_risk"]


class Refusal(NamedTuple):
    """Which rule refused, and why with what would pass."""

    rule: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskView:
    """What the rules may look at; made fresh for every signal.

    Args:
        now_ms: the time of the decision.
        limits: the configured limits.
        account: cash, positions and live orders, reservations of orders approved before this one included.
        board: markets and books.
        daily_loss: fall of equity since 00:00 UTC, micro-USDC.
        book_age_ms: age of the market data that the decision stands on; None if there is none.
        recent: orders of the last hour of this strategy, asset and side that took, were filled or were rejected.
        unpriced: assets held without a current price.
        pending: orders of the same basket that were found good a moment ago. They count as live ones.
    """

    now_ms: int
    limits: RiskConfig
    account: Account
    board: Board
    daily_loss: Usdc
    book_age_ms: int | None
    recent: Sequence[Order] = ()
    unpriced: frozenset[AssetId] = frozenset()
    pending: Sequence[Order] = ()

    def market_of(self, signal: Signal) -> Market | None:
        """Return the market of a signal's asset."""
        return self.board.market_by_asset.get(signal.asset_id)

    def book_of(self, signal: Signal) -> OrderBook | None:
        """Return the book of a signal's asset."""
        return self.board.books.get(signal.asset_id)

    def live_orders(self) -> list[Order]:
        """Return every order that may still be matched."""
        return [*self.account.orders.values(), *self.pending]

    def exposure(self, market: Market, *, more: Order | None = None) -> Usdc:
        """Return the most that can be lost in a market, with one order more if given."""
        orders = self.live_orders()
        return worst_exposure(self.account, market, orders if more is None else [*orders, more])

    @property
    def free_cash(self) -> Usdc:
        """Micro-USDC that no order is promised and that is not set apart."""
        promised = sum(order.reserved for order in self.pending if order.side is Side.BUY)
        return Usdc(self.account.free_cash - promised - self.limits.cash_reserve)

    def free_shares(self, asset_id: AssetId) -> Shares:
        """Micro-shares held that no order is promised."""
        promised = sum(o.reserved for o in self.pending if o.side is Side.SELL and o.asset_id == asset_id)
        return Shares(self.account.free_shares(asset_id) - promised)


@dataclass(frozen=True, slots=True)
class Rule:
    """One check of the gate."""

    name: str
    refuse: Callable[[Signal, RiskView], str | None]
    binds_exits: bool


def as_order(signal: Signal, market: Market, now_ms: int = 0) -> Order:
    """Return the order that a signal would become, with what it would reserve."""
    return Order(
        order_id=OrderId(f"of {signal.signal_id}"),
        signal_id=signal.signal_id,
        strategy=signal.strategy,
        condition_id=market.condition_id,
        asset_id=signal.asset_id,
        side=signal.side,
        price=signal.target_price,
        quantity=signal.quantity,
        time_in_force=signal.time_in_force,
        created_ms=now_ms,
        post_only=signal.post_only,
        reserved=worst_cost(signal.side, signal.target_price, signal.quantity, market.fees, post_only=signal.post_only),
        basket_id=signal.basket_id,
    )


def reduces_risk(signal: Signal, view: RiskView) -> bool:
    """Whether a signal sells at most the free shares and does not raise what its market can still lose."""
    market = view.market_of(signal)
    if signal.side is not Side.SELL or market is None or signal.quantity > view.free_shares(signal.asset_id):
        return False
    return view.exposure(market, more=as_order(signal, market)) <= view.exposure(market)
