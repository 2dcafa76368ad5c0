"""What simulated orders have before them: arrivals, cancellations, ends; the earliest first, equals in turn."""

from __future__ import annotations

import heapq
from enum import Enum
from typing import NamedTuple

from polymarket_agent.domain.order import OrderId
from polymarket_agent.execution.base import NEVER_MS

__all__ = ["Agenda", "Due", "What"]


class What(Enum):
    """Something that happens to an order at a time."""

    ARRIVE = 0
    CANCEL = 1
    EXPIRE = 2


class Due(NamedTuple):
    """An entry: when, in which turn among equals, what, to which order."""

    at_ms: int
    turn: int
    what: What
    order_id: OrderId


class Agenda:
    """Entries by time."""

    __slots__ = ("_entries", "_turn")

    def __init__(self) -> None:
        self._entries: list[Due] = []
        self._turn = 0

    @property
    def next_ms(self) -> int:
        """When the next entry is due; `NEVER_MS` if there is none."""
        return self._entries[0].at_ms if self._entries else NEVER_MS

    def add(self, at_ms: int, what: What, order_id: OrderId) -> None:
        """Note an entry."""
        self._turn += 1
        heapq.heappush(self._entries, Due(at_ms, self._turn, what, order_id))

    def pop(self, now_ms: int) -> Due | None:
        """Take out the earliest entry that is due, or return None."""
        return heapq.heappop(self._entries) if self._entries and self._entries[0].at_ms <= now_ms else None
