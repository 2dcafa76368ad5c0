"""One live agent at a venue: its executor, its ledger, its user channel, how it dies, and what its ledger says.

Whatever it does goes over the wire, and whatever it learns comes from there.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from polymarket_agent.adapters.merged import MergedFeed
from polymarket_agent.adapters.polymarket.parse_user import UserChannelParser
from polymarket_agent.adapters.polymarket.user_feed import UserFeed, UserFeedPolicy
from polymarket_agent.db import Database
from polymarket_agent.decision.states import AgentState
from polymarket_agent.domain.board import Board
from polymarket_agent.domain.events import (
    Event,
    Filled,
    MarketListed,
    Timer,
)
from polymarket_agent.domain.levels import Side
from polymarket_agent.domain.order import Fill, Order, OrderState
from polymarket_agent.domain.signal import Signal
from polymarket_agent.errors import DatabaseError
from polymarket_agent.execution.live_types import LivePolicy, Timing
from polymarket_agent.ledger.journal import Journal
from polymarket_agent.live_desk import LiveAccess
from polymarket_agent.live_desk import LiveDesk as Wiring
from tests.contract.cable import Cable
from tests.contract.live_venue import LiveVenue, SecondHand
from tests.trading_world import stored_order

__all__ = ["FAST", "LiveAgent", "Ticks", "copy_of"]

FAST = LivePolicy(
    timing=Timing(
        quarantine_absent_ms=300,
        quarantine_refused_ms=100,
        delayed_ms=5_000,
        look_ms=300,
        absent_after_ms=300,
        looks_apart_ms=300,
    ),
    cancel_on_start=False,
    cancel_on_stop=False,
    round_ms=250,
    balances_ms=250,
    clean_apart_ms=30,
    beat_ms=2_000,
)
PATIENCE_S = 20.0
_TICK_S = 0.01

T = TypeVar("T")


class Ticks:
    """A feed of nothing but the time, as a quiet market is."""

    name = "ticks"
    streaming = True
    replayed = False

    def __init__(self, clock: SecondHand) -> None:
        self._clock = clock
        self._closed = asyncio.Event()
        self.stands_still = False

    async def events(self) -> AsyncIterator[Event]:
        while not self._closed.is_set():
            if not self.stands_still:
                yield Timer(self._clock.now_ms())
            with suppress(TimeoutError):
                await asyncio.wait_for(self._closed.wait(), _TICK_S)

    def close(self) -> None:
        self._closed.set()

    async def aclose(self) -> None:
        self.close()


def copy_of(path: Path, folder: Path) -> Path:
    """Copy a ledger as it is on disk now, in use or not; returns the copy."""
    folder.mkdir()
    for name in (path.name, path.name + "-wal"):
        if (path.parent / name).exists():
            (folder / name).write_bytes((path.parent / name).read_bytes())
    return folder / path.name


class LiveAgent:
    """A live executor with its ledger, its states and its user channel, at a venue; it can be stopped, and killed."""

    def __init__(
        self, venue: LiveVenue, client: str, *, db: Path | str = ":memory:", policy: LivePolicy = FAST
    ) -> None:
        self.venue, self.client, self.policy = venue, client, policy
        self.market = venue.market
        self.cable = Cable(venue.gateway(client))
        self.db = Database(db)
        self.board = Board()
        self.board.apply(MarketListed(self.market, venue.clock.now_ms(), venue.clock.now_ms()))
        self.journal = Journal(self.db)
        self.journal.begin_run(mode="live", feed="test", config_hash="", config="", at_ms=venue.clock.now_ms())
        self.notices: list[tuple[str, str]] = []
        self.fills: list[Fill] = []
        self.ticks = Ticks(venue.clock)
        self._task: asyncio.Task[None] | None = None
        try:
            self.wiring = Wiring(
                LiveAccess(gateway=self.cable, venue="sandbox", policy=policy),
                policy,
                self.db,
                board=self.board,
                journal=self.journal,
                clock=venue.clock,
                notice=lambda _level, event, detail: self.notices.append((event, detail)),
            )
        except BaseException:
            self.db.close()
            raise
        self.trader = self.wiring.trader
        if self.trader.is_new:
            self.cable.opened = venue.clock.leap
        self.trader.approve = self._means
        self.account = self.trader.account

    def _means(self, order: Order, _signal: Signal) -> str | None:
        """Approve what can be paid for. The whole gate has its own tests; the cards go to its edges."""
        if order.side is Side.BUY and order.reserved > self.account.free_cash:
            return f"not enough balance: {order.reserved} of {self.account.free_cash}"
        if order.side is Side.SELL and order.reserved > self.account.free_shares(order.asset_id):
            return f"not enough balance: {order.reserved} of {self.account.free_shares(order.asset_id)} shares"
        return None

    # -- life ---------------------------------------------------------------------------------------------------------

    async def start(self, *, active: bool = True) -> None:
        """Start the session and the user channel; with `active`, wait until it may trade."""
        facts = await self.cable.connect()
        parser = UserChannelParser(self.venue.account.wallet, facts.api_key_id)
        self.user_feed = UserFeed(
            self.venue.sandbox.urls["user_ws_url"],
            self.cable.credentials,
            parser=parser,
            clock=self.venue.clock,
            policy=UserFeedPolicy(check_s=0.05, backoff_min_s=0.3),
        )
        # It ends in `stop` or `kill`; a group would have to be left in the task that entered it.
        self._task = asyncio.get_running_loop().create_task(self._live(), name="desk")
        if active:
            await self.until(lambda: self.state is AgentState.ACTIVE)

    async def _live(self) -> None:
        async with self.trader.session():
            async for event in MergedFeed(self.ticks, self.user_feed).events():
                self.wiring.hear()
                self.fills += [each.fill for each in self.trader.observe(event) if isinstance(each, Filled)]

    async def stop(self) -> None:
        """End in good order."""
        if self._task is not None:
            if not self.wiring.wind_down(self.ticks.close):
                self.ticks.close()
            task, self._task = self._task, None
            await asyncio.wait_for(task, PATIENCE_S)
        await self._let_go()

    async def kill(self, copy: Path) -> Path:
        """End as `kill -9` does: the ledger is what is on disk now, and nothing more leaves. Returns the copied ledger."""
        self.cable.dead = True
        path = copy_of(self.db.path, copy)
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task], timeout=PATIENCE_S)
            assert task.done(), "the dead process goes on"
        with suppress(DatabaseError):  # it may have died of its disk
            await self._let_go()
        return path

    async def _let_go(self) -> None:
        self.wiring.close()
        await self.trader.aclose()
        self.db.close()

    async def until(self, look: Callable[[], T], what: Callable[[], object] = lambda: "") -> T:
        """Look until something is there, and return it; a desk that died says why."""
        loop = asyncio.get_running_loop()
        ends = loop.time() + PATIENCE_S
        while not (found := look()):
            if self._task is not None and self._task.done():
                self._task.result()
            assert loop.time() < ends, f"it did not happen in time: {what() or self._standing()}"
            await asyncio.sleep(_TICK_S)
        return found

    def _standing(self) -> str:
        ours = {o.order_id[:8]: (o.state.value, o.matched, o.cancel.value) for o in self.account.orders.values()}
        theirs = {each[:8]: order.matched for each, order in self.venue.open_orders().items()}
        cash = f"cash {self.account.cash} of {self.venue.cash()}"
        return f"{self.wiring.conduct.states.describe()}; ours {ours}; theirs {theirs}; {cash}; {self.notices[-5:]}"

    @property
    def state(self) -> AgentState:
        return self.wiring.conduct.states.state

    @property
    def causes(self) -> set[str]:
        return {each.cause for each in self.wiring.conduct.states.causes}

    # -- comparison with the venue ------------------------------------------------------------------------------------

    def in_step(self) -> bool:
        """Whether every order and every fill of the venue is in the ledger, settled, and nothing else."""
        theirs = {each: order.matched for each, order in self.venue.open_orders().items()}
        ours = {each: order.matched for each, order in self.account.orders.items()}
        if ours != theirs or any(order.state is not OrderState.OPEN for order in self.account.orders.values()):
            return False
        legs = self.venue.legs()
        if any(status not in ("CONFIRMED", "FAILED") for *_, status in legs) or self.account.unsettled_fills():
            return False
        return all(self.account.booked(trade, order, bucket) for trade, order, bucket, _ in legs)  # type: ignore[arg-type]

    def equal(self) -> bool:
        """Whether cash and shares are the venue's too."""
        held = {asset_id: position.quantity for asset_id, position in self.account.positions.items()}
        return self.in_step() and self.account.cash == self.venue.cash() and held == self.venue.positions()

    async def agrees(self) -> None:
        """Wait until the ledger is the venue's equal, then require all sums to agree."""
        await self.until(self.equal)
        self.check()

    def rows(self, question: str, *values: Any) -> list[tuple[Any, ...]]:
        """Ask the ledger."""

        def work(connection: sqlite3.Connection) -> list[tuple[Any, ...]]:
            return connection.execute(question, values).fetchall()

        found: list[tuple[Any, ...]] = self.db.run(work)
        return found

    def states_of(self, order: Order) -> list[str]:
        """Return the states that an order has gone through, from the ledger."""
        rows = self.rows("SELECT to_state FROM order_events WHERE order_id = ? ORDER BY event_id", order.order_id)
        return [state for (state,) in rows]

    def answers_of(self, order: Order) -> list[str | None]:
        """Return what each attempt of an order was answered, from the ledger."""
        return [
            row[0] for row in self.rows("SELECT answer FROM attempts WHERE order_id = ? ORDER BY n", order.order_id)
        ]

    def order(self, order: Order) -> Order:
        """Return an order as the ledger has it now."""
        return stored_order(self.db, order.order_id)

    def check(self) -> None:
        """Require that ledger, account and venue agree, to the base unit."""
        self.journal.require_agreement(self.account)
        assert self.account.free_cash >= 0
        assert self.equal(), self._standing()
        self.venue.sandbox.exchange.check()
