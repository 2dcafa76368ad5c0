"""`MarketData` over the official `polymarket` command.

Every call goes through `_run_cli`. The command re-serialises its own structures: decimals are strings, ids are
hexadecimal, and what it does not know is lost: the protocol version, and the fee schedule, so fees are assumed
to be the highest (`ASSUMED_FEES`) unless the market says that it has none. A null is a field that it had no
value for, and so it is missing, not zero.
"""

from __future__ import annotations

import asyncio
import os
import re
import shlex
from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec

from polymarket_agent.adapters.command import run_command
from polymarket_agent.adapters.polymarket.answers import elements, parse_book
from polymarket_agent.adapters.polymarket.exact import asset_id_of, nearest_micro
from polymarket_agent.adapters.polymarket.listing import parse_market
from polymarket_agent.domain.book import OrderBook
from polymarket_agent.domain.market import AssetId, Market, MarketState
from polymarket_agent.domain.money import MICRO, PRICE_GRID, Price
from polymarket_agent.errors import RateLimitedError, UsageError, VenueDataError, VenueUnavailableError
from polymarket_agent.ports import Interval, MarketData, MarketQuery, PricePoint

__all__ = ["CliMarketData"]

COMMAND = "polymarket"
MAX_OUTPUT_BYTES = 32 << 20
_SHOWN_CHARS = 200
_MAX_PAGE = 100
_MAX_AT_ONCE = 4  # processes side by side
_RETRY_AFTER_S = 10.0
_USAGE_EXIT = 2

# All that the command gets to see of our environment. Never POLYMARKET_PRIVATE_KEY: reading needs no key.
_ENVIRONMENT = re.compile(r"PATH|HOME|LANG|LANGUAGE|LC_[A-Z]+|TZ|POLYMARKET_RPC_URL")
_SLUG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
_MAX_TEXT = 200


async def _run_cli(args: Sequence[str], timeout: float = 30, *, command: str = COMMAND) -> Any:  # noqa: ASYNC109
    """Run `polymarket -o json ARGS` and return its answer, decoded.

    The command runs in a session of its own. Whatever ends the wait early (the timeout, a cancellation, too much
    output), the whole session is killed with its children, and the command is reaped.

    Args:
        args: group, command and their words; text from outside has passed `_text` or `_slug`.
        timeout: seconds until the command is killed.
        command: the executable, a name on PATH or a path.

    Raises:
        VenueUnavailableError: the command is missing, hangs, dies, or says that its read failed.
        RateLimitedError: it says that the venue asks for fewer requests.
        VenueDataError: its output is not JSON, or too large.
        UsageError: it does not know these words.
    """
    line = (command, "-o", "json", *args)
    shown = shlex.join(line)
    environment = {name: value for name, value in os.environ.items() if _ENVIRONMENT.fullmatch(name)}
    ended = await run_command(line, environment=environment, timeout_s=timeout, max_output_bytes=MAX_OUTPUT_BYTES)
    return _answer(shown, ended.code, ended.output, ended.complaint)


def _answer(shown: str, code: int | None, output: bytes, complaint: bytes) -> Any:
    try:
        found: Any = msgspec.json.decode(output)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        found = msgspec.UNSET
    said = found.get("error") if isinstance(found, dict) else None
    if code == 0 and found is not msgspec.UNSET and said is None:
        return found
    if code == _USAGE_EXIT:
        raise UsageError(
            f"`{shown}` was not understood: {_printable(complaint or output)}",
            hint="check the version with `polymarket --version`; 0.1.4 and 0.1.5 are known",
        )
    if said is not None:
        text = _printable(str(said).encode())
        if "429" in text or "too many requests" in text.lower():
            raise RateLimitedError(f"`{shown}` was told to slow down: {text}", retry_after_s=_RETRY_AFTER_S)
        raise VenueUnavailableError(f"`{shown}` failed: {text}", hint="try again; check the id or the network")
    if code:
        how = f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
        raise VenueUnavailableError(
            f"`{shown}` {how}: {_printable(complaint or output) or 'it said nothing'}",
            hint="run it by hand to see more",
        )
    raise VenueDataError(
        f"`{shown}` printed no JSON: {_printable(output) or 'nothing'}",
        excerpt=_printable(output),
        hint="run it by hand; a newer version may print another form",
    )


def _printable(raw: bytes) -> str:
    text = " ".join(raw[: 4 * _SHOWN_CHARS].decode("utf-8", "replace").split())
    return "".join(each if each.isprintable() else "?" for each in text)[:_SHOWN_CHARS]


def _slug(text: str) -> str:
    """Return a slug or numeric id that cannot be taken for an option."""
    if not _SLUG.fullmatch(text):
        raise UsageError(
            f"{text[:60]!r} is no slug of a market",
            hint="slugs are letters, digits and hyphens, and begin with no hyphen",
        )
    return text


