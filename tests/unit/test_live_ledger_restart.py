"""Restart: an older ledger is taken over whole, and a crash after any commit leaves a ledger that starts."""

from __future__ import annotations

import shutil
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from polymarket_agent import db as db_module
from polymarket_agent import db_file
from polymarket_agent.db import Database, open_for_reading
from polymarket_agent.db_schema import MIGRATIONS
from polymarket_agent.domain.book import Side
from polymarket_agent.domain.money import usdc
from polymarket_agent.domain.order import OrderCause, OrderState
from polymarket_agent.domain.venue import Answer, SubmitOutcome
from polymarket_agent.errors import DatabaseError, LedgerError
from polymarket_agent.ledger.journal import Journal
from polymarket_agent.ledger.live_recovery import recover_live
from polymarket_agent.ledger.recovery import recover
from polymarket_agent.views import report
from tests.trading_world import CONDITION, NO, START_MS, YES, PaperDesk, a_signal, books
from tests.unit.live_ledger_world import CONFIRMED, FAILED, MINED, LiveDesk, a_leg, filled_by, raw_of, sent, state_of

OF_MIGRATION_1 = (
    "runs", "markets", "signals", "order_events", "fills", "day_opens", "equity", "marks", "notices",
)  # fmt: skip


async def old_ledger(path: Path) -> None:
    """Trade on paper, and turn the file into what the schema before this one had."""
    desk = PaperDesk(db=Database(path))
    desk.tell(*books([("0.49", 100)], [("0.51", 50)]))
    await desk.place(a_signal(Side.BUY, "0.51", 60))
    await desk.place(a_signal(Side.SELL, "0.6", 20))
    desk.db.close()
    make_old(path)


def make_old(path: Path) -> None:
    """Turn a ledger into one of the first schema."""
    new = path.with_name("new.db")
    path.rename(new)
    with closing(sqlite3.connect(path, isolation_level=None)) as old:
        for statement in MIGRATIONS[0]:
            assert isinstance(statement, str)
            old.execute(statement)
        old.execute("ATTACH ? AS new", (str(new),))
        for table in (*OF_MIGRATION_1, "orders", "postings"):
            columns = ",".join(row[1] for row in old.execute(f"PRAGMA main.table_info({table})").fetchall())
            old.execute(f"INSERT INTO {table} ({columns}) SELECT {columns} FROM new.{table} ORDER BY rowid"
                        if table != "fills" else f"INSERT INTO fills SELECT {columns} FROM new.fills")  # fmt: skip
        old.execute("DETACH new")
        old.execute("PRAGMA application_id=0x504D4147")
        old.execute("PRAGMA user_version=1")
    new.unlink()


def rows_of(path: Path, columns: dict[str, str]) -> list[object]:
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as reader:
        return [reader.execute(f"SELECT {names} FROM {table}").fetchall() for table, names in columns.items()]


def names_in(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir() if each.suffix not in (".db-shm", ".db-wal"))


async def test_an_older_ledger_is_taken_over_with_a_backup_first(tmp_path: Path) -> None:
    """Every row and amount is there afterwards, chained and consistent; the backup is the old file, for its owner only."""
    path, backup = tmp_path / "ledger.db", tmp_path / "ledger.db.before-2"
    await old_ledger(path)
    columns = dict.fromkeys(OF_MIGRATION_1, "*") | {
        "orders": "order_id, run_id, state, price, quantity, matched, reserved, created_ms",
        "postings": "posting_id, entry, at_ms, account, unit, amount",
    }
    before = rows_of(path, columns)
    with Database(path) as db:
        assert db.run(lambda c: c.execute("PRAGMA foreign_key_check").fetchall()) == []
        assert db.run(lambda c: c.execute("PRAGMA foreign_keys").fetchone()[0]) == 1
        assert db.run(lambda c: c.execute("SELECT count(*) FROM postings WHERE length(chain) <> 64").fetchone()[0]) == 0
        account = recover(db).account
        assert account is not None
        Journal(db).require_agreement(account)
        db.run(lambda c: c.execute("UPDATE postings SET at_ms = at_ms + 1 WHERE posting_id = 2"))
        with pytest.raises(LedgerError, match="posting 2 or one before"):
            recover(db)
        db.run(lambda c: c.execute("UPDATE postings SET at_ms = at_ms - 1 WHERE posting_id = 2"))
    names = names_in(tmp_path)
    assert rows_of(path, columns) == before
    assert rows_of(backup, columns) == before
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    with closing(sqlite3.connect(backup)) as old:
        assert old.execute("PRAGMA user_version").fetchone()[0] == 1
    assert names == ["ledger.db", "ledger.db.before-2", "ledger.db.lock"]


