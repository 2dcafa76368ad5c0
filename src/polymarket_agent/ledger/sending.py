"""The last look before an order is sent: in the transaction that notes it, against what is in the file.

What the gate approved may be old by now: another process may have pressed kill, or taken the ledger over.
"""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

from polymarket_agent.domain.book import Side
from polymarket_agent.domain.money import display
from polymarket_agent.domain.order import POSSIBLY_ALIVE, Order, OrderState
from polymarket_agent.domain.venue import SignedOrder
from polymarket_agent.errors import GateClosedError
from polymarket_agent.ledger.accounts import USDC_UNIT, Balances
from polymarket_agent.ledger.lease import require_lease
from polymarket_agent.ledger.rows import store_order

__all__ = ["Sending", "note_attempt"]

_ALIVE = tuple(state.value for state in POSSIBLY_ALIVE)


def _require_match(order: Order, signed: SignedOrder, attempt: int) -> None:
    """Check that what was signed is the order, and that what it may cost is set apart."""
    ticket = signed.ticket
    if (order.order_id, order.asset_id, order.side) != (signed.order_id, ticket.asset_id, ticket.side):
        raise GateClosedError(f"what was signed as {signed.order_id} is not the order {order.order_id}")
    if attempt == 1 and order.reserved < ticket.maker_amount:
        raise GateClosedError(
            f"order {order.order_id} gives {ticket.maker_amount} and only {order.reserved} are set apart for it"
        )


class Sending(NamedTuple):
    """An order on its way: what is sent, for which time, with which approval of the gate."""

    order: Order
    signed: SignedOrder
    attempt: int
    approval: str
    at_ms: int


def note_attempt(
    connection: sqlite3.Connection, sending: Sending, *, run_id: int, epoch: int, balances: Balances
) -> None:
    """Note that an order is about to be sent.

    Args:
        connection: of the ledger's writer, in a transaction.
        sending: what is sent.
        run_id: the run that sends it.
        epoch: the epoch that this process has taken.
        balances: the sums of the postings.

    Raises:
        GateClosedError: it must not be sent; nothing is written.
    """
    order, signed, attempt, approval, at_ms = sending
    _require_match(order, signed, attempt)
    require_lease(connection, epoch)
    row = connection.execute(
        "SELECT cause, state, detail FROM agent_states WHERE left_ms IS NULL"
        " AND state IN ('KILLED', 'HALTED', 'RECOVERING') ORDER BY row_id LIMIT 1"
    ).fetchone()
    if row is not None:
        raise GateClosedError(f"the agent is {row[1]} ({row[0]}): {row[2]}", hint="see `status` for what ends it")
    if attempt == 1:
        _require_new(connection, order)
    else:
        _require_same(connection, order, signed, attempt)
    _require_one_of_intent(connection, order)
    _require_means(connection, order, balances)
    if attempt == 1:
        store_order(connection, order, run_id, "")
        _store_signed(connection, signed, approval)
    connection.execute(
        "INSERT INTO attempts (order_id, n, approval, started_ms) VALUES (?, ?, ?, ?)",
        (order.order_id, attempt, approval, at_ms),
    )


def _require_new(connection: sqlite3.Connection, order: Order) -> None:
    if order.state is not OrderState.SUBMITTED:
        raise GateClosedError(f"order {order.order_id} is {order.state.value}; what is sent first is SUBMITTED")
    if connection.execute("SELECT 1 FROM orders WHERE order_id = ?", (order.order_id,)).fetchone():
        raise GateClosedError(f"order {order.order_id} is in the ledger already; a repeat is a later attempt")


