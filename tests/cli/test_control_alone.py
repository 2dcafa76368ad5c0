"""Control commands while no agent runs, without a config, without a key, and with a venue that does not answer."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from polymarket_agent.cli.agent_process import running_agent
from polymarket_agent.db import Database
from polymarket_agent.db_file import FileLock
from polymarket_agent.ledger.control import is_killed
from tests.cli.live_world import LiveWorld, live_world

WALLET = "0x" + "ab" * 20
READING = [
    ("status",),
    ("report",),
    ("orders",),
    ("fills",),
    ("positions",),
    ("signals",),
    ("limits",),
    ("strategies",),
    ("config", "check"),
    ("config", "show"),
]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveWorld]:
    with live_world(tmp_path_factory.mktemp("venue"), scenario="quiet") as world:
        yield world


@pytest.fixture
def world(shared: LiveWorld, tmp_path: Path) -> LiveWorld:
    """A ledger that has traded live and holds nothing, beside a venue."""
    world = LiveWorld(tmp_path, shared.sandbox, shared.key)
    world.write_config(client="direct")
    with Database(world.ledger) as db:
        db.run(lambda c: c.execute("INSERT INTO binding VALUES (1, 'venue', 137, ?)", (world.wallet,)))
        db.run(
            lambda c: c.execute(
                "INSERT INTO runs (mode, feed, config_hash, config, started_ms, ended) VALUES ('live', 'x', 'x', '{}', 1, 'x')"
            )
        )
    return world


def add_order(world: LiveWorld) -> None:
    """Put an order into the ledger of which nobody knows whether it is open."""
    with Database(world.ledger) as db:
        db.run(
            lambda c: c.execute(
                "INSERT INTO orders (order_id, run_id, signal_id, strategy, condition_id, asset_id, side, price, quantity,"
                " time_in_force, post_only, state, matched, reserved, reason, created_ms, updated_ms) VALUES"
                " ('0x01', 1, 's', 'x', 'c', '1', 'BUY', 500000, 5000000, 'GTC', 0, 'UNKNOWN', 0, 2500000, '', 1, 1)"
            )
        )


def test_reading_commands_need_no_key_and_load_none(world: LiveWorld) -> None:
    """Reading commands work in an empty environment; with a broken key in it they do not notice."""
    for words in READING:
        plain = world.call(*words, "--json")
        assert plain.code == 0, (words, plain.said)
    for words in READING[:3]:
        broken = world.call(*words, "--json", POLYMARKET_PRIVATE_KEY="no key at all")
        assert (broken.code, "no key at all" in broken.said) == (0, False)


def test_status_tells_what_is_not_proven(world: LiveWorld) -> None:
    """status shows wallet, state with its causes, and every order whose outcome is not proven with its age."""
    add_order(world)
    world.call("halt", "--reason", "night")
    found = world.call("status", "--json").json
    live = found["live"]
    assert (found["agent"], live["wallet"], live["state"]) == (None, world.wallet, "HALTED")
    assert [(each["cause"], each["detail"]) for each in live["causes"]] == [("operator_halt", "night")]
    assert live["orders_by_state"] == {"UNKNOWN": 1}
    assert live["orders_not_proven"][0]["age_s"] > 1_000_000
    assert "UNKNOWN for" in world.call("status").out


def test_kill_works_without_a_config_that_can_be_read(world: LiveWorld) -> None:
    """With a broken config `kill --db` still writes flag and file; without --db it says how to name the ledger."""
    add_order(world)
    (world.folder / "polymarket-agent.yaml").write_text("mode: [")
    unnamed = world.call("kill", key=True)
    assert (unnamed.code, "kill --db" in unnamed.err) == (2, True)
    assert not is_killed(world.ledger)
    done = world.call("kill", "--db", "ledger.db", "--reason", "smoke", "--json", key=True)
    assert (done.code, done.json["verified"]) == (1, False)
    assert any("config" in each for each in done.json["trouble"])
    assert is_killed(world.ledger)
    assert world.query("SELECT cause, state, detail FROM agent_states") == [("kill", "KILLED", "smoke")]


def test_kill_without_a_key_is_verified_only_if_nothing_can_be_open(world: LiveWorld) -> None:
    """Without a key: exit code 0 when the ledger has no order that may be open, else 1 with what cancels instead."""
    assert world.call("kill").code == 0
    add_order(world)
    done = world.call("kill")
    assert done.code == 1
    assert "1 orders that may be open" in done.err
    assert "venue" in done.err


def test_kill_says_when_the_ledger_is_not_there(world: LiveWorld) -> None:
    """A ledger that does not exist cannot be the running agent's: exit code 1, whatever else went well."""
    done = world.call("kill", "--db", "other.db", "--verify-s", "0", key=True)
    assert done.code == 1
    assert "no ledger other.db" in done.err


