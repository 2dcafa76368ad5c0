"""Rules broken on purpose, one at a time: what the oracles must notice."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from polymarket_agent import conduct
from polymarket_agent.domain.money import cost_rounded_up
from polymarket_agent.domain.order import CancelState, Order, OrderCause, OrderId, OrderState, SettlementStatus
from polymarket_agent.domain.signal import Signal
from polymarket_agent.domain.venue import Answer, Leg, OrderSnapshot, SubmitOutcome
from polymarket_agent.execution import inquiry, lanes, live, order_books, rounds
from polymarket_agent.execution.cancels import Cancels
from polymarket_agent.execution.inquiry import Inquiry
from polymarket_agent.execution.live import LiveTrader
from polymarket_agent.execution.live_books import LiveBooks
from polymarket_agent.execution.live_types import Said, fold
from polymarket_agent.execution.reconciling import Reconciling
from polymarket_agent.execution.tickets import reserve
from polymarket_agent.ledger import control, live_journal, sending

Patch = pytest.MonkeyPatch


def _folding(patch: Patch, wrong: Callable[[list[Answer | None]], OrderCause]) -> None:
    patch.setattr(order_books, "fold", wrong)


def release_on_timeout(patch: Patch) -> None:
    def wrong(answers: list[Answer | None]) -> OrderCause:
        cause = fold(answers)
        return OrderCause.REFUSED if cause is OrderCause.NO_ANSWER else cause

    _folding(patch, wrong)


def duplicate_is_a_refusal(patch: Patch) -> None:
    def wrong(answers: list[Answer | None]) -> OrderCause:
        return fold([Answer.REFUSED if each is Answer.DUPLICATE else each for each in answers])

    _folding(patch, wrong)


def last_answer_decides(patch: Patch) -> None:
    _folding(patch, lambda answers: fold(answers[-1:]))


def refusal_of_the_moment_releases(patch: Patch) -> None:
    def wrong(answers: list[Answer | None]) -> OrderCause:
        return fold([Answer.REFUSED if each is Answer.REFUSED_NOW else each for each in answers])

    _folding(patch, wrong)


def book_from_the_answer(patch: Patch) -> None:
    right = LiveBooks.answered

    def wrong(self: LiveBooks, order_id: OrderId, attempt: int, outcome: SubmitOutcome, now_ms: int) -> Order:
        order = right(self, order_id, attempt, outcome, now_ms)
        if outcome.status == "matched":
            leg = Leg(
                trade_id=f"answer {order_id}",
                order_id=order_id,
                bucket=0,
                condition_id=order.condition_id,
                asset_id=order.asset_id,
                side=order.side,
                is_maker=False,
                quantity=order.quantity,
                price=order.price,
                parts=((order.price, order.quantity),),
                status=SettlementStatus.MATCHED,
                matched_ms=now_ms,
                raw="{}",
            )
            self.leg_said(leg, now_ms, source="answer")
        return order

    patch.setattr(LiveBooks, "answered", wrong)


def failed_is_ignored(patch: Patch) -> None:
    right = LiveBooks.leg_said

    def wrong(self: LiveBooks, leg: Leg, now_ms: int, *, source: str) -> Said:
        if leg.status is SettlementStatus.FAILED:
            return Said.NOTHING
        return right(self, leg, now_ms, source=source)

    patch.setattr(LiveBooks, "leg_said", wrong)


def sign_again_on_timeout(patch: Patch) -> None:
    wishes: dict[str, Signal] = {}
    place, seen = LiveTrader.place_order, LiveTrader.answered

    async def remembering(self: LiveTrader, signal: Signal) -> Order:
        wishes[signal.signal_id] = signal
        return await place(self, signal)

    async def again(self: LiveTrader, signal: Signal) -> None:
        await place(self, signal)

    def wrong(self: LiveTrader, order: Order, outcome: SubmitOutcome) -> None:
        seen(self, order, outcome)
        if outcome.answer is Answer.UNKNOWN and order.intent in wishes:
            self.later(again(self, wishes[order.intent]))

    patch.setattr(LiveTrader, "place_order", remembering)
    patch.setattr(LiveTrader, "answered", wrong)
    patch.setattr(sending, "_require_one_of_intent", lambda *_: None)


def no_quarantine(patch: Patch) -> None:
    right = LiveBooks.move

    def wrong(self: LiveBooks, order: Order, cause: OrderCause, now_ms: int, reason: str = "", *, source: str) -> Order:
        after = right(self, order, cause, now_ms, reason, source=source)
        if cause is OrderCause.ABSENCE_PROVEN:
            after = right(self, after, OrderCause.LAST_LOOK, now_ms, reason, source=source)
        return after

    patch.setattr(LiveBooks, "move", wrong)


def absent_after_one_look(patch: Patch) -> None:
    async def wrong(self: Inquiry, order: Order, case: Any) -> bool:
        del self, order
        return bool(case.looks)

    patch.setattr(Inquiry, "_absent", wrong)
    no_quarantine(patch)


def cancel_answer_is_final(patch: Patch) -> None:
    right = Cancels._mark

    def wrong(self: Cancels, order_ids: Sequence[OrderId], state: CancelState, look_ms: int) -> None:
        right(self, order_ids, state, look_ms)
        for order_id in order_ids if state is CancelState.ACKNOWLEDGED else ():
            order = self._books.account.orders.get(order_id)
            if order is not None and order.state is OrderState.OPEN:
                self._books.close(order, self._clock.now_ms(), "cancelled", source="cancel")

    patch.setattr(Cancels, "_mark", wrong)


def closing_message_is_final(patch: Patch) -> None:
    right = LiveBooks.order_said

    def wrong(self: LiveBooks, said: OrderSnapshot, now_ms: int, *, source: str) -> Said:
        order = self.find(said.order_id)
        if order is not None and not said.active:
            said = replace(said, matched=order.matched)
        return right(self, said, now_ms, source=source)

    patch.setattr(LiveBooks, "order_said", wrong)


def reads_do_not_overlap(patch: Patch) -> None:
    patch.setattr(rounds, "_OVERLAP_S", -1)
    patch.setattr(inquiry, "_OVERLAP_S", -1)


def fee_is_not_reserved(patch: Patch) -> None:

    def wrong(order: Order, market: Any) -> Order:
        after = reserve(order, market)
        if order.budget:
            return replace(after, reserved=int(order.budget))
        return replace(after, reserved=min(after.reserved, cost_rounded_up(order.price, order.quantity)))

    patch.setattr(live, "reserve", wrong)


def timers_live_in_memory(patch: Patch) -> None:
    right = LiveTrader._take_up

    def wrong(self: LiveTrader, db: Any) -> None:
        right(self, db)
        for order in list(self.account.orders.values()):
            self.books.note(order, deadline_ms=None)

    patch.setattr(LiveTrader, "_take_up", wrong)


def kill_is_forgotten(patch: Patch) -> None:
    for module in (conduct, control, live_journal):
        patch.setattr(module, "is_killed", lambda _: False)


def sent_before_it_is_on_disk(patch: Patch) -> None:
    class Hasty:
        def __getattr__(self, name: str) -> Any:
            return getattr(asyncio, name)

        @staticmethod
        async def wrap_future(_: Any) -> None:
            await asyncio.sleep(0)

    patch.setattr(lanes, "asyncio", Hasty())


def cancel_cuts_a_quarantine_short(patch: Patch) -> None:
    def wrong(self: Cancels, order_ids: Sequence[OrderId], state: CancelState, look_ms: int) -> None:
        due = self._clock.now_ms() + look_ms
        for order_id in order_ids:
            order = self._books.account.orders.get(order_id)
            if order is not None:
                self._books.note(order, cancel=state, deadline_ms=min(order.deadline_ms or due, due))

    patch.setattr(Cancels, "_mark", wrong)


def restart_cuts_a_quarantine_short(patch: Patch) -> None:
    right = LiveTrader._take_up

    def wrong(self: LiveTrader, db: Any) -> None:
        right(self, db)
        for order in list(self.account.orders.values()):
            self.books.note(order, deadline_ms=self._clock.now_ms())

    patch.setattr(LiveTrader, "_take_up", wrong)


def old_looks_count_after_a_sign_of_life(patch: Patch) -> None:
    right = Inquiry.look

    async def wrong(self: Inquiry, order_id: OrderId) -> None:
        order, case = self._books.find(order_id), self._cases.get(order_id)
        if order is not None and case is not None:
            case.state = order.state
        await right(self, order_id)

    patch.setattr(Inquiry, "look", wrong)


def loss_of_the_channel_is_forgotten(patch: Patch) -> None:
    patch.setattr(Reconciling, "unheard", lambda _: None)


# What brings a broken rule to light sooner than the faults of a random seed.
STORMS: dict[str, dict[str, float]] = {
    "cancel_cuts_a_quarantine_short": {"dup": 0.4, "late": 0.4},
    "restart_cuts_a_quarantine_short": {"dup": 0.4, "late": 0.4, "crash": 0.01},
    "old_looks_count_after_a_sign_of_life": {"late": 0.4, "odd": 0.4, "stale": 0.4, "stream_loss": 0.1, "dup": 0.1},
    "loss_of_the_channel_is_forgotten": {"stream_down": 0.01},
    "duplicate_is_a_refusal": {"dup": 0.4},
    "last_answer_decides": {"lose_resp": 0.4, "dup": 0.4, "late": 0.4},
    "refusal_of_the_moment_releases": {"dup": 0.4, "late": 0.4},
    "failed_is_ignored": {"ghost": 0.4},
    "no_quarantine": {"late": 0.4, "lose_resp": 0.4},
    "cancel_answer_is_final": {"stream_loss": 0.9, "stale": 0.4},
    "reads_do_not_overlap": {"stream_loss": 0.4, "stale": 0.4},
    "timers_live_in_memory": {"crash": 0.003, "odd": 0.4},
}

MUTANTS = (
    cancel_cuts_a_quarantine_short,
    restart_cuts_a_quarantine_short,
    old_looks_count_after_a_sign_of_life,
    loss_of_the_channel_is_forgotten,
    release_on_timeout,
    duplicate_is_a_refusal,
    last_answer_decides,
    refusal_of_the_moment_releases,
    book_from_the_answer,
    failed_is_ignored,
    sign_again_on_timeout,
    no_quarantine,
    absent_after_one_look,
    cancel_answer_is_final,
    closing_message_is_final,
    reads_do_not_overlap,
    fee_is_not_reserved,
    timers_live_in_memory,
    kill_is_forgotten,
    sent_before_it_is_on_disk,
)
