"""Accounts and marks: the worked examples of the failure model, section 3.1, to the micro-unit."""

from __future__ import annotations

from dataclasses import replace

import pytest

from polymarket_agent.domain.board import Board
from polymarket_agent.domain.book import OrderBook, Side
from polymarket_agent.domain.events import MarketListed
from polymarket_agent.domain.market import NO_FEE, FeeSchedule, Market, taker_fee
from polymarket_agent.domain.money import MICRO, Shares, Usdc, price, shares, usdc
from polymarket_agent.domain.order import OrderCause, OrderState, SettlementStatus
from polymarket_agent.domain.portfolio import Account, Position, Valuer, exposure_of, shrink, worst_cost
from polymarket_agent.errors import LedgerError
from tests.trading_world import ASK, CONDITION, NO, START_MS, YES, a_fill, a_market, an_order, levels

FEES_5, FEES_4 = FeeSchedule(50_000), FeeSchedule(40_000)


def holding(*fills: tuple[str, str, str, str], cash: str = "1000") -> Account:
    """Return an account that bought (asset, price, quantity, fee)."""
    account = Account(usdc(cash))
    for number, (asset_id, at, quantity, fee) in enumerate(fills):
        side = YES if asset_id == "YES" else NO
        account.apply_fill(a_fill(Side.BUY, at, quantity, fee=fee, asset_id=side, trade=f"t{number}"))
    return account


def e2() -> tuple[Account, Market]:
    return holding(("YES", "0.4", "100", "0.96"), ("NO", "0.55", "60", "0.594"), cash="74.554"), a_market(fees=FEES_4)


def test_e1_worst_cost_of_a_buy_that_may_take() -> None:
    """BUY 10 at 0.50, rate 0.05 reserves 5 + 0.25; the real fee at 0.50 is 0.125, and 0.225 for 50 shares at 0.10."""
    assert worst_cost(Side.BUY, price("0.5"), shares(10), FEES_5, post_only=False) == usdc("5.25")
    assert worst_cost(Side.BUY, price("0.5"), shares(10), FEES_5, post_only=True) == usdc("5")
    assert taker_fee(price("0.5"), shares(10), FEES_5) == usdc("0.125")
    assert taker_fee(price("0.1"), shares(50), FEES_5) == usdc("0.225")


