"""Sending: an order is in the ledger with all it may cost before it leaves, or it does not leave."""

from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import pytest

from polymarket_agent.db import Database
from polymarket_agent.domain.book import Side
from polymarket_agent.domain.money import shares, usdc
from polymarket_agent.domain.order import CancelState, OrderCause, OrderState
from polymarket_agent.domain.venue import Answer, SubmitOutcome
from polymarket_agent.errors import DatabaseError, GateClosedError
from polymarket_agent.ledger.control import create_kill_file, remove_kill_file
from polymarket_agent.ledger.live_recovery import find_order, recover_live
from tests.conftest import REPOSITORY
from tests.trading_world import NO, START_MS
from tests.unit.live_ledger_world import CONFIRMED, LiveDesk, a_leg, sent, signed

WRITTEN = "SELECT (SELECT count(*) FROM orders), (SELECT count(*) FROM signed_orders), (SELECT count(*) FROM attempts)"


@pytest.fixture
def desk() -> LiveDesk:
    return LiveDesk()


def refusal(answer: Future[None]) -> str:
    with pytest.raises(GateClosedError) as refused:
        answer.result(10)
    return str(refused.value)


def test_an_order_is_on_disk_when_it_may_be_sent(tmp_path: Path) -> None:
    """When the future ends another process reads order, reservation, signed fields and attempt; no signature is kept."""
    desk = LiveDesk(tmp_path / "live.db")
    order = sent(intent="w1")
    desk.send(order).result(10)
    for name in ("live.db", "live.db-wal"):
        assert b"5ec2e7" not in (tmp_path / name).read_bytes()
    with Database(copy_of(tmp_path, "copy")) as copy:
        found = recover_live(copy)
    (live,) = found.orders
    assert live.order == order
    assert live.signed == replace(signed(order), signature="")
    assert [(a.n, a.approval, a.started_ms, a.answer) for a in live.attempts] == [(1, "digest", START_MS, None)]
    assert (found.epoch, found.oldest_alive_ms) == (1, START_MS)


def copy_of(folder: Path, name: str) -> Path:
    """Return a copy of a ledger as a crash would leave it."""
    to = folder / name
    to.mkdir()
    for each in ("live.db", "live.db-wal"):
        (to / each).write_bytes((folder / each).read_bytes())
    return to / "live.db"


@pytest.mark.parametrize("state", ["KILLED", "HALTED", "RECOVERING"])
def test_a_state_that_another_process_wrote_closes_the_gate(tmp_path: Path, state: str) -> None:
    """The transaction that notes an order sees the flag, and opens again only when its cause is gone."""
    path = tmp_path / "live.db"
    desk = LiveDesk(path)
    script = (
        "import sys; from polymarket_agent.ledger.control import enter_state_from_outside as enter\n"
        "enter(sys.argv[1], 'kill command', sys.argv[2], 'by hand', 5)\n"
    )
    subprocess.run([sys.executable, "-c", script, path, state], check=True, cwd=REPOSITORY)
    assert f"is {state} (kill command): by hand" in refusal(desk.send(sent()))
    assert desk.rows(WRITTEN) == [(0, 0, 0)]
    assert desk.live.state_left("kill command", START_MS, "operator").result(10) == 1
    desk.send(sent()).result(10)


def test_reducing_leaves_the_choice_to_the_gate(desk: LiveDesk) -> None:
    """A sale that reduces must go out while the agent is REDUCING; which orders those are the ledger cannot know."""
    desk.live.state_entered("daily loss", "REDUCING", START_MS).result(10)
    desk.send(sent()).result(10)


def test_the_kill_file_closes_the_gate(tmp_path: Path) -> None:
    """A file that somebody made beside the ledger is enough, also as a dangling link."""
    path = tmp_path / "live.db"
    desk = LiveDesk(path)
    create_kill_file(path, "stop")
    assert "kill file" in refusal(desk.send(sent()))
    remove_kill_file(path)
    path.with_name("live.db.kill").symlink_to(tmp_path / "nothing")
    assert "kill file" in refusal(desk.send(sent()))
    remove_kill_file(path)
    desk.send(sent()).result(10)


def test_promised_money_is_not_promised_twice(desk: LiveDesk) -> None:
    """Buys together never reserve more than the cash in the postings; the one that would is refused alone."""
    answers = [desk.send(sent(at="0.5", quantity=800, name=f"0xb{n}")) for n in range(3)]
    assert [answers[n].exception(10) for n in (0, 1)] == [None, None]
    assert "needs 400.00 USDC, 800.00 are promised and 1,000.00 are there" in refusal(answers[2])
    desk.send(sent(at="0.5", quantity=400, name="0xb4")).result(10)


