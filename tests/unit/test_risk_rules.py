from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from polymarket_agent.domain.events import MarketClosed, MarketResolved, TickSizeChange
from polymarket_agent.domain.market import AssetId
from polymarket_agent.domain.money import Price, Usdc
from polymarket_agent.domain.order import OrderState
from polymarket_agent.domain.signal import Signal
from tests.unit.agent_world import buy, sell
from tests.unit.risk_desk import EXIT, PLAIN, SECOND, Desk, Make, given
from tests.unit.strategy_world import START_MS, World, a_market, no, yes


def test_a_plain_purchase_passes_every_rule() -> None:
    """Every rule of the gate lets a small purchase at a fresh, narrow book pass."""
    assert Desk().said(PLAIN) == {}


def _thin(desk: Desk) -> Signal:
    desk.world.book(yes(), [("0.48", 9)], [("0.50", 2), ("0.53", 50)])
    return buy(yes(), "0.53", "5")


def wide(desk: Desk) -> Signal:
    desk.world.book(yes(), [("0.30", 9)], [("0.60", 50)])
    return buy(yes(), "0.60", "5")


def _crossed(desk: Desk) -> Signal:
    desk.world.book(yes(), [("0.55", 9)], [("0.50", 9)])
    return PLAIN


def _ends_in(seconds: int | None) -> Make:
    def make(desk: Desk) -> Signal:
        end = None if seconds is None else desk.world.now_ms + seconds * SECOND
        desk.world = World(a_market(end_at_ms=end))
        desk.world.mirrored("0.48", "0.50")
        desk.limits["min_time_to_end_s"] = 60
        return PLAIN

    return make


def _repeated(rows: int, age_s: int, state: OrderState = OrderState.FILLED, **limits: int) -> Make:
    def make(desk: Desk) -> Signal:
        desk.limits |= limits
        desk.recent = [desk.order(PLAIN, age_s, f"o{n}", state) for n in range(rows)]
        return PLAIN

    return make


# rule, how it comes to it, what the refusal must say: the value and the limit.
REFUSALS: list[tuple[str, Make, tuple[str, ...]]] = [
    ("shape", given(lambda _: None, replace(PLAIN, size=Usdc(0))), ("a size of 0 USDC", "above 0")),
    ("shape", given(lambda _: None, replace(PLAIN, target_price=Price(1_000_000))), ("price of 1", "between 0 and 1")),
    ("instrument", given(lambda _: None, replace(PLAIN, asset_id=AssetId("other"))), ("other", "no market")),
    ("instrument", given(lambda d: d.world.board.apply(MarketClosed(d.world.board.market_by_asset[yes()].condition_id, 1))), ("no orders",)),
    ("instrument", given(lambda d: d.world.board.apply(MarketResolved(d.world.board.market_by_asset[yes()].condition_id, (1_000_000, 0), 1))), ("resolved",)),
    ("instrument", given(lambda _: None, replace(PLAIN, expires_at_ms=START_MS)), ("end has passed",)),
    ("time_to_end", _ends_in(59), ("59 s", "min_time_to_end_s = 60")),
    ("time_to_end", _ends_in(None), ("nobody knows", "min_time_to_end_s = 60")),
    ("freshness", given(lambda d: d.world.gap()), ("no order book",)),
    ("freshness", given(lambda d: setattr(d, "age_ms", None)), ("no order book",)),
    ("freshness", given(lambda d: setattr(d, "age_ms", 2_001)), ("2001 ms old", "max_book_age_ms is 2000")),
    ("freshness", given(lambda d: setattr(d, "age_ms", -5_001)), ("5001 ms ahead", "at most 5000")),
    ("freshness", _crossed, ("crossed",)),
    ("freshness", given(lambda d: setattr(d, "unpriced", frozenset({no()}))), ("no current price",)),
    ("form", given(lambda d: d.world.board.apply(TickSizeChange(yes(), Price(100_000), 1)), buy(yes(), "0.45", "5")), ("0.45", "grid of 0.1")),
    ("form", given(lambda _: None, buy(yes(), "0.50", "2")), ("4 shares", "minimum of 5")),
    ("collar", given(lambda _: None, buy(yes(), "0.55", "5")), ("0.06 above", "at most 0.05")),
    ("collar", wide, ("no reference",)),
    ("slippage", _thin, ("0.5 to 0.53", "max_slippage is 0.02")),
    ("duplicate", given(lambda d: d.live(PLAIN, 29)), ("29.0 s ago", "duplicate_window_s is 30")),
    ("duplicate", given(lambda d: d.pending.append(PLAIN)), ("0.0 s ago", "duplicate_window_s is 30")),
    ("repetition", _repeated(3, 59), ("3 entries in a minute", "entries_per_minute is 3")),
    ("repetition", _repeated(10, 3_000, entries_per_minute=600), ("10 entries in an hour", "entries_per_hour is 10")),
    ("repetition", _repeated(5, 59, OrderState.REJECTED), ("5 orders like it were rejected", "after 5")),
    ("self_trade", given(lambda d: d.live(sell(yes(), "0.50", "5"))), ("own SELL at 0.5",)),
    ("self_trade", given(lambda d: d.live(buy(no(), "0.50", "5"))), ("own BUY at 0.5",)),
    ("self_trade", given(lambda d: d.pending.append(buy(no(), "0.50", "5"))), ("own BUY at 0.5",)),
    ("max_position_size", given(lambda d: d.limits.update(max_position_size=4)), ("5.00 USDC", "max_position_size is 4.00", "0.00 are at risk", "size to 4.00")),
    ("means", given(lambda d: d.limits.update(cash_reserve=996)), ("cost 5.00 USDC", "4.00 are free")),
    ("means", given(lambda d: d.hold(yes(), 9), EXIT), ("10.00 shares", "9.00 are free")),
    ("max_daily_loss", given(lambda d: setattr(d, "loss", "50")), ("fallen by 50.00", "max_daily_loss is 50.00")),
    ("max_open_orders", given(lambda d: d.crowd(1, buy(yes(), "0.40", "5"))), ("1 orders", "max_open_orders is 1")),
    ("max_open_orders", given(lambda d: d.crowd(1, buy(yes(), "0.40", "5"), pending=True)), ("1 orders", "max_open_orders is 1")),
    ("max_open_orders", given(lambda d: d.crowd(9, buy(yes(), "0.40", "5"), buy(yes(), "0.41", "5"))), ("2 orders", "max_orders_per_side is 2")),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "make", "words"), REFUSALS)
