from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random

from polymarket_agent.adapters.recordings import open_recording
from polymarket_agent.domain.book import Level, OrderBook, Side
from polymarket_agent.domain.events import (
    BookDelta,
    BookSnapshot,
    Event,
    MarketClosed,
    MarketResolved,
    TickSizeChange,
    TradePrint,
)
from polymarket_agent.domain.market import AssetId, ConditionId, Market, MarketState, Outcome
from polymarket_agent.domain.money import MICRO, Price, Shares, Usdc
from polymarket_agent.sandbox.crowd import run_until
from polymarket_agent.sandbox.exchange import Exchange
from polymarket_agent.sandbox.model import OrderEntry, OrderType, Placed, TradePrinted
from polymarket_agent.sandbox.recorded import RecordedBooks

START_MS = 1_792_990_800_000
RECORDED_MS = 1_700_000_000_000
YES, NO = AssetId(str(1 << 200)), AssetId(str((1 << 200) + 1))
MARKET = Market(ConditionId("0x" + "12" * 32), "Recorded?", (Outcome(YES, "Yes"), Outcome(NO, "No")))


def both(is_bid: bool, cents: int, quantity: int) -> tuple[tuple[AssetId, bool, Price, Shares], ...]:
    at, size = cents * 10_000, Shares(quantity * 10_000)
    return (YES, is_bid, Price(at), size), (NO, not is_bid, Price(MICRO - at), size)


def snapshot(at_ms: int, bids: dict[int, int], asks: dict[int, int]) -> BookSnapshot:
    def levels(side: dict[int, int]) -> tuple[tuple[Price, Shares], ...]:
        return tuple((Price(cents * 10_000), Shares(lots * 10_000)) for cents, lots in side.items())

    return BookSnapshot(YES, levels(bids), levels(asks), at_ms)


def walk(seed: int, count: int) -> Iterator[Event]:
    """Yield a book that wanders: levels come, go and change, and the whole moves through its own old levels."""
    random, middle = Random(seed), 50
    bids, asks = {49: 1_000}, {51: 1_000}
    for number in range(count):
        at_ms = RECORDED_MS + number * 100
        if random.random() < 0.1:
            middle = min(max(middle + (1 if random.random() < 0.5 else -1), 5), 95)
            bids = {cents: lots for cents, lots in bids.items() if cents < middle}
            asks = {cents: lots for cents, lots in asks.items() if cents > middle}
            yield snapshot(at_ms, bids, asks)
            continue
        is_bid = random.random() < 0.5
        cents = middle - 1 - int(4 * random.random()) if is_bid else middle + 1 + int(4 * random.random())
        lots = 0 if random.random() < 0.3 else 1 + int(50_000 * random.random())
        (bids if is_bid else asks)[cents] = lots
        yield BookDelta(both(is_bid, cents, lots), at_ms)


def shown(exchange: Exchange, asset_id: AssetId) -> tuple[list[Level], list[Level]]:
    return wanted(exchange.book(asset_id))


def wanted(book: OrderBook) -> tuple[list[Level], list[Level]]:
    return book.bids(), book.asks()


def followed(events: list[Event], exchange: Exchange) -> Iterator[tuple[RecordedBooks, OrderBook]]:
    """Play events one by one; yield the books and what the recording shows, after each."""
    books, recorded = RecordedBooks(events, start_ms=START_MS, markets=[MARKET]), OrderBook(YES)
    for event in events:
        assert books.next_due_ms is not None
        run_until(exchange, [books], books.next_due_ms)
        if isinstance(event, BookSnapshot):
            recorded.replace(event.bids, event.asks)
        elif isinstance(event, BookDelta):
            for asset_id, is_bid, at, size in event.changes:
                if asset_id == YES:
                    recorded.update(is_bid, at, size)
        yield books, recorded


def test_the_book_shows_the_recording_after_every_event() -> None:
    """Bids and asks of both outcomes are the recorded ones after each of a thousand changes, and nothing is lost."""
    exchange = Exchange()
    for books, recorded in followed(list(walk(1, 1_000)), exchange):
        bids, asks = shown(exchange, YES)
        assert (bids, asks) == wanted(recorded)
        assert shown(exchange, NO) == (
            [(MICRO - at, size) for at, size in asks],
            [(MICRO - at, size) for at, size in bids],
        )
        assert books.refusals == {}
    exchange.check()


