"""The first start on a wallet: what it has is where the ledger begins."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

import structlog

from polymarket_agent.domain.money import Usdc
from polymarket_agent.errors import VenueError, VenueUnavailableError
from polymarket_agent.ledger.flows import Flow
from polymarket_agent.ledger.live_journal import LiveJournal
from polymarket_agent.ports import Clock

if TYPE_CHECKING:
    from polymarket_agent.execution.live import LiveTrader

__all__ = ["open_ledger", "patiently"]

_DAY_S = 86_400
_SETTLING_S = 60
_WAITS_S = (0.25, 0.5, 1.0, 2.0, 4.0)

T = TypeVar("T")
_log = structlog.get_logger(__name__)


async def patiently(read: Callable[[], Awaitable[T]]) -> T:
    """Repeat a read of the start that failed, for some seconds: an agent that ends at the first 500 cancels nothing.

    Raises:
        VenueError: it still fails.
    """
    for wait_s in _WAITS_S:
        try:
            return await read()
        except VenueError as error:
            _log.warning("venue_not_read", error=str(error), again_in_s=wait_s)
            await asyncio.sleep(wait_s)
    return await read()


async def open_ledger(trader: LiveTrader, journal: LiveJournal, clock: Clock) -> None:
    """Book what the wallet holds as deposits: cash, and shares at what the venue says that they cost.

    Trades that settle while this is read would be in the balances or not, by chance; so it waits for them.

    Raises:
        VenueError: the venue cannot be read, or trades of before are still settling after a minute.
    """
    gateway = trader.gateway
    for _ in range(_SETTLING_S):
        now_s = clock.now_ms() // 1_000
        settling = [leg for leg in await gateway.legs(now_s - _DAY_S) if not leg.status.final]
        if not settling:
            break
        await asyncio.sleep(1)
    else:
        raise VenueUnavailableError(
            f"{len(settling)} fills from before are still settling, so the opening balance is not known",
            hint="start again in a few minutes",
        )
    positions = {each.asset_id: each for each in await gateway.positions()}
    balances = await gateway.balances(sorted(positions))
    born_s = clock.now_ms() // 1_000 + 1
    now_ms = clock.now_ms()
    trader.account.deposit(balances.cash)
    shares = []
    for asset_id, quantity in sorted(balances.shares.items()):
        held = positions.get(asset_id)
        if not quantity or held is None:
            continue
        cost = Usdc(held.cost * quantity // held.quantity if held.quantity else 0)
        trader.account.deposit_shares(asset_id, held.condition_id, quantity, cost)
        shares.append(
            Flow("shares", now_ms, held.condition_id, asset_id, quantity=quantity, amount=cost, cause="opening")
        )
    journal.opened(balances.cash, shares, now_ms, born_s=born_s)
    trader.bookmarks["born_s"] = born_s
    await asyncio.sleep(max(0.0, born_s - clock.now_ms() / 1_000))
