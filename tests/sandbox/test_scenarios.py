from __future__ import annotations

from dataclasses import replace
from itertools import islice, pairwise

import pytest

from polymarket_agent.domain.market import MarketState, ProtocolVersion, is_position_id, position_id_fields
from polymarket_agent.domain.money import MICRO
from polymarket_agent.errors import UsageError
from polymarket_agent.sandbox.crowd import Crowd, run_until
from polymarket_agent.sandbox.exchange import Exchange
from polymarket_agent.sandbox.fair_value import Score
from polymarket_agent.sandbox.model import MarketChanged, Notice, TickChanged
from polymarket_agent.sandbox.scenarios import SCENARIOS, ActionKind, Pace, Scenario, build

START_MS = 1_792_990_800_000


def played(scenario: Scenario, minutes: int) -> tuple[Exchange, list[Notice]]:
    exchange, crowd, notices = Exchange(), Crowd(1, scenario), []
    for now_ms in range(START_MS, START_MS + minutes * 60_000 + 1, 5_000):
        run_until(exchange, [crowd], now_ms)
        notices += exchange.drain()
    return exchange, notices


@pytest.mark.parametrize("name", sorted(SCENARIOS))
def test_same_seed_same_scenario(name: str) -> None:
    """The same name, seed and start give the same markets, accounts and lives; another seed shares no id."""
    one, same, other = build(name, 1, START_MS), build(name, 1, START_MS), build(name, 2, START_MS)

    def shown(scenario: Scenario) -> list[object]:
        return [(at, action.kind, action.condition_id, action.payouts) for at, action in scenario.schedule]

    assert [each.market for each in one.listings] == [each.market for each in same.listings]
    assert shown(one) == shown(same)
    assert one.accounts == same.accounts
    ids = [{asset for each in it.listings for asset in each.market.asset_ids} for it in (one, other)]
    assert not ids[0] & ids[1]


def test_an_unknown_scenario_is_refused_with_the_known_ones() -> None:
    """A name that no scenario has is an error that lists those there are."""
    with pytest.raises(UsageError, match="busy") as error:
        build("busy", 1, START_MS)

    assert "default, quiet, fast, one" in error.value.hint


def test_the_default_scenario_has_every_kind_of_market() -> None:
    """There are markets with and without fees, a neg-risk group of three or more in both protocols, a ladder, delays."""
    scenario = build("default", 1, START_MS)
    markets = {each.market.condition_id: each.market for each in scenario.listings}
    neg_risk = [group for group in scenario.groups if group.neg_risk]

    assert {bool(each.fees.rate) for each in markets.values()} == {True, False}
    assert all(len(group.markets) >= 3 for group in neg_risk)
    assert {markets[group.markets[0]].version for group in neg_risk} == set(ProtocolVersion)
    assert any(not group.neg_risk and len(group.markets) >= 3 for group in scenario.groups)
    assert [each.seconds_delay for each in scenario.listings if each.seconds_delay] == [3]
    assert all(markets[condition_id].group_id == group.group_id for group in scenario.groups for condition_id in group.markets)  # fmt: skip


def test_ids_have_the_layout_of_their_protocol() -> None:
    """Ids of the first protocol have bits among 40 to 103; those of the second none there, and their fields fit."""
    for listing in build("default", 3, START_MS).listings:
        market = listing.market
        for index, asset_id in enumerate(market.asset_ids):
            assert is_position_id(asset_id) is (market.version is ProtocolVersion.V2)
            assert int(asset_id) < 1 << 256
            if market.version is ProtocolVersion.V2:
                fields = position_id_fields(asset_id)
                assert fields["module"] == (2 if market.neg_risk else 1)
                assert fields["outcome_index"] == index
                assert market.condition_id == f"0x{int(asset_id) & ~0xFF:064x}"


def test_members_of_a_v2_group_share_their_base() -> None:
    """Positions of one neg-risk group differ in the condition index alone, and the arity counts them."""
    scenario = build("default", 1, START_MS)
    fields = [
        position_id_fields(each.market.asset_ids[0])
        for each in scenario.listings
        if each.market.neg_risk and each.market.version is ProtocolVersion.V2
    ]

    assert len({each["base_hash"] for each in fields}) == 1
    assert [each["condition_index"] for each in fields] == [0, 1, 2]
    assert {each["arity"] for each in fields} == {3}


