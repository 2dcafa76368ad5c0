from __future__ import annotations

from dataclasses import replace
from typing import Any

from polymarket_agent.decision.risk import reduces_risk
from polymarket_agent.decision.view import as_order
from polymarket_agent.domain.book import Side
from polymarket_agent.domain.market import FeeSchedule
from polymarket_agent.domain.money import shares, usdc
from polymarket_agent.domain.order import OrderCause, OrderState, TimeInForce
from tests.unit.agent_world import buy, sell
from tests.unit.risk_desk import EXIT, PLAIN, Desk
from tests.unit.strategy_world import START_MS, World, a_market, no, yes
from tests.unit.test_risk_rules import wide


def test_an_order_alone_stays_within_the_limit_though_a_pair_has_made_room() -> None:
    """A pair that pays more than it cost lowers exposure below 0; a single order still keeps to max_position_size."""
    desk = Desk(limits={"max_position_size": 20})
    desk.hold(yes(), 100)
    desk.hold(no(), 100)

    said = desk.said(buy(yes(), "0.50", "25"))

    assert "lower the size to 20.00" in said["max_position_size"]
    assert desk.said(buy(yes(), "0.50", "20")) == {}


def test_e10_an_order_that_may_still_be_alive_counts() -> None:
    """E10: limit 100, used 80 with an order of unknown fate among it; 25 more are refused, 20 pass."""
    desk = Desk()
    desk.hold(yes(), 100, "0.50")
    unknown = desk.order(buy(yes(), "0.45", "30"))
    submitted = replace(unknown, state=OrderState.SUBMITTED)
    desk.world.account.apply_order(submitted.move(OrderCause.NO_ANSWER, START_MS))

    assert "25.00 USDC" in desk.said(buy(yes(), "0.50", "25"))["max_position_size"]
    assert set(desk.said(buy(yes(), "0.50", "20"))) == {"breakers"}  # no limit of amounts; C18 waits for the fate


def e11() -> Desk:
    fees = FeeSchedule(rate=40_000)
    desk = Desk(World(a_market(fees=fees)))
    owner: Any = type("Owner", (), {"name": "s"})()
    desk.world.fill(owner, yes(), Side.BUY, "0.40", 100, fee="0.96")
    desk.world.fill(owner, no(), Side.BUY, "0.55", 60, fee="0.594")
    return desk


def test_e11_a_sale_that_breaks_a_pair_is_an_entry() -> None:
    """E11: selling all 100 YES of a pair raises exposure from 14.554 to 33.594, so entry limits bind it."""
    desk = e11()
    sale = sell(yes(), "0.48", "100")
    market = desk.world.board.market_by_asset[yes()]

    assert desk.view().exposure(market) == usdc("14.554")
    assert desk.view().exposure(market, more=as_order(sale, market)) == usdc("33.594")
    assert not reduces_risk(sale, desk.view())
    desk.limits["max_position_size"] = 33
    assert "33.59 USDC could then be lost; max_position_size is 33.00" in desk.said(sale)["max_position_size"]
    desk.loss = "50"
    assert "max_daily_loss" in desk.said(sale)


def test_e11_selling_what_is_beyond_the_pair_is_an_exit() -> None:
    """The 40 YES that no NO stands against can be sold whatever the limits say."""
    desk = e11()
    desk.limits["max_position_size"] = 1
    desk.loss = "50"

    assert desk.said(sell(yes(), "0.48", "40")) == {}


def test_a_sale_in_the_book_counts_before_it_is_filled() -> None:
    """Two sales of 40 that each leave the pair whole break it together, so the second one is no exit."""
    desk = e11()
    desk.live(sell(yes(), "0.60", "40"))

    assert not reduces_risk(sell(yes(), "0.48", "40"), desk.view())
    desk.pending.append(sell(yes(), "0.60", "40"))
    assert "20.00 are free" in desk.said(sell(yes(), "0.48", "40"))["means"]


def test_a_resting_quote_without_a_fill_is_no_repetition() -> None:
    """Pending legs that rest are not counted as trades; legs that take are."""
    desk = Desk(limits={"entries_per_minute": 1})
    desk.pending = [replace(buy(yes(), "0.40", "5"), post_only=True)]
    assert desk.said(PLAIN) == {}
    desk.pending = [replace(buy(yes(), "0.40", "5"), time_in_force=TimeInForce.FAK)]

    assert "repetition" in desk.said(PLAIN)


def test_a_fresh_trade_stands_in_for_a_wide_book() -> None:
    """With a wide spread the last trade of five minutes is the reference, an older or a future one is not."""
    desk = Desk()
    signal = wide(desk)
    desk.world.board.apply(desk.world.trade(yes(), "0.58", 5))
    assert "collar" not in desk.said(signal)

    for away in (-301_000, 301_000):
        desk.world.now_ms = START_MS - away
        assert "collar" in desk.said(signal)


def test_nothing_after_the_shape_is_judged_when_the_shape_is_wrong() -> None:
    """A signal that is none gets one refusal: the other rules need valid input."""
    desk = Desk(loss="900", age_ms=None)

    assert set(desk.said(replace(PLAIN, confidence=float("nan")))) == {"shape"}


def test_free_shares_are_counted_once_among_legs() -> None:
    """Two legs of one basket cannot promise the same shares."""
    desk = Desk()
    desk.hold(yes(), 15)
    desk.pending = [EXIT]

    assert desk.view().free_shares(yes()) == shares(5)
    assert "5.00 are free" in desk.said(sell(yes(), "0.49", "10"))["means"]
