"""kill -9 at random moments of a real process: the ledger is whole and says exactly where the trader was."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from random import Random

from polymarket_agent.db import Database, open_for_reading
from polymarket_agent.domain.market import AssetId
from polymarket_agent.domain.money import usdc
from polymarket_agent.ledger.journal import Journal
from polymarket_agent.ledger.recovery import recover
from tests.conftest import REPOSITORY
from tests.trading_world import NO, YES

KILLS = 12
CASH = usdc("100000")


def run_and_kill(path: Path, seed: int, after_moves: int) -> None:
    trader = subprocess.Popen(
        [sys.executable, "-m", "tests.crash.killed_trader", str(path), str(seed)],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert trader.stdout is not None
    for _ in range(after_moves):
        assert trader.stdout.readline(), trader.communicate()[1]
    trader.kill()
    trader.communicate()


def money_by_fills(path: Path) -> tuple[int, dict[AssetId, int], int]:
    """Return cash and shares by adding up the fills, and how many there are."""
    with open_for_reading(path) as reader:
        rows = reader.execute("SELECT side, asset_id, quantity, notional, fee FROM fills").fetchall()
    cash, held = int(CASH), {YES: 0, NO: 0}
    for row in rows:
        way = 1 if row["side"] == "BUY" else -1
        cash -= way * row["notional"] + row["fee"]
        held[row["asset_id"]] += way * row["quantity"]
    return cash, held, len(rows)


def live_orders(path: Path) -> list[tuple[str, str, int, int]]:
    with open_for_reading(path) as reader:
        rows = reader.execute(
            "SELECT order_id, state, matched, reserved FROM orders WHERE state IN ('SUBMITTED', 'OPEN') ORDER BY rowid"
        ).fetchall()
    return [tuple(row) for row in rows]


def test_a_killed_trader_comes_back_where_it_was(tmp_path: Path) -> None:
    """After each kill: postings balance, account and ledger agree, and cash, shares and live orders are those of the rows."""
    path, random, fills = tmp_path / "ledger.db", Random(20), 0
    for number in range(KILLS):
        run_and_kill(path, number, random.randint(1, 300))
        cash, held, count = money_by_fills(path)
        orders = live_orders(path)
        with Database(path) as db:
            account = recover(db).account  # refuses a ledger whose rows contradict each other
            assert account is not None
            Journal(db).require_agreement(account)
        assert (account.cash, {a: account.quantity_of(a) for a in (YES, NO)}) == (cash, held)
        assert [(o.order_id, o.state.value, o.matched, o.reserved) for o in account.orders.values()] == orders
        assert account.free_cash >= 0
        assert count >= fills
        fills = count
    assert fills, "a dozen runs without a fill prove nothing"
