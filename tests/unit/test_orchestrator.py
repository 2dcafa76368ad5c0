from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from polymarket_agent.config import Config, Mode, StrategyConfig
from polymarket_agent.db import Database
from polymarket_agent.domain.book import Side
from polymarket_agent.domain.events import Event, TradePrint
from polymarket_agent.domain.market import ConditionId, FeeSchedule
from polymarket_agent.domain.money import price, shares, usdc
from polymarket_agent.domain.signal import Basket, Quote, Signal, TargetQuotes, Wish
from polymarket_agent.errors import ConfigError, LiveLockedError
from polymarket_agent.orchestrator import Orchestrator
from polymarket_agent.strategies.base import Wakes
from tests.unit.agent_world import (
    DAY_MS,
    START_MS,
    Listed,
    Says,
    Script,
    a_config,
    a_market,
    buy,
    held,
    mirrored,
    no,
    opening,
    rows,
    run,
    sell,
    take,
    ticks,
    verdicts,
    yes,
)


@pytest.fixture
def db() -> Iterator[Database]:
    with Database(":memory:") as database:
        yield database


def quoting(*prices_and_sizes: tuple[str, int], side: Side = Side.BUY) -> TargetQuotes:
    quotes = tuple(Quote(yes(), side, price(at), shares(size)) for at, size in prices_and_sizes)
    return TargetQuotes(strategy="s", condition_id=ConditionId("m"), quotes=quotes, reason="quote")


# -- starting -------------------------------------------------------------------------------------------------------


def test_live_mode_is_refused_with_one_sentence_before_anything_is_written(db: Database) -> None:
    """mode: live alone opens no lock: exit code 3, one sentence that names the others, an untouched ledger."""
    with pytest.raises(LiveLockedError, match=r"also needs --live and credentials$") as caught:
        Orchestrator(Config(mode=Mode.LIVE), db, Listed([]), strategies=[])

    assert caught.value.exit_code == 3
    assert rows(db, "SELECT 1 FROM runs UNION ALL SELECT 1 FROM postings") == []


def test_a_strategy_that_does_not_exist_leaves_no_run(db: Database) -> None:
    """An error in the config is found before the ledger is touched."""
    with pytest.raises(ConfigError, match="there is no strategy 'nonsense'"):
        Orchestrator(Config(strategies=(StrategyConfig(kind="nonsense"),)), db, Listed([]))

    assert rows(db, "SELECT 1 FROM runs UNION ALL SELECT 1 FROM postings") == []


def test_the_preview_of_the_gate_says_what_the_gate_says(db: Database) -> None:
    """_check_risk gives None for what may be an order, else every rule that refuses with its reason."""
    agent = run(opening(a_market()), db=db, config=a_config(risk={"max_position_size": 10}))

    assert agent._check_risk(buy(yes(), "0.50", "10")) is None
    said = agent._check_risk(buy(yes(), "0.60", "10.8")) or ""
    assert said.startswith("collar: 0.6 is 0.11 above")
    assert "; max_position_size: BUY of 10.80 USDC refused" in said


# -- worked examples ------------------------------------------------------------------------------------------------


def test_e3_two_wishes_in_one_pass_are_approved_one_after_the_other(db: Database) -> None:
    """E3: limit 100, used 80; 15 is approved, then 10 is refused because 105 of 100 would be at risk."""
    lines: dict[int, list[Wish]] = {
        START_MS + 1: [take(yes(), "0.50", "80")],
        START_MS + 2: [quoting(("0.30", 50), ("0.25", 40))],
    }
    agent = run([*opening(a_market()), *ticks(1, 2)], Script(lines), db=db)

    assert [order.price for order in agent.account.orders.values()] == [price("0.30")]
    verdict, rule, why = verdicts(db)[-1]
    assert (verdict, rule) == ("refused", "max_position_size")
    assert "BUY of 10.00 USDC" in why
    assert "95.00 are at risk" in why