def _require_same(connection: sqlite3.Connection, order: Order, signed: SignedOrder, attempt: int) -> None:
    row = connection.execute("SELECT state FROM orders WHERE order_id = ?", (order.order_id,)).fetchone()
    if row is None or row[0] not in _ALIVE:
        raise GateClosedError(
            f"order {order.order_id} is {row[0] if row else 'not in the ledger'}; it is not sent again"
        )
    made = connection.execute("SELECT max(n) FROM attempts WHERE order_id = ?", (order.order_id,)).fetchone()[0]
    if made is None or attempt != made + 1:
        raise GateClosedError(f"attempt {attempt} of order {order.order_id} does not follow {made or 'none'}")
    kept = connection.execute(
        "SELECT salt, timestamp_ms, maker_amount, taker_amount, expires_s, time_in_force, post_only FROM signed_orders"
        " WHERE order_id = ?",
        (order.order_id,),
    ).fetchone()
    ticket = signed.ticket
    now = (str(signed.salt), signed.timestamp_ms, ticket.maker_amount, ticket.taker_amount)
    if kept != (*now, ticket.expires_s, ticket.time_in_force.value, int(ticket.post_only)):
        raise GateClosedError(f"a repeat of order {order.order_id} must be the same bytes, and it is not")


def _require_one_of_intent(connection: sqlite3.Connection, order: Order) -> None:
    if not order.intent:
        return
    row = connection.execute(
        "SELECT order_id, state FROM orders WHERE intent = ? AND order_id <> ? AND state NOT IN ('FILLED', 'CANCELED', 'REJECTED', 'ABANDONED')"
        " AND intent <> '' LIMIT 1",
        (order.intent, order.order_id),
    ).fetchone()
    if row is not None:
        raise GateClosedError(
            f"order {row[0]} of the same intent is {row[1]}; a second one might fill too",
            hint="wait until the first is proven dead",
        )


def _require_means(connection: sqlite3.Connection, order: Order, balances: Balances) -> None:
    if order.side is Side.BUY:
        others = connection.execute(
            "SELECT coalesce(sum(reserved), 0) FROM orders WHERE side = 'BUY' AND order_id <> ? AND state NOT IN ('FILLED', 'CANCELED', 'REJECTED', 'ABANDONED')",
            (order.order_id,),
        ).fetchone()[0]
        coming = connection.execute(
            "SELECT coalesce(sum(notional - fee), 0) FROM fills WHERE side = 'SELL' AND settlement NOT IN ('CONFIRMED', 'FAILED')"
        ).fetchone()[0]
        have, unit = balances.get(("cash", USDC_UNIT), 0) - coming, "USDC"
    else:
        # A quarantined sale is as good as dead: the venue cannot settle shares that are gone.
        others = connection.execute(
            "SELECT coalesce(sum(reserved), 0) FROM orders WHERE side = 'SELL' AND asset_id = ? AND order_id <> ?"
            " AND state <> 'QUARANTINED' AND state NOT IN ('FILLED', 'CANCELED', 'REJECTED', 'ABANDONED')",
            (order.asset_id, order.order_id),
        ).fetchone()[0]
        coming = connection.execute(
            "SELECT coalesce(sum(quantity), 0) FROM fills WHERE side = 'BUY' AND asset_id = ? AND settlement NOT IN ('CONFIRMED', 'FAILED')",
            (order.asset_id,),
        ).fetchone()[0]
        have, unit = balances.get(("holding", order.asset_id), 0) - coming, "settled shares"
    if others + order.reserved > have:
        raise GateClosedError(
            f"order {order.order_id} needs {display(order.reserved)} {unit}, {display(others)} are promised and"
            f" {display(have)} are there"
        )


def _store_signed(connection: sqlite3.Connection, signed: SignedOrder, approval: str) -> None:
    """Keep all that is needed to sign the same bytes again, and never the signature: whoever has that can trade."""
    ticket = signed.ticket
    connection.execute(
        "INSERT INTO signed_orders VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
        (
            *(signed.order_id, str(signed.salt), signed.maker, signed.signer, ticket.asset_id),
            *(ticket.maker_amount, ticket.taker_amount, ticket.side.value, signed.signature_type),
            *(signed.timestamp_ms, signed.domain, int(ticket.neg_risk), ticket.expires_s),
            *(ticket.time_in_force.value, int(ticket.post_only), approval),
        ),
    )
