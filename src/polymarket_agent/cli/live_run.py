"""Running an agent until it is stopped, and what live trading adds: the unlocked account, one tick, limits read again."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from polymarket_agent.errors import AgentError, VenueError

if TYPE_CHECKING:
    from polymarket_agent.config import Config
    from polymarket_agent.domain.events import Event
    from polymarket_agent.domain.market import Market, MarketGroup
    from polymarket_agent.orchestrator import Orchestrator
    from polymarket_agent.ports import Clock, MarketData

__all__ = ["OnceFeed", "read_limits_again", "run_until", "tick_live", "trade_live"]

_TIMER_S = 0.1
_READY_S = 90.0  # two clean comparisons at least ten seconds apart, and the start before them
_THINK_S = 1.0  # what a fill wakes may be one more order
_ANSWERED_S = 20.0


async def run_until(
    orchestrator: Orchestrator, *, speed: float | None, stop_after: float | None, quiet: bool
) -> dict[str, Any]:
    """Run an agent until its feed ends, a signal comes, or some seconds are over; returns its summary."""
    _stop_on_signals(orchestrator)
    if stop_after is not None:
        asyncio.get_running_loop().call_later(stop_after, orchestrator.stop)
    if quiet or not sys.stdout.isatty():
        return await orchestrator.run()
    from polymarket_agent.cli.live_view import show_while

    return await show_while(orchestrator, speed=speed)


def _stop_on_signals(orchestrator: Orchestrator) -> None:
    """The first Ctrl-C (or SIGTERM) ends the run after the event it is at; the second one ends the process."""
    loop = asyncio.get_running_loop()

    def stop() -> None:
        orchestrator.stop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(number, stop)


async def trade_live(
    settings: Config, path: Path, *, config_file: Path | None, stop_after: float | None, quiet: bool
) -> dict[str, Any]:
    """Open the rest of the locks and trade for real; returns the run's summary.

    Args:
        settings: the config in force.
        path: the ledger.
        config_file: where `limits --reload` finds the limits; None if the run has no config file.
        stop_after: seconds, None for no end.
        quiet: no live view.

    Raises:
        LiveLockedError: a lock is closed. Nothing was sent.
        VenueError: the venue cannot be read at the start.
    """
    from polymarket_agent.cli.feeds import live_feed
    from polymarket_agent.cli.unlock import unlocked
    from polymarket_agent.clock import SystemClock
    from polymarket_agent.db import Database
    from polymarket_agent.live_desk import LiveAccess
    from polymarket_agent.orchestrator import Orchestrator

    async with unlocked(settings, SystemClock()) as account:
        with Database(path) as db:
            source, data = await live_feed(settings, account.user_feed)
            access = LiveAccess(gateway=account.gateway, venue=account.venue, data=data)
            try:
                with Orchestrator(settings, db, source, access=access) as orchestrator:
                    read_limits_again(orchestrator, config_file)
                    return await run_until(orchestrator, speed=None, stop_after=stop_after, quiet=quiet)
            finally:
                await source.aclose()


def read_limits_again(orchestrator: Orchestrator, config_file: Path | None) -> None:
    """Let `limits --reload` have a live agent read its config file again and take what is tighter there."""
    from polymarket_agent import views
    from polymarket_agent.config import to_plain
    from polymarket_agent.config_file import load_config

    desk, gate = orchestrator.desk, orchestrator.gate
    if desk is None or config_file is None:
        return

    def reload() -> str:
        wanted = load_config(config_file, os.environ).risk
        before = views.limits_hash(to_plain(gate.limits))
        result = gate.tighten(wanted)
        orchestrator.engine.tighten(result.limits)
        plain = to_plain(result.limits)
        after = views.limits_hash(plain)
        taken = {key: plain[key] for key in result.taken}
        told = ", ".join(f"{key} {value}" for key, value in taken.items()) or "nothing is tighter"
        desk.conduct.tell("warning", "limits_reloaded", f"{told}; limits {before} became {after}")
        return json.dumps({"taken": taken, "ignored": list(result.ignored), "before": before, "after": after})

    desk.reload = reload


# -- one tick ---------------------------------------------------------------------------------------------------------


async def tick_live(settings: Config, path: Path) -> dict[str, Any]:
    """Recover and reconcile, look at every book once, decide, wait for the answers, and stop.

    Resting orders stay only with `live.cancel_on_stop: false`, and then no heartbeat is sent, because the venue cancels
    everything when heartbeats stop.

    Raises:
        LiveLockedError: a lock is closed. Nothing was sent.
        VenueError: the venue cannot be read.
        AgentError: nothing may be sent: the agent is halted, or the ledger and the venue were not found equal in time.
    """
    from polymarket_agent.adapters.merged import MergedFeed
    from polymarket_agent.cli.feeds import watched
    from polymarket_agent.cli.unlock import unlocked
    from polymarket_agent.clock import SystemClock
    from polymarket_agent.db import Database
    from polymarket_agent.live_desk import LiveAccess, policy_of
    from polymarket_agent.orchestrator import Orchestrator

    clock = SystemClock()
    async with unlocked(settings, clock) as account:
        with Database(path) as db:
            data, found, groups = await watched(settings)
            feed = OnceFeed(data, found, groups, clock)
            policy = policy_of(settings.live)
            if not policy.cancel_on_stop:
                policy = dataclasses.replace(policy, heartbeat=False)
            access = LiveAccess(gateway=account.gateway, venue=account.venue, data=data, policy=policy)
            source = MergedFeed(feed, account.user_feed)
            with Orchestrator(settings, db, source, access=access) as orchestrator:
                feed.attend(orchestrator)
                summary = await run_until(orchestrator, speed=None, stop_after=None, quiet=True)
    if feed.stopped_by:
        raise AgentError(feed.stopped_by, hint="see: polymarket-agent status")
    return {**summary, "books_not_read": feed.failures}


class OnceFeed:
    """The markets; timers until the agent may trade; every book once; timers until what was sent is answered.

    It asks the agent to stop then, and goes on with timers while that winds down.

    Attributes:
        failures: books that could not be read.
        stopped_by: why no book was handed out, "" if they were.
    """

    name = "one tick"
    streaming = False
    replayed = False

    def __init__(
        self, data: MarketData, markets: Sequence[Market], groups: Sequence[MarketGroup], clock: Clock
    ) -> None:
        self.failures: list[str] = []
        self.stopped_by = ""
        self._data, self._markets, self._groups, self._clock = data, markets, groups, clock
        self._closed = asyncio.Event()
        self._blocked: Callable[[], str | None] = lambda: None
        self._open: Callable[[], bool] = lambda: False
        self._resting: Callable[[], bool] = lambda: False
        self._stop: Callable[[], None] = self._closed.set
        self._ready: Callable[[], bool] = lambda: True

    def attend(self, orchestrator: Orchestrator) -> None:
        """Watch this agent to know when it may trade, and when everything that it sent is answered."""
        from polymarket_agent.decision.states import AgentState
        from polymarket_agent.domain.order import OrderState

        desk = orchestrator.desk
        assert desk is not None, "only a live agent is waited for"
        states, waiting = desk.conditions.states, (OrderState.PREPARED, OrderState.SUBMITTED, OrderState.DELAYED)

        def blocked() -> str | None:
            held = states.state in (AgentState.HALTED, AgentState.KILLED)
            return f"nothing was sent: the agent is {states.describe()}" if held else None

        self._blocked = blocked
        self._ready = lambda: states.state is not AgentState.RECOVERING and desk.conditions.stream_up
        self._open = lambda: any(order.state in waiting for order in orchestrator.account.orders.values())
        self._resting = lambda: any(order.state is OrderState.OPEN for order in orchestrator.account.orders.values())
        self._stop = orchestrator.stop

    async def events(self) -> AsyncIterator[Event]:
        """Yield groups, markets, timers and books as described; to be iterated once."""
        from polymarket_agent.domain.events import GroupListed, MarketListed

        for group in self._groups:
            yield GroupListed(group, self._clock.now_ms())
        for market in self._markets:
            yield MarketListed(market, self._clock.now_ms())
        async for timer in self._timers(_READY_S, lambda: self._ready() or bool(self._blocked())):
            yield timer
        self.stopped_by = self._blocked() or (
            "" if self._ready() else f"nothing was sent: ledger and venue were not found equal within {_READY_S:.0f} s"
        )
        async for event in self._decide_once() if not self.stopped_by else self._let_cancel():
            yield event
        self._stop()
        async for timer in self._timers(float("inf"), lambda: False):
            yield timer

    async def _decide_once(self) -> AsyncIterator[Event]:
        """Hand out the books, and wait until what they led to is answered."""
        async for book in self._books():
            yield book
        async for timer in self._timers(_THINK_S, lambda: False):
            yield timer
        async for timer in self._timers(_ANSWERED_S, lambda: not self._open()):
            yield timer

    async def _let_cancel(self) -> AsyncIterator[Event]:
        """Wait for a halted agent, which cancels what rests."""
        if self._blocked():
            async for timer in self._timers(_ANSWERED_S, lambda: not self._resting()):
                yield timer

    async def _books(self) -> AsyncIterator[Event]:
        from polymarket_agent.domain.events import BookSnapshot

        for asset_id in [asset_id for market in self._markets for asset_id in market.asset_ids]:
            try:
                book = await self._data.order_book(asset_id)
            except VenueError as error:
                self.failures.append(f"{asset_id}: {error}")
                continue
            now_ms = self._clock.now_ms()
            yield BookSnapshot(asset_id, tuple(book.bids()), tuple(book.asks()), book.at_ms or now_ms, now_ms)

    async def _timers(self, seconds: float, until: Callable[[], bool]) -> AsyncIterator[Event]:
        from polymarket_agent.domain.events import Timer

        loop = asyncio.get_running_loop()
        ends = loop.time() + seconds
        while not until() and loop.time() < ends and not self._closed.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_TIMER_S):
                    await self._closed.wait()
            yield Timer(self._clock.now_ms())

    async def aclose(self) -> None:
        """End, and close the reader."""
        self._closed.set()
        await self._data.aclose()