def test_e7_buying_is_no_loss() -> None:
    """E7: buy 60 and hold at an unchanged price: the daily loss is spread and fees, not 60."""
    market = a_market(fees=FeeSchedule(rate=50_000))
    agent = run([*opening(market), *ticks(1, 2)], Script({START_MS + 1: [take(yes(), "0.50", "60")]}))
    entry_fee, exit_fee, spread = usdc("1.5"), usdc("1.4976"), usdc("2.4")

    assert agent.gate.day.loss(agent.equity()) == entry_fee + exit_fee + spread


def test_e8_a_realised_loss_stays_a_loss() -> None:
    """E8: selling at a loss of 10 turns it into cash, and the budget of the day is not refilled."""
    lines = {START_MS + 1: [take(yes(), "0.50", "50")], START_MS + 3: [sell(yes(), "0.40")]}
    fall = mirrored(yes(), no(), "0.40", "0.42", 1_000, START_MS + 2)
    agent = run([*opening(a_market()), *ticks(1), *fall, *ticks(3, 4)], Script(lines))

    assert (held(agent, yes()), agent.gate.day.loss(agent.equity())) == (0, usdc(10))


def test_a_spent_loss_budget_stops_entries_and_no_exit(db: Database) -> None:
    """E4: at max_daily_loss an entry is refused with both numbers, the sale of what is held passes."""
    lines: dict[int, list[Wish]] = {
        START_MS + 1: [take(yes(), "0.50", "50")],
        START_MS + 3: [buy(yes("n"), "0.50", "5")],
        START_MS + 4: [sell(yes(), "0.40")],
    }
    fall = mirrored(yes(), no(), "0.40", "0.42", 1_000, START_MS + 2)
    events = [*opening(a_market()), *opening(a_market("n")), *ticks(1), *fall, *ticks(3, 4, 5)]
    agent = run(events, Script(lines), db=db, config=a_config(risk={"max_daily_loss": 10}))

    assert verdicts(db)[1] == (
        "refused",
        "max_daily_loss",
        "equity has fallen by 10.00 USDC today; max_daily_loss is 10.00",
    )
    assert (held(agent, yes()), verdicts(db)[2][0]) == (0, "approved")


def test_the_next_utc_day_has_a_new_budget(db: Database) -> None:
    """At midnight the day opens with the equity of that moment, durably, and entries pass again."""
    lines: dict[int, list[Wish]] = {
        START_MS + 1: [take(yes(), "0.50", "50")],
        START_MS + DAY_MS + 1: [buy(yes("n"), "0.50", "5")],
    }
    fall = mirrored(yes(), no(), "0.40", "0.42", 1_000, START_MS + 2)
    events = [*opening(a_market()), *opening(a_market("n")), *ticks(1), *fall, *ticks(3, DAY_MS, DAY_MS + 1)]
    run(events, Script(lines), db=db, config=a_config(risk={"max_daily_loss": 10}))

    assert [verdict for verdict, *_ in verdicts(db)] == ["approved", "approved"]
    assert rows(db, "SELECT day, equity FROM day_opens") == [("2026-02-16", usdc(1_000)), ("2026-02-17", usdc(990))]


# -- baskets --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("risk", "rule"),
    [({"max_open_orders": 1}, "max_open_orders"), ({"max_position_size": 8}, ""), ({"cash_reserve": 992}, "")],
)
def test_a_basket_is_ordered_as_a_whole_or_not_at_all(db: Database, risk: dict[str, Any], rule: str) -> None:
    """When one leg is refused none becomes an order, and each is kept with a reason; a smaller one stays whole."""
    legs = (buy(yes(), "0.45"), buy(no(), "0.46"))
    basket = Basket(strategy="s", legs=legs, reason="pair", quantity=shares(10))
    agent = run(
        [*opening(a_market()), *ticks(1, 2)], Script({START_MS + 1: [basket]}), db=db, config=a_config(risk=risk)
    )

    if rule:
        assert agent.account.orders == {}
        assert [(verdict, each) for verdict, each, _ in verdicts(db)] == [("refused", "basket"), ("refused", rule)]
    else:
        assert len({order.quantity for order in agent.account.orders.values()}) == 1
        assert len(agent.account.orders) == 2


