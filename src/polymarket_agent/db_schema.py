"""The tables. A migration is a list of statements that commit together with the new version number.

Amounts are INTEGER micro-units, times INTEGER milliseconds since 1970 UTC.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable

__all__ = ["APPLICATION_ID", "MIGRATIONS", "Migration", "chain_link"]

Migration = tuple[str | Callable[[sqlite3.Connection], None], ...]

APPLICATION_ID = 0x504D4147  # "PMAG"


def chain_link(before: str, *values: str | int) -> str:
    """Return the running hash of a row over its predecessor's, hexadecimal; a changed or lost row breaks all later ones."""
    text = "\x1f".join([before, *map(str, values)])
    return hashlib.sha256(text.encode()).hexdigest()


def _chain_old_postings(connection: sqlite3.Connection) -> None:
    chain, links = "", []
    for posting_id, *values in connection.execute(
        "SELECT posting_id, entry, at_ms, account, unit, amount FROM postings ORDER BY posting_id"
    ):
        chain = chain_link(chain, *values)
        links.append((chain, posting_id))
    connection.executemany("UPDATE postings SET chain = ? WHERE posting_id = ?", links)


_FIRST = (
    """CREATE TABLE runs (
        run_id INTEGER PRIMARY KEY,
        mode TEXT NOT NULL,
        feed TEXT NOT NULL,
        config_hash TEXT NOT NULL,
        config TEXT NOT NULL,
        started_ms INTEGER NOT NULL,
        first_event_ms INTEGER,
        last_event_ms INTEGER,
        events INTEGER NOT NULL DEFAULT 0,
        ended TEXT,
        summary TEXT
    ) STRICT""",
    """CREATE TABLE markets (
        condition_id TEXT PRIMARY KEY,
        question TEXT NOT NULL,
        slug TEXT NOT NULL,
        first_asset TEXT NOT NULL,
        first_label TEXT NOT NULL,
        second_asset TEXT NOT NULL,
        second_label TEXT NOT NULL,
        tick_size INTEGER NOT NULL,
        min_order_size INTEGER NOT NULL,
        fee_rate INTEGER NOT NULL,
        fee_exponent INTEGER NOT NULL,
        fees_assumed INTEGER NOT NULL,
        neg_risk INTEGER NOT NULL,
        version TEXT NOT NULL,
        state TEXT NOT NULL,
        group_id TEXT,
        group_item TEXT NOT NULL,
        end_at_ms INTEGER,
        first_payout INTEGER,
        second_payout INTEGER,
        updated_ms INTEGER NOT NULL
    ) STRICT""",
    """CREATE TABLE signals (
        signal_id TEXT PRIMARY KEY,
        run_id INTEGER NOT NULL REFERENCES runs,
        at_ms INTEGER NOT NULL,
        strategy TEXT NOT NULL,
        condition_id TEXT NOT NULL,
        asset_id TEXT NOT NULL,
        side TEXT NOT NULL,
        target_price INTEGER NOT NULL,
        size INTEGER NOT NULL,
        confidence REAL NOT NULL,
        fair_value REAL,
        reason TEXT NOT NULL,
        verdict TEXT NOT NULL CHECK (verdict IN ('approved', 'refused', 'unsized')),
        rule TEXT,
        refusal TEXT,
        basket_id TEXT
    ) STRICT""",
    """CREATE TABLE orders (
        order_id TEXT PRIMARY KEY,
        run_id INTEGER NOT NULL REFERENCES runs,
        signal_id TEXT NOT NULL,
        strategy TEXT NOT NULL,
        condition_id TEXT NOT NULL,
        asset_id TEXT NOT NULL,
        side TEXT NOT NULL,
        price INTEGER NOT NULL,
        quantity INTEGER NOT NULL CHECK (quantity > 0),
        time_in_force TEXT NOT NULL,
        post_only INTEGER NOT NULL,
        expires_at_ms INTEGER,
        state TEXT NOT NULL,
        matched INTEGER NOT NULL CHECK (matched BETWEEN 0 AND quantity),
        reserved INTEGER NOT NULL CHECK (reserved >= 0),
        reason TEXT NOT NULL,
        basket_id TEXT,
        created_ms INTEGER NOT NULL,
        updated_ms INTEGER NOT NULL
    ) STRICT""",
    "CREATE INDEX orders_by_state ON orders (state)",
    "CREATE INDEX orders_by_time ON orders (created_ms)",
    """CREATE TABLE order_events (
        event_id INTEGER PRIMARY KEY,
        order_id TEXT NOT NULL REFERENCES orders,
        at_ms INTEGER NOT NULL,
        from_state TEXT NOT NULL,
        to_state TEXT NOT NULL,
        detail TEXT NOT NULL
    ) STRICT""",
    "CREATE INDEX order_events_by_order ON order_events (order_id)",
    """CREATE TABLE fills (
        trade_id TEXT NOT NULL,
        order_id TEXT NOT NULL REFERENCES orders,
        bucket INTEGER NOT NULL,
        condition_id TEXT NOT NULL,
        asset_id TEXT NOT NULL,
        side TEXT NOT NULL,
        price INTEGER NOT NULL,
        quantity INTEGER NOT NULL CHECK (quantity > 0),
        notional INTEGER NOT NULL CHECK (notional >= 0),
        fee INTEGER NOT NULL CHECK (fee >= 0),
        is_maker INTEGER NOT NULL,
        evidence TEXT NOT NULL,
        note TEXT NOT NULL,
        settlement TEXT NOT NULL,
        strategy TEXT NOT NULL,
        at_ms INTEGER NOT NULL,
        PRIMARY KEY (trade_id, order_id, bucket)
    ) STRICT, WITHOUT ROWID""",
    "CREATE INDEX fills_by_time ON fills (at_ms)",
    """CREATE TABLE postings (
        posting_id INTEGER PRIMARY KEY,
        entry TEXT NOT NULL,
        at_ms INTEGER NOT NULL,
        account TEXT NOT NULL,
        unit TEXT NOT NULL,
        amount INTEGER NOT NULL
    ) STRICT""",
    "CREATE INDEX postings_by_account ON postings (account, unit)",
    "CREATE UNIQUE INDEX postings_once ON postings (entry, account, unit)",
    """CREATE TABLE day_opens (
        day TEXT PRIMARY KEY,
        equity INTEGER NOT NULL,
        at_ms INTEGER NOT NULL
    ) STRICT""",
    """CREATE TABLE equity (
        at_ms INTEGER PRIMARY KEY,
        equity INTEGER NOT NULL,
        cash INTEGER NOT NULL,
        unpriced INTEGER NOT NULL
    ) STRICT""",
    """CREATE TABLE marks (
        asset_id TEXT PRIMARY KEY,
        quantity INTEGER NOT NULL,
        value INTEGER NOT NULL,
        priced INTEGER NOT NULL,
        good_quantity INTEGER NOT NULL,
        good_value INTEGER NOT NULL,
        at_ms INTEGER NOT NULL
    ) STRICT""",
    """CREATE TABLE notices (
        notice_id INTEGER PRIMARY KEY,
        run_id INTEGER NOT NULL,
        at_ms INTEGER NOT NULL,
        level TEXT NOT NULL,
        event TEXT NOT NULL,
        detail TEXT NOT NULL
    ) STRICT""",
)

