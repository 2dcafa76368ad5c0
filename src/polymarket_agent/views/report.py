"""What it came to: the report, with every sum that a reader can check."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from polymarket_agent.domain.money import MICRO, decimal_text
from polymarket_agent.views.lists import positions
from polymarket_agent.views.queries import balance, round_half_up, sums

__all__ = ["report", "weaker"]


def report(connection: sqlite3.Connection) -> dict[str, Any]:
    """Return what the ledger came to, with every sum that a reader can check.

    The profit is split share by share: what a share brought, or is worth now, less what it cost with fees, the
    oldest share sold first. It counts for the strategy that bought it, and under the weaker evidence of the two
    fills. The parts add up to the whole; what integer rounding leaves is its own line.
    """
    deposits, cash = -balance(connection, "deposits"), balance(connection, "cash")
    fees, realised = balance(connection, "fees"), -balance(connection, "realised")
    cost = sum(row["amount"] for row in sums(connection, "cost:%"))
    marks = {row["asset_id"]: row for row in connection.execute("SELECT * FROM marks")}
    value = sum(row["value"] for row in marks.values())
    equity = cash + value
    point = connection.execute("SELECT equity FROM equity ORDER BY at_ms DESC LIMIT 1").fetchone()
    by_evidence, by_strategy, total = _attribution(connection, marks)
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
) -> tuple[dict[str, Any], dict[str, Any], int]:
    """_Split the profit by evidence and by strategy, and return the sum of the parts in micro-USDC."""
    worth = {asset_id: Fraction(row["value"], row["quantity"]) for asset_id, row in marks.items()}
    for row in connection.execute("SELECT * FROM markets WHERE state = 'resolved'"):
        worth[row["first_asset"]] = Fraction(row["first_payout"], MICRO)
        worth[row["second_asset"]] = Fraction(row["second_payout"], MICRO)
    evidence, strategy = _Split(), _Split()
    lots: dict[str, list[_Lot]] = defaultdict(list)
    for row in connection.execute(_FILLS_IN_ORDER):
        evidence.count(row["evidence"], row)
        strategy.count(row["strategy"], row)
        if row["side"] == "BUY":
            unit = Fraction(row["notional"] + row["fee"], row["quantity"])
            lots[row["asset_id"]].append(_Lot(row["quantity"], unit, row["evidence"], row["strategy"]))
        else:
            unit = Fraction(row["notional"] - row["fee"], row["quantity"])
            for lot, quantity in _sold_from(lots[row["asset_id"]], row["strategy"], row["quantity"]):
                part = quantity * (unit - lot.unit_cost)
                evidence.add(weaker(lot.evidence, row["evidence"]), part)
                strategy.add(lot.strategy, part)
    for asset_id, left in lots.items():
        for lot in left:
            part = lot.quantity * (worth.get(asset_id, Fraction(0)) - lot.unit_cost)
            evidence.add(lot.evidence, part)
            strategy.add(lot.strategy, part)
    return evidence.plain(), strategy.plain(), round_half_up(sum(evidence.profit.values(), Fraction(0)))


# Fills in the order in which they were booked.
_FILLS_IN_ORDER = """
    SELECT f.* FROM fills f JOIN postings p
    ON p.entry = 'fill:' || f.trade_id || ':' || f.order_id || ':' || f.bucket AND p.account = 'cash'
    WHERE f.settlement <> 'FAILED' ORDER BY p.posting_id
"""


@dataclass(slots=True)
class _Lot:
    """Shares bought in one fill and not sold yet, at what a share cost with its fee."""

    quantity: int
    unit_cost: Fraction
    evidence: str
    strategy: str


def _sold_from(lots: list[_Lot], strategy: str, quantity: int) -> Iterator[tuple[_Lot, int]]:
    """Take `quantity` from a strategy's own lots, oldest first, then from others'; yields what each lot gave."""
    for lot in sorted(lots, key=lambda lot: lot.strategy != strategy):
        taken = min(quantity, lot.quantity)
        lot.quantity -= taken
        quantity -= taken
        if taken:
            yield lot, taken
    lots[:] = [lot for lot in lots if lot.quantity]


def weaker(one: str, other: str) -> str:
    """Return the evidence that is easier to doubt: a round trip is worth no more than the worse of its two fills."""
    return max(one, other, key=_DOUBT.index)


_DOUBT = ("venue", "displayed", "traded_through", "queue", "book_through", "assumed")


@dataclass(slots=True)
class _Split:
    """Fills counted, and profit added up, by name."""

    counts: dict[str, list[int]] = field(default_factory=lambda: defaultdict(lambda: [0, 0, 0, 0]))
    profit: dict[str, Fraction] = field(default_factory=lambda: defaultdict(Fraction))

    def count(self, name: str, row: sqlite3.Row) -> None:
        """Count a fill under its own name."""
        for index, amount in enumerate((1, row["quantity"], row["notional"], row["fee"])):
            self.counts[name][index] += amount

    def add(self, name: str, part: Fraction) -> None:
        """Add a part of the profit, in micro-USDC."""
        self.profit[name] += part

    def plain(self) -> dict[str, Any]:
        """Return decimal text by name."""
        return {
            name: {
                "fills": self.counts[name][0],
                "shares": decimal_text(self.counts[name][1]),
                "notional_usdc": decimal_text(self.counts[name][2]),
                "fees_usdc": decimal_text(self.counts[name][3]),
                "pnl_usdc": decimal_text(round_half_up(self.profit[name])),
            }
            for name in sorted({*self.counts, *self.profit})
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
