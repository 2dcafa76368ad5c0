"""The journal of live trading: what is sent, what the venue answers and reports, and what holds the agent back.

An order is on disk, with all that it may cost, before its first byte leaves. Everything else is queued and committed
in order; a fill, its postings, its evidence and its order's state are one transaction. A queued write that fails ends
the writer: every later call says why, and nothing can be sent any more. So does a write without the ledger's lease.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any

from polymarket_agent.db import Database
from polymarket_agent.domain.market import AssetId, ConditionId
from polymarket_agent.domain.money import Shares, Usdc
from polymarket_agent.domain.order import Fill, Order, OrderId
from polymarket_agent.domain.venue import SignedOrder, SubmitOutcome
from polymarket_agent.errors import GateClosedError, LedgerError
from polymarket_agent.ledger.accounts import for_adjustment, for_deposit, for_merge, for_shares
from polymarket_agent.ledger.books import add_evidence
from polymarket_agent.ledger.control import is_killed
from polymarket_agent.ledger.flows import Flow, store_flow
from polymarket_agent.ledger.journal import Journal
from polymarket_agent.ledger.lease import require_lease, take
from polymarket_agent.ledger.rows import store_order
from polymarket_agent.ledger.sending import Sending, note_attempt
from polymarket_agent.ledger.settling import Booked, book_leg, require_sums, settle_leg
from polymarket_agent.ledger.states import enter_state, leave_state

__all__ = ["LiveJournal"]


class LiveJournal:
    """Writes what only live trading has; `journal` writes the rest of the same run. `epoch` is 0 without the lease."""

    def __init__(self, db: Database, journal: Journal) -> None:
        self.epoch = 0
        self._db = db
        self._journal = journal
        self._books = journal.books
        self._in_memory = str(db.path) == ":memory:"

    def take_lease(self, *, wallet: str, venue: str, pid: int, host_name: str, at_ms: int, chain: int = 137) -> int:
        """Take the right to write and to send from whoever had it, and bind a new ledger to wallet, venue and chain.

        Returns:
            The new epoch.

        Raises:
            DatabaseError: the ledger belongs to another wallet or venue, or has paper money in it.
        """
        binding = (venue, chain, wallet)
        self.epoch = self._db.run(lambda c: take(c, binding, pid=pid, host_name=host_name, at_ms=at_ms))
        return self.epoch

    # -- orders ---------------------------------------------------------------------------------------------------

    def submit(self, order: Order, signed: SignedOrder, *, attempt: int, approval: str, at_ms: int) -> Future[None]:
        """Note that an order is about to be sent; send it only when the future has ended well.

        Order, signed fields, attempt and reservation are then on disk. Many at once share one sync, and each may be
        refused alone. A later attempt of an order adds its attempt row only, under the same checks. Whoever stops
        waiting before the end must take the order for sent.

        Args:
            order: SUBMITTED, with what it may cost in `reserved`.
            signed: what will be sent; everything but the signature is kept.
            attempt: 1 for the first POST of these bytes.
            approval: the digest of the gate's approval.
            at_ms: now.

        Raises:
            GateClosedError: through the future; it must not be sent, and nothing was written. The lease is lost, the
                agent is killed, halted or recovering, money or shares are promised elsewhere, or another order of the
                intent may be alive.
            DatabaseError: through the future or at once; the disk refused, and it must not be sent.
        """

        def work(connection: sqlite3.Connection) -> None:
            if not self._in_memory and is_killed(self._db.path):
                raise GateClosedError("the kill file is there", hint="remove it by resuming the agent")
            sending = Sending(order, signed, attempt, approval, at_ms)
            run_id, balances = self._journal.run_id, self._books.balances
            note_attempt(connection, sending, run_id=run_id, epoch=self.epoch, balances=balances)

        return self._db.commit(work)

    def answered(self, order: Order, before: str, *, attempt: int, outcome: SubmitOutcome, at_ms: int) -> None:
        """Keep the answer to an attempt and the order's state after it."""

        def work(connection: sqlite3.Connection) -> None:
            cursor = connection.execute(
                "UPDATE attempts SET ended_ms = ?, answer = ?, http_status = ?, text = ? WHERE order_id = ? AND n = ?",
                (
                    *(at_ms, outcome.answer.value, outcome.http_status, outcome.text or outcome.status),
                    *(order.order_id, attempt),
                ),
            )
            if cursor.rowcount != 1:
                raise LedgerError(f"attempt {attempt} of order {order.order_id} was answered and never made")
            store_order(connection, order, self._journal.run_id, before)

        self._queue(work)

    def moved(self, order: Order, before: str, *, evidence: str = "", source: str = "") -> None:
        """Keep an order's new state, with the venue's message that proves it if there is one."""

        def work(connection: sqlite3.Connection) -> None:
            store_order(connection, order, self._journal.run_id, before)
            if evidence:
                at_ms = order.updated_ms or order.created_ms
                add_evidence(connection, evidence, at_ms=at_ms, source=source, order_id=order.order_id)

        self._queue(work)

    def external(self, order: Order, *, evidence: str = "", source: str = "") -> None:
        """Keep an order of our wallet that we did not make."""
        self.moved(order, "", evidence=evidence, source=source)

    def look(self, order_id: OrderId, at_ms: int, kind: str, *, found: bool, detail: str = "") -> None:
        """Keep that an order was looked for, and whether it was found: parts of a proof of absence."""
        self._write("INSERT INTO looks VALUES (?, ?, ?, ?, ?)", (order_id, at_ms, kind, int(found), detail))

    # -- fills ----------------------------------------------------------------------------------------------------

    def legs(self, booked: Sequence[Booked], *, source: str) -> None:
        """Book fills at once, all or none: each with the order after it, its state before, and the venue's message.

        Fills that are there already change nothing. One that is FAILED when first seen is kept and counts nothing.

        Raises:
            LedgerError: one has no message of the venue.
        """
        if not all(raw for *_, raw in booked):
            raise LedgerError("a fill is booked on the venue's word only; its message is missing")

        def work(connection: sqlite3.Connection) -> None:
            new = [
                order
                for fill, order, before, raw in booked
                if book_leg(connection, self._books, (fill, order, before, raw), self._journal.run_id, source)
            ]
            require_sums(connection, new)

        self._queue(work)

    def settled(self, fill: Fill, order: Order | None, before: str, raw: str, *, source: str, at_ms: int) -> None:
        """Advance a fill to the status that `fill` has; an older status than the one we know changes nothing.

        FAILED undoes its postings, and the books are then those of a ledger that never had it. A final status against
        another final one halts the agent and changes no amount. A fill that is not there is booked, if `order` is
        given.

        Args:
            fill: with the new status; the amounts are those of the row.
            order: the order after it, or None if it stays as it is.
            before: the order's state before.
            raw: the venue's message.
            source: where that came from.
            at_ms: now.
        """

        def work(connection: sqlite3.Connection) -> None:
            news = settle_leg(connection, self._books, fill, raw, source=source, at_ms=at_ms)
            if news is None:
                if order is None or not raw:
                    raise LedgerError(f"the fill {fill.trade_id} of order {fill.order_id} settled and was never booked")
                book_leg(connection, self._books, (fill, order, before, raw), self._journal.run_id, source)
            elif news and order is not None:
                store_order(connection, order, self._journal.run_id, before)
            if order is not None and news is not False:
                require_sums(connection, [order])

        self._queue(work)

    # -- money and shares without a trade -------------------------------------------------------------------------

    def opened(self, cash: Usdc, shares: Sequence[Flow], at_ms: int, *, born_s: int) -> None:
        """Begin a ledger with what the wallet holds, all of it or nothing.

        Args:
            cash: of the wallet.
            shares: one flow of kind "shares" for each asset.
            at_ms: now.
            born_s: Unix second before which trades belong to these balances.
        """
        flows = [Flow("cash", at_ms, amount=cash, cause="opening"), *shares]

        def work(connection: sqlite3.Connection) -> None:
            for flow in flows:
                self._flow(connection, flow)
            connection.execute("INSERT OR REPLACE INTO bookmarks VALUES ('born_s', ?)", (born_s,))

        self._queue(work)

    def cash_flow(self, amount: Usdc, at_ms: int, cause: str, detail: str = "", *, key: str | None = None) -> None:
        """Book cash from outside, negative for what left; with a `key` only once."""
        flow = Flow("cash", at_ms, amount=amount, cause=cause, detail=detail, key=key)
        self._queue(lambda connection: self._flow(connection, flow))

    def shares_in(
        self,
        asset_id: AssetId,
        condition_id: ConditionId,
        quantity: Shares,
        cost: Usdc,
        at_ms: int,
        cause: str,
        *,
        key: str | None = None,
    ) -> None:
        """Book shares from outside at their cost; negative for what left, which takes its part of our cost."""
        flow = Flow("shares", at_ms, condition_id, asset_id, quantity=quantity, amount=cost, cause=cause, key=key)
        self._queue(lambda connection: self._flow(connection, flow))

    def _flow(self, connection: sqlite3.Connection, flow: Flow) -> None:
        number = store_flow(connection, flow)
        if number is None:
            return
        if flow.kind == "cash":
            self._books.post(connection, f"flow:{number}", flow.at_ms, for_deposit(Usdc(flow.amount)))
        else:
            moved = AssetId(flow.asset_id), Shares(flow.quantity), Usdc(flow.amount)
            postings = for_shares(*moved, self._books.balances)
            self._books.post(connection, f"shares:{number}", flow.at_ms, postings)

    def adjust(self, amount: Usdc, at_ms: int, detail: str) -> None:
        """Book a rounding of the venue, positive in our favour."""

        def work(connection: sqlite3.Connection) -> None:
            number = store_flow(connection, Flow("adjust", at_ms, amount=amount, detail=detail))
            self._books.post(connection, f"adjust:{number}", at_ms, for_adjustment(amount))

        self._queue(work)

    def merged(
        self, condition_id: ConditionId, first: AssetId, second: AssetId, quantity: Shares, at_ms: int, tx: str
    ) -> None:
        """Book complete sets turned into 1 USDC each, once for a transaction and market."""
        key = f"merge {tx} {condition_id}" if tx else None
        flow = Flow("merge", at_ms, condition_id, first, second, quantity, detail=tx, key=key)

        def work(connection: sqlite3.Connection) -> None:
            number = store_flow(connection, flow)
            if number is not None:
                postings = for_merge(first, second, quantity, self._books.balances)
                self._books.post(connection, f"merge:{number}", at_ms, postings)

        self._queue(work)

    def redeemed(self, asset_id: AssetId, payout: int, at_ms: int) -> None:
        """Book a holding turned into its payout."""
        self._journal.resolution(asset_id, payout, at_ms)

    # -- states and marks -----------------------------------------------------------------------------------------

    def state_entered(self, cause: str, state: str, at_ms: int, detail: str = "") -> Future[int]:
        """Keep that a cause holds the agent back; on disk when the future ends. Open already: nothing changes."""
        return self._db.commit(lambda connection: enter_state(connection, cause, state, detail, at_ms))

    def state_left(self, cause: str, at_ms: int, by: str) -> Future[int]:
        """Keep that a cause is gone, and who or what ended it; the future has the number of rows that it closed."""

        def work(connection: sqlite3.Connection) -> int:
            require_lease(connection, self.epoch)
            return leave_state(connection, cause, at_ms, by)

        return self._db.commit(work)

    def command_done(self, command_id: int, at_ms: int, result: str) -> None:
        """Keep what became of a command."""
        self._write(
            "UPDATE commands SET done_ms = ?, result = ? WHERE command_id = ? AND done_ms IS NULL",
            (at_ms, result, command_id),
        )

    def bookmark(self, name: str, value: int) -> None:
        """Keep how far something was read; the name's last value stands."""
        self._write("INSERT OR REPLACE INTO bookmarks VALUES (?, ?)", (name, value))

    def round_done(self, at_ms: int, kind: str, *, clean: bool, findings: Sequence[object] = ()) -> None:
        """Keep the end of a comparison with the venue, with what differed."""
        self._write(
            "INSERT INTO rounds (at_ms, kind, clean, findings) VALUES (?, ?, ?, ?)",
            (at_ms, kind, int(clean), json.dumps([str(each) for each in findings])),
        )

    def _write(self, statement: str, values: tuple[Any, ...]) -> None:
        self._queue(lambda connection: connection.execute(statement, values))

    def _queue(self, work: Callable[[sqlite3.Connection], object]) -> None:
        def with_lease(connection: sqlite3.Connection) -> None:
            require_lease(connection, self.epoch)
            work(connection)

        self._db.submit(with_lease)
