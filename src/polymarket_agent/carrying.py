"""From proposals to orders: every signal passes the gate, every verdict is written down, and only then the executor acts.

The one place where gate and executor meet, so that risk cannot be walked around.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from polymarket_agent.decision.engine import Proposals
from polymarket_agent.decision.gate import Gate
from polymarket_agent.decision.risk import Refusal, malformed
from polymarket_agent.domain.order import Fill, Order, OrderState
from polymarket_agent.domain.signal import Basket, Signal
from polymarket_agent.errors import AgentError
from polymarket_agent.execution.base import Executor
from polymarket_agent.summary import Record, RunStats

__all__ = ["Carrier"]


class Carrier:
    """Carries out what passes.

    Args:
        now_ms: the time of decisions.
    """

    def __init__(
        self, executor: Executor, gate: Gate, record: Record, stats: RunStats, now_ms: Callable[[], int]
    ) -> None:
        self._executor, self._gate, self._record, self._stats, self._now_ms = executor, gate, record, stats, now_ms
        self._found: list[Refusal] = []  # by the last binding check

    async def carry_out(self, proposals: Proposals) -> None:
        """Cancel, refuse, place: in that order, because taking risk off is always allowed."""
        for cancel in proposals.cancels:
            await self._executor.cancel_order(cancel.order_id)
        for signal, why in proposals.malformed:
            self._record.refused(signal, [Refusal("shape", why)], self._now_ms())
        for signal, why in proposals.unsized:
            self._record.unsized(signal, why, self._now_ms())
        for signal in proposals.signals:
            if self._executor.binds and malformed(signal) is None:
                await self._place(signal)
            elif refusals := self.refusals(signal):
                self._record.refused(signal, refusals, self._now_ms())
            else:
                await self._place(signal)
        for basket in proposals.baskets:
            await self._place_basket(basket)

    def refusals(self, signal: Signal, pending: Sequence[Signal] = ()) -> list[Refusal]:
        """Return why the gate refuses a signal, or []."""
        now_ms = self._now_ms()
        if self._gate.day.begins(now_ms):  # midnight came between the event and its decision
            self._record.day(now_ms)
        return self._gate.refusals(signal, now_ms, pending)

    def approve(self, order: Order, signal: Signal) -> str | None:
        """Check the exact integers that are to be signed, in the step that reserves them; None if they pass."""
        now_ms = self._now_ms()
        if self._gate.day.begins(now_ms):
            self._record.day(now_ms)
        self._found = self._gate.refusals_of_order(order, signal, now_ms)
        return "; ".join(f"{rule}: {reason}" for rule, reason in self._found) or None

    def still_good(self, order: Order) -> str | None:
        """Return why the bytes of an order may not be sent once more, or None."""
        found = self._gate.refusals_of_resend(order, self._now_ms())
        return "; ".join(f"{rule}: {reason}" for rule, reason in found) or None

    def final(self, fill: Fill) -> None:
        """Count a fill that settled or failed to."""
        self._stats.final(fill)

    async def _place(self, signal: Signal) -> None:
        """Turn an approved signal into an order. Its reservation stands before the next signal is checked."""
        self._found = []
        try:
            order = await self._executor.place_order(signal)
        except AgentError as error:
            self._record.refused(signal, [Refusal("order", str(error))], self._now_ms())
            return
        if order.state is OrderState.ABANDONED:
            self._record.refused(signal, self._found or [Refusal("state", order.reason)], self._now_ms())
            return
        self._record.approved(signal, self._now_ms())
        self._gate.remember([order])

    async def _place_basket(self, basket: Basket) -> None:
        """Approve all legs or none: each is checked on top of those before it."""
        refused: dict[str, list[Refusal]] = {}
        good: list[Signal] = []
        for leg in basket.legs:
            if refusals := self.refusals(leg, good):
                refused[leg.signal_id] = refusals
            else:
                good.append(leg)
        if not refused:
            self._stats.baskets_approved += 1
            for leg in basket.legs:
                await self._place(leg)
            return
        for leg in basket.legs:
            why = refused.get(leg.signal_id, [Refusal("basket", "another leg of its basket is refused")])
            self._record.refused(leg, why, self._now_ms())
