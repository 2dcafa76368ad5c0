"""What the gate remembers of a day: losses with money from outside, turnover, messages, and the state it leads to."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from polymarket_agent.config import RiskConfig
from polymarket_agent.decision.conditions import Conditions
from polymarket_agent.decision.day import TradingDay
from polymarket_agent.decision.gate import Gate
from polymarket_agent.decision.states import AgentState
from polymarket_agent.decision.view import as_order
from polymarket_agent.domain.book import Side
from polymarket_agent.domain.money import usdc
from polymarket_agent.domain.order import Order, OrderId, OrderState
from polymarket_agent.domain.signal import Signal
from tests.unit.agent_world import buy, sell
from tests.unit.strategy_world import START_MS, World, a_market, yes

DAY_MS, HOUR_MS = 86_400_000, 3_600_000
LIMITS: dict[str, Any] = {
    "max_position_size": 100,
    "max_daily_loss": 50,
    "max_drawdown": 80,
    "max_open_orders": 50,
    "max_orders_per_side": 50,
    "entries_per_minute": 600,
    "entries_per_hour": 3_600,
    "duplicate_window_s": 0,
}
PLAIN = buy(yes(), "0.50", "5")


class Desk:
    """A gate at midnight with 1000 USDC, whose book can be moved and lost."""

    def __init__(self, *, day: TradingDay | None = None, last: str | None = None, **limits: Any) -> None:
        self.world = World(a_market())
        self.world.mirrored("0.48", "0.50", size=1_000)
        self.conditions = Conditions()
        self.gate = Gate(
            RiskConfig.model_validate(LIMITS | limits),
            self.world.account,
            self.world.board,
            streaming=True,
            day=day,
            last_equity=usdc(last) if last else None,
            conditions=self.conditions,
        )
        self.gate.heard_ms = START_MS + 9 * DAY_MS

    def keep(self, at_ms: int = START_MS) -> None:
        equity, unpriced = self.gate.worth()
        self.gate.keep_day(at_ms, equity, priced=not unpriced)

    def said(self, signal: Signal = PLAIN, at_ms: int = START_MS) -> set[str]:
        self.gate.heard_ms = at_ms
        return {refusal.rule for refusal in self.gate.refusals(signal, at_ms)}

    def hold(self, quantity: int, at: str = "0.50") -> None:
        owner: Any = type("Owner", (), {"name": "s"})()
        self.world.fill(owner, yes(), Side.BUY, at, quantity)

    def causes(self, at_ms: int = START_MS) -> list[str]:
        self.gate.enforce(at_ms)
        return [each.cause for each in self.conditions.states.causes]


def an_order(
    order_id: str, signal: Signal = PLAIN, at_ms: int = START_MS, state: OrderState = OrderState.OPEN, **changes: Any
) -> Order:
    order = replace(as_order(signal, a_market(), at_ms), order_id=OrderId(order_id), state=state, updated_ms=at_ms)
    return replace(order, **changes)


def test_e4_a_deposit_is_no_gain() -> None:
    """E4: day open 1000, deposit 200, equity 1150 is a loss of 50, which stops entries and reduces the agent."""
    desk = Desk()
    desk.keep()
    desk.world.account.deposit(usdc(200))
    assert desk.said() == set()

    desk.world.account.cash = usdc(1_150)
    assert desk.said() == {"max_daily_loss"}
    assert desk.causes() == ["daily_loss"]
    assert desk.conditions.states.state is AgentState.REDUCING


def test_a_withdrawal_is_no_loss() -> None:
    """What the operator takes out moves the opening and the highest equity down with it."""
    desk = Desk()
    desk.keep()
    desk.world.account.deposit(usdc(-900))

    assert desk.said() == set()
    assert desk.causes() == []


def test_a_drawdown_goes_over_midnight() -> None:
    """Two days that each lose less than the daily limit stop entries together, until the operator begins again."""
    desk = Desk()
    desk.keep()
    for day, cash in ((0, 960), (1, 925), (2, 920)):
        desk.world.account.cash = usdc(cash)
        at_ms = START_MS + day * DAY_MS
        desk.keep(at_ms)
        assert desk.said(at_ms=at_ms) == ({"max_drawdown"} if day == 2 else set())
    at_ms = START_MS + 2 * DAY_MS
    assert desk.causes(at_ms) == ["drawdown"]
    assert desk.causes(at_ms + 9 * DAY_MS) == ["drawdown"]

    desk.gate.highest.begin_again(usdc(920))
    assert desk.said(at_ms=at_ms) == {"state"}
    desk.conditions.states.resume(at_ms, confirmed=False)
    assert desk.causes(at_ms) == ["resume"]


@pytest.mark.parametrize(("last", "day"), [("1000", None), (None, TradingDay("2026-02-16", usdc(1_000)))])
def test_the_highest_equity_is_not_forgotten_by_starting_again(last: str | None, day: TradingDay | None) -> None:
    """The last equity and the day's opening of the run before are where the drawdown counts from at least."""
    desk = Desk(last=last, day=day, max_daily_loss=500)
    desk.world.account.cash = usdc(920)

    assert "max_drawdown" in desk.said()


