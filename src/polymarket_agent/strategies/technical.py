"""TechnicalAnalyst: moving averages, relative strength and a band squeeze, where they agree."""

from __future__ import annotations

from collections.abc import Sequence

from polymarket_agent.domain.events import Event, Filled, MarketClosed, MarketResolved, Timer
from polymarket_agent.domain.market import AssetId, ConditionId, Market
from polymarket_agent.domain.money import MICRO, Price
from polymarket_agent.domain.signal import Signal, Wish
from polymarket_agent.strategies.base import MarketView, Wakes
from polymarket_agent.strategies.indicators import Bollinger, Ema, Rsi
from polymarket_agent.strategies.parts.params import Number, micro, number, ordered, whole
from polymarket_agent.strategies.parts.trading import EntryRule, Holding, Opinion, OwnHoldings, is_free, leave

__all__ = ["Rules", "TechnicalAnalyst"]

SAMPLES_A_BAR = 4


class Rules:
    """Three votes of one price series, each -1, 0 or +1, after every bar.

    cross: the fast average crossed the slow one within the last `memory` bars, +1 upwards.
    momentum: the index lies between 50 and `overbought`, +1; between `oversold` and 50, -1; beyond both, spent: 0.
    breakout: the bands were squeezed (narrower than `squeeze_ratio` times their average) within the last `memory`
    bars and the close lies above the upper band, +1; below the lower one, -1.
    """

    __slots__ = (
        "_average_width",
        "_bands",
        "_crossed_bars_ago",
        "_fast",
        "_oversold",
        "_rsi",
        "_side",
        "_slow",
        "_squeeze_ratio",
        "_squeezed_bars_ago",
        "breakout",
        "cross",
        "memory",
        "momentum",
    )

    def __init__(
        self, *, fast: int, slow: int, rsi: int, bands: int, oversold: float, squeeze_ratio: float, memory: int
    ) -> None:
        self._fast = Ema(fast)
        self._slow = Ema(slow)
        self._rsi = Rsi(rsi)
        self._bands = Bollinger(bands)
        self._average_width = Ema(bands)
        self._oversold = oversold
        self._squeeze_ratio = squeeze_ratio
        self.memory = memory
        self._side = 0
        self._crossed_bars_ago = memory
        self._squeezed_bars_ago = memory
        self.cross = self.momentum = self.breakout = 0

    @property
    def total(self) -> int:
        """The sum of the votes, -3 to 3."""
        return self.cross + self.momentum + self.breakout

    @property
    def unanimous(self) -> bool:
        """Whether no vote contradicts another."""
        votes = (self.cross, self.momentum, self.breakout)
        return 1 not in votes or -1 not in votes

    def close(self, price: int) -> None:
        """Take in the close of a bar, in micro-USDC."""
        self._vote_cross(price)
        index = self._rsi.update(price)
        if index is None or index == 50 or not self._oversold < index < 100 - self._oversold:
            self.momentum = 0
        else:
            self.momentum = 1 if index > 50 else -1
        self._vote_breakout(price)

    def _vote_cross(self, price: int) -> None:
        fast, slow = self._fast.update(price), self._slow.update(price)
        self._crossed_bars_ago += 1
        if fast is not None and slow is not None and fast != slow:
            side = 1 if fast > slow else -1
            if self._side and side != self._side:
                self._crossed_bars_ago = 0
            self._side = side
        self.cross = self._side if self._crossed_bars_ago < self.memory else 0

    def _vote_breakout(self, price: int) -> None:
        before = self._bands.value  # the close is held against the bands of the bars before it
        if before is not None:
            average = self._average_width.update(before.width)
            self._squeezed_bars_ago += 1
            if average is not None and before.width < self._squeeze_ratio * average:
                self._squeezed_bars_ago = 0
        self._bands.update(price)
        self.breakout = 0
        if before is not None and self._squeezed_bars_ago < self.memory:
            self.breakout = 1 if price > before.upper else -1 if price < before.lower else 0


class _Series:
    """The bars of one market's first outcome."""

    __slots__ = ("bar", "last", "next_entry_bar", "rules")

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.bar: int | None = None
        self.last = 0
        self.next_entry_bar = 0