def test_what_a_client_takes_comes_back() -> None:
    """A client takes the best ask; the next recorded change of the market shows it again, and the client has shares."""
    exchange = Exchange()
    events: list[Event] = [
        snapshot(RECORDED_MS, {49: 1_000}, {51: 1_000, 52: 1_000}),
        BookDelta(both(is_bid=False, cents=51, quantity=1_200), RECORDED_MS + 5_000),
    ]
    books = RecordedBooks(events, start_ms=START_MS, markets=[MARKET])
    run_until(exchange, [books], START_MS)
    client_takes(exchange, cents=51, quantity=10)
    taken = exchange.best(YES)
    run_until(exchange, [books], START_MS + 5_000)

    assert taken == (490_000, 520_000)
    assert shown(exchange, YES) == ([(490_000, 10_000_000)], [(510_000, 12_000_000), (520_000, 10_000_000)])


def test_a_print_fills_who_stood_first() -> None:
    """A recorded trade at a client's price fills the client when the maker stood behind, and is told as a trade."""
    exchange = Exchange()
    events: list[Event] = [
        snapshot(RECORDED_MS, {48: 1_000}, {51: 1_000}),
        TradePrint(YES, Price(490_000), Shares(6_000_000), taker_buys=False, at_ms=RECORDED_MS + 1_000),
    ]
    books = RecordedBooks(events, start_ms=START_MS, markets=[MARKET])
    run_until(exchange, [books], START_MS)
    answer = client_takes(exchange, cents=49, quantity=10)
    run_until(exchange, [books], START_MS + 1_000)
    order = exchange.order(answer.order_id)
    prints = [notice for notice in exchange.drain() if isinstance(notice, TradePrinted)]

    assert order is not None
    assert order.matched == 6_000_000
    assert [(each.quantity, each.taker_side) for each in prints] == [(6_000_000, Side.BUY)]
    assert shown(exchange, YES)[0] == [(490_000, 4_000_000), (480_000, 10_000_000)]


def test_grid_close_and_answer_follow_the_recording() -> None:
    """Tick size, closing and resolution of the recording happen in the exchange."""
    exchange = Exchange()
    events: list[Event] = [
        snapshot(RECORDED_MS, {49: 1_000}, {51: 1_000}),
        TickSizeChange(YES, Price(1_000), RECORDED_MS + 1),
        BookDelta(((YES, True, Price(494_000), Shares(5_000_000)),), RECORDED_MS + 2),
        MarketClosed(MARKET.condition_id, RECORDED_MS + 3),
        MarketResolved(MARKET.condition_id, (0, MICRO), RECORDED_MS + 4),
    ]
    books = RecordedBooks(events, start_ms=START_MS, markets=[MARKET])
    run_until(exchange, [books], START_MS + 2)
    fine = shown(exchange, YES)[0], exchange.markets[MARKET.condition_id].tick_size
    run_until(exchange, [books], START_MS + 10)

    assert fine == ([(494_000, 5_000_000), (490_000, 10_000_000)], 1_000)
    assert exchange.markets[MARKET.condition_id].state is MarketState.RESOLVED
    assert exchange.markets[MARKET.condition_id].payouts == (0, MICRO)
    exchange.check()


def test_a_real_recording_is_followed(shared_data: Path) -> None:
    """The books of a recorded market channel are shown exactly, at the end and with nothing refused."""
    recording = open_recording(shared_data / "ws" / "market_channel_2026-05-19.jsonl")
    events = [event for chunk in recording.feed().chunks() for event in chunk]
    exchange, books = Exchange(), RecordedBooks(events, start_ms=START_MS)
    run_until(exchange, [books], START_MS + 86_400_000)
    recorded: dict[AssetId, OrderBook] = {}
    for event in events:
        if isinstance(event, BookSnapshot):
            recorded.setdefault(event.asset_id, OrderBook(event.asset_id)).replace(event.bids, event.asks)
        elif isinstance(event, BookDelta):
            for asset_id, is_bid, at, size in event.changes:
                if asset_id in recorded:
                    recorded[asset_id].update(is_bid, at, size)

    assert books.refusals == {}
    assert len(recorded) > 4
    for asset_id, book in recorded.items():
        assert shown(exchange, asset_id) == wanted(book)


def client_takes(exchange: Exchange, *, cents: int, quantity: int) -> Placed:
    exchange.fund("0xclient", Usdc(1_000 * MICRO))
    exchange.approve("0xclient")
    entry = OrderEntry(
        order_id="0x" + "ab" * 32,
        owner="client",
        wallet="0xclient",
        signer="0xclient",
        signature_type=0,
        asset_id=YES,
        side=Side.BUY,
        maker_amount=cents * quantity * 10_000,
        taker_amount=quantity * MICRO,
        order_type=OrderType.GTC,
    )
    answer = exchange.place(entry, exchange.now_ms)
    assert isinstance(answer, Placed)
    return answer
