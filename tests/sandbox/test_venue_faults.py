from __future__ import annotations

from typing import Any

import pytest

from polymarket_agent.domain.book import Side
from polymarket_agent.domain.market import Market
from polymarket_agent.domain.money import MICRO, Usdc
from polymarket_agent.sandbox.crowd import Crowd, run_until
from polymarket_agent.sandbox.exchange import Exchange
from polymarket_agent.sandbox.fault_plan import FaultPlan
from polymarket_agent.sandbox.faults import FaultInjector, Target
from polymarket_agent.sandbox.model import (
    LegStatus,
    Mode,
    OrderEntry,
    OrderStatus,
    OrderType,
    Placed,
    Refused,
    TradeChanged,
)
from polymarket_agent.sandbox.scenarios import build

START_MS = 1_792_990_800_000
ME = Target("my-key", "0xme", "0xme")


class World:
    """A market with a crowd, a funded account under test, and a plan."""

    def __init__(self, *rules: dict[str, Any], known: bool = True) -> None:
        self.exchange = Exchange()
        self.crowd = Crowd(1, build("one", 1, START_MS))
        self.injector = FaultInjector(FaultPlan.load({"rules": list(rules)}), start_ms=START_MS)
        self.injector.attach(self.exchange)
        self.exchange.fund(ME.wallet, Usdc(10_000 * MICRO))
        self.exchange.approve(ME.wallet)
        if known:
            self.injector.know(ME)
        self.orders = 0
        self.run(5)

    @property
    def market(self) -> Market:
        return next(iter(self.exchange.markets.values()))

    def run(self, second: float) -> World:
        run_until(self.exchange, [self.crowd, self.injector], START_MS + int(second * 1_000))
        return self

    def order(self, cents: int, quantity: int = 10, order_type: OrderType = OrderType.GTC) -> Placed | Refused:
        self.orders += 1
        entry = OrderEntry(
            order_id=f"0x{self.orders:064x}",
            owner=ME.owner,
            wallet=ME.wallet,
            signer=ME.signer,
            signature_type=0,
            asset_id=self.market.asset_ids[0],
            side=Side.BUY,
            maker_amount=cents * quantity * 10_000,
            taker_amount=quantity * MICRO,
            order_type=order_type,
        )
        return self.exchange.place(entry, self.exchange.now_ms)

    def shown_cash(self) -> int:
        return self.injector.balance(self.exchange, ME.wallet)[0]

    def counts(self) -> dict[str, int]:
        return self.injector.counts()

    def statuses(self) -> list[LegStatus]:
        """Return the steps that my first trade went through."""
        steps = [notice for notice in self.exchange.drain() if isinstance(notice, TradeChanged)]
        mine = [step for step in steps if step.taker.owner == ME.owner]
        return [step.status for step in mine if step.trade_id == mine[0].trade_id]


def venue(fault: str, argument: Any = None, **when: Any) -> dict[str, Any]:
    return {"point": "venue", "fault": fault} | ({} if argument is None else {"argument": argument}) | when


def test_modes_come_and_go_at_their_time() -> None:
    """A restart begins at its second, is followed by post-only mode, and trading is normal in the end."""
    world = World(venue("mode", {"mode": "restart", "for_s": 90}, at_s=60))
    modes = [world.run(second).exchange.mode for second in (59, 61, 149, 151, 400)]

    assert modes == [Mode.NORMAL, Mode.RESTARTING, Mode.RESTARTING, Mode.POST_ONLY, Mode.NORMAL]
    assert world.counts() == {"venue mode": 1}


@pytest.mark.parametrize(
    ("settles", "steps"),
    [
        ({"end": "FAILED", "seconds": 6}, ["MATCHED", "RETRYING", "FAILED"]),
        ({"end": "RETRYING", "seconds": 20}, ["MATCHED", "RETRYING", "CONFIRMED"]),
        ({"end": "RETRYING", "seconds": 20, "then": "FAILED"}, ["MATCHED", "RETRYING", "FAILED"]),
        ({"end": "slow", "seconds": 25}, ["MATCHED", "MINED", "CONFIRMED"]),
    ],
)
def test_trades_settle_as_planned(settles: dict[str, Any], steps: list[str]) -> None:
    """A settlement rule decides how a trade of the account under test ends, and conserves cash and shares."""
    world = World(venue("settle", settles, nth=1))
    world.exchange.drain()
    world.order(99, order_type=OrderType.FAK)
    world.run(40)
    world.exchange.check()

    assert [status.value for status in world.statuses()] == steps
    held = world.exchange.balance(ME.wallet, world.market.asset_ids[0])[0]
    assert (held > 0) is (steps[-1] == "CONFIRMED")


def test_only_trades_of_accounts_under_test_fail() -> None:
    """A rule that fails every trade leaves those of the crowd alone."""
    world = World(venue("settle", "FAILED", every=1))
    world.run(60)
    statuses = {notice.status for notice in world.exchange.drain() if isinstance(notice, TradeChanged)}

    assert LegStatus.CONFIRMED in statuses
    assert LegStatus.FAILED not in statuses
    assert world.counts() == {}


def test_the_grid_gets_finer() -> None:
    """A tick fault without a size takes the next finer grid."""
    world = World(venue("tick", at_s=10)).run(11)

    assert world.market.tick_size == 5_000


