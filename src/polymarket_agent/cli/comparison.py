"""One comparison of a ledger with the venue, for a person to read. It writes nothing and sends nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from polymarket_agent.domain.money import decimal_text

if TYPE_CHECKING:
    from polymarket_agent.db import Database
    from polymarket_agent.domain.account import Account
    from polymarket_agent.domain.venue import Leg
    from polymarket_agent.ports import VenueGateway

__all__ = ["Comparison", "compare"]

_OVERLAP_S = 120


@dataclass(slots=True)
class Comparison:
    """What differs.

    Attributes:
        rows: for a table: what, venue, ledger, difference, explained.
        notes: sentences about single orders and fills.
        cash_outside: micro-USDC that the venue has beyond what unsettled fills explain, negative for less.
        others: how many rows other than cash differ.
    """

    rows: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    cash_outside: int = 0
    others: int = 0

    @property
    def equal(self) -> bool:
        """Whether nothing differs beyond what is still settling."""
        return not self.cash_outside and not self.others

    @property
    def only_cash(self) -> bool:
        """Whether cash is all that differs."""
        return bool(self.cash_outside) and not self.others

    def plain(self) -> dict[str, Any]:
        """Return it as JSON tells it."""
        return {"equal": self.equal, "rows": self.rows, "notes": self.notes}

    def amount(self, what: str, theirs: int, ours: int, low: int, high: int) -> int:
        """Add a row of amounts in micro-units; returns how far the venue is outside what is explained."""
        outside = theirs - high if theirs > high else min(0, theirs - low)
        explained = "equal" if theirs == ours else "no" if outside else "still settling"
        self._row(what, decimal_text(theirs), decimal_text(ours), decimal_text(theirs - ours), explained)
        return outside

    def count(self, what: str, theirs: int, ours: int, *, differ: int) -> None:
        """Add a row of numbers of things, `differ` of which differ."""
        self.others += 1 if differ else 0
        self._row(what, str(theirs), str(ours), str(differ), "equal" if not differ else "no")

    def _row(self, what: str, venue: str, ledger: str, difference: str, explained: str) -> None:
        self.rows.append(
            {"what": what, "venue": venue, "ledger": ledger, "difference": difference, "explained": explained}
        )


async def compare(gateway: VenueGateway, db: Database) -> Comparison:
    """Read the venue once and compare.

    Raises:
        VenueError: it cannot be read.
        LedgerError: the ledger contradicts itself.
    """
    from polymarket_agent.domain.account import Account
    from polymarket_agent.ledger.live_recovery import recover_live
    from polymarket_agent.ledger.recovery import recover

    account = recover(db).account or Account()
    marks = dict(recover_live(db).bookmarks)
    found = Comparison()
    born_s = int(marks.get("born_s", 0))
    since_s = max(born_s, _since_ms(account, int(marks.get("trades_read_ms", 0))) // 1_000 - _OVERLAP_S)
    listed = {str(each.order_id) for each in await gateway.open_orders()}
    legs = await gateway.legs(since_s)
    held = {each.asset_id for each in await gateway.positions()}
    theirs = await gateway.balances(sorted(held | set(account.positions)))
    ours = account
    low, high = ours.cash - ours.pending_proceeds, ours.cash + ours.pending_cost
    found.cash_outside = found.amount("cash, USDC", theirs.cash, ours.cash, low, high)
    for asset_id, quantity in sorted(theirs.shares.items()):
        mine = ours.quantity_of(asset_id)
        low, high = mine - ours.pending_buys(asset_id), mine + ours.pending_sells(asset_id)
        if quantity or mine:
            outside = found.amount(f"shares of {asset_id[:16]}…", quantity, mine, low, high)
            found.others += 1 if outside else 0
    _orders(found, account, listed)
    _fills(found, account, legs)
    return found


def _since_ms(account: Account, read_ms: int) -> int:
    times = [fill.at_ms for fill in account.unsettled_fills()]
    times += [order.created_ms for order in account.orders.values()]
    return min([*times, read_ms]) if read_ms else min(times, default=0)


def _orders(found: Comparison, account: Account, listed: set[str]) -> None:
    from polymarket_agent.domain.order import OrderState

    open_here = {str(o.order_id): o for o in account.orders.values() if o.state is OrderState.OPEN}
    differ = sorted(listed ^ set(open_here))
    found.count("open orders", len(listed), len(open_here), differ=len(differ))
    found.notes += [f"only the venue has open: {each}" for each in differ if each in listed]
    found.notes += [f"only the ledger has open: {each}" for each in differ if each not in listed]
    waiting = [o for o in account.orders.values() if o.state in (OrderState.UNKNOWN, OrderState.SUBMITTED)]
    found.notes += [f"not proven yet: {order.order_id} ({order.state.value})" for order in waiting]
    found.others += 1 if waiting else 0


def _fills(found: Comparison, account: Account, legs: Sequence[Leg]) -> None:
    missing = [leg for leg in legs if not account.booked(leg.trade_id, leg.order_id, leg.bucket)]
    unsettled = account.unsettled_fills()
    open_there = {(leg.trade_id, leg.order_id, leg.bucket) for leg in legs if not leg.status.final}
    open_here = {(fill.trade_id, fill.order_id, fill.bucket) for fill in unsettled}
    found.count("unsettled fills", len(open_there), len(open_here), differ=len(open_there ^ open_here))
    found.notes += [
        f"the ledger lacks a fill: {leg.trade_id} of order {leg.order_id}; the next start books it" for leg in missing
    ]
    found.others += 1 if missing and not open_there ^ open_here else 0
