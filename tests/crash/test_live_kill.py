"""kill -9 of a live agent at any moment, again and again: the ledger comes to agree with the exchange's own books.

CRASH_KILLS and CRASH_SEED make it longer or other; CRASH_KEEP names a folder that keeps the files.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
import structlog

from tests.crash.live_rows import causes_of, command, count, damage, unsettled
from tests.crash.live_world import Agent, World, a_world

_log = structlog.get_logger(__name__)

KILLS = int(os.environ.get("CRASH_KILLS", "8"))
SEED = int(os.environ.get("CRASH_SEED", "1"))
CLIENT = os.environ.get("CRASH_CLIENT", "direct")
SETTLE_S = 60.0

FAULTS = (
    {"point": "post.answer", "fault": "drop", "every": 7},
    {"point": "post.request", "fault": "drop", "every": 23},
    {"point": "post.request", "fault": "duplicate", "every": 9},
    {"point": "post.answer", "fault": "replace", "argument": "internal_error", "every": 13},
    {"point": "cancel.answer", "fault": "drop", "every": 11},
    {"point": "read.trades.answer", "fault": "page_lost", "argument": "end", "every": 37},
    {"point": "read.any.answer", "fault": "replace", "argument": "internal_error", "every": 41},
    {"point": "stream.user", "fault": "drop", "argument": 1, "every": 19},
    {"point": "stream.user", "fault": "duplicate", "every": 5},
    {"point": "stream.user", "fault": "close", "argument": 1006, "every": 90},
    {"point": "venue", "fault": "settle", "argument": {"end": "FAILED", "seconds": 1}, "every": 6},
)

ORDER_PATHS = ("/clob/order", "/clob/orders", "/clob/cancel-all")

MOMENTS = (
    "a fill",
    "order is lost",
    "order arrives",
    "recovery",
    "order is answered",
    "cancel",
    "attempt without answer",
    "any time",
)
METHODS = {"cancel": "DELETE", "recovery": "GET"} | dict.fromkeys(
    ("order is lost", "order arrives", "order is answered"), "POST"
)


def strikes(world: World, agent: Agent, moment: str, random: Random) -> Callable[[], bool]:
    """Arm a kill at a kind of moment, which one of that kind is drawn; returns a look that says whether it is now."""
    nth, ledger = random.randint(1, 9), agent.ledger
    attempts, fills = count(ledger, "attempts") + nth, count(ledger, "fills") + -(-nth // 2)
    ends = time.monotonic() + (random.uniform(0.3, 9.0) if moment == "any time" else 15.0)
    method = METHODS.get(moment)
    left = [random.randint(1, 12) if moment == "recovery" else nth]

    def request(used: str, path: str, _: bytes) -> bool:
        if used != method or not (path in ORDER_PATHS or path.startswith("/clob/data/")):
            return False
        left[0] -= 1
        if left[0] == 0:
            agent.process.kill()
        return left[0] == 0 and moment == "order is lost"

    if moment == "order is answered":
        world.spy.after = request
    elif method:
        world.spy.before = request

    def look() -> bool:
        if moment == "attempt without answer" and count(ledger, "attempts") >= attempts:
            return count(ledger, "attempts", "answer IS NULL") > 0
        return time.monotonic() > ends or (moment == "a fill" and count(ledger, "fills") >= fills)

    return look


def kill_at(world: World, agent: Agent, moment: str, random: Random) -> None:
    """Kill an agent at a kind of moment."""
    now = strikes(world, agent, moment, random)
    while agent.running() and not now():
        time.sleep(0.002)
    if agent.process.poll() == 1:  # a venue that cannot be read at the start is said, and nothing was sent
        assert "failed with 500" in agent.told() or "refused with 500" in agent.told(), agent.told()
    assert agent.process.poll() in (None, 1, -9), f"it ended by itself: {agent.told()}"
    agent.kill()
    world.spy.before = world.spy.after = lambda *_: None


def settle(world: World, config: Path) -> Agent:
    """Live once more without faults, halt, let everything become final, and end in good order."""
    world.no_faults()
    agent = world.start(config)
    agent.until(lambda: agent.begun() and "start" not in causes_of(agent.ledger), "two clean rounds", SETTLE_S)
    command(agent.ledger, "halt", "the test ends")
    agent.until(lambda: "operator_halt" in causes_of(agent.ledger), "HALTED")
    agent.until(lambda: not unsettled(agent.ledger), "everything final", SETTLE_S)
    assert agent.stop() == 0, agent.told()
    return agent


@pytest.mark.skipif(os.name != "posix", reason="kill -9 is of POSIX")
def test_an_agent_killed_at_any_moment_ends_with_the_books_of_the_exchange(tmp_path: Path) -> None:
    """After kills at aimed and random moments: cash, shares, orders, fills and file are right, nothing is sent twice."""
    folder = Path(os.environ.get("CRASH_KEEP", tmp_path))
    random = Random(f"{SEED}/kills")
    with a_world(folder, seed=SEED, faults=FAULTS) as world:
        config, resumed = world.config(client=CLIENT), 0
        ledger = world.ledger()
        for number in range(KILLS):
            moment = MOMENTS[number] if number < len(MOMENTS) else random.choice(MOMENTS)
            agent = world.start(config)
            kill_at(world, agent, moment, random)
            assert not damage(ledger), f"kill {number}: {moment}"
            _log.warning("killed", number=number, moment=moment, causes=causes_of(ledger), fills=count(ledger, "fills"))
            held = [cause for cause, state in causes_of(ledger).items() if state != "RECOVERING"]
            assert not set(held) - {"revival", "ghost_fills"}, f"kill {number}, {moment}: {causes_of(ledger)}"
            if held:
                command(ledger, "resume", "confirmed")
                resumed += 1
        settle(world, config)
        assert not world.spy.failures
        assert not world.differences(ledger)
        assert not damage(ledger)
        assert count(ledger, "fills") > KILLS // 6, "a run without fills proves nothing"
        assert world.arrived() > KILLS
        assert not resumed or KILLS > 20, "it was held back and had to be resumed"
