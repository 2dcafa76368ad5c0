"""What the parts of the live executor share: whom they tell, what they wait for, and what answers prove together."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from polymarket_agent.domain.market import AssetId, Market
from polymarket_agent.domain.order import OrderCause
from polymarket_agent.domain.venue import Answer, VenueMode

__all__ = ["Alarm", "Facts", "LivePolicy", "Markets", "Said", "Timing", "fold"]


class Alarm(Protocol):
    """Told of what an operator must know; may stop entries or everything."""

    def __call__(self, cause: str, detail: str) -> None:
        """Take in a cause with what happened."""
        ...

    def clear(self, cause: str) -> None:
        """Note that the reason of a cause is gone for now."""
        ...

    def reconciled(self) -> None:
        """Two clean comparisons with the venue lie behind us."""
        ...

    def must_cancel(self) -> str:
        """Return why everything open is to be cancelled, or ""."""
        ...


class Facts(Protocol):
    """What the gate wants to know of the venue; written by the executor alone."""

    mode: VenueMode
    closed_only: bool
    blocked: bool
    clock_ok: bool
    stream_up: bool
    orders_left: int | None
    orders_left_until_ms: int
    suspect: dict[AssetId, str]


class Markets(Protocol):
    """Finds the market of an asset, if it is known by now."""

    def __call__(self, asset_id: AssetId) -> Market | None:
        """Return the market, or None; then it is asked for."""
        ...


class Said(Enum):
    """What evidence came to."""

    APPLIED = "applied"
    NOTHING = "nothing new"
    STRANGER = "of an order that is not known"
    LOOK = "to be looked at"


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Waits in milliseconds; see the failure model, sections 2.3 and 2.5."""

    quarantine_absent_ms: int = 600_000
    quarantine_refused_ms: int = 90_000
    delayed_ms: int = 60_000
    look_ms: int = 20_000
    absent_after_ms: int = 120_000
    looks_apart_ms: int = 16_000


@dataclass(frozen=True, slots=True, kw_only=True)
class LivePolicy:
    """Switches and waits of the live executor.

    Attributes:
        timing: waits of orders that are to be proven.
        cancel_on_start: cancel what is open when the agent starts.
        cancel_on_stop: cancel what is open when it stops.
        heartbeat: keep the venue's dead-man's switch armed; it cancels everything when the engine stands still.
        resend_entries: send the same bytes of an unanswered entry again while it is young.
        round_ms: between two reads of open orders and trades.
        balances_ms: between two comparisons of cash and shares.
        clean_apart_ms: the two clean rounds that end the recovery lie at least this far apart.
        beat_ms: between two heartbeats.
        http_timeout_s: for an answer to a POST.
    """

    timing: Timing = field(default_factory=Timing)
    cancel_on_start: bool = True
    cancel_on_stop: bool = True
    heartbeat: bool = True
    resend_entries: bool = True
    round_ms: int = 30_000
    balances_ms: int = 60_000
    clean_apart_ms: int = 10_000
    beat_ms: int = 5_000
    http_timeout_s: float = 10.0


def fold(answers: list[Answer | None]) -> OrderCause:
    """Return what all attempts of an order prove together; None is one that has no answer yet."""
    if any(each in (Answer.ACCEPTED, Answer.DUPLICATE) for each in answers):
        return OrderCause.ACCEPTED
    if Answer.ACCEPTED_DELAYED in answers:
        return OrderCause.ACCEPTED_DELAYED
    if any(each in (None, Answer.UNKNOWN, Answer.WRONG_ID) for each in answers):
        return OrderCause.NO_ANSWER
    if all(each in (Answer.REFUSED, Answer.NOT_SENT) for each in answers):
        return OrderCause.REFUSED
    return OrderCause.REFUSED_NOW
