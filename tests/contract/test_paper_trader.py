"""PaperTrader: what only a simulation promises."""

from __future__ import annotations

from dataclasses import replace

import pytest

from polymarket_agent.db import Database
from polymarket_agent.domain.book import Side
from polymarket_agent.domain.events import (
    BookDelta,
    BookSnapshot,
    Filled,
    Gap,
    MarketListed,
    Timer,
)
from polymarket_agent.domain.market import AssetId, FeeSchedule
from polymarket_agent.domain.money import Shares, price, shares, usdc
from polymarket_agent.domain.order import Evidence, Order, OrderId, OrderState, TimeInForce
from polymarket_agent.domain.signal import Signal
from polymarket_agent.errors import AgentError
from polymarket_agent.execution.base import NEVER_MS, Executor
from polymarket_agent.execution.paper import PaperTrader
from tests.trading_world import (
    ASK,
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


async def test_the_last_part_of_a_lot_may_come_from_the_next_level(desk: PaperDesk) -> None:
    """With 9.996 displayed at .51 the missing .004 are taken at .52, and only then is the order filled."""
    desk.tell(*books([], [("0.51", "9.996"), ("0.52", 5)]))
    order = await desk.place(a_signal(Side.BUY, "0.52", 10))
    assert [fill.quantity for fill in desk.fills] == [shares("9.996"), shares("0.004")]
    assert (order.state, order.matched, desk.account.quantity_of(YES)) == (OrderState.FILLED, shares(10), shares(10))
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


async def test_time_that_steps_back_does_not_turn_an_order_back(desk: PaperDesk) -> None:
    """Stamps step back by milliseconds on the wire; an order's own times never do."""
    desk.tell(*books([], [("0.51", 50)], START_MS + 100))
    order = await desk.place(a_signal(Side.BUY, "0.5", 10))
    late = BookDelta(((YES, False, price("0.5"), shares(3)), (NO, True, price("0.5"), shares(3))), START_MS + 90)
    fill = desk.tell(late)[0]
    assert fill.at_ms == order.updated_ms == START_MS + 100
    assert Shares(desk.account.quantity_of(YES)) == shares(3)
    assert desk.trader.next_due_ms == NEVER_MS
