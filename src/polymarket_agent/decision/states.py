"""What the agent may do: every open cause asks for a state, and the most restrictive one holds.

Causes are told apart, so that each is let go of on its own. Nothing automatic makes a state more permissive, except
where `CAUSES` says when a cause ends by itself; everything else waits for the operator. What a state allows:

    ACTIVE      everything
    REDUCING    orders that reduce risk, cancels
    RECOVERING  cancels
    HALTED      cancels
    KILLED      cancels, until nothing is left to cancel
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import Enum

from polymarket_agent.decision.day import day_of
from polymarket_agent.errors import AgentError

__all__ = ["CAUSES", "AgentState", "By", "OpenCause", "Release", "StateBook", "StateChange", "StateError", "allows"]

CLEAR_MS = 300_000


class StateError(AgentError):
    """The agent's state was asked to change in a way that its rules forbid. Nothing has changed."""


class AgentState(Enum):
    """What the agent may do, from everything to nothing."""

    ACTIVE = "ACTIVE"
    REDUCING = "REDUCING"
    RECOVERING = "RECOVERING"
    HALTED = "HALTED"
    KILLED = "KILLED"

    @property
    def rank(self) -> int:
        """How restrictive it is; of several the highest holds."""
        return tuple(AgentState).index(self)


class Release(Enum):
    """When a cause may end without the operator."""

    OPERATOR = "only the operator ends it"
    NEXT_DAY = "ends with the UTC day"
    PRICED = "ends when everything held has a price again"
    CLEAR = "ends when it has been clear for five minutes"
    RECONCILED = "ends after two clean comparisons with the venue"


class By(Enum):
    """Who lets go of a cause."""

    OPERATOR = "operator"
    TIME = "time"
    RECONCILIATION = "reconciliation"


_S, _R = AgentState, Release
# Causes that the agent knows; any other one waits for the operator. The state is what a cause asks for at least.
CAUSES: Mapping[str, tuple[AgentState, Release]] = {
    "start": (_S.RECOVERING, _R.RECONCILED),
    "time_jump": (_S.RECOVERING, _R.RECONCILED),
    "lease_regained": (_S.RECOVERING, _R.RECONCILED),
    "resume": (_S.RECOVERING, _R.RECONCILED),
    "daily_loss": (_S.REDUCING, _R.NEXT_DAY),
    "unpriced_loss": (_S.REDUCING, _R.PRICED),
    "drawdown": (_S.REDUCING, _R.OPERATOR),
    "ghost_fills": (_S.REDUCING, _R.OPERATOR),
    "external_activity": (_S.REDUCING, _R.OPERATOR),
    "revival": (_S.REDUCING, _R.OPERATOR),
    "not_reconciled": (_S.REDUCING, _R.OPERATOR),
    "clock": (_S.REDUCING, _R.CLEAR),
    "disk_low": (_S.REDUCING, _R.CLEAR),
    "edge_block": (_S.REDUCING, _R.CLEAR),
    "ledger": (_S.HALTED, _R.OPERATOR),
    "disk": (_S.HALTED, _R.OPERATOR),
    "invariant": (_S.HALTED, _R.OPERATOR),
    "difference": (_S.HALTED, _R.OPERATOR),
    "wrong_order_id": (_S.HALTED, _R.OPERATOR),
    "settlement_conflict": (_S.HALTED, _R.OPERATOR),
    "operator_halt": (_S.HALTED, _R.OPERATOR),
    "kill": (_S.KILLED, _R.OPERATOR),
}


@dataclass(frozen=True, slots=True)
class OpenCause:
    """Why the agent is restricted, since when, and since when the reason itself is gone (None while it is there)."""

    cause: str
    state: AgentState
    detail: str
    at_ms: int
    clear_ms: int | None = None

    @property
    def release(self) -> Release:
        """When it may end without the operator."""
        return CAUSES[self.cause][1] if self.cause in CAUSES else Release.OPERATOR


@dataclass(frozen=True, slots=True, kw_only=True)
class StateChange:
    """One row for the ledger: a cause was opened or let go of; the state may be the same before and after."""

    cause: str
    opened: bool
    before: AgentState
    after: AgentState
    detail: str
    by: str
    at_ms: int


def allows(state: AgentState, *, reducing: bool) -> bool:
    """Whether a state lets an order pass, one that reduces risk or not. Cancels always pass."""
    return state is AgentState.ACTIVE or (state is AgentState.REDUCING and reducing)


