"""The venue's public side on loopback, as tests need it: HTTP answers in a row, and a market websocket to play on."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import WSMsgType, web

from polymarket_agent.domain.events import BookSnapshot, Event
from polymarket_agent.domain.market import AssetId, ConditionId, Market, Outcome
from tests.protocol.listings import condition_id, v1_ids

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serve(handler: Handler, *, port: int = 0) -> AsyncIterator[str]:
    """Serve every path on a loopback port (any free one for 0); yield its address without a scheme."""
    application = web.Application()
    application.router.add_route("*", "/{tail:.*}", handler)
    runner = web.AppRunner(application, shutdown_timeout=0.2, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port)
    await site.start()
    try:
        yield "{}:{}".format(*runner.addresses[0][:2])
    finally:
        await runner.cleanup()


async def eventually(condition: Callable[[], bool]) -> None:
    """Wait until something that tells nobody about itself has come to be."""
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - counters of the code under test have no event to wait for
            await asyncio.sleep(0.002)


class HttpVenue:
    """Answers each path from its own row; the last answer of a row is repeated. `requests` has what was asked."""

    def __init__(self) -> None:
        self.rows: dict[str, deque[web.Response | bytes]] = defaultdict(deque)
        self.requests: list[tuple[str, str, str]] = []
        self.headers: list[dict[str, str]] = []

    def answer(self, path: str, *bodies: Any) -> None:
        for body in bodies:
            self.rows[path].append(body if isinstance(body, web.Response | bytes) else json.dumps(body).encode())

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append((request.method, request.path_qs, (await request.read()).decode()))
        self.headers.append(dict(request.headers))
        row = self.rows[request.path]
        if not row:
            return web.json_response({"error": "not found"}, status=404)
        body = row.popleft() if len(row) > 1 else row[0]
        if isinstance(body, bytes):
            return web.Response(body=body, content_type="application/json")
        return web.Response(status=body.status, headers=body.headers, body=body.body)


class ChannelVenue:
    """The market websocket. `dump` makes the opening frame; tests send the rest by `send`."""

    def __init__(self, dump: Callable[[Sequence[str]], Any] | None = None, *, pong: bool = True) -> None:
        self.dump = dump
        self.pong = pong
        self.lines: list[web.WebSocketResponse] = []
        self.opened: list[dict[str, Any]] = []
        self.pings = 0
        self._news = asyncio.Condition()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        line = web.WebSocketResponse()
        await line.prepare(request)
        async for message in line:
            if message.type is not WSMsgType.TEXT:
                continue
            if message.data == "PING":
                self.pings += 1
                if self.pong:
                    await line.send_str("PONG")
                continue
            frame = json.loads(message.data)
            if self.dump is not None:
                await line.send_str(json.dumps(self.dump(frame["assets_ids"])))
            async with self._news:
                self.lines.append(line)
                self.opened.append(frame)
                self._news.notify_all()
        return line

    async def subscribed(self, count: int = 1) -> web.WebSocketResponse:
        """Wait for that many subscriptions since the start; return the line of the last one."""
        async with asyncio.timeout(5), self._news:
            await self._news.wait_for(lambda: len(self.lines) >= count)
        return self.lines[count - 1]

    async def send(self, *frames: Any, line: int = -1) -> None:
        for frame in frames:
            await self.lines[line].send_str(frame if isinstance(frame, str) else json.dumps(frame))


class BookShelf:
    """A `BookSource` with books that the test has put there; `asked` has every request."""

    def __init__(self, *books: BookSnapshot) -> None:
        self.books_by_asset = {book.asset_id: book for book in books}
        self.asked: list[tuple[AssetId, ...]] = []

    async def books(self, asset_ids: Sequence[AssetId]) -> list[BookSnapshot]:
        self.asked.append(tuple(asset_ids))
        return [self.books_by_asset[each] for each in asset_ids if each in self.books_by_asset]


def market(number: int = 1) -> Market:
    first, second = v1_ids(number)
    outcomes = (Outcome(AssetId(first), "Yes"), Outcome(AssetId(second), "No"))
    return Market(ConditionId(condition_id(number)), f"Question {number}?", outcomes)


class Reader:
    """Reads a feed one wanted event at a time, and keeps all that passed."""

    def __init__(self, events: AsyncIterator[Event]) -> None:
        self._events = events
        self.seen: list[Event] = []

    async def next(self, *kinds: type[Any]) -> Any:
        """Return the next event of these kinds (of any, if none are given)."""
        async with asyncio.timeout(5):
            async for event in self._events:
                self.seen.append(event)
                if not kinds or isinstance(event, kinds):
                    return event
        raise AssertionError(f"the feed ended before a {kinds}; it gave {self.seen}")