@pytest.mark.parametrize(
    ("legs", "rule"),
    [
        ((buy(yes(), "0.50"), buy(no(), "0.52")), "self_trade"),
        ((buy(yes(), "0.45"), buy(yes(), "0.45")), "duplicate"),
        ((buy(yes(), "0.45"), buy(yes(), "0.44"), buy(yes(), "0.43")), "max_open_orders"),
    ],
)
def test_legs_are_checked_against_each_other(db: Database, legs: tuple[Signal, ...], rule: str) -> None:
    """Legs that would meet each other, copy each other or crowd one side refuse their basket."""
    basket = Basket(strategy="s", legs=legs, reason="pair", quantity=shares(10))
    agent = run([*opening(a_market()), *ticks(1)], Script({START_MS + 1: [basket]}), db=db)

    assert len(agent.stats.orders) == 0
    assert agent.stats.refusals[rule] == 1


# -- strategies that misbehave --------------------------------------------------------------------------------------


def test_a_strategy_set_aside_leaves_no_buys_behind(db: Database) -> None:
    """Its live buys are cancelled because nobody would; its sale stands, others go on, the operator finds a notice."""
    lines: dict[int, list[Wish]] = {
        START_MS + 1: [take(yes(), "0.50", "20")],
        START_MS + 2: [sell(yes(), "0.60"), buy(yes("n"), "0.40", "5")],
    }
    script = Script(lines)

    def speak(event: Event, view: Any) -> Any:
        if event.at_ms == START_MS + 3:
            raise ValueError("boom")
        return script.on_event(event, view)

    other = Says(lambda *_: (), "other")
    events = [*opening(a_market()), *opening(a_market("n")), *ticks(1, 2, 3, 4)]
    agent = run(events, Says(speak, wakes=Wakes(every_ms=1)), other, db=db)

    assert [order.side for order in agent.account.orders.values()] == [Side.SELL]
    assert agent.stats.set_aside == {"s": "ValueError: boom"}
    notices = rows(db, "SELECT level, event, detail FROM notices")
    assert notices[0] == ("error", "strategy_set_aside", "s: ValueError: boom")
    assert notices[1][:2] == ("warning", "unattended_order_cancelled")
    assert other.asked > 4


def test_live_buys_of_a_strategy_that_is_gone_are_cancelled_at_the_start(db: Database) -> None:
    """Who is not in the config any more does not go on buying."""
    run([*opening(a_market()), *ticks(1)], Script({START_MS + 1: [buy(yes(), "0.40", "5")]}), db=db)
    agent = run([*opening(a_market()), *ticks(1, 2)], Says(lambda *_: (), "other"), db=db)

    assert agent.account.orders == {}
    assert agent.account.free_cash == usdc(1_000)


@pytest.mark.parametrize("field", [{"target_price": 0.5}, {"reason": "\ud800"}, {"confidence": float("nan")}])
def test_a_signal_of_the_wrong_type_is_a_refusal_and_not_the_end_of_the_ledger(
    db: Database, field: dict[str, Any]
) -> None:
    """A float price once reached the writer, which stopped for good; it is refused by shape and stored as that."""
    wrong = Signal(
        **{"strategy": "s", "asset_id": yes(), "side": Side.BUY, "target_price": price("0.5"), "reason": "", **field}
    )
    agent = run([*opening(a_market()), *ticks(1)], Script({START_MS + 1: [wrong]}), db=db)

    assert agent.ended == "end of feed"
    assert [(verdict, rule) for verdict, rule, _ in verdicts(db)] == [("refused", "shape")]


def test_fills_wake_strategies_again_but_not_for_ever() -> None:
    """A strategy that answers each fill with another purchase is asked a bounded number of times for an event."""
    greedy = Says(lambda *_: [take(yes(), "0.50", "3")], wakes=Wakes(fills=True, trades=True))
    trade = TradePrint(yes(), price("0.50"), shares(1), taker_buys=True, at_ms=START_MS + 1)
    agent = run([*opening(a_market()), trade], greedy, config=a_config(risk={"duplicate_window_s": 0}))

    assert agent.stats.signals["approved"] == 4
