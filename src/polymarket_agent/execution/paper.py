"""PaperTrader: the same journal and accounts as live, with a fill model in place of the venue.

What it assumes about fills stands in `domain/matching.py`. Orders and cancellations arrive `latency_ms` after
the decision and meet the book as it is then; in between, a resting order may be filled although its
cancellation is on the way.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import replace
from enum import Enum
from typing import NamedTuple

from polymarket_agent.clock import SystemClock
from polymarket_agent.db import Database
from polymarket_agent.domain.board import Board
from polymarket_agent.domain.book import Side
from polymarket_agent.domain.events import (
    BookDelta,
    BookSnapshot,
    Event,
    Filled,
    Gap,
    MarketClosed,
    MarketResolved,
    OrderUpdated,
    TradePrint,
    time_of,
)
from polymarket_agent.domain.market import ConditionId, Market, taker_fee
from polymarket_agent.domain.matching import Match, MatchingModel
from polymarket_agent.domain.money import LOT, Usdc, cost_rounded_up, display, proceeds_rounded_down
from polymarket_agent.domain.order import Fill, Order, OrderCause, OrderId, OrderState, TimeInForce, form_refusal
from polymarket_agent.domain.portfolio import Account, Portfolio, Valuer, shrink, worst_cost
from polymarket_agent.domain.signal import Signal
from polymarket_agent.errors import AgentError
from polymarket_agent.execution.base import NEVER_MS, Executor
from polymarket_agent.ledger.journal import Journal
from polymarket_agent.ledger.recovery import recover
from polymarket_agent.ports import Clock

__all__ = ["PaperTrader"]


class _What(Enum):
    ARRIVE = 0
    CANCEL = 1
    EXPIRE = 2


class _Due(NamedTuple):
    at_ms: int
    turn: int
    what: _What
    order_id: OrderId


class PaperTrader(Executor):
    """Simulates execution against the books and trades that it is shown.

    Args:
        starting_balance: micro-USDC put into a new ledger; an existing ledger keeps what it has.
        db: where orders, fills and postings go.
        board: the books to match against; without one it keeps its own, fed by `observe`.
        journal: shared with the orchestrator; made from `db` if absent.
        clock: tells the time of decisions.
        latency_ms: from decision to arrival.
        book_through: see `Evidence.BOOK_THROUGH`.
    """

    def __init__(
        self,
        starting_balance: Usdc,
        db: Database,
        *,
        board: Board | None = None,
        journal: Journal | None = None,
        clock: Clock | None = None,
        latency_ms: int = 0,
        book_through: bool = True,
    ) -> None:
        self._owns_board = board is None
        self._board = board if board is not None else Board()
        self._journal = journal if journal is not None else Journal(db)
        self._clock = clock if clock is not None else SystemClock()
        self._latency_ms = latency_ms
        self._matching = MatchingModel(self._board, book_through=book_through)
        self._valuer = Valuer()
        self._due: list[_Due] = []
        self._turn = 0
        self._out: list[Event] = []
        self._to_rejoin: list[Order] = []
        self.next_due_ms = NEVER_MS
        found = recover(db)
        if found.account is None:
            self.account = Account(starting_balance)
            self._journal.deposit(starting_balance, self._clock.now_ms())
        else:
            self.account = found.account
            self._resume()
        self._serial = _highest_serial(db)

    def _resume(self) -> None:
        """Orders that were on their way arrive anew; resting ones join their queues anew, at the end."""
        for order in list(self.account.orders.values()):
            self._schedule(0, _What.ARRIVE, order.order_id)
            if order.expires_at_ms is not None:
                self._schedule(order.expires_at_ms, _What.EXPIRE, order.order_id)

    # -- Executor -------------------------------------------------------------------------------------------------

    async def place_order(self, signal: Signal) -> Order:
        """Journal an order and send it on its way; with no latency it has arrived when this returns."""
        now_ms = self._clock.now_ms()
        market = self._board.market_by_asset.get(signal.asset_id)
        if market is None:
            raise AgentError(f"no market is known for asset {signal.asset_id}")
        quantity = signal.quantity
        if quantity <= 0:
            raise AgentError(
                f"a size of {display(signal.size)} USDC buys no share at {display(signal.target_price, 4)}"
            )
        self._serial += 1
        order = Order(
            order_id=OrderId(f"paper-{self._serial}"),
            signal_id=signal.signal_id,
            strategy=signal.strategy,
            condition_id=market.condition_id,
            asset_id=signal.asset_id,
            side=signal.side,
            price=signal.target_price,
            quantity=quantity,
            time_in_force=signal.time_in_force,
            post_only=signal.post_only,
            expires_at_ms=signal.expires_at_ms if signal.time_in_force is TimeInForce.GTD else None,
            created_ms=now_ms,
            updated_ms=now_ms,
            basket_id=signal.basket_id,
        )
        refusal = self._means_refusal(order, market)
        reserved = worst_cost(order.side, order.price, quantity, market.fees, post_only=order.post_only)
        order = replace(order, reserved=0 if refusal else reserved)
        order = self._moved(order, OrderCause.ATTEMPT_COMMITTED, now_ms)
        if refusal:
            return self._moved(order, OrderCause.REFUSED, now_ms, refusal)
        self._schedule(now_ms + self._latency_ms, _What.ARRIVE, order.order_id)
        if order.expires_at_ms is not None:
            self._schedule(order.expires_at_ms, _What.EXPIRE, order.order_id)
        final = self._work_off(now_ms)
        return final.get(order.order_id) or self.account.orders.get(order.order_id) or order

    async def cancel_order(self, order_id: OrderId) -> bool:
        """Send a cancellation on its way; False if the order cannot be matched any more."""
        if order_id not in self.account.orders:
            return False
        now_ms = self._clock.now_ms()
        self._schedule(now_ms + self._latency_ms, _What.CANCEL, order_id)
        self._work_off(now_ms)
        return True

    async def get_open_orders(self) -> list[Order]:
        """Return live orders, oldest first."""
        return list(self.account.orders.values())

    async def get_portfolio(self) -> Portfolio:
        """Return the account with every position marked at what selling it now would bring."""
        return self._valuer.portfolio(self.account, self._board)

    def observe(self, event: Event) -> Sequence[Event]:
        """Do what is due by the event's time, then take the event as evidence for resting orders."""
        now_ms = time_of(event)
        if now_ms >= self.next_due_ms:
            self._work_off(now_ms)
        if self._owns_board:
            self._board.apply(event)
        kind = type(event)
        if kind is BookDelta:
            self._fill_resting(self._matching.on_delta(event), now_ms)  # type: ignore[arg-type]
        elif kind is TradePrint:
            self._fill_resting(self._matching.on_trade(event), now_ms)  # type: ignore[arg-type]
        elif kind is BookSnapshot:
            self._fill_resting(self._matching.on_snapshot(event), now_ms)  # type: ignore[arg-type]
        elif isinstance(event, Gap):
            self._matching.on_gap(event)
        elif isinstance(event, MarketClosed):
            self._close_orders(event.condition_id, now_ms, "market closed")
        elif isinstance(event, MarketResolved):
            self._resolve(event, now_ms)
        if not self._out:
            return ()
        out, self._out = self._out, []
        return out

    # -- time -----------------------------------------------------------------------------------------------------

    def _schedule(self, at_ms: int, what: _What, order_id: OrderId) -> None:
        self._turn += 1
        heapq.heappush(self._due, _Due(at_ms, self._turn, what, order_id))
        self.next_due_ms = self._due[0].at_ms

    def _work_off(self, now_ms: int) -> dict[OrderId, Order]:
        """Do everything that is due, in the order in which it is; returns orders that this closed."""
        closed: dict[OrderId, Order] = {}
        while self._due and self._due[0].at_ms <= now_ms:
            due = heapq.heappop(self._due)
            order = self.account.orders.get(due.order_id)
            if order is None:
                continue
            at_ms = max(due.at_ms, order.updated_ms)
            match due.what:
                case _What.ARRIVE:
                    after = self._arrive(order, at_ms)
                case _What.CANCEL:
                    after = self._close(order, at_ms, "cancelled by us")
                case _What.EXPIRE:
                    after = self._close(order, at_ms, "expired")
            if not after.possibly_alive:
                closed[after.order_id] = after
        self.next_due_ms = self._due[0].at_ms if self._due else NEVER_MS
        return closed

    def _arrive(self, order: Order, at_ms: int) -> Order:
        market = self._board.market_by_asset.get(order.asset_id)
        if market is None:  # a resumed order whose market has not been listed yet
            self._schedule(at_ms + 1_000, _What.ARRIVE, order.order_id)
            return order
        resumed = order.state is OrderState.OPEN
        levels = self._matching.takeable(order)
        refusal = None if resumed else self._venue_refusal(order, market, sum(size for _, size in levels))
        if refusal is not None:
            return self._moved(order, OrderCause.REFUSED, at_ms, refusal)
        order = self._moved(order, OrderCause.ACCEPTED, at_ms)
        for match in self._matching.take(order):
            order = self._fill(order, match, at_ms, market, is_maker=False)
        if order.state.final:
            return order
        if not order.time_in_force.rests:
            return self._close(order, at_ms, "the rest of a FAK order")
        self._matching.rest(order)
        return order

    def _venue_refusal(self, order: Order, market: Market, takeable: int) -> str | None:
        if not market.tradable:
            return "the market takes no orders"
        wrong_form = form_refusal(market, order.price, order.quantity, order.time_in_force)
        if wrong_form is not None:
            return wrong_form
        if order.post_only and takeable:
            return "invalid post-only order: order crosses book"
        if order.time_in_force is TimeInForce.FOK and takeable < order.quantity:
            return "order couldn't be fully filled. FOK orders are fully filled or killed."
        if order.time_in_force is TimeInForce.FAK and not takeable:
            return "no orders found to match with FAK order."
        return None

    def _means_refusal(self, order: Order, market: Market) -> str | None:
        need = worst_cost(order.side, order.price, order.quantity, market.fees, post_only=order.post_only)
        have = self.account.free_cash if order.side is Side.BUY else self.account.free_shares(order.asset_id)
        if need > have:
            unit = "USDC" if order.side is Side.BUY else "shares"
            return f"not enough balance: {display(need)} {unit} needed, {display(have)} free"
        return None

    # -- fills ----------------------------------------------------------------------------------------------------

    def _fill_resting(self, matches: list[Match], at_ms: int) -> None:
        for match in matches:
            order = self.account.orders[match.order_id]
            market = self._board.market_by_asset[order.asset_id]
            self._fill(order, match, at_ms, market, is_maker=True)

    def _fill(self, order: Order, match: Match, at_ms: int, market: Market, *, is_maker: bool) -> Order:
        buys = order.side is Side.BUY
        self._turn += 1
        fill = Fill(
            trade_id=f"{order.order_id}-{order.matched}",
            order_id=order.order_id,
            condition_id=order.condition_id,
            asset_id=order.asset_id,
            side=order.side,
            price=match.price,
            quantity=match.quantity,
            notional=(cost_rounded_up if buys else proceeds_rounded_down)(match.price, match.quantity),
            fee=Usdc(0) if is_maker else taker_fee(match.price, match.quantity, market.fees),
            is_maker=is_maker,
            evidence=match.evidence,
            at_ms=at_ms,
            strategy=order.strategy,
            note="fee schedule assumed" if market.fees_assumed and not is_maker else "",
        )
        before = order.state.value
        after = shrink(order, fill, market.fees)
        done = after.remaining < LOT
        if done:
            after = after.move(OrderCause.CLOSED_FILLED, at_ms)
            self._matching.remove(order.order_id)
        self.account.apply_order(after)
        self.account.apply_fill(fill)
        self._journal.fill(fill, after, before=before)
        self._out += (Filled(fill, at_ms), OrderUpdated(after, at_ms))
        return after

    def _resolve(self, event: MarketResolved, at_ms: int) -> None:
        self._close_orders(event.condition_id, at_ms, "market resolved")
        market = self._board.markets.get(event.condition_id)
        if market is None or market.payouts is None:
            return
        for asset_id, payout in zip(market.asset_ids, market.payouts, strict=True):
            if asset_id in self.account.positions:
                self.account.apply_resolution(asset_id, payout)
                self._journal.resolution(asset_id, payout, at_ms)

    def _close_orders(self, condition_id: ConditionId, at_ms: int, reason: str) -> None:
        for order in [o for o in self.account.orders.values() if o.condition_id == condition_id]:
            self._close(order, at_ms, reason)

    def _close(self, order: Order, at_ms: int, reason: str) -> Order:
        self._matching.remove(order.order_id)
        if order.state is OrderState.SUBMITTED:  # it never arrived
            return self._moved(order, OrderCause.REFUSED, at_ms, reason)
        return self._moved(order, OrderCause.CLOSED_CANCELED, at_ms, reason)

    def _moved(self, order: Order, cause: OrderCause, at_ms: int, reason: str = "") -> Order:
        after = order.move(cause, at_ms, reason)
        self.account.apply_order(after)
        self._journal.order(after, before="" if order.state is OrderState.PREPARED else order.state.value)
        self._out.append(OrderUpdated(after, at_ms))
        return after


def _highest_serial(db: Database) -> int:
    row = db.run(
        lambda connection: connection.execute(
            "SELECT max(CAST(substr(order_id, 7) AS INTEGER)) FROM orders WHERE order_id LIKE 'paper-%'"
        ).fetchone()
    )
    return int(row[0] or 0)
