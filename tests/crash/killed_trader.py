"""A program that trades on paper until it is killed: python -m tests.crash.killed_trader LEDGER SEED."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from random import Random

from polymarket_agent.db import Database
from polymarket_agent.domain.book import Side
from polymarket_agent.domain.events import Timer
from polymarket_agent.domain.market import FeeSchedule
from polymarket_agent.domain.order import TimeInForce
from tests.trading_world import BID, NO, START_MS, YES, PaperDesk, a_market, a_signal, books, change, traded

FEES = FeeSchedule(40_000)


async def trade_for_ever(path: Path, seed: int) -> None:
    """Place, fill and cancel as fast as the ledger takes it; each seed lives after the one before."""
    random = Random(seed)
    desk = PaperDesk(a_market(fees=FEES), db=Database(path), cash="100000", latency_ms=1)
    now_ms = START_MS + seed * 1_000_000
    while True:
        now_ms += 2
        desk.tell(*books([("0.49", 100), ("0.48", "33.333333")], [("0.51", 50), ("0.52", "12.345678")], now_ms))
        at = random.choice(("0.48", "0.49", "0.5", "0.51", "0.52"))
        tif = random.choice(tuple(TimeInForce))
        side, asset = random.choice(tuple(Side)), random.choice((YES, NO))
        order = await desk.place(
            a_signal(side, at, random.choice((5, 20, 77)), asset_id=asset, tif=tif, expires_at_ms=now_ms + 9)
        )
        desk.tell(Timer(now_ms + 1, now_ms + 1), change(BID, "0.5", random.choice((0, 3)), at_ms=now_ms + 1))
        desk.tell(traded("0.48", 7, taker_buys=False, at_ms=now_ms + 1, key=str(now_ms)))
        if random.random() < 0.5:
            await desk.cancel(order)
        print(now_ms, flush=True)  # noqa: T201 - the killer counts these


if __name__ == "__main__":
    asyncio.run(trade_for_ever(Path(sys.argv[1]), int(sys.argv[2])))
