"""The pure step: state + event -> wishes. No clock, network, disk or randomness.

`apply(event)` updates the board and notes which strategies are due; `propose()` asks those and returns sized
wishes. Between wakes the engine only keeps books, so work follows decisions and not messages.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from polymarket_agent.config import AggregationConfig
from polymarket_agent.decision.aggregate import aggregate
from polymarket_agent.decision.risk import malformed
from polymarket_agent.decision.sizing import Sizing
from polymarket_agent.domain.board import Board
from polymarket_agent.domain.events import (
    BookDelta,
    BookSnapshot,
    Event,
    Filled,
    Gap,
    GroupListed,
    MarketClosed,
    MarketListed,
    MarketResolved,
    OrderUpdated,
    TickSizeChange,
    Timer,
    TradePrint,
    time_of,
)
from polymarket_agent.domain.market import AssetId
from polymarket_agent.domain.money import Usdc
from polymarket_agent.domain.portfolio import Account
from polymarket_agent.domain.signal import Basket, Cancel, Signal, TargetQuotes, Wish
from polymarket_agent.strategies.base import MarketView, Strategy

__all__ = ["Engine", "Proposals", "SetAside"]

_LIFECYCLE = (MarketListed, MarketClosed, MarketResolved, GroupListed, Gap)
_NEVER_MS = 1 << 62


@dataclass(frozen=True, slots=True)
class Proposals:
    """What a pass came to: cancellations, sized signals (exits first), sized baskets, and what has no order."""

    cancels: tuple[Cancel, ...] = ()
    signals: tuple[Signal, ...] = ()
    baskets: tuple[Basket, ...] = ()
    unsized: tuple[tuple[Signal, str], ...] = ()
    malformed: tuple[tuple[Signal, str], ...] = ()


@dataclass(frozen=True, slots=True)
class SetAside:
    """A strategy that raised or answered with no wish: it is asked no more in this run."""

    strategy: str
    reason: str


class _Runner:
    """A strategy with its view and what wakes it."""

    __slots__ = ("due", "next_timer_ms", "strategy", "view")

    def __init__(self, strategy: Strategy, board: Board, account: Account) -> None:
        self.strategy = strategy
        self.view = MarketView(board, account, strategy=strategy.name)
        self.due: list[Event] = []
        self.next_timer_ms = 0 if strategy.wakes.every_ms is not None else _NEVER_MS


class Engine:
    """Books, strategies, combination and sizing of one agent."""

    def __init__(
        self,
        board: Board,
        account: Account,
        strategies: Sequence[Strategy],
        *,
        aggregation: AggregationConfig,
        sizing: Sizing,
        signal_prefix: str = "s",
    ) -> None:
        self.board = board
        self.account = account
        self.set_aside: list[SetAside] = []
        self.now_ms = 0
        self.due = False
        self._aggregation = aggregation
        self._sizing = sizing
        self._prefix = signal_prefix
        self._serial = 0
        self._runners = [_Runner(strategy, board, account) for strategy in strategies]
        self._tops: dict[AssetId, tuple[int, int]] = {}
        self._sort_wakes()

    def _sort_wakes(self) -> None:
        """Lay out who wants what, so that the hot path looks at one list."""
        runners = self._runners
        self._on_book = [r for r in runners if r.strategy.wakes.book]
        self._on_top = [r for r in runners if r.strategy.wakes.top and not r.strategy.wakes.book]
        self._on_trade = [r for r in runners if r.strategy.wakes.trades]
        self._on_fill = [r for r in runners if r.strategy.wakes.fills]
        self._on_lifecycle = [r for r in runners if r.strategy.wakes.lifecycle]
        self._next_timer_ms = min((r.next_timer_ms for r in runners), default=_NEVER_MS)

    # -- taking events in -----------------------------------------------------------------------------------------

    def apply(self, event: Event) -> None:
        """Update the board and note which strategies this wakes."""
        now_ms = event.received_ms or event.at_ms
        if now_ms > self.now_ms:
            self.now_ms = now_ms
        self.board.apply(event)
        kind = type(event)
        if kind is BookDelta or kind is BookSnapshot:
            if self._on_book:
                self._wake(self._on_book, event)
            if self._on_top and self._top_moved(event):
                self._wake(self._on_top, event)
        elif kind is TradePrint:
            self._wake(self._on_trade, event)
        elif isinstance(event, OrderUpdated | Filled):
            self._wake_owner(event)
        elif isinstance(event, _LIFECYCLE) or kind is TickSizeChange:
            self._wake(self._on_lifecycle, event)
        if self.now_ms >= self._next_timer_ms:
            self._wake_timers()

    def _top_moved(self, event: Any) -> bool:
        tops, books = self._tops, self.board.books
        assets = (change[0] for change in event.changes) if type(event) is BookDelta else (event.asset_id,)
        moved = False
        for asset_id in assets:
            book = books.get(asset_id)
            if book is not None:
                top = book.top
                if tops.get(asset_id) != top:
                    tops[asset_id] = top
                    moved = True
        return moved

    def _wake(self, runners: list[_Runner], event: Event) -> None:
        for runner in runners:
            runner.due.append(event)
            self.due = True

    def _wake_owner(self, event: OrderUpdated | Filled) -> None:
        owner = event.order.strategy if isinstance(event, OrderUpdated) else event.fill.strategy
        self._wake([r for r in self._on_fill if r.strategy.name == owner], event)

    def _wake_timers(self) -> None:
        for runner in self._runners:
            every_ms = runner.strategy.wakes.every_ms
            if every_ms is not None and self.now_ms >= runner.next_timer_ms:
                runner.next_timer_ms = self.now_ms + every_ms
                runner.due.append(Timer(self.now_ms))
                self.due = True
        self._next_timer_ms = min((r.next_timer_ms for r in self._runners), default=_NEVER_MS)

    # -- asking ---------------------------------------------------------------------------------------------------

    def propose(self, equity: Callable[[], Usdc]) -> Proposals:
        """Ask every strategy that is due, combine and size what they wish.

        Args:
            equity: micro-USDC, for sizing; called only when something is to be sized.
        """
        self.due = False
        wishes: list[Wish] = []
        for runner in list(self._runners):
            if runner.due:
                events, runner.due = runner.due, []
                wishes += self._ask(runner, events)
        if not wishes:
            return Proposals()
        bad = [(wish, wrong) for wish in wishes if isinstance(wish, Signal) and (wrong := malformed(wish)) is not None]
        bad_ids = {id(signal) for signal, _ in bad}
        bad += [(leg, wrong) for b in wishes if isinstance(b, Basket) for leg in b.legs if (wrong := malformed(leg))]
        bad_ids |= {id(b) for b in wishes if isinstance(b, Basket) and any(malformed(leg) for leg in b.legs)}
        good = [wish for wish in wishes if id(wish) not in bad_ids]
        combined = aggregate(good, self.board, self.account, self._aggregation)
        worth = equity() if combined.entries or combined.exits or combined.quotes or combined.baskets else Usdc(0)
        signals: list[Signal] = []
        unsized: list[tuple[Signal, str]] = [(self._named(s), why) for s, why in combined.dropped]
        for each in (*combined.exits, *combined.entries, *combined.quotes):
            signal = self._named(each)
            market = self.board.market_by_asset.get(signal.asset_id)
            if market is None:
                signals.append(signal)  # the gate refuses it by name
                continue
            sized = self._sizing.size(signal, market, self.board.books.get(signal.asset_id), self.account, worth)
            if sized.signal is None:
                unsized.append((signal, sized.reason))
            else:
                signals.append(sized.signal)
        baskets = self._size_baskets(combined.baskets, unsized)
        return Proposals(
            combined.cancels, tuple(signals), tuple(baskets), tuple(unsized), tuple((self._named(s), w) for s, w in bad)
        )

    def _size_baskets(self, baskets: Sequence[Basket], unsized: list[tuple[Signal, str]]) -> list[Basket]:
        out: list[Basket] = []
        for each in sorted(baskets, key=lambda b: -b.profit_per_share):
            self._serial += 1
            basket_id = f"{self._prefix}b{self._serial}"
            legs = tuple(replace(self._named(leg), basket_id=basket_id) for leg in each.legs)
            basket = replace(each, basket_id=basket_id, legs=legs)
            markets = [self.board.market_by_asset.get(leg.asset_id) for leg in legs]
            known = [market for market in markets if market is not None]
            if len(known) < len(legs) or not legs:
                unsized += [(leg, "a leg of this basket belongs to no market that is known") for leg in legs]
                continue
            sized, why = self._sizing.size_basket(basket, known, self.account)
            if sized is None:
                unsized += [(leg, why) for leg in legs]
            else:
                out.append(sized)
        return out

    def _ask(self, runner: _Runner, events: list[Event]) -> list[Wish]:
        """Ask one strategy; whatever it raises sets it aside and nobody else."""
        wishes: list[Wish] = []
        for event in events:
            runner.view.now_ms = max(runner.view.now_ms, time_of(event))
            try:
                answer = runner.strategy.on_event(event, runner.view)
                wishes += self._checked(runner, answer)
            except Exception as error:  # noqa: BLE001 - the plug-in border: a strategy may raise anything
                self._drop(runner, f"{type(error).__name__}: {error}")
                return []
        return wishes

    @staticmethod
    def _checked(runner: _Runner, answer: Any) -> list[Wish]:
        wishes = list(answer)
        for wish in wishes:
            if not isinstance(wish, Signal | TargetQuotes | Basket | Cancel):
                raise TypeError(f"answered with {type(wish).__name__}, which is no wish")
            if wish.strategy != runner.strategy.name:
                raise ValueError(f"signed a wish with the name '{wish.strategy}'")
        return wishes

    def _drop(self, runner: _Runner, reason: str) -> None:
        self._runners.remove(runner)
        self._sort_wakes()
        self.set_aside.append(SetAside(runner.strategy.name, reason))

    def _named(self, signal: Signal) -> Signal:
        self._serial += 1
        return replace(signal, signal_id=f"{self._prefix}{self._serial}")
