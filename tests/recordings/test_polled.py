from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from polymarket_agent.adapters.recordings import open_recording
from polymarket_agent.domain.board import Board
from polymarket_agent.domain.events import BookSnapshot, Event, MarketListed, TradePrint
from polymarket_agent.domain.money import MICRO
from polymarket_agent.errors import RecordingError
from tests.recordings.made import NO, START_MS, YES, lines


def book(outcome: str, at: int, bid: str, ask: str) -> dict[str, Any]:
    return {
        "outcome": outcome,
        "bids": [{"price": "0.01", "size": "5"}, {"price": bid, "size": "10.5"}],
        "asks": [{"price": "0.99", "size": "5"}, {"price": ask, "size": "3"}],
        "timestamp": str(START_MS + at),
        "local_timestamp": str(START_MS + at + 100),
        "asset_price": 1.5,
    }


def trade(outcome: str, at: int) -> dict[str, Any]:
    stamp = str(START_MS + at)
    return {"outcome": outcome, "price": "0.5", "size": "2", "side": "buy", "timestamp": stamp, "asset_price": 1.5}


def polled(asset: str, at: int, market: str = "m") -> dict[str, Any]:
    stamp = START_MS + at
    inner = {"asset_id": asset, "market": market, "bids": [[0.01, 50], [0.05, 43.75]], "asks": [], "timestamp": stamp}
    return {"timestamp": stamp, "type": "book", "data": inner}


def events_of(path: Path) -> list[Event]:
    return [event for chunk in open_recording(path).feed().chunks() for event in chunk]


def test_outcomes_are_merged_by_time(tmp_path: Path) -> None:
    """A file grouped by outcome is played by time, both outcomes of one market, and is no stream."""
    rows = [
        book("up", 0, "0.4", "0.5"),
        book("up", 9, "0.4", "0.5"),
        book("down", 0, "0.5", "0.6"),
        book("down", 5, "0.5", "0.6"),
    ]
    path = lines(tmp_path / "books_x.jsonl.gz", rows)
    listed, *books = events_of(path)

    assert isinstance(listed, MarketListed)
    assert [outcome.label for outcome in listed.market.outcomes] == ["up", "down"]
    assert [event.at_ms - START_MS for event in books] == [0, 0, 5, 9]
    assert not open_recording(path).feed().streaming


def test_trades_beside_the_books_join_them(tmp_path: Path) -> None:
    """Trades of the same name are merged by time; `also` names others; equal trades are kept apart."""
    path = lines(tmp_path / "books_x.jsonl", [book("up", 0, "0.4", "0.5"), book("up", 9, "0.4", "0.5")])
    lines(tmp_path / "trades_x.jsonl", [trade("up", 5), trade("up", 5)])
    other = lines(tmp_path / "elsewhere", [trade("up", 20)])
    kinds = [type(event).__name__ for event in events_of(path)]
    prints = [event for event in events_of(path) if isinstance(event, TradePrint)]
    named = [e for c in open_recording(path, also=other).feed().chunks() for e in c]

    assert kinds == ["MarketListed", "BookSnapshot", "TradePrint", "TradePrint", "BookSnapshot"]
    assert prints[0].key != prints[1].key
    assert isinstance(named[-1], TradePrint)


def test_a_level_that_cannot_be_costs_its_book(tmp_path: Path) -> None:
    """A price of 1, a negative size and a time in seconds drop their line, with reason, once."""
    rows = [
        book("up", 0, "1", "0.5"),
        book("up", 1, "0.4", "0.5") | {"bids": [{"price": "0.4", "size": "-1"}]},
        book("up", 2, "0.4", "0.5") | {"timestamp": "1765450842"},
        book("up", 3, "0.4", "0.5") | {"bids": None},
        book("down", 4, "0.4", "0.5"),
        book("up", 5, "0.4", "0.5"),
    ]
    feed = open_recording(lines(tmp_path / "b", rows)).feed()
    kept = [event for chunk in feed.chunks() for event in chunk]

    assert [type(event).__name__ for event in kept] == ["MarketListed", "BookSnapshot", "BookSnapshot"]
    assert feed.dropped == {
        "a price that no book can have": 1,
        "a negative number": 1,
        "a time that is not in milliseconds": 1,
        "a line of another shape": 1,
    }


