"""What the live executor makes of deaf streams, failing settlement, modes of the venue, and somebody else's orders.

After each fault the ledger must come to equal the venue's own books, as in test_live_faults.py.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import pytest

from polymarket_agent.decision.states import AgentState
from polymarket_agent.domain.money import Usdc, price, shares, usdc
from polymarket_agent.domain.order import OrderState, TimeInForce
from polymarket_agent.domain.venue import Answer, OrderTicket, VenueMode
from polymarket_agent.sandbox.model import Mode
from tests.contract.fault_words import (
    BUY,
    CANCELED,
    DEAF,
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
from tests.contract.live_agent import FAST
from tests.contract.live_venue import CLIENTS, QUICK, few_certificates
from tests.contract.live_world import LiveDesk
from tests.trading_world import YES, a_signal


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


# -- streams --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "argument"), [("close", 1006), ("silence", 3), ("drop", 100), ("garble", None)], ids=str
)
async def test_f24_fills_that_the_stream_does_not_tell(one: LiveDesk, fault: str, argument: int | None) -> None:
    """F24, F28, F29: what the user channel lost is read from the lists; each fill is booked once."""
    order = await one.place(buy("0.4"))
    rule = {"point": "stream.user", "fault": fault, "nth": 1}
    one.venue.fault(**(rule if argument is None else {**rule, "argument": argument}))
    for size in ("5", "4", "3"):
        one.venue.take(SELL, size, price("0.4"))
    await one.until(one.in_step)
    assert (one.order(order).state, one.order(order).matched) == (OPEN, shares(12))
    assert count_of(one, "fills") == 3
    assert count_of(one, "evidence WHERE source = 'list'") > 0
    await one.until(lambda: one.user_feed.epoch == (2 if fault == "close" else 1))
    await one.agrees()


async def test_f26_messages_that_come_twice_and_out_of_order(one: LiveDesk) -> None:
    """F26: doubled and overtaken messages leave the same ledger as orderly ones."""
    await shown(one)
    one.venue.fault(point="stream.user", fault="duplicate", every=2)
    one.venue.fault(point="stream.user", fault="reorder", every=3)
    order = await one.place(buy("0.51", 60))
    for size in ("5", "3"):
        one.venue.take(SELL, size, price("0.51"))
    await one.until(one.in_step)
    assert (one.order(order).state, one.order(order).matched) == (OPEN, shares(58))
    assert count_of(one, "fills") == len(one.venue.legs()) == 3
    await one.agrees()


async def test_f101_fills_while_nothing_can_be_read(one: LiveDesk) -> None:
    """F101: neither stream nor lists for a while lose no fill; the next list that succeeds has it."""
    order = await one.place(buy("0.4"))
    one.venue.fault(**DEAF)
    one.venue.fault(point="read.any.answer", fault="drop", every=1)
    one.venue.take(SELL, "20", price("0.4"))
    await one.until(lambda: one.venue.struck("read.trades", "drop") + one.venue.struck("read.orders", "drop") >= 2)
    assert one.order(order).matched == 0
    one.venue.no_faults()
    await one.until(one.in_step)
    assert (one.order(order).state, one.order(order).matched) == (FILLED, shares(20))
    await one.agrees()


# -- settlement -----------------------------------------------------------------------------------------------------


async def test_f33_a_fill_that_fails_to_settle(desk: LiveDesk) -> None:
    """F33: cash, shares, fees and gains are to the micro-unit as if it had never been, and it is not bought again."""
    await shown(desk)
    desk.venue.fault(point="venue", fault="settle", argument={"end": "FAILED", "seconds": 0.3}, every=1)
    sent = await desk.send(buy("0.53", 100, tif=FOK))
    await desk.until(lambda: desk.account.quantity_of(desk.asset(YES)) == shares(100))
    assert desk.account.cash < usdc("950")
    await desk.until(desk.in_step)
    account = desk.account
    assert (account.cash, account.fees, account.realised, account.positions) == (usdc("1000"), 0, 0, {})
    assert (desk.order(sent).state, desk.order(sent).matched) == (CANCELED, 0)
    assert {row[0] for row in desk.rows("SELECT settlement FROM fills")} == {"FAILED"}
    assert desk.cable.calls.count("submit") == 1
    await desk.agrees()


@pytest.mark.parametrize(
    "one", [{"policy_of_venue": replace(QUICK, failed_keeps_matched=each)} for each in (False, True)], indirect=True
)
async def test_f33_a_resting_order_whose_fill_fails(one: LiveDesk) -> None:
    """F33: a resting order keeps what settled and loses what failed, whether the venue offers that again or not."""
    order = await one.place(buy("0.4"))
    one.venue.take(SELL, "4", price("0.4"))
    await one.until(one.in_step)
    one.venue.fault(point="venue", fault="settle", argument={"end": "FAILED", "seconds": 0.2}, nth=1)
    one.venue.take(SELL, "6", price("0.4"))
    await one.until(lambda: one.rows("SELECT 1 FROM fills WHERE settlement = 'FAILED'"))
    assert (one.account.quantity_of(one.asset(YES)), one.account.cash) == (shares(4), usdc("998.4"))
    assert one.order(order).matched == shares(4)
    await one.cancel(order)
    assert (one.order(order).state, one.account.free_cash) == (CANCELED, usdc("998.4"))
    await one.agrees()


async def test_f34_a_settlement_that_is_retried(one: LiveDesk) -> None:
    """F34: shares whose settlement is retried are held and cannot be sold; when it succeeds they can."""
    await shown(one)
    slow = {"end": "RETRYING", "seconds": 1, "then": "CONFIRMED"}
    one.venue.fault(point="venue", fault="settle", argument=slow, nth=1)
    await one.send(buy("0.51", 20, tif=FOK))
    await one.until(lambda: one.account.quantity_of(one.asset(YES)) == shares(20))
    assert (await one.send(a_signal(SELL, "0.6", 20))).state is OrderState.ABANDONED
    await one.until(one.in_step)
    assert (await one.place(a_signal(SELL, "0.6", 20))).state is OPEN
    await one.agrees()


# -- modes of the venue ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("one", [{"policy_of_venue": replace(QUICK, post_only_s=3)}], indirect=True)
async def test_f43_a_restart_of_the_venue(one: LiveDesk) -> None:
    """F43: 425 refuses for now, then only post-only orders are taken, then all; each refusal is sent once."""
    exchange, facts = one.venue.sandbox.exchange, one.wiring.conditions
    resting = await one.place(buy("0.3"))
    exchange.set_mode(Mode.RESTARTING, one.venue.sandbox.venue.now_ms(), retry_after_s=1)
    refused = await one.send(buy("0.4"))
    await one.until(lambda: facts.mode is VenueMode.RESTARTING)
    assert one.states_of(refused)[:2] == ["SUBMITTED", "QUARANTINED"]
    await one.until(lambda: exchange.mode is Mode.POST_ONLY)
    taking = await one.send(buy("0.35"))
    await one.until(lambda: facts.mode is VenueMode.POST_ONLY)
    quoting = await one.place(buy("0.4", post_only=True))
    assert (quoting.state, one.order(refused).state, one.order(taking).state) == (OPEN, REJECTED, REJECTED)
    await one.until(lambda: exchange.mode is Mode.NORMAL)
    assert (await one.place(buy("0.35"))).state is OPEN
    assert (one.order(resting).state, one.cable.calls.count("submit")) == (OPEN, 5)
    await one.agrees()


async def test_f44_a_venue_that_only_cancels(desk: LiveDesk) -> None:
    """F44: cancels work, and an order that is refused so is sent once."""
    resting = await desk.place(buy("0.3"))
    desk.venue.sandbox.exchange.set_mode(Mode.CANCEL_ONLY, desk.venue.sandbox.venue.now_ms())
    refused = await desk.place(buy("0.4"))
    assert (refused.state, desk.wiring.conditions.mode) == (REJECTED, VenueMode.CANCEL_ONLY)
    assert await desk.cancel(resting)
    assert (desk.order(resting).state, desk.cable.calls.count("submit")) == (CANCELED, 2)
    assert desk.account.free_cash == usdc("1000")
    await desk.agrees()


@pytest.mark.parametrize(
    "one",
    [{"policy": replace(FAST, beat_ms=200), "policy_of_venue": replace(QUICK, heartbeat_s=1, heartbeat_check_s=0)}],
    indirect=True,
)
async def test_f51_an_engine_that_stands_still(one: LiveDesk) -> None:
    """F51: the venue cancels what a silent engine left open; that is seen, and the next order rests again."""
    order = await one.place(buy("0.4"))
    await one.until(lambda: one.cable.calls.count("heartbeat") >= 8)
    assert one.order(order).state is OPEN  # the heart has beaten for longer than the venue waits
    one.ticks.stands_still = True
    await one.until(lambda: not one.venue.open_orders())
    one.ticks.stands_still = False
    await one.until(one.in_step)
    assert (one.order(order).state, one.account.free_cash) == (CANCELED, usdc("1000"))
    assert (await one.place(buy("0.4"))).state is OPEN
    await one.agrees()


# -- somebody else --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("told", [True, False])
async def test_f41_somebody_else_trades_with_the_wallet(one: LiveDesk, told: bool) -> None:
    """F41: orders and fills of another client of this wallet are imported and counted; entries stop, nothing is cancelled."""
    await shown(one)
    mine = await one.place(buy("0.3"))
    if not told:
        one.venue.fault(**DEAF)
    other = one.venue.gateway("direct")
    await other.connect()
    try:
        for salt, (at, tif) in enumerate([("0.2", TimeInForce.GTC), ("0.51", FOK)], start=1):
            limit, size = price(at), shares(10)
            ticket = OrderTicket(
                condition_id=one.market.condition_id,
                asset_id=one.asset(YES),
                side=BUY,
                price=limit,
                quantity=size,
                maker_amount=limit * 10,
                taker_amount=size,
                neg_risk=False,
                time_in_force=tif,
            )
            answer = await other.submit(other.sign(ticket, salt=salt, timestamp_ms=one.venue.clock.now_ms()))
            assert answer.answer is Answer.ACCEPTED, answer
    finally:
        await other.aclose()
    await one.until(one.in_step)
    assert (one.state, one.causes) == (AgentState.REDUCING, {"external_activity"})
    resting = [order for order in one.account.orders.values() if order.strategy == "external"]
    assert [(order.price, order.reserved >= usdc("2")) for order in resting] == [(price("0.2"), True)]
    assert (one.account.quantity_of(one.asset(YES)), one.order(mine).state) == (shares(10), OPEN)
    assert not {"cancel", "cancel_all"} & set(one.cable.calls)
    await one.agrees()


async def test_f41_money_that_somebody_takes_out(one: LiveDesk) -> None:
    """F41: cash that went without a reason that we know stops entries; nothing is booked to make the books equal."""
    one.venue.sandbox.exchange.withdraw(one.venue.account.wallet, Usdc(usdc("10")))
    await one.until(lambda: not one.wiring.conditions.stream_up)
    await one.until(lambda: one.rows("SELECT 1 FROM rounds WHERE findings LIKE '%D9%'"))
    assert (one.account.cash, one.venue.cash()) == (usdc("1000"), usdc("990"))
    one.journal.require_agreement(one.account)
