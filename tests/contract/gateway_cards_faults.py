"""Cards of the gateway contract: lost answers, modes, hung requests, heartbeats and failing reads. See `gateway_contract.py`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from polymarket_agent.domain.venue import Answer, VenueMode
from polymarket_agent.errors import VenueError, VenueUnavailableError
from polymarket_agent.sandbox.model import Mode
from tests.contract.gateway_world import (
    BUY,
    GatewayWorld,
)

__all__ = [
    "test_g24_an_answer_lost_after_acceptance",
    "test_g25_a_request_lost_on_the_way",
    "test_g26_a_venue_that_is_not_there",
    "test_g27_every_answer_has_its_meaning",
    "test_g28_an_order_is_posted_once",
    "test_g29_an_answer_about_another_order",
    "test_g30_an_answer_cut_short",
    "test_g31_modes_of_the_venue",
    "test_g32_the_wait_that_the_venue_asks_for",
    "test_g33_heartbeats_are_a_chain_and_arm_the_switch",
    "test_g34_a_post_that_hangs_delays_no_cancel_and_no_read",
    "test_g38_reads_that_fail_raise",
]

# What the table of answers says (failure-model, section 2.5), by the sandbox's names for the venue's answers.
MEANINGS: dict[str, tuple[Answer, VenueMode | None]] = {
    "internal_error": (Answer.UNKNOWN, None),
    "timed_out": (Answer.UNKNOWN, None),
    "not_inserted": (Answer.UNKNOWN, None),
    "not_inserted_400": (Answer.UNKNOWN, None),
    "context_canceled": (Answer.UNKNOWN, None),
    "match_delayed": (Answer.UNKNOWN, None),
    "edge_502": (Answer.UNKNOWN, None),
    "edge_524": (Answer.UNKNOWN, None),
    "unavailable": (Answer.UNKNOWN, None),
    "market_not_found": (Answer.UNKNOWN, None),
    "ok_html": (Answer.UNKNOWN, None),
    "ok_empty": (Answer.UNKNOWN, None),
    "ok_null": (Answer.UNKNOWN, None),
    "ok_cut_json": (Answer.UNKNOWN, None),
    "ok_unmatched": (Answer.UNKNOWN, None),
    "ok_unknown_status": (Answer.UNKNOWN, None),
    "ok_missing_fields": (Answer.UNKNOWN, None),
    "ok_delayed": (Answer.ACCEPTED_DELAYED, None),
    "restarting": (Answer.REFUSED_NOW, VenueMode.RESTARTING),
    "post_only": (Answer.REFUSED_NOW, VenueMode.POST_ONLY),
    "cancel_only": (Answer.REFUSED_NOW, VenueMode.CANCEL_ONLY),
    "disabled": (Answer.REFUSED_NOW, VenueMode.DISABLED),
    "unauthorized": (Answer.REFUSED_NOW, None),
    "forbidden_html": (Answer.REFUSED_NOW, None),
    "too_many_requests": (Answer.REFUSED_NOW, None),
    "invalid_signature": (Answer.REFUSED, None),
    "invalid_payload": (Answer.REFUSED, None),
    "not_ready": (Answer.REFUSED_NOW, None),
    "closed_only": (Answer.REFUSED_NOW, None),
    "duplicated": (Answer.DUPLICATE, None),
}


async def test_g24_an_answer_lost_after_acceptance(world: GatewayWorld) -> None:
    """The outcome is unknown, nothing is raised, and the order is found by the id known before."""
    world.fault(point="post.answer", fault="drop", nth=1)
    order, outcome = await world.send(BUY, "10", "0.40")

    assert outcome.answer is Answer.UNKNOWN
    found = await world.gateway.order(order.order_id)
    assert found is not None
    assert found.active


async def test_g25_a_request_lost_on_the_way(world: GatewayWorld) -> None:
    """A connection that breaks after the request began proves nothing: unknown, and no order is there."""
    world.fault(point="post.request", fault="drop", nth=1)
    order, outcome = await world.send(BUY, "10", "0.40")

    assert outcome.answer is Answer.UNKNOWN
    assert await world.gateway.order(order.order_id) is None


async def test_g26_a_venue_that_is_not_there(world: GatewayWorld) -> None:
    """Where no connection can be made, no byte left, and that is said; reads and cancels raise."""
    await world.sandbox.stop()
    order = world.signed(BUY, "10", "0.40")
    await world.gateway.submit(order)  # may meet a connection that has just been closed
    outcome = await world.gateway.submit(order)

    assert outcome.answer is Answer.NOT_SENT
    with pytest.raises(VenueUnavailableError):
        await world.gateway.cancel([order.order_id])
    with pytest.raises(VenueUnavailableError):
        await world.gateway.open_orders()


async def test_g27_every_answer_has_its_meaning(world: GatewayWorld) -> None:
    """An answer proves what the table of answers says, whatever became of the order behind it."""
    found = {}
    for name in MEANINGS:
        world.sandbox.venue.injector.clear()
        world.fault(point="post.answer", fault="replace", argument=name, nth=1)
        _, outcome = await world.send(BUY, "5", "0.40")
        found[name] = (outcome.answer, outcome.mode)

    assert found == MEANINGS


async def test_g28_an_order_is_posted_once(world: GatewayWorld) -> None:
    """Whatever is answered, each submit is one POST on the wire: nothing is sent again."""
    names = ("internal_error", "timed_out", "edge_502", "restarting", "too_many_requests", "not_enough_allowance")
    for name in names:
        world.fault(point="post.request", fault="replace", argument=name, every=1, limit=1)
        await world.send(BUY, "5", "0.40")

    assert world.sandbox.venue.injector.counts() == {"post.request replace": len(names)}
    assert await world.gateway.open_orders() == []


async def test_g29_an_answer_about_another_order(world: GatewayWorld) -> None:
    """A success that names another order's id is told as that, with the id."""
    world.fault(point="post.answer", fault="wrong_id", nth=1)
    order, outcome = await world.send(BUY, "10", "0.40")

    assert outcome.answer is Answer.WRONG_ID
    assert outcome.order_id
    assert outcome.order_id != order.order_id


