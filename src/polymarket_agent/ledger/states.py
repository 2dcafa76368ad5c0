"""What holds the agent back: one durable row for each cause, open until that cause is gone; and what it was told to do."""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

from polymarket_agent.errors import LedgerError

__all__ = ["STATES", "Command", "OpenState", "enter_state", "leave_state", "open_commands", "open_states"]

STATES = ("RECOVERING", "REDUCING", "HALTED", "KILLED")


class OpenState(NamedTuple):
    """A cause that holds, and the state it puts the agent into; several may hold at once."""

    row_id: int
    cause: str
    state: str
    detail: str
    entered_ms: int


class Command(NamedTuple):
    """What another process asked for and nobody has done yet."""

    command_id: int
    at_ms: int
    name: str
    argument: str
    origin: str


def enter_state(connection: sqlite3.Connection, cause: str, state: str, detail: str, at_ms: int) -> int:
    """Open a cause and return its row; one that is open already stays as it is.

    Raises:
        LedgerError: there is no such state.
    """
    if state not in STATES:
        raise LedgerError(f"{state!r} is no state that is kept; there are {', '.join(STATES)}")
    row = connection.execute(
        "SELECT row_id FROM agent_states WHERE left_ms IS NULL AND cause = ? AND state = ?", (cause, state)
    ).fetchone()
    if row is not None:
        return int(row[0])
    cursor = connection.execute(
        "INSERT INTO agent_states (cause, state, detail, entered_ms) VALUES (?, ?, ?, ?)",
        (cause, state, detail, at_ms),
    )
    return int(cursor.lastrowid or 0)


def leave_state(connection: sqlite3.Connection, cause: str, at_ms: int, by: str) -> int:
    """Close what is open under a cause; returns how many rows that were."""
    cursor = connection.execute(
        "UPDATE agent_states SET left_ms = ?, left_by = ? WHERE left_ms IS NULL AND cause = ?", (at_ms, by, cause)
    )
    return cursor.rowcount


def open_states(connection: sqlite3.Connection) -> list[OpenState]:
    """Return what holds the agent back, oldest first."""
    rows = connection.execute(
        "SELECT row_id, cause, state, detail, entered_ms FROM agent_states WHERE left_ms IS NULL ORDER BY row_id"
    )
    return [OpenState(*row) for row in rows]


def open_commands(connection: sqlite3.Connection) -> list[Command]:
    """Return commands that wait, oldest first."""
    rows = connection.execute(
        "SELECT command_id, at_ms, name, argument, origin FROM commands WHERE done_ms IS NULL ORDER BY command_id"
    )
    return [Command(*row) for row in rows]