def test_a_refusal_says_the_value_and_the_limit(rule: str, make: Make, words: tuple[str, ...]) -> None:
    """A rule refuses what breaks it, and its sentence has the value and what would pass."""
    desk = Desk()
    signal = make(desk)

    said = desk.said(signal).get(rule, "")

    assert all(word in said for word in words), said


@pytest.mark.parametrize(
    "make",
    [
        _ends_in(60),
        given(lambda d: setattr(d, "age_ms", 2_000)),
        given(lambda d: setattr(d, "age_ms", -5_000)),
        given(lambda d: d.limits.update(max_position_size=5)),
        given(lambda d: d.limits.update(cash_reserve=995)),
        given(lambda d: setattr(d, "loss", "49.999999")),
        given(lambda d: d.live(PLAIN, 30)),
        given(lambda d: d.live(sell(yes(), "0.51", "5"))),
        _repeated(3, 60),
        _repeated(2, 0),
        _repeated(4, 0, OrderState.REJECTED),
        given(lambda d: d.crowd(2, buy(yes(), "0.40", "5"))),
        given(lambda _: None, buy(yes(), "0.54", "5")),
    ],
)
def test_a_value_at_the_limit_passes(make: Make) -> None:
    """A limit is what is still allowed: the value itself passes, one step more does not."""
    desk = Desk()
    signal = make(desk)

    assert desk.said(signal) == {}


def test_an_exit_is_not_held_by_entry_limits() -> None:
    """A sale of what is held passes with a stale book, a spent loss budget, no cash and all order places taken."""
    desk = Desk(loss="900", age_ms=None, limits={"max_open_orders": 1, "max_position_size": 1, "cash_reserve": 1_000})
    desk.hold(yes(), 10)
    desk.live(buy(no(), "0.40", "5"))

    assert desk.said(EXIT) == {}


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (lambda d: d.live(buy(yes(), "0.48", "5")), "self_trade"),
        (lambda d: d.world.board.apply(MarketClosed(a_market().condition_id, 1)), "instrument"),
        (lambda d: d.recent.extend(d.order(EXIT, 1, f"o{n}", OrderState.FILLED) for n in range(10)), "repetition"),
        (lambda d: d.world.book(yes(), [("0.48", 5), ("0.45", 50)], [("0.50", 9)]), "slippage"),
    ],
)
def test_an_exit_still_has_to_be_an_order_that_can_be(change: Callable[[Desk], object], rule: str) -> None:
    """Rules marked to bind exits refuse a sale too: own orders, closed markets, loops, thin books."""
    desk = Desk()
    desk.hold(yes(), 10)
    change(desk)
    signal = EXIT if rule != "slippage" else sell(yes(), "0.45", "10")

    assert rule in desk.said(signal)