def test_a_loss_of_the_day_ends_with_the_day() -> None:
    """At midnight the state goes back by itself and entries pass again."""
    desk = Desk()
    desk.keep()
    desk.world.account.cash = usdc(940)
    assert desk.causes() == ["daily_loss"]

    desk.keep(START_MS + DAY_MS)
    assert desk.causes(START_MS + DAY_MS) == []
    assert desk.said(at_ms=START_MS + DAY_MS) == set()


def test_a_loss_is_not_judged_before_its_day_has_begun() -> None:
    """Between midnight and the first equity of the day, yesterday's loss is not carried into it."""
    desk = Desk()
    desk.keep()
    desk.world.account.cash = usdc(940)

    assert desk.causes(START_MS + DAY_MS) == []


def test_a_price_that_is_missing_reduces_until_it_is_back() -> None:
    """E6: bids vanish, the haircut alone reaches the limit: REDUCING without a sale, and ACTIVE with the price."""
    desk = Desk(max_daily_loss=9)
    desk.hold(200)
    desk.keep()
    desk.world.gap()

    assert desk.causes() == ["unpriced_loss"]
    desk.world.mirrored("0.48", "0.50", size=1_000)
    assert desk.causes() == []
    desk.world.mirrored("0.42", "0.44", size=1_000)
    assert desk.causes() == ["daily_loss"]


def test_failed_fills_reduce_the_agent_until_the_operator_comes() -> None:
    """Five in ten minutes; an hour later the cause is still open."""
    desk = Desk()
    desk.keep()
    for number in range(5):
        desk.gate.breakers.settled(a_market(f"{number}").condition_id, START_MS + number, failed=True)

    assert desk.causes(START_MS + 5) == ["ghost_fills"]
    assert desk.causes(START_MS + HOUR_MS) == ["ghost_fills"]


def test_a_wrong_clock_reduces_until_it_has_been_right_for_five_minutes() -> None:
    """The state follows the fact; every change is handed out once, to be written down."""
    desk = Desk()
    desk.keep()
    desk.conditions.clock_ok = False
    [change] = desk.gate.enforce(START_MS)
    assert (change.cause, change.after) == ("clock", AgentState.REDUCING)
    assert desk.gate.enforce(START_MS + 1) == []

    desk.conditions.clock_ok = True
    assert desk.causes(START_MS + 2) == ["clock"]
    assert desk.causes(START_MS + 300_001) == ["clock"]
    assert desk.causes(START_MS + 300_002) == []


def test_turnover_is_what_buys_spent_and_may_still_spend() -> None:
    """100 a day: 60 spent and 30 alive leave 10; an order that ended unfilled gives its part back."""
    desk = Desk(max_daily_turnover=100)
    done = an_order("a", buy(yes(), "0.50", "60"), state=OrderState.FILLED, spent=usdc(60), reserved=0)
    alive = an_order("b", buy(yes(), "0.50", "30"))
    desk.gate.remember([done, alive])
    assert desk.said(buy(yes(), "0.50", "10")) == set()
    assert desk.said(buy(yes(), "0.50", "10.50")) == {"max_daily_turnover"}

    desk.gate.remember([replace(alive, state=OrderState.CANCELED, reserved=0)])
    assert desk.said(buy(yes(), "0.50", "40")) == set()


