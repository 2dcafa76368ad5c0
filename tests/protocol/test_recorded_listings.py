import gzip
import json
from collections import Counter
from pathlib import Path

import msgspec
import pytest

from polymarket_agent.adapters.polymarket.answers import (
    claimed_hash_matches,
    parse_book,
    parse_books,
    parse_public_trades,
)
from polymarket_agent.adapters.polymarket.clob_listing import parse_clob_market, parse_clob_page, parse_compact_markets
from polymarket_agent.adapters.polymarket.groups import parse_group, parse_groups
from polymarket_agent.adapters.polymarket.listing import parse_market, parse_markets
from polymarket_agent.domain.market import NO_FEE, FeeSchedule, Market, MarketState, ProtocolVersion


@pytest.fixture
def gamma(shared_data: Path) -> Path:
    return shared_data / "gamma"


@pytest.fixture
def clob(shared_data: Path) -> Path:
    return shared_data / "clob"


def market(path: Path) -> Market:
    return parse_market(path.read_bytes())


def test_a_neg_risk_event_is_a_complete_group(gamma: Path) -> None:
    """The rate decision has five markets that cover every answer, with their fees and labels."""
    listed = parse_group((gamma / "event_fed_decision_june_2026-05-17.json").read_bytes())

    assert (listed.group.neg_risk, listed.group.complete, listed.dropped) == (True, True, [])
    assert len(listed.markets) == len(listed.group.markets) == 5
    assert {each.group_id for each in listed.markets} == {listed.group.group_id} == {"101772"}
    assert {each.fees for each in listed.markets} == {FeeSchedule(50_000, 1, taker_only=True, rebate_rate=250_000)}
    assert "No change" in {each.group_item for each in listed.markets}


def test_a_dated_event_is_no_complete_group(gamma: Path) -> None:
    """Markets by date do not exclude each other: three have their answer, two are open, none has a fee."""
    listed = parse_group((gamma / "event_by_date_negrisk_false_2026-02-16.json").read_bytes())

    assert (listed.group.complete, listed.dropped) == (False, [])
    assert Counter(each.state for each in listed.markets) == {MarketState.RESOLVED: 3, MarketState.OPEN: 2}
    assert {each.payouts for each in listed.markets} == {(0, 1_000_000), None}
    assert {each.fees for each in listed.markets} == {NO_FEE}


def test_a_search_answer_mixes_open_and_resolved(gamma: Path) -> None:
    """Nine markets in two groups; neither group counts as complete, because a search may leave members out."""
    groups, dropped = parse_groups((gamma / "public_search_fed_2026-05-17.json").read_bytes(), whole=False)

    assert dropped == []
    assert [(len(each.markets), each.dropped, each.group.complete) for each in groups] == [
        (5, [], False),
        (4, [], False),
    ]
    assert Counter(m.state.value for each in groups for m in each.markets) == {"open": 5, "resolved": 4}


@pytest.mark.parametrize(
    ("name", "good", "dropped"),
    [
        ("markets_list_before_gta_vi_2026-06-21.json", 5, 0),
        ("markets_by_slug_btc_updown_5m_2026-03-22.json", 1, 0),
        ("tags_2026.json", 0, 5),
    ],
)
def test_each_list_gives_exactly_its_markets(gamma: Path, name: str, good: int, dropped: int) -> None:
    """Lists lose nothing, and tags are no markets."""
    markets, left_out = parse_markets((gamma / name).read_bytes())

    assert (len(markets), len(left_out)) == (good, dropped)


def test_a_market_past_its_end_still_trades(gamma: Path) -> None:
    """A five-minute market seconds after its end is open and takes orders; outcomes are Up and Down."""
    found = market(gamma / "market_btc_updown_5m_2026-03-22.json")

    assert found.tradable
    assert [outcome.label for outcome in found.outcomes] == ["Up", "Down"]
    assert found.fees == FeeSchedule(250_000, 2, taker_only=True, rebate_rate=200_000)
    assert (found.tick_size, found.end_at_ms, found.group_id) == (1_000, 1_774_166_100_000, "292275")


def test_fees_that_are_on_but_not_named_are_assumed(gamma: Path) -> None:
    """Fees enabled without a schedule are taken to be the highest, and marked as assumed."""
    found = market(gamma / "market_2026.json")

    assert found.fees_assumed
    assert found.fees.rate == 70_000


