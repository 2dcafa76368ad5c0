"""`EventFeed` over the venue's user websocket: what it says about our orders and fills, and when it could not say it.

The venue neither acknowledges a login nor repeats what was missed. So a line counts as usable when it has answered a
PING sent behind the login, and every loss is told: what happened until the next epoch is known to the lists only.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from random import Random, SystemRandom
from typing import NoReturn
from urllib.parse import urlsplit

import aiohttp
import structlog

from polymarket_agent.adapters.polymarket.outbox import Outbox
from polymarket_agent.adapters.polymarket.parse_user import UserChannelParser
from polymarket_agent.adapters.polymarket.user_connection import UserConnection, UserFeedPolicy
from polymarket_agent.domain.events import Event, UserStream
from polymarket_agent.errors import ConfigError
from polymarket_agent.keys import ApiCredentials
from polymarket_agent.ports import Clock
from polymarket_agent.version import __version__

__all__ = ["USER_WS_URL", "UserFeed", "UserFeedPolicy"]

USER_WS_URL = "wss://ws-subscriptions-clob.polymarket.com/ws/user"
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})

_log = structlog.get_logger(__name__)


class UserFeed:
    """The live stream of one wallet's orders and fills, between `UserStream` events that say when it can be believed.

    Nothing is repeated by the venue, so whoever reads this has to read the lists at every `UserStream` that is up.
    The first one that is up has epoch 1. One that is down carries the epoch that ended; before the first success it
    is 0. While no connection can be had, each reason is told once in a row.

    Args:
        url: the user channel; `wss`, or `ws` on loopback.
        credentials: what the login shows. They stand in one frame and nowhere else.
        parser: has the counts: messages by type, what was left out, malformed frames.
        clock: stamps events with our time.
        policy: keep-alive, liveness, back-off, and a bound.
        jitter: spreads reconnects.

    Raises:
        ConfigError: an address that would carry the login in the clear.
    """

    name = "user"
    streaming = True
    replayed = False

    def __init__(
        self,
        url: str,
        credentials: ApiCredentials,
        *,
        parser: UserChannelParser,
        clock: Clock,
        policy: UserFeedPolicy | None = None,
        jitter: Random | None = None,
    ) -> None:
        _check_address(url)
        self._url = url
        self._credentials = credentials
        self.parser = parser
        self._clock = clock
        self._policy = policy or UserFeedPolicy()
        self._jitter = jitter or SystemRandom()
        self._outbox = Outbox(self._policy.max_waiting)
        self._owner: asyncio.Task[NoReturn] | None = None
        self._connection: UserConnection | None = None
        self._closed = False
        self._told = ""
        self.epoch = 0
        self.up = False

    async def events(self) -> AsyncIterator[Event]:
        """Yield the stream until `aclose`. To be iterated once."""
        if self._owner is not None:
            raise RuntimeError("a feed is read once; make another one")
        if self._closed:
            return
        # One task owns the connection. A group around the yields would cancel whoever reads them.
        self._owner = asyncio.get_running_loop().create_task(self._stay_connected(), name="user-feed")
        self._owner.add_done_callback(lambda _: self._outbox.close())
        try:
            while (waiting := await self._outbox.next()) is not None:
                yield waiting
        finally:
            await self.aclose()
        if not self._owner.cancelled():
            self._owner.result()  # a connection that failed on a mistake of ours says so here

    async def aclose(self) -> None:
        """Close the connection; events that wait are still handed out. May be called more than once."""
        self._closed = True
        if self._owner is not None:
            self._owner.cancel()
            await asyncio.wait([self._owner])
        self._outbox.close()

    def renew(self, reason: str) -> None:
        """End the connection and open another: the lists showed something that the stream has not told.

        PINGs may be answered for hours while nothing else comes. Takes effect within `check_s`; without a connection
        it does nothing.
        """
        if self._connection is not None:
            self._connection.end(reason)

    def begin(self) -> None:
        """Tell that the connection is usable; it calls this itself."""
        now_ms = self._clock.now_ms()
        self.epoch += 1
        self.up = True
        self._outbox.force(UserStream(up=True, epoch=self.epoch, reason="", at_ms=now_ms, received_ms=now_ms))
        _log.info("user_stream_up", epoch=self.epoch)

    def take(self, events: list[Event]) -> bool:
        """Take the events of a frame, all or none; the connection calls this itself."""
        if len(self._outbox) + len(events) > self._policy.max_waiting:
            return False
        for event in events:
            self._outbox.force(event)
        return True

    async def _stay_connected(self) -> NoReturn:
        failures = 0
        # Proxy variables are not heeded: they hold for loopback too.
        headers = {"User-Agent": f"polymarket-agent/{__version__}"}
        tracing = aiohttp.TraceConfig()
        tracing.on_request_redirect.append(_refuse_redirect)
        async with aiohttp.ClientSession(trust_env=False, headers=headers, trace_configs=[tracing]) as session:
            while True:
                self._connection = connection = UserConnection(
                    self._url,
                    self._credentials,
                    parser=self.parser,
                    clock=self._clock,
                    policy=self._policy,
                    sink=self,
                )
                ending = await connection.run(session)
                self._connection = None
                self._tell_lost(ending.reason)
                since = connection.usable_since
                steady = since is not None and asyncio.get_running_loop().time() - since >= self._policy.steady_s
                failures = 0 if steady else failures + 1
                wait = self._wait_s(failures, refused=ending.refused)
                _log.warning("user_stream_lost", reason=ending.reason, epoch=self.epoch, retry_in_s=wait)
                await asyncio.sleep(wait)
                # The outbox tells of room for one event; a new epoch begins with more.
                while not self._outbox.roomy:  # noqa: ASYNC110 - see above
                    await asyncio.sleep(self._policy.check_s)

    def _wait_s(self, failures: int, *, refused: bool) -> float:
        policy = self._policy
        longest = min(policy.backoff_max_s, policy.backoff_min_s * 2.0 ** min(failures, 16))
        wait = max(policy.backoff_min_s, longest * self._jitter.uniform(0.5, 1.0))
        return max(wait, policy.refused_wait_s * self._jitter.uniform(1.0, 1.5)) if refused else wait

    def _tell_lost(self, reason: str) -> None:
        """Tell a loss, and why it cannot be mended, each reason once in a row."""
        if not self.up and reason == self._told:
            return
        now_ms = self._clock.now_ms()
        self.up = False
        self._told = reason
        self._outbox.force(UserStream(up=False, epoch=self.epoch, reason=reason, at_ms=now_ms, received_ms=now_ms))


def _check_address(url: str) -> None:
    address = urlsplit(url)
    if address.scheme == "wss" or (address.scheme == "ws" and address.hostname in _LOOPBACK):
        return
    raise ConfigError(
        f"the user channel at {address.scheme}://{address.hostname} would carry the login in the clear",
        hint="use a wss address; ws is for loopback only",
    )


async def _refuse_redirect(*_: object) -> None:
    """Keep the login at the address that was given: a websocket that is sent elsewhere is none."""
    raise aiohttp.ClientError("the venue redirected the user channel")
