"""The lease: one process at a time may write a ledger and send, and a ledger is one wallet's."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import Future
from pathlib import Path

import pytest

from polymarket_agent.db import Database
from polymarket_agent.domain.money import usdc
from polymarket_agent.errors import DatabaseError, GateClosedError
from polymarket_agent.ledger.control import create_kill_file, enter_state_from_outside
from polymarket_agent.ledger.journal import Journal
from polymarket_agent.ledger.live_journal import LiveJournal
from tests.trading_world import START_MS
from tests.unit.live_ledger_world import DESKS, VENUE, WALLET, LiveDesk, sent

WRITTEN = "SELECT (SELECT count(*) FROM orders), (SELECT count(*) FROM signed_orders), (SELECT count(*) FROM attempts)"


@pytest.fixture
def desk() -> LiveDesk:
    return LiveDesk()


def refusal(answer: Future[None]) -> str:
    with pytest.raises(GateClosedError) as refused:
        answer.result(10)
    return str(refused.value)


def test_nothing_is_sent_without_the_lease() -> None:
    """A process that never took the lease is refused, and one that lost it: the epoch in the file is not its own."""
    desk = LiveDesk(lease=False)
    assert "has not taken" in refusal(desk.send(sent()))
    desk.live.take_lease(wallet=WALLET, venue=VENUE, pid=7, host_name="here", at_ms=START_MS)
    desk.live.cash_flow(usdc("1000"), START_MS, "start")
    desk.send(sent()).result(10)
    other = LiveJournal(desk.db, desk.journal)
    assert other.take_lease(wallet=WALLET.lower(), venue=VENUE, pid=8, host_name="there", at_ms=START_MS) == 2
    assert "process 8 on there" in refusal(desk.send(sent(name="0xa2")))
    assert desk.rows(WRITTEN) == [(1, 1, 1)]


def test_a_second_process_takes_the_lease_and_the_first_is_locked_out(tmp_path: Path) -> None:
    """With the lock file deleted two processes have the ledger; only the one that came last may send."""
    path = tmp_path / "live.db"
    desk = LiveDesk(path)
    desk.send(sent()).result(10)
    path.with_name("live.db.lock").unlink()
    script = (
        "import sys\n"
        "from polymarket_agent.db import Database\n"
        "from polymarket_agent.ledger.journal import Journal\n"
        "from polymarket_agent.ledger.live_journal import LiveJournal\n"
        "db = Database(sys.argv[1])\n"
        f"print(LiveJournal(db, Journal(db)).take_lease(wallet={WALLET!r}, venue={VENUE!r}, pid=9, host_name='x',"
        " at_ms=1))\n"
    )
    said = subprocess.run([sys.executable, "-c", script, path], check=True, capture_output=True, text=True).stdout
    assert said == "2\n"
    assert "epoch 2, ours is 1" in refusal(desk.send(sent(name="0xa2")))
    with pytest.raises(GateClosedError):
        desk.live.state_left("anything", START_MS, "us").result(10)
    desk.live.cash_flow(usdc("1"), START_MS, "late")
    with pytest.raises(DatabaseError, match="taken over"):
        desk.db.flush()


@pytest.mark.parametrize(
    ("wallet", "venue", "chain"), [("0x" + "9" * 40, VENUE, 137), (WALLET, "localhost", 137), (WALLET, VENUE, 1)]
)
def test_a_ledger_belongs_to_one_wallet_at_one_venue(desk: LiveDesk, wallet: str, venue: str, chain: int) -> None:
    """The refusal names both, and the lease stays where it was."""
    with pytest.raises(DatabaseError) as refused:
        desk.live.take_lease(wallet=wallet, venue=venue, pid=1, host_name="h", at_ms=START_MS, chain=chain)
    for word in (wallet, venue, WALLET, VENUE):
        assert word in str(refused.value)
    desk.send(sent()).result(10)


def test_a_ledger_with_paper_money_is_not_for_live() -> None:
    """Paper and real money in one file could never be told apart; an empty paper run does no harm."""
    for cash in (None, usdc("5")):
        db = Database(":memory:")
        DESKS.append(db)
        journal = Journal(db)
        journal.begin_run(mode="paper", feed="f", config_hash="", config="{}", at_ms=1)
        live = LiveJournal(db, journal)
        if cash is None:
            assert live.take_lease(wallet=WALLET, venue=VENUE, pid=1, host_name="h", at_ms=1) == 1
            continue
        journal.deposit(cash, 1)
        with pytest.raises(DatabaseError, match="run 1 in mode paper") as refused:
            live.take_lease(wallet=WALLET, venue=VENUE, pid=1, host_name="h", at_ms=1)
        assert "--db" in refused.value.hint


def test_the_state_of_another_ledger_is_not_ours(tmp_path: Path) -> None:
    """A kill of one ledger leaves the next one alone."""
    one, two = LiveDesk(tmp_path / "one.db"), LiveDesk(tmp_path / "two.db")
    enter_state_from_outside(tmp_path / "one.db", "kill", "KILLED", "", 1)
    create_kill_file(tmp_path / "one.db", "")
    refusal(one.send(sent()))
    two.send(sent()).result(10)
