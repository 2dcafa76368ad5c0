"""How the agent behaves when something is wrong: causes become durable states, and other processes are heard.

It is told by the executor what happened, by the ledger what other processes wrote, and by the kill file; the gate reads
the result. Automation only makes the agent more careful; the way back is in `decision/states.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future

import structlog

from polymarket_agent.decision.states import (
    CAUSES,
    AgentState,
    By,
    OpenCause,
    Release,
    StateBook,
    StateChange,
    allows,
)
from polymarket_agent.domain.levels import Side
from polymarket_agent.domain.order import Order
from polymarket_agent.errors import DatabaseError
from polymarket_agent.ledger.control import Watch, is_killed, remove_kill_file
from polymarket_agent.ledger.live_journal import LiveJournal
from polymarket_agent.ledger.states import Command, OpenState
from polymarket_agent.ports import Clock

__all__ = ["Conduct", "open_causes"]

_LOOK_MS = 100
_TOLD = ("stream_lost", "unknown_word", "not_verified", "not_reconciled")  # worth a notice and no state
_LEVELS = {AgentState.REDUCING: "warning", AgentState.RECOVERING: "warning"}

_log = structlog.get_logger(__name__)


def open_causes(rows: list[OpenState]) -> list[OpenCause]:
    """Return the causes that a ledger holds open."""
    return [OpenCause(row.cause, AgentState(row.state), row.detail, row.entered_ms) for row in rows]


class Conduct:
    """Keeps the states of one agent, in memory and in its ledger.

    Args:
        states: shared with the gate.
        journal: keeps every change.
        clock: stamps them.
        notice: tells the operator: level, event, detail.
        watch: hears other processes; None for a ledger in memory.
        path: the ledger file, for the kill file beside it.
    """

    def __init__(
        self,
        states: StateBook,
        journal: LiveJournal,
        clock: Clock,
        notice: Callable[[str, str, str], None],
        *,
        watch: Watch | None,
        path: str,
    ) -> None:
        self.states = states
        self.commands: list[Command] = []  # what others asked for and nobody has done yet
        self.on_restart: Callable[[], None] = lambda: None  # clean rounds are needed anew
        self._journal, self._clock, self._notice = journal, clock, notice
        self._watch, self._path = watch, path
        self._next_look_ms = 0
        self._heard: set[int] = set()
        self._told: dict[str, str] = {}
        self._leaving: dict[str, Future[int]] = {}

    def __call__(self, cause: str, detail: str) -> None:
        """Take in a cause with what happened."""
        if cause in _TOLD:
            self._notice("warning", cause, detail)
            return
        state = None if cause in CAUSES else AgentState.REDUCING
        change = self.states.enter(cause, state, detail, self._clock.now_ms())
        if change is not None:
            self.keep(change)
        elif self._told.get(cause) != detail:
            self._notice("warning", cause, detail)
        self._told[cause] = detail

    def tell(self, level: str, event: str, detail: str) -> None:
        """Tell the operator something that changes no state."""
        self._notice(level, event, detail)

    def clear(self, cause: str) -> None:
        """Note that the reason of a cause is gone for now."""
        self.states.clear(cause, self._clock.now_ms())

    def reconciled(self) -> None:
        """Two clean comparisons with the venue lie behind us: what waited for them ends."""
        now_ms = self._clock.now_ms()
        for each in self.states.causes:
            if each.release is Release.RECONCILED:
                change = self.states.leave(each.cause, By.RECONCILIATION, now_ms)
                if change is not None:
                    self.keep(change)

    def sweep(self, *, priced: bool) -> None:
        """Let go of what ends by itself."""
        for change in self.states.sweep(self._clock.now_ms(), priced=priced):
            self.keep(change)

    def must_cancel(self) -> str:
        """Return why everything open is to be cancelled, or "": the agent is halted or killed."""
        if self.states.state in (AgentState.HALTED, AgentState.KILLED):
            return self.states.describe()
        return ""

    def closed(self, order: Order) -> str | None:
        """Return why an order may not be sent now; asked right before a byte leaves, so it looks at the kill file.

        An order may have waited behind others: what was an entry when it was approved must not leave when the agent
        only reduces by then.
        """
        if self._watch is not None and is_killed(self._path):
            self.killed("the kill file is there")
        allowed = allows(self.states.state, reducing=order.side is Side.SELL)
        return None if allowed else self.states.describe()

    def killed(self, detail: str) -> None:
        """Enter KILLED, if that is not so yet."""
        if self.states.state is not AgentState.KILLED:
            self("kill", detail)

    def halt(self, detail: str) -> None:
        """Enter HALTED by the operator's wish."""
        self("operator_halt", detail)

    def resume(self, *, confirmed: bool) -> str:
        """Go back to RECOVERING by the operator's wish; returns the state after it.

        Raises:
            StateError: a kill needs a typed confirmation.
        """
        changes = self.states.resume(self._clock.now_ms(), confirmed=confirmed)
        if self._watch is not None:
            remove_kill_file(self._path)
        for change in changes:
            self.keep(change)
        if changes:
            self.on_restart()
        return self.states.describe()

    def look(self) -> None:
        """Hear what other processes wrote, at most ten times a second."""
        now_ms = self._clock.now_ms()
        if self._watch is None or 0 <= now_ms - self._next_look_ms + _LOOK_MS < _LOOK_MS:
            return
        self._next_look_ms = now_ms + _LOOK_MS
        try:
            seen = self._watch.look()
        except DatabaseError as error:
            self("disk", str(error))
            return
        if seen is None:
            return
        if seen.killed:
            self.killed("the kill file is there")
        for row in seen.states:
            known = next((each for each in self.states.causes if each.cause == row.cause), None)
            leaving = self._leaving.get(row.cause)
            if leaving is not None and not leaving.done():
                continue  # we have closed this row; it is on its way to the disk
            if known is None and row.state in ("HALTED", "KILLED"):
                self.states.enter(row.cause, AgentState(row.state), row.detail, row.entered_ms, by="operator")
                self._notice("error", f"state_{row.state.lower()}", f"{row.cause}: {row.detail}")
        for command in seen.commands:
            if command.command_id not in self._heard:
                self._heard.add(command.command_id)
                self.commands.append(command)

    def close(self) -> None:
        """Let go of the file."""
        if self._watch is not None:
            self._watch.close()

    def keep(self, change: StateChange) -> None:
        """Write a change of state down and tell the operator. It holds also when the disk refuses."""
        try:
            self._write(change)
        except DatabaseError as error:
            _log.critical("state_not_written", cause=change.cause, error=str(error))
        _log.warning("state", cause=change.cause, opened=change.opened, state=change.after.value)

    def _write(self, change: StateChange) -> None:
        if change.opened:
            state = next(each.state for each in self.states.causes if each.cause == change.cause)
            self._journal.state_entered(change.cause, state.value, change.at_ms, change.detail)
            self._notice(
                _LEVELS.get(state, "critical"), f"state_{state.value.lower()}", f"{change.cause}: {change.detail}"
            )
        else:
            self._leaving[change.cause] = self._journal.state_left(change.cause, change.at_ms, change.by)
            self._notice("info", "cause_ended", f"{change.cause} by {change.by}")
