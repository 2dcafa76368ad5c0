"""SignalTrader: follows a move that price, volume and book agree on, and leaves by rule."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from polymarket_agent.domain.book import OrderBook
from polymarket_agent.domain.events import Event, Filled, Gap, MarketClosed, MarketResolved, Timer, TradePrint
from polymarket_agent.domain.market import AssetId, ConditionId, Market
from polymarket_agent.domain.money import MICRO, Price
from polymarket_agent.domain.signal import Signal, Wish
from polymarket_agent.strategies.base import MarketView, Wakes
from polymarket_agent.strategies.indicators import FlowMeter, clip
from polymarket_agent.strategies.parts.params import Number, micro, number, ordered, whole
from polymarket_agent.strategies.parts.trading import EntryRule, Holding, Opinion, OwnHoldings, is_free, leave

__all__ = ["Score", "SignalTrader"]

WINDOW_BUCKETS = 6


class Score(NamedTuple):
    """The three measures of a market's first outcome, each in [-1, 1], and their weighted sum."""

    velocity: float
    flow: float
    imbalance: float
    total: float


@dataclass(slots=True)
class _Track:
    """What is remembered of one market."""

    flow: FlowMeter
    mids: deque[tuple[int, int]]
    next_entry_ms: int = 0


class SignalTrader:
    """Buys the outcome that price velocity, trade volume and book imbalance expect to rise.

    For the first outcome of a market:

        velocity  = clip((mid_now - mid_then) / velocity_scale, -1, 1)       over the last `window_ms`
        flow      = sign(net) * clip((volume / baseline - 1) / (spike_ratio - 1), 0, 1)
        imbalance = (bid_depth - ask_depth) / (bid_depth + ask_depth)        within `imbalance_depth` of the bests
        score     = weight_velocity * velocity + weight_flow * flow + weight_imbalance * imbalance

    `net` is what takers bought of the first outcome minus what they sold of it; the second outcome counts the
    other way round. A score above 0 buys the first outcome, below 0 the second, never both. Confidence is |score|;
    fair_value = mid + reach * |score|. Nothing is bought against the velocity, nor where `fair_value` does not
    pay for taker fees and spread of the whole way plus `min_edge`.

    It sells what it bought itself: at `take_profit` or `stop_loss` from its average cost, fees included, or after
    `max_hold_ms`. Prices and edges are USDC a share.
    """

    name = "signal_trader"

    def __init__(  # noqa: PLR0913 - each is a key of the config
        self,
        *,
        every_ms: Number = 1_000,
        window_ms: Number = 60_000,
        baseline_ms: Number = 600_000,
        velocity_scale: Number = 0.02,
        spike_ratio: Number = 3,
        imbalance_depth: Number = 0.02,
        weight_velocity: Number = 0.5,
        weight_flow: Number = 0.3,
        weight_imbalance: Number = 0.2,
        min_confidence: Number = 0.4,
        reach: Number = 0.05,
        min_edge: Number = 0.005,
        max_spread: Number = 0.04,
        min_price: Number = 0.05,
        take_profit: Number = 0.04,
        stop_loss: Number = 0.03,
        max_hold_ms: Number = 900_000,
        min_time_left_ms: Number = 120_000,
        cooldown_ms: Number = 60_000,
        rest_ms: Number = 60_000,
    ) -> None:
        self.every_ms = whole("every_ms", every_ms, 100, 3_600_000)
        self.window_ms = whole("window_ms", window_ms, 1_000, 86_400_000)
        self.baseline_ms = whole("baseline_ms", baseline_ms, 1_000, 30 * 86_400_000)
        ordered("every_ms", self.every_ms, "window_ms", self.window_ms)
        ordered("window_ms", self.window_ms, "baseline_ms", self.baseline_ms)
        self.velocity_scale = micro("velocity_scale", velocity_scale, "0.0001", "0.5")
        self.spike_ratio = number("spike_ratio", spike_ratio, 1.01, 1_000)
        self.imbalance_depth = micro("imbalance_depth", imbalance_depth, "0", "0.5")
        self.weight_velocity = number("weight_velocity", weight_velocity, 0, 1)
        self.weight_flow = number("weight_flow", weight_flow, 0, 1)
        self.weight_imbalance = number("weight_imbalance", weight_imbalance, 0, 1)
        weights = self.weight_velocity + self.weight_flow + self.weight_imbalance
        if abs(weights - 1) > 1e-9:
            raise ValueError(f"weight_velocity, weight_flow and weight_imbalance add up to {weights:g}; allowed is 1")
        self.min_confidence = number("min_confidence", min_confidence, 0.01, 1)
        self.entry = EntryRule(
            reach=micro("reach", reach, "0.0001", "0.5"),
            min_edge=micro("min_edge", min_edge, "0", "0.5"),
            max_spread=micro("max_spread", max_spread, "0.0001", "0.5"),
            min_price=micro("min_price", min_price, "0.001", "0.49"),
        )
        self.take_profit = micro("take_profit", take_profit, "0.0001", "0.99")
        self.stop_loss = micro("stop_loss", stop_loss, "0.0001", "0.99")
        self.max_hold_ms = whole("max_hold_ms", max_hold_ms, 1_000, 365 * 86_400_000)
        self.min_time_left_ms = whole("min_time_left_ms", min_time_left_ms, 0, 365 * 86_400_000)
        self.cooldown_ms = whole("cooldown_ms", cooldown_ms, 0, 86_400_000)
        self.rest_ms = whole("rest_ms", rest_ms, 1_000, 86_400_000)
        self.wakes = Wakes(trades=True, fills=True, lifecycle=True, every_ms=self.every_ms)
        self._own = OwnHoldings()
        self._tracks: dict[ConditionId, _Track] = {}

    def on_event(self, event: Event, view: MarketView) -> Sequence[Wish]:
        """Count trades and fills as they come; decide on a timer."""
        match event:
            case TradePrint():
                self._count(event, view)
            case Filled():
                if event.fill.strategy == self.name:
                    self._own.apply(event.fill)
            case MarketClosed() | MarketResolved():
                self._forget(event.condition_id, view)
            case Gap():
                self._break_off(event, view)
            case Timer():
                wishes = (self._decide(market, view) for market in view.tradable_markets())
                return [wish for wish in wishes if wish is not None]
            case _:
                pass
        return ()

    def _track(self, condition_id: ConditionId) -> _Track:
        track = self._tracks.get(condition_id)
        if track is None:
            bucket_ms = max(1, self.window_ms // WINDOW_BUCKETS)
            flow = FlowMeter(
                bucket_ms=bucket_ms,
                window_buckets=WINDOW_BUCKETS,
                baseline_buckets=max(1, self.baseline_ms // bucket_ms),
            )
            mids: deque[tuple[int, int]] = deque(maxlen=self.window_ms // self.every_ms + 1)
            track = self._tracks[condition_id] = _Track(flow, mids)
        return track

    def _count(self, trade: TradePrint, view: MarketView) -> None:
        market = view.market_of(trade.asset_id)
        if market is None or not market.tradable:
            return
        for_first = trade.taker_buys == (trade.asset_id == market.asset_ids[0])
        self._track(market.condition_id).flow.add(view.now_ms, trade.size if for_first else -trade.size)

    def _forget(self, condition_id: ConditionId, view: MarketView) -> None:
        self._tracks.pop(condition_id, None)
        market = view.market(condition_id)
        if market is not None:
            self._own.forget(market)

    def _break_off(self, gap: Gap, view: MarketView) -> None:
        """A velocity across missing messages is none."""
        markets = {market.condition_id for asset in gap.asset_ids if (market := view.market_of(asset)) is not None}
        for condition_id, track in self._tracks.items():
            if not gap.asset_ids or condition_id in markets:
                track.mids.clear()

    def _decide(self, market: Market, view: MarketView) -> Signal | None:
        track = self._track(market.condition_id)
        book = view.book(market.asset_ids[0])
        mid = book.mid if book is not None else None
        track.flow.roll(view.now_ms)
        if mid is None:
            track.mids.clear()
        else:
            track.mids.append((view.now_ms, mid))
            while track.mids[0][0] < view.now_ms - self.window_ms:
                track.mids.popleft()
        exit_signal = self._exit(market, view)
        if exit_signal is not None or book is None or mid is None:
            return exit_signal
        if not self._may_enter(market, track, view):
            return None
        score = self.score(track.mids, track.flow, book)
        if score is None or abs(score.total) < self.min_confidence or score.total * score.velocity <= 0:
            return None
        return self._enter(market, track, view, score)

    def score(self, mids: Sequence[tuple[int, int]], flow: FlowMeter, book: OrderBook) -> Score | None:
        """Return the measures of a market, or None before half a window has been seen."""
        then_ms, then = mids[0]
        now_ms, now = mids[-1]
        if (now_ms - then_ms) * 2 < self.window_ms:
            return None
        velocity = clip((now - then) / self.velocity_scale, -1.0, 1.0)
        spike = clip(((flow.ratio or 0.0) - 1.0) / (self.spike_ratio - 1.0), 0.0, 1.0)
        signed = spike if flow.net > 0 else -spike if flow.net < 0 else 0.0
        bid_depth = book.depth(is_bid=True, within=self.imbalance_depth)
        ask_depth = book.depth(is_bid=False, within=self.imbalance_depth)
        imbalance = (bid_depth - ask_depth) / (bid_depth + ask_depth) if bid_depth + ask_depth else 0.0
        total = self.weight_velocity * velocity + self.weight_flow * signed + self.weight_imbalance * imbalance
        return Score(velocity, signed, imbalance, clip(total, -1.0, 1.0))

    def _may_enter(self, market: Market, track: _Track, view: MarketView) -> bool:
        if view.now_ms < track.next_entry_ms:
            return False
        if market.end_at_ms is not None and market.end_at_ms - view.now_ms < self.min_time_left_ms:
            return False
        return is_free(market, view)

    def _enter(self, market: Market, track: _Track, view: MarketView, score: Score) -> Signal | None:
        why = f"velocity {score.velocity:+.2f}, flow {score.flow:+.2f}, imbalance {score.imbalance:+.2f}"
        signal = self.entry.buy(
            view,
            market,
            market.asset_ids[0 if score.total > 0 else 1],
            confidence=abs(score.total),
            opinion=Opinion(self.name, why, take_ms=self.every_ms * 2, rest_ms=self.rest_ms),
        )
        if signal is not None:
            track.next_entry_ms = view.now_ms + self.cooldown_ms
        return signal

    def _exit(self, market: Market, view: MarketView) -> Signal | None:
        def why(_: AssetId, held: Holding, best_bid: Price) -> str:
            return self._why_leave(held, best_bid, view.now_ms)

        return leave(view, market, self._own, why=why, strategy=self.name, wait_ms=self.every_ms * 2)

    def _why_leave(self, held: Holding, best_bid: int, now_ms: int) -> str:
        gain = best_bid - held.average_cost
        if gain >= self.take_profit:
            return f"profit of {gain / MICRO:.4f} a share reached the target of {self.take_profit / MICRO:g}"
        if gain <= -self.stop_loss:
            return f"loss of {-gain / MICRO:.4f} a share reached the stop of {self.stop_loss / MICRO:g}"
        if now_ms - held.since_ms >= self.max_hold_ms:
            return f"held for {(now_ms - held.since_ms) // 1000} s, longest is {self.max_hold_ms // 1000} s"
        return ""
