"""Looks after orders that wait for proof. What to do follows from the order's row alone, so a restart goes on with it.

An order that the venue does not show may still arrive. Only the whole absence proof frees its money: two looks well
after its last attempt, the trades since before its first one, the open list, and a cancel that found nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from polymarket_agent.domain.order import CancelState, Order, OrderCause, OrderId, OrderState
from polymarket_agent.errors import VenueError
from polymarket_agent.execution.lanes import Lanes
from polymarket_agent.execution.live_books import LiveBooks
from polymarket_agent.execution.live_types import Timing
from polymarket_agent.ledger.live_journal import LiveJournal
from polymarket_agent.ports import Clock, VenueGateway

__all__ = ["Inquiry"]

_OVERLAP_S = 120
_FIRST_WAITS_MS = (1_000, 1_000, 3_000, 5_000, 10_000)  # looks at 1, 2, 5, 10 and 20 s
_CANCEL_AGAIN_MS = 20_000
_LOOK_SOON_MS = 1_000


@dataclass(slots=True)
class _Case:
    """What was found about one order while it was in one state; times in milliseconds."""

    state: OrderState
    looks: list[int] = field(default_factory=list)
    cancel_found_nothing_ms: int = 0
    asked: int = 0


class Inquiry:
    """Asks about one order at a time.

    Args:
        cancel: asks for a cancellation in the background.
        may_resend: whether the gate still allows the order.
        restarted_ms: when the venue was last seen restarting; an absence proof starts over then.
    """

    def __init__(  # noqa: PLR0913 - one collaborator each
        self,
        gateway: VenueGateway,
        books: LiveBooks,
        journal: LiveJournal,
        lanes: Lanes,
        clock: Clock,
        *,
        timing: Timing,
        cancel: Callable[[OrderId], None],
        may_resend: Callable[[Order], bool],
        restarted_ms: Callable[[], int],
    ) -> None:
        self._gateway, self._books, self._journal, self._lanes = gateway, books, journal, lanes
        self._clock, self._timing, self._cancel = clock, timing, cancel
        self._may_resend, self._restarted_ms = may_resend, restarted_ms
        self._cases: dict[OrderId, _Case] = {}

    def forget_closed(self) -> None:
        """Let go of what was found about orders that are closed by now."""
        for order_id in [each for each in self._cases if each not in self._books.account.orders]:
            del self._cases[order_id]

    async def look(self, order_id: OrderId) -> None:
        """Do what is due for an order; a read that fails is repeated later and proves nothing."""
        order = self._books.find(order_id)
        if order is None or order.state.final:
            self._cases.pop(order_id, None)
            return
        case = self._cases.get(order_id)
        if case is None or case.state is not order.state:  # what was not found before a sign of life proves nothing
            case = self._cases[order_id] = _Case(order.state)
        waits = _FIRST_WAITS_MS[case.asked] if case.asked < len(_FIRST_WAITS_MS) else self._timing.look_ms
        case.asked += 1
        order = self._books.note(order, deadline_ms=self._clock.now_ms() + waits)
        try:
            await self._look(order, case)
        except VenueError as error:
            self._journal.look(order_id, self._clock.now_ms(), "failed", found=False, detail=str(error)[:200])
        after = self._books.find(order_id)
        if after is None or after.state.final or after.state is not order.state:
            self._cases.pop(order_id, None)

    async def _look(self, order: Order, case: _Case) -> None:
        now_ms = self._clock.now_ms()
        match order.state:
            case OrderState.UNKNOWN:
                await self._resolve(order, case)
            case OrderState.QUARANTINED:
                await self._last_look(order)
            case OrderState.DELAYED:  # it was accepted, so it is there or was
                self._books.move(order, OrderCause.SIGN_OF_LIFE, now_ms, source="accepted")
            case OrderState.OPEN:
                await self._watch(order, case)
            case _:
                pass

    async def _found(self, order: Order, case: _Case) -> bool:
        """Ask by id, then for its trades; True if either shows it. What was found is applied."""
        asked_ms = self._clock.now_ms()
        said = await self._gateway.order(order.order_id)
        self._journal.look(
            order.order_id, asked_ms, "order", found=said is not None, detail=said.status if said else ""
        )
        if said is not None:
            self._books.order_said(said, self._clock.now_ms(), source="by id")
        await self._read_trades(order)
        after = self._books.find(order.order_id)
        if said is None and after is not None and after.state is order.state and after.matched == order.matched:
            case.looks.append(asked_ms)
            return False
        return True

    async def _read_trades(self, order: Order) -> None:
        sent_ms = self._books.first_sent_ms.get(order.order_id, order.created_ms)
        for leg in await self._gateway.legs(max(0, sent_ms // 1_000 - _OVERLAP_S)):
            self._books.leg_said(leg, self._clock.now_ms(), source="list")

    async def _resolve(self, order: Order, case: _Case) -> None:
        if await self._found(order, case):
            return
        if self._lanes.may_resend(order) and self._may_resend(order):
            self._lanes.resend(order)
            return
        cancelled = await self._gateway.cancel([order.order_id])
        now_ms = self._clock.now_ms()
        current = self._books.find(order.order_id)
        if current is None or current.state is not OrderState.UNKNOWN:
            return
        if order.order_id in cancelled.canceled:
            alive = self._books.move(current, OrderCause.SIGN_OF_LIFE, now_ms, source="cancel")
            self._books.note(alive, cancel=CancelState.ACKNOWLEDGED, deadline_ms=now_ms + 1_000)
            return
        if order.order_id in cancelled.not_canceled:
            case.cancel_found_nothing_ms = now_ms
        if await self._absent(current, case):
            self._books.move(current, OrderCause.ABSENCE_PROVEN, now_ms, source="absence proof")

    async def _absent(self, order: Order, case: _Case) -> bool:
        sent_ms = self._books.last_ended_ms.get(order.order_id, order.updated_ms)
        settled_ms = max(sent_ms, self._restarted_ms()) + self._timing.absent_after_ms
        late = [asked_ms for asked_ms in case.looks if asked_ms >= settled_ms]
        if len(late) < 2 or late[-1] - late[0] < self._timing.look_ms or case.cancel_found_nothing_ms < settled_ms:
            return False
        return order.order_id not in {each.order_id for each in await self._gateway.open_orders()}

    async def _last_look(self, order: Order) -> None:
        """A quarantine ends with a look, not with a clock alone."""
        case = _Case(order.state)
        if await self._found(order, case):
            return
        if order.order_id in {each.order_id for each in await self._gateway.open_orders()}:
            return
        current = self._books.find(order.order_id)
        if current is not None and current.state is OrderState.QUARANTINED:
            self._books.move(current, OrderCause.LAST_LOOK, self._clock.now_ms(), current.reason, source="last look")

    async def _watch(self, order: Order, case: _Case) -> None:
        """An open order that is due: it ends, it is to be cancelled, or its end was heard of and is to be proven."""
        now_ms = self._clock.now_ms()
        if order.expires_at_ms is not None and now_ms >= order.expires_at_ms and order.cancel is CancelState.NONE:
            self._books.note(order, reason="expired")
            self._cancel(order.order_id)
            return
        if order.cancel in (CancelState.REQUESTED, CancelState.UNKNOWN) and now_ms - order.updated_ms > 0:
            self._cancel(order.order_id)
        if await self._found(order, case):
            self._rest(order.order_id, case)
            return
        if len(case.looks) > 1 and case.looks[-1] - case.looks[0] >= self._timing.looks_apart_ms:
            current = self._books.find(order.order_id)
            if current is None or current.state is not OrderState.OPEN or self._books.waits_for_legs(current, now_ms):
                return
            self._books.close(current, now_ms, current.reason or "not active any more", source="two looks")

    def _rest(self, order_id: OrderId, case: _Case) -> None:
        """It is there: nothing is due before its end, unless it is to go."""
        order = self._books.find(order_id)
        if order is None or order.state is not OrderState.OPEN:
            return
        case.looks.clear()
        if order.cancel is CancelState.NONE and order.time_in_force.rests:
            self._books.note(order, deadline_ms=order.expires_at_ms)
        elif order.cancel is CancelState.ACKNOWLEDGED:  # that came while we asked, or it was not done
            self._books.note(order, deadline_ms=self._clock.now_ms() + _LOOK_SOON_MS, cancel=CancelState.UNKNOWN)
        elif order.cancel is not CancelState.NONE:
            self._books.note(order, deadline_ms=self._clock.now_ms() + _CANCEL_AGAIN_MS, cancel=CancelState.REQUESTED)
