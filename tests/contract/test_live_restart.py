"""A live agent that dies at any moment and starts again: no order doubled, no fill lost, nothing left unproven.

The process dies as by `kill -9`: its ledger is what was on disk, what it waited for never comes, and nothing more
leaves it; what had left may have reached the venue or not.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from polymarket_agent.db import Database
from polymarket_agent.decision.states import AgentState
from polymarket_agent.domain.levels import Side
from polymarket_agent.domain.market import FeeSchedule
from polymarket_agent.domain.money import price, shares, usdc
from polymarket_agent.domain.order import OrderState, TimeInForce
from polymarket_agent.domain.venue import WalletKind
from polymarket_agent.errors import DatabaseError
from polymarket_agent.ledger.lease import WalletLock
from tests.contract.live_agent import FAST, copy_of
from tests.contract.live_venue import CLIENTS, LiveVenue, few_certificates, live_venue
from tests.contract.live_world import LiveDesk
from tests.trading_world import YES, PaperDesk, a_signal, books

BUY, SELL = Side.BUY, Side.SELL
FOK = TimeInForce.FOK
OPEN, CANCELED, FILLED, REJECTED = OrderState.OPEN, OrderState.CANCELED, OrderState.FILLED, OrderState.REJECTED
FEES = FeeSchedule(rate=40_000)

Act = Callable[[LiveDesk], Awaitable[Any]]


@pytest.fixture(scope="module", autouse=True)
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with few_certificates(tmp_path_factory.mktemp("tls")):
        yield


@pytest.fixture
async def venue() -> AsyncIterator[LiveVenue]:
    async with live_venue(fees=FEES) as venue:
        venue.show([(price("0.35"), shares(100))], [(price("0.51"), shares(50)), (price("0.53"), shares(70))])
        yield venue


@asynccontextmanager
async def running(
    venue: LiveVenue, path: Path, client: str = "direct", *, active: bool = True, **more: Any
) -> AsyncIterator[LiveDesk]:
    """Run a desk on a ledger file; one that was killed is not stopped again."""
    desk = LiveDesk(venue, client, db=path, policy=replace(FAST, **more))
    try:
        await desk.start(active=active)
        yield desk
    finally:
        if not desk.cable.dead:
            await desk.stop()


async def dies(desk: LiveDesk, folder: Path, name: str, when: str, act: Act) -> Path:
    """Do something and die in the middle of it; returns the ledger that is left."""
    desk.cable.trap(name, when)
    await act(desk)
    await desk.until(desk.cable.reached.is_set)
    return await desk.kill(folder)


async def proven(desk: LiveDesk) -> None:
    """Wait until nothing is open to doubt, and require equality with the venue."""
    await desk.until(lambda: desk.state is AgentState.ACTIVE)
    await desk.agrees()
    waiting = "SELECT 1 FROM orders WHERE state IN ('PREPARED', 'SUBMITTED', 'UNKNOWN', 'DELAYED', 'QUARANTINED')"
    assert not desk.rows(waiting)
    hashes = [order_id for (order_id,) in desk.rows("SELECT order_id FROM orders")]
    assert set(desk.venue.open_orders()) <= set(hashes)


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("when", ["before", "after"])
async def test_death_while_an_order_is_sent(tmp_path: Path, venue: LiveVenue, client: str, when: str) -> None:
    """An order that was on disk and perhaps at the venue is found there, or is proven absent; never a second one."""
    async with running(venue, tmp_path / "first.db", client) as first:
        left = await dies(first, tmp_path / "left", "submit", when, lambda desk: desk.send(a_signal(BUY, "0.4", 20)))
    assert len(venue.open_orders()) == (when == "after")
    async with running(venue, left, client, active=False) as again:
        await proven(again)
        ((order_id, state),) = again.rows("SELECT order_id, state FROM orders")
        assert state == ("OPEN" if when == "after" else "REJECTED")
        assert list(venue.open_orders()) == ([order_id] if when == "after" else [])
        assert again.account.free_cash == usdc("1000") - (usdc("8.32") if when == "after" else 0)
        assert "submit" not in again.cable.calls


@pytest.mark.parametrize("when", ["before", "after"])
async def test_death_while_a_taker_is_sent(tmp_path: Path, venue: LiveVenue, when: str) -> None:
    """Fills of an order whose answer nobody read are in the ledger, once, with their fees."""
    async with running(venue, tmp_path / "first.db") as first:
        left = await dies(
            first, tmp_path / "left", "submit", when, lambda desk: desk.send(a_signal(BUY, "0.53", 60, tif=FOK))
        )
    async with running(venue, left, active=False) as again:
        await proven(again)
        assert again.account.quantity_of(again.asset(YES)) == (shares(60) if when == "after" else 0)
        assert len(again.rows("SELECT 1 FROM fills")) == len(venue.legs())


@pytest.mark.parametrize("when", ["before", "after"])
async def test_death_while_an_order_is_cancelled(tmp_path: Path, venue: LiveVenue, when: str) -> None:
    """A cancel that was wished for is asked again after the start, until the order is seen cancelled."""
    async with running(venue, tmp_path / "first.db") as first:
        order = await first.place(a_signal(BUY, "0.4", 20))
        venue.take(SELL, "5", price("0.4"))

        async def cancel(desk: LiveDesk) -> None:
            await desk.trader.cancel_order(order.order_id)
            desk.db.flush()  # the wish is on disk; one that is not is forgotten, and a cancel does not wait for the disk

        left = await dies(first, tmp_path / "left", "cancel", when, cancel)
    assert len(venue.open_orders()) == (when == "before")
    async with running(venue, left, active=False) as again:
        await again.until(lambda: not venue.open_orders())
        await proven(again)
        assert (again.order(order).state, again.order(order).matched) == (CANCELED, shares(5))


async def test_death_after_a_fill_that_was_not_heard_of(tmp_path: Path, venue: LiveVenue) -> None:
    """Fills between the last word that was heard and the start, and while the agent is down, are all booked."""
    async with running(venue, tmp_path / "first.db") as first:
        order = await first.place(a_signal(BUY, "0.4", 20))
        sale = await first.place(a_signal(BUY, "0.51", 30, tif=FOK))
        venue.take(SELL, "5", price("0.4"))
        left = await first.kill(tmp_path / "left")
    venue.take(SELL, "4", price("0.4"))
    async with running(venue, left, active=False) as again:
        await proven(again)
        assert (again.order(order).matched, again.order(sale).state) == (shares(9), FILLED)
        assert len(again.rows("SELECT 1 FROM fills")) == 3


@pytest.mark.parametrize("end", ["CONFIRMED", "FAILED"])
async def test_death_between_a_match_and_its_settlement(tmp_path: Path, venue: LiveVenue, end: str) -> None:
    """A fill that settles or fails while the agent is down counts as what it became."""
    async with running(venue, tmp_path / "first.db") as first:
        venue.fault(point="venue", fault="settle", argument={"end": "RETRYING", "seconds": 0.6, "then": end}, every=1)
        sent = await first.send(a_signal(BUY, "0.51", 20, tif=FOK))
        await first.until(lambda: first.account.positions)
        left = await first.kill(tmp_path / "left")
    async with running(venue, left, active=False) as again:
        await proven(again)
        held = again.account.quantity_of(again.asset(YES))
        assert (held, again.order(sent).matched) == ((shares(20),) * 2 if end == "CONFIRMED" else (0, 0))
        assert again.account.cash == (venue.cash() if end == "CONFIRMED" else usdc("1000"))


async def test_death_again_and_again_while_recovering(tmp_path: Path, venue: LiveVenue) -> None:
    """A start that is killed at any of its reads leaves a ledger from which the next start recovers."""
    async with running(venue, tmp_path / "first.db") as first:
        await first.place(a_signal(BUY, "0.4", 20))
        await first.place(a_signal(BUY, "0.51", 20, tif=FOK))
        left = await dies(first, tmp_path / "left", "submit", "after", lambda desk: desk.send(a_signal(BUY, "0.3", 20)))
    venue.take(SELL, "20", price("0.4"))
    for number, name in enumerate(("account_flags", "open_orders", "legs", "balances", "positions", "order")):
        desk = LiveDesk(venue, "direct", db=left)
        desk.cable.trap(name, "after")
        await desk.start(active=False)
        await desk.until(desk.cable.reached.is_set)
        left = await desk.kill(tmp_path / f"left-{number}")
    async with running(venue, left, active=False) as again:
        await proven(again)
        assert [state for (state,) in again.rows("SELECT state FROM orders ORDER BY rowid")] == [
            "FILLED",
            "FILLED",
            "OPEN",
        ]


async def test_death_while_a_new_ledger_is_opened(tmp_path: Path, venue: LiveVenue) -> None:
    """What the wallet holds is the opening balance once, at whatever read the first start died."""
    venue.sandbox.exchange.give_shares(venue.account.wallet, venue.market.asset_ids[0], shares(7))
    path = tmp_path / "first.db"
    for number, name in enumerate(("legs", "positions", "balances", "open_orders")):
        desk = LiveDesk(venue, "direct", db=path)
        desk.cable.trap(name, "after")
        await desk.start(active=False)
        await desk.until(desk.cable.reached.is_set)
        path = await desk.kill(tmp_path / f"left-{number}")
    async with running(venue, path, active=False) as again:
        await proven(again)
        assert (again.account.deposits >= usdc("1000"), again.account.cash) == (True, usdc("1000"))
        assert again.account.positions[again.asset(YES)].quantity == shares(7)
        opening = "SELECT kind, sum(amount), sum(quantity) FROM flows WHERE cause = 'opening' GROUP BY kind"
        flows = {kind: (amount, quantity) for kind, amount, quantity in again.rows(opening)}
        assert (flows["cash"][0], flows["shares"][1]) == (usdc("1000"), shares(7))


async def test_what_was_left_open_is_cancelled_at_the_start(tmp_path: Path, venue: LiveVenue) -> None:
    """With cancel_on_start nothing of before rests when the agent begins; its money is free."""
    async with running(venue, tmp_path / "first.db") as first:
        order = await first.place(a_signal(BUY, "0.4", 20))
        left = await first.kill(tmp_path / "left")
    assert len(venue.open_orders()) == 1
    async with running(venue, left, active=False, cancel_on_start=True) as again:
        await again.until(lambda: not venue.open_orders())
        await proven(again)
        assert (again.order(order).state, again.account.free_cash) == (CANCELED, usdc("1000"))


@pytest.mark.parametrize("client", CLIENTS)
async def test_nothing_is_left_open_at_the_end(tmp_path: Path, venue: LiveVenue, client: str) -> None:
    """With cancel_on_stop the end waits until the venue shows that nothing rests; the ledger says so too."""
    async with running(venue, tmp_path / "first.db", client, cancel_on_stop=True) as desk:
        for at in ("0.4", "0.3"):
            await desk.place(a_signal(BUY, at, 20))
        await desk.send(a_signal(BUY, "0.2", 20))
    assert not venue.open_orders()
    with Database(tmp_path / "first.db") as db:
        states = db.run(lambda connection: connection.execute("SELECT state FROM orders").fetchall())
    assert states == [("CANCELED",)] * 3


async def test_an_older_backup_in_place_of_the_ledger(tmp_path: Path, venue: LiveVenue) -> None:
    """F68: what the venue knows and an old ledger does not is imported as somebody else's, and entries stop."""
    async with running(venue, tmp_path / "first.db") as first:
        await first.place(a_signal(BUY, "0.4", 20))
        first.db.flush()
        backup = copy_of(tmp_path / "first.db", tmp_path / "backup")
        await first.place(a_signal(BUY, "0.51", 20, tif=FOK))
        await first.place(a_signal(BUY, "0.3", 20))
    async with running(venue, backup, active=False) as again:
        await again.until(lambda: again.causes == {"external_activity"})
        assert again.state is AgentState.REDUCING
        await again.agrees()
        assert len(venue.open_orders()) == 2  # they are never cancelled for that


