from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from polymarket_agent.adapters.polymarket.wire import decode_messages
from polymarket_agent.adapters.recordings import open_recording
from polymarket_agent.adapters.recordings.verify import ClaimCheck
from polymarket_agent.domain.board import Board
from polymarket_agent.domain.events import BookDelta, BookSnapshot, Event, MarketListed, MarketResolved, TradePrint
from polymarket_agent.domain.money import MICRO
from tests.recordings.made import CONDITION, NO, YES, Venue, lines, session


def events_of(path: Path) -> list[Event]:
    return [event for chunk in open_recording(path).feed().chunks() for event in chunk]


def check(frames: list[Any]) -> dict[str, dict[str, int]]:
    import json

    claims = ClaimCheck()
    for frame in frames:
        for message in decode_messages(json.dumps(frame)):
            claims.take(message)
    return claims.report()


def test_a_market_is_listed_before_its_first_book(tmp_path: Path) -> None:
    """The first event of a market is its listing, with both outcomes and fees that are assumed, not zero."""
    first, second, *_ = events_of(session(tmp_path / "frames"))

    assert isinstance(first, MarketListed)
    assert first.market.asset_ids == (YES, NO)
    assert first.market.fees_assumed
    assert first.market.fees.rate == 70_000
    assert isinstance(second, BookSnapshot)


def test_frames_become_the_events_in_their_order(tmp_path: Path) -> None:
    """Books, changes with both halves, and trades arrive in the order of the lines."""
    kinds = [type(event) for event in events_of(session(tmp_path / "frames.jsonl.gz"))]

    assert kinds == [MarketListed, BookSnapshot, BookSnapshot, BookDelta, BookDelta, BookDelta, TradePrint]


async def test_the_feed_is_an_event_feed(tmp_path: Path) -> None:
    """A feed of frames is replayed and streaming, yields the same events asynchronously, and closes twice."""
    feed = open_recording(session(tmp_path / "frames")).feed()
    events = [event async for event in feed.events()]
    await feed.aclose()
    await feed.aclose()

    assert feed.replayed
    assert feed.streaming
    assert events == events_of(tmp_path / "frames")


def test_inspect_counts_what_a_session_holds(tmp_path: Path) -> None:
    """Frames, types, assets and claims of a made session are counted exactly."""
    found = open_recording(session(tmp_path / "frames")).inspect()

    assert found["kind"] == "ws_frames"
    assert found["frames"] == 7
    assert found["events"] == {"book": 2, "empty": 1, "last_trade_price": 1, "pong": 1, "price_change": 3}
    assert found["assets"]["count"] == 2
    assert found["markets"] == 1
    assert found["dropped"] == {}
    assert (found["book_hash"]["checked"], found["book_hash"]["matched"]) == (8, 8)
    assert (found["best_price"]["checked"], found["best_price"]["matched"]) == (6, 6)


def test_a_bad_line_costs_only_itself(tmp_path: Path) -> None:
    """A line that is not JSON, a broken message and a cut last line are counted by reason; the rest arrives."""
    path = session(tmp_path / "frames")
    with path.open("a") as file:
        file.write('{"event_type":\n{"event_type":"book","asset_id":"7"}\n{"event_type":"pri')
    recording = open_recording(path)
    feed = recording.feed()
    kept = [event for chunk in feed.chunks() for event in chunk]

    assert len(kept) == 7
    assert feed.dropped == {
        "a line that is not JSON": 1,
        "a message that breaks the venue's contract": 1,
        "a cut last line": 1,
    }
    assert recording.inspect()["dropped"] == feed.dropped


def test_frames_of_other_channels_are_no_errors(tmp_path: Path) -> None:
    """User and real-time-data frames are counted by their types and dropped from nothing."""
    path = lines(
        tmp_path / "mixed",
        [
            {"topic": "crypto_prices", "type": "update", "payload": {}, "timestamp": 1},
            {"fixture": "order", "message": {"event_type": "order", "id": "0x1"}},
            {"event_type": "something_new", "x": 1},
        ],
    )

    assert open_recording(path).inspect()["events"] == {"crypto_prices:update": 1, "order": 1, "something_new": 1}
    assert events_of(path) == []


def test_an_asset_alone_gets_a_made_up_partner(tmp_path: Path) -> None:
    """A recording of one outcome lists a market whose other claim is named complement:<asset>."""
    venue = Venue()
    venue.set("0.4", "5", bid=True)
    listed = events_of(lines(tmp_path / "one", [venue.book(YES)]))[0]

    assert isinstance(listed, MarketListed)
    assert listed.market.asset_ids == (YES, f"complement:{YES}")


def test_a_resolution_pays_the_named_winner(tmp_path: Path) -> None:
    """`market_resolved` becomes the payouts in the venue's order of the outcomes."""
    venue = Venue()
    resolved = {
        "event_type": "market_resolved",
        "market": CONDITION,
        "assets_ids": [NO, YES],
        "winning_asset_id": YES,
        "timestamp": str(venue.at_ms + 5),
    }
    last = events_of(lines(tmp_path / "end", [venue.book(YES), venue.book(NO), resolved]))[-1]

    assert isinstance(last, MarketResolved)
    assert last.payouts == (0, MICRO)


