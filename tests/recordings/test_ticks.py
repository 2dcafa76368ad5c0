from __future__ import annotations

from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

from polymarket_agent.adapters.recordings import open_recording
from polymarket_agent.adapters.recordings.tick_rows import RowDecoder
from polymarket_agent.domain.board import Board
from polymarket_agent.domain.events import BookDelta, BookSnapshot, Event, LevelChange, MarketListed, TradePrint
from polymarket_agent.domain.market import AssetId
from polymarket_agent.domain.money import MICRO
from tests.recordings.made import NO, YES, ask, both, ticks

REAL = Path("ticks") / "nhl_g4_2026-06-07.parquet"
OPENING = [*both(0, 0.40, 5, 0.40, 0.60), *ask(1, 0.60, 7, 0.40, 0.60)]


def events_of(path: Path) -> list[Event]:
    return [event for chunk in open_recording(path).feed().chunks() for event in chunk]


def test_a_book_arrives_when_its_claims_are_built(tmp_path: Path) -> None:
    """Changes are gathered until the built best prices are the claimed ones; then both books arrive as snapshots."""
    path = ticks(tmp_path / "t", [*both(0, 0.30, 9, 0.40, 0.60), *OPENING, *both(2, 0.41, 1, 0.41, 0.60)])
    listed, yes, no, delta = events_of(path)

    assert isinstance(listed, MarketListed)
    assert isinstance(yes, BookSnapshot)
    assert isinstance(no, BookSnapshot)
    assert isinstance(delta, BookDelta)
    assert yes.bids == ((300_000, 9_000_000), (400_000, 5_000_000))
    assert no.asks == ((600_000, 5_000_000), (700_000, 9_000_000))
    assert delta.changes == ((YES, True, 410_000, 1_000_000), (NO, False, 590_000, 1_000_000))


def test_a_level_better_than_the_claim_is_removed(tmp_path: Path) -> None:
    """When a trade has taken the best level, the next claim removes it before the change is applied."""
    trade = (3, YES, "TRADE ASK", 0.40, 5.0, 0.0, 0.0)
    path = ticks(tmp_path / "t", [*both(0, 0.30, 9, 0.40, 0.60), *OPENING, trade, *both(4, 0.29, 1, 0.30, 0.60)])
    board = Board()
    for event in events_of(path):
        board.apply(event)

    assert board.books[AssetId(YES)].top == (300_000, 600_000)
    assert board.books[AssetId(NO)].top == (400_000, 700_000)


def test_a_trade_says_who_took(tmp_path: Path) -> None:
    """A last trade on the BID side is a buy of its asset by the taker."""
    trade = (3, NO, "TRADE BID", 0.6, 2.5, 0.0, 0.0)
    last = events_of(ticks(tmp_path / "t", [*OPENING, trade]))[-1]

    assert isinstance(last, TradePrint)
    assert (last.asset_id, last.price, last.size, last.taker_buys) == (NO, 600_000, 2_500_000, True)


def test_rows_that_cannot_be_are_dropped_with_reason(tmp_path: Path) -> None:
    """Impossible prices, inexact sizes and NaN cost their row only, and feed and inspection count the same."""
    bad = [
        (5, YES, "BID", 1.5, 1.0, 0.40, 0.60),
        (5, YES, "BID", 0.39, 0.00000001, 0.40, 0.60),
        (5, YES, "BID", 0.39, float("nan"), 0.40, 0.60),
        (5, YES, "BID", 0.39, 1.0, 1.0, 0.60),
        (5, "", "BID", 0.39, 1.0, 0.40, 0.60),
    ]
    recording = open_recording(ticks(tmp_path / "t", [*OPENING, *bad, *both(6, 0.38, 1, 0.40, 0.60)]))
    feed = recording.feed()
    kept = [event for chunk in feed.chunks() for event in chunk]

    assert isinstance(kept[-1], BookDelta)
    assert feed.dropped == {
        "a row without an asset": 1,
        "a number that is not an exact amount": 2,
        "a price that no book can have": 1,
        "a best price that no book can have": 1,
    }
    assert recording.inspect()["frames"] == 11


