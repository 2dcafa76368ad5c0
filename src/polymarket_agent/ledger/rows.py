"""Orders and fills as rows, and rows as orders and fills."""

from __future__ import annotations

import sqlite3

from polymarket_agent.domain.book import Side
from polymarket_agent.domain.market import AssetId, ConditionId
from polymarket_agent.domain.money import Price, Shares, Usdc
from polymarket_agent.domain.order import (
    CancelState,
    Evidence,
    Fill,
    Order,
    OrderId,
    OrderState,
    SettlementStatus,
    TimeInForce,
)

__all__ = ["fill_of", "order_of", "store_fill", "store_order"]

_STORE_ORDER = (
    "INSERT INTO orders (order_id, run_id, signal_id, strategy, condition_id, asset_id, side, price, quantity,"
    " time_in_force, post_only, expires_at_ms, state, matched, reserved, reason, basket_id, created_ms, updated_ms,"
    " intent, budget, spent, deadline_ms, cancel) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
    " ON CONFLICT (order_id) DO UPDATE SET state = excluded.state, matched = excluded.matched,"
    " reserved = excluded.reserved, reason = excluded.reason, updated_ms = excluded.updated_ms,"
    " spent = excluded.spent, deadline_ms = excluded.deadline_ms, cancel = excluded.cancel"
)


def store_order(connection: sqlite3.Connection, order: Order, run_id: int, before: str) -> None:
    """Keep an order's new state, and the move that led there if there was one."""
    connection.execute(
        _STORE_ORDER,
        (
            *(order.order_id, run_id, order.signal_id, order.strategy, order.condition_id, order.asset_id),
            *(order.side.value, order.price, order.quantity, order.time_in_force.value, int(order.post_only)),
            *(order.expires_at_ms, order.state.value, order.matched, order.reserved, order.reason),
            *(order.basket_id, order.created_ms, order.updated_ms or order.created_ms),
            *(order.intent, order.budget, order.spent, order.deadline_ms, order.cancel.value),
        ),
    )
    if before != order.state.value:
        connection.execute(
            "INSERT INTO order_events (order_id, at_ms, from_state, to_state, detail) VALUES (?, ?, ?, ?, ?)",
            (order.order_id, order.updated_ms or order.created_ms, before, order.state.value, order.reason),
        )


def store_fill(connection: sqlite3.Connection, fill: Fill) -> None:
    """Keep a fill that is not there yet."""
    connection.execute(
        "INSERT INTO fills VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
        (
            *(fill.trade_id, fill.order_id, fill.bucket, fill.condition_id, fill.asset_id, fill.side.value),
            *(fill.price, fill.quantity, fill.notional, fill.fee, int(fill.is_maker), fill.evidence.value),
            *(fill.note, fill.settlement.value, fill.strategy, fill.at_ms),
        ),
    )


def order_of(row: sqlite3.Row) -> Order:
    """Return the order of a row of `orders`."""
    return Order(
        order_id=OrderId(row["order_id"]),
        signal_id=row["signal_id"],
        strategy=row["strategy"],
        condition_id=ConditionId(row["condition_id"]),
        asset_id=AssetId(row["asset_id"]),
        side=Side(row["side"]),
        price=Price(row["price"]),
        quantity=Shares(row["quantity"]),
        time_in_force=TimeInForce(row["time_in_force"]),
        created_ms=row["created_ms"],
        state=OrderState(row["state"]),
        post_only=bool(row["post_only"]),
        expires_at_ms=row["expires_at_ms"],
        matched=Shares(row["matched"]),
        reserved=row["reserved"],
        updated_ms=row["updated_ms"],
        reason=row["reason"],
        basket_id=row["basket_id"],
        intent=row["intent"],
        budget=Usdc(row["budget"]),
        spent=Usdc(row["spent"]),
        deadline_ms=row["deadline_ms"],
        cancel=CancelState(row["cancel"]),
    )


def fill_of(row: sqlite3.Row) -> Fill:
    """Return the fill of a row of `fills`."""
    return Fill(
        trade_id=row["trade_id"],
        order_id=OrderId(row["order_id"]),
        condition_id=ConditionId(row["condition_id"]),
        asset_id=AssetId(row["asset_id"]),
        side=Side(row["side"]),
        price=Price(row["price"]),
        quantity=Shares(row["quantity"]),
        notional=Usdc(row["notional"]),
        fee=Usdc(row["fee"]),
        is_maker=bool(row["is_maker"]),
        evidence=Evidence(row["evidence"]),
        at_ms=row["at_ms"],
        strategy=row["strategy"],
        settlement=SettlementStatus(row["settlement"]),
        bucket=row["bucket"],
        note=row["note"],
    )
