"""What happens to the exchange and to the agent's operator in a simulated life, and when."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polymarket_agent.ledger.control import create_kill_file

if TYPE_CHECKING:
    from tests.live.sim_world import World


class Plan:
    """Modes of the exchange, a kill, a halt with its end: put on the world's timers."""

    def __init__(self, world: World, fault_end: float) -> None:
        self._world = world
        rng, at, loop = world.rng, 0.0, world.loop
        while rng.random() < 0.4 and at < fault_end - 50:
            at += rng.uniform(20, 200)
            for wait, mode in ((0, rng.choice(("restart", "cancel_only"))), (60, "post_only"), (120, "normal")):
                loop.call_at(at + wait, self._mode, mode)
        if rng.random() < 0.3:
            loop.call_at(rng.uniform(50, fault_end), self._kill)
        if rng.random() < 0.3:
            halted_at = rng.uniform(50, fault_end - 100)
            loop.call_at(halted_at, self._halt)
            loop.call_at(halted_at + rng.uniform(5, 90), self._resume)

    def _mode(self, mode: str) -> None:
        self._world.exchange.mode = mode if self._world.faulty else "normal"
        self._world.log("mode", self._world.exchange.mode)

    def _kill(self) -> None:
        create_kill_file(self._world.path, "test")
        self._world.killed = True
        self._world.stats["kills"] += 1
        self._world.log("KILL")

    def _halt(self) -> None:
        if self._world.desk is not None:
            self._world.desk.conduct.halt("by the test")

    def _resume(self) -> None:
        if self._world.desk is not None and not self._world.killed:
            self._world.desk.conduct.resume(confirmed=True)
