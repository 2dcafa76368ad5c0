"""The background of the live executor: what is due, done while the engine goes on.

It wakes only when the engine shows that it is alive, so a heart that beats says that the engine works: an engine that
hangs sends no heartbeat, and the venue cancels everything after ten seconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import structlog

from polymarket_agent.domain.levels import Side
from polymarket_agent.domain.order import EXTERNAL, CancelState, Order, OrderId, OrderState
from polymarket_agent.errors import AgentError, DatabaseError, LedgerError, OrderStateError, VenueError
from polymarket_agent.execution.cancels import Cancels
from polymarket_agent.execution.inquiry import Inquiry
from polymarket_agent.execution.lanes import Lanes
from polymarket_agent.execution.live_types import Alarm
from polymarket_agent.execution.opening import open_ledger, patiently
from polymarket_agent.execution.reconciling import Reconciling
from polymarket_agent.execution.rounds import Rounds
from polymarket_agent.execution.strangers import Strangers
from polymarket_agent.execution.venue_watch import VenueWatch
from polymarket_agent.ledger.live_journal import LiveJournal
from polymarket_agent.ports import Clock

if TYPE_CHECKING:
    from polymarket_agent.execution.live import LiveTrader

__all__ = ["Upkeep"]

_WAKE_MS = 50
_MORE_S = 3.0
_STOP_S = 10.0
_PURGE_MS = 2_000
_LOOKS_AT_ONCE = 8

_log = structlog.get_logger(__name__)


def _steady_ms() -> int:
    """The loop's clock, which never steps."""
    return int(asyncio.get_running_loop().time() * 1_000)


