"""Who may write a ledger and send with its wallet: one process, the latest; and one ledger for one wallet."""

from __future__ import annotations

import contextlib
import os
import re
import sqlite3
from pathlib import Path
from types import TracebackType
from typing import Self

from polymarket_agent.db import Database
from polymarket_agent.db_file import FileLock
from polymarket_agent.errors import DatabaseError, GateClosedError

__all__ = ["WalletLock", "binding_of", "require_lease", "require_paper", "take"]

_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")


def take(connection: sqlite3.Connection, binding: tuple[str, int, str], *, pid: int, host_name: str, at_ms: int) -> int:
    """Raise the ledger's epoch and return it; whoever has a lower one can note no order any more.

    Args:
        connection: of the ledger's writer.
        binding: the venue's host, its chain, and the wallet.
        pid: our process.
        host_name: our machine.
        at_ms: now.

    Raises:
        DatabaseError: the ledger is another wallet's or venue's, or holds paper money.
    """
    bound = binding_of(connection)
    if bound is None:
        _require_no_paper(connection)
        connection.execute("INSERT INTO binding VALUES (1, ?, ?, ?)", binding)
    elif (*bound[:2], bound[2].lower()) != (*binding[:2], binding[2].lower()):
        was, now = (f"wallet {wallet} at {venue} on chain {chain}" for venue, chain, wallet in (bound, binding))
        raise DatabaseError(f"this ledger belongs to {was}, not to {now}", hint="use another file for live with --db")
    row = connection.execute("SELECT epoch FROM lease").fetchone()
    epoch = (row[0] if row else 0) + 1
    connection.execute("INSERT OR REPLACE INTO lease VALUES (1, ?, ?, ?, ?)", (epoch, pid, host_name, at_ms))
    return int(epoch)


def require_lease(connection: sqlite3.Connection, epoch: int) -> None:
    """Check that the ledger's epoch is still the one that this process has taken.

    Raises:
        GateClosedError: it is not.
    """
    row = connection.execute("SELECT epoch, pid, host_name FROM lease").fetchone()
    if row is None or not epoch:
        raise GateClosedError("this process has not taken the ledger's lease", hint="take_lease at the start")
    if row[0] != epoch:
        raise GateClosedError(
            f"the ledger was taken over (epoch {row[0]}, ours is {epoch}) by process {row[1]} on {row[2]}",
            hint="stop this process; it must neither write nor send",
        )


def require_paper(db: Database) -> None:
    """Refuse a ledger that has traded live: simulated fills would stand beside real money.

    Raises:
        DatabaseError: it has.
    """
    bound = db.run(binding_of)
    if bound is not None:
        raise DatabaseError(
            f"{db.path} is the live ledger of wallet {bound[2]}; paper is another account",
            hint="use another file for paper with --db",
        )


def binding_of(connection: sqlite3.Connection) -> tuple[str, int, str] | None:
    """Return venue, chain and wallet of a ledger that has traded live; None for any other."""
    row = connection.execute("SELECT venue, chain, wallet FROM binding").fetchone()
    return (row[0], row[1], row[2]) if row else None


def _require_no_paper(connection: sqlite3.Connection) -> None:
    row = connection.execute(
        "SELECT run_id, mode FROM runs WHERE mode <> 'live' AND EXISTS (SELECT 1 FROM postings) LIMIT 1"
    ).fetchone()
    if row is not None:
        raise DatabaseError(
            f"this ledger holds the money of run {row[0]} in mode {row[1]}; live is another account",
            hint="use another file for live with --db",
        )


class WalletLock:
    """Keeps a second agent of this user from trading with the same wallet, whatever ledger it has.

    Args:
        wallet: the address that holds the money.
        folder: where the lock is; by default the user's folder for state, $XDG_STATE_HOME or ~/.local/state.

    Raises:
        DatabaseError: another agent has it (named by its process id), or the folder cannot be used.
    """

    def __init__(self, wallet: str, folder: Path | None = None) -> None:
        if not _ADDRESS.fullmatch(wallet):
            raise DatabaseError(f"{wallet[:60]!r} is no wallet address; 0x and 40 hexadecimal digits are")
        folder = _state_folder() if folder is None else folder
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            folder.chmod(0o700)
        except OSError as error:
            raise DatabaseError(f"{folder} cannot be used: {error.strerror}") from error
        self.path = folder / f"wallet-{wallet.lower()}.lock"
        self._lock = FileLock(
            self.path, what=f"wallet {wallet}", hint="stop that one first; a wallet has one agent at a time"
        )
        self._held = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def release(self) -> None:
        """Let go. May be called more than once."""
        if self._held:
            self._held = False
            self._lock.release()


def _state_folder() -> Path:
    named = os.environ.get("XDG_STATE_HOME", "")
    base = Path(named) if named and Path(named).is_absolute() else None
    if base is None:
        with contextlib.suppress(RuntimeError):
            base = Path.home() / ".local" / "state"
    if base is None:
        raise DatabaseError("there is no home folder for the wallet's lock", hint="set XDG_STATE_HOME to a folder")
    return base / "polymarket-agent"
