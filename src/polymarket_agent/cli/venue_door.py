"""A connection to the venue beside that of a running agent, and what can be done with it without one."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from polymarket_agent.errors import LiveLockedError, VenueError

if TYPE_CHECKING:
    from polymarket_agent.config import Config
    from polymarket_agent.keys import Secret
    from polymarket_agent.ports import VenueGateway

__all__ = ["Emptied", "connected", "empty_the_venue"]

_AGAIN_S = 1.0


@contextlib.asynccontextmanager
async def connected(config: Config, key: Secret) -> AsyncIterator[VenueGateway]:
    """Connect with a key, without the wallet's lock: a running agent holds it, and only cancels and reads happen here.

    Raises:
        LiveLockedError: the venue refuses the key, or signs orders in a version that we do not know.
        ConfigError: it is not clear whose wallet it is, or an address is not the venue's.
        VenueError: the venue cannot be read.
    """
    from polymarket_agent.adapters.polymarket.gateways import build_gateway, urls_of
    from polymarket_agent.cli.unlock import identity_of
    from polymarket_agent.clock import SystemClock

    identity = await identity_of(config, key)
    gateway = build_gateway(config.live.client.value, urls_of(config), key, identity, SystemClock())
    try:
        await gateway.connect()
        yield gateway
    finally:
        await gateway.aclose()


@dataclass(slots=True)
class Emptied:
    """What came of cancelling everything.

    Attributes:
        cancelled: ids that the venue says it has cancelled.
        left: ids that its last list of open orders had.
        verified: the list was empty twice, far enough apart.
        trouble: the last thing that went wrong, "" if nothing did.
    """

    cancelled: set[str]
    left: tuple[str, ...] = ()
    verified: bool = False
    trouble: str = ""


async def empty_the_venue(config: Config, key: Secret, *, verify_s: float, patience_s: float) -> Emptied:
    """Cancel every order of this key until the venue's list of open orders was empty twice, `verify_s` apart.

    Whatever fails is tried again until `patience_s` are over, a closed lock excepted.
    """
    found = Emptied(set())
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(patience_s):
            while not found.verified:
                try:
                    async with connected(config, key) as gateway:
                        await _cancel_and_look(gateway, found, verify_s)
                except VenueError as error:
                    found.trouble = str(error)
                except LiveLockedError as error:
                    found.trouble = str(error)
                    return found
                if not found.verified:
                    await asyncio.sleep(_AGAIN_S)
    return found


async def _cancel_and_look(gateway: VenueGateway, found: Emptied, verify_s: float) -> None:
    loop = asyncio.get_running_loop()
    empty_since: float | None = None
    while not found.verified:
        if empty_since is None:
            found.cancelled |= set((await gateway.cancel_all()).canceled)
        listed = tuple(str(each.order_id) for each in await gateway.open_orders())
        found.left = listed
        if listed:
            empty_since = None
            found.trouble = f"{len(listed)} orders are still open"
            found.cancelled |= set((await gateway.cancel(listed)).canceled)  # type: ignore[arg-type]
            await asyncio.sleep(_AGAIN_S)
        elif empty_since is None:
            empty_since = loop.time()
            await asyncio.sleep(verify_s)
        else:
            found.verified, found.trouble = True, ""
