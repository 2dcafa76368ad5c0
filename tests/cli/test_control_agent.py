"""Steering a running live agent from other processes, on a sandbox."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.live_world import LiveWorld, live_world, until


@pytest.fixture
def world(tmp_path: Path) -> Iterator[LiveWorld]:
    with live_world(tmp_path) as running:
        yield running


def test_kill_empties_the_venue_although_the_agent_hangs(world: LiveWorld) -> None:
    """With the agent stopped in its tracks, halt and resume say that it is silent, and `kill` cancels everything itself.

    Woken up, the agent sends nothing more, and the resume that it had not taken before the kill is void.
    """
    agent = world.start()
    agent.send_signal(signal.SIGSTOP)
    assert world.open_orders()
    halted = world.call("halt", "--json").json
    assert halted["answer"] is None
    assert "kill" in halted["next"]
    resumed = world.call("resume", "--yes")  # not taken while the agent hangs, and void once it was killed
    assert (resumed.code, "does not answer" in resumed.err) == (1, True)

    killed = world.call("kill", "--verify-s", "1", "--json", key=True)

    assert killed.code == 0, killed.said
    assert killed.json["verified"] is True
    assert killed.json["agent"] == agent.pid
    assert world.open_orders() == []
    sent = world.sent()
    agent.send_signal(signal.SIGCONT)
    until(lambda: world.query("SELECT 1 FROM notices WHERE event = 'state_killed'"))
    time.sleep(2)
    assert world.sent() == sent
    assert world.open_orders() == []
    assert agent.poll() is None
    assert world.state() == "KILLED"
    (result,) = [row[0] for row in world.query("SELECT result FROM commands WHERE name = 'resume'")]
    assert result == "failed: the agent was stopped again since; ask again"

    assert world.call("resume", "--yes").code == 2  # a kill wants the word
    assert (world.folder / "ledger.db.kill").exists()
    resumed = world.call("resume", "--confirm", "resume", "--json")
    assert resumed.json["state"].startswith("RECOVERING")
    assert not (world.folder / "ledger.db.kill").exists()
    until(lambda: world.sent() > sent)  # two clean comparisons later it trades again


def test_the_kill_file_made_by_hand_stops_a_running_agent_within_a_second(world: LiveWorld) -> None:
    """`touch ledger.db.kill` is enough: within a second the agent is KILLED, and then its orders are cancelled."""
    world.start()
    (world.folder / "ledger.db.kill").touch()
    until(lambda: world.query("SELECT 1 FROM agent_states WHERE state = 'KILLED' AND left_ms IS NULL"), within_s=1.0)
    sent = world.sent()
    until(lambda: not world.open_orders(), within_s=10)
    time.sleep(1)
    assert world.sent() == sent


def test_a_running_agent_is_halted_resumed_and_asked(world: LiveWorld) -> None:
    """halt cancels what is open; resume wants a yes and trading goes on; reload, cancel-all and reconcile are answered."""
    agent = world.start()

    halted = world.call("halt", "--reason", "lunch", "--json").json
    assert halted["agent"] == agent.pid
    assert halted["answer"] == "HALTED (operator_halt: lunch)"
    until(lambda: not world.open_orders(), within_s=10)
    status = world.call("status")
    assert f"runs, process {agent.pid}" in status.out
    assert "operator_halt lunch" in status.out

    refused = world.call("resume")
    assert (refused.code, refused.err.splitlines()) == (2, ["error: nothing was resumed", "hint: go on with --yes"])
    assert world.state() == "HALTED"
    sent = world.sent()
    assert world.call("resume", "--yes").code == 0

    config = world.folder / "polymarket-agent.yaml"
    config.write_text(
        config.read_text().replace("max_position_size: 40", "max_position_size: 30").replace("loss: 40", "loss: 60")
    )
    limits = world.call("limits", "--reload", "--json").json
    assert limits["reload"]["taken"]["max_position_size"] == "30"
    assert "max_daily_loss" in limits["reload"]["ignored"]
    assert limits["agent"]["limits"]["max_daily_loss"] == "40"
    assert limits["agent"]["hash"] == limits["reload"]["after"] != limits["reload"]["before"]
    config.write_text("mode: live\nrisk: {max_daily_loss: nan}\n")
    broken = world.call("limits", "--reload", "--db", "ledger.db", "--config", "absent.yaml")
    assert broken.code == 2

    until(lambda: world.sent() > sent)
    world.write_config()
    assert world.call("cancel-all").code == 0
    asked = world.call("reconcile", "--json")
    assert asked.json["agent"] == agent.pid
    assert asked.json["new"] is True
    assert world.call("reconcile", "--accept-flow").code == 2

    agent.send_signal(signal.SIGINT)
    assert agent.wait(30) == 0
    assert world.open_orders() == []