class TechnicalAnalyst:
    """Buys where at least `min_votes` of three rules agree and none disagrees; leaves when they turn.

    The price of a market is the mid of its first outcome, or its last trade while the book has one side only. It is
    sampled four times a bar, and a bar closes with its last sample; a bar in which nothing could be sampled does not
    exist. Votes (see `Rules`) above 0 buy the first outcome, below 0 the second. Confidence is |votes| / 3;
    fair_value = mid + reach * confidence; an entry must leave `min_edge` after taker fees and spread of the whole way.

    What it bought itself it sells when the votes reach `exit_votes` against it at a bar's close, when the best bid
    falls `stop_loss` below the average cost, or after `max_hold_bars`. Prices are USDC a share.
    """

    name = "technical"

    def __init__(  # noqa: PLR0913 - each is a key of the config
        self,
        *,
        bar_ms: Number = 60_000,
        fast: Number = 5,
        slow: Number = 15,
        rsi: Number = 14,
        bands: Number = 20,
        oversold: Number = 25,
        squeeze_ratio: Number = 0.8,
        memory: Number = 3,
        min_votes: Number = 2,
        exit_votes: Number = 1,
        reach: Number = 0.05,
        min_edge: Number = 0.005,
        max_spread: Number = 0.05,
        min_price: Number = 0.05,
        stop_loss: Number = 0.06,
        max_hold_bars: Number = 60,
        cooldown_bars: Number = 3,
    ) -> None:
        self.bar_ms = whole("bar_ms", bar_ms, 1_000, 7 * 86_400_000)
        self.fast = whole("fast", fast, 1, 500)
        self.slow = whole("slow", slow, 2, 1_000)
        ordered("fast", self.fast, "slow", self.slow)
        self.rsi = whole("rsi", rsi, 2, 500)
        self.bands = whole("bands", bands, 2, 1_000)
        self.oversold = number("oversold", oversold, 1, 49)
        self.squeeze_ratio = number("squeeze_ratio", squeeze_ratio, 0.05, 1.5)
        self.memory = whole("memory", memory, 1, 100)
        self.min_votes = whole("min_votes", min_votes, 1, 3)
        self.exit_votes = whole("exit_votes", exit_votes, 1, 3)
        self.entry = EntryRule(
            reach=micro("reach", reach, "0.0001", "0.5"),
            min_edge=micro("min_edge", min_edge, "0", "0.5"),
            max_spread=micro("max_spread", max_spread, "0.0001", "0.5"),
            min_price=micro("min_price", min_price, "0.001", "0.49"),
        )
        self.stop_loss = micro("stop_loss", stop_loss, "0.0001", "0.99")
        self.max_hold_bars = whole("max_hold_bars", max_hold_bars, 1, 100_000)
        self.cooldown_bars = whole("cooldown_bars", cooldown_bars, 0, 10_000)
        self.sample_ms = self.bar_ms // SAMPLES_A_BAR
        self.wakes = Wakes(fills=True, lifecycle=True, every_ms=self.sample_ms)
        self._own = OwnHoldings()
        self._series: dict[ConditionId, _Series] = {}

    def on_event(self, event: Event, view: MarketView) -> Sequence[Wish]:
        """Sample every market on a timer, close bars, and act on what they say."""
        match event:
            case Filled():
                if event.fill.strategy == self.name:
                    self._own.apply(event.fill)
            case MarketClosed() | MarketResolved():
                self._series.pop(event.condition_id, None)
                market = view.market(event.condition_id)
                if market is not None:
                    self._own.forget(market)
            case Timer():
                wishes = (self._sample(market, view) for market in view.tradable_markets())
                return [wish for wish in wishes if wish is not None]
            case _:
                pass
        return ()

    def _sample(self, market: Market, view: MarketView) -> Signal | None:
        price = _price_of(market.asset_ids[0], view)
        if price is None:
            return None
        series = self._series.get(market.condition_id)
        if series is None:
            series = self._series[market.condition_id] = _Series(self._rules())
        bar = view.now_ms // self.bar_ms
        closed = series.bar is not None and bar > series.bar
        if closed:
            series.rules.close(series.last)
        if series.bar is None or closed:
            series.bar = bar
        series.last = price
        exit_signal = self._exit(market, series, view)
        if exit_signal is not None or not closed:
            return exit_signal
        return self._enter(market, series, bar, view)

    def _rules(self) -> Rules:
        return Rules(
            fast=self.fast,
            slow=self.slow,
            rsi=self.rsi,
            bands=self.bands,
            oversold=self.oversold,
            squeeze_ratio=self.squeeze_ratio,
            memory=self.memory,
        )

    def _enter(self, market: Market, series: _Series, bar: int, view: MarketView) -> Signal | None:
        rules = series.rules
        if abs(rules.total) < self.min_votes or not rules.unanimous or bar < series.next_entry_bar:
            return None
        if market.end_at_ms is not None and market.end_at_ms - view.now_ms < self.bar_ms:
            return None
        if not is_free(market, view):
            return None
        why = f"cross {rules.cross:+d}, momentum {rules.momentum:+d}, breakout {rules.breakout:+d}"
        signal = self.entry.buy(
            view,
            market,
            market.asset_ids[0 if rules.total > 0 else 1],
            confidence=abs(rules.total) / 3,
            opinion=Opinion(self.name, why, take_ms=self.sample_ms, rest_ms=self.bar_ms),
        )
        if signal is not None:
            series.next_entry_bar = bar + 1 + self.cooldown_bars
        return signal

    def _exit(self, market: Market, series: _Series, view: MarketView) -> Signal | None:
        def why(asset_id: AssetId, held: Holding, best_bid: Price) -> str:
            votes = series.rules.total if asset_id == market.asset_ids[0] else -series.rules.total
            return self._why_leave(held, best_bid, votes, view.now_ms)

        return leave(view, market, self._own, why=why, strategy=self.name, wait_ms=self.sample_ms)

    def _why_leave(self, held: Holding, best_bid: int, votes: int, now_ms: int) -> str:
        loss = held.average_cost - best_bid
        if loss >= self.stop_loss:
            return f"loss of {loss / MICRO:.4f} a share reached the stop of {self.stop_loss / MICRO:g}"
        if votes <= -self.exit_votes:
            return f"votes turned to {votes:+d}"
        if now_ms - held.since_ms >= self.max_hold_bars * self.bar_ms:
            return f"held for {self.max_hold_bars} bars"
        return ""


def _price_of(asset_id: AssetId, view: MarketView) -> int | None:
    book = view.book(asset_id)
    if book is None:
        return None
    if book.mid is not None:
        return book.mid
    trade = view.last_trade(asset_id)
    return trade.price if trade is not None else None
