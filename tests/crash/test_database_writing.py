"""Writing: group commit, work that fails, a disk that is full, and closing on every path."""

from __future__ import annotations

import os
import sqlite3
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from polymarket_agent.db import Database, open_for_reading
from polymarket_agent.errors import DatabaseError

NOTE = "INSERT INTO notices (run_id, at_ms, level, event, detail) VALUES (1, 0, 'info', ?, '')"


def note(event: str) -> Callable[[sqlite3.Connection], Any]:
    return lambda connection: connection.execute(NOTE, (event,))


def noted(path: Path) -> list[str]:
    with open_for_reading(path) as reader:
        return [row["event"] for row in reader.execute("SELECT event FROM notices ORDER BY notice_id")]


def test_work_is_done_in_order_and_is_on_disk_after_flush(tmp_path: Path) -> None:
    """Submitted work keeps its order; after `flush` another connection sees all of it."""
    path = tmp_path / "ledger.db"
    with Database(path) as db:
        for number in range(100):
            db.submit(note(str(number)))
        db.flush()
        assert noted(path) == [str(number) for number in range(100)]


def test_what_waits_shares_one_transaction(tmp_path: Path) -> None:
    """While the writer is busy work piles up, and goes to disk with one commit."""
    commits: list[int] = []
    with Database(tmp_path / "ledger.db") as db:
        db._connection.set_trace_callback(lambda sql: commits.append(1) if sql == "COMMIT" else None)
        started, go = threading.Event(), threading.Event()

        def keep_busy(_: sqlite3.Connection) -> None:
            started.set()
            go.wait(10)

        db.submit(keep_busy)
        started.wait(10)
        for number in range(50):
            db.submit(note(str(number)))
        go.set()
        db.flush()
        db._connection.set_trace_callback(None)
    assert len(commits) == 2


def test_work_that_someone_waits_for_may_fail_alone(tmp_path: Path) -> None:
    """Its own changes are undone, its caller gets the error, and what was written around it stays."""
    path = tmp_path / "ledger.db"

    def fails(connection: sqlite3.Connection) -> None:
        connection.execute(NOTE, ("undone",))
        raise KeyError("mine")

    with Database(path) as db:
        db.submit(note("before"))
        with pytest.raises(KeyError, match="mine"):
            db.run(fails)
        with pytest.raises(DatabaseError, match="no such table"):
            db.run(lambda connection: connection.execute("SELECT * FROM nowhere"))
        assert db.run(note("after")) is not None
    assert noted(path) == ["before", "after"]


def test_submitted_work_that_fails_ends_the_writer(tmp_path: Path) -> None:
    """Nobody waits for it, so nobody could tell: nothing later is written, and every later call says why."""
    path = tmp_path / "ledger.db"
    db = Database(path)
    db.run(note("kept"))
    db.submit(lambda connection: connection.execute("SELECT * FROM nowhere"))
    for call in (db.flush, db.check, lambda: db.submit(note("late")), lambda: db.run(note("late")), db.close):
        with pytest.raises(DatabaseError, match="no such table"):
            call()
    assert noted(path) == ["kept"]
    Database(path).close()


