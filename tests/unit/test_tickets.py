"""The exact integers that are signed: never worse than the wish, and in the form that the venue takes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymarket_agent.adapters.polymarket.amounts import check_ticket
from polymarket_agent.domain.book import OrderBook, Side
from polymarket_agent.domain.market import FeeSchedule
from polymarket_agent.domain.money import MICRO, Price, Shares, Usdc, cost_rounded_up, price, shares, usdc
from polymarket_agent.domain.order import TimeInForce
from polymarket_agent.domain.signal import Signal
from polymarket_agent.errors import AgentError
from polymarket_agent.execution.tickets import draft, reserve, ticket_of
from tests.trading_world import START_MS, YES, a_market, a_signal

MARKET = a_market()

FEES = FeeSchedule(rate=50_000)


def a_book(asks: list[tuple[str, int]]) -> OrderBook:
    book = OrderBook(YES, MARKET.tick_size)
    book.replace([(price("0.01"), shares(10))], [(price(p), shares(q)) for p, q in asks], START_MS)
    return book


def test_a_limit_order_signs_quantity_times_price() -> None:
    """100 at .45 are 45 pUSD for 100 shares, and the other way round when selling."""
    bought = ticket_of(draft(a_signal(Side.BUY, "0.45", 100), MARKET, None, START_MS), MARKET)
    sold = ticket_of(draft(a_signal(Side.SELL, "0.45", 100), MARKET, None, START_MS), MARKET)
    assert (bought.maker_amount, bought.taker_amount) == (45_000_000, 100_000_000)
    assert (sold.maker_amount, sold.taker_amount) == (100_000_000, 45_000_000)


@pytest.mark.parametrize(("side", "at", "on"), [(Side.BUY, "0.459", "0.45"), (Side.SELL, "0.451", "0.46")])
def test_a_price_beside_the_grid_moves_in_our_favour(side: Side, at: str, on: str) -> None:
    """A buy goes down to the grid and a sale goes up: never worse than what was wished for."""
    wish = replace(a_signal(side, "0.45", 100), target_price=price(at))
    assert draft(wish, MARKET, None, START_MS).price == price(on)


def test_a_fok_buy_may_spend_what_the_book_asks_now() -> None:
    """120 within .53 where 50 are offered at .51 and 70 at .53 cost 62.60: that is signed, with .53 as the limit."""
    wish = a_signal(Side.BUY, "0.53", 120, tif=TimeInForce.FOK)
    order = draft(wish, MARKET, a_book([("0.51", 50), ("0.53", 70)]), START_MS)
    ticket = ticket_of(order, MARKET)
    assert (order.budget, ticket.maker_amount) == (usdc("62.6"), 62_600_000)
    assert ticket.maker_amount * MICRO // ticket.taker_amount == price("0.53")


def test_what_the_book_does_not_show_counts_at_the_limit() -> None:
    """121 wanted and 120 shown: the last one is paid at the limit, so a FOK of it cannot pass as one of 120."""
    wish = a_signal(Side.BUY, "0.53", 121, tif=TimeInForce.FOK)
    assert draft(wish, MARKET, a_book([("0.51", 50), ("0.53", 70)]), START_MS).budget == usdc("63.13")
    assert draft(wish, MARKET, None, START_MS).budget == usdc("64.13")


def test_a_gtd_order_is_told_a_minute_more() -> None:
    """The venue ends an order a minute before the second that it is told; one that has no end says so."""
    wish = a_signal(Side.BUY, "0.45", 10, tif=TimeInForce.GTD, expires_at_ms=START_MS + 600_001)
    ticket = ticket_of(draft(wish, MARKET, None, START_MS), MARKET)
    assert ticket.expires_s == -(-(START_MS + 600_001) // 1_000) + 60
    with pytest.raises(AgentError, match="time of its end"):
        draft(a_signal(Side.BUY, "0.45", 10, tif=TimeInForce.GTD), MARKET, None, START_MS)


@given(
    st.sampled_from(list(Side)),
    st.integers(1, 99),
    st.integers(100, 50_000),
    st.sampled_from([TimeInForce.GTC, TimeInForce.FAK, TimeInForce.FOK]),
    st.lists(st.tuples(st.integers(1, 99), st.integers(1, 300)), max_size=4),
)
def test_what_is_signed_is_what_the_signer_takes_and_costs_no_more_than_reserved(
    side: Side, cents: int, lots: int, tif: TimeInForce, asks: list[tuple[int, int]]
) -> None:
    """Any wish that becomes an order passes the signer's own check, and its worst cost with fee is set apart."""
    market = replace(MARKET, fees=FEES)
    at, quantity = Price(cents * 10_000), Shares(lots * 10_000)
    wish = Signal(
        strategy="s", asset_id=YES, side=side, target_price=at, size=cost_rounded_up(at, quantity), reason="", time_in_force=tif
    )  # fmt: skip
    book = a_book([(f"0.{cent:02}", size) for cent, size in dict(asks).items()]) if asks else None
    try:
        order = reserve(draft(wish, market, book, START_MS), market)
    except AgentError:
        return
    ticket = ticket_of(order, market)
    bounded = tif is not TimeInForce.GTC and side is Side.BUY
    if not bounded or order.budget >= MICRO:  # below a dollar the venue takes none anyway
        check_ticket(ticket)
    if side is Side.SELL:
        assert order.reserved == quantity == ticket.maker_amount
        return
    most = order.budget or cost_rounded_up(at, quantity)
    assert ticket.maker_amount <= most <= cost_rounded_up(at, quantity)
    assert order.reserved >= ticket.maker_amount + ticket.maker_amount * 50_000 // MICRO
    assert Usdc(ticket.maker_amount) <= wish.size