def test_e2_exposure_of_an_uneven_pair() -> None:
    """100 YES at 0.40 and 60 NO at 0.55 at rate 0.04 cost 74.554, pay at least 60, and can lose 14.554."""
    account, market = e2()
    assert taker_fee(price("0.4"), shares(100), FEES_4) == usdc("0.96")
    assert taker_fee(price("0.55"), shares(60), FEES_4) == usdc("0.594")
    assert (account.cash, account.exposure(market)) == (0, usdc("14.554"))
    for payouts in ((MICRO, 0), (0, MICRO), (MICRO // 2, MICRO // 2)):
        lost = usdc("74.554") - sum(
            Usdc(account.quantity_of(a) * p // MICRO) for a, p in zip((YES, NO), payouts, strict=True)
        )
        assert lost <= usdc("14.554")


def test_e5_a_mark_is_what_selling_now_would_bring() -> None:
    """300 held against bids of 100 at .50, 100 at .48, 200 at .40 at rate 0.04: 138.00 - 2.9584 = 135.0416."""
    position = Position(YES, CONDITION, shares(300), usdc("150"))
    mark = Valuer().mark(position, a_market(fees=FEES_4), e5_book())
    assert (mark.value, mark.priced) == (usdc("135.0416"), True)


def e5_book() -> OrderBook:
    book = OrderBook(YES)
    book.replace(levels([("0.5", 100), ("0.48", 100), ("0.4", 200)]), levels([("0.6", 1)]))
    return book


@pytest.mark.parametrize("lost", ["bids", "gap", "crossed"])
def test_e6_a_lost_price_writes_nothing_off_and_says_so(lost: str) -> None:
    """After E5 the bids vanish, the book is lost or crosses: 121.537440, flagged as unpriced."""
    valuer, book = Valuer(), e5_book()
    position = Position(YES, CONDITION, shares(300), usdc("150"))
    valuer.mark(position, a_market(fees=FEES_4), book)
    if lost == "bids":
        book.replace((), levels([("0.6", 1)]))
    elif lost == "gap":
        book.clear()
    else:
        book.update(ASK, price("0.45"), shares(5))
    mark = valuer.mark(position, a_market(fees=FEES_4), book)
    assert (mark.value, mark.priced) == (usdc("121.53744"), False)


def test_e6_scales_with_what_is_held_now() -> None:
    """Half of the shares have half of the last good value; without one the cost stands in for it."""
    valuer = Valuer()
    valuer.remember(YES, shares(300), usdc("135.0416"))
    half = valuer.mark(Position(YES, CONDITION, shares(150), usdc("75")), a_market(), None)
    fresh = valuer.mark(Position(NO, CONDITION, shares(10), usdc("4")), None, None)
    assert (half.value, fresh.value) == (usdc("60.76872"), usdc("3.6"))
    assert not half.priced
    assert not fresh.priced


def test_e11_selling_one_half_of_a_pair_raises_what_can_be_lost() -> None:
    """As E2, a sale of all 100 YES takes the exposure from 14.554 to 33.594."""
    account, market = e2()
    assert account.exposure(market, selling=(YES, shares(100))) == usdc("33.594")


def test_a_live_sale_counts_where_it_breaks_a_pair() -> None:
    """A resting sale of E11 is in the exposure already: its fill cannot take the exposure above what was checked."""
    account, market = e2()
    account.apply_order(an_order(Side.SELL, "0.5", 100))
    before = account.exposure(market)
    account.apply_fill(a_fill(Side.SELL, "0.5", 100, trade="t9"))
    account.apply_order(replace(an_order(Side.SELL, "0.5", 100), state=OrderState.FILLED))
    assert before == account.exposure(market) == usdc("33.594")


def test_a_live_sale_that_only_reduces_counts_as_not_filled() -> None:
    """Nobody knows that a resting sale fills, so holding YES alone keeps its whole cost at risk; live buys count too."""
    account = holding(("YES", "0.4", "100", "0"))
    account.apply_order(an_order(Side.SELL, "0.5", 100))
    assert account.exposure(a_market()) == usdc("40")
    account.apply_order(an_order(Side.BUY, "0.3", 10, name="o2"))
    assert account.exposure(a_market()) == usdc("43")
    assert exposure_of([(shares(5), usdc("2"))]) == usdc("2")


def test_average_cost_and_fees_leave_in_proportion() -> None:
    """Selling a third takes a third of cost and entry fees, rounded down; the last share takes the rest."""
    account = holding(("YES", "0.4", "20", "0.2"), ("YES", "0.7", "10", "0.1"))
    assert account.positions[YES].average_cost == price("0.5")
    account.apply_fill(a_fill(Side.SELL, "0.6", 10, fee="0.05", trade="s1"))
    assert account.positions[YES] == Position(YES, CONDITION, shares(20), usdc("10"), usdc("0.2"))
    assert (account.realised, account.fees) == (usdc("1"), usdc("0.35"))
    account.apply_fill(a_fill(Side.SELL, "0.6", 20, trade="s2"))
    assert account.positions == {}
    assert account.cash == usdc("1000") + account.realised - account.fees


def test_an_average_that_does_not_divide_is_rounded_up() -> None:
    """Three shares for 1 USDC cost 0.333334 each; nothing held costs nothing."""
    assert Position(YES, CONDITION, shares(3), usdc("1")).average_cost == 333_334
    assert Position(YES, CONDITION).average_cost == 0


@pytest.mark.parametrize("payout", [0, MICRO // 2, MICRO])
def test_a_resolution_pays_each_share_once(payout: int) -> None:
    """Payouts are exact, round down in sum, end the position, and pay nothing the second time."""
    account = holding(("YES", "0.4", "10.000001", "0.1"), cash="10")
    cash = account.cash
    received = account.apply_resolution(YES, payout)
    assert received == 10_000_001 * payout // MICRO
    assert (account.cash, account.apply_resolution(YES, payout)) == (cash + received, 0)
    assert account.realised == received - usdc("4")


def test_a_copy_of_a_fill_changes_nothing() -> None:
    """The key (trade, order, bucket) is booked once, and never again after a restart that remembers it."""
    account = Account(usdc("10"))
    fill = a_fill(Side.BUY, "0.5", 10)
    assert [account.apply_fill(fill), account.apply_fill(fill)] == [True, False]
    assert account.cash == usdc("5")
    other = Account(usdc("10"))
    other.remember_fill("t1", fill.order_id, 0)
    assert not other.apply_fill(fill)
    assert not other.apply_fill(replace(fill, trade_id="t2", settlement=SettlementStatus.FAILED))


@pytest.mark.parametrize(
    "fill", [a_fill(Side.BUY, "0.5", 21), a_fill(Side.SELL, "0.5", 1), a_fill(Side.BUY, "0.5", 20, fee="0.1")]
)
def test_an_impossible_fill_raises_and_changes_nothing(fill: object) -> None:
    """More than there is can be neither spent nor sold, and the account is what it was."""
    account = Account(usdc("10"))
    with pytest.raises(LedgerError):
        account.apply_fill(fill)  # type: ignore[arg-type]
    assert (account.cash, account.positions, account.fees) == (usdc("10"), {}, 0)


def test_reservations_are_sums_over_live_orders() -> None:
    """Buys promise cash, sells promise shares of their own asset; closing an order gives both back."""
    account = holding(("YES", "0.4", "100", "0"))
    buy, sell = an_order(Side.BUY, "0.5", 10), an_order(Side.SELL, "0.5", 30, name="o2")
    account.apply_order(buy)
    account.apply_order(sell)
    assert (account.free_cash, account.free_shares(YES), account.free_shares(NO)) == (usdc("955"), shares(70), 0)
    account.apply_order(buy.move(OrderCause.CLOSED_CANCELED, START_MS))
    account.apply_order(sell.move(OrderCause.CLOSED_CANCELED, START_MS))
    assert (account.free_cash, account.free_shares(YES)) == (usdc("960"), shares(100))


def test_a_reservation_shrinks_by_at_least_what_a_fill_took() -> None:
    """I12 and I11 together: a fill never draws on free cash, and the rest stays covered."""
    order = replace(an_order(Side.BUY, "0.5", 10), reserved=usdc("5.25"))
    cheap = shrink(order, a_fill(Side.BUY, "0.4", 4, fee="0.048"), FEES_5)
    assert (cheap.matched, cheap.remaining, cheap.reserved) == (shares(4), shares(6), usdc("3.15"))
    dear = shrink(order, a_fill(Side.BUY, "0.5", 4, fee="0.2"), FEES_5)
    assert dear.reserved == usdc("5.25") - usdc("2.2")
    with pytest.raises(LedgerError, match="would be filled beyond"):
        shrink(order, a_fill(Side.BUY, "0.5", "10.01"), FEES_5)


def test_makers_pay_where_the_schedule_says_so() -> None:
    """A schedule that is not for takers only is reserved for by post-only orders too."""
    everyone = FeeSchedule(50_000, taker_only=False)
    assert worst_cost(Side.BUY, price("0.5"), shares(10), everyone, post_only=True) == usdc("5.25")
    assert worst_cost(Side.SELL, price("0.5"), shares(10), everyone, post_only=True) == shares(10)


def test_equity_is_cash_and_marks() -> None:
    """A portfolio adds up, and names what has no price."""
    account, board, valuer = holding(("YES", "0.5", "300", "0")), Board(), Valuer()
    board.apply(MarketListed(a_market(fees=FEES_4), START_MS))
    board.books[YES] = e5_book()
    assert valuer.equity(account, board) == (usdc("850") + usdc("135.0416"), ())
    portfolio = valuer.portfolio(account, board)
    assert portfolio.pnl == portfolio.unrealised == usdc("-14.9584")
    board.books[YES].clear()
    assert valuer.equity(account, board) == (usdc("850") + usdc("121.53744"), (YES,))
    assert valuer.last_good[YES] == (shares(300), usdc("135.0416"))


def test_a_resolved_market_marks_at_its_payout() -> None:
    """Once the answer is known a position is worth its payout, whatever a book shows."""
    market = replace(a_market(), fees=NO_FEE).resolved((0, MICRO))
    held = Position(NO, CONDITION, Shares(1_000_001), usdc("0.5"))
    assert Valuer().mark(held, market, e5_book()).value == 1_000_001
