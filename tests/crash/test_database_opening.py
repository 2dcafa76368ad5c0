"""Opening: whose file it is, who holds it, and files that must be left as they are."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from polymarket_agent import db as db_module
from polymarket_agent import db_file
from polymarket_agent.db import Database, open_for_reading
from polymarket_agent.db_schema import APPLICATION_ID, MIGRATIONS
from polymarket_agent.errors import DatabaseError

HOLDER = """
import sys, time
from polymarket_agent.db import Database
with Database(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


def state_of(path: Path) -> tuple[bytes, int, list[str]]:
    """Return all that opening could have touched."""
    return (
        path.read_bytes(),
        path.stat().st_mode,
        sorted(each.name for each in path.parent.iterdir() if each.suffix != ".lock"),
    )


def a_database(path: Path, *statements: str) -> Path:
    with closing(sqlite3.connect(path)) as connection, connection:
        for statement in statements:
            connection.execute(statement)
    path.chmod(0o644)
    return path


def test_a_second_agent_is_refused_with_the_holder_named(tmp_path: Path) -> None:
    """Another process holds the file: refused with its id; when it ends the file is free, also after kill -9."""
    path = tmp_path / "ledger.db"
    for end in ("close", "kill"):
        holder = subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(DatabaseError, match=f"in use by another agent \\(process {holder.pid}\\)") as refused:
            Database(path)
        assert refused.value.hint
        if end == "kill":
            holder.kill()
        holder.communicate()
        Database(path).close()


def test_the_same_process_cannot_hold_a_file_twice(tmp_path: Path) -> None:
    """Two ledgers of one process on one file would be two writers; after a failed start the lock is free."""
    path = tmp_path / "ledger.db"
    with Database(path), pytest.raises(DatabaseError, match=str(os.getpid())):
        Database(path)
    path.write_text("not a database")
    with pytest.raises(DatabaseError):
        Database(path)
    path.unlink()
    Database(path).close()


@pytest.mark.parametrize(
    ("statements", "says"),
    [
        (("CREATE TABLE others (x)",), "another program"),
        (("PRAGMA user_version=3",), "another program"),
        (("PRAGMA application_id=7", "CREATE TABLE others (x)"), "another program"),
        ((f"PRAGMA application_id={APPLICATION_ID}", f"PRAGMA user_version={len(MIGRATIONS) + 1}"), "schema"),
        (("PRAGMA journal_mode=WAL", "PRAGMA application_id=7", "CREATE TABLE others (x)"), "another program"),
    ],
)
def test_a_foreign_or_newer_file_is_left_untouched(tmp_path: Path, statements: tuple[str, ...], says: str) -> None:
    """Refused with the reason; content, mode and neighbours of the file are as they were."""
    path = a_database(tmp_path / "ledger.db", *statements)
    before = state_of(path)
    with pytest.raises(DatabaseError, match=says):
        Database(path)
    assert state_of(path) == before
    with pytest.raises(DatabaseError), open_for_reading(path):
        pass


def test_the_log_of_a_newer_ledger_is_left_for_its_owner(tmp_path: Path) -> None:
    """A newer version was killed and left its log; only that version may finish it."""
    path = tmp_path / "ledger.db"
    Database(path).close()
    script = (
        "import os, sqlite3, sys\n"
        "c = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "c.execute('PRAGMA user_version=99'); c.execute('PRAGMA wal_checkpoint(TRUNCATE)')\n"
        "c.execute('CREATE TABLE newer (x)'); os._exit(0)\n"
    )
    subprocess.run([sys.executable, "-c", script, str(path)], check=True)
    before = state_of(path)
    assert "ledger.db-wal" in before[2]
    with pytest.raises(DatabaseError, match="schema 99"):
        Database(path)
    assert state_of(path) == before


@pytest.mark.parametrize("content", [b"not a database", b"SQLite format 3\0", bytes(range(256)) * 32])
def test_what_is_no_database_is_left_untouched(tmp_path: Path, content: bytes) -> None:
    """Text, a cut header and noise are refused; the bytes stay."""
    path = tmp_path / "ledger.db"
    path.write_bytes(content)
    before = state_of(path)
    with pytest.raises(DatabaseError, match="not a database"):
        Database(path)
    assert state_of(path) == before
    with pytest.raises(DatabaseError), open_for_reading(path):
        pass


def test_a_damaged_ledger_is_refused_and_its_bytes_stay(tmp_path: Path) -> None:
    """Pages overwritten with zeros are found at the start, before anything is read or written."""
    path = tmp_path / "ledger.db"
    with Database(path) as db:
        db.run(lambda c: c.executemany("INSERT INTO day_opens VALUES (?, 1, 1)", [(str(n),) for n in range(2_000)]))
    content = bytearray(path.read_bytes())
    for page in range(len(content) // 4_096 // 2, len(content) // 4_096):
        content[page * 4_096 : page * 4_096 + 512] = bytes(512)
    path.write_bytes(content)
    with pytest.raises(DatabaseError, match=r"damaged|malformed"):
        Database(path)
    assert path.read_bytes() == bytes(content)


def test_a_start_that_was_killed_half_way_is_no_foreign_file(tmp_path: Path) -> None:
    """An empty file, and one that is in log mode without any table yet, become ledgers."""
    for name, statements in (("empty", ()), ("begun", ("PRAGMA journal_mode=WAL",))):
        path = a_database(tmp_path / name, *statements)
        with Database(path) as db:
            assert db.run(lambda c: c.execute("PRAGMA user_version").fetchone()[0]) == len(MIGRATIONS)


def test_a_migration_that_fails_leaves_the_old_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Statements and version commit together or not at all; the version before can go on with the file."""
    path = tmp_path / "ledger.db"
    Database(path).close()
    for module in (db_module, db_file):
        monkeypatch.setattr(module, "MIGRATIONS", (*MIGRATIONS, ("CREATE TABLE half (x)", "no statement")))
    with pytest.raises(DatabaseError, match="cannot be opened"):
        Database(path)
    monkeypatch.undo()
    with Database(path) as db:
        assert db.run(lambda c: c.execute("SELECT count(*) FROM sqlite_master WHERE name='half'").fetchone()[0]) == 0


@pytest.mark.parametrize("name", ["missing/ledger.db", "folder"])
def test_a_path_that_cannot_be_a_ledger_says_why(tmp_path: Path, name: str) -> None:
    """A missing folder and a folder in place of the file are one sentence each."""
    (tmp_path / "folder").mkdir()
    with pytest.raises(DatabaseError):
        Database(tmp_path / name)
    with pytest.raises(DatabaseError, match="no ledger"), open_for_reading(tmp_path / name):
        pass


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    """A lock or ledger that is a symbolic link could make us empty somebody else's file."""
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / "ledger.db.lock").symlink_to(victim)
    with pytest.raises(DatabaseError):
        Database(tmp_path / "ledger.db")
    (tmp_path / "other.db").symlink_to(tmp_path / "nothing")
    with pytest.raises(DatabaseError):
        Database(tmp_path / "other.db")
    assert victim.read_text() == "precious"


def test_a_ledger_in_memory_needs_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`:memory:` is private and leaves nothing behind."""
    monkeypatch.chdir(tmp_path)
    with Database(":memory:") as one, Database(":memory:") as other:
        one.run(lambda c: c.execute("INSERT INTO day_opens VALUES ('x', 1, 1)"))
        assert other.run(lambda c: c.execute("SELECT count(*) FROM day_opens").fetchone()[0]) == 0
    assert list(tmp_path.iterdir()) == []
