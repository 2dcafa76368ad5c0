"""Postings: every entry sums to zero, and the ledger's arithmetic is its own."""

from __future__ import annotations

import pytest

from polymarket_agent.domain.book import Side
from polymarket_agent.domain.money import MICRO, Usdc, shares, usdc
from polymarket_agent.errors import LedgerError
from polymarket_agent.ledger.accounts import (
    USDC_UNIT,
    Posting,
    for_deposit,
    for_fill,
    for_resolution,
    require_balanced,
)
from tests.trading_world import YES, a_fill

HELD = {("holding", YES): int(shares(30)), (f"cost:{YES}", USDC_UNIT): int(usdc("10"))}


@pytest.mark.parametrize(
    "postings",
    [
        for_deposit(usdc("5")),
        for_fill(a_fill(Side.BUY, "0.4", 10, fee="0.1"), {}),
        for_fill(a_fill(Side.SELL, "0.4", 7, fee="0.1"), HELD),
        for_resolution(YES, MICRO // 2, HELD),
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
