"""Takes events from a feed, one by one, until it ends or is stopped."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from polymarket_agent.clock import ManualClock
from polymarket_agent.domain.events import Event
from polymarket_agent.ports import Clock, EventFeed

__all__ = ["Decider", "Pump"]

_BREATHE_EVENTS = 2_048  # a replay never waits by itself; the live view and Ctrl-C need a turn


class Decider(Protocol):
    """Says whether a decision is due after an event."""

    due: bool


class Pump:
    """Moves a manual clock to the time of each event, hands the event on, and lets decide when something is due.

    Args:
        feed: where events come from; closed when the run is over, whatever ended it.
        clock: moved if it is a `ManualClock`.
        check: called from time to time; raises if it makes no sense to go on.
    """

    def __init__(self, feed: EventFeed, clock: Clock, check: Callable[[], None]) -> None:
        self._feed = feed
        self._clock = clock if isinstance(clock, ManualClock) else None
        self._check = check
        self._task: asyncio.Task[Any] | None = None
        self._stopping = False
        self._cancelled = False
        self._deciding = False

    def stop(self) -> None:
        """Ask the run to end after the event it is at; one that waits for the next event ends at once.

        To be called in the loop's thread. A decision under way is carried out first.
        """
        self._stopping = True
        task = self._task
        if task is not None and not self._deciding and asyncio.current_task() is not task:
            self._cancelled = task.cancel()

    async def run(
        self, take_in: Callable[[Event, int], None], decider: Decider, decide: Callable[[], Awaitable[None]]
    ) -> str:
        """Work until the feed ends or `stop` is called; returns which of them it was."""
        self._task = task = asyncio.current_task()
        try:
            await self._follow(take_in, decider, decide)
        except asyncio.CancelledError:
            if not self._cancelled or task is None or task.uncancel():
                raise  # it was not `stop` alone that cancelled
        finally:
            self._task = None
            await self._feed.aclose()
        return "stopped" if self._stopping else "end of feed"

    async def _follow(
        self, take_in: Callable[[Event, int], None], decider: Decider, decide: Callable[[], Awaitable[None]]
    ) -> None:
        clock, latest_ms, turn = self._clock, -1, 0
        events = self._feed.events()
        try:
            async for event in events:
                now_ms = event.received_ms or event.at_ms
                if now_ms > latest_ms and clock is not None:
                    latest_ms = now_ms
                    clock.advance_to(now_ms)
                take_in(event, now_ms)
                if decider.due:
                    self._deciding = True
                    await decide()
                    self._deciding = False
                turn += 1
                if turn >= _BREATHE_EVENTS:
                    turn = 0
                    self._check()
                    await asyncio.sleep(0)
                if self._stopping:
                    return
        finally:
            self._deciding = False
            if close := getattr(events, "aclose", None):
                await close()
