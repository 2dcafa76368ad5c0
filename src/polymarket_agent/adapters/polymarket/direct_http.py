"""One line to one host: HTTP/1.1 on kept connections of its own, one try a call, no redirects, no proxies.

It tells two failures apart: no connection could be made, so no byte left; and anything later, which proves nothing.
Errors are raised outside the `except` that saw the failure: requests of an account carry credentials, and the library's
exceptions hold the request.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import aiohttp
from yarl import URL

from polymarket_agent.adapters.polymarket.hosts import require_allowed
from polymarket_agent.adapters.polymarket.outcomes import cleaned, retry_after_seconds
from polymarket_agent.adapters.polymarket.reader import NotFoundError
from polymarket_agent.adapters.polymarket.remedies import remedy_for
from polymarket_agent.errors import RateLimitedError, VenueDataError, VenueError, VenueUnavailableError
from polymarket_agent.version import __version__

__all__ = ["HttpLimits", "HttpLine", "NoAnswerError", "NotSentError", "Reply", "refusal_of", "said"]

Parameters = Sequence[tuple[str, str]]

_NOT_FOUND, _TOO_MANY_REQUESTS, _FIRST_SERVER_FAULT = 404, 429, 500
_PASSING = frozenset({408, 425})  # the venue's time-out; its engine restarts
_WAIT_UNTOLD_S = 1.0


class NotSentError(VenueUnavailableError):
    """No connection could be made, so no byte of the request left this machine."""


class NoAnswerError(VenueUnavailableError):
    """The request may have arrived, and no whole answer came."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpLimits:
    """Bounds of a call. Times are in seconds; `max_bytes` bounds an answer after decompression."""

    timeout_s: float = 10.0
    connect_timeout_s: float = 5.0
    keep_alive_s: float = 15.0  # shorter than the venue's, so that a POST seldom meets a connection that just closed
    max_bytes: int = 16 * 1024 * 1024
    connections: int = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer as it came, whole."""

    status: int
    body: bytes = field(repr=False)
    content_type: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def is_json(self) -> bool:
        """Whether it says of itself that it is JSON."""
        return "json" in self.content_type.lower()


class HttpLine:
    """Calls one host. Lines share nothing, so a call that hangs on one does not delay another."""

    def __init__(self, base_url: str, limits: HttpLimits) -> None:
        self.base_url = require_allowed(base_url)
        self._limits = limits
        self._session: aiohttp.ClientSession | None = None

    async def call(
        self,
        method: str,
        path: str,
        *,
        parameters: Parameters = (),
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        timeout_s: float | None = None,
    ) -> Reply:
        """Send one request once and return the whole answer, whatever its status.

        Raises:
            NotSentError: no connection could be made.
            NoAnswerError: the request may have arrived.
            VenueDataError: the answer is larger than allowed.
        """
        where = f"{method} {self.base_url}{path}"
        failure: VenueError
        try:
            return await self._call(method, path, where, parameters, headers, body, timeout_s)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            failure = NotSentError(f"{where}: no connection: {_reason(error)}", hint="check the connection")
        except TimeoutError:
            seconds = timeout_s or self._limits.timeout_s
            failure = NoAnswerError(f"{where} did not answer within {seconds:g} s", hint="check the connection")
        except (aiohttp.ClientError, OSError) as error:
            failure = NoAnswerError(f"{where} was not answered: {_reason(error)}", hint="check the connection")
        raise failure

    async def _call(
        self,
        method: str,
        path: str,
        where: str,
        parameters: Parameters,
        headers: Mapping[str, str] | None,
        body: bytes | None,
        timeout_s: float | None,
    ) -> Reply:
        limits = self._limits
        content_type = {"Content-Type": "application/json"} if body is not None else {}
        async with self._opened().request(
            method,
            URL(self.base_url + path, encoded=True).with_query(list(parameters) or None),
            headers={**content_type, **(headers or {})},
            data=body,
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(
                total=timeout_s or limits.timeout_s, sock_connect=min(limits.connect_timeout_s, timeout_s or 1e9)
            ),
        ) as answer:
            parts, size = [], 0
            async for part in answer.content.iter_chunked(1 << 16):
                size += len(part)
                if size > limits.max_bytes:
                    raise VenueDataError(f"{where} answered with more than {limits.max_bytes} bytes")
                parts.append(part)
            return Reply(
                status=answer.status,
                body=b"".join(parts),
                content_type=answer.headers.get("Content-Type", ""),
                headers=dict(answer.headers),
            )

    async def aclose(self) -> None:
        """Let go of connections. May be called more than once."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            # The library switches Nagle's algorithm off on every connection, which a small POST needs.
            connector = aiohttp.TCPConnector(
                limit=self._limits.connections, keepalive_timeout=self._limits.keep_alive_s, ttl_dns_cache=300
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                trust_env=False,
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": f"polymarket-agent/{__version__}", "Accept": "application/json"},
            )
        return self._session


def said(reply: Reply) -> str:
    """Return the venue's own words of a refusal, cut and on one line; "" for a page that is not its JSON."""
    import msgspec

    try:
        found = msgspec.json.decode(reply.body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return "" if reply.body.lstrip()[:1] == b"<" else cleaned(reply.body.decode("utf-8", "replace"))
    if isinstance(found, dict):
        found = next((found[key] for key in ("error", "error_msg") if isinstance(found.get(key), str)), "")
    return cleaned(found) if isinstance(found, str) else ""


def refusal_of(where: str, reply: Reply) -> VenueError:
    """Return the exception that an answer other than 200 to a read or a cancel means, with what can be done."""
    text = said(reply)
    remedy = remedy_for(reply.status, text)
    known = remedy is not None and reply.status < _FIRST_SERVER_FAULT  # what is said of a 500 is said of orders
    words, hint = f": {text}" if text else "", remedy.fix if remedy is not None and known else "try again later"
    if reply.status == _TOO_MANY_REQUESTS:
        seconds = retry_after_seconds(reply.headers.get("Retry-After"))
        seconds = _WAIT_UNTOLD_S if seconds is None else seconds
        return RateLimitedError(f"{where} was refused with 429{words}", retry_after_s=seconds, hint=hint)
    if reply.status in _PASSING or reply.status >= _FIRST_SERVER_FAULT:
        return VenueUnavailableError(f"{where} failed with {reply.status}{words}", hint=hint, status=reply.status)
    if 300 <= reply.status < 400:
        return VenueDataError(f"{where} answered with a redirect ({reply.status}), which is not followed", hint=hint)
    if reply.status == _NOT_FOUND and reply.is_json:
        return NotFoundError(f"{where} is not known to the venue (404){words}", hint=hint)
    return VenueDataError(f"{where} was refused with {reply.status}{words}", excerpt=text, hint=hint)


def _reason(error: Exception) -> str:
    return cleaned(str(error)) or type(error).__name__
