"""Checks of what is on this machine besides the config: the ledger, who holds it, the disk under it."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from polymarket_agent.cli.agent_process import running_agent
from polymarket_agent.cli.doctor_case import Case
from polymarket_agent.cli.doctor_findings import Finding, bad, fine, odd
from polymarket_agent.errors import DatabaseError

__all__ = ["check_disk", "check_ledger", "check_locks"]

_MIB = 1 << 20
_LEAST_MIB, _ENOUGH_MIB = 100, 1_024
_STOPPED = ("KILLED", "HALTED")
_RESUME = "polymarket-agent resume"


def check_ledger(case: Case) -> list[Finding]:
    """See whose the ledger is, whether this build reads it, and what it holds back."""
    from polymarket_agent.db_file import require_ours
    from polymarket_agent.db_schema import MIGRATIONS
    from polymarket_agent.ledger.control import is_killed, kill_file

    path = case.config.database
    found: list[Finding] = []
    if is_killed(path):
        found.append(_killed(case, kill_file(path)))
    if not path.exists():
        return [fine("ledger", f"{path} is not there yet; the first run makes it", path=str(path)), *found]
    require_ours(path)
    if not path.stat().st_size:
        return [fine("ledger", f"{path} is empty; the first run fills it", path=str(path)), *found]
    with _reading(path) as connection:
        schema = int(connection.execute("PRAGMA user_version").fetchone()[0])
        if schema < len(MIGRATIONS):
            said = f"{path} has schema {schema}; the next run brings it to {len(MIGRATIONS)} and keeps a copy"
            return [odd("ledger", said, path=str(path), schema=schema), *found]
        return [_belongs(case, connection, path, schema), *_held_back(connection), *found]


def _killed(case: Case, file: Path) -> Finding:
    if case.live:
        fix = f"find out who made it and why, then: {_RESUME}"
        return bad("ledger: kill file", f"{file} is there, so nothing is sent", fix=fix, path=str(file))
    return odd("ledger: kill file", f"{file} is there; it stops live trading, not paper trading", path=str(file))


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    try:
        with contextlib.closing(
            sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=5.0)
        ) as connection:
            connection.row_factory = sqlite3.Row
            yield connection
    except sqlite3.DatabaseError as error:
        raise DatabaseError(f"{path} cannot be read: {error}", hint="restore a backup, or name another file") from error


def _belongs(case: Case, connection: sqlite3.Connection, path: Path, schema: int) -> Finding:
    """Compare the wallet and venue that a ledger is bound to with those of the config."""
    bound = connection.execute("SELECT venue, wallet FROM binding").fetchone()
    details: dict[str, Any] = {"path": str(path), "schema": schema, "wallet": bound["wallet"] if bound else None}
    other = "database: another-file.db, in the config"
    if not case.live:
        if bound is not None:
            said = f"{path} holds the books of wallet {bound['wallet']}"
            return bad("ledger", said, cause="paper money does not go into them", fix=other, **details)
        return fine("ledger", f"{path}, schema {schema}", **details)
    if bound is None:
        paper = connection.execute("SELECT 1 FROM runs WHERE mode <> 'live' AND EXISTS (SELECT 1 FROM postings)")
        if paper.fetchone() is not None:
            return bad("ledger", f"{path} holds paper money; live is another account", fix=other, **details)
        return fine("ledger", f"{path}, schema {schema}, bound to no wallet yet", **details)
    venue = urlsplit(case.config.feed.clob_url).netloc
    if bound["venue"] != venue:
        return bad("ledger", f"{path} belongs to {bound['venue']}, the config names {venue}", fix=other, **details)
    if case.identity is not None and bound["wallet"].lower() != case.identity.wallet.lower():
        said = f"{path} belongs to wallet {bound['wallet']}, the key trades for {case.identity.wallet}"
        return bad("ledger", said, fix=f"use the key of that wallet, or {other}", **details)
    return fine("ledger", f"{path}, schema {schema}, of wallet {bound['wallet']} at {bound['venue']}", **details)


def _held_back(connection: sqlite3.Connection) -> list[Finding]:
    from polymarket_agent import views

    causes = views.states(connection)
    waiting = views.possibly_open(connection)
    found: list[Finding] = []
    for each in causes:
        if each["state"] == "RECOVERING":
            continue  # every start begins so, and it ends by itself
        said = f"{each['state']} since {each['since'][:19]}: {each['cause']}: {each['detail']}"
        check = f"ledger: {each['cause']}"
        if each["state"] in _STOPPED:
            found.append(bad(check, said, cause="nothing is sent until you resume", fix=_RESUME))
        else:
            fix = "nothing, if it ends by itself; else find the reason, then: " + _RESUME
            found.append(odd(check, said, cause="only orders that reduce risk are sent", fix=fix))
    if waiting:
        listed = ", ".join(f"{number} {state.lower()}" for state, number in waiting.items())
        found.append(fine("ledger: orders", f"may still be matched: {listed}", **waiting))
    return found


def check_locks(case: Case) -> list[Finding]:
    """See whether an agent holds the ledger or the wallet."""
    from polymarket_agent.ledger.lease import WalletLock

    path = case.config.database
    holder = running_agent(path)
    if holder is not None:
        return [
            odd(
                "locks",
                f"an agent runs with this ledger (process {holder})",
                cause="a second one is refused; this one was examined while it works",
                fix="polymarket-agent status",
                process=holder,
            )
        ]
    if case.identity is not None:
        try:
            WalletLock(case.identity.wallet).release()
        except DatabaseError as error:
            cause = "a wallet has one agent at a time, whatever its ledger"
            return [odd("locks", str(error), cause=cause, fix=error.hint)]
    return [fine("locks", "no agent runs with this ledger or wallet")]


def check_disk(case: Case) -> list[Finding]:
    """See that the ledger's folder has room and keeps what is written to it."""
    folder = case.config.database.absolute().parent
    if not folder.is_dir():
        return [bad("disk", f"the folder {folder} of the ledger does not exist", fix=f"mkdir -p {folder}")]
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".doctor-") as file:
            file.write(b"written and taken away again")
            file.flush()
            os.fsync(file.fileno())
        free_mib = shutil.disk_usage(folder).free // _MIB
    except OSError as error:
        fix = "choose another folder with `database` in the config, or make this one writable"
        return [bad("disk", f"{folder} cannot be written: {error.strerror}", fix=fix)]
    said = f"{folder}: {free_mib:,} MiB free, keeps what is written"
    if free_mib < _LEAST_MIB:
        return [bad("disk", said, cause="a full disk halts the agent", fix="free some space", free_mib=free_mib)]
    if free_mib < _ENOUGH_MIB:
        return [odd("disk", said, cause="a day of live data can fill it", fix="free some space", free_mib=free_mib)]
    return [fine("disk", said, free_mib=free_mib)]
