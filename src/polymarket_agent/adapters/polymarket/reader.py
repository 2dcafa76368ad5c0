"""One door to the venue's public HTTP: bounded in time, size and repeats; answers with bytes or a `VenueError`."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import aiohttp
import msgspec
import stamina

from polymarket_agent.adapters.polymarket.wire import excerpt_of
from polymarket_agent.errors import RateLimitedError, VenueDataError, VenueError, VenueUnavailableError
from polymarket_agent.version import __version__

__all__ = ["HttpReader", "NotFoundError", "ReadPolicy"]

Parameters = Sequence[tuple[str, str]] | Mapping[str, str]

_OK = 200
_TOO_MANY_REQUESTS = 429
_NOT_FOUND = 404
# Too early (the engine restarts), time-out, and every fault of the server's own.
_REPEATABLE = frozenset({408, 425})
_FIRST_SERVER_FAULT = 500


class NotFoundError(VenueDataError):
    """The venue does not know what was asked for (404)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadPolicy:
    """Limits of a read. Times are in seconds; `attempts` counts the first one.

    `max_retry_after_s` is the longest wait that the venue may ask for within a read; a longer one is handed to
    the caller as `RateLimitedError`. `max_bytes` bounds an answer after decompression.
    """

    attempts: int = 4
    timeout_s: float = 10.0
    connect_timeout_s: float = 5.0
    wait_initial_s: float = 0.25
    wait_max_s: float = 4.0
    wait_jitter_s: float = 0.25
    max_retry_after_s: float = 5.0
    max_bytes: int = 32 * 1024 * 1024


class HttpReader:
    """Reads one host. Repeats only what a repeat can mend: a lost connection, a server fault, a rate limit."""

    def __init__(self, base_url: str, *, policy: ReadPolicy | None = None) -> None:
        self.base_url = base_url.rstrip("/")
        self._policy = policy or ReadPolicy()
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def get(self, path: str, parameters: Parameters = ()) -> bytes:
        """Return the body of a GET.

        Raises:
            VenueUnavailableError: no usable answer within the allowed attempts.
            RateLimitedError: the venue asks to wait longer than a read may.
            NotFoundError: the venue does not know it.
            VenueDataError: the venue refuses the request, or the answer is larger than allowed.
        """
        return await self._read("GET", path, parameters=parameters)

    async def post(self, path: str, body: object) -> bytes:
        """Return the body of a POST that only reads, such as `/books`. Raises as `get`."""
        return await self._read("POST", path, body=msgspec.json.encode(body))

    async def aclose(self) -> None:
        """Let go of connections. May be called more than once."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _read(self, method: str, path: str, *, parameters: Parameters = (), body: bytes | None = None) -> bytes:
        policy = self._policy
        async for attempt in stamina.retry_context(
            on=self._wait_before_repeat,
            attempts=policy.attempts,
            timeout=None,
            wait_initial=policy.wait_initial_s,
            wait_max=policy.wait_max_s,
            wait_jitter=policy.wait_jitter_s,
        ):
            with attempt:
                return await self._read_once(method, path, parameters, body)
        raise AssertionError("the last attempt returns or raises")

    def _wait_before_repeat(self, error: Exception) -> bool | float:
        """Say whether a failed read is repeated, or after how many seconds."""
        if isinstance(error, RateLimitedError):
            return error.retry_after_s if error.retry_after_s <= self._policy.max_retry_after_s else False
        return isinstance(error, VenueUnavailableError)

    async def _read_once(self, method: str, path: str, parameters: Parameters, body: bytes | None) -> bytes:
        session = self._open_session()
        where = f"{method} {self.base_url}{path}"
        headers = {"Content-Type": "application/json"} if body is not None else None
        try:
            # A redirect is not followed: it could lead to another host, and the venue has none on these paths.
            async with session.request(
                method,
                self.base_url + path,
                params=parameters or None,
                data=body,
                headers=headers,
                allow_redirects=False,
            ) as answer:
                content = await self._content_of(answer, where)
                if answer.status == _OK:
                    return content
                raise _refusal(where, answer.status, answer.headers, content)
        except TimeoutError as error:
            raise VenueUnavailableError(
                f"{where} did not answer within {self._policy.timeout_s:g} s", hint="check the connection; try again"
            ) from error
        except (aiohttp.ClientError, OSError) as error:
            raise VenueUnavailableError(
                f"{where} failed: {str(error) or type(error).__name__}", hint="check the connection; try again"
            ) from error

    async def _content_of(self, answer: aiohttp.ClientResponse, where: str) -> bytes:
        limit = self._policy.max_bytes
        parts, size = [], 0
        async for part in answer.content.iter_chunked(1 << 16):
            size += len(part)
            if size > limit:
                raise VenueDataError(f"{where} answered with more than {limit} bytes", hint="ask for less at once")
            parts.append(part)
        return b"".join(parts)

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            policy = self._policy
            self._session = aiohttp.ClientSession(
                # Proxy variables are not heeded: they hold for loopback too and break reads in ways hard to see.
                trust_env=False,
                timeout=aiohttp.ClientTimeout(total=policy.timeout_s, sock_connect=policy.connect_timeout_s),
                headers={"User-Agent": f"polymarket-agent/{__version__}", "Accept": "application/json"},
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session


def _refusal(where: str, status: int, headers: Mapping[str, str], content: bytes) -> VenueError:
    """Return the exception that an answer other than 200 means."""
    said = _said(content)
    if status == _TOO_MANY_REQUESTS:
        seconds = _retry_after_s(headers.get("Retry-After", ""))
        return RateLimitedError(
            f"{where} was refused with 429: too many requests; the venue asks to wait {seconds:g} s",
            retry_after_s=seconds,
            hint="ask less often",
        )
    if status in _REPEATABLE or status >= _FIRST_SERVER_FAULT:
        return VenueUnavailableError(f"{where} failed with {status}{said}", hint="try again later")
    if 300 <= status < 400:
        return VenueDataError(
            f"{where} answered with a redirect ({status}), which is not followed",
            hint="check the configured URL",
        )
    if status == _NOT_FOUND:
        return NotFoundError(f"{where} is not known to the venue (404){said}", hint="check the id or slug")
    return VenueDataError(f"{where} was refused with {status}{said}", excerpt=excerpt_of(content))


def _said(content: bytes) -> str:
    """Return the venue's own words from an error body, or nothing."""
    with contextlib.suppress(msgspec.MsgspecError, ValueError, RecursionError):
        found: Any = msgspec.json.decode(content)
        if isinstance(found, dict) and isinstance(found.get("error"), str):
            return f": {excerpt_of(found['error'])}"
    return ""


def _retry_after_s(header: str) -> float:
    """Return the wait in seconds; 1 when the header is missing or a date, which the venue does not send."""
    return float(header) if header.isascii() and header.isdigit() and len(header) <= 6 else 1.0