@given(
    st.lists(st.tuples(st.integers(1, 99), st.integers(0, 3), st.booleans()), max_size=30),
    st.booleans(),
    st.sampled_from(["5", "15"]),
)
def test_every_claim_of_an_honest_venue_matches(steps: list[tuple[int, int, bool]], neg_risk: bool, size: str) -> None:
    """Whatever the changes and the neg-risk flag, all hashes and best prices of a consistent venue match."""
    venue = Venue(neg_risk=neg_risk)
    frames: list[Any] = [[venue.book(YES), venue.book(NO)]]
    frames += [venue.change(f"0.{at:02d}", f"{n}.5" if n else "0", bid=bid) for at, n, bid in steps]
    found = check(frames)

    assert found["book_hash"]["matched"] == found["book_hash"]["checked"] == 2 + 2 * len(steps)
    assert found["best_price"]["matched"] == found["best_price"]["checked"] == 2 * len(steps)
    assert size


def test_a_lost_frame_shows_in_the_claims() -> None:
    """When a change is missing, the hashes and best prices after it do not match."""
    venue = Venue()
    opening = [venue.book(YES), venue.book(NO)]
    venue.change("0.45", "10", bid=True)
    found = check([opening, venue.change("0.44", "3", bid=True)])

    assert found["book_hash"]["unmatched"] == 2
    assert found["best_price"]["unmatched"] == 2


def test_a_hash_of_the_end_of_a_burst_matches_later() -> None:
    """A change that carries the hash of a later state of its millisecond is matched, and counted as such."""
    venue = Venue()
    opening = [venue.book(YES), venue.book(NO)]
    first = venue.change("0.45", "10", bid=True)
    second = venue.change("0.44", "3", bid=True)
    second["timestamp"] = first["timestamp"]
    venue.at_ms -= 1
    for frame in (first, second):
        for half in frame["price_changes"]:
            half["hash"] = venue.hash(half["asset_id"])
    found = check([opening, first, second])["book_hash"]

    assert (found["checked"], found["matched"], found["matched_in_burst"]) == (6, 6, 2)


def test_a_hash_may_know_a_trade_before_it_is_published() -> None:
    """A hash with the price of a trade that is announced a moment later is matched by it."""
    venue = Venue()
    opening = [venue.book(YES), venue.book(NO)]
    trade = venue.trade("0.53")
    found = check([opening, venue.change("0.45", "10", bid=True), trade])["book_hash"]

    assert (found["checked"], found["matched"], found["unmatched"]) == (4, 4, 0)


def test_old_books_are_unverifiable_and_not_wrong() -> None:
    """A book without tick size and last trade price cannot be hashed, and is no mismatch."""
    venue = Venue()
    old = venue.book(YES)
    del old["tick_size"], old["last_trade_price"]
    found = check([old])["book_hash"]

    assert (found["checked"], found["unmatched"], found["unverifiable"]) == (0, 0, 1)


def test_the_real_capture_is_what_its_readme_says(shared_data: Path) -> None:
    """On the capture of 2026-05-19 all 178 hashes and all 178 best prices match, 6 hashes within their burst."""
    found = open_recording(shared_data / "ws" / "market_channel_2026-05-19.jsonl").inspect()

    assert found["frames"] == 95
    assert found["events"] == {"best_bid_ask": 10, "book": 10, "price_change": 84}
    assert (found["markets"], found["assets"]["count"]) == (5, 10)
    assert found["book_hash"] == {
        "checked": 178, "matched": 178, "matched_in_burst": 6, "unmatched": 0, "unverifiable": 0,
    }  # fmt: skip
    assert (found["best_price"]["checked"], found["best_price"]["matched"]) == (178, 178)
    assert found["crossed_books"] == 0


def test_the_real_capture_gives_uncrossed_books(shared_data: Path) -> None:
    """Played to a board, the capture leaves ten ready books, none crossed, each the mirror of its partner."""
    board = Board()
    for event in events_of(shared_data / "ws" / "market_channel_2026-05-19.jsonl"):
        board.apply(event)

    assert len(board.books) == 10
    assert all(book.ready and not book.crossed for book in board.books.values())
    for market in board.markets.values():
        one, other = (board.books[asset_id] for asset_id in market.asset_ids)
        assert other.top == (MICRO - one.top[1], MICRO - one.top[0])


def test_other_real_frames_drop_nothing(shared_data: Path) -> None:
    """Single messages, legacy arrays, user and real-time-data frames are all read; only the quoted book is crossed."""
    for path in [*sorted((shared_data / "ws").glob("*.jsonl")), shared_data / "user" / "user_channel.jsonl"]:
        found = open_recording(path).inspect()
        assert found["dropped"] == {}, path.name
        assert found["crossed_books"] == (1 if path.name.startswith("legacy") else 0)
        assert found["book_hash"]["unmatched"] == 0
