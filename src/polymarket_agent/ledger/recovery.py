"""Starting is recovering: the account, live orders and the day's state, recomputed from the first row."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field

from polymarket_agent.db import Database
from polymarket_agent.domain.book import Side
from polymarket_agent.domain.market import AssetId, ConditionId
from polymarket_agent.domain.money import Price, Shares, Usdc
from polymarket_agent.domain.order import Evidence, Fill, Order, OrderId, OrderState, SettlementStatus, TimeInForce
from polymarket_agent.domain.portfolio import Account
from polymarket_agent.errors import LedgerError

__all__ = ["Recovered", "fill_of", "order_of", "recover"]


_HOUR_MS = 3_600_000


@dataclass(slots=True)
class Recovered:
    """What the ledger knows.

    `account` is None in a new file; `recent_orders` are those of the last hour that it saw; `last_event_ms` is the
    latest time of anything in it; `paper_orders` is the highest number that a paper order has; `held_fills` are the
    fills of every asset that is still held, oldest first, so that strategies learn what is theirs.
    """

    account: Account | None = None
    recent_orders: list[Order] = field(default_factory=list)
    day: str = ""
    day_open: Usdc = Usdc(0)
    last_event_ms: int = 0
    last_equity: Usdc | None = None
    marks: dict[AssetId, tuple[Shares, Usdc]] = field(default_factory=dict)
    paper_orders: int = 0
    held_fills: list[Fill] = field(default_factory=list)


def recover(db: Database) -> Recovered:
    """Recompute everything from the ledger.

    Raises:
        LedgerError: the rows contradict each other.
    """
    found = Recovered()

    def work(connection: sqlite3.Connection) -> None:
        connection.row_factory = sqlite3.Row
        try:
            _read(connection, found)
        finally:
            connection.row_factory = None

    db.run(work)
    return found


def _read(connection: sqlite3.Connection, found: Recovered) -> None:
    _require_consistency(connection)
    found.account = _account(connection)
    for row in connection.execute("SELECT * FROM fills ORDER BY at_ms, order_id, trade_id"):
        if found.account is not None and row["asset_id"] in found.account.positions:
            found.held_fills.append(fill_of(row))
    row = connection.execute("SELECT day, equity FROM day_opens ORDER BY day DESC LIMIT 1").fetchone()
    if row is not None:
        found.day, found.day_open = row["day"], Usdc(row["equity"])
    row = connection.execute(
        "SELECT max(coalesce((SELECT max(last_event_ms) FROM runs), 0), coalesce((SELECT max(updated_ms) FROM orders), 0),"
        " coalesce((SELECT max(at_ms) FROM signals), 0), coalesce((SELECT max(at_ms) FROM equity), 0)) AS last"
    ).fetchone()
    found.last_event_ms = row["last"]
    hour_ago = found.last_event_ms - _HOUR_MS
    for row in connection.execute("SELECT * FROM orders WHERE created_ms > ? ORDER BY created_ms", (hour_ago,)):
        found.recent_orders.append(order_of(row))
    row = connection.execute("SELECT equity FROM equity ORDER BY at_ms DESC LIMIT 1").fetchone()
    found.last_equity = Usdc(row["equity"]) if row is not None else None
    for row in connection.execute("SELECT asset_id, good_quantity, good_value FROM marks"):
        found.marks[AssetId(row["asset_id"])] = (Shares(row["good_quantity"]), Usdc(row["good_value"]))
    row = connection.execute(
        "SELECT max(CAST(substr(order_id, 7) AS INTEGER)) AS last FROM orders WHERE order_id LIKE 'paper-%'"
    ).fetchone()
    found.paper_orders = row["last"] or 0


def _require_consistency(connection: sqlite3.Connection) -> None:
    """Compare rows that were written together; SQLite would not notice one that was changed or lost since."""
    row = connection.execute(
        "SELECT entry, unit, sum(amount) AS rest FROM postings GROUP BY entry, unit HAVING rest <> 0 LIMIT 1"
    ).fetchone()
    if row is not None:
        raise LedgerError(f"the entry {row['entry']} does not balance: {row['rest']} micro-{row['unit']} too many")
    row = connection.execute(
        "SELECT orders.order_id, matched, coalesce(sum(fills.quantity), 0) AS filled FROM orders LEFT JOIN fills"
        " ON fills.order_id = orders.order_id AND fills.settlement <> 'FAILED'"
        " GROUP BY orders.order_id HAVING matched <> filled LIMIT 1"
    ).fetchone()
    if row is not None:
        raise LedgerError(f"order {row['order_id']} says {row['matched']} are matched, its fills say {row['filled']}")
    row = connection.execute(
        "SELECT trade_id, order_id, bucket FROM fills WHERE settlement <> 'FAILED' AND"
        " 'fill:' || trade_id || ':' || order_id || ':' || bucket NOT IN (SELECT entry FROM postings) LIMIT 1"
    ).fetchone()
    if row is not None:
        raise LedgerError(f"the fill {row['trade_id']} of order {row['order_id']} has no postings")


def _account(connection: sqlite3.Connection) -> Account | None:
    """Replay deposits, fills and resolutions in the order in which they were booked."""
    deposits = connection.execute("SELECT -sum(amount) AS total FROM postings WHERE account = 'deposits'").fetchone()
    if deposits["total"] is None:
        return None
    account = Account(Usdc(deposits["total"]))
    entries = connection.execute("SELECT entry FROM postings GROUP BY entry ORDER BY min(posting_id)").fetchall()
    for row in entries:
        kind, _, rest = row["entry"].partition(":")
        if kind == "fill":
            trade_id, order_id, bucket = rest.rsplit(":", 2)
            stored = connection.execute(
                "SELECT * FROM fills WHERE trade_id = ? AND order_id = ? AND bucket = ?", (trade_id, order_id, bucket)
            ).fetchone()
            if stored is None:
                raise LedgerError(f"the posting {row['entry']} has no fill")
            account.apply_fill(fill_of(stored))
        elif kind == "resolution":
            asset_id, _, payout = rest.rpartition(":")
            account.apply_resolution(AssetId(asset_id), int(payout))
    for row in connection.execute(
        "SELECT * FROM orders WHERE state NOT IN ('FILLED', 'CANCELED', 'REJECTED', 'ABANDONED') ORDER BY rowid"
    ):
        account.apply_order(order_of(row))
    return account


def order_of(row: sqlite3.Row) -> Order:
    """Return the order of a row of `orders`."""
    return Order(
        order_id=OrderId(row["order_id"]),
        signal_id=row["signal_id"],
        strategy=row["strategy"],
        condition_id=ConditionId(row["condition_id"]),
        asset_id=AssetId(row["asset_id"]),
        side=Side(row["side"]),
        price=Price(row["price"]),
        quantity=Shares(row["quantity"]),
        time_in_force=TimeInForce(row["time_in_force"]),
        created_ms=row["created_ms"],
        state=OrderState(row["state"]),
        post_only=bool(row["post_only"]),
        expires_at_ms=row["expires_at_ms"],
        matched=Shares(row["matched"]),
        reserved=row["reserved"],
        updated_ms=row["updated_ms"],
        reason=row["reason"],
        basket_id=row["basket_id"],
    )


def fill_of(row: sqlite3.Row) -> Fill:
    """Return the fill of a row of `fills`."""
    return Fill(
        trade_id=row["trade_id"],
        order_id=OrderId(row["order_id"]),
        condition_id=ConditionId(row["condition_id"]),
        asset_id=AssetId(row["asset_id"]),
        side=Side(row["side"]),
        price=Price(row["price"]),
        quantity=Shares(row["quantity"]),
        notional=Usdc(row["notional"]),
        fee=Usdc(row["fee"]),
        is_maker=bool(row["is_maker"]),
        evidence=Evidence(row["evidence"]),
        at_ms=row["at_ms"],
        strategy=row["strategy"],
        settlement=SettlementStatus(row["settlement"]),
        bucket=row["bucket"],
        note=row["note"],
    )
