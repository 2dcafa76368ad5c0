from __future__ import annotations

import asyncio
import json
from contextlib import aclosing
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from polymarket_agent.adapters.polymarket.parse_user import UserChannelParser
from polymarket_agent.adapters.polymarket.user_feed import USER_WS_URL, UserFeed, UserFeedPolicy
from polymarket_agent.clock import ManualClock
from polymarket_agent.domain.events import UserStream, VenueOrder
from tests.adapters.user.user_world import (
    AT_MS,
    KEY,
    QUICK,
    WALLET,
    credentials,
    listening,
    order,
    user_feed,
)
from tests.adapters.venue import ChannelVenue, Reader, eventually, serve


async def test_a_pong_is_no_event() -> None:
    """The answers to PING keep the line alive and say nothing to whoever reads the feed."""
    venue = ChannelVenue()
    async with listening(venue) as (reader, feed):
        await reader.next(UserStream)
        await eventually(lambda: feed.parser.counts["pong"] >= 3)
        await venue.send(order())
        await reader.next()

    assert [type(event) for event in reader.seen] == [UserStream, VenueOrder]


async def test_every_loss_is_told_and_begins_a_new_epoch() -> None:
    """A closed line is down with its epoch and reason; the next one logs in again and has the next number."""
    venue = ChannelVenue()
    async with listening(venue) as (reader, feed):
        for number in (1, 2, 3):
            up = await reader.next(UserStream)
            assert (up.up, up.epoch, feed.up) == (True, number, True)
            await (await venue.subscribed(number)).close(code=1011)
            down = await reader.next(UserStream)
            assert (down.up, down.epoch) == (False, number)
            assert "closed the line (code 1011)" in down.reason

    assert venue.opened[0] == venue.opened[1] == venue.opened[2]


async def test_a_frozen_line_is_given_up() -> None:
    """A line on which nothing is heard, not even PONG, is told as lost without a close frame from the venue."""
    venue = ChannelVenue()
    async with listening(venue, replace(QUICK, dead_after_s=0.08)) as (reader, _):
        await reader.next(UserStream)
        venue.pong = False
        down = await reader.next(UserStream)
        venue.pong = True
        up = await reader.next(UserStream)

    assert "nothing was heard" in down.reason
    assert (up.up, up.epoch) == (True, 2)


async def test_answers_keep_a_line_alive() -> None:
    """A line on which only PONG is heard is not given up, however long."""
    venue = ChannelVenue()
    async with listening(venue, replace(QUICK, dead_after_s=0.15)) as (reader, feed):
        await reader.next(UserStream)
        await asyncio.sleep(0.5)

        assert (feed.up, feed.epoch, len(venue.opened)) == (True, 1, 1)


def test_waits_grow_and_have_bounds() -> None:
    """Waits begin at a quarter of a second, double up to thirty, are spread, and are at least five after a refusal."""
    feed = user_feed(USER_WS_URL, UserFeedPolicy())
    first = [feed._wait_s(0, refused=False) for _ in range(50)]
    many = [feed._wait_s(40, refused=False) for _ in range(50)]
    refused = [feed._wait_s(0, refused=True) for _ in range(50)]

    assert {*first} == {0.25}
    assert 15 <= min(many) < max(many) <= 30
    assert 5 <= min(refused) < max(refused) <= 7.5
    assert 1 <= feed._wait_s(3, refused=False) <= 2


async def test_a_frame_that_cannot_be_read_ends_the_epoch() -> None:
    """Nothing of a broken frame is told; since something was said that nobody knows, the line is replaced."""
    venue = ChannelVenue()
    async with listening(venue) as (reader, feed):
        await reader.next(UserStream)
        await venue.send([order(), order(price="7")])
        down = await reader.next()
        up = await reader.next()

        assert (down.up, down.epoch, "could not be read" in down.reason) == (False, 1, True)
        assert (up.up, up.epoch) == (True, 2)
        assert feed.parser.malformed == 1


async def test_an_unknown_message_ends_nothing() -> None:
    """A message of a new type is counted, and the epoch goes on."""
    venue = ChannelVenue()
    async with listening(venue) as (reader, feed):
        await reader.next(UserStream)
        await venue.send({"event_type": "weather", "sunny": True}, order())

        assert isinstance(await reader.next(), VenueOrder)
        assert (feed.parser.counts["unknown"], feed.epoch) == (1, 1)


