from typing import Any

import pytest

from polymarket_agent.adapters.polymarket.answers import decoded, elements, parse_price_history, time_ms
from polymarket_agent.adapters.polymarket.clob_listing import parse_clob_page, parse_compact_market
from polymarket_agent.adapters.polymarket.groups import parse_group
from polymarket_agent.adapters.polymarket.listing import parse_market, parse_markets
from polymarket_agent.domain.market import NO_FEE, MarketState, ProtocolVersion
from polymarket_agent.errors import VenueDataError
from tests.protocol.listings import condition_id, event, gamma_market, v1_ids, v2_ids


def test_a_market_has_what_the_listing_says() -> None:
    """Amounts are exact, times are milliseconds, and the label among siblings is trimmed."""
    market = parse_market(gamma_market())

    assert (market.tick_size, market.min_order_size) == (1_000, 5_000_000)
    assert (market.volume, market.liquidity) == (1_234_500_000, 10_000_001)
    assert (market.end_at_ms, market.group_item) == (1_798_675_200_000, "Item 1")
    assert market.tradable


@pytest.mark.parametrize("version", [None, "v1"])
def test_the_first_protocol_takes_token_ids(version: str | None) -> None:
    """Without a version, and with v1, ids are the packed token ids, even when position ids stand beside them."""
    market = parse_market(gamma_market(version=version, positionIds=list(v2_ids())))

    assert (market.version, market.asset_ids) == (ProtocolVersion.V1, v1_ids())


def test_the_second_protocol_takes_position_ids() -> None:
    """With v2, ids are the real array of position ids, even when token ids stand beside them."""
    market = parse_market(gamma_market(version="v2", positionIds=list(v2_ids())))

    assert (market.version, market.asset_ids) == (ProtocolVersion.V2, v2_ids())


@pytest.mark.parametrize(
    "fields",
    [
        {"version": "v3"},
        {"version": "v2"},
        {"version": "v2", "positionIds": list(v1_ids())},
        {"clobTokenIds": list(v2_ids())},
        {"clobTokenIds": None},
        {"clobTokenIds": '["1"]'},
        {"clobTokenIds": "[1, 2]"},
        {"clobTokenIds": "nonsense"},
        {"clobTokenIds": [v1_ids()[0], v1_ids()[0]]},
        {"clobTokenIds": ["", ""]},
        {"outcomes": '["A", "B", "C"]'},
        {"outcomes": "[]"},
        {"conditionId": ""},
        {"conditionId": "0x12"},
        {"orderPriceMinTickSize": 0.02},
        {"orderMinSize": -5},
        {"feeSchedule": {"rate": 1.5}},
        {"feeSchedule": {"rate": 0.05, "exponent": 1.5}},
        {"feeSchedule": {"rate": "NaN"}},
        {"endDate": "soon"},
        {"closed": "yes"},
    ],
)
def test_a_malformed_market_costs_only_itself(fields: dict[str, Any]) -> None:
    """Unknown versions, ids of the other protocol, more than two outcomes and bad numbers are named and left out."""
    markets, dropped = parse_markets({"markets": [gamma_market(1), gamma_market(2, **fields), gamma_market(3)]})

    assert [market.condition_id for market in markets] == [condition_id(1), condition_id(3)]
    assert [index for index, _ in dropped] == [1]
    assert dropped[0][1]


def test_hexadecimal_ids_are_the_same_ids() -> None:
    """The venue's command prints ids as 0x…; they become the decimal ids of everything else."""
    market = parse_market(gamma_market(clobTokenIds=[hex(int(each)) for each in v1_ids()]))

    assert market.asset_ids == v1_ids()


@pytest.mark.parametrize(
    "fields", [{"feesEnabled": False}, {"feeSchedule": None}, {"feesEnabled": None, "feeSchedule": None}]
)
def test_no_fee_is_what_the_venue_says_is_no_fee(fields: dict[str, Any]) -> None:
    """Fees that are off and a schedule of null are no fee, and nothing is assumed."""
    market = parse_market(gamma_market(**fields))

    assert (market.fees, market.fees_assumed) == (NO_FEE, False)


def test_an_unsaid_fee_is_never_zero() -> None:
    """A source that does not know fees gives the highest ones, marked as assumed."""
    listed = gamma_market()
    del listed["feeSchedule"], listed["feesEnabled"]
    market = parse_market(listed)

    assert market.fees_assumed
    assert market.fees.rate > 0