def _text(text: str) -> str:
    """Return search words that cannot be taken for an option."""
    if not text.strip() or text.lstrip().startswith("-") or len(text) > _MAX_TEXT or not text.isprintable():
        raise UsageError(
            f"{text[:60]!r} cannot be searched for",
            hint=f"search words are 1 to {_MAX_TEXT} printable characters and begin with no hyphen",
        )
    return text


def _known(found: object) -> Any:
    """Return an object without its nulls: the command writes null for every field that was missing."""
    if not isinstance(found, dict):
        raise VenueDataError("the command printed a market that is no object", excerpt=_printable(str(found).encode()))
    return {key: value for key, value in found.items() if value is not None}


class CliMarketData(MarketData):
    """Public reads through the `polymarket` command.

    `dropped` counts markets and points that could not be read, by reason.

    Args:
        command: the executable, a name on PATH or a path.
        timeout_s: seconds until a call is killed.
    """

    def __init__(self, *, command: str = COMMAND, timeout_s: float = 30) -> None:
        self.dropped: Counter[str] = Counter()
        self._command = command
        self._timeout_s = timeout_s
        self._places = asyncio.Semaphore(_MAX_AT_ONCE)

    async def markets(self, query: MarketQuery) -> list[Market]:
        """Return the markets of a query, most traded first; a malformed one is counted and left out.

        Raises:
            VenueError: the command fails.
            UsageError: a word that cannot be passed on, or condition ids, which the command cannot look up.
        """
        if query.condition_ids:
            raise UsageError(
                "the polymarket command cannot look a market up by its condition id", hint="give its slug instead"
            )
        if query.slugs:
            listed = [await self._run("markets", "get", slug) for slug in [_slug(each) for each in query.slugs]]
        elif query.text:
            limit = str(max(1, min(query.limit, _MAX_PAGE)))
            answer = await self._run("markets", "search", _text(query.text), "--limit", limit)
            listed = elements(answer, "markets")
        else:
            listed = await self._all(query)
        found: dict[str, Market] = {}
        for each in listed:
            try:
                market = parse_market(_known(each))
            except VenueDataError as error:
                self.dropped[str(error)[:_SHOWN_CHARS]] += 1
                continue
            if query.slugs or not query.open_only or market.state is MarketState.OPEN:
                found[market.condition_id] = market
        ranked = sorted(found.values(), key=lambda market: -market.volume)
        return ranked[: max(query.limit, len(query.slugs))]

    async def order_book(self, asset_id: AssetId) -> OrderBook:
        """Return the book of an asset.

        Raises:
            VenueError: the command fails, or answers with another asset's book.
        """
        wanted = asset_id_of(asset_id)
        found = _known(await self._run("clob", "book", wanted))
        found["asset_id"] = asset_id_of(str(found.get("asset_id", "")))
        snapshot = parse_book(msgspec.json.encode(found))
        if snapshot.asset_id != wanted:
            raise VenueDataError(f"asked for the book of {wanted}, got another", excerpt=snapshot.asset_id)
        book = OrderBook(wanted, snapshot.tick_size or PRICE_GRID)
        book.replace(snapshot.bids, snapshot.asks, snapshot.at_ms)
        return book

    async def price_history(self, asset_id: AssetId, interval: Interval) -> list[PricePoint]:
        """Return past prices, oldest first; a point that cannot be read is counted and left out.

        Raises:
            VenueError: the command fails.
        """
        answer = await self._run("clob", "price-history", asset_id_of(asset_id), "--interval", interval.value)
        points = []
        for each in elements(answer, "history"):
            try:
                at_s, price = each["timestamp"], nearest_micro(each["price"])
                if not 0 < price < MICRO or type(at_s) is not int or at_s <= 0:
                    self.dropped["a point of a price history outside its range"] += 1
                else:
                    points.append(PricePoint(at_s * 1000, Price(price)))
            except (KeyError, TypeError, VenueDataError):
                self.dropped["a point of a price history that cannot be read"] += 1
        return sorted(points)

    async def aclose(self) -> None:
        """Do nothing: no process outlives its call."""

    async def _all(self, query: MarketQuery) -> list[Any]:
        """List page by page. Without an order the command lists the oldest first and never reaches today."""
        listed: list[Any] = []
        state = ("--active", "true") if query.open_only else ()
        while len(listed) < query.limit:
            size = min(_MAX_PAGE, query.limit - len(listed))
            paging = ("--limit", str(size), "--offset", str(len(listed)), "--order", "volumeNum")
            page = elements(await self._run("markets", "list", *state, *paging), "markets")
            listed.extend(page)
            if len(page) < size:
                break
        return listed

    async def _run(self, *args: str) -> Any:
        async with self._places:
            return await _run_cli(args, self._timeout_s, command=self._command)