def test_turnover_begins_anew_at_midnight_but_for_what_is_alive() -> None:
    """What filled yesterday is forgotten; what may fill today counts today."""
    desk = Desk(max_daily_turnover=100)
    done = an_order("a", buy(yes(), "0.50", "60"), state=OrderState.FILLED, spent=usdc(60), reserved=0)
    desk.gate.remember([done, an_order("b", buy(yes(), "0.50", "30"))])

    at_ms = START_MS + DAY_MS
    assert desk.said(buy(yes(), "0.50", "70"), at_ms) == set()
    assert desk.said(buy(yes(), "0.50", "71"), at_ms) == {"max_daily_turnover"}
    desk.gate.remember([done])  # yesterday's order is reported once more
    assert desk.said(buy(yes(), "0.50", "70"), at_ms) == set()
    assert desk.gate.turnover.today(START_MS) == usdc(30)  # the day does not go back


def test_a_loop_of_small_buys_comes_to_an_end() -> None:
    """C20: orders that fill at once, each within every other limit, stop at the day's turnover."""
    desk = Desk(max_daily_turnover=50)
    count = 0
    while not desk.said(at_ms=START_MS + count * 1_000):
        order = an_order(f"{count}", at_ms=START_MS + count * 1_000, state=OrderState.FILLED, spent=usdc(5), reserved=0)
        desk.gate.remember([order])
        count += 1
        assert count < 100
    assert count == 10


def test_sales_are_no_turnover() -> None:
    """An exit is not held back, and its shares are not dollars."""
    desk = Desk(max_daily_turnover=5)
    desk.hold(100)
    desk.gate.remember([an_order("a", sell(yes(), "0.48", "100"))])

    assert desk.gate.turnover.today(START_MS) == 0
    assert "max_daily_turnover" not in desk.said(sell(yes(), "0.48", "50"))


def test_an_order_is_one_message_however_often_it_is_reported() -> None:
    """Ten orders empty the burst; their fills and cancellations are no messages, and time fills it again."""
    desk = Desk()
    orders = [an_order(f"o{n}", replace(PLAIN, post_only=True)) for n in range(10)]
    desk.gate.remember(orders[:9])
    desk.gate.remember(replace(order, state=OrderState.CANCELED, reserved=0) for order in orders[:9])
    assert desk.said() == set()
    desk.gate.remember(orders[9:])

    assert desk.said() == {"message_rate"}
    assert desk.said(at_ms=START_MS + 200) == set()


def test_an_order_that_was_never_sent_is_no_message() -> None:
    """What the binding check abandoned has not left."""
    desk = Desk()
    desk.gate.remember(an_order(f"o{n}", state=OrderState.ABANDONED, reserved=0) for n in range(50))

    assert desk.said() == set()


def test_orders_of_hours_ago_are_no_messages_of_now() -> None:
    """A late report about an order that is no longer known by its id empties no bucket."""
    desk = Desk()
    desk.gate.remember(
        an_order(f"o{n}", at_ms=START_MS - HOUR_MS, state=OrderState.CANCELED, reserved=0) for n in range(50)
    )

    assert desk.said() == set()


def test_refusals_of_the_venue_over_several_assets_stop_a_strategy() -> None:
    """Each order counts once, refused for ever or for now; a minute later entries pass again."""
    desk = Desk()
    rejected = [
        an_order(f"o{n}", replace(PLAIN, post_only=True, target_price=PLAIN.target_price), state=state, reserved=0)
        for n, state in enumerate([OrderState.REJECTED, OrderState.QUARANTINED] * 2)
    ]
    desk.gate.remember(rejected)
    desk.gate.remember(rejected)
    assert desk.said() == set()
    desk.gate.remember([an_order("last", state=OrderState.REJECTED, reserved=0)])

    assert desk.said() == {"breakers"}
    assert desk.said(at_ms=START_MS + 60_000) == set()


def test_what_the_gate_remembers_of_messages_is_bounded() -> None:
    """I26: the ids of orders that left are kept up to a number, far above what a minute can have."""
    desk = Desk()
    for number in range(12_000):
        at_ms = START_MS + number * 1_000
        desk.gate.remember([an_order(f"o{number}", at_ms=at_ms, state=OrderState.CANCELED, reserved=0)])

    assert len(desk.gate._left) == 5_000
