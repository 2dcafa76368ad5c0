"""One market websocket: subscribe, keep alive, read, mend books, and come back after every loss."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from random import Random
from typing import NoReturn, Protocol, runtime_checkable

import aiohttp
import msgspec
import structlog

from polymarket_agent.adapters.polymarket.outbox import Outbox
from polymarket_agent.adapters.polymarket.parse import MarketChannelParser
from polymarket_agent.adapters.polymarket.upkeep import BookKeeper
from polymarket_agent.domain.events import BookDelta, BookSnapshot, Event, Timer
from polymarket_agent.domain.market import AssetId
from polymarket_agent.errors import VenueDataError, VenueError
from polymarket_agent.ports import Clock

__all__ = ["BookSource", "Connection", "FeedPolicy"]

MAX_FRAME_BYTES = 64 * 1024 * 1024  # an opening array of 500 deep books is some 10 MB
_ENDS = frozenset(
    {aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSING, aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR}
)

_log = structlog.get_logger(__name__)


@runtime_checkable
class BookSource(Protocol):
    """Where books are fetched that the stream owes; `PolymarketPublic` is one."""

    async def books(self, asset_ids: Sequence[AssetId]) -> Sequence[BookSnapshot]:
        """Return the books of these assets, without those that the venue does not know."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedPolicy:
    """Times in seconds, and bounds. The venue drops a line that has sent no PING for about 125 s, without a word.

    Attributes:
        ping_s: between two keep-alives.
        dead_after_s: without any frame, the line is dead.
        check_s: how often all of these are looked at.
        snapshot_wait_s: how long a subscription may owe a book before it is fetched.
        silence_s: an asset that says nothing for so long is compared with the venue's book.
        grace_s: how long the stream has to bring what that book shows.
        backoff_min_s: the first wait before connecting again; it doubles, with jitter.
        backoff_max_s: the longest such wait.
        connect_s: for opening a connection.
        close_s: for closing one.
        max_waiting: events that may wait for a slow reader; beyond it books collapse into a gap and a snapshot.
        max_assets: assets of one connection.
    """

    ping_s: float = 10.0
    dead_after_s: float = 30.0
    check_s: float = 1.0
    snapshot_wait_s: float = 5.0
    silence_s: float = 60.0
    grace_s: float = 2.0
    backoff_min_s: float = 0.25
    backoff_max_s: float = 30.0
    connect_s: float = 10.0
    close_s: float = 1.0
    max_waiting: int = 20_000
    max_assets: int = 500


