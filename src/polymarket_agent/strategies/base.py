"""What a strategy is, what it may see, and how it is found.

A strategy is a class with a `name`, `wakes` and `on_event`; it is built with keyword arguments taken from the
`params` of its entry in the config. It keeps its own state between calls, reads no clock, file or network, and
answers with wishes. Strategies of other packages are found through the entry point group
`polymarket_agent.strategies`; only those named in the config are imported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Protocol, runtime_checkable

from polymarket_agent.domain.board import Board
from polymarket_agent.domain.book import OrderBook
from polymarket_agent.domain.events import Event, TradePrint
from polymarket_agent.domain.market import AssetId, ConditionId, Market, MarketGroup
from polymarket_agent.domain.money import Shares, Usdc
from polymarket_agent.domain.order import Order
from polymarket_agent.domain.portfolio import Account, Position
from polymarket_agent.domain.signal import Wish
from polymarket_agent.errors import ConfigError

__all__ = ["ENTRY_POINT_GROUP", "MarketView", "Strategy", "Wakes", "available", "build"]

ENTRY_POINT_GROUP = "polymarket_agent.strategies"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wakes:
    """On which events a strategy wants to be asked. Between wakes only the books are kept.

    Args:
        book: every change of a book of a watched market.
        top: only when a best bid or best ask of a watched market moved.
        trades: trades between others.
        fills: our own orders and fills of this strategy.
        lifecycle: markets listed, closed, resolved; groups; gaps.
        every_ms: regularly, by the clock of the events; None for never.
    """

    book: bool = False
    top: bool = False
    trades: bool = False
    fills: bool = False
    lifecycle: bool = False
    every_ms: int | None = None


class MarketView:
    """What a strategy may see: markets, books, its own orders and positions. Reading only."""

    __slots__ = ("_account", "_board", "now_ms", "strategy")

    def __init__(self, board: Board, account: Account, *, strategy: str = "", now_ms: int = 0) -> None:
        self._board = board
        self._account = account
        self.strategy = strategy
        self.now_ms = now_ms

    def market_of(self, asset_id: AssetId) -> Market | None:
        """Return the market of an asset, or None if none is listed."""
        return self._board.market_by_asset.get(asset_id)

    def market(self, condition_id: ConditionId) -> Market | None:
        """Return a market."""
        return self._board.markets.get(condition_id)

    def tradable_markets(self) -> Iterator[Market]:
        """Yield markets that take orders, in the order in which they were listed."""
        return self._board.tradable_markets()

    def groups(self) -> Sequence[MarketGroup]:
        """Return all groups of markets."""
        return tuple(self._board.groups.values())

    def book(self, asset_id: AssetId) -> OrderBook | None:
        """Return the book of an asset if it can be trusted: a snapshot has come, no gap since, not crossed."""
        book = self._board.books.get(asset_id)
        return book if book is not None and book.ready and not book.crossed else None

    def synthetic(self, asset_id: AssetId) -> bool:
        """Whether the book of an asset was made up: from a daily close, or a quote without sizes."""
        return asset_id in self._board.synthetic

    def last_trade(self, asset_id: AssetId) -> TradePrint | None:
        """Return the last trade seen of an asset."""
        return self._board.last_trades.get(asset_id)

    def position(self, asset_id: AssetId) -> Position | None:
        """Return what the account holds of an asset, or None."""
        return self._account.positions.get(asset_id)

    def free_shares(self, asset_id: AssetId) -> Shares:
        """Return micro-shares held, by whichever strategy, that no open sell is promised."""
        return self._account.free_shares(asset_id)

    def own_shares(self, asset_id: AssetId) -> Shares:
        """Return micro-shares that this strategy bought and has not sold: what is its own to sell."""
        return self._account.bought_by(self.strategy, asset_id)

    def open_orders(self, condition_id: ConditionId | None = None) -> list[Order]:
        """Return this strategy's live orders, of one market or of all."""
        return [
            order
            for order in self._account.orders.values()
            if order.strategy == self.strategy and (condition_id is None or order.condition_id == condition_id)
        ]

    @property
    def free_cash(self) -> Usdc:
        """Micro-USDC that no order is promised."""
        return self._account.free_cash


@runtime_checkable
class Strategy(Protocol):
    """Turns events into wishes. Pure: the same events and view give the same wishes."""

    name: str
    wakes: Wakes

    def on_event(self, event: Event, view: MarketView) -> Sequence[Wish]:
        """Return what is wished for after this event; () for nothing."""
        ...


def available() -> dict[str, EntryPoint]:
    """Return the strategies that are installed, by name, without importing any."""
    return {point.name: point for point in entry_points(group=ENTRY_POINT_GROUP)}


def build(kind: str, params: Mapping[str, Any], *, name: str = "") -> Strategy:
    """Import the strategy of an entry point and construct it with `params`.

    Raises:
        ConfigError: no such strategy, it cannot be imported, or it does not take these params.
    """
    points = available()
    if kind not in points:
        known = ", ".join(sorted(points)) or "none"
        raise ConfigError(f"there is no strategy '{kind}'; installed are: {known}")
    try:
        factory: Callable[..., Strategy] = points[kind].load()
    except Exception as error:  # a plug-in may raise anything while it is imported
        raise ConfigError(f"strategy '{kind}' ({points[kind].value}) cannot be imported: {error}") from error
    try:
        strategy = factory(**params)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"strategy '{kind}' does not take these params: {error}") from error
    if not isinstance(strategy, Strategy):
        raise ConfigError(f"strategy '{kind}' ({points[kind].value}) lacks name, wakes or on_event")
    if name:
        strategy.name = name
    return strategy
