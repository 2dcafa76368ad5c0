"""The exchange against a naive one: a list of resting orders, sorted anew for every arrival."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from random import Random

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from polymarket_agent.domain.book import Side
from polymarket_agent.domain.market import NO_FEE, AssetId
from polymarket_agent.domain.money import MICRO, Shares, Usdc
from polymarket_agent.sandbox.model import (
    LegStatus,
    MarketChanged,
    Notice,
    OrderChanged,
    OrderEntry,
    OrderType,
    Placed,
    Refused,
    TradeChanged,
)
from polymarket_agent.sandbox.policy import Policy
from tests.sandbox.exchange_world import BUY, FAK, FEES, FOK, GTC, MARKET, NO, SELL, WALLETS, YES, World, market_of

CENT = 10_000
PLANS: list[list[tuple[int, LegStatus]]] = [
    [(200, LegStatus.MINED), (500, LegStatus.CONFIRMED)],
    [(900, LegStatus.CONFIRMED)],
    [(200, LegStatus.RETRYING), (700, LegStatus.FAILED)],
    [(200, LegStatus.MINED), (400, LegStatus.RETRYING), (500, LegStatus.MINED), (900, LegStatus.CONFIRMED)],
    [(200, LegStatus.MINED), (700, LegStatus.FAILED)],
]
POLICIES = [
    Policy(settled_on=on, failed_keeps_matched=keeps)
    for on in (LegStatus.MINED, LegStatus.CONFIRMED)
    for keeps in (True, False)
]


@dataclass
class Resting:
    """An order of the naive exchange, in terms of the first outcome."""

    order_id: str
    is_bid: bool
    price: int
    left: int


class ExchangeMachine(RuleBasedStateMachine):
    """Random requests by three wallets; after each, everything that can be counted is counted again."""

    @initialize(policy=st.sampled_from(POLICIES), fees=st.sampled_from([NO_FEE, FEES]))
    def open(self, policy: Policy, fees: object) -> None:
        self.world = World(policy, market=market_of(fees=fees), cash="60", shares="40")  # type: ignore[arg-type]
        self.resting: list[Resting] = []
        self.resolved = False
        self.funded = (60 + 2 * 40) * len(WALLETS) * MICRO
        self.world.x.settlement_plan = lambda trade: PLANS[int(trade.trade_id[0], 16) % len(PLANS)]

    @precondition(lambda self: not self.resolved)
    @rule(
        wallet=st.sampled_from(WALLETS),
        side=st.sampled_from(Side),
        asset_id=st.sampled_from([YES, NO]),
        cents=st.integers(40, 60),
        lots=st.integers(500, 3_000),
        kind=st.sampled_from([GTC, GTC, GTC, FOK, FAK]),
        post_only=st.booleans(),
    )
    def place(
        self, wallet: str, side: Side, asset_id: AssetId, cents: int, lots: int, kind: OrderType, post_only: bool
    ) -> None:
        world, buying = self.world, side is BUY
        quantity, price = lots * CENT, cents * CENT
        collateral = quantity * price // MICRO
        if kind is not GTC and buying:
            collateral = collateral // CENT * CENT  # whole cents
            quantity = collateral * MICRO // price // 100 * 100
        making, taking = (collateral, quantity) if buying else (quantity, collateral)
        entry = world.entry(
            wallet,
            side,
            asset_id,
            "0",
            "0",
            order_type=kind,
            maker_amount=making,
            taker_amount=taking,
            post_only=post_only and kind is GTC,
        )
        world.say()
        balance, reserved = world.x.balance(wallet, None if buying else asset_id)
        is_bid = buying == (asset_id == YES)
        first_price = price if asset_id == YES else MICRO - price
        queue = self.queue_for(is_bid, first_price)

        answer = world.x.place(entry, world.now_ms)

        needed = making + (self.fee_at(price, quantity) if buying and (queue or kind is not GTC) else 0)
        if queue and entry.post_only:
            assert answer == Refused(400, "invalid post-only order: order crosses book")
        elif balance - reserved < needed:
            assert isinstance(answer, Refused)
            assert answer.error.startswith("not enough balance")
        elif kind is GTC:
            assert isinstance(answer, Placed)
        self.follow(world.say(), entry, queue, is_bid, first_price)

    def queue_for(self, is_bid: bool, first_price: int) -> list[Resting]:
        """Return what an arriving order reaches, in the order in which it must be matched."""
        against = [r for r in self.resting if r.is_bid != is_bid]
        reached = [r for r in against if (r.price <= first_price if is_bid else r.price >= first_price)]
        return sorted(reached, key=lambda r: r.price if is_bid else -r.price)  # stable: first come, first served

    def fee_at(self, price: int, quantity: int) -> int:
        """Return the schedule's fee in exact fractions, rounded up to 0.00001."""
        fees, p = self.world.market.fees, Fraction(price, MICRO)
        return ceil(quantity * Fraction(fees.rate, MICRO) * p * (1 - p) / 10) * 10

    def follow(
        self, said: list[Notice], entry: OrderEntry, queue: list[Resting], is_bid: bool, first_price: int
    ) -> None:
        """Check an order's matches one by one, and keep the naive book."""
        legs = [(trade, leg) for trade in said if isinstance(trade, TradeChanged) for leg in trade.makers]
        for place, (trade, leg) in enumerate(legs):
            maker = queue[place]
            own = leg.price if leg.asset_id == YES else MICRO - leg.price
            assert (leg.order_id, own) == (maker.order_id, maker.price), "price-time priority"
            assert leg.quantity <= maker.left
            maker.left -= leg.quantity
            limit = entry.maker_amount * MICRO // entry.taker_amount if entry.side is BUY else None
            taker = trade.taker
            assert limit is None or taker.price <= limit
            assert taker.price == (own if entry.asset_id == YES else MICRO - own)
            if place < len(legs) - 1:
                assert maker.left * leg.price < MICRO, "the one before is used up"
        updates = {n.order.order_id: n.order for n in said if isinstance(n, OrderChanged)}
        closed = {order_id for order_id, order in updates.items() if order.status.value != "LIVE"}
        self.resting = [r for r in self.resting if r.order_id not in closed]
        order = updates.get(entry.order_id)
        if order is not None and order.status.value == "LIVE":
            self.resting.append(Resting(entry.order_id, is_bid, first_price, order.original - order.matched))

    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        if self.resting:
            order = data.draw(st.sampled_from(self.resting))
            known = self.world.x.order(order.order_id)
            assert known is not None
            answer = self.world.x.cancel(known.owner, [order.order_id], self.world.now_ms)
            assert answer.canceled == (order.order_id,)
            self.catch_up()

    @rule(wallet=st.sampled_from(WALLETS), cents=st.integers(1, 3_000), splits=st.booleans())
    def split_or_merge(self, wallet: str, cents: int, splits: bool) -> None:
        act = self.world.x.split if splits else self.world.x.merge
        act(wallet, MARKET, Usdc(cents * CENT))
        self.catch_up()

    @rule(ms=st.sampled_from([0, 100, 300, 1_000]))
    def wait(self, ms: int) -> None:
        self.world.wait(ms)
        self.catch_up()

    @precondition(lambda self: not self.resolved)
    @rule(payouts=st.sampled_from([(MICRO, 0), (0, MICRO), (MICRO // 2, MICRO // 2)]), odds=st.integers(1, 12))
    def resolve(self, payouts: tuple[int, int], odds: int) -> None:
        if odds == 1:
            self.world.x.resolve(MARKET, payouts, self.world.now_ms)
            self.resolved = True
            self.catch_up()
            assert self.resting == []

    @precondition(lambda self: self.resolved)
    @rule(wallet=st.sampled_from(WALLETS))
    def redeem(self, wallet: str) -> None:
        assert self.world.x.redeem(wallet, MARKET) is None
        assert self.world.x.positions(wallet) == {}

    def catch_up(self) -> None:
        """Take over what time, lapses and failures did to resting orders."""
        for notice in self.world.say():
            if isinstance(notice, OrderChanged):
                for order in self.resting:
                    if order.order_id == notice.order.order_id:
                        order.left = notice.order.original - notice.order.matched
                if notice.order.status.value != "LIVE":
                    self.resting = [r for r in self.resting if r.order_id != notice.order.order_id]

    @invariant()
    def the_books_are_the_naive_book(self) -> None:
        if not hasattr(self, "world"):
            return
        bids: dict[int, int] = {}
        asks: dict[int, int] = {}
        for order in self.resting:
            side = bids if order.is_bid else asks
            side[order.price] = side.get(order.price, 0) + order.left
        assert dict(self.world.bids(YES)) == bids
        assert dict(self.world.asks(YES)) == asks
        assert dict(self.world.asks(NO)) == {MICRO - price: size for price, size in bids.items()}
        assert dict(self.world.bids(NO)) == {MICRO - price: size for price, size in asks.items()}
        assert not bids or not asks or max(bids) < min(asks)

    @invariant()
    def cash_and_shares_are_conserved(self) -> None:
        if not hasattr(self, "world"):
            return
        x = self.world.x
        x.check()
        wallets = (*WALLETS, "@fees", "@outside")
        cash = sum(x.balance(wallet)[0] for wallet in wallets)
        yes, no = (sum(x.balance(wallet, asset_id)[0] for wallet in wallets) for asset_id in (YES, NO))
        if not self.resolved:
            assert yes == no
            assert cash + yes == self.funded
        else:
            payouts = x.markets[MARKET].payouts
            assert payouts is not None
            owed = Fraction(yes * payouts[0] + no * payouts[1], MICRO)
            assert 0 <= self.funded - cash - owed < 10 * len(WALLETS)


ExchangeMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


class TestExchangeMachine(ExchangeMachine.TestCase):  # type: ignore[misc, valid-type]
    """Random days conserve everything, keep price-time priority and show one book from both sides."""


def busy_day(seed: int, steps: int = 300) -> list[Notice]:
    """Return the notices of a random day."""
    random = Random(seed)
    world = World(POLICIES[seed % len(POLICIES)], market=market_of(fees=FEES), cash="500", shares="200")
    world.x.settlement_plan = lambda trade: PLANS[int(trade.trade_id[0], 16) % len(PLANS)]
    for _ in range(steps):
        wallet = random.choice(WALLETS)
        match random.randrange(10):
            case 0:
                world.x.cancel_all(f"key-{wallet}", world.now_ms)
            case 1:
                world.x.split(wallet, MARKET, Usdc(random.randrange(1, 5_000_000)))
            case 2:
                world.wait(random.randrange(1_000))
            case 3:
                world.x.give_shares(wallet, YES, Shares(random.randrange(1_000_000)))
            case _:
                side, asset_id = random.choice([BUY, SELL]), random.choice([YES, NO])
                size, price = str(random.randrange(5, 40)), f"0.{random.randrange(40, 60)}"
                world.put(wallet, side, asset_id, size, price, order_type=random.choice([GTC, GTC, GTC, FAK, FOK]))
        world.x.check()
    world.x.resolve(MARKET, (MICRO, 0), world.now_ms)
    world.wait(10_000)
    world.x.check()
    return world.say()


def test_the_same_requests_give_the_same_notices() -> None:
    """A day that is run again tells exactly the same, trade ids and hashes included; another salt tells others."""
    for seed in range(8):
        first = busy_day(seed)
        assert first == busy_day(seed)
        assert any(isinstance(n, MarketChanged) for n in first)
        statuses = {n.status for n in first if isinstance(n, TradeChanged)}
        assert statuses == set(LegStatus)
