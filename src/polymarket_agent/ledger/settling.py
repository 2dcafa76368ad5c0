"""Fills as the venue reports them: booked once when matched, advanced as they settle, undone to the unit if they fail."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence

from polymarket_agent.domain.market import AssetId
from polymarket_agent.domain.money import Usdc
from polymarket_agent.domain.order import SETTLEMENT_MOVES, Fill, Order, SettlementStatus
from polymarket_agent.errors import LedgerError
from polymarket_agent.ledger.accounts import (
    Balances,
    Posting,
    for_difference,
    for_fill,
    for_merge,
    for_resolution,
    for_shares,
    reversed_postings,
)
from polymarket_agent.ledger.books import Books, add_evidence
from polymarket_agent.ledger.rows import fill_of, store_fill, store_order
from polymarket_agent.ledger.states import enter_state

__all__ = ["Booked", "book_leg", "require_sums", "settle_leg"]

Booked = tuple[Fill, Order, str, str]


def book_leg(connection: sqlite3.Connection, books: Books, booked: Booked, run_id: int, source: str) -> bool:
    """Book a fill with its evidence and the order after it; False, and nothing changed, if it is there already."""
    fill, order, before, raw = booked
    key = (fill.trade_id, fill.order_id, fill.bucket)
    if connection.execute("SELECT 1 FROM fills WHERE trade_id = ? AND order_id = ? AND bucket = ?", key).fetchone():
        return False
    store_order(connection, order, run_id, before)
    store_fill(connection, fill)
    _note_status(connection, fill, fill.at_ms)
    add_evidence(connection, raw, at_ms=fill.at_ms, source=source, order_id=fill.order_id, trade_id=fill.trade_id)
    if fill.settlement is not SettlementStatus.FAILED:
        books.post(connection, _entry("fill", key), fill.at_ms, for_fill(fill, books.balances))
    return True


def settle_leg(
    connection: sqlite3.Connection, books: Books, fill: Fill, raw: str, *, source: str, at_ms: int
) -> bool | None:
    """Advance a fill to `fill.settlement`; False if that is no news, None if the fill is not in the ledger.

    A final status that contradicts the final one we have changes no amount: it is kept, and the agent halts.
    """
    key = (fill.trade_id, fill.order_id, fill.bucket)
    row = connection.execute(
        "SELECT settlement FROM fills WHERE trade_id = ? AND order_id = ? AND bucket = ?", key
    ).fetchone()
    if row is None:
        return None
    now, to = SettlementStatus(row[0]), fill.settlement
    if to is now or not (to in SETTLEMENT_MOVES[now] or (now.final and to.final)):
        return False
    add_evidence(connection, raw, at_ms=at_ms, source=source, order_id=fill.order_id, trade_id=fill.trade_id)
    _note_status(connection, fill, at_ms)
    if now.final:
        detail = f"fill {fill.trade_id} of {fill.order_id} was {now.value} and is reported {to.value}"
        enter_state(connection, f"settlement conflict {fill.trade_id}", "HALTED", detail, at_ms)
        return False
    connection.execute(
        "UPDATE fills SET settlement = ? WHERE trade_id = ? AND order_id = ? AND bucket = ?", (to.value, *key)
    )
    if to is SettlementStatus.FAILED:
        _reverse(connection, books, key, at_ms)
    return True


def require_sums(connection: sqlite3.Connection, orders: Sequence[Order]) -> None:
    """Check that orders say what their fills add up to.

    Raises:
        LedgerError: one does not.
    """
    for order in {each.order_id: each for each in orders}.values():
        matched, spent = connection.execute(
            "SELECT coalesce(sum(quantity), 0), coalesce(sum(notional), 0) FROM fills"
            " WHERE order_id = ? AND settlement <> 'FAILED'",
            (order.order_id,),
        ).fetchone()
        if (matched, spent) != (order.matched, order.spent):
            raise LedgerError(
                f"order {order.order_id} says {order.matched} matched for {order.spent}, its fills {matched} for {spent}"
            )


def _note_status(connection: sqlite3.Connection, fill: Fill, at_ms: int) -> None:
    connection.execute(
        "INSERT INTO settlements VALUES (?, ?, ?, ?, ?)",
        (fill.trade_id, fill.order_id, fill.bucket, at_ms, fill.settlement.value),
    )


def _entry(kind: str, key: tuple[str, str, int]) -> str:
    return f"{kind}:{key[0]}:{key[1]}:{key[2]}"


def _reverse(connection: sqlite3.Connection, books: Books, key: tuple[str, str, int], at_ms: int) -> None:
    """Undo a fill, and give later sales the cost that they would have taken without it."""
    rows = connection.execute(
        "SELECT account, unit, amount FROM postings WHERE entry = ? ORDER BY posting_id", (_entry("fill", key),)
    )
    postings = [Posting(*row) for row in rows]
    if not postings:
        raise LedgerError(f"the fill {key[0]} of order {key[1]} has no postings to undo")
    books.post(connection, _entry("revert", key), at_ms, reversed_postings(postings))
    asset_id = connection.execute(
        "SELECT asset_id FROM fills WHERE trade_id = ? AND order_id = ? AND bucket = ?", key
    ).fetchone()[0]
    if not _left_since(connection, asset_id, key):
        return
    wanted, booked = _replayed(connection, asset_id)
    rest = for_difference(wanted, booked)
    if rest:
        books.post(connection, _entry("rebasis", key), at_ms, rest)


def _left_since(connection: sqlite3.Connection, asset_id: str, key: tuple[str, str, int]) -> bool:
    """Whether anything took its part of an asset's cost after a fill; if nothing did, the reverse alone is exact.

    A purchase that was undone took what it had brought, and no part of the rest. A correction since may have been of
    this very fill.
    """
    (since,) = connection.execute(
        "SELECT max(posting_id) FROM postings WHERE entry = ?", (_entry("fill", key),)
    ).fetchone()
    row = connection.execute(
        "SELECT 1 FROM postings WHERE account = 'holding' AND unit = ?1 AND posting_id > ?2 AND amount < 0"
        " AND entry NOT GLOB 'revert:*' UNION ALL SELECT 1 FROM postings WHERE account = 'cost:' || ?1 AND posting_id > ?2"
        " AND entry GLOB 'rebasis:*' LIMIT 1",
        (asset_id, since),
    ).fetchone()
    return row is not None


def _replayed(connection: sqlite3.Connection, asset_id: str) -> tuple[Balances, Balances]:
    """Return two sums over every entry of an asset and of what was merged with it: without what failed, and as booked."""
    assets = {asset_id}
    while True:
        names = json.dumps(sorted(assets))
        found = connection.execute(
            "SELECT asset_id, second_asset FROM flows WHERE kind = 'merge' AND (asset_id IN (SELECT value FROM json_each(?1))"
            " OR second_asset IN (SELECT value FROM json_each(?1)))",
            (names,),
        ).fetchall()
        more = {asset for pair in found for asset in pair}
        if more <= assets:
            break
        assets |= more
    entries = connection.execute(
        "SELECT entry FROM postings WHERE account = 'holding' AND unit IN (SELECT value FROM json_each(?1))"
        " OR account IN (SELECT 'cost:' || value FROM json_each(?1)) GROUP BY entry ORDER BY min(posting_id)",
        (names,),
    ).fetchall()
    wanted: dict[tuple[str, str], int] = {}
    booked: dict[tuple[str, str], int] = {}
    for (entry,) in entries:
        for account, unit, amount in connection.execute(
            "SELECT account, unit, amount FROM postings WHERE entry = ?", (entry,)
        ):
            booked[account, unit] = booked.get((account, unit), 0) + amount
        for account, unit, amount in _again(connection, entry, wanted):
            wanted[account, unit] = wanted.get((account, unit), 0) + amount
    return wanted, booked


def _again(connection: sqlite3.Connection, entry: str, balances: Balances) -> list[Posting]:
    """Return what an entry would be on top of `balances`, in which nothing that failed was ever booked."""
    kind, _, rest = entry.partition(":")
    cursor = connection.cursor()
    cursor.row_factory = sqlite3.Row
    match kind:
        case "fill":
            row = cursor.execute(
                "SELECT * FROM fills WHERE trade_id = ? AND order_id = ? AND bucket = ?", rest.rsplit(":", 2)
            ).fetchone()
            fill = fill_of(row)
            return [] if fill.settlement is SettlementStatus.FAILED else for_fill(fill, balances)
        case "resolution":
            asset_id, _, payout = rest.rpartition(":")
            return for_resolution(AssetId(asset_id), int(payout.partition("#")[0]), balances)
        case "shares" | "merge":
            row = cursor.execute("SELECT * FROM flows WHERE flow_id = ?", (int(rest),)).fetchone()
            if kind == "merge":
                return for_merge(AssetId(row["asset_id"]), AssetId(row["second_asset"]), row["quantity"], balances)
            return for_shares(AssetId(row["asset_id"]), row["quantity"], Usdc(row["amount"]), balances)
        case "revert" | "rebasis":
            return []
        case _:
            raise LedgerError(f"the entry {entry} moves shares in a way that is not known")
