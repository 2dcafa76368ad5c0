from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymarket_agent.config import RiskConfig, SizingConfig
from polymarket_agent.decision.sizing import Sized, Sizing, kelly_fraction_of
from polymarket_agent.domain.book import Side
from polymarket_agent.domain.market import NO_FEE, FeeSchedule, Market
from polymarket_agent.domain.money import MICRO, Price, Shares, Usdc, decimal_text, price, shares, usdc
from polymarket_agent.domain.order import TimeInForce
from polymarket_agent.domain.portfolio import worst_cost
from polymarket_agent.domain.signal import Basket, Signal
from tests.unit.agent_world import buy, sell, take
from tests.unit.strategy_world import World, a_market, no, yes

OWNER: Any = type("Owner", (), {"name": "s"})()
FEES = FeeSchedule(rate=50_000)


def sizing(risk: dict[str, object] | None = None, **config: object) -> Sizing:
    limits = {"max_position_size": 100} | (risk or {})
    return Sizing(SizingConfig.model_validate(config), RiskConfig.model_validate(limits))


def sized(signal: Signal, world: World, tool: Sizing | None = None, equity: str = "1000") -> Sized:
    market = world.board.market_by_asset[signal.asset_id]
    book = world.board.books[signal.asset_id]
    return (tool or sizing()).size(signal, market, book, world.account, usdc(equity))


def a_world(cash: str = "1000", fees: FeeSchedule = NO_FEE, size: int = 1_000) -> World:
    world = World(a_market(fees=fees), cash=cash)
    world.mirrored("0.48", "0.50", size=size)
    return world


def shares_of(result: Sized) -> Shares:
    assert result.signal is not None, result.reason
    return result.signal.quantity


def test_fixed_spends_the_same_on_every_signal() -> None:
    """Method fixed spends fixed_size, to the lot below, whatever the equity."""
    tool = sizing(fixed_size="10")

    assert shares_of(sized(buy(yes(), "0.48"), a_world(), tool)) == shares("20.83")
    assert shares_of(sized(buy(yes(), "0.48"), a_world(), tool, equity="20")) == shares("20.83")


@pytest.mark.parametrize(
    ("fair", "cost", "fraction"), [(0.6, "0.5", 0.2), (0.5, "0.5", 0.0), (0.4, "0.5", -0.2), (0.9, "1", 0.0)]
)
def test_kelly_is_the_edge_over_the_odds(fair: float, cost: str, fraction: float) -> None:
    """f = (q - c) / (1 - c): positive with an edge, zero without, negative against one."""
    assert kelly_fraction_of(fair, usdc(cost)) == pytest.approx(fraction)


def test_kelly_spends_its_part_of_the_equity() -> None:
    """A quarter of full Kelly, times confidence, of the equity: 1000 * 0.2 * 0.25 * 0.8 = 40, never rounded up."""
    tool = sizing(method="kelly", max_stake_fraction="0.5")
    signal = buy(yes(), "0.50", fair_value=0.6, confidence=0.8)

    assert shares("79.99") <= shares_of(sized(signal, a_world(), tool)) <= shares(80)


def test_kelly_never_stakes_more_than_its_cap() -> None:
    """However sure the strategy is, max_stake_fraction of the equity is the most."""
    tool = sizing(method="kelly", max_stake_fraction="0.02")

    assert shares_of(sized(buy(yes(), "0.50", fair_value=1.0), a_world(), tool)) == shares(40)


@pytest.mark.parametrize("fair", [None, 0.5, 0.504, 0.3])
def test_no_edge_means_no_order(fair: float | None) -> None:
    """Kelly without a fair value, or with one not min_edge above the cost, spends nothing and says so."""
    result = sized(buy(yes(), "0.50", fair_value=fair), a_world(), sizing(method="kelly"))

    assert result.signal is None
    assert result.reason.startswith("no edge")


def test_a_fee_can_eat_the_edge() -> None:
    """What costs 0.5 and a fee of 0.0125 has no edge at a fair value of 0.515, unless it only rests."""
    signal = buy(yes(), "0.50", fair_value=0.515)

    assert "0.0025 a share after fees, 0.005 is wanted" in sized(signal, a_world(fees=FEES)).reason
    assert sized(replace(signal, post_only=True), a_world(fees=FEES)).signal is not None