class Upkeep:
    """Rounds, looks, cancels and heartbeats of one session."""

    def __init__(
        self,
        trader: LiveTrader,
        group: asyncio.TaskGroup,
        journal: LiveJournal,
        clock: Clock,
        alarm: Alarm,
    ) -> None:
        self._trader, self._group, self._journal, self._clock, self._alarm = trader, group, journal, clock, alarm
        books, gateway, policy = trader.books, trader.gateway, trader.policy
        self._tasks: set[asyncio.Task[None]] = set()
        self.lanes = Lanes(
            gateway,
            books,
            journal,
            clock,
            alarm=alarm,
            spawn=self.spawn,
            closed=lambda order: trader.closed(order),  # noqa: PLW0108 - it is replaced later
            answered=trader.answered,
            timeout_s=policy.http_timeout_s,
        )
        self._cancels = Cancels(gateway, books, clock, self.spawn)
        self.watch = VenueWatch(gateway, trader.facts, clock, alarm)
        self._inquiry = Inquiry(
            gateway,
            books,
            journal,
            self.lanes,
            clock,
            timing=policy.timing,
            cancel=self._cancels.ask,
            may_resend=self._may_resend,
            restarted_ms=lambda: self.watch.restarted_ms,
        )
        fetch = trader.fetch_markets
        strangers = Strangers(books, clock, trader.market_of, find=trader.find_again, fetch_markets=fetch)
        self._rounds = Rounds(
            gateway,
            trader.account,
            books,
            journal,
            clock,
            strangers,
            alarm=alarm,
            market_of=trader.market_of,
            fetch_markets=fetch,
            born_s=0,
        )
        self.reconciling = Reconciling(
            self._rounds, journal, trader.facts, self.watch, alarm, policy, clock, steady_ms=_steady_ms
        )
        self._wake = asyncio.Event()
        self._ending = asyncio.Lock()
        self._ended = False
        self._seen_ms = self._next_beat_ms = self._next_purge_ms = 0
        self._looking: set[OrderId] = set()
        self._busy: set[str] = set()

    # -- what the executor asks for -------------------------------------------------------------------------------

    def progress(self, now_ms: int, *, timer: bool) -> None:
        """The engine has taken in an event: it is alive."""
        if timer or now_ms - self._seen_ms >= _WAKE_MS or now_ms < self._seen_ms:
            self._seen_ms = now_ms
            self._wake.set()

    def cancel(self, order_id: OrderId) -> None:
        """Ask for a cancellation; those of one moment go in one request."""
        self._cancels.ask(order_id)
        self._cancels.flush()

    async def cancel_everything(self, reason: str) -> None:
        """Ask for the cancellation of all orders of the key."""
        _log.warning("cancel_all", reason=reason)
        await self._cancels.everything()

    def resync(self) -> None:
        """The user channel is up again: what it said in between has to be read."""
        self.reconciling.resync()
        self._wake.set()

    def start_over(self) -> None:
        """Two clean rounds are needed again before anything is sent."""
        self.reconciling.start_over()
        self._wake.set()

    # -- life -----------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Recover: flags, the opening of a new ledger, the first round, and cancels of what was left open.

        Raises:
            VenueError: the venue cannot be read, not even after some seconds.
        """
        trader = self._trader
        flags = await patiently(trader.gateway.account_flags)
        trader.facts.closed_only, trader.facts.blocked = flags.closed_only, flags.blocked
        if trader.is_new:
            await patiently(lambda: open_ledger(trader, self._journal, self._clock))
        self._rounds.born_s = trader.bookmarks.get("born_s", 0)
        trader.books.born_ms = self._rounds.born_s * 1_000
        held = {each.condition_id for each in trader.account.positions.values()}
        open_in = {order.condition_id for order in trader.account.orders.values()}
        await patiently(lambda: trader.fetch_markets(sorted(held | open_in)))
        await patiently(self.watch.check_clock)
        await patiently(self._rounds.refresh)
        outcome = await patiently(lambda: self._rounds.run(everything=True, balances=False))
        _log.info("recovered", findings=len(outcome.findings), orders=len(trader.account.orders))
        if trader.policy.cancel_on_start:
            for order in self._mine():
                trader.books.note(order, cancel=CancelState.REQUESTED)
                self._cancels.ask(order.order_id)
            self._cancels.flush()
        self._tasks.add(self._group.create_task(self._keep(), name="live-upkeep"))

    async def wind_down(self) -> None:
        """Cancel what is open if that is configured, while the stream still tells, and let what is under way be answered.

        Cancels go first: they do not wait behind an order whose answer is late.
        """
        async with self._ending:
            if self._ended:
                return
            trader = self._trader
            try:
                if trader.policy.cancel_on_stop:
                    await self._cancels.at_once([order.order_id for order in self._mine()])
                async with asyncio.timeout(trader.policy.http_timeout_s + _MORE_S):
                    await self.lanes.all_answered()
                if trader.policy.cancel_on_stop:
                    async with asyncio.timeout(_STOP_S):
                        await self._cancels.until_gone(lambda: [order.order_id for order in self._mine()])
            except TimeoutError:
                self._alarm("not_verified", "not every order was seen cancelled before the end; the next start goes on")
            except DatabaseError as error:  # without a disk nothing can be written, but risk can be taken off
                _log.critical("ending_without_ledger", error=str(error))
                if trader.policy.cancel_on_stop:
                    await trader.gateway.cancel_all()
            self._ended = True

    async def stop(self) -> None:
        """End; what is open is cancelled now if nobody did so before, and whoever does so is waited for."""
        try:
            await self.wind_down()
        finally:
            for task in list(self._tasks):
                task.cancel()

    def _mine(self) -> list[Order]:
        """Return our orders that the venue may have on its books."""
        alive = self._trader.account.orders.values()
        return [o for o in alive if o.strategy != EXTERNAL and o.state is not OrderState.QUARANTINED]

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Start a task that this session owns."""
        task = self._group.create_task(self._guarded(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        """A read that fails is repeated later. A broken invariant halts, and cancelling goes on."""
        try:
            await work
        except VenueError as error:
            _log.warning("venue_not_read", error=str(error))
        except (LedgerError, OrderStateError) as error:
            self._alarm("invariant", str(error))
        except AgentError as error:
            self._alarm("disk", str(error))
        except Exception as error:  # noqa: BLE001 - a mistake of ours: stop trading, keep cancelling
            _log.error("upkeep_failed", kind=type(error).__name__)
            self._alarm("invariant", f"a mistake in the agent: {type(error).__name__}")

    # -- the loop -------------------------------------------------------------------------------------------------

    async def _keep(self) -> None:
        trader = self._trader
        while True:
            await self._wake.wait()
            self._wake.clear()
            now_ms, steady_ms = self._clock.now_ms(), _steady_ms()
            if self.watch.jumped(now_ms, steady_ms / 1_000):
                self._time_jumped(now_ms)
            self._cancels.flush()
            self._sweep(now_ms)
            if trader.policy.heartbeat and steady_ms >= self._next_beat_ms:
                self._next_beat_ms = steady_ms + trader.policy.beat_ms
                self._once("beat", trader.gateway.heartbeat)
            if self.reconciling.due():
                self._once("round", self.reconciling.run)
            if self.watch.clock_due(now_ms):
                self._once("clock", self.watch.check_clock)
            if steady_ms >= self._next_purge_ms and self._alarm.must_cancel() and self._mine():
                self._next_purge_ms = steady_ms + _PURGE_MS
                self._once("purge", self._cancels.everything)
            self.watch.refresh(now_ms)
            self.lanes.forget_old()
            self._inquiry.forget_closed()

    def _time_jumped(self, now_ms: int) -> None:
        """What waits for a time of the old clock waits anew; nothing is proven sooner by a step."""
        books, timing = self._trader.books, self._trader.policy.timing
        self.watch.restarted_ms = now_ms
        for order in list(self._trader.account.orders.values()):
            wait_ms = timing.quarantine_absent_ms if order.state is OrderState.QUARANTINED else 0
            books.note(replace(order, updated_ms=now_ms), deadline_ms=now_ms + wait_ms)
        for order_id in books.last_ended_ms:
            books.last_ended_ms[order_id] = min(books.last_ended_ms[order_id], now_ms)
        self.reconciling.start_over()

    def _once(self, name: str, work: Any) -> None:
        """Start a piece of work unless the same one is still running."""
        if name in self._busy:
            return
        self._busy.add(name)

        async def run() -> None:
            try:
                await work()
            finally:
                self._busy.discard(name)

        self.spawn(run())

    def _sweep(self, now_ms: int) -> None:
        for order in list(self._trader.account.orders.values()):
            due = order.deadline_ms is not None and order.deadline_ms <= now_ms
            if due and order.order_id not in self._looking and len(self._looking) < _LOOKS_AT_ONCE:
                self._looking.add(order.order_id)
                self.spawn(self._look(order.order_id))

    async def _look(self, order_id: OrderId) -> None:
        try:
            await self._inquiry.look(order_id)
        finally:
            self._looking.discard(order_id)

    def _may_resend(self, order: Order) -> bool:
        trader = self._trader
        wanted = trader.policy.resend_entries or order.side is Side.SELL
        return wanted and trader.closed(order) is None and trader.still_good(order) is None
