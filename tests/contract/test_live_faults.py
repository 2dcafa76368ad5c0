"""What the live executor makes of a venue that goes wrong with orders and cancels. Numbers are the fault catalogue's.

After each fault the ledger must come to equal the venue's own books: open orders, fills, shares and cash, to the
micro-unit. The most important faults are tried over every gateway.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import pytest

from polymarket_agent.decision.states import AgentState
from polymarket_agent.domain.money import price, shares, usdc
from polymarket_agent.domain.order import OrderState
from polymarket_agent.domain.venue import Answer
from tests.contract.fault_words import (
    CANCELED,
    DEAF,
    FAK,
    FILLED,
    FOK,
    OPEN,
    REJECTED,
    SELL,
    a_desk,
    buy,
    count_of,
    shown,
)
from tests.contract.live_venue import CLIENTS, QUICK, few_certificates
from tests.contract.live_world import LiveDesk

NOT_UNDERSTOOD = (
    "ok_html",
    "ok_cut_json",
    "ok_empty",
    "ok_missing_fields",
    "ok_unmatched",
    "ok_unknown_status",
    "ok_failed_silently",
    "context_canceled",
    "not_inserted_400",
    "match_delayed",
    "internal_error",
    "edge_502",
    "edge_524",
)


@pytest.fixture(scope="module", autouse=True)
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with few_certificates(tmp_path_factory.mktemp("tls")):
        yield


@pytest.fixture(params=CLIENTS)
async def desk(request: pytest.FixtureRequest) -> AsyncIterator[LiveDesk]:
    """Run a desk over each gateway in turn."""
    async with a_desk(request.param) as desk:
        yield desk


@pytest.fixture
async def one(request: pytest.FixtureRequest) -> AsyncIterator[LiveDesk]:
    """Run a desk over the gateway that is used by default; a parameter has more to say of desk and venue."""
    async with a_desk("unified", **getattr(request, "param", {})) as desk:
        yield desk


# -- submitting -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("told", [True, False])
async def test_f01_an_answer_that_is_lost(desk: LiveDesk, told: bool) -> None:
    """F01: the order is found, by the user channel or by asking, and is one order at the venue and in the ledger."""
    desk.venue.fault(point="post.answer", fault="drop", nth=1)
    if not told:
        desk.venue.fault(**DEAF)
    order = await desk.place(buy("0.4"))
    assert (order.state, order.reserved) == (OPEN, usdc("8") + usdc("0.32"))
    assert ("UNKNOWN" in desk.states_of(order)) or told
    assert list(desk.venue.open_orders()) == [order.order_id]
    assert (desk.cable.calls.count("submit"), count_of(desk, "orders")) == (1, 1)
    await desk.agrees()


async def test_f02_a_request_that_is_lost(desk: LiveDesk) -> None:
    """F02: the same bytes are sent again and become one order, of the same id."""
    desk.venue.fault(point="post.request", fault="drop", nth=1)
    order = await desk.place(buy("0.4"))
    assert order.state is OPEN
    assert list(desk.venue.open_orders()) == [order.order_id]
    assert desk.answers_of(order) == [Answer.UNKNOWN.value, Answer.ACCEPTED.value]
    assert count_of(desk, "orders") == 1
    await desk.agrees()


async def test_f02_a_lost_entry_that_must_not_be_repeated(one: LiveDesk) -> None:
    """F02: a FOK buy is not sent again; it is proven absent, and its money is free again."""
    await shown(one)
    one.venue.fault(point="post.request", fault="drop", nth=1)
    order = await one.place(buy("0.51", 20, tif=FOK))
    assert one.states_of(order) == ["SUBMITTED", "UNKNOWN", "QUARANTINED", "REJECTED"]
    assert (one.cable.calls.count("submit"), one.account.free_cash) == (1, usdc("1000"))
    await one.agrees()


async def test_f04_a_request_that_arrives_twice(desk: LiveDesk) -> None:
    """F04: that the second copy is a duplicate proves that the first arrived; it is one order."""
    desk.venue.fault(point="post.request", fault="duplicate", nth=1)
    order = await desk.place(buy("0.4"))
    assert order.state is OPEN
    assert (list(desk.venue.open_orders()), count_of(desk, "orders")) == ([order.order_id], 1)
    assert desk.answers_of(order) == [Answer.DUPLICATE.value]
    await desk.agrees()


async def test_f06_every_attempt_is_lost(one: LiveDesk) -> None:
    """F06: three attempts of one hash, then the order is proven absent and gives its money back."""
    one.venue.fault(point="post.request", fault="drop", nth=[1, 2, 3])
    order = await one.place(buy("0.4"))
    assert order.state is REJECTED
    assert one.answers_of(order) == [Answer.UNKNOWN.value] * 3
    assert one.account.free_cash == usdc("1000")
    await one.agrees()


async def test_f09_an_answer_about_another_order(desk: LiveDesk) -> None:
    """F09: another id in an answer halts the agent; the order is cancelled, and nothing more is sent."""
    desk.venue.fault(point="post.answer", fault="wrong_id", nth=1)
    sent = await desk.send(buy("0.4"))
    await desk.until(lambda: desk.state is AgentState.HALTED)
    assert "wrong_order_id" in desk.causes
    await desk.until(lambda: not desk.venue.open_orders() and desk.in_step())
    assert desk.order(sent).state is CANCELED
    after = await desk.send(buy("0.3"))
    assert (after.state, desk.cable.calls.count("submit")) == (OrderState.ABANDONED, 1)
    await desk.agrees()


@pytest.mark.parametrize("point", ["post.answer", "post.request"])
async def test_f07_to_f12_answers_that_prove_nothing(desk: LiveDesk, point: str) -> None:
    """F07, F08, F10-F12: an order whose answer is not understood is unknown, and then found or sent again, once."""
    if point == "post.answer":
        desk.venue.fault(**DEAF)
    for number, answer in enumerate(NOT_UNDERSTOOD, start=1):
        desk.venue.fault(point=point, fault="replace", argument=answer, nth=number)
    sent = [await desk.send(buy(f"0.{10 + number}")) for number in range(len(NOT_UNDERSTOOD))]
    await desk.until(desk.in_step)
    for order, answer in zip(sent, NOT_UNDERSTOOD, strict=True):
        assert desk.order(order).state is OPEN, answer
        assert "UNKNOWN" in desk.states_of(order), answer
        assert len(desk.answers_of(order)) == (1 if point == "post.answer" else 2), answer
    assert set(desk.venue.open_orders()) == {order.order_id for order in sent}
    await desk.agrees()


async def test_f14_a_delayed_order_that_is_matched(desk: LiveDesk) -> None:
    """F14: while the venue holds an order back nothing is filled; then its fill comes."""
    await shown(desk)
    desk.venue.sandbox.exchange.set_delay(desk.market.condition_id, seconds_delay=1)
    sent = await desk.send(buy("0.51"))
    await desk.until(lambda: sent.order_id in desk.venue.open_orders() and len(desk.states_of(sent)) > 1)
    assert desk.states_of(sent)[-1] in ("DELAYED", "OPEN")  # the channel may tell of it before the answer does
    assert (desk.order(sent).matched, desk.account.positions) == (0, {})
    await desk.until(lambda: not desk.venue.open_orders() and desk.in_step())
    assert (desk.order(sent).state, desk.order(sent).matched) == (FILLED, shares(20))
    await desk.agrees()


async def test_f14_a_delayed_order_that_finds_nothing(one: LiveDesk) -> None:
    """F14: a FOK order that the venue held back and then killed is cancelled, and its money is free."""
    await shown(one)
    one.venue.sandbox.exchange.set_delay(one.market.condition_id, seconds_delay=1)
    sent = await one.send(buy("0.51", tif=FOK))
    await one.until(lambda: sent.order_id in one.venue.open_orders())
    one.venue.show([], [])
    await one.until(lambda: not one.venue.open_orders() and one.in_step())
    assert (one.order(sent).state, one.account.free_cash) == (CANCELED, usdc("1000"))
    await one.agrees()


@pytest.mark.parametrize(
    "one", [{"policy_of_venue": replace(QUICK, kill_notice=each)} for each in (False, True)], indirect=True
)
async def test_f16_orders_that_only_take(one: LiveDesk) -> None:
    """F16: FAK takes what there is and FOK all or nothing, whether the venue reports the killed ones or not."""
    await shown(one)
    part = await one.place(buy("0.51", 80, tif=FAK))
    assert (part.state, part.matched, part.reserved) == (CANCELED, shares(50), 0)
    killed = await one.place(buy("0.53", 71, tif=FOK))
    assert (killed.state in (CANCELED, REJECTED), killed.matched, killed.reserved) == (True, 0, 0)
    assert "FOK" in killed.reason
    filled = await one.place(buy("0.53", 70, tif=FOK))
    assert (filled.state, filled.matched) == (FILLED, shares(70))
    await one.agrees()


# -- cancelling -----------------------------------------------------------------------------------------------------


async def test_f18_a_cancel_that_comes_too_late(desk: LiveDesk) -> None:
    """F18: an order that is filled before its cancel arrives is filled, and its fill is booked."""
    order = await desk.place(buy("0.4"))
    desk.venue.fault(point="cancel.request", fault="fill_first", nth=1)
    await desk.cancel(order)
    assert (desk.order(order).state, desk.order(order).matched) == (FILLED, shares(20))
    assert desk.account.cash == usdc("992")
    await desk.agrees()


async def test_f18_a_cancel_after_a_part_was_filled(desk: LiveDesk) -> None:
    """F18: what was filled before the cancel is booked; the rest is cancelled and gives its money back."""
    order = await desk.place(buy("0.4"))
    desk.venue.take(SELL, "5", price("0.4"))
    assert await desk.cancel(order)
    ended = desk.order(order)
    assert (ended.state, ended.matched, ended.reserved) == (CANCELED, shares(5), 0)
    assert (desk.account.cash, desk.account.free_cash) == (usdc("998"), usdc("998"))
    await desk.agrees()


async def test_f18_a_cancel_is_no_word_about_fills(one: LiveDesk) -> None:
    """F18: an acknowledged cancel closes nothing by itself: a fill before it, heard of later, revives no dead order."""
    order = await one.place(buy("0.4"))
    one.venue.fault(**DEAF)
    one.venue.take(SELL, "5", price("0.4"))
    assert await one.cancel(order)
    ended = one.order(order)
    assert (ended.state, ended.matched, one.states_of(order).count("CANCELED")) == (CANCELED, shares(5), 1)
    assert (one.causes, one.account.free_cash) == (set(), usdc("998"))
    await one.agrees()


async def test_f19_a_cancel_whose_answer_is_lost(one: LiveDesk) -> None:
    """F19: the order is cancelled when evidence shows it, although nobody said so."""
    order = await one.place(buy("0.4"))
    one.venue.fault(**DEAF)
    one.venue.fault(point="cancel.answer", fault="drop", nth=1)
    assert await one.cancel(order)
    assert (one.order(order).state, one.account.free_cash) == (CANCELED, usdc("1000"))
    await one.agrees()
