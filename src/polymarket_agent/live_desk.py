"""Puts the live executor together: the lease, the states of before, what the gate should know, and who is told.

Everything that `mode: live` adds to an agent is made here, so that nothing below has to ask for the mode.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from dataclasses import dataclass

from polymarket_agent.carrying import Carrier
from polymarket_agent.conduct import Conduct, open_causes
from polymarket_agent.config import LiveConfig
from polymarket_agent.db import Database
from polymarket_agent.decision.conditions import Conditions
from polymarket_agent.decision.gate import Gate
from polymarket_agent.decision.states import AgentState, StateBook
from polymarket_agent.domain.board import Board
from polymarket_agent.domain.order import Fill, SettlementStatus
from polymarket_agent.errors import AgentError
from polymarket_agent.execution.live import LiveTrader
from polymarket_agent.execution.live_types import LivePolicy, Timing
from polymarket_agent.ledger.control import Watch
from polymarket_agent.ledger.journal import Journal
from polymarket_agent.ledger.live_journal import LiveJournal
from polymarket_agent.ledger.states import Command, open_states
from polymarket_agent.ports import Clock, MarketData, VenueGateway

__all__ = ["LiveAccess", "LiveDesk", "policy_of"]

_SWEEP_MS = 1_000
_VOID_MS = 30_000  # for a resume that nobody took


@dataclass(slots=True, kw_only=True)
class LiveAccess:
    """What the command line has unlocked: a connected account, and where its markets are read.

    `venue` is the host that the ledger is bound to.
    """

    gateway: VenueGateway
    venue: str
    data: MarketData | None = None
    policy: LivePolicy | None = None


def policy_of(config: LiveConfig) -> LivePolicy:
    """Return the executor's switches and waits from the config."""
    return LivePolicy(
        timing=Timing(
            quarantine_absent_ms=config.quarantine_absent_s * 1_000,
            quarantine_refused_ms=config.quarantine_refused_s * 1_000,
        ),
        cancel_on_start=config.cancel_on_start,
        cancel_on_stop=config.cancel_on_stop,
        heartbeat=config.heartbeat,
        resend_entries=config.resend_entries,
        clean_apart_ms=config.start_gap_s * 1_000,
        http_timeout_s=float(config.http_timeout_s),
    )


class LiveDesk:
    """The live executor with its conduct and conditions."""

    def __init__(
        self,
        access: LiveAccess,
        policy: LivePolicy,
        db: Database,
        *,
        board: Board,
        journal: Journal,
        clock: Clock,
        notice: Callable[[str, str, str], None],
    ) -> None:
        live_journal = LiveJournal(db, journal)
        gateway = access.gateway
        live_journal.take_lease(
            wallet=gateway.identity.wallet,
            venue=access.venue,
            pid=os.getpid(),
            host_name=socket.gethostname(),
            at_ms=clock.now_ms(),
        )
        in_memory = str(db.path) == ":memory:"
        self.conditions = Conditions(states=StateBook(open_causes(db.run(open_states))), stream_up=False)
        self.conditions.answer_due_ms = int(policy.http_timeout_s * 1_000)
        self.conduct = Conduct(
            self.conditions.states,
            live_journal,
            clock,
            notice,
            watch=None if in_memory else Watch(db.path),
            path=str(db.path),
        )
        self.conduct("start", "the venue's books are compared with ours first")
        self.trader = LiveTrader(
            gateway,
            db,
            board=board,
            journal=journal,
            live_journal=live_journal,
            clock=clock,
            policy=policy,
            alarm=self.conduct,
            facts=self.conditions,
            data=access.data,
        )
        self._journal, self._clock = live_journal, clock
        self._gate: Gate | None = None
        self._swept_ms = 0
        self._last_stop = 0  # the number of the last command that stopped trading
        self.closing = False
        self.reload: Callable[[], str] = lambda: "failed: this run has no config file"
        self.trader.closed = self.conduct.closed
        self.conduct.on_restart = self.trader.start_over

    def attach(self, gate: Gate, carrier: Carrier) -> None:
        """Give the executor the gate's binding check, and the gate what the executor learns."""
        trader = self.trader
        trader.approve, trader.still_good = carrier.approve, carrier.still_good
        self._gate = gate

        def on_final(fill: Fill) -> None:
            carrier.final(fill)
            failed = fill.settlement is SettlementStatus.FAILED
            why = gate.breakers.settled(fill.condition_id, self._clock.now_ms(), failed=failed)
            if why is not None:
                self.conduct.tell("warning", "market_reducing", f"{fill.condition_id}: {why}")

        trader.books.on_final = on_final
        trader.on_lost = lambda: gate.breakers.reconnected(self._clock.now_ms())

    def close(self) -> None:
        """Let go of the ledger's second connection."""
        self.conduct.close()

    def hear(self) -> None:
        """Hear other processes, do what they ask for in the background, and let losses and time change the state."""
        self.conduct.look()
        now_ms = self._clock.now_ms()
        if self._gate is not None and not 0 <= now_ms - self._swept_ms < _SWEEP_MS:
            self._swept_ms = now_ms
            for change in self._gate.enforce(now_ms):
                self.conduct.keep(change)
            self.conduct.sweep(priced=not self._gate.worth()[1])
        if self.conduct.commands:
            commands, self.conduct.commands = self.conduct.commands, []
            stops = [each.command_id for each in commands if each.name in ("halt", "kill")]
            self._last_stop = max([self._last_stop, *stops])
            for command in commands:
                self.trader.later(self._obey(command))

    def wind_down(self, then: Callable[[], None]) -> bool:
        """End in good order: no more wishes, cancels while the stream still tells of them, then `then`. Once only."""
        if self.closing:
            return False
        self.closing = True

        async def work() -> None:
            try:
                await self.trader.wind_down()
            finally:
                then()

        return self.trader.later(work())

    async def _obey(self, command: Command) -> None:
        """Do one command and keep what came of it. It may only make the agent do less, or ask it to look again."""
        try:
            result = await self._do(command)
        except AgentError as error:
            result = f"failed: {error}"
        self._journal.command_done(command.command_id, self._clock.now_ms(), result)

    def _void(self, resume: Command) -> str | None:
        """Return why a resume may not be obeyed any more: it could undo a stop that came after it."""
        if self._clock.now_ms() - resume.at_ms > _VOID_MS:
            return "this was asked too long ago"
        stopped = [each for each in self.conduct.states.causes if each.state.rank >= AgentState.HALTED.rank]
        if resume.command_id < self._last_stop or any(each.at_ms > resume.at_ms for each in stopped):
            return "the agent was stopped again since"
        return None

    async def _do(self, command: Command) -> str:
        conduct = self.conduct
        match command.name:
            case "halt":
                conduct.halt(command.argument or "by the operator")
            case "kill":
                conduct.killed(command.argument or "by the operator")
            case "resume":
                if why := self._void(command):
                    return f"failed: {why}; ask again"
                return conduct.resume(confirmed=command.argument == "confirmed")
            case "cancel-all":
                await self.trader.cancel_everything("asked for by the operator")
            case "reconcile":
                self.trader.start_over()
            case "reload":
                return self.reload()
            case _:
                return "failed: no such command"
        return conduct.states.describe()