def test_polled_books_pair_by_market(tmp_path: Path) -> None:
    """Two assets of one market id are its outcomes; an id that more assets share is no market."""
    rows = [polled(YES, 0, "event"), polled(NO, 1, "event"), polled("3", 2, "event"), polled(YES, 3), polled(NO, 4)]
    events = events_of(lines(tmp_path / "s", rows))
    markets = [event.market for event in events if isinstance(event, MarketListed)]

    assert [market.asset_ids for market in markets] == [(YES, NO), ("3", "complement:3")]
    assert markets[0].condition_id == "m"
    assert sum(isinstance(event, BookSnapshot) for event in events) == 5


def test_floats_enter_by_their_shortest_text(tmp_path: Path) -> None:
    """43.75 as a JSON float is exactly 43.75 shares."""
    *_, snapshot = events_of(lines(tmp_path / "s", [polled(YES, 0)]))

    assert isinstance(snapshot, BookSnapshot)
    assert snapshot.bids == ((10_000, 50_000_000), (50_000, 43_750_000))


def test_the_real_depth_is_what_its_readme_says(shared_data: Path) -> None:
    """600 books and 300 trades in order of time; Down is the exact mirror of Up at all 300 times."""
    path = shared_data / "depth" / "books_btc_updown_1h_1765450800.jsonl.gz"
    events = events_of(path)
    books = [event for event in events if isinstance(event, BookSnapshot)]
    sides = {(b.asset_id.rpartition(":")[2], b.at_ms): (sorted(b.bids), sorted(b.asks)) for b in books}
    mirrored = sum(
        sides["down", at] == tuple(sorted((MICRO - p, s) for p, s in side) for side in reversed(up))
        for (outcome, at), up in sides.items()
        if outcome == "up"
    )

    assert (len(books), sum(isinstance(event, TradePrint) for event in events)) == (600, 300)
    assert mirrored == 300
    assert all(before.at_ms <= after.at_ms for before, after in pairwise(events))
    assert open_recording(path).inspect()["gaps"]["longest_s"] == pytest.approx(22.25)


def test_the_real_trades_are_all_there(shared_data: Path) -> None:
    """2,970 trades of the quarter-hour market and 300 of the hourly one arrive, none dropped."""
    for name, count in (("15m", 2_970), ("1h", 300)):
        found = open_recording(shared_data / "depth" / f"trades_btc_updown_{name}_1765450800.jsonl.gz").inspect()
        assert found["engine_events"] == {"MarketListed": 1, "TradePrint": count}
        assert found["dropped"] == {}


def test_the_real_session_is_what_its_readme_says(shared_data: Path) -> None:
    """264 books of 44 tokens in 22 markets, 124 one-sided, none crossed."""
    path = shared_data / "sessions" / "nba_clippers_wizards_2026-01-19_books.jsonl.gz"
    found = open_recording(path).inspect()
    board = Board()
    for event in events_of(path):
        board.apply(event)

    assert (found["frames"], found["assets"]["count"], found["markets"]) == (264, 44, 22)
    assert (found["one_sided_books"], found["crossed_books"], found["dropped"]) == (124, 0, {})
    assert found["book_hash"] == {"checked": 0, "matched": 0, "unmatched": 0, "unverifiable": 176}
    assert board.stale_snapshots == 0


def test_kinds_without_books_can_only_be_looked_at(shared_data: Path) -> None:
    """Settled markets and reference ticks are counted, and refuse to be played with a sentence that says why."""
    markets = open_recording(shared_data / "updown" / "btc_updown_5m_markets_2026-06-08.jsonl.gz")
    ticks = open_recording(shared_data / "updown" / "btcusd_chainlink_ticks_2026-06-08.csv.gz")

    assert (markets.inspect()["frames"], ticks.inspect()["frames"]) == (292, 84_558)
    assert ticks.inspect()["gaps"]["longest_s"] == 122
    assert 62 < ticks.inspect()["longest_receive_lag_s"] <= 63
    for recording in (markets, ticks):
        with pytest.raises(RecordingError, match="no books"):
            recording.feed()
