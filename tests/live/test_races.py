"""Things that happen at the same time and once went wrong, each as a short scene on the simulated exchange."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from polymarket_agent.domain.book import Side
from polymarket_agent.domain.market import AssetId
from polymarket_agent.domain.order import CancelState, OrderState
from polymarket_agent.domain.venue import Answer, SignedOrder, SubmitOutcome
from tests.live.sim_orders import T, U
from tests.live.sim_stage import READY_S, Stage, play


async def holding(stage: Stage) -> None:
    """Own ten settled shares of asset 21."""
    stage.exchange.fill(await stage.resting(), 10 * U)
    await stage.passes(12)
    assert stage.account.free_shares(AssetId("21")) == 10 * U


def hang(stage: Stage, seconds: float, *, orders: int = 1) -> list[str]:
    """Let the next POSTs get no answer for so long, and then none at all; returns the ids of what is sent from now on."""
    sent: list[str] = []

    async def submit(order: SignedOrder) -> SubmitOutcome:
        sent.append(order.order_id)
        if len(sent) <= orders:
            await asyncio.sleep(seconds)
            return SubmitOutcome(answer=Answer.UNKNOWN)
        outcome: SubmitOutcome = await real(order)
        return outcome

    real = stage.instead("submit", submit)
    return sent


def cancel_times(stage: Stage) -> list[float]:
    """Return a list that grows by the time of each request for a cancellation."""
    times: list[float] = []

    async def cancel(order_ids: Any) -> Any:
        times.append(stage.now)
        return await real(order_ids)

    real = stage.instead("cancel", cancel)
    return times


# -- cancels ----------------------------------------------------------------------------------------------------------


def test_a_cancel_that_overtook_its_order_is_repeated_when_the_order_is_accepted(tmp_path: Path) -> None:
    """The venue knows nothing of the order when the cancel comes; a second later it has it, and is asked again."""

    async def scene(stage: Stage) -> None:
        await stage.passes(READY_S)

        async def slow(order: SignedOrder) -> Any:
            await asyncio.sleep(3)
            return await real(order)

        real = stage.instead("submit", slow)
        order_id = await stage.wish()
        await stage.passes(1)
        await stage.trader.cancel_order(order_id)
        await stage.passes(1)
        assert stage.order(order_id).cancel is CancelState.NOT_CANCELLED
        await stage.passes(4)
        assert not stage.exchange.orders[order_id].live
        await stage.passes(3)
        assert stage.order(order_id).state is OrderState.CANCELED

    play(tmp_path, scene)


@pytest.mark.parametrize("matched", [0, 4 * U], ids=["by a placement", "by a fill"])
def test_a_cancel_that_overtook_its_order_is_repeated_when_the_stream_shows_the_order(
    tmp_path: Path, matched: int
) -> None:
    """It is also repeated when the order is heard of before its POST is answered, by its placement or by a fill."""

    async def scene(stage: Stage) -> None:
        await stage.passes(READY_S)

        async def slow(order: SignedOrder) -> Any:
            await asyncio.sleep(2)
            stage.exchange.emit = (lambda _: None) if matched else stage._emit  # the placement is not told then
            answer = await real(order)
            stage.exchange.emit = stage._emit
            if matched:
                stage.exchange.fill(order.order_id, matched)
            await asyncio.sleep(2)
            return answer

        real = stage.instead("submit", slow)
        order_id = await stage.wish()
        await stage.passes(1)
        await stage.trader.cancel_order(order_id)
        await stage.passes(8)
        assert not stage.exchange.orders[order_id].live
        await stage.passes(40)
        order = stage.order(order_id)
        assert (order.state, order.matched, order.reserved) == (OrderState.CANCELED, matched, 0)

    play(tmp_path, scene)


def test_a_late_answer_does_not_forget_a_cancel_that_was_not_done(tmp_path: Path) -> None:
    """The venue says that it could not cancel, then accepts the order that it had shown already: it is asked again."""

    async def scene(stage: Stage) -> None:
        await stage.passes(READY_S)

        answered = asyncio.Event()

        async def slow(order: SignedOrder) -> Any:
            answer = await real(order)
            stage.exchange.orders[order.order_id].taking = True
            await answered.wait()
            stage.exchange.orders[order.order_id].taking = False
            return answer

        real = stage.instead("submit", slow)
        order_id = await stage.wish()
        await stage.passes(2)
        assert stage.order(order_id).state is OrderState.OPEN
        await stage.trader.cancel_order(order_id)
        while stage.order(order_id).cancel is not CancelState.NOT_CANCELLED:
            await stage.passes(0.1, step=0.1)
        answered.set()
        await stage.passes(60)
        assert stage.order(order_id).state is OrderState.CANCELED

    play(tmp_path, scene)


def test_a_post_that_hangs_does_not_delay_the_cancels_of_the_end(tmp_path: Path) -> None:
    """What rests is cancelled within a second of the end, though another order gets no answer for eleven."""
    times: list[float] = []

    async def scene(stage: Stage) -> None:
        nonlocal times
        await stage.passes(READY_S)
        await stage.resting()
        hang(stage, 11)
        await stage.wish(at=200_000, asset="11")
        await stage.passes(1)
        times = cancel_times(stage)

    stage = play(tmp_path, scene)
    assert times[0] - stage.ended_at < 1
    assert not any(order.live for order in stage.exchange.orders.values())


def test_an_end_of_the_feed_during_the_shutdown_does_not_keep_it_from_cancelling(tmp_path: Path) -> None:
    """The session that ends while a wind-down is under way waits for it, and everything is cancelled."""
    done: list[float] = []

    async def scene(stage: Stage) -> None:
        await stage.passes(READY_S)
        await stage.resting()
        hang(stage, 3)
        await stage.wish(at=200_000, asset="11")
        await stage.passes(0.5)
        stage.on.wind_down(lambda: done.append(stage.now))
        await asyncio.sleep(0.05)  # nothing is answered yet

    stage = play(tmp_path, scene)
    assert done
    assert done[0] > stage.ended_at
    assert stage.exchange.orders
    assert not any(order.live for order in stage.exchange.orders.values())


# -- proofs -----------------------------------------------------------------------------------------------------------


def test_an_order_is_not_closed_while_the_venue_shows_more_matched_than_its_legs(tmp_path: Path) -> None:
    """A cancellation that tells of 4 matched shares, whose trade is seen 40 s later, leaves the order reserved till then."""

    async def scene(stage: Stage) -> None:
        await stage.passes(READY_S)
        order_id = await stage.resting()
        trade = stage.exchange.fill(order_id, 4 * U, told=False, settles=None)
        stage.exchange.close(stage.exchange.orders[trade.order.id], "CANCELED")
        states: set[OrderState] = set()
        await stage.passes(40, lambda: states.add(stage.order(order_id).state))
        assert states == {OrderState.OPEN}
        assert stage.account.reserved_cash == 5 * U
        stage.exchange.publish(trade)
        await stage.passes(40)
        order = stage.order(order_id)
        assert (order.state, order.matched, stage.state) == (OrderState.CANCELED, 4 * U, "ACTIVE")

    play(tmp_path, scene)


@pytest.mark.parametrize("again", [True, False], ids=["it rests again", "it is gone"])
def test_a_filled_order_whose_fill_failed_is_reserved_until_it_is_proven_closed(tmp_path: Path, again: bool) -> None:
    """The venue may put it back on its book: it holds its cost and is looked at; two looks without it free the money."""

    async def scene(stage: Stage) -> None:
        await stage.passes(READY_S)
        stage.exchange.counts_failed = False
        order_id = await stage.resting()
        trade = stage.exchange.fill(order_id, 10 * U, settles=None)
        await stage.passes(10)
        assert stage.order(order_id).state is OrderState.FILLED
        if again:
            trade.order.left, trade.order.live, trade.order.status = 10 * U, True, "LIVE"
            trade.order.history.append((stage.now, 0, True, "LIVE"))
        stage.exchange._status(trade, T.FAILED)
        await stage.passes(5)
        assert (stage.order(order_id).state, stage.account.reserved_cash) == (OrderState.OPEN, 5 * U)
        assert stage.order(order_id).deadline_ms is not None or again
        await stage.passes(60)
        held = (stage.order(order_id).state, stage.account.reserved_cash)
        assert held == ((OrderState.OPEN, 5 * U) if again else (OrderState.CANCELED, 0))
        assert stage.account.cash == 120 * U

    play(tmp_path, scene)


# -- lanes ------------------------------------------------------------------------------------------------------------


def test_a_sale_that_the_venue_refused_for_the_moment_does_not_keep_another_from_leaving(tmp_path: Path) -> None:
    """Shares of a sale in quarantine can be sold by another order: leaving a position is never worth a wait of 90 s."""

    async def scene(stage: Stage) -> None:
        await stage.passes(READY_S)
        await holding(stage)
        stage.exchange.mode = "restart"
        first = await stage.wish(at=400_000, side=Side.SELL)
        await stage.passes(2)
        stage.exchange.mode = "normal"
        await stage.passes(5)
        assert stage.order(first).state is OrderState.QUARANTINED
        second = await stage.wish(at=400_000, side=Side.SELL)
        await stage.passes(2)
        assert stage.order(second).state is OrderState.OPEN

    play(tmp_path, scene)


def test_a_sale_does_not_wait_behind_a_post_of_its_market_that_hangs(tmp_path: Path) -> None:
    """A sale is at the venue within two seconds while a buy of its market gets no answer for ten."""

    async def scene(stage: Stage) -> None:
        await stage.passes(READY_S)
        await holding(stage)
        sent = hang(stage, 10)
        buy = await stage.wish(at=100_000)
        await stage.passes(0.5)
        sale = await stage.wish(at=600_000, side=Side.SELL)
        await stage.passes(2)
        assert sent == [buy, sale]
        assert stage.exchange.orders[sale].live

    play(tmp_path, scene)


def test_an_entry_that_waits_in_its_lane_does_not_leave_once_the_agent_only_reduces(tmp_path: Path) -> None:
    """It was approved when everything was allowed, and is refused by the state in which its turn comes."""

    async def scene(stage: Stage) -> None:
        await stage.passes(READY_S)
        sent = hang(stage, 3)
        first = await stage.wish(at=100_000)
        second = await stage.wish(at=200_000)
        await stage.passes(0.5)
        stage.on.conduct("external_activity", "by the test")
        await stage.passes(4)
        assert stage.state == "REDUCING"
        assert second not in sent
        assert sent[0] == first
        assert stage.order(second).state is OrderState.REJECTED
        assert stage.account.orders.keys() == {first}

    play(tmp_path, scene)
