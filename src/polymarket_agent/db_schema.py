"""The tables. A migration is a list of statements that commit together with the new version number.

Amounts are INTEGER micro-units, times INTEGER milliseconds since 1970 UTC.
"""

from __future__ import annotations

__all__ = ["APPLICATION_ID", "MIGRATIONS"]

APPLICATION_ID = 0x504D4147  # "PMAG"

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

MIGRATIONS: tuple[tuple[str, ...], ...] = (_FIRST,)
