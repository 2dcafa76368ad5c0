"""The trading day: how far equity has fallen since 00:00 UTC."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from polymarket_agent.domain.money import Usdc

__all__ = ["TradingDay", "day_of"]


def day_of(at_ms: int) -> str:
    """Return the UTC date of an instant as `2026-05-19`."""
    return datetime.fromtimestamp(at_ms // 1_000, tz=UTC).date().isoformat()


@dataclass(slots=True)
class TradingDay:
    """The equity with which the current UTC day began.

    The day never goes back: once a later date was seen, an earlier one is not used again, so a clock that steps
    over midnight and back does not refill the loss budget.
    """

    day: str = ""
    open_equity: Usdc = Usdc(0)

    def begins(self, at_ms: int) -> bool:
        """Whether an instant lies in a later day than the current one."""
        return day_of(at_ms) > self.day

    def open(self, at_ms: int, equity: Usdc, *, last_equity: Usdc | None = None) -> None:
        """Begin the day of an instant with the first equity in it.

        `last_equity` is given when that first equity does not tell the whole truth: the agent was down at midnight,
        or something that it holds has no price. The higher one counts, so that a loss behind it counts.
        """
        self.day = day_of(at_ms)
        self.open_equity = equity if last_equity is None else Usdc(max(equity, last_equity))

    def loss(self, equity: Usdc) -> Usdc:
        """Return how far equity has fallen since the day began, in micro-USDC; 0 if it has not."""
        return Usdc(max(0, self.open_equity - equity))