def test_proceeds_are_not_spent_before_they_are_confirmed(desk: LiveDesk) -> None:
    """A sale that is matched brings cash into the books, and buying with it waits for the chain."""
    desk.fill(a_leg(Side.BUY, "0.5", 1_000, trade="t1", order="0xc1", settlement=CONFIRMED))
    sale = a_leg(Side.SELL, "0.9", 1_000, trade="t2", order="0xc2")
    desk.fill(sale)
    big = sent(at="0.5", quantity=2_000, name="0xc3")
    assert "500.00 are there" in refusal(desk.send(big))
    desk.settle(sale, CONFIRMED)
    desk.send(big).result(10)


def test_only_settled_shares_are_sold(desk: LiveDesk) -> None:
    """Shares that are matched and not confirmed cannot be promised, and no share is promised twice."""
    bought = a_leg(Side.BUY, "0.5", 100, trade="t1", order="0xd1")
    desk.fill(bought)
    sale = sent(Side.SELL, "0.6", 60, name="0xd2")
    assert "needs 60.00 settled shares, 0.00 are promised and 0.00 are there" in refusal(desk.send(sale))
    desk.settle(bought, CONFIRMED)
    desk.send(sale).result(10)
    assert "60.00 are promised" in refusal(desk.send(sent(Side.SELL, "0.6", 41, name="0xd3")))
    assert "0.00 are there" in refusal(desk.send(sent(Side.SELL, "0.6", 5, asset_id=NO, name="0xd4")))
    desk.send(sent(Side.SELL, "0.6", 40, name="0xd5")).result(10)


def test_a_quarantined_sale_blocks_no_exit(desk: LiveDesk) -> None:
    """The venue cannot settle shares that are gone, so an exit need not wait for the last look at another."""
    desk.fill(a_leg(Side.BUY, "0.5", 100, trade="t1", order="0xe1", settlement=CONFIRMED))
    sale = sent(Side.SELL, "0.6", 100, name="0xe2")
    desk.send(sale).result(10)
    lost = sale.move(OrderCause.NO_ANSWER, START_MS + 1)
    desk.live.moved(lost.move(OrderCause.ABSENCE_PROVEN, START_MS + 2), "UNKNOWN")
    desk.send(sent(Side.SELL, "0.6", 100, name="0xe3")).result(10)


def test_an_intent_has_one_order_that_may_be_alive(desk: LiveDesk) -> None:
    """A second order of the same wish waits until the first is proven dead; orders without an intent are not compared."""
    first = sent(intent="wish")
    desk.send(first).result(10)
    second = sent(intent="wish", name="0xa2")
    assert "of the same intent is SUBMITTED" in refusal(desk.send(second))
    desk.live.moved(first.move(OrderCause.NO_ANSWER, START_MS), "SUBMITTED")
    assert "of the same intent is UNKNOWN" in refusal(desk.send(second))
    desk.live.moved(first.move(OrderCause.REFUSED, START_MS, "no"), "UNKNOWN")
    desk.send(second).result(10)
    for name in ("0xa3", "0xa4"):
        desk.send(replace(sent(name=name), intent="")).result(10)


def test_a_repeat_is_an_attempt_more_of_the_same_bytes(desk: LiveDesk) -> None:
    """The same order twice as new is refused; its second attempt adds a row, unless anything that is sent differs."""
    order = sent(at="0.5", quantity=1_500)
    desk.send(order).result(10)
    assert "in the ledger already" in refusal(desk.send(order))
    other = signed(order, salt=3)
    again = desk.live.submit(order, other, attempt=2, approval="digest", at_ms=START_MS)
    assert "the same bytes" in refusal(again)
    assert "does not follow 1" in refusal(desk.send(order, attempt=3))
    desk.send(order, attempt=2).result(10)
    assert desk.rows(WRITTEN) == [(1, 1, 2)]
    assert "not in the ledger" in refusal(desk.send(sent(name="0xff"), attempt=2))
    desk.live.answered(
        order.move(OrderCause.REFUSED, START_MS, "invalid signature"),
        "SUBMITTED",
        attempt=2,
        outcome=SubmitOutcome(answer=Answer.REFUSED, text="invalid signature", http_status=400),
        at_ms=START_MS + 3,
    )
    assert "is REJECTED; it is not sent again" in refusal(desk.send(order, attempt=3))
    kept = find_order(desk.db, "0xa1")
    assert kept is not None
    assert [(a.n, a.answer, a.http_status, a.ended_ms) for a in kept.attempts] == [
        (1, None, 0, None),
        (2, Answer.REFUSED, 400, START_MS + 3),
    ]
    assert (kept.order.state, kept.order.reason) == (OrderState.REJECTED, "invalid signature")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"reserved": int(usdc("4.999999"))}, "only 4999999 are set apart"),
        ({"side": Side.SELL}, "is not the order"),
        ({"asset_id": NO}, "is not the order"),
        ({"state": OrderState.PREPARED}, "is PREPARED"),
    ],
)
def test_what_is_signed_must_be_the_order(desk: LiveDesk, change: dict[str, object], says: str) -> None:
    """Another asset or side, or less set apart than the signature gives away, is refused before anything is written."""
    order = sent()
    bad = replace(order, **change)  # type: ignore[arg-type]
    answer = desk.live.submit(bad, signed(order), attempt=1, approval="d", at_ms=START_MS)
    assert says in refusal(answer)
    assert desk.rows(WRITTEN) == [(0, 0, 0)]


