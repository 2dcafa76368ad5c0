"""The venue's clock, mode and rate limits, as far as it has told; and whether our own clock can be believed."""

from __future__ import annotations

from polymarket_agent.domain.venue import Answer, SubmitOutcome, VenueMode
from polymarket_agent.execution.live_types import Alarm, Facts
from polymarket_agent.ports import Clock, VenueGateway

__all__ = ["VenueWatch"]

_CLOCK_MS = 300_000
_SKEW_MS = 5_000
_STEP_MS = 2_000
_STILL_S = 5.0  # as long as from one heartbeat to the next; the venue cancels everything soon after
_MODE_MS = {VenueMode.RESTARTING: 2_000, VenueMode.POST_ONLY: 10_000}
_MODE_OTHER_MS = 30_000
_OK, _FORBIDDEN, _TOO_MANY = 200, 403, 429


class VenueWatch:
    """Keeps `facts` true. `restarted_ms` is when the venue was last seen restarting, or could not be read."""

    def __init__(self, gateway: VenueGateway, facts: Facts, clock: Clock, alarm: Alarm) -> None:
        self._gateway, self._facts, self._clock, self._alarm = gateway, facts, clock, alarm
        self.restarted_ms = 0
        self._mode_until_ms = self._next_clock_ms = 0
        self._before: tuple[int, float] | None = None

    def answered(self, outcome: SubmitOutcome) -> None:
        """Take in what the answer to an order shows of the venue: its mode, its patience, and whether its edge lets us in."""
        if outcome.mode is not None:
            self.mode_seen(outcome.mode, outcome.retry_after_s)
        elif outcome.http_status == _OK:
            self._facts.mode = VenueMode.NORMAL
            self._alarm.clear("edge_block")
        elif outcome.http_status == _TOO_MANY:
            budget = self._gateway.budget
            budget.remaining = 0
            budget.reset_s = self._clock.now_ms() / 1_000 + (outcome.retry_after_s or 1.0)
        elif outcome.http_status == _FORBIDDEN and outcome.answer is Answer.REFUSED_NOW:
            self._alarm("edge_block", f"the venue's edge refuses us: {outcome.text}")

    def mode_seen(self, mode: VenueMode, retry_after_s: float | None) -> None:
        """Take in what an answer shows of the venue's mode; it is believed for as long as the venue says."""
        now_ms = self._clock.now_ms()
        self._facts.mode = mode
        wait_ms = int(retry_after_s * 1_000) if retry_after_s else _MODE_MS.get(mode, _MODE_OTHER_MS)
        self._mode_until_ms = now_ms + wait_ms
        if mode is VenueMode.RESTARTING:
            self.restarted_ms = now_ms

    def refresh(self, now_ms: int) -> None:
        """Let go of a mode whose time is over, and take over what the venue said about our rate."""
        if self._mode_until_ms and now_ms >= self._mode_until_ms:
            self._mode_until_ms, self._facts.mode = 0, VenueMode.NORMAL
        budget = self._gateway.budget
        self._facts.orders_left = budget.remaining
        self._facts.orders_left_until_ms = int((budget.reset_s or 0) * 1_000)

    def clock_due(self, now_ms: int) -> bool:
        """Whether the clocks should be compared again."""
        return now_ms >= self._next_clock_ms

    async def check_clock(self) -> None:
        """Compare our clock with the venue's, which tells whole seconds.

        Raises:
            VenueError: it cannot be asked.
        """
        asked_ms = self._clock.now_ms()
        self._next_clock_ms = asked_ms + _CLOCK_MS
        theirs_ms = await self._gateway.server_time_ms()
        now_ms = self._clock.now_ms()
        self._facts.clock_ok = asked_ms - _SKEW_MS - 1_000 <= theirs_ms <= now_ms + _SKEW_MS
        if self._facts.clock_ok:
            self._alarm.clear("clock")
        else:
            self._alarm("clock", f"our clock is {(now_ms - theirs_ms) / 1_000:+.0f} s from the venue's; set it right")

    def jumped(self, now_ms: int, steady_s: float) -> bool:
        """Whether the clock stepped, or the machine or this process stood still: what we believe is old then.

        To be asked whenever the engine has shown that it is alive.
        """
        before, self._before = self._before, (now_ms, steady_s)
        if before is None:
            return False
        gap_s = steady_s - before[1]
        step_ms = (now_ms - before[0]) - gap_s * 1_000
        if abs(step_ms) > _STEP_MS:
            self._alarm("time_jump", f"the clock stepped by {step_ms / 1_000:+.1f} s")
        elif gap_s > _STILL_S:  # a stopped process finds both clocks advanced alike
            self._alarm("time_jump", f"the agent stood still for {gap_s:.1f} s")
        else:
            return False
        self._next_clock_ms = 0
        return True