def test_closed_markets_have_an_answer_only_if_the_venue_gave_one(gamma: Path) -> None:
    """Prices of exactly 1 and 0 on a resolved market are payouts; an old market's last prices are not."""
    assert market(gamma / "market_sports_moneyline_2026.json").payouts == (1_000_000, 0)
    assert market(gamma / "market_closed_binary_accepting_false_2026.json").payouts == (0, 1_000_000)
    legacy = market(gamma / "market_closed_nonbinary_legacy.json")
    assert (legacy.state, legacy.payouts, legacy.neg_risk) == (MarketState.CLOSED, None, False)


def test_a_market_that_says_little_is_not_tradable(gamma: Path) -> None:
    """A subset of fields parses; what does not say that it takes orders takes none."""
    found = market(gamma / "market_fed_october_2026-10-01_transcribed_subset.json")

    assert (found.version, found.tradable, found.neg_risk) == (ProtocolVersion.V1, False, True)


def test_a_day_of_settled_markets_parses(shared_data: Path) -> None:
    """All 292 five-minute markets of a day are resolved one way or the other."""
    with gzip.open(shared_data / "updown" / "btc_updown_5m_markets_2026-06-08.jsonl.gz") as file:
        markets, dropped = parse_markets([json.loads(line)["raw"] for line in file])

    assert dropped == []
    assert Counter(each.payouts for each in markets) == {(0, 1_000_000): 155, (1_000_000, 0): 137}


def test_a_page_of_old_markets_loses_only_its_placeholders(clob: Path) -> None:
    """Of 500 rows 29 have no ids and are dropped with that reason; 6 resolved 50/50; none is tradable."""
    raw = gzip.decompress((clob / "markets_page_first500_2026-01-11.json.gz").read_bytes())
    markets, dropped, cursor = parse_clob_page(raw)

    assert (len(markets), cursor) == (471, "MTAwMA==")
    assert Counter(reason for _, reason in dropped) == {"an asset id is empty": 29}
    assert Counter(each.payouts for each in markets)[(500_000, 500_000)] == 6
    assert not any(each.tradable for each in markets)


def test_single_rows_of_the_order_book_api_parse(clob: Path) -> None:
    """An open market of 2024 and a closed one of 2026; fees are not said there and so are assumed while open."""
    trump = parse_clob_market((clob / "market_trump_2024.json").read_bytes())
    closed = parse_clob_market((clob / "market_closed_binary_accepting_false_2026.json").read_bytes())

    assert (trump.tradable, trump.fees_assumed, trump.tick_size) == (True, True, 1_000)
    assert closed.payouts == (0, 1_000_000)


def test_the_compact_form_says_the_same_as_the_listing(clob: Path, gamma: Path) -> None:
    """Ids, tick size, minimum, neg-risk and fee rate of the one-letter form equal those of the event."""
    compact, dropped = parse_compact_markets(
        (clob / "clob_markets_compact_fed_decision_june_2026-05-17.json").read_bytes()
    )
    listed = parse_group((gamma / "event_fed_decision_june_2026-05-17.json").read_bytes()).markets

    def essence(each: Market) -> tuple[object, ...]:
        return (each.outcomes, each.tick_size, each.min_order_size, each.neg_risk, each.fees.rate, each.tradable)

    assert dropped == []
    assert {m.condition_id: essence(m) for m in compact} == {m.condition_id: essence(m) for m in listed}


def test_the_hashes_of_fetched_books_are_ours(clob: Path) -> None:
    """Ten books of a list and two single ones hash to what they claim; the form of 2024 has another recipe."""
    raw = (clob / "books_fed_decision_june_2026-05-17.json").read_bytes()
    books, dropped = parse_books(raw)

    assert (len(books), dropped) == (10, [])
    assert all(claimed_hash_matches(each) for each in msgspec.json.decode(raw, type=list[msgspec.Raw]))
    for name, matches in (("2026-01-11", True), ("btc_updown_5m_2026-03-22", True), ("legacy_2024-10-13", None)):
        assert claimed_hash_matches((clob / f"book_{name}.json").read_bytes()) is matches


def test_the_book_of_a_decided_market_has_one_side(clob: Path) -> None:
    """No bids and 104 asks are a book like any other."""
    book = parse_book((clob / "book_btc_updown_5m_2026-03-22.json").read_bytes())

    assert (len(book.bids), len(book.asks), book.tick_size) == (0, 104, 1_000)


def test_public_trades_have_average_prices(clob: Path) -> None:
    """The data API's floats of sixteen digits become the nearest micro-unit; sizes are exact."""
    trades, dropped = parse_public_trades((clob / "data_api_trades_btc_updown_5m_2026-03-22.json").read_bytes())

    assert dropped == []
    assert (trades[1].price, trades[1].size) == (570_000, 1_754_383)
