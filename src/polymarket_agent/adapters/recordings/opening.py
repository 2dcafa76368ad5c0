"""Finding out by its content what kind of recording a file is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from polymarket_agent.adapters.recordings import parquet
from polymarket_agent.adapters.recordings.base import Assumptions, Recording
from polymarket_agent.adapters.recordings.catalogue import Catalogue
from polymarket_agent.adapters.recordings.depth import DepthBooks, DepthTrades
from polymarket_agent.adapters.recordings.frame_scan import other_type, unwrapped
from polymarket_agent.adapters.recordings.frames import FrameRecording
from polymarket_agent.adapters.recordings.history import HISTORY_COLUMNS, DailyCloses
from polymarket_agent.adapters.recordings.lines import LineReader
from polymarket_agent.adapters.recordings.quotes import QUOTE_COLUMNS, HourlyQuotes
from polymarket_agent.adapters.recordings.sessions import SessionRecording
from polymarket_agent.adapters.recordings.tick_rows import TICK_COLUMNS
from polymarket_agent.adapters.recordings.ticks import TickRecording
from polymarket_agent.adapters.recordings.updown import REFERENCE_HEADER, ReferenceTicks, UpdownMarkets
from polymarket_agent.domain.market import Market
from polymarket_agent.errors import RecordingError

__all__ = ["SUPPORTED", "open_recording"]

SUPPORTED = (
    "raw websocket frames (JSON lines), tick streams, daily closes and hourly quotes (Parquet), book snapshots, "
    "trades and polled sessions (JSON lines), each also as .gz"
)

# Lines looked at before giving up: the first ones of a damaged file may be unreadable.
_LINES_LOOKED_AT = 50
_LOOK_BYTES = 64 << 20
_WORDS_SHOWN = 8

_BY_COLUMNS: tuple[tuple[tuple[str, ...], type[Recording]], ...] = (
    (TICK_COLUMNS, TickRecording),
    (HISTORY_COLUMNS, DailyCloses),
    (QUOTE_COLUMNS, HourlyQuotes),
)
_BY_KEYS: tuple[tuple[frozenset[str], type[Recording]], ...] = (
    (frozenset({"outcome", "bids", "asks", "timestamp"}), DepthBooks),
    (frozenset({"outcome", "price", "size", "side", "timestamp"}), DepthTrades),
    (frozenset({"timestamp", "type", "data"}), SessionRecording),
    (frozenset({"slug", "condition_id", "token_ids", "start_sec", "end_sec"}), UpdownMarkets),
)


def open_recording(
    path: Path,
    *,
    markets: Sequence[Market] = (),
    also: Path | None = None,
    assumptions: Assumptions | None = None,
) -> Recording:
    """Open a recording, whatever its name.

    Args:
        path: the file.
        markets: what is known about its markets; wins over what the recording shows.
        also: a file of trades to play beside a file of depth snapshots; else the one of the same name is taken.
        assumptions: what is made up where the recording has no book.

    Raises:
        RecordingError: the file is missing, empty, damaged from the start, or of a kind that is not known.
    """
    if not path.is_file():
        found = "is a folder" if path.is_dir() else "does not exist"
        raise RecordingError(f"{path} {found}; a recording is a file", hint="check the path")
    kind = _kind_of(path)
    catalogue, made_up = Catalogue(markets), assumptions or Assumptions()
    if kind is DepthBooks:
        return DepthBooks(path, catalogue, made_up, also=also)
    return kind(path, catalogue, made_up)


def _kind_of(path: Path) -> type[Recording]:
    try:
        with path.open("rb") as file:
            start = file.read(4)
    except OSError as error:
        raise RecordingError(f"{path} cannot be read: {error.strerror or error}", hint="check its rights") from error
    if not start:
        raise _unknown(path, "it is empty")
    return _kind_by_columns(path) if start == parquet.PARQUET_MAGIC else _kind_by_lines(path)


def _kind_by_columns(path: Path) -> type[Recording]:
    names = parquet.column_names(path)
    for columns, kind in _BY_COLUMNS:
        if set(columns) <= set(names):
            return kind
    raise _unknown(path, f"it is a Parquet file with the columns {_shown(names)}")


def _kind_by_lines(path: Path) -> type[Recording]:
    seen: Counter[str] = Counter()
    damage: Counter[str] = Counter()
    for line in islice(LineReader(path, damage, _LOOK_BYTES), _LINES_LOOKED_AT):
        stripped = line.strip()
        if tuple(stripped.decode("utf-8", "replace").split(",")) == REFERENCE_HEADER:
            return ReferenceTicks
        if stripped:
            found = _kind_of_line(stripped)
            if not isinstance(found, str):
                return found
            seen[found] += 1
    if not seen:
        raise _unknown(path, f"it holds nothing but {next(iter(damage))}" if damage else "it holds no line")
    raise _unknown(path, f"it begins with {seen.most_common(1)[0][0]}")


def _kind_of_line(line: bytes) -> type[Recording] | str:
    """Return the kind that a line proves, or in words what it is."""
    if line == b"PONG":
        return FrameRecording
    try:
        value: Any = msgspec.json.decode(unwrapped(line))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return "lines that are not JSON (a document over several lines is no recording)"
    if isinstance(value, list):
        known = not value or any(isinstance(each, dict) and "event_type" in each for each in value)
        return FrameRecording if known else "a JSON array of things that are no messages"
    if not isinstance(value, dict):
        return f"a bare JSON {type(value).__name__}"
    if "event_type" in value or other_type(unwrapped(line)) is not None:
        return FrameRecording
    for keys, kind in _BY_KEYS:
        if keys <= value.keys():
            return kind
    return f"a JSON object with the keys {_shown(tuple(value))}"


def _shown(words: Sequence[str]) -> str:
    more = f" and {len(words) - _WORDS_SHOWN} more" if len(words) > _WORDS_SHOWN else ""
    return ", ".join(repr(word[:30]) for word in words[:_WORDS_SHOWN]) + more


def _unknown(path: Path, found: str) -> RecordingError:
    return RecordingError(f"{path} is no recording that is known: {found}", hint=f"supported are {SUPPORTED}")
