"""A mistake of ours in the middle of sending an order: nobody knows whether it has left, and that is what the ledger says."""

from __future__ import annotations

from pathlib import Path

from tests.crash.live_rows import causes_of, count, damage
from tests.crash.live_world import a_world


def test_an_order_whose_sending_failed_by_mistake_is_looked_for_and_not_forgotten(tmp_path: Path) -> None:
    """It is UNKNOWN and looked for, the agent halts and sends nothing more; it does not stay as if an answer might come."""
    with a_world(tmp_path) as world:
        env = world.environment(CRASH_RAISE="polymarket_agent.adapters.polymarket.direct:DirectGateway.submit")
        agent = world.start(world.config(), env=env)
        agent.until(lambda: "invariant" in causes_of(agent.ledger), "a halt")
        sent = count(agent.ledger, "attempts")
        agent.until(lambda: count(agent.ledger, "looks"), "a look")
        agent.until(lambda: not count(agent.ledger, "attempts", "answer IS NULL"), "an answer to every attempt")

        assert count(agent.ledger, "attempts", "answer = 'unknown'")
        assert not count(agent.ledger, "orders", "state = 'SUBMITTED'")
        assert count(agent.ledger, "attempts") == sent
        assert not world.spy.orders
        assert not damage(agent.ledger)
