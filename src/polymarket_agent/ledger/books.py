"""The postings: appended in balanced entries, each row chained to the one before, summed by account."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from polymarket_agent.db import Database
from polymarket_agent.db_schema import chain_link
from polymarket_agent.errors import LedgerError
from polymarket_agent.ledger.accounts import Posting, require_balanced

__all__ = ["Books", "add_evidence", "require_chains"]


class Books:
    """Appends entries and keeps the sums. Everything here happens in the database's writer thread."""

    def __init__(self, db: Database) -> None:
        self.balances: dict[tuple[str, str], int] = db.run(_load_balances)

    def post(self, connection: sqlite3.Connection, entry: str, at_ms: int, postings: Sequence[Posting]) -> None:
        """Append an entry.

        Raises:
            LedgerError: it does not balance. Nothing is written.
        """
        require_balanced(postings)
        last = connection.execute("SELECT chain FROM postings ORDER BY posting_id DESC LIMIT 1").fetchone()
        chain, rows = last[0] if last else "", []
        for posting in postings:
            chain = chain_link(chain, entry, at_ms, *posting)
            rows.append((entry, at_ms, *posting, chain))
        connection.executemany(
            "INSERT INTO postings (entry, at_ms, account, unit, amount, chain) VALUES (?, ?, ?, ?, ?, ?)", rows
        )
        for account, unit, amount in postings:
            key = (account, unit)
            self.balances[key] = self.balances.get(key, 0) + amount


def _load_balances(connection: sqlite3.Connection) -> dict[tuple[str, str], int]:
    rows = connection.execute("SELECT account, unit, sum(amount) FROM postings GROUP BY account, unit")
    return {(account, unit): amount for account, unit, amount in rows}


def add_evidence(
    connection: sqlite3.Connection, raw: str, *, at_ms: int, source: str, order_id: str = "", trade_id: str = ""
) -> None:
    """Keep what the venue said about an order or fill, word for word and once."""
    digest = chain_link(order_id, trade_id, raw)
    if connection.execute("SELECT 1 FROM evidence WHERE hash = ?", (digest,)).fetchone():
        return
    last = connection.execute("SELECT chain FROM evidence ORDER BY evidence_id DESC LIMIT 1").fetchone()
    connection.execute(
        "INSERT INTO evidence (hash, at_ms, source, order_id, trade_id, raw, chain) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (digest, at_ms, source, order_id, trade_id, raw, chain_link(last[0] if last else "", digest)),
    )


def require_chains(connection: sqlite3.Connection) -> None:
    """Check every posting and every piece of evidence against its running hash.

    Raises:
        LedgerError: a row was changed, lost or put in since it was written; names the first.
    """
    chain = ""
    for row in connection.execute(
        "SELECT posting_id, chain, entry, at_ms, account, unit, amount FROM postings ORDER BY posting_id"
    ):
        chain = chain_link(chain, *tuple(row)[2:])
        if chain != row[1]:
            raise _broken("posting", row[0])
    chain = ""
    for number, digest, order_id, trade_id, raw, written in connection.execute(
        "SELECT evidence_id, hash, order_id, trade_id, raw, chain FROM evidence ORDER BY evidence_id"
    ):
        chain = chain_link(chain, digest)
        said = chain_link(order_id, trade_id, raw)
        if chain != written or said != digest:
            raise _broken("evidence", number)


def _broken(what: str, number: int) -> LedgerError:
    return LedgerError(
        f"{what} {number} or one before it was changed, lost or put in after it was written",
        hint="put back a copy of the file that is whole; what happened since is read from the venue",
    )
