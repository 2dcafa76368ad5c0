"""A small agent: markets and feeds made by hand, strategies that say what they are told to, the real rest."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from typing import Any

from polymarket_agent.config import AggregationConfig, Config, PaperConfig, RiskConfig, SizingConfig
from polymarket_agent.db import Database
from polymarket_agent.domain.book import Side
from polymarket_agent.domain.events import BookSnapshot, Event, MarketListed, Timer
from polymarket_agent.domain.market import NO_FEE, AssetId, ConditionId, FeeSchedule, Market, Outcome
from polymarket_agent.domain.money import MICRO, Price, Shares, Usdc, cost_rounded_up, price, shares, usdc
from polymarket_agent.domain.order import TimeInForce
from polymarket_agent.domain.signal import Signal, Wish
from polymarket_agent.orchestrator import Orchestrator
from polymarket_agent.strategies.base import MarketView, Strategy, Wakes

START_MS = 1_771_200_000_000  # 2026-02-16 00:00 UTC
DAY_MS = 86_400_000

Levels = Sequence[tuple[str, int]]
Answer = Callable[[Event, MarketView], Any]


def a_market(key: str = "m", *, fees: FeeSchedule = NO_FEE, end_at_ms: int | None = None) -> Market:
    """Return a market whose claims are `<key>-yes` and `<key>-no`, tick size 0.01, minimum 5 shares."""
    return Market(
        condition_id=ConditionId(key),
        question=f"Will {key} happen?",
        outcomes=(Outcome(yes(key), "Yes"), Outcome(no(key), "No")),
        min_order_size=shares(5),
        fees=fees,
        end_at_ms=end_at_ms,
    )


def yes(key: str = "m") -> AssetId:
    """Return the first claim of a market."""
    return AssetId(f"{key}-yes")


def no(key: str = "m") -> AssetId:
    """Return the second claim of a market."""
    return AssetId(f"{key}-no")


def book(asset_id: AssetId, bids: Levels, asks: Levels, at_ms: int = START_MS) -> BookSnapshot:
    """Return a snapshot from prices as text and whole shares."""
    return BookSnapshot(
        asset_id,
        tuple((price(p), shares(s)) for p, s in bids),
        tuple((price(p), shares(s)) for p, s in asks),
        at_ms,
    )


def opening(
    market: Market, bid: str = "0.48", ask: str = "0.50", size: int = 1_000, at_ms: int = START_MS
) -> list[Event]:
    """Return the events that make a market known, with the books of both outcomes."""
    first, second = market.asset_ids
    return [MarketListed(market, at_ms), *mirrored(first, second, bid, ask, size, at_ms)]


def mirrored(first: AssetId, second: AssetId, bid: str, ask: str, size: int, at_ms: int) -> list[Event]:
    """Return the books of two outcomes that mirror each other."""
    at_bid, at_ask, depth = price(bid), price(ask), shares(size)
    return [
        BookSnapshot(first, ((at_bid, depth),), ((at_ask, depth),), at_ms),
        BookSnapshot(second, ((Price(MICRO - at_ask), depth),), ((Price(MICRO - at_bid), depth),), at_ms),
    ]


def buy(asset_id: AssetId, at: str, size: str = "0", *, strategy: str = "s", **more: Any) -> Signal:
    """Return the wish to buy; size in USDC, 0 for the sizer's."""
    return _signal(Side.BUY, asset_id, at, usdc(size), strategy, more)


def sell(asset_id: AssetId, at: str, quantity: str = "0", *, strategy: str = "s", **more: Any) -> Signal:
    """Return the wish to sell so many shares, 0 for all that are free."""
    return _signal(Side.SELL, asset_id, at, cost_rounded_up(price(at), shares(quantity)), strategy, more)


def _signal(side: Side, asset_id: AssetId, at: str, size: Usdc, strategy: str, more: dict[str, Any]) -> Signal:
    return Signal(
        strategy=strategy, asset_id=asset_id, side=side, target_price=price(at), size=size, reason="because", **more
    )


def take(asset_id: AssetId, at: str, size: str = "0", **more: Any) -> Signal:
    """Return the wish to buy what is displayed, and nothing that rests."""
    return buy(asset_id, at, size, time_in_force=TimeInForce.FAK, **more)


class Listed:
    """A feed of events that are given; `replayed` unless told otherwise."""

    def __init__(self, events: Iterable[Event], *, streaming: bool = True, replayed: bool = True) -> None:
        self.name = "listed"
        self.streaming = streaming
        self.replayed = replayed
        self.closed = False
        self._events = events

    async def events(self) -> AsyncIterator[Event]:
        for event in self._events:
            yield event

    async def aclose(self) -> None:
        self.closed = True


class Says:
    """A strategy that answers with what a function returns; asked on every event unless told otherwise."""

    def __init__(self, answer: Answer, name: str = "s", wakes: Wakes | None = None) -> None:
        self.name = name
        self.wakes = wakes or Wakes(book=True, trades=True, lifecycle=True, every_ms=1)
        self.asked = 0
        self._answer = answer

    def on_event(self, event: Event, view: MarketView) -> Sequence[Wish]:
        self.asked += 1
        result: Sequence[Wish] = self._answer(event, view)
        return result


class Script:
    """A strategy that says at each `Timer` of the feed what stands beside its time."""

    def __init__(self, lines: Mapping[int, Sequence[Wish]], name: str = "s") -> None:
        self.name = name
        self.wakes = Wakes(every_ms=1)
        self._lines = dict(lines)

    def on_event(self, event: Event, view: MarketView) -> Sequence[Wish]:
        return self._lines.pop(event.at_ms, ())


def a_config(**sections: Any) -> Config:
    """Return a config with wide limits and no latency; a section is given as a dict of amounts as text."""
    risk = {"max_position_size": 100, "max_daily_loss": 50, "max_open_orders": 20, "entries_per_minute": 600}
    risk |= {"entries_per_hour": 3_600} | sections.get("risk", {})
    return Config(
        paper=PaperConfig.model_validate({"latency_ms": 0, **sections.get("paper", {})}),
        risk=RiskConfig.model_validate(risk),
        sizing=SizingConfig.model_validate(sections.get("sizing", {})),
        aggregation=AggregationConfig.model_validate(sections.get("aggregation", {})),
    )


def run(
    events: Iterable[Event], *strategies: Strategy, config: Config | None = None, db: Database | None = None
) -> Orchestrator:
    """Run an agent over events to the end and return it; its ledger is in memory unless one is given."""
    ledger = db or Database(":memory:")
    with Orchestrator(config or a_config(), ledger, Listed(events), strategies=strategies) as agent:
        asyncio.run(agent.run())
    return agent


def ticks(*after_ms: int) -> list[Event]:
    """Return timers so long after the start."""
    return [Timer(START_MS + each, START_MS + each) for each in after_ms]


def held(agent: Orchestrator, asset_id: AssetId) -> Shares:
    """Return micro-shares held of an asset."""
    return agent.account.quantity_of(asset_id)


def verdicts(db: Database) -> list[tuple[str, str, str]]:
    """Return (verdict, rules, why) of every signal in a ledger, in order."""
    return rows(db, "SELECT verdict, coalesce(rule, ''), coalesce(refusal, '') FROM signals ORDER BY rowid")


def rows(db: Database, query: str) -> list[Any]:
    """Return what a query finds in a ledger that is being written."""
    found: list[Any] = db.run(lambda connection: connection.execute(query).fetchall())
    return found
