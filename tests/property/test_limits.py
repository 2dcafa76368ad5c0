from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from polymarket_agent.config import Config
from polymarket_agent.db import Database
from polymarket_agent.decision.exposure import worst_exposure
from polymarket_agent.domain.book import Side
from polymarket_agent.domain.events import Event, Gap, MarketResolved, Timer, TradePrint
from polymarket_agent.domain.market import AssetId, FeeSchedule, Market
from polymarket_agent.domain.money import MICRO, Price, Shares, Usdc, decimal_text
from polymarket_agent.domain.order import OrderId, TimeInForce
from polymarket_agent.domain.signal import Basket, Cancel, Quote, Signal, TargetQuotes, Wish
from polymarket_agent.orchestrator import Orchestrator
from polymarket_agent.strategies.base import MarketView, Wakes
from tests.unit.agent_world import START_MS, Listed, a_config, a_market, mirrored, opening

MARKETS = (a_market("a", fees=FeeSchedule(50_000)), a_market("b"))
ASSETS = [asset_id for market in MARKETS for asset_id in market.asset_ids]
CONFIG: Config = a_config(
    risk={
        "max_position_size": 40,
        "max_daily_loss": 10,
        "max_open_orders": 4,
        "cash_reserve": 20,
        "price_collar": "0.2",
    },
    paper={"starting_balance": 150},
    sizing={"fixed_size": 15},
)
STEP_MS = 7_000

ticks = st.integers(1, 99).map(lambda n: Price(n * 10_000))
names = st.sampled_from(["s", "t"])
assets = st.sampled_from(ASSETS)
sides = st.sampled_from(Side)


@st.composite
def signals(draw: st.DrawFn, name: str | None = None) -> Signal:
    force = draw(st.sampled_from(TimeInForce))
    return Signal(
        strategy=name or draw(names),
        asset_id=draw(assets),
        side=draw(sides),
        target_price=draw(ticks),
        reason="drawn",
        size=Usdc(draw(st.sampled_from([0, 3, 12, 39, 500])) * MICRO),
        confidence=draw(st.sampled_from([0.2, 0.7, 1.0])),
        time_in_force=force,
        post_only=force.rests and draw(st.booleans()),
        expires_at_ms=START_MS + draw(st.integers(1, 90)) * STEP_MS if force is TimeInForce.GTD else None,
    )


@st.composite
def baskets(draw: st.DrawFn) -> Basket:
    legs = tuple(draw(st.lists(signals("s"), min_size=1, max_size=4)))
    return Basket(strategy="s", legs=legs, reason="drawn", quantity=Shares(draw(st.integers(0, 60)) * MICRO))


@st.composite
def quotes(draw: st.DrawFn) -> TargetQuotes:
    market = draw(st.sampled_from(MARKETS))
    drawn = st.builds(
        Quote, st.sampled_from(market.asset_ids), sides, ticks, st.integers(5, 60).map(lambda n: Shares(n * MICRO))
    )
    wanted = tuple(draw(st.lists(drawn, max_size=4)))
    return TargetQuotes(strategy="t", condition_id=market.condition_id, quotes=wanted, reason="drawn")


wishes = st.one_of(signals(), baskets(), quotes(), st.just("cancel all"))
says = st.lists(wishes, min_size=1, max_size=4).map(lambda said: ("say", said))
books = st.tuples(st.just("book"), st.sampled_from(MARKETS), st.integers(1, 97), st.integers(1, 4), st.integers(1, 200))
trades = st.tuples(st.just("trade"), assets, ticks, st.integers(1, 90), st.booleans())
rare = st.one_of(st.just(("gap",)), st.tuples(st.just("resolve"), st.sampled_from(MARKETS)), st.just(("midnight",)))
steps = st.lists(st.one_of(says, books, says, books, trades, rare), min_size=5, max_size=60)


class Speaker:
    """Says on each timer what was put into its mouth; asked at no other time."""

    wakes = Wakes(every_ms=1)

    def __init__(self, name: str) -> None:
        self.name = name
        self.said: list[Any] = []

    def on_event(self, event: Event, view: MarketView) -> Sequence[Wish]:
        said, self.said = self.said, []
        out: list[Wish] = []
        for wish in said:
            if isinstance(wish, str):
                out += [Cancel(strategy=self.name, order_id=o.order_id, reason=wish) for o in view.open_orders()]
            elif wish.strategy == self.name:
                out.append(wish)
        return out


