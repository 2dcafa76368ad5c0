import asyncio
from dataclasses import replace

import pytest

from polymarket_agent.domain.events import BookDelta, BookSnapshot, Gap, TradePrint
from polymarket_agent.domain.market import AssetId
from tests.adapters.feeds import NO, QUICK, YES, listening, opened, opening, snapshot
from tests.adapters.venue import BookShelf, ChannelVenue, eventually, market
from tests.protocol.frames import AT_MS, change, price_change, trade


@pytest.mark.parametrize(("newer", "deaf"), [(True, True), (False, False)])
async def test_a_silent_asset_is_compared_with_the_venue(newer: bool, deaf: bool) -> None:
    """If the venue's book is newer and differs, the stream is deaf: gap and a new line; if not, silence is honest."""
    venue = ChannelVenue(opening)
    at_ms = AT_MS + 5_000 if newer else AT_MS - 5_000
    shelf = BookShelf(snapshot(YES, at_ms=at_ms), snapshot(NO, at_ms=at_ms))
    async with listening(venue, shelf=shelf, policy=replace(QUICK, silence_s=0.05)) as (reader, _):
        await opened(reader)
        if deaf:
            assert "left out" in (await reader.next(Gap)).reason
            await venue.subscribed(2)
        else:
            await eventually(lambda: len(shelf.asked) >= 3)
            assert len(venue.opened) == 1


async def test_a_slow_reader_gets_a_gap_and_a_fresh_book_instead_of_a_flood() -> None:
    """When too much waits, changes of a book collapse into a gap and a fetched book; trades all arrive."""
    venue = ChannelVenue(opening)
    shelf = BookShelf(snapshot(YES, at_ms=AT_MS + 9_000), snapshot(NO, at_ms=AT_MS + 9_000))
    async with listening(venue, shelf=shelf, policy=replace(QUICK, max_waiting=20)) as (reader, feed):
        await opened(reader)
        for number in range(200):
            await venue.send(price_change(change(YES, size=str(number)), change(NO, size=str(number), side="SELL")))
            if number % 10 == 0:
                await venue.send(trade(YES, transaction_hash=f"0x{number:064x}"))
        await eventually(lambda: feed.parser.counts["price_change"] > 30)
        trades, wanted = set[str](), set[AssetId]()
        while len(trades) < 20 or wanted:
            event = await reader.next()
            match event:
                case TradePrint():
                    trades.add(event.key)
                case Gap():
                    wanted.update(event.asset_ids)
                case BookSnapshot():
                    wanted.discard(event.asset_id)
                case BookDelta():
                    assert wanted.isdisjoint(change[0] for change in event.changes)

        gaps = [event for event in reader.seen if isinstance(event, Gap)]
        assert {asset_id for gap in gaps for asset_id in gap.asset_ids} == {YES, NO}
        assert {gap.reason for gap in gaps} == {"the reader is too slow"}
        assert len(reader.seen) < 100


async def test_trades_wait_for_the_reader() -> None:
    """Trades alone fill the queue: the line waits rather than lose one, and is not taken for dead meanwhile."""
    venue = ChannelVenue(opening)
    async with listening(venue, policy=replace(QUICK, max_waiting=5, dead_after_s=0.1)) as (reader, _):
        await opened(reader)
        for number in range(50):
            await venue.send(trade(YES, transaction_hash=f"0x{number:064x}"))
        await asyncio.sleep(0.2)
        keys = [(await reader.next(TradePrint)).key for _ in range(50)]

        assert len(set(keys)) == 50
        assert not [event for event in reader.seen if isinstance(event, Gap)]


async def test_many_assets_share_several_lines() -> None:
    """No line carries more than its share, both outcomes of a market stay on one, and all books arrive."""
    venue = ChannelVenue(opening)
    markets = [market(number) for number in range(1, 302)]
    async with listening(venue, *markets) as (reader, _):
        arrived = {(await reader.next(BookSnapshot)).asset_id for _ in range(602)}

        assert arrived == {asset_id for each in markets for asset_id in each.asset_ids}
        assert sorted(len(frame["assets_ids"]) for frame in venue.opened) == [102, 500]
