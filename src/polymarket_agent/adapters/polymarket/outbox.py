"""The bounded queue between a feed's connections and the one who reads its events."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Collection

from polymarket_agent.domain.events import BookDelta, BookSnapshot, Event
from polymarket_agent.domain.market import AssetId

__all__ = ["Outbox"]


class Outbox:
    """Events in order, for one reader, at most `limit` of them.

    Nothing is dropped here without a word: `offer` says when it is full, and its caller decides. `force` is for
    the few events that must get in, `wait_for_room` for those that may wait.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._events: deque[Event] = deque()
        self._filled = asyncio.Event()
        self._drained = asyncio.Event()
        self._closed = False

    def __len__(self) -> int:
        return len(self._events)

    @property
    def roomy(self) -> bool:
        """Whether less than half of the limit is used: time to ask for what was left out."""
        return len(self._events) * 2 < self._limit

    def offer(self, event: Event) -> bool:
        """Take an event in, or return False when full."""
        if len(self._events) >= self._limit:
            return False
        self._events.append(event)
        self._filled.set()
        return True

    def force(self, event: Event) -> None:
        """Take an event in, full or not."""
        self._events.append(event)
        self._filled.set()

    async def wait_for_room(self) -> None:
        """Wait until an offer would be taken."""
        while len(self._events) >= self._limit:
            self._drained.clear()
            await self._drained.wait()

    def forget_books(self, asset_ids: Collection[AssetId]) -> None:
        """Take out what waits about the books of these assets; a snapshot will replace it."""
        kept: deque[Event] = deque()
        for event in self._events:
            if isinstance(event, BookSnapshot) and event.asset_id in asset_ids:
                continue
            if isinstance(event, BookDelta):
                rest = tuple(change for change in event.changes if change[0] not in asset_ids)
                if not rest:
                    continue
                if len(rest) < len(event.changes):
                    kept.append(BookDelta(rest, event.at_ms, event.received_ms))
                    continue
            kept.append(event)
        self._events = kept
        self._drained.set()

    async def next(self) -> Event | None:
        """Return the oldest event, waiting for one; None when closed and empty."""
        while not self._events:
            if self._closed:
                return None
            self._filled.clear()
            await self._filled.wait()
        event = self._events.popleft()
        if len(self._events) < self._limit:
            self._drained.set()
        return event

    def close(self) -> None:
        """Let the reader end after what is still there."""
        self._closed = True
        self._filled.set()
        self._drained.set()
