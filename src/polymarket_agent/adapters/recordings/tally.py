"""Counting what a recording holds: times, gaps, assets, copies, and how well its claims hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable
from datetime import UTC, datetime
from typing import Any

from polymarket_agent.domain.events import BookSnapshot, Event

__all__ = ["Tally", "event_counts", "feed_counts", "iso"]

# At least so many rows are remembered for telling copies apart. A copy that comes later is not seen as one.
_COPY_WINDOW = 100_000
_LISTED_ASSETS = 200


def iso(at_ms: int) -> str:
    """Return a time as text, UTC, to the millisecond."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Tally:
    """Gathers the numbers of `inspect` while a recording is read once."""

    def __init__(self, gap_s: float) -> None:
        self.gap_s = gap_s
        self.frames = 0
        self.events: Counter[str] = Counter()
        self.dropped: Counter[str] = Counter()
        self.assets: Counter[str] = Counter()
        self.markets: set[str] = set()
        self.duplicates = 0
        self.crossed = 0
        self.steps_back = 0
        self.first_ms: int | None = None
        self.last_ms: int | None = None
        self._previous_ms: int | None = None
        self._gaps = 0
        self._longest_ms = 0
        self._recent: set[Hashable] = set()
        self._older: set[Hashable] = set()
        self._asset_last: dict[str, int] = {}
        self._asset_longest: dict[str, int] = {}

    def at(self, at_ms: int, assets: Iterable[str] = ()) -> None:
        """Note the time of a row, in the order of the file, and the assets that it speaks about."""
        if self._previous_ms is not None and at_ms < self._previous_ms:
            self.steps_back += 1
        self._previous_ms = at_ms
        if self.last_ms is None or self.first_ms is None:
            self.first_ms = self.last_ms = at_ms
        elif at_ms > self.last_ms:
            silence = at_ms - self.last_ms
            self._longest_ms = max(self._longest_ms, silence)
            self._gaps += silence > self.gap_s * 1000
            self.last_ms = at_ms
        else:
            self.first_ms = min(self.first_ms, at_ms)
        for asset in assets:
            self.assets[asset] += 1
            before = self._asset_last.get(asset, at_ms)
            if at_ms >= before:
                self._asset_last[asset] = at_ms
                if at_ms - before > self._asset_longest.get(asset, 0):
                    self._asset_longest[asset] = at_ms - before

    def copy(self, row: Hashable) -> None:
        """Note a row, or a digest of it, to find exact copies."""
        if row in self._recent or row in self._older:
            self.duplicates += 1
            return
        self._recent.add(row)
        if len(self._recent) >= _COPY_WINDOW:
            self._older, self._recent = self._recent, set()

    def report(self, *, path: str, kind: str, title: str, **more: Any) -> dict[str, Any]:
        """Return everything as plain values; `more` is added at the end."""
        first, last = self.first_ms, self.last_ms
        listed = self.assets.most_common(_LISTED_ASSETS)
        return {
            "path": path,
            "kind": kind,
            "title": title,
            "frames": self.frames,
            "events": dict(sorted(self.events.items())),
            "dropped": dict(sorted(self.dropped.items())),
            "assets": {
                "count": len(self.assets),
                "list": [
                    {"asset_id": a, "events": n, "longest_silence_s": self._asset_longest.get(a, 0) / 1000}
                    for a, n in listed
                ],
                "left_off": len(self.assets) - len(listed),
            },
            "markets": len(self.markets),
            "time": {
                "first_ms": first,
                "last_ms": last,
                "first": iso(first) if first is not None else None,
                "last": iso(last) if last is not None else None,
                "span_s": (last - first) / 1000 if first is not None and last is not None else None,
                "steps_back": self.steps_back,
            },
            "gaps": {"longer_than_s": self.gap_s, "count": self._gaps, "longest_s": self._longest_ms / 1000},
            "duplicates": self.duplicates,
            "crossed_books": self.crossed,
            **more,
        }


def event_counts(chunks: Iterable[Iterable[Event]]) -> dict[str, int]:
    """Play a feed and count its events by type."""
    counts: Counter[str] = Counter()
    for chunk in chunks:
        counts.update(type(event).__name__ for event in chunk)
    return dict(sorted(counts.items()))


def feed_counts(chunks: Iterable[Iterable[Event]]) -> tuple[dict[str, int], int]:
    """Play a feed of snapshots. Returns the events by type, and how many of the books are crossed."""
    counts: Counter[str] = Counter()
    crossed = 0
    for chunk in chunks:
        for event in chunk:
            counts[type(event).__name__] += 1
            if isinstance(event, BookSnapshot) and event.bids and event.asks:
                crossed += max(event.bids)[0] >= min(event.asks)[0]
    return dict(sorted(counts.items())), crossed
