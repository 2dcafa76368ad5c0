"""What is there: orders, fills, signals, positions, notices, and where the agent stands."""

from __future__ import annotations

import json
import sqlite3
from fractions import Fraction
from typing import Any

from polymarket_agent.clock import iso
from polymarket_agent.domain.money import MICRO, decimal_text
from polymarket_agent.ledger.flows import paid_in_since
from polymarket_agent.views.control import limits_in_use
from polymarket_agent.views.queries import balance, label_of, market_of, marks, outcome_of, round_half_up, sums

__all__ = ["fills", "notices", "orders", "positions", "signals", "status"]


def orders(connection: sqlite3.Connection, *, limit: int = 50, live_only: bool = False) -> list[dict[str, Any]]:
    """Return orders, newest first."""
    rows = connection.execute(
        "SELECT o.*, m.question, m.first_asset, m.first_label, m.second_label FROM orders o"
        " LEFT JOIN markets m USING (condition_id)"
        " WHERE NOT ? OR o.state NOT IN ('FILLED', 'CANCELED', 'REJECTED', 'ABANDONED')"
        " ORDER BY o.created_ms DESC, o.rowid DESC LIMIT ?",
        (live_only, limit),
    )
    return [
        {
            "order_id": row["order_id"],
            "state": row["state"],
            "strategy": row["strategy"],
            "market": row["question"] or row["condition_id"],
            "outcome": label_of(row),
            "asset_id": row["asset_id"],
            "side": row["side"],
            "price": decimal_text(row["price"]),
            "shares": decimal_text(row["quantity"]),
            "matched_shares": decimal_text(row["matched"]),
            "reserved": decimal_text(row["reserved"]),
            "time_in_force": row["time_in_force"],
            "post_only": bool(row["post_only"]),
            "reason": row["reason"],
            "signal_id": row["signal_id"],
            "created": iso(row["created_ms"]),
            "updated": iso(row["updated_ms"]),
        }
        for row in rows
    ]


def fills(connection: sqlite3.Connection, *, limit: int = 50) -> list[dict[str, Any]]:
    """Return fills, newest first, each with the evidence for it."""
    rows = connection.execute(
        "SELECT f.*, m.question, m.first_asset, m.first_label, m.second_label FROM fills f"
        " LEFT JOIN markets m USING (condition_id) ORDER BY f.at_ms DESC, f.order_id DESC LIMIT ?",
        (limit,),
    )
    return [
        {
            "at": iso(row["at_ms"]),
            "order_id": row["order_id"],
            "strategy": row["strategy"],
            "market": row["question"] or row["condition_id"],
            "outcome": label_of(row),
            "side": row["side"],
            "price": decimal_text(row["price"]),
            "shares": decimal_text(row["quantity"]),
            "notional_usdc": decimal_text(row["notional"]),
            "fee_usdc": decimal_text(row["fee"]),
            "role": "maker" if row["is_maker"] else "taker",
            "evidence": row["evidence"],
            "settlement": row["settlement"],
            "note": row["note"],
        }
        for row in rows
    ]


def signals(connection: sqlite3.Connection, *, limit: int = 50, verdict: str | None = None) -> list[dict[str, Any]]:
    """Return wishes, newest first, each with what became of it and why."""
    rows = connection.execute(
        "SELECT s.*, m.question, m.first_asset, m.first_label, m.second_label FROM signals s"
        " LEFT JOIN markets m USING (condition_id) WHERE ?1 IS NULL OR s.verdict = ?1"
        " ORDER BY s.at_ms DESC, s.rowid DESC LIMIT ?2",
        (verdict, limit),
    )
    return [
        {
            "signal_id": row["signal_id"],
            "at": iso(row["at_ms"]),
            "strategy": row["strategy"],
            "market": row["question"] or row["condition_id"],
            "outcome": label_of(row),
            "side": row["side"],
            "target_price": decimal_text(row["target_price"]),
            "size_usdc": decimal_text(row["size"]),
            "confidence": row["confidence"],
            "fair_value": row["fair_value"],
            "verdict": row["verdict"],
            "rules": row["rule"].split(",") if row["rule"] else [],
            "refusal": row["refusal"] or "",
            "reason": row["reason"],
        }
        for row in rows
    ]


