"""What stops entries because things go wrong again and again, and how many messages a second leave.

Counters over sliding windows of event time. They are bounded: each keeps no more than what its threshold looks at.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from polymarket_agent.config import RiskConfig
from polymarket_agent.domain.market import ConditionId

__all__ = ["Breakers", "MessageRate"]

_MINUTE_MS = 60_000
_TEN_MINUTES_MS = 600_000
_HOUR_MS = 3_600_000

_FAILED_IN_MARKET = 3  # settlements in ten minutes that set a market to reducing, for an hour
_FAILED_IN_ALL = 5  # and the whole agent
_LAST_LEGS = 20
_FAILED_PERCENT = 20  # more than this part of the last legs of a market
_REJECTIONS = 5  # of one strategy in a minute
_RECONNECTS = 5  # of a stream in ten minutes
_MOST_STRATEGIES = 1_000


class Breakers:
    """Failed settlements, rejections and reconnects, and what they stop."""

    def __init__(self) -> None:
        self._failed: deque[tuple[int, ConditionId]] = deque(maxlen=_FAILED_IN_ALL)
        self._failed_in: dict[ConditionId, deque[int]] = {}
        self._legs: dict[ConditionId, deque[bool]] = {}
        self._reducing_until: dict[ConditionId, int] = {}
        self._rejected: dict[str, deque[int]] = {}
        self._reconnected: deque[int] = deque(maxlen=_RECONNECTS)

    def settled(self, condition_id: ConditionId, at_ms: int, *, failed: bool) -> str | None:
        """Count a fill that became final; returns why its market only reduces from now on, if this one does it."""
        legs = self._legs.setdefault(condition_id, deque(maxlen=_LAST_LEGS))
        legs.append(failed)
        if not failed:
            return None
        self._failed.append((at_ms, condition_id))
        times = self._failed_in.setdefault(condition_id, deque(maxlen=_FAILED_IN_MARKET))
        times.append(at_ms)
        why = None
        if len(times) == _FAILED_IN_MARKET and times[0] > at_ms - _TEN_MINUTES_MS:
            why = f"{_FAILED_IN_MARKET} fills of this market failed to settle within ten minutes"
        elif len(legs) == _LAST_LEGS and sum(legs) * 100 > _FAILED_PERCENT * _LAST_LEGS:
            why = f"{sum(legs)} of the last {_LAST_LEGS} fills of this market failed to settle"
        if why is not None:
            self._reducing_until[condition_id] = at_ms + _HOUR_MS
        return why

    def rejected(self, strategy: str, at_ms: int) -> None:
        """Count a refusal by the venue of an order of a strategy."""
        if strategy not in self._rejected and len(self._rejected) >= _MOST_STRATEGIES:
            self._rejected.pop(next(iter(self._rejected)))
        self._rejected.setdefault(strategy, deque(maxlen=_REJECTIONS)).append(at_ms)

    def reconnected(self, at_ms: int) -> None:
        """Count a stream that was lost and came back."""
        self._reconnected.append(at_ms)

    def ghosts(self, now_ms: int) -> str | None:
        """Return why the whole agent should only reduce, if so many fills failed to settle that it should."""
        recent = [at_ms for at_ms, _ in self._failed if at_ms > now_ms - _TEN_MINUTES_MS]
        if len(recent) < _FAILED_IN_ALL:
            return None
        return f"{len(recent)} fills failed to settle within ten minutes"

    def stops(self, strategy: str, condition_id: ConditionId, now_ms: int) -> Iterator[str]:
        """Yield why a strategy may not enter a market now."""
        until = self._reducing_until.get(condition_id, 0)
        if now_ms < until:
            left = -((now_ms - until) // _MINUTE_MS)
            yield f"fills of this market fail to settle; it takes no entry for another {left} min"
        if (why := self.ghosts(now_ms)) is not None:
            yield why
        for times, most, window_ms, what in (
            (
                self._rejected.get(strategy, ()),
                _REJECTIONS,
                _MINUTE_MS,
                f"orders of {strategy} were refused in a minute",
            ),
            (self._reconnected, _RECONNECTS, _TEN_MINUTES_MS, "times a stream was lost in ten minutes"),
        ):
            count = sum(at_ms > now_ms - window_ms for at_ms in times)
            if count >= most:
                yield f"{count} {what}; after {most} entries wait"


class MessageRate:
    """A bucket of new orders with a lasting rate and a burst, and a limit for any minute. A clock that goes back fills nothing."""

    def __init__(self) -> None:
        self._spent_milli = 0  # thousandths of an order above the empty line; it drains with time
        self._at_ms = 0
        self._sent: deque[int] = deque()

    def take(self, limits: RiskConfig, at_ms: int) -> None:
        """Count an order that leaves."""
        self._spent_milli = self._level(limits, at_ms) + 1_000
        self._at_ms = max(self._at_ms, at_ms)
        self._sent.append(at_ms)
        while len(self._sent) > limits.orders_per_minute or self._sent[0] <= self._at_ms - _MINUTE_MS:
            self._sent.popleft()

    def refuse(self, limits: RiskConfig, now_ms: int, pending: int) -> str | None:
        """Return why one more order may not leave now, after `pending` others of this instant."""
        in_minute = sum(at_ms > now_ms - _MINUTE_MS for at_ms in self._sent) + pending
        if in_minute + 1 > limits.orders_per_minute:
            return f"{in_minute} orders left within a minute; risk.orders_per_minute is {limits.orders_per_minute}"
        level = self._level(limits, now_ms) + pending * 1_000
        if level + 1_000 > limits.order_burst * 1_000:
            wait_ms = -((limits.order_burst * 1_000 - level - 1_000) // limits.orders_per_second)
            return (
                f"orders leave faster than risk.orders_per_second = {limits.orders_per_second} with a burst of "
                f"{limits.order_burst}; the next one may in {wait_ms} ms"
            )
        return None

    def _level(self, limits: RiskConfig, now_ms: int) -> int:
        return max(0, self._spent_milli - max(0, now_ms - self._at_ms) * limits.orders_per_second)