@pytest.mark.parametrize(
    ("prices", "status", "payouts"),
    [
        ('["1", "0"]', "resolved", (1_000_000, 0)),
        ('["0", "1"]', "resolved", (0, 1_000_000)),
        ('["0.5", "0.5"]', "resolved", (500_000, 500_000)),
        ('["0.9995", "0.0005"]', "resolved", None),
        ('["1", "0"]', "proposed", None),
        ('["1", "1"]', "resolved", None),
    ],
)
def test_payouts_are_known_only_from_a_resolved_market(prices: str, status: str, payouts: Any) -> None:
    """Exactly 1/0 or 0.5/0.5 on a resolved, closed market is the answer; anything else is not yet."""
    closed = parse_market(gamma_market(closed=True, outcomePrices=prices, umaResolutionStatus=status))
    still_open = parse_market(gamma_market(closed=False, outcomePrices=prices, umaResolutionStatus=status))

    assert (closed.payouts, closed.tradable) == (payouts, False)
    assert (still_open.state, still_open.tradable) == (MarketState.OPEN, False)


@pytest.mark.parametrize(
    "fields",
    [
        {"negRiskAugmented": True},
        {"negRisk": False},
        {"markets": [gamma_market(1)]},
        {"markets": [gamma_market(1), gamma_market(2), gamma_market(3, negRiskOther=True)]},
        {"markets": [gamma_market(1), gamma_market(2), gamma_market(3, conditionId="")]},
    ],
    ids=["augmented", "not neg-risk", "alone", "placeholder", "member unreadable"],
)
def test_a_group_is_complete_only_when_every_answer_is_there(fields: dict[str, Any]) -> None:
    """A group that can gain outcomes, or whose members are not all known, guarantees nothing."""
    assert parse_group(event(gamma_market(1), gamma_market(2))).group.complete
    assert not parse_group(event(gamma_market(1), gamma_market(2)) | fields).group.complete


def test_an_answer_without_its_list_is_refused() -> None:
    """An object without the promised key is an error and no empty list; a null list is empty."""
    with pytest.raises(VenueDataError, match="no list of markets"):
        parse_markets(b'{"error":"oops"}')
    assert elements({"markets": None}, "markets") == []
    with pytest.raises(VenueDataError, match="not JSON"):
        decoded(b"<html>")


@pytest.mark.parametrize("cursor", ["LTE=", "", None])
def test_a_list_ends_at_its_end_cursor(cursor: str | None) -> None:
    """The end mark, an empty cursor and none at all mean that there is no further page."""
    assert parse_clob_page({"data": [], "next_cursor": cursor}) == ([], [], None)


def test_the_compact_form_without_a_schedule_has_no_fee() -> None:
    """There a missing `fd` is the venue's way to say that there is no fee."""
    first, second = v2_ids()
    raw = {"c": "0x" + "1" * 62, "t": [{"t": first, "o": "Yes"}, {"t": second, "o": "No"}], "mts": 0.01, "mos": 5}

    market = parse_compact_market(raw | {"v": "v2", "ao": True})
    assert (market.fees, market.fees_assumed, market.version) == (NO_FEE, False, ProtocolVersion.V2)
    with pytest.raises(VenueDataError):
        parse_compact_market(raw)


def test_a_price_history_is_sorted_and_loses_only_bad_points() -> None:
    """Points come oldest first; prices of 0 or 1 and times in other units are dropped with a reason."""
    raw = b'{"history":[{"t":1700000060,"p":0.52},{"t":1700000000,"p":0.30000000000000004},{"t":1,"p":1},{"p":0.5}]}'
    points, dropped = parse_price_history(raw)

    assert points == [(1_700_000_000_000, 300_000), (1_700_000_060_000, 520_000)]
    assert [index for index, _ in dropped] == [2, 3]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-06-08T00:00:16Z", 1_780_876_816_000),
        ("2026-06-08 00:00:16+00", 1_780_876_816_000),
        ("2026-06-08T00:00:16.500Z", 1_780_876_816_500),
        ("2026-06-08T00:00:16", 1_780_876_816_000),
        ("", None),
        (None, None),
    ],
)
def test_every_spelling_of_a_time_is_the_same_time(text: str | None, expected: int | None) -> None:
    """The venue writes times in several ways, all of them UTC."""
    assert time_ms(text) == expected
