"""LiveTrader: the venue's own books are the truth, the journal is written before the world is touched.

A signal becomes exact integers, is signed, passes the gate once more on those integers, is reserved and written to disk,
and is sent once. What became of it is learned from evidence: the user channel, the venue's lists, and the answer for
what it proves. Everything that waits for proof has its time in the journal, so starting and recovering are the same.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from dataclasses import replace
from random import Random, SystemRandom
from typing import Any

from polymarket_agent.db import Database
from polymarket_agent.domain.account import Account
from polymarket_agent.domain.board import Board
from polymarket_agent.domain.events import Event, Timer, UserStream, VenueLeg, VenueOrder, time_of
from polymarket_agent.domain.market import AssetId, ConditionId, Market
from polymarket_agent.domain.order import CancelState, Order, OrderCause, OrderId, OrderState
from polymarket_agent.domain.portfolio import Portfolio, Valuer
from polymarket_agent.domain.signal import Signal
from polymarket_agent.domain.venue import OrderSnapshot, SubmitOutcome
from polymarket_agent.errors import AgentError, LedgerError, OrderStateError
from polymarket_agent.execution.base import Executor
from polymarket_agent.execution.lanes import Lanes
from polymarket_agent.execution.live_books import LiveBooks
from polymarket_agent.execution.live_types import Alarm, Facts, LivePolicy
from polymarket_agent.execution.order_books import REMEMBERED
from polymarket_agent.execution.tickets import draft, reserve, ticket_of
from polymarket_agent.execution.upkeep import Upkeep
from polymarket_agent.ledger.journal import Journal
from polymarket_agent.ledger.live_journal import LiveJournal
from polymarket_agent.ledger.live_recovery import LiveOrder, ended_fills, failed_by_order, find_order, recover_live
from polymarket_agent.ledger.recovery import recover
from polymarket_agent.ports import Clock, MarketData, MarketQuery, VenueGateway

__all__ = ["LiveTrader"]

Approve = Callable[[Order, Signal], str | None]


class LiveTrader(Executor):
    """Carries out wishes on the venue. Its background work runs inside `session`.

    Args:
        gateway: a connected account at the venue.
        db: where orders, fills and postings go.
        board: the books and markets, shared with the engine.
        journal: shared with the orchestrator.
        clock: the time of everything.
        policy: waits and switches.
        alarm: told of what stops entries or everything.
        facts: what the gate should know of the venue; kept up to date here.
        data: reads markets that the board does not have.
        rng: salts of orders.

    Attributes:
        approve: the gate's binding check, on the final integers; None refuses everything.
        still_good: why the bytes of an order may not be sent once more, or None.
        closed: why an order may not be sent now, or None; asked before each POST.
    """

    binds = True

    def __init__(  # noqa: PLR0913 - one collaborator each
        self,
        gateway: VenueGateway,
        db: Database,
        *,
        board: Board,
        journal: Journal,
        live_journal: LiveJournal,
        clock: Clock,
        policy: LivePolicy,
        alarm: Alarm,
        facts: Facts,
        data: MarketData | None = None,
        rng: Random | None = None,
    ) -> None:
        self.gateway = gateway
        self.facts = facts
        self.approve: Approve | None = None
        self.still_good: Callable[[Order], str | None] = lambda _: None
        self.closed: Callable[[Order], str | None] = lambda _: None
        self.on_lost: Callable[[], None] = lambda: None
        self.policy = policy
        self._board, self._journal, self._live_journal = board, journal, live_journal
        self._clock, self._alarm, self._data, self._db, self._rng = clock, alarm, data, db, rng or SystemRandom()
        self._valuer = Valuer()
        self._markets: dict[AssetId, Market] = {}
        found = recover(db)
        self.is_new = found.account is None
        self.account = found.account or Account()
        self.books = LiveBooks(self.account, live_journal, self.market_of, alarm, timing=policy.timing)
        for asset_id, (quantity, value) in found.marks.items():
            self._valuer.remember(asset_id, quantity, value)
        self._take_up(db)
        self._upkeep: Upkeep | None = None
        self.lanes: Lanes | None = None

    def _take_up(self, db: Database) -> None:
        """What was sent and never answered before a restart may have arrived; what was never sent is dropped."""
        now_ms = self._clock.now_ms()
        found = recover_live(db)
        self.bookmarks = dict(found.bookmarks)
        for each in found.orders:
            self._remember(each)
        self.books.failed |= failed_by_order(db)
        self.books.ended.update(ended_fills(db, REMEMBERED))
        for order in list(self.account.orders.values()):
            if order.state is OrderState.PREPARED:
                self.books.move(order, OrderCause.ABANDON, now_ms, "never sent", source="restart")
            elif order.state is OrderState.SUBMITTED:
                self.books.move(order, OrderCause.NO_ANSWER, now_ms, source="restart")
            elif order.state is OrderState.QUARANTINED and order.deadline_ms is not None:
                pass  # a restart does not make another copy arrive sooner
            elif order.deadline_ms is None or order.deadline_ms > now_ms:
                self.books.note(order, deadline_ms=now_ms)

    def _remember(self, found: LiveOrder) -> None:
        order_id, books = found.order.order_id, self.books
        books.answers[order_id] = [each.answer for each in found.attempts]
        if found.attempts:
            books.first_sent_ms[order_id] = found.attempts[0].started_ms
            books.last_ended_ms[order_id] = max(each.ended_ms or each.started_ms for each in found.attempts)

    async def find_again(self, order_id: OrderId) -> Order | None:
        """Return an order of any age from the ledger, and what was sent of it."""
        found = await asyncio.to_thread(find_order, self._db, order_id)
        if found is None:
            return None
        self._remember(found)
        return found.order

    def market_of(self, asset_id: AssetId) -> Market | None:
        """Return the market of an asset: as the board has it, or as it was read for this."""
        return self._board.market_by_asset.get(asset_id) or self._markets.get(asset_id)

    async def fetch_markets(self, condition_ids: list[ConditionId]) -> None:
        """Read markets that nobody listens to; what the venue does not list stays unknown."""
        if self._data is None or not condition_ids:
            return
        query = MarketQuery(condition_ids=tuple(condition_ids), open_only=False, limit=len(condition_ids))
        for market in await self._data.markets(query):
            self._markets |= dict.fromkeys(market.asset_ids, market)

    # -- wishes -------------------------------------------------------------------------------------------------------

    async def place_order(self, signal: Signal) -> Order:
        """Sign, check, reserve and write down an order, and send it in the background; returns it as SUBMITTED.

        An order that the binding check refuses comes back ABANDONED with the reason; it was never sent.
        """
        now_ms = self._clock.now_ms()
        market = self.market_of(signal.asset_id)
        if market is None:
            raise AgentError(f"no market is known for asset {signal.asset_id}")
        order = draft(signal, market, self._board.books.get(signal.asset_id), now_ms)
        ticket = ticket_of(order, market)
        signed = self.gateway.sign(ticket, salt=self._rng.getrandbits(53), timestamp_ms=now_ms)
        if signed.ticket != ticket:
            raise LedgerError("what was signed is not what was intended; nothing was sent")
        order = reserve(replace(order, order_id=signed.order_id), market)
        why = self._refusal(order, signal)
        if why is not None or self.lanes is None:
            return order.move(OrderCause.ABANDON, now_ms, why or "live trading has not started")
        order = self.books.begin(order, now_ms)
        self.lanes.launch(order, signed, f"{signed.order_id}:{ticket.time_in_force.value}:{ticket.expires_s}")
        return self.books.find(order.order_id) or order

    def _refusal(self, order: Order, signal: Signal) -> str | None:
        if self.approve is None:
            return "nothing approves orders"
        why = self.approve(order, signal)
        return why if why is not None else self.closed(order)

    async def cancel_order(self, order_id: OrderId) -> bool:
        """Ask the venue to cancel; False if the order cannot be matched any more. Proves nothing about fills."""
        order = self.account.orders.get(order_id)
        if order is None or self._upkeep is None:
            return False
        self.books.note(order, cancel=CancelState.REQUESTED)
        self._upkeep.cancel(order_id)
        return True

    async def cancel_everything(self, reason: str) -> None:
        """Ask the venue to cancel every order of this key, now."""
        if self._upkeep is not None:
            await self._upkeep.cancel_everything(reason)

    def later(self, work: Coroutine[Any, Any, None]) -> bool:
        """Do something in the background of the session; False without one, and then it is dropped."""
        if self._upkeep is None:
            work.close()
            return False
        self._upkeep.spawn(work)
        return True

    async def wind_down(self) -> None:
        """Take no more wishes, let what is under way be answered, and cancel what is open if that is configured."""
        self.lanes = None
        if self._upkeep is not None:
            await self._upkeep.wind_down()

    def start_over(self) -> None:
        """Nothing is sent until the venue's books have been found equal to ours twice again."""
        if self._upkeep is not None:
            self._upkeep.start_over()

    async def get_open_orders(self) -> list[Order]:
        """Ask the venue what is open, and return what may still be matched, oldest first."""
        for said in await self.gateway.open_orders():
            self._order_said(said, "list")
        return sorted(self.account.orders.values(), key=lambda order: order.created_ms)

    async def get_portfolio(self) -> Portfolio:
        """Return the account with every position marked at what selling it now would bring."""
        return self._valuer.portfolio(self.account, self._board)

    # -- evidence -----------------------------------------------------------------------------------------------------

    def observe(self, event: Event) -> Sequence[Event]:
        """Take in what the venue says, and let the background work see that the engine is alive."""
        kind = type(event)
        if kind is VenueOrder:
            self._order_said(event.snapshot, "stream")  # type: ignore[union-attr]
        elif kind is VenueLeg:
            self._leg_said(event)  # type: ignore[arg-type]
        elif kind is UserStream:
            self._stream_changed(event)  # type: ignore[arg-type]
        if self._upkeep is not None:
            self._upkeep.progress(time_of(event), timer=kind is Timer)
        return self.books.take_out() if self.books.out else ()

    def _order_said(self, said: OrderSnapshot, source: str) -> None:
        with self._checked():
            self.books.order_said(said, self._clock.now_ms(), source=source)

    def _leg_said(self, event: VenueLeg) -> None:
        with self._checked():
            self.books.leg_said(event.leg, self._clock.now_ms(), source="stream")

    @contextlib.contextmanager
    def _checked(self) -> Iterator[None]:
        """Evidence that breaks an invariant halts; it does not end the process, which still has to cancel."""
        try:
            yield
        except (LedgerError, OrderStateError) as error:
            self._alarm("invariant", str(error))

    def _stream_changed(self, event: UserStream) -> None:
        self.facts.stream_up = False  # until the lists have been read anew
        if event.up and self._upkeep is not None:
            self._upkeep.resync()
        elif not event.up:
            if self._upkeep is not None:
                self._upkeep.reconciling.unheard()
            self._alarm("stream_lost", event.reason)
            self.on_lost()

    def answered(self, order: Order, outcome: SubmitOutcome) -> None:
        """Note what an answer shows of the venue, and cancel an order that was to go before it arrived."""
        if self._upkeep is None:
            return
        self._upkeep.watch.answered(outcome)
        if order.cancel is CancelState.REQUESTED and order.possibly_alive:
            self._upkeep.cancel(order.order_id)

    # -- life ---------------------------------------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def session(self) -> AsyncIterator[None]:
        """Recover, then keep up with the venue until the block ends; orders are cancelled then if that is configured.

        Raises:
            VenueError: the venue cannot be read at the start.
        """
        try:
            async with asyncio.TaskGroup() as group:
                upkeep = self._upkeep = Upkeep(self, group, self._live_journal, self._clock, self._alarm)
                await upkeep.start()
                self.lanes = upkeep.lanes
                try:
                    yield
                finally:
                    self.lanes = None
                    await upkeep.stop()
        except BaseExceptionGroup as errors:
            if len(errors.exceptions) == 1:
                raise errors.exceptions[0] from None
            raise
        finally:
            self._upkeep = None

    async def aclose(self) -> None:
        """Let go of the gateway."""
        await self.gateway.aclose()
