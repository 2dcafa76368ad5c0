from __future__ import annotations

import pytest

from polymarket_agent.domain.market import AssetId, ConditionId, Market, MarketGroup, MarketState, Outcome
from polymarket_agent.domain.money import Shares, Usdc, shares, usdc
from polymarket_agent.sandbox.exchange import Exchange
from polymarket_agent.sandbox.model import MarketChanged, OrderStatus, Refused
from polymarket_agent.sandbox.policy import Policy
from tests.sandbox.exchange_world import BUY, FOK, MARKET, NO, SELL, START_MS, YES, World, market_of

HALF = (500_000, 500_000)
WON = (1_000_000, 0)


def kinds(world: World) -> list[str]:
    return [notice.kind for notice in world.say() if isinstance(notice, MarketChanged)]


@pytest.mark.parametrize(("payouts", "paid"), [(WON, "10"), ((0, 1_000_000), "3"), (HALF, "6.5")])
def test_a_resolved_market_pays_out(payouts: tuple[int, int], paid: str) -> None:
    """Resolution cancels what rests, and redemption turns shares into what they pay, 50/50 included."""
    world = World(shares="0", cash="100")
    world.x.give_shares("ann", YES, shares("10"))
    world.x.give_shares("ann", NO, shares("3"))
    order = world.placed("ann", BUY, YES, "10", "0.50").order_id
    world.x.resolve(MARKET, payouts, world.now_ms)
    resting = world.x.order(order)
    assert resting is not None
    assert resting.status is OrderStatus.CANCELED_MARKET_RESOLVED

    assert world.x.redeem("ann", MARKET) is None
    world.x.check()

    assert world.cash_of("ann") == usdc("100") + usdc(paid)
    assert world.x.positions("ann") == {}
    assert world.x.markets[MARKET].payouts == payouts
    assert kinds(world) == ["resolved"]


def test_odd_shares_of_a_draw_lose_half_a_unit_and_nothing_more() -> None:
    """At 50/50 an odd number of base units is paid rounded down, and the books still balance exactly."""
    world = World(shares="0")
    world.x.give_shares("ann", YES, Shares(7))
    world.x.give_shares("bob", NO, Shares(5))
    world.x.resolve(MARKET, HALF, world.now_ms)
    world.x.redeem("ann", MARKET)
    world.x.redeem("bob", MARKET)
    world.x.check()

    assert (world.cash_of("ann") - usdc("1000"), world.cash_of("bob") - usdc("1000")) == (3, 2)


def test_a_market_is_closed_proposed_disputed_and_resolved() -> None:
    """A proposal stops trading and cancels orders, a dispute replaces the answer, a resolution without one takes it."""
    world = World()
    world.placed("ann", BUY, YES, "10", "0.50")
    world.x.propose(MARKET, WON, world.now_ms)
    assert world.x.open_orders("key-ann") == []
    assert world.x.markets[MARKET].state is MarketState.CLOSED
    world.x.dispute(MARKET, HALF, world.now_ms)
    world.x.resolve(MARKET, None, world.now_ms)
    world.x.propose(MARKET, WON, world.now_ms)
    world.x.resolve(MARKET, WON, world.now_ms)
    world.x.close_market(MARKET, world.now_ms)

    assert kinds(world) == ["closed", "proposed", "disputed", "resolved"]
    assert world.x.markets[MARKET].payouts == HALF


def test_resolving_without_an_answer_is_an_error() -> None:
    """A market with no proposed answer cannot be resolved to it."""
    with pytest.raises(ValueError, match="no proposed answer"):
        World().x.resolve(MARKET, None, START_MS)


def test_closing_may_leave_orders_until_the_resolution() -> None:
    """With the switch off, orders rest through the close and end with the resolution; nothing new is taken."""
    world = World(Policy(close_cancels=False))
    order = world.placed("ann", BUY, YES, "10", "0.50").order_id
    world.x.close_market(MARKET, world.now_ms)
    assert world.bids(YES)
    assert world.refused("ann", BUY, YES, "10", "0.50").http_status == 404
    world.x.resolve(MARKET, WON, world.now_ms)

    assert world.order_steps(order)[-1] == ("CANCELLATION", "CANCELED_MARKET_RESOLVED")
    world.x.check()


def test_trades_settle_after_the_resolution() -> None:
    """What matched before the end still settles, and what it brought can be redeemed."""
    world = World(shares="0", cash="100")
    world.placed("ann", BUY, YES, "10", "0.50")
    world.placed("bob", BUY, NO, "10", "0.50")
    world.x.resolve(MARKET, WON, world.now_ms)
    world.x.redeem("ann", MARKET)
    assert world.cash_of("ann") == usdc("100")
    world.settle()
    world.x.redeem("ann", MARKET)

    assert world.cash_of("ann") == usdc("105")
    world.x.check()


def test_sets_are_split_and_merged() -> None:
    """One collateral is one share of each outcome and back; more than there is is refused and changes nothing."""
    world = World(shares="0", cash="10")
    assert world.x.split("ann", MARKET, usdc("10")) is None
    assert (world.cash_of("ann"), world.x.positions("ann")) == (0, {YES: shares("10"), NO: shares("10")})
    assert world.x.merge("ann", MARKET, usdc("4")) is None
    world.x.check()

    refusals = [
        world.x.split("ann", MARKET, usdc("4.000001")),
        world.x.merge("ann", MARKET, usdc("6.000001")),
        world.x.split("ann", MARKET, Usdc(-1)),
        world.x.split("ann", ConditionId("0x0"), usdc("1")),
        world.x.redeem("ann", MARKET),
        world.x.withdraw("ann", usdc("5")),
    ]
    assert all(isinstance(refusal, Refused) for refusal in refusals)
    assert (world.cash_of("ann"), world.shares_of("ann", YES)) == (usdc("4"), shares("6"))


