"""Cards of the gateway contract: cancels, lists, balances, positions and kinds of wallets. See `gateway_contract.py`."""

from __future__ import annotations

from functools import partial

import pytest

from polymarket_agent.domain.money import MICRO, shares, usdc
from polymarket_agent.domain.order import SettlementStatus
from polymarket_agent.domain.venue import Answer, WalletKind
from polymarket_agent.errors import VenueError
from polymarket_agent.sandbox import routes_clob_account
from polymarket_agent.sandbox.routes_common import clob_page
from tests.contract.gateway_world import (
    BUY,
    NOBODYS,
    SELL,
    GatewayWorld,
    gateway_world,
)

__all__ = [
    "test_g17_cancelling",
    "test_g18_cancelling_everything",
    "test_g19_an_order_that_is_over_or_was_never_there_is_none",
    "test_g20_legs_and_orders_are_complete_over_pages",
    "test_g21_legs_begin_at_a_second",
    "test_g22_balances",
    "test_g23_positions",
    "test_g36_every_kind_of_wallet",
    "test_g37_flags_of_the_account_and_the_place",
    "test_g39_the_rate_that_is_left_is_known",
    "test_g43_a_balance_that_is_stale_is_read_again",
    "test_g47_a_fill_that_fails_on_the_chain",
    "test_g48_every_match_of_ours_on_both_sides",
]


async def test_g17_cancelling(world: GatewayWorld) -> None:
    """A live order is cancelled once; the second time, a filled one and nobody's are not, with reasons."""
    live, _ = await world.send(BUY, "10", "0.40")
    world.offer(SELL, "10", "0.45")
    filled, _ = await world.send(BUY, "10", "0.45")

    first = await world.gateway.cancel([live.order_id])
    second = await world.gateway.cancel([live.order_id, filled.order_id, NOBODYS])

    assert (first.canceled, dict(first.not_canceled)) == ((live.order_id,), {})
    assert second.canceled == ()
    assert set(second.not_canceled) == {live.order_id, filled.order_id, NOBODYS}
    assert all(second.not_canceled.values())
    assert await world.gateway.order(live.order_id) is None


async def test_g18_cancelling_everything(world: GatewayWorld) -> None:
    """Everything of the key is cancelled, and nothing is where nothing was."""
    orders = [(await world.send(BUY, "10", at))[0].order_id for at in ("0.40", "0.41", "0.42")]
    outcome = await world.gateway.cancel_all()

    assert set(outcome.canceled) == set(orders)
    assert await world.gateway.open_orders() == []
    assert (await world.gateway.cancel_all()).canceled == ()
    assert (await world.gateway.cancel([])).canceled == ()


async def test_g19_an_order_that_is_over_or_was_never_there_is_none(world: GatewayWorld) -> None:
    """A filled order is null to the venue and an unknown one 404, and both are None; one that is told is not active."""
    world.offer(SELL, "10", "0.45")
    filled, _ = await world.send(BUY, "10", "0.45")

    assert await world.gateway.order(filled.order_id) is None
    assert await world.gateway.order(NOBODYS) is None
    world.sandbox.venue.tells_finished = True
    told = await world.gateway.order(filled.order_id)
    assert told is not None
    assert (told.status, told.active, told.matched) == ("MATCHED", False, shares("10"))


