"""Settling: a fill is booked once, advances with its evidence, and one that fails leaves no trace in any amount."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import permutations

import pytest

from polymarket_agent.domain.book import Side
from polymarket_agent.domain.money import shares, usdc
from polymarket_agent.domain.order import OrderCause, OrderState, SettlementStatus
from polymarket_agent.errors import DatabaseError, LedgerError
from polymarket_agent.ledger.live_recovery import find_fill, recover_live
from polymarket_agent.ledger.recovery import recover
from tests.trading_world import START_MS
from tests.unit.live_ledger_world import (
    CONFIRMED,
    FAILED,
    MATCHED,
    MINED,
    RETRYING,
    LiveDesk,
    a_leg,
    filled_by,
    raw_of,
    sent,
)

STATUS = "SELECT settlement FROM fills WHERE trade_id = ?"


@pytest.fixture
def desk() -> Iterator[LiveDesk]:
    desk = LiveDesk()
    yield desk
    desk.db.close()


def test_a_fill_counts_from_its_match_with_its_evidence(desk: LiveDesk) -> None:
    """Cash, cost and fee move when it is matched; the venue's words and each status are kept."""
    leg = a_leg(Side.BUY, "0.4", 10, fee="0.1", trade="t1", order="0xa1")
    desk.fill(leg)
    for to in (MINED, RETRYING, CONFIRMED):
        desk.settle(leg, to)
    assert desk.balances()[("cash", "USDC")] == usdc("995.9")
    assert desk.rows(STATUS, "t1") == [("CONFIRMED",)]
    assert [row[0] for row in desk.rows("SELECT status FROM settlements ORDER BY rowid")] == [
        "MATCHED",
        "MINED",
        "RETRYING",
        "CONFIRMED",
    ]
    assert desk.rows("SELECT order_id, trade_id, raw FROM evidence")[0] == ("0xa1", "t1", raw_of(leg))
    desk.check()


def test_a_copy_of_a_fill_changes_nothing(desk: LiveDesk) -> None:
    """Whatever order and message come with it: no row of any table differs."""
    leg = a_leg(Side.BUY, "0.4", 10, trade="t1", order="0xa1")
    order = desk.fill(leg)
    before = everything(desk)
    late = replace(order, state=OrderState.OPEN, matched=shares(3))
    desk.live.legs(
        [(leg, late, "SUBMITTED", "{}"), (replace(leg, settlement=CONFIRMED), late, "", "{ }")], source="again"
    )
    desk.live.settled(leg, late, "SUBMITTED", "{  }", source="again", at_ms=START_MS)
    assert everything(desk) == before


def everything(desk: LiveDesk) -> list[object]:
    names = [name for (name,) in desk.rows("SELECT name FROM sqlite_master WHERE type = 'table'")]
    return [(name, desk.rows(f"SELECT * FROM {name}")) for name in names]


@pytest.mark.parametrize("late", [MATCHED, MINED, RETRYING])
@pytest.mark.parametrize("final", [CONFIRMED, FAILED])
def test_an_older_status_changes_nothing(desk: LiveDesk, late: SettlementStatus, final: SettlementStatus) -> None:
    """A message that was overtaken by the final one is no news."""
    leg = a_leg(Side.BUY, "0.4", 10, trade="t1", order="0xa1")
    order = desk.fill(leg)
    desk.settle(leg, final, order)
    before = everything(desk)
    desk.settle(leg, late, order)
    assert everything(desk) == before


def test_a_failed_fill_is_as_if_it_had_never_been(desk: LiveDesk) -> None:
    """The example by hand: 10 at 0.40 and 10 at 0.60, 10 sold at 0.70; without the dear lot they cost 4 and gain 3."""
    desk.fill(a_leg(Side.BUY, "0.4", 10, fee="0.1", trade="t1", order="0xa1", settlement=CONFIRMED))
    dear = a_leg(Side.BUY, "0.6", 10, fee="0.2", trade="t2", order="0xa2")
    order = desk.fill(dear)
    desk.fill(a_leg(Side.SELL, "0.7", 10, fee="0.3", trade="t3", order="0xa3", settlement=CONFIRMED))
    assert desk.balances()[("realised", "USDC")] == -usdc("2")
    desk.settle(dear, FAILED, order.move(OrderCause.SETTLEMENT_FAILED, START_MS, reserved=usdc("6.2")))
    assert desk.balances() == {
        ("cash", "USDC"): usdc("1002.6"),
        ("deposits", "USDC"): -usdc("1000"),
        ("fees", "USDC"): usdc("0.4"),
        ("realised", "USDC"): -usdc("3"),
    }
    assert sorted({entry for (entry,) in desk.rows("SELECT entry FROM postings WHERE entry LIKE 're%'")}) == [
        "rebasis:t2:0xa2:0",
        "revert:t2:0xa2:0",
    ]
    assert desk.rows(STATUS, "t2") == [("FAILED",)]
    desk.check()


