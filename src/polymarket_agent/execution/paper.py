"""PaperTrader: the same journal and accounts as live, with a fill model in place of the venue.

What it assumes about fills stands in `domain/matching.py`. Orders and cancellations arrive `latency_ms` after
the decision and meet the book as it is then; in between, a resting order may be filled although its
cancellation is on the way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from polymarket_agent.db import Database
from polymarket_agent.domain.board import Board
from polymarket_agent.domain.events import (
    BookDelta,
    BookSnapshot,
    Event,
    Gap,
    MarketClosed,
    MarketListed,
    MarketResolved,
    TradePrint,
    time_of,
)
from polymarket_agent.domain.market import ConditionId, Market, MarketState
from polymarket_agent.domain.matching import Match, MatchingModel
from polymarket_agent.domain.money import Usdc, display
from polymarket_agent.domain.order import Order, OrderCause, OrderId, OrderState, TimeInForce, form_refusal
from polymarket_agent.domain.portfolio import Account, Portfolio, Valuer
from polymarket_agent.domain.signal import Signal
from polymarket_agent.errors import AgentError
from polymarket_agent.execution.agenda import Agenda, What
from polymarket_agent.execution.base import NEVER_MS, Executor
from polymarket_agent.execution.bookkeeper import Bookkeeper
from polymarket_agent.ledger.journal import Journal
from polymarket_agent.ledger.recovery import recover
from polymarket_agent.ports import Clock

__all__ = ["PaperTrader"]

_LOOK_AGAIN_MS = 1_000  # an order that meets no book yet tries again after this


class PaperTrader(Executor):
    """Simulates execution against the books and trades that it is shown.

    Args:
        starting_balance: micro-USDC put into a new ledger; an existing ledger keeps what it has.
        db: where orders, fills and postings go.
        board: the books to match against; without one it keeps its own, fed by `observe`.
        journal: shared with the orchestrator; made from `db` if absent.
        clock: tells the time of decisions; without one it is the time of the last event.
        latency_ms: from decision to arrival. Books are seen as late as the feed brings them, so the time that
            market data needs belongs in it too.
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
        self._clock = clock
        self._heard_ms = 0
        self._journal = journal if journal is not None else Journal(db)
        if journal is None:  # nobody else begins the run that orders belong to
            self._journal.begin_run(mode="paper", feed="", config_hash="", config="", at_ms=self._now_ms())
        self._latency_ms = latency_ms
        self._matching = MatchingModel(self._board, book_through=book_through)
        self._valuer = Valuer()
        self._agenda = Agenda()
        self._resumed: set[OrderId] = set()
        self.next_due_ms = NEVER_MS
        found = recover(db)
        if found.account is None:
            self.account = Account(starting_balance)
            self._journal.deposit(starting_balance, self._now_ms())
        else:
            self.account = found.account
            self._journal.require_agreement(self.account)
        self._books = Bookkeeper(self.account, self._journal)
        self._resume()
        for asset_id, (quantity, value) in found.marks.items():
            self._valuer.remember(asset_id, quantity, value)
        self._serial = found.paper_orders

    def _resume(self) -> None:
        """Orders that were on their way arrive anew; resting ones join their queues anew, at the end."""
        for order in list(self.account.orders.values()):
            self._resumed.add(order.order_id)
            self._schedule(order.updated_ms, What.ARRIVE, order.order_id)
            if order.expires_at_ms is not None:
                self._schedule(order.expires_at_ms, What.EXPIRE, order.order_id)

    async def place_order(self, signal: Signal) -> Order:
        """Journal an order and send it on its way; with no latency it has arrived when this returns."""
        now_ms = self._now_ms()
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
        refusal = self._books.means_refusal(order, market)
        order = replace(order, reserved=0 if refusal else self._books.need(order, market))
        order = self._books.move(order, OrderCause.ATTEMPT_COMMITTED, now_ms)
        if refusal:
            return self._books.move(order, OrderCause.REFUSED, now_ms, refusal)
        self._schedule(now_ms + self._latency_ms, What.ARRIVE, order.order_id)
        if order.expires_at_ms is not None:
            self._schedule(order.expires_at_ms, What.EXPIRE, order.order_id)
        final = self._work_off(now_ms)
        return final.get(order.order_id) or self.account.orders.get(order.order_id) or order

    async def cancel_order(self, order_id: OrderId) -> bool:
        """Send a cancellation on its way; False if the order cannot be matched any more."""
        if order_id not in self.account.orders:
            return False
        now_ms = self._now_ms()
        self._schedule(now_ms + self._latency_ms, What.CANCEL, order_id)
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
        self._heard_ms = now_ms
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
            self._end_market(event.condition_id, now_ms, "market closed")
        elif isinstance(event, MarketResolved):
            self._end_market(event.condition_id, now_ms, "market resolved")
        elif isinstance(event, MarketListed):
            self._follow_listing(event.market.condition_id, now_ms)
        return self._books.take_out() if self._books.out else ()

    def _now_ms(self) -> int:
        return self._clock.now_ms() if self._clock is not None else self._heard_ms

    def _schedule(self, at_ms: int, what: What, order_id: OrderId) -> None:
        self._agenda.add(at_ms, what, order_id)
        self.next_due_ms = self._agenda.next_ms

    def _work_off(self, now_ms: int) -> dict[OrderId, Order]:
        """Do everything that is due, in the order in which it is; returns orders that this closed."""
        closed: dict[OrderId, Order] = {}
        while (due := self._agenda.pop(now_ms)) is not None:
            order = self.account.orders.get(due.order_id)
            if order is None:
                continue
            at_ms = max(due.at_ms, order.updated_ms)
            match due.what:
                case What.ARRIVE:
                    after = self._arrive(order, at_ms, now_ms)
                case What.CANCEL:
                    after = self._close(order, at_ms, "cancelled by us")
                case What.EXPIRE:
                    after = self._close(order, at_ms, "expired")
            if not after.possibly_alive:
                closed[after.order_id] = after
        self.next_due_ms = self._agenda.next_ms
        return closed

    def _arrive(self, order: Order, at_ms: int, now_ms: int) -> Order:
        """Let an order meet the book. One that may rest waits while no book is known."""
        market = self._board.market_by_asset.get(order.asset_id)
        if market is None:  # a resumed order whose market has not been listed yet
            return self._look_again(order, now_ms)
        if order.order_id in self._resumed:
            self._resumed.discard(order.order_id)
            if order.expires_at_ms is not None and order.expires_at_ms <= now_ms:
                return self._close(order, at_ms, "expired")
            if order.state is OrderState.OPEN:
                return self._rejoin(order, market, now_ms)
        refusal = self._venue_refusal(order, market)
        if refusal is not None:
            return self._books.move(order, OrderCause.REFUSED, at_ms, refusal)
        if not self._matching.can_judge(order.asset_id):
            return self._look_again(order, now_ms)
        need = self._books.need(order, market)  # the fee schedule may have changed on the way
        order = self._books.move(replace(order, reserved=need), OrderCause.ACCEPTED, at_ms)
        order = self._fill(order, self._matching.take(order), at_ms, is_maker=False)
        if order.state.final:
            return order
        if not order.time_in_force.rests:
            return self._close(order, at_ms, "the rest of a FAK order")
        self._matching.rest(order, at_ms)
        return order

    def _look_again(self, order: Order, now_ms: int) -> Order:
        self._schedule(now_ms + _LOOK_AGAIN_MS, What.ARRIVE, order.order_id)
        return order

    def _rejoin(self, order: Order, market: Market, now_ms: int) -> Order:
        """Rest an order that rested before a restart. It takes nothing: it was on the book all the time."""
        if not order.time_in_force.rests or market.state is not MarketState.OPEN:
            return self._close(order, now_ms, "it could not go on after a restart")
        self._matching.rest(order, now_ms)
        return order

    def _venue_refusal(self, order: Order, market: Market) -> str | None:
        if not market.tradable:
            return "the market takes no orders"
        wrong_form = form_refusal(market, order.price, order.quantity, order.time_in_force)
        if wrong_form is not None:
            return wrong_form
        if order.post_only and not order.time_in_force.rests:
            return "invalid post-only order: only GTC and GTD orders can be post-only"
        known = self._matching.can_judge(order.asset_id)
        if order.post_only and known and self._matching.crosses(order):
            return "invalid post-only order: order crosses book"
        takeable = sum(size for _, size in self._matching.takeable(order))
        if order.time_in_force is TimeInForce.FOK and takeable < order.quantity:
            return "order couldn't be fully filled. FOK orders are fully filled or killed."
        if order.time_in_force is TimeInForce.FAK and not takeable:
            return "no orders found to match with FAK order."
        return self._books.means_refusal(order, market)

    def _fill_resting(self, matches: list[Match], now_ms: int) -> None:
        for match in matches:
            order = self.account.orders[match.order_id]
            self._fill(order, [match], max(now_ms, order.updated_ms), is_maker=True)

    def _fill(self, order: Order, matches: Sequence[Match], at_ms: int, *, is_maker: bool) -> Order:
        market = self._board.market_by_asset[order.asset_id]
        after = self._books.fill(order, matches, at_ms, market, is_maker=is_maker)
        if after.state.final:
            self._matching.remove(order.order_id)
        return after

    def _follow_listing(self, condition_id: ConditionId, at_ms: int) -> None:
        """A listing may be the first that we hear of a market's end, above all after a restart."""
        market = self._board.markets.get(condition_id)
        if market is not None and market.state is not MarketState.OPEN:
            self._end_market(condition_id, at_ms, f"market {market.state.value}")

    def _end_market(self, condition_id: ConditionId, now_ms: int, reason: str) -> None:
        """Close what is open in a market, and pay out if its answer is known."""
        for order in [o for o in self.account.orders.values() if o.condition_id == condition_id]:
            self._close(order, max(now_ms, order.updated_ms), reason)
        market = self._board.markets.get(condition_id)
        if market is not None:
            self._books.pay_out(market, now_ms)

    def _close(self, order: Order, at_ms: int, reason: str) -> Order:
        self._matching.remove(order.order_id)
        never_arrived = order.state is OrderState.SUBMITTED
        return self._books.move(
            order, OrderCause.REFUSED if never_arrived else OrderCause.CLOSED_CANCELED, at_ms, reason
        )
