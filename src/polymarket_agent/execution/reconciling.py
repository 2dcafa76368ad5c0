"""When the venue's books are compared with ours, and what follows from it: recovery ends, entries stop, the operator hears.

Times here are of a clock that never steps.
"""

from __future__ import annotations

from collections.abc import Callable

from polymarket_agent.errors import VenueError, VenueUnavailableError
from polymarket_agent.execution.live_types import Alarm, Facts, LivePolicy
from polymarket_agent.execution.reconcile import Finding
from polymarket_agent.execution.rounds import Rounds
from polymarket_agent.execution.venue_watch import VenueWatch
from polymarket_agent.ledger.live_journal import LiveJournal
from polymarket_agent.ports import Clock

__all__ = ["Reconciling"]

_CLEAN_ROUNDS = 2
_AGAIN_MS = 2_000  # after a round that failed or found something
_TELL_AFTER_MS = 600_000
_TOO_EARLY = 425


class Reconciling:
    """Decides when a round is due and what its outcome means.

    Args:
        rounds: reads and compares.
        journal: keeps every outcome.
        facts: `stream_up` is kept true here.
        watch: told when the venue restarts.
        alarm: told when it is clean, or has not been for long.
        policy: how often.
        clock: stamps outcomes.
        steady_ms: a clock that never steps.
    """

    def __init__(
        self,
        rounds: Rounds,
        journal: LiveJournal,
        facts: Facts,
        watch: VenueWatch,
        alarm: Alarm,
        policy: LivePolicy,
        clock: Clock,
        steady_ms: Callable[[], int],
    ) -> None:
        self._rounds, self._journal, self._facts, self._watch = rounds, journal, facts, watch
        self._alarm, self._policy, self._clock, self._steady_ms = alarm, policy, clock, steady_ms
        self._everything = True
        self._heard, self._epoch = False, 0
        self._off = False  # cash or shares differ; until a comparison of them says otherwise
        self._clean: list[int] = []
        self._next_ms = self._next_balances_ms = 0
        self._last_clean_ms = steady_ms()

    def due(self) -> bool:
        """Whether a round should begin now."""
        return self._steady_ms() >= self._next_ms

    def resync(self) -> None:
        """The user channel is up again: what it said in between has to be read."""
        self._heard = True
        self._epoch += 1
        self._everything, self._next_ms = True, 0

    def unheard(self) -> None:
        """The user channel is lost: no round makes up for what it does not say, until it is up again."""
        self._heard = False
        self._epoch += 1

    def start_over(self) -> None:
        """Two clean rounds are needed again before anything is sent."""
        self._clean.clear()
        self._everything, self._next_ms = True, 0

    async def run(self) -> None:
        """Do one round.

        Raises:
            VenueError: a read failed; it is repeated soon.
        """
        began_ms, everything, epoch = self._steady_ms(), self._everything, self._epoch
        recovering = len(self._clean) < _CLEAN_ROUNDS
        balances = recovering or everything or self._off or began_ms >= self._next_balances_ms
        self._next_ms = began_ms + _AGAIN_MS
        try:
            if self._off:
                await self._rounds.refresh()  # what the venue has cached may be what differs
            outcome = await self._rounds.run(everything=everything, balances=balances)
        except VenueError as error:
            if isinstance(error, VenueUnavailableError) and error.status == _TOO_EARLY:
                self._watch.restarted_ms = self._clock.now_ms()  # an absence cannot be proven across it
            self._tell_if_long(str(error))
            raise
        findings = outcome.findings
        self._journal.round_done(
            self._clock.now_ms(), "full" if everything else "short", clean=not findings, findings=findings
        )
        if outcome.compared:
            self._next_balances_ms = began_ms + self._policy.balances_ms
            self._off = any(each.code == "D9" for each in findings)
        heard = self._heard and epoch == self._epoch  # what was read before a reconnect is too old
        if everything and heard:
            self._everything = False
        self._facts.stream_up = heard and not self._off
        clean = heard and not findings and not self._off
        self._note_clean(began_ms, clean=clean and (outcome.compared or not recovering))
        if not clean:
            self._tell_if_long(_first(findings) or "the channel of our own orders is not up")

    def _note_clean(self, now_ms: int, *, clean: bool) -> None:
        if not clean:
            if len(self._clean) < _CLEAN_ROUNDS:
                self._clean.clear()
            return
        self._last_clean_ms = now_ms
        if not self._clean or now_ms - self._clean[-1] >= self._policy.clean_apart_ms:
            self._clean = [*self._clean, now_ms][-_CLEAN_ROUNDS:]
        if len(self._clean) >= _CLEAN_ROUNDS:
            self._alarm.reconciled()
            self._next_ms = now_ms + self._policy.round_ms
        else:
            self._next_ms = self._clean[-1] + self._policy.clean_apart_ms

    def _tell_if_long(self, why: str) -> None:
        if self._steady_ms() - self._last_clean_ms >= _TELL_AFTER_MS:
            self._last_clean_ms = self._steady_ms()
            self._alarm("not_reconciled", f"no clean comparison with the venue for ten minutes: {why}")


def _first(findings: tuple[Finding, ...]) -> str:
    return next((f"{each.code} {each.about}: {each.detail}" for each in findings), "")
