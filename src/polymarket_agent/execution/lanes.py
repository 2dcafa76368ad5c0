"""The only way to the venue for an order: written down and on disk, then one POST, then what its answer proves.

Orders of one market go one after the other; markets go side by side. Orders that are written at the same time share
one sync of the disk. A cancel never waits here.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from polymarket_agent.domain.levels import Side
from polymarket_agent.domain.market import ConditionId
from polymarket_agent.domain.order import Order, OrderId
from polymarket_agent.domain.venue import Answer, SignedOrder, SubmitOutcome
from polymarket_agent.errors import AgentError, DatabaseError, GateClosedError
from polymarket_agent.execution.live_books import LiveBooks
from polymarket_agent.execution.live_types import Alarm
from polymarket_agent.ledger.live_journal import LiveJournal
from polymarket_agent.ports import Clock, VenueGateway

__all__ = ["Lanes"]

MOST_ATTEMPTS = 3
RESEND_WITHIN_MS = 30_000

_APPROVED_FOR_MS = 5_000
_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class _Held:
    """A signed order for the time in which the same bytes may be sent again."""

    signed: SignedOrder
    approval: str


class Lanes:
    """Sends orders, each at most once an attempt.

    Args:
        gateway: where to.
        books: takes the answers.
        journal: writes first.
        clock: times attempts.
        alarm: told when the disk or an order id is wrong.
        spawn: starts a task that the executor owns.
        closed: returns why an order may not be sent now, or None; asked right before each POST.
        answered: called with every outcome.
    """

    def __init__(  # noqa: PLR0913 - one collaborator each
        self,
        gateway: VenueGateway,
        books: LiveBooks,
        journal: LiveJournal,
        clock: Clock,
        *,
        alarm: Alarm,
        spawn: Callable[[Coroutine[Any, Any, None]], None],
        closed: Callable[[Order], str | None],
        answered: Callable[[Order, SubmitOutcome], None],
        timeout_s: float = 10.0,
    ) -> None:
        self._gateway, self._books, self._journal, self._clock = gateway, books, journal, clock
        self._alarm, self._spawn, self._closed, self._answered = alarm, spawn, closed, answered
        self._timeout_s = timeout_s
        self._markets: dict[ConditionId, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._held: dict[OrderId, _Held] = {}
        self._in_flight = 0
        self._idle = asyncio.Event()
        self._idle.set()

    def launch(self, order: Order, signed: SignedOrder, approval: str) -> None:
        """Write an order down and send it, in the background; its worst cost counts already."""
        self._held[order.order_id] = _Held(signed, approval)
        self._go(order, signed, 1, approval)

    async def all_answered(self) -> None:
        """Wait until no order is on its way."""
        await self._idle.wait()

    def may_resend(self, order: Order) -> bool:
        """Whether the same bytes may be sent once more: young, few attempts, still held, and no all-or-nothing entry."""
        young = self._clock.now_ms() - order.created_ms <= RESEND_WITHIN_MS
        few = len(self._books.answers.get(order.order_id, [])) < MOST_ATTEMPTS
        return young and few and order.order_id in self._held and order.time_in_force.rests

    def resend(self, order: Order) -> None:
        """Send the same bytes again. A venue that has them says so; it cannot become a second order."""
        held = self._held[order.order_id]
        self._go(order, held.signed, self._books.attempt(order.order_id), held.approval)

    def forget_old(self) -> None:
        """Erase signatures that may not be sent any more: each is worth what its order is."""
        now_ms = self._clock.now_ms()
        for order_id in list(self._held):
            order = self._books.find(order_id)
            if order is None or order.state.final or now_ms - order.created_ms > RESEND_WITHIN_MS:
                del self._held[order_id]

    def _go(self, order: Order, signed: SignedOrder, attempt: int, approval: str) -> None:
        now_ms = self._clock.now_ms()
        try:
            written = self._journal.submit(order, signed, attempt=attempt, approval=approval, at_ms=now_ms)
        except DatabaseError as error:
            self._refused_unwritten(order, attempt, error)
            return
        self._spawn(self._send(order, signed, attempt, written, now_ms))

    async def _send(
        self, order: Order, signed: SignedOrder, attempt: int, written: Future[None], approved_ms: int
    ) -> None:
        self._in_flight += 1
        self._idle.clear()
        try:
            async with self._turn(order):
                try:
                    await asyncio.wrap_future(written)
                except (GateClosedError, DatabaseError) as error:
                    self._refused_unwritten(order, attempt, error)
                    return
                self._books.written(order.order_id)
                outcome = await self._post(order, signed, approved_ms)
        finally:
            self._in_flight -= 1
            if not self._in_flight:
                self._idle.set()
        after = self._books.answered(order.order_id, attempt, outcome, self._clock.now_ms())
        if outcome.answer is Answer.WRONG_ID:
            self._alarm("wrong_order_id", f"we computed {order.order_id}, the venue says {outcome.order_id}")
        self._answered(after, outcome)

    def _refused_unwritten(self, order: Order, attempt: int, error: AgentError) -> None:
        now_ms = self._clock.now_ms()
        if attempt == 1:
            after = self._books.never_sent(order.order_id, str(error), now_ms)
            self._answered(after, SubmitOutcome(answer=Answer.NOT_SENT, text=str(error)))
        else:
            self._books.answers[order.order_id].pop()
        if isinstance(error, DatabaseError):
            self._alarm("disk", str(error))

    def _turn(self, order: Order) -> contextlib.AbstractAsyncContextManager[Any]:
        """Orders of a market go one after the other; one that sells does not wait behind an answer that is late."""
        return contextlib.nullcontext() if order.side is Side.SELL else self._markets[order.condition_id]

    async def _post(self, order: Order, signed: SignedOrder, approved_ms: int) -> SubmitOutcome:
        async with self._slots:
            why = self._closed(order)
            if why is None and self._clock.now_ms() - approved_ms > _APPROVED_FOR_MS:
                why = "its approval is older than 5 s"
            if why is not None:
                return SubmitOutcome(answer=Answer.NOT_SENT, text=why)
            try:
                async with asyncio.timeout(self._timeout_s + 2):
                    return await self._gateway.submit(signed)
            except TimeoutError:
                return SubmitOutcome(answer=Answer.UNKNOWN, text="no answer in time")
            except Exception as error:  # noqa: BLE001 - a mistake of ours: nobody knows whether bytes have left
                self._alarm("invariant", f"a mistake in the agent while sending: {type(error).__name__}")
                return SubmitOutcome(answer=Answer.UNKNOWN, text="a mistake in the agent while sending")
