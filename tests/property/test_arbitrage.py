"""Arbitrage against a naive enumeration of everything that can be answered."""

from fractions import Fraction
from itertools import pairwise, product

from hypothesis import given, settings
from hypothesis import strategies as st

from polymarket_agent.domain.book import OrderBook
from polymarket_agent.domain.events import BookSnapshot
from polymarket_agent.domain.market import AssetId, FeeSchedule
from polymarket_agent.domain.money import MICRO
from polymarket_agent.domain.signal import Basket
from polymarket_agent.strategies.arbitrageur import Arbitrageur
from tests.unit.strategy_world import World, a_market


def baskets(world: World, asset_id: AssetId) -> list[Basket]:
    """Ask about the market of one asset, whose book has just been shown."""
    book = world.board.books[asset_id]
    event = BookSnapshot(asset_id, tuple(book.bids()), tuple(book.asks()), world.now_ms)
    return [wish for wish in world.tell(Arbitrageur(), event) if isinstance(wish, Basket)]


def naive_cost(book: OrderBook, quantity: int, rate: int) -> Fraction:
    """Cost with fee of taking micro-shares from the best level on, in exact fractions of a dollar."""
    total, left = Fraction(0), quantity
    for level in sorted(book.asks()):
        part = min(left, level.size)
        p, q = Fraction(level.price, MICRO), Fraction(part, MICRO)
        total += q * p + q * Fraction(rate, MICRO) * p * (1 - p)
        left -= part
    assert not left, "the displayed depth does not hold the basket"
    return total


def answers(kind: str, count: int) -> list[tuple[bool, ...]]:
    """Every combination of answers that the structure of a group allows, market by market."""
    everything = list(product((False, True), repeat=count))
    if kind == "ladder":  # the earlier implies the later
        return [a for a in everything if all(later or not earlier for earlier, later in pairwise(a))]
    if kind == "complete":
        return [a for a in everything if sum(a) == 1]
    return [a for a in everything if sum(a) <= 1]


# Around 0.45 two legs come near to 1, where a forgotten fee turns profit into loss.
levels = st.dictionaries(st.integers(1, 99) | st.integers(40, 52), st.integers(1, 60), min_size=1, max_size=4)
DEADLINES = ["March 31, 2026", "June 30, 2026", "December 31, 2026"]


@settings(max_examples=400)
@given(
    st.sampled_from(["ladder", "complete", "open"]),
    st.lists(st.tuples(levels, levels), min_size=2, max_size=3),
    st.sampled_from([0, 20_000, 100_000]),
)
def test_whatever_is_answered_a_basket_pays_more_than_it_costs(kind, books, rate: int) -> None:
    """Over all answers that the group allows, the smallest payout less displayed cost and fees is above zero."""
    markets = [a_market(f"m{i}", f"Strike by {DEADLINES[i]}?", fees=FeeSchedule(rate=rate)) for i in range(len(books))]
    world = World(*markets)
    world.group("g", markets, neg_risk=kind != "ladder", complete=kind == "complete")
    for market, sides in zip(markets, books, strict=True):
        for asset_id, side in zip(market.asset_ids, sides, strict=True):
            world.book(asset_id, [], [(f"{cent / 100:.2f}", size) for cent, size in side.items()])
    for basket in baskets(world, markets[0].asset_ids[0]):
        quantities = {leg.quantity for leg in basket.legs}
        assert quantities == {basket.quantity}
        cost = sum(naive_cost(world.board.books[leg.asset_id], basket.quantity, rate) for leg in basket.legs)
        bought = {leg.asset_id for leg in basket.legs}
        payouts = [
            sum(
                market.asset_ids[0 if answer else 1] in bought
                for market, answer in zip(markets, combination, strict=True)
            )
            for combination in answers(kind, len(markets))
        ]
        assert min(payouts) * Fraction(basket.quantity, MICRO) - cost > 0
