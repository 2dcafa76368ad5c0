"""How another process tells an agent something, also when the agent hangs: rows in its ledger, and the kill file.

Nothing here needs the agent's help. The connection that is used may add a command or a state and do nothing else.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from polymarket_agent.db import open_for_reading
from polymarket_agent.db_file import sync_folder
from polymarket_agent.db_schema import APPLICATION_ID, MIGRATIONS
from polymarket_agent.errors import DatabaseError
from polymarket_agent.ledger.states import Command, OpenState, enter_state, open_commands, open_states

__all__ = [
    "Seen",
    "Watch",
    "create_kill_file",
    "data_version",
    "enter_state_from_outside",
    "is_killed",
    "kill_file",
    "post_command",
    "remove_kill_file",
]

_BUSY_S = 2.0
_MAX_TEXT = 2_000
_ADDED_TO = ("commands", "agent_states")
_HARMLESS = (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_TRANSACTION)


def post_command(path: str | Path, name: str, argument: str, origin: str, at_ms: int) -> int:
    """Leave a command for the agent of a ledger; returns its number.

    Raises:
        DatabaseError: there is no such ledger, it has another schema, or it stayed locked for 2 s.
    """
    with _adding(path) as connection:
        cursor = connection.execute(
            "INSERT INTO commands (at_ms, name, argument, origin) VALUES (?, ?, ?, ?)",
            (at_ms, name, argument[:_MAX_TEXT], origin),
        )
        return int(cursor.lastrowid or 0)


def enter_state_from_outside(path: str | Path, cause: str, state: str, detail: str, at_ms: int) -> int:
    """Put the agent of a ledger into a state, durably; it sends nothing any more once this returned KILLED or HALTED.

    Raises:
        DatabaseError: as `post_command`.
        LedgerError: there is no such state.
    """
    with _adding(path) as connection:
        return enter_state(connection, cause, state, detail[:_MAX_TEXT], at_ms)


@contextlib.contextmanager
def _adding(path: str | Path) -> Iterator[sqlite3.Connection]:
    path = Path(path)
    if not path.is_file():
        raise DatabaseError(f"there is no ledger {path}", hint="name the file with --db")
    try:
        address = f"{path.resolve().as_uri()}?mode=rw"
        with contextlib.closing(
            sqlite3.connect(address, uri=True, timeout=_BUSY_S, isolation_level=None)
        ) as connection:
            application_id = connection.execute("PRAGMA application_id").fetchone()[0]
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            if application_id != APPLICATION_ID or version != len(MIGRATIONS):
                raise DatabaseError(f"{path} is no ledger of schema {len(MIGRATIONS)} of polymarket-agent")
            connection.execute("PRAGMA synchronous=FULL")
            connection.set_authorizer(_may)
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")
    except sqlite3.Error as error:
        raise DatabaseError(
            f"{path} cannot be written: {error}", hint="the kill file works without the ledger: `<ledger>.kill`"
        ) from error


def _may(action: int, first: str | None, _second: str | None, _base: str | None, _inner: str | None) -> int:
    adds = action == sqlite3.SQLITE_INSERT and first in _ADDED_TO
    return sqlite3.SQLITE_OK if adds or action in _HARMLESS else sqlite3.SQLITE_DENY


# -- the kill file ----------------------------------------------------------------------------------------------------


def kill_file(path: str | Path) -> Path:
    """Return the file whose being there stops the agent of a ledger."""
    path = Path(path)
    return path.with_name(path.name + ".kill")


def create_kill_file(path: str | Path, text: str) -> Path:
    """Make the kill file of a ledger, on disk when this returns; one that is there already is left as it is.

    Raises:
        DatabaseError: it cannot be made.
    """
    to = kill_file(path)
    if is_killed(path):
        return to
    try:
        file = os.open(to, os.O_WRONLY | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
        try:
            with contextlib.suppress(OSError):  # on a full disk the name alone does it
                os.write(file, text[:_MAX_TEXT].encode())
            os.fsync(file)
        finally:
            os.close(file)
        sync_folder(to.parent)
    except OSError as error:
        raise DatabaseError(f"{to} cannot be made: {error.strerror}", hint="make it by hand: touch it") from error
    return to


def is_killed(path: str | Path) -> bool:
    """Whether the kill file is there; also when that cannot be found out."""
    try:
        os.lstat(kill_file(path))
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return True


def remove_kill_file(path: str | Path) -> None:
    """Take the kill file away, when an operator resumes.

    Raises:
        DatabaseError: it cannot be removed.
    """
    try:
        kill_file(path).unlink(missing_ok=True)
        sync_folder(kill_file(path).parent)
    except OSError as error:
        raise DatabaseError(f"{kill_file(path)} cannot be removed: {error.strerror}") from error


# -- the agent's side -------------------------------------------------------------------------------------------------


class Seen(NamedTuple):
    """What holds the agent back and what it was told, as it is in the file now."""

    killed: bool  # the kill file
    states: tuple[OpenState, ...]
    commands: tuple[Command, ...]


class Watch:
    """Notices what other processes wrote into a ledger; cheap enough to be asked many times a second.

    It has a connection of its own for reading, so that it does not wait behind the agent's writer.

    Raises:
        DatabaseError: as `open_for_reading`.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        self._stack = contextlib.ExitStack()
        self._connection = self._stack.enter_context(open_for_reading(self._path))
        self._last: tuple[int, bool] | None = None

    def look(self) -> Seen | None:
        """Return what is there if anything in the ledger has changed since the last look; None if nothing has.

        Raises:
            DatabaseError: the file cannot be read.
        """
        killed = is_killed(self._path)
        try:
            now = (data_version(self._connection), killed)
            if now == self._last:
                return None
            states, commands = open_states(self._connection), open_commands(self._connection)
        except sqlite3.Error as error:
            raise DatabaseError(f"{self._path} cannot be read: {error}") from error
        self._last = now
        return Seen(killed, tuple(states), tuple(commands))

    def close(self) -> None:
        """Let go of the file. May be called more than once."""
        self._stack.close()


def data_version(connection: sqlite3.Connection) -> int:
    """Return a number that changes whenever another connection has written to the file."""
    return int(connection.execute("PRAGMA data_version").fetchone()[0])
