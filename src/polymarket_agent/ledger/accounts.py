"""Balanced postings: every entry sums to zero in each unit, so money and shares can only move, not appear.

Accounts in USDC: `cash`, `deposits` (negative: what came in from outside, shares at their cost), `cost:<asset>` (what
held shares cost before fees), `fees`, `realised` (negative: gains). Shares of an asset move between `holding` and
`market`.

    cash + sum(cost) + fees + realised + deposits = 0

A fill is posted when it is matched. One that fails to settle is reversed to the micro-unit; where later sales took
their cost from shares that never came, the difference to the books without it is an entry of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from polymarket_agent.domain.book import Side
from polymarket_agent.domain.market import AssetId
from polymarket_agent.domain.money import MICRO, Usdc
from polymarket_agent.domain.order import Fill
from polymarket_agent.errors import LedgerError

__all__ = [
    "USDC_UNIT",
    "Balances",
    "Posting",
    "for_adjustment",
    "for_deposit",
    "for_difference",
    "for_fill",
    "for_merge",
    "for_resolution",
    "for_shares",
    "require_balanced",
    "reversed_postings",
]

USDC_UNIT = "USDC"

Balances = Mapping[tuple[str, str], int]


class Posting(NamedTuple):
    """One side of an entry: an amount in micro-units that an account gains (or loses, negative)."""

    account: str
    unit: str
    amount: int


def for_deposit(amount: Usdc) -> list[Posting]:
    """Return the postings of money coming in from outside."""
    return [Posting("cash", USDC_UNIT, amount), Posting("deposits", USDC_UNIT, -amount)]


def for_fill(fill: Fill, balances: Balances) -> list[Posting]:
    """Return the postings of a fill; a sale takes its part of the cost, rounded down.

    Raises:
        LedgerError: it sells more than is held.
    """
    cost_account = f"cost:{fill.asset_id}"
    if fill.side is Side.BUY:
        return [
            Posting("cash", USDC_UNIT, -fill.notional - fill.fee),
            Posting(cost_account, USDC_UNIT, fill.notional),
            Posting("fees", USDC_UNIT, fill.fee),
            Posting("holding", fill.asset_id, fill.quantity),
            Posting("market", fill.asset_id, -fill.quantity),
        ]
    held = balances.get(("holding", fill.asset_id), 0)
    if fill.quantity > held:
        raise LedgerError(f"fill {fill.trade_id} sells {fill.quantity} of {fill.asset_id}, the ledger holds {held}")
    basis = balances.get((cost_account, USDC_UNIT), 0) * fill.quantity // held
    return [
        Posting("cash", USDC_UNIT, fill.notional - fill.fee),
        Posting(cost_account, USDC_UNIT, -basis),
        Posting("fees", USDC_UNIT, fill.fee),
        Posting("realised", USDC_UNIT, basis - fill.notional),
        Posting("holding", fill.asset_id, -fill.quantity),
        Posting("market", fill.asset_id, fill.quantity),
    ]


def for_resolution(asset_id: AssetId, payout: int, balances: Balances) -> list[Posting]:
    """Return the postings of a holding turning into its payout (micro-USDC a share); [] if nothing is held."""
    held = balances.get(("holding", asset_id), 0)
    if not held:
        return []
    cost = balances.get((f"cost:{asset_id}", USDC_UNIT), 0)
    received = held * payout // MICRO
    return [
        Posting("cash", USDC_UNIT, received),
        Posting(f"cost:{asset_id}", USDC_UNIT, -cost),
        Posting("realised", USDC_UNIT, cost - received),
        Posting("holding", asset_id, -held),
        Posting("market", asset_id, held),
    ]


def for_shares(asset_id: AssetId, quantity: int, cost: Usdc, balances: Balances) -> list[Posting]:
    """Return the postings of shares from outside at their cost; negative: they left, with their part of our cost.

    Raises:
        LedgerError: more leave than are held.
    """
    if quantity < 0:
        cost = Usdc(-_basis(asset_id, -quantity, balances))
    return [
        Posting(f"cost:{asset_id}", USDC_UNIT, cost),
        Posting("deposits", USDC_UNIT, -cost),
        Posting("holding", asset_id, quantity),
        Posting("market", asset_id, -quantity),
    ]


def for_adjustment(amount: Usdc) -> list[Posting]:
    """Return the postings of the venue's rounding, positive in our favour; it counts as a fee."""
    return [Posting("cash", USDC_UNIT, amount), Posting("fees", USDC_UNIT, -amount)]


def for_merge(first: AssetId, second: AssetId, quantity: int, balances: Balances) -> list[Posting]:
    """Return the postings of complete sets turning into 1 USDC each.

    Raises:
        LedgerError: less than that is held of one of them.
    """
    costs = [_basis(asset_id, quantity, balances) for asset_id in (first, second)]
    return [
        Posting("cash", USDC_UNIT, quantity),
        Posting("realised", USDC_UNIT, sum(costs) - quantity),
        *(Posting(f"cost:{a}", USDC_UNIT, -cost) for a, cost in zip((first, second), costs, strict=True)),
        *(Posting("holding", asset_id, -quantity) for asset_id in (first, second)),
        *(Posting("market", asset_id, quantity) for asset_id in (first, second)),
    ]


def _basis(asset_id: AssetId, quantity: int, balances: Balances) -> int:
    """Return the cost that leaves with a part of a holding, rounded down."""
    held = balances.get(("holding", asset_id), 0)
    if quantity > held:
        raise LedgerError(f"{quantity} of {asset_id} leave, the ledger holds {held}")
    return balances.get((f"cost:{asset_id}", USDC_UNIT), 0) * quantity // held if held else 0


def reversed_postings(postings: Sequence[Posting]) -> list[Posting]:
    """Return the postings that undo an entry."""
    return [posting._replace(amount=-posting.amount) for posting in postings]


def for_difference(wanted: Balances, booked: Balances) -> list[Posting]:
    """Return the postings that make the sums in `booked` those in `wanted`; [] if they are."""
    return [
        Posting(*key, wanted.get(key, 0) - booked.get(key, 0))
        for key in sorted({*wanted, *booked})
        if wanted.get(key, 0) != booked.get(key, 0)
    ]


def require_balanced(postings: Sequence[Posting]) -> None:
    """Refuse an entry that does not sum to zero in every unit.

    Raises:
        LedgerError: it does not.
    """
    sums: dict[str, int] = {}
    for posting in postings:
        sums[posting.unit] = sums.get(posting.unit, 0) + posting.amount
    wrong = {unit: amount for unit, amount in sums.items() if amount}
    if wrong:
        raise LedgerError(f"an entry does not balance: {wrong}")
