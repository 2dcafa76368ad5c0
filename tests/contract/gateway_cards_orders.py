"""Cards of the gateway contract: connecting, orders, matches and refusals. See `gateway_contract.py`."""

from __future__ import annotations

from dataclasses import replace

import pytest

from polymarket_agent.clock import SystemClock
from polymarket_agent.domain.levels import Side
from polymarket_agent.domain.money import price, shares, usdc
from polymarket_agent.domain.order import SettlementStatus
from polymarket_agent.domain.venue import Answer, leg_charges
from tests.contract.gateway_world import (
    BUY,
    FAK,
    FEES,
    FOK,
    GTD,
    QUICK,
    SELL,
    GatewayWorld,
    gateway_world,
)

__all__ = [
    "test_g01_connecting_tells_version_time_and_key",
    "test_g02_connecting_again_derives_the_same_key",
    "test_g03_the_order_id_is_known_before_sending",
    "test_g04_a_resting_order_is_listed_with_its_fields",
    "test_g05_a_taker_meets_one_maker",
    "test_g06_a_taker_meets_several_makers_and_a_complement",
    "test_g07_charges_of_a_taker_are_the_exchanges",
    "test_g08_a_maker_is_told_its_own_part",
    "test_g09_a_maker_met_through_the_other_outcome",
    "test_g10_a_part_fill_leaves_the_rest_open",
    "test_g11_fok_is_killed_whole",
    "test_g12_fak_takes_a_part_and_rests_nothing",
    "test_g13_post_only_is_refused_rather_than_cross",
    "test_g14_what_breaks_the_markets_rules_is_refused",
    "test_g15_what_is_not_there_cannot_be_spent",
    "test_g16_the_same_bytes_again_are_a_duplicate",
    "test_g35_every_kind_of_market",
    "test_g49_one_trade_with_several_makers",
]


async def test_g01_connecting_tells_version_time_and_key(client: str) -> None:
    """Connecting gets an API key, the order version and the venue's second, asked for between two of our moments."""
    async with gateway_world(client, connect=False) as world:
        before_ms = SystemClock().now_ms()
        facts = await world.gateway.connect()
        after_ms = SystemClock().now_ms()

        assert facts.order_version == 2
        assert facts.api_key_id == world.api_key
        assert before_ms <= facts.asked_ms <= after_ms
        assert abs(facts.server_ms - facts.asked_ms) < 2_000
        assert facts.server_ms % 1000 == 0
        assert world.gateway.identity.wallet == world.account.wallet


async def test_g02_connecting_again_derives_the_same_key(world: GatewayWorld) -> None:
    """A second connection of the same key gets the credentials that are there, and works."""
    first = world.api_key
    facts = await world.gateway.connect()

    assert facts.api_key_id == first
    assert await world.gateway.open_orders() == []


async def test_g03_the_order_id_is_known_before_sending(world: GatewayWorld) -> None:
    """The id computed at signing is the one that the venue answers, lists and answers to."""
    order, outcome = await world.send(BUY, "10", "0.40")

    assert (outcome.answer, outcome.status, outcome.order_id) == (Answer.ACCEPTED, "live", order.order_id)
    assert world.sandbox.exchange.order(order.order_id) is not None