@pytest.mark.parametrize("first", ["lot", "sale"])
def test_a_lot_and_the_sale_that_took_from_it_may_both_fail(desk: LiveDesk, first: str) -> None:
    """In either order the cheap lot is left as it was: the sale gives back the cost that it has by then."""
    desk.fill(a_leg(Side.BUY, "0.4", 10, trade="t1", order="0xa1", settlement=CONFIRMED))
    before = desk.balances()
    lot, sale = (
        a_leg(side, at, 10, trade=name, order=name)
        for side, at, name in ((Side.BUY, "0.6", "t2"), (Side.SELL, "0.7", "t3"))
    )
    orders = {fill.trade_id: desk.fill(fill) for fill in (lot, sale)}
    for fill in (lot, sale) if first == "lot" else (sale, lot):
        desk.settle(fill, FAILED, orders[fill.trade_id])
        desk.check()
    assert desk.balances() == before


def test_a_failed_sale_brings_shares_and_their_cost_back(desk: LiveDesk) -> None:
    """The reverse is exact, and where nothing was sold after it no correction is needed."""
    desk.fill(a_leg(Side.BUY, "0.3", 7, trade="t1", order="0xa1", settlement=CONFIRMED))
    before = desk.balances()
    sale = a_leg(Side.SELL, "0.9", "3.33", fee="0.01", trade="t2", order="0xa2")
    order = desk.fill(sale)
    desk.settle(sale, FAILED, order)
    assert desk.balances() == before
    assert desk.rows("SELECT 1 FROM postings WHERE entry LIKE 'rebasis%'") == []
    desk.check()


def test_a_fill_that_failed_before_it_was_seen_counts_nothing(desk: LiveDesk) -> None:
    """FAILED may be the first that is heard of it; a late MATCHED does not bring it to life, nor does a restart."""
    leg = a_leg(Side.BUY, "0.4", 10, trade="t1", order="0xa1", settlement=FAILED)
    before = desk.balances()
    order = desk.fill(leg)
    assert (order.matched, order.spent) == (0, 0)
    desk.live.legs([(replace(leg, settlement=MATCHED), order, "OPEN", "{}")], source="late")
    assert desk.balances() == before
    assert desk.rows(STATUS, "t1") == [("FAILED",)]
    account = recover(desk.db).account
    assert account is not None
    assert not account.apply_fill(replace(leg, settlement=MATCHED))


def test_a_status_of_a_fill_that_was_never_booked_books_it(desk: LiveDesk) -> None:
    """With its order it is a leg like any other; without one nobody knows whose it is, and the books stop."""
    leg = a_leg(Side.BUY, "0.4", 10, trade="t1", order="0xa1", settlement=CONFIRMED)
    order = filled_by(sent(at="0.4", quantity=10), leg)
    desk.live.settled(leg, order, "SUBMITTED", raw_of(leg), source="list", at_ms=START_MS)
    desk.account.apply_fill(leg)
    desk.check()
    desk.live.settled(replace(leg, trade_id="t2"), None, "", raw_of(leg), source="list", at_ms=START_MS)
    with pytest.raises(DatabaseError, match="never booked"):
        desk.db.flush()
    with pytest.raises(DatabaseError):
        desk.db.close()


@pytest.mark.parametrize(("first", "second"), list(permutations((CONFIRMED, FAILED))))
def test_two_final_statuses_halt_and_change_no_amount(
    desk: LiveDesk, first: SettlementStatus, second: SettlementStatus
) -> None:
    """The chain cannot have done both; the contradiction is kept and an operator decides."""
    leg = a_leg(Side.BUY, "0.4", 10, trade="t1", order="0xa1")
    order = desk.fill(leg)
    desk.settle(leg, first, order)
    before = desk.balances()
    desk.live.settled(replace(leg, settlement=second), order, "FILLED", "{}", source="list", at_ms=START_MS)
    assert desk.balances() == before
    (state,) = recover_live(desk.db).states
    assert (state.state, first.value in state.detail, second.value in state.detail) == ("HALTED", True, True)
    assert desk.rows("SELECT status FROM settlements")[-1] == (second.value,)
    assert desk.send(sent(name="0xff")).exception(10) is not None


