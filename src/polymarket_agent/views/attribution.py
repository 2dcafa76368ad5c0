"""Profit split share by share: by the evidence for the fills behind it, and by strategy."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from polymarket_agent.domain.money import MICRO, decimal_text
from polymarket_agent.domain.order import EXTERNAL
from polymarket_agent.views.queries import round_half_up

__all__ = ["Attribution", "weaker"]


class Attribution:
    """What each share brought, or is worth now, less what it cost with fees, the oldest share sold first.

    Args:
        connection: of the ledger.
        held_worth: micro-USDC a micro-share of what is held; what has resolved is worth its payout.
    """

    def __init__(self, connection: sqlite3.Connection, held_worth: Mapping[str, Fraction]) -> None:
        worth = dict(held_worth)
        for row in connection.execute("SELECT * FROM markets WHERE state = 'resolved'"):
            worth[row["first_asset"]] = Fraction(row["first_payout"], MICRO)
            worth[row["second_asset"]] = Fraction(row["second_payout"], MICRO)
        self._evidence, self._strategy = _Split(), _Split()
        self._lots: dict[str, list[_Lot]] = defaultdict(list)
        for row in sorted(
            [*connection.execute(_FILLS), *connection.execute(_FLOWS)], key=lambda row: int(row["posting_id"])
        ):
            self._take(row)
        for asset_id, left in self._lots.items():
            for lot in left:
                self._add(lot.evidence, lot.strategy, lot.quantity * (worth.get(asset_id, Fraction(0)) - lot.unit_cost))
        self.by_evidence, self.by_strategy = self._evidence.plain(), self._strategy.plain()
        self.total = round_half_up(sum(self._evidence.profit.values(), Fraction(0)))  # micro-USDC

    def _take(self, row: sqlite3.Row) -> None:
        match row["kind"]:
            case "fill":
                self._evidence.count(row["evidence"], row)
                self._strategy.count(row["strategy"], row)
                sign = 1 if row["side"] == "BUY" else -1
                unit = Fraction(row["notional"] + sign * row["fee"], row["quantity"])
                self._move(row["asset_id"], sign * row["quantity"], unit, row["evidence"], row["strategy"])
            case "shares":
                unit = Fraction(abs(row["paid_in"]), abs(row["quantity"]))
                self._move(row["asset_id"], row["quantity"], unit, "venue", EXTERNAL)
            case "merge":
                for asset_id in (row["asset_id"], row["second_asset"]):
                    self._move(asset_id, -row["quantity"], Fraction(1, 2), "venue", EXTERNAL)
            case "adjust":
                self._add("venue", _ROUNDING, Fraction(row["amount"]))

    def _move(self, asset_id: str, quantity: int, unit: Fraction, evidence: str, strategy: str) -> None:
        if quantity > 0:
            self._lots[asset_id].append(_Lot(quantity, unit, evidence, strategy))
            return
        for lot, taken in _sold_from(self._lots[asset_id], strategy, -quantity):
            self._add(weaker(lot.evidence, evidence), lot.strategy, taken * (unit - lot.unit_cost))

    def _add(self, evidence: str, strategy: str, part: Fraction) -> None:
        self._evidence.add(evidence, part)
        self._strategy.add(strategy, part)


_ROUNDING = "rounding of the venue"

# Fills, and what else moved shares or was a gain, each with where it stands among the postings.
_FILLS = """
    SELECT 'fill' AS kind, p.posting_id, f.* FROM fills f JOIN postings p
    ON p.entry = 'fill:' || f.trade_id || ':' || f.order_id || ':' || f.bucket AND p.account = 'cash'
    WHERE f.settlement <> 'FAILED'
"""
_FLOWS = """
    SELECT min(p.posting_id) AS posting_id, f.*,
    sum(CASE WHEN p.account = 'deposits' THEN -p.amount ELSE 0 END) AS paid_in
    FROM flows f JOIN postings p ON p.entry = f.kind || ':' || f.flow_id
    WHERE f.kind IN ('shares', 'merge', 'adjust') GROUP BY f.flow_id
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
