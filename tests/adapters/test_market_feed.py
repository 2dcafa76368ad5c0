import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import replace

import pytest

from polymarket_agent.adapters.polymarket.feed import PolymarketFeed
from polymarket_agent.clock import ManualClock
from polymarket_agent.domain.events import (
    BookDelta,
    BookSnapshot,
    Gap,
    GroupListed,
    MarketListed,
    MarketResolved,
    TickSizeChange,
    Timer,
    TradePrint,
)
from polymarket_agent.domain.market import AssetId, MarketGroup
from polymarket_agent.ports import EventFeed
from tests.adapters.feeds import NO, ONE, QUICK, YES, listening, opened, opening, snapshot
from tests.adapters.venue import BookShelf, ChannelVenue, Reader, eventually, market, serve
from tests.protocol.frames import AT_MS, change, price_change, resolved, trade


async def test_listings_come_before_the_stream() -> None:
    """Markets and groups are announced first, so that no book is met by a stranger."""
    group = MarketGroup.of("7", "A group", [ONE], neg_risk=True)
    async with listening(ChannelVenue(opening), groups=[group]) as (reader, feed):
        assert (await reader.next()).market == ONE
        assert (await reader.next()).group == group
        assert isinstance(await reader.next(), BookSnapshot)
        assert [type(event) for event in reader.seen[:2]] == [MarketListed, GroupListed]
        port: EventFeed = feed
        assert (port.streaming, port.replayed) == (True, False)


async def test_the_first_frame_is_the_documented_one() -> None:
    """The subscription names the type, the assets and the custom features, and nothing else."""
    venue = ChannelVenue(opening)
    async with listening(venue) as (reader, _):
        await opened(reader)

    assert venue.opened == [{"type": "market", "assets_ids": [YES, NO], "custom_feature_enabled": True}]


async def test_everything_of_a_frame_arrives_in_order() -> None:
    """Changes, trades, a new tick size and the answer come out as events, stamped with our clock."""
    venue = ChannelVenue(opening)
    tick = {"event_type": "tick_size_change", "asset_id": YES, "new_tick_size": "0.001", "timestamp": str(AT_MS)}
    end = resolved(NO) | {"assets_ids": [YES, NO]}
    async with listening(venue) as (reader, feed):
        await opened(reader)
        await venue.send([price_change(change(YES)), trade(YES)], tick, end)
        found = [await reader.next(BookDelta, TradePrint, TickSizeChange, MarketResolved) for _ in range(4)]

        assert [type(event) for event in found] == [BookDelta, TradePrint, TickSizeChange, MarketResolved]
        assert {event.received_ms for event in found} == {AT_MS}
        assert found[-1].payouts == (0, 1_000_000)
        assert feed.parser.counts["book"] == 2


async def test_an_answer_to_a_ping_is_a_sign_of_life() -> None:
    """PING goes out as text, and its PONG becomes a Timer, so that a quiet stream is known to live."""
    venue = ChannelVenue(opening)
    async with listening(venue) as (reader, _):
        await opened(reader)
        assert (await reader.next(Timer)).received_ms == AT_MS

    assert venue.pings >= 1


async def test_after_a_lost_line_comes_a_gap_and_then_fresh_books() -> None:
    """A reconnect shows: first the gap of every book that was known, then the new opening dump."""
    venue = ChannelVenue(opening)
    async with listening(venue) as (reader, _):
        await opened(reader)
        await (await venue.subscribed()).close()
        gap = await reader.next(Gap, BookSnapshot)
        await opened(reader)

        assert gap.asset_ids == (YES, NO)
        assert venue.opened[0] == venue.opened[1]


async def test_a_frozen_line_is_given_up() -> None:
    """A line on which nothing is heard, not even PONG, is replaced without a close frame from the venue."""
    venue = ChannelVenue(opening, pong=False)
    async with listening(venue, policy=replace(QUICK, dead_after_s=0.08)) as (reader, _):
        await opened(reader)
        gap = await reader.next(Gap)
        await venue.subscribed(2)

        assert "nothing was heard" in gap.reason


async def test_a_refused_connection_is_tried_again() -> None:
    """A venue that is away at the start is met later, with no gap for books that were never known."""
    venue, shelf = ChannelVenue(opening), BookShelf()
    async with serve(venue.handle) as address:
        url, port = f"ws://{address}/ws/market", int(address.rpartition(":")[2])
    feed = PolymarketFeed([ONE], clock=ManualClock(AT_MS), data=shelf, url=url, policy=QUICK)
    async with aclosing(feed.events()) as events, asyncio.TaskGroup() as tasks:  # type: ignore[type-var]
        reader = Reader(events)
        first_book = tasks.create_task(reader.next(BookSnapshot))
        await asyncio.sleep(0.05)
        async with serve(venue.handle, port=port):
            await first_book

        assert [type(event) for event in reader.seen] == [MarketListed, BookSnapshot]


