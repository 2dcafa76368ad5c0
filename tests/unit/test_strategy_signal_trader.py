"""SignalTrader: what makes it buy, what keeps it from buying, and when it lets go."""

from dataclasses import replace

import pytest

from polymarket_agent.domain.book import Side
from polymarket_agent.domain.events import MarketClosed
from polymarket_agent.domain.market import ConditionId, FeeSchedule
from polymarket_agent.domain.money import price, shares
from polymarket_agent.domain.order import TimeInForce
from polymarket_agent.domain.signal import Signal
from polymarket_agent.strategies.signal_trader import SignalTrader
from tests.unit.strategy_world import START_MS, World, a_market, no, yes

# Velocity alone decides, so that expectations can be computed by hand.
BY_VELOCITY = {"weight_velocity": 1, "weight_flow": 0, "weight_imbalance": 0}


def a_rise(
    strategy: SignalTrader, world: World, bids: tuple[str, ...] = ("0.50", "0.51", "0.52", "0.53")
) -> list[Signal]:
    """Let the mid move bid by bid over 45 s, ask one cent above; return the wishes of the last tick."""
    wishes: list[Signal] = []
    for bid in bids:
        ask = f"{float(bid) + 0.01:.2f}"
        world.mirrored(bid, ask)
        for _ in range(15):
            wishes = [wish for wish in world.tick(strategy) if isinstance(wish, Signal)]
            if wishes:
                return wishes
    return wishes


def entered(strategy: SignalTrader, world: World) -> Signal:
    wishes = a_rise(strategy, world)
    assert len(wishes) == 1
    return wishes[0]


def test_it_buys_what_rises() -> None:
    """A mid that moved 0.02 in the window is worth the whole reach: fair value 0.575, the ask of 0.53 is taken."""
    signal = entered(SignalTrader(**BY_VELOCITY), World(a_market()))

    assert (signal.asset_id, signal.side, signal.target_price) == (yes(), Side.BUY, price("0.53"))
    assert signal.confidence == 1.0
    assert signal.fair_value == pytest.approx(0.575)
    assert (signal.size, signal.time_in_force, signal.post_only) == (0, TimeInForce.FAK, False)


def test_it_buys_the_other_outcome_of_what_falls() -> None:
    """A falling first outcome is a rising second one: that is bought, and nothing is sold short."""
    wishes = a_rise(SignalTrader(**BY_VELOCITY), World(a_market()), ("0.55", "0.54", "0.53", "0.52"))

    assert [(wish.asset_id, wish.side, wish.target_price) for wish in wishes] == [(no(), Side.BUY, price("0.47"))]


def test_it_rests_inside_when_taking_costs_too_much() -> None:
    """With a fee of 0.015 a share each way, resting one cent above the bid still pays where the ask does not."""
    fees = FeeSchedule(rate=60_000)
    signal = None
    world, strategy = World(a_market(fees=fees)), SignalTrader(**BY_VELOCITY)
    for bid in ("0.49", "0.50", "0.51"):
        world.mirrored(bid, f"{float(bid) + 0.02:.2f}")
        for _ in range(15):
            signal = next(iter(world.tick(strategy)), signal)

    assert isinstance(signal, Signal)
    assert (signal.target_price, signal.time_in_force, signal.post_only) == (price("0.52"), TimeInForce.GTD, True)
    assert signal.expires_at_ms is not None
    assert signal.expires_at_ms > START_MS


def test_volume_and_imbalance_count_with_their_weights() -> None:
    """Velocity 1, flow 1 (five times the usual volume, bought) and imbalance 0.6 make 0.5 + 0.3 + 0.12."""
    strategy, world = SignalTrader(window_ms=60_000, cooldown_ms=0, min_confidence=0.9), World(a_market())
    world.mirrored("0.50", "0.51")
    for _ in range(30):
        world.tell(strategy, world.trade(yes(), "0.51", 10))
        world.tick(strategy, 10_000)
    world.tell(strategy, world.trade(no(), "0.48", 300, taker_buys=False))
    world.book(no(), [("0.47", 100)], [("0.48", 100)])
    world.book(yes(), [("0.52", 400)], [("0.53", 100)])
    (signal,) = world.tick(strategy, 1_000)

    assert isinstance(signal, Signal)
    assert signal.confidence == pytest.approx(0.92)