def positions(connection: sqlite3.Connection) -> list[dict[str, Any]]:
    """Return what is held, with cost and the last mark."""
    held = {row["unit"]: row["amount"] for row in sums(connection, "holding") if row["amount"]}
    out, worth = [], marks(connection)
    for asset_id, quantity in held.items():
        cost = balance(connection, f"cost:{asset_id}")
        mark = connection.execute("SELECT * FROM marks WHERE asset_id = ?", (asset_id,)).fetchone()
        market = market_of(connection, asset_id)
        value = round_half_up(worth[asset_id] * quantity) if asset_id in worth else None
        out.append(
            {
                "market": market["question"] if market else None,
                "outcome": outcome_of(market, asset_id),
                "asset_id": asset_id,
                "shares": decimal_text(quantity),
                "cost_usdc": decimal_text(cost),
                "average_price": decimal_text(round_half_up(Fraction(cost * MICRO, quantity))),
                "value_usdc": decimal_text(value) if value is not None else None,
                "priced": bool(mark["priced"]) if mark is not None else False,
                "unrealised_usdc": decimal_text(value - cost) if value is not None else None,
            }
        )
    return sorted(out, key=lambda row: (row["market"] or "", row["outcome"]))


def notices(connection: sqlite3.Connection, *, limit: int = 20) -> list[dict[str, Any]]:
    """Return what the operator should know, newest first."""
    rows = connection.execute("SELECT * FROM notices ORDER BY notice_id DESC LIMIT ?", (limit,))
    return [{"at": iso(r["at_ms"]), "level": r["level"], "event": r["event"], "detail": r["detail"]} for r in rows]


def status(connection: sqlite3.Connection) -> dict[str, Any]:
    """Return where the agent stands: the last run, money, today's loss, live orders, and the limits in force."""
    run = connection.execute("SELECT * FROM runs ORDER BY run_id DESC LIMIT 1").fetchone()
    point = connection.execute("SELECT * FROM equity ORDER BY at_ms DESC LIMIT 1").fetchone()
    day = connection.execute("SELECT * FROM day_opens ORDER BY day DESC LIMIT 1").fetchone()
    live = connection.execute(
        "SELECT count(*) FROM orders WHERE state NOT IN ('FILLED', 'CANCELED', 'REJECTED', 'ABANDONED')"
    ).fetchone()[0]
    equity = point["equity"] + paid_in_since(connection, point["at_ms"]) if point is not None else None
    opening = day["equity"] + paid_in_since(connection, day["at_ms"]) if day is not None else None
    loss = max(0, opening - equity) if opening is not None and equity is not None else 0
    config = json.loads(run["config"]) if run is not None else {}
    return {
        "run": None
        if run is None
        else {
            "run_id": run["run_id"],
            "mode": run["mode"],
            "feed": run["feed"],
            "started": iso(run["started_ms"]),
            "last_event": iso(run["last_event_ms"]) if run["last_event_ms"] else None,
            "events": run["events"],
            "state": run["ended"] or "running, or killed before it could say how it ended",
            "config_hash": run["config_hash"],
        },
        "cash_usdc": decimal_text(balance(connection, "cash")),
        "equity_usdc": decimal_text(equity) if equity is not None else None,
        "pnl_usdc": decimal_text(equity + balance(connection, "deposits")) if equity is not None else None,
        "day": day["day"] if day is not None else None,
        "day_open_equity_usdc": decimal_text(opening) if opening is not None else None,
        "daily_loss_usdc": decimal_text(loss),
        "open_orders": live,
        "open_positions": sum(1 for row in sums(connection, "holding") if row["amount"]),
        "limits": limits_in_use(connection),
        "strategies": [s.get("name") or s["kind"] for s in config.get("strategies", []) if s.get("enabled", True)],
        "notices": notices(connection, limit=5),
    }
