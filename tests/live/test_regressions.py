"""What went wrong once in a simulated life, each as small as it can be told."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from polymarket_agent.clock import ManualClock
from polymarket_agent.domain.account import Account
from polymarket_agent.domain.book import Side
from polymarket_agent.domain.costs import shrink, unshrink
from polymarket_agent.domain.money import MICRO, Shares, usdc
from polymarket_agent.domain.order import CancelState, Order, OrderState
from polymarket_agent.errors import VenueUnavailableError
from polymarket_agent.execution.cancels import Cancels
from polymarket_agent.execution.inquiry import Inquiry, _Case
from polymarket_agent.execution.live_books import LiveBooks
from polymarket_agent.execution.live_types import Timing
from tests.live.sim_wishes import MARKETS
from tests.trading_world import a_fill, an_order

MARKET = MARKETS[0]
ASSET = MARKET.asset_ids[0]
NOW_MS = 1_800_000_000_000


class Silent:
    """Takes every call and does nothing: a journal, an alarm, a lane."""

    def __getattr__(self, name: str) -> Any:
        return lambda *_, **__: False


class Answers:
    """A gateway that has no orders and no trades, or cannot be read."""

    def __init__(self) -> None:
        self.down = False

    async def _nothing(self) -> list[Any]:
        if self.down:
            raise VenueUnavailableError("500")
        return []

    async def order(self, _: str) -> None:
        await self._nothing()

    async def legs(self, _: int) -> list[Any]:
        return await self._nothing()

    async def open_orders(self) -> list[Any]:
        return await self._nothing()


def quarantined(*, until_ms: int) -> Order:
    order = replace(an_order(Side.BUY, "0.5", 10, asset_id=ASSET), condition_id=MARKET.condition_id)
    return replace(order, state=OrderState.QUARANTINED, reserved=usdc(6), deadline_ms=until_ms, updated_ms=NOW_MS)


def books_with(order: Order) -> LiveBooks:
    account = Account(usdc(100))
    account.apply_order(order)
    return LiveBooks(account, Silent(), lambda *_: MARKET, Silent())  # type: ignore[arg-type]


def inquiry_of(books: LiveBooks, gateway: Answers, clock: ManualClock) -> Inquiry:
    return Inquiry(
        gateway,  # type: ignore[arg-type]
        books,
        Silent(),  # type: ignore[arg-type]
        Silent(),  # type: ignore[arg-type]
        clock,
        timing=Timing(),
        cancel=lambda _: None,
        may_resend=lambda _: False,
        restarted_ms=lambda: 0,
    )


def test_a_cancel_does_not_end_a_quarantine_sooner() -> None:
    """An order that another copy of its request may still create keeps its money for the whole quarantine."""
    order = quarantined(until_ms=NOW_MS + 90_000)
    books = books_with(order)
    cancels = Cancels(Silent(), books, ManualClock(NOW_MS), lambda _: None)
    cancels._mark([order.order_id], CancelState.NOT_CANCELLED, 1_000)
    after = books.account.orders[order.order_id]
    assert (after.cancel, after.deadline_ms) == (CancelState.NOT_CANCELLED, NOW_MS + 90_000)


async def test_a_quarantine_does_not_end_while_the_venue_cannot_be_read() -> None:
    """The time of a quarantine is over, and still only a look that finds nothing gives its money back."""
    order, gateway, clock = quarantined(until_ms=NOW_MS), Answers(), ManualClock(NOW_MS + 1)
    books = books_with(order)
    inquiry, gateway.down = inquiry_of(books, gateway, clock), True
    await inquiry.look(order.order_id)
    held = books.account.orders[order.order_id]
    assert (held.state, held.reserved) == (OrderState.QUARANTINED, usdc(6))
    gateway.down = False
    await inquiry.look(order.order_id)
    assert order.order_id not in books.account.orders


async def test_a_look_from_before_a_sign_of_life_does_not_close_an_order() -> None:
    """An order that was not found while its outcome was unknown, and then was, needs two new looks to be closed."""
    order = replace(quarantined(until_ms=NOW_MS), state=OrderState.UNKNOWN)
    books, clock, gateway = books_with(order), ManualClock(NOW_MS), Answers()
    inquiry = inquiry_of(books, gateway, clock)
    for _ in range(2):
        clock.advance_to(clock.now_ms() + 20_000)
        await inquiry._found(order, inquiry._cases.setdefault(order.order_id, _Case(order.state)))
    books.account.apply_order(replace(order, state=OrderState.OPEN))
    clock.advance_to(clock.now_ms() + 1_000)
    await inquiry.look(order.order_id)
    assert books.account.orders[order.order_id].state is OrderState.OPEN


def test_what_failed_to_settle_is_reserved_again_without_a_fee_that_resting_orders_do_not_pay() -> None:
    """A resting buy whose fill fails holds what it held before the fill, not a taker's fee on top."""
    order = replace(quarantined(until_ms=NOW_MS), state=OrderState.OPEN, reserved=usdc("5.25"))
    first, second = (
        replace(a_fill(Side.BUY, "0.5", 2, fee="0", asset_id=ASSET, trade=name, order=order.order_id), is_maker=True)
        for name in ("one", "two")
    )
    before = shrink(order, first, MARKET.fees)
    after = unshrink(shrink(before, second, MARKET.fees), second, MARKET.fees)
    assert (before.reserved, after.reserved) == (usdc(4), usdc(4))
    assert after.remaining == Shares(8 * MICRO)
