from __future__ import annotations

import pytest

from polymarket_agent.domain.book import Side
from polymarket_agent.domain.market import AssetId, FeeSchedule
from polymarket_agent.domain.money import price, shares, usdc
from polymarket_agent.sandbox.model import OrderStatus, Placed
from polymarket_agent.sandbox.policy import FeeRounding, Policy, SelfTrade
from tests.sandbox.exchange_world import BUY, FAK, FEES, FOK, GTD, NO, SELL, START_MS, YES, World, market_of


def test_the_mint_example_of_the_specification() -> None:
    """Taking 10 YES at 0.60 against a bid of 0.45 for NO: the maker pays 4.50, the taker 5.50, each gets 10."""
    world = World(shares="0")
    world.placed("bob", BUY, NO, "10", "0.45")

    answer = world.placed("ann", BUY, YES, "10", "0.60")
    world.settle()

    assert (answer.status, answer.making_amount, answer.taking_amount) == ("matched", 5_500_000, 10_000_000)
    assert (world.cash_of("ann"), world.shares_of("ann", YES)) == (usdc("994.5"), shares("10"))
    assert (world.cash_of("bob"), world.shares_of("bob", NO)) == (usdc("995.5"), shares("10"))


MATCHES: list[tuple[str, tuple[Side, AssetId, str], tuple[Side, AssetId, str], str, str]] = [
    ("buy takes an offer", (SELL, YES, "0.40"), (BUY, YES, "0.60"), "-4", "4"),
    ("sale takes a bid", (BUY, YES, "0.60"), (SELL, YES, "0.40"), "6", "-6"),
    ("two buyers mint", (BUY, YES, "0.45"), (BUY, NO, "0.60"), "-5.5", "-4.5"),
    ("two sellers merge", (SELL, YES, "0.30"), (SELL, NO, "0.60"), "7", "3"),
]


@pytest.mark.parametrize(("maker", "taker", "taken", "made"), [m[1:] for m in MATCHES], ids=[m[0] for m in MATCHES])
def test_the_resting_order_sets_the_price(
    maker: tuple[Side, AssetId, str], taker: tuple[Side, AssetId, str], taken: str, made: str
) -> None:
    """Whatever kind of match it is, the maker gets its price and the taker what remains of one collateral a set."""
    world = World()
    world.placed("bob", maker[0], maker[1], "10", maker[2])
    answer = world.placed("ann", taker[0], taker[1], "10", taker[2])
    world.settle()

    assert answer.status == "matched"
    assert world.cash_of("ann") - usdc("1000") == usdc(taken)
    assert world.cash_of("bob") - usdc("1000") == usdc(made)
    change = shares("10")
    assert world.shares_of("ann", taker[1]) - shares("1000") == (change if taker[0] is BUY else -change)
    assert world.shares_of("bob", maker[1]) - shares("1000") == (change if maker[0] is BUY else -change)


def test_orders_that_do_not_reach_each_other_rest() -> None:
    """Prices that leave a gap do not match, in any of the four combinations, and both outcomes show the same book."""
    world = World()
    world.placed("bob", BUY, YES, "10", "0.45")
    world.placed("bob", SELL, NO, "20", "0.56")
    world.placed("ann", SELL, YES, "30", "0.46")
    world.placed("ann", BUY, NO, "40", "0.53")

    assert world.bids(YES) == [(450_000, 10_000_000), (440_000, 20_000_000)]
    assert world.asks(YES) == [(460_000, 30_000_000), (470_000, 40_000_000)]
    assert world.bids(NO) == [(530_000, 40_000_000), (540_000, 30_000_000)][::-1]
    assert world.asks(NO) == [(550_000, 10_000_000), (560_000, 20_000_000)]
    assert world.x.best(YES) == (450_000, 460_000)
    assert world.x.best(NO) == (540_000, 550_000)
    world.x.check()


def test_price_goes_before_time_and_time_before_the_rest() -> None:
    """The best price is matched first, and at one price the oldest, whichever outcome it was placed for."""
    world = World()
    first = world.placed("bob", SELL, YES, "10", "0.50")
    second = world.placed("cyd", BUY, NO, "10", "0.50")
    third = world.placed("bob", SELL, YES, "10", "0.50")
    best = world.placed("cyd", SELL, YES, "10", "0.49")
    world.say()

    world.placed("ann", BUY, YES, "25", "0.55")

    makers = [leg.order_id for trade in world.trade_steps() for leg in trade.makers]
    assert makers == [best.order_id, first.order_id, second.order_id]
    left = world.x.order(second.order_id), world.x.order(third.order_id)
    assert [order.matched for order in left if order] == [5_000_000, 0]


