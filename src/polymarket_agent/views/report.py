"""What it came to: the report, with every sum that a reader can check."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from fractions import Fraction
from typing import Any

from polymarket_agent.domain.money import MICRO, decimal_text
from polymarket_agent.views.lists import positions
from polymarket_agent.views.queries import balance, round_half_up, sums

__all__ = ["report"]


def report(connection: sqlite3.Connection) -> dict[str, Any]:
    """Return what the ledger came to, with every sum that a reader can check.

    The profit is split fill by fill: a share bought at p that is now worth w contributes w - p less its fee, a
    share sold the reverse. The parts add up to the whole; what integer rounding leaves is its own line.
    """
    deposits, cash = -balance(connection, "deposits"), balance(connection, "cash")
    fees, realised = balance(connection, "fees"), -balance(connection, "realised")
    cost = sum(row["amount"] for row in sums(connection, "cost:%"))
    marks = {row["asset_id"]: row for row in connection.execute("SELECT * FROM marks")}
    value = sum(row["value"] for row in marks.values())
    equity = cash + value
    point = connection.execute("SELECT equity FROM equity ORDER BY at_ms DESC LIMIT 1").fetchone()
    by_evidence, by_strategy, by_role, total = _attribution(connection, marks)
    pnl = equity - deposits
    checks = {
        "cash = deposits + realised - fees - cost of open positions": cash == deposits + realised - fees - cost,
        "equity = cash + value of open positions": point is None or point["equity"] == equity,
        "every entry of the ledger sums to zero": _unbalanced(connection) == 0,
        "matched shares of orders = shares of fills": _matched_difference(connection) == 0,
        "parts of the profit add up to it": abs(pnl - total) <= max(1, _fill_count(connection)),
    }
    return {
        "deposits_usdc": decimal_text(deposits),
        "realised_before_fees_usdc": decimal_text(realised),
        "fees_usdc": decimal_text(fees),
        "unrealised_usdc": decimal_text(value - cost),
        "equity_usdc": decimal_text(equity),
        "pnl_usdc": decimal_text(pnl),
        "cash_usdc": decimal_text(cash),
        "cost_of_open_positions_usdc": decimal_text(cost),
        "value_of_open_positions_usdc": decimal_text(value),
        "drawdown_usdc": decimal_text(_drawdown(connection)),
        "by_evidence": by_evidence,
        "by_strategy": by_strategy,
        "by_role": by_role,
        "rounding_usdc": decimal_text(pnl - total),
        "orders_by_state": _counts(connection, "SELECT state, count(*) FROM orders GROUP BY state"),
        "closing_reasons": _counts(
            connection,
            "SELECT reason, count(*) FROM orders WHERE reason <> '' GROUP BY reason ORDER BY 2 DESC LIMIT 12",
        ),
        "signals_by_verdict": _counts(connection, "SELECT verdict, count(*) FROM signals GROUP BY verdict"),
        "refusals_by_rule": _refusals(connection),
        "positions": positions(connection),
        "resolutions": _resolutions(connection),
        "fees_assumed_markets": _assumed(connection),
        "checks": checks,
    }


def _attribution(
    connection: sqlite3.Connection, marks: dict[str, sqlite3.Row]
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any], int]:
    """Split the profit by evidence, strategy and role, and return the sum of the parts in micro-USDC."""
    worth: dict[str, Fraction] = {}
    for asset_id, row in marks.items():
        worth[asset_id] = Fraction(row["value"], row["quantity"])
    for row in connection.execute("SELECT * FROM markets WHERE state = 'resolved'"):
        worth[row["first_asset"]] = Fraction(row["first_payout"], MICRO)
        worth[row["second_asset"]] = Fraction(row["second_payout"], MICRO)
    splits: tuple[dict[str, list[Any]], ...] = tuple(defaultdict(lambda: [0, 0, 0, 0, Fraction(0)]) for _ in range(3))
    total = Fraction(0)
    for row in connection.execute("SELECT * FROM fills"):
        final = row["quantity"] * worth.get(row["asset_id"], Fraction(0))
        flow = final - row["notional"] if row["side"] == "BUY" else row["notional"] - final
        part = flow - row["fee"]
        total += part
        names = (row["evidence"], row["strategy"], "maker" if row["is_maker"] else "taker")
        for split, name in zip(splits, names, strict=True):
            for index, amount in enumerate((1, row["quantity"], row["notional"], row["fee"], part)):
                split[name][index] += amount
    plain = [{name: _plain_split(split[name]) for name in sorted(split)} for split in splits]
    return plain[0], plain[1], plain[2], round_half_up(total)


def _plain_split(values: list[Any]) -> dict[str, Any]:
    count, quantity, notional, fee, part = values
    return {
        "fills": count,
        "shares": decimal_text(quantity),
        "notional_usdc": decimal_text(notional),
        "fees_usdc": decimal_text(fee),
        "pnl_usdc": decimal_text(round_half_up(part)),
    }


def _drawdown(connection: sqlite3.Connection) -> int:
    highest, deepest = None, 0
    for row in connection.execute("SELECT equity FROM equity ORDER BY at_ms"):
        highest = row["equity"] if highest is None else max(highest, row["equity"])
        deepest = max(deepest, highest - row["equity"])
    return deepest


def _unbalanced(connection: sqlite3.Connection) -> int:
    query = "SELECT count(*) FROM (SELECT 1 FROM postings GROUP BY entry, unit HAVING sum(amount) <> 0)"
    return int(connection.execute(query).fetchone()[0])


def _matched_difference(connection: sqlite3.Connection) -> int:
    query = (
        "SELECT count(*) FROM (SELECT o.order_id FROM orders o LEFT JOIN fills f USING (order_id)"
        " GROUP BY o.order_id HAVING o.matched <> coalesce(sum(f.quantity), 0))"
    )
    return int(connection.execute(query).fetchone()[0])


def _counts(connection: sqlite3.Connection, query: str) -> dict[str, int]:
    return {row[0]: row[1] for row in connection.execute(query)}


def _refusals(connection: sqlite3.Connection) -> dict[str, int]:
    counts: dict[str, int] = defaultdict(int)
    for rules, number in connection.execute(
        "SELECT rule, count(*) FROM signals WHERE verdict = 'refused' GROUP BY rule"
    ):
        for rule in rules.split(","):
            counts[rule] += number
    return dict(sorted(counts.items()))


def _resolutions(connection: sqlite3.Connection) -> list[dict[str, Any]]:
    rows = connection.execute("SELECT * FROM markets WHERE state = 'resolved' ORDER BY updated_ms, condition_id")
    return [
        {
            "market": row["question"],
            "payouts": {
                row["first_label"]: decimal_text(row["first_payout"]),
                row["second_label"]: decimal_text(row["second_payout"]),
            },
            "received_usdc": decimal_text(_received(connection, row)),
        }
        for row in rows
        if _received(connection, row) or _traded(connection, row["condition_id"])
    ]


def _received(connection: sqlite3.Connection, market: sqlite3.Row) -> int:
    row = connection.execute(
        "SELECT sum(amount) FROM postings WHERE account = 'cash' AND (entry LIKE ? OR entry LIKE ?)",
        (f"resolution:{market['first_asset']}:%", f"resolution:{market['second_asset']}:%"),
    )
    return int(row.fetchone()[0] or 0)


def _traded(connection: sqlite3.Connection, condition_id: str) -> bool:
    row = connection.execute("SELECT 1 FROM fills WHERE condition_id = ? LIMIT 1", (condition_id,)).fetchone()
    return row is not None


def _assumed(connection: sqlite3.Connection) -> int:
    row = connection.execute(
        "SELECT count(*) FROM markets WHERE fees_assumed AND condition_id IN (SELECT condition_id FROM fills)"
    )
    return int(row.fetchone()[0])


def _fill_count(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT count(*) FROM fills").fetchone()[0])
