"""One wallet has one agent, one ledger has one writer; a process that stood still or was replaced does not go on."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from polymarket_agent.sandbox.policy import Policy
from tests.crash.live_rows import command, count, rows, state_of, unsettled
from tests.crash.live_world import World, a_world

STOPPED_S = float(os.environ.get("CRASH_STOPPED_S", "9"))
# The venue's dead-man's switch, with the waits of a test: it strikes between 6 and 7 s of silence.
STRICT = Policy(salt="alone", mined_ms=300, settle_ms=900, heartbeat_s=6, heartbeat_check_s=1)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with a_world(tmp_path, policy=STRICT) as made:
        yield made


def refusal(world: World, config: Path) -> tuple[int, dict[str, object], int]:
    """Start an agent that must be refused; returns its exit code, what it said, and how many POSTs came meanwhile."""
    before = count(config.with_suffix(".db"), "attempts")
    second = world.start(config)
    code = second.process.wait(30)
    said = json.loads(second.out.read_text())
    return code, said, count(config.with_suffix(".db"), "attempts") - before


def test_a_second_agent_of_a_wallet_is_refused_with_the_first_ones_process(world: World) -> None:
    """With a ledger of its own it ends with exit code 1, names the holder, makes no ledger, and the first goes on."""
    first = world.start(world.config())
    first.until_active()
    code, said, sent = refusal(world, world.config("other"))

    assert code == 1
    assert f"process {first.pid}" in str(said["error"])
    assert world.wallet in str(said["error"])
    assert sent == 0
    assert not world.ledger("other").exists()
    first.until_trading()
    assert {each["order_id"] for each in world.books()["orders"]} <= {
        row["order_id"] for row in rows(first.ledger, "SELECT order_id FROM orders")
    }


def test_a_second_agent_of_a_ledger_is_refused_with_the_first_ones_process(world: World) -> None:
    """Also with another wallet, which no lock of the wallet keeps out: exit code 1, the holder is named, nothing is sent."""
    first = world.start(world.config())
    first.until_active()
    other = next(each for each in world.sandbox.accounts if each.signature_type == 2)
    env = world.environment(
        POLYMARKET_PRIVATE_KEY=other.private_key, POLYMARKET_FUNDER=other.wallet, POLYMARKET_SIGNATURE_TYPE="2"
    )
    second = world.start(first.config, env=env)

    assert second.process.wait(30) == 1
    said = json.loads(second.out.read_text())
    assert f"process {first.pid}" in said["error"]
    assert not world.sandbox.exchange.orders_of(other.wallet)
    assert first.running()


def test_an_agent_that_stood_still_compares_the_books_before_it_trades(world: World) -> None:
    """SIGSTOP: the venue cancels everything; after SIGCONT nothing is sent before two clean comparisons of the books."""
    agent = world.start(world.config())
    agent.until_active()
    agent.until(lambda: any(each["status"] == "LIVE" for each in world.books()["orders"]), "an open order")
    os.kill(agent.pid, signal.SIGSTOP)
    time.sleep(STOPPED_S)
    assert not [each for each in world.books()["orders"] if each["status"] == "LIVE"], "the venue did not cancel"
    posts, rounds = world.spy.orders, count(agent.ledger, "rounds", "clean = 1")
    clean_at_post: list[int] = []

    def note(method: str, path: str, _: bytes) -> None:
        if (method, path) in (("POST", "/clob/order"), ("POST", "/clob/orders")):
            clean_at_post.append(count(agent.ledger, "rounds", "clean = 1"))

    world.spy.before = note
    os.kill(agent.pid, signal.SIGCONT)
    agent.until(lambda: count(agent.ledger, "agent_states", "cause = 'time_jump'"), "the gap is noticed", 10)
    agent.until(lambda: world.spy.orders > posts, "trading again")

    assert clean_at_post[0] >= rounds + 2
    command(agent.ledger, "halt", "the test ends")
    agent.until(lambda: state_of(agent.ledger) == "HALTED" and not unsettled(agent.ledger), "everything final")
    assert agent.stop() == 0
    assert not world.differences(agent.ledger)


def test_a_process_that_lost_its_lease_neither_writes_nor_sends(world: World) -> None:
    """Another process has taken the ledger: from then on no order leaves, no row is written, and the process ends."""
    agent = world.start(world.config())
    agent.until_active()
    agent.until_trading(3)
    with sqlite3.connect(agent.ledger, timeout=10) as connection:
        connection.execute("UPDATE lease SET epoch = epoch + 1, pid = 4242")
        taken = connection.total_changes
    connection.close()
    assert taken == 1
    noted = [count(agent.ledger, table) for table in ("attempts", "fills", "postings", "order_events", "rounds")]
    # What was committed before may be on the wire still.
    time.sleep(0.3)
    posts = world.spy.orders
    code = agent.process.wait(40)

    assert world.spy.orders == posts
    assert [
        count(agent.ledger, table) for table in ("attempts", "fills", "postings", "order_events", "rounds")
    ] == noted
    assert code == 1
    assert "taken over" in agent.told()