class Connection:
    """Owns one websocket and the books of its assets. `run` never returns; cancel it to stop."""

    def __init__(
        self,
        url: str,
        *,
        keeper: BookKeeper,
        parser: MarketChannelParser,
        outbox: Outbox,
        source: BookSource,
        clock: Clock,
        policy: FeedPolicy,
        jitter: Random,
    ) -> None:
        self._url = url
        self._keeper = keeper
        self._parser = parser
        self._outbox = outbox
        self._source = source
        self._clock = clock
        self._policy = policy
        self._jitter = jitter
        self._heard_at = 0.0
        self._waiting_for_reader = False
        self._frames = 0
        self._end_reason = ""
        self._said_at_ms = -1_000

    async def run(self, session: aiohttp.ClientSession) -> NoReturn:
        """Connect, and connect again after every loss."""
        failures = 0
        while True:
            self._frames = 0
            reason = await self._connect_once(session)
            failures = 0 if self._frames else failures + 1
            self._lose(self._keeper.asset_ids, reason, due_at=inf)
            wait = self._backoff_s(failures)
            _log.warning("connection_lost", reason=reason, retry_in_s=wait, assets=len(self._keeper.asset_ids))
            await asyncio.sleep(wait)

    def _backoff_s(self, failures: int) -> float:
        policy = self._policy
        longest = min(policy.backoff_max_s, policy.backoff_min_s * 2.0 ** min(failures, 16))
        return max(policy.backoff_min_s, longest * self._jitter.uniform(0.5, 1.0))

    async def _connect_once(self, session: aiohttp.ClientSession) -> str:
        """Hold one connection until it ends; return why it did."""
        self._end_reason = ""
        try:
            async with asyncio.timeout(self._policy.connect_s):
                socket = await session.ws_connect(
                    self._url,
                    max_msg_size=MAX_FRAME_BYTES,
                    decode_text=False,
                    timeout=aiohttp.ClientWSTimeout(ws_close=self._policy.close_s),
                )
        except TimeoutError:
            return f"no connection within {self._policy.connect_s:g} s"
        except (aiohttp.ClientError, OSError) as error:
            return f"no connection: {str(error) or type(error).__name__}"
        try:
            return await self._hold(socket)
        finally:
            await socket.close()

    async def _hold(self, socket: aiohttp.ClientWebSocketResponse[bool]) -> str:
        self._heard_at = self._now()
        self._keeper.want(self._keeper.asset_ids, self._now() + self._policy.snapshot_wait_s)
        try:
            await socket.send_str(_subscription(self._keeper.asset_ids))
        except (aiohttp.ClientError, OSError) as error:
            return f"the subscription could not be sent: {error}"
        async with asyncio.TaskGroup() as tasks:
            helpers = [tasks.create_task(self._keep_alive(socket)), tasks.create_task(self._mend_books(socket))]
            try:
                return await self._read(socket)
            finally:
                for helper in helpers:
                    helper.cancel()

    async def _read(self, socket: aiohttp.ClientWebSocketResponse[bool]) -> str:
        while True:
            message = await socket.receive()
            if message.type is aiohttp.WSMsgType.TEXT or message.type is aiohttp.WSMsgType.BINARY:
                self._heard_at = self._now()
                self._frames += 1
                await self._take(message.data)
            elif message.type in _ENDS:
                return self._end_reason or f"the venue closed the line (code {socket.close_code})"

    async def _take(self, raw: bytes) -> None:
        received_ms = self._clock.now_ms()
        try:
            events = self._parser.parse(raw, received_ms)
        except VenueDataError as error:
            _log.warning("frame_malformed", error=str(error), excerpt=error.excerpt)
            named = [asset_id for asset_id in self._keeper.asset_ids if asset_id.encode() in raw]
            hit = self._keeper.with_siblings(named) or self._keeper.asset_ids
            self._lose(hit, "a frame could not be read", due_at=self._now())
            return
        now = self._now()
        for event in events:
            allowed = self._keeper.take(event, now)
            if allowed is not None and not self._outbox.offer(allowed):
                await self._when_full(allowed)
        if not events:
            self._say_alive(received_ms)

    def _say_alive(self, received_ms: int) -> None:
        """Report a sign of life that says nothing else, at most once a second, and not to a reader who is behind."""
        if self._outbox.roomy and not 0 <= received_ms - self._said_at_ms < 1_000:
            self._said_at_ms = received_ms
            self._outbox.offer(Timer(received_ms, received_ms))

    async def _when_full(self, event: Event) -> None:
        """Let books of the asset collapse into a later snapshot; let everything else wait for the reader."""
        if isinstance(event, BookDelta | BookSnapshot):
            named = [event.asset_id] if isinstance(event, BookSnapshot) else [change[0] for change in event.changes]
            hit = self._keeper.with_siblings(named)
            self._outbox.forget_books(hit)
            self._lose(hit, "the reader is too slow", due_at=self._now())
            return
        self._waiting_for_reader = True
        try:
            await self._outbox.wait_for_room()
        finally:
            self._waiting_for_reader = False
            self._heard_at = self._now()
        self._outbox.force(event)

    def _lose(self, asset_ids: Sequence[AssetId], reason: str, *, due_at: float) -> None:
        """Report that books are not to be believed, once, and want snapshots of them."""
        gap = self._keeper.gap(asset_ids, reason, self._clock.now_ms())
        self._keeper.want(asset_ids, due_at)
        if gap is not None:
            self._outbox.force(gap)

    async def _keep_alive(self, socket: aiohttp.ClientWebSocketResponse[bool]) -> None:
        policy = self._policy
        ping_at = self._now() + policy.ping_s
        while True:
            await asyncio.sleep(min(policy.check_s, policy.ping_s))
            now = self._now()
            if now - self._heard_at > policy.dead_after_s and not self._waiting_for_reader:
                await self._end(socket, f"nothing was heard for {policy.dead_after_s:g} s")
                return
            if now >= ping_at:
                ping_at = now + policy.ping_s
                try:
                    async with asyncio.timeout(policy.dead_after_s):
                        await socket.send_str("PING")
                except (aiohttp.ClientError, OSError) as error:
                    await self._end(socket, f"the line is broken: {error}")
                    return

    async def _mend_books(self, socket: aiohttp.ClientWebSocketResponse[bool]) -> None:
        """Fetch books that the stream owes, and look whether silent assets are silent at the venue too."""
        policy, keeper = self._policy, self._keeper
        while True:
            await asyncio.sleep(policy.check_s)
            if not self._outbox.roomy:
                continue  # a snapshot would only be thrown out again
            due = keeper.start_fetch(self._now())
            if due:
                fetched = await self._fetch(due)
                for event in keeper.end_fetch(fetched, self._now(), self._now() + policy.snapshot_wait_s):
                    if not self._outbox.offer(event):
                        await self._when_full(event)
            silent = keeper.silent_since(self._now() - policy.silence_s)
            if silent and await self._is_deaf(silent):
                await self._end(socket, "the stream has left out changes that the venue's book shows")
                return

    async def _is_deaf(self, silent: Sequence[AssetId]) -> bool:
        asked_at = self._now()
        suspected = {book.asset_id for book in await self._fetch(silent) if self._keeper.missed(book)}
        self._keeper.note_checked([each for each in silent if each not in suspected], asked_at)
        if not suspected:
            return False
        await asyncio.sleep(self._policy.grace_s)
        return not suspected.isdisjoint(self._keeper.silent_since(asked_at))

    async def _fetch(self, asset_ids: Sequence[AssetId]) -> Sequence[BookSnapshot]:
        try:
            return await self._source.books(asset_ids)
        except VenueError as error:
            _log.warning("books_not_fetched", error=str(error), assets=len(asset_ids))
            return ()

    async def _end(self, socket: aiohttp.ClientWebSocketResponse[bool], reason: str) -> None:
        self._end_reason = reason
        await socket.close()

    def _now(self) -> float:
        now: float = asyncio.get_running_loop().time()
        return now


def _subscription(asset_ids: Sequence[AssetId]) -> str:
    """Return the first frame of a connection."""
    frame = {"type": "market", "assets_ids": list(asset_ids), "custom_feature_enabled": True}
    return msgspec.json.encode(frame).decode()
