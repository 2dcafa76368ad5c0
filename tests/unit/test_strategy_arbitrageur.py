"""Arbitrageur: sets that pay more than they cost, all legs or none, and what is left when one leg fails."""

from dataclasses import replace

import pytest

from polymarket_agent.domain.book import Side
from polymarket_agent.domain.events import BookSnapshot, MarketResolved
from polymarket_agent.domain.market import AssetId, ConditionId, FeeSchedule, Market
from polymarket_agent.domain.money import MICRO, price, shares
from polymarket_agent.domain.order import TimeInForce
from polymarket_agent.domain.signal import Basket, Signal
from polymarket_agent.strategies.arbitrageur import Arbitrageur
from tests.unit.strategy_world import World, a_market, no, yes

BY_MARCH = a_market("march", "Strike by March 31, 2026?")
BY_JUNE = a_market("june", "Strike by June 30, 2026?")


def asks(world: World, *offers: tuple[AssetId, str, int]) -> None:
    """Show books with one ask each."""
    for asset_id, ask, size in offers:
        world.book(asset_id, [], [(ask, size)])


def baskets(world: World, asset_id: AssetId, strategy: Arbitrageur | None = None) -> list[Basket]:
    """Ask about the market of one asset, whose book has just been shown."""
    book = world.board.books[asset_id]
    event = BookSnapshot(asset_id, tuple(book.bids()), tuple(book.asks()), world.now_ms)
    return [wish for wish in world.tell(strategy or Arbitrageur(), event) if isinstance(wish, Basket)]


def a_set(yes_ask: str, no_ask: str, sizes: tuple[int, int] = (30, 20), **market) -> World:
    world = World(a_market(**market))
    asks(world, (yes(), yes_ask, sizes[0]), (no(), no_ask, sizes[1]))
    return world


def test_a_complete_set_below_one_is_bought() -> None:
    """0.48 + 0.49 for what pays 1: 20 shares, as far as both books go, with 0.03 left on each."""
    (basket,) = baskets(a_set("0.48", "0.49"), yes())

    assert [(leg.asset_id, leg.target_price) for leg in basket.legs] == [(yes(), price("0.48")), (no(), price("0.49"))]
    assert (basket.quantity, basket.profit_per_share) == (shares(20), 30_000)
    assert {leg.time_in_force for leg in basket.legs} == {TimeInForce.FOK}
    assert {leg.quantity for leg in basket.legs} == {basket.quantity}


def test_the_walk_ends_where_a_share_no_longer_pays() -> None:
    """The second level makes a pair cost 1.01, so only the 10 of the first are bought."""
    world = World(a_market())
    world.book(yes(), [], [("0.48", 10), ("0.52", 100)])
    world.book(no(), [], [("0.49", 100)])
    (basket,) = baskets(world, yes())

    assert (basket.quantity, basket.legs[0].target_price) == (shares(10), price("0.48"))


def test_deeper_levels_are_taken_while_they_pay() -> None:
    """10 at 0.40 and 20 at 0.45 with 30 at 0.50: 28.5 dollars for 30, and limits at the last prices touched."""
    world = World(a_market())
    world.book(yes(), [], [("0.40", 10), ("0.45", 20)])
    world.book(no(), [], [("0.50", 30)])
    (basket,) = baskets(world, yes())

    assert (basket.quantity, basket.legs[0].target_price) == (shares(30), price("0.45"))
    assert basket.profit_per_share == 66_666  # 30 - (4 + 9 + 15) = 2 dollars over 30 shares


def test_fees_count() -> None:
    """At a rate of 0.06 each leg near 0.5 costs 0.015 more, and 0.97 + 0.03 leaves less than min_profit."""
    assert baskets(a_set("0.48", "0.49", fees=FeeSchedule(rate=60_000)), yes()) == []
    assert len(baskets(a_set("0.48", "0.49", fees=FeeSchedule(rate=20_000)), yes())) == 1


@pytest.mark.parametrize(
    ("yes_ask", "no_ask", "sizes"),
    [("0.50", "0.50", (50, 50)), ("0.498", "0.498", (50, 50)), ("0.48", "0.49", (4, 50)), ("0.01", "0.90", (50, 50))],
    ids=["no profit", "too little profit", "below the smallest order", "a leg worth less than 1 USDC"],
)
def test_each_reason_not_to_buy_a_set_is_enough(yes_ask: str, no_ask: str, sizes: tuple[int, int]) -> None:
    """No profit, too little, or a size that the venue refuses: no basket."""
    assert baskets(a_set(yes_ask, no_ask, sizes, tick="0.001"), yes()) == []


def test_a_leg_without_a_trusted_book_spoils_the_set() -> None:
    """One side unknown, and nothing of the other is bought: all legs or none."""
    world = a_set("0.30", "0.30")
    world.gap(no())

    assert baskets(world, yes()) == []


