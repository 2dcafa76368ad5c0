"""What it came to: the report, with every sum that a reader can check."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from fractions import Fraction
from typing import Any

from polymarket_agent.domain.money import decimal_text
from polymarket_agent.ledger.flows import paid_in_since
from polymarket_agent.views.attribution import Attribution
from polymarket_agent.views.lists import positions
from polymarket_agent.views.queries import balance, marks, round_half_up, sums

__all__ = ["report"]


def report(connection: sqlite3.Connection) -> dict[str, Any]:
    """Return what the ledger came to, with every sum that a reader can check.

    The profit is split share by share: what a share brought, or is worth now, less what it cost with fees, the
    oldest share sold first. It counts for the strategy that bought it, and under the weaker evidence of the two
    fills. The parts add up to the whole; what integer rounding leaves is its own line.
    """
    deposits, cash = -balance(connection, "deposits"), balance(connection, "cash")
    fees, realised = balance(connection, "fees"), -balance(connection, "realised")
    cost = sum(row["amount"] for row in sums(connection, "cost:%"))
    worth = _worth(connection)
    value = sum(round_half_up(worth[unit] * held) for unit, held in _held(connection).items())
    equity = cash + value
    split = Attribution(connection, worth)
    pnl = equity - deposits
    checks = {
        "cash = deposits + realised - fees - cost of open positions": cash == deposits + realised - fees - cost,
        "equity = cash + value of open positions": _point_adds_up(connection, equity),
        "every entry of the ledger sums to zero": _unbalanced(connection) == 0,
        "matched shares of orders = shares of fills": _matched_difference(connection) == 0,
        "parts of the profit add up to it": abs(pnl - split.total) <= max(1, _fill_count(connection)),
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
        "by_evidence": split.by_evidence,
        "by_strategy": split.by_strategy,
        "rounding_usdc": decimal_text(pnl - split.total),
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


def _drawdown(connection: sqlite3.Connection) -> int:
    """Return the deepest fall of equity from its highest point; money that came or left is none."""
    highest, deepest, paid_in = None, 0, 0
    for equity, flow, *_ in connection.execute(_CURVE):
        paid_in += flow
        if equity is not None:
            net = equity - paid_in
            highest = net if highest is None else max(highest, net)
            deepest = max(deepest, highest - net)
    return deepest


# Points of the equity curve and money from outside, as they came.
_CURVE = """
    SELECT equity, 0, at_ms, 1 FROM equity
    UNION ALL SELECT NULL, -amount, at_ms, 0 FROM postings
    WHERE account = 'deposits' AND (entry LIKE 'flow:%' OR entry LIKE 'shares:%') ORDER BY 3, 4
"""


def _held(connection: sqlite3.Connection) -> dict[str, int]:
    return {row["unit"]: row["amount"] for row in sums(connection, "holding") if row["amount"]}


def _worth(connection: sqlite3.Connection) -> dict[str, Fraction]:
    """Return what a share of each holding is worth: by its last mark, or its cost until there is one."""
    worth = marks(connection)
    for asset_id, held in _held(connection).items():
        if asset_id not in worth:
            worth[asset_id] = Fraction(balance(connection, f"cost:{asset_id}"), held)
    return worth


def _point_adds_up(connection: sqlite3.Connection, equity: int) -> bool:
    """Whether the last point of the equity curve is its cash and the marks that were kept with it.

    After a run that ended by itself it is also today's equity, but for what came in or left since; before that, the
    ledger may be ahead of the point.
    """
    point = connection.execute("SELECT * FROM equity ORDER BY at_ms DESC LIMIT 1").fetchone()
    value = connection.execute("SELECT coalesce(sum(value), 0) FROM marks").fetchone()[0]
    if point is None:
        return True
    run = connection.execute("SELECT ended FROM runs ORDER BY run_id DESC LIMIT 1").fetchone()
    ended = run is not None and run["ended"] is not None
    now = point["equity"] + paid_in_since(connection, point["at_ms"])
    return point["equity"] == point["cash"] + value and (not ended or now == equity)


def _unbalanced(connection: sqlite3.Connection) -> int:
    query = "SELECT count(*) FROM (SELECT 1 FROM postings GROUP BY entry, unit HAVING sum(amount) <> 0)"
    return int(connection.execute(query).fetchone()[0])


def _matched_difference(connection: sqlite3.Connection) -> int:
    query = (
        "SELECT count(*) FROM (SELECT o.order_id FROM orders o LEFT JOIN fills f"
        " ON f.order_id = o.order_id AND f.settlement <> 'FAILED' GROUP BY o.order_id HAVING o.matched <> coalesce(sum(f.quantity), 0))"
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
