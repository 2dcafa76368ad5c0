"""The shell around the pure engine: feed in, gate, executor, journal. It orders the side effects.

Only this module may call an executor, so the gate cannot be walked around.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

from polymarket_agent.carrying import Carrier
from polymarket_agent.clock import ManualClock, SystemClock
from polymarket_agent.config import Config, Mode, to_plain
from polymarket_agent.config_file import config_hash
from polymarket_agent.db import Database
from polymarket_agent.decision.day import TradingDay
from polymarket_agent.decision.engine import Engine
from polymarket_agent.decision.gate import Gate
from polymarket_agent.decision.sizing import Sizing
from polymarket_agent.domain.board import Board
from polymarket_agent.domain.book import Side
from polymarket_agent.domain.events import BookDelta, Event, MarketResolved, OrderUpdated, Timer
from polymarket_agent.domain.money import Usdc
from polymarket_agent.domain.order import EXTERNAL
from polymarket_agent.domain.signal import Signal
from polymarket_agent.errors import AgentError, DatabaseError, LiveLockedError, VenueDataError
from polymarket_agent.execution.base import Executor
from polymarket_agent.execution.paper import PaperTrader
from polymarket_agent.ledger.journal import Journal
from polymarket_agent.ledger.lease import require_paper
from polymarket_agent.ledger.recovery import Recovered, recover
from polymarket_agent.live_desk import LiveAccess, LiveDesk, policy_of
from polymarket_agent.ports import Clock, EventFeed
from polymarket_agent.pump import Pump
from polymarket_agent.strategies.base import Strategy, build
from polymarket_agent.summary import MARKET_EVENTS, Record, RunStats
from polymarket_agent.watchdog import Watchdog

__all__ = ["Orchestrator"]

_SAMPLE_MS = 60_000
_MAX_PASSES = 4  # fills of one pass may wake strategies again, but not for ever
_AGREE_EVERY_SAMPLES = 60


def _build_executor(
    config: Config, db: Database, *, board: Board, journal: Journal, clock: Clock, desk: LiveDesk | None = None
) -> Executor:
    """Choose the executor. The only place that reads `config.mode` to do so.

    Raises:
        LiveLockedError: `mode: live` without everything else that live trading needs.
    """
    if config.mode is Mode.LIVE:
        if desk is None:
            raise LiveLockedError(
                "mode: live alone sends nothing: it also needs --live and credentials",
                hint="see: polymarket-agent setup",
            )
        return desk.trader
    return PaperTrader(
        Usdc(config.paper.starting_balance),
        db,
        board=board,
        journal=journal,
        clock=clock,
        latency_ms=config.paper.latency_ms,
        book_through=config.paper.book_through_fills,
    )


class Orchestrator:
    """Runs one agent over one feed. `with` (or a run to its end) leaves the ledger flushed on every path out."""

    def __init__(
        self,
        config: Config,
        db: Database,
        feed: EventFeed,
        *,
        clock: Clock | None = None,
        strategies: Sequence[Strategy] | None = None,
        access: LiveAccess | None = None,
    ) -> None:
        if strategies is None:
            strategies = [build(s.kind, s.params, name=s.label) for s in config.strategies if s.enabled]
        self.config = config
        self.feed = feed
        self.stats = RunStats()
        self.board = Board()
        self.ended = ""
        self._clock: Clock = clock or (ManualClock() if feed.replayed else SystemClock())
        self._latest_ms = 0
        self._journal = Journal(db)
        self.desk = self._open_desk(db, access)
        self._executor = _build_executor(
            config, db, board=self.board, journal=self._journal, clock=self._clock, desk=self.desk
        )
        self.account = self._executor.account
        self._pump = Pump(feed, self._clock, db.check)
        self._next_sample_ms, self._samples, self._known_until_ms = 0, 0, -1
        found = recover(db)
        self.gate = self._take_up(found)
        self._record = Record(self.stats, self._journal, self.board, self.account, self.gate)
        self._carrier = Carrier(self._executor, self.gate, self._record, self.stats, self._now_ms)
        if self.desk is not None:
            self.desk.attach(self.gate, self._carrier)
        sizing = Sizing(config.sizing, config.risk)
        self.engine = Engine(self.board, self.account, strategies, aggregation=config.aggregation, sizing=sizing)
        run_id = self._journal.begin_run(
            mode=config.mode.value,
            feed=feed.name,
            config_hash=config_hash(config),
            config=json.dumps(to_plain(config), default=str),
            at_ms=SystemClock().now_ms(),
        )
        self.engine.signal_prefix = f"{run_id}-"
        self.engine.remind(found.held_fills)

    def _open_desk(self, db: Database, access: LiveAccess | None) -> LiveDesk | None:
        if access is None:
            require_paper(db)
            return None
        policy = access.policy or policy_of(self.config.live)
        journal, clock = self._journal, self._clock
        return LiveDesk(access, policy, db, board=self.board, journal=journal, clock=clock, notice=self._tell)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        del kind, trace
        if self.ended or isinstance(error, DatabaseError):
            return
        try:
            if error is not None:
                self._notice("critical", "run_failed", f"{type(error).__name__}: {error}"[:500])
            self._finish("stopped" if error is None else f"failed: {type(error).__name__}")
        except AgentError as second:
            if error is None:
                raise
            error.add_note(f"the run could not be ended in the ledger either: {second}")

    def _take_up(self, found: Recovered) -> Gate:
        """Take up the day, the throttles and the last good marks where the ledger left them."""
        if self.feed.replayed:
            self._known_until_ms = found.last_event_ms or -1
        if isinstance(self._clock, ManualClock):
            self._clock.advance_to(found.last_event_ms)
        gate = Gate(
            self.config.risk,
            self.account,
            self.board,
            streaming=self.feed.streaming,
            day=TradingDay(found.day, found.day_open),
            last_equity=found.last_equity,
            conditions=self.desk.conditions if self.desk is not None else None,
            highest=found.highest,
        )
        gate.remember(found.recent_orders)
        for asset_id, (quantity, value) in found.marks.items():
            gate.valuer.remember(asset_id, quantity, value)
        return gate

    # -- the loop -------------------------------------------------------------------------------------------------

    def stop(self) -> None:
        """Ask the run to end after the event it is at; one that waits for the next event ends at once."""
        if self.desk is None or not self.desk.wind_down(self._pump.stop):
            self._pump.stop()

    async def run(self) -> dict[str, Any]:
        """Take in events until the feed ends or `stop` is called; returns the run as one JSON-able object."""
        began = time.perf_counter()
        try:
            with Watchdog(self.engine):
                async with self._executor.session():
                    await self._cancel_entries_of_others()
                    ended = await self._pump.run(self._take_in, self.engine, self._decide_unless_catching_up)
            await self._executor.aclose()
        finally:
            self.stats.wall_s += time.perf_counter() - began
        return self._finish(ended)

    def _take_in(self, event: Event, now_ms: int) -> None:
        """One event: what was due before it, the board, our resting orders, and the minute's sample."""
        if now_ms <= self._known_until_ms:
            self._catch_up(event)
            return
        executor, kind, counts = self._executor, type(event), self.stats.events
        if self.desk is not None:
            self.desk.hear()
        if now_ms >= executor.next_due_ms:
            self._absorb(executor.observe(Timer(now_ms)))
        try:
            self.engine.apply(event)
        except VenueDataError as error:  # an adapter let something impossible through: dropped whole
            self._notice("warning", "event_dropped", f"{kind.__name__}: {error}")
            return
        # Nineteen of twenty events change levels, and that is evidence for live orders only.
        if (kind is not BookDelta or self.account.orders or self.desk) and (reported := executor.observe(event)):
            self._absorb(reported)
        counts[kind] = counts.get(kind, 0) + 1
        if now_ms > self.gate.heard_ms and (kind is not Timer or event.received_ms):  # our timers are no sign of life
            self.gate.heard_ms = now_ms
        if now_ms >= self._next_sample_ms:
            self._sample(now_ms)
        if kind in MARKET_EVENTS:
            self._record.market(event)

    def _catch_up(self, event: Event) -> None:
        """A replay over a ledger that has lived through this event already: only the books are kept."""
        self.board.apply(event)
        self.stats.already_known += 1
        if isinstance(event, MarketResolved):
            self._absorb(self._executor.observe(event))

    async def _decide_unless_catching_up(self) -> None:
        closing = self.desk is not None and self.desk.closing
        if (
            not closing and self.engine.now_ms > self._known_until_ms
        ):  # what strategies are reminded of waits for whole books
            await self._decide()

    async def _decide(self) -> None:
        """Ask strategies and carry out what passes; fills on the way may wake them again."""
        for _ in range(_MAX_PASSES):
            proposals = self.engine.propose(self.equity)
            if self.engine.set_aside:
                await self._note_set_aside()
            await self._carrier.carry_out(proposals)
            self._absorb(self._executor.observe(Timer(self._now_ms())))
            if not self.engine.due:
                return

    def _check_risk(self, signal: Signal) -> str | None:
        """Return why the gate refuses a signal and what would pass, or None if it may become an order."""
        return "; ".join(f"{rule}: {reason}" for rule, reason in self._carrier.refusals(signal)) or None

    async def _note_set_aside(self) -> None:
        for each in self.engine.set_aside:
            self.stats.set_aside[each.strategy] = each.reason
            self._notice("error", "strategy_set_aside", f"{each.strategy}: {each.reason}")
        self.engine.set_aside.clear()
        await self._cancel_entries_of_others()

    async def _cancel_entries_of_others(self) -> None:
        """Take off live buys of strategies that are not asked any more: nobody would. Their sales reduce risk and stay."""
        asked = (*self.engine.strategies, EXTERNAL)
        for order in [o for o in self.account.orders.values() if o.side is Side.BUY and o.strategy not in asked]:
            self._notice("warning", "unattended_order_cancelled", f"{order.order_id} of {order.strategy}")
            await self._executor.cancel_order(order.order_id)
        self._absorb(self._executor.observe(Timer(self._now_ms())))

    # -- what happened --------------------------------------------------------------------------------------------

    def _now_ms(self) -> int:
        """The time of decisions: the clock's, but it never goes back."""
        self._latest_ms = max(self._latest_ms, self._clock.now_ms())
        return self._latest_ms

    def _absorb(self, events: Sequence[Event]) -> None:
        for event in events:
            self.stats.absorb(event)
            self.engine.apply(event)
        self.gate.remember(event.order for event in events if isinstance(event, OrderUpdated))

    def equity(self) -> Usdc:
        """Return cash + positions at what selling them now would bring, micro-USDC."""
        return self.gate.worth()[0]

    def _sample(self, now_ms: int) -> None:
        """Keep one point of the equity curve a minute; midnight UTC is one of the points."""
        self._next_sample_ms = now_ms - now_ms % _SAMPLE_MS + _SAMPLE_MS
        self._samples += 1
        self._record.day(now_ms)
        self._record.point(now_ms)
        if self._samples % _AGREE_EVERY_SAMPLES == 0 and not self.feed.replayed:
            self._journal.require_agreement(self.account)

    def _finish(self, ended: str) -> dict[str, Any]:
        self.ended = ended
        if self.desk is not None:
            self.desk.close()
        return self._record.end(self.feed, ended=ended, at_ms=self._now_ms())

    def _tell(self, level: str, event: str, detail: str) -> None:
        """Keep a notice, also while the agent is still being put together."""
        self._journal.notice(self._clock.now_ms(), level, event, detail)

    def _notice(self, level: str, event: str, detail: str) -> None:
        self._record.notice(level, event, detail, self._now_ms())
