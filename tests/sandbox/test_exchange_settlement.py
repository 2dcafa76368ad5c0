from __future__ import annotations

import pytest

from polymarket_agent.domain.money import shares, usdc
from polymarket_agent.sandbox.model import LegStatus, OrderStatus, TradeChanged
from polymarket_agent.sandbox.policy import Policy
from tests.sandbox.exchange_world import BUY, FEES, MARKET, NO, SELL, YES, World, market_of

MATCHED, MINED, CONFIRMED, RETRYING, FAILED = LegStatus
Steps = list[tuple[int, LegStatus]]


def matched_world(steps: Steps, policy: Policy | None = None) -> World:
    """Return a world in which ann bought 10 YES at 0.50 from bob, and trades settle by `steps`."""
    world = World(policy or Policy(), market=market_of(fees=FEES))
    world.x.settlement_plan = lambda _: steps
    world.placed("bob", SELL, YES, "30", "0.50")
    world.placed("ann", BUY, YES, "10", "0.50")
    return world


def statuses(trades: list[TradeChanged]) -> list[LegStatus]:
    return [trade.status for trade in trades]


def test_cash_and_shares_move_when_confirmed() -> None:
    """A match promises; only CONFIRMED moves cash, shares and the fee, all at once."""
    world = matched_world([(2_000, MINED), (5_000, CONFIRMED)])
    world.wait(4_999)
    before = world.x.balance("ann"), world.x.balance("ann", YES), world.x.balance("bob", YES)
    world.wait(1)
    world.x.check()

    assert before == ((usdc("1000"), usdc("5.1")), (shares("1000"), 0), (shares("1000"), shares("30")))
    assert world.x.balance("ann") == (usdc("994.9"), 0)
    assert world.x.balance("ann", YES) == (shares("1010"), 0)
    assert world.x.balance("bob") == (usdc("1005"), 0)
    assert world.x.balance("bob", YES) == (shares("990"), shares("20"))
    assert statuses(world.trade_steps()) == [MATCHED, MINED, CONFIRMED]


def test_the_policy_may_settle_when_mined() -> None:
    """With settlement on MINED the shares are there at that step and CONFIRMED moves nothing again."""
    world = matched_world([(2_000, MINED), (5_000, CONFIRMED)], Policy(settled_on=MINED))
    world.wait(2_000)
    assert world.shares_of("ann", YES) == shares("1010")
    world.wait(3_000)
    assert world.shares_of("ann", YES) == shares("1010")
    world.x.check()


@pytest.mark.parametrize("settled_on", [MINED, CONFIRMED])
def test_a_failed_trade_is_reversed_exactly(settled_on: LegStatus) -> None:
    """After RETRYING and FAILED every balance and promise is what it was before the match, whenever cash moved."""
    world = matched_world([(1, MINED), (2, RETRYING), (3, MINED), (4, FAILED)], Policy(settled_on=settled_on))
    world.wait(10)
    world.x.check()

    assert world.x.balance("ann") == (usdc("1000"), 0)
    assert world.x.balance("ann", YES) == (shares("1000"), 0)
    assert world.x.balance("bob") == (usdc("1000"), 0)
    assert world.x.balance("bob", YES) == (shares("1000"), shares("20"))
    trades = world.trade_steps()
    assert statuses(trades) == [MATCHED, MINED, RETRYING, MINED, FAILED]
    assert len({trade.trade_id for trade in trades}) == 1
    assert len({trade.transaction_hash for trade in trades}) == 2


def test_what_a_failed_trade_leaves_of_its_orders() -> None:
    """After FAILED an order's matched size stays, or is taken back and offered again, as the policy says."""
    for keeps, matched, offered in ((True, shares("10"), shares("20")), (False, 0, shares("30"))):
        world = World(Policy(failed_keeps_matched=keeps))
        world.x.settlement_plan = lambda _: [(1, FAILED)]
        maker = world.placed("bob", SELL, YES, "30", "0.50").order_id
        taker = world.placed("ann", BUY, YES, "10", "0.50").order_id
        world.wait(1)
        world.x.check()

        made, taken = world.x.order(maker), world.x.order(taker)
        assert made is not None
        assert taken is not None
        assert (made.matched, taken.matched) == (matched, matched)
        assert taken.status is (OrderStatus.MATCHED if keeps else OrderStatus.CANCELED)
        assert world.asks(YES) == [(500_000, offered)]


def test_a_final_status_ends_a_trade() -> None:
    """Nothing follows CONFIRMED, whatever the plan says."""
    world = matched_world([(1, CONFIRMED), (2, FAILED), (3, RETRYING)])
    world.wait(10)
    world.x.check()

    assert statuses(world.trade_steps()) == [MATCHED, CONFIRMED]
    assert world.x.trades("key-ann") == world.x.trades("key-bob")
    assert statuses(world.x.trades("key-ann")) == [CONFIRMED]


