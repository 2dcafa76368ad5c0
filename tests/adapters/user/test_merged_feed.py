from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from polymarket_agent.adapters.merged import MergedFeed
from polymarket_agent.domain.events import Event, Timer, UserStream
from polymarket_agent.ports import EventFeed
from tests.adapters.venue import eventually

PATIENCE_S = 5


class Said:
    """A feed of which the test says every event; numbers become timers, `None` is the end, an error is raised."""

    streaming = True
    replayed = False

    def __init__(self, name: str = "said", *first: int | BaseException | None) -> None:
        self.name = name
        self.queue: asyncio.Queue[int | BaseException | None] = asyncio.Queue()
        self.closed = 0
        self.taken = 0
        self.left = False
        self.say(*first)

    def say(self, *items: int | BaseException | None) -> None:
        for item in items:
            self.queue.put_nowait(item)

    async def events(self) -> AsyncIterator[Event]:
        try:
            while True:
                item = self.queue.get_nowait() if not self.queue.empty() else await self.queue.get()
                if item is None:
                    return
                if isinstance(item, BaseException):
                    raise item
                self.taken += 1
                yield Timer(item)
        finally:
            self.left = True

    async def aclose(self) -> None:
        self.closed += 1
        self.say(None)


class Flood:
    """A feed that always has another event at once and never lets the loop turn."""

    name = "flood"
    streaming = True
    replayed = False

    async def events(self) -> AsyncIterator[Event]:
        number = 0
        while True:
            yield Timer(number)
            number += 1

    async def aclose(self) -> None:
        pass


async def numbers(feed: EventFeed, count: int) -> list[int]:
    """Return the numbers of this many events."""
    out: list[int] = []
    async with asyncio.timeout(PATIENCE_S), aclosing(feed.events()) as events:  # type: ignore[type-var]
        async for event in events:
            out.append(event.at_ms)
            if len(out) == count:
                break
    return out


async def test_it_is_the_primary_to_whoever_asks() -> None:
    """Name and nature are those of the primary."""
    primary = Said("market")
    primary.streaming, primary.replayed = False, True
    port: EventFeed = MergedFeed(primary, Said("user"))

    assert (port.name, port.streaming, port.replayed) == ("market", False, True)


async def test_the_order_within_each_feed_is_kept() -> None:
    """Every event of every feed comes once, in its feed's order."""
    primary, user, third = Said("a", *range(1_000)), Said("b", *range(10_000, 10_700)), Said("c", 20_000, 20_001)
    found = await numbers(MergedFeed(primary, user, third), 1_702)

    assert [number for number in found if number < 10_000] == list(range(1_000))
    assert [number for number in found if 10_000 <= number < 20_000] == list(range(10_000, 10_700))
    assert [number for number in found if number >= 20_000] == [20_000, 20_001]


async def test_what_concerns_our_orders_comes_first() -> None:
    """When both have waited, the others' events come before the primary's."""
    primary, user = Said("market", 1), Said("user")
    feed = MergedFeed(primary, user)
    async with aclosing(feed.events()) as events:  # type: ignore[type-var]
        await anext(events)
        primary.say(2, 3)
        await eventually(lambda: primary.taken == 3)
        user.say(10, 11)
        await eventually(lambda: user.taken == 2)
        found = [(await anext(events)).at_ms for _ in range(4)]

    assert found == [10, 11, 2, 3]


async def test_an_event_of_a_quiet_feed_is_not_kept_waiting_by_silence() -> None:
    """While the primary says nothing, what another feed says arrives at once, and the other way round."""
    primary, user = Said("market"), Said("user")
    feed = MergedFeed(primary, user)
    async with aclosing(feed.events()) as events, asyncio.timeout(PATIENCE_S):  # type: ignore[type-var]
        user.say(1)
        assert (await anext(events)).at_ms == 1
        primary.say(2)
        assert (await anext(events)).at_ms == 2


async def test_a_flood_starves_nobody() -> None:
    """Beside a primary that never pauses, an event of another feed comes within a batch or two."""
    user = Said("user")
    feed = MergedFeed(Flood(), user)
    behind = 0
    async with aclosing(feed.events()) as events:  # type: ignore[type-var]
        for _ in range(1_000):
            await anext(events)
        user.say(-1)
        while (await anext(events)).at_ms != -1:
            behind += 1

    assert behind <= 2 * 256


