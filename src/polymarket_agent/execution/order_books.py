"""Our orders as the venue's evidence moves them, in memory and in the journal. No input or output but the journal's queue.

Evidence may come twice, late and in any order, from the stream, from lists and from answers; the result is the same.
What belongs to no order that we know is a stranger: it is looked up, and imported if nobody here made it.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import replace

from polymarket_agent.domain.account import Account
from polymarket_agent.domain.costs import rest_cost
from polymarket_agent.domain.events import Event, OrderUpdated
from polymarket_agent.domain.money import Shares
from polymarket_agent.domain.order import EXTERNAL, CancelState, Order, OrderCause, OrderId, OrderState, TimeInForce
from polymarket_agent.domain.venue import Answer, Leg, OrderSnapshot, SubmitOutcome
from polymarket_agent.execution.live_types import Alarm, Markets, Said, Timing, fold
from polymarket_agent.ledger.live_journal import LiveJournal

__all__ = ["LOOK_SOON_MS", "REMEMBERED", "OrderBooks"]

LOOK_SOON_MS = 1_000
REMEMBERED = 20_000  # closed orders and ended fills; older ones are in the ledger

_S, _C = OrderState, OrderCause


class OrderBooks:
    """Orders, in memory and in the journal at once. `out` is what was not reported yet."""

    def __init__(
        self, account: Account, journal: LiveJournal, markets: Markets, alarm: Alarm, *, timing: Timing | None = None
    ) -> None:
        self.account = account
        self.out: list[Event] = []
        self.strangers: deque[Leg | OrderSnapshot] = deque(maxlen=10_000)
        self.answers: dict[OrderId, list[Answer | None]] = {}
        self.first_sent_ms: dict[OrderId, int] = {}
        self.last_ended_ms: dict[OrderId, int] = {}
        self.failed: dict[OrderId, int] = {}  # micro-shares of legs that failed to settle
        self.version = 0  # grows with everything that changes cash or shares
        self.fills = 0
        self.born_ms = 0  # trades from before belong to the opening balances
        self._journal = journal
        self._markets = markets
        self._alarm = alarm
        self._timing = timing or Timing()
        self._expected: dict[OrderId, tuple[int, int]] = {}  # micro-shares that the venue says are matched; since when
        self._unwritten: set[OrderId] = set()  # their first row is on its way to the disk, or is refused there
        self._closed: OrderedDict[OrderId, Order] = OrderedDict()

    def take_out(self) -> list[Event]:
        """Return what happened since the last call."""
        out, self.out = self.out, []
        return out

    def find(self, order_id: OrderId) -> Order | None:
        """Return an order that may be alive or was closed lately."""
        return self.account.orders.get(order_id) or self._closed.get(order_id)

    def remember(self, order: Order) -> None:
        """Take up an order from the ledger."""
        if order.possibly_alive:
            self.account.apply_order(order)
        else:
            self._closed[order.order_id] = order
            self._closed.move_to_end(order.order_id)
            while len(self._closed) > REMEMBERED:
                self._forget(self._closed.popitem(last=False)[0])

    def _forget(self, order_id: OrderId) -> None:
        for kept in (self.answers, self.first_sent_ms, self.last_ended_ms, self.failed, self._expected):
            kept.pop(order_id, None)

    # -- our own acts -----------------------------------------------------------------------------------------------

    def begin(self, order: Order, now_ms: int) -> Order:
        """Take in an order whose first attempt is being written down: from here on its worst cost counts."""
        order = order.move(_C.ATTEMPT_COMMITTED, now_ms)
        self.answers[order.order_id] = [None]
        self.first_sent_ms[order.order_id] = now_ms
        self._unwritten.add(order.order_id)
        self._keep(order, now_ms)
        return order

    def written(self, order_id: OrderId) -> None:
        """Note that an order's row is on disk."""
        self._unwritten.discard(order_id)

    def never_sent(self, order_id: OrderId, reason: str, now_ms: int) -> Order:
        """Drop an order that was refused before its row was written: the journal has nothing of it."""
        order = self.account.orders[order_id].move(_C.REFUSED, now_ms, reason)
        self._unwritten.discard(order_id)
        self._keep(order, now_ms)
        return order

    def attempt(self, order_id: OrderId) -> int:
        """Count another attempt of an order; returns its number from 1."""
        self.answers[order_id].append(None)
        return len(self.answers[order_id])

    def answered(self, order_id: OrderId, attempt: int, outcome: SubmitOutcome, now_ms: int) -> Order:
        """Take in the answer to an attempt. The state follows from all attempts, never from the last answer alone."""
        order = self.find(order_id)
        assert order is not None
        answers = self.answers[order_id]
        answers[attempt - 1] = outcome.answer
        self.last_ended_ms[order_id] = now_ms
        cause = fold(answers)
        before = order.state
        if order.state in (_S.SUBMITTED, _S.UNKNOWN):
            if (order.state, cause) != (_S.UNKNOWN, _C.NO_ANSWER):
                cause = _C.ACCEPTED if order.state is _S.UNKNOWN and cause is _C.ACCEPTED_DELAYED else cause
                order = order.move(cause, now_ms, outcome.text if cause in (_C.REFUSED, _C.REFUSED_NOW) else "")
        elif order.state in (_S.QUARANTINED, _S.REJECTED) and cause in (_C.ACCEPTED, _C.ACCEPTED_DELAYED):
            order = self._revived(order, now_ms, "an attempt was accepted after all")
        order = self._due(order, before, now_ms)
        if outcome.status == "matched" and order.state is _S.OPEN and not order.matched:
            self._expected.setdefault(order_id, (1, now_ms))
            order = replace(order, deadline_ms=now_ms + LOOK_SOON_MS)
        self._journal.answered(order, before.value, attempt=attempt, outcome=outcome, at_ms=now_ms)
        self._keep(order, now_ms)
        return order

    def _due(self, order: Order, before: OrderState, now_ms: int) -> Order:
        """Return an order with the time of its next look; one that came alive and was to go is to be cancelled anew."""
        if order.state is before is _S.OPEN:
            return order  # a late answer says nothing new: a look or a cancel that is due stays due
        came_alive = order.state is _S.OPEN
        if came_alive and order.cancel not in (CancelState.NONE, CancelState.ACKNOWLEDGED):
            return replace(order, cancel=CancelState.REQUESTED, deadline_ms=now_ms)
        return replace(order, deadline_ms=self._deadline(order, now_ms))

    def _deadline(self, order: Order, now_ms: int) -> int | None:
        match order.state:
            case _S.UNKNOWN:
                return now_ms + LOOK_SOON_MS
            case _S.QUARANTINED:
                return now_ms + self._timing.quarantine_refused_ms
            case _S.DELAYED:
                return now_ms + self._timing.delayed_ms
            case _S.OPEN:
                return order.expires_at_ms if order.time_in_force.rests else now_ms + LOOK_SOON_MS
            case _:
                return None

    def move(self, order: Order, cause: OrderCause, now_ms: int, reason: str = "", *, source: str) -> Order:
        """Move an order by evidence and note when it is due next."""
        after = order.move(cause, now_ms, reason)
        after = self._due(after, order.state, now_ms)
        if cause is _C.ABSENCE_PROVEN:
            after = replace(after, deadline_ms=now_ms + self._timing.quarantine_absent_ms)
        self._journal.moved(after, order.state.value, source=source)
        self._keep(after, now_ms)
        return after

    def note(self, order: Order, **changes: object) -> Order:
        """Keep a change that is no move: a deadline, or what became of a cancel."""
        after = replace(order, **changes)  # type: ignore[arg-type]
        if order.order_id not in self._unwritten:
            self._journal.moved(after, order.state.value, source="")
        self._keep(after, order.updated_ms)
        return after

    # -- evidence ---------------------------------------------------------------------------------------------------

    def order_said(self, said: OrderSnapshot, now_ms: int, *, source: str) -> Said:
        """Take in what the venue says of an order."""
        order = self.find(said.order_id)
        if order is None:
            self.strangers.append(said)
            return Said.STRANGER
        if said.active:
            return self._alive(order, said, now_ms, source)
        if order.state.final:
            return Said.NOTHING
        if order.state is not _S.OPEN:
            order = self.move(order, _C.SIGN_OF_LIFE, now_ms, source=source)
        failed, matched = self.failed.get(order.order_id, 0), said.matched
        if matched is None and order.time_in_force is TimeInForce.FOK:
            matched = order.matched  # a killed one is told without a size; it has no part
        if matched is None or not order.matched <= matched <= order.matched + failed:
            self._expect(order, matched, now_ms)
            return Said.LOOK
        self.close(order, now_ms, order.reason or said.reason or said.status.lower(), source=source)
        return Said.APPLIED

    def _alive(self, order: Order, said: OrderSnapshot, now_ms: int, source: str) -> Said:
        if order.strategy == EXTERNAL and order.state.final and source == "list":
            return self._external_lives(order, said, now_ms)
        if order.state is _S.FILLED or (order.state is _S.DELAYED and said.status == "DELAYED"):
            return Said.NOTHING  # a list may be older than the fill that ended the order
        if order.state in (_S.QUARANTINED, _S.REJECTED, _S.ABANDONED, _S.CANCELED):
            if order.state is _S.CANCELED and source != "list":
                return Said.LOOK  # a message that was overtaken; a list read later decides
            after = self._revived(order, now_ms, f"the venue has it ({said.status})")
            self._journal.moved(after, order.state.value, source=source)
            self._keep(after, now_ms)
            return Said.APPLIED
        if order.state is _S.OPEN:
            if said.matched is None or said.matched <= order.matched + self.failed.get(order.order_id, 0):
                return Said.NOTHING
            self._expect(order, said.matched, now_ms)
            return Said.LOOK
        self.move(order, _C.SIGN_OF_LIFE, now_ms, source=source)
        return Said.APPLIED

    def _external_lives(self, order: Order, said: OrderSnapshot, now_ms: int) -> Said:
        """Somebody else's order of which we knew a part only: it counts as a whole from now on."""
        market = self._markets(order.asset_id)
        assert market is not None
        after = replace(order, state=_S.OPEN, quantity=Shares(max(order.matched + 1, said.quantity)), updated_ms=now_ms)
        after = replace(after, reserved=rest_cost(after, market.fees, post_only=False), deadline_ms=None)
        self._journal.moved(after, order.state.value, source="list")
        self._keep(after, now_ms)
        return Said.APPLIED

    def waits_for_legs(self, order: Order, now_ms: int) -> bool:
        """Whether the venue has said that more of an order is matched than its legs show, lately enough to wait."""
        matched, since_ms = self._expected.get(order.order_id, (0, 0))
        missing = matched > order.matched + self.failed.get(order.order_id, 0)
        return missing and now_ms - since_ms < self._timing.absent_after_ms

    def _expect(self, order: Order, matched: int | None, now_ms: int) -> None:
        """The venue has matched more than we were told: its legs come soon, or are read."""
        known, since_ms = self._expected.get(order.order_id, (0, now_ms))
        self._expected[order.order_id] = (max(matched or 0, known), since_ms)
        if order.deadline_ms is None or order.deadline_ms > now_ms + LOOK_SOON_MS:
            self.note(order, deadline_ms=now_ms + LOOK_SOON_MS)

    def _revived(self, order: Order, now_ms: int, why: str) -> Order:
        """Reserve again for an order that we thought dead, and have it cancelled."""
        market = self._markets(order.asset_id)
        held = order.reserved
        if order.state.final:
            assert market is not None
            held = rest_cost(order, market.fees, post_only=order.post_only)
        self._alarm("revival", f"order {order.order_id} was {order.state.value} and is alive: {why}")
        after = order.move(_C.SIGN_OF_LIFE, now_ms, reserved=held)
        return replace(after, cancel=CancelState.REQUESTED, deadline_ms=now_ms, reason="")

    def close(self, order: Order, now_ms: int, reason: str, *, source: str) -> Order:
        """Close an order that the venue matches no more; its fills are complete."""
        cause = _C.CLOSED_FILLED if order.filled_up else _C.CLOSED_CANCELED
        return self.move(order, cause, now_ms, reason if cause is _C.CLOSED_CANCELED else "", source=source)

    def adopt(self, order: Order, now_ms: int) -> None:
        """Import an order that nobody here made: it is counted, and stops entries; it is never cancelled for that."""
        self._journal.external(order)
        self._keep(order, now_ms)
        self._alarm("external_activity", f"order {order.order_id} was made by somebody else with this wallet")

    def _keep(self, order: Order, now_ms: int) -> None:
        self.account.apply_order(order)
        if not order.possibly_alive:
            self.remember(order)
        self.out.append(OrderUpdated(order, now_ms))
