"""How far equity has fallen: since 00:00 UTC, and from its highest. Money from outside is neither gain nor loss."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from polymarket_agent.domain.money import Usdc

__all__ = ["HighestEquity", "TradingDay", "day_of"]


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

    def flow(self, amount: Usdc) -> None:
        """Let a deposit (or, below 0, a withdrawal) of this day move its opening, so that it is no gain and no loss."""
        self.open_equity = Usdc(self.open_equity + amount)


@dataclass(slots=True)
class HighestEquity:
    """The highest equity so far, net of deposits and withdrawals; None before the first."""

    value: Usdc | None = None

    def see(self, equity: Usdc) -> bool:
        """Take in an equity; True if it is the highest."""
        higher = self.value is None or equity > self.value
        if higher:
            self.value = equity
        return higher

    def drawdown(self, equity: Usdc) -> Usdc:
        """Return how far equity has fallen from the highest, in micro-USDC."""
        return Usdc(max(0, self.value - equity)) if self.value is not None else Usdc(0)

    def begin_again(self, equity: Usdc) -> None:
        """Count from this equity on: the operator has taken note of what was lost before."""
        self.value = equity

    def flow(self, amount: Usdc) -> None:
        """Let a deposit (or, below 0, a withdrawal) move it."""
        if self.value is not None:
            self.value = Usdc(self.value + amount)
