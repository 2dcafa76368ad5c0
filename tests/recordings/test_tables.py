from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest

from polymarket_agent.adapters.recordings import Assumptions, open_recording
from polymarket_agent.domain.board import Board
from polymarket_agent.domain.events import BookSnapshot, Event, MarketClosed, MarketListed, MarketResolved
from polymarket_agent.domain.market import AssetId, ConditionId, Market, Outcome
from polymarket_agent.domain.money import MICRO, Price
from polymarket_agent.errors import ConfigError
from tests.recordings.made import parquet

DAY_S = 86_400
T0 = 1_700_000_000


def history(path: Path, rows: list[tuple[str, str, str, bool, int, int, float]]) -> Path:
    names = ("condition_id", "token_id", "outcome", "won", "resolved_at", "observed_at", "close")
    return parquet(path, {name: [row[i] for row in rows] for i, name in enumerate(names)})


def quotes(path: Path, rows: Sequence[tuple[int, str, float | None, float | None, int]]) -> Path:
    pa = pytest.importorskip("pyarrow", reason="the data extra is not installed")
    return parquet(
        path,
        {
            "ts": [(T0 + row[0]) * 1_000_000 for row in rows],
            "slug": [row[1] for row in rows],
            "question": [f"Will {row[1]}?" for row in rows],
            "category": ["sports" for _ in rows],
            "bid": [row[2] for row in rows],
            "ask": [row[3] for row in rows],
            "y": [row[4] for row in rows],
        },
        ts=pa.timestamp("us"),
    )


def events_of(path: Path, assumptions: Assumptions | None = None) -> list[Event]:
    return [event for chunk in open_recording(path, assumptions=assumptions).feed().chunks() for event in chunk]


TWO_MARKETS = [
    ("0xa", "10", "No", False, T0 + 3 * DAY_S, T0, 0.4),
    ("0xa", "10", "No", False, T0 + 3 * DAY_S, T0 + DAY_S, 0.3),
    ("0xa", "11", "Yes", True, T0 + 3 * DAY_S, T0 + 5, 0.6),
    ("0xa", "11", "Yes", True, T0 + 3 * DAY_S, T0 + 4 * DAY_S, 0.99),
    ("0xb", "20", "Up", False, T0 + DAY_S + 9, T0 + 7, 0.005),
    ("0xb", "21", "Down", True, T0 + DAY_S + 9, T0 + 7, 0.995),
]


def test_closes_of_all_markets_come_by_time(tmp_path: Path) -> None:
    """Closes are sorted over markets, each market is listed before its first close and answered at its time."""
    events = events_of(history(tmp_path / "h", TWO_MARKETS))

    assert all(before.at_ms <= after.at_ms for before, after in pairwise(events))
    assert [type(event).__name__ for event in events] == [
        "MarketListed", "BookSnapshot", "BookSnapshot", "MarketListed", "BookSnapshot", "BookSnapshot",
        "BookSnapshot", "MarketResolved", "MarketResolved",
    ]  # fmt: skip
    assert events[-1] == MarketResolved(ConditionId("0xa"), (MICRO, 0), (T0 + 3 * DAY_S) * 1000)


def test_the_first_outcome_is_yes(tmp_path: Path) -> None:
    """Yes and Up stand first, whatever the order of the file, and the payouts follow that order."""
    events = events_of(history(tmp_path / "h", TWO_MARKETS))
    markets = [event.market for event in events if isinstance(event, MarketListed)]

    assert [[outcome.label for outcome in market.outcomes] for market in markets] == [["Yes", "No"], ["Up", "Down"]]
    assert MarketResolved(ConditionId("0xb"), (0, MICRO), (T0 + DAY_S + 9) * 1000) in events


def test_a_close_becomes_a_synthetic_book(tmp_path: Path) -> None:
    """The assumed book stands half a spread from the close on both sides, is marked, and leaves out what is no price."""
    assumptions = Assumptions(half_spread=Price(20_000))
    books = [
        e
        for e in events_of(history(tmp_path / "h", TWO_MARKETS), assumptions=assumptions)
        if isinstance(e, BookSnapshot)
    ]

    assert all(book.synthetic for book in books)
    assert (books[0].bids, books[0].asks) == (((380_000, 100_000_000),), ((420_000, 100_000_000),))
    (low,) = (book for book in books if book.asset_id == "20")
    assert (low.bids, low.asks) == ((), ((25_000, 100_000_000),))


def test_a_close_after_the_answer_is_dropped(tmp_path: Path) -> None:
    """A close later than the answer would leak it, and one outside (0, 1) is no price: both are counted."""
    rows = [*TWO_MARKETS, ("0xa", "11", "Yes", True, T0 + 3 * DAY_S, T0 + 9, 1.0)]
    feed = open_recording(history(tmp_path / "h", rows)).feed()
    list(feed.chunks())

    assert feed.dropped == {"a close after the answer": 1, "a close that is not between 0 and 1": 1}


def test_an_answer_without_a_winner_is_no_guess(tmp_path: Path) -> None:
    """A market of which no token, or both, won is closed and not resolved."""
    rows = [("0xa", t, label, False, T0 + DAY_S, T0, 0.5) for t, label in (("10", "Yes"), ("11", "No"))]
    feed = open_recording(history(tmp_path / "h", rows)).feed()
    last = [event for chunk in feed.chunks() for event in chunk][-1]

    assert last == MarketClosed(ConditionId("0xa"), (T0 + DAY_S) * 1000)
    assert feed.dropped == {"an answer that names no single winner": 1}


