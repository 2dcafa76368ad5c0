"""The grid book against a dictionary that does the obvious thing."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from polymarket_agent.domain.book import Level, OrderBook, Side
from polymarket_agent.domain.market import TICK_SIZES
from polymarket_agent.domain.money import MICRO, Price, Shares, Usdc, ceil_div
from tests.trading_world import YES, mirrored

sides = st.booleans()
# Most prices on the cent, some as fine as the venue has them.
prices = st.one_of(
    st.integers(1, 99).map(lambda cents: Price(cents * 10_000)),
    st.integers(1, 9_999).map(lambda steps: Price(steps * 100)),
)
sizes = st.one_of(st.just(Shares(0)), st.integers(1, 10**9).map(Shares))
half_books = st.dictionaries(prices, sizes, max_size=12).map(lambda levels: tuple(levels.items()))


class BookAgainstModel(RuleBasedStateMachine):
    """`shown` is what the venue displays, `taken` what of it is ours; the book must read as the difference."""

    def __init__(self) -> None:
        super().__init__()
        self.shown: dict[tuple[bool, Price], Shares] = {}
        self.taken: dict[tuple[bool, Price], int] = {}

    @initialize(tick=st.sampled_from(TICK_SIZES))
    def begin(self, tick: Price) -> None:
        self.book = OrderBook(YES, tick)

    def show(self, is_bid: bool, at: Price, size: Shares) -> None:
        self.shown[is_bid, at] = size
        self.taken[is_bid, at] = min(self.taken.get((is_bid, at), 0), size)

    def level(self, is_bid: bool, at: Price) -> Shares:
        return Shares(max(0, self.shown.get((is_bid, at), 0) - self.taken.get((is_bid, at), 0)))

    @rule(bids=half_books, asks=half_books)
    def snapshot(self, bids: tuple[tuple[Price, Shares], ...], asks: tuple[tuple[Price, Shares], ...]) -> None:
        self.book.replace(bids, asks)
        for key in list(self.shown | self.taken):
            self.show(*key, Shares(0)) if key not in dict.fromkeys(
                [(True, p) for p, _ in bids] + [(False, p) for p, _ in asks]
            ) else None
        for is_bid, half in ((True, bids), (False, asks)):
            for at, size in half:
                self.show(is_bid, at, size)

    @rule(is_bid=sides, at=prices, size=sizes)
    def update(self, is_bid: bool, at: Price, size: Shares) -> None:
        self.book.update(is_bid, at, size)
        self.show(is_bid, at, size)

    @rule(is_bid=sides, at=prices, size=st.integers(1, 10**9).map(Shares))
    def take(self, is_bid: bool, at: Price, size: Shares) -> None:
        self.book.consume(is_bid, at, size)
        self.taken[is_bid, at] = self.taken.get((is_bid, at), 0) + size

    @rule(tick=st.sampled_from(TICK_SIZES))
    def change_tick_size(self, tick: Price) -> None:
        self.book.set_tick_size(tick)

    @rule()
    def lose(self) -> None:
        self.book.clear()
        self.shown.clear()

    @invariant()
    def reads_like_the_model(self) -> None:
        levels = {True: self.levels(is_bid=True), False: self.levels(is_bid=False)}
        assert (self.book.bids(), self.book.asks()) == (levels[True], levels[False])
        assert self.book.best_bid == (levels[True][0].price if levels[True] else None)
        assert self.book.best_ask == (levels[False][0].price if levels[False] else None)

    def levels(self, *, is_bid: bool) -> list[Level]:
        found = [Level(at, self.level(side, at)) for side, at in self.shown if side is is_bid]
        return sorted((each for each in found if each.size), key=lambda each: each.price, reverse=is_bid)

    @rule(buys=sides, quantity=st.integers(0, 10**10), limit=prices)
    def walk(self, buys: bool, quantity: int, limit: Price) -> None:
        left, notional, taken = quantity, 0, []
        for at, size in self.levels(is_bid=not buys):
            if left and (at <= limit if buys else at >= limit):
                part = min(left, size)
                left -= part
                taken.append((at, part))
                notional += ceil_div(at * part, MICRO) if buys else at * part // MICRO
        found = self.book.walk(Side.BUY if buys else Side.SELL, Shares(quantity), limit)
        assert (list(found.levels), found.quantity, found.notional) == (taken, quantity - left, Usdc(notional))


class TestBookAgainstModel(BookAgainstModel.TestCase):  # type: ignore[valid-type,misc]
    """After any snapshots, changes, takings, losses and tick sizes the grid reads like a dictionary of levels."""

    settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


@given(bids=half_books, asks=half_books, quantity=st.integers(1, 10**10))
def test_the_two_outcomes_are_one_book(
    bids: tuple[tuple[Price, Shares], ...], asks: tuple[tuple[Price, Shares], ...], quantity: int
) -> None:
    """The mirrored book has mirrored bests, and buying one outcome takes what selling the other would."""
    yes, no = OrderBook(YES), OrderBook(YES)
    yes.replace(bids, asks)
    no.replace(mirrored(asks), mirrored(bids))
    assert yes.top == tuple(MICRO - each for each in reversed(no.top))
    assert yes.crossed == no.crossed
    bought, sold = yes.walk(Side.BUY, Shares(quantity)), no.walk(Side.SELL, Shares(quantity))
    assert [(MICRO - at, size) for at, size in bought.levels] == list(sold.levels)
