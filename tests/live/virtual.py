"""Virtual time for whole-agent simulations: an event loop that jumps to its next timer, its clock, and a ledger on it.

Nothing here sleeps, opens a socket or starts a thread, so a run is decided by its seed alone.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from concurrent.futures import Future
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any

from polymarket_agent.clock import from_ms
from polymarket_agent.db import Database
from polymarket_agent.errors import DatabaseError

START_MS = 1_800_000_000_000


class VirtualLoop(asyncio.SelectorEventLoop):
    """Instead of waiting it moves its clock; a wait for nothing at all is an error."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds = 0.0
        self._selector.select = self._jump  # type: ignore[attr-defined]

    def time(self) -> float:
        return self.seconds

    def _jump(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise AssertionError("everything waits and nothing is due")
        if timeout > 0:
            self.seconds += timeout
        return []

    def _write_to_self(self) -> None:
        pass

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> Any:  # type: ignore[override]
        """Work for a thread is done in place."""
        done = self.create_future()
        try:
            done.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 - handed on
            done.set_exception(error)
        return done


class VirtualClock:
    """Wall time on a virtual loop."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop

    def now(self) -> datetime:
        return from_ms(self.now_ms())

    def now_ms(self) -> int:
        return START_MS + int(self._loop.seconds * 1_000)


class _Awaited(Future[Any]):
    """A commit that somebody may wait for in place; then everything queued before it is written."""

    def __init__(self, write: Callable[[], None]) -> None:
        super().__init__()
        self._write = write

    def result(self, timeout: float | None = None) -> Any:
        if not self.done():
            self._write()
        if not self.done():
            raise DatabaseError("the process is dead")
        return super().result(timeout)


class SimDatabase(Database):
    """The real ledger with its writer on the virtual loop: commits take time, and a process may die before or after one.

    Args:
        path: the file.
        loop: the time.
        rng: delays and deaths.
        death_rate: how often a commit is the last act of the process.
        died: called when it is.
    """

    def __init__(
        self, path: Path, loop: VirtualLoop, rng: Random, *, death_rate: float, died: Callable[[], None]
    ) -> None:
        self._loop, self._rng, self._death_rate, self._died = loop, rng, death_rate, died
        self._queued: list[tuple[Any, Future[Any] | None]] = []
        self._due: asyncio.TimerHandle | None = None
        self.dead = False
        super().__init__(path)
        self._connection.execute("PRAGMA synchronous=OFF")  # death is simulated; power loss is not
        self._connection.execute("PRAGMA wal_autocheckpoint=0")

    def _write(self) -> None:
        """Nothing is written by a thread."""

    def commit(self, work: Callable[..., Any]) -> Future[Any]:
        done = _Awaited(self.write_now)
        self._put(work, done)
        return done

    def _put(self, work: Any, done: Future[Any] | None) -> None:
        if self.dead:
            raise DatabaseError("the process is dead")
        self.check()
        self._queued.append((work, done))
        if self._due is None:
            self._due = self._loop.call_later(self._rng.choice((0.0, 0.002, 0.05)), self.write_now)

    def write_now(self) -> None:
        """Commit what is queued; the process may end just before or just after it."""
        if self._due is not None:
            self._due.cancel()
            self._due = None
        if self.dead or not self._queued:
            return
        lot, before = self._rng.random(), self._rng.random() < 0.5
        dies = lot < self._death_rate
        if dies and before:
            self.die()
            return
        group, self._queued = self._queued, []
        self._write_group(group)
        if dies:
            self.die()

    def die(self) -> None:
        """End the process: what is not written yet is lost."""
        self.dead = True
        self._queued.clear()
        self._died()

    def close(self) -> None:
        if not self.dead:
            self.write_now()
        self.dead = True
        if self._due is not None:
            self._due.cancel()
        with contextlib.suppress(DatabaseError):
            super().close()

    @property
    def failure(self) -> BaseException | None:
        """Why the writer ended, if it did."""
        return self._failure

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Read what is on disk."""
        return self._connection.execute(query, values).fetchall()
