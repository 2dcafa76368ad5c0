import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from polymarket_agent.adapters.polymarket.listing_file import read_markets
from polymarket_agent.errors import RecordingError
from tests.protocol.listings import condition_id, event, gamma_market, v1_ids

ROW: dict[str, Any] = {
    "condition_id": condition_id(1),
    "question": "Question 1?",
    "tokens": [{"token_id": each, "outcome": str(index)} for index, each in enumerate(v1_ids(1))],
    "minimum_tick_size": 0.01,
    "minimum_order_size": 5,
}
COMPACT: dict[str, Any] = {
    "c": condition_id(1),
    "t": [{"t": each, "o": each} for each in v1_ids(1)],
    "mts": 0.01,
    "mos": 5,
}


@pytest.mark.parametrize(
    "listing",
    [
        gamma_market(1),
        gamma_market(1, events=[{"id": "77"}]),
        [gamma_market(1), gamma_market(1), gamma_market(2, outcomes="[]")],
        {"markets": [gamma_market(1)], "next_cursor": "x"},
        event(gamma_market(1)),
        {"events": [event(gamma_market(1))], "pagination": {}},
        {"data": [ROW], "next_cursor": "LTE="},
        ROW,
        [COMPACT],
        {"slug": "wrapped", "raw": gamma_market(1)},
    ],
)
def test_every_shape_of_a_listing_is_read(tmp_path: Path, listing: Any) -> None:
    """Single markets, lists, pages, groups, search answers, order-book rows and wrappers give the same market."""
    plain, packed = tmp_path / "listing.json", tmp_path / "listing.json.gz"
    plain.write_text(json.dumps(listing))
    packed.write_bytes(gzip.compress(plain.read_bytes()))

    assert [market.condition_id for market in read_markets(plain)] == [condition_id(1)]
    assert read_markets(packed) == read_markets(plain)


def test_lines_of_json_are_read_and_members_know_their_group(tmp_path: Path) -> None:
    """A recorder's JSON lines work too, and a market listed under a group carries its id."""
    path = tmp_path / "listing.jsonl"
    path.write_text(json.dumps(event(gamma_market(1))) + "\n\n" + json.dumps(gamma_market(2)) + "\n")

    assert [market.group_id for market in read_markets(path)] == ["77", None]


@pytest.mark.parametrize("content", [b"", b"[]", b"nonsense", b'{"a": 1}', b"\x1f\x8bcut", b"[" * 99_999])
def test_a_file_without_a_market_is_one_clear_error(tmp_path: Path, content: bytes) -> None:
    """Empty, foreign, damaged and missing files raise RecordingError with the path and a hint."""
    path = tmp_path / "listing.json"
    path.write_bytes(content)

    for each in (path, tmp_path / "missing.json"):
        with pytest.raises(RecordingError, match=each.name) as caught:
            read_markets(each)
        assert caught.value.hint


def test_the_recorded_listings_are_read(shared_data: Path) -> None:
    """Real saved answers of five endpoints are read as they are."""
    found = {
        name: len(read_markets(shared_data / name))
        for name in (
            "gamma/event_fed_decision_june_2026-05-17.json",
            "gamma/public_search_fed_2026-05-17.json",
            "gamma/market_btc_updown_5m_2026-03-22.json",
            "clob/markets_page_first500_2026-01-11.json.gz",
            "updown/btc_updown_5m_markets_2026-06-08.jsonl.gz",
        )
    }
    assert list(found.values()) == [5, 9, 1, 471, 292]
