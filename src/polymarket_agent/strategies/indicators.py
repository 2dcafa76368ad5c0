"""Indicators that take one value at a time, in constant time and memory. `value` is None until there is enough.

Prices go in as whole micro-units or as floats; what comes out is statistics, never an amount of money.
"""

from __future__ import annotations

from collections import deque
from math import sqrt

__all__ = ["Bands", "Bollinger", "Ema", "FlowMeter", "Rsi", "clip"]


def clip(value: float, low: float, high: float) -> float:
    """Return the nearest number to `value` within [low, high]."""
    return max(low, min(high, value))


class Ema:
    """Exponential moving average.

    The first value is the plain mean of the first `period` prices; then
    value += (price - value) * 2 / (period + 1).
    """

    __slots__ = ("_seen", "_sum", "_weight", "period", "value")

    def __init__(self, period: int) -> None:
        if period < 1:
            raise ValueError(f"period is {period}; allowed is 1 or more")
        self.period = period
        self.value: float | None = None
        self._weight = 2.0 / (period + 1)
        self._sum = 0.0
        self._seen = 0

    def update(self, price: float) -> float | None:
        """Take the next price in and return the average."""
        if self.value is not None:
            self.value += (price - self.value) * self._weight
            return self.value
        self._seen += 1
        self._sum += price
        if self._seen == self.period:
            self.value = self._sum / self.period
        return self.value


class Rsi:
    """Relative strength index after Wilder, 0 to 100.

    The first averages are plain means of the first `period` gains and losses; then
    average = (average * (period - 1) + change) / period, and rsi = 100 * gain / (gain + loss).
    A price that never moved has neither: 50.
    """

    __slots__ = ("_gain", "_last", "_loss", "_seen", "period", "value")

    def __init__(self, period: int = 14) -> None:
        if period < 1:
            raise ValueError(f"period is {period}; allowed is 1 or more")
        self.period = period
        self.value: float | None = None
        self._last: float | None = None
        self._gain = 0.0
        self._loss = 0.0
        self._seen = 0

    def update(self, price: float) -> float | None:
        """Take the next price in and return the index."""
        last, self._last = self._last, price
        if last is None:
            return None
        gain, loss = max(price - last, 0.0), max(last - price, 0.0)
        self._seen += 1
        period = self.period
        if self._seen <= period:
            self._gain += gain / period
            self._loss += loss / period
            if self._seen < period:
                return None
        else:
            self._gain = (self._gain * (period - 1) + gain) / period
            self._loss = (self._loss * (period - 1) + loss) / period
        moved = self._gain + self._loss
        self.value = 100.0 * self._gain / moved if moved else 50.0
        return self.value


class Bands:
    """What Bollinger bands look like at one moment; `width` is (upper - lower) / middle."""

    __slots__ = ("lower", "middle", "upper", "width")

    def __init__(self, middle: float, reach: float) -> None:
        self.middle = middle
        self.upper = middle + reach
        self.lower = middle - reach
        self.width = 2 * reach / middle if middle else 0.0


class Bollinger:
    """Mean of the last `period` prices, plus and minus `deviations` population standard deviations.

    Prices are whole micro-units: their sums are exact integers, so a million updates leave no rounding behind.
    """

    __slots__ = ("_prices", "_squares", "_sum", "deviations", "period", "value")

    def __init__(self, period: int = 20, deviations: float = 2.0) -> None:
        if period < 2:
            raise ValueError(f"period is {period}; allowed is 2 or more")
        self.period = period
        self.deviations = deviations
        self.value: Bands | None = None
        self._prices: deque[int] = deque(maxlen=period)
        self._sum = 0
        self._squares = 0

    def update(self, price: int) -> Bands | None:
        """Take the next price in and return the bands."""
        prices, period = self._prices, self.period
        if len(prices) == period:
            oldest = prices[0]
            self._sum -= oldest
            self._squares -= oldest * oldest
        prices.append(price)
        self._sum += price
        self._squares += price * price
        if len(prices) == period:
            variance = (period * self._squares - self._sum * self._sum) / (period * period)
            self.value = Bands(self._sum / period, self.deviations * sqrt(variance))
        return self.value


class FlowMeter:
    """Traded shares of the last window against what came before it.

    Time is cut into buckets of `bucket_ms`; the window is the last `window_buckets`, the present one included.
    A bucket that leaves the window enters the baseline, an average with weight 2 / (baseline_buckets + 1) that
    so never contains the spike it is compared with. `ratio` is volume / (baseline * window_buckets), None until
    a whole window lies behind the present one.
    """

    __slots__ = ("_baseline", "_bucket", "_nets", "_seen", "_volumes", "_weight", "bucket_ms", "window_buckets")

    def __init__(self, *, bucket_ms: int, window_buckets: int, baseline_buckets: int) -> None:
        if min(bucket_ms, window_buckets, baseline_buckets) < 1:
            raise ValueError("bucket_ms, window_buckets and baseline_buckets are 1 or more")
        self.bucket_ms = bucket_ms
        self.window_buckets = window_buckets
        self._weight = 2.0 / (baseline_buckets + 1)
        self._volumes: deque[int] = deque()
        self._nets: deque[int] = deque()
        self._bucket: int | None = None
        self._baseline = 0.0
        self._seen = 0

    def add(self, at_ms: int, shares: int) -> None:
        """Take a trade in: positive micro-shares for a taker who bought, negative for one who sold."""
        self.roll(at_ms)
        self._volumes[-1] += abs(shares)
        self._nets[-1] += shares

    def roll(self, at_ms: int) -> None:
        """Move on to a time; one that lies back counts into the present bucket."""
        bucket = at_ms // self.bucket_ms
        if self._bucket is None:
            self._open(bucket)
            return
        passed = bucket - self._bucket
        if passed <= 0:
            return
        for _ in range(min(passed, self.window_buckets)):
            self._open(bucket)
        empty = passed - self.window_buckets
        if empty > 0:  # a long silence: that many empty buckets at once
            self._baseline *= (1.0 - self._weight) ** empty
            self._seen += empty

    def _open(self, bucket: int) -> None:
        self._bucket = bucket
        self._volumes.append(0)
        self._nets.append(0)
        if len(self._volumes) > self.window_buckets:
            self._nets.popleft()
            left = self._volumes.popleft()
            self._baseline += (left - self._baseline) * (self._weight if self._seen else 1.0)
            self._seen += 1

    @property
    def volume(self) -> int:
        """Micro-shares traded in the window."""
        return sum(self._volumes)

    @property
    def net(self) -> int:
        """Micro-shares that takers bought minus those that they sold in the window."""
        return sum(self._nets)

    @property
    def ratio(self) -> float | None:
        """Volume of the window over what the baseline lets expect; None while unknown or nothing is expected."""
        if self._seen < self.window_buckets or self._baseline <= 0:
            return None
        return self.volume / (self._baseline * self.window_buckets)