async def test_a_malformed_frame_costs_only_its_market() -> None:
    """The frame is dropped whole and counted; the market it names gets a gap and fetched books, others nothing."""
    venue, other = ChannelVenue(opening), market(2)
    shelf = BookShelf(snapshot(YES), snapshot(NO))
    async with listening(venue, ONE, other, shelf=shelf) as (reader, feed):
        await opened(reader)
        await opened(reader)
        await venue.send(price_change(change(YES), change(NO, price="7")), price_change(change(other.asset_ids[0])))
        gap = await reader.next(Gap, BookDelta)
        delta = await reader.next(BookDelta)
        fetched = {(await reader.next(BookSnapshot)).asset_id, (await reader.next(BookSnapshot)).asset_id}

        assert set(gap.asset_ids) == {YES, NO} == fetched
        assert delta.changes[0][0] == other.asset_ids[0]
        assert feed.parser.malformed == 1


async def test_a_frame_that_names_nobody_costs_the_whole_line() -> None:
    """When it cannot be told whose frame was unreadable, no book of the line is believed."""
    venue = ChannelVenue(opening)
    async with listening(venue) as (reader, _):
        await opened(reader)
        await venue.send("{]")

        assert (await reader.next(Gap)).asset_ids == (YES, NO)


async def test_a_book_that_the_stream_owes_is_fetched() -> None:
    """Assets without an opening book are asked for after a while; changes heard meanwhile follow the fetched book."""
    venue = ChannelVenue(lambda asset_ids: opening(asset_ids[:1]))
    shelf = BookShelf(snapshot(NO))
    async with listening(venue, shelf=shelf) as (reader, _):
        assert (await reader.next(BookSnapshot)).asset_id == YES
        assert (await reader.next(BookSnapshot)).asset_id == NO
        await venue.send(price_change(change(NO), at_ms=AT_MS + 2_000))
        assert (await reader.next(BookDelta)).at_ms == AT_MS + 2_000

    assert shelf.asked[0] == (NO,)


async def test_changes_during_a_fetch_are_applied_behind_it() -> None:
    """What is heard while a book is fetched is kept: newer changes follow the snapshot, older ones are in it."""
    venue = ChannelVenue(lambda asset_ids: opening(asset_ids[:1]))

    class SlowShelf(BookShelf):
        async def books(self, asset_ids: Sequence[AssetId]) -> list[BookSnapshot]:
            for at_ms, size in ((AT_MS + 500, "1"), (AT_MS + 1_500, "2")):
                await venue.send(price_change(change(YES, size=size), change(NO, size=size), at_ms=at_ms))
            await eventually(lambda: sum(isinstance(event, BookDelta) for event in reader.seen) == 2)
            return await super().books(asset_ids)

    async with listening(venue, shelf=SlowShelf(snapshot(NO))) as (reader, _):
        await reader.next(BookSnapshot)
        fetched = await reader.next(BookSnapshot)
        behind = await reader.next(BookDelta)

        assert fetched.asset_id == NO
        assert [(c[0], c[3]) for c in behind.changes] == [(NO, 2_000_000)]


async def test_closing_ends_the_stream_cleanly() -> None:
    """`aclose` ends the iteration without an error, twice if asked twice, and before it has begun."""
    venue = ChannelVenue(opening)
    async with listening(venue) as (reader, feed):
        await opened(reader)
        await feed.aclose()
        await feed.aclose()
        with pytest.raises(AssertionError, match="the feed ended"):
            await reader.next(Gap)
    unused = PolymarketFeed([ONE], clock=ManualClock(), data=BookShelf())
    await unused.aclose()
    assert [type(event) async for event in unused.events()] == [MarketListed]


async def test_cancelling_the_reader_leaves_no_task_behind() -> None:
    """A reader that is cancelled while it waits takes the connections with it."""
    venue = ChannelVenue(opening)
    before = asyncio.all_tasks()
    async with serve(venue.handle) as address:
        feed = PolymarketFeed(
            [ONE], clock=ManualClock(AT_MS), data=BookShelf(), url=f"ws://{address}", policy=replace(QUICK, ping_s=9)
        )

        async def read() -> None:
            async with aclosing(feed.events()) as events:  # type: ignore[type-var]
                async for _ in events:
                    pass

        async with asyncio.TaskGroup() as tasks:
            reading = tasks.create_task(read())
            await venue.subscribed()
            reading.cancel()
        assert not [task for task in asyncio.all_tasks() - before if "feed" in task.get_name()]


async def test_a_mistake_of_ours_ends_the_stream_with_its_error() -> None:
    """A defect in a helper is not swallowed: whoever reads the feed gets it."""
    venue = ChannelVenue(lambda asset_ids: [])

    class Defect(BookShelf):
        async def books(self, asset_ids: Sequence[AssetId]) -> list[BookSnapshot]:
            raise ZeroDivisionError

    with pytest.raises(ExceptionGroup) as caught:
        async with listening(venue, shelf=Defect()) as (reader, _):
            await reader.next(Gap)
    assert caught.value.subgroup(ZeroDivisionError)