def test_it_does_not_buy_against_the_velocity() -> None:
    """A lopsided book alone, with a price that does not move, is no reason."""
    strategy = SignalTrader(weight_velocity=0, weight_flow=0, weight_imbalance=1)
    world = World(a_market())
    world.book(yes(), [("0.50", 1000)], [("0.51", 1)])

    assert [world.tick(strategy) for _ in range(60)] == [[]] * 60


def test_it_asks_once_and_then_waits() -> None:
    """After an entry the market is left alone for the cooldown, even if nothing came of it."""
    strategy, world = SignalTrader(**BY_VELOCITY), World(a_market())
    entered(strategy, world)

    assert [world.tick(strategy) for _ in range(20)] == [[]] * 20


def about_to_buy(strategy: SignalTrader, world: World) -> None:
    world.mirrored("0.50", "0.51")
    for _ in range(40):
        assert world.tick(strategy) == []
    world.mirrored("0.52", "0.53")


def spoil_spread(world: World) -> None:
    world.mirrored("0.50", "0.56")


def spoil_price(world: World) -> None:
    world.mirrored("0.96", "0.97")


def spoil_sides(world: World) -> None:
    world.book(yes(), [("0.53", 10)], [])


def spoil_trust(world: World) -> None:
    world.gap(yes(), no())


def spoil_position(world: World) -> None:
    world.fill(SignalTrader(), no(), Side.BUY, "0.40", 10)


def spoil_order(world: World) -> None:
    world.rest(SignalTrader(), yes(), Side.BUY, "0.40", 10)


def spoil_end(world: World) -> None:
    market = world.board.markets[ConditionId("m")]
    world.board.markets[ConditionId("m")] = replace(market, end_at_ms=world.now_ms + 60_000)


def spoil_fees(world: World) -> None:
    market = world.board.markets[ConditionId("m")]
    world.board.markets[ConditionId("m")] = replace(market, fees=FeeSchedule(rate=250_000))


@pytest.mark.parametrize(
    "spoil",
    [
        spoil_spread,
        spoil_price,
        spoil_sides,
        spoil_trust,
        spoil_position,
        spoil_order,
        spoil_end,
        spoil_fees,
    ],
)
def test_each_reason_not_to_buy_is_enough(spoil) -> None:
    """The rise that would be bought is not, when one thing about the market is wrong."""
    strategy, world = SignalTrader(**BY_VELOCITY), World(a_market())
    about_to_buy(strategy, world)
    spoil(world)

    assert [world.tick(strategy) for _ in range(5)] == [[]] * 5


def test_without_a_reason_against_it_the_same_rise_is_bought() -> None:
    """The counterpart of the test above: nothing spoiled, so it buys at the next tick."""
    strategy, world = SignalTrader(**BY_VELOCITY), World(a_market())
    about_to_buy(strategy, world)

    assert len(world.tick(strategy)) == 1


def test_a_gap_forgets_the_velocity() -> None:
    """The first mid after missing messages is compared with nothing from before them."""
    strategy, world = SignalTrader(**BY_VELOCITY), World(a_market())
    world.mirrored("0.50", "0.51")
    for _ in range(40):
        world.tick(strategy)
    world.tell(strategy, world.gap())
    world.mirrored("0.54", "0.55")

    assert [world.tick(strategy) for _ in range(20)] == [[]] * 20


