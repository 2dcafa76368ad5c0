"""The dead-man's switch: a key that once sent a heartbeat loses all its open orders when it falls silent."""

from __future__ import annotations

from functools import partial

from polymarket_agent.domain.money import ceil_div
from polymarket_agent.sandbox.core import Core
from polymarket_agent.sandbox.model import OrderStatus, Refused

__all__ = ["Heartbeats"]


class Heartbeats:
    """Armed keys: the last id of each and when it was heard. Nothing disarms."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._heard: dict[str, tuple[str, int]] = {}

    def beat(self, owner: str, heartbeat_id: str | None) -> str | Refused:
        """Take a heartbeat that continues the chain (None: of the kind without a chain). Returns the next id."""
        known = self._heard.get(owner)
        expected = known[0] if known is not None else ""
        if heartbeat_id is not None and heartbeat_id != expected:
            return Refused(400, "Invalid Heartbeat ID", code=expected)
        fresh = self._core.fresh_uuid("heartbeat")
        self._heard[owner] = (fresh, self._core.now_ms)
        if known is None:
            self._look_later(owner)
        return fresh

    def _look_later(self, owner: str) -> None:
        policy = self._core.policy
        due_ms = self._heard[owner][1] + policy.heartbeat_s * 1000
        if due_ms <= self._core.now_ms:  # it is silent already: look again a period later
            due_ms = self._core.now_ms + (policy.heartbeat_check_s or policy.heartbeat_s) * 1000
        if policy.heartbeat_check_s:
            step = policy.heartbeat_check_s * 1000
            due_ms = ceil_div(due_ms, step) * step
        self._core.agenda.add(due_ms, partial(self._look, owner), _always)

    def _look(self, owner: str) -> None:
        core = self._core
        if core.now_ms - self._heard[owner][1] >= core.policy.heartbeat_s * 1000:
            orders = [order for order in core.owners.get(owner, {}).values() if order.status is OrderStatus.LIVE]
            core.cancel(orders, OrderStatus.CANCELED, "heartbeat expired")
        self._look_later(owner)


def _always() -> bool:
    return True
