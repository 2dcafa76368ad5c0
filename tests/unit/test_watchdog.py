from __future__ import annotations

import signal
from typing import Any

from polymarket_agent.config import AggregationConfig, RiskConfig, SizingConfig
from polymarket_agent.decision.engine import Engine
from polymarket_agent.decision.sizing import Sizing
from polymarket_agent.domain.board import Board
from polymarket_agent.domain.events import Event, Timer
from polymarket_agent.domain.money import usdc
from polymarket_agent.domain.portfolio import Account
from polymarket_agent.strategies.base import Wakes
from polymarket_agent.watchdog import Watchdog
from tests.unit.agent_world import START_MS, Says

LIMIT_S = 0.1


def an_engine(*strategies: Says) -> Engine:
    sizing = Sizing(SizingConfig(), RiskConfig())
    engine = Engine(Board(), Account(usdc(1)), strategies, aggregation=AggregationConfig(), sizing=sizing)
    engine.apply(Timer(START_MS))
    return engine


def for_ever(event: Event, view: Any) -> Any:
    while True:
        pass


def test_a_strategy_that_never_answers_is_set_aside_and_the_others_are_asked() -> None:
    """F78: an endless loop in a plug-in is interrupted after the limit; nobody else loses a turn."""
    other = Says(lambda *_: (), "other")
    engine = an_engine(Says(for_ever), other)

    with Watchdog(engine, limit_s=LIMIT_S):
        engine.propose(lambda: usdc(1))

    assert [(each.strategy, each.reason) for each in engine.set_aside] == [("s", "gave no answer within 0.1 s")]
    assert other.asked == 1


def test_nobody_is_interrupted_for_many_quick_answers() -> None:
    """What counts is one answer, and not how long strategies were asked in all."""
    quick = Says(lambda *_: (), wakes=Wakes(every_ms=1))
    engine = an_engine(quick)
    ticks: list[float] = []

    with Watchdog(engine, limit_s=0.001):
        for number in range(2_000):
            engine.apply(Timer(START_MS + number))
            engine.propose(lambda: usdc(1))
            ticks.append(number)

    assert engine.set_aside == []
    assert quick.asked > 1_999 - 1


def test_the_timer_is_given_back() -> None:
    """After the run no signal is pending and none is handled."""
    with Watchdog(an_engine(), limit_s=LIMIT_S):
        assert signal.getitimer(signal.ITIMER_REAL)[0] > 0

    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    assert signal.getsignal(signal.SIGALRM) is signal.SIG_DFL
