"""What every executor must do, as numbered cards. A test module makes a `desk` fixture and imports the cards.

The desk speaks for the venue: books and trades `happens`, `place` and `cancel` go through the executor; then look at
what the executor reports and at what its account holds. A desk returns when what was done is known and settled.
"""

from __future__ import annotations

from typing import Protocol

import pytest

from polymarket_agent.domain.book import Side
from polymarket_agent.domain.events import Event, MarketClosed, MarketResolved
from polymarket_agent.domain.market import AssetId
from polymarket_agent.domain.money import MICRO, Usdc, price, shares, usdc
from polymarket_agent.domain.order import Fill, Order, OrderState, TimeInForce
from polymarket_agent.domain.portfolio import Account
from polymarket_agent.domain.signal import Signal
from polymarket_agent.execution.base import Executor
from tests.trading_world import BID, CONDITION, NO, START_MS, YES, a_signal, books, change, traded

__all__ = [
    "ContractDesk",
    "opening",
    "test_c01_a_marketable_order_takes_and_rests_the_remainder",
    "test_c02_a_limit_is_never_passed",
    "test_c03_fok_is_all_or_nothing",
    "test_c04_fak_takes_what_there_is_and_rests_nothing",
    "test_c05_post_only_is_refused_rather_than_cross",
    "test_c06_gtd_ends_at_its_time",
    "test_c07_a_cancelled_order_never_fills",
    "test_c08_means_are_reserved_when_the_order_is_placed",
    "test_c09_shares_are_sold_once",
    "test_c10_a_closed_market_closes_its_orders",
    "test_c11_a_resolution_pays_out",
    "test_c12_open_orders_are_listed_oldest_first",
    "test_c13_both_outcomes_mean_what_they_say",
]


class ContractDesk(Protocol):
    """What the cards need. Cards say YES and NO; a venue has names of its own for them, which `asset` tells."""

    @property
    def trader(self) -> Executor: ...

    @property
    def account(self) -> Account: ...

    def asset(self, asset_id: AssetId) -> AssetId: ...

    async def happens(self, *events: Event) -> list[Fill]:
        """Let others display, trade, close and resolve; return the fills that this led to."""
        ...

    async def place(self, signal: Signal) -> Order:
        """Place an order; return it as it stands when nothing more is to come of that."""
        ...

    async def cancel(self, order: Order) -> bool: ...

    def order(self, order: Order) -> Order: ...

    def is_refused(self, order: Order) -> bool:
        """Whether an order was refused, by us or by the venue, and can never be matched."""
        ...

    def ends_ms(self) -> int:
        """Return a time at which an order may end."""
        ...

    def before(self, ends_ms: int) -> int:
        """Return a time before that, at which things still happen."""
        ...

    async def settle(self) -> None:
        """Let the payouts of resolved markets be paid."""
        ...

    def check(self) -> None:
        """Require that account and ledger, and where there is one the venue, agree to the micro-unit."""
        ...


@pytest.fixture(autouse=True)
async def opening(desk: ContractDesk) -> None:
    await desk.happens(*books([("0.49", 100), ("0.48", 50)], [("0.51", 50), ("0.53", 70)]))


async def holding(desk: ContractDesk, quantity: int = 50) -> None:
    await desk.place(a_signal(Side.BUY, "0.51", quantity, tif=TimeInForce.FOK))


async def test_c01_a_marketable_order_takes_and_rests_the_remainder(desk: ContractDesk) -> None:
    """A GTC buy of 60 at .51 takes the 50 displayed, pays .51 for each, and rests with 10."""
    order = await desk.place(a_signal(Side.BUY, "0.51", 60))
    assert (order.state, order.matched, order.remaining) == (OrderState.OPEN, shares(50), shares(10))
    assert desk.account.cash == usdc("1000") - usdc("25.5")
    assert order.reserved == usdc("5.1")
    desk.check()


async def test_c02_a_limit_is_never_passed(desk: ContractDesk) -> None:
    """A buy at .52 takes at .51, never at .53, and a better price is ours."""
    order = await desk.place(a_signal(Side.BUY, "0.52", 100))
    assert order.matched == shares(50)
    assert desk.account.cash == usdc("1000") - usdc("25.5")


async def test_c03_fok_is_all_or_nothing(desk: ContractDesk) -> None:
    """120 are displayed within .53: 121 are refused and nothing moves, 120 are filled to the last share."""
    refused = await desk.place(a_signal(Side.BUY, "0.53", 121, tif=TimeInForce.FOK))
    assert desk.is_refused(refused)
    assert (refused.matched, refused.reserved, desk.account.cash) == (0, 0, usdc("1000"))
    assert "FOK" in refused.reason
    filled = await desk.place(a_signal(Side.BUY, "0.53", 120, tif=TimeInForce.FOK))
    assert (filled.state, filled.matched) == (OrderState.FILLED, shares(120))
    desk.check()


async def test_c04_fak_takes_what_there_is_and_rests_nothing(desk: ContractDesk) -> None:
    """80 wanted, 50 there: 50 filled, the rest cancelled and released; with nothing there it is refused."""
    order = await desk.place(a_signal(Side.BUY, "0.51", 80, tif=TimeInForce.FAK))
    assert (order.state, order.matched, order.reserved) == (OrderState.CANCELED, shares(50), 0)
    again = await desk.place(a_signal(Side.BUY, "0.51", 80, tif=TimeInForce.FAK))
    assert desk.is_refused(again)
    assert await desk.trader.get_open_orders() == []
    desk.check()