def group_world() -> tuple[Exchange, list[Market]]:
    """Return an exchange with a neg-risk group of three markets, ann holding 10 NO of the first."""
    markets = [
        market_of(
            condition_id=ConditionId(f"0x{i}"),
            outcomes=(Outcome(AssetId(f"{i}1"), "Yes"), Outcome(AssetId(f"{i}2"), "No")),
            neg_risk=True,
            group_id="g",
        )
        for i in (1, 2, 3)
    ]
    group = MarketGroup.of("g", "Who?", markets, neg_risk=True)
    exchange = Exchange()
    for market in markets:
        exchange.list_market(market, START_MS, group=group)
    exchange.give_shares("ann", AssetId("12"), shares("10"))
    return exchange, markets


@pytest.mark.parametrize(("winner", "paid"), [(0, 0), (1, 10), (2, 10), (None, 0)])
def test_a_conversion_is_worth_the_same(winner: int | None, paid: int) -> None:
    """NO of one market becomes YES of all others, and whoever wins, cash is conserved and paid as it should be."""
    exchange, markets = group_world()
    assert exchange.convert("ann", "g", markets[0].condition_id, shares("10")) is None
    exchange.check()
    assert exchange.positions("ann") == {AssetId("21"): shares("10"), AssetId("31"): shares("10")}

    for index, market in enumerate(markets):
        exchange.resolve(market.condition_id, WON if index == winner else (0, 1_000_000), START_MS)
        exchange.redeem("ann", market.condition_id)
        exchange.check()

    assert exchange.balance("ann")[0] == paid * 1_000_000


def test_conversions_that_cannot_be() -> None:
    """A conversion needs a neg-risk group, its market, the shares, and that nothing is resolved."""
    exchange, markets = group_world()
    first = markets[0].condition_id
    assert exchange.convert("ann", "h", first, shares("1")) is not None
    assert exchange.convert("ann", "g", ConditionId("0x9"), shares("1")) is not None
    assert exchange.convert("ann", "g", first, shares("10.01")) is not None
    exchange.resolve(markets[2].condition_id, WON, START_MS)
    assert exchange.convert("ann", "g", first, shares("1")) is not None
    exchange.check()


def test_a_market_is_listed_once() -> None:
    """Listing the same condition or an asset of another market is an error."""
    world = World()
    with pytest.raises(ValueError, match="listed already"):
        world.x.list_market(market_of(condition_id=ConditionId("0xother")), START_MS)


def test_books_and_their_hash() -> None:
    """A book carries the time of its last change; its hash covers the last trade and changes with the book."""
    world = World()
    world.placed("ann", BUY, YES, "10", "0.40")
    world.wait(5)
    world.placed("ann", SELL, YES, "10", "0.60")
    before = world.x.book_hash(YES)
    assert world.x.book(YES).at_ms == world.now_ms
    assert world.x.book(YES) is world.x.book(YES)
    assert world.x.last_trade_price(MARKET) is None
    world.placed("bob", BUY, NO, "2", "0.60", order_type=FOK)

    assert world.x.last_trade_price(MARKET) == "0.4"
    assert world.x.book_hash(YES) not in (before, world.x.book_hash(NO))
    assert len(world.x.book_hash(NO)) == 40


def test_history_is_the_last_trade_of_each_second() -> None:
    """The price history has a point for each second with trades, mirrored for the other outcome, and is bounded."""
    world = World(Policy(history_kept=2))
    for at in ("0.30", "0.40", "0.50", "0.60"):
        world.placed("ann", SELL, YES, "5", at)
        world.placed("bob", BUY, YES, "5", at)
        world.wait(500)
    second = START_MS // 1000

    assert world.x.history(YES) == [(second, 400_000), (second + 1, 600_000)]
    assert world.x.history(NO) == [(second, 600_000), (second + 1, 400_000)]


def test_time_never_runs_backwards() -> None:
    """A request with an earlier time is taken at the time that was reached."""
    world = World()
    order = world.x.place(world.entry("ann", BUY, YES, "10", "0.50"), START_MS - 60_000)

    assert not isinstance(order, Refused)
    assert world.x.now_ms == START_MS
    assert world.x.open_orders("key-ann")[0].created_ms == START_MS


def test_unknown_names_read_as_nothing() -> None:
    """Reads about unknown wallets, orders, owners and assets answer nothing and create nothing."""
    x = World().x
    assert x.balance("nobody") == x.balance("nobody", YES) == x.balance("ann", AssetId("9")) == (0, 0)
    assert set(x.allowances("nobody").values()) == {0}
    assert x.positions("nobody") == {}
    assert [x.order("0x"), x.outcome("0x"), x.held_until("0x"), x.market_of(AssetId("9"))] == [None] * 4
    assert not [*x.open_orders("nobody"), *x.trades("nobody")]
    assert x.terms(MARKET).seconds_delay == 0
