"""One feed out of several: the market's flood and the few, urgent words about our own orders."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

from polymarket_agent.domain.events import Event
from polymarket_agent.ports import EventFeed

__all__ = ["MergedFeed"]

_BATCH = 256  # events taken from a feed before its reader has had them; also how long a flood may keep others waiting


class MergedFeed:
    """Hands out the events of several feeds; what comes from `others` goes first when both wait.

    The order within each feed is kept. A feed is read at most 256 events ahead, so a slow reader slows the feeds down
    and their own bounds hold. It ends when the primary ends; an error of any feed is raised once what that feed had
    said before is handed out. The end of another feed ends nothing.

    Args:
        primary: gives the name and what `streaming` and `replayed` say.
        others: feeds with few and important events.
    """

    def __init__(self, primary: EventFeed, *others: EventFeed) -> None:
        self.name = primary.name
        self.streaming = primary.streaming
        self.replayed = primary.replayed
        self._feeds = (primary, *others)
        self._begun = False
        self._filled = asyncio.Event()
        self._room = asyncio.Event()

    async def events(self) -> AsyncIterator[Event]:
        """Yield events until the primary ends or `aclose`. To be iterated once."""
        if self._begun:
            raise RuntimeError("a feed is read once; make another one")
        self._begun = True
        ordinary: deque[Event] = deque()
        urgent: deque[Event] = deque()
        # Tasks of the loop and no group: a group around the yields would cancel whoever reads them.
        loop = asyncio.get_running_loop()
        carriers = [
            loop.create_task(self._carry(feed, urgent if place else ordinary), name=f"merged-{feed.name}")
            for place, feed in enumerate(self._feeds)
        ]
        for carrier in carriers:
            carrier.add_done_callback(lambda _: self._filled.set())
        try:
            while True:
                if urgent:
                    yield urgent.popleft()
                elif ordinary:
                    yield ordinary.popleft()
                elif await self._is_over(carriers):
                    return
        finally:
            for carrier in carriers:
                carrier.cancel()
            await asyncio.wait(carriers)
            await self.aclose()

    async def _is_over(self, carriers: list[asyncio.Task[None]]) -> bool:
        """With nothing left to hand out: raise what broke a feed, say whether the primary ended, or wait for more."""
        for carrier in carriers:
            if carrier.done():
                carrier.result()
        if carriers[0].done():
            return True
        self._filled.clear()
        self._room.set()
        await self._filled.wait()
        return False

    async def _carry(self, feed: EventFeed, into: deque[Event]) -> None:
        """Move what a feed has ready in one go; the reader then takes it without a turn of the loop for each event."""
        events = feed.events()
        try:
            async for event in events:
                into.append(event)
                self._filled.set()
                while len(into) >= _BATCH:
                    self._room.clear()
                    await self._room.wait()
        finally:
            if close := getattr(events, "aclose", None):
                await close()

    async def aclose(self) -> None:
        """Close every feed, even when one of them fails to. May be called more than once."""
        async with AsyncExitStack() as stack:
            for feed in reversed(self._feeds):
                stack.push_async_callback(feed.aclose)
