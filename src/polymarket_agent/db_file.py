"""The ledger's file: whose it is, who may read it, who holds it, and its schema."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
from pathlib import Path

from polymarket_agent.db_schema import APPLICATION_ID, MIGRATIONS
from polymarket_agent.errors import DatabaseError

__all__ = ["FileLock", "create_private", "prepare", "require_ours", "sync_folder"]

_MAGIC = b"SQLite format 3\0"
_HEADER_BYTES = 100
_VERSION_AT, _APPLICATION_AT = 60, 68  # of SQLite's file header: user_version and application_id, big-endian
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)


def require_ours(path: Path) -> None:
    """Look at a file without touching it, and refuse one that is not a ledger this build knows.

    Opening a database is not harmless: SQLite would finish what its last user left in the log beside it.

    Raises:
        DatabaseError: the file is foreign, newer, or no database at all. It is as it was.
    """
    try:
        with path.open("rb") as file:
            header = file.read(_HEADER_BYTES)
    except FileNotFoundError:
        return
    except OSError as error:
        raise DatabaseError(f"{path} cannot be opened: {error.strerror}") from error
    if not header:
        return
    if not header.startswith(_MAGIC) or len(header) < _HEADER_BYTES:
        raise DatabaseError(
            f"{path} is damaged or not a database; it was left untouched",
            hint="restore a backup, or name another file with --db",
        )
    version = int.from_bytes(header[_VERSION_AT : _VERSION_AT + 4], "big")
    application_id = int.from_bytes(header[_APPLICATION_AT : _APPLICATION_AT + 4], "big")
    _require_known(path, application_id, version, tables=0 if application_id else _count_tables(path))


def _count_tables(path: Path) -> int:
    try:
        with contextlib.closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True)) as reader:
            return int(reader.execute("SELECT count(*) FROM sqlite_master").fetchone()[0])
    except sqlite3.DatabaseError as error:
        raise DatabaseError(f"{path} is damaged; it was left untouched: {error}") from error


def _require_known(path: Path, application_id: int, version: int, *, tables: int) -> None:
    if application_id != APPLICATION_ID and (application_id or version or tables):
        raise DatabaseError(f"{path} is a database of another program; it was left untouched")
    if version > len(MIGRATIONS):
        raise DatabaseError(
            f"{path} has schema {version}, this build knows {len(MIGRATIONS)}; it was left untouched",
            hint="use the newer polymarket-agent that wrote it",
        )


def create_private(path: Path) -> None:
    """Create the file readable by its owner only; an existing one is narrowed to that."""
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT | _NO_FOLLOW, 0o600)
        try:
            os.fchmod(file, 0o600)
        finally:
            os.close(file)
    except OSError as error:
        raise DatabaseError(f"{path} cannot be opened: {error.strerror}") from error


def prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Check an opened database, set how it is written, and bring its schema up to date.

    Raises:
        DatabaseError: it is foreign, newer or damaged.
    """
    application_id = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    _require_known(path, application_id, version, tables=tables)
    mode = connection.execute("PRAGMA journal_mode=WAL").fetchone()[0]
    if mode not in ("wal", "memory"):
        raise DatabaseError(f"{path} cannot be written with a log ahead (journal mode {mode}); use a local disk")
    connection.execute("PRAGMA synchronous=FULL")
    if version:
        damage = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if damage != "ok":
            raise DatabaseError(f"{path} is damaged: {damage}", hint="restore a backup; the file was left untouched")
    connection.execute("PRAGMA foreign_keys=OFF")  # a table that others refer to is replaced; checked below
    for number in range(version, len(MIGRATIONS)):
        if mode == "wal" and version and _has_rows(connection):
            _back_up(connection, path.with_name(f"{path.name}.before-{number + 1}"))
        _migrate(connection, number)
    connection.execute("PRAGMA foreign_keys=ON")


def _migrate(connection: sqlite3.Connection, number: int) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        for step in MIGRATIONS[number]:
            if isinstance(step, str):
                connection.execute(step)
            else:
                step(connection)
        _require_no_orphans(connection)
        connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version={number + 1}")
        connection.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise


def _require_no_orphans(connection: sqlite3.Connection) -> None:
    orphan = connection.execute("PRAGMA foreign_key_check").fetchone()
    if orphan is not None:
        raise DatabaseError(f"a row of {orphan[0]} belongs to a row of {orphan[2]} that is not there")


def _has_rows(connection: sqlite3.Connection) -> bool:
    tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    return any(connection.execute(f'SELECT 1 FROM "{name}" LIMIT 1').fetchone() for (name,) in tables)  # noqa: S608


def _back_up(connection: sqlite3.Connection, to: Path) -> None:
    """Keep the file as it is before a migration, beside it; complete and on disk before anything changes."""
    part = to.with_name(to.name + ".part")
    part.unlink(missing_ok=True)
    create_private(part)
    try:
        with contextlib.closing(sqlite3.connect(part)) as copy:
            connection.backup(copy)
            copy.execute("PRAGMA journal_mode=DELETE")
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.replace(to)
        sync_folder(to.parent)
    except OSError as error:
        raise DatabaseError(f"{to} cannot be written: {error.strerror}", hint="free some disk space") from error


def sync_folder(folder: Path) -> None:
    """Put the names in a folder on disk, so that a new file is still there after a loss of power."""
    file = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


class FileLock:
    """An advisory lock that dies with its process and says who holds it.

    Args:
        path: the file to lock; it is made if need be.
        what: what is locked, for the refusal; else the path's name.
        hint: what the one who is refused can do.
    """

    def __init__(self, path: Path, *, what: str = "", hint: str = "") -> None:
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | _NO_FOLLOW, 0o600)
        except OSError as error:
            raise DatabaseError(f"{path} cannot be opened: {error.strerror}") from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.fchmod(self._file, 0o600)
            os.ftruncate(self._file, 0)
            os.write(self._file, str(os.getpid()).encode())
        except BlockingIOError as error:
            holder = os.read(self._file, 32).decode(errors="replace").strip() or "unknown"
            os.close(self._file)
            raise DatabaseError(
                f"{what or path.name.removesuffix('.lock')} is in use by another agent (process {holder})",
                hint=hint or "stop that one first, or give this one a file of its own with --db",
            ) from error
        except OSError as error:
            os.close(self._file)
            raise DatabaseError(f"{path} cannot be locked: {error.strerror}") from error

    def release(self) -> None:
        """Let go; the file stays, because removing it would let two processes hold different ones."""
        with contextlib.suppress(OSError):
            os.ftruncate(self._file, 0)  # no name of a holder who is gone
        os.close(self._file)