async def test_g20_legs_and_orders_are_complete_over_pages(world: GatewayWorld) -> None:
    """Lists longer than a page come whole; a page that fails fails the list, and none is repeated."""
    orders = []
    for at in range(10, 44):
        world.offer(SELL, "5", "0.45")
        orders.append((await world.send(BUY, "5", "0.45"))[0].order_id)
        await world.send(BUY, "5", f"0.{at}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(routes_clob_account, "clob_page", partial(clob_page, page=7))
        legs = await world.gateway.legs(0)
        listed = await world.gateway.open_orders()

    assert sorted(each.order_id for each in legs) == sorted(orders)
    assert [each.matched_ms for each in legs] == sorted(each.matched_ms for each in legs)
    assert len({each.order_id for each in listed}) == len(listed) == 34
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(routes_clob_account, "clob_page", partial(clob_page, page=7))
        world.fault(point="read.trades.answer", fault="replace", argument="market_not_found", nth=3)
        with pytest.raises(VenueError):
            await world.gateway.legs(0)


async def test_g21_legs_begin_at_a_second(world: GatewayWorld) -> None:
    """Trades before the second asked for are left out, that second's own are in."""
    world.offer(SELL, "5", "0.45")
    order, _ = await world.send(BUY, "5", "0.45")
    at_s = (await world.leg_of(order.order_id)).matched_ms // 1000

    assert len(await world.gateway.legs(at_s)) == 1
    assert await world.gateway.legs(at_s + 1) == []


async def test_g22_balances(world: GatewayWorld) -> None:
    """Cash, shares of both protocols and allowances are told in base units, before and after a trade settles."""
    assets = [world.yes, world.second.asset_ids[0]]
    before = await world.gateway.balances(assets)
    world.offer(SELL, "10", "0.50")
    await world.send(BUY, "10", "0.50")
    await world.settled()
    await world.gateway.refresh_balances(assets)
    after = await world.gateway.balances(assets)

    assert (before.cash, dict(before.shares)) == (usdc("10000"), dict.fromkeys(assets, shares("1000")))
    assert after.cash == world.cash() == usdc("10000") - usdc("5.1")  # 5 and a fee of 10 x 0.04 x 0.25
    assert after.shares[world.yes] == shares("1010")
    assert len(before.allowances) == 3
    assert min(before.allowances.values()) > 2**255
    assert set(before.share_allowances) == set(assets)


async def test_g23_positions(world: GatewayWorld) -> None:
    """Bought shares are listed as positions with what they cost; dust is not hidden."""
    world.offer(SELL, "10", "0.50")
    await world.send(BUY, "10", "0.50")
    world.offer(SELL, "5", "0.40", asset_id=world.no)
    await world.send(BUY, "5", "0.40", asset_id=world.no)
    await world.settled()

    held = {each.asset_id: each for each in await world.gateway.positions()}
    assert held[world.yes].quantity == shares("1010")
    assert held[world.no].quantity == shares("1005")
    assert held[world.yes].condition_id == world.market.condition_id
    assert held[world.yes].mergeable


@pytest.mark.parametrize("kind", [WalletKind.PROXY, WalletKind.SAFE, WalletKind.DEPOSIT])
async def test_g36_every_kind_of_wallet(client: str, kind: WalletKind) -> None:
    """Smart wallets trade, are told their own legs and their own balances."""
    async with gateway_world(client, kind) as world:
        world.offer(SELL, "10", "0.50")
        order, outcome = await world.send(BUY, "20", "0.50")
        await world.settled()

        (resting,) = await world.gateway.open_orders()
        assert (outcome.answer, outcome.order_id) == (Answer.ACCEPTED, order.order_id)
        assert resting.maker.lower() == world.account.wallet.lower()
        assert (await world.leg_of(order.order_id)).quantity == shares("10")
        assert (await world.gateway.balances([world.yes])).shares[world.yes] == shares("1010")
        assert (await world.gateway.positions())[0].quantity >= MICRO


async def test_g37_flags_of_the_account_and_the_place(world: GatewayWorld) -> None:
    """A closed-only account and a blocked place are told as such."""
    free = await world.gateway.account_flags()
    world.sandbox.venue.closed_only.add(world.account.address)
    world.sandbox.venue.blocked_country = "ZZ"
    bound = await world.gateway.account_flags()

    assert (free.closed_only, free.blocked) == (False, False)
    assert (bound.closed_only, bound.blocked, bound.country) == (True, True, "ZZ")


async def test_g39_the_rate_that_is_left_is_known(world: GatewayWorld) -> None:
    """What the venue says about our rate in the headers of an order stands in the budget."""
    await world.send(BUY, "10", "0.40")

    assert world.gateway.budget.remaining is not None
    assert world.gateway.budget.remaining > 0
    assert world.gateway.budget.tier
    assert world.gateway.budget.heard_ms > 0


async def test_g43_a_balance_that_is_stale_is_read_again(world: GatewayWorld) -> None:
    """What the venue has cached is told until it is asked to read the chain again."""
    assert (await world.gateway.balances([])).cash == usdc("10000")
    world.sandbox.exchange.fund(world.account.wallet, usdc("5"))
    await world.gateway.refresh_balances([world.yes])

    assert (await world.gateway.balances([])).cash == usdc("10005")


async def test_g47_a_fill_that_fails_on_the_chain(world: GatewayWorld) -> None:
    """A trade that fails to settle is told as the same leg, failed, and costs nothing."""
    world.fault(point="venue", fault="settle", argument={"end": "FAILED", "seconds": 0.05}, every=1)
    world.offer(SELL, "10", "0.45")
    cash = world.cash()
    order, outcome = await world.send(BUY, "10", "0.45")
    await world.settled()

    leg = await world.leg_of(order.order_id)
    assert (outcome.answer, leg.status, leg.quantity) == (Answer.ACCEPTED, SettlementStatus.FAILED, shares("10"))
    assert (world.cash(), world.held(world.yes)) == (cash, shares("1000"))


async def test_g48_every_match_of_ours_on_both_sides(world: GatewayWorld) -> None:
    """When our own order takes our own, both legs are told, each with its order and role."""
    resting, _ = await world.send(SELL, "10", "0.45")
    taking, _ = await world.send(BUY, "10", "0.45")

    legs = {each.order_id: each for each in await world.gateway.legs(0)}
    assert (legs[resting.order_id].is_maker, legs[resting.order_id].side) == (True, SELL)
    assert (legs[taking.order_id].is_maker, legs[taking.order_id].side) == (False, BUY)
    assert {each.quantity for each in legs.values()} == {shares("10")}
