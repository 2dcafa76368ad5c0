from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from polymarket_agent.config import AggregationConfig, RiskConfig, SizingConfig
from polymarket_agent.decision.engine import Engine
from polymarket_agent.decision.sizing import Sizing
from polymarket_agent.decision.wishes import MOST_WISHES, malformed, storable
from polymarket_agent.domain.board import Board
from polymarket_agent.domain.book import Side
from polymarket_agent.domain.events import Event, MarketListed, Timer, TradePrint
from polymarket_agent.domain.market import ConditionId
from polymarket_agent.domain.money import Shares, Usdc, price, shares, usdc
from polymarket_agent.domain.order import TimeInForce
from polymarket_agent.domain.portfolio import Account
from polymarket_agent.domain.signal import Basket, Cancel, Quote, Signal, TargetQuotes
from polymarket_agent.errors import ConfigError
from polymarket_agent.strategies.base import Strategy, Wakes
from tests.unit.agent_world import START_MS, Says, a_market, buy, no, opening, sell, yes

GOOD = buy(yes(), "0.50", "5", strategy="good")


class Evil(Exception):  # noqa: N818 - a stranger's
    def __str__(self) -> str:
        raise RuntimeError("not even that")


def an_engine(*strategies: Strategy) -> Engine:
    account = Account(usdc(1_000))
    risk = RiskConfig.model_validate({"max_position_size": 100})
    sizing = Sizing(SizingConfig(), risk)
    engine = Engine(Board(), account, strategies, aggregation=AggregationConfig(), sizing=sizing)
    for event in opening(a_market()):
        engine.apply(event)
    engine.propose(lambda: usdc(1_000))
    return engine


def asked(answer: Callable[..., Any]) -> tuple[Engine, list[str]]:
    """Let a good strategy and one with this answer be asked once; returns the engine and who got signals through."""
    bad, good = Says(lambda *_: (), "s", Wakes(trades=True)), Says(lambda *_: [GOOD], "good", Wakes(trades=True))
    engine = an_engine(bad, good)
    bad._answer = answer
    engine.apply(TradePrint(yes(), price("0.50"), shares(1), taker_buys=True, at_ms=START_MS + 1))
    proposals = engine.propose(lambda: usdc(1_000))
    return engine, [signal.strategy for signal in proposals.signals]


def _raise(error: BaseException) -> Any:
    raise error


def _late_failure() -> Any:
    yield buy(yes(), "0.50", "5")
    raise ValueError("late")


async def _coroutine() -> Any:
    return ()


GARBAGE: dict[str, tuple[Callable[..., Any], str]] = {
    "raises": (lambda *_: _raise(ValueError("boom")), "ValueError: boom"),
    "raises what raises": (lambda *_: _raise(Evil()), "Evil: its message cannot be read"),
    "leaves the process": (lambda *_: _raise(SystemExit(1)), "SystemExit: 1"),
    "recurses": (lambda *_: (f := lambda g: g(g))(f), "RecursionError"),
    "None": (lambda *_: None, "answered with None, which is no list of wishes"),
    "a number": (lambda *_: 7, "answered with 7"),
    "text": (lambda *_: "buy", "answered with 'b', which is no wish"),
    "a coroutine": (lambda *_: _coroutine(), "on_event is async"),
    "fails while read": (lambda *_: _late_failure(), "ValueError: late"),
    "never ends": (lambda *_: (buy(yes(), "0.50", "5") for _ in itertools.count()), f"more than {MOST_WISHES}"),
    "another's name": (lambda *_: [replace(GOOD, strategy="good")], "with the name 'good'"),
    "another's leg": (lambda *_: [Basket(strategy="s", legs=(GOOD,), reason="")], "with the name 'good'"),
    "a leg that is none": (lambda *_: [Basket(strategy="s", legs=(1,), reason="")], "wrong type"),  # type: ignore[arg-type]
    "no legs": (lambda *_: [Basket(strategy="s", legs=None, reason="")], "wrong type"),  # type: ignore[arg-type]
    "a profit that is none": (
        lambda *_: [Basket(strategy="s", legs=(), reason="", profit_per_share=float("nan"))],  # type: ignore[arg-type]
        "wrong type",
    ),
    "quotes of floats": (
        lambda *_: [TargetQuotes(strategy="s", condition_id=ConditionId("m"), quotes=(_quote(0.5),), reason="")],
        "wrong type",
    ),
    "an order that is none": (lambda *_: [Cancel(strategy="s", order_id=[], reason="")], "wrong type"),  # type: ignore[arg-type]
    "a subclass": (lambda *_: [type("Mine", (Signal,), {})(**_fields())], "which is no wish"),
    "legs without end": (
        lambda *_: [Basket(strategy="s", legs=(buy(yes(), "0.50"),) * (MOST_WISHES + 1), reason="")],
        f"more than {MOST_WISHES}",
    ),
}


def _quote(at: Any) -> Quote:
    return Quote(yes(), Side.BUY, at, Shares(5_000_000))


def _fields() -> dict[str, Any]:
    return {"strategy": "s", "asset_id": yes(), "side": Side.BUY, "target_price": price("0.5"), "reason": ""}


@pytest.mark.parametrize("kind", GARBAGE)
def test_a_strategy_that_misbehaves_is_set_aside_and_the_others_go_on(kind: str) -> None:
    """Whatever a plug-in raises or answers with, it alone is asked no more, and the reason is kept."""
    answer, reason = GARBAGE[kind]
    engine, through = asked(answer)

    assert through == ["good"]
    assert [each.strategy for each in engine.set_aside] == ["s"]
    assert reason in engine.set_aside[0].reason
    assert engine.strategies == ("good",)


