"""What carries out wishes."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Sequence

from polymarket_agent.domain.events import Event
from polymarket_agent.domain.order import Order, OrderId
from polymarket_agent.domain.portfolio import Account, Portfolio
from polymarket_agent.domain.signal import Signal

__all__ = ["NEVER_MS", "Executor"]

NEVER_MS = 1 << 62


class Executor(ABC):
    """Makes a wish happen and knows the truth about orders.

    Attributes:
        account: cash, positions and live orders, changed by the executor alone.
        binds: whether it has the gate look at the exact order itself, so that a look at the signal before is one too many.
        next_due_ms: when it next has something to do without an event (an arrival, an expiry).
    """

    account: Account
    binds: bool = False
    next_due_ms: int = NEVER_MS

    @abstractmethod
    async def place_order(self, signal: Signal) -> Order:
        """Turn an approved signal into an order and return it in the state that is known by then."""

    @abstractmethod
    async def get_portfolio(self) -> Portfolio:
        """Return cash, positions and their marks."""

    async def cancel_order(self, order_id: OrderId) -> bool:
        """Ask for a cancellation; True if it was asked for. It proves nothing about fills before it."""
        del order_id
        return False

    async def get_open_orders(self) -> list[Order]:
        """Return the orders that may still be matched, oldest first."""
        return []

    def observe(self, event: Event) -> Sequence[Event]:
        """Take in an event (a Timer before, the others after the board has) and return what it did to our orders."""
        del event
        return ()

    def session(self) -> contextlib.AbstractAsyncContextManager[None]:
        """Return the context in which background work runs; most executors have none."""
        return contextlib.nullcontext()

    async def aclose(self) -> None:  # noqa: B027 - most executors have nothing to let go of
        """Let go of connections. May be called more than once."""
