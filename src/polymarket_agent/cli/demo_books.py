"""The ledger beside the exchange's own books, in base units."""

from __future__ import annotations

import sqlite3
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from polymarket_agent.cli.common import safe_text
from polymarket_agent.domain.money import display
from polymarket_agent.errors import AgentError

__all__ = ["Comparison", "Row", "compare", "exchange_books", "progress_of", "state_of", "unsettled_of"]

_RANK = ("REDUCING", "RECOVERING", "HALTED", "KILLED")
_OPEN = "state NOT IN ('FILLED', 'CANCELED', 'REJECTED', 'ABANDONED')"


@dataclass(frozen=True, slots=True)
class Row:
    """One quantity, as both have it."""

    what: str
    theirs: str
    ours: str
    difference: str


@dataclass(slots=True)
class Comparison:
    """What was compared and what happened on the way."""

    rows: list[Row] = field(default_factory=list)
    stories: list[str] = field(default_factory=list)
    equal: bool = True

    def add(self, what: str, theirs: int, ours: int, places: int | None = 6) -> None:
        """Compare one number; `places` None for counts."""
        texts = [str(each) if places is None else display(each, places) for each in (theirs, ours, ours - theirs)]
        self.rows.append(Row(what, *texts))
        self.equal = self.equal and theirs == ours

    def plain(self) -> dict[str, Any]:
        """Return it as JSON values."""
        rows = [
            {"what": row.what, "exchange": row.theirs, "ledger": row.ours, "difference": row.difference}
            for row in self.rows
        ]
        return {"equal": self.equal, "rows": rows, "stories": self.stories}


def _ask(ledger: Path, statement: str) -> list[sqlite3.Row]:
    from polymarket_agent.db import open_for_reading

    with open_for_reading(ledger) as connection:
        return connection.execute(statement).fetchall()


def state_of(ledger: Path, life: int) -> str:
    """Return the state of the agent in a life of its own, counted from 1; "STARTING" before it has written one."""
    from polymarket_agent.errors import DatabaseError

    try:
        rows = _ask(ledger, "SELECT state, left_ms FROM agent_states")
        epoch = next((row["epoch"] for row in _ask(ledger, "SELECT epoch FROM lease")), 0)
    except DatabaseError:
        return "STARTING"
    if epoch < life:
        return "STARTING"
    held = [row["state"] for row in rows if row["left_ms"] is None]
    return max(held, key=_RANK.index) if held else "ACTIVE" if rows else "STARTING"


def progress_of(ledger: Path) -> str:
    """Return one line about orders and fills."""
    orders = {row[0]: row[1] for row in _ask(ledger, "SELECT state, count(*) FROM orders GROUP BY state")}
    fills = {row[0]: row[1] for row in _ask(ledger, "SELECT settlement, count(*) FROM fills GROUP BY settlement")}
    live = sum(number for state, number in orders.items() if state in ("OPEN", "SUBMITTED", "DELAYED"))
    settling = sum(fills.values()) - fills.get("CONFIRMED", 0) - fills.get("FAILED", 0)
    parts = [f"orders {sum(orders.values())}", f"open {live}"]
    parts += [f"{state.lower()} {orders[state]}" for state in ("UNKNOWN", "QUARANTINED") if state in orders]
    parts += [f"fills {sum(fills.values())}: settled {fills.get('CONFIRMED', 0)}, settling {settling}"]
    return ", ".join(parts) + (f", failed {fills['FAILED']}" if "FAILED" in fills else "")


def unsettled_of(ledger: Path) -> int:
    """Return how many fills may still fail, and orders that may still be matched."""
    fills = _ask(ledger, "SELECT count(*) FROM fills WHERE settlement NOT IN ('CONFIRMED', 'FAILED')")[0][0]
    orders = _ask(ledger, f"SELECT count(*) FROM orders WHERE {_OPEN} AND state <> 'QUARANTINED'")[0][0]  # noqa: S608
    return int(fills) + int(orders)


async def exchange_books(admin_url: str, wallet: str) -> dict[str, Any]:
    """Return what the local exchange has of a wallet, asked at its own door and not by the venue's protocol."""
    import aiohttp

    async with (
        aiohttp.ClientSession(trust_env=False) as session,
        session.get(f"{admin_url}/account/{wallet}") as answer,
    ):
        if answer.status != 200:
            raise AgentError(f"the local exchange does not tell of {wallet}: {answer.status}")
        found: dict[str, Any] = await answer.json()
        return found