class Drawn(Listed):
    """Plays drawn steps and looks at the account between them."""

    def __init__(self, drawn: list[Any], speakers: list[Speaker]) -> None:
        super().__init__([])
        self.agent: Orchestrator
        self._drawn = drawn
        self._speakers = speakers
        self._now_ms = START_MS

    async def events(self) -> AsyncIterator[Event]:
        for market in MARKETS:
            for event in opening(market, "0.48", "0.50", 100):
                yield event
        for step in self._drawn:
            self._now_ms += STEP_MS
            for event in self._of(step):
                spent = self.agent.gate.day.loss(self.agent.equity()) >= CONFIG.risk.max_daily_loss
                before = set(self.agent.stats.orders)
                yield event
                self._look(spent=spent and step[0] == "say", before=before)

    def _of(self, step: Any) -> list[Event]:
        match step:
            case ("say", said):
                for speaker in self._speakers:
                    speaker.said = list(said)
                return [Timer(self._now_ms, self._now_ms)]
            case ("book", market, bid, spread, size):
                first, second = market.asset_ids
                at_ask = f"{min(99, bid + spread) / 100}"
                return mirrored(first, second, f"{bid / 100}", at_ask, size, self._now_ms)
            case ("trade", asset_id, at, size, taker_buys):
                return [TradePrint(AssetId(asset_id), at, Shares(size * MICRO), taker_buys, self._now_ms, self._now_ms)]
            case ("gap",):
                return [Gap((), "drawn", self._now_ms)]
            case ("resolve", market):
                return [MarketResolved(market.condition_id, (MICRO, 0), self._now_ms)]
            case _:
                self._now_ms += 86_400_000
                return [Timer(self._now_ms, self._now_ms)]

    def _look(self, *, spent: bool, before: set[OrderId]) -> None:
        account, risk = self.agent.account, CONFIG.risk
        live = list(account.orders.values())
        for market in MARKETS:
            exposure = self._exposure(market)
            assert exposure <= risk.max_position_size, f"{decimal_text(exposure)} at risk in {market.condition_id}"
        assert sum(order.side is Side.BUY for order in live) <= risk.max_open_orders
        assert account.free_cash >= risk.cash_reserve
        for asset_id in ASSETS:
            assert account.free_shares(asset_id) >= 0
        if spent:
            new = [order for order_id, order in self.agent.stats.orders.items() if order_id not in before]
            assert all(order.side is Side.SELL for order in new), "an entry after max_daily_loss"

    def _exposure(self, market: Market) -> int:
        return worst_exposure(self.agent.account, market, self.agent.account.orders_of(market))


def play(drawn: list[Any], config: Config) -> Orchestrator:
    speakers = [Speaker("s"), Speaker("t")]
    feed = Drawn(drawn, speakers)
    with Database(":memory:") as db, Orchestrator(config, db, feed, strategies=speakers) as agent:
        feed.agent = agent
        asyncio.run(agent.run())
    assert not agent.stats.set_aside
    return agent


@settings(max_examples=150)
@given(steps)
def test_no_sequence_goes_beyond_a_limit(drawn: list[Any]) -> None:
    """Whatever is wished, shown and traded: exposure, buys, cash and shares keep their limits, and so does the day."""
    play(drawn, CONFIG)


def a_long_play(seed: int) -> list[Any]:
    random = Random(seed)
    drawn: list[Any] = []
    for number in range(200):
        wish = Signal(
            strategy=random.choice("st"),
            asset_id=random.choice(ASSETS),
            side=random.choice(list(Side)),
            target_price=Price(random.randint(20, 80) * 10_000),
            reason="",
            size=Usdc(random.choice([0, 3, 12, 500]) * MICRO),
            time_in_force=random.choice([TimeInForce.GTC, TimeInForce.FOK]),
        )
        drawn += [("say", [wish]), ("book", MARKETS[number % 2], random.randint(44, 54), 2, 50)]
    return drawn


def test_the_play_is_worth_watching() -> None:
    """Wishes like the drawn ones lead to orders, fills and refusals of many kinds, so the property says something."""
    played = [play(a_long_play(seed), CONFIG).stats for seed in range(12)]

    rules = {rule for stats in played for rule in stats.refusals}
    assert rules >= {"max_daily_loss", "max_open_orders", "self_trade", "collar"}
    assert {kind for stats in played for kind in stats.by_evidence} >= {"displayed", "book_through"}
    assert sum(stats.signals["approved"] for stats in played) > 100