def test_a_trade_whose_wallet_was_emptied_fails() -> None:
    """When promised collateral left the wallet before settlement, the transaction fails and nothing moves."""
    world = matched_world([(2_000, MINED), (5_000, CONFIRMED)])
    assert world.x.split("ann", MARKET, usdc("996")) is None
    world.wait(5_000)
    world.x.check()

    assert statuses(world.trade_steps())[-1] is FAILED
    assert world.x.balance("ann") == (usdc("4"), 0)
    assert world.x.balance("bob", YES) == (shares("1000"), shares("20"))


def test_a_trade_whose_proceeds_are_gone_stands() -> None:
    """A mined trade cannot fail any more once the shares that it brought were merged away."""
    world = World(Policy(settled_on=MINED), shares="0")
    world.x.give_shares("bob", YES, shares("10"))
    world.x.give_shares("ann", NO, shares("10"))
    world.x.settlement_plan = lambda _: [(1, MINED), (3, FAILED), (4, CONFIRMED)]
    world.placed("bob", SELL, YES, "10", "0.50")
    world.placed("ann", BUY, YES, "10", "0.50")
    world.wait(1)
    assert world.x.merge("ann", MARKET, usdc("10")) is None
    world.wait(10)
    world.x.check()

    assert statuses(world.trade_steps()) == [MATCHED, MINED, CONFIRMED]
    assert world.x.balance("ann") == (usdc("1005"), 0)


def test_lapsed_balance_cancels_what_rests() -> None:
    """When collateral leaves a wallet its newest orders are cancelled until the rest is covered."""
    for invalid, status in ((False, OrderStatus.CANCELED_NOT_ENOUGH_BALANCE), (True, OrderStatus.INVALID)):
        world = World(Policy(lapsed_invalid=invalid), cash="100")
        old = world.placed("ann", BUY, YES, "100", "0.50").order_id
        new = world.placed("ann", BUY, NO, "100", "0.40").order_id
        sale = world.placed("ann", SELL, YES, "100", "0.90").order_id
        assert world.x.withdraw("ann", usdc("50")) is None
        world.x.check()

        ended = world.x.order(new)
        assert ended is not None
        assert ended.status is status
        assert [order.order_id for order in world.x.open_orders("key-ann")] == [old, sale]


def test_a_withdrawn_allowance_cancels_what_rests() -> None:
    """Taking the allowance back ends the orders that it does not cover any more."""
    world = World()
    world.placed("ann", BUY, YES, "100", "0.50")
    small = world.placed("ann", BUY, YES, "10", "0.50").order_id
    world.x.approve("ann", "exchange", usdc("20"))

    assert [order.order_id for order in world.x.open_orders("key-ann")] == [small]


def test_a_limited_allowance_is_used_up_by_settlement() -> None:
    """A settled buy takes its collateral off a limited allowance; an unlimited one stays as it is."""
    world = World()
    world.x.approve("ann", "exchange", usdc("8"))
    world.placed("bob", SELL, YES, "10", "0.50")
    world.placed("ann", BUY, YES, "10", "0.50")
    world.settle()

    assert min(world.x.allowances("ann").values()) == usdc("3")
    assert "allowance: 3000000" in world.refused("ann", BUY, YES, "10", "0.50").error


def test_settlement_plans_see_the_trade() -> None:
    """A plan may decide by the trade: here only trades of bob's fail."""
    world = World()
    world.x.settlement_plan = lambda trade: [(1, FAILED if trade.makers[0].wallet == "bob" else CONFIRMED)]
    world.placed("bob", SELL, YES, "10", "0.50")
    world.placed("cyd", SELL, YES, "10", "0.50")
    world.placed("ann", BUY, YES, "5", "0.50")
    world.x.cancel_all("key-bob", world.now_ms)
    world.placed("ann", BUY, YES, "5", "0.50")
    world.wait(1)

    assert statuses(world.x.trades("key-ann")) == [FAILED, CONFIRMED]


def test_old_trades_are_forgotten() -> None:
    """No more settled trades are remembered than the policy says, unsettled ones always."""
    world = World(Policy(trades_kept=3))
    for _ in range(5):
        world.placed("bob", SELL, YES, "10", "0.50")
        world.placed("ann", BUY, YES, "10", "0.50")
    assert len(world.x.trades("key-ann")) == 5
    world.settle()
    world.placed("bob", SELL, YES, "10", "0.50")
    world.placed("ann", BUY, YES, "10", "0.50")

    assert len(world.x.trades("key-ann")) == 3