def test_metadata_wins_and_does_not_leak_the_answer(tmp_path: Path) -> None:
    """A given market replaces the inferred one, and is listed as open although it is resolved today."""
    given = Market(
        ConditionId("0xa"), "Real question?", (Outcome(AssetId("10"), "No"), Outcome(AssetId("11"), "Yes"))
    ).resolved((0, MICRO))
    recording = open_recording(history(tmp_path / "h", TWO_MARKETS), markets=[given])
    listed = next(e.market for c in recording.feed().chunks() for e in c if isinstance(e, MarketListed))

    assert (listed.question, listed.tradable, listed.payouts) == ("Real question?", True, None)


def test_quotes_give_both_outcomes(tmp_path: Path) -> None:
    """A quote of YES is mirrored for a made-up NO, a missing side stays empty, and y is the answer an hour later."""
    rows = [(0, "a", 0.2, 0.3, 1), (3600, "a", None, 0.4, 1)]
    listed, yes, no, later, no_later, answer = events_of(quotes(tmp_path / "q", rows))

    assert isinstance(listed, MarketListed)
    assert isinstance(yes, BookSnapshot)
    assert isinstance(no, BookSnapshot)
    assert isinstance(later, BookSnapshot)
    assert isinstance(no_later, BookSnapshot)
    assert listed.market.asset_ids == ("a", "complement:a")
    assert (yes.bids[0][0], yes.asks[0][0], no.bids[0][0], no.asks[0][0]) == (200_000, 300_000, 700_000, 800_000)
    assert (later.bids, no_later.asks) == ((), ())
    assert answer == MarketResolved(ConditionId("a"), (MICRO, 0), (T0 + 7200) * 1000)


def test_crossed_quotes_are_dropped(tmp_path: Path) -> None:
    """A bid at or above the ask, or a price of 1 for a bid, is no book."""
    recording = open_recording(
        quotes(tmp_path / "q", [(0, "a", 0.5, 0.5, 0), (1, "a", 1.0, None, 0), (2, "a", 0.1, 0.2, 0)])
    )
    feed = recording.feed()
    list(feed.chunks())

    assert feed.dropped == {"a quote that no book can have": 2}


def test_assumptions_are_checked() -> None:
    """A negative spread and an empty size are refused with the value."""
    with pytest.raises(ConfigError, match="half_spread is -100"):
        Assumptions(half_spread=Price(-100))
    with pytest.raises(ConfigError, match="gap_s"):
        Assumptions(gap_s=0)


def test_the_real_history_is_what_its_readme_says(shared_data: Path) -> None:
    """Every close but 12 late ones and 2 that are no price is played, and 4,130 markets pay exactly one winner."""
    path = shared_data / "history" / "daily_closes_resolved_to_2025.parquet"
    board, counts, last = Board(), Counter[str](), 0
    feed = open_recording(path).feed()
    for chunk in feed.chunks():
        for event in chunk:
            counts[type(event).__name__] += 1
            assert event.at_ms >= last
            last = event.at_ms
            if not isinstance(event, BookSnapshot):
                board.apply(event)

    assert counts == {"BookSnapshot": 537_572 - 14, "MarketListed": 4_130, "MarketResolved": 4_130}
    assert feed.dropped == {"a close after the answer": 12, "a close that is not between 0 and 1": 2}
    assert {market.payouts for market in board.markets.values()} == {(MICRO, 0), (0, MICRO)}


def test_the_real_winners_are_those_of_the_file(shared_data: Path) -> None:
    """The token that pays 1 is, in each of the 4,130 markets, the one whose rows say that it won."""
    pq = pytest.importorskip("pyarrow.parquet", reason="the data extra is not installed")
    path = shared_data / "history" / "daily_closes_resolved_to_2025.parquet"
    table = pq.read_table(path, columns=["condition_id", "token_id", "won"]).to_pydict()
    won = {c: t for c, t, w in zip(*table.values(), strict=True) if w}
    recording = open_recording(path)
    assets = {market.condition_id: market.asset_ids for market in recording.markets()}
    paid = {
        event.condition_id: assets[event.condition_id][event.payouts.index(MICRO)]
        for chunk in recording.feed().chunks()
        for event in chunk
        if isinstance(event, MarketResolved)
    }

    assert paid == won


def test_the_real_quotes_are_what_their_readme_says(shared_data: Path) -> None:
    """125,548 quotes of 8,669 questions become twice as many books; 2,741 questions were answered with yes."""
    path = shared_data / "polymarket_us" / "hourly_quotes_2026-07-12.parquet"
    found = open_recording(path).inspect()
    yes = sum(e.payouts[0] == MICRO for e in events_of(path) if isinstance(e, MarketResolved))

    assert found["engine_events"] == {"BookSnapshot": 2 * 125_548, "MarketListed": 8_669, "MarketResolved": 8_669}
    assert (found["without_bid"], found["without_ask"], found["crossed_books"]) == (54_144, 43_912, 0)
    assert (found["dropped"], yes) == ({}, 2_741)