def test_a_made_up_book_is_no_offer() -> None:
    """Books made from two daily closes may add up to anything; nobody sells a set at that."""
    world = a_set("0.48", "0.49")
    shown = BookSnapshot(yes(), (), ((price("0.48"), shares(30)),), world.now_ms, synthetic=True)

    assert world.tell(Arbitrageur(), shown) == []


def test_an_ask_off_the_grid_is_no_leg() -> None:
    """A level that a finer grid left behind cannot be the limit of an order."""
    assert baskets(a_set("0.455", "0.45", tick="0.01"), yes()) == []


def test_a_set_is_wished_for_once_in_a_cooldown() -> None:
    """The same set is not asked for again until cooldown_ms have passed."""
    strategy, world = Arbitrageur(cooldown_ms=30_000), a_set("0.48", "0.49")
    for after_ms, count in ((0, 1), (29_999, 0), (1, 1)):
        world.now_ms += after_ms
        assert len(baskets(world, yes(), strategy)) == count


def a_group(*no_asks: str, complete: bool = False, yes_ask: str = "0.9") -> World:
    markets = [a_market(key) for key, _ in zip("abcdef", no_asks, strict=False)]
    world = World(*markets)
    world.group("g", markets, neg_risk=True, complete=complete)
    for key, no_ask in zip("abcdef", no_asks, strict=False):
        asks(world, (yes(key), yes_ask, 50), (no(key), no_ask, 50))
    return world


def test_no_of_every_market_of_a_neg_risk_group() -> None:
    """Three NO for 1.95 pay 2 at least, whichever of the three answers yes."""
    (basket,) = baskets(a_group("0.60", "0.65", "0.70"), yes("a"))

    assert [leg.asset_id for leg in basket.legs] == [no("a"), no("b"), no("c")]
    assert basket.profit_per_share == 50_000


def test_markets_without_an_ask_are_left_out_of_the_no_side() -> None:
    """Two of three still pay 1 at least: 0.45 + 0.50 for it."""
    world = a_group("0.45", "0.50", "0.9")
    world.gap(no("c"))
    (basket,) = baskets(world, yes("a"))

    assert [leg.asset_id for leg in basket.legs] == [no("a"), no("b")]


def test_beyond_max_legs_the_dearest_are_left_out() -> None:
    """The cheapest legs add most, so two of three are the two cheapest."""
    (basket,) = baskets(a_group("0.45", "0.9", "0.50"), yes("a"), Arbitrageur(max_legs=2))

    assert [leg.asset_id for leg in basket.legs] == [no("a"), no("c")]


def test_yes_of_every_market_needs_a_complete_group() -> None:
    """Three YES for 0.90 pay 1 only where no other answer can come."""
    assert baskets(a_group("0.9", "0.9", "0.9", yes_ask="0.30"), yes("a")) == []
    (basket,) = baskets(a_group("0.9", "0.9", "0.9", yes_ask="0.30", complete=True), yes("a"))

    assert [leg.asset_id for leg in basket.legs] == [yes("a"), yes("b"), yes("c")]
    assert basket.profit_per_share == 100_000


def test_one_yes_that_cannot_be_bought_spoils_the_set_unless_it_lost() -> None:
    """A closed member may still win; one that is resolved to no cannot, and two legs suffice."""
    world = a_group("0.9", "0.9", "0.9", yes_ask="0.30", complete=True)
    world.board.markets[ConditionId("c")] = replace(world.board.markets[ConditionId("c")], accepting_orders=False)
    assert baskets(world, yes("a")) == []
    world.board.apply(MarketResolved(ConditionId("c"), (0, MICRO), world.now_ms))
    (basket,) = baskets(world, yes("a"))

    assert [leg.asset_id for leg in basket.legs] == [yes("a"), yes("b")]


def a_ladder(june_yes: str, march_no: str, markets: tuple[Market, Market] = (BY_MARCH, BY_JUNE)) -> World:
    world = World(*markets)
    world.group("g", markets, neg_risk=False)
    march, june = (market.condition_id for market in markets)
    asks(world, (yes(june), june_yes, 40), (no(march), march_no, 40), (no(june), "0.99", 40), (yes(march), "0.99", 40))
    return world


def test_a_ladder_that_is_not_monotone_is_bought() -> None:
    """ "By June" for 0.30 and not "by March" for 0.65 pay 1 at least, because March implies June."""
    (basket,) = baskets(a_ladder("0.30", "0.65"), no("march"))

    assert [leg.asset_id for leg in basket.legs] == [yes("june"), no("march")]
    assert basket.profit_per_share == 50_000
    assert "implies" in basket.reason


def test_a_ladder_is_found_from_either_end() -> None:
    """A change of the wider market's book finds the same pair."""
    assert len(baskets(a_ladder("0.30", "0.65"), yes("june"))) == 1


