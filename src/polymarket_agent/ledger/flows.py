"""What moves money or shares without a trade: deposits, transfers, merges, corrections of the venue's rounding."""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

from polymarket_agent.domain.market import AssetId, ConditionId
from polymarket_agent.domain.money import Shares, Usdc
from polymarket_agent.domain.portfolio import Account

__all__ = ["Flow", "apply_flow", "paid_in_since", "store_flow"]


class Flow(NamedTuple):
    """A row of `flows`; micro-units. A `key` that is there already means that it is the same flow."""

    kind: str
    at_ms: int
    condition_id: str = ""
    asset_id: str = ""
    second_asset: str = ""
    quantity: int = 0
    amount: int = 0
    cause: str = ""
    detail: str = ""
    key: str | None = None


def store_flow(connection: sqlite3.Connection, flow: Flow) -> int | None:
    """Keep a flow and return its number; None if one with its key is there."""
    if flow.key is not None and connection.execute("SELECT 1 FROM flows WHERE key = ?", (flow.key,)).fetchone():
        return None
    cursor = connection.execute(
        "INSERT INTO flows (kind, at_ms, condition_id, asset_id, second_asset, quantity, amount, cause, detail, key)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        flow,
    )
    return int(cursor.lastrowid or 0)


def paid_in_since(connection: sqlite3.Connection, at_ms: int) -> int:
    """Return what came from outside after an instant, less what left, micro-USDC; shares count at their cost.

    A ledger's first deposit does not count: no figure is older.
    """
    row = connection.execute(
        "SELECT -sum(amount) FROM postings WHERE account = 'deposits' AND at_ms > ?"
        " AND (entry LIKE 'flow:%' OR entry LIKE 'shares:%')",
        (at_ms,),
    ).fetchone()
    return int(row[0] or 0)


def apply_flow(account: Account, row: sqlite3.Row) -> None:
    """Apply a row of `flows` to an account; one that moved nothing by itself changes nothing."""
    asset_id, quantity, amount = AssetId(row["asset_id"]), Shares(row["quantity"]), Usdc(row["amount"])
    match row["kind"]:
        case "cash":
            account.deposit(amount)
        case "shares":
            account.deposit_shares(asset_id, ConditionId(row["condition_id"]), quantity, amount)
        case "adjust":
            account.adjust(amount)
        case "merge":
            account.apply_merge(asset_id, AssetId(row["second_asset"]), quantity)
