"""The pure step: state + event -> wishes. No clock, network, disk or randomness.

`apply(event)` updates the board and notes which strategies are due; `propose()` asks those and returns sized
wishes. Between wakes the engine only keeps books, so work follows decisions and not messages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from polymarket_agent.config import AggregationConfig, RiskConfig
from polymarket_agent.decision.aggregate import aggregate
from polymarket_agent.decision.sizing import Sizing
from polymarket_agent.decision.wishes import malformed, read_answer, said_by, storable, well_formed
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
from polymarket_agent.domain.order import Fill
from polymarket_agent.domain.portfolio import Account
from polymarket_agent.domain.signal import Basket, Cancel, Signal, Wish
from polymarket_agent.errors import ConfigError, StrategyError
from polymarket_agent.strategies.base import MarketView, Strategy, Wakes

__all__ = ["Engine", "Proposals", "SetAside"]

_LIFECYCLE = frozenset({MarketListed, MarketClosed, MarketResolved, GroupListed, Gap, TickSizeChange})
_NEVER_MS = 1 << 62
_MINUTE_MS = 60_000
_MOST_A_MINUTE = 6_000


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
    """A strategy with its view and what wakes it; its name and wakes are those of the start."""

    __slots__ = ("due", "every_ms", "minute", "name", "next_timer_ms", "said", "strategy", "view", "wakes")

    def __init__(self, strategy: Strategy, board: Board, account: Account) -> None:
        self.strategy = strategy
        self.name, self.wakes = strategy.name, strategy.wakes
        if not isinstance(self.name, str) or not isinstance(self.wakes, Wakes):
            raise ConfigError(f"strategy {strategy!r} must have a name that is text, and wakes that are Wakes")
        every_ms = self.wakes.every_ms
        if every_ms is not None and every_ms <= 0:
            raise ConfigError(f"strategy {self.name} wakes every {every_ms} ms; it must be above 0, or None for never")
        self.view = MarketView(board, account, strategy=self.name)
        self.due: list[Event] = []
        self.every_ms = every_ms
        self.next_timer_ms = 0 if every_ms is not None else _NEVER_MS
        self.minute = self.said = 0

    def count(self, wishes: Sequence[Wish], now_ms: int) -> None:
        """Count what would leave a row each; more than anybody could mean in a minute is a flood.

        Raises:
            StrategyError: it is.
        """
        if now_ms // _MINUTE_MS != self.minute:
            self.minute, self.said = now_ms // _MINUTE_MS, 0
        self.said += sum(len(wish.legs) if isinstance(wish, Basket) else isinstance(wish, Signal) for wish in wishes)
        if self.said > _MOST_A_MINUTE:
            raise StrategyError(f"wished for more than {_MOST_A_MINUTE} trades in a minute")


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
        self.asking = ""  # the strategy that is being asked at this moment, and
        self.asked = 0  # how often any was: for whoever watches that they answer
        self.now_ms = 0
        self.due = False
        self._aggregation = aggregation
        self._sizing = sizing
        self.signal_prefix = signal_prefix
        self._serial = 0
        self._runners = [_Runner(strategy, board, account) for strategy in strategies]
        names = [runner.name for runner in self._runners]
        if len(set(names)) < len(names):
            raise ConfigError(f"two strategies have the same name: {', '.join(sorted(names))}")
        self._apply_to_board = board.apply
        self._tops: dict[AssetId, tuple[int, int]] = {}
        self._sort_wakes()

    def tighten(self, limits: RiskConfig) -> None:
        """Bound sizes by limits that became tighter."""
        self._sizing.tighten(limits)

    @property
    def strategies(self) -> tuple[str, ...]:
        """Names of the strategies that are asked."""
        return tuple(runner.name for runner in self._runners)

    def _sort_wakes(self) -> None:
        """Lay out who wants what, so that the hot path looks at one list."""
        runners = self._runners
        self._on_book = [r for r in runners if r.wakes.book]
        self._on_top = [r for r in runners if r.wakes.top and not r.wakes.book]
        self._on_trade = [r for r in runners if r.wakes.trades]
        self._on_fill = [r for r in runners if r.wakes.fills]
        self._on_lifecycle = [r for r in runners if r.wakes.lifecycle]
        self._next_timer_ms = min((r.next_timer_ms for r in runners), default=_NEVER_MS)

    # -- taking events in -----------------------------------------------------------------------------------------

    def remind(self, fills: Iterable[Fill]) -> None:
        """Tell strategies again of fills from before a restart, so that they know what is theirs."""
        for fill in fills:
            self.apply(Filled(fill, fill.at_ms))

    def apply(self, event: Event) -> None:
        """Update the board and note which strategies this wakes."""
        now_ms = event.received_ms or event.at_ms
        if now_ms > self.now_ms:
            self.now_ms = now_ms
        self._apply_to_board(event)
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
        elif kind in _LIFECYCLE:
            self._wake(self._on_lifecycle, event)
        if self.now_ms >= self._next_timer_ms:
            self._wake_timers()

    def _top_moved(self, event: Any) -> bool:
        tops, books = self._tops, self.board.books
        if type(event) is not BookDelta:
            book = books.get(event.asset_id)
            if book is None or tops.get(event.asset_id) == book.top:
                return False
            tops[event.asset_id] = book.top
            return True
        moved = False
        for change in event.changes:
            asset_id = change[0]
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
        self._wake([r for r in self._on_fill if r.name == owner], event)

    def _wake_timers(self) -> None:
        for runner in self._runners:
            if runner.every_ms is not None and self.now_ms >= runner.next_timer_ms:
                runner.next_timer_ms = self.now_ms + runner.every_ms
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
        good, bad = well_formed(wishes)
        combined = aggregate(good, self.board, self.account, self._aggregation)
        sizing = (*combined.exits, *combined.entries, *combined.quotes)
        worth = equity() if sizing else Usdc(0)
        signals: list[Signal] = []
        unsized: list[tuple[Signal, str]] = [(self._named(s), why) for s, why in combined.dropped]
        for each in sizing:
            signal = self._named(each)
            market = self.board.market_by_asset.get(signal.asset_id)
            if market is None or malformed(signal) is not None:
                signals.append(signal)  # the gate refuses it by name
                continue
            book = self.board.books.get(signal.asset_id)
            sized = self._sizing.size(signal, market, book, self.account, worth, board=self.board)
            if sized.signal is None:
                unsized.append((signal, sized.reason))
            else:
                signals.append(sized.signal)
        baskets = self._size_baskets(combined.baskets, unsized)
        malformed_signals = tuple((self._named(storable(s)), why) for s, why in bad)
        return Proposals(combined.cancels, tuple(signals), tuple(baskets), tuple(unsized), malformed_signals)

    def _size_baskets(self, baskets: Sequence[Basket], unsized: list[tuple[Signal, str]]) -> list[Basket]:
        out: list[Basket] = []
        for each in sorted(baskets, key=lambda b: -b.profit_per_share):
            self._serial += 1
            basket_id = f"{self.signal_prefix}b{self._serial}"
            legs = tuple(replace(self._named(leg), basket_id=basket_id) for leg in each.legs)
            basket = replace(each, basket_id=basket_id, legs=legs)
            markets = [self.board.market_by_asset.get(leg.asset_id) for leg in legs]
            known = [market for market in markets if market is not None]
            if len(known) < len(legs) or not legs:
                unsized += [(leg, "a leg of this basket belongs to no market that is known") for leg in legs]
                continue
            sized, why = self._sizing.size_basket(basket, known, self.account, board=self.board)
            if sized is None:
                unsized += [(leg, why) for leg in legs]
            else:
                out.append(sized)
        return out

    def _ask(self, runner: _Runner, events: list[Event]) -> list[Wish]:
        """Ask one strategy; whatever it raises sets it aside and nobody else."""
        wishes: list[Wish] = []
        try:
            self.asked += 1
            self.asking = runner.name
            for event in events:
                runner.view.now_ms = max(runner.view.now_ms, time_of(event))
                answer = runner.strategy.on_event(event, runner.view)
                if answer != ():
                    wishes += read_answer(answer, runner.name)
            self.asking = ""
            runner.count(wishes, self.now_ms)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - the plug-in border: it may raise anything
            self._drop(runner, said_by(error))
            return []
        finally:
            self.asking = ""
        return wishes

    def _drop(self, runner: _Runner, reason: str) -> None:
        self._runners.remove(runner)
        self._sort_wakes()
        self.set_aside.append(SetAside(runner.name, reason))

    def _named(self, signal: Signal) -> Signal:
        self._serial += 1
        return replace(signal, signal_id=f"{self.signal_prefix}{self._serial}")