@pytest.mark.parametrize(
    ("world", "risk", "most"),
    [
        (a_world(cash="5"), {}, "10"),
        (a_world(cash="50"), {"cash_reserve": "45"}, "10"),
        (a_world(), {"max_position_size": "5"}, "10"),
        (a_world(size=7), {}, "7"),
    ],
)
def test_a_wish_is_cut_to_cash_room_and_depth(world: World, risk: dict[str, object], most: str) -> None:
    """Free cash above the reserve, room in the market, and what is displayed bound every wish."""
    assert shares_of(sized(take(yes(), "0.50", "90"), world, sizing(risk))) == shares(most)


def test_depth_ends_where_slippage_does() -> None:
    """Levels worse than max_slippage from the best are not counted on, even within the limit price."""
    world = a_world()
    world.book(yes(), [("0.48", 9)], [("0.50", 10), ("0.52", 10), ("0.53", 100)])

    assert shares_of(sized(take(yes(), "0.60", "50"), world)) == shares(20)


def test_a_resting_order_is_not_bounded_by_depth() -> None:
    """What joins the queue needs nobody displayed against it; what only takes does."""
    assert shares_of(sized(buy(yes(), "0.40", "40"), a_world(size=1))) == shares(100)
    assert "displayed depth: nothing left" in sized(take(yes(), "0.40", "40"), a_world()).reason


def test_a_pair_makes_no_order_larger_than_the_limit() -> None:
    """A pair that pays more than it cost leaves room for one order of max_position_size, and not for more."""
    world = a_world()
    world.fill(OWNER, yes(), Side.BUY, "0.40", 100)
    world.fill(OWNER, no(), Side.BUY, "0.40", 100)

    assert shares_of(sized(buy(yes(), "0.40", "90"), world, sizing({"max_position_size": "10"}))) == shares(25)


def test_too_little_is_no_order() -> None:
    """Below the market's minimum after bounding there is no order, and the bound is named."""
    result = sized(buy(yes(), "0.50"), a_world(cash="2"))

    assert result.reason == "no order after bounding by free cash: 4 shares are below the market's minimum of 5"


@pytest.mark.parametrize(
    ("signal", "at"), [(buy(yes(), "0.4899", "10"), "0.48"), (sell(yes(), "0.4711", "10"), "0.48")]
)
def test_a_price_goes_to_the_grid_never_worse_than_the_wish(signal: Signal, at: str) -> None:
    """Before the gate a buy is rounded down to the tick size and a sale up."""
    world = a_world()
    world.fill(OWNER, yes(), Side.BUY, "0.40", 20)
    result = sized(signal, world)

    assert result.signal is not None
    assert result.signal.target_price == price(at)


def test_a_wish_below_the_first_tick_is_no_order() -> None:
    """A buy at less than one tick size rounds down to a price of 0, which is none."""
    assert "price of 0" in sized(replace(buy(yes(), "0.5", "10"), target_price=Price(9_999)), a_world()).reason


def test_an_exit_sells_what_is_free_and_no_more() -> None:
    """A sale without a size is all that no other sale is promised; a larger wish is cut to it."""
    world = a_world()
    world.fill(OWNER, yes(), Side.BUY, "0.40", 30)
    world.rest(OWNER, yes(), Side.SELL, "0.60", 10)

    assert shares_of(sized(sell(yes(), "0.48"), world)) == shares(20)
    assert shares_of(sized(sell(yes(), "0.48", "500"), world)) == shares(20)
    assert shares_of(sized(sell(yes(), "0.48", "7"), world)) == shares(7)


def test_an_exit_leaves_a_thin_book_in_parts() -> None:
    """What takes is cut to the bids within max_slippage, because as a whole the gate would refuse it for ever."""
    world = a_world()
    world.fill(OWNER, yes(), Side.BUY, "0.40", 100)
    world.book(yes(), [("0.48", 10), ("0.46", 15), ("0.40", 500)], [("0.50", 9)])
    dump = sell(yes(), "0.40", time_in_force=TimeInForce.FAK)

    assert shares_of(sized(dump, world)) == shares(25)


