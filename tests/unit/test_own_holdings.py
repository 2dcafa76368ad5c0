"""What a strategy owns among the shares of one account, also after a restart."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from polymarket_agent.adapters.scenario import ScenarioFeed
from polymarket_agent.config import Config, RiskConfig
from polymarket_agent.db import Database
from polymarket_agent.domain.account import Account
from polymarket_agent.domain.book import Side
from polymarket_agent.domain.events import Event, Filled
from polymarket_agent.domain.market import AssetId, ConditionId
from polymarket_agent.domain.money import price, shares, usdc
from polymarket_agent.domain.order import Evidence, Fill, OrderId
from polymarket_agent.domain.signal import Wish
from polymarket_agent.orchestrator import Orchestrator
from polymarket_agent.strategies.base import MarketView, Wakes
from polymarket_agent.strategies.signal_trader import SignalTrader

ASSET = AssetId("7" * 70)


def a_fill(number: int, strategy: str, side: Side, quantity: str) -> Fill:
    return Fill(
        trade_id=f"t{number}", order_id=OrderId(f"o{number}"), condition_id=ConditionId("0x1"), asset_id=ASSET,
        side=side, price=price("0.5"), quantity=shares(quantity), notional=usdc("5"), fee=usdc("0"), is_maker=False,
        evidence=Evidence.DISPLAYED, at_ms=number, strategy=strategy,
    )  # fmt: skip


def test_shares_belong_to_the_strategy_that_bought_them() -> None:
    """Two strategies hold one asset in one account; each sees its own shares, and a sale is its seller's."""
    account = Account(usdc("100"))
    for number, (strategy, side, quantity) in enumerate(
        [("a", Side.BUY, "10"), ("b", Side.BUY, "10"), ("a", Side.SELL, "4")]
    ):
        account.apply_fill(a_fill(number, strategy, side, quantity))
    assert [account.bought_by(name, ASSET) for name in ("a", "b", "c")] == [shares("6"), shares("10"), 0]
    account.apply_resolution(ASSET, 1_000_000)
    assert account.bought_by("b", ASSET) == 0


class Listener:
    """Notes the fills that it is told of."""

    name = "signal_trader"
    wakes = Wakes(fills=True)

    def __init__(self) -> None:
        self.told: list[Fill] = []

    def on_event(self, event: Event, view: MarketView) -> Sequence[Wish]:
        if isinstance(event, Filled):
            self.told.append(event.fill)
        return ()


async def test_after_a_restart_a_strategy_is_told_of_what_it_still_holds(tmp_path: Path) -> None:
    """Fills of assets that are held are told again before anything else, so that exits go on."""
    limits = RiskConfig.model_validate(
        {"max_position_size": "100", "max_daily_loss": "100", "max_open_orders": "20", "exits_per_minute": "1"}
    )
    config = Config(risk=limits)
    with (
        Database(tmp_path / "a.db") as db,
        Orchestrator(config, db, ScenarioFeed(), strategies=[SignalTrader()]) as run,
    ):
        feed = ScenarioFeed().generate()
        while not run.account.positions:
            event = next(feed)
            run._clock.advance_to(event.at_ms)  # type: ignore[attr-defined]
            run._take_in(event, event.at_ms)
            if run.engine.due:
                await run._decide()
        held = run.account.positions.copy()
    listener = Listener()
    with Database(tmp_path / "a.db") as db, Orchestrator(config, db, ScenarioFeed(), strategies=[listener]) as run:
        assert run.account.positions == held
        await run.run()
        assert {fill.asset_id for fill in listener.told} == set(held)
