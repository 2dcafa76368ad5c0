"""PaperTrader and its ledger: what a restart keeps, and what the ledger refuses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from polymarket_agent.db import Database
from polymarket_agent.domain.book import Side
from polymarket_agent.domain.events import (
    BookSnapshot,
    MarketListed,
    MarketResolved,
    Timer,
)
from polymarket_agent.domain.market import AssetId, ConditionId, FeeSchedule, Outcome
from polymarket_agent.domain.money import MICRO, price, shares, usdc
from polymarket_agent.domain.order import Evidence, Fill, OrderCause, OrderState, TimeInForce
from polymarket_agent.errors import LedgerError
from polymarket_agent.ledger.accounts import Posting
from tests.trading_world import (
    BID,
    CONDITION,
    START_MS,
    YES,
    PaperDesk,
    a_market,
    a_signal,
    books,
    change,
    levels,
    stored_order,
    traded,
)


@pytest.fixture
def desk() -> PaperDesk:
    return PaperDesk()


async def restart(desk: PaperDesk, path: Path, **options: int) -> PaperDesk:
    desk.db.close()
    again = PaperDesk(db=Database(path), latency_ms=options.get("latency_ms", 0))
    again.clock.advance_to(desk.clock.now_ms())
    return again


async def test_a_restart_resumes_exactly(tmp_path: Path) -> None:
    """Cash, positions, open orders with their reservations, and the serial of orders are what they were."""
    path = tmp_path / "ledger.db"
    desk = PaperDesk(db=Database(path))
    desk.tell(*books([("0.49", 100)], [("0.51", 50)]))
    await desk.place(a_signal(Side.BUY, "0.51", 60))
    await desk.place(a_signal(Side.SELL, "0.6", 20))
    before = (desk.account.cash, desk.account.positions, list(desk.account.orders.values()))
    again = await restart(desk, path)
    assert (again.account.cash, again.account.positions, list(again.account.orders.values())) == before
    again.tell(*books([("0.49", 100)], [("0.52", 50)], START_MS + 9))
    again.tell(Timer(START_MS + 5_000))
    assert again.fills == []
    assert (await again.place(a_signal(Side.BUY, "0.4", 10))).order_id == "paper-3"
    again.check()


async def test_a_resumed_order_takes_nothing_and_stands_last_in_the_queue(tmp_path: Path) -> None:
    """A post-only order that rested before a restart never takes; what went through it fills it as a maker."""
    path = tmp_path / "ledger.db"
    desk = PaperDesk(a_market(fees=FeeSchedule(50_000)), db=Database(path))
    desk.tell(*books([("0.49", 100)], [("0.51", 50)]))
    await desk.place(a_signal(Side.BUY, "0.5", 10, post_only=True))
    again = await restart(desk, path)
    again.tell(*books([("0.4", 100)], [("0.45", 4)], START_MS + 2_000))
    fills = again.tell(change(BID, "0.39", 1, at_ms=START_MS + 4_000)) + again.fills
    assert {(f.is_maker, f.price, f.fee, f.evidence) for f in fills} == {(True, price("0.5"), 0, Evidence.BOOK_THROUGH)}
    assert again.account.quantity_of(YES) == shares(4)


@pytest.mark.parametrize("latency_ms", [0, 50])
async def test_an_order_that_ended_while_the_agent_was_down_is_not_filled(tmp_path: Path, latency_ms: int) -> None:
    """GTD counts real time: resting or on its way, after its end it takes nothing, even from a book that is there."""
    path, later = tmp_path / "ledger.db", START_MS + 60_000
    desk = PaperDesk(db=Database(path), latency_ms=latency_ms)
    desk.tell(*books([("0.49", 100)], [("0.51", 50)]))
    order = await desk.place(a_signal(Side.BUY, "0.5", 10, tif=TimeInForce.GTD, expires_at_ms=START_MS + 1_000))
    desk.db.close()
    known = [MarketListed(a_market(), later), *books([("0.4", 100)], [("0.45", 50)], later)]
    again = PaperDesk(db=Database(path), latency_ms=latency_ms, at_ms=later, known=known)
    again.tell(*books([("0.4", 100)], [("0.45", 50)], later))
    assert (again.fills, stored_order(again.db, order.order_id).reason) == ([], "expired")


async def test_a_fill_or_kill_order_never_comes_back(tmp_path: Path) -> None:
    """Killed between acceptance and fill, a FOK order is closed at the restart: it never rests."""
    path = tmp_path / "ledger.db"
    desk = PaperDesk(db=Database(path), latency_ms=50)
    desk.tell(*books([("0.49", 100)], [("0.51", 50)]))
    order = await desk.place(a_signal(Side.BUY, "0.51", 10, tif=TimeInForce.FOK))
    desk.journal.order(order.move(OrderCause.ACCEPTED, START_MS), before="SUBMITTED")
    again = await restart(desk, path)
    again.tell(*books([("0.49", 100)], [("0.51", 50)], START_MS + 9), Timer(START_MS + 2_000))
    assert (again.fills, again.account.orders, again.account.free_cash) == ([], {}, usdc("1000"))
    assert stored_order(again.db, order.order_id).state is OrderState.CANCELED


def test_the_ledger_refuses_an_entry_that_does_not_balance() -> None:
    """The last check before the disk: one side of an entry alone raises and writes nothing."""
    desk = PaperDesk()
    with pytest.raises(LedgerError, match="does not balance"):
        desk.db.run(lambda connection: desk.journal._post(connection, "x", 0, [Posting("cash", "USDC", 1)]))
    desk.check()


async def test_a_listing_after_a_restart_may_bring_the_end(tmp_path: Path) -> None:
    """A market resolved while the agent was down pays out and closes its orders when it is listed again."""
    path = tmp_path / "ledger.db"
    desk = PaperDesk(db=Database(path))
    desk.tell(*books([("0.49", 100)], [("0.51", 50)]))
    await desk.place(a_signal(Side.BUY, "0.51", 60))
    again = await restart(desk, path)
    again.tell(MarketListed(a_market().resolved((MICRO, 0)), START_MS + 9_000, START_MS + 9_000))
    assert (again.account.cash, again.account.orders) == (usdc("1000") - usdc("25.5") + usdc("50"), {})
    again.check()


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE postings SET amount = amount + 1 WHERE posting_id = 3",
        "UPDATE fills SET quantity = quantity - 1",
        "UPDATE orders SET matched = matched - 1 WHERE matched > 0",
        "DELETE FROM postings WHERE entry LIKE 'fill:%'",
        "UPDATE fills SET notional = notional + 1",
    ],
)
async def test_a_ledger_that_contradicts_itself_stops_the_start(damage: str) -> None:
    """Rows that were written together and differ now are found before anything trades."""
    desk = PaperDesk()
    desk.tell(*books([("0.49", 100)], [("0.51", 50)]))
    await desk.place(a_signal(Side.BUY, "0.51", 10))
    desk.db.run(lambda connection: connection.execute(damage))
    with pytest.raises(LedgerError):
        PaperDesk(db=desk.db)


async def test_fills_and_resolutions_are_replayed_in_their_order(tmp_path: Path) -> None:
    """Buy, resolve one market, buy in another: recovery gets the same cash, gains and costs as the run."""
    path = tmp_path / "ledger.db"
    desk = PaperDesk(db=Database(path))
    twin = AssetId("110")
    outcomes = (Outcome(twin, "Yes"), Outcome(AssetId("220"), "No"))
    desk.tell(MarketListed(replace(a_market(), condition_id=ConditionId("0xc1"), outcomes=outcomes), START_MS))
    desk.tell(*books([("0.49", 100)], [("0.51", 50)]))
    desk.tell(BookSnapshot(twin, levels([("0.29", 100)]), levels([("0.31", 50)]), START_MS, START_MS))
    await desk.place(a_signal(Side.BUY, "0.31", 20, asset_id=twin))
    await desk.place(a_signal(Side.BUY, "0.51", 30))
    await desk.place(a_signal(Side.SELL, "0.29", 7, asset_id=twin))
    desk.tell(MarketResolved(CONDITION, (500_000, 500_000), START_MS + 1, START_MS + 1))
    await desk.place(a_signal(Side.SELL, "0.29", 6, asset_id=twin))
    kept = (desk.account.cash, desk.account.realised, desk.account.positions)
    again = await restart(desk, path)
    assert (again.account.cash, again.account.realised, again.account.positions) == kept
    again.check()


async def test_a_fill_that_is_told_twice_is_booked_once(desk: PaperDesk) -> None:
    """A late copy adds no row and no posting, and does not turn the order back to what it was then."""
    desk.tell(*books([("0.49", 0)], [("0.51", 50)]))
    order = await desk.place(a_signal(Side.BUY, "0.5", 10))
    first: Fill = desk.tell(traded("0.5", 4, taker_buys=False))[0]
    after_first = stored_order(desk.db, order.order_id)
    desk.tell(traded("0.5", 3, taker_buys=False))
    for _ in range(2):
        desk.journal.fill(first, after_first, before="OPEN")
    assert stored_order(desk.db, order.order_id).matched == shares(7)
    count = desk.db.run(lambda c: c.execute("SELECT count(*), count(DISTINCT entry) FROM postings").fetchone())
    assert count == (2 + 5 + 5, 3)
    desk.check()
