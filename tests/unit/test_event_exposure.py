"""What an event can lose, against every answer and every filling tried one by one."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from random import Random
from typing import Any

import pytest

from polymarket_agent.decision.exposure import (
    event_exposure,
    markets_at_risk,
    related_to,
    total_exposure,
    worst_exposure,
)
from polymarket_agent.domain.book import Side
from polymarket_agent.domain.events import MarketListed, MarketResolved
from polymarket_agent.domain.market import AssetId, ConditionId, FeeSchedule, Market
from polymarket_agent.domain.money import MICRO, Shares, Usdc, price, shares, usdc
from polymarket_agent.domain.order import Evidence, Fill, Order, OrderId, OrderState, SettlementStatus, TimeInForce
from polymarket_agent.domain.portfolio import worst_cost
from tests.unit.strategy_world import START_MS, World, a_market, no, yes

FEES = FeeSchedule(rate=40_000)
KEYS = ("a", "b", "c")


def owner(name: str = "s") -> Any:
    return type("Owner", (), {"name": name})()


def a_group(
    keys: tuple[str, ...] = KEYS, *, complete: bool = False, neg_risk: bool = True, cash: str = "1000"
) -> World:
    world = World(*(a_market(key, fees=FEES) for key in keys), cash=cash)
    world.group("g", [world.board.markets[ConditionId(key)] for key in keys], neg_risk=neg_risk, complete=complete)
    return world


def exposure(world: World, key: str = "a", strategy: str | None = None) -> Usdc:
    event = related_to(world.board, ConditionId(key))
    return event_exposure(world.account, event, world.account.orders.values(), strategy)


def live(world: World, asset_id: AssetId, side: Side, at: str, quantity: int, *, strategy: str = "s") -> Order:
    market = world.board.market_by_asset[asset_id]
    amount = shares(quantity)
    order = Order(
        order_id=OrderId(f"live{len(world.account.orders)}"),
        signal_id="",
        strategy=strategy,
        condition_id=market.condition_id,
        asset_id=asset_id,
        side=side,
        price=price(at),
        quantity=amount,
        time_in_force=TimeInForce.GTC,
        created_ms=START_MS,
        state=OrderState.OPEN,
        reserved=worst_cost(side, price(at), amount, market.fees, post_only=False),
    )
    world.account.apply_order(order)
    return order


def test_no_on_two_answers_is_a_pair_because_one_of_them_fails() -> None:
    """100 NO of two answers for 85 pay at least 100 together: the event cannot lose, each market alone could."""
    world = a_group()
    world.fill(owner(), no("a"), Side.BUY, "0.40", 100)
    world.fill(owner(), no("b"), Side.BUY, "0.45", 100)

    assert exposure(world) == usdc(-15)
    assert worst_exposure(world.account, world.board.markets[ConditionId("a")], ()) == usdc(40)


def test_one_yes_of_each_answer_pays_only_if_the_list_is_complete() -> None:
    """A full set of YES for 0.95 pays 1 when no other answer can come, and nothing for sure when one can."""
    for complete, lost in ((True, "-5"), (False, "95")):
        world = a_group(complete=complete)
        for key, at in zip(KEYS, ("0.50", "0.30", "0.15"), strict=True):
            world.fill(owner(), yes(key), Side.BUY, at, 100)

        assert exposure(world) == usdc(lost)


def test_a_complete_group_of_which_one_market_is_not_known_is_not_complete_here() -> None:
    """An answer that the board does not know may win: it counts like an answer that may still be added."""
    world = a_group(complete=True)
    group = replace(world.board.groups["g"], markets=(*world.board.groups["g"].markets, ConditionId("z")))
    world.board.groups["g"] = group
    for key in KEYS:
        world.fill(owner(), yes(key), Side.BUY, "0.30", 100)

    assert exposure(world) == usdc(90)


def test_an_answer_that_is_out_cannot_win() -> None:
    """In a complete group of three with one resolved no, YES of the other two pays 1; a YES that is out pays 0."""
    world = a_group(complete=True)
    for key, at in (("a", "0.60"), ("b", "0.30"), ("c", "0.05")):
        world.fill(owner(), yes(key), Side.BUY, at, 100)
    world.board.apply(MarketResolved(ConditionId("c"), (0, MICRO), START_MS))

    assert exposure(world) == usdc(-5)
    world.board.apply(MarketResolved(ConditionId("a"), (0, MICRO), START_MS))
    assert exposure(world) == usdc(-5)


def test_an_answer_that_came_decides_the_others() -> None:
    """Once one answer is yes, every NO of the others pays and no other YES does."""
    world = a_group()
    world.fill(owner(), yes("a"), Side.BUY, "0.60", 100)
    world.fill(owner(), no("b"), Side.BUY, "0.70", 100)
    assert exposure(world) == usdc(130)  # b may win

    world.board.apply(MarketResolved(ConditionId("a"), (MICRO, 0), START_MS))
    assert exposure(world) == usdc(-70)
    world.board.apply(MarketResolved(ConditionId("b"), (0, MICRO), START_MS))
    assert exposure(world) == usdc(-70)


def test_markets_that_share_out_their_answer_promise_nothing() -> None:
    """What a 50/50 answer pays is not counted before it is cash."""
    world = World(a_market("a"))
    world.fill(owner(), yes("a"), Side.BUY, "0.60", 100)
    world.board.apply(MarketResolved(ConditionId("a"), (MICRO // 2, MICRO // 2), START_MS))

    assert exposure(world) == usdc(60)


def test_markets_of_an_ordinary_event_lose_independently() -> None:
    """Without neg-risk both markets of an event may go against us: what they can lose adds up."""
    world = a_group(neg_risk=False)
    world.fill(owner(), no("a"), Side.BUY, "0.40", 100)
    world.fill(owner(), no("b"), Side.BUY, "0.45", 100)

    assert exposure(world) == usdc(85)


def test_markets_of_a_group_that_was_never_listed_add_up() -> None:
    """Markets that name the same group are one event although the group itself is unknown; nothing is netted."""
    world = World(*(replace(a_market(key), group_id="g", neg_risk=True) for key in KEYS))
    world.fill(owner(), no("a"), Side.BUY, "0.40", 100)
    world.fill(owner(), no("b"), Side.BUY, "0.45", 100)

    assert related_to(world.board, ConditionId("a")).key == "g"
    assert exposure(world) == exposure(world, "c") == usdc(85)


def test_what_the_board_does_not_know_counts_at_its_cost() -> None:
    """After a restart before the listing, a position and an order of an unknown market still count."""
    world = World(a_market("a", fees=FEES))
    world.fill(owner(), yes("a"), Side.BUY, "0.40", 100)
    live(world, no("a"), Side.BUY, "0.50", 10)
    empty = World().board

    assert total_exposure(empty, world.account, world.account.orders.values()) == usdc("45.20")
    assert markets_at_risk(world.account, world.account.orders.values()) == {ConditionId("a")}


def test_a_certain_profit_of_one_event_pays_for_no_other() -> None:
    """The total adds up what events can lose; a pair that cost 90 does not make room for 10 elsewhere."""
    world = a_group(("a",))
    world.board.apply(MarketListed(a_market("x"), START_MS))
    for asset_id, at in ((yes("a"), "0.45"), (no("a"), "0.45"), (yes("x"), "0.30")):
        world.fill(owner(), asset_id, Side.BUY, at, 100)

    assert total_exposure(world.board, world.account, ()) == usdc(30)


def test_a_strategy_answers_for_what_it_bought_and_ordered() -> None:
    """Shares of one asset that two strategies bought are shared out; an order belongs to who placed it."""
    world = World(a_market("a"))
    world.fill(owner("one"), yes("a"), Side.BUY, "0.40", 100)
    world.fill(owner("two"), yes("a"), Side.BUY, "0.60", 50)
    live(world, no("a"), Side.BUY, "0.30", 10, strategy="two")

    assert exposure(world, strategy="one") == Usdc(46_666_667)  # two thirds of 70
    assert exposure(world, strategy="two") == Usdc(23_333_334 + 3_000_000)
    assert exposure(world, strategy="three") == 0


def test_shares_that_may_still_fail_to_settle_are_no_hedge() -> None:
    """A matched NO counts at its cost at once and makes a pair only when it is confirmed."""
    world = World(a_market("a"))
    world.fill(owner(), yes("a"), Side.BUY, "0.40", 100)
    fill = Fill(
        trade_id="t",
        order_id=OrderId("o"),
        condition_id=ConditionId("a"),
        asset_id=no("a"),
        side=Side.BUY,
        price=price("0.55"),
        quantity=shares(60),
        notional=usdc(33),
        fee=Usdc(0),
        is_maker=False,
        evidence=Evidence.VENUE,
        at_ms=START_MS,
        strategy="s",
        settlement=SettlementStatus.MATCHED,
    )
    world.account.apply_fill(fill)
    assert exposure(world) == usdc(73)

    world.account.settle("t", OrderId("o"), 0, SettlementStatus.CONFIRMED)
    assert exposure(world) == usdc(13)


# -- against trying everything ----------------------------------------------------------------------------------------


def tried(world: World, markets: list[Market], worlds: list[ConditionId | None]) -> int:
    """Return the most lost over every answer, every set of filled buys, and every part of each sale in whole shares."""
    account, live_orders = world.account, list(world.account.orders.values())
    sells = [order for order in live_orders if order.side is Side.SELL]
    buys = sum(order.reserved for order in live_orders if order.side is Side.BUY)
    most = -(1 << 60)
    for parts in product(*(range(order.quantity // MICRO + 1) for order in sells)):
        left = {asset_id: int(position.quantity) for asset_id, position in account.positions.items()}
        cost = 0
        for order, part in zip(sells, parts, strict=True):
            left[order.asset_id] -= part * MICRO
        for asset_id, position in account.positions.items():
            paid = (position.cost + position.entry_fees) * left[asset_id]
            cost += -(-paid // position.quantity)
        for winner in worlds:
            pays = [m.asset_ids[0] if m.condition_id == winner else m.asset_ids[1] for m in markets]
            most = max(most, cost + buys - sum(left.get(AssetId(asset_id), 0) for asset_id in pays))
    return most


def a_random_book(random: Random, world: World) -> None:
    assets = [asset_id for key in KEYS for asset_id in (yes(key), no(key))]
    for asset_id in random.sample(assets, random.randint(0, 5)):
        quantity = random.randint(1, 6)
        world.fill(
            owner(), asset_id, Side.BUY, f"0.{random.randint(10, 90)}", quantity, fee=f"0.0{random.randint(0, 9)}"
        )
        if random.random() < 0.6:
            live(world, asset_id, Side.SELL, "0.50", random.randint(1, quantity))
    for _ in range(random.randint(0, 2)):
        live(world, random.choice(assets), Side.BUY, f"0.{random.randint(10, 90)}", random.randint(1, 5))


@pytest.mark.parametrize("complete", [True, False])
def test_the_worst_of_everything_is_found(complete: bool) -> None:
    """300 small books: exposure is the worst over every answer and every part of every sale, to the micro-unit above."""
    random = Random(f"exposure {complete}")
    for _ in range(150):
        world = a_group(complete=complete)
        a_random_book(random, world)
        markets = [world.board.markets[ConditionId(key)] for key in KEYS]
        worlds: list[ConditionId | None] = [*(m.condition_id for m in markets), *([] if complete else [None])]

        most, said = tried(world, markets, worlds), exposure(world)

        # Rounding of a part of a sale may leave a micro-unit of cost on each asset that the ends do not have.
        assert most - 6 <= said <= most, (said, most)


def test_a_market_by_itself_is_the_worse_of_its_two_answers() -> None:
    """For one market the worst is found too, as the limit of one market needs it."""
    random = Random("one market")
    for _ in range(100):
        world = a_group()
        a_random_book(random, world)
        for key in KEYS:
            market = world.board.markets[ConditionId(key)]
            own = World(a_market(key, fees=FEES))
            own.account.positions = {a: p for a, p in world.account.positions.items() if a in market.asset_ids}
            own.account.orders = {o: w for o, w in world.account.orders.items() if w.asset_id in market.asset_ids}
            most = tried(own, [market], [market.condition_id, None])
            said = worst_exposure(world.account, market, world.account.orders.values())
            assert most - 2 <= said <= most


def test_a_position_of_a_strategy_is_never_more_than_is_held() -> None:
    """A strategy whose shares another one sold answers for what is left of them."""
    world = World(a_market("a"))
    world.fill(owner("one"), yes("a"), Side.BUY, "0.40", 100)
    world.fill(owner("two"), yes("a"), Side.SELL, "0.40", 60)

    assert exposure(world, strategy="one") == usdc(16)
    assert world.account.quantity_of(yes("a")) == Shares(40 * MICRO)
