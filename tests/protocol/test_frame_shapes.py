import json
from typing import Any

import pytest

from polymarket_agent.adapters.polymarket.parse import MarketChannelParser
from polymarket_agent.domain.events import BookDelta, BookSnapshot, MarketResolved, TickSizeChange, TradePrint
from polymarket_agent.domain.market import AssetId, ConditionId
from polymarket_agent.domain.money import Price, Shares
from polymarket_agent.errors import VenueDataError
from tests.protocol.frames import AT_MS, CONDITION, NO, YES, book, change, price_change, resolved, text, trade


def parse(message: Any) -> list[Any]:
    return list(MarketChannelParser().parse(text(message), 5))


def refusal(message: Any) -> VenueDataError:
    parser = MarketChannelParser()
    with pytest.raises(VenueDataError) as caught:
        parser.parse(text(message), 5)
    assert parser.malformed == 1
    assert not parser.counts
    return caught.value


def test_a_change_of_both_outcomes_is_one_delta() -> None:
    """Both halves of a message arrive together, in its order, stamped with both clocks."""
    half, size = Price(500_000), Shares(81_070_000)

    assert parse(price_change()) == [
        BookDelta(((AssetId(YES), True, half, size), (AssetId(NO), False, half, size)), AT_MS, 5)
    ]


@pytest.mark.parametrize(
    "message",
    [
        {"asset_id": YES, "price": "0.5", "size": "81.07", "side": "BUY", "hash": "h"},
        {"asset_id": YES, "changes": [{"price": "0.5", "side": "BUY", "size": "81.07"}], "hash": "h"},
        {"price_changes": [change(YES)]},
    ],
    ids=["flat", "changes", "price_changes"],
)
def test_all_three_generations_of_price_change_say_the_same(message: dict[str, Any]) -> None:
    """The flat form of 2024, its `changes` list and today's `price_changes` give equal deltas."""
    whole = {"event_type": "price_change", "market": CONDITION, "timestamp": str(AT_MS), **message}

    assert parse(whole) == [BookDelta(((AssetId(YES), True, Price(500_000), Shares(81_070_000)),), AT_MS, 5)]


@pytest.mark.parametrize("number", ["0.5", ".5", ".50", "0.500000", "5e-1", 0.5])
def test_every_spelling_of_a_price_is_the_same_price(number: Any) -> None:
    """Text with or without zeros and JSON numbers are the same exact number."""
    assert parse(price_change(change(YES, price=number)))[0].changes[0][2] == 500_000


@pytest.mark.parametrize(
    ("number", "micro"),
    [
        ("0", 0),
        ("100", 100_000_000),
        ("100.00", 100_000_000),
        ("3.28888", 3_288_880),
        ("0.000001", 1),
        (27561.29, 27_561_290_000),
        (5, 5_000_000),
        ("22148384.66", 22_148_384_660_000),
    ],
)
def test_every_spelling_of_a_size_is_exact(number: Any, micro: int) -> None:
    """Sizes are whole micro-shares, whichever way they were written."""
    assert parse(price_change(change(YES, size=number)))[0].changes[0][3] == micro


@pytest.mark.parametrize(
    "price", ["0", "1", "1.5", "-0.5", "0.50001", "nan", "inf", "", "x", "0,5", "1_0", "\u0660.\u0665", 2]
)
def test_a_price_that_no_book_has_refuses_the_whole_frame(price: Any) -> None:
    """A price outside (0, 1), off the grid of 0.0001, or not a number leaves nothing of the frame."""
    refusal(price_change(change(YES), change(NO, price=price, side="SELL")))


@pytest.mark.parametrize("size", ["-1", "0.0000001", "nan", "Infinity", "1e400", "", " 5", "0x10", "9" * 30, -3, 1e-9])
def test_a_size_that_cannot_be_refuses_the_whole_frame(size: Any) -> None:
    """A size that is negative, not finite, finer than a micro-share or absurd leaves nothing of the frame."""
    refusal(price_change(change(YES), change(NO, size=size, side="SELL")))


@pytest.mark.parametrize(
    "broken",
    [
        {"timestamp": "yesterday"},
        {"timestamp": "1779223899"},
        {"timestamp": "-1779223899159"},
        {"timestamp": None},
        {"price_changes": None},
        {"price_changes": [change(YES, side="HOLD")]},
        {"price_changes": [change("not an id")]},
        {"price_changes": [change("0x12")]},
        {"price_changes": [{"asset_id": YES, "price": "0.5", "side": "BUY"}]},
        {"price_changes": {}},
        {"price_changes": [1]},
    ],
)
def test_a_broken_field_refuses_the_whole_frame(broken: dict[str, Any]) -> None:
    """Times that are not milliseconds, unknown sides, ids that are no numbers and missing fields are refused."""
    refusal(price_change(change(YES)) | broken)


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"nonsense", b"null", b"7", b"[1]", b"[[]]", b"[" * 100_000, b"\xff\xfe", b"{}"]
)
def test_what_is_no_frame_is_refused_with_its_beginning(raw: bytes) -> None:
    """Bytes that are no message raise one error, with a printable excerpt for the operator."""
    with pytest.raises(VenueDataError) as caught:
        MarketChannelParser().parse(raw, 0)

    assert caught.value.excerpt.isprintable()


def test_one_bad_message_in_an_array_spoils_the_array() -> None:
    """Half a frame is never applied, so the good book before a bad one does not count."""
    refusal([book(YES), book(NO, bids=[{"price": "2", "size": "1"}])])


def test_an_array_may_mix_types() -> None:
    """A trade may stand behind a book and a change in one array, as it did in 2024; the order is kept."""
    kinds = [type(event) for event in parse([price_change(change(YES)), book(YES), trade(YES)])]

    assert kinds == [BookDelta, BookSnapshot, TradePrint]


