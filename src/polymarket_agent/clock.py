"""The only readers of wall time."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

__all__ = ["ManualClock", "ReplayClock", "SystemClock", "from_ms", "iso"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def from_ms(at_ms: int) -> datetime:
    """Return milliseconds since 1970 as an aware UTC time, exactly."""
    return _EPOCH + timedelta(milliseconds=at_ms)


def iso(at_ms: int) -> str:
    """Return milliseconds since 1970 as `2026-05-19T20:51:39.159Z`."""
    return from_ms(at_ms).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the time, aware, UTC."""
        return datetime.now(UTC)

    def now_ms(self) -> int:
        """Return whole milliseconds since 1970 UTC."""
        return time.time_ns() // 1_000_000


class ManualClock:
    """A clock that stands still until it is moved; it never goes back."""

    def __init__(self, at_ms: int = 0) -> None:
        self._now_ms = at_ms

    def now(self) -> datetime:
        """Return the time, aware, UTC."""
        return from_ms(self._now_ms)

    def now_ms(self) -> int:
        """Return whole milliseconds since 1970 UTC."""
        return self._now_ms

    def advance_to(self, at_ms: int) -> None:
        """Move on; an earlier time leaves it where it is."""
        if at_ms > self._now_ms:
            self._now_ms = at_ms


class ReplayClock(ManualClock):
    """The clock of a replay: the orchestrator moves it to each event's time."""
