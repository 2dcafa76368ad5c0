"""The shell around the pure engine: feed in, gate, executor, journal. It orders the side effects.

Only this module may call an executor, so the gate cannot be walked around.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

from polymarket_agent import log
from polymarket_agent.clock import ManualClock, SystemClock
from polymarket_agent.config import Config, Mode, to_plain
from polymarket_agent.config_file import config_hash
from polymarket_agent.db import Database
from polymarket_agent.decision.day import TradingDay
from polymarket_agent.decision.engine import Engine, Proposals
from polymarket_agent.decision.gate import Gate
from polymarket_agent.decision.risk import Refusal
from polymarket_agent.decision.sizing import Sizing
from polymarket_agent.domain.board import Board
from polymarket_agent.domain.book import Side
from polymarket_agent.domain.events import Event, MarketClosed, MarketListed, MarketResolved, OrderUpdated, Timer
from polymarket_agent.domain.market import AssetId
from polymarket_agent.domain.money import Usdc
from polymarket_agent.domain.signal import Basket, Signal
from polymarket_agent.errors import DatabaseError, LiveLockedError
from polymarket_agent.execution.base import Executor
from polymarket_agent.execution.paper import PaperTrader
from polymarket_agent.ledger.journal import Journal
from polymarket_agent.ledger.recovery import recover
from polymarket_agent.ports import Clock, EventFeed
from polymarket_agent.strategies.base import Strategy, build
from polymarket_agent.summary import RunStats

__all__ = ["Orchestrator"]

_SAMPLE_MS = 60_000
_BREATHE_EVENTS = 2_048  # a replay never waits by itself; the live view and Ctrl-C need a turn
_MAX_PASSES = 4  # fills of one pass may wake strategies again, but not for ever
_AGREE_EVERY_SAMPLES = 60


def _build_executor(config: Config, db: Database, *, board: Board, journal: Journal, clock: Clock) -> Executor:
    """Choose the executor. The only place that reads `config.mode` to do so."""
    if config.mode is Mode.LIVE:
        raise LiveLockedError(
            "mode: live is not available in this version: it trades on paper only",
            hint="set mode: paper",
        )
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
    ) -> None:
        self.config = config
        self.feed = feed
        self.stats = RunStats()
        self.board = Board()
        self.ended = ""
        self._clock: Clock = clock or (ManualClock() if feed.replayed else SystemClock())
        self._db = db
        self._journal = Journal(db)
        self._executor = _build_executor(config, db, board=self.board, journal=self._journal, clock=self._clock)
        self.account = self._executor.account
        self._stop = asyncio.Event()
        self._log = log.get(__name__)
        self._next_sample_ms = 0
        self._samples = 0
        self._known_until_ms = 0
        self._unsized_before: dict[tuple[str, AssetId, Side], str] = {}
        self.gate = self._recover()
        run_id = self._journal.begin_run(
            mode=config.mode.value,
            feed=feed.name,
            config_hash=config_hash(config),
            config=json.dumps(to_plain(config), default=str),
            at_ms=SystemClock().now_ms(),
        )
        if strategies is None:
            strategies = [build(s.kind, s.params, name=s.label) for s in config.strategies if s.enabled]
        self.engine = Engine(
            self.board,
            self.account,
            strategies,
            aggregation=config.aggregation,
            sizing=Sizing(config.sizing, config.risk),
            signal_prefix=f"{run_id}-",
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        del kind, trace
        if not self.ended and not isinstance(error, DatabaseError):
            self._finish("stopped" if error is None else f"failed: {type(error).__name__}")

    def _recover(self) -> Gate:
        """Rebuild the day, the throttles and the last good marks from the ledger."""
        found = recover(self._db)
        self._known_until_ms = found.last_event_ms if self.feed.replayed else 0
        gate = Gate(
            self.config.risk,
            self.account,
            self.board,
            streaming=self.feed.streaming,
            day=TradingDay(found.day, found.day_open),
            last_equity=found.last_equity,
        )
        gate.remember(found.recent_orders)
        for asset_id, (quantity, value) in found.marks.items():
            gate.valuer.remember(asset_id, quantity, value)
        return gate

    # -- the loop -------------------------------------------------------------------------------------------------

    def stop(self) -> None:
        """Ask the run to end after the event it is at."""
        self._stop.set()

    async def run(self) -> dict[str, Any]:
        """Take in events until the feed ends or `stop` is called; returns the run as one JSON-able object."""
        began = time.perf_counter()
        ended = "end of feed"
        advance = self._clock.advance_to if isinstance(self._clock, ManualClock) else None
        take_in, stopped, engine = self._take_in, self._stop.is_set, self.engine
        turn = 0
        try:
            async for event in self.feed.events():
                if advance is not None:
                    advance(event.received_ms or event.at_ms)
                take_in(event)
                if engine.due:
                    await self._decide()
                turn += 1
                if turn >= _BREATHE_EVENTS:
                    turn = 0
                    self._db.check()
                    await asyncio.sleep(0)
                if stopped():
                    ended = "stopped"
                    break
        finally:
            self.stats.wall_s += time.perf_counter() - began
            await self.feed.aclose()
        return self._finish(ended)

    def _take_in(self, event: Event) -> None:
        """One event: what was due before it, the board, our resting orders, and the minute's sample."""
        now_ms = event.received_ms or event.at_ms
        executor, kind = self._executor, type(event)
        if now_ms <= self._known_until_ms:
            self._catch_up(event)
            return
        if now_ms >= executor.next_due_ms:
            self._absorb(executor.observe(Timer(now_ms)))
        self.engine.apply(event)
        reported = executor.observe(event)
        if reported:
            self._absorb(reported)
        self.stats.events[kind.__name__] += 1
        if kind is not Timer or event.received_ms:  # our own timers are no sign of life of the venue
            self.gate.heard_ms = now_ms
        if now_ms >= self._next_sample_ms:
            self._sample(now_ms)
        if isinstance(event, MarketListed | MarketClosed | MarketResolved):
            self._keep_market(event)

    def _catch_up(self, event: Event) -> None:
        """A replay over a ledger that has lived through this event already: only the books are kept."""
        self.board.apply(event)
        self.stats.already_known += 1
        if isinstance(event, MarketResolved):
            self._absorb(self._executor.observe(event))

    async def _decide(self) -> None:
        """Ask strategies and carry out what passes; fills on the way may wake them again."""
        for _ in range(_MAX_PASSES):
            proposals = self.engine.propose(self.equity)
            for each in self.engine.set_aside:
                self.stats.set_aside[each.strategy] = each.reason
                self._notice("error", "strategy_set_aside", f"{each.strategy}: {each.reason}")
            self.engine.set_aside.clear()
            await self._carry_out(proposals)
            if not self.engine.due:
                return

    async def _carry_out(self, proposals: Proposals) -> None:
        for cancel in proposals.cancels:
            await self._executor.cancel_order(cancel.order_id)
        for signal, why in proposals.malformed:
            self._refused(signal, [Refusal("shape", why)])
        for signal, why in proposals.unsized:
            self._unsized(signal, why)
        for signal in proposals.signals:
            refusals = self.gate.refusals(signal, self._clock.now_ms())
            if refusals:
                self._refused(signal, refusals)
            else:
                await self._place(signal)
        for basket in proposals.baskets:
            await self._place_basket(basket)
        self._absorb(self._executor.observe(Timer(self._clock.now_ms())))

    def _check_risk(self, signal: Signal) -> str | None:
        """Return why the gate refuses a signal and what would pass, or None if it may become an order."""
        refusals = self.gate.refusals(signal, self._clock.now_ms())
        return "; ".join(f"{rule}: {reason}" for rule, reason in refusals) or None

    async def _place(self, signal: Signal) -> None:
        """Turn an approved signal into an order. Its reservation stands before the next signal is checked."""
        self.stats.signals["approved"] += 1
        market = self.board.market_by_asset[signal.asset_id]
        self._journal.signal(signal, market, self._clock.now_ms(), verdict="approved")
        order = await self._executor.place_order(signal)
        self.gate.remember([order])

    async def _place_basket(self, basket: Basket) -> None:
        """Approve all legs or none: each is checked on top of those before it."""
        refused: dict[str, list[Refusal]] = {}
        for number, leg in enumerate(basket.legs):
            refusals = self.gate.refusals(leg, self._clock.now_ms(), pending=basket.legs[:number])
            if refusals:
                refused[leg.signal_id] = refusals
        if not refused:
            self.stats.baskets_approved += 1
            for leg in basket.legs:
                await self._place(leg)
            return
        for leg in basket.legs:
            self._refused(leg, refused.get(leg.signal_id, [Refusal("basket", "another leg of its basket is refused")]))

    # -- what happened --------------------------------------------------------------------------------------------

    def _absorb(self, events: Sequence[Event]) -> None:
        for event in events:
            self.stats.absorb(event)
            self.engine.apply(event)
            if isinstance(event, OrderUpdated):
                self.gate.remember([event.order])

    def _refused(self, signal: Signal, refusals: list[Refusal]) -> None:
        rules, reasons = ",".join(r.rule for r in refusals), "; ".join(r.reason for r in refusals)
        self.stats.signals["refused"] += 1
        self.stats.refusals.update(refusal.rule for refusal in refusals)
        market = self.board.market_by_asset.get(signal.asset_id)
        self._journal.signal(signal, market, self._clock.now_ms(), verdict="refused", rule=rules, refusal=reasons)
        self._log.info("signal_refused", strategy=signal.strategy, asset_id=signal.asset_id, rules=rules, why=reasons)

    def _unsized(self, signal: Signal, why: str) -> None:
        self.stats.signals["no order"] += 1
        self.stats.unsized[why.split(":", maxsplit=1)[0]] += 1
        key = (signal.strategy, signal.asset_id, signal.side)
        if self._unsized_before.get(key) != why:  # the same wish with the same answer is kept once
            self._unsized_before[key] = why
            market = self.board.market_by_asset.get(signal.asset_id)
            self._journal.signal(signal, market, self._clock.now_ms(), verdict="unsized", refusal=why)

    def _keep_market(self, event: MarketListed | MarketClosed | MarketResolved) -> None:
        condition_id = event.market.condition_id if isinstance(event, MarketListed) else event.condition_id
        market = self.board.markets.get(condition_id)
        if market is not None:
            self._journal.market(market, event.at_ms)

    def equity(self) -> Usdc:
        """Return cash + positions at what selling them now would bring, micro-USDC."""
        return self.gate.worth()[0]

    def _sample(self, now_ms: int) -> None:
        """Keep one point of the equity curve a minute; midnight UTC is one of the points."""
        self._next_sample_ms = now_ms - now_ms % _SAMPLE_MS + _SAMPLE_MS
        if self.stats.first_ms is None:
            self.stats.first_ms = now_ms
        self.stats.last_ms = now_ms
        self._samples += 1
        equity, unpriced = self.gate.worth()
        if self.gate.keep_day(now_ms, equity):
            self._journal.day_open(self.gate.day.day, self.gate.day.open_equity, now_ms)
        self.stats.note_equity(equity)
        self._journal.equity(now_ms, equity, self.account.cash, unpriced=len(unpriced))
        self._keep_progress(now_ms)
        if self._samples % _AGREE_EVERY_SAMPLES == 0 and not self.feed.replayed:
            self._journal.require_agreement(self.account)

    def _keep_progress(self, now_ms: int) -> None:
        self._journal.marks(self.gate.portfolio(), dict(self.gate.valuer.last_good), now_ms)
        self._journal.progress(first_ms=self.stats.first_ms, last_ms=now_ms, events=self.stats.event_count)

    def _finish(self, ended: str) -> dict[str, Any]:
        """Write the last sample and the summary; the ledger is flushed and agrees when this returns."""
        now_ms = max(self._clock.now_ms(), self.stats.last_ms or 0)
        equity, unpriced = self.gate.worth()
        if self.stats.event_count:
            self.stats.last_ms = now_ms
            self.stats.note_equity(equity)
            self._journal.equity(now_ms, equity, self.account.cash, unpriced=len(unpriced))
            self._keep_progress(now_ms)
        summary = self.stats.plain(self.gate.portfolio(), feed=self.feed.name, ended=ended, unpriced=len(unpriced))
        if not self.ended:
            self.ended = ended
            self._journal.end_run(ended=ended, summary=json.dumps(summary))
            self._journal.require_agreement(self.account)
        return summary

    def _notice(self, level: str, event: str, detail: str) -> None:
        self._journal.notice(self._clock.now_ms(), level, event, detail)
        self._log.warning(event, detail=detail)
