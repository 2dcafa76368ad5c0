"""Websocket connections: a reader and a writer each, faults on the way out, `PING` answered whatever happens."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any, Protocol

from aiohttp import WSMsgType, web

from polymarket_agent.sandbox.fault_effects import Delivery, StreamLane
from polymarket_agent.sandbox.faults import FaultInjector
from polymarket_agent.sandbox.streams import Listener, frame_of

__all__ = ["Connection", "Hub", "Sockets"]

MAX_QUEUED = 20_000  # messages that a slow reader may fall behind before it is cut off
MAX_FRAME = 1 << 20
_POLICY, _GOING_AWAY, _TOO_SLOW = 1008, 1001, 1013


class Hub(Protocol):
    """A channel."""

    def take_frame(self, listener: Listener, frame: dict[str, Any]) -> bool:
        """Follow a client's frame; False ends the connection."""

    def leave(self, listener: Listener) -> None:
        """Forget a connection."""


class Connection:
    """One client on one channel. What is queued is text to send, or the code to close with."""

    def __init__(self, socket: web.WebSocketResponse, lane: StreamLane | None, now_ms: Callable[[], int]) -> None:
        self._socket = socket
        self._lane = lane
        self._now_ms = now_ms
        self._queue: asyncio.Queue[str | int] = asyncio.Queue(MAX_QUEUED)

    def send(self, text: str, *, event_type: str, market: str) -> None:
        """Queue a message, through whatever goes wrong on this connection."""
        if self._lane is None:
            self._put(text)
        else:
            self._deliver(self._lane.push(text, self._now_ms(), event_type=event_type, market=market))

    def _deliver(self, delivery: Delivery) -> None:
        for message in delivery.messages:
            self._put(message)
        if delivery.close is not None:
            self._put(delivery.close)

    def _put(self, item: str | int) -> None:
        if self._queue.qsize() >= MAX_QUEUED - 1:
            item = _TOO_SLOW
        with contextlib.suppress(asyncio.QueueFull):
            self._queue.put_nowait(item)

    def pong(self) -> None:
        """Answer a ping, also while the stream is silent."""
        self._put("PONG")

    def close(self, code: int = _GOING_AWAY) -> None:
        """Close after what is queued."""
        self._put(code)

    async def write(self) -> None:
        """Send what is queued until a close."""
        while True:
            item = await self._next()
            if item is None:
                continue
            if isinstance(item, int):
                await self._socket.close(code=item)
                return
            await self._socket.send_str(item)

    async def _next(self) -> str | int | None:
        if self._lane is None:
            return await self._queue.get()
        due = self._lane.next_due_ms
        wait_s = None if due is None else max(0.0, (due - self._now_ms()) / 1000)
        try:
            return await asyncio.wait_for(self._queue.get(), wait_s)
        except TimeoutError:
            self._deliver(self._lane.due(self._now_ms()))
            return None

    async def read(self, hub: Hub) -> None:
        """Follow the client's frames until it goes."""
        async for message in self._socket:
            if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                continue
            if message.data in ("PING", b"PING"):
                self.pong()
                continue
            frame = frame_of(message.data)
            if frame is not None and not hub.take_frame(self, frame):
                await self._socket.close(code=_POLICY)
                return


class Sockets:
    """Every open connection, so that all can be closed."""

    def __init__(self, injector: FaultInjector, now_ms: Callable[[], int]) -> None:
        self._injector = injector
        self._now_ms = now_ms
        self._open: set[Connection] = set()

    def __len__(self) -> int:
        return len(self._open)

    def close_all(self, code: int = _GOING_AWAY) -> None:
        """Close every connection."""
        for connection in self._open:
            connection.close(code)

    async def serve(self, request: web.Request, channel: str, hub: Hub) -> web.WebSocketResponse:
        """Serve one client to its end."""
        socket = web.WebSocketResponse(max_msg_size=MAX_FRAME, compress=False, autoping=True)
        await socket.prepare(request)
        connection = Connection(socket, StreamLane(self._injector, channel), self._now_ms)
        self._open.add(connection)
        writer: asyncio.Task[None] | None = None
        try:
            async with asyncio.TaskGroup() as group:
                writer = group.create_task(connection.write())
                await connection.read(hub)
                writer.cancel()
        except* (ConnectionError, RuntimeError):
            pass  # the client went while something was on its way
        finally:
            hub.leave(connection)
            self._open.discard(connection)
        return socket
