"""The database: one SQLite file, one writer thread, group commit.

Work is handed to the writer as functions of a connection and runs in order, each in its own savepoint; whatever
waits when the writer comes by shares one transaction and one full sync. Readers open their own connections.
"""

from __future__ import annotations

import contextlib
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from polymarket_agent.db_file import FileLock, create_private, prepare, require_ours
from polymarket_agent.db_schema import APPLICATION_ID, MIGRATIONS
from polymarket_agent.errors import DatabaseError

__all__ = ["Database", "open_for_reading"]

Work = Callable[[sqlite3.Connection], Any]
T = TypeVar("T")

_MAX_GROUP = 2_000
_QUEUE_SIZE = 20_000
_FULL_S = 0.002
_BUSY_S = 5.0
_OLDEST_SQLITE = (3, 37, 0)


class Database:
    """The agent's ledger file. `with Database(path) as db:` closes it on every path out.

    Only one agent may hold a file; a second one is refused with the holder's process id. Reading needs no lock:
    see `open_for_reading`. A path of ":memory:" gives a private database that ends with the object.

    Raises:
        DatabaseError: the file is newer, foreign, damaged, held by another agent, or not to be opened.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._in_memory = str(path) == ":memory:"
        self._lock: FileLock | None = None
        self._closed = False
        self._closing = threading.Lock()  # between "is it open?" and "into the queue" nobody may close
        self._failure: BaseException | None = None
        self._work: queue.SimpleQueue[tuple[Work, Future[Any] | None] | None] = queue.SimpleQueue()
        if not self._in_memory:
            if not self.path.parent.is_dir():
                raise DatabaseError(f"the folder {self.path.parent} of the database does not exist; make it first")
            self._lock = FileLock(self.path.with_name(self.path.name + ".lock"))
        try:
            self._connection = self._open()
        except BaseException:
            if self._lock is not None:
                self._lock.release()
            raise
        self._writer = threading.Thread(target=self._write, name="db-writer", daemon=True)
        self._writer.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.close()
        except DatabaseError:
            if error is None:
                raise

    # -- writing --------------------------------------------------------------------------------------------------

    def submit(self, work: Work) -> None:
        """Queue work for the writer. Waits only while the queue is full.

        Raises:
            DatabaseError: the writer has failed or is closed; nothing later than the failure is on disk.
        """
        self._put(work, None)

    def run(self, work: Work) -> Any:
        """Do work in the writer and wait until it is on disk; returns what it returns, raises what it raises.

        Raises:
            DatabaseError: as `submit`, or SQLite refused the work; that alone does not end the writer.
        """
        return self.commit(work).result()

    def commit(self, work: Callable[[sqlite3.Connection], T]) -> Future[T]:
        """Do work in the writer without waiting; the future ends when it is on disk.

        It gets what the work returns or raises (a DatabaseError for one of SQLite's). Work that raises is undone
        alone; whatever else is committed with it stays.

        Raises:
            DatabaseError: as `submit`.
        """
        done: Future[T] = Future()
        self._put(work, done)
        return done

    def _put(self, work: Work, done: Future[Any] | None) -> None:
        with self._closing:
            self.check()
            while self._work.qsize() >= _QUEUE_SIZE:  # a bounded queue costs seven times as much to put into
                time.sleep(_FULL_S)
                self.check()
            self._work.put((work, done))

    def flush(self) -> None:
        """Wait until everything that was submitted before is on disk."""
        self.run(lambda _: None)

    def check(self) -> None:
        """Raise if the writer has failed: what was submitted since is not on disk."""
        if self._failure is not None:
            raise DatabaseError(f"writing to {self.path} failed: {self._failure}") from self._failure
        if self._closed:
            raise DatabaseError(f"the database {self.path} is closed")

    def close(self) -> None:
        """Write what waits, check-point, and let go of the file. May be called more than once."""
        with self._closing:
            if self._closed:
                return
            self._closed = True
            self._work.put(None)
        self._writer.join()
        try:
            with contextlib.suppress(sqlite3.Error):
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self._connection.close()
        finally:
            if self._lock is not None:
                self._lock.release()
        if self._failure is not None:
            raise DatabaseError(f"writing to {self.path} failed: {self._failure}") from self._failure

    def _write(self) -> None:
        stopping = False
        while not stopping:
            group = [self._work.get()]
            while len(group) < _MAX_GROUP:
                try:
                    group.append(self._work.get_nowait())
                except queue.Empty:
                    break
            stopping = None in group
            self._write_group([item for item in group if item is not None])

    def _write_group(self, group: list[tuple[Work, Future[Any] | None]]) -> None:
        """Run a group in one transaction. Work that someone waits for may fail alone; other failures end the writer."""
        # A caller may have given up waiting; from here on nobody can, so that the answer finds a taker.
        group = [(work, done) for work, done in group if done is None or done.set_running_or_notify_cancel()]
        answers: list[tuple[Future[Any], Any, BaseException | None]] = []
        if self._failure is None:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                for work, done in group:
                    if done is None:
                        work(self._connection)
                    else:
                        answers.append((done, *self._try(work)))
                self._connection.execute("COMMIT")
            except BaseException as error:  # noqa: BLE001 - the writer must answer everyone, then stay failed
                self._failure = error
                with contextlib.suppress(sqlite3.Error):
                    if self._connection.in_transaction:
                        self._connection.execute("ROLLBACK")
        if self._failure is not None:
            message = f"writing to {self.path} failed: {self._failure}"
            answers = [(done, None, DatabaseError(message)) for _, done in group if done is not None]
        for done, value, failed in answers:
            if failed is not None:
                done.set_exception(failed)
            else:
                done.set_result(value)

    def _try(self, work: Work) -> tuple[Any, BaseException | None]:
        value: Any = None
        failed: BaseException | None = None
        self._connection.execute("SAVEPOINT work")
        try:
            value = work(self._connection)
        except sqlite3.Error as error:
            self._connection.execute("ROLLBACK TO work")  # fails if SQLite has undone all of it, and so ends the writer
            failed = DatabaseError(f"writing to {self.path} failed: {error}")
            failed.__cause__ = error
        except Exception as error:  # noqa: BLE001 - handed to the caller, who waits for it
            self._connection.execute("ROLLBACK TO work")
            failed = error
        self._connection.execute("RELEASE work")
        return value, failed

    # -- opening --------------------------------------------------------------------------------------------------

    def _open(self) -> sqlite3.Connection:
        if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
            raise DatabaseError(f"SQLite {sqlite3.sqlite_version} is too old; this needs 3.37 (STRICT tables) or newer")
        if not self._in_memory:
            require_ours(self.path)
            create_private(self.path)
        try:
            connection = sqlite3.connect(
                self.path if not self._in_memory else ":memory:",
                isolation_level=None,
                check_same_thread=False,
                timeout=_BUSY_S,
            )
            try:
                prepare(connection, self.path)
            except BaseException:
                connection.close()
                raise
        except sqlite3.DatabaseError as error:
            raise DatabaseError(
                f"{self.path} cannot be opened: {error}", hint="restore a backup, or name another file with --db"
            ) from error
        return connection


@contextlib.contextmanager
def open_for_reading(path: str | Path) -> Iterator[sqlite3.Connection]:
    """Open a ledger for queries, also while an agent writes to it. It cannot be changed through this.

    Raises:
        DatabaseError: there is no such file, or it is newer, foreign or damaged.
    """
    path = Path(path)
    if not path.is_file():
        raise DatabaseError(f"there is no ledger {path}", hint="run the agent first, or name the file with --db")
    try:
        connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=_BUSY_S)
        try:
            connection.row_factory = sqlite3.Row
            application_id = connection.execute("PRAGMA application_id").fetchone()[0]
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            if application_id != APPLICATION_ID:
                raise DatabaseError(f"{path} is not a ledger of polymarket-agent")
            if version != len(MIGRATIONS):
                raise DatabaseError(f"{path} has schema {version}, this build reads {len(MIGRATIONS)}")
            yield connection
        finally:
            connection.close()
    except sqlite3.DatabaseError as error:
        raise DatabaseError(f"{path} cannot be read: {error}") from error