NOT_A_NUMBER: list[dict[str, Any]] = [
    {"target_price": 0.5},
    {"target_price": float("nan")},
    {"target_price": True},
    {"target_price": 0},
    {"target_price": 1_000_000},
    {"target_price": -500_000},
    {"target_price": None},
    {"target_price": 10**400},
    {"size": -1},
    {"size": 1e308},
    {"size": 10**30},
    {"confidence": float("nan")},
    {"confidence": float("inf")},
    {"confidence": 0},
    {"confidence": -0.0},
    {"confidence": 1.01},
    {"confidence": 10**400},
    {"confidence": True},
    {"confidence": "high"},
    {"fair_value": float("nan")},
    {"fair_value": 1.5},
    {"fair_value": "0.5"},
    {"side": "BUY"},
    {"time_in_force": "GTC"},
    {"time_in_force": TimeInForce.GTD},
    {"time_in_force": TimeInForce.FAK, "post_only": True},
    {"post_only": "no"},
    {"expires_at_ms": float("nan")},
    {"expires_at_ms": -1},
    {"asset_id": None},
    {"asset_id": ["m-yes"]},
    {"asset_id": "\ud800"},
    {"reason": None},
    {"reason": "\udfff"},
    {"reason": "x" * 3_000},
]


@pytest.mark.parametrize("fields", NOT_A_NUMBER, ids=repr)
def test_a_signal_with_a_wrong_field_is_kept_apart_with_the_reason(fields: dict[str, Any]) -> None:
    """NaN, infinity, text, bool and floats where money belongs are no signals; in a storable form they are kept."""
    signal = replace(buy(yes(), "0.50", "5"), **fields)
    engine, through = asked(lambda *_: [signal])
    proposals = engine.propose(lambda: Usdc(0))

    assert malformed(signal)
    assert through == ["good"]
    assert engine.set_aside == []
    assert proposals.signals == ()
    kept = storable(signal)
    assert isinstance(kept.target_price, int)
    assert isinstance(kept.size, int)
    assert kept.confidence == kept.confidence  # not NaN
    (kept.reason + kept.asset_id).encode()


def test_a_basket_with_a_malformed_leg_is_refused_as_a_whole() -> None:
    """Every leg is kept with a reason, and none becomes an order."""
    legs = (buy(yes(), "0.50", "5", strategy="s"), replace(buy(no(), "0.48", "5"), confidence=float("nan")))
    bad = Says(lambda *_: [Basket(strategy="s", legs=legs, reason="pair")], wakes=Wakes(lifecycle=True))
    engine = an_engine(bad)
    engine.apply(MarketListed(a_market("n"), START_MS))
    proposals = engine.propose(lambda: usdc(1_000))

    assert proposals.baskets == ()
    assert proposals.malformed[0][1] == "another leg of its basket is malformed"
    assert len(proposals.malformed) == 2


@pytest.mark.parametrize("at", [0, 1_000_000, -10_000])
def test_a_quote_out_of_range_is_refused_and_breaks_nothing(at: int) -> None:
    """A maker whose model runs off the grid is refused by shape at the gate; sizing never divides by its price."""
    wanted = TargetQuotes(strategy="s", condition_id=ConditionId("m"), quotes=(_quote(at),), reason="")
    engine = an_engine(maker := Says(lambda *_: (), wakes=Wakes(trades=True)))
    maker._answer = lambda *_: [wanted]
    engine.apply(TradePrint(yes(), price("0.50"), shares(1), taker_buys=True, at_ms=START_MS + 1))

    (signal,) = engine.propose(lambda: usdc(1_000)).signals
    assert "not between 0 and 1" in (malformed(signal) or "")


def test_a_flood_over_many_answers_is_a_flood_too() -> None:
    """More trades in a minute than anybody could mean set a strategy aside."""
    engine = an_engine(Says(lambda *_: [sell(yes(), "0.48", "5")] * 400, wakes=Wakes(every_ms=1)))
    for second in range(20):
        engine.apply(Timer(START_MS + 1_000 * second + 1))
        engine.propose(lambda: usdc(1_000))

    assert "more than 6000 trades in a minute" in engine.set_aside[0].reason


def test_a_strategy_keeps_the_name_it_began_with() -> None:
    """Changing its name while running does not open a fresh throttle: the wish is no longer its own."""

    def rename(event: Event, view: Any) -> Any:
        strategy.name = "fresh"
        return [buy(yes(), "0.50", "5", strategy="fresh")]

    strategy = Says(lambda *_: (), wakes=Wakes(trades=True))
    engine = an_engine(strategy)
    strategy._answer = rename
    engine.apply(TradePrint(yes(), price("0.50"), shares(1), taker_buys=True, at_ms=START_MS + 1))

    assert engine.propose(lambda: usdc(1_000)).signals == ()
    assert "with the name 'fresh'" in engine.set_aside[0].reason


@pytest.mark.parametrize(
    "strategies",
    [
        (Says(lambda *_: ()), Says(lambda *_: ())),
        (Says(lambda *_: (), wakes=Wakes(every_ms=0)),),
        (Says(lambda *_: (), name=7),),  # type: ignore[arg-type]
    ],
)
def test_strategies_that_cannot_be_told_apart_or_woken_are_errors(strategies: tuple[Strategy, ...]) -> None:
    """Equal names, a name that is no text and a timer of 0 ms are found before the run begins."""
    with pytest.raises(ConfigError):
        an_engine(*strategies)
