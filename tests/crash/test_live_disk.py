"""What is on disk before an order leaves, and what still works when the disk takes nothing more."""

from __future__ import annotations

import contextlib
import re
import resource
import shutil
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash.live_rows import causes_of, command, copy_of, damage, rows, unsettled
from tests.crash.live_world import PATIENCE_S, World, a_world, body_of

POSTS = ("/clob/order", "/clob/orders")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with a_world(tmp_path) as made:
        yield made


def check_rows_of_posts(world: World, ledger: Path) -> list[str]:
    """Have every order looked up in a copy of the ledger's files, taken when its POST arrives; returns what is missing."""
    missing: list[str] = []

    def look(method: str, path: str, body: bytes) -> None:
        if (method, path) not in {("POST", each) for each in POSTS}:
            return
        salt = str(body_of(body)["order"]["salt"])
        copy = copy_of(ledger, world.folder / f"copy-{world.spy.orders}")
        found = rows(
            copy,
            "SELECT o.state, o.reserved, a.n FROM signed_orders s JOIN orders o USING (order_id) JOIN attempts a USING (order_id)"
            " WHERE s.salt = ? AND a.ended_ms IS NULL",
            salt,
        )
        if not found or not found[0]["reserved"]:
            missing.append(salt)
        shutil.rmtree(copy.parent)

    world.spy.before = look
    return missing


def test_an_order_is_in_the_ledgers_files_when_its_post_arrives(world: World) -> None:
    """Also while the file is held by somebody else, so that writing waits: the POST waits too, however long it takes."""
    agent = world.start(world.config())
    missing = check_rows_of_posts(world, agent.ledger)
    agent.until_active()
    ends = time.monotonic() + PATIENCE_S
    while world.spy.orders < 15:
        assert agent.running(), agent.told()
        assert time.monotonic() < ends, "orders did not come"
        with contextlib.closing(sqlite3.connect(agent.ledger, timeout=5, isolation_level=None)) as holder:
            holder.execute("BEGIN IMMEDIATE")
            time.sleep(0.4)
            holder.execute("ROLLBACK")
        time.sleep(0.2)

    assert not missing
    assert not world.spy.failures


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace shows the order of system calls and is not here")
def test_the_disk_is_synced_before_the_first_byte_of_an_order_leaves(world: World) -> None:
    """The sync of the log that follows the page with an order's row has ended before the POST with its salt is written."""
    trace = world.folder / "trace.txt"
    calls = "trace=fdatasync,fsync,pwrite64,sendto,sendmsg,write,writev"
    agent = world.start(world.config(), prefix=("strace", "-f", "-y", "-s", "9000", "-o", str(trace), "-e", calls))
    agent.until(lambda: world.spy.orders >= 8, "orders", 90)
    agent.kill()
    lines = trace.read_text(errors="replace").splitlines()
    posts = [(n, line) for n, line in enumerate(lines) if '"POST /clob/order ' in line]
    for at, line in posts:
        salt = re.search(r'salt[\\": ]+(\d{6,})', line)
        assert salt is not None, line
        row = next(n for n, each in enumerate(lines) if "-wal>" in each and salt[1] in each)
        thread = lines[row].split()[0]
        mine = [n for n in range(row, len(lines)) if lines[n].split()[0] == thread and "sync" in lines[n].split("(")[0]]
        begun = mine[0]
        ended = begun if "unfinished" not in lines[begun] else mine[1]
        assert "-wal>" in lines[begun]
        assert lines[ended].endswith("= 0")
        assert row < begun <= ended < at

    assert len(posts) >= 8


def test_a_full_disk_stops_orders_and_not_cancels(world: World) -> None:
    """No POST leaves without its row, what is open is cancelled at the venue, and the next start has the right books."""
    agent = world.start(world.config())
    agent.until_active()
    agent.until(lambda: any(each["status"] == "LIVE" for each in world.books()["orders"]), "an open order")
    missing = check_rows_of_posts(world, agent.ledger)
    resource.prlimit(agent.pid, resource.RLIMIT_FSIZE, (1, 1))
    full_at, cancels = time.monotonic(), world.spy.cancels
    while any(each["status"] == "LIVE" for each in world.books()["orders"]):
        assert time.monotonic() - full_at < 20, f"orders are still open: {agent.running()} {agent.told()}"
        time.sleep(0.05)
    posts = world.spy.orders
    time.sleep(3)

    assert not missing
    assert world.spy.orders == posts
    assert world.spy.cancels > cancels
    assert agent.process.poll() in (None, 1)  # it may end, but not before it has cancelled
    agent.kill()
    world.spy.before = lambda *_: None
    assert not damage(agent.ledger)

    again = world.start(world.config())
    again.until(lambda: again.begun() and "start" not in causes_of(again.ledger), "a new life")
    command(again.ledger, "halt", "the test ends")
    again.until(lambda: not unsettled(again.ledger), "everything final")
    assert again.stop() == 0
    assert not world.differences(again.ledger)
