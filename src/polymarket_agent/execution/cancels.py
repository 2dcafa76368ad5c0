"""Cancels: those of one moment in one request, on a connection of their own, repeated until the venue has said something.

An answer proves that an order is matched no more, never how much of it was.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import structlog

from polymarket_agent.domain.order import CancelState, OrderId, OrderState
from polymarket_agent.domain.venue import CancelOutcome
from polymarket_agent.errors import VenueError
from polymarket_agent.execution.live_books import LiveBooks
from polymarket_agent.ports import Clock, VenueGateway

__all__ = ["Cancels"]

_MOST = 1_000
_LOOK_MS = 1_000
_AGAIN_MS = 2_000
_AGAIN_S = 0.25
_AT_ONCE_S = 3.0
_TOLD_WITHIN_S = 2.0

_log = structlog.get_logger(__name__)


class Cancels:
    """Collects and sends cancels."""

    def __init__(
        self,
        gateway: VenueGateway,
        books: LiveBooks,
        clock: Clock,
        spawn: Callable[[Coroutine[Any, Any, None]], None],
    ) -> None:
        self._gateway, self._books, self._clock, self._spawn = gateway, books, clock, spawn
        self._wanted: dict[OrderId, None] = {}
        self._sending: set[OrderId] = set()

    def ask(self, order_id: OrderId) -> None:
        """Note an order to cancel; one that is being asked about is not asked twice."""
        if order_id not in self._sending:
            self._wanted[order_id] = None

    def flush(self) -> None:
        """Send what is noted."""
        if self._wanted:
            batch = list(self._wanted)[:_MOST]
            for order_id in batch:
                del self._wanted[order_id]
            self._sending.update(batch)
            self._spawn(self.these(batch))

    async def these(self, order_ids: Sequence[OrderId]) -> None:
        """Cancel some orders, and take in what was answered.

        Raises:
            VenueError: no answer; the orders are asked about again.
        """
        await self._send(lambda: self._gateway.cancel(order_ids), order_ids)

    async def at_once(self, order_ids: Sequence[OrderId]) -> None:
        """Cancel some orders now, for some seconds at most; whether it was answered is seen by `until_gone`."""
        if not order_ids:
            return
        try:
            async with asyncio.timeout(_AT_ONCE_S):
                await self.these(order_ids)
        except (VenueError, TimeoutError) as error:
            _log.warning("cancel_not_answered", error=str(error))

    async def everything(self) -> None:
        """Cancel every order of the key, and take in what was answered.

        Raises:
            VenueError: no answer.
        """
        alive = list(self._books.account.orders)
        await self._send(self._gateway.cancel_all, alive)

    async def _send(self, send: Callable[[], Coroutine[Any, Any, CancelOutcome]], order_ids: Sequence[OrderId]) -> None:
        try:
            answer = await send()
        except VenueError:
            self._mark(order_ids, CancelState.UNKNOWN, _AGAIN_MS)
            raise
        finally:
            self._sending.difference_update(order_ids)
        self._mark(answer.canceled, CancelState.ACKNOWLEDGED, _LOOK_MS)
        self._mark(tuple(answer.not_canceled), CancelState.NOT_CANCELLED, _LOOK_MS)

    def _mark(self, order_ids: Sequence[OrderId], state: CancelState, look_ms: int) -> None:
        now_ms = self._clock.now_ms()
        for order_id in order_ids:
            order = self._books.account.orders.get(order_id)
            if order is None:
                continue
            due: int | None = (
                now_ms + look_ms if order.deadline_ms is None else min(order.deadline_ms, now_ms + look_ms)
            )
            if order.state is OrderState.QUARANTINED:  # its time is what another copy may need to arrive
                due = order.deadline_ms
            self._books.note(order, cancel=state, deadline_ms=due)

    async def until_gone(self, mine: Callable[[], list[OrderId]]) -> None:
        """Cancel orders until the venue lists none of them, and let the stream tell of it for a moment.

        What is not told by then is looked at by the next start.
        """
        gone_at: float | None = None
        loop = asyncio.get_running_loop()
        while order_ids := mine():
            try:
                if gone_at is None:
                    await self.these(order_ids)
                listed = {each.order_id for each in await self._gateway.open_orders()}
                gone_at = (gone_at or loop.time()) if listed.isdisjoint(order_ids) else None
                if gone_at is not None and loop.time() - gone_at > _TOLD_WITHIN_S:
                    return
            except VenueError as error:
                _log.warning("cancel_not_verified", error=str(error))
            await asyncio.sleep(_AGAIN_S)