def test_a_fill_needs_the_words_of_the_venue(desk: LiveDesk) -> None:
    """Without its message no fill is booked: nothing is ever made up to force equality."""
    leg = a_leg(Side.BUY, "0.4", 10, trade="t1", order="0xa1")
    with pytest.raises(LedgerError, match="venue's word"):
        desk.live.legs([(leg, sent(), "SUBMITTED", "")], source="x")


def test_an_order_says_what_its_fills_say() -> None:
    """An order stored with another matched quantity than its fills stops the ledger, and nothing of it is kept."""
    desk = LiveDesk()
    leg = a_leg(Side.BUY, "0.5", 4, trade="t1", order="0xa1")
    order = filled_by(sent(), leg)
    desk.live.legs([(leg, replace(order, matched=shares(5)), "SUBMITTED", "{}")], source="x")
    with pytest.raises(DatabaseError, match="0xa1 says 5000000 matched"):
        desk.db.flush()
    with pytest.raises(DatabaseError):
        desk.db.close()


def test_several_fills_of_one_instant_are_one_transaction(desk: LiveDesk) -> None:
    """Two legs of one order, and one of another; a copy among them does not turn its order back."""
    order, other = sent(quantity=10), sent(quantity=10, name="0xa2")
    one = a_leg(Side.BUY, "0.5", 4, trade="t1", order="0xa1")
    two = replace(a_leg(Side.BUY, "0.5", 6, trade="t1", order="0xa1"), bucket=1)
    three = a_leg(Side.BUY, "0.5", 10, trade="t1", order="0xa2")
    half, full, rest = filled_by(order, one), filled_by(order, one, two), filled_by(other, three)
    booked = [(one, half, "SUBMITTED", "{1}"), (two, full, "OPEN", "{2}"), (three, rest, "SUBMITTED", "{3}")]
    desk.live.legs(booked, source="x")
    desk.live.legs(booked, source="x")
    for fill in (one, two, three):
        desk.account.apply_fill(fill)
    desk.check()
    assert desk.rows("SELECT order_id, matched, state FROM orders ORDER BY 1") == [
        ("0xa1", shares(10), "FILLED"),
        ("0xa2", shares(10), "FILLED"),
    ]
    assert find_fill(desk.db, "t1", "0xa1", 1) == two


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        ("UPDATE postings SET at_ms = at_ms + 1 WHERE posting_id = 3", "posting 3"),
        ("DELETE FROM postings WHERE entry LIKE 'flow:%'", "posting"),
        ("UPDATE evidence SET raw = '{}' WHERE evidence_id = 1", "evidence 1"),
        ("DELETE FROM evidence WHERE trade_id = 't1'", "no message of the venue"),
        ("UPDATE fills SET settlement = 'CONFIRMED' WHERE trade_id = 't2'", "matched"),
        ("DELETE FROM postings WHERE entry LIKE 'revert:%'", "failed, and its postings"),
        ("UPDATE orders SET spent = spent + 1 WHERE order_id = '0xa1'", "for"),
        ("UPDATE fills SET settlement = 'FAILED' WHERE trade_id = 't1'", "matched"),
    ],
)
def test_a_changed_row_stops_the_start(desk: LiveDesk, damage: str, says: str) -> None:
    """One row of postings, evidence, fills or orders edited or lost is found before anything trades."""
    desk.fill(a_leg(Side.BUY, "0.4", 10, trade="t1", order="0xa1"))
    bad = a_leg(Side.BUY, "0.4", 10, trade="t2", order="0xa2")
    desk.settle(bad, FAILED, desk.fill(bad))
    desk.check()
    desk.rows(damage)
    with pytest.raises(LedgerError, match=says):
        recover(desk.db)


def test_agreement_notices_a_fill_that_only_one_side_believes_settled(desk: LiveDesk) -> None:
    """Equal sums are not enough: what may still fail must be the same on both sides."""
    leg = a_leg(Side.BUY, "0.4", 10, trade="t1", order="0xa1")
    desk.fill(leg)
    desk.account.settle("t1", leg.order_id, 0, CONFIRMED)
    with pytest.raises(LedgerError, match="not settled"):
        desk.journal.require_agreement(desk.account)