def test_the_five_minute_market_is_listed_as_the_former_ends() -> None:
    """Markets of the series follow each other without a gap for ever, and each gets its answer soon after its end."""
    scenario = build("default", 1, START_MS)
    repeating = (timed for timed in scenario.actions() if timed not in scenario.schedule)
    actions = list(islice(repeating, 400))
    listed = [at for at, action in actions if action.kind is ActionKind.LIST]
    answers = {action.condition_id: (at, action.payouts) for at, action in actions if action.kind is ActionKind.RESOLVE}
    series = [action.listing.market for _, action in actions if action.listing is not None]

    assert {later - earlier for earlier, later in pairwise(listed)} == {300_000}
    for market in series[:-2]:
        at, payouts = answers[market.condition_id]
        assert market.end_at_ms is not None
        assert 0 < at - market.end_at_ms <= 5_000
        assert payouts in ((MICRO, 0), (0, MICRO))
    assert len({market.condition_id for market in series}) == len(series)
    assert len({payouts for _, payouts in answers.values()}) == 2


def test_an_up_or_down_price_ends_at_its_answer() -> None:
    """The fair price at the end of an up-or-down market is that of what it resolves to."""
    scenario = build("fast", 5, START_MS)
    by_market = {action.listing.market.condition_id: action.listing for _, action in islice(scenario.actions(), 300) if action.listing}  # fmt: skip
    answers = [(at, action) for at, action in islice(scenario.actions(), 300) if action.kind is ActionKind.RESOLVE]
    series = [(at, action) for at, action in answers if by_market[action.condition_id].market.slug.startswith("btc")]  # type: ignore[index]

    assert len(series) > 20
    for at, action in series:
        listing = by_market[action.condition_id]  # type: ignore[index]
        assert (listing.path.at(at) > MICRO // 2) is (action.payouts == (MICRO, 0))


def test_fair_prices_of_a_group_share_out_one_dollar() -> None:
    """The fair prices of answers of which exactly one wins add up to one dollar, within a cent, at all times."""
    scenario = build("default", 1, START_MS)
    paths = {each.market.condition_id: each.path for each in scenario.listings}

    for group in (group for group in scenario.groups if group.neg_risk):
        for second in range(0, 3_600, 60):
            total = sum(paths[condition_id].at(START_MS + second * 1_000) for condition_id in group.markets)
            assert abs(total - MICRO) < 10_000


def test_a_later_date_is_never_less_likely() -> None:
    """Fair prices of a ladder of dates rise with the date at all times."""
    scenario = build("default", 1, START_MS)
    paths = {each.market.condition_id: each.path for each in scenario.listings}
    ladder = next(group for group in scenario.groups if not group.neg_risk)

    for second in range(0, 3_600, 30):
        prices = [paths[condition_id].at(START_MS + second * 1_000) for condition_id in ladder.markets]
        assert prices == sorted(prices)


def test_a_path_is_the_same_however_it_is_asked() -> None:
    """Asking ahead, behind or in another order does not change what a path answers."""
    forward, jumped = (Score("seed", 0, ((0.0, 0.4),)) for _ in range(2))
    last = jumped.at(600_000)

    assert [forward.at(ms) for ms in range(0, 600_000, 500)] == [jumped.at(ms) for ms in range(0, 600_000, 500)]
    assert forward.at(600_000) == last
    assert forward.news == jumped.news != []


def test_lives_are_lived() -> None:
    """In the fast scenario one market ends 50/50, one is disputed and resolved otherwise, grids refine at the edge."""
    scenario = build("fast", 1, START_MS)
    scenario = replace(scenario, pace=Pace(), accounts=scenario.accounts[:6])
    exchange, notices = played(scenario, 4)
    told = [(notice.kind, notice.market.slug, notice.market.payouts) for notice in notices if isinstance(notice, MarketChanged)]  # fmt: skip
    bill = [kind for kind, slug, _ in told if slug == "bill-passes-committee"]

    assert ("resolved", "board-game-final", (MICRO // 2, MICRO // 2)) in told
    assert bill == ["listed", "closed", "proposed", "disputed", "proposed", "resolved"]
    assert sum(kind == "resolved" and slug.startswith("btc") for kind, slug, _ in told) >= 3
    favourite = next(each for each in exchange.markets.values() if each.slug == "mayor-re-elected")
    assert favourite.tick_size == 1_000
    assert any(isinstance(notice, TickChanged) and notice.condition_id == favourite.condition_id for notice in notices)
    series = [each for each in exchange.markets.values() if each.slug.startswith("btc")]
    assert sum(each.state is MarketState.OPEN for each in series) == 1
    exchange.check()
