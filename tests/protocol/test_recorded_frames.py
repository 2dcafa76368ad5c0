import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from polymarket_agent.adapters.polymarket.exact import micro_of
from polymarket_agent.adapters.polymarket.parse import MarketChannelParser
from polymarket_agent.adapters.polymarket.wire import WireBestBidAsk, WireBook, WirePriceChange, decode_messages
from polymarket_agent.domain.board import Board
from polymarket_agent.domain.book import BookIdentity
from polymarket_agent.domain.events import BookDelta, BookSnapshot, MarketListed, TradePrint
from polymarket_agent.domain.market import AssetId, ConditionId, Market, Outcome
from polymarket_agent.errors import VenueDataError


def lines(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines()


@pytest.fixture
def capture(shared_data: Path) -> list[bytes]:
    return lines(shared_data / "ws" / "market_channel_2026-05-19.jsonl")


@pytest.fixture
def singles(shared_data: Path) -> dict[str, dict[str, Any]]:
    found = [json.loads(line) for line in lines(shared_data / "ws" / "market_channel_single_messages.jsonl") if line]
    return {each["fixture"]: each["message"] for each in found}


def board_for(raw: bytes) -> Board:
    pairs: dict[str, list[str]] = {}
    for message in json.loads(raw):
        pairs.setdefault(message["market"], []).append(message["asset_id"])
    board = Board()
    for condition, (first, second) in pairs.items():
        outcomes = (Outcome(AssetId(first), "first"), Outcome(AssetId(second), "second"))
        board.apply(MarketListed(Market(ConditionId(condition), "", outcomes), 0))
    return board


def test_the_whole_capture_is_taken_in(capture: list[bytes]) -> None:
    """95 frames: ten books, 84 changes of two levels each, ten claims about the top; nothing is left out."""
    parser = MarketChannelParser()
    events = [event for raw in capture for event in parser.parse(raw, 0)]

    assert dict(parser.counts) == {"book": 10, "price_change": 84, "best_bid_ask": 10}
    assert (parser.malformed, sum(parser.dropped.values())) == (0, 0)
    assert sum(isinstance(event, BookSnapshot) for event in events) == 10
    assert sum(len(event.changes) for event in events if isinstance(event, BookDelta)) == 168


def test_every_best_price_of_the_capture_is_ours(capture: list[bytes]) -> None:
    """Our bests are those claimed: 168 of 168 after their change, 10 of 10 announced one change ahead."""
    board, parser = board_for(capture[0]), MarketChannelParser()
    matched: Counter[str] = Counter()
    announced: dict[str, tuple[int, int]] = {}
    for raw in capture:
        for event in parser.parse(raw, 0):
            board.apply(event)
        for message in decode_messages(raw):
            if isinstance(message, WireBestBidAsk):  # it comes before the price_change that makes it so
                announced[message.asset_id] = (micro_of(message.best_bid or ""), micro_of(message.best_ask or ""))
            elif isinstance(message, WirePriceChange):
                for change in message.entries:
                    ours = board.books[AssetId(change.asset_id)].top
                    matched["change"] += ours == (micro_of(change.best_bid or ""), micro_of(change.best_ask or ""))
                    matched["announced"] += announced.pop(change.asset_id, None) == ours
    assert matched == {"change": 168, "announced": 10}


def test_the_hashes_of_the_capture_are_ours(capture: list[bytes]) -> None:
    """All ten opening hashes match, and 162 of 168 step by step: six carry the state at their burst's end."""
    board, parser = board_for(capture[0]), MarketChannelParser()
    identities: dict[str, list[BookIdentity]] = {}
    matched = {"book": 0, "change": 0}
    for raw in capture:
        for event in parser.parse(raw, 0):
            board.apply(event)
        for message in decode_messages(raw):
            if isinstance(message, WireBook):
                assert message.tick_size is not None
                last = message.last_trade_price or ""
                both = [BookIdentity(message.market, "5", message.tick_size, nr, last) for nr in (False, True)]
                identities[message.asset_id] = both
                matched["book"] += message.hash in {board.books[AssetId(message.asset_id)].hash(i) for i in both}
            elif isinstance(message, WirePriceChange):
                for change in message.entries:
                    book = board.books[AssetId(change.asset_id)]
                    matched["change"] += change.hash in {book.hash(i) for i in identities[change.asset_id]}
    assert matched == {"book": 10, "change": 162}


def test_old_arrays_of_mixed_types_are_taken_in(shared_data: Path) -> None:
    """The two frames of 2024 give two changes, two books (one of them crossed, as recorded) and a trade."""
    parser = MarketChannelParser()
    frames = lines(shared_data / "ws" / "legacy_array_frames_2024-10-31_transcribed.jsonl")
    events = [event for raw in frames if raw for event in parser.parse(raw, 0)]

    assert [type(event) for event in events] == [BookDelta, BookDelta, BookSnapshot, BookSnapshot, TradePrint]
    assert parser.malformed == 0


def test_each_single_message_is_taken_in(singles: dict[str, dict[str, Any]]) -> None:
    """Flat changes, trades, deep books and the documented notices parse; only the unlisted resolution is dropped."""
    parser = MarketChannelParser()
    for message in singles.values():
        parser.parse(json.dumps(message), 0)

    assert parser.malformed == 0
    assert dict(parser.dropped) == {"a resolution of a market that is not listed": 1}
    assert sum(parser.counts.values()) == len(singles) == 6


def test_other_channels_are_refused(shared_data: Path) -> None:
    """Frames of the real-time-data channel are no market frames: each raises, and the parser goes on."""
    parser = MarketChannelParser()
    for raw in lines(shared_data / "ws" / "rtds_crypto_2026-05-19.jsonl"):
        with pytest.raises(VenueDataError):
            parser.parse(raw, 0)

    assert parser.malformed == 54