async def test_g30_an_answer_cut_short(world: GatewayWorld) -> None:
    """Half an answer proves nothing."""
    world.fault(point="post.answer", fault="cut", argument=20, nth=1)

    assert (await world.send(BUY, "10", "0.40"))[1].answer is Answer.UNKNOWN


async def test_g31_modes_of_the_venue(world: GatewayWorld) -> None:
    """In each mode orders are refused for now with the mode; cancels pass where the venue lets them."""
    order, _ = await world.send(BUY, "10", "0.40")
    modes = {
        Mode.RESTARTING: VenueMode.RESTARTING,
        Mode.POST_ONLY: VenueMode.POST_ONLY,
        Mode.CANCEL_ONLY: VenueMode.CANCEL_ONLY,
        Mode.DISABLED: VenueMode.DISABLED,
    }
    for mode, told in modes.items():
        world.sandbox.exchange.set_mode(mode, world.sandbox.venue.now_ms())
        _, outcome = await world.send(BUY, "10", "0.41")
        assert (outcome.answer, outcome.mode) == (Answer.REFUSED_NOW, told)
    with pytest.raises(VenueUnavailableError):
        await world.gateway.cancel([order.order_id])
    world.sandbox.exchange.set_mode(Mode.CANCEL_ONLY, world.sandbox.venue.now_ms())
    assert (await world.gateway.cancel([order.order_id])).canceled == (order.order_id,)


async def test_g32_the_wait_that_the_venue_asks_for(world: GatewayWorld) -> None:
    """The seconds of Retry-After come with a refusal of the moment."""
    world.fault(point="post.request", fault="replace", argument="too_many_requests_retry_after", nth=1)
    _, limited = await world.send(BUY, "10", "0.40")
    world.sandbox.exchange.set_mode(Mode.POST_ONLY, world.sandbox.venue.now_ms(), retry_after_s=79)
    _, moded = await world.send(BUY, "10", "0.40")

    assert limited.retry_after_s == 2
    assert moded.retry_after_s is not None
    assert 70 <= moded.retry_after_s <= 79


async def test_g33_heartbeats_are_a_chain_and_arm_the_switch(world: GatewayWorld) -> None:
    """Beats keep orders alive; without them everything is cancelled; a chain that broke is mended by the next beat."""
    order, _ = await world.send(BUY, "10", "0.40")
    for _ in range(4):
        await world.gateway.heartbeat()
        await asyncio.sleep(0.4)
    assert (await world.gateway.order(order.order_id)) is not None  # longer than the switch would wait

    world.fault(point="heartbeat.answer", fault="drop", nth=1)
    with pytest.raises(VenueError):
        await world.gateway.heartbeat()
    await world.gateway.heartbeat()
    await world.until(lambda: world.sandbox.exchange.open_orders(world.api_key) == [])


async def test_g34_a_post_that_hangs_delays_no_cancel_and_no_read(world: GatewayWorld) -> None:
    """While the venue sits on an order, cancels, heartbeats and reads are answered at once."""
    order, _ = await world.send(BUY, "10", "0.40")
    world.fault(point="post.answer", fault="delay", argument=1.5, every=1)
    loop = asyncio.get_running_loop()
    async with asyncio.TaskGroup() as group:
        hanging = [group.create_task(world.gateway.submit(world.signed(BUY, "10", f"0.3{n}"))) for n in range(4)]
        await asyncio.sleep(0.3)
        began = loop.time()
        assert (await world.gateway.cancel([order.order_id])).canceled == (order.order_id,)
        await world.gateway.heartbeat()
        assert len(await world.gateway.open_orders()) == 4
        took = loop.time() - began
        assert not any(each.done() for each in hanging)

    assert took < 1
    assert [each.result().answer for each in hanging] == [Answer.ACCEPTED] * 4


async def test_g38_reads_that_fail_raise(world: GatewayWorld) -> None:
    """A read that the venue cannot answer, or answers with nonsense, raises: it never looks like an empty account."""
    order, _ = await world.send(BUY, "10", "0.40")
    reads: dict[str, Callable[[], Awaitable[object]]] = {
        "trades": lambda: world.gateway.legs(0),
        "balance": lambda: world.gateway.balances([]),
        "positions": world.gateway.positions,
        "time": world.gateway.server_time_ms,
        "order": lambda: world.gateway.order(order.order_id),
        "orders": world.gateway.open_orders,
    }
    for answer in ("ok_html", "forbidden_html", "ok_cut_json"):
        for name, read in reads.items():
            world.sandbox.venue.injector.clear()
            world.fault(point=f"read.{name}.answer", fault="replace", argument=answer, every=1)
            with pytest.raises(VenueError):
                assert await read() == f"{name} made something of {answer}"
    world.sandbox.venue.injector.clear()
    world.fault(point="read.orders.answer", fault="replace", argument="edge_502", every=1)
    with pytest.raises(VenueUnavailableError):
        await world.gateway.open_orders()
