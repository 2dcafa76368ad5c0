"""Control from outside: another process reaches an agent through its ledger, also when the agent does not answer."""

from __future__ import annotations

import os
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from polymarket_agent.db import Database
from polymarket_agent.db_schema import MIGRATIONS
from polymarket_agent.errors import DatabaseError, LedgerError
from polymarket_agent.ledger.control import (
    Watch,
    create_kill_file,
    enter_state_from_outside,
    is_killed,
    kill_file,
    post_command,
    remove_kill_file,
)
from polymarket_agent.ledger.lease import WalletLock
from polymarket_agent.ledger.live_recovery import recover_live
from tests.conftest import REPOSITORY
from tests.trading_world import START_MS
from tests.unit.live_ledger_world import WALLET, LiveDesk

HANGING_AGENT = """
import sqlite3, sys, threading
from polymarket_agent.db import Database
db = Database(sys.argv[1])
if sys.argv[2] == "in a transaction":
    db.submit(lambda c: (c.execute("INSERT INTO bookmarks VALUES ('x', 1)"), print("ready", flush=True), threading.Event().wait()))
else:
    db.flush()
    print("ready", flush=True)
threading.Event().wait()
"""


@pytest.fixture
def desk(tmp_path: Path) -> LiveDesk:
    return LiveDesk(tmp_path / "live.db")


def test_a_command_is_seen_done_and_gone(desk: LiveDesk) -> None:
    """The agent's watch shows it once it is there, nothing while nothing changes, and no more when it is done."""
    watch = Watch(desk.db.path)
    first = watch.look()
    assert first is not None
    assert (first.killed, first.states, first.commands) == (False, (), ())
    assert watch.look() is None
    number = post_command(desk.db.path, "cancel", "0xa1", "cli", 7)
    seen = watch.look()
    assert seen is not None
    assert [tuple(each) for each in seen.commands] == [(number, 7, "cancel", "0xa1", "cli")]
    desk.live.command_done(number, 8, "asked")
    desk.db.flush()
    seen = watch.look()
    assert seen is not None
    assert seen.commands == ()
    assert desk.rows("SELECT done_ms, result FROM commands") == [(8, "asked")]
    watch.close()


def test_the_watch_sees_states_and_the_kill_file(desk: LiveDesk) -> None:
    """Each is news once, and the end of it too."""
    watch = Watch(desk.db.path)
    watch.look()
    enter_state_from_outside(desk.db.path, "kill command", "KILLED", "by hand", 7)
    enter_state_from_outside(desk.db.path, "kill command", "KILLED", "again", 8)
    seen = watch.look()
    assert seen is not None
    assert [(each.cause, each.state, each.entered_ms) for each in seen.states] == [("kill command", "KILLED", 7)]
    create_kill_file(desk.db.path, "stop")
    seen = watch.look()
    assert seen is not None
    assert seen.killed
    remove_kill_file(desk.db.path)
    seen = watch.look()
    assert seen is not None
    assert not seen.killed
    watch.close()


def test_a_stopped_agent_can_be_killed(tmp_path: Path) -> None:
    """The agent holds the file's lock and does nothing any more: the flag is durable all the same."""
    path = tmp_path / "live.db"
    agent = hanging(path, "between")
    try:
        agent.send_signal(signal.SIGSTOP)
        enter_state_from_outside(path, "kill command", "KILLED", "", 7)
        post_command(path, "flatten", "", "cli", 7)
    finally:
        agent.kill()
        agent.wait()
    with Database(path) as db:
        found = recover_live(db)
    assert [each.state for each in found.states] == ["KILLED"]
    assert [each.name for each in found.commands] == ["flatten"]


def test_an_agent_that_hangs_while_it_writes_leaves_the_kill_file(tmp_path: Path) -> None:
    """Nobody else can write then: refused after 2 seconds with the way that is left, and that way works."""
    path = tmp_path / "live.db"
    agent = hanging(path, "in a transaction")
    try:
        begun = time.monotonic()
        with pytest.raises(DatabaseError, match="locked") as refused:
            enter_state_from_outside(path, "kill command", "KILLED", "", 7)
        assert 1.5 < time.monotonic() - begun < 6
        assert ".kill" in refused.value.hint
        create_kill_file(path, "stop")
        assert is_killed(path)
    finally:
        agent.kill()
        agent.wait()