async def test_a_migration_that_dies_leaves_the_old_ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Broken off at its last statement it changed nothing; the next start begins again, over the half-made backup."""
    path = tmp_path / "ledger.db"
    await old_ledger(path)
    before = path.read_bytes()
    for module in (db_module, db_file):
        monkeypatch.setattr(module, "MIGRATIONS", (MIGRATIONS[0], (*MIGRATIONS[1], "no statement")))
    with pytest.raises(DatabaseError):
        Database(path)
    monkeypatch.undo()
    with closing(sqlite3.connect(path)) as old:
        assert old.execute("PRAGMA user_version").fetchone()[0] == 1
        assert old.execute("SELECT count(*) FROM sqlite_master WHERE name = 'attempts'").fetchone()[0] == 0
    assert len(before) == path.stat().st_size
    path.with_name("ledger.db.before-2.part").write_bytes(b"half")
    with Database(path) as db:
        assert recover(db).account is not None


def test_a_new_ledger_needs_no_backup(tmp_path: Path) -> None:
    """Nothing to lose, nothing to keep."""
    Database(tmp_path / "ledger.db").close()
    assert not (tmp_path / "ledger.db.before-2").exists()


async def test_a_backup_that_cannot_be_made_stops_the_start(tmp_path: Path) -> None:
    """Without it the old ledger stays as it is, to the byte."""
    path = tmp_path / "ledger.db"
    await old_ledger(path)
    before = path.read_bytes()
    (tmp_path / "ledger.db.before-2").mkdir()
    with pytest.raises(DatabaseError, match="before-2"):
        Database(path)
    with closing(sqlite3.connect(path)) as old:
        assert old.execute("PRAGMA user_version").fetchone()[0] == 1
    assert len(path.read_bytes()) == len(before)


def a_life(desk: LiveDesk) -> Iterator[None]:
    """Live a short life that has everything in it, a step at a time."""
    order, other = sent(quantity=10), sent(at="0.6", quantity=10, name="0xa2")
    one, two = (a_leg(Side.BUY, "0.5", n, fee="0.01", trade=f"t{n}", order="0xa1") for n in (4, 6))
    bad = a_leg(Side.BUY, "0.6", 10, trade="t3", order="0xa2")
    sale = a_leg(Side.SELL, "0.7", 3, trade="t5", order="0xa3")
    opened = order.move(OrderCause.ACCEPTED, START_MS)
    for each in (order, other):
        desk.send(each).result(10)
        desk.account.apply_order(each)
        yield
    accepted = SubmitOutcome(answer=Answer.ACCEPTED, http_status=200, status="live")
    desk.live.answered(opened, "SUBMITTED", attempt=1, outcome=accepted, at_ms=START_MS)
    desk.account.apply_order(opened)
    yield
    for fill, of in ((one, opened), (two, filled_by(opened, one)), (bad, other), (sale, None)):
        desk.fill(fill, of)
        yield
    sold = filled_by(sent(Side.SELL, "0.7", 3, name="0xa3"), sale)
    steps = [(one, MINED, None), (one, CONFIRMED, None), (bad, FAILED, filled_by(other, bad)), (two, CONFIRMED, None)]
    for fill, status, of in (*steps, (sale, FAILED, sold)):
        desk.settle(fill, status, of)
        yield
    desk.live.cash_flow(usdc("7"), START_MS, "deposit")
    desk.account.deposit(usdc("7"))
    yield
    desk.live.shares_in(NO, CONDITION, order.quantity, usdc("4"), START_MS, "transfer")
    desk.account.deposit_shares(NO, CONDITION, order.quantity, usdc("4"))
    yield
    desk.live.merged(CONDITION, YES, NO, order.quantity, START_MS, "0xff")
    desk.account.apply_merge(YES, NO, order.quantity)
    yield


def test_a_crash_after_any_commit_leaves_a_ledger_that_starts(tmp_path: Path) -> None:
    """The file as a crash leaves it after each step: consistent, its account that of the agent, its orders known."""
    path = tmp_path / "live.db"
    desk = LiveDesk(path)
    for number, _ in enumerate(a_life(desk)):
        desk.db.flush()
        to = tmp_path / f"crash{number}"
        to.mkdir()
        for name in ("live.db", "live.db-wal"):
            shutil.copy(tmp_path / name, to / name)
        again = LiveDesk(to / "live.db")
        assert state_of(again.account) == state_of(desk.account)
        assert again.live.epoch == 2
        assert [each.order.order_id for each in recover_live(again.db).orders] == list(desk.account.orders)
        again.check()
        again.db.close()
    desk.db.close()
    with open_for_reading(path) as reader:
        checks = report(reader)["checks"]
    assert {name: ok for name, ok in checks.items() if not ok} == {}


def test_a_life_lived_again_from_any_point_ends_the_same(tmp_path: Path) -> None:
    """After a crash the venue's lists bring everything once more; what was booked before is not booked again."""
    fills = [
        replace(a_leg(Side.BUY, "0.5", 4, fee="0.01", trade="t4", order="0xa1"), settlement=CONFIRMED),
        replace(a_leg(Side.BUY, "0.6", 10, trade="t3", order="0xa2"), settlement=FAILED),
    ]
    ends = []
    for crash_after in range(3):
        path = tmp_path / f"{crash_after}.db"
        desk = LiveDesk(path)
        for number in range(crash_after):
            desk.fill(replace(fills[number], settlement=MINED))
        desk.db.close()
        desk = LiveDesk(path)
        for fill in fills:
            order = filled_by(replace(sent(name=fill.order_id), quantity=fill.quantity, price=fill.price), fill)
            if fill.settlement is FAILED:
                order = replace(order, state=OrderState.CANCELED, reserved=0)
            desk.live.legs([(fill, order, "SUBMITTED", raw_of(fill))], source="list")
            desk.live.settled(fill, order, "FILLED", raw_of(fill), source="list", at_ms=START_MS)
        ends.append((desk.balances(), desk.rows("SELECT order_id, matched, state FROM orders ORDER BY 1")))
        assert recover(desk.db).account is not None
        desk.db.close()
    assert ends[0] == ends[1] == ends[2]
