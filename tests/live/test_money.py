"""Differences of cash, shares and orders that once were misjudged, each as a short scene on the simulated exchange."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from polymarket_agent.domain.board import Board
from polymarket_agent.domain.book import Side
from polymarket_agent.domain.events import BookSnapshot, MarketListed, VenueLeg
from polymarket_agent.domain.market import AssetId, MarketState
from polymarket_agent.domain.money import Price, Shares, Usdc
from polymarket_agent.domain.order import OrderState, TimeInForce
from polymarket_agent.domain.signal import Signal
from polymarket_agent.errors import AgentError
from polymarket_agent.execution.tickets import draft
from tests.live.sim_orders import T, U
from tests.live.sim_stage import READY_S, Stage, play
from tests.live.sim_wishes import MARKETS

EXTERNAL = "0xsomebody"


def lose(stage: Stage, amount: int) -> None:
    """Money goes away and nothing explains it."""
    stage.exchange.cash -= amount
    stage.exchange.moved()


def uncompared(stage: Stage) -> Callable[[Any], Awaitable[Any]]:
    """Return a read of balances during which a fill arrives each time, so that nothing can be compared with them."""
    real = stage.trader.gateway.balances

    async def while_fills_arrive(assets: Any) -> Any:
        found = await real(assets)
        stage.trader.books.version += 1
        return found

    return while_fills_arrive


def test_an_unexplained_difference_stops_entries_until_a_comparison_of_balances_finds_none(tmp_path: Path) -> None:
    """A round that does not compare balances lets no entry through while cash differs; one that finds it equal does."""

    async def scene(stage: Stage) -> None:
        await stage.passes(READY_S)
        lose(stage, U)
        seen: list[bool] = []
        await stage.passes(100, lambda: seen.append(stage.entries))
        real = stage.instead("balances", uncompared(stage))
        await stage.passes(100, lambda: seen.append(stage.entries))
        assert True not in seen[seen.index(False) :]
        assert stage.state == "HALTED"
        lose(stage, -U)
        stage.instead("balances", real)
        await stage.passes(30)
        assert stage.entries

    play(tmp_path, scene)


def test_an_unexplained_difference_of_cash_halts_after_half_a_minute(tmp_path: Path) -> None:
    """From the first stop of entries to the halt it takes 30 s and the next round."""

    async def scene(stage: Stage) -> None:
        await stage.passes(READY_S)
        lose(stage, U)
        stopped, halted = [], []

        def each() -> None:
            if not stage.entries:
                stopped.append(stage.now)
            if stage.state == "HALTED":
                halted.append(stage.now)

        await stage.passes(120, each)
        assert 30 <= halted[0] - stopped[0] <= 35
        assert stage.causes() == {"difference"}

    play(tmp_path, scene)


def test_a_difference_that_keeps_growing_halts_like_one_that_stands_still(tmp_path: Path) -> None:
    """Cash that goes away a little every 10 s is one difference, and halts."""

    async def scene(stage: Stage) -> None:
        await stage.passes(READY_S)
        for _ in range(14):
            lose(stage, U // 10)
            await stage.passes(10)
        assert stage.causes() == {"difference"}
        assert stage.state == "HALTED"

    play(tmp_path, scene)


def test_balances_that_the_venue_has_cached_are_read_from_the_chain_before_a_difference_halts(tmp_path: Path) -> None:
    """A venue that shows the balances of before a fill until it is asked to look again halts nobody."""

    async def scene(stage: Stage) -> None:
        await stage.passes(READY_S)
        real = stage.trader.gateway.balances
        cached = [await real([AssetId("21")])]

        async def old(_: object) -> Any:
            return cached[0]

        async def look_again(assets: Any) -> None:
            cached[0] = await real(list(assets))

        stage.instead("balances", old)
        stage.instead("refresh_balances", look_again)
        stage.exchange.fill(await stage.resting(), 4 * U)
        await stage.passes(150)
        assert (stage.state, stage.entries) == ("ACTIVE", True)
        assert stage.account.cash == cached[0].cash == 118 * U

    play(tmp_path, scene)


def test_a_recovery_does_not_end_without_a_comparison_of_balances(tmp_path: Path) -> None:
    """An agent whose cash could never be compared since its start stays in RECOVERING, whatever else is equal."""

    async def first(stage: Stage) -> None:
        await stage.passes(READY_S)
        assert stage.state == "ACTIVE"

    async def second(stage: Stage) -> None:
        real = stage.instead("balances", uncompared(stage))
        await stage.passes(90)
        assert stage.state == "RECOVERING"
        stage.instead("balances", real)
        await stage.passes(90)
        assert stage.causes() >= {"difference"}

    play(tmp_path, first, second, between=lambda stage: lose(stage, U))


def test_dust_while_fills_settle_halts_nobody(tmp_path: Path) -> None:
    """Three millionths that the venue rounded otherwise, while there is always a fill that settles, are no difference."""

    async def scene(stage: Stage) -> None:
        await stage.passes(READY_S)
        order_id = await stage.resting(200 * U, at=100_000)
        stage.exchange.fill(order_id, U)
        await stage.passes(0.5)
        lose(stage, -3)
        states: set[str] = set()
        for _ in range(20):
            stage.exchange.fill(order_id, U, settles=15)
            await stage.passes(10, lambda: states.add(stage.state))
        assert states == {"ACTIVE"}
        await stage.passes(100)
        assert stage.account.cash == stage.exchange.cash

    play(tmp_path, scene)


def test_a_redemption_is_booked_while_a_fill_of_another_market_settles(tmp_path: Path) -> None:
    """Shares that went for exactly their payout are redeemed in the ledger, though cash is only known within a range."""

    async def scene(stage: Stage) -> None:
        await stage.passes(READY_S)
        stage.exchange.fill(await stage.resting(at=900_000, asset="22"), 10 * U)
        other = await stage.resting(100 * U, at=100_000, asset="11")
        await stage.passes(5)
        market = next(each for each in MARKETS if "22" in each.asset_ids)
        over = replace(market, payouts=(0, U), state=MarketState.RESOLVED)
        stage.trader._board.market_by_asset |= dict.fromkeys(over.asset_ids, over)
        stage.exchange.cash += 10 * U
        stage.exchange.shares["22"] = 0
        stage.exchange.moved()
        for _ in range(15):
            stage.exchange.fill(other, U, settles=15)
            await stage.passes(10)
        assert stage.state == "ACTIVE"
        assert stage.account.quantity_of(AssetId("22")) == 0
        await stage.passes(60)
        assert stage.account.cash == stage.exchange.cash == 120 * U - 9 * U + 10 * U - 15 * U // 10

    play(tmp_path, scene)


@pytest.mark.parametrize(
    ("words", "kept"), [((T.CONFIRMED, T.FAILED), 9 * U), ((T.MATCHED, T.FAILED, T.CONFIRMED), 10 * U)]
)
def test_two_last_words_about_one_fill_are_a_conflict(tmp_path: Path, words: tuple[T, ...], kept: int) -> None:
    """CONFIRMED after FAILED and FAILED after CONFIRMED both halt; what was booked first stands."""

    async def scene(stage: Stage) -> None:
        await stage.passes(READY_S)
        trade = stage.exchange.fill(await stage.resting(10 * U, at=500_000), 2 * U, settles=None, told=False)
        for word in words:
            leg = replace(stage.exchange.leg(trade), status=word, raw=f'{{"status":"{word.value}"}}')
            stage.take_in(VenueLeg(leg, stage.clock.now_ms(), stage.clock.now_ms()))
        assert stage.causes() == {"settlement_conflict"}
        assert stage.state == "HALTED"
        assert stage.account.cash == 120 * U - (10 * U - kept)

    play(tmp_path, scene)


@pytest.mark.parametrize("first", ["all lists", "the stream", "the list of trades"])
def test_an_order_of_somebody_else_that_is_partly_filled_counts_with_its_rest(tmp_path: Path, first: str) -> None:
    """The 60 shares that rest of somebody else's order for 100 reserve their cost, also if its fill is heard of first."""

    async def scene(stage: Stage) -> None:
        await stage.passes(READY_S)
        stage.exchange.others(EXTERNAL, quantity=100 * U, filled=40 * U)
        if first == "the stream":
            stage.exchange.publish(stage.exchange.trades[f"T{EXTERNAL}"])
        if first == "the list of trades":

            async def nothing() -> list[Any]:
                return []

            real = stage.instead("open_orders", nothing)
            await stage.passes(40)
            assert stage.order(EXTERNAL).quantity == 40 * U
            stage.instead("open_orders", real)
        await stage.passes(60)
        order = stage.order(EXTERNAL)
        assert (order.state, order.quantity, order.remaining) == (OrderState.OPEN, 100 * U, 60 * U)
        assert stage.account.reserved_cash == 18 * U
        assert stage.causes() == {"external_activity"}
        assert stage.account.cash == stage.exchange.cash

    play(tmp_path, scene)