def test_a_monotone_ladder_is_left_alone() -> None:
    """YES of the narrower and NO of the wider are no set, however cheap: both can lose."""
    world = World(BY_MARCH, BY_JUNE)
    world.group("g", (BY_MARCH, BY_JUNE), neg_risk=False)
    asks(world, (yes("march"), "0.10", 40), (no("june"), "0.10", 40))

    assert baskets(world, yes("march")) == []


@pytest.mark.parametrize(
    "markets",
    [
        (a_market("march", "Strike on March 31, 2026?"), a_market("june", "Strike on June 30, 2026?")),
        (BY_MARCH, a_market("june", "Raid by June 30, 2026?")),
        (replace(BY_MARCH, outcomes=a_market("march", labels=("Up", "Down")).outcomes), BY_JUNE),
    ],
    ids=["days, not deadlines", "another question", "outcomes that are not yes and no"],
)
def test_what_is_no_ladder_is_left_alone(markets: tuple[Market, Market]) -> None:
    """Prices that would be a gift on a ladder are none elsewhere."""
    assert baskets(a_ladder("0.30", "0.65", markets), no("march")) == []


def test_markets_of_different_groups_are_no_ladder() -> None:
    """Only members of one group are compared."""
    world = a_ladder("0.30", "0.65")
    world.board.groups.clear()
    world.group("g", [BY_MARCH], neg_risk=False)
    world.group("h", [BY_JUNE], neg_risk=False)

    assert baskets(world, no("march")) == []


def half_filled() -> tuple[Arbitrageur, World]:
    """A set of which only the first leg was filled, with bids to sell into."""
    strategy, world = Arbitrageur(), a_set("0.48", "0.49")
    baskets(world, yes(), strategy)
    world.tell(strategy, world.fill(strategy, yes(), Side.BUY, "0.48", 20))
    world.book(yes(), [("0.46", 100)], [("0.48", 10)])
    return strategy, world


def test_an_unmatched_leg_is_offered_back() -> None:
    """After settle_ms the 20 shares whose counterpart did not fill are offered at the bid, and marked as orphans."""
    strategy, world = half_filled()
    assert world.tick(strategy, 4_999) == []
    (signal,) = world.tick(strategy, 1)

    assert isinstance(signal, Signal)
    assert (signal.asset_id, signal.side, signal.target_price) == (yes(), Side.SELL, price("0.46"))
    assert (signal.quantity, signal.reason.startswith("orphan leg")) == (shares(20), True)


def test_only_the_unmatched_part_is_an_orphan() -> None:
    """20 of one and 12 of the other leave 8 to give back."""
    strategy, world = half_filled()
    world.tell(strategy, world.fill(strategy, no(), Side.BUY, "0.49", 12))
    (signal,) = world.tick(strategy, 5_000)

    assert isinstance(signal, Signal)
    assert signal.quantity == shares(8)


def test_a_basket_that_filled_or_failed_as_a_whole_leaves_nothing() -> None:
    """All legs or none: there is nothing to give back, and the basket is forgotten."""
    strategy, world = half_filled()
    world.tell(strategy, world.fill(strategy, no(), Side.BUY, "0.49", 20))

    assert world.tick(strategy, 5_000) == []
    assert strategy._sent == []


def test_an_orphan_that_was_sold_is_gone() -> None:
    """A sale reduces what is unmatched, so it is not offered twice."""
    strategy, world = half_filled()
    assert len(world.tick(strategy, 5_000)) == 1
    world.tell(strategy, world.fill(strategy, yes(), Side.SELL, "0.46", 20))

    assert world.tick(strategy, 5_000) == []


def test_an_orphan_is_not_sold_into_the_unknown_and_is_given_up_in_the_end() -> None:
    """Without a trusted book nothing is offered; after orphan_patience_ms it is left to the resolution."""
    strategy, world = half_filled()
    world.gap(yes())

    assert world.tick(strategy, 5_000) == []
    assert len(strategy._sent) == 1
    assert world.tick(strategy, 600_001) == []
    assert strategy._sent == []


def test_a_leg_that_is_still_open_is_waited_for() -> None:
    """While an order of the set may fill, nothing is an orphan yet."""
    strategy, world = half_filled()
    order = world.rest(strategy, no(), Side.BUY, "0.49", 20)

    assert world.tick(strategy, 5_000) == []
    del world.account.orders[order.order_id]
    assert len(world.tick(strategy, 1_000)) == 1


def test_fills_of_others_are_no_legs() -> None:
    """Another strategy's purchase of the same asset is not our orphan."""
    strategy, other, world = Arbitrageur(), Arbitrageur(), a_set("0.48", "0.49")
    other.name = "other"
    baskets(world, yes(), strategy)
    world.tell(strategy, world.fill(other, yes(), Side.BUY, "0.48", 20))

    assert world.tick(strategy, 5_000) == []
