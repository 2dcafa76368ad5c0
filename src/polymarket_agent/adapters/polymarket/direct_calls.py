"""Private and public calls of the direct gateway: headers, renewed credentials, repeats of reads, pages."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from polymarket_agent.adapters.polymarket.account_answers import Cursors
from polymarket_agent.adapters.polymarket.direct_http import HttpLine, Reply, refusal_of
from polymarket_agent.adapters.polymarket.direct_login import Login, credentials_refused
from polymarket_agent.errors import VenueUnavailableError

__all__ = ["Calls", "Parameters", "all_pages"]

T = TypeVar("T")
Parameters = list[tuple[str, str]]

READ_ATTEMPTS = 3
FIRST_PAUSE_S = 0.25  # before the second attempt; four times as long before the third
_OK = 200


class Calls:
    """Calls for one login. Nothing here ever sends an order."""

    def __init__(self, login: Login) -> None:
        self._login = login

    async def private(
        self,
        line: HttpLine,
        method: str,
        path: str,
        *,
        parameters: Parameters | None = None,
        body: bytes | None = None,
        timeout_s: float | None = None,
    ) -> Reply:
        """Send a private request; when the venue no longer takes the credentials, renew them and send it once more.

        Raises:
            VenueError: no whole answer came, or the credentials could not be renewed.
        """
        for is_last in (False, True):
            used = self._login.credentials
            headers = self._login.headers(method, path, body)
            reply = await line.call(
                method, path, parameters=parameters or (), headers=headers, body=body, timeout_s=timeout_s
            )
            if is_last or not credentials_refused(reply) or not await self._login.renew(used):
                return reply
        raise AssertionError("the second round returns")

    async def get(self, line: HttpLine, path: str, parameters: Parameters | None = None) -> bytes:
        """Return the body of a private GET, asked for at most three times.

        Raises:
            VenueError: no usable answer.
        """
        return await _repeated(
            f"GET {line.base_url}{path}", lambda: self.private(line, "GET", path, parameters=parameters)
        )

    async def public(self, line: HttpLine, path: str, parameters: Parameters | None = None) -> bytes:
        """Return the body of a GET without credentials, asked for at most three times.

        Raises:
            VenueError: no usable answer.
        """
        return await _repeated(
            f"GET {line.base_url}{path}", lambda: line.call("GET", path, parameters=parameters or ())
        )


async def all_pages(
    what: str,
    read: Callable[[Parameters], Awaitable[bytes]],
    parse: Callable[[bytes], tuple[list[T], str | None]],
) -> list[T]:
    """Return the rows of every page of a list, or raise: never a part.

    Raises:
        VenueError: a page cannot be read, or the list does not end.
    """
    cursors, found = Cursors(what), list[T]()
    more: Parameters = []
    while True:
        rows, cursor = parse(await read(more))
        found += rows
        if cursor is None:
            return found
        more = [("next_cursor", cursors.after(cursor))]


async def _repeated(where: str, ask: Callable[[], Awaitable[Reply]]) -> bytes:
    for attempt in range(READ_ATTEMPTS):
        try:
            reply = await ask()
            if reply.status == _OK:
                return reply.body
            raise refusal_of(where, reply)
        except VenueUnavailableError:
            if attempt == READ_ATTEMPTS - 1:
                raise
        await asyncio.sleep(FIRST_PAUSE_S * 4**attempt)
    raise AssertionError("the last attempt returns or raises")