@pytest.mark.parametrize(("side", "at"), [(Side.BUY, "0.51"), (Side.SELL, "0.49")])
async def test_c05_post_only_is_refused_rather_than_cross(desk: ContractDesk, side: Side, at: str) -> None:
    """Meeting the other side's best is refused with nothing filled; one step away rests."""
    await holding(desk, 20)
    order = await desk.place(a_signal(side, at, 10, post_only=True))
    assert (desk.is_refused(order), order.matched) == (True, 0)
    assert "post-only" in order.reason
    resting = await desk.place(a_signal(side, "0.5", 10, post_only=True))
    assert resting.state is OrderState.OPEN


async def test_c06_gtd_ends_at_its_time(desk: ContractDesk) -> None:
    """A trade through the price fills until the end; from the end on the order is cancelled and fills no more."""
    ends_ms = desk.ends_ms()
    order = await desk.place(a_signal(Side.BUY, "0.49", 20, tif=TimeInForce.GTD, expires_at_ms=ends_ms))
    assert await desk.happens(traded("0.48", 5, taker_buys=False, at_ms=desk.before(ends_ms))) != []
    assert await desk.happens(traded("0.48", 6, taker_buys=False, at_ms=ends_ms)) == []
    ended = desk.order(order)
    assert (ended.state, ended.matched, ended.reserved) == (OrderState.CANCELED, shares(5), 0)
    assert "expired" in ended.reason.lower()  # the venue has a word of its own for it


async def test_c07_a_cancelled_order_never_fills(desk: ContractDesk) -> None:
    """Cancelling releases the reservation, and no later trade reaches the order; a second cancel is False."""
    order = await desk.place(a_signal(Side.BUY, "0.49", 20))
    assert await desk.cancel(order)
    assert await desk.happens(traded("0.48", 99, taker_buys=False, at_ms=START_MS + 60_000)) == []
    assert (desk.order(order).state, desk.account.free_cash) == (OrderState.CANCELED, usdc("1000"))
    assert not await desk.cancel(order)


async def test_c08_means_are_reserved_when_the_order_is_placed(desk: ContractDesk) -> None:
    """Two buys of 490 fit in 1000, a third does not, and is refused without touching anything."""
    for _ in range(2):
        await desk.place(a_signal(Side.BUY, "0.49", 1_000))
    assert desk.account.free_cash == usdc("20")
    third = await desk.place(a_signal(Side.BUY, "0.49", 50))
    assert (desk.is_refused(third), third.reserved) == (True, 0)
    assert "not enough balance" in third.reason
    assert desk.account.free_cash == usdc("20")


async def test_c09_shares_are_sold_once(desk: ContractDesk) -> None:
    """What a resting sale promises cannot be promised again, and what is not held cannot be sold."""
    await holding(desk, 50)
    first = await desk.place(a_signal(Side.SELL, "0.6", 30))
    second = await desk.place(a_signal(Side.SELL, "0.6", 21))
    other = await desk.place(a_signal(Side.SELL, "0.6", 5, asset_id=NO))
    assert (first.state, desk.is_refused(second), desk.is_refused(other)) == (OrderState.OPEN, True, True)
    assert desk.account.free_shares(desk.asset(YES)) == shares(20)


async def test_c10_a_closed_market_closes_its_orders(desk: ContractDesk) -> None:
    """After the close nothing rests, nothing is reserved, and new orders are refused."""
    order = await desk.place(a_signal(Side.BUY, "0.49", 20))
    await desk.happens(MarketClosed(CONDITION, START_MS + 5, START_MS + 5))
    assert (desk.order(order).state, desk.account.reserved_cash) == (OrderState.CANCELED, 0)
    late = await desk.place(a_signal(Side.BUY, "0.49", 20))
    assert desk.is_refused(late)


@pytest.mark.parametrize(("payouts", "brings"), [((MICRO, 0), "50"), ((0, MICRO), "0"), ((500_000, 500_000), "25")])
async def test_c11_a_resolution_pays_out(desk: ContractDesk, payouts: tuple[int, int], brings: str) -> None:
    """Fifty YES become 50, 0 or 25 USDC; orders are closed, and a repeated resolution pays nothing."""
    await holding(desk, 50)
    order = await desk.place(a_signal(Side.BUY, "0.4", 20))
    cash = desk.account.cash
    resolved = MarketResolved(CONDITION, payouts, START_MS + 5, START_MS + 5)
    await desk.happens(resolved, resolved)
    await desk.settle()
    assert desk.account.cash == cash + usdc(brings)
    assert (desk.account.positions, desk.order(order).state) == ({}, OrderState.CANCELED)
    desk.check()


async def test_c12_open_orders_are_listed_oldest_first(desk: ContractDesk) -> None:
    """Only what may still be matched is listed."""
    placed = [await desk.place(a_signal(Side.BUY, at, 10)) for at in ("0.4", "0.45", "0.3")]
    await desk.cancel(placed[1])
    await desk.happens(change(BID, "0.01", 1, at_ms=START_MS + 60_000))
    assert [o.order_id for o in await desk.trader.get_open_orders()] == [placed[0].order_id, placed[2].order_id]


async def test_c13_both_outcomes_mean_what_they_say(desk: ContractDesk) -> None:
    """NO is bought at its own ask of .51 (YES is bid .49), and the shares are NO's."""
    order = await desk.place(a_signal(Side.BUY, "0.51", 100, asset_id=NO, tif=TimeInForce.FOK))
    yes, no = desk.asset(YES), desk.asset(NO)
    held = (desk.account.quantity_of(no), desk.account.quantity_of(yes))
    assert (order.state, held) == (OrderState.FILLED, (shares(100), 0))
    assert desk.account.cash == Usdc(usdc("1000") - price("0.51") * 100)
    portfolio = await desk.trader.get_portfolio()
    assert portfolio.positions[no].cost == usdc("51")
