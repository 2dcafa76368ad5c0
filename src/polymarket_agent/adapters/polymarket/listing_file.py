"""Markets out of a file that somebody saved from a listing, in any of the shapes that the venue's endpoints have."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import structlog

from polymarket_agent.adapters.polymarket.answers import decoded, each_of
from polymarket_agent.adapters.polymarket.clob_listing import parse_clob_market, parse_compact_market
from polymarket_agent.adapters.polymarket.listing import market_of
from polymarket_agent.domain.market import ConditionId, Market
from polymarket_agent.errors import RecordingError, VenueDataError

__all__ = ["read_markets"]

_log = structlog.get_logger(__name__)

# Where pages and wrappers keep what they hold: search answers, Gamma pages and events, order-book pages, recorders.
_HOLDERS = ("events", "markets", "data", "raw")


def read_markets(path: Path) -> list[Market]:
    """Return the markets of a JSON or JSON-lines file, plain or gzip; a malformed one is logged and left out.

    Raises:
        RecordingError: the file cannot be read, is not JSON, or holds no market that can be read.
    """
    try:
        content = path.read_bytes()
        if content.startswith(b"\x1f\x8b"):
            content = gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise RecordingError(f"{path} cannot be read: {error}", hint="check the path and its rights") from error
    try:
        answers = [decoded(content)]
    except VenueDataError:
        answers = _lines(path, content)
    markets, dropped = each_of((each for answer in answers for each in _objects(answer)), _market_of)
    for index, reason in dropped:
        _log.warning("listing_dropped", where=path.name, index=index, reason=reason)
    if not markets:
        raise RecordingError(f"{path} holds no market that can be read", hint="save an answer of a listing endpoint")
    unique: dict[ConditionId, Market] = {market.condition_id: market for market in markets}
    return list(unique.values())


def _lines(path: Path, content: bytes) -> list[Any]:
    try:
        return [decoded(line) for line in content.splitlines() if line.strip()]
    except VenueDataError as error:
        raise RecordingError(
            f"{path} is neither JSON nor JSON lines: {error}", hint="save a listing as it came"
        ) from error


def _objects(answer: Any, group_id: str | None = None) -> Iterator[tuple[Any, str | None]]:
    """Yield what may be a market, with the group that it stands under."""
    if isinstance(answer, list):
        for each in answer:
            yield from _objects(each, group_id)
        return
    holder = next(
        (key for key in _HOLDERS if isinstance(answer, dict) and isinstance(answer.get(key), list | dict)), None
    )
    # A Gamma market names its groups under `events` too: it is told by its own id.
    if holder is None or "conditionId" in answer:
        yield answer, group_id
        return
    is_group = holder == "markets" and isinstance(answer.get("id"), str)
    yield from _objects(answer[holder], answer["id"] if is_group else group_id)


def _market_of(found: tuple[Any, str | None]) -> Market:
    listed, group_id = found
    if isinstance(listed, dict) and "condition_id" in listed:
        return parse_clob_market(listed)
    if isinstance(listed, dict) and "c" in listed:
        return parse_compact_market(listed)
    return market_of(listed, group_id=group_id)
