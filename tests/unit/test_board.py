"""The board: what each event changes, and what it must not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from polymarket_agent.domain.board import Board
from polymarket_agent.domain.events import (
    BookDelta,
    BookSnapshot,
    Gap,
    GroupListed,
    MarketClosed,
    MarketListed,
    MarketResolved,
    TickSizeChange,
    Timer,
)
from polymarket_agent.domain.market import AssetId, ConditionId, Market, MarketGroup, MarketState, Outcome
from polymarket_agent.domain.money import MICRO, Price, price, shares
from polymarket_agent.errors import VenueDataError
from tests.trading_world import BID, CONDITION, NO, START_MS, YES, a_market, books, change, levels, traded


def a_board() -> Board:
    """A listed market with bids of 100 at .49 and asks of 50 at .51."""
    board = Board()
    board.apply(MarketListed(a_market(), START_MS))
    for event in books([("0.49", 100)], [("0.51", 50)]):
        board.apply(event)
    return board


def stranger(first: AssetId, second: AssetId, condition: str = CONDITION) -> Market:
    return replace(
        a_market(), condition_id=ConditionId(condition), outcomes=(Outcome(first, "Yes"), Outcome(second, "No"))
    )


def test_a_change_reaches_both_halves() -> None:
    """One message moves YES and its mirror image together, and the time of both books."""
    board = a_board()
    board.apply(change(BID, "0.5", 7))
    assert (board.books[YES].best_bid, board.books[NO].best_ask) == (price("0.5"), price("0.5"))
    assert board.books[YES].at_ms == board.books[NO].at_ms == START_MS + 1


def test_a_change_of_an_older_moment_does_not_turn_time_back() -> None:
    """Time stamps step back by milliseconds on the wire; the change counts and the time stays."""
    board = a_board()
    board.apply(change(BID, "0.5", 7, at_ms=START_MS - 5))
    assert (board.books[YES].best_bid, board.books[YES].at_ms) == (price("0.5"), START_MS)


@pytest.mark.parametrize("event", [change(BID, "0.5", 7), traded("0.5", 1, taker_buys=True), Timer(START_MS)])
def test_events_of_unlisted_assets_are_ignored(event: BookDelta) -> None:
    """An asset without a market has no book and no trades."""
    board = Board()
    board.apply(event)
    board.apply(BookSnapshot(YES, (), (), START_MS))
    board.apply(TickSizeChange(YES, Price(1_000), START_MS))
    board.apply(MarketClosed(CONDITION, START_MS))
    board.apply(MarketResolved(CONDITION, (MICRO, 0), START_MS))
    assert (board.books, board.last_trades, board.markets) == ({}, {}, {})


def test_an_old_snapshot_is_left_out_and_counted() -> None:
    """A snapshot older than the changes applied would bring back levels that are gone; an equal one is taken."""
    board = a_board()
    board.apply(change(BID, "0.5", 7))
    board.apply(books([("0.4", 1)], [("0.6", 1)], START_MS)[0])
    assert (board.stale_snapshots, board.books[YES].best_bid) == (1, price("0.5"))
    board.apply(books([("0.4", 1)], [("0.6", 1)], START_MS + 1)[0])
    assert (board.stale_snapshots, board.books[YES].best_bid) == (1, price("0.4"))


def test_after_a_gap_nothing_is_known_until_a_snapshot() -> None:
    """Changes after a gap would fall on an empty book and look like the whole of it, so they do not count."""
    board = a_board()
    board.apply(Gap((YES,), "lost", START_MS + 1))
    board.apply(change(BID, "0.5", 7, at_ms=START_MS + 2))
    assert (board.books[YES].ready, board.books[YES].bids()) == (False, [])
    assert board.books[NO].best_ask == price("0.5")
    board.apply(books([("0.4", 1)], [("0.6", 1)], START_MS)[0])
    assert board.books[YES].best_bid == price("0.4")
    board.apply(Gap((), "all", START_MS + 3))
    assert not any(book.ready for book in board.books.values())


def test_a_tick_size_is_the_markets_and_not_the_assets() -> None:
    """A change told for one outcome holds for both; an unknown size raises and changes nothing."""
    board = a_board()
    board.apply(TickSizeChange(NO, Price(1_000), START_MS + 1))
    assert {board.market_by_asset[a].tick_size for a in (YES, NO)} == {1_000}
    assert [board.books[a].step for a in (YES, NO)] == [1_000, 1_000]
    with pytest.raises(VenueDataError):
        board.apply(TickSizeChange(YES, Price(20_000), START_MS + 2))
    assert board.markets[CONDITION].tick_size == board.books[YES].step == 1_000


def test_a_snapshot_may_bring_a_new_tick_size() -> None:
    """REST books name their tick size; the market follows it, and made-up books are marked as such."""
    board = a_board()
    board.apply(BookSnapshot(YES, levels([("0.485", 1)]), (), START_MS + 1, 0, Price(5_000), synthetic=True))
    assert (board.markets[CONDITION].tick_size, board.synthetic) == (5_000, {YES})
    board.apply(BookSnapshot(YES, (), (), START_MS + 2))
    assert board.synthetic == set()


def test_listing_again_updates_and_keeps_the_books() -> None:
    """A new listing changes what is known about a market; its books live on, on the new grid."""
    board = a_board()
    book = board.books[YES]
    board.apply(MarketListed(a_market(tick="0.001", minimum="15"), START_MS + 1))
    assert board.books[YES] is book
    assert (book.step, book.best_bid) == (1_000, price("0.49"))
    assert board.market_by_asset[NO].min_order_size == shares(15)


@pytest.mark.parametrize(
    "listing", [stranger(NO, YES), stranger(YES, AssetId("33")), stranger(AssetId("44"), YES, "0xother")]
)
def test_a_listing_that_contradicts_the_board_is_left_out(listing: Market) -> None:
    """Outcomes in another order would pay out the wrong one; other assets, or another market's, are no better."""
    board = a_board()
    board.apply(MarketListed(listing, START_MS + 1))
    assert (board.contradictions, board.markets) == (1, {CONDITION: a_market()})
    assert board.market_by_asset[YES].asset_ids == (YES, NO)