class StateBook:
    """The open causes of one agent. Times are whole milliseconds and are handed in.

    Args:
        causes: those that were open when the ledger was last written.
    """

    def __init__(self, causes: Iterable[OpenCause] = ()) -> None:
        self._open: dict[str, OpenCause] = {each.cause: each for each in causes}

    @property
    def state(self) -> AgentState:
        """The most restrictive state that an open cause asks for; ACTIVE without any."""
        return max((each.state for each in self._open.values()), key=lambda s: s.rank, default=AgentState.ACTIVE)

    @property
    def causes(self) -> tuple[OpenCause, ...]:
        """Every open cause, the most restrictive first, then the oldest."""
        return tuple(sorted(self._open.values(), key=lambda each: (-each.state.rank, each.at_ms, each.cause)))

    def enter(
        self, cause: str, state: AgentState | None = None, detail: str = "", at_ms: int = 0, *, by: str = "agent"
    ) -> StateChange | None:
        """Open a cause; None if it is open already and asks for no more. It is not clear from now on.

        Args:
            cause: a key of `CAUSES`, or a name of its own, which then waits for the operator.
            state: what it asks for; for a known cause at least what `CAUSES` says, which is also what None means.
            detail: one sentence for the operator.
            at_ms: when it came.
            by: who says so, for the ledger.

        Raises:
            StateError: an unknown cause without a state, or one that asks for nothing.
        """
        known = CAUSES.get(cause)
        asked = max((each for each in (known and known[0], state) if each), key=lambda s: s.rank, default=None)
        if asked is None or asked is AgentState.ACTIVE:
            raise StateError(f"the cause '{cause}' must ask for a state below ACTIVE")
        before, had = self.state, self._open.get(cause)
        if had is not None and had.state.rank >= asked.rank:
            self._open[cause] = replace(had, clear_ms=None)
            return None
        self._open[cause] = OpenCause(cause, asked, detail, at_ms if had is None else had.at_ms)
        return self._change(cause, before, opened=True, detail=detail, by=by, at_ms=at_ms)

    def leave(self, cause: str, by: By, at_ms: int) -> StateChange | None:
        """Let go of a cause; None if it is not open.

        Raises:
            StateError: not theirs to let go of: KILLED and HALTED end by `resume` only, other causes by the operator
                unless `CAUSES` names what else ends them.
        """
        had = self._open.get(cause)
        if had is None:
            return None
        if had.state.rank >= AgentState.HALTED.rank:
            raise StateError(f"'{cause}' has the agent {had.state.value}", hint="only `resume` by the operator ends it")
        reconciled = had.release is Release.RECONCILED
        allowed = by is By.RECONCILIATION if reconciled else by is By.OPERATOR or self._over(had, at_ms, priced=False)
        if not allowed:
            raise StateError(f"'{cause}' does not end by {by.value}: {had.release.value}")
        return self._close(had, by, at_ms)

    def clear(self, cause: str, at_ms: int) -> None:
        """Note that the reason of a cause is gone since now; entering it again takes that back."""
        had = self._open.get(cause)
        if had is not None and had.clear_ms is None:
            self._open[cause] = replace(had, clear_ms=at_ms)

    def sweep(self, at_ms: int, *, priced: bool) -> list[StateChange]:
        """Let go of what ends by itself: a new UTC day, five clear minutes, prices for everything held."""
        over = [each for each in self.causes if self._over(each, at_ms, priced=priced)]
        return [self._close(each, By.TIME, at_ms) for each in over]

    def resume(self, at_ms: int, *, confirmed: bool) -> list[StateChange]:
        """Let the operator take the agent up again: what only they end is let go of, and RECOVERING begins.

        Args:
            at_ms: when.
            confirmed: the operator typed the confirmation that a kill needs.

        Raises:
            StateError: the agent is KILLED and nothing was confirmed.
        """
        if self.state is AgentState.KILLED and not confirmed:
            raise StateError("the agent is KILLED", hint="resume it with the typed confirmation")
        mine = [each for each in self.causes if each.release is Release.OPERATOR]
        if not mine:
            return []
        begun = self.enter("resume", detail="resumed by the operator", at_ms=at_ms, by=By.OPERATOR.value)
        changes = [] if begun is None else [begun]
        return [*changes, *(self._close(each, By.OPERATOR, at_ms) for each in mine)]

    def describe(self) -> str:
        """Return the state with its causes in one line."""
        why = "; ".join(f"{each.cause}: {each.detail}" if each.detail else each.cause for each in self.causes)
        return f"{self.state.value} ({why})" if why else self.state.value

    def _over(self, cause: OpenCause, at_ms: int, *, priced: bool) -> bool:
        match cause.release:
            case Release.NEXT_DAY:
                return day_of(at_ms) > day_of(cause.at_ms)
            case Release.CLEAR:
                return cause.clear_ms is not None and at_ms - cause.clear_ms >= CLEAR_MS
            case Release.PRICED:
                return priced
            case _:
                return False

    def _close(self, had: OpenCause, by: By, at_ms: int) -> StateChange:
        before = self.state
        del self._open[had.cause]
        return self._change(had.cause, before, opened=False, detail=had.detail, by=by.value, at_ms=at_ms)

    def _change(self, cause: str, before: AgentState, *, opened: bool, detail: str, by: str, at_ms: int) -> StateChange:
        return StateChange(
            cause=cause, opened=opened, before=before, after=self.state, detail=detail, by=by, at_ms=at_ms
        )
