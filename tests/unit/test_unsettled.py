"""Fills that may still fail: they count at once, are not relied on, and leave nothing behind when they fail."""

from __future__ import annotations

from dataclasses import replace
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polymarket_agent.domain.account import Account
from polymarket_agent.domain.book import Side
from polymarket_agent.domain.money import Shares, Usdc, price, shares, usdc
from polymarket_agent.domain.order import Evidence, Fill, OrderId, SettlementStatus
from polymarket_agent.errors import LedgerError
from tests.trading_world import CONDITION, NO, START_MS, YES

S = SettlementStatus
_serial = count(1)


def a_fill(side: Side, quantity: int, at: str, *, fee: str = "0", status: SettlementStatus = S.MATCHED) -> Fill:
    number = next(_serial)
    return Fill(
        trade_id=f"t{number}",
        order_id=OrderId(f"o{number}"),
        condition_id=CONDITION,
        asset_id=YES,
        side=side,
        price=price(at),
        quantity=shares(quantity),
        notional=Usdc(price(at) * quantity),
        fee=usdc(fee),
        is_maker=False,
        evidence=Evidence.VENUE,
        at_ms=START_MS,
        strategy="maker",
        settlement=status,
    )


def settle(account: Account, fill: Fill, status: SettlementStatus) -> bool:
    return account.settle(fill.trade_id, fill.order_id, fill.bucket, status)


def money(account: Account) -> tuple[object, ...]:
    positions = {asset: (p.quantity, p.cost, p.entry_fees) for asset, p in account.positions.items()}
    return account.cash, account.fees, account.realised, account.deposits, positions, account.bought_by("maker", YES)


def test_a_matched_purchase_counts_and_is_not_sold_on() -> None:
    """Ten bought shares are held and cost cash at once; not one of them is free to sell before it is settled."""
    account = Account(usdc("100"))
    bought = a_fill(Side.BUY, 10, "0.4", fee="0.1")
    account.apply_fill(bought)
    assert (account.quantity_of(YES), account.cash) == (shares(10), usdc("95.9"))
    assert (account.free_shares(YES), account.pending_buys(YES), account.pending_cost) == (0, shares(10), usdc("4.1"))
    assert settle(account, bought, S.CONFIRMED)
    assert (account.free_shares(YES), account.pending_cost, account.unsettled_fills()) == (shares(10), 0, [])


def test_proceeds_are_not_spent_before_they_are_there() -> None:
    """A matched sale brings cash to the account and none to what is free; the wallet still has the shares."""
    account = Account(usdc("100"))
    account.apply_fill(a_fill(Side.BUY, 10, "0.4", status=S.CONFIRMED))
    sold = a_fill(Side.SELL, 10, "0.5", fee="0.2")
    account.apply_fill(sold)
    assert (account.cash, account.free_cash) == (usdc("100.8"), usdc("96"))
    assert (account.pending_sells(YES), account.pending_proceeds) == (shares(10), usdc("4.8"))
    settle(account, sold, S.CONFIRMED)
    assert account.free_cash == usdc("100.8")


def test_a_failed_purchase_leaves_nothing_though_others_were_averaged_and_sold() -> None:
    """15 at .10 settled, 10 at .90 pending, 10 sold at .50: when the dear ones fail, the sale was of shares at .10."""
    account = Account(usdc("100"))
    account.apply_fill(a_fill(Side.BUY, 15, "0.1", status=S.CONFIRMED))
    ghost = a_fill(Side.BUY, 10, "0.9", fee="0.3")
    account.apply_fill(ghost)
    account.apply_fill(a_fill(Side.SELL, 10, "0.5", status=S.CONFIRMED))
    settle(account, ghost, S.FAILED)
    left = account.positions[YES]
    assert (left.quantity, left.cost, left.entry_fees) == (shares(5), usdc("0.5"), 0)
    assert (account.realised, account.fees, account.cash) == (usdc("4"), 0, usdc("103.5"))


