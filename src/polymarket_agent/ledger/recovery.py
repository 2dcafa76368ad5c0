"""Starting is recovering: the account, live orders and the day's state, recomputed from the first row."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field

from polymarket_agent.db import Database
from polymarket_agent.domain.market import AssetId
from polymarket_agent.domain.money import Shares, Usdc
from polymarket_agent.domain.order import Fill, Order, OrderId
from polymarket_agent.domain.portfolio import Account
from polymarket_agent.errors import LedgerError
from polymarket_agent.ledger.books import require_chains
from polymarket_agent.ledger.flows import apply_flow, paid_in_since
from polymarket_agent.ledger.rows import fill_of, order_of

__all__ = ["Recovered", "fill_of", "order_of", "recover"]


_HOUR_MS = 3_600_000
_DAY_MS = 86_400_000


@dataclass(slots=True)
class Recovered:
    """What the ledger knows.

    `account` is None in a new file; `recent_orders` are those of its last hour and of its last UTC day;
    `highest` is the highest equity since the operator resumed after a drawdown last; `highest`, `day_open` and
    `last_equity` have moved with what came in or left since; `last_event_ms` is the latest time of anything in it; `paper_orders` is the highest number that a paper order has; `held_fills` are the
    fills of every asset that is still held, oldest first, so that strategies learn what is theirs.
    """

    account: Account | None = None
    recent_orders: list[Order] = field(default_factory=list)
    day: str = ""
    day_open: Usdc = Usdc(0)
    last_event_ms: int = 0
    last_equity: Usdc | None = None
    highest: Usdc | None = None
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
    for row in connection.execute(
        "SELECT * FROM fills WHERE settlement <> 'FAILED' ORDER BY at_ms, order_id, trade_id"
    ):
        if found.account is not None and row["asset_id"] in found.account.positions:
            found.held_fills.append(fill_of(row))
    row = connection.execute("SELECT day, equity, at_ms FROM day_opens ORDER BY day DESC LIMIT 1").fetchone()
    if row is not None:
        found.day, found.day_open = row["day"], Usdc(row["equity"] + paid_in_since(connection, row["at_ms"]))
    row = connection.execute(
        "SELECT max(coalesce((SELECT max(last_event_ms) FROM runs), 0), coalesce((SELECT max(updated_ms) FROM orders), 0),"
        " coalesce((SELECT max(at_ms) FROM signals), 0), coalesce((SELECT max(at_ms) FROM equity), 0)) AS last"
    ).fetchone()
    found.last_event_ms = row["last"]
    since_ms = min(found.last_event_ms - _HOUR_MS, found.last_event_ms - found.last_event_ms % _DAY_MS - 1)
    for row in connection.execute("SELECT * FROM orders WHERE created_ms > ? ORDER BY created_ms", (since_ms,)):
        found.recent_orders.append(order_of(row))
    row = connection.execute("SELECT equity, at_ms FROM equity ORDER BY at_ms DESC LIMIT 1").fetchone()
    if row is not None:
        found.last_equity = Usdc(row["equity"] + paid_in_since(connection, row["at_ms"]))
    found.highest = _highest(connection)
    for row in connection.execute("SELECT asset_id, good_quantity, good_value FROM marks"):
        found.marks[AssetId(row["asset_id"])] = (Shares(row["good_quantity"]), Usdc(row["good_value"]))
    row = connection.execute(
        "SELECT max(CAST(substr(order_id, 7) AS INTEGER)) AS last FROM orders WHERE order_id LIKE 'paper-%'"
    ).fetchone()
    found.paper_orders = row["last"] or 0


def _highest(connection: sqlite3.Connection) -> Usdc | None:
    """Return the highest equity as it would be with all that was ever paid in and out; None without any."""
    since = connection.execute("SELECT coalesce(max(left_ms), 0) FROM agent_states WHERE cause = 'drawdown'").fetchone()
    flows = connection.execute(
        "SELECT at_ms, -amount FROM postings WHERE account = 'deposits' ORDER BY at_ms"
    ).fetchall()
    paid_in = sum(amount for _, amount in flows)
    so_far, found, begins = 0, None, 0
    for ends, amount in [*flows, (1 << 62, 0)]:
        row = connection.execute(
            "SELECT max(equity) FROM equity WHERE at_ms >= ? AND at_ms < ?", (max(begins, since[0]), ends)
        ).fetchone()
        if row[0] is not None:
            found = max(found if found is not None else row[0] - so_far, row[0] - so_far)
        so_far, begins = so_far + amount, ends
    return Usdc(found + paid_in) if found is not None else None


def _require_consistency(connection: sqlite3.Connection) -> None:
    """Compare rows that were written together; SQLite would not notice one that was changed or lost since."""
    for query, says in _CONTRADICTIONS:
        row = connection.execute(query).fetchone()
        if row is not None:
            raise LedgerError(says.format(*row))
    require_chains(connection)


# What must not be found, and what it means.
_CONTRADICTIONS = (
    (
        "SELECT entry, sum(amount), unit FROM postings GROUP BY entry, unit HAVING sum(amount) <> 0 LIMIT 1",
        "the entry {} does not balance: {} micro-{} too many",
    ),
    (
        (
            "SELECT orders.order_id, matched, spent, coalesce(sum(fills.quantity), 0) AS filled,"
            " coalesce(sum(fills.notional), 0) AS paid FROM orders LEFT JOIN fills"
            " ON fills.order_id = orders.order_id AND fills.settlement <> 'FAILED'"
            " GROUP BY orders.order_id HAVING (matched, spent) <> (filled, paid) LIMIT 1"
        ),
        "order {} says {} are matched for {}, its fills say {} for {}",
    ),
    (
        (
            "SELECT trade_id, order_id FROM fills WHERE settlement <> 'FAILED' AND"
            " 'fill:' || trade_id || ':' || order_id || ':' || bucket NOT IN (SELECT entry FROM postings) LIMIT 1"
        ),
        "the fill {} of order {} has no postings",
    ),
    (
        (
            "SELECT trade_id, order_id, account, sum(amount) FROM fills JOIN postings ON entry IN"
            " ('fill:' || trade_id || ':' || order_id || ':' || bucket, 'revert:' || trade_id || ':' || order_id || ':' || bucket)"
            " WHERE settlement = 'FAILED' GROUP BY trade_id, order_id, bucket, account, unit HAVING sum(amount) <> 0 LIMIT 1"
        ),
        "the fill {} of order {} failed, and its postings to {} still make {}",
    ),
    (
        (
            "SELECT trade_id, order_id FROM postings JOIN fills ON entry ="
            " 'revert:' || trade_id || ':' || order_id || ':' || bucket"
            " WHERE entry > 'revert:' AND entry < 'revert;' AND settlement <> 'FAILED' LIMIT 1"
        ),
        "the fill {} of order {} did not fail, and its postings were undone",
    ),
    (
        (
            "SELECT trade_id, order_id FROM fills WHERE evidence = 'venue' AND NOT EXISTS (SELECT 1 FROM evidence"
            " WHERE evidence.order_id = fills.order_id AND evidence.trade_id = fills.trade_id) LIMIT 1"
        ),
        "the fill {} of order {} has no message of the venue behind it",
    ),
)


def _account(connection: sqlite3.Connection) -> Account | None:
    """Replay what moved money or shares in the order in which it was booked, without the fills that failed."""
    if connection.execute("SELECT 1 FROM postings WHERE account = 'deposits' LIMIT 1").fetchone() is None:
        return None
    account = Account()
    for row in connection.execute("SELECT entry FROM postings GROUP BY entry ORDER BY min(posting_id)").fetchall():
        _replay(connection, account, row["entry"])
    for row in connection.execute(
        "SELECT * FROM orders WHERE state NOT IN ('FILLED', 'CANCELED', 'REJECTED', 'ABANDONED') ORDER BY rowid"
    ):
        account.apply_order(order_of(row))
    # Copies of failed fills may still come.
    for row in connection.execute("SELECT trade_id, order_id, bucket FROM fills WHERE settlement = 'FAILED'"):
        account.remember_fill(row["trade_id"], OrderId(row["order_id"]), row["bucket"])
    return account


def _replay(connection: sqlite3.Connection, account: Account, entry: str) -> None:
    kind, _, rest = entry.partition(":")
    match kind:
        case "fill":
            stored = connection.execute(
                "SELECT * FROM fills WHERE trade_id = ? AND order_id = ? AND bucket = ?", rest.rsplit(":", 2)
            ).fetchone()
            if stored is None:
                raise LedgerError(f"the posting {entry} has no fill")
            account.apply_fill(fill_of(stored))  # nothing, if it failed
        case "resolution":
            asset_id, _, payout = rest.rpartition(":")
            account.apply_resolution(AssetId(asset_id), int(payout.partition("#")[0]))
        case "deposit":
            row = connection.execute("SELECT amount FROM postings WHERE entry = ? AND account = 'cash'", (entry,))
            account.deposit(Usdc(row.fetchone()["amount"]))
        case "flow" | "shares" | "adjust" | "merge":
            row = connection.execute("SELECT * FROM flows WHERE flow_id = ?", (int(rest),)).fetchone()
            if row is None:
                raise LedgerError(f"the posting {entry} has no flow")
            apply_flow(account, row)
        case "revert" | "rebasis":
            pass  # what failed was left out
        case _:
            raise LedgerError(f"the entry {entry} is of a kind that is not known")
