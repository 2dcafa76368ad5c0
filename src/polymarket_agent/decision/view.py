"""What the rules of the gate may look at."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from polymarket_agent.config import RiskConfig
from polymarket_agent.decision.breakers import Breakers, MessageRate
from polymarket_agent.decision.conditions import Conditions
from polymarket_agent.decision.exposure import Related, event_exposure, exposures, related_to, worst_exposure
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
        drawdown: fall of equity from its highest, micro-USDC.
        turnover: what the buys of this UTC day spent and may still spend, micro-USDC.
        conditions: facts about the venue, the clock and the agent itself.
        breakers: what failed lately.
        messages: how many orders left lately.
        exact: the order as it is going to be signed, when there is one; else the one that the signal would become.
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
    drawdown: Usdc = Usdc(0)
    turnover: Usdc = Usdc(0)
    conditions: Conditions = field(default_factory=Conditions)
    breakers: Breakers = field(default_factory=Breakers)
    messages: MessageRate = field(default_factory=MessageRate)
    exact: Order | None = None
    _live: list[list[Order]] = field(default_factory=list, init=False, repr=False)
    _by_event: dict[str | None, dict[str, Usdc]] = field(default_factory=dict, init=False, repr=False)
    _known: dict[tuple[str, str, Order | None], Usdc] = field(default_factory=dict, init=False, repr=False)

    def market_of(self, signal: Signal) -> Market | None:
        """Return the market of a signal's asset."""
        return self.board.market_by_asset.get(signal.asset_id)

    def book_of(self, signal: Signal) -> OrderBook | None:
        """Return the book of a signal's asset."""
        return self.board.books.get(signal.asset_id)

    def order_of(self, signal: Signal) -> Order:
        """Return the order that is judged, with what it would reserve."""
        return self.exact or as_order(signal, self.board.market_by_asset[signal.asset_id])

    def live_orders(self) -> list[Order]:
        """Return every order that may still be matched, without the one that is judged."""
        if not self._live:
            self._live.append([*(o for o in self.account.orders.values() if not self._is_exact(o)), *self.pending])
        return self._live[0]

    def exposure(self, market: Market, *, more: Order | None = None) -> Usdc:
        """Return the most that can be lost in a market, with one order more if given."""
        return self._once("market", market.condition_id, more, lambda o: worst_exposure(self.account, market, o))

    def event_exposure(self, market: Market, *, more: Order | None = None) -> Usdc:
        """Return the most that the markets of a market's event can lose together, with one order more if given."""
        event = self.event_of(market)
        return self._once("event", event.key, more, lambda o: event_exposure(self.account, event, o))

    def total_exposure(self, strategy: str | None = None, *, more: Order | None = None) -> Usdc:
        """Return the most that can be lost in all, or by one strategy, with one order more if given."""
        known = self._by_event.get(strategy)
        if known is None:
            known = self._by_event[strategy] = exposures(self.board, self.account, self.live_orders(), strategy)
        total = sum(max(0, each) for each in known.values())
        if more is None:
            return Usdc(total)
        event = related_to(self.board, more.condition_id)  # one order more changes one event
        after = event_exposure(self.account, event, [*self.live_orders(), more], strategy)
        return Usdc(total - max(0, known.get(event.key, 0)) + max(0, after))

    def event_of(self, market: Market) -> Related:
        """Return the event of a market."""
        return related_to(self.board, market.condition_id)

    @property
    def free_cash(self) -> Usdc:
        """Micro-USDC that no order is promised and that is not set apart."""
        promised = sum(order.reserved for order in self.pending if order.side is Side.BUY)
        return Usdc(self.account.free_cash + self._own(Side.BUY) - promised - self.limits.cash_reserve)

    def free_shares(self, asset_id: AssetId) -> Shares:
        """Micro-shares held and settled that no order is promised."""
        promised = sum(o.reserved for o in self.pending if o.side is Side.SELL and o.asset_id == asset_id)
        return Shares(self.account.free_shares(asset_id) + self._own(Side.SELL, asset_id) - promised)

    def _is_exact(self, order: Order) -> bool:
        return self.exact is not None and order.order_id == self.exact.order_id

    def _own(self, side: Side, asset_id: AssetId | None = None) -> int:
        """Return what the account has promised already to the order that is judged."""
        order = self.account.orders.get(self.exact.order_id) if self.exact is not None else None
        if order is None or order.side is not side or asset_id not in (None, order.asset_id):
            return 0
        return order.reserved

    def _once(self, what: str, key: str, more: Order | None, of: Callable[[list[Order]], Usdc]) -> Usdc:
        """Return an exposure, worked out once for each order that is asked about."""
        found = self._known.get((what, key, more))
        if found is None:
            orders = self.live_orders() if more is None else [*self.live_orders(), more]
            found = self._known[what, key, more] = of(orders)
        return found


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
    """Whether a signal sells at most the free shares and does not raise what its event can still lose.

    Its market by itself may lose more afterwards (another market of the event stands against it), but not more than
    a market may.
    """
    market = view.market_of(signal)
    if signal.side is not Side.SELL or market is None or signal.quantity > view.free_shares(signal.asset_id):
        return False
    order = view.order_of(signal)
    if view.event_exposure(market, more=order) > view.event_exposure(market):
        return False
    return view.exposure(market, more=order) <= max(view.exposure(market), view.limits.max_position_size)
