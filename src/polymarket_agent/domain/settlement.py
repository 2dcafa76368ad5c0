"""What becomes of a fill after its match: the table of what a later message may change."""

from __future__ import annotations

from enum import Enum

from polymarket_agent.errors import OrderStateError

__all__ = ["SETTLEMENT_MOVES", "SettlementStatus", "move_settlement"]


class SettlementStatus(Enum):
    """Where a matched fill stands on the chain. Only `CONFIRMED` and `FAILED` are final."""

    MATCHED = "MATCHED"
    MINED = "MINED"
    RETRYING = "RETRYING"
    CONFIRMED = "CONFIRMED"
    FAILED = "FAILED"

    @property
    def final(self) -> bool:
        """Whether it can change no more."""
        return self in (SettlementStatus.CONFIRMED, SettlementStatus.FAILED)


_T = SettlementStatus
SETTLEMENT_MOVES: dict[SettlementStatus, frozenset[SettlementStatus]] = {
    _T.MATCHED: frozenset({_T.MINED, _T.RETRYING, _T.CONFIRMED, _T.FAILED}),
    _T.MINED: frozenset({_T.RETRYING, _T.CONFIRMED, _T.FAILED}),
    _T.RETRYING: frozenset({_T.MINED, _T.CONFIRMED, _T.FAILED}),
    _T.CONFIRMED: frozenset(),
    _T.FAILED: frozenset(),
}


def move_settlement(now: SettlementStatus, to: SettlementStatus) -> SettlementStatus:
    """Return the later of the two statuses; a message that is older than what we know changes nothing.

    Raises:
        OrderStateError: CONFIRMED and FAILED of one fill contradict each other.
    """
    if to is now or to in SETTLEMENT_MOVES[now]:
        return to
    if now.final and to.final:
        raise OrderStateError(
            f"a fill is {now.value} and reported {to.value}; both are final",
            hint="stop trading and compare the share and cash balances with the venue",
        )
    return now
