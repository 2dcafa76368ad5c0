"""What all routes share: answers, refusals, pages, and the check of who asks."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from aiohttp import web

from polymarket_agent.sandbox import wire
from polymarket_agent.sandbox.model import Refused
from polymarket_agent.sandbox.requests import json_body
from polymarket_agent.sandbox.venue import Venue

if TYPE_CHECKING:
    from polymarket_agent.sandbox.auth import Credentials

__all__ = [
    "END_CURSOR",
    "VENUE",
    "RefusedError",
    "body_of",
    "caller",
    "clob_page",
    "clob_path",
    "cursor_at",
    "l1_address",
    "offset_of",
    "query_int",
    "raise_if_refused",
    "refusal",
    "reply",
    "venue_of",
]

T = TypeVar("T")

VENUE: web.AppKey[Venue] = web.AppKey("venue", Venue)
END_CURSOR = "LTE="
PAGE = 500
MAX_BODY = 4 << 20

_encode = msgspec.json.Encoder().encode


class RefusedError(Exception):
    """A request is refused; the error boundary turns it into the venue's answer."""

    def __init__(self, refused: Refused, body: Any = None, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(refused.error)
        self.refused = refused
        self.body = body
        self.headers = headers


def reply(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """Return JSON."""
    return web.Response(body=_encode(body), status=status, headers=headers, content_type="application/json")


def refusal(refused: Refused, body: Any = None, headers: Mapping[str, str] | None = None) -> web.Response:
    """Return a refusal as the venue words it, with Retry-After where it says when to come back."""
    extra = dict(headers or {})
    if refused.retry_after_s is not None:
        extra["Retry-After"] = str(refused.retry_after_s)
    return reply(wire.error(refused) if body is None else body, refused.http_status, extra)


def raise_if_refused(answer: T | Refused) -> T:
    """Return the answer, or leave the route with the refusal.

    Raises:
        RefusedError: it is one.
    """
    if isinstance(answer, Refused):
        raise RefusedError(answer)
    return answer


def venue_of(request: web.Request) -> Venue:
    """Return the venue that an app serves."""
    return request.app[VENUE]


def clob_path(request: web.Request) -> str:
    """Return the path that clients sign: as it came, without our prefix and without the query."""
    return request.rel_url.raw_path.removeprefix("/clob")


async def caller(request: web.Request) -> tuple[Credentials, bytes]:
    """Return whose request it is by its L2 headers over the raw bytes, and those bytes.

    Raises:
        RefusedError: 401.
    """
    venue, raw = request.app[VENUE], await request.read()
    checked = venue.check_l2(request.headers, request.method, clob_path(request), raw)
    return raise_if_refused(checked), raw


def l1_address(request: web.Request) -> str:
    """Return the key's address by its L1 headers.

    Raises:
        RefusedError: 401.
    """
    return raise_if_refused(venue_of(request).check_l1(request.headers))


async def body_of(request: web.Request) -> Any:
    """Return the body as JSON, None when it is not."""
    return json_body(await request.read())


def query_int(request: web.Request, name: str, default: int, *, low: int = 0, high: int = 1 << 53) -> int:
    """Return a whole number of the query, clamped; what is no number counts as absent."""
    text = request.query.get(name, "")
    if not text.isascii() or not text.isdigit() or len(text) > 16:
        return default
    return max(low, min(high, int(text)))


def offset_of(cursor: str | None) -> int:
    """Return the offset that a cursor stands for; the end cursor and nonsense are beyond every list."""
    if not cursor:
        return 0
    try:
        offset = int(base64.b64decode(cursor, validate=True))
    except (ValueError, binascii.Error):
        return 1 << 53
    return offset if offset >= 0 else 1 << 53


def cursor_at(offset: int) -> str:
    """Return the cursor of an offset."""
    return base64.b64encode(str(offset).encode()).decode()


def clob_page(request: web.Request, rows: Sequence[T], page: int = PAGE) -> tuple[list[T], dict[str, Any]]:
    """Return a page of rows and the fields around `data`; the cursor of the last page says that it is the end."""
    offset = offset_of(request.query.get("next_cursor"))
    part = list(rows[offset : offset + page])
    more = offset + page < len(rows)
    return part, {"next_cursor": cursor_at(offset + page) if more else END_CURSOR, "limit": page, "count": len(part)}
