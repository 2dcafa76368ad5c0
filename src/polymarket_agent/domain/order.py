"""Orders, fills, and the two tables that say how they may move.

An order's state is what has been *proven* about it. "Sent, and neither acceptance nor refusal is proven" is a
state of its own (`UNKNOWN`), and time alone proves nothing. A move that is not in `ORDER_MOVES` raises and
changes nothing. Fills are not states: an order's matched quantity is the sum of its fills.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import NewType

from polymarket_agent.domain.book import Side
from polymarket_agent.domain.market import AssetId, ConditionId, Market
from polymarket_agent.domain.money import LOT, MICRO, Price, Shares, Usdc, decimal_text, proceeds_rounded_down
from polymarket_agent.domain.settlement import SETTLEMENT_MOVES, SettlementStatus, move_settlement
from polymarket_agent.errors import OrderStateError

__all__ = [
    "EXTERNAL",
    "ORDER_MOVES",
    "POSSIBLY_ALIVE",
    "SETTLEMENT_MOVES",
    "CancelState",
    "Evidence",
    "Fill",
    "Order",
    "OrderCause",
    "OrderId",
    "OrderState",
    "SettlementStatus",
    "TimeInForce",
    "form_refusal",
    "move_settlement",
]

OrderId = NewType("OrderId", str)

EXTERNAL = "external"  # the strategy of orders that somebody else made with our wallet


class TimeInForce(Enum):
    """How long an order stands."""

    GTC = "GTC"  # rests until filled or cancelled
    GTD = "GTD"  # rests until a time
    FOK = "FOK"  # all now or nothing
    FAK = "FAK"  # what there is now, the rest is cancelled

    @property
    def rests(self) -> bool:
        """Whether what is not filled at once stays on the book."""
        return self in (TimeInForce.GTC, TimeInForce.GTD)


class OrderState(Enum):
    """What is proven about an order."""

    PREPARED = "PREPARED"  # approved, nothing sent
    SUBMITTED = "SUBMITTED"  # an attempt has begun, no answer yet
    UNKNOWN = "UNKNOWN"  # outcome not proven
    DELAYED = "DELAYED"  # the venue holds it before matching
    OPEN = "OPEN"  # resting, or accepted and not yet closed
    QUARANTINED = "QUARANTINED"  # proven absent, or refused for a reason that another copy might escape
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    REJECTED = "REJECTED"
    ABANDONED = "ABANDONED"

    @property
    def final(self) -> bool:
        """Whether only a sign of life can lead out of it."""
        return self in _FINAL


_FINAL = frozenset({OrderState.FILLED, OrderState.CANCELED, OrderState.REJECTED, OrderState.ABANDONED})

# States in which the order may still be matched. Its reservation is held in these, and in PREPARED.
POSSIBLY_ALIVE = frozenset(
    {OrderState.SUBMITTED, OrderState.UNKNOWN, OrderState.DELAYED, OrderState.OPEN, OrderState.QUARANTINED}
)


class OrderCause(Enum):
    """Evidence that moves an order."""

    ATTEMPT_COMMITTED = "attempt committed"
    ABANDON = "abandoned before sending"
    ACCEPTED = "accepted"
    ACCEPTED_DELAYED = "accepted, delayed"
    REFUSED = "refused for ever, or not sent"
    REFUSED_NOW = "refused for now"
    NO_ANSWER = "no proof in the answer"
    SIGN_OF_LIFE = "order message, listed open, or a leg"
    ABSENCE_PROVEN = "absence proven"
    LAST_LOOK = "nothing found after the quarantine"
    CLOSED_FILLED = "closed, filled"
    CLOSED_CANCELED = "closed, cancelled"
    SETTLEMENT_FAILED = "a fill failed to settle"


_S, _C = OrderState, OrderCause
ORDER_MOVES: dict[tuple[OrderState, OrderCause], OrderState] = {
    (_S.PREPARED, _C.ATTEMPT_COMMITTED): _S.SUBMITTED,
    (_S.PREPARED, _C.ABANDON): _S.ABANDONED,
    (_S.SUBMITTED, _C.ACCEPTED): _S.OPEN,
    (_S.SUBMITTED, _C.ACCEPTED_DELAYED): _S.DELAYED,
    (_S.SUBMITTED, _C.REFUSED): _S.REJECTED,
    (_S.SUBMITTED, _C.REFUSED_NOW): _S.QUARANTINED,
    (_S.SUBMITTED, _C.NO_ANSWER): _S.UNKNOWN,
    (_S.SUBMITTED, _C.SIGN_OF_LIFE): _S.OPEN,  # the stream may be faster than the answer
    (_S.UNKNOWN, _C.REFUSED): _S.REJECTED,  # every attempt was answered after all
    (_S.UNKNOWN, _C.REFUSED_NOW): _S.QUARANTINED,
    (_S.UNKNOWN, _C.ACCEPTED): _S.OPEN,
    (_S.UNKNOWN, _C.SIGN_OF_LIFE): _S.OPEN,
    (_S.UNKNOWN, _C.ABSENCE_PROVEN): _S.QUARANTINED,
    (_S.DELAYED, _C.SIGN_OF_LIFE): _S.OPEN,
    (_S.DELAYED, _C.NO_ANSWER): _S.UNKNOWN,
    (_S.DELAYED, _C.CLOSED_FILLED): _S.FILLED,
    (_S.DELAYED, _C.CLOSED_CANCELED): _S.CANCELED,
    (_S.QUARANTINED, _C.LAST_LOOK): _S.REJECTED,
    (_S.QUARANTINED, _C.SIGN_OF_LIFE): _S.OPEN,
    (_S.OPEN, _C.SIGN_OF_LIFE): _S.OPEN,
    (_S.OPEN, _C.ACCEPTED): _S.OPEN,
    (_S.OPEN, _C.CLOSED_FILLED): _S.FILLED,
    (_S.OPEN, _C.CLOSED_CANCELED): _S.CANCELED,
    (_S.FILLED, _C.SETTLEMENT_FAILED): _S.OPEN,  # it is not filled after all; the venue may have it resting again
    # Revivals: the venue knows an order that we had closed. Reserved again, cancelled, reported.
    (_S.REJECTED, _C.SIGN_OF_LIFE): _S.OPEN,
    (_S.ABANDONED, _C.SIGN_OF_LIFE): _S.OPEN,
    (_S.CANCELED, _C.SIGN_OF_LIFE): _S.OPEN,
}


class CancelState(Enum):
    """What became of our wish to cancel an order; beside its state, because it proves nothing about fills."""

    NONE = "none"
    REQUESTED = "requested"
    ACKNOWLEDGED = "acknowledged"  # the venue matches it no more
    NOT_CANCELLED = "not cancelled"
    UNKNOWN = "unknown"


class Evidence(Enum):
    """Why we believe a fill. Reports split results by it; only the venue can give the last one."""

    DISPLAYED = "displayed"  # took size that the recorded book displayed
    TRADED_THROUGH = "traded_through"  # others traded at a price worse for the taker than our resting order
    QUEUE = "queue"  # others traded at our price beyond the queue ahead of us
    BOOK_THROUGH = "book_through"  # the other side was displayed at or through our resting order
    ASSUMED = "assumed"  # taken from a made-up book (daily close, quote without sizes): an assumption
    VENUE = "venue"  # the venue reported it


@dataclass(frozen=True, slots=True)
class Fill:
    """A part of an order that was matched; key (trade_id, order_id, bucket).

    `notional` is micro-USDC paid (BUY) or received (SELL) before the fee. A fee is never negative.
    """

    trade_id: str
    order_id: OrderId
    condition_id: ConditionId
    asset_id: AssetId
    side: Side
    price: Price
    quantity: Shares
    notional: Usdc
    fee: Usdc
    is_maker: bool
    evidence: Evidence
    at_ms: int
    strategy: str
    settlement: SettlementStatus = SettlementStatus.CONFIRMED
    bucket: int = 0
    note: str = ""


@dataclass(frozen=True, slots=True)
class Order:
    """Our instruction to buy or sell `quantity` of one asset at `price` or better.

    `reserved` is what it may still cost: micro-USDC for a BUY, micro-shares for a SELL. `matched` is the sum of
    its fills that did not fail, `spent` the sum of their notionals. `reason` says why it is closed, when it is.
    `budget` is not 0 where the venue bounds a buy by its collateral (FOK and FAK): a better price then gives more
    shares than `quantity`. `intent` tells one decision from another: an intent has one order that may be alive.
    `deadline_ms` is when somebody must look at it, whatever happens to the process.
    """

    order_id: OrderId
    signal_id: str
    strategy: str
    condition_id: ConditionId
    asset_id: AssetId
    side: Side
    price: Price
    quantity: Shares
    time_in_force: TimeInForce
    created_ms: int
    state: OrderState = OrderState.PREPARED
    post_only: bool = False
    expires_at_ms: int | None = None
    matched: Shares = Shares(0)
    reserved: int = 0
    updated_ms: int = 0
    reason: str = ""
    basket_id: str | None = None
    intent: str = ""
    budget: Usdc = Usdc(0)
    spent: Usdc = Usdc(0)
    deadline_ms: int | None = None
    cancel: CancelState = CancelState.NONE

    @property
    def remaining(self) -> Shares:
        """What is not matched yet; for a buy bounded by its collateral, what the rest of that buys at the limit."""
        if self.budget:
            return Shares(max(0, self.budget - self.spent) * MICRO // self.price)
        return Shares(self.quantity - self.matched)

    @property
    def filled_up(self) -> bool:
        """Whether the rest is less than the venue trades."""
        return self.remaining < LOT

    @property
    def possibly_alive(self) -> bool:
        """Whether it may still be matched."""
        return self.state in POSSIBLY_ALIVE

    def move(self, cause: OrderCause, at_ms: int, reason: str = "", *, reserved: int | None = None) -> Order:
        """Return this order after evidence.

        Args:
            cause: the evidence.
            at_ms: when it came.
            reason: why it is closed, if it is.
            reserved: what the order may cost again; a revival gave its reservation back and needs a new one.

        Raises:
            OrderStateError: the table has no such move, or a revival lacks its reservation. Nothing has changed.
        """
        to = ORDER_MOVES.get((self.state, cause))
        if to is None:
            raise OrderStateError(f"order {self.order_id} is {self.state.value}; '{cause.value}' cannot move it")
        if self.state.final and not to.final and reserved is None:
            raise OrderStateError(
                f"order {self.order_id} is {self.state.value} and alive after all; say what it may cost",
                hint="give `reserved`, from worst_cost of what remains",
            )
        held = 0 if to.final else self.reserved if reserved is None else reserved
        return replace(self, state=to, reserved=held, updated_ms=at_ms, reason=reason or self.reason)


def form_refusal(market: Market, at: Price, quantity: Shares, time_in_force: TimeInForce) -> str | None:
    """Return why the venue would not take an order of this form, and what would pass; None if it would.

    Prices stand on the market's grid within [tick, 1 - tick], quantities are whole hundredths of a share; an
    order that may rest is at least the market's minimum, one that only takes is worth at least 1 USDC.
    """
    tick = market.tick_size
    if at % tick or not tick <= at <= MICRO - tick:
        grid = f"{decimal_text(tick)} from {decimal_text(tick)} to {decimal_text(MICRO - tick)}"
        return f"a price of {decimal_text(at)} is not on the grid of {grid}"
    if quantity <= 0 or quantity % LOT:
        return f"a quantity of {decimal_text(quantity)} shares is not a whole number of hundredths above 0"
    if time_in_force.rests and quantity < market.min_order_size:
        return (
            f"{decimal_text(quantity)} shares are below the market's minimum of {decimal_text(market.min_order_size)}"
        )
    if not time_in_force.rests and proceeds_rounded_down(at, quantity) < MICRO:
        return f"{decimal_text(quantity)} shares at {decimal_text(at)} are worth less than the minimum of 1 USDC"
    return None
