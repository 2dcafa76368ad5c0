"""Postings: every entry sums to zero, and the ledger's arithmetic is its own."""

from __future__ import annotations

import pytest

from polymarket_agent.domain.book import Side
from polymarket_agent.domain.money import MICRO, Usdc, shares, usdc
from polymarket_agent.errors import LedgerError
from polymarket_agent.ledger.accounts import (
    USDC_UNIT,
    Posting,
    for_adjustment,
    for_deposit,
    for_difference,
    for_fill,
    for_merge,
    for_resolution,
    for_shares,
    require_balanced,
    reversed_postings,
)
from tests.trading_world import NO, YES, a_fill

HELD = {("holding", YES): int(shares(30)), (f"cost:{YES}", USDC_UNIT): int(usdc("10"))}

PAIR = HELD | {("holding", NO): int(shares(7)), (f"cost:{NO}", USDC_UNIT): int(usdc("3"))}


@pytest.mark.parametrize(
    "postings",
    [
        for_deposit(usdc("5")),
        for_fill(a_fill(Side.BUY, "0.4", 10, fee="0.1"), {}),
        for_fill(a_fill(Side.SELL, "0.4", 7, fee="0.1"), HELD),
        for_resolution(YES, MICRO // 2, HELD),
        for_shares(YES, shares(3), usdc("1.1"), HELD),
        for_shares(YES, -shares(7), usdc("1.1"), HELD),
        for_adjustment(Usdc(-3)),
        for_merge(YES, NO, shares(7), PAIR),
        reversed_postings(for_fill(a_fill(Side.SELL, "0.4", 7, fee="0.1"), HELD)),
    ],
)
def test_every_entry_sums_to_zero_in_each_unit(postings: list[Posting]) -> None:
    """Money and shares move between accounts and never appear."""
    require_balanced(postings)
    for unit in {posting.unit for posting in postings}:
        assert sum(posting.amount for posting in postings if posting.unit == unit) == 0


def test_an_entry_that_does_not_balance_is_refused() -> None:
    """A micro-unit too many is too many."""
    with pytest.raises(LedgerError, match="does not balance"):
        require_balanced([Posting("cash", USDC_UNIT, 1)])


def test_a_sale_takes_its_part_of_the_cost() -> None:
    """Seven of thirty shares that cost 10 take 2.333333 with them; the gain is the proceeds less that."""
    postings = {posting.account: posting.amount for posting in for_fill(a_fill(Side.SELL, "0.4", 7, fee="0.1"), HELD)}
    assert postings["cash"] == usdc("2.7")
    assert postings[f"cost:{YES}"] == -2_333_333
    assert postings["realised"] == Usdc(2_333_333) - usdc("2.8")


def test_more_than_is_held_cannot_be_sold() -> None:
    """The ledger refuses on its own, whatever the account believes."""
    with pytest.raises(LedgerError, match="holds"):
        for_fill(a_fill(Side.SELL, "0.4", "30.000001"), HELD)


@pytest.mark.parametrize("payout", [0, MICRO // 2, MICRO])
def test_a_resolution_closes_cost_and_holding(payout: int) -> None:
    """After it nothing is held, nothing has cost, and cash grew by the payout."""
    postings = {(p.account, p.unit): p.amount for p in for_resolution(YES, payout, HELD)}
    assert postings[("cash", USDC_UNIT)] == 30 * payout
    assert postings[("holding", YES)] == -shares(30)
    assert postings[(f"cost:{YES}", USDC_UNIT)] == -usdc("10")


def test_nothing_held_pays_nothing() -> None:
    """A resolution of what is not held has no entry."""
    assert for_resolution(YES, MICRO, {}) == []


def amounts(postings: list[Posting]) -> dict[tuple[str, str], int]:
    return {(posting.account, posting.unit): posting.amount for posting in postings}


def test_shares_from_outside_count_as_deposited_at_their_cost() -> None:
    """Shares that come bring their cost; those that leave take their part of ours, whatever cost is named."""
    came = amounts(for_shares(YES, shares(3), usdc("1.1"), HELD))
    assert (came[(f"cost:{YES}", USDC_UNIT)], came[("deposits", USDC_UNIT)]) == (usdc("1.1"), -usdc("1.1"))
    left = amounts(for_shares(YES, -shares(7), usdc("99"), HELD))
    assert (left[(f"cost:{YES}", USDC_UNIT)], left[("deposits", USDC_UNIT)]) == (-2_333_333, 2_333_333)
    assert left[("holding", YES)] == -shares(7)


def test_a_merge_turns_sets_into_dollars() -> None:
    """Seven sets give 7 USDC; the gain is that less what the seven of each had cost."""
    merged = amounts(for_merge(YES, NO, shares(7), PAIR))
    assert merged[("cash", USDC_UNIT)] == usdc("7")
    assert merged[("realised", USDC_UNIT)] == 2_333_333 + usdc("3") - usdc("7")
    assert (merged[("holding", YES)], merged[("holding", NO)]) == (-shares(7), -shares(7))


@pytest.mark.parametrize("quantity", ["7.000001", "30"])
def test_what_is_not_held_cannot_leave(quantity: str) -> None:
    """Neither by a merge nor by a transfer, and not when nothing is held at all."""
    with pytest.raises(LedgerError, match="holds"):
        for_merge(YES, NO, shares(quantity), PAIR)
    with pytest.raises(LedgerError, match="holds"):
        for_shares(NO, -shares(quantity), Usdc(0), PAIR)
    with pytest.raises(LedgerError, match="holds 0"):
        for_shares(NO, -shares(quantity), Usdc(0), {})


def test_a_rounding_of_the_venue_is_a_fee() -> None:
    """Three micro-USDC less in cash are three more in fees."""
    assert amounts(for_adjustment(Usdc(-3))) == {("cash", USDC_UNIT): -3, ("fees", USDC_UNIT): 3}


def test_a_difference_makes_one_set_of_sums_the_other() -> None:
    """Only what differs is posted, also where one side has no such account; equal sums need nothing."""
    wanted, booked = {("a", "USDC"): 3, ("b", "USDC"): 1}, {("a", "USDC"): 5, ("b", "USDC"): 1, ("c", "USDC"): -2}
    assert amounts(for_difference(wanted, booked)) == {("a", "USDC"): -2, ("c", "USDC"): 2}
    assert for_difference(wanted, dict(wanted)) == []