def test_orders_that_come_together_share_one_sync(tmp_path: Path) -> None:
    """Fifty orders that wait while the disk is busy go to disk with one commit, the refused one among them alone."""
    desk = LiveDesk(tmp_path / "live.db")
    desk.db.flush()
    commits: list[int] = []
    desk.db._connection.set_trace_callback(lambda sql: commits.append(1) if sql == "COMMIT" else None)
    started, go = threading.Event(), threading.Event()

    def busy(_: object) -> None:
        started.set()
        go.wait(10)

    desk.db.submit(busy)
    started.wait(10)
    answers = [desk.send(sent(quantity=5, name=f"0x{n % 49}")) for n in range(50)]
    go.set()
    failed = [answer.exception(10) for answer in answers]
    desk.db._connection.set_trace_callback(None)
    assert len(commits) == 2
    assert [type(each) for each in failed if each is not None] == [GateClosedError]
    assert desk.rows(WRITTEN) == [(49, 49, 49)]


def test_a_full_disk_sends_nothing_and_leaves_nothing(tmp_path: Path) -> None:
    """The future ends with the disk's error, and no part of the order is in the file."""
    desk = LiveDesk(tmp_path / "live.db")
    pages = desk.rows("PRAGMA page_count")[0][0]
    desk.rows(f"PRAGMA max_page_count={pages}")
    written = 0
    with pytest.raises(DatabaseError, match="full"):  # noqa: PT012 - which one fails depends on SQLite's pages
        for n in range(500):
            desk.send(replace(sent(quantity=5, at="0.1", name=f"0x{n}"), reason="x" * 500)).result(10)
            written += 1
    with Database(copy_of(tmp_path, "copy")) as copy:
        found = recover_live(copy)
    assert [each.order.order_id for each in found.orders] == [f"0x{n}" for n in range(written)]
    assert all(each.signed is not None and len(each.attempts) == 1 for each in found.orders)


def test_a_caller_that_gave_up_before_its_turn_has_sent_nothing(desk: LiveDesk) -> None:
    """Cancelled while it waits, an order is not written; the writer lives on."""
    started, go = threading.Event(), threading.Event()

    def busy(_: object) -> None:
        started.set()
        go.wait(10)

    desk.db.submit(busy)
    started.wait(10)
    assert desk.send(sent()).cancel()
    go.set()
    desk.send(sent(name="0xa2")).result(10)
    assert desk.rows(WRITTEN) == [(1, 1, 1)]


def test_budget_deadline_and_cancel_survive_a_restart(desk: LiveDesk) -> None:
    """What the sweeper and the canceller need is in the order's row; a buy bounded by collateral may get more shares."""
    order = replace(sent(at="0.5", quantity=10), budget=usdc("5"), deadline_ms=START_MS + 9)
    desk.send(order).result(10)
    leg = a_leg(Side.BUY, "0.4", "12.5", trade="t1", order="0xa1")
    after = replace(
        order, matched=shares("12.5"), spent=usdc("5"), reserved=0, cancel=CancelState.REQUESTED, state=OrderState.OPEN
    )
    desk.live.legs([(leg, after, "SUBMITTED", "{}")], source="test")
    kept = find_order(desk.db, "0xa1")
    assert kept is not None
    assert kept.order == after
    assert recover_live(desk.db).unsettled == [leg]
