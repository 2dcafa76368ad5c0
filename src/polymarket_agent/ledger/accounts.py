"""Balanced postings: every entry sums to zero in each unit, so money and shares can only move, not appear.

Accounts in USDC: `cash`, `deposits` (negative: what came in from outside), `cost:<asset>` (what held shares cost
before fees), `fees`, `realised` (negative: gains). Shares of an asset move between `holding` and `market`.

    cash + sum(cost) + fees + realised + deposits = 0
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from polymarket_agent.domain.book import Side
from polymarket_agent.domain.market import AssetId
from polymarket_agent.domain.money import MICRO, Usdc
from polymarket_agent.domain.order import Fill
from polymarket_agent.errors import LedgerError

__all__ = ["USDC_UNIT", "Balances", "Posting", "for_deposit", "for_fill", "for_resolution", "require_balanced"]

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


def require_balanced(postings: list[Posting]) -> None:
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
