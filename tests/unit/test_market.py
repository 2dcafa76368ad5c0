"""Markets: fees against the official client's numbers, payouts, and the two outcomes never mistaken."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from polymarket_agent.domain.market import (
    TICK_SIZES,
    AssetId,
    FeeSchedule,
    MarketGroup,
    MarketState,
    is_position_id,
    most_taker_fee,
    position_id_fields,
    running_fee,
    taker_fee,
)
from polymarket_agent.domain.money import MICRO, Price, Shares, Usdc, price, shares, usdc
from polymarket_agent.errors import VenueDataError
from tests.trading_world import NO, YES, a_market


def test_fees_are_those_of_the_official_client(shared_data: Path) -> None:
    """Each recorded fee vector is met, rounded up to the venue's unit of 0.00001 USDC."""
    for vector in json.loads((shared_data / "vectors" / "vectors.json").read_text())["platform_fee"]:
        schedule = FeeSchedule(rate=int(Decimal(str(vector["rate"])) * MICRO), exponent=vector["exponent"])
        for at, expected in vector["cases"]:
            exact = Decimal(str(expected)).scaleb(6)
            fee = taker_fee(price(str(at)), shares(vector["shares"]), schedule)
            assert 0 <= fee - exact < 10
            assert fee % 10 == 0


@pytest.mark.parametrize(
    ("at", "quantity", "rate", "fee"),
    [("0.5", "100", 40_000, "1"), ("0.5", "10", 50_000, "0.125"), ("0.1", "50", 50_000, "0.225"), ("0.4", "0", 1, "0")],
)
def test_worked_fees_come_out_exactly(at: str, quantity: str, rate: int, fee: str) -> None:
    """The examples of the wire specification and of E1, to the micro-unit."""
    assert taker_fee(price(at), shares(quantity), FeeSchedule(rate)) == usdc(fee)


def test_a_fee_of_several_levels_is_rounded_once() -> None:
    """Forty levels of dust cost one rounding, not forty; each alone would cost a whole fee unit."""
    dust = [(Price(10_000 * n), Shares(1)) for n in range(1, 41)]
    schedule = FeeSchedule(50_000)
    assert running_fee(dust, schedule) == 10
    assert sum(taker_fee(at, quantity, schedule) for at, quantity in dust) == 400


@pytest.mark.parametrize("exponent", [0, 1, 2])
def test_no_price_within_the_limit_costs_more_than_the_bound(exponent: int) -> None:
    """`most_taker_fee` of the amount holds for every better price, also when that gives more shares."""
    schedule = FeeSchedule(70_000, exponent)
    amount = usdc("5.0001")
    for cents in range(1, 100):
        at = Price(cents * 10_000)
        bought = Shares(amount * MICRO // at)
        assert taker_fee(at, bought, schedule) <= most_taker_fee(amount, bought, schedule)


@pytest.mark.parametrize("wrong", [(-1, 1), (MICRO + 1, 1), (1, 5), (1, -1)])
def test_an_impossible_fee_schedule_is_refused(wrong: tuple[int, int]) -> None:
    """Rates lie in [0, 1] and exponents in 0..4."""
    with pytest.raises(VenueDataError):
        FeeSchedule(*wrong)


def test_outcomes_are_never_mistaken() -> None:
    """Label, complement and payout belong to the asset asked for; a stranger's asset raises and is not the second."""
    market = a_market().resolved((MICRO, 0))
    assert (market.label_of(YES), market.label_of(NO)) == ("Yes", "No")
    assert (market.complement_of(YES), market.complement_of(NO)) == (NO, YES)
    assert (market.payout_of(YES), market.payout_of(NO)) == (MICRO, 0)
    assert a_market().payout_of(YES) is None
    for ask in (market.label_of, market.complement_of, market.payout_of):
        with pytest.raises(VenueDataError, match="no such asset"):
            ask(AssetId("33"))


@pytest.mark.parametrize("payouts", [(1, 0), (MICRO, MICRO), (-1, MICRO + 1), (0, 0)])
def test_payouts_share_out_exactly_one_dollar(payouts: tuple[int, int]) -> None:
    """A resolution pays 1 USDC a pair, 50/50 included; anything else is refused."""
    half = a_market().resolved((MICRO // 2, MICRO // 2))
    assert half.state is MarketState.RESOLVED
    assert not half.tradable
    with pytest.raises(VenueDataError):
        a_market().resolved(payouts)


def test_a_market_has_one_of_the_venues_tick_sizes() -> None:
    """The set of price grids is closed; every one divides 1."""
    assert all(MICRO % tick == 0 for tick in TICK_SIZES)
    assert [replace(a_market(), tick_size=tick).tick_size for tick in TICK_SIZES] == list(TICK_SIZES)
    with pytest.raises(VenueDataError, match="tick size"):
        replace(a_market(), tick_size=Price(20_000))


def test_a_market_that_contradicts_itself_is_refused() -> None:
    """One asset twice, or payouts without a resolution, is no market."""
    market = a_market()
    with pytest.raises(VenueDataError, match="twice"):
        replace(market, outcomes=(market.outcomes[0], market.outcomes[0]))
    with pytest.raises(VenueDataError, match="payouts"):
        replace(market, payouts=(MICRO, 0))


def test_a_group_keeps_the_order_of_its_markets() -> None:
    """Markets of a group are named by condition, in the order given."""
    group = MarketGroup.of("g", "Group", [a_market()], neg_risk=True)
    assert group.markets == (a_market().condition_id,)
    assert not group.complete


def test_position_ids_are_told_from_token_ids() -> None:
    """A v2 id has zero in its reserved bits and splits into its fields; others are refused."""
    fields = {"module": 1, "base_hash": 5, "arity": 2, "resolution_chain": 3, "condition_index": 4, "outcome_index": 1}
    shifts = {"module": 248, "base_hash": 120, "arity": 104, "resolution_chain": 24, "condition_index": 8}
    value = sum(amount << shifts.get(name, 0) for name, amount in fields.items())
    assert position_id_fields(AssetId(str(value))) == fields
    assert not is_position_id(str(value | 1 << 50))
    assert not is_position_id("0x12")
    with pytest.raises(VenueDataError):
        position_id_fields(AssetId(str(value | 1 << 50)))


def test_a_free_market_costs_nothing() -> None:
    """Rate 0 gives a fee of 0 and a bound of 0."""
    assert taker_fee(price("0.5"), shares(10), FeeSchedule(0)) == 0
    assert most_taker_fee(Usdc(10), shares(10), FeeSchedule(0)) == 0