async def test_a_flood_of_the_others_starves_nobody_either() -> None:
    """Beside another feed that never pauses, the primary's events come within a batch or two."""
    primary = Said("market", -1)
    found = await numbers(MergedFeed(primary, Flood()), 1_024)

    assert -1 in found


async def test_a_slow_reader_slows_the_feeds_down() -> None:
    """No feed is read further ahead than a batch, so that its own bound holds."""
    primary, user = Said("market", *range(2_000)), Said("user", *range(2_000))
    feed = MergedFeed(primary, user)
    async with aclosing(feed.events()) as events:  # type: ignore[type-var]
        await anext(events)
        await asyncio.sleep(0.05)
        assert max(primary.taken, user.taken) <= 257

    assert primary.left
    assert user.left


async def test_it_ends_with_the_primary() -> None:
    """When the primary ends, what both had said is handed out, the feeds are closed, and it is over."""
    primary, user = Said("market", 1, 2, None), Said("user", 10)
    feed = MergedFeed(primary, user)
    async with asyncio.timeout(PATIENCE_S):
        found = [event.at_ms async for event in feed.events()]

    assert sorted(found) == [1, 2, 10]
    assert (primary.closed, user.closed, user.left) == (1, 1, True)


async def test_the_end_of_another_feed_ends_nothing() -> None:
    """When another feed ends, the primary goes on."""
    primary, user = Said("market", 1), Said("user", 10, None)
    feed = MergedFeed(primary, user)
    async with aclosing(feed.events()) as events, asyncio.timeout(PATIENCE_S):  # type: ignore[type-var]
        assert {(await anext(events)).at_ms for _ in range(2)} == {1, 10}
        await eventually(lambda: user.left)
        primary.say(2)
        assert (await anext(events)).at_ms == 2


@pytest.mark.parametrize("place", [0, 1])
async def test_an_error_of_any_feed_is_raised_as_it_is(place: int) -> None:
    """An error reaches the reader after what was said before it, and everything is closed."""
    feeds = [Said("market", 1), Said("user", 10)]
    feeds[place].say(ZeroDivisionError("ours"))
    feed = MergedFeed(*feeds)
    found: list[int] = []

    async def read() -> None:
        async for event in feed.events():
            found.append(event.at_ms)  # noqa: PERF401 - what came before the error is looked at

    with pytest.raises(ZeroDivisionError, match="ours"):
        await asyncio.wait_for(read(), PATIENCE_S)
    assert (1, 10)[place] in found
    assert [each.closed for each in feeds] == [1, 1]
    assert all(each.left for each in feeds)


async def test_closing_it_ends_whoever_reads() -> None:
    """`aclose` closes every feed, even when one fails to, and a reader that waits is let go."""

    class Stubborn(Said):
        async def aclose(self) -> None:
            await super().aclose()
            raise OSError("it does not close")

    primary, user = Said("market"), Stubborn("user")
    last = Said("third")
    feed = MergedFeed(primary, user, last)
    reading = asyncio.ensure_future(numbers(feed, 1))  # noqa: TID251 - it fails, which would end a group
    await asyncio.sleep(0.01)
    with pytest.raises(OSError, match="does not close"):
        await feed.aclose()

    assert (primary.closed, user.closed, last.closed) == (1, 1, 1)
    with pytest.raises(OSError, match="does not close"):
        await asyncio.wait_for(reading, PATIENCE_S)


async def test_a_reader_that_is_cancelled_leaves_nothing_behind() -> None:
    """Cancelling who waits for an event ends every task and closes every feed."""
    primary, user = Said("market"), Said("user")
    before = asyncio.all_tasks()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(numbers(MergedFeed(primary, user), 1), 0.02)

    assert asyncio.all_tasks() == before
    assert (primary.closed, user.closed) == (1, 1)


async def test_it_is_read_once() -> None:
    """A second reader is refused instead of sharing the events with the first."""
    feed = MergedFeed(Said("market", 1, None))
    assert await numbers(feed, 5) == [1]
    with pytest.raises(RuntimeError, match="once"):
        await anext(feed.events())


async def test_one_feed_alone_is_itself() -> None:
    """Without others the primary's events come through, of whatever kind they are."""
    up = UserStream(up=True, epoch=1, reason="", at_ms=3)

    class One(Said):
        async def events(self) -> AsyncIterator[Event]:
            yield up

    feed = MergedFeed(One())
    assert [event async for event in feed.events()] == [up]
