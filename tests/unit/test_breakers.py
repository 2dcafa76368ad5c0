from __future__ import annotations

from polymarket_agent.config import RiskConfig
from polymarket_agent.decision.breakers import Breakers, MessageRate
from polymarket_agent.domain.market import ConditionId
from tests.unit.strategy_world import START_MS

A, B = ConditionId("a"), ConditionId("b")
SECOND, MINUTE, HOUR = 1_000, 60_000, 3_600_000


def stops(breakers: Breakers, market: ConditionId = A, at_ms: int = START_MS, strategy: str = "s") -> list[str]:
    return list(breakers.stops(strategy, market, at_ms))


def test_three_failed_fills_in_ten_minutes_close_a_market_for_an_hour() -> None:
    """The third within ten minutes does it, for that market and that hour only."""
    breakers = Breakers()
    assert breakers.settled(A, START_MS, failed=True) is None
    assert breakers.settled(A, START_MS + MINUTE, failed=True) is None
    why = breakers.settled(A, START_MS + 10 * MINUTE - 1, failed=True)

    last = START_MS + 10 * MINUTE - 1
    assert why is not None
    assert stops(breakers, at_ms=last + HOUR - 1) != []
    assert stops(breakers, at_ms=last + HOUR) == []
    assert stops(breakers, B, last) == []


def test_three_failed_fills_in_more_than_ten_minutes_do_not() -> None:
    """The window slides: the first is ten minutes old when the third comes."""
    breakers = Breakers()
    for at_ms in (0, MINUTE, 10 * MINUTE):
        assert breakers.settled(A, START_MS + at_ms, failed=True) is None
    assert stops(breakers, at_ms=START_MS + 10 * MINUTE) == []


def test_more_than_a_fifth_of_the_last_twenty_fills_closes_a_market() -> None:
    """Four of twenty is a fifth and passes, five do not, though they came hours apart; fewer than twenty say nothing."""
    breakers = Breakers()
    for number in range(20):
        assert breakers.settled(A, START_MS + number * HOUR, failed=number % 5 == 0) is None
    now = START_MS + 21 * HOUR
    assert breakers.settled(A, now, failed=True) is None  # the first failure leaves the last twenty
    assert breakers.settled(A, now + HOUR, failed=True) is not None


def test_five_failed_fills_anywhere_in_ten_minutes_are_a_reason_for_the_agent() -> None:
    """Spread over markets none of which is closed by itself."""
    breakers = Breakers()
    for number, market in enumerate([A, A, B, B, ConditionId("c")]):
        breakers.settled(market, START_MS + number * MINUTE, failed=True)

    at_ms = START_MS + 4 * MINUTE
    assert breakers.ghosts(at_ms) == "5 fills failed to settle within ten minutes"
    assert stops(breakers, ConditionId("z"), at_ms) != []
    assert breakers.ghosts(START_MS + 10 * MINUTE) is None


def test_fills_that_settle_close_nothing() -> None:
    """A thousand good ones leave no trace but the last twenty."""
    breakers = Breakers()
    for number in range(1_000):
        breakers.settled(A, START_MS + number, failed=False)
    assert stops(breakers) == []


def test_refusals_stop_the_strategy_that_gets_them() -> None:
    """Five within a minute, over all assets; another strategy goes on."""
    breakers = Breakers()
    for number in range(5):
        breakers.rejected("s", START_MS + number)

    assert "5 orders of s" in stops(breakers, at_ms=START_MS + 59_999)[0]
    assert stops(breakers, at_ms=START_MS + 60_000) == []
    assert stops(breakers, strategy="other") == []


def test_what_breakers_remember_is_bounded() -> None:
    """I26: ten thousand strategies that are refused do not grow the memory beyond its bound."""
    breakers = Breakers()
    for number in range(10_000):
        breakers.rejected(f"s{number}", START_MS)
    assert len(breakers._rejected) == 1_000


# -- messages -----------------------------------------------------------------------------------------------------------

LIMITS = RiskConfig()  # 5 a second, burst 10, 100 a minute


def test_a_burst_of_ten_then_five_a_second() -> None:
    """Ten may leave at once; after that one every 200 ms."""
    rate = MessageRate()
    for _ in range(10):
        assert rate.refuse(LIMITS, START_MS, 0) is None
        rate.take(LIMITS, START_MS)

    assert rate.refuse(LIMITS, START_MS + 199, 0) is not None
    assert rate.refuse(LIMITS, START_MS + 200, 0) is None
    assert rate.refuse(LIMITS, START_MS + 200, 1) is not None  # two legs at once are two orders
    assert rate.refuse(LIMITS, START_MS + 2_000, 9) is None


def test_no_minute_has_more_than_its_limit() -> None:
    """Driven as hard as the bucket lets it for ten minutes, no window of a minute has more than 100 orders."""
    rate, sent = MessageRate(), list[int]()
    for at_ms in range(START_MS, START_MS + 10 * MINUTE, 50):
        while rate.refuse(LIMITS, at_ms, 0) is None:
            rate.take(LIMITS, at_ms)
            sent.append(at_ms)

    assert max(sum(at <= each < at + MINUTE for each in sent) for at in sent) == 100
    assert max(sum(at <= each < at + SECOND for each in sent) for at in sent) <= 10 + 5
    assert len(sent) >= 990


def test_a_clock_that_goes_back_fills_no_bucket() -> None:
    """A step back and forth over an hour gives nothing that was not there before."""
    rate = MessageRate()
    for _ in range(10):
        rate.take(LIMITS, START_MS)

    assert rate.refuse(LIMITS, START_MS - HOUR, 0) is not None
    rate.take(LIMITS, START_MS - HOUR)
    assert rate.refuse(LIMITS, START_MS + 200, 0) is not None
