"""A live ledger read as rows by connections of our own, and set beside the books of the exchange."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import sqlite3
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from polymarket_agent.clock import SystemClock
from polymarket_agent.ledger.control import post_command

FINAL = ("FILLED", "CANCELED", "REJECTED", "ABANDONED")


def rows(ledger: Path, statement: str, *values: object) -> list[sqlite3.Row]:
    """Ask a ledger by a connection of our own; a file that is not there or not made yet has no rows."""
    if not ledger.is_file():
        return []
    with contextlib.closing(sqlite3.connect(f"file:{ledger}?mode=ro", uri=True, timeout=5)) as connection:
        connection.row_factory = sqlite3.Row
        try:
            return connection.execute(statement, values).fetchall()
        except sqlite3.OperationalError as error:
            if "no such table" in str(error):
                return []
            raise


def count(ledger: Path, table: str, where: str = "1") -> int:
    found = rows(ledger, f"SELECT count(*) FROM {table} WHERE {where}")
    return int(found[0][0]) if found else 0


def starts_of(ledger: Path) -> int:
    """Return how often the ledger was taken by a process."""
    found = rows(ledger, "SELECT epoch FROM lease")
    return int(found[0][0]) if found else 0


def causes_of(ledger: Path) -> dict[str, str]:
    """Return what holds the agent back, and how."""
    found = rows(ledger, "SELECT cause, state FROM agent_states WHERE left_ms IS NULL")
    return {row["cause"]: row["state"] for row in found}


def state_of(ledger: Path) -> str:
    rank = ("REDUCING", "RECOVERING", "HALTED", "KILLED")
    return max(causes_of(ledger).values(), key=rank.index, default="ACTIVE")


def unsettled(ledger: Path) -> list[str]:
    """Return what is not final yet, one line each."""
    orders = rows(ledger, f"SELECT order_id, state FROM orders WHERE state NOT IN {FINAL}")
    fills = rows(ledger, "SELECT trade_id, settlement FROM fills WHERE settlement NOT IN ('CONFIRMED', 'FAILED')")
    return [f"order {row[0]} {row[1]}" for row in orders] + [f"fill {row[0]} {row[1]}" for row in fills]


def command(ledger: Path, name: str, argument: str = "") -> None:
    post_command(ledger, name, argument, "test", SystemClock().now_ms())


def copy_of(ledger: Path, to: Path) -> Path:
    """Copy a ledger as a crash of the machine would leave it: the file and its log as they are now."""
    to.mkdir(parents=True, exist_ok=True)
    for suffix in ("", "-wal"):
        source = ledger.with_name(ledger.name + suffix)
        if source.exists():
            shutil.copyfile(source, to / source.name)
    return to / ledger.name


def differences(books: dict[str, Any], ledger: Path) -> list[str]:
    """Return what the ledger and the exchange's own books do not agree on; nothing if all is well."""
    found = []
    sums = {(r[0], r[1]): r[2] for r in rows(ledger, "SELECT account, unit, sum(amount) FROM postings GROUP BY 1, 2")}
    if books["cash"] != sums.get(("cash", "USDC"), 0):
        found.append(f"cash: exchange {books['cash']}, ledger {sums.get(('cash', 'USDC'), 0)}")
    held = {unit: n for (name, unit), n in sums.items() if name == "holding" and n}
    theirs = {asset: n for asset, n in books["shares"].items() if n}
    found += [
        f"shares of {a}: {theirs.get(a, 0)}, ledger {held.get(a, 0)}"
        for a in held | theirs
        if theirs.get(a, 0) != held.get(a, 0)
    ]
    orders = {row["order_id"]: row for row in rows(ledger, "SELECT * FROM orders")}
    failed: Counter[str] = Counter()
    for row in rows(ledger, "SELECT order_id, quantity FROM fills WHERE settlement = 'FAILED'"):
        failed[row["order_id"]] += row["quantity"]
    for each in books["orders"]:
        ours = orders.get(each["order_id"])
        if ours is None:
            found.append(f"order {each} is not in the ledger")
            continue
        alive = each["status"] in ("LIVE", "DELAYED")
        if alive != (ours["state"] not in FINAL):
            found.append(f"order {each} is {ours['state']} in the ledger")
        if each["matched"] != ours["matched"] + failed[each["order_id"]]:
            found.append(f"order {each} has matched {ours['matched']} and {failed[each['order_id']]} failed")
    found += [f"still open in the ledger: {each}" for each in unsettled(ledger)]
    legs: dict[tuple[str, str], tuple[int, int, str]] = {}
    for leg in books["legs"]:
        key = (leg["trade_id"], leg["order_id"])
        before = legs.get(key, (0, 0, ""))
        legs[key] = (before[0] + leg["shares"], before[1] + leg["fee"], leg["status"])
    fills = {
        (r[0], r[1]): (r[2], r[3], r[4])
        for r in rows(ledger, "SELECT trade_id, order_id, sum(quantity), sum(fee), settlement FROM fills GROUP BY 1, 2")
    }
    found += [
        f"leg {key}: exchange {legs.get(key)}, ledger {fills.get(key)}"
        for key in legs | fills
        if legs.get(key) != fills.get(key)
    ]
    arrived = {each["order_id"] for each in books["orders"]}
    intents = Counter(orders[each]["intent"] for each in arrived & set(orders) if orders[each]["intent"])
    found += [f"decision {intent} became {n} orders" for intent, n in intents.items() if n > 1]
    return found


def damage(ledger: Path) -> list[str]:
    """Return what is wrong with the file itself: pages, references, sums, and the two chains of hashes."""
    found = [row[0] for row in rows(ledger, "PRAGMA integrity_check") if row[0] != "ok"]
    found += [str(tuple(row)) for row in rows(ledger, "PRAGMA foreign_key_check")]
    off = rows(ledger, "SELECT entry, unit, sum(amount) FROM postings GROUP BY 1, 2 HAVING sum(amount) <> 0")
    found += [f"entry {tuple(row)} does not balance" for row in off]
    found += _broken(
        rows(ledger, "SELECT entry, at_ms, account, unit, amount, chain FROM postings ORDER BY posting_id")
    )
    told = rows(ledger, "SELECT order_id, trade_id, raw, hash, chain FROM evidence ORDER BY evidence_id")
    found += [f"evidence of {row[0]} is not what was hashed" for row in told if _hash(*tuple(row)[:3]) != row["hash"]]
    found += _broken([(row["hash"], row["chain"]) for row in told])
    return found


def _hash(*values: object) -> str:
    return hashlib.sha256("\x1f".join(map(str, values)).encode()).hexdigest()


def _broken(links: Sequence[Any]) -> list[str]:
    chain = ""
    for number, row in enumerate(links):
        *values, kept = tuple(row)
        chain = _hash(chain, *values)
        if chain != kept:
            return [f"the chain of hashes breaks at row {number}: {values}"]
    return []
