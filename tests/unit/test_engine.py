from __future__ import annotations

from dataclasses import replace

from polymarket_agent.config import AggregationConfig, RiskConfig, SizingConfig
from polymarket_agent.decision.engine import Engine
from polymarket_agent.decision.sizing import Sizing
from polymarket_agent.domain.board import Board
from polymarket_agent.domain.book import Side
from polymarket_agent.domain.events import BookDelta, Event, Filled, MarketListed, OrderUpdated, Timer, TradePrint
from polymarket_agent.domain.market import AssetId, ConditionId
from polymarket_agent.domain.money import Price, Shares, Usdc, price, shares, usdc
from polymarket_agent.domain.order import OrderId
from polymarket_agent.domain.portfolio import Account
from polymarket_agent.domain.signal import Basket, Cancel, Quote, TargetQuotes
from polymarket_agent.strategies.base import Strategy, Wakes
from tests.unit.agent_world import START_MS, Says, a_market, buy, opening, sell, yes
from tests.unit.strategy_world import World

GOOD = buy(yes(), "0.50", "5", strategy="good")


def a_quote(at: int) -> Quote:
    return Quote(yes(), Side.BUY, Price(at), Shares(5_000_000))


def an_engine(*strategies: Strategy) -> Engine:
    account = Account(usdc(1_000))
    risk = RiskConfig.model_validate({"max_position_size": 100})
    sizing = Sizing(SizingConfig(), risk)
    engine = Engine(Board(), account, strategies, aggregation=AggregationConfig(), sizing=sizing)
    for event in opening(a_market()):
        engine.apply(event)
    engine.propose(lambda: usdc(1_000))
    return engine


def delta(at: str, size: int, at_ms: int) -> BookDelta:
    return BookDelta(((yes(), True, price(at), shares(size)),), at_ms)


def wakes_of(wakes: Wakes, *events: Event) -> int:
    strategy = Says(lambda *_: (), wakes=wakes)
    engine = an_engine(strategy)
    before = strategy.asked
    for event in events:
        engine.apply(event)
        if engine.due:
            engine.propose(lambda: Usdc(0))
    return strategy.asked - before


def test_a_strategy_is_asked_only_when_what_it_waits_for_happens() -> None:
    """book wakes on every change, top only when a best moved, trades and lifecycle on theirs."""
    deep, best = delta("0.40", 5, START_MS + 1), delta("0.49", 5, START_MS + 2)
    trade = TradePrint(yes(), price("0.50"), shares(1), taker_buys=True, at_ms=START_MS + 3)
    listed = MarketListed(a_market("n"), START_MS + 4)
    events = (deep, best, trade, listed)

    assert wakes_of(Wakes(book=True), *events) == 2
    assert wakes_of(Wakes(top=True), *events) == 1
    assert wakes_of(Wakes(trades=True), *events) == 1
    assert wakes_of(Wakes(lifecycle=True), *events) == 1
    assert wakes_of(Wakes(), *events) == 0


def test_a_timer_wakes_once_an_interval() -> None:
    """every_ms counts by the clock of the events, and a long silence is one wake and not many."""
    times = (999, 1_000, 1_001, 1_999, 2_000, 60_000)
    strategy = Says(lambda *_: (), wakes=Wakes(every_ms=1_000))
    engine = an_engine(strategy)
    began = strategy.asked
    seen = []
    for each in times:
        engine.apply(Timer(START_MS + each))
        engine.propose(lambda: Usdc(0))
        seen.append(strategy.asked - began)

    assert seen == [0, 1, 1, 1, 2, 3]


def test_fills_wake_their_strategy_and_no_other() -> None:
    """An order or fill of one strategy is no business of another."""
    mine = Says(lambda *_: (), "mine", Wakes(fills=True))
    other = Says(lambda *_: (), "other", Wakes(fills=True))
    engine = an_engine(mine, other)
    world = World(a_market())
    fill = world.fill(mine, yes(), Side.BUY, "0.40", 10)
    order = world.rest(mine, yes(), Side.BUY, "0.40", 10)
    engine.apply(Filled(fill.fill, START_MS))
    engine.apply(OrderUpdated(order, START_MS))
    engine.propose(lambda: Usdc(0))

    assert (mine.asked, other.asked) == (2, 0)


def test_exits_come_before_entries_and_entries_before_quotes() -> None:
    """Risk is taken off before any is put on, whatever the order of asking."""
    world_wish = [
        TargetQuotes(strategy="s", condition_id=ConditionId("m"), quotes=(a_quote(400_000),), reason=""),
        buy(yes(), "0.50", "5"),
        sell(AssetId("unknown"), "0.48", "5"),
    ]
    engine = an_engine(strategy := Says(lambda *_: (), wakes=Wakes(trades=True)))
    strategy._answer = lambda *_: world_wish
    engine.apply(TradePrint(yes(), price("0.50"), shares(1), taker_buys=True, at_ms=START_MS + 1))
    signals = engine.propose(lambda: usdc(1_000)).signals

    assert [(s.side, s.post_only) for s in signals] == [(Side.SELL, False), (Side.BUY, False), (Side.BUY, True)]
    assert len({s.signal_id for s in signals}) == 3


def test_a_basket_of_an_unknown_market_has_no_order_and_a_reason() -> None:
    """All legs are known or none is ordered."""
    legs = (buy(yes(), "0.50", "5"), buy(AssetId("unknown"), "0.48", "5"))
    engine = an_engine(strategy := Says(lambda *_: (), wakes=Wakes(trades=True)))
    strategy._answer = lambda *_: [Basket(strategy="s", legs=legs, reason="pair")]
    engine.apply(TradePrint(yes(), price("0.50"), shares(1), taker_buys=True, at_ms=START_MS + 1))
    proposals = engine.propose(lambda: usdc(1_000))

    assert proposals.baskets == ()
    assert {why for _, why in proposals.unsized} == {"a leg of this basket belongs to no market that is known"}


def test_time_in_the_engine_never_goes_back() -> None:
    """An event that is older than those before does not set timers back."""
    engine = an_engine(Says(lambda *_: ()))
    engine.apply(Timer(START_MS + 5_000))
    engine.apply(Timer(START_MS))

    assert engine.now_ms == START_MS + 5_000


def test_a_cancel_passes_whatever_else_is_wrong() -> None:
    """Taking an order off is never sized, voted on or checked."""
    strategy = Says(lambda *_: (), wakes=Wakes(trades=True))
    engine = an_engine(strategy)
    world = World(a_market())
    order = world.rest(strategy, yes(), Side.BUY, "0.40", 10)
    engine.account.apply_order(order)
    cancel = Cancel(strategy="s", order_id=OrderId(order.order_id), reason="")
    strategy._answer = lambda *_: [cancel, replace(GOOD, strategy="s", target_price=Price(-1))]
    engine.apply(TradePrint(yes(), price("0.50"), shares(1), taker_buys=True, at_ms=START_MS + 1))

    assert engine.propose(lambda: usdc(1_000)).cancels == (cancel,)