def holding(bought_at: str = "0.50", fee: str = "0") -> tuple[SignalTrader, World]:
    strategy, world = SignalTrader(), World(a_market())
    world.mirrored("0.50", "0.51")
    world.tick(strategy)
    world.tell(strategy, world.fill(strategy, yes(), Side.BUY, bought_at, "12.34", fee))
    return strategy, world


@pytest.mark.parametrize(("bid", "word"), [("0.54", "profit"), ("0.47", "loss")])
def test_it_sells_at_profit_and_stop(bid: str, word: str) -> None:
    """0.04 above or 0.03 below the cost, exactly what is held goes at the displayed bid."""
    strategy, world = holding()
    world.mirrored(bid, f"{float(bid) + 0.01:.2f}")
    (signal,) = world.tick(strategy)

    assert isinstance(signal, Signal)
    assert (signal.side, signal.target_price, signal.time_in_force) == (Side.SELL, price(bid), TimeInForce.FAK)
    assert signal.quantity == shares("12.34")
    assert word in signal.reason


def test_fees_paid_count_into_the_cost() -> None:
    """0.20 of fee on 12.34 shares moves the cost to 0.5163: a bid of 0.54 is no profit of 0.04 then."""
    strategy, world = holding(fee="0.2")
    world.mirrored("0.54", "0.55")

    assert world.tick(strategy) == []


def test_it_sells_after_the_longest_holding_time() -> None:
    """A position that does nothing is given back after max_hold_ms."""
    strategy, world = holding()
    assert world.tick(strategy, 899_000) == []
    (signal,) = world.tick(strategy, 1_000)

    assert isinstance(signal, Signal)
    assert "held for 900 s" in signal.reason


@pytest.mark.parametrize("state", ["untrusted", "no bid", "promised", "dust"])
def test_it_does_not_sell_where_it_cannot(state: str) -> None:
    """No sale into an unknown or empty book, of shares promised elsewhere, or below the smallest order."""
    strategy, world = holding()
    world.mirrored("0.40", "0.41")
    if state == "untrusted":
        world.gap(yes())
    elif state == "no bid":
        world.book(yes(), [], [("0.41", 5)])
    elif state == "promised":
        world.rest(strategy, yes(), Side.SELL, "0.60", shares("12.34"))
    else:
        world.fill(strategy, yes(), Side.SELL, "0.40", "11")

    assert world.tick(strategy) == []


def test_it_sells_only_what_it_bought_itself() -> None:
    """Shares that another strategy bought in the same account are not its to sell."""
    strategy, world = SignalTrader(), World(a_market())
    other = SignalTrader()
    other.name = "other"
    world.mirrored("0.40", "0.41")
    world.tell(strategy, world.fill(other, yes(), Side.BUY, "0.90", 10))

    assert world.tick(strategy) == []


def test_a_closed_market_is_forgotten() -> None:
    """State of a market that is over is freed."""
    strategy, world = holding()
    world.tell(strategy, MarketClosed(ConditionId("m"), world.now_ms))

    assert (strategy._tracks, strategy._own.get(yes())) == ({}, None)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"window_ms": 0}, "window_ms is 0; allowed are numbers from 1000 to 86400000"),
        ({"min_confidence": 1.5}, "min_confidence is 1.5; allowed are numbers from 0.01 to 1"),
        ({"min_edge": float("nan")}, "min_edge is nan"),
        ({"every_ms": 1000.5}, "every_ms is 1000.5; allowed are whole numbers"),
        ({"take_profit": "0.0000001"}, "take_profit is 1E-7|take_profit is 0.0000001"),
        ({"reach": True}, "reach is True"),
        ({"stop_loss": "much"}, "stop_loss is 'much'"),
        ({"weight_flow": 0.9}, "add up to 1.6; allowed is 1"),
        ({"window_ms": 700_000}, "window_ms must be below baseline_ms"),
    ],
)
def test_a_param_out_of_range_is_refused_by_name(params, message: str) -> None:
    """The error names the param, the value and what is allowed."""
    with pytest.raises(ValueError, match=message):
        SignalTrader(**params)