async def test_a_slow_reader_loses_nothing_without_a_word() -> None:
    """Events wait up to the bound; one more ends the connection, and another opens when the reader has caught up."""
    venue = ChannelVenue()
    sizes = [str(number) for number in range(1, 41)]
    async with listening(venue, replace(QUICK, max_waiting=10)) as (reader, feed):
        await reader.next(UserStream)
        await venue.send(*(order(original_size=size) for size in sizes))
        await eventually(lambda: not feed.up)
        await asyncio.sleep(0.1)
        assert len(venue.opened) == 1
        kept = [(await reader.next(VenueOrder)).snapshot.quantity for _ in range(10)]
        down, up = await reader.next(), await reader.next()

        assert kept == [number * 1_000_000 for number in range(1, 11)]
        assert (down.up, down.epoch, "too slow" in down.reason) == (False, 1, True)
        assert (up.up, up.epoch) == (True, 2)


async def test_a_frame_that_does_not_fit_is_not_cut() -> None:
    """Of an array with more events than there is room for, none is told."""
    venue = ChannelVenue()
    async with listening(venue, replace(QUICK, max_waiting=4)) as (reader, _):
        await reader.next(UserStream)
        await venue.send([order() for _ in range(5)])

        assert (await reader.next()).up is False


async def test_who_finds_the_stream_deaf_may_renew_it() -> None:
    """A line that answers PING and tells nothing can be ended from outside; the reason is told with the loss."""
    venue = ChannelVenue()
    async with listening(venue) as (reader, feed):
        feed.renew("there is no connection yet")
        await reader.next(UserStream)
        feed.renew("the list has a trade that was not told")
        down, up = await reader.next(), await reader.next()

    assert (down.up, down.reason) == (False, "the list has a trade that was not told")
    assert (up.up, up.epoch) == (True, 2)


async def test_a_venue_that_is_away_is_met_later() -> None:
    """Without a venue the feed says why, once, and goes on trying until there is one."""
    venue = ChannelVenue()
    async with serve(venue.handle) as address:
        port = int(address.rpartition(":")[2])
    feed = user_feed(f"ws://{address}/ws/user")
    async with aclosing(feed.events()) as events:  # type: ignore[type-var]
        reader = Reader(events)
        down = await reader.next()
        async with serve(venue.handle, port=port):
            up = await reader.next()

    assert (down.up, down.epoch, "no connection" in down.reason) == (False, 0, True)
    assert (up.up, up.epoch) == (True, 1)


async def test_a_closed_feed_hands_out_what_waits_and_ends() -> None:
    """`aclose` ends the line; what was heard before is still told, a second `aclose` and a reader later are no error."""
    venue = ChannelVenue()
    async with serve(venue.handle) as address:
        feed = user_feed(f"ws://{address}/ws/user")
        events = feed.events()
        reader = Reader(events)
        await reader.next(UserStream)
        await venue.send(order(), order())
        await eventually(lambda: feed.parser.counts["order"] == 2)
        await feed.aclose()
        await feed.aclose()
        left = [type(event) async for event in events]

        assert left == [VenueOrder, VenueOrder]
        with pytest.raises(RuntimeError, match="once"):
            await anext(feed.events())
        unread = user_feed(f"ws://{address}/ws/user")
        await unread.aclose()
        assert [event async for event in unread.events()] == []


async def test_a_mistake_of_ours_reaches_the_reader() -> None:
    """An error that is none of the venue's ends the feed with that error instead of being retried."""

    class Broken(UserChannelParser):
        def parse(self, raw: bytes | str, received_ms: int) -> list[Any]:
            raise ZeroDivisionError

    venue = ChannelVenue()
    async with serve(venue.handle) as address:
        feed = UserFeed(
            f"ws://{address}/ws/user",
            credentials(),
            parser=Broken(WALLET, KEY),
            clock=ManualClock(AT_MS),
            policy=QUICK,
            jitter=Random(1),
        )
        with pytest.raises(ExceptionGroup) as caught:
            [event async for event in feed.events()]

    assert caught.group_contains(ZeroDivisionError)


async def test_a_message_of_another_kind_of_frame_is_taken() -> None:
    """A binary frame with a message in it is read as a text frame is."""
    venue = ChannelVenue()
    async with listening(venue) as (reader, _):
        await reader.next(UserStream)
        line = await venue.subscribed()
        await line.send_bytes(json.dumps(order()).encode())

        assert isinstance(await reader.next(), VenueOrder)