def test_kill_needs_no_ledger_that_can_be_written(world: LiveWorld) -> None:
    """While something holds the ledger's write lock the kill file alone is made, and the venue is emptied."""
    with sqlite3.connect(world.ledger, isolation_level=None) as busy:
        busy.execute("BEGIN IMMEDIATE")
        done = world.call("kill", "--verify-s", "0", "--json", key=True)
        busy.execute("ROLLBACK")
    busy.close()
    assert (done.code, done.json["verified"]) == (0, True), done.said
    assert any("cannot be written" in each for each in done.json["trouble"])
    assert is_killed(world.ledger)
    assert world.call("resume", "--yes").code == 2
    assert world.call("resume", "--confirm", "resume").code == 0
    assert not is_killed(world.ledger)


def test_kill_gives_up_on_a_venue_that_does_not_answer(world: LiveWorld) -> None:
    """With the venue out of reach kill tries until its patience ends, and then says that nothing is verified."""
    add_order(world)
    world.write_config(client="direct", **dict.fromkeys(world.sandbox.urls, "http://127.0.0.1:9"))
    done = world.call("kill", "--patience-s", "3", "--json", key=True)
    assert (done.code, done.json["verified"]) == (1, False)
    assert is_killed(world.ledger)


def test_resume_without_an_agent_lets_the_next_start_compare_first(world: LiveWorld) -> None:
    """resume closes the operator's causes in the ledger, leaves RECOVERING, and drops commands that nobody took."""
    world.call("halt")
    with Database(world.ledger) as db:
        db.run(lambda c: c.execute("INSERT INTO commands (at_ms, name, argument, origin) VALUES (1, 'halt', '', 'x')"))
    assert world.call("resume").code == 2
    assert world.call("resume", "--yes").code == 0
    assert world.query("SELECT cause, state FROM agent_states WHERE left_ms IS NULL") == [("resume", "RECOVERING")]
    assert world.query("SELECT left_by FROM agent_states WHERE cause = 'operator_halt'") == [("operator",)]
    assert world.query("SELECT count(*) FROM commands WHERE done_ms IS NULL") == [(0,)]


def test_an_agent_on_paper_takes_no_commands(world: LiveWorld) -> None:
    """halt, kill, resume, reconcile and redeem refuse a paper ledger and say how to end its agent."""
    assert world.call("config", "init", "paper.yaml").code == 0
    ran = world.call("run", "--feed", "demo", "--config", "paper.yaml", "--db", "paper.db", "--json")
    assert ran.code == 0, ran.said
    for words in (("halt",), ("kill",), ("resume", "--yes"), ("reconcile",), ("redeem",)):
        done = world.call(*words, "--db", "paper.db", "--config", "paper.yaml")
        assert (done.code, "paper" in done.err) == (2, True), done.said
    assert not (world.folder / "paper.db.kill").exists()


def test_cancel_all_without_an_agent_needs_every_lock(world: LiveWorld) -> None:
    """cancel-all by its own connection asks for config, flag and key like trading does."""
    assert world.call("cancel-all", key=True).code == 3
    assert world.call("cancel-all", "--live").code == 3
    done = world.call("cancel-all", "--live", "--json", key=True)
    assert (done.code, done.json["cancelled"]) == (0, 0), done.said


def test_an_unexplained_deposit_is_shown_and_named(world: LiveWorld) -> None:
    """Cash that came from outside makes reconcile fail until the operator names it a deposit with a typed word."""
    found = world.call("reconcile", "--json", key=True)
    cash = next(row for row in found.json["rows"] if row["what"].startswith("cash"))
    assert (found.code, found.json["equal"], cash["explained"]) == (1, False, "no")
    assert cash["difference"] == cash["venue"]
    assert world.call("reconcile", "--accept-flow", key=True).code == 2
    assert world.query("SELECT count(*) FROM flows") == [(0,)]
    named = world.call("reconcile", "--accept-flow", "--confirm", "book", key=True)
    assert named.code == 0, named.said
    assert world.query("SELECT kind, cause FROM flows") == [("cash", "deposit")]
    assert world.call("reconcile", key=True).code == 0


def test_a_ledger_of_another_wallet_is_not_compared(world: LiveWorld) -> None:
    """reconcile names both wallets when key and ledger do not belong together."""
    with Database(world.ledger) as db:
        db.run(lambda c: c.execute("UPDATE binding SET wallet = ?", (WALLET,)))
    done = world.call("reconcile", key=True)
    assert done.code == 2
    assert WALLET in done.err
    assert world.wallet in done.err


def test_who_holds_a_ledger_is_told_without_being_in_the_way(tmp_path: Path) -> None:
    """A held lock names its process; a released one and the leftover of a killed process name nobody."""
    ledger = tmp_path / "l.db"
    path = ledger.with_name("l.db.lock")
    assert running_agent(ledger) is None
    lock = FileLock(path)
    assert running_agent(ledger) == os.getpid()
    lock.release()
    assert running_agent(ledger) is None
    path.write_text("12345")
    assert running_agent(ledger) is None
    FileLock(path).release()