def compare(ledger: Path, books: dict[str, Any]) -> Comparison:
    """Compare a ledger with the exchange's books of its wallet."""
    found = Comparison()
    balances = {
        (row["account"], row["unit"]): row["total"]
        for row in _ask(ledger, "SELECT account, unit, sum(amount) AS total FROM postings GROUP BY account, unit")
    }
    found.add("cash, pUSD", books["cash"], balances.get(("cash", "USDC"), 0))
    labels = _labels(ledger)
    held = {unit: amount for (name, unit), amount in balances.items() if name == "holding" and amount}
    for asset_id in sorted({*held, *books["shares"]}, key=lambda each: labels.get(each, each)):
        name = labels.get(asset_id, asset_id[:16])
        found.add(f"shares {name}", books["shares"].get(asset_id, 0), held.get(asset_id, 0))
    orders = {row["order_id"]: row for row in _ask(ledger, "SELECT * FROM orders")}
    live = sum(each["status"] in ("LIVE", "DELAYED") for each in books["orders"])
    found.add("open orders", live, sum(_is_open(row["state"]) for row in orders.values()), None)
    arrived = {each["order_id"] for each in books["orders"]}
    found.add("orders that arrived", len(arrived), len(arrived & set(orders)), None)
    legs = Counter(each["status"] for each in books["legs"])
    ours = Counter(row["settlement"] for row in _ask(ledger, "SELECT settlement FROM fills"))
    for status in ("CONFIRMED", "FAILED"):
        found.add(f"fills {status.lower()}", legs[status], ours[status], None)
    others = sum(legs.values()) - legs["CONFIRMED"] - legs["FAILED"]
    found.add("fills still settling", others, sum(ours.values()) - ours["CONFIRMED"] - ours["FAILED"], None)
    fees = sum(each["fee"] for each in books["legs"] if each["status"] != "FAILED")
    found.add("fees, pUSD", fees, balances.get(("fees", "USDC"), 0))
    twice = Counter(orders[each]["intent"] for each in arrived if each in orders)
    found.add("decisions sent as two orders", 0, sum(number > 1 for number in twice.values()), None)
    found.stories = _stories(ledger)
    return found


def _is_open(state: str) -> bool:
    return state in ("OPEN", "DELAYED", "SUBMITTED", "UNKNOWN")


def _labels(ledger: Path) -> dict[str, str]:
    labels = {}
    for row in _ask(ledger, "SELECT * FROM markets"):
        for which in ("first", "second"):
            labels[row[f"{which}_asset"]] = f"{safe_text(row['slug'])[:28]} {safe_text(row[f'{which}_label'])}"
    return labels


def _stories(ledger: Path) -> list[str]:
    """Return what went wrong by the ledger's own rows, one sentence each."""
    lines = []
    for row in _ask(ledger, "SELECT order_id, n, started_ms, text FROM attempts WHERE answer = 'unknown'"):
        events = _ask(
            ledger,
            f"SELECT at_ms, to_state FROM order_events WHERE order_id = '{row['order_id']}' ORDER BY event_id",  # noqa: S608
        )
        proof = next((e for e in events if e["at_ms"] >= row["started_ms"] and e["to_state"] not in _WAITING), None)
        took = f"{(proof['at_ms'] - row['started_ms']) / 1_000:.1f} s" if proof else ""
        became = f"proven {proof['to_state']} by the venue's own word within {took}" if proof else "not proven yet"
        lines.append(f"answer lost        order {row['order_id'][:12]}…: {became}; one order there, one here")
    for row in _ask(ledger, "SELECT * FROM fills WHERE settlement = 'FAILED'"):
        amount = f"{row['side']} {display(row['quantity'])} for {display(row['notional'])} pUSD"
        lines.append(f"settlement failed  trade {row['trade_id'][:8]}…: {amount}, booked and reversed to the base unit")
    runs = _ask(ledger, "SELECT run_id, ended FROM runs WHERE ended IS NULL")
    lines += [
        f"kill -9            run {row['run_id']} ended without a word; the next one recovered its books" for row in runs
    ]
    return lines or ["nothing went wrong (the faults struck nobody in this time)"]


_WAITING = ("SUBMITTED", "UNKNOWN", "PREPARED")