def test_an_answer_is_final() -> None:
    """A resolved market stays so, whatever is listed or told later, and its books are gone."""
    board = a_board()
    board.apply(MarketClosed(CONDITION, START_MS + 1))
    assert board.markets[CONDITION].state is MarketState.CLOSED
    board.apply(MarketResolved(CONDITION, (0, MICRO), START_MS + 2))
    board.apply(MarketResolved(CONDITION, (MICRO, 0), START_MS + 3))
    board.apply(MarketListed(a_market(), START_MS + 4))
    board.apply(MarketClosed(CONDITION, START_MS + 5))
    assert board.market_by_asset[NO].payouts == (0, MICRO)
    assert list(board.tradable_markets()) == []
    assert not board.books[YES].ready


def test_a_listing_may_bring_the_answer() -> None:
    """A market that is listed as resolved has no book any more."""
    board = a_board()
    board.apply(MarketListed(a_market().resolved((MICRO, 0)), START_MS + 1))
    assert board.markets[CONDITION].payouts == (MICRO, 0)
    assert not board.books[YES].ready


def test_the_last_trade_is_the_latest() -> None:
    """A trade that is told late does not replace a younger one; groups are kept by id."""
    board = a_board()
    board.apply(traded("0.5", 1, taker_buys=True, at_ms=START_MS + 9))
    board.apply(traded("0.4", 1, taker_buys=True, at_ms=START_MS + 3))
    assert board.last_trades[YES].price == price("0.5")
    group = MarketGroup.of("g", "Group", [a_market()], neg_risk=False)
    board.apply(GroupListed(group, START_MS))
    assert board.groups == {"g": group}
    assert list(board.tradable_markets()) == [a_market()]