def test_an_older_or_contradicting_word_changes_nothing() -> None:
    """MATCHED after MINED, and FAILED after CONFIRMED, are told apart by the caller; here they move nothing."""
    account = Account(usdc("100"))
    bought = a_fill(Side.BUY, 10, "0.4")
    account.apply_fill(bought)
    assert settle(account, bought, S.MINED)
    assert not settle(account, bought, S.MATCHED)
    settle(account, bought, S.CONFIRMED)
    before = money(account)
    assert not settle(account, bought, S.FAILED)
    assert money(account) == before


def test_what_may_fail_is_neither_paid_out_nor_merged() -> None:
    """A redemption, a merge or a transfer of shares with unsettled fills is refused and changes nothing."""
    account = Account(usdc("100"))
    account.apply_fill(a_fill(Side.BUY, 10, "0.4"))
    before = money(account)
    with pytest.raises(LedgerError, match="not settled"):
        account.apply_resolution(YES, 1_000_000)
    with pytest.raises(LedgerError, match="are settled"):
        account.apply_merge(YES, NO, shares(1))
    with pytest.raises(LedgerError, match="not settled"):
        account.deposit_shares(YES, CONDITION, shares(1), usdc("1"))
    assert money(account) == before


def test_a_merge_turns_complete_sets_into_their_dollar() -> None:
    """Four of ten YES at .40 and of six NO at .55 become 4 USDC; .20 of it is profit, the rest is still held."""
    account = Account(usdc("100"))
    account.apply_fill(a_fill(Side.BUY, 10, "0.4", status=S.CONFIRMED))
    account.apply_fill(replace(a_fill(Side.BUY, 6, "0.55", status=S.CONFIRMED), asset_id=NO))
    account.apply_merge(YES, NO, shares(4))
    assert (account.cash, account.realised) == (usdc("96.7"), usdc("0.2"))
    assert (account.quantity_of(YES), account.quantity_of(NO)) == (shares(6), shares(2))


def test_shares_and_cash_from_outside_are_no_profit() -> None:
    """A deposit of 50 and of ten shares that cost 4 raises what was put in by 54; taking half of the shares out, by 2 less."""
    account = Account(usdc("100"))
    account.deposit(usdc("50"))
    account.deposit_shares(YES, CONDITION, shares(10), usdc("4"))
    assert (account.deposits, account.cash, account.realised) == (usdc("154"), usdc("150"), 0)
    account.deposit_shares(YES, CONDITION, Shares(-shares(5)), Usdc(0))
    assert (account.deposits, account.positions[YES].cost) == (usdc("152"), usdc("2"))
    with pytest.raises(LedgerError, match="are held"):
        account.deposit_shares(YES, CONDITION, Shares(-shares(6)), Usdc(0))


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["buy", "sell", "confirm", "fail", "mine"]),
        st.integers(1, 20),
        st.sampled_from(["0.1", "0.37", "0.5", "0.93"]),
        st.integers(0, 30),
    ),
    min_size=1,
    max_size=40,
)


@settings(max_examples=150, deadline=None)
@given(STEPS)
def test_failed_fills_count_as_if_they_had_never_been(steps: list[tuple[str, int, str, int]]) -> None:
    """After any sequence, the account equals one that saw the same fills in the same order without those that failed."""
    account = Account(usdc("10000"))
    booked: list[Fill] = []
    ended: dict[str, SettlementStatus] = {}
    for what, quantity, at, which in steps:
        if what in ("buy", "sell"):
            side = Side.BUY if what == "buy" else Side.SELL
            lots = quantity if what == "buy" else min(quantity, account.free_shares(YES) // 1_000_000)
            if lots:
                fill = a_fill(side, lots, at, fee="0.01")
                booked.append(fill)
                account.apply_fill(fill)
        elif booked:
            fill = booked[which % len(booked)]
            status = {"confirm": S.CONFIRMED, "fail": S.FAILED, "mine": S.MINED}[what]
            if settle(account, fill, status) and status.final:
                ended[fill.trade_id] = status
    oracle = Account(usdc("10000"))
    for fill in booked:
        if ended.get(fill.trade_id) is not S.FAILED:
            oracle.apply_fill(replace(fill, settlement=S.CONFIRMED))
    assert money(account) == money(oracle)
