"""One user websocket, from its login to its end: nothing about it is mended, it is replaced."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import aiohttp
import msgspec
import structlog

from polymarket_agent.adapters.polymarket.parse_user import UserChannelParser
from polymarket_agent.domain.events import Event
from polymarket_agent.errors import VenueDataError
from polymarket_agent.keys import ApiCredentials
from polymarket_agent.ports import Clock

__all__ = ["Ending", "Sink", "UserConnection", "UserFeedPolicy"]

MAX_FRAME_BYTES = 4 * 1024 * 1024  # a trade with ten thousand makers
REASON_CHARS = 200
_UNAUTHORISED = frozenset({401, 403})
_ENDS = frozenset(
    {aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSING, aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR}
)

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class UserFeedPolicy:
    """Times in seconds, and a bound.

    Attributes:
        ping_s: between two keep-alives.
        dead_after_s: without any frame, the line is dead.
        check_s: how often both are looked at.
        login_s: how long the venue may take to answer the first PING.
        backoff_min_s: the first wait before connecting again; it doubles, with jitter.
        backoff_max_s: the longest such wait.
        refused_wait_s: the least wait after a login that seems to be refused.
        steady_s: a line that was usable for so long lets the waits begin small again.
        connect_s: for opening a connection.
        close_s: for closing one.
        max_waiting: events that may wait for a slow reader; one more ends the connection, so that nothing is missed
            without a word. It is opened again when less than half of them wait.
    """

    ping_s: float = 10.0
    dead_after_s: float = 30.0
    check_s: float = 1.0
    login_s: float = 10.0
    backoff_min_s: float = 0.25
    backoff_max_s: float = 30.0
    refused_wait_s: float = 5.0
    steady_s: float = 60.0
    connect_s: float = 10.0
    close_s: float = 1.0
    max_waiting: int = 20_000


class Sink(Protocol):
    """Who hears of what a connection brings."""

    def begin(self) -> None:
        """The line is usable; called once, before any event."""
        ...

    def take(self, events: list[Event]) -> bool:
        """Take the events of one frame, all or none; False when there is no room for them."""
        ...


class Ending(NamedTuple):
    """Why a connection ended; `refused` when it seems that the login was not taken."""

    reason: str
    refused: bool = False


class UserConnection:
    """Owns one websocket. `run` it once; `usable_since` is the loop's time of the first answer, None before it."""

    def __init__(
        self,
        url: str,
        credentials: ApiCredentials,
        *,
        parser: UserChannelParser,
        clock: Clock,
        policy: UserFeedPolicy,
        sink: Sink,
    ) -> None:
        self._url = url
        self._credentials = credentials
        self._parser = parser
        self._clock = clock
        self._policy = policy
        self._sink = sink
        self._heard_at = 0.0
        self._end_reason = ""
        self.usable_since: float | None = None

    def end(self, reason: str) -> None:
        """Let the connection end within `check_s`; of two reasons the first is told."""
        self._end_reason = self._end_reason or reason[:REASON_CHARS]

    async def run(self, session: aiohttp.ClientSession) -> Ending:
        """Connect, log in and listen until the connection ends; return why it did."""
        try:
            async with asyncio.timeout(self._policy.connect_s):
                socket = await session.ws_connect(
                    self._url,
                    max_msg_size=MAX_FRAME_BYTES,
                    decode_text=False,
                    timeout=aiohttp.ClientWSTimeout(ws_close=self._policy.close_s),
                )
        except TimeoutError:
            return Ending(f"no connection within {self._policy.connect_s:g} s")
        except aiohttp.WSServerHandshakeError as error:
            return Ending(f"the venue answered {error.status} to the connection", error.status in _UNAUTHORISED)
        except (aiohttp.ClientError, OSError) as error:
            return Ending(f"no connection: {str(error) or type(error).__name__}"[:REASON_CHARS])
        try:
            return await self._hold(socket)
        finally:
            await socket.close()

    async def _hold(self, socket: aiohttp.ClientWebSocketResponse[bool]) -> Ending:
        self._heard_at = self._now()
        try:
            async with asyncio.timeout(self._policy.connect_s):
                await socket.send_str(self._login())
                await socket.send_str("PING")
        except (aiohttp.ClientError, OSError) as error:  # a TimeoutError is an OSError
            return Ending(f"the login could not be sent: {type(error).__name__}")
        async with asyncio.TaskGroup() as tasks:
            keeper = tasks.create_task(self._keep_alive(socket))
            try:
                return await self._read(socket)
            finally:
                keeper.cancel()

    def _login(self) -> str:
        """Return the first frame. It is kept nowhere, and an error while it is sent is told by its type alone."""
        shown = self._credentials
        auth = {"apiKey": shown.key_id, "secret": shown.secret.reveal(), "passphrase": shown.passphrase.reveal()}
        return msgspec.json.encode({"type": "user", "auth": auth}).decode()

    async def _read(self, socket: aiohttp.ClientWebSocketResponse[bool]) -> Ending:
        while True:
            message = await socket.receive()
            if message.type is aiohttp.WSMsgType.TEXT or message.type is aiohttp.WSMsgType.BINARY:
                self._heard_at = self._now()
                ending = self._take(message.data)
                if ending is not None:
                    return ending
            elif message.type in _ENDS:
                if self._end_reason:
                    return Ending(self._end_reason)
                if self.usable_since is None:
                    return Ending(f"the venue closed the line at the login (code {socket.close_code})", refused=True)
                return Ending(f"the venue closed the line (code {socket.close_code})")

    def _take(self, raw: bytes) -> Ending | None:
        """Hand on what a frame says; return the end of the connection when that cannot be done."""
        shows_login = self._shows_login(raw)
        try:
            events = self._parser.parse(raw, self._clock.now_ms())
        except VenueDataError as error:
            shown = {} if shows_login else {"error": str(error), "excerpt": error.excerpt}
            _log.warning("user_frame_malformed", **shown)
            if self.usable_since is None:
                return Ending("the answer to the login could not be read", refused=True)
            return Ending("a frame could not be read")
        if events and shows_login:
            return Ending("a frame repeated our login")
        if self.usable_since is None and (events or raw.strip() == b"PONG"):
            self.usable_since = self._now()
            self._sink.begin()
        if events and not self._sink.take(events):
            return Ending(f"the reader is too slow: more than {self._policy.max_waiting} events would wait")
        return None

    def _shows_login(self, raw: bytes) -> bool:
        """Whether a frame holds one of our secrets: it must not be shown, and not be stored as evidence."""
        shown = self._credentials
        return any(text.encode() in raw for text in (shown.secret.reveal(), shown.passphrase.reveal()) if text)

    async def _keep_alive(self, socket: aiohttp.ClientWebSocketResponse[bool]) -> None:
        policy, began = self._policy, self._now()
        ping_at = began + policy.ping_s
        while not self._end_reason:
            await asyncio.sleep(min(policy.check_s, policy.ping_s))
            now = self._now()
            if now - self._heard_at > policy.dead_after_s:
                self.end(f"nothing was heard for {policy.dead_after_s:g} s")
            elif self.usable_since is None and now - began > policy.login_s:
                self.end(f"no answer to the login within {policy.login_s:g} s")
            elif now >= ping_at:
                ping_at = now + policy.ping_s
                try:
                    async with asyncio.timeout(policy.dead_after_s):
                        await socket.send_str("PING")
                except (aiohttp.ClientError, OSError) as error:
                    self.end(f"the line is broken: {type(error).__name__}")
        await socket.close()

    def _now(self) -> float:
        now: float = asyncio.get_running_loop().time()
        return now