async def test_a_second_agent_on_the_same_ledger(tmp_path: Path, venue: LiveVenue) -> None:
    """F75: it is refused before it asks the venue anything, with the process that has the ledger."""
    async with running(venue, tmp_path / "first.db") as first:
        with pytest.raises(DatabaseError, match=str(os.getpid())):
            LiveDesk(venue, "direct", db=tmp_path / "first.db")
        assert (await first.place(a_signal(BUY, "0.4", 20))).state is OPEN


def test_a_second_agent_on_the_same_wallet(tmp_path: Path) -> None:
    """F75: whatever ledger it has, it is refused with the process that has the wallet; afterwards it may start."""
    wallet = "0x" + "aB" * 20
    with WalletLock(wallet, tmp_path):
        with pytest.raises(DatabaseError, match=str(os.getpid())):
            WalletLock(wallet.lower(), tmp_path)
        with WalletLock("0x" + "cd" * 20, tmp_path):
            pass
    with WalletLock(wallet, tmp_path):
        pass


async def test_an_agent_that_has_lost_its_ledger_sends_nothing(tmp_path: Path, venue: LiveVenue) -> None:
    """F76: once another process has taken the lease, no order of this one leaves."""
    async with running(venue, tmp_path / "first.db") as first:
        with sqlite3.connect(tmp_path / "first.db") as other:
            other.execute("UPDATE lease SET epoch = epoch + 1, pid = 4242")
        other.close()
        await first.send(a_signal(BUY, "0.4", 20))
        await first.until(lambda: not first.account.orders)
        assert ("submit" in first.cable.calls, venue.open_orders()) == (False, {})
        await first.kill(tmp_path / "left")


async def test_a_ledger_of_another_wallet(tmp_path: Path, venue: LiveVenue) -> None:
    """A ledger belongs to one wallet: another one is refused with both, and so is a ledger of paper money."""
    async with running(venue, tmp_path / "first.db") as first:
        await first.place(a_signal(BUY, "0.4", 20))
    other = replace(venue, account=venue.sandbox.accounts[3], kind=WalletKind(3))
    with pytest.raises(DatabaseError) as refused:
        LiveDesk(other, "direct", db=tmp_path / "first.db")
    for wallet in (venue.account.wallet, other.account.wallet):
        assert wallet.lower() in str(refused.value).lower()
    paper = PaperDesk(db=Database(tmp_path / "paper.db"))
    paper.tell(*books([("0.49", 100)], [("0.51", 50)]))
    await paper.place(a_signal(BUY, "0.51", 10))
    paper.db.close()
    with pytest.raises(DatabaseError, match="paper"):
        LiveDesk(venue, "direct", db=tmp_path / "paper.db")