def test_a_purchase_of_somebody_else_with_money_we_were_not_told_of_does_not_stop_the_start(tmp_path: Path) -> None:
    """The owner deposits 1000 and buys for 900 while the agent is down: it starts, counts both, and only reduces."""

    async def first(stage: Stage) -> None:
        await stage.passes(READY_S)

    def meanwhile(stage: Stage) -> None:
        stage.exchange.cash += 1_000 * U
        stage.exchange.others(EXTERNAL, quantity=3_000 * U, filled=3_000 * U)

    async def second(stage: Stage) -> None:
        assert stage.account.quantity_of(AssetId("21")) == 3_000 * U
        assert "external_activity" in stage.causes()
        assert "invariant" not in stage.causes()
        await stage.passes(1)

    play(tmp_path, first, second, between=meanwhile)


@pytest.mark.parametrize(("quantity", "taken"), [(2_040_000, False), (3_000_000, True)])
def test_a_buy_that_takes_for_less_than_one_dollar_is_refused(quantity: int, taken: bool) -> None:
    """What counts is what the book asks for it now, 0.40 a share, not its limit of 0.50: 0.81 is refused, 1.20 is not."""
    market, board = MARKETS[0], Board()
    board.apply(MarketListed(market, 1))
    board.apply(BookSnapshot(AssetId("11"), ((390_000, 50 * U),), ((400_000, 50 * U),), 1, 1))  # type: ignore[arg-type]
    signal = Signal(
        strategy="scene",
        asset_id=AssetId("11"),
        side=Side.BUY,
        target_price=Price(500_000),
        reason="the script",
        size=Usdc(quantity // 2),
        time_in_force=TimeInForce.FAK,
        signal_id="s",
    )
    assert signal.quantity == Shares(quantity)
    if taken:
        assert draft(signal, market, board.books[AssetId("11")], 1).budget == 1_200_000
    else:
        with pytest.raises(AgentError, match="1 USDC"):
            draft(signal, market, board.books[AssetId("11")], 1)
