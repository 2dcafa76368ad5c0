"""The gate's memory: what the rules look at besides the signal. Pure; time is handed in."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from polymarket_agent.config import RiskConfig
from polymarket_agent.decision.day import TradingDay
from polymarket_agent.decision.risk import check
from polymarket_agent.decision.view import Refusal, RiskView, as_order
from polymarket_agent.decision.wishes import malformed
from polymarket_agent.domain.board import Board
from polymarket_agent.domain.book import Side
from polymarket_agent.domain.market import AssetId
from polymarket_agent.domain.money import Usdc
from polymarket_agent.domain.order import Order, OrderId
from polymarket_agent.domain.portfolio import Account, Portfolio, Valuer
from polymarket_agent.domain.signal import Signal

__all__ = ["Gate"]

_HOUR_MS = 3_600_000


class Gate:
    """Checks signals against the limits, and remembers the day and the orders of the last hour.

    Args:
        limits: the configured limits.
        account: shared with the executor.
        board: shared with the engine.
        streaming: whether silence of one asset means "no change" while others are heard.
        day: the current day as recovered, or a new one.
        last_equity: the last equity that was recorded before this start; None in a new ledger.
    """

    def __init__(
        self,
        limits: RiskConfig,
        account: Account,
        board: Board,
        *,
        streaming: bool,
        day: TradingDay | None = None,
        last_equity: Usdc | None = None,
    ) -> None:
        self.day = day or TradingDay()
        self.valuer = Valuer()
        self.heard_ms = 0
        self._limits = limits
        self._account = account
        self._board = board
        self._streaming = streaming
        self._last_equity = last_equity
        self._was_down = True
        self._recent: dict[tuple[str, AssetId, Side], dict[OrderId, Order]] = defaultdict(dict)

    def refusals(self, signal: Signal, now_ms: int, pending: Sequence[Signal] = ()) -> list[Refusal]:
        """Return every reason why a signal may not become an order now, or [].

        `pending` are legs of the same basket that were found good a moment ago and are not ordered yet. A day that
        has begun since `keep_day` was called last is not known here: until then the old day's loss counts.
        """
        wrong = malformed(signal)
        if wrong is not None:
            return [Refusal("shape", wrong)]
        equity, unpriced = self.valuer.equity(self._account, self._board)
        view = RiskView(
            now_ms=now_ms,
            limits=self._limits,
            account=self._account,
            board=self._board,
            daily_loss=self.day.loss(equity),
            book_age_ms=self._book_age_ms(signal.asset_id, now_ms),
            recent=self._orders_of_last_hour(signal, now_ms),
            unpriced=frozenset(unpriced),
            pending=[as_order(leg, self._board.market_by_asset[leg.asset_id], now_ms) for leg in pending],
        )
        return check(signal, view)

    def remember(self, orders: Iterable[Order]) -> None:
        """Take in orders, new or moved on, for the rules about repetition: those that take, were filled or rejected.

        A quote that only rested leaves no trace here, so that a maker's hour is not thousands of orders long.
        """
        for order in orders:
            mine = self._recent[(order.strategy, order.asset_id, order.side)]
            if order.post_only and not order.matched:
                mine.pop(order.order_id, None)
            else:
                mine[order.order_id] = order

    def keep_day(self, now_ms: int, equity: Usdc, *, priced: bool = True) -> bool:
        """Begin a new day if it has come; True if it has, and then it must be written down.

        The equity known before counts too after a start, and when not all of this one is `priced`.
        """
        began = self.day.begins(now_ms)
        if began:
            before = self._last_equity if self._was_down or not priced else None
            self.day.open(now_ms, equity, last_equity=before)
        self._was_down = False
        if priced:
            self._last_equity = equity
        return began

    def worth(self) -> tuple[Usdc, tuple[AssetId, ...]]:
        """Return equity in micro-USDC and the assets that have no current price."""
        return self.valuer.equity(self._account, self._board)

    def portfolio(self) -> Portfolio:
        """Return the account with every position marked."""
        return self.valuer.portfolio(self._account, self._board)

    def _book_age_ms(self, asset_id: AssetId, now_ms: int) -> int | None:
        """Return the age of the data behind an asset's book; negative if it is stamped ahead of our clock."""
        heard_ms = self._board.heard_ms.get(asset_id)
        if heard_ms is None:
            return None
        return now_ms - (self.heard_ms if self._streaming else heard_ms)

    def _orders_of_last_hour(self, signal: Signal, now_ms: int) -> list[Order]:
        orders = self._recent.get((signal.strategy, signal.asset_id, signal.side))
        if not orders:
            return []
        for order_id in [o.order_id for o in orders.values() if o.created_ms <= now_ms - _HOUR_MS]:
            del orders[order_id]
        return list(orders.values())
