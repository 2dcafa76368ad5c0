"""Random venues and random orders against an oracle that keeps its own books."""

from __future__ import annotations

from collections import Counter
from random import Random

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from polymarket_agent.domain.book import Side
from polymarket_agent.domain.market import AssetId
from polymarket_agent.domain.money import MICRO, Price, Shares, cost_rounded_up
from polymarket_agent.domain.order import Evidence, TimeInForce
from polymarket_agent.domain.signal import Signal
from tests.property.paper_oracle import Oracle
from tests.trading_world import NO, OPENED, START_MS, YES

LOW, HIGH = 44, 56  # cents; a narrow range, so that things meet
SIZES = (0, 1, 4_999, 10_000, 333_333, 5_000_000, 12_345_678, 100_000_000)
PAYOUTS = ((MICRO, 0), (0, MICRO), (MICRO // 2, MICRO // 2))

cents = st.integers(LOW, HIGH).map(lambda c: c * 10_000)
sizes = st.sampled_from(SIZES)


def make_signal(asset: AssetId, side: Side, at: int, lots: int, tif: TimeInForce, post_only: bool, ends: int) -> Signal:
    return Signal(
        strategy="test",
        asset_id=asset,
        side=side,
        target_price=Price(at),
        reason="test",
        size=cost_rounded_up(Price(at), Shares(lots * 10_000)),
        time_in_force=tif,
        post_only=post_only,
        expires_at_ms=START_MS + ends,
    )


signals = st.builds(
    make_signal,
    st.sampled_from((YES, NO)),
    st.sampled_from(Side),
    cents,
    st.sampled_from((1, 7, 200, 500, 1_234)),
    st.sampled_from(TimeInForce),
    st.booleans(),
    st.integers(0, 3_000),
)


class PaperTraderAgainstOracle(RuleBasedStateMachine):
    @initialize(rate=st.sampled_from((0, 40_000, 70_000)), latency=st.sampled_from((0, 50)))
    def begin(self, rate: int, latency: int) -> None:
        self.oracle = Oracle(fee_rate=rate, latency_ms=latency)
        self.oracle.snapshot([(480_000, 50_000_000), (490_000, 333_333)], [(510_000, 50_000_000), (520_000, 1)])

    @rule(
        bids=st.dictionaries(st.integers(LOW, 50).map(lambda c: c * 10_000), sizes, max_size=4),
        asks=st.dictionaries(st.integers(51, HIGH).map(lambda c: c * 10_000), sizes, max_size=4),
    )
    def snapshot(self, bids: dict[int, int], asks: dict[int, int]) -> None:
        self.oracle.snapshot(list(bids.items()), list(asks.items()))

    @rule(changes=st.lists(st.tuples(st.booleans(), cents, sizes), min_size=1, max_size=3, unique_by=lambda c: c[:2]))
    def delta(self, changes: list[tuple[bool, int, int]]) -> None:
        self.oracle.delta(changes)

    @rule(at=cents, size=st.sampled_from(SIZES[1:]), buys=st.booleans(), no=st.booleans(), copies=st.integers(1, 3))
    def trade(self, at: int, size: int, buys: bool, no: bool, copies: int) -> None:
        self.oracle.trade(at, size, taker_buys=buys, on_no=no, copies=copies)

    @rule(signal=signals)
    def place(self, signal: Signal) -> None:
        self.oracle.place(signal)

    @rule(number=st.integers(0, 5))
    def cancel(self, number: int) -> None:
        self.oracle.cancel(number)

    @rule(ms=st.sampled_from((1, 49, 50, 400, 6_000)))
    def wait(self, ms: int) -> None:
        self.oracle.wait(ms)

    @rule(assets=st.sampled_from(((), (YES,), (NO,))))
    def gap(self, assets: tuple[AssetId, ...]) -> None:
        self.oracle.gap(assets)

    @rule(size=st.sampled_from((1_000, 5_000, 10_000)))
    def tick_size(self, size: int) -> None:
        self.oracle.tick_size(size)

    def teardown(self) -> None:
        if hasattr(self, "oracle"):
            self.oracle.resolve(PAYOUTS[len(self.oracle.orders) % 3])
            close_all()


def close_all() -> None:
    while OPENED:
        OPENED.pop().close()


class TestPaperTraderAgainstOracle(PaperTraderAgainstOracle.TestCase):  # type: ignore[valid-type,misc]
    """Whatever happens: money and shares are conserved, limits hold, and every fill has evidence of its own."""

    settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


class Day:
    """Random moves of a market whose middle wanders, so that books seldom cross and prices meet resting orders."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.oracle = Oracle(fee_rate=(0, 40_000, 70_000)[seed % 3], latency_ms=(0, 50)[seed % 2], cash="150")
        self.middle = 500_000
        self.snapshot()

    def snapshot(self) -> None:
        halves = [[(self.middle + way * c * 10_000, self.random.choice(SIZES)) for c in range(1, 5)] for way in (-1, 1)]
        self.oracle.snapshot(halves[0], halves[1])

    def change(self) -> None:
        """Show a level on its side of the middle, and whatever the middle has passed goes."""
        roll = self.random.random
        if roll() < 0.3:
            self.middle = min(560_000, max(440_000, self.middle + self.random.choice((-10_000, 10_000))))
        is_bid = roll() < 0.5
        at = self.middle + self.random.randint(1, 5) * (-10_000 if is_bid else 10_000)
        passed = [
            (side, price, 0)
            for (side, price), size in self.oracle.shown.items()
            if size and (price >= self.middle if side else price <= self.middle) and (side, price) != (is_bid, at)
        ]
        self.oracle.delta([(is_bid, at, self.random.choice(SIZES)), *(passed if roll() < 0.95 else [])])

    def place(self) -> None:
        random = self.random
        asset, side = random.choice((YES, NO)), random.choice(tuple(Side))
        at = self.middle + random.randint(-4, 4) * 10_000
        tif = random.choice((TimeInForce.GTC, TimeInForce.GTC, *TimeInForce))
        ends = self.oracle.now_ms - START_MS + random.randint(0, 3_000)
        lots = random.choice((200, 500, 1_234))
        self.oracle.place(make_signal(asset, side, at, lots, tif, random.random() < 0.2, ends))

    def trade(self) -> None:
        at = self.middle + self.random.randint(-3, 3) * 10_000
        size, buys = self.random.choice(SIZES[3:]), self.random.random() < 0.5
        self.oracle.trade(at, size, taker_buys=buys, on_no=self.random.random() < 0.5, copies=2)

    def move(self) -> None:
        moves = {
            self.change: 40,
            self.trade: 15,
            self.place: 15,
            lambda: self.oracle.cancel(self.random.randint(0, 9)): 8,
            lambda: self.oracle.wait(self.random.choice((1, 50, 400))): 10,
            lambda: self.oracle.gap(self.random.choice(((), (YES,)))): 1,
            self.snapshot: 2,
        }
        self.random.choices(list(moves), weights=list(moves.values()))[0]()


def test_long_random_days_are_conserved_and_exercise_everything() -> None:
    """Thousands of moves keep every promise, and all kinds of evidence and refusal really occur on the way."""
    seen: Counter[str] = Counter()
    for seed in range(8):
        day = Day(seed)
        for _ in range(1_500):
            day.move()
        day.oracle.resolve(PAYOUTS[seed % 3])
        close_all()
        seen += day.oracle.seen
    for evidence in (Evidence.DISPLAYED, Evidence.TRADED_THROUGH, Evidence.QUEUE, Evidence.BOOK_THROUGH):
        assert seen[evidence.value] >= 10, seen
    assert seen["not enough balance"] >= 10, seen
