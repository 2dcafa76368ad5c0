"""Between an agent and its gateway: where a process dies in the middle of a call."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from polymarket_agent.ports import VenueGateway

__all__ = ["Cable"]

_TICK_S = 0.01


class Cable:
    """The gateway of a process that can die: from then on nothing leaves, and what it waits for never comes."""

    def __init__(self, gateway: VenueGateway) -> None:
        self._gateway = gateway
        self.calls: list[str] = []
        self.dead = False
        self.reached = asyncio.Event()  # the moment at which the process is to die
        self._trap: tuple[str, str] | None = None
        self.opened: Callable[[], None] = lambda: None  # called once, when balances were read first

    def trap(self, name: str, when: str) -> None:
        """Hold the next call of a name: `before` it is sent, or `after` the venue has it and nobody read the answer."""
        self._trap = (name, when)

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._gateway, name)
        if not asyncio.iscoroutinefunction(value) or name == "aclose":
            return value

        async def call(*args: Any, **named: Any) -> Any:
            self._die_if_dead()
            self.calls.append(name)
            held = self._trap[1] if self._trap is not None and self._trap[0] == name else ""
            if held:
                self._trap = None
            if held == "before":
                await self._hold()
            answer = await value(*args, **named)
            if held == "after":
                await self._hold()
            self._die_if_dead()
            if name == "balances" and self.calls.count(name) == 1:
                self.opened()
            return answer

        return call

    async def _hold(self) -> None:
        self.reached.set()
        while not self.dead:  # noqa: ASYNC110 - ended by `dead`, which anybody may set
            await asyncio.sleep(_TICK_S)
        self._die_if_dead()

    def _die_if_dead(self) -> None:
        if self.dead:
            raise asyncio.CancelledError
