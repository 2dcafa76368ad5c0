from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import replace

import pytest
from aiohttp import web

from polymarket_agent.adapters.polymarket.parse_user import UserChannelParser
from polymarket_agent.adapters.polymarket.user_feed import UserFeed
from polymarket_agent.clock import ManualClock
from polymarket_agent.domain.events import UserStream, VenueLeg, VenueOrder
from polymarket_agent.errors import ConfigError
from polymarket_agent.ports import EventFeed
from tests.adapters.user.user_world import (
    AT_MS,
    KEY,
    PASSPHRASE,
    QUICK,
    SECRET,
    WALLET,
    credentials,
    killed,
    listening,
    order,
    trade,
    user_feed,
)
from tests.adapters.venue import ChannelVenue, Handler, Reader, eventually, serve


async def test_the_first_frame_is_the_login_and_the_second_a_ping() -> None:
    """The login is the documented frame; when its PING is answered the stream is up, and its orders follow."""
    venue = ChannelVenue()
    async with listening(venue) as (reader, feed):
        up = await reader.next()
        await venue.send([order(), trade()], killed())
        found = [await reader.next() for _ in range(3)]

        port: EventFeed = feed
        assert (port.name, port.streaming, port.replayed) == ("user", True, False)
        assert up == UserStream(up=True, epoch=1, reason="", at_ms=AT_MS, received_ms=AT_MS)
        assert [type(event) for event in found] == [VenueOrder, VenueLeg, VenueOrder]
        assert {event.received_ms for event in found} == {AT_MS}
    assert venue.opened == [{"type": "user", "auth": {"apiKey": KEY, "secret": SECRET, "passphrase": PASSPHRASE}}]


async def test_what_comes_before_the_first_pong_comes_after_the_news_that_it_is_up() -> None:
    """An order told before the PING is answered shows that the login was taken; the epoch begins before it."""
    venue = ChannelVenue(pong=False)
    async with listening(venue) as (reader, _), asyncio.TaskGroup() as tasks:
        reading = tasks.create_task(reader.next())
        await venue.subscribed()
        await venue.send(order())
        first, second = await reading, await reader.next()

    assert (first.up, first.epoch, type(second)) == (True, 1, VenueOrder)


async def test_the_first_ping_does_not_wait_for_its_turn() -> None:
    """A PING follows the login at once, so that the stream is up before the first keep-alive is due."""
    venue = ChannelVenue()
    async with listening(venue, replace(QUICK, ping_s=60.0, login_s=60.0)) as (reader, _):
        assert (await reader.next()).up


async def test_an_unknown_message_at_the_login_is_no_proof() -> None:
    """A message of an unknown type, which may be a refusal in words, does not make the line usable; PONG does."""
    venue = ChannelVenue(pong=False)
    async with listening(venue) as (reader, feed), asyncio.TaskGroup() as tasks:
        reading = tasks.create_task(reader.next())
        await venue.subscribed()
        await venue.send({"error": "who are you?"})
        await eventually(lambda: feed.parser.counts["unknown"] == 1)
        assert (feed.up, reading.done()) == (False, False)
        await venue.send("PONG")
        assert (await reading).up


async def test_a_login_without_an_answer_is_no_epoch() -> None:
    """A line that accepts the login and then says nothing was never up; the reason is told once, not at each try."""
    venue = ChannelVenue(pong=False)
    async with listening(venue, replace(QUICK, login_s=0.03)) as (reader, feed):
        down = await reader.next()
        await venue.subscribed(3)
        venue.pong = True
        up = await reader.next()

        assert (down.up, down.epoch) == (False, 0)
        assert "no answer to the login" in down.reason
        assert (up.up, up.epoch) == (True, 1)
        assert feed.parser.malformed == 0


def refusing(status: int = 0) -> tuple[Handler, list[int]]:
    """Return a venue that takes no login: it closes, or answers the connection with a status."""
    tries: list[int] = []

    async def handle(request: web.Request) -> web.StreamResponse:
        tries.append(1)
        if status:
            return web.Response(status=status)
        line = web.WebSocketResponse()
        await line.prepare(request)
        await line.receive()
        await line.close(code=1008)
        return line

    return handle, tries


@pytest.mark.parametrize(("status", "said"), [(0, "at the login (code 1008)"), (401, "answered 401"), (403, "403")])
async def test_a_refused_login_is_told_and_tried_slowly(status: int, said: str) -> None:
    """A venue that closes at the login, or answers 401 or 403, is told as the reason and not asked again at once."""
    handle, tries = refusing(status)
    async with serve(handle) as address:
        feed = user_feed(f"ws://{address}/ws/user", replace(QUICK, refused_wait_s=30.0))
        async with aclosing(feed.events()) as events:  # type: ignore[type-var]
            down = await Reader(events).next()
            await asyncio.sleep(0.2)

    assert (down.up, down.epoch) == (False, 0)
    assert said in down.reason
    assert len(tries) == 1


async def test_an_error_in_words_at_the_login_is_a_refusal() -> None:
    """An answer to the login that is no message of the channel is told as such, and not as an epoch."""
    venue = ChannelVenue(pong=False)
    async with listening(venue, replace(QUICK, refused_wait_s=30.0)) as (reader, feed), asyncio.TaskGroup() as tasks:
        reading = tasks.create_task(reader.next())
        await venue.subscribed()
        await venue.send("INVALID OPERATION")
        down = await reading

    assert (down.up, "answer to the login" in down.reason) == (False, True)
    assert feed.epoch == 0


async def test_the_login_is_not_carried_to_another_address() -> None:
    """A redirect is not followed: the address behind it hears nothing of us."""
    elsewhere = ChannelVenue()
    async with serve(elsewhere.handle) as other:

        async def redirect(request: web.Request) -> web.StreamResponse:
            raise web.HTTPTemporaryRedirect(f"http://{other}/ws/user")

        async with serve(redirect) as address:
            feed = user_feed(f"ws://{address}/ws/user")
            async with aclosing(feed.events()) as events:  # type: ignore[type-var]
                down = await Reader(events).next()
                await asyncio.sleep(0.1)

    assert (down.up, "redirected" in down.reason) == (False, True)
    assert elsewhere.opened == []


@pytest.mark.parametrize(
    "url",
    ["ws://ws-subscriptions-clob.polymarket.com/ws/user", "http://127.0.0.1/ws/user", "ws://10.0.0.7/ws", "", "wss"],
)
def test_an_address_in_the_clear_is_refused(url: str) -> None:
    """A feed whose login would cross a network unencrypted cannot be made."""
    with pytest.raises(ConfigError, match="in the clear"):
        UserFeed(url, credentials(), parser=UserChannelParser(WALLET, KEY), clock=ManualClock(AT_MS))