# What live trading needs: attempts, evidence, settlement, states, commands, and who may write.
_SECOND: Migration = (
    """CREATE TABLE orders_2 (
        order_id TEXT PRIMARY KEY,
        run_id INTEGER NOT NULL REFERENCES runs,
        signal_id TEXT NOT NULL,
        strategy TEXT NOT NULL,
        condition_id TEXT NOT NULL,
        asset_id TEXT NOT NULL,
        side TEXT NOT NULL,
        price INTEGER NOT NULL,
        quantity INTEGER NOT NULL CHECK (quantity > 0),
        time_in_force TEXT NOT NULL,
        post_only INTEGER NOT NULL,
        expires_at_ms INTEGER,
        state TEXT NOT NULL,
        matched INTEGER NOT NULL CHECK (matched >= 0 AND (matched <= quantity OR budget > 0)),
        reserved INTEGER NOT NULL CHECK (reserved >= 0),
        reason TEXT NOT NULL,
        basket_id TEXT,
        created_ms INTEGER NOT NULL,
        updated_ms INTEGER NOT NULL,
        intent TEXT NOT NULL DEFAULT '',
        budget INTEGER NOT NULL DEFAULT 0 CHECK (budget >= 0),
        spent INTEGER NOT NULL DEFAULT 0 CHECK (spent >= 0),
        deadline_ms INTEGER,
        cancel TEXT NOT NULL DEFAULT 'none'
    ) STRICT""",
    """INSERT INTO orders_2 SELECT order_id, run_id, signal_id, strategy, condition_id, asset_id, side, price, quantity,
        time_in_force, post_only, expires_at_ms, state, matched, reserved, reason, basket_id, created_ms, updated_ms,
        '', 0, (SELECT coalesce(sum(notional), 0) FROM fills f WHERE f.order_id = o.order_id), NULL, 'none'
        FROM orders o ORDER BY rowid""",
    "DROP TABLE orders",
    "ALTER TABLE orders_2 RENAME TO orders",
    "CREATE INDEX orders_by_state ON orders (state)",
    "CREATE INDEX orders_by_time ON orders (created_ms)",
    "CREATE INDEX orders_by_intent ON orders (intent) WHERE intent <> ''",
    "CREATE INDEX fills_by_order ON fills (order_id)",
    "CREATE INDEX fills_unsettled ON fills (asset_id) WHERE settlement NOT IN ('CONFIRMED', 'FAILED')",
    "ALTER TABLE postings ADD COLUMN chain TEXT NOT NULL DEFAULT ''",
    _chain_old_postings,
    """CREATE TABLE signed_orders (
        order_id TEXT PRIMARY KEY REFERENCES orders, salt TEXT NOT NULL, maker TEXT NOT NULL,
        signer TEXT NOT NULL, token_id TEXT NOT NULL, maker_amount INTEGER NOT NULL,
        taker_amount INTEGER NOT NULL, side TEXT NOT NULL, signature_type INTEGER NOT NULL,
        timestamp_ms INTEGER NOT NULL, domain TEXT NOT NULL, neg_risk INTEGER NOT NULL,
        expires_s INTEGER NOT NULL, time_in_force TEXT NOT NULL, post_only INTEGER NOT NULL,
        approval TEXT NOT NULL
    ) STRICT""",
    """CREATE TABLE attempts (
        order_id TEXT NOT NULL REFERENCES orders, n INTEGER NOT NULL CHECK (n > 0), approval TEXT NOT NULL,
        started_ms INTEGER NOT NULL, ended_ms INTEGER, answer TEXT, http_status INTEGER, text TEXT,
        PRIMARY KEY (order_id, n)
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE evidence (
        evidence_id INTEGER PRIMARY KEY,
        hash TEXT NOT NULL UNIQUE,
        at_ms INTEGER NOT NULL,
        source TEXT NOT NULL,
        order_id TEXT NOT NULL,
        trade_id TEXT NOT NULL,
        raw TEXT NOT NULL,
        chain TEXT NOT NULL
    ) STRICT""",
    "CREATE INDEX evidence_by_order ON evidence (order_id, trade_id)",
    """CREATE TABLE settlements (
        trade_id TEXT NOT NULL, order_id TEXT NOT NULL, bucket INTEGER NOT NULL, at_ms INTEGER NOT NULL,
        status TEXT NOT NULL
    ) STRICT""",
    "CREATE INDEX settlements_by_fill ON settlements (order_id, trade_id, bucket)",
    """CREATE TABLE flows (
        flow_id INTEGER PRIMARY KEY,
        kind TEXT NOT NULL CHECK (kind IN ('cash', 'shares', 'adjust', 'merge', 'redemption')),
        at_ms INTEGER NOT NULL,
        condition_id TEXT NOT NULL,
        asset_id TEXT NOT NULL,
        second_asset TEXT NOT NULL,
        quantity INTEGER NOT NULL,
        amount INTEGER NOT NULL,
        cause TEXT NOT NULL,
        detail TEXT NOT NULL,
        key TEXT UNIQUE
    ) STRICT""",
    """CREATE TABLE looks (
        order_id TEXT NOT NULL, at_ms INTEGER NOT NULL, kind TEXT NOT NULL, found INTEGER NOT NULL,
        detail TEXT NOT NULL
    ) STRICT""",
    "CREATE INDEX looks_by_order ON looks (order_id)",
    """CREATE TABLE agent_states (
        row_id INTEGER PRIMARY KEY,
        cause TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('RECOVERING', 'REDUCING', 'HALTED', 'KILLED')),
        detail TEXT NOT NULL,
        entered_ms INTEGER NOT NULL,
        left_ms INTEGER,
        left_by TEXT
    ) STRICT""",
    "CREATE INDEX agent_states_open ON agent_states (state) WHERE left_ms IS NULL",
    """CREATE TABLE commands (
        command_id INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, name TEXT NOT NULL, argument TEXT NOT NULL,
        origin TEXT NOT NULL, done_ms INTEGER, result TEXT
    ) STRICT""",
    "CREATE INDEX commands_open ON commands (command_id) WHERE done_ms IS NULL",
    """CREATE TABLE lease (
        one INTEGER PRIMARY KEY CHECK (one = 1), epoch INTEGER NOT NULL, pid INTEGER NOT NULL,
        host_name TEXT NOT NULL, taken_ms INTEGER NOT NULL
    ) STRICT""",
    """CREATE TABLE binding (
        one INTEGER PRIMARY KEY CHECK (one = 1), venue TEXT NOT NULL, chain INTEGER NOT NULL,
        wallet TEXT NOT NULL
    ) STRICT""",
    "CREATE TABLE bookmarks (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT",
    """CREATE TABLE rounds (
        round_id INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, kind TEXT NOT NULL, clean INTEGER NOT NULL,
        findings TEXT NOT NULL
    ) STRICT""",
)

MIGRATIONS: tuple[Migration, ...] = (_FIRST, _SECOND)