async def test_g04_a_resting_order_is_listed_with_its_fields(world: GatewayWorld) -> None:
    """The open list and the read by id tell side, price, sizes, kind and expiry of a resting order."""
    expires_s = SystemClock().now_ms() // 1000 + 900
    order, _ = await world.send(BUY, "12.34", "0.41", time_in_force=GTD, expires_s=expires_s)

    (listed,) = await world.gateway.open_orders()
    assert listed == await world.gateway.order(order.order_id)
    assert listed.order_id == order.order_id
    assert (listed.condition_id, listed.asset_id) == (world.market.condition_id, world.yes)
    assert (listed.side, listed.price, listed.quantity) == (BUY, price("0.41"), shares("12.34"))
    assert (listed.matched, listed.status, listed.active) == (0, "LIVE", True)
    assert (listed.time_in_force, listed.expires_s) == ("GTD", expires_s)
    assert abs(listed.created_s - SystemClock().now_ms() // 1000) < 5
    assert listed.maker.lower() == world.account.wallet.lower()


async def test_g05_a_taker_meets_one_maker(world: GatewayWorld) -> None:
    """A marketable order is matched at the maker's price; its leg tells the part and later its settlement."""
    world.offer(SELL, "50", "0.47")
    order, outcome = await world.send(BUY, "50", "0.50")
    leg = await world.leg_of(order.order_id)

    assert (outcome.answer, outcome.status) == (Answer.ACCEPTED, "matched")
    assert (leg.is_maker, leg.side, leg.asset_id) == (False, BUY, world.yes)
    assert (leg.quantity, leg.parts) == (shares("50"), ((price("0.47"), shares("50")),))
    assert leg.known_status
    await world.settled()
    assert (await world.leg_of(order.order_id)).status is SettlementStatus.CONFIRMED


async def test_g06_a_taker_meets_several_makers_and_a_complement(world: GatewayWorld) -> None:
    """Makers at several prices, one of them buying the other outcome, are parts in terms of our asset."""
    world.offer(SELL, "10", "0.44")
    world.offer(BUY, "10", "0.55", asset_id=world.no)  # worth selling ours at 0.45
    world.offer(SELL, "10", "0.46")
    order, _ = await world.send(BUY, "30", "0.50")

    legs = [each for each in await world.gateway.legs(0) if each.order_id == order.order_id]
    parts = sorted(part for leg in legs for part in leg.parts)
    assert parts == [(price(at), shares("10")) for at in ("0.44", "0.45", "0.46")]
    assert len({(leg.trade_id, leg.order_id, leg.bucket) for leg in legs}) == len(legs)


@pytest.mark.parametrize("side", [BUY, SELL])
async def test_g07_charges_of_a_taker_are_the_exchanges(world: GatewayWorld, side: Side) -> None:
    """Notional and fee worked out from the legs equal what the wallet paid or got, to the base unit."""
    buys = side is BUY
    for at, quantity in (("0.43", "7.77"), ("0.44", "5.21"), ("0.45", "100")):
        world.offer(SELL if buys else BUY, quantity, at)
    cash, held = world.cash(), world.held(world.yes)
    order, _ = await world.send(BUY if buys else SELL, "33.33", "0.50" if buys else "0.40")
    await world.settled()

    legs = [each for each in await world.gateway.legs(0) if each.order_id == order.order_id]
    charges = [leg_charges(leg, FEES) for leg in legs]
    notional, fees = sum(each[0] for each in charges), sum(each[1] for each in charges)
    assert sum(leg.quantity for leg in legs) == shares("33.33")
    assert fees > 0
    assert world.cash() - cash == (-notional - fees if buys else notional - fees)
    assert world.held(world.yes) - held == (shares("33.33") if buys else -shares("33.33"))


async def test_g08_a_maker_is_told_its_own_part(world: GatewayWorld) -> None:
    """When others take from our resting order, the leg has our order's own amount and price and no fee."""
    order, _ = await world.send(BUY, "20", "0.43")
    cash = world.cash()
    world.offer(SELL, "8.5", "0.43")
    await world.settled()

    leg = await world.leg_of(order.order_id)
    assert (leg.is_maker, leg.side, leg.asset_id) == (True, BUY, world.yes)
    assert (leg.quantity, leg.price) == (shares("8.5"), price("0.43"))
    notional, fee = leg_charges(leg, FEES)
    assert (fee, world.cash() - cash) == (0, -notional)


async def test_g09_a_maker_met_through_the_other_outcome(world: GatewayWorld) -> None:
    """A taker of the other outcome fills our order; the leg is in our asset, at our price, on our side."""
    order, _ = await world.send(BUY, "10", "0.43")
    cash = world.cash()
    world.offer(BUY, "10", "0.57", asset_id=world.no)
    await world.settled()

    leg = await world.leg_of(order.order_id)
    assert (leg.asset_id, leg.side, leg.price, leg.quantity) == (world.yes, BUY, price("0.43"), shares("10"))
    assert world.cash() - cash == -leg_charges(leg, FEES)[0] == -usdc("4.3")


async def test_g10_a_part_fill_leaves_the_rest_open(world: GatewayWorld) -> None:
    """What is not matched at once rests, and the order tells how much was matched."""
    world.offer(SELL, "6", "0.45")
    order, outcome = await world.send(BUY, "20", "0.45")

    found = await world.gateway.order(order.order_id)
    assert outcome.answer is Answer.ACCEPTED
    assert found is not None
    assert (found.quantity, found.matched, found.active) == (shares("20"), shares("6"), True)


async def test_g11_fok_is_killed_whole(world: GatewayWorld) -> None:
    """A FOK beyond the book is refused for the moment and takes nothing."""
    world.offer(SELL, "10", "0.45")
    order, outcome = await world.send(BUY, "20", "0.50", time_in_force=FOK)

    assert outcome.answer is Answer.REFUSED_NOW
    assert "FOK orders are fully filled or killed" in outcome.text
    assert await world.gateway.legs(0) == []
    assert await world.gateway.order(order.order_id) is None


async def test_g12_fak_takes_a_part_and_rests_nothing(world: GatewayWorld) -> None:
    """A FAK takes what there is; the rest is gone. Without anything to take it is refused for the moment."""
    world.offer(SELL, "10", "0.50")
    order, outcome = await world.send(BUY, "20", "0.50", time_in_force=FAK)
    _, second = await world.send(BUY, "20", "0.50", time_in_force=FAK)

    assert (outcome.answer, outcome.status) == (Answer.ACCEPTED, "matched")
    assert (await world.leg_of(order.order_id)).quantity == shares("10")
    assert await world.gateway.open_orders() == []
    assert second.answer is Answer.REFUSED_NOW
    assert "no orders found to match with FAK order" in second.text


async def test_g13_post_only_is_refused_rather_than_cross(world: GatewayWorld) -> None:
    """A post-only order that would take is refused for the moment; one that does not, rests."""
    world.offer(SELL, "10", "0.45")
    _, crossing = await world.send(BUY, "10", "0.45", post_only=True)
    _, resting = await world.send(BUY, "10", "0.44", post_only=True)

    assert (crossing.answer, resting.answer) == (Answer.REFUSED_NOW, Answer.ACCEPTED)
    assert "post-only" in crossing.text


async def test_g14_what_breaks_the_markets_rules_is_refused(world: GatewayWorld) -> None:
    """Below the minimum is refused for ever, off the tick size for the moment; nothing rests."""
    _, small = await world.send(BUY, "1", "0.40")
    _, off_tick = await world.send(BUY, "10", "0.405")

    assert (small.answer, small.http_status) == (Answer.REFUSED, 400)
    assert "lower than the minimum" in small.text
    assert (off_tick.answer, off_tick.http_status) == (Answer.REFUSED_NOW, 400)
    assert "breaks minimum tick size rule" in off_tick.text
    assert await world.gateway.open_orders() == []


async def test_g15_what_is_not_there_cannot_be_spent(world: GatewayWorld) -> None:
    """Orders beyond cash or shares are refused for the moment with the venue's own numbers."""
    _, buys = await world.send(BUY, "40000", "0.50")
    _, sells = await world.send(SELL, "1000.01", "0.50")

    for outcome in (buys, sells):
        assert outcome.answer is Answer.REFUSED_NOW
        assert "not enough balance / allowance" in outcome.text


async def test_g16_the_same_bytes_again_are_a_duplicate(world: GatewayWorld) -> None:
    """A second POST of an order is told apart from a refusal, and there is one order."""
    order, first = await world.send(BUY, "10", "0.40")
    again = await world.gateway.submit(order)

    assert (first.answer, again.answer) == (Answer.ACCEPTED, Answer.DUPLICATE)
    assert [each.order_id for each in await world.gateway.open_orders()] == [order.order_id]


async def test_g35_every_kind_of_market(world: GatewayWorld) -> None:
    """Standard, neg-risk and second-protocol markets take orders, each signed for its own contract."""
    markets = {"v2_standard": world.market, "v2_negrisk": world.neg_risk, "v3": world.second}
    for domain, market in markets.items():
        order, outcome = await world.send(BUY, "10", "0.40", market=market)
        assert (order.domain, outcome.answer, outcome.order_id) == (domain, Answer.ACCEPTED, order.order_id)
    assert {each.condition_id for each in await world.gateway.open_orders()} == {
        each.condition_id for each in markets.values()
    }


async def test_g49_one_trade_with_several_makers(client: str) -> None:
    """Where one trade spans makers and prices, a taker's leg has all parts and a maker's only its own."""
    async with gateway_world(client, policy=replace(QUICK, trade_spans_prices=True)) as world:
        world.offer(SELL, "10", "0.45")
        made, _ = await world.send(SELL, "8", "0.46")
        world.offer(SELL, "6", "0.46")
        world.offer(BUY, "20.5", "0.46")
        part = await world.leg_of(made.order_id)
        assert (part.is_maker, part.quantity, part.parts) == (
            True,
            shares("8"),
            ((price("0.46"), shares("8")),),
        )

        world.offer(SELL, "7.77", "0.47")
        world.offer(BUY, "10", "0.52", asset_id=world.no)  # worth selling ours at 0.48
        await world.settled()
        cash = world.cash()
        order, _ = await world.send(BUY, "20", "0.50")
        await world.settled()
        leg = await world.leg_of(order.order_id)
        notional, fee = leg_charges(leg, FEES)
        assert len(leg.parts) == 3
        assert leg.quantity == sum(quantity for _, quantity in leg.parts)
        assert world.cash() - cash == -notional - fee
