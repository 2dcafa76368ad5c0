"""Plays the script of the built-in scenario as events."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Iterator
from itertools import pairwise
from random import Random

from polymarket_agent.adapters.scenario.script import DURATION_S, START_MS, MarketScript, groups, scripts
from polymarket_agent.domain.events import (
    BookDelta,
    BookSnapshot,
    Event,
    GroupListed,
    LevelChange,
    MarketClosed,
    MarketListed,
    MarketResolved,
    TickSizeChange,
    TradePrint,
)
from polymarket_agent.domain.money import LOT, MICRO, Price, Shares

__all__ = ["ScenarioFeed"]

_STEP_MS = 250
_LEVELS = 6
_PULL = 0.3  # part of the distance to the path that is made good each second
_IMPACT = 0.9  # how far a trade that takes the whole level moves the fair price, in half spreads
_EDGE = 0.96  # beyond it the venue shrinks the tick size to 0.001
_FINE_TICK = Price(1_000)


class ScenarioFeed:
    """The built-in scenario as a feed; the same seed gives the same events."""

    name = "scenario:demo"
    streaming = True
    replayed = True

    def __init__(self, seed: int = 1) -> None:
        self._seed = seed

    async def events(self) -> AsyncIterator[Event]:
        """Yield every event of the scenario, in order."""
        for event in self.generate():
            yield event

    async def aclose(self) -> None:
        """Nothing is held."""

    def generate(self) -> Iterator[Event]:
        """Yield every event of the scenario, in order, without an event loop."""
        random = Random(self._seed)  # noqa: S311 - a play, not a secret
        actors = [_Actor(script, random) for script in scripts()]
        for group in groups():
            yield GroupListed(group, START_MS)
        for actor in actors:
            yield MarketListed(actor.script.market, START_MS)
        for actor in actors:
            yield from actor.open(START_MS)
        for step in range(1, DURATION_S * 1_000 // _STEP_MS + 1):
            at_ms = START_MS + step * _STEP_MS
            for actor in actors:
                yield from actor.play(step * _STEP_MS / 1_000, at_ms)


class _Actor:
    """One market: its fair price, and the book that its makers show around it."""

    def __init__(self, script: MarketScript, random: Random) -> None:
        self.script = script
        self._random = random
        self._fair = script.path[0][1]
        self._tick = int(script.market.tick_size)
        self._shown: dict[tuple[bool, int], int] = {}
        self._over = False
        self._trades = 0

    def open(self, at_ms: int) -> Iterator[Event]:
        """Yield the opening books of both outcomes."""
        self._shown = self._wanted()
        first, second = self.script.market.asset_ids
        bids = tuple((Price(p), Shares(s)) for (is_bid, p), s in self._shown.items() if is_bid)
        asks = tuple((Price(p), Shares(s)) for (is_bid, p), s in self._shown.items() if not is_bid)
        yield BookSnapshot(first, bids, asks, at_ms)
        yield BookSnapshot(
            second,
            tuple((Price(MICRO - p), s) for p, s in asks),
            tuple((Price(MICRO - p), s) for p, s in bids),
            at_ms,
        )

    def play(self, second: float, at_ms: int) -> Iterator[Event]:
        """Yield what happens in this step."""
        payouts = self.script.payouts
        if self._over:
            return
        if payouts is not None and second >= payouts[0]:
            self._over = True
            yield MarketClosed(self.script.market.condition_id, at_ms)
            yield MarketResolved(self.script.market.condition_id, payouts[1], at_ms)
            return
        drift = self._move(second)
        if self._tick > _FINE_TICK and not 1 - _EDGE <= self._fair <= _EDGE:
            self._tick = int(_FINE_TICK)
            for asset_id in self.script.market.asset_ids:
                yield TickSizeChange(asset_id, _FINE_TICK, at_ms)
        rate = self.script.trades_per_minute / 60 * _STEP_MS / 1_000
        factor = next((f for start, end, f in self.script.bursts if start <= second <= end), 1.0)
        if self._random.random() < rate * factor:
            yield from self._trade(at_ms, follow=drift if factor > 1 else 0.0)
        if self._random.random() < 0.4:
            yield from self._requote(at_ms)

    def _move(self, second: float) -> float:
        """Let the fair price drift along the path, with noise that is pulled back to it; returns the drift."""
        (start, before), (end, after) = self._leg(second)
        part = (second - start) / (end - start) if end > start else 1.0
        target = before + (after - before) * min(1.0, part)
        noise = self._random.gauss(0.0, self.script.noise) * math.sqrt(_STEP_MS / 1_000)
        pull = _PULL * _STEP_MS / 1_000 * (target - self._fair)
        self._fair = min(0.995, max(0.005, self._fair + pull + noise))
        return after - before

    def _leg(self, second: float) -> tuple[tuple[int, float], tuple[int, float]]:
        path = self.script.path
        for before, after in pairwise(path):
            if second < after[0]:
                return before, after
        return path[-1], path[-1]

    def _wanted(self) -> dict[tuple[bool, int], int]:
        """Return the levels that makers want to show now, in micro-units of the first outcome."""
        tick, wanted = self._tick, {}
        fair, half = int(self._fair * MICRO), int(self.script.half_spread * MICRO)
        best_bid = (fair - half) // tick * tick
        best_ask = -(-(fair + half) // tick) * tick
        for level in range(_LEVELS):
            size = int(self.script.depth * (1 + 0.5 * level) * self._random.uniform(0.6, 1.4)) * MICRO
            for is_bid, at in ((True, best_bid - level * tick), (False, best_ask + level * tick)):
                if tick <= at <= MICRO - tick:
                    wanted[(is_bid, at)] = size
        return wanted

    def _requote(self, at_ms: int) -> Iterator[Event]:
        wanted = self._wanted()
        # Makers change the best levels often and the deep ones rarely.
        keep = {key for key in self._shown if key in wanted and self._random.random() < 0.7}
        changes = [(key, 0) for key in self._shown if key not in wanted]
        changes += [(key, size) for key, size in wanted.items() if key not in keep]
        if changes:
            yield self._show(changes, at_ms)

    def _trade(self, at_ms: int, *, follow: float) -> Iterator[Event]:
        """A taker hits the best level: the book shows it, then the trade is announced."""
        buys = self._random.random() < (0.5 if follow == 0 else 0.9 if follow > 0 else 0.1)
        prices = [at for is_bid, at in self._shown if is_bid != buys]
        if not prices:
            return
        at = min(prices) if buys else max(prices)
        shown = self._shown[(not buys, at)]
        size = min(shown, int(self._random.lognormvariate(3.6, 0.9) * 100) * LOT)
        if size <= 0:
            return
        # Takers know something: the price goes their way, and the maker who met them learns it afterwards.
        self._fair += (1 if buys else -1) * _IMPACT * self.script.half_spread * min(1.0, size / shown)
        yield self._show([((not buys, at), shown - size)], at_ms)
        first, second = self.script.market.asset_ids
        self._trades += 1
        key = f"{self.script.market.condition_id[-2:]}-{self._trades}"
        if self._random.random() < 0.5:
            yield TradePrint(first, Price(at), Shares(size), taker_buys=buys, at_ms=at_ms, key=key)
        else:
            yield TradePrint(second, Price(MICRO - at), Shares(size), taker_buys=not buys, at_ms=at_ms, key=key)

    def _show(self, changes: list[tuple[tuple[bool, int], int]], at_ms: int) -> BookDelta:
        first, second = self.script.market.asset_ids
        levels: list[LevelChange] = []
        for (is_bid, at), size in changes:
            if size:
                self._shown[(is_bid, at)] = size
            else:
                self._shown.pop((is_bid, at), None)
            levels.append((first, is_bid, Price(at), Shares(size)))
            levels.append((second, not is_bid, Price(MICRO - at), Shares(size)))
        return BookDelta(tuple(levels), at_ms)
