"""The secrets of a login are looked for in all that a feed leaves behind: events, logs, errors, texts of objects."""

from __future__ import annotations

import json
import logging
import traceback
from contextlib import aclosing
from random import Random
from typing import Any

import aiohttp
import pytest
import structlog
from aiohttp import web
from structlog.testing import capture_logs

from polymarket_agent.adapters.polymarket.parse_user import UserChannelParser
from polymarket_agent.adapters.polymarket.user_connection import UserConnection
from polymarket_agent.adapters.polymarket.user_feed import UserFeed
from polymarket_agent.clock import ManualClock
from polymarket_agent.domain.events import UserStream, VenueLeg
from tests.adapters.user.user_world import (
    AT_MS,
    KEY,
    PASSPHRASE,
    QUICK,
    SECRET,
    WALLET,
    credentials,
    listening,
    order,
    trade,
    user_feed,
)
from tests.adapters.venue import ChannelVenue, Reader, eventually, serve


def assert_silent(*said: object) -> None:
    """Look for either secret, and for the middle of each, which a cut text might keep."""
    text = "\n".join(str(each) for each in said)
    for secret in (SECRET, PASSPHRASE):
        assert secret not in text
        assert secret[8:30] not in text


@pytest.fixture(autouse=True)
def everything_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)


class Teller:
    """A venue that says back whatever it was told, in the way that the test chooses."""

    def __init__(self, *frames: Any) -> None:
        self.frames = frames
        self.logins = 0

    async def handle(self, request: web.Request) -> web.StreamResponse:
        line = web.WebSocketResponse()
        await line.prepare(request)
        login = await line.receive_str()
        self.logins += 1
        assert SECRET in login
        await line.receive_str()
        for frame in self.frames:
            said = login if frame is None else frame if isinstance(frame, str) else json.dumps(frame)
            await line.send_str(said)
        async for _ in line:
            pass
        return line


@pytest.mark.parametrize(
    "frames",
    [
        (None, "PONG"),
        (f'{{"error": "bad passphrase {PASSPHRASE}"', "PONG"),
        (f"who is {SECRET}?",),
        ("PONG", order(type="CANCELLATION", status=f"CANCELED_{SECRET}")),
        ("PONG", trade(outcome=PASSPHRASE)),
        ("PONG", order(price=SECRET)),
        ("PONG", order(side=PASSPHRASE[:30], id=PASSPHRASE)),
        ("PONG", "[" + json.dumps(order()) + f', "{PASSPHRASE}"'),
    ],
)
async def test_a_venue_that_repeats_the_login_is_not_repeated(
    frames: tuple[Any, ...], caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever the venue says back of the login, neither events nor logs nor the feed's own text hold a secret."""
    venue = Teller(*frames)
    with capture_logs() as logs:
        async with serve(venue.handle) as address:
            feed = user_feed(f"ws://{address}/ws/user")
            async with aclosing(feed.events()) as events:  # type: ignore[type-var]
                reader = Reader(events)
                await reader.next()
                await eventually(lambda: bool(feed.parser.counts.total() or feed.parser.malformed))
                await feed.aclose()
                reader.seen += [event async for event in events]

    assert venue.logins
    assert all(isinstance(event, UserStream) for event in reader.seen)
    assert_silent(logs, caplog.text, reader.seen, repr(feed), vars(feed), repr(feed.parser), vars(feed.parser))


async def test_the_life_of_a_feed_shows_no_secret(caplog: pytest.LogCaptureFixture) -> None:
    """Logins, losses, broken frames, fills and the end leave no secret in events, logs or objects."""
    structlog.reset_defaults()  # a command that ran before in this process may have asked for less
    venue = ChannelVenue()
    with capture_logs() as logs:
        async with listening(venue) as (reader, feed):
            await reader.next(UserStream)
            await venue.send(trade())
            await reader.next(VenueLeg)
            await venue.send("{]")
            await reader.next(UserStream)
            await reader.next(UserStream)
            await (await venue.subscribed(2)).close()
            await reader.next(UserStream)
        task = repr(feed._owner)

    assert len(logs) >= 3
    assert_silent(logs, caplog.text, reader.seen, task, repr(feed), vars(feed), [vars(each) for each in (feed.parser,)])


async def test_a_mistake_of_ours_shows_no_secret() -> None:
    """An error that ends the feed, with its whole chain and the locals of every frame, holds no secret."""

    class Broken(UserChannelParser):
        def parse(self, raw: bytes | str, received_ms: int) -> list[Any]:
            raise ZeroDivisionError

    async with serve(ChannelVenue().handle) as address:
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

    told = traceback.TracebackException.from_exception(caught.value, capture_locals=True, max_group_depth=20)
    lines = list(told.format())
    assert any("ZeroDivisionError" in line for line in lines)
    assert_silent(*lines)


class _Socket:
    """A socket on which the login cannot be sent, and whose error repeats what was to be sent."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def send_str(self, text: str) -> None:
        self.asked.append(text)
        raise aiohttp.ClientConnectionResetError(f"cannot write {text}")

    async def close(self) -> None:
        pass


class _Session:
    def __init__(self, socket: _Socket) -> None:
        self._socket = socket

    async def ws_connect(self, *_: Any, **__: Any) -> _Socket:
        return self._socket


async def test_a_login_that_cannot_be_sent_is_told_by_its_type() -> None:
    """An error of the transport that quotes the frame is told without its text."""
    socket = _Socket()
    connection = UserConnection(
        "wss://example.invalid",
        credentials(),
        parser=UserChannelParser(WALLET, KEY),
        clock=ManualClock(AT_MS),
        policy=QUICK,
        sink=user_feed("wss://example.invalid"),
    )
    session: Any = _Session(socket)
    ending = await connection.run(session)

    assert len(socket.asked) == 1
    assert SECRET in socket.asked[0]
    assert "ClientConnectionResetError" in ending.reason
    assert_silent(ending, vars(connection))
