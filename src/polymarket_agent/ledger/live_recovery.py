"""Starting live: what waits for an answer, what may still fail, what holds the agent back. The account is `recover`'s."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from polymarket_agent.db import Database
from polymarket_agent.domain.account import FillKey
from polymarket_agent.domain.book import Side
from polymarket_agent.domain.market import AssetId
from polymarket_agent.domain.order import Fill, Order, OrderId, SettlementStatus, TimeInForce
from polymarket_agent.domain.venue import Answer, OrderTicket, SignedOrder
from polymarket_agent.errors import LedgerError
from polymarket_agent.ledger.rows import fill_of, order_of
from polymarket_agent.ledger.states import Command, OpenState, open_commands, open_states

__all__ = [
    "Attempt",
    "LiveOrder",
    "LiveRecovered",
    "Look",
    "ended_fills",
    "failed_by_order",
    "find_fill",
    "find_order",
    "recover_live",
]


T = TypeVar("T")


class Attempt(NamedTuple):
    """One POST of an order; `answer` and `ended_ms` are None while no answer is kept."""

    n: int
    approval: str
    started_ms: int
    ended_ms: int | None
    answer: Answer | None
    http_status: int
    text: str


class Look(NamedTuple):
    """One time that an order was looked for."""

    at_ms: int
    kind: str
    found: bool
    detail: str


@dataclass(frozen=True, slots=True)
class LiveOrder:
    """An order with what is needed to send the same bytes again and to judge what became of it.

    `signed` has an empty signature: sign its ticket again with its salt and time. It is None for an order that we
    did not make, or have not sent.
    """

    order: Order
    signed: SignedOrder | None
    attempts: tuple[Attempt, ...]
    looks: tuple[Look, ...]


@dataclass(slots=True)
class LiveRecovered:
    """What the ledger knows beyond the account.

    `orders` are all that are not closed, oldest first; `unsettled` the fills that may still fail; `epoch` the last
    one taken, 0 for none. `oldest_unsettled_ms` and `oldest_alive_ms` are where reading the venue's trades must begin
    at the latest (match of a fill, first attempt or creation of an order), None if there is nothing to wait for.
    `last_round` is the last comparison of each kind: when, and whether it was clean.
    """

    orders: list[LiveOrder] = field(default_factory=list)
    unsettled: list[Fill] = field(default_factory=list)
    states: list[OpenState] = field(default_factory=list)
    commands: list[Command] = field(default_factory=list)
    bookmarks: dict[str, int] = field(default_factory=dict)
    last_round: dict[str, tuple[int, bool]] = field(default_factory=dict)
    epoch: int = 0
    oldest_unsettled_ms: int | None = None
    oldest_alive_ms: int | None = None


def recover_live(db: Database) -> LiveRecovered:
    """Read what the last process left open. Call `recover` first: it checks the rows.

    Raises:
        LedgerError: a row has a word that is not known.
    """
    return _reading(db, _read)


def find_order(db: Database, order_id: str) -> LiveOrder | None:
    """Return an order of any age, whatever its state; None if the ledger has none of that id."""

    def work(cursor: sqlite3.Cursor) -> LiveOrder | None:
        row = cursor.execute("SELECT * FROM orders WHERE order_id = ?", (order_id,)).fetchone()
        return _live_order(cursor, row) if row is not None else None

    return _reading(db, work)


def find_fill(db: Database, trade_id: str, order_id: str, bucket: int) -> Fill | None:
    """Return a fill of any age, failed ones too; None if it is not in the ledger."""

    def work(cursor: sqlite3.Cursor) -> Fill | None:
        row = cursor.execute(
            "SELECT * FROM fills WHERE trade_id = ? AND order_id = ? AND bucket = ?", (trade_id, order_id, bucket)
        ).fetchone()
        return fill_of(row) if row is not None else None

    return _reading(db, work)


def ended_fills(db: Database, most: int) -> dict[FillKey, SettlementStatus]:
    """Return how the latest fills ended, oldest first, so that a word against it is noticed."""

    def work(cursor: sqlite3.Cursor) -> dict[FillKey, SettlementStatus]:
        rows = cursor.execute(
            "SELECT trade_id, order_id, bucket, settlement FROM fills WHERE settlement IN ('CONFIRMED', 'FAILED')"
            " ORDER BY at_ms DESC LIMIT ?",
            (most,),
        ).fetchall()
        return {(row[0], OrderId(row[1]), row[2]): SettlementStatus(row[3]) for row in reversed(rows)}

    return _reading(db, work)


def failed_by_order(db: Database) -> dict[OrderId, int]:
    """Return micro-shares by order whose settlement failed; the venue may or may not count them as matched."""

    def work(cursor: sqlite3.Cursor) -> dict[OrderId, int]:
        rows = cursor.execute("SELECT order_id, sum(quantity) FROM fills WHERE settlement = 'FAILED' GROUP BY order_id")
        return {OrderId(row[0]): int(row[1]) for row in rows}

    return _reading(db, work)


def _reading(db: Database, read: Callable[[sqlite3.Cursor], T]) -> T:
    def work(connection: sqlite3.Connection) -> T:
        cursor = connection.cursor()
        cursor.row_factory = sqlite3.Row
        return read(cursor)

    try:
        return db.commit(work).result()
    except ValueError as error:
        raise LedgerError(f"the ledger has a word that is not known: {error}") from error


def _read(cursor: sqlite3.Cursor) -> LiveRecovered:
    found = LiveRecovered(states=open_states(cursor.connection), commands=open_commands(cursor.connection))
    orders = cursor.execute(
        "SELECT * FROM orders WHERE state NOT IN ('FILLED', 'CANCELED', 'REJECTED', 'ABANDONED') ORDER BY rowid"
    ).fetchall()
    found.orders = [_live_order(cursor, row) for row in orders]
    fills = cursor.execute(
        "SELECT * FROM fills WHERE settlement NOT IN ('CONFIRMED', 'FAILED') ORDER BY at_ms, trade_id"
    )
    found.unsettled = [fill_of(row) for row in fills]
    found.bookmarks = dict(tuple(row) for row in cursor.execute("SELECT name, value FROM bookmarks"))
    for row in cursor.execute("SELECT kind, at_ms, clean FROM rounds ORDER BY round_id"):
        found.last_round[row["kind"]] = (row["at_ms"], bool(row["clean"]))
    row = cursor.execute("SELECT epoch FROM lease").fetchone()
    found.epoch = row["epoch"] if row is not None else 0
    found.oldest_unsettled_ms = min((fill.at_ms for fill in found.unsettled), default=None)
    begun = (min([each.order.created_ms, *(a.started_ms for a in each.attempts)]) for each in found.orders)
    found.oldest_alive_ms = min(begun, default=None)
    return found


def _live_order(cursor: sqlite3.Cursor, row: sqlite3.Row) -> LiveOrder:
    order = order_of(row)
    signed = cursor.execute("SELECT * FROM signed_orders WHERE order_id = ?", (order.order_id,)).fetchone()
    attempts = cursor.execute("SELECT * FROM attempts WHERE order_id = ? ORDER BY n", (order.order_id,)).fetchall()
    looks = cursor.execute("SELECT * FROM looks WHERE order_id = ? ORDER BY rowid", (order.order_id,)).fetchall()
    return LiveOrder(
        order,
        _signed_of(order, signed) if signed is not None else None,
        tuple(_attempt_of(each) for each in attempts),
        tuple(Look(each["at_ms"], each["kind"], bool(each["found"]), each["detail"]) for each in looks),
    )


def _attempt_of(row: sqlite3.Row) -> Attempt:
    answer = Answer(row["answer"]) if row["answer"] is not None else None
    timing = (row["n"], row["approval"], row["started_ms"], row["ended_ms"])
    return Attempt(*timing, answer, row["http_status"] or 0, row["text"] or "")


def _signed_of(order: Order, row: sqlite3.Row) -> SignedOrder:
    ticket = OrderTicket(
        condition_id=order.condition_id,
        asset_id=AssetId(row["token_id"]),
        side=Side(row["side"]),
        price=order.price,
        quantity=order.quantity,
        maker_amount=row["maker_amount"],
        taker_amount=row["taker_amount"],
        neg_risk=bool(row["neg_risk"]),
        time_in_force=TimeInForce(row["time_in_force"]),
        post_only=bool(row["post_only"]),
        expires_s=row["expires_s"],
    )
    return SignedOrder(
        ticket=ticket,
        order_id=OrderId(row["order_id"]),
        salt=int(row["salt"]),
        maker=row["maker"],
        signer=row["signer"],
        signature_type=row["signature_type"],
        timestamp_ms=row["timestamp_ms"],
        domain=row["domain"],
        signature="",
    )