def hanging(path: Path, where: str) -> subprocess.Popen[str]:
    agent = subprocess.Popen(
        [sys.executable, "-c", HANGING_AGENT, str(path), where], stdout=subprocess.PIPE, text=True, cwd=REPOSITORY
    )
    assert agent.stdout is not None
    assert agent.stdout.readline() == "ready\n"
    agent.stdout.close()
    return agent


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM agent_states",
        "UPDATE agent_states SET left_ms = 1",
        "INSERT INTO postings (entry, at_ms, account, unit, amount) VALUES ('x', 1, 'cash', 'USDC', 1)",
        "UPDATE orders SET state = 'REJECTED'",
        "DROP TABLE orders",
        "PRAGMA user_version = 1",
        "ATTACH ':memory:' AS other",
    ],
)
def test_the_outside_connection_can_only_add(desk: LiveDesk, statement: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever else a control command tries, SQLite itself refuses; nothing of it is kept."""
    before = desk.rows("SELECT count(*), (SELECT count(*) FROM agent_states) FROM postings")
    monkeypatch.setattr(
        "polymarket_agent.ledger.control.enter_state", lambda connection, *_: connection.execute(statement)
    )
    with pytest.raises(DatabaseError, match=r"not authorized|authorization denied"):
        enter_state_from_outside(desk.db.path, "x", "KILLED", "", 1)
    assert desk.rows("SELECT count(*), (SELECT count(*) FROM agent_states) FROM postings") == before


def test_no_other_state_can_be_written(desk: LiveDesk) -> None:
    """ACTIVE is what is left when nothing holds the agent back; it cannot be ordered."""
    with pytest.raises(LedgerError, match="ACTIVE"):
        enter_state_from_outside(desk.db.path, "x", "ACTIVE", "", 1)
    assert desk.rows("SELECT 1 FROM agent_states") == []


def test_what_is_no_ledger_of_this_build_is_left_alone(tmp_path: Path) -> None:
    """A missing file, a foreign database and one of another schema are refused, and not made or changed."""
    with pytest.raises(DatabaseError, match="no ledger"):
        post_command(tmp_path / "none.db", "kill", "", "cli", 1)
    assert list(tmp_path.iterdir()) == []
    path = tmp_path / "old.db"
    Database(path).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version={len(MIGRATIONS) - 1}")
    for each in (path, tmp_path / "foreign.db"):
        if not each.exists():
            with closing(sqlite3.connect(each)) as connection, connection:
                connection.execute("CREATE TABLE commands (x)")
        before = each.read_bytes()
        with pytest.raises(DatabaseError):
            post_command(each, "kill", "", "cli", 1)
        assert each.read_bytes() == before


def test_the_kill_file_is_ours_only_and_stays_as_it_was_first(tmp_path: Path) -> None:
    """Mode 0600 beside the ledger; a second kill does not overwrite why the first was pressed."""
    path = tmp_path / "live.db"
    assert not is_killed(path)
    made = create_kill_file(path, "first")
    assert (made, made.name) == (kill_file(path), "live.db.kill")
    assert stat.S_IMODE(made.stat().st_mode) == 0o600
    create_kill_file(path, "second")
    assert made.read_text() == "first"
    remove_kill_file(path)
    remove_kill_file(path)
    assert not is_killed(path)


def test_what_cannot_be_looked_at_counts_as_killed(tmp_path: Path) -> None:
    """A folder that is none, as after an unmount: fail closed."""
    (tmp_path / "file").touch()
    assert is_killed(tmp_path / "file" / "live.db")
    with pytest.raises(DatabaseError, match="cannot be made"):
        create_kill_file(tmp_path / "missing" / "live.db", "x")


def test_a_wallet_has_one_agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process with the same wallet is refused with the holder named, whatever its ledger; another wallet is not."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    script = (
        "import sys; from polymarket_agent.ledger.lease import WalletLock\n"
        "lock = WalletLock(sys.argv[1]); print('held', flush=True); sys.stdin.read()\n"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", script, WALLET.lower()], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(DatabaseError, match=rf"wallet {WALLET} is in use by another agent \(process {holder.pid}\)"):
        WalletLock(WALLET)
    WalletLock("0x" + "1" * 40).release()
    holder.kill()
    holder.communicate()
    with WalletLock(WALLET) as lock:
        assert lock.path == tmp_path / "polymarket-agent" / f"wallet-{WALLET.lower()}.lock"
        assert stat.S_IMODE(lock.path.parent.stat().st_mode) == 0o700
        assert lock.path.read_text() == str(os.getpid())
    lock.release()


def test_the_locks_folder_is_the_users(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without XDG_STATE_HOME it is ~/.local/state; a relative path there is no folder."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for value in ("", "relative"):
        monkeypatch.setenv("XDG_STATE_HOME", value)
        with WalletLock(WALLET) as lock:
            assert lock.path.parent == tmp_path / ".local" / "state" / "polymarket-agent"


@pytest.mark.parametrize("wallet", ["", "0x12", "../../x", WALLET + "/.."])
def test_a_lock_is_for_an_address(wallet: str, tmp_path: Path) -> None:
    """Anything else could name another file."""
    with pytest.raises(DatabaseError, match="no wallet address"):
        WalletLock(wallet, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_states_of_a_living_agent_are_rows_too(desk: LiveDesk) -> None:
    """What the agent entered itself another process sees at once, and does not enter twice."""
    desk.live.state_entered("kill command", "KILLED", START_MS, "key").result(10)
    row = enter_state_from_outside(desk.db.path, "kill command", "KILLED", "", 9)
    assert desk.rows("SELECT row_id, entered_ms FROM agent_states") == [(row, START_MS)]