def test_an_unpaired_row_is_a_change_of_one_outcome(tmp_path: Path) -> None:
    """A row without its mirror beside it changes its own book and no other."""
    path = ticks(tmp_path / "t", [*OPENING, both(2, 0.35, 3, 0.40, 0.60)[0], *both(3, 0.34, 1, 0.40, 0.60)])
    *_, single, pair = events_of(path)

    assert isinstance(single, BookDelta)
    assert isinstance(pair, BookDelta)
    assert (len(single.changes), len(pair.changes)) == (1, 2)


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7])
def test_batches_tear_no_pair(tmp_path: Path, size: int) -> None:
    """What is decoded does not depend on where the file is cut into batches."""
    path = ticks(tmp_path / "t", [*OPENING, *(row for at in range(20) for row in both(at, 0.30, at, 0.40, 0.60))])
    pa = pytest.importorskip("pyarrow", reason="the data extra is not installed")
    pq = pytest.importorskip("pyarrow.parquet")

    def decoded(batch_rows: int) -> tuple[list[LevelChange], list[int]]:
        decoder = RowDecoder()
        batches = [decoder(pa, batch) for batch in pq.read_table(path).to_batches(max_chunksize=batch_rows)]
        batches += [rest] if (rest := decoder.rest(pa)) is not None else []
        changes = [change for rows in batches for change in rows.changes(0, len(rows.at_ms))]
        return changes, [mirrored for rows in batches for mirrored in rows.mirrored]

    assert decoded(size) == decoded(1_000)


def test_the_real_stream_is_what_its_readme_says(shared_data: Path) -> None:
    """Rows, trades, copies, steps back and silences of the real stream are those of its README."""
    found = open_recording(shared_data / REAL).inspect()

    assert found["frames"] == 159_420
    assert found["events"] == {"LAST_TRADE": 208, "PRICE_CHANGE": 159_212}
    assert (found["markets"], found["assets"]["count"]) == (3, 6)
    assert (found["duplicates"], found["time"]["steps_back"], found["crossed_books"]) == (41, 164, 0)
    assert found["dropped"] == {}
    silences = [each["longest_silence_s"] for each in found["assets"]["list"]]
    assert (round(min(silences)), round(max(silences))) == (8, 25)


def test_the_real_best_prices_agree_with_a_naive_count(shared_data: Path) -> None:
    """157,536 of 157,726 comparable claims match, counted again here with plain dicts and min and max."""
    rows = _naive_rows(shared_data / REAL)
    books: dict[tuple[str, bool], dict[int, int]] = {}
    counts: Counter[str] = Counter()
    for asset, side, price, size, best_bid, best_ask in rows:
        bids, asks = books.setdefault((asset, True), {}), books.setdefault((asset, False), {})
        (bids if side == "BID" else asks)[price] = size
        if best_bid in bids and best_ask in asks:
            top = max((p for p in bids if bids[p]), default=0), min((p for p in asks if asks[p]), default=MICRO)
            counts["checked"] += 1
            counts["matched"] += top == (best_bid, best_ask)
        bids.update({p: 0 for p in bids if p > best_bid})
        asks.update({p: 0 for p in asks if p < best_ask})
    found = open_recording(shared_data / REAL).inspect()["best_price"]

    assert (found["checked"], found["matched"]) == (counts["checked"], counts["matched"]) == (157_726, 157_536)


def _naive_rows(path: Path) -> list[tuple[str, str, int, int, int, int]]:
    pq = pytest.importorskip("pyarrow.parquet", reason="the data extra is not installed")
    return [
        (row["asset_id"], row["side"], *(int(row[c] * 1e6 + 0.5) for c in ("price", "size", "best_bid", "best_ask")))
        for row in pq.read_table(path).to_pylist()
        if row["event_type"] == "PRICE_CHANGE"
    ]


def test_the_real_stream_gives_mirrored_uncrossed_books(shared_data: Path) -> None:
    """Played to a board, the six books are ready, never crossed at a chunk's end, and mirror each other."""
    board = Board()
    feed = open_recording(shared_data / REAL).feed()
    total = 0
    for chunk in feed.chunks():
        for event in chunk:
            board.apply(event)
        total += len(chunk)
        assert not any(book.ready and book.crossed for book in board.books.values())

    assert total == 79_077
    assert feed.dropped == {}
    pairs = [tuple(board.books[a] for a in market.asset_ids) for market in board.markets.values()]
    assert [other.top for _, other in pairs] == [(MICRO - one.top[1], MICRO - one.top[0]) for one, _ in pairs]
    assert {tuple(a[:5] for a in m.asset_ids) for m in board.markets.values()} == {
        ("57953", "96068"), ("45956", "56376"), ("66436", "21123"),
    }  # fmt: skip


def test_trades_keep_their_place_in_the_real_stream(shared_data: Path) -> None:
    """The 208 trades have keys that rise with their rows."""
    events = [e for chunk in open_recording(shared_data / REAL).feed().chunks() for e in chunk]
    keys = [int(event.key) for event in events if isinstance(event, TradePrint)]

    assert len(keys) == 208
    assert all(before < after for before, after in pairwise(keys))
