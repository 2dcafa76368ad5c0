"""TechnicalAnalyst: bars, votes, entries where they agree, exits where they turn."""

import pytest

from polymarket_agent.domain.book import Side
from polymarket_agent.domain.events import MarketResolved
from polymarket_agent.domain.market import ConditionId
from polymarket_agent.domain.money import MICRO, price
from polymarket_agent.domain.order import TimeInForce
from polymarket_agent.domain.signal import Signal
from polymarket_agent.strategies.technical import Rules, TechnicalAnalyst
from tests.unit.strategy_world import START_MS, World, a_market, no, yes

DAY_MS = 86_400_000
QUICK = {"fast": 2, "slow": 4, "rsi": 3, "bands": 4, "memory": 2, "squeeze_ratio": 1.5, "oversold": 5}
# Falls slowly, moves sideways, then breaks out upwards.
BREAKOUT = [400_000, 395_000, 390_000, 390_000, 385_000, 390_000, 385_000, 390_000, 385_000, 430_000]


def rules(**changes) -> Rules:
    return Rules(**(QUICK | changes))


def walk(strategy: TechnicalAnalyst, world: World, closes: list[int], bar_ms: int = 60_000) -> list[Signal]:
    """Show one mid a bar, a cent below and above, and collect the wishes; a bar is sampled four times."""
    signals: list[Signal] = []
    for close in closes:
        world.mirrored(f"{(close - 10_000) / MICRO:.3f}", f"{(close + 10_000) / MICRO:.3f}")
        for _ in range(4):
            signals += [wish for wish in world.tick(strategy, bar_ms // 4) if isinstance(wish, Signal)]
    return signals


def a_world() -> World:
    return World(a_market(tick="0.001"))


def test_a_breakout_gets_all_three_votes() -> None:
    """After a quiet slide the jump crosses the averages, lifts the index above 50 and closes above the bands."""
    votes = rules()
    for close in BREAKOUT:
        votes.close(close)

    assert (votes.cross, votes.momentum, votes.breakout) == (1, 1, 1)


def test_the_mirror_image_gets_the_opposite_votes() -> None:
    """Votes on 1 - price are the votes on price with the sign turned: neither outcome is favoured."""
    upright, mirrored = rules(), rules()
    for close in BREAKOUT:
        upright.close(close)
        mirrored.close(MICRO - close)
        assert (mirrored.cross, mirrored.momentum) == (-upright.cross, -upright.momentum)

    assert mirrored.total == -3


def test_a_cross_is_forgotten_after_memory_bars() -> None:
    """The crossing itself votes in this bar and the next; being above without having crossed is no vote."""
    votes = rules()
    for close in BREAKOUT:
        votes.close(close)
    seen = []
    for _ in range(3):
        votes.close(430_000)
        seen.append(votes.cross)

    assert seen == [1, 0, 0]


def test_a_spent_move_has_no_momentum() -> None:
    """An index of 100 is beyond the overbought line: no vote for going on."""
    votes = rules(oversold=25)
    for step in range(8):
        votes.close(400_000 + step * 10_000)

    assert votes.momentum == 0


def test_votes_that_contradict_each_other_are_not_unanimous() -> None:
    """One for and one against is a disagreement; for and abstaining is none."""
    votes = rules()
    votes.cross, votes.momentum, votes.breakout = 1, 1, -1
    disagreeing = votes.unanimous
    votes.breakout = 0

    assert (disagreeing, votes.unanimous, votes.total) == (False, True, 2)


def test_it_buys_a_breakout_once() -> None:
    """Three votes are full confidence: fair value is the mid of 0.43 plus the reach of 0.05, and the ask is taken."""
    (signal,) = walk(TechnicalAnalyst(**QUICK), a_world(), [*BREAKOUT, 430_000])

    assert (signal.asset_id, signal.side, signal.target_price) == (yes(), Side.BUY, price("0.44"))
    assert signal.confidence == 1.0
    assert signal.fair_value == pytest.approx(0.48)
    assert (signal.size, signal.time_in_force) == (0, TimeInForce.FAK)


def test_it_buys_the_other_outcome_of_a_breakdown() -> None:
    """The mirror image buys the second outcome at the same price."""
    (signal,) = walk(TechnicalAnalyst(**QUICK), a_world(), [MICRO - close for close in [*BREAKOUT, 430_000]])

    assert (signal.asset_id, signal.target_price) == (no(), price("0.44"))


def test_it_works_on_daily_closes() -> None:
    """The same closes a day apart give the same entry: the bars are what counts, not the clock."""
    strategy = TechnicalAnalyst(bar_ms=DAY_MS, **QUICK)
    (signal,) = walk(strategy, a_world(), [*BREAKOUT, 430_000], DAY_MS)

    assert (strategy.wakes.every_ms, signal.target_price) == (DAY_MS // 4, price("0.44"))


@pytest.mark.parametrize("change", [{"min_price": 0.45}, {"max_spread": 0.01}, {"min_edge": 0.06}, {"slow": 500}])
def test_each_reason_not_to_buy_is_enough(change) -> None:
    """Too near 0, too wide, too little edge, or not enough bars: the same breakout is left alone."""
    assert walk(TechnicalAnalyst(**(QUICK | change | {"min_votes": 3})), a_world(), [*BREAKOUT, 430_000]) == []


def test_it_does_not_buy_near_the_end() -> None:
    """With less than a bar left there is no time for the opinion to come true."""
    ending = World(a_market(tick="0.001", end_at_ms=START_MS + len(BREAKOUT) * 60_000 + 30_000))

    assert walk(TechnicalAnalyst(**QUICK), ending, [*BREAKOUT, 430_000]) == []


def test_it_does_not_add_to_a_position() -> None:
    """A market in which something is held of either outcome is left alone."""
    world = a_world()
    world.fill(TechnicalAnalyst(), no(), Side.BUY, "0.5", 10)

    assert walk(TechnicalAnalyst(**QUICK), world, [*BREAKOUT, 430_000]) == []


def test_a_bar_without_a_book_does_not_exist() -> None:
    """While nothing can be trusted no bar is closed, and no price is made up."""
    strategy, world = TechnicalAnalyst(**QUICK), a_world()
    walk(strategy, world, BREAKOUT[:3])
    world.gap()
    before = strategy._series[ConditionId("m")].rules._fast.value
    for _ in range(40):
        world.tick(strategy, 15_000)

    assert strategy._series[ConditionId("m")].rules._fast.value == before


def test_a_one_sided_book_is_priced_by_its_last_trade() -> None:
    """Without a mid the last trade is the price of the bar."""
    strategy, world = TechnicalAnalyst(**QUICK), a_world()
    world.book(yes(), [("0.4", 10)], [])
    world.board.apply(world.trade(yes(), "0.42", 5))
    world.tick(strategy, 15_000)

    assert strategy._series[ConditionId("m")].last == price("0.42")


def holding(**params) -> tuple[TechnicalAnalyst, World]:
    strategy, world = TechnicalAnalyst(**(QUICK | params)), a_world()
    walk(strategy, world, [500_000])
    world.tell(strategy, world.fill(strategy, yes(), Side.BUY, "0.5", 20))
    return strategy, world


def test_it_sells_at_the_stop() -> None:
    """A bid 0.06 below the cost is enough, whatever the votes; all 20 shares go at the bid."""
    strategy, world = holding()
    (signal, *_) = walk(strategy, world, [450_000])

    assert (signal.side, signal.target_price, signal.quantity) == (Side.SELL, price("0.44"), 20 * MICRO)
    assert "stop" in signal.reason


def test_it_sells_when_the_votes_turn() -> None:
    """Closes that fall give the first outcome a negative vote, and what is held of it goes."""
    strategy, world = holding(stop_loss=0.5)
    (signal, *_) = walk(strategy, world, [510_000, 505_000, 510_000, 500_000, 490_000])

    assert "votes turned" in signal.reason


def test_it_sells_after_max_hold_bars() -> None:
    """Nothing happened for five bars: the shares go back."""
    strategy, world = holding(max_hold_bars=5)
    (signal, *_) = walk(strategy, world, [500_000] * 6)

    assert "held for 5 bars" in signal.reason


def test_a_resolved_market_is_forgotten() -> None:
    """State of a market that is over is freed."""
    strategy, world = holding()
    world.tell(strategy, MarketResolved(ConditionId("m"), (MICRO, 0), world.now_ms))

    assert (strategy._series, strategy._own.get(yes())) == ({}, None)


def test_the_fast_average_must_be_faster() -> None:
    """Averages that cannot cross are refused when it is built, by name."""
    with pytest.raises(ValueError, match="fast is 20 and slow is 15; fast must be below slow"):
        TechnicalAnalyst(fast=20)
