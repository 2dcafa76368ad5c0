"""A whole life of the live executor under faults: one seed decides the exchange, the wire, the wishes and the crashes."""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

from polymarket_agent.domain.account import Account
from polymarket_agent.domain.events import Event, Filled, OrderUpdated, Timer
from polymarket_agent.domain.order import Fill, OrderId
from polymarket_agent.domain.venue import Leg, OrderSnapshot, SignedOrder
from polymarket_agent.errors import AgentError, VenueError
from polymarket_agent.execution.live import LiveTrader
from polymarket_agent.execution.live_types import LivePolicy
from polymarket_agent.live_desk import LiveDesk
from tests.live.oracles import Oracle, Violation
from tests.live.sim_channel import Channel
from tests.live.sim_desk import build_desk
from tests.live.sim_exchange import Exchange
from tests.live.sim_gateway import Wire
from tests.live.sim_orders import U
from tests.live.sim_plan import Plan
from tests.live.sim_wishes import wild_wish
from tests.live.virtual import SimDatabase, VirtualClock, VirtualLoop

FAULT_END = 500.0
END = 3_000.0
_QUIET_S = 130.0
FAULTS = (
    *("lose_req", "lose_resp", "late", "dup", "odd", "not_sent", "delay"),
    *("stream_loss", "stream_dup", "ghost", "stale", "fail_read"),
)
CALM = dict.fromkeys((*FAULTS, "crash", "stream_down"), 0.0)