def test_a_limit_is_never_traded_through() -> None:
    """What lies beyond the limit stays on the book, and the rest of the order rests at the limit."""
    world = World()
    world.placed("bob", SELL, YES, "10", "0.50")
    world.placed("bob", SELL, YES, "10", "0.52")

    answer = world.placed("ann", BUY, YES, "15", "0.51")

    assert (answer.making_amount, answer.taking_amount) == (5_000_000, 10_000_000)
    assert world.asks(YES) == [(520_000, 10_000_000)]
    assert world.bids(YES) == [(510_000, 5_000_000)]
    assert world.x.balance("ann")[1] == usdc("7.55")


def test_a_market_buy_aims_at_collateral() -> None:
    """A FOK buy spends its collateral and gets more shares than it signed for where they are cheaper."""
    world = World()
    world.placed("bob", SELL, YES, "100", "0.40")

    answer = world.placed("ann", BUY, YES, "0", "0", order_type=FOK, maker_amount=10_000_000, taker_amount=19_230_700)

    assert (answer.making_amount, answer.taking_amount) == (10_000_000, 25_000_000)


def test_a_live_example_of_base_units() -> None:
    """A buy for 10 at 0.67 against bids of 0.33 for NO spends 9.999999 and gets 14.925372, as once seen live."""
    world = World()
    world.placed("bob", BUY, NO, "100", "0.33")

    answer = world.placed("ann", BUY, YES, "0", "0", order_type=FOK, maker_amount=10_000_000, taker_amount=14_925_300)
    world.settle()

    assert (answer.making_amount, answer.taking_amount) == (9_999_999, 14_925_372)


def test_a_resting_order_never_gives_more_than_it_signed() -> None:
    """However many odd matches a resting buy has, it pays its maker amount at most, and does not stay for dust."""
    world = World()
    maker = world.placed("bob", BUY, YES, "100", "0.33")
    for _ in range(66):
        world.placed("ann", BUY, NO, "0", "0", order_type=FOK, maker_amount=1_000_000, taker_amount=1_492_500)
        world.x.check()
    world.placed("ann", SELL, YES, "5", "0.33", order_type=FAK)
    world.settle()

    order = world.x.order(maker.order_id)
    assert order is not None
    assert order.status is OrderStatus.MATCHED
    assert 32_999_990 <= usdc("1000") - world.cash_of("bob") <= 33_000_000
    assert world.bids(YES) == []


def test_a_rounded_market_buy_still_reaches_its_cap() -> None:
    """The captured amounts of a FOK buy capped at 0.52 imply 0.5200019, and match at 0.52 and not at 0.53."""
    for at, matched in (("0.52", True), ("0.53", False)):
        world = World()
        world.placed("bob", SELL, YES, "100", at)
        answer = world.put("ann", BUY, YES, "0", "0", order_type=FOK, maker_amount=10_000_000, taker_amount=19_230_700)
        assert isinstance(answer, Placed) is matched


def test_wanted_shares_that_were_rounded_up_miss_the_cap() -> None:
    """A FAK buy of 1 for 14.29 shares implies less than 0.07 and is killed at an offer of 0.07, as live bots saw."""
    world = World()
    world.placed("bob", SELL, YES, "100", "0.07")

    answer = world.refused("ann", BUY, YES, "0", "0", order_type=FAK, maker_amount=1_000_000, taker_amount=14_290_000)

    assert answer.error.startswith("no orders found to match with FAK order")


def test_fill_or_kill_is_all_or_nothing() -> None:
    """A FOK order that the book cannot fill within its limit changes nothing."""
    world = World()
    world.placed("bob", SELL, YES, "10", "0.50")
    world.placed("bob", SELL, YES, "10", "0.60")

    killed = world.put("ann", SELL, NO, "15", "0.45", order_type=FOK)
    bought = world.put("ann", BUY, YES, "15", "0.50", order_type=FOK)

    assert not isinstance(killed, Placed)
    assert not isinstance(bought, Placed)
    assert world.asks(YES) == [(500_000, 10_000_000), (600_000, 10_000_000)]


def test_fill_and_kill_takes_what_there_is() -> None:
    """A FAK order matches what it can and the rest of it is cancelled."""
    world = World()
    world.placed("bob", SELL, YES, "10", "0.50")
    world.say()

    answer = world.placed("ann", BUY, YES, "30", "0.50", order_type=FAK)

    assert (answer.status, answer.making_amount, answer.taking_amount) == ("matched", 5_000_000, 10_000_000)
    steps = world.order_steps(answer.order_id)
    assert steps == [("PLACEMENT", "LIVE"), ("UPDATE", "LIVE"), ("CANCELLATION", "CANCELED")]
    assert world.x.balance("ann")[1] == usdc("5")
    assert world.bids(YES) == []


