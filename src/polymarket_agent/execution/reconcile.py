"""The venue's lists against ours: what differs, and what explains it. Pure; nothing is made equal here.

Codes D1 to D11 are those of the table of differences in docs/live-trading.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from polymarket_agent.domain.account import Account
from polymarket_agent.domain.market import AssetId
from polymarket_agent.domain.money import Shares, Usdc, display
from polymarket_agent.domain.order import Order, OrderId, OrderState
from polymarket_agent.domain.venue import OrderSnapshot

__all__ = ["Drift", "Finding", "OrderDifferences", "cash_drift", "compare_orders", "shares_drift"]

# A list may be older than it looks, so what moved only now is not missed yet.
_LAG_MS = 8_000


@dataclass(frozen=True, slots=True)
class Finding:
    """One difference: its code, what it is about, and one sentence."""

    code: str
    about: str
    detail: str

    def __str__(self) -> str:
        about = "" if self.detail.startswith(self.about) else f"{self.about}: "
        return f"{self.code} {about}{self.detail}"


@dataclass(frozen=True, slots=True)
class OrderDifferences:
    """Open orders: those the venue lists and we hold closed or unproven, those it lacks, those whose matches differ."""

    listed: tuple[OrderSnapshot, ...] = ()
    missing: tuple[Order, ...] = ()
    more_matched: tuple[OrderSnapshot, ...] = ()
    less_matched: tuple[OrderSnapshot, ...] = ()
    strangers: tuple[OrderSnapshot, ...] = ()


def compare_orders(
    live: Mapping[OrderId, Order],
    listed: Sequence[OrderSnapshot],
    *,
    asked_ms: int,
    known: Iterable[OrderId],
    failed: Mapping[OrderId, int],
) -> OrderDifferences:
    """Return how the venue's open orders differ from ours.

    Args:
        live: our orders that may be alive.
        listed: all that the venue lists as open.
        asked_ms: when the list was asked for.
        known: ids that we have closed.
        failed: micro-shares by order whose settlement failed; the venue may or may not count them as matched.
    """
    by_id, closed = {each.order_id: each for each in listed}, set(known)
    dead_or_unproven: list[OrderSnapshot] = []
    more: list[OrderSnapshot] = []
    less: list[OrderSnapshot] = []
    strangers: list[OrderSnapshot] = []
    for said in listed:
        order = live.get(said.order_id)
        if order is None:
            (dead_or_unproven if said.order_id in closed else strangers).append(said)
            continue
        if order.state is not OrderState.OPEN:
            dead_or_unproven.append(said)
        if said.matched is not None and said.matched > order.matched + failed.get(said.order_id, 0):
            more.append(said)
        elif said.matched is not None and said.matched < order.matched:
            less.append(said)
    missing = [
        order
        for order in live.values()
        if order.state is OrderState.OPEN and order.order_id not in by_id and order.updated_ms + _LAG_MS < asked_ms
    ]
    return OrderDifferences(tuple(dead_or_unproven), tuple(missing), tuple(more), tuple(less), tuple(strangers))


@dataclass(frozen=True, slots=True)
class Drift:
    """What the venue has of something, and what we can explain: from `low` to `high`, by what has settled yet."""

    what: str
    theirs: int
    low: int
    high: int
    unit: str = field(default="USDC")

    @property
    def outside(self) -> int:
        """How far the venue is beyond what is explained, in micro-units; 0 if it is not."""
        if self.theirs > self.high:
            return self.theirs - self.high
        return min(0, self.theirs - self.low)

    @property
    def pending(self) -> bool:
        """Whether something is still to settle, so that equality cannot be asked for."""
        return self.low != self.high

    def __str__(self) -> str:
        ours = display(self.low, 6) if not self.pending else f"{display(self.low, 6)} to {display(self.high, 6)}"
        return f"{self.what}: the venue says {display(self.theirs, 6)} {self.unit}, the ledger {ours}"


def cash_drift(account: Account, theirs: Usdc) -> Drift:
    """Compare cash. Each unsettled fill may have moved its money already or not."""
    low = account.cash - account.pending_proceeds
    high = account.cash + account.pending_cost
    return Drift("cash", theirs, low, high)


def shares_drift(account: Account, asset_id: AssetId, theirs: Shares) -> Drift:
    """Compare shares of an asset in the same way."""
    held = account.quantity_of(asset_id)
    low = held - account.pending_buys(asset_id)
    high = held + account.pending_sells(asset_id)
    return Drift(f"shares of {asset_id[:12]}…", theirs, low, high, "shares")
