"""The board: every market and book as last seen. It changes only by `apply(event)`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from polymarket_agent.domain.book import OrderBook
from polymarket_agent.domain.events import (
    BookDelta,
    BookSnapshot,
    Event,
    Gap,
    GroupListed,
    MarketClosed,
    MarketListed,
    MarketResolved,
    TickSizeChange,
    TradePrint,
)
from polymarket_agent.domain.market import AssetId, ConditionId, Market, MarketGroup, MarketState

__all__ = ["Board"]


class Board:
    """Markets by condition, groups, and one book for each asset.

    Each outcome keeps the book that was reported for it. They mirror each other on the venue (a bid for one
    outcome is an ask for the other at 1 - price), and the feed reports both halves in one message.
    """

    __slots__ = ("books", "groups", "last_trades", "market_by_asset", "markets", "stale_snapshots", "synthetic")

    def __init__(self) -> None:
        self.markets: dict[ConditionId, Market] = {}
        self.groups: dict[str, MarketGroup] = {}
        self.market_by_asset: dict[AssetId, Market] = {}
        self.books: dict[AssetId, OrderBook] = {}
        self.last_trades: dict[AssetId, TradePrint] = {}
        self.synthetic: set[AssetId] = set()
        self.stale_snapshots = 0

    def apply(self, event: Event) -> None:
        """Take in one event. Events about assets that no listed market has are ignored."""
        if type(event) is BookDelta:  # nineteen of twenty messages: first, and without isinstance
            self._apply_delta(event)
            return
        match event:
            case BookSnapshot():
                self._apply_snapshot(event)
            case TradePrint():
                if event.asset_id in self.books:
                    self.last_trades[event.asset_id] = event
            case TickSizeChange():
                self._apply_tick_size(event)
            case MarketListed():
                self._list(event.market)
            case GroupListed():
                self.groups[event.group.group_id] = event.group
            case MarketClosed():
                self._close(event.condition_id)
            case MarketResolved():
                self._resolve(event)
            case Gap():
                for asset_id in event.asset_ids or tuple(self.books):
                    if asset_id in self.books:
                        self.books[asset_id].clear()
            case _:
                pass

    def _apply_delta(self, event: BookDelta) -> None:
        books = self.books
        at_ms = event.at_ms
        for asset_id, is_bid, price, size in event.changes:
            book = books.get(asset_id)
            if book is not None and book.ready:
                book.update(is_bid, price, size)
                if at_ms > book.at_ms:
                    book.at_ms = at_ms

    def _apply_snapshot(self, event: BookSnapshot) -> None:
        book = self.books.get(event.asset_id)
        if book is None:
            return
        if book.ready and event.at_ms < book.at_ms:
            # A snapshot that was delayed on the way is older than the changes already applied.
            self.stale_snapshots += 1
            return
        if event.tick_size is not None and event.tick_size != self.market_by_asset[event.asset_id].tick_size:
            self._set_tick_size(event.asset_id, event.tick_size)
        book.replace(event.bids, event.asks, event.at_ms)
        if event.synthetic:
            self.synthetic.add(event.asset_id)
        else:
            self.synthetic.discard(event.asset_id)

    def _apply_tick_size(self, event: TickSizeChange) -> None:
        if event.asset_id in self.market_by_asset:
            self._set_tick_size(event.asset_id, event.tick_size)

    def _set_tick_size(self, asset_id: AssetId, tick_size: int) -> None:
        market = replace(self.market_by_asset[asset_id], tick_size=tick_size)
        self._store(market)
        for each in market.asset_ids:
            self.books[each].set_tick_size(market.tick_size)

    def _list(self, market: Market) -> None:
        known = self.markets.get(market.condition_id)
        if known is not None and known.state is MarketState.RESOLVED:
            return  # an answer is final; an older listing does not take it back
        self._store(market)
        for asset_id in market.asset_ids:
            if asset_id not in self.books:
                self.books[asset_id] = OrderBook(asset_id, market.tick_size)
            elif known is not None and known.tick_size != market.tick_size:
                self.books[asset_id].set_tick_size(market.tick_size)

    def _store(self, market: Market) -> None:
        self.markets[market.condition_id] = market
        for asset_id in market.asset_ids:
            self.market_by_asset[asset_id] = market

    def _close(self, condition_id: ConditionId) -> None:
        market = self.markets.get(condition_id)
        if market is not None and market.state is MarketState.OPEN:
            self._store(replace(market, state=MarketState.CLOSED, accepting_orders=False))

    def _resolve(self, event: MarketResolved) -> None:
        market = self.markets.get(event.condition_id)
        if market is None or market.state is MarketState.RESOLVED:
            return
        self._store(market.resolved(event.payouts))
        for asset_id in market.asset_ids:
            self.books[asset_id].clear()

    def tradable_markets(self) -> Iterator[Market]:
        """Markets that take orders, in the order in which they were listed."""
        return (market for market in self.markets.values() if market.tradable)
