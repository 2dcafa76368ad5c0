"""Small queries that the views share."""

from __future__ import annotations

import sqlite3
from fractions import Fraction

__all__ = ["balance", "label_of", "market_of", "marks", "outcome_of", "round_half_up", "sums"]


def sums(connection: sqlite3.Connection, account: str) -> list[sqlite3.Row]:
    """Return the sums of the accounts whose name is like `account`, by account and unit."""
    return connection.execute(
        "SELECT account, unit, sum(amount) AS amount FROM postings WHERE account LIKE ? GROUP BY account, unit",
        (account,),
    ).fetchall()


def balance(connection: sqlite3.Connection, account: str) -> int:
    """Return the sum of a USDC account, micro-USDC."""
    row = connection.execute("SELECT sum(amount) FROM postings WHERE account = ? AND unit = 'USDC'", (account,))
    return int(row.fetchone()[0] or 0)


def marks(connection: sqlite3.Connection) -> dict[str, Fraction]:
    """Return what a share of each asset was worth when the equity was noted last, micro-USDC a micro-share."""
    rows = connection.execute("SELECT asset_id, quantity, value FROM marks WHERE quantity > 0")
    return {row["asset_id"]: Fraction(row["value"], row["quantity"]) for row in rows}


def market_of(connection: sqlite3.Connection, asset_id: str) -> sqlite3.Row | None:
    """Return the row of the market that an asset belongs to, or None."""
    row: sqlite3.Row | None = connection.execute(
        "SELECT * FROM markets WHERE first_asset = ? OR second_asset = ?", (asset_id, asset_id)
    ).fetchone()
    return row


def outcome_of(market: sqlite3.Row | None, asset_id: str) -> str:
    """Return the outcome's name of an asset of a market row."""
    if market is None:
        return ""
    return str(market["first_label"] if market["first_asset"] == asset_id else market["second_label"])


def label_of(row: sqlite3.Row) -> str:
    """Return the outcome's name of a row that was joined with its market."""
    if row["first_asset"] is None:
        return ""
    return str(row["first_label"] if row["first_asset"] == row["asset_id"] else row["second_label"])


def round_half_up(value: Fraction) -> int:
    """Return the nearest whole number, halves up."""
    return (2 * value.numerator + value.denominator) // (2 * value.denominator)
