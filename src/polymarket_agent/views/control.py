"""What the operator needs for steering a live agent: its state and why, what is not proven yet, the limits in force."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Mapping
from typing import Any

from polymarket_agent.clock import iso
from polymarket_agent.domain.money import decimal_text
from polymarket_agent.views.queries import label_of

__all__ = [
    "command_result",
    "holdings",
    "limits_hash",
    "limits_in_use",
    "live_status",
    "possibly_open",
    "rounds",
    "states",
]

_RANK = {"KILLED": 4, "HALTED": 3, "RECOVERING": 2, "REDUCING": 1}


def live_status(connection: sqlite3.Connection, now_ms: int) -> dict[str, Any]:
    """Return where live trading stands; `wallet` is None for a ledger that never traded live.

    Args:
        connection: of the ledger.
        now_ms: ages are counted from it.
    """
    bound = connection.execute("SELECT venue, wallet FROM binding").fetchone()
    clean = connection.execute("SELECT max(at_ms) FROM rounds WHERE clean").fetchone()[0]
    causes = states(connection)
    limits = limits_in_use(connection)
    return {
        "wallet": bound["wallet"] if bound is not None else None,
        "venue": bound["venue"] if bound is not None else None,
        "state": causes[0]["state"] if causes else "ACTIVE",
        "causes": causes,
        "orders_by_state": possibly_open(connection),
        "orders_not_proven": _not_proven(connection, now_ms),
        "unsettled_fills": _unsettled(connection, now_ms),
        "last_clean_round": iso(clean) if clean is not None else None,
        "last_clean_round_age_s": max(0, now_ms - clean) // 1_000 if clean is not None else None,
        "limits": limits,
        "limits_hash": limits_hash(limits),
    }


def states(connection: sqlite3.Connection) -> list[dict[str, Any]]:
    """Return every open cause, the most restrictive first, then the oldest."""
    rows = connection.execute("SELECT cause, state, detail, entered_ms FROM agent_states WHERE left_ms IS NULL")
    found = sorted(rows, key=lambda row: (-_RANK[row["state"]], row["entered_ms"]))
    return [
        {"state": r["state"], "cause": r["cause"], "since": iso(r["entered_ms"]), "detail": r["detail"]} for r in found
    ]


def possibly_open(connection: sqlite3.Connection) -> dict[str, int]:
    """Return how many orders may still be matched, by state."""
    rows = connection.execute(
        "SELECT state, count(*) FROM orders WHERE state IN ('SUBMITTED', 'UNKNOWN', 'DELAYED', 'OPEN', 'QUARANTINED')"
        " GROUP BY state ORDER BY state"
    )
    return {row[0]: row[1] for row in rows}


def holdings(connection: sqlite3.Connection) -> list[dict[str, Any]]:
    """Return what is held, in micro-shares: asset_id, condition_id, quantity, and how much of it open sales promise."""
    rows = connection.execute(
        "SELECT unit AS asset_id, sum(amount) AS quantity FROM postings WHERE account = 'holding' GROUP BY unit"
        " HAVING sum(amount) > 0"
    ).fetchall()
    found = []
    for row in rows:
        asset_id = row["asset_id"]
        of = connection.execute(
            "SELECT condition_id FROM markets WHERE ?1 IN (first_asset, second_asset)"
            " UNION SELECT condition_id FROM fills WHERE asset_id = ?1 UNION SELECT condition_id FROM flows"
            " WHERE asset_id = ?1 AND condition_id <> '' LIMIT 1",
            (asset_id,),
        ).fetchone()
        promised = connection.execute(
            "SELECT coalesce(sum(quantity - matched), 0) FROM orders WHERE asset_id = ? AND side = 'SELL' AND state IN"
            " ('SUBMITTED', 'UNKNOWN', 'DELAYED', 'OPEN', 'QUARANTINED')",
            (asset_id,),
        ).fetchone()[0]
        if of is not None:
            found.append(
                {"asset_id": asset_id, "condition_id": of[0], "quantity": row["quantity"], "promised": promised}
            )
    return found


def rounds(connection: sqlite3.Connection, *, after_ms: int = 0, limit: int = 5) -> list[dict[str, Any]]:
    """Return comparisons with the venue, newest first, each with what differed."""
    rows = connection.execute("SELECT * FROM rounds WHERE at_ms > ? ORDER BY round_id DESC LIMIT ?", (after_ms, limit))
    return [
        {
            "at": iso(row["at_ms"]),
            "kind": row["kind"],
            "clean": bool(row["clean"]),
            "findings": [str(each) for each in json.loads(row["findings"])],
        }
        for row in rows
    ]


def command_result(connection: sqlite3.Connection, command_id: int) -> str | None:
    """Return what the agent made of a command, or None while it has not taken it."""
    row = connection.execute(
        "SELECT result FROM commands WHERE command_id = ? AND done_ms IS NOT NULL", (command_id,)
    ).fetchone()
    return str(row["result"]) if row is not None else None


def limits_in_use(connection: sqlite3.Connection) -> dict[str, Any]:
    """Return the limits of the last run: those of its start, and what it has tightened since."""
    run = connection.execute("SELECT config, started_ms FROM runs ORDER BY run_id DESC LIMIT 1").fetchone()
    if run is None:
        return {}
    limits: dict[str, Any] = dict(json.loads(run["config"]).get("risk", {}))
    for row in connection.execute(
        "SELECT result FROM commands WHERE name = 'reload' AND done_ms >= ? ORDER BY command_id", (run["started_ms"],)
    ):
        if row["result"].startswith("{"):
            limits |= json.loads(row["result"])["taken"]
    return limits


def limits_hash(limits: Mapping[str, Any]) -> str:
    """Return a short hash of limits as the config writes them, the same for the same limits."""
    return hashlib.sha256(json.dumps(dict(limits), sort_keys=True).encode()).hexdigest()[:12]


def _not_proven(connection: sqlite3.Connection, now_ms: int) -> list[dict[str, Any]]:
    rows = connection.execute(
        "SELECT o.*, m.question, m.first_asset, m.first_label, m.second_label FROM orders o"
        " LEFT JOIN markets m USING (condition_id) WHERE o.state IN ('SUBMITTED', 'UNKNOWN', 'QUARANTINED')"
        " ORDER BY o.created_ms LIMIT 100"
    )
    return [
        {
            "order_id": row["order_id"],
            "state": row["state"],
            "market": row["question"] or row["condition_id"],
            "outcome": label_of(row),
            "side": row["side"],
            "price": decimal_text(row["price"]),
            "shares": decimal_text(row["quantity"]),
            "age_s": max(0, now_ms - row["created_ms"]) // 1_000,
        }
        for row in rows
    ]


def _unsettled(connection: sqlite3.Connection, now_ms: int) -> list[dict[str, Any]]:
    rows = connection.execute(
        "SELECT * FROM fills WHERE settlement NOT IN ('CONFIRMED', 'FAILED') ORDER BY at_ms LIMIT 100"
    )
    return [
        {
            "trade_id": row["trade_id"],
            "order_id": row["order_id"],
            "side": row["side"],
            "price": decimal_text(row["price"]),
            "shares": decimal_text(row["quantity"]),
            "settlement": row["settlement"],
            "age_s": max(0, now_ms - row["at_ms"]) // 1_000,
        }
        for row in rows
    ]