def test_a_commit_that_fails_is_no_success_for_anyone(tmp_path: Path) -> None:
    """A constraint that is checked at the commit undoes the group; whoever waits for any of it is told."""
    path = tmp_path / "ledger.db"
    db = Database(path)
    db.run(lambda connection: connection.execute("PRAGMA defer_foreign_keys=ON"))
    orphan = "INSERT INTO order_events (order_id, at_ms, from_state, to_state, detail) VALUES ('none', 0, '', '', '')"

    def at_commit(connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA defer_foreign_keys=ON")
        connection.execute(orphan)

    with pytest.raises(DatabaseError, match="FOREIGN KEY"):
        db.run(at_commit)
    with pytest.raises(DatabaseError, match="FOREIGN KEY"):
        db.close()
    with open_for_reading(path) as reader:
        assert reader.execute("SELECT count(*) FROM order_events").fetchone()[0] == 0


def fill_the_disk(db: Database) -> None:
    """Forbid the file to grow, which SQLite reports like a full disk."""
    db.run(lambda c: c.execute("CREATE TABLE ballast (content TEXT)"))
    pages = db.run(lambda c: c.execute("PRAGMA page_count").fetchone()[0])
    db.run(lambda c: c.execute(f"PRAGMA max_page_count={pages + 2}"))


def test_a_full_disk_stops_the_writer_and_keeps_what_is_written(tmp_path: Path) -> None:
    """The error names the disk; everything committed before is there after a restart, and nothing half."""
    path = tmp_path / "ledger.db"
    db = Database(path)
    db.run(note("kept"))
    fill_the_disk(db)
    for _ in range(200):
        db.submit(lambda c: c.execute("INSERT INTO ballast VALUES (?)", ("x" * 4_000,)))
    for call in (db.flush, db.close):
        with pytest.raises(DatabaseError, match="full"):
            call()
    assert noted(path) == ["kept"]
    with Database(path) as again:
        rows = again.run(lambda c: c.execute("SELECT count(*) FROM ballast").fetchone()[0])
        assert rows <= 2
        again.run(note("goes on"))


def test_waiting_work_on_a_full_disk_is_told_so(tmp_path: Path) -> None:
    """A caller that waits gets a DatabaseError and not an error of SQLite's."""
    db = Database(tmp_path / "ledger.db")
    fill_the_disk(db)
    with pytest.raises(DatabaseError, match="full"):
        db.run(lambda c: c.execute("INSERT INTO ballast VALUES (?)", ("x" * 100_000,)))
    try:
        db.close()
    except DatabaseError as error:
        assert "full" in str(error)  # noqa: PT017 - whether the transaction survived is SQLite's choice


def fail_after(work: Callable[[sqlite3.Connection], Any], path: Path) -> None:
    with Database(path) as db:
        db.submit(work)
        raise RuntimeError("mine")


def test_leaving_the_block_closes_on_every_path(tmp_path: Path) -> None:
    """After a clean end and after an exception the file is free and complete, and the first error is the one raised."""
    path = tmp_path / "ledger.db"
    for work in (note("kept"), lambda connection: connection.execute("SELECT * FROM nowhere")):
        with pytest.raises(RuntimeError, match="mine"):
            fail_after(work, path)
    with Database(path) as again:
        again.close()
        again.close()
    assert sorted(each.name for each in tmp_path.iterdir() if each.suffix != ".lock") == ["ledger.db"]
    assert noted(path) == ["kept"]


def test_a_closed_database_takes_no_work(tmp_path: Path) -> None:
    """Nothing can slip in behind the end and wait for ever."""
    db = Database(tmp_path / "ledger.db")
    db.close()
    for call in (db.flush, lambda: db.submit(note("late"))):
        with pytest.raises(DatabaseError, match="is closed"):
            call()


def test_callers_racing_with_the_end_get_an_answer(tmp_path: Path) -> None:
    """Whoever calls while another thread closes is served or refused, never left waiting."""
    db = Database(tmp_path / "ledger.db")
    answers: list[str] = []

    def call() -> None:
        try:
            while True:
                db.flush()
        except DatabaseError as error:
            answers.append(str(error))

    callers = [threading.Thread(target=call) for _ in range(4)]
    for caller in callers:
        caller.start()
    db.close()
    for caller in callers:
        caller.join(10)
    assert len(answers) == 4


def test_every_file_is_for_its_owner_only(tmp_path: Path) -> None:
    """Ledger, log, shared memory and lock are 0600 while in use, whatever the umask and whatever they were before."""
    path = tmp_path / "ledger.db"
    for name in ("ledger.db", "ledger.db.lock"):
        (tmp_path / name).touch(mode=0o644)
    before = os.umask(0)
    try:
        with Database(path) as db:
            db.run(note("x"))
            with open_for_reading(path):
                modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in tmp_path.iterdir()}
    finally:
        os.umask(before)
    assert modes == dict.fromkeys(("ledger.db", "ledger.db-wal", "ledger.db-shm", "ledger.db.lock"), 0o600)


def test_the_file_is_written_safely(tmp_path: Path) -> None:
    """Log ahead, full sync, foreign keys: the settings on which recovery stands."""
    with Database(tmp_path / "ledger.db") as db:
        pragmas = ("journal_mode", "synchronous", "foreign_keys")
        found = db.run(lambda c: [c.execute(f"PRAGMA {name}").fetchone()[0] for name in pragmas])
    assert found == ["wal", 2, 1]


def test_a_reader_sees_a_ledger_in_use_and_cannot_change_it(tmp_path: Path) -> None:
    """Reading needs no lock and is possible while an agent writes; writing through it is refused."""
    path = tmp_path / "ledger.db"
    with Database(path) as db:
        db.run(note("seen"))
        with open_for_reading(path) as reader:
            assert reader.execute("SELECT event FROM notices").fetchone()["event"] == "seen"
            with pytest.raises(sqlite3.OperationalError, match="readonly"):
                reader.execute("DELETE FROM notices")
    assert noted(path) == ["seen"]


def test_a_commit_answers_when_it_is_on_disk(tmp_path: Path) -> None:
    """The caller goes on and gets value or error later; by then another connection sees the rows."""
    path = tmp_path / "ledger.db"
    with Database(path) as db:
        good = db.commit(note("seen"))
        bad = db.commit(lambda connection: connection.execute("SELECT * FROM nowhere"))
        late = db.commit(lambda connection: int(connection.execute("SELECT count(*) FROM notices").fetchone()[0]))
        good.result(10)
        assert noted(path) == ["seen"]
        assert isinstance(bad.exception(10), DatabaseError)
        assert late.result(10) == 1


def test_whoever_stops_waiting_does_not_stop_the_writer(tmp_path: Path) -> None:
    """Work that was cancelled before its turn is not done; its neighbours are, in a failing group too."""
    path = tmp_path / "ledger.db"
    started, go = threading.Event(), threading.Event()

    def busy(_: sqlite3.Connection) -> None:
        started.set()
        go.wait(10)

    db = Database(path)
    db.submit(busy)
    started.wait(10)
    given_up, kept = db.commit(note("given up")), db.commit(note("kept"))
    assert given_up.cancel()
    go.set()
    kept.result(10)
    assert noted(path) == ["kept"]
    db.submit(lambda connection: connection.execute("SELECT * FROM nowhere"))
    with pytest.raises(DatabaseError):
        db.close()