def test_a_book_keeps_all_of_its_levels() -> None:
    """A snapshot has the exact levels of both sides and the tick size."""
    (snapshot,) = parse(book())

    assert snapshot.bids == ((470_000, 10_000_000), (480_000, 30_500_000))
    assert snapshot.asks == ((600_000, 100_000_000), (520_000, 25_000_000))
    assert (snapshot.tick_size, snapshot.at_ms, snapshot.received_ms) == (10_000, AT_MS, 5)


def test_a_book_may_be_empty_and_without_tick_size() -> None:
    """After the first book the tick size is not repeated, and a side may have no level."""
    message = book(bids=[], asks=[])
    del message["tick_size"]

    assert parse(message) == [BookSnapshot(AssetId(YES), (), (), AT_MS, 5)]


@pytest.mark.parametrize(
    "broken",
    [
        {"bids": [{"price": "0.5", "size": "1"}, {"price": "0.50", "size": "2"}]},
        {"tick_size": "0.02"},
        {"bids": "none"},
        {"asks": [{"price": "0.5"}]},
    ],
    ids=["price twice", "unknown tick size", "no list", "no size"],
)
def test_a_book_that_contradicts_itself_is_refused(broken: dict[str, Any]) -> None:
    """A price that stands twice, a tick size that the venue does not have, and missing parts are refused."""
    refusal(book(**broken))


@pytest.mark.parametrize("raw", [b"PONG", "PONG", b" PONG\n", b"[]"])
def test_a_sign_of_life_is_no_event(raw: bytes | str) -> None:
    """PONG and an empty array are good frames that change nothing."""
    assert MarketChannelParser().parse(raw, 0) == []


def test_a_trade_names_its_taker_and_tells_copies_apart() -> None:
    """`side` is the taker's; equal frames have equal keys, a second trade of the transaction another one."""
    first, copy, second = parse([trade(), trade(), trade(size="3")])

    assert (first.price, first.size, first.taker_buys) == (520_000, 27_790_000, False)
    assert first.key == copy.key != second.key


@pytest.mark.parametrize("field", [{"size": None}, {"size": "0"}])
def test_a_trade_of_nothing_is_dropped_and_counted(field: dict[str, Any]) -> None:
    """The venue's schema allows a trade without a size; it proves nothing, so it is no event."""
    parser = MarketChannelParser()

    assert parser.parse(text(trade(**field)), 0) == []
    assert sum(parser.dropped.values()) == 1


def test_a_new_tick_size_is_an_event() -> None:
    """The price grid may change while a market runs."""
    message = {
        "event_type": "tick_size_change",
        "asset_id": YES,
        "market": CONDITION,
        "old_tick_size": "0.01",
        "new_tick_size": "0.001",
        "side": "buy",
        "timestamp": str(AT_MS),
    }

    assert parse(message) == [TickSizeChange(AssetId(YES), Price(1_000), AT_MS, 5)]


def test_a_resolution_pays_the_named_winner() -> None:
    """The payouts stand in the order of the market's outcomes, which the caller knows."""
    condition_id = ConditionId(CONDITION)
    parser = MarketChannelParser({AssetId(YES): (condition_id, 0), AssetId(NO): (condition_id, 1)})

    assert parser.parse(text(resolved(NO)), 5) == [MarketResolved(condition_id, (0, 1_000_000), AT_MS, 5)]
    assert parser.parse(text(resolved(YES)), 5) == [MarketResolved(condition_id, (1_000_000, 0), AT_MS, 5)]


def test_a_resolution_that_pays_nobody_known_is_dropped_and_counted() -> None:
    """Without the market's order of outcomes, or without a winner, there is no answer to pass on."""
    parser = MarketChannelParser()

    assert parser.parse(text([resolved(), resolved("")]), 0) == []
    assert dict(parser.dropped) == {
        "a resolution of a market that is not listed": 1,
        "a resolution without a winner": 1,
    }


def test_a_resolution_to_a_stranger_is_refused() -> None:
    """A winner that the message itself does not list is a contradiction."""
    refusal(resolved(str((1 << 250) + (5 << 40))))


def test_an_unknown_type_is_counted_and_nothing_else() -> None:
    """The venue may add messages; they cost neither the frame nor the line."""
    parser = MarketChannelParser()

    assert len(parser.parse(text([{"event_type": "weather"}, price_change(change(YES))]), 0)) == 1
    assert dict(parser.counts) == {"price_change": 1, "unknown": 1}
    assert sum(parser.dropped.values()) == 1


def test_messages_are_counted_by_type() -> None:
    """`counts` has every message taken in, PONG included, under the venue's own names."""
    parser = MarketChannelParser()
    for frame in (b"PONG", b"[]", text(price_change()), text([book(), trade()]), text(price_change())):
        parser.parse(frame, 0)

    assert dict(parser.counts) == {"pong": 1, "price_change": 2, "book": 1, "last_trade_price": 1}


def test_a_frame_of_any_spelling_takes_the_same_meaning_on_both_paths() -> None:
    """The quick decoder and the general one agree: an array of one forces the general one."""
    for price in ("0.5", ".48", "0.0001", "0.9999"):
        for size in ("0", "1.000000", "12345678.123456"):
            frame = price_change(change(YES, price, size), change(NO, price, size, "SELL"))
            assert parse(frame) == parse([frame])


def test_text_and_bytes_are_the_same_frame() -> None:
    """A websocket library may hand over either."""
    parser = MarketChannelParser()

    assert parser.parse(json.dumps(price_change()), 5) == parser.parse(text(price_change()), 5)