def test_a_market_resolves_before_its_time() -> None:
    """Open orders are cancelled and the answer stands."""
    world = World(venue("resolve", {"market": "rain-in-lisbon", "payouts": "half"}, at_s=10))
    placed = world.order(1, quantity=200)
    world.run(11)

    assert isinstance(placed, Placed)
    assert world.market.payouts == (MICRO // 2, MICRO // 2)
    order = world.exchange.order(placed.order_id)
    assert order is not None
    assert order.status is OrderStatus.CANCELED_MARKET_RESOLVED


def test_a_ban_ends() -> None:
    """A banned account's orders are refused until the ban is over."""
    world = World(venue("ban", {"for_s": 20}, at_s=10))
    said = [isinstance(world.run(second).order(1, quantity=200), Refused) for second in (9, 11, 31)]

    assert said == [False, True, False]


def test_somebody_else_trades_with_the_wallet() -> None:
    """A foreign order appears among the orders of the key under test, and it did not send it."""
    world = World(venue("foreign_order", {"side": "BUY", "quantity": 12, "price": "0.05"}, at_s=10)).run(11)
    (order,) = world.exchange.open_orders(ME.owner)

    assert (order.original, order.price) == (12 * MICRO, 50_000)
    assert world.injector.report()["injected"][0]["context"]["order_id"] == order.order_id


def test_a_foreign_withdrawal_takes_cash() -> None:
    """Cash leaves the wallet by the amount."""
    world = World(venue("withdraw", {"amount": "250.5"}, at_s=10)).run(11)

    assert world.exchange.balance(ME.wallet)[0] == 9_749_500_000
    world.exchange.check()


def test_the_dead_mans_switch_fires() -> None:
    """A heartbeat expiry cancels every open order of the key."""
    world = World(venue("heartbeat_expiry", at_s=10))
    world.order(1, quantity=200)
    world.run(11)

    assert world.exchange.open_orders(ME.owner) == []
    assert world.injector.report()["injected"][0]["context"]["canceled"] == "1"


def test_balances_are_stale_for_a_while() -> None:
    """Reads show the balances of the moment they froze, until the time is over or the wallet is refreshed."""
    world = World(venue("stale_balance", {"for_s": 20}, at_s=10, every_s=100)).run(11)
    world.exchange.fund(ME.wallet, Usdc(5 * MICRO))
    during, after = world.shown_cash(), world.run(31).shown_cash()
    world.run(111).exchange.fund(ME.wallet, Usdc(5 * MICRO))
    again = world.shown_cash()
    world.injector.refresh(ME.wallet)

    assert [during, after, again, world.shown_cash()] == [each * MICRO for each in (10_000, 10_005, 10_005, 10_010)]


def test_marketable_orders_wait_for_a_while() -> None:
    """A match delay makes the venue answer `delayed`, and ends."""
    world = World(venue("match_delay", {"seconds": 3, "for_s": 20}, at_s=10))
    said = [world.run(second).order(99, order_type=OrderType.FAK) for second in (9, 11, 31)]

    assert [answer.status for answer in said if isinstance(answer, Placed)] == ["matched", "delayed", "matched"]


def test_the_clock_is_wrong_for_a_while() -> None:
    """A step is there from its second to its end; a drift grows by the hour; both add up."""
    step = {"point": "clock", "fault": "step", "argument": -30, "at_s": 10, "until_s": 20}
    drift = {"point": "clock", "fault": "drift", "argument": 3_600, "at_s": 15}
    world = World(step, drift)

    assert [world.run(second).injector.skew_ms(world.exchange.now_ms) for second in (9, 12, 17, 25)] == [
        0,
        -30_000,
        -28_000,
        10_000,
    ]


def test_a_cancel_loses_its_race() -> None:
    """The order is filled before its cancel arrives, at its own price, and money is conserved."""
    world = World()
    placed = world.order(20, quantity=50)
    assert isinstance(placed, Placed)
    world.injector.fill_first(world.exchange, placed.order_id, world.exchange.now_ms)
    answer = world.exchange.cancel(ME.owner, [placed.order_id], world.exchange.now_ms)
    order = world.exchange.order(placed.order_id)

    assert answer.canceled == ()
    assert order is not None
    assert order.matched == 50 * MICRO
    world.exchange.check()


def test_nobody_to_strike_is_skipped_and_said() -> None:
    """A rule whose account is not known yet strikes nobody: it is not counted, and listed as skipped."""
    world = World(venue("ban", at_s=10), venue("tick", {"market": "no-such"}, at_s=10), known=False).run(11)

    assert world.counts() == {}
    assert len(world.injector.report()["skipped"]) == 2


def test_repeats_stop_at_their_limit() -> None:
    """`every_s` repeats, `limit` counts the times."""
    world = World(venue("foreign_order", {"price": "0.03", "quantity": 40}, at_s=10, every_s=10, limit=3)).run(100)

    assert world.counts() == {"venue foreign_order": 3}
    assert world.injector.next_due_ms is None


def test_clearing_ends_what_was_begun() -> None:
    """After clearing, a delay still ends at its time, and nothing new begins."""
    world = World(venue("match_delay", {"seconds": 3, "for_s": 20}, at_s=10, every_s=100)).run(11)
    world.injector.clear()
    world.run(200)

    assert world.exchange.terms(world.market.condition_id).seconds_delay == 0
    assert world.counts() == {"venue match_delay": 1}
