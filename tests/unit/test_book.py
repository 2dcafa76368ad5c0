"""The order book: levels, the venue's checksum, and what simulated fills leave of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from polymarket_agent.domain.book import BookIdentity, Level, OrderBook, Side, book_hash
from polymarket_agent.domain.money import Price, Shares, price, shares, usdc
from polymarket_agent.errors import VenueDataError
from tests.trading_world import ASK, BID, YES, levels


def a_book() -> OrderBook:
    """Bids 100 at .49 and 200 at .48, asks 50 at .51 and 70 at .53."""
    book = OrderBook(YES)
    book.replace(levels([("0.48", 200), ("0.49", 100)]), levels([("0.53", 70), ("0.51", 50)]), 7)
    return book


def identity_of(answer: dict[str, Any]) -> BookIdentity:
    names = ("market", "min_order_size", "tick_size", "neg_risk", "last_trade_price")
    return BookIdentity(*(answer[name] for name in names))


def sides_of(answer: dict[str, Any]) -> tuple[tuple[tuple[Price, Shares], ...], tuple[tuple[Price, Shares], ...]]:
    """Return bids and asks in the order given."""
    bids, asks = (levels((each["price"], each["size"]) for each in answer[side]) for side in ("bids", "asks"))
    return bids, asks


def hash_of(answer: dict[str, Any]) -> str:
    """Return the hash of a recorded book, through an OrderBook."""
    book = OrderBook(answer["asset_id"], price(answer["tick_size"]))
    book.replace(*sides_of(answer))
    return book.hash(identity_of(answer), int(answer["timestamp"]))


def test_the_hash_is_that_of_the_official_client(shared_data: Path) -> None:
    """The client's own test vector, whose asks rise: the recipe takes levels in the order given."""
    for vector in json.loads((shared_data / "vectors" / "vectors.json").read_text())["book_hash"]:
        book = vector["book"]
        found = book_hash(book["asset_id"], book["timestamp"], *sides_of(book), identity_of(book))
        assert found == vector["hash"]


@pytest.mark.parametrize(
    ("file", "count"),
    [
        ("books_fed_decision_june_2026-05-17.json", 10),
        ("book_2026-01-11.json", 1),
        ("book_btc_updown_5m_2026-03-22.json", 1),
    ],
)
def test_every_recorded_book_has_its_hash(shared_data: Path, file: str, count: int) -> None:
    """All recorded answers of today's form verify, one-sided books included."""
    answers = json.loads((shared_data / "clob" / file).read_text())
    found = answers if isinstance(answers, list) else [answers]
    assert [hash_of(each) for each in found] == [each["hash"] for each in found]
    assert len(found) == count


def test_the_hash_sees_every_part() -> None:
    """A changed level, time or last trade price is another hash."""
    identity = BookIdentity("m", "5", "0.01", neg_risk=False, last_trade_price="0.5")
    book = a_book()
    seen = {book.hash(identity), book.hash(identity, 8), book.hash(identity._replace(neg_risk=True))}
    book.update(BID, price("0.48"), shares("200.000001"))
    seen.add(book.hash(identity))
    seen.add(book_hash(YES, "7", (), (), identity))
    assert len(seen) == 5


def test_levels_come_best_first() -> None:
    """Bids fall and asks rise, to a depth if asked; the derived prices follow."""
    book = a_book()
    assert book.bids() == [Level(price("0.49"), shares(100)), Level(price("0.48"), shares(200))]
    assert book.asks(1) == [Level(price("0.51"), shares(50))]
    assert (book.best_bid, book.best_ask, book.mid, book.spread) == (490_000, 510_000, 500_000, 20_000)
    assert book.microprice == pytest.approx((490_000 * 50 + 510_000 * 100) / 150)
    assert book.top == (490_000, 510_000)
    assert (book.two_sided, book.crossed, book.ready, book.at_ms) == (True, False, True, 7)


def test_an_empty_side_has_no_price() -> None:
    """A missing side is None everywhere, never 0 or 1, and not a cross."""
    book = OrderBook(YES)
    book.replace((), levels([("0.01", 5)]))
    assert (book.best_bid, book.mid, book.spread, book.microprice) == (None, None, None, None)
    assert (book.two_sided, book.crossed, book.depth(BID, 10_000)) == (False, False, 0)
    book.replace(levels([("0.99", 5)]), ())
    assert (book.best_ask, book.crossed, book.top) == (None, False, (990_000, 1_000_000))


def test_the_best_is_found_again_when_a_level_goes() -> None:
    """Removing the best uncovers the next level; removing the last leaves none; a better one takes over."""
    book = a_book()
    book.update(BID, price("0.49"), Shares(0))
    assert book.best_bid == price("0.48")
    book.update(BID, price("0.48"), Shares(0))
    assert book.best_bid is None
    book.update(ASK, price("0.5"), shares(1))
    assert book.best_ask == price("0.5")
    book.update(ASK, price("0.5"), Shares(0))
    assert book.best_ask == price("0.51")


