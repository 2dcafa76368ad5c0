"""PaperTrader: what only a simulation promises, and what a restart must keep."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from polymarket_agent.db import Database
from polymarket_agent.domain.book import Side
from polymarket_agent.domain.events import (
    BookDelta,
    BookSnapshot,
    Filled,
    Gap,
    MarketListed,
    MarketResolved,
    Timer,
)
from polymarket_agent.domain.market import AssetId, ConditionId, FeeSchedule, Outcome
from polymarket_agent.domain.money import MICRO, Shares, price, shares, usdc
from polymarket_agent.domain.order import Evidence, Fill, Order, OrderId, OrderState, TimeInForce
from polymarket_agent.domain.signal import Signal
from polymarket_agent.errors import AgentError, LedgerError
from polymarket_agent.execution.base import NEVER_MS, Executor
from polymarket_agent.execution.paper import PaperTrader
from tests.trading_world import (
    ASK,
    BID,
    CONDITION,
    NO,
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


async def test_an_executor_need_not_cancel_or_list() -> None:
    """The base class cancels nothing, lists nothing, and reports nothing."""

    class Least(Executor):
        async def place_order(self, signal: Signal) -> Order:
            raise NotImplementedError

        async def get_portfolio(self) -> object:  # type: ignore[override]
            raise NotImplementedError

    least = Least()
    assert not await least.cancel_order(OrderId("x"))
    assert (await least.get_open_orders(), least.observe(Timer(1))) == ([], ())
    await least.aclose()


async def test_a_paper_trader_needs_a_balance_and_a_database_only() -> None:
    """Without board and clock it keeps its own board and the time of the last event."""
    with Database(":memory:") as db:
        trader = PaperTrader(usdc("100"), db)
        for event in (MarketListed(a_market(), START_MS), *books([("0.49", 100)], [("0.51", 50)])):
            trader.observe(event)
        order = await trader.place_order(a_signal(Side.BUY, "0.51", 10))
        assert (order.state, order.created_ms) == (OrderState.FILLED, START_MS)
        assert len([e for e in trader.observe(Timer(START_MS + 1)) if isinstance(e, Filled)]) == 1


async def test_what_cannot_be_an_order_raises(desk: PaperDesk) -> None:
    """An unknown asset and a size of nothing are mistakes of the caller."""
    with pytest.raises(AgentError, match="no market"):
        await desk.place(a_signal(Side.BUY, "0.5", 10, asset_id=AssetId("33")))
    with pytest.raises(AgentError, match="buys no share"):
        await desk.place(replace(a_signal(Side.BUY, "0.5", 10), size=usdc("0")))


@pytest.mark.parametrize(
    ("signal", "reason"),
    [
        (a_signal(Side.BUY, "0.505", 10), "grid"),
        (a_signal(Side.BUY, "0.5", 4), "minimum"),
        (a_signal(Side.BUY, "0.5", 10, tif=TimeInForce.FOK, post_only=True), "post-only"),
    ],
)
async def test_the_simulated_venue_refuses_what_the_real_one_would(
    desk: PaperDesk, signal: Signal, reason: str
) -> None:
    """Form and kind are checked on arrival, against the grid of then."""
    order = await desk.place(signal)
    assert order.state is OrderState.REJECTED
    assert reason in order.reason


async def test_taking_pays_the_fee_and_resting_does_not() -> None:
    """Ten at .51 at rate 0.05 cost 5.1 and 0.12495; a resting fill costs its price alone."""
    desk = PaperDesk(a_market(fees=FeeSchedule(50_000)))
    desk.tell(*books([("0.49", 10)], [("0.51", 10)]))
    await desk.place(a_signal(Side.BUY, "0.51", 10))
    await desk.place(a_signal(Side.BUY, "0.49", 10))
    desk.tell(traded("0.48", 10, taker_buys=False))
    assert [(f.fee, f.is_maker, f.evidence) for f in desk.fills] == [
        (usdc("0.12495"), False, Evidence.DISPLAYED),
        (0, True, Evidence.TRADED_THROUGH),
    ]
    assert desk.account.cash == usdc("1000") - usdc("5.1") - usdc("0.12495") - usdc("4.9")
    desk.check()


async def test_dust_levels_never_cost_more_than_was_reserved() -> None:
    """I12 with cash to the last micro-unit: levels of a millionth of a share and a fee unit that rounds up."""
    desk = PaperDesk(a_market(fees=FeeSchedule(50_000), tick="0.0001"), cash="0.00105")
    desk.tell(*books([], [("0.0001", "0.000001"), ("0.0002", 100)]))
    order = await desk.place(a_signal(Side.BUY, "0.0002", 5))
    assert order.state is OrderState.FILLED
    assert len(desk.fills) == 2
    desk.check()


async def test_an_order_meets_the_book_of_its_arrival() -> None:
    """With 50 ms of latency the ask that was seen is gone; a cancellation on its way does not stop a fill."""
    desk = PaperDesk(latency_ms=50)
    desk.tell(*books([("0.49", 100)], [("0.51", 50)]))
    order = await desk.place(a_signal(Side.BUY, "0.51", 10))
    assert (order.state, order.reserved) == (OrderState.SUBMITTED, usdc("5.1"))
    desk.tell(change(ASK, "0.51", 0, at_ms=START_MS + 49))
    assert desk.tell(Timer(START_MS + 50)) == []
    assert await desk.cancel(order)
    assert len(desk.tell(traded("0.5", 4, taker_buys=False, at_ms=START_MS + 99))) == 1
    assert desk.tell(traded("0.5", 4, taker_buys=False, at_ms=START_MS + 100)) == []
    assert stored_order(desk.db, order.order_id).state is OrderState.CANCELED


async def test_an_order_that_ends_before_it_arrives_is_refused() -> None:
    """GTD shorter than the latency never rests."""
    desk = PaperDesk(latency_ms=50)
    desk.tell(*books([("0.49", 100)], [("0.51", 50)]))
    order = await desk.place(a_signal(Side.BUY, "0.49", 10, tif=TimeInForce.GTD, expires_at_ms=START_MS + 20))
    desk.tell(Timer(START_MS + 60))
    ended = stored_order(desk.db, order.order_id)
    assert (ended.state, ended.reason, ended.reserved) == (OrderState.REJECTED, "expired", 0)


async def test_an_order_that_meets_no_book_waits_for_one(desk: PaperDesk) -> None:
    """In a gap nobody knows what it would take: it waits, then takes as a taker with the fee; FOK is refused."""
    desk.tell(Gap((), "lost", START_MS))
    order = await desk.place(a_signal(Side.BUY, "0.51", 10))
    assert order.state is OrderState.SUBMITTED
    assert (await desk.place(a_signal(Side.BUY, "0.51", 10, tif=TimeInForce.FOK))).state is OrderState.REJECTED
    desk.tell(*books([("0.49", 100)], [("0.51", 50)], START_MS + 500))
    assert [f.is_maker for f in desk.tell(Timer(START_MS + 1_000))] == [False]


async def test_a_fee_that_rose_on_the_way_is_reserved_or_the_order_refused() -> None:
    """The venue checks the balance with the fee of the match, and so does the simulation."""
    desk = PaperDesk(latency_ms=50, cash="5.1")
    desk.tell(*books([("0.49", 100)], [("0.51", 50)]))
    order = await desk.place(a_signal(Side.BUY, "0.51", 10))
    desk.tell(MarketListed(a_market(fees=FeeSchedule(50_000)), START_MS + 1))
    desk.tell(Timer(START_MS + 50))
    assert "not enough balance" in stored_order(desk.db, order.order_id).reason
    desk.check()


async def test_made_up_books_give_assumed_fills(desk: PaperDesk) -> None:
    """Fills from a book that nobody displayed carry that as their evidence."""
    at_ms = START_MS + 1
    desk.tell(BookSnapshot(YES, levels([("0.49", 100)]), levels([("0.51", 50)]), at_ms, at_ms, synthetic=True))
    await desk.place(a_signal(Side.BUY, "0.51", 10))
    assert [fill.evidence for fill in desk.fills] == [Evidence.ASSUMED]


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
    again.db.close()


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
    again.db.close()


@pytest.mark.parametrize("latency_ms", [0, 50])
async def test_an_order_that_ended_while_the_agent_was_down_is_not_filled(tmp_path: Path, latency_ms: int) -> None:
    """GTD counts real time: resting or on its way, after its end it takes nothing at the restart."""
    path = tmp_path / "ledger.db"
    desk = PaperDesk(db=Database(path), latency_ms=latency_ms)
    desk.tell(*books([("0.49", 100)], [("0.51", 50)]))
    order = await desk.place(a_signal(Side.BUY, "0.5", 10, tif=TimeInForce.GTD, expires_at_ms=START_MS + 1_000))
    again = await restart(desk, path, latency_ms=latency_ms)
    again.clock.advance_to(START_MS + 60_000)
    again.board.apply(books([("0.4", 100)], [("0.45", 50)], START_MS + 60_000)[0])
    again.tell(*books([("0.4", 100)], [("0.45", 50)], START_MS + 60_000))
    assert (again.fills, stored_order(again.db, order.order_id).reason) == ([], "expired")
    again.db.close()


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
    again.db.close()


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
    again.db.close()


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


async def test_time_that_steps_back_does_not_turn_an_order_back(desk: PaperDesk) -> None:
    """Stamps step back by milliseconds on the wire; an order's own times never do."""
    desk.tell(*books([], [("0.51", 50)], START_MS + 100))
    order = await desk.place(a_signal(Side.BUY, "0.5", 10))
    late = BookDelta(((YES, False, price("0.5"), shares(3)), (NO, True, price("0.5"), shares(3))), START_MS + 90)
    fill = desk.tell(late)[0]
    assert fill.at_ms == order.updated_ms == START_MS + 100
    assert Shares(desk.account.quantity_of(YES)) == shares(3)
    assert desk.trader.next_due_ms == NEVER_MS
