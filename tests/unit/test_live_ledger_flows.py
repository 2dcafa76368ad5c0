"""What is no trade of ours: money and shares from outside, orders of others, and what a restart must remember."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from polymarket_agent import views
from polymarket_agent.config import RiskConfig
from polymarket_agent.db import open_for_reading
from polymarket_agent.decision.day import TradingDay, day_of
from polymarket_agent.decision.gate import Gate
from polymarket_agent.domain.board import Board
from polymarket_agent.domain.book import Side
from polymarket_agent.domain.money import MICRO, Usdc, decimal_text, shares, usdc
from polymarket_agent.domain.order import CancelState, OrderCause, OrderState
from polymarket_agent.domain.portfolio import Valuer
from polymarket_agent.ledger.live_recovery import find_order, recover_live
from polymarket_agent.ledger.recovery import recover
from tests.trading_world import CONDITION, NO, START_MS, YES
from tests.unit.live_ledger_world import (
    CONFIRMED,
    LiveDesk,
    a_leg,
    sent,
)


@pytest.fixture
def desk() -> LiveDesk:
    return LiveDesk()


def test_money_and_shares_from_outside_are_deposits(desk: LiveDesk) -> None:
    """Deposits, withdrawals, shares in and out, roundings and merges: postings, account and a restart agree."""
    desk.live.cash_flow(usdc("50"), START_MS, "deposit", "0xabc", key="0xabc")
    desk.live.cash_flow(usdc("50"), START_MS, "deposit", "0xabc", key="0xabc")
    desk.live.cash_flow(Usdc(-usdc("20")), START_MS, "withdrawal")
    for asset, cost in ((YES, "4"), (NO, "5")):
        desk.live.shares_in(asset, CONDITION, shares(10), usdc(cost), START_MS, "transfer")
        desk.account.deposit_shares(asset, CONDITION, shares(10), usdc(cost))
    desk.live.merged(CONDITION, YES, NO, shares(6), START_MS, "0xdef")
    desk.live.merged(CONDITION, YES, NO, shares(6), START_MS, "0xdef")
    desk.live.shares_in(YES, CONDITION, shares("-1.5"), Usdc(0), START_MS, "transfer out")
    desk.live.adjust(Usdc(-3), START_MS, "rounding")
    desk.account.deposit(usdc("30"))
    desk.account.apply_merge(YES, NO, shares(6))
    desk.account.deposit_shares(YES, CONDITION, shares("-1.5"), Usdc(0))
    desk.account.adjust(Usdc(-3))
    desk.check()
    booked = desk.balances()
    assert booked[("cash", "USDC")] == usdc("1036") - 3
    assert booked[("deposits", "USDC")] == -usdc("1030") - usdc("9") + usdc("0.6")
    assert booked[(f"cost:{YES}", "USDC")] == usdc("1")
    assert booked[("realised", "USDC")] == -(usdc("6") - usdc("5.4"))


def test_money_that_came_while_no_agent_ran_is_no_gain_and_no_loss(tmp_path: Path) -> None:
    """What losses are counted from moves with a withdrawal: 12 of loss before stay 12 after it, by every figure."""
    desk = LiveDesk(tmp_path / "flow.db")
    desk.journal.day_open(day_of(START_MS), usdc("1000"), START_MS)
    portfolio = Valuer().portfolio(desk.account, Board())
    desk.live.adjust(Usdc(-usdc("12")), START_MS + 1, "a loss")
    for at_ms, cash in ((START_MS, "1000"), (START_MS + 2, "988")):
        point = replace(portfolio, cash=usdc(cash), equity=usdc(cash))
        desk.journal.equity(point, {}, at_ms, unpriced=0)
    desk.live.cash_flow(Usdc(-usdc("200")), START_MS + 3, "withdrawal")
    desk.live.cash_flow(usdc("50"), START_MS + 4, "deposit")
    desk.db.flush()

    found = recover(desk.db)
    assert (found.day_open, found.highest, found.last_equity) == (usdc("850"), usdc("850"), usdc("838"))
    with open_for_reading(tmp_path / "flow.db") as connection:
        status, report = views.status(connection), views.report(connection)
    assert (status["daily_loss_usdc"], status["day_open_equity_usdc"], status["pnl_usdc"]) == ("12", "850", "-12")
    assert (report["drawdown_usdc"], report["pnl_usdc"]) == ("12", "-12")
    assert all(report["checks"].values())

    account = found.account
    assert account is not None
    gate = Gate(
        RiskConfig(max_daily_loss=13, max_drawdown=13),
        account,
        Board(),
        streaming=False,
        day=TradingDay(found.day, found.day_open),
        last_equity=found.last_equity,
        highest=found.highest,
    )
    assert [change.cause for change in gate.enforce(START_MS + 5)] == []


def test_the_report_knows_what_was_no_trade(tmp_path: Path) -> None:
    """Shares from outside, a merge and a rounding: the parts of the profit add up, each under its name."""
    desk = LiveDesk(tmp_path / "outside.db")
    desk.fill(a_leg(Side.BUY, "0.4", 10, trade="0xt", order="0xo", settlement=CONFIRMED))
    for asset, quantity, cost in ((YES, "10", "6"), (NO, "10", "5"), (YES, "-4", "0")):
        desk.live.shares_in(asset, CONDITION, shares(quantity), usdc(cost), START_MS, "transfer")
        desk.account.deposit_shares(asset, CONDITION, shares(quantity), usdc(cost))
    desk.live.merged(CONDITION, YES, NO, shares(6), START_MS, "0xdef")
    desk.account.apply_merge(YES, NO, shares(6))
    desk.live.adjust(Usdc(-3), START_MS, "rounding")
    desk.account.adjust(Usdc(-3))
    desk.check()
    with open_for_reading(tmp_path / "outside.db") as connection:
        report = views.report(connection)
    assert report["pnl_usdc"] == decimal_text(desk.account.realised - desk.account.fees)
    assert {*report["by_strategy"]} >= {"external", "rounding of the venue"}
    assert {name: ok for name, ok in report["checks"].items() if not ok} == {}


def test_an_asset_may_be_redeemed_again(desk: LiveDesk) -> None:
    """Shares that came after the first redemption are paid out by a second one; both transactions are kept."""
    for number in (1, 2):
        name = f"0xa{number}"
        leg = a_leg(Side.BUY, "0.4", 10, trade=name, order=name, settlement=CONFIRMED)
        desk.fill(leg)
        desk.journal.resolution(YES, MICRO, START_MS, tx=f"0xr{number}")
        desk.account.apply_resolution(YES, MICRO)
    desk.check()
    assert desk.balances()[("cash", "USDC")] == usdc("1012")
    assert desk.rows("SELECT detail FROM flows WHERE kind = 'redemption'") == [("0xr1",), ("0xr2",)]


def test_orders_of_others_are_kept_as_external(desk: LiveDesk) -> None:
    """An order that we did not make has a row, no signed fields and no attempt; its fills count."""
    order = replace(sent(quantity=4), strategy="external", signal_id="", state=OrderState.OPEN, intent="")
    desk.live.external(order, evidence="{}", source="open orders")
    leg = a_leg(Side.BUY, "0.5", 4, trade="t1", order="0xa1")
    desk.fill(leg, order)
    kept = find_order(desk.db, "0xa1")
    assert kept is not None
    assert (kept.order.strategy, kept.signed, kept.attempts, kept.order.matched) == ("external", None, (), shares(4))
    desk.check()


def test_looks_marks_rounds_and_states_are_there_after_a_restart(desk: LiveDesk) -> None:
    """The sweeper goes on from the rows: what was looked for, how far was read, what holds, and since when."""
    order = sent()
    desk.send(order).result(10)
    unknown = replace(order.move(OrderCause.NO_ANSWER, START_MS), cancel=CancelState.UNKNOWN, deadline_ms=START_MS + 5)
    desk.live.moved(unknown, "SUBMITTED", evidence='{"status":"?"}', source="answer")
    desk.live.look(order.order_id, START_MS + 9, "by id", found=False, detail="null")
    for value in (1, 2):
        desk.live.bookmark("trades", value)
        desk.live.round_done(START_MS + value, "full", clean=value == 2, findings=["D4 0xa1"])
    for cause in ("daily loss", "stream"):
        desk.live.state_entered(cause, "REDUCING", START_MS, "why").result(10)
        desk.live.state_entered(cause, "REDUCING", START_MS + 1, "again").result(10)
    assert desk.live.state_left("stream", START_MS + 2, "cleared").result(10) == 1
    found = recover_live(desk.db)
    assert [(s.cause, s.state, s.detail, s.entered_ms) for s in found.states] == [
        ("daily loss", "REDUCING", "why", START_MS)
    ]
    assert (found.bookmarks, found.last_round) == ({"trades": 2}, {"full": (START_MS + 2, True)})
    (live,) = found.orders
    assert [tuple(look) for look in live.looks] == [(START_MS + 9, "by id", False, "null")]
    assert (live.order.state, live.order.cancel, live.order.deadline_ms) == (
        OrderState.UNKNOWN,
        CancelState.UNKNOWN,
        START_MS + 5,
    )