class World:
    """One seed.

    Args:
        seed: decides everything.
        folder: for the ledger.
        trace: print what happens.
        knobs: how often faults happen, for those that the seed is not to decide.
    """

    def __init__(
        self,
        seed: int,
        folder: Path,
        *,
        trace: bool = False,
        knobs: Mapping[str, float] | None = None,
    ) -> None:
        rng = self.rng = Random(seed)
        self.path, self.trace = folder / f"sim-{seed}.db", trace
        self.loop = VirtualLoop()
        self.clock = VirtualClock(self.loop)
        self.knobs = {name: rng.choice((0, 0, 0.03, 0.1, 0.4)) for name in FAULTS}
        self.knobs["crash"] = rng.choice((0, 0, 0.0005, 0.003))
        self.knobs["stream_down"] = rng.choice((0, 0, 0.01))
        self.knobs |= knobs or {}
        self.stats: dict[str, int] = defaultdict(int)
        self.limit_base, self.killed, self.wishes = rng.choice((50, 150)) * U, False, 0
        self.exchange = Exchange(
            self.loop, Random(rng.random()), self.chance, self._emit, self._changed, cash=rng.choice((120, 300)) * U
        )
        self.start_cash = self.exchange.cash
        self.wire = Wire(self.loop, Random(rng.random()), self.exchange, self.chance)
        self.policy = LivePolicy(
            heartbeat=rng.random() < 0.5,
            cancel_on_start=rng.random() < 0.7,
            resend_entries=rng.random() < 0.7,
        )
        self.oracle = Oracle(self)
        self.channel = Channel(self)
        self.known: dict[OrderId, dict[str, Fill]] = defaultdict(dict)
        self.desk: LiveDesk | None = None
        self.db: SimDatabase | None = None
        self.up_since = 0.0
        self.failure: BaseException | None = None
        self.account_at_end = Account()
        self._dead = asyncio.Event()

    # -- chance -------------------------------------------------------------------------------------------------------

    @property
    def faulty(self) -> bool:
        """Whether things still go wrong."""
        return self.loop.time() < FAULT_END

    def chance(self, name: str) -> bool:
        """Draw whether a fault happens now."""
        return self.faulty and self.rng.random() < self.knobs[name]

    @property
    def limit(self) -> int:
        """The most that all purchases ever made may cost by now; it only grows."""
        return self.limit_base + int(min(self.loop.time(), FAULT_END) * U) // 4

    def log(self, *what: object) -> None:
        if self.trace:
            print(f"{self.loop.time():9.3f}", *what)  # noqa: T201 - a trace is for a person

    # -- the run ------------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Live once.

        Raises:
            Violation: an invariant did not hold.
        """
        asyncio.set_event_loop(self.loop)
        self.loop.set_exception_handler(self._broken)
        try:
            self.loop.run_until_complete(self._main())
        finally:
            if self.db is not None:
                self.db.close()
            for task in asyncio.all_tasks(self.loop):
                task.cancel()
            with contextlib.suppress(BaseException):
                self.loop.run_until_complete(asyncio.sleep(0))
            self.loop.close()
            asyncio.set_event_loop(None)

    def _broken(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Keep the first error of a callback: nothing is allowed to go unseen."""
        del loop
        if self.failure is None and (error := context.get("exception")) is not None:
            self.failure = error

    async def _main(self) -> None:
        Plan(self, FAULT_END)
        while self.loop.time() < END:
            if await self._process():
                return
            await asyncio.sleep(self.rng.uniform(1, 15))
        raise Violation("I6 not settled at the end: " + self.oracle.unsettled())

    # -- one process of the agent -------------------------------------------------------------------------------------

    async def _process(self) -> bool:
        """Run the agent until it dies or the end; True at the end."""
        self._dead = asyncio.Event()
        gone = self._dead
        db = self.db = SimDatabase(
            self.path,
            self.loop,
            Random(self.rng.random()),
            death_rate=self.knobs["crash"] if self.faulty else 0.0,
            died=gone.set,
        )
        main = watch = None
        try:
            try:
                desk = self.desk = build_desk(self, db)
                self.oracle.take_up(db)
            except AgentError:
                if db.dead:
                    self.stats["crashes"] += 1
                    return False
                raise
            main = self.loop.create_task(self._live(desk, db))
            watch = self.loop.create_task(gone.wait())
            await asyncio.wait({main, watch}, return_when=asyncio.FIRST_COMPLETED)
            if db.dead:
                self.stats["crashes"] += 1
                self.log("CRASH")
                return False
            return main.result()
        except (VenueError, ExceptionGroup) as error:
            if isinstance(error, ExceptionGroup) and error.split(VenueError)[1] is not None:
                raise
            self.log("start failed", error)
            self.stats["starts failed"] += 1
            return False
        finally:
            self.channel.up = False
            db.dead = True
            for task in (main, watch):
                while task is not None and not task.done():
                    task.cancel()
                    await asyncio.sleep(0)
                if task is not None and not task.cancelled():
                    task.exception()
            if self.desk is not None:
                self.desk.close()
            self.desk = None
            db.close()

    async def _live(self, desk: LiveDesk, db: SimDatabase) -> bool:
        trader, quiet_since = desk.trader, None
        cancelled = False
        async with trader.session():
            self.up_since = self.loop.time()
            self.loop.call_later(self.rng.uniform(0.1, 3), self.channel.opens, db)
            next_wish = self.loop.time() + self.rng.uniform(2, 15)
            while True:
                await asyncio.sleep(0.5 if self.faulty else 4.0)
                desk.hear()
                self.take_in(Timer(self.clock.now_ms()))
                if self.chance("stream_down"):
                    self.channel.breaks(db)
                if self.faulty and self.loop.time() >= next_wish:
                    next_wish = self.loop.time() + self.rng.uniform(0.5, 12)
                    await self._wish(trader)
                if not self.faulty and not cancelled:
                    cancelled = True
                    for order in list(trader.account.orders.values()):
                        await trader.cancel_order(order.order_id)
                self.oracle.step()
                if self.failure is not None:
                    raise self.failure
                if self.faulty or self.oracle.unsettled():
                    quiet_since = None
                else:
                    quiet_since = quiet_since or self.loop.time()
                    if self.loop.time() - quiet_since > _QUIET_S:
                        break
                if self.loop.time() > END:
                    raise Violation("I6 not settled at the end: " + self.oracle.unsettled())
        self.account_at_end = trader.account
        self.oracle.final(db)
        return True

    # -- what the agent sees and does -----------------------------------------------------------------------------------

    def take_in(self, event: Event) -> None:
        """Hand the executor an event and note what it booked."""
        assert self.desk is not None
        self._absorb(self.desk.trader.observe(event))

    def drain(self) -> None:
        """Note what was booked in the background."""
        assert self.desk is not None
        self._absorb(self.desk.trader.books.take_out())

    def _absorb(self, events: Sequence[Event]) -> None:
        for each in events:
            if isinstance(each, Filled):
                self.known[each.fill.order_id][each.fill.trade_id] = each.fill
                self.oracle.booked(each.fill)
            elif isinstance(each, OrderUpdated):
                order = each.order
                self.log(
                    "  ours", order.order_id[:8], order.state.value, order.reserved, order.cancel.value, order.reason
                )

    def _emit(self, said: OrderSnapshot | Leg) -> None:
        self.channel.emit(said)

    def _changed(self, order_id: OrderId) -> None:
        self.oracle.order(order_id)

    @property
    def account(self) -> Account:
        """The account of the process that runs."""
        assert self.desk is not None
        return self.desk.trader.account

    async def _wish(self, trader: LiveTrader) -> None:
        alive = list(trader.account.orders.values())
        if alive and self.rng.random() < 0.3:
            await trader.cancel_order(self.rng.choice(alive).order_id)
            return
        self.wishes += 1
        signal = wild_wish(self.rng, trader.account, self.wishes, self.clock.now_ms())
        try:
            order = await trader.place_order(signal)
        except AgentError:  # no order can be made of it
            self.stats["wishes without an order"] += 1
            return
        self.stats[f"wishes {order.state.value}"] += 1
        self.log(
            "wish", order.order_id[:8], order.side.value, order.time_in_force.value, order.state.value, order.reason
        )

    def saw_post(self, signed: SignedOrder) -> None:
        self.log("POST", signed.order_id[:8])
