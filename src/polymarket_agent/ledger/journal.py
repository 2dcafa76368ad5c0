"""The journal: what was wished, decided, ordered and filled, in one file, each thing once.

Everything here is queued for the database's writer and committed in order; a fill, its postings and the order's
new state are one piece of work and so one transaction. The journal's balances live in the writer's thread.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

from polymarket_agent.db import Database
from polymarket_agent.domain.market import AssetId, Market
from polymarket_agent.domain.money import Shares, Usdc
from polymarket_agent.domain.order import Fill, Order
from polymarket_agent.domain.portfolio import Account, Portfolio
from polymarket_agent.domain.signal import Signal
from polymarket_agent.errors import LedgerError
from polymarket_agent.ledger.accounts import USDC_UNIT, Posting, for_deposit, for_fill, for_resolution
from polymarket_agent.ledger.books import Books
from polymarket_agent.ledger.flows import Flow, store_flow
from polymarket_agent.ledger.rows import store_fill, store_order

__all__ = ["Journal"]


class Journal:
    """Writes the ledger of one run."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self.run_id = 0
        self.books = Books(db)

    # -- the run --------------------------------------------------------------------------------------------------

    def begin_run(self, *, mode: str, feed: str, config_hash: str, config: str, at_ms: int) -> int:
        """Note that a run begins; returns its number."""

        def work(connection: sqlite3.Connection) -> int:
            cursor = connection.execute(
                "INSERT INTO runs (mode, feed, config_hash, config, started_ms) VALUES (?, ?, ?, ?, ?)",
                (mode, feed, config_hash, config, at_ms),
            )
            return int(cursor.lastrowid or 0)

        self.run_id = self._db.run(work)
        return self.run_id

    def progress(self, *, first_ms: int | None, last_ms: int | None, events: int) -> None:
        """Note how far the run has come."""
        self._write(
            "UPDATE runs SET first_event_ms = ?, last_event_ms = ?, events = ? WHERE run_id = ?",
            (first_ms, last_ms, events, self.run_id),
        )

    def end_run(self, *, ended: str, summary: str) -> None:
        """Note how the run ended, and wait until all of it is on disk."""
        self._write("UPDATE runs SET ended = ?, summary = ? WHERE run_id = ?", (ended, summary, self.run_id))
        self._db.flush()

    def notice(self, at_ms: int, level: str, event: str, detail: str) -> None:
        """Keep something that the operator should find later."""
        self._write(
            "INSERT INTO notices (run_id, at_ms, level, event, detail) VALUES (?, ?, ?, ?, ?)",
            (self.run_id, at_ms, level, event, detail),
        )

    # -- markets, wishes, orders ----------------------------------------------------------------------------------

    def market(self, market: Market, at_ms: int) -> None:
        """Keep what is known about a market, so that reports can name it."""
        (first, second), payouts = market.outcomes, market.payouts or (None, None)
        self._write(
            "INSERT OR REPLACE INTO markets VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
            (
                *(market.condition_id, market.question, market.slug),
                *(first.asset_id, first.label, second.asset_id, second.label),
                *(market.tick_size, market.min_order_size, market.fees.rate, market.fees.exponent),
                *(int(market.fees_assumed), int(market.neg_risk), market.version.value, market.state.value),
                *(market.group_id, market.group_item, market.end_at_ms, *payouts, at_ms),
            ),
        )

    def signal(
        self, signal: Signal, market: Market | None, at_ms: int, *, verdict: str, rule: str = "", refusal: str = ""
    ) -> None:
        """Keep a wish with what became of it: `approved`, `refused` (by which rule and why) or `unsized`."""
        self._write(
            "INSERT OR IGNORE INTO signals VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
            (
                *(signal.signal_id, self.run_id, at_ms, signal.strategy),
                *(market.condition_id if market else "", signal.asset_id, signal.side.value, signal.target_price),
                *(signal.size, signal.confidence, signal.fair_value, signal.reason, verdict),
                *(rule or None, refusal or None, signal.basket_id),
            ),
        )

    def order(self, order: Order, *, before: str = "") -> None:
        """Keep an order's new state and the move that led there."""
        self._db.submit(lambda connection: store_order(connection, order, self.run_id, before))

    # -- money ----------------------------------------------------------------------------------------------------

    def deposit(self, amount: Usdc, at_ms: int) -> None:
        """Book money from outside."""
        self._db.run(lambda connection: self._post(connection, "deposit:1", at_ms, for_deposit(amount)))

    def fill(self, fill: Fill, order: Order, *, before: str) -> None:
        """Book a fill once: its row, its postings, and the order after it, in one transaction. A copy changes nothing."""
        self.fills([(fill, order, before)])

    def fills(self, booked: Sequence[tuple[Fill, Order, str]]) -> None:
        """Book what happened at one instant, all or none: fills with the order after each and its state before."""

        def work(connection: sqlite3.Connection) -> None:
            for fill, order, before in booked:
                self._book(connection, fill, order, before)

        self._db.submit(work)

    def _book(self, connection: sqlite3.Connection, fill: Fill, order: Order, before: str) -> None:
        key = (fill.trade_id, fill.order_id, fill.bucket)
        if connection.execute("SELECT 1 FROM fills WHERE (trade_id, order_id, bucket) = (?, ?, ?)", key).fetchone():
            return  # a copy, perhaps a late one: the order has moved on since
        store_order(connection, order, self.run_id, before)
        store_fill(connection, fill)
        entry = f"fill:{fill.trade_id}:{fill.order_id}:{fill.bucket}"
        self._post(connection, entry, fill.at_ms, for_fill(fill, self.books.balances))

    def resolution(self, asset_id: AssetId, payout: int, at_ms: int, *, tx: str = "") -> None:
        """Book the payout of what is held of an asset; `tx` is the transaction that redeemed it, if one did."""

        def work(connection: sqlite3.Connection) -> None:
            postings = for_resolution(asset_id, payout, self.books.balances)
            if not postings:
                return
            entry = f"resolution:{asset_id}:{payout}"
            earlier = connection.execute(
                "SELECT count(DISTINCT entry) FROM postings WHERE entry = ? OR entry LIKE ?", (entry, f"{entry}#%")
            ).fetchone()[0]
            self._post(connection, f"{entry}#{earlier + 1}" if earlier else entry, at_ms, postings)
            if tx:
                store_flow(connection, Flow("redemption", at_ms, asset_id=asset_id, amount=payout, detail=tx))

        self._db.submit(work)

    def _post(self, connection: sqlite3.Connection, entry: str, at_ms: int, postings: list[Posting]) -> None:
        self.books.post(connection, entry, at_ms, postings)

    # -- equity ---------------------------------------------------------------------------------------------------

    def day_open(self, day: str, equity: Usdc, at_ms: int) -> None:
        """Keep the equity with which a UTC day began; the first one stands."""
        self._write("INSERT OR IGNORE INTO day_opens VALUES (?, ?, ?)", (day, equity, at_ms))

    def equity(
        self,
        portfolio: Portfolio,
        last_good: Mapping[AssetId, tuple[Shares, Usdc]],
        at_ms: int,
        *,
        unpriced: int,
    ) -> None:
        """Keep one point of the equity curve with the marks behind it, in place of the marks that were kept before.

        Args:
            portfolio: the account with every position marked.
            last_good: the last value of each asset that a current book backed, and the quantity it was for.
            at_ms: now.
            unpriced: how many positions have no current price.
        """
        rows, point = [], (at_ms, portfolio.equity, portfolio.cash, unpriced)
        for asset_id, position in portfolio.positions.items():
            mark, good = portfolio.marks[asset_id], last_good.get(asset_id, (position.quantity, position.cost))
            rows.append((asset_id, position.quantity, mark.value, int(mark.priced), *good, at_ms))

        def work(connection: sqlite3.Connection) -> None:
            connection.execute("INSERT OR REPLACE INTO equity VALUES (?, ?, ?, ?)", point)
            connection.execute("DELETE FROM marks")
            connection.executemany("INSERT INTO marks VALUES (?, ?, ?, ?, ?, ?, ?)", rows)

        self._db.submit(work)

    # -- checking -------------------------------------------------------------------------------------------------

    def require_agreement(self, account: Account) -> None:
        """Compare the account's own arithmetic with the sums of the postings, to the micro-unit.

        Raises:
            LedgerError: they differ. Trading must halt.
        """
        balances, pending = self._db.run(lambda c: (dict(self.books.balances), _pending(c)))
        costs = {unit: amount for (name, unit), amount in balances.items() if name == "holding" and amount}
        expected = {
            "cash": account.cash,
            "fees": account.fees,
            "realised": -account.realised,
            "deposits": -account.deposits,
        }
        for name, amount in expected.items():
            booked = balances.get((name, USDC_UNIT), 0)
            if booked != amount:
                raise LedgerError(f"{name} is {amount} by the account and {booked} by the ledger")
        held = {asset_id: int(position.quantity) for asset_id, position in account.positions.items()}
        if held != costs:
            raise LedgerError(f"holdings are {held} by the account and {costs} by the ledger")
        for asset_id, position in account.positions.items():
            booked = balances.get((f"cost:{asset_id}", USDC_UNIT), 0)
            if booked != position.cost:
                raise LedgerError(f"the cost of {asset_id} is {position.cost} by the account and {booked} booked")

        unsettled = {
            asset_id: (int(account.pending_buys(asset_id)), int(account.pending_sells(asset_id)))
            for asset_id in {*pending, *(fill.asset_id for fill in account.unsettled_fills())}
        }
        if unsettled != pending:
            raise LedgerError(
                f"shares bought and sold and not settled are {unsettled} by the account, {pending} booked"
            )

    def _write(self, statement: str, values: tuple[Any, ...]) -> None:
        self._db.submit(lambda connection: connection.execute(statement, values))


def _pending(connection: sqlite3.Connection) -> dict[AssetId, tuple[int, int]]:
    """Return micro-shares bought and sold by fills that may still fail, by asset."""
    rows = connection.execute(
        "SELECT asset_id, sum(iif(side = 'BUY', quantity, 0)), sum(iif(side = 'SELL', quantity, 0)) FROM fills"
        " WHERE settlement NOT IN ('CONFIRMED', 'FAILED') GROUP BY asset_id"
    )
    return {asset_id: (bought, sold) for asset_id, bought, sold in rows}
