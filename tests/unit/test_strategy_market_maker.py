"""MarketMaker: where it quotes, how it leans, what it never does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymarket_agent.domain.book import Side
from polymarket_agent.domain.events import Event, MarketResolved
from polymarket_agent.domain.market import ConditionId
from polymarket_agent.domain.money import MICRO, Price, price, shares
from polymarket_agent.domain.signal import Quote, TargetQuotes
from polymarket_agent.strategies.market_maker import MarketMaker
from tests.unit.strategy_world import START_MS, World, a_market, no, yes


def quotes_of(strategy: MarketMaker, world: World) -> tuple[Quote, ...]:
    return strategy.wanted(world.board.markets[ConditionId("m")], world.view(strategy))[1]


def as_text(quotes: tuple[Quote, ...]) -> list[str]:
    return [f"{q.side.value} {q.asset_id} {q.quantity / MICRO:g} @ {q.price / MICRO:g}" for q in quotes]


def obey(strategy: MarketMaker, world: World, event: Event) -> list[TargetQuotes]:
    """Ask the strategy and put exactly what it wants on the book."""
    wishes = world.tell(strategy, event)
    for wish in wishes:
        assert isinstance(wish, TargetQuotes)
        world.account.orders.clear()
        for quote in wish.quotes:
            world.rest(strategy, quote.asset_id, quote.side, quote.price, quote.quantity)
    return [wish for wish in wishes if isinstance(wish, TargetQuotes)]


def test_with_nothing_held_both_sides_are_bids() -> None:
    """Around a mid of 0.50, 0.02 each way: YES is bid at 0.48 and NO at 0.48, together 0.96 for a set that pays 1."""
    world = World(a_market())
    world.mirrored("0.45", "0.55")

    assert as_text(quotes_of(MarketMaker(half_spread=0.02), world)) == [
        "BUY m-yes 20 @ 0.48",
        "BUY m-no 20 @ 0.48",
    ]


def test_it_leans_against_what_it_holds_and_sells_it() -> None:
    """50 of 100 YES move the reservation down by half the skew: bid 0.47, and the held shares are asked at 0.51."""
    strategy, world = MarketMaker(half_spread=0.02), World(a_market())
    world.mirrored("0.45", "0.55")
    world.fill(strategy, yes(), Side.BUY, "0.48", 50)

    assert as_text(quotes_of(strategy, world)) == ["BUY m-yes 20 @ 0.47", "SELL m-yes 20 @ 0.51"]


def test_holding_the_other_outcome_mirrors() -> None:
    """50 NO move the reservation up: NO is offered at 1 - 0.49 and more of it is bid at 1 - 0.53."""
    strategy, world = MarketMaker(half_spread=0.02), World(a_market())
    world.mirrored("0.45", "0.55")
    world.fill(strategy, no(), Side.BUY, "0.48", 50)

    assert as_text(quotes_of(strategy, world)) == ["SELL m-no 20 @ 0.51", "BUY m-no 20 @ 0.47"]


def test_a_set_of_both_outcomes_is_no_inventory() -> None:
    """30 of each cancel out: the reservation stays at the mid, and both are for sale."""
    strategy, world = MarketMaker(half_spread=0.02), World(a_market())
    world.mirrored("0.45", "0.55")
    for asset_id in (yes(), no()):
        world.fill(strategy, asset_id, Side.BUY, "0.48", 30)

    assert as_text(quotes_of(strategy, world)) == ["SELL m-no 20 @ 0.52", "SELL m-yes 20 @ 0.52"]


def test_at_the_limit_only_the_side_that_reduces_is_quoted() -> None:
    """With max_inventory of YES held, no more of it is bid."""
    strategy, world = MarketMaker(half_spread=0.02), World(a_market())
    world.mirrored("0.45", "0.55")
    world.fill(strategy, yes(), Side.BUY, "0.48", 100)

    assert as_text(quotes_of(strategy, world)) == ["SELL m-yes 20 @ 0.5"]


def test_a_bid_near_the_limit_is_no_larger_than_the_room() -> None:
    """93 of 100 held leave room for 7."""
    strategy, world = MarketMaker(half_spread=0.02), World(a_market())
    world.mirrored("0.45", "0.55")
    world.fill(strategy, yes(), Side.BUY, "0.48", 93)

    assert as_text(quotes_of(strategy, world))[0] == "BUY m-yes 7 @ 0.46"


def test_what_is_held_below_the_smallest_order_is_not_offered() -> None:
    """3 YES cannot be sold where 5 is the minimum, so the ask side is a bid for NO."""
    strategy, world = MarketMaker(half_spread=0.02, skew=0), World(a_market())
    world.mirrored("0.45", "0.55")
    world.fill(strategy, yes(), Side.BUY, "0.48", 3)

    assert as_text(quotes_of(strategy, world)) == ["BUY m-yes 20 @ 0.48", "BUY m-no 20 @ 0.48"]


def test_its_own_resting_sale_does_not_hide_the_shares() -> None:
    """Shares promised to its own quote can be promised again, since the new set replaces it: no flapping."""
    strategy, world = MarketMaker(half_spread=0.02), World(a_market())
    event = world.mirrored("0.45", "0.55")
    world.fill(strategy, yes(), Side.BUY, "0.48", 20)
    (first,) = obey(strategy, world, event)
    world.now_ms += 2_000

    assert any(quote.side is Side.SELL for quote in first.quotes)
    assert obey(strategy, world, event) == []


def test_an_unchanged_book_is_no_reason_to_quote_anew() -> None:
    """Once the wanted orders stand, the same market gives no wish."""
    strategy, world = MarketMaker(), World(a_market())
    event = world.mirrored("0.45", "0.55")
    assert len(obey(strategy, world, event)) == 1
    world.now_ms += 60_000

    assert obey(strategy, world, event) == []


def test_a_partly_filled_quote_stays_until_half_is_gone() -> None:
    """15 of 20 left is near enough; 5 of 20 left is renewed."""
    strategy, world = MarketMaker(), World(a_market())
    event = world.mirrored("0.45", "0.55")
    wanted = quotes_of(strategy, world)
    world.tell(strategy, event)
    for left, wishes in ((15, 0), (5, 1)):
        world.now_ms += 10_000
        world.account.orders.clear()
        world.rest(strategy, yes(), Side.BUY, wanted[0].price, left)
        world.rest(strategy, no(), Side.BUY, wanted[1].price, 20)
        assert len(world.tell(strategy, event)) == wishes


def test_moving_waits_and_pulling_does_not() -> None:
    """Within requote_ms a moved mid changes nothing, but a lost book pulls the quotes at once, and asks once."""
    strategy, world = MarketMaker(requote_ms=1_000), World(a_market())
    obey(strategy, world, world.mirrored("0.45", "0.55"))
    world.now_ms += 500

    assert world.tell(strategy, world.mirrored("0.40", "0.50")) == []
    (pulled,) = world.tell(strategy, world.gap(yes(), no()))
    assert isinstance(pulled, TargetQuotes)
    assert pulled.quotes == ()
    assert world.tell(strategy, world.gap(yes(), no())) == []


@pytest.mark.parametrize(
    ("bid", "ask"),
    [("0.500", "0.505"), ("0.40", "0.60"), ("0.02", "0.06"), ("0.94", "0.98")],
    ids=["narrow", "wide", "near 0", "near 1"],
)
def test_a_market_not_worth_quoting_is_left_alone(bid: str, ask: str) -> None:
    """Too narrow, too wide, too near 0 or 1: no quotes, and with nothing resting not even an empty set."""
    strategy, world = MarketMaker(), World(a_market(tick="0.001"))

    assert world.tell(strategy, world.mirrored(bid, ask)) == []
    assert quotes_of(strategy, world) == ()


def test_a_one_sided_book_and_a_market_near_its_end_are_left_alone() -> None:
    """Both outcomes need both sides, and there must be time left."""
    strategy = MarketMaker()
    world, ending = World(a_market()), World(a_market(end_at_ms=START_MS + 60_000))
    for each in (world, ending):
        each.mirrored("0.45", "0.55")
    world.book(no(), [("0.45", 10)], [])

    assert (quotes_of(strategy, world), quotes_of(strategy, ending)) == ((), ())


def test_no_more_than_max_markets_are_quoted() -> None:
    """With room for one market, the second one seen is not quoted until the first is over."""
    strategy, world = MarketMaker(max_markets=1), World(a_market("a"), a_market("b"))
    first, second = world.mirrored("0.45", "0.55", key="a"), world.mirrored("0.45", "0.55", key="b")

    assert len(world.tell(strategy, first)) == 1
    assert world.tell(strategy, second) == []
    world.tell(strategy, MarketResolved(ConditionId("a"), (MICRO, 0), world.now_ms))
    assert len(world.tell(strategy, second)) == 1


def test_min_spread_must_be_below_max_spread() -> None:
    """A maker that could never quote is refused when it is built."""
    with pytest.raises(ValueError, match=r"min_spread is 0\.2 and max_spread is 0\.1"):
        MarketMaker(min_spread=0.2)


cents = st.integers(1, 99).map(lambda cent: cent * 10_000)
held = st.integers(0, 150)


@given(st.tuples(cents, cents), st.tuples(cents, cents), held, held, st.sampled_from([1, 5, 10, 25]), st.integers(0, 9))
def test_quotes_never_cross_a_book_or_each_other(yes_tops, no_tops, held_yes, held_no, half, skew) -> None:
    """Whatever is displayed and held: quotes rest, stand on the grid, cost less than 1 a pair and sell only what is held."""
    (yes_bid, yes_ask), (no_bid, no_ask) = sorted(yes_tops), sorted(no_tops)
    strategy = MarketMaker(half_spread=half / 100, skew=skew / 100, min_spread=0.0001, max_spread=0.5)
    world, size = World(a_market()), "100"
    for asset_id, bid, ask in ((yes(), yes_bid, yes_ask), (no(), no_bid, no_ask)):
        world.book(asset_id, [(str(bid / MICRO), size)], [(str(ask / MICRO), size)])
    for asset_id, quantity in ((yes(), held_yes), (no(), held_no)):
        if quantity:
            world.fill(strategy, asset_id, Side.BUY, "0.5", quantity)
    check_quotes(quotes_of(strategy, world), world)


def check_quotes(quotes: tuple[Quote, ...], world: World) -> None:
    assert sum(q.price for q in quotes if q.side is Side.BUY) < MICRO
    assert len({(q.asset_id, q.side) for q in quotes}) == len(quotes)
    for quote in quotes:
        best_bid, best_ask = world.board.books[quote.asset_id].top
        assert 0 < quote.price < MICRO
        assert quote.price % price("0.01") == 0
        assert quote.quantity >= shares(5)
        if quote.side is Side.BUY:
            assert quote.price < best_ask
            mirror = [q.price for q in quotes if q.side is Side.SELL and q.asset_id == quote.asset_id]
            assert all(quote.price < ask for ask in mirror)
        else:
            assert quote.price > best_bid
            assert quote.quantity <= world.account.quantity_of(quote.asset_id)


@given(st.integers(0, 6), st.integers(0, 6))
def test_orders_kept_for_being_near_never_cost_a_whole_set(off_yes: int, off_no: int) -> None:
    """Orders a few ticks off are kept only while both bids together stay below 1."""
    strategy, world = MarketMaker(half_spread=0.01, requote_ticks=7), World(a_market())
    event = world.mirrored("0.45", "0.55")
    wanted = quotes_of(strategy, world)
    for quote, off in zip(wanted, (off_yes, off_no), strict=True):
        world.rest(strategy, quote.asset_id, Side.BUY, Price(quote.price + off * 10_000), 20)
    for wish in world.tell(strategy, event):
        assert isinstance(wish, TargetQuotes)
        assert sum(quote.price for quote in wish.quotes) < MICRO
    assert bool(world.tell(strategy, event)) is False
