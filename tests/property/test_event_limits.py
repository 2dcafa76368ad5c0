"""I14 across markets: whatever is approved and however it is filled, no limit on exposure is passed."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from polymarket_agent.config import RiskConfig
from polymarket_agent.decision.exposure import event_exposure, markets_at_risk, related_to, total_exposure
from polymarket_agent.decision.gate import Gate
from polymarket_agent.decision.view import as_order
from polymarket_agent.domain.book import Side
from polymarket_agent.domain.market import ConditionId, FeeSchedule, taker_fee
from polymarket_agent.domain.money import LOT, MICRO, Price, Shares, Usdc, cost_rounded_up, shares
from polymarket_agent.domain.order import Evidence, Fill, Order, OrderId, OrderState, SettlementStatus
from polymarket_agent.domain.portfolio import shrink
from polymarket_agent.domain.signal import Signal
from tests.unit.strategy_world import START_MS, World, a_market, no, yes

FEES = FeeSchedule(rate=50_000)
KEYS = ("a", "b", "c", "x")  # x stands alone
LIMITS = RiskConfig.model_validate(
    {
        "max_position_size": 40,
        "max_event_exposure": 60,
        "max_strategy_exposure": 45,
        "max_total_exposure": 80,
        "max_markets": 3,
        "max_order_size": 20,
        "max_daily_turnover": 1_000_000,
        "max_daily_loss": 1_000_000,
        "max_open_orders": 1_000,
        "max_orders_per_side": 50,
        "entries_per_minute": 600,
        "entries_per_hour": 3_600,
        "exits_per_minute": 600,
        "price_collar": "0.5",
        "exit_collar": "0.9",
        "max_slippage": "0.5",
    }
)


class Play:
    """A gate, an account, and a venue that fills what was approved as it likes."""

    def __init__(self, random: Random, *, complete: bool, shared: bool) -> None:
        self.random, self.shared = random, shared
        self.world = World(*(a_market(key, fees=FEES) for key in KEYS), cash="500")
        group = [self.world.board.markets[ConditionId(key)] for key in KEYS[:3]]
        self.world.group("g", group, neg_risk=True, complete=complete)
        for key in KEYS:
            self.world.mirrored("0.48", "0.50", size=1_000, key=key)
        self.account = self.world.account
        self.gate = Gate(LIMITS, self.account, self.world.board, streaming=True)
        self.now_ms, self.serial, self.sales = START_MS, 0, 0
        self.refused: set[str] = set()

    def step(self) -> None:
        self.now_ms += 31_000
        self.gate.heard_ms = self.now_ms
        live = list(self.account.orders.values())
        if live and self.random.random() < 0.5:
            self.fill(self.random.choice(live))
        else:
            self.wish()

    def wish(self) -> None:
        key = self.random.choice(KEYS)
        asset_id = self.random.choice([yes, no])(key)
        strategy = self.random.choice("st") if self.shared else "t" if key == "x" else "s"
        side = self.random.choice(list(Side))
        at = Price(self.random.randint(30, 70) * 10_000)
        quantity = shares(self.random.randint(5, 45))
        if side is Side.SELL:  # what another strategy bought is not sold here: attribution would move
            quantity = Shares(min(quantity, self.account.bought_by(strategy, asset_id)) // LOT * LOT)
        self.serial += 1
        signal = Signal(
            strategy=strategy,
            asset_id=asset_id,
            side=side,
            target_price=at,
            reason="drawn",
            size=cost_rounded_up(at, quantity),
            signal_id=f"{self.serial}",
        )
        order = as_order(signal, self.world.board.market_by_asset[asset_id], self.now_ms)
        order = replace(order, order_id=OrderId(f"o{self.serial}"))
        refusals = self.gate.refusals(signal, self.now_ms)
        self.refused |= {refusal.rule for refusal in refusals}
        if quantity:
            assert refusals == self.gate.refusals_of_order(order, signal, self.now_ms)
        if not refusals:
            order = replace(order, state=OrderState.OPEN)
            self.account.apply_order(order)
            self.gate.remember([order])
            if side is Side.BUY:
                live = self.account.orders.values()
                at_risk = total_exposure(self.world.board, self.account, live, strategy)
                assert at_risk <= LIMITS.max_strategy_exposure + self.slack

    @property
    def slack(self) -> int:
        """A partial sale leaves its cost rounded up, by a micro-unit an asset."""
        return 8 * self.sales

    def fill(self, order: Order) -> None:
        if self.random.random() < 0.2:
            self.account.apply_order(replace(order, state=OrderState.CANCELED, reserved=0))
            return
        part = self.random.choice([order.remaining, Shares(max(LOT, order.remaining // 3 // LOT * LOT))])
        buys = order.side is Side.BUY
        better = self.random.randint(0, 10) * 10_000
        at = Price(max(10_000, order.price - better) if buys else min(990_000, order.price + better))
        self.serial += 1
        fill = Fill(
            trade_id=f"t{self.serial}",
            order_id=order.order_id,
            condition_id=order.condition_id,
            asset_id=order.asset_id,
            side=order.side,
            price=at,
            quantity=part,
            notional=cost_rounded_up(at, part) if buys else Usdc(at * part // MICRO),
            fee=taker_fee(at, part, FEES),
            is_maker=False,
            evidence=Evidence.VENUE,
            at_ms=self.now_ms,
            strategy=order.strategy,
            settlement=self.random.choice([SettlementStatus.CONFIRMED, SettlementStatus.MATCHED]) if buys else
            SettlementStatus.CONFIRMED,
        )  # fmt: skip
        self.sales += not buys
        self.account.apply_fill(fill)
        after = shrink(order, fill, FEES)
        state = OrderState.FILLED if not after.remaining else OrderState.OPEN
        self.account.apply_order(replace(after, state=state, reserved=after.reserved if after.remaining else 0))

    def look(self) -> None:
        board, account, live = self.world.board, self.account, list(self.account.orders.values())
        slack = self.slack
        event = related_to(board, ConditionId("a"))
        assert event_exposure(account, event, live) <= LIMITS.max_event_exposure + slack
        assert total_exposure(board, account, live) <= LIMITS.max_total_exposure + slack
        # Two strategies in one asset have one average cost, and one may sell what hedged the other.
        for strategy in "" if self.shared else "st":
            assert total_exposure(board, account, live, strategy) <= LIMITS.max_strategy_exposure + slack
        assert len(markets_at_risk(account, live)) <= LIMITS.max_markets
        assert account.free_cash >= 0
        assert all(account.free_shares(each(key)) >= 0 for each in (yes, no) for key in KEYS)


def plays(*, complete: bool, shared: bool) -> list[Play]:
    done = []
    for seed in range(40):
        play = Play(Random(f"{seed} {complete} {shared}"), complete=complete, shared=shared)
        for _ in range(80):
            play.step()
            play.look()
        done.append(play)
    return done


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("complete", [True, False])
def test_no_filling_takes_an_event_a_strategy_or_the_total_above_its_limit(complete: bool, shared: bool) -> None:
    """Drawn wishes through the gate, filled in any order, part and better price: exposure keeps to its limits."""
    played = plays(complete=complete, shared=shared)

    # The play is worth watching: these limits were reached, and sales were made.
    reached = {"max_order_size", "max_position_size", "max_strategy_exposure", "max_total_exposure", "max_markets"}
    reached |= {"means", "max_event_exposure"} if shared else set()
    assert {rule for play in played for rule in play.refused} >= reached
    assert sum(play.sales for play in played) > 100
