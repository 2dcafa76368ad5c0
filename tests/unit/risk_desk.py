"""A board, an account and limits for tests of the rules, and words for what can be made worse."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from polymarket_agent.config import RiskConfig
from polymarket_agent.decision.breakers import Breakers, MessageRate
from polymarket_agent.decision.conditions import Conditions
from polymarket_agent.decision.risk import RiskView, check
from polymarket_agent.decision.view import as_order
from polymarket_agent.domain.book import Side
from polymarket_agent.domain.market import AssetId
from polymarket_agent.domain.money import usdc
from polymarket_agent.domain.order import Order, OrderId, OrderState
from polymarket_agent.domain.signal import Signal
from tests.unit.agent_world import buy, sell
from tests.unit.strategy_world import START_MS, World, a_market, yes

SECOND = 1_000


@dataclass
class Desk:
    """A board, an account and limits; every rule passes a plain purchase until something is made worse."""

    world: World = field(default_factory=lambda: World(a_market()))
    limits: dict[str, Any] = field(default_factory=dict)
    loss: str = "0"
    age_ms: int | None = 0
    recent: list[Order] = field(default_factory=list)
    pending: list[Signal] = field(default_factory=list)
    unpriced: frozenset[AssetId] = frozenset()
    fallen: str = "0"
    turnover: str = "0"
    conditions: Conditions = field(default_factory=Conditions)
    breakers: Breakers = field(default_factory=Breakers)
    messages: MessageRate = field(default_factory=MessageRate)

    def __post_init__(self) -> None:
        self.world.mirrored("0.48", "0.50", size=1_000)

    def view(self) -> RiskView:
        wide = {"max_position_size": 100, "max_daily_loss": 50, "max_open_orders": 10, "entries_per_minute": 3}
        return RiskView(
            now_ms=self.world.now_ms,
            limits=RiskConfig.model_validate(wide | self.limits),
            account=self.world.account,
            board=self.world.board,
            daily_loss=usdc(self.loss),
            book_age_ms=self.age_ms,
            recent=self.recent,
            unpriced=self.unpriced,
            pending=[as_order(leg, a_market(), self.world.now_ms) for leg in self.pending],
            drawdown=usdc(self.fallen),
            turnover=usdc(self.turnover),
            conditions=self.conditions,
            breakers=self.breakers,
            messages=self.messages,
        )

    def said(self, signal: Signal) -> dict[str, str]:
        """Return the refusals by rule."""
        return dict(check(signal, self.view()))

    def order(self, signal: Signal, age_s: int = 0, order_id: str = "o", state: OrderState = OrderState.OPEN) -> Order:
        """Return an order of a signal, `age_s` old; `live` puts it on the account."""
        created = self.world.now_ms - age_s * SECOND
        return replace(as_order(signal, a_market(), created), order_id=OrderId(order_id), state=state)

    def live(self, signal: Signal, age_s: int = 0, order_id: str = "o") -> None:
        self.world.account.apply_order(self.order(signal, age_s, order_id))

    def crowd(self, limit: int, *signals: Signal, pending: bool = False) -> None:
        self.limits["max_open_orders"] = limit
        for number, signal in enumerate(signals):
            if pending:
                self.pending.append(signal)
            else:
                self.live(signal, order_id=f"c{number}")

    def hold(self, asset_id: AssetId, quantity: int, at: str = "0.40") -> None:
        owner: Any = type("Owner", (), {"name": "s"})()
        self.world.fill(owner, asset_id, Side.BUY, at, quantity)

    def facts(self, **facts: Any) -> None:
        """Change what is known of the world outside."""
        for name, value in facts.items():
            setattr(self.conditions, name, value)

    def turned_over(self, amount: str, limit: int) -> None:
        self.turnover, self.limits["max_daily_turnover"] = amount, limit

    def lost_streams(self, count: int, age_ms: int) -> None:
        for _ in range(count):
            self.breakers.reconnected(START_MS - age_ms)

    def sent(self, count: int, limits: dict[str, Any] | None = None) -> None:
        """Let so many orders leave now."""
        self.limits |= limits or {}
        for _ in range(count):
            self.messages.take(self.view().limits, self.world.now_ms)


PLAIN = buy(yes(), "0.50", "5")
EXIT = sell(yes(), "0.48", "10")


Make = Callable[[Desk], Signal]


def given(change: Callable[[Desk], object], signal: Signal = PLAIN) -> Make:
    def make(desk: Desk) -> Signal:
        change(desk)
        return signal

    return make
