"""The user channel of the simulated exchange: it loses, doubles and reorders, and breaks off now and then."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polymarket_agent.domain.events import UserStream, VenueLeg, VenueOrder
from polymarket_agent.domain.venue import Leg, OrderSnapshot
from tests.live.virtual import SimDatabase

if TYPE_CHECKING:
    from tests.live.sim_world import World


class Channel:
    """One channel for all processes of the agent; `up` is whether somebody listens."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._epoch = 0
        self.up = False

    def opens(self, db: SimDatabase) -> None:
        """Begin to tell the process of a ledger what happens from now on."""
        self._switch(db, up=True)

    def breaks(self, db: SimDatabase) -> None:
        """Tell nothing for a while."""
        self._switch(db, up=False)
        self._world.loop.call_later(self._world.rng.uniform(1, 60), self.opens, db)

    def _switch(self, db: SimDatabase, *, up: bool) -> None:
        world = self._world
        if db is not world.db or db.dead or world.desk is None:
            return
        self.up = up
        self._epoch += up
        world.take_in(UserStream(up, self._epoch, "test", world.clock.now_ms()))

    def emit(self, said: OrderSnapshot | Leg) -> None:
        """Send something, perhaps."""
        world = self._world
        if world.chance("stream_loss"):
            world.stats["lost messages"] += 1
            return
        for _ in range(2 if world.chance("stream_dup") else 1):
            world.loop.call_later(world.rng.uniform(0.01, 5.0 if world.faulty else 0.1), self._heard, said)

    def _heard(self, said: OrderSnapshot | Leg) -> None:
        if not self.up:
            return
        world, now_ms = self._world, self._world.clock.now_ms()
        world.log("heard", said.order_id[:8], said.status, "" if isinstance(said, Leg) else said.matched)
        world.take_in(VenueLeg(said, now_ms, now_ms) if isinstance(said, Leg) else VenueOrder(said, now_ms, now_ms))
        world.oracle.order(said.order_id)