def test_no_shares_and_no_bids_are_told_apart() -> None:
    """The reason for no exit says whether nothing is held or nobody bids."""
    world = a_world()
    assert sized(sell(yes(), "0.48"), world).reason == "no exit: no free shares"
    world.fill(OWNER, yes(), Side.BUY, "0.40", 100)

    assert "nobody bids" in sized(sell(yes(), "0.60", time_in_force=TimeInForce.FAK), world).reason


def a_basket(*legs: Signal, quantity: int = 0) -> Basket:
    return Basket(strategy="s", legs=legs, reason="pair", quantity=shares(quantity))


@pytest.mark.parametrize(
    ("cash", "limit", "quantity", "most"),
    [("1000", "100", 50, "50"), ("48.5", "100", 80, "50"), ("1000", "48.5", 80, "50"), ("1000", "100", 0, "20")],
)
def test_every_leg_of_a_basket_gets_the_same_shares(cash: str, limit: str, quantity: int, most: str) -> None:
    """Cash for all legs together and the room of their market bound the basket; 0 leaves it to fixed_size."""
    world = World(a_market(), cash=cash)
    basket = a_basket(buy(yes(), "0.50"), buy(no(), "0.47"), quantity=quantity)
    tool = sizing({"max_position_size": limit}, fixed_size="10")

    result, why = tool.size_basket(basket, [a_market()] * 2, world.account)

    assert result is not None, why
    assert {leg.quantity for leg in result.legs} == {shares(most)}


def test_a_basket_that_sells_is_bounded_by_what_is_held() -> None:
    """Sales need shares and no cash."""
    world = World(a_market(), cash="1000")
    world.fill(OWNER, yes(), Side.BUY, "0.40", 30)
    world.fill(OWNER, no(), Side.BUY, "0.40", 25)
    basket = a_basket(sell(yes(), "0.55"), sell(no(), "0.50"), quantity=80)

    result, _ = sizing().size_basket(basket, [a_market()] * 2, world.account)

    assert result is not None
    assert result.quantity == shares(25)


@given(
    cash=st.integers(1, 10**10),
    limit=st.integers(MICRO, 10**9),
    tick=st.integers(1, 99),
    rate=st.integers(0, MICRO),
    exponent=st.integers(0, 4),
    post_only=st.booleans(),
)
def test_a_size_is_never_rounded_above_a_limit(
    cash: int, limit: int, tick: int, rate: int, exponent: int, post_only: bool
) -> None:
    """Whatever the fees, what is sized reserves at most the free cash and max_position_size, to the micro-unit."""
    market: Market = a_market(fees=FeeSchedule(rate, exponent))
    world = World(market)
    world.account.cash = Usdc(cash)
    risk = RiskConfig.model_validate({"max_position_size": decimal_text(limit)})
    signal = replace(buy(yes(), "0.5", "100000"), target_price=Price(tick * 10_000), post_only=post_only)

    result = Sizing(SizingConfig(), risk).size(signal, market, None, world.account, Usdc(cash))

    if result.signal is not None:
        got = result.signal
        cost = worst_cost(Side.BUY, got.target_price, got.quantity, market.fees, post_only=post_only)
        assert cost <= min(cash, limit)
        more = Shares(got.quantity + 20_000)
        assert worst_cost(Side.BUY, got.target_price, more, market.fees, post_only=post_only) > min(cash, limit) * 0.98


@given(
    cash=st.integers(10 * MICRO, 50 * MICRO),
    rates=st.lists(st.integers(0, MICRO), min_size=2, max_size=6),
    tick=st.integers(1, 999),
)
def test_a_basket_is_never_rounded_above_the_cash(cash: int, rates: list[int], tick: int) -> None:
    """The legs of a basket together reserve at most what is free, though each leg's fee is rounded up."""
    markets = [a_market(f"m{n}", fees=FeeSchedule(rate), tick="0.001") for n, rate in enumerate(rates)]
    legs = [replace(buy(yes(f"m{n}"), "0.5"), target_price=Price(tick * 1_000)) for n in range(len(rates))]
    account = World(*markets).account
    account.cash = Usdc(cash)

    basket, _ = sizing({"max_position_size": "1000"}).size_basket(a_basket(*legs, quantity=10_000), markets, account)

    if basket is not None:
        costs = [
            worst_cost(Side.BUY, leg.target_price, leg.quantity, market.fees, post_only=False)
            for leg, market in zip(basket.legs, markets, strict=True)
        ]
        assert sum(costs) <= cash