def test_a_finer_price_refines_the_grid_and_rounds_nothing() -> None:
    """A level at .485 in a book of hundredths is kept at .485, and all others where they were."""
    book = a_book()
    book.update(BID, price("0.485"), shares(3))
    book.update(ASK, price("0.5099"), shares(4))
    assert [level.price for level in book.bids()] == [490_000, 485_000, 480_000]
    assert (book.best_ask, book.size_at(ASK, price("0.51"))) == (509_900, shares(50))


def test_a_coarser_tick_size_keeps_levels_that_are_off_it() -> None:
    """The venue does not say that it removes them, so they stay; sizes at other prices are 0."""
    book = OrderBook(YES, Price(1_000))
    book.replace(levels([("0.485", 3)]), levels([("0.51", 5)]))
    book.set_tick_size(Price(10_000))
    assert book.bids() == [Level(price("0.485"), shares(3))]
    book.update(BID, price("0.485"), Shares(0))
    book.set_tick_size(Price(10_000))
    assert (book.step, book.size_at(BID, price("0.485")), book.size_at(BID, 2_000_000)) == (10_000, 0, 0)


@pytest.mark.parametrize("level", [(0, 1), (1_000_000, 1), (500_050, 1), (500_000, -1), (-10_000, 1)])
def test_an_impossible_snapshot_raises_and_changes_nothing(level: tuple[int, int]) -> None:
    """A level outside the grid or of negative size refuses the whole snapshot."""
    book = a_book()
    with pytest.raises(VenueDataError):
        book.replace([(Price(level[0]), Shares(level[1]))], ())
    assert (book.bids(), book.asks(), book.at_ms) == (a_book().bids(), a_book().asks(), 7)
    with pytest.raises(VenueDataError, match="tick size"):
        OrderBook(YES, Price(30_000))


def test_walking_takes_the_best_first_and_stops_at_the_limit() -> None:
    """Cost and quantity by level, no worse than the limit, no more than asked, nothing consumed."""
    book = a_book()
    walk = book.walk(Side.BUY, shares(60))
    assert (walk.quantity, walk.notional, walk.worst) == (shares(60), usdc("30.8"), price("0.53"))
    assert book.walk(Side.BUY, shares(60), price("0.52")).quantity == shares(50)
    sale = book.walk(Side.SELL, shares(500), price("0.485"))
    assert (sale.quantity, sale.notional) == (shares(100), usdc("49"))
    assert book.walk(Side.SELL, Shares(0)) == ((), 0, 0, 0)
    assert book.depth(BID, 10_000) == shares(300)
    assert book.depth(ASK, 10_000) == shares(50)


def test_what_we_took_is_not_taken_twice() -> None:
    """The venue goes on displaying what we took; only what it adds beyond that is new."""
    book, at = a_book(), price("0.51")
    book.consume(ASK, at, shares(30))
    assert book.size_at(ASK, at) == shares(20)
    book.update(ASK, at, shares(50))
    assert book.size_at(ASK, at) == shares(20)
    book.update(ASK, at, shares(60))
    assert book.size_at(ASK, at) == shares(30)
    book.replace(levels([("0.49", 100)]), levels([("0.51", 60)]))
    assert book.size_at(ASK, at) == shares(30)


def test_a_level_that_vanished_comes_back_whole() -> None:
    """Once the venue shows less than we took the difference is forgotten; a level that went and came is new."""
    book, at = a_book(), price("0.51")
    book.consume(ASK, at, shares(30))
    book.update(ASK, at, shares(10))
    assert book.size_at(ASK, at) == 0
    book.update(ASK, at, shares(25))
    assert book.size_at(ASK, at) == shares(15)
    book.update(ASK, at, Shares(0))
    book.update(ASK, at, shares(25))
    assert book.size_at(ASK, at) == shares(25)


def test_a_gap_gives_nothing_back() -> None:
    """After a gap the snapshot displays again what we took; taking it again would use it twice."""
    book, at = a_book(), price("0.51")
    book.consume(ASK, at, shares(30))
    book.clear()
    assert (book.ready, book.asks(), book.best_ask) == (False, [], None)
    book.replace((), levels([("0.51", 50)]))
    assert book.size_at(ASK, at) == shares(20)


def test_what_is_taken_before_it_is_displayed_counts_when_it_is() -> None:
    """The other outcome's half of a book may arrive after we took from the first half."""
    book, at = OrderBook(YES), price("0.51")
    book.consume(ASK, at, shares(30))
    book.replace((), levels([("0.51", 50)]))
    assert book.size_at(ASK, at) == shares(20)
    assert "ready" not in repr(book)
    assert "not ready" in repr(OrderBook(YES))