def test_a_gtd_order_ends_a_minute_early() -> None:
    """A GTD order rests until 60 s before the second it states and then ends as expired."""
    world = World()
    order = world.placed("ann", BUY, YES, "10", "0.50", order_type=GTD, expires_s=START_MS // 1000 + 100).order_id

    world.wait(39_999 - START_MS % 1000)
    assert world.bids(YES)
    assert world.x.next_due_ms == world.now_ms + 1
    world.wait(1)

    assert not world.bids(YES)
    ended = world.x.order(order)
    assert ended is not None
    assert ended.status is OrderStatus.CANCELED_EXPIRED_ORDER
    assert world.x.balance("ann") == (usdc("1000"), 0)


FEE_CASES = [
    (FEES, FeeRounding.UP, BUY, "100", "0.50", 1_000_000),
    (FEES, FeeRounding.UP, BUY, "5", "0.01", 1_980),
    (FEES, FeeRounding.UP, BUY, "5.01", "0.01", 1_990),
    (FEES, FeeRounding.DOWN, BUY, "5.01", "0.01", 1_980),
    (FEES, FeeRounding.NEAREST, BUY, "5.01", "0.01", 1_980),
    (FeeSchedule(rate=70_000, exponent=2), FeeRounding.UP, SELL, "100", "0.50", 437_500),
]


@pytest.mark.parametrize(("schedule", "rounding", "side", "size", "at", "fee"), FEE_CASES)
def test_only_the_taker_pays_the_schedules_fee(
    schedule: FeeSchedule, rounding: FeeRounding, side: Side, size: str, at: str, fee: int
) -> None:
    """A buyer pays the fee on top, a seller out of the proceeds, in units of 0.00001; the maker pays none."""
    world = World(Policy(fee_rounding=rounding, marketable_min=usdc("0")), market=market_of(fees=schedule))
    world.placed("bob", side.opposite, YES, size, at)
    world.placed("ann", side, YES, size, at)
    trade = world.trade_steps()[0]
    world.settle()

    notional = shares(size) * usdc(at) // 1_000_000
    assert (trade.taker.fee, trade.makers[0].fee) == (fee, 0)
    assert trade.taker.fee_rate == schedule.rate // 100
    sign = -1 if side is BUY else 1
    assert world.cash_of("ann") - usdc("1000") == sign * notional - fee
    assert world.cash_of("bob") - usdc("1000") == -sign * notional


def test_a_fee_never_takes_more_than_there_is() -> None:
    """A market buy of the whole balance that fills below its cap owes a higher fee, and pays what is left."""
    world = World(market=market_of(fees=FEES), cash="10.20")
    world.placed("bob", SELL, YES, "100", "0.10")

    world.placed("ann", BUY, YES, "0", "0", order_type=FOK, maker_amount=10_000_000, taker_amount=19_230_700)
    world.settle()

    assert world.cash_of("ann") == 0


@pytest.mark.parametrize("policy", SelfTrade)
def test_meeting_ones_own_order(policy: SelfTrade) -> None:
    """An order that meets its own wallet's matches it, cancels it, or stops there, as the policy says."""
    world = World(Policy(self_trade=policy))
    own = world.placed("ann", SELL, YES, "10", "0.50").order_id
    world.placed("bob", SELL, YES, "10", "0.51")

    answer = world.put("ann", BUY, YES, "10", "0.51")
    world.settle()

    resting = world.x.order(own)
    assert resting is not None
    expected = {
        SelfTrade.ALLOW: (OrderStatus.MATCHED, usdc("1000"), True),
        SelfTrade.CANCEL_RESTING: (OrderStatus.CANCELED, usdc("994.9"), True),
        SelfTrade.CANCEL_TAKER: (OrderStatus.LIVE, usdc("1000"), False),
    }
    assert (resting.status, world.cash_of("ann"), isinstance(answer, Placed)) == expected[policy]


def test_makers_are_spread_over_trades() -> None:
    """Each price is a trade of its own, and so is each bucket of makers; a switch makes one trade of all prices."""
    for spans, expected in ((False, [(0, 2), (1, 1), (2, 1)]), (True, [(0, 2), (1, 2)])):
        world = World(Policy(makers_per_trade=2, trade_spans_prices=spans))
        for at in ("0.50", "0.50", "0.50", "0.52"):
            world.placed("bob", SELL, YES, "10", at)
        world.say()
        answer = world.placed("ann", BUY, YES, "40", "0.52")
        trades = world.trade_steps()
        assert [(trade.bucket_index, len(trade.makers)) for trade in trades] == expected
        assert answer.trade_ids == tuple(trade.trade_id for trade in trades)
        assert trades[-1].taker.price == price("0.51" if spans else "0.52")
        world.settle()
