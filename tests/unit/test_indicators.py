"""Incremental indicators against hand-computed values and against naive sums over everything."""

from itertools import pairwise
from statistics import fmean, pstdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymarket_agent.strategies.indicators import Bollinger, Ema, FlowMeter, Rsi, clip

prices = st.lists(st.integers(1, 999_999), min_size=1, max_size=80)


def naive_ema(values: list[int], period: int) -> float | None:
    if len(values) < period:
        return None
    average = fmean(values[:period])
    for value in values[period:]:
        average = value * 2 / (period + 1) + average * (1 - 2 / (period + 1))
    return average


def naive_rsi(values: list[int], period: int) -> float | None:
    changes = [after - before for before, after in pairwise(values)]
    if len(changes) < period:
        return None
    gain = fmean(max(change, 0) for change in changes[:period])
    loss = fmean(max(-change, 0) for change in changes[:period])
    for change in changes[period:]:
        gain = (gain * (period - 1) + max(change, 0)) / period
        loss = (loss * (period - 1) + max(-change, 0)) / period
    if not gain + loss:
        return 50.0
    return 100 - 100 / (1 + gain / loss) if loss else 100.0


def test_ema_starts_from_the_mean_and_leans_to_the_new() -> None:
    """A period of 3 starts at the mean of three prices and then moves half of the way."""
    ema = Ema(3)

    assert [ema.update(price) for price in (1, 2, 6, 5, 1)] == [None, None, 3.0, 4.0, 2.5]


def test_rsi_of_a_hand_computed_series() -> None:
    """Gains 2, 0, 4 and losses 0, 1, 0 over three changes give 6/7; a loss of 3 then gives 4/(4 + 11/3)."""
    rsi = Rsi(3)
    values = [rsi.update(price) for price in (10, 12, 11, 15, 12)]

    assert values[:3] == [None, None, None]
    assert values[3] == pytest.approx(100 * 6 / 7)
    assert values[4] == pytest.approx(100 * (4 / 3) / (4 / 3 + 11 / 9))


def test_rsi_of_a_price_that_never_moves_is_50() -> None:
    """Neither gains nor losses are no reason to lean either way, and no division by zero."""
    rsi = Rsi(2)

    assert [rsi.update(7) for _ in range(4)] == [None, None, 50.0, 50.0]


def test_bollinger_of_a_hand_computed_window() -> None:
    """Of 2, 4, 4, 4, 5, 5, 7, 9 the mean is 5 and the population deviation 2."""
    bands = Bollinger(8, deviations=2)
    for price in (2, 4, 4, 4, 5, 5, 7):
        assert bands.update(price) is None
    last = bands.update(9)

    assert last is not None
    assert (last.lower, last.middle, last.upper, last.width) == (1.0, 5.0, 9.0, 1.6)


@given(prices, st.integers(1, 12))
def test_ema_and_rsi_equal_their_definitions(values: list[int], period: int) -> None:
    """One value at a time comes to the same as computing over the whole series."""
    ema, rsi = Ema(period), Rsi(period)
    for value in values:
        ema.update(value)
        rsi.update(value)

    assert ema.value == (None if (naive := naive_ema(values, period)) is None else pytest.approx(naive))
    assert rsi.value == (None if (naive := naive_rsi(values, period)) is None else pytest.approx(naive, abs=1e-6))


@given(prices, st.integers(2, 12))
def test_bollinger_equals_its_definition(values: list[int], period: int) -> None:
    """The rolling sums never drift from the mean and deviation of the window."""
    bands = Bollinger(period)
    for value in values:
        bands.update(value)
    window = values[-period:]

    assert (bands.value is None) == (len(values) < period)
    if bands.value is not None:
        assert bands.value.middle == pytest.approx(fmean(window))
        assert bands.value.upper == pytest.approx(fmean(window) + 2 * pstdev(window), abs=1e-3)


def a_meter() -> FlowMeter:
    return FlowMeter(bucket_ms=10, window_buckets=2, baseline_buckets=3)


def test_flow_compares_the_window_with_what_came_before_it() -> None:
    """10 a bucket for a while and then 40: the window of 50 is 2.5 times the 20 that were to be expected."""
    meter = a_meter()
    for bucket in range(5):
        meter.add(bucket * 10, 10)
    meter.add(50, -40)

    assert (meter.volume, meter.net, meter.ratio) == (50, -30, 2.5)


def test_flow_has_no_ratio_before_a_window_lies_behind_it() -> None:
    """A first burst is no spike: nothing is known to compare it with."""
    meter = a_meter()
    for bucket in range(3):
        meter.add(bucket * 10, 10)

    assert meter.ratio is None


def test_flow_has_no_ratio_over_nothing() -> None:
    """Where nothing was ever traded, one trade is not infinitely many."""
    meter = a_meter()
    meter.roll(0)
    meter.add(1_000, 5)

    assert meter.ratio is None


def test_flow_of_a_time_that_lies_back_counts_now() -> None:
    """A trade that is stamped earlier than the last one neither moves time back nor is lost."""
    meter = a_meter()
    meter.add(25, 3)
    meter.add(14, 4)

    assert meter.volume == 7


@given(st.lists(st.tuples(st.integers(0, 400), st.integers(-9, 9)), max_size=60))
def test_flow_equals_a_naive_meter(steps: list[tuple[int, int]]) -> None:
    """Skipping a long silence at once comes to the same as walking through each of its buckets."""
    meter, walker, now = a_meter(), a_meter(), 0
    meter.roll(0)
    for passed, signed in steps:
        for each in range(now, now + passed + 1):
            walker.roll(each)
        now += passed
        meter.add(now, signed)
        walker.add(now, signed)

    assert (meter.volume, meter.net) == (walker.volume, walker.net)
    assert meter.ratio == (None if walker.ratio is None else pytest.approx(walker.ratio))


def test_memory_is_bounded() -> None:
    """After a thousand buckets a meter holds one window, and bands hold one period."""
    meter, bands = a_meter(), Bollinger(5)
    for step in range(1_000):
        meter.add(step * 10, 1)
        bands.update(step)

    assert (len(meter._volumes), len(meter._nets), len(bands._prices)) == (2, 2, 5)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Ema(0),
        lambda: Rsi(0),
        lambda: Bollinger(1),
        lambda: FlowMeter(bucket_ms=0, window_buckets=1, baseline_buckets=1),
    ],
)
def test_a_period_that_cannot_be_is_refused(make) -> None:
    """Too short a period is an error when it is built, not a wrong number later."""
    with pytest.raises(ValueError, match="or more"):
        make()


def test_clip_keeps_a_value_within_its_bounds() -> None:
    """Values inside stay, values outside become the nearest bound."""
    assert [clip(value, -1, 1) for value in (-3, 0.5, 7)] == [-1, 0.5, 1]
