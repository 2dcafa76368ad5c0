from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from polymarket_agent.adapters.polymarket.direct import DirectGateway
from polymarket_agent.domain.order import TimeInForce
from polymarket_agent.domain.venue import Answer, VenueMode, WalletKind
from polymarket_agent.sandbox.model import Mode
from tests.contract.gateway_world import BUY, SELL, GatewayWorld, gateway_world

KINDS = list(WalletKind)


@pytest.fixture
async def world() -> AsyncIterator[GatewayWorld]:
    async with gateway_world("direct") as running:
        yield running


def direct(world: GatewayWorld) -> DirectGateway:
    assert isinstance(world.gateway, DirectGateway)
    return world.gateway


async def open_ids(world: GatewayWorld) -> set[str]:
    return {order.order_id for order in await world.gateway.open_orders()}


@pytest.mark.parametrize("kind", KINDS)
async def test_every_kind_of_wallet_trades(kind: WalletKind) -> None:
    """An order of each kind of wallet rests, is found by its own id, is filled, paid for and cancelled."""
    async with gateway_world("direct", kind) as world:
        resting, outcome = await world.send(BUY, "10", "0.40")
        world.offer(SELL, "10", "0.45")
        taken, matched = await world.send(BUY, "10", "0.45", time_in_force=TimeInForce.FOK)
        await world.settled()

        assert (outcome.answer, outcome.order_id, outcome.status) == (Answer.ACCEPTED, resting.order_id, "live")
        assert (matched.answer, matched.status) == (Answer.ACCEPTED, "matched")
        found = await world.gateway.order(resting.order_id)
        assert found is not None
        assert (found.active, found.quantity, found.price, found.maker) == (
            True,
            10_000_000,
            400_000,
            world.account.wallet,
        )
        leg = await world.leg_of(taken.order_id)
        assert (leg.quantity, leg.price, leg.is_maker, leg.trade_id != "") == (10_000_000, 450_000, False, True)
        balances = await world.gateway.balances([world.yes])
        assert (balances.cash, balances.shares[world.yes]) == (world.cash(), world.held(world.yes))
        assert (await world.gateway.cancel([resting.order_id])).canceled == (resting.order_id,)
        assert await open_ids(world) == set()


async def test_a_lost_answer_is_unknown_and_the_order_is_there(world: GatewayWorld) -> None:
    """When the answer is lost nothing is proven; the order is found by its id, and the same bytes are a duplicate."""
    world.fault(point="post.answer", fault="drop", nth=1)
    order, lost = await world.send(BUY, "10", "0.40")
    again = await world.gateway.submit(order)

    assert lost.answer is Answer.UNKNOWN
    assert again.answer is Answer.DUPLICATE
    assert await open_ids(world) == {order.order_id}


async def test_a_lost_request_is_unknown_too(world: GatewayWorld) -> None:
    """A request that broke on the way cannot be told from one that arrived, so it is unknown, and is sent only once."""
    world.fault(point="post.request", fault="drop", nth=1)
    order, lost = await world.send(BUY, "10", "0.40")

    assert lost.answer is Answer.UNKNOWN
    assert await open_ids(world) == set(), "a library that repeats a POST would have placed it"
    assert (await world.gateway.submit(order)).answer is Answer.ACCEPTED


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("internal_error", Answer.UNKNOWN),
        ("edge_502", Answer.UNKNOWN),
        ("edge_524", Answer.UNKNOWN),
        ("context_canceled", Answer.UNKNOWN),
        ("ok_html", Answer.UNKNOWN),
        ("ok_empty", Answer.UNKNOWN),
        ("ok_cut_json", Answer.UNKNOWN),
        ("ok_unmatched", Answer.UNKNOWN),
        ("unavailable", Answer.UNKNOWN),
        ("forbidden_html", Answer.REFUSED_NOW),
        ("unauthorized", Answer.REFUSED_NOW),
        ("invalid_signature", Answer.REFUSED),
    ],
)
async def test_a_changed_answer_is_read_by_the_table(world: GatewayWorld, name: str, answer: Answer) -> None:
    """The order is on the book each time; what the answer proves goes by its text alone."""
    world.fault(point="post.answer", fault="replace", argument=name, nth=1)
    order, outcome = await world.send(BUY, "10", "0.40")

    assert outcome.answer is answer
    assert await open_ids(world) == {order.order_id}


async def test_a_request_that_arrives_twice_is_a_duplicate(world: GatewayWorld) -> None:
    """A copy made on the way is refused as a duplicate, which proves that the first one arrived."""
    world.fault(point="post.request", fault="duplicate", nth=1)
    order, outcome = await world.send(BUY, "10", "0.40")

    assert outcome.answer is Answer.DUPLICATE
    assert await open_ids(world) == {order.order_id}


async def test_a_cut_answer_is_unknown(world: GatewayWorld) -> None:
    """An answer of which a part arrived is no answer."""
    world.fault(point="post.answer", fault="cut", argument=20, nth=1)

    assert (await world.send(BUY, "10", "0.40"))[1].answer is Answer.UNKNOWN


async def test_a_hung_post_holds_up_no_cancel(world: GatewayWorld) -> None:
    """While a POST waits for its answer, cancels, heartbeats and reads go through on lines of their own."""
    resting, _ = await world.send(BUY, "10", "0.40")
    world.fault(point="post.answer", fault="delay", argument=5, every=1)
    loop = asyncio.get_running_loop()
    async with asyncio.TaskGroup() as group:
        hung = [group.create_task(world.gateway.submit(world.signed(BUY, "5", "0.30"))) for _ in range(12)]
        await asyncio.sleep(0.2)
        began = loop.time()
        cancelled = await world.gateway.cancel([resting.order_id])
        await world.gateway.heartbeat()
        await world.gateway.server_time_ms()
        took_s = loop.time() - began
        for task in hung:
            task.cancel()

    assert cancelled.canceled == (resting.order_id,)
    assert took_s < 2


async def test_modes_and_limits_are_told(world: GatewayWorld) -> None:
    """A restart, cancel-only mode and a rate limit are "not now", with mode and wait; cancels go on."""
    resting, _ = await world.send(BUY, "10", "0.40")
    world.sandbox.exchange.set_mode(Mode.CANCEL_ONLY, world.sandbox.venue.now_ms())
    _, refused = await world.send(BUY, "10", "0.40")
    assert (refused.answer, refused.mode) == (Answer.REFUSED_NOW, VenueMode.CANCEL_ONLY)
    assert (await world.gateway.cancel_all()).canceled == (resting.order_id,)
    world.fault(point="post.request", fault="replace", argument="too_many_requests_retry_after", nth=1)
    _, limited = await world.send(BUY, "10", "0.40")
    assert (limited.answer, limited.retry_after_s) == (Answer.REFUSED_NOW, 2.0)


async def test_the_rate_headers_fill_the_budget(world: GatewayWorld) -> None:
    """What the venue says about our rate stands in the budget after an order."""
    await world.send(BUY, "10", "0.40")

    assert world.gateway.budget.tier == "standard"
    assert world.gateway.budget.remaining == 59
    assert world.gateway.budget.heard_ms > 0
