"""A strategy that never answers is interrupted, so that it is set aside like one that raises."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Protocol, Self

from polymarket_agent.errors import StrategyError

__all__ = ["Asking", "Watchdog"]

ANSWER_LIMIT_S = 10.0


class Asking(Protocol):
    """Who asks strategies: the name of the one that is being asked now ("" for none), and how often any was."""

    asking: str
    asked: int


class Watchdog:
    """While it is entered, an answer that takes longer than `limit_s` raises `StrategyError` inside the strategy.

    It looks by the process's interval timer, twice in each limit, and interrupts in the main thread between two steps
    of Python. In another thread, or where the timer is in use, it watches nothing. One C call that never returns is
    out of its reach.
    """

    def __init__(self, engine: Asking, *, limit_s: float = ANSWER_LIMIT_S) -> None:
        self._engine = engine
        self._limit_s = limit_s
        self._seen = (0, 0)
        self._watching = False

    def __enter__(self) -> Self:
        main = threading.current_thread() is threading.main_thread()
        if main and signal.getsignal(signal.SIGALRM) in (signal.SIG_DFL, None):
            signal.signal(signal.SIGALRM, self._look)
            signal.setitimer(signal.ITIMER_REAL, self._limit_s / 2, self._limit_s / 2)
            self._watching = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._watching:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            self._watching = False

    def _look(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        engine = self._engine
        asked, looks = self._seen
        self._seen = (engine.asked, looks + 1 if asked == engine.asked else 0)
        if engine.asking and self._seen[1] >= 2:
            engine.asking = ""  # once is enough: a second one could hit whoever handles the first
            raise StrategyError(f"gave no answer within {self._limit_s:g} s")
