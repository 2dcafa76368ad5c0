"""The board: every market and book as last seen. It changes only by `apply(event)`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

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
from polymarket_agent.domain.money import Price

__all__ = ["Board"]


class Board:
    """Markets by condition, groups, and one book for each asset.

    Each outcome keeps the book that was reported for it. They mirror each other on the venue (a bid for one
    outcome is an ask for the other at 1 - price), and the feed reports both halves in one message.

    `stale_snapshots` and `contradictions` count what was left out: books older than what is known, and listings
    that give a market other assets, another order of them, or an asset of another market.
    """

    __slots__ = (
        "_handlers",
        "books",
        "contradictions",
        "groups",
        "heard_ms",
        "last_trades",
        "market_by_asset",
        "markets",
        "stale_snapshots",
        "synthetic",
    )

    def __init__(self) -> None:
        self.markets: dict[ConditionId, Market] = {}
        self.groups: dict[str, MarketGroup] = {}
        self.market_by_asset: dict[AssetId, Market] = {}
        self.books: dict[AssetId, OrderBook] = {}
        self.last_trades: dict[AssetId, TradePrint] = {}
        self.heard_ms: dict[AssetId, int] = {}
        self.synthetic: set[AssetId] = set()
        self.stale_snapshots = 0
        self.contradictions = 0
        self._handlers: dict[type[Any], Callable[[Any], None]] = {
            BookSnapshot: self._apply_snapshot,
            TradePrint: self._apply_trade,
            TickSizeChange: self._apply_tick_size,
            MarketListed: self._list,
            GroupListed: self._list_group,
            MarketClosed: self._close,
            MarketResolved: self._resolve,
            Gap: self._forget,
        }

    def apply(self, event: Event) -> None:
        """Take in one event. Events about assets that no listed market has are ignored."""
        if type(event) is BookDelta:  # nineteen of twenty messages; in place, because a call more is felt here
            books, at_ms = self.books, event.at_ms
            for asset_id, is_bid, price, size in event.changes:
                book = books.get(asset_id)
                if book is not None and book.ready:
                    book.update(is_bid, price, size)
                    if at_ms > book.at_ms:
                        book.at_ms = at_ms
            return
        handler = self._handlers.get(type(event))
        if handler is not None:
            handler(event)

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
        self.heard_ms[event.asset_id] = max(event.at_ms, event.received_ms)
        if event.synthetic:
            self.synthetic.add(event.asset_id)
        else:
            self.synthetic.discard(event.asset_id)

    def _apply_trade(self, event: TradePrint) -> None:
        if event.asset_id in self.books:
            known = self.last_trades.get(event.asset_id)
            if known is None or event.at_ms >= known.at_ms:
                self.last_trades[event.asset_id] = event

    def _forget(self, event: Gap) -> None:
        for asset_id in event.asset_ids or tuple(self.books):
            if asset_id in self.books:
                self.books[asset_id].clear()

    def _list_group(self, event: GroupListed) -> None:
        self.groups[event.group.group_id] = event.group

    def _apply_tick_size(self, event: TickSizeChange) -> None:
        if event.asset_id in self.market_by_asset:
            self._set_tick_size(event.asset_id, event.tick_size)

    def _set_tick_size(self, asset_id: AssetId, tick_size: Price) -> None:
        market = replace(self.market_by_asset[asset_id], tick_size=tick_size)
        for each in market.asset_ids:
            self.books[each].set_tick_size(market.tick_size)
        self._store(market)

    def _list(self, event: MarketListed) -> None:
        market = event.market
        known = self.markets.get(market.condition_id)
        if known is not None and known.state is MarketState.RESOLVED:
            return  # an answer is final; an older listing does not take it back
        if self._contradicts(market, known):
            self.contradictions += 1  # believing it would turn prices, orders and payouts into the other outcome's
            return
        self._store(market)
        for asset_id in market.asset_ids:
            if asset_id not in self.books:
                self.books[asset_id] = OrderBook(asset_id, market.tick_size)
            elif known is not None and known.tick_size != market.tick_size:
                self.books[asset_id].set_tick_size(market.tick_size)
            if market.state is MarketState.RESOLVED:
                self.books[asset_id].clear()

    def _contradicts(self, market: Market, known: Market | None) -> bool:
        if known is not None and known.asset_ids != market.asset_ids:
            return True
        others = (self.market_by_asset.get(asset_id) for asset_id in market.asset_ids)
        return any(other is not None and other.condition_id != market.condition_id for other in others)

    def _store(self, market: Market) -> None:
        self.markets[market.condition_id] = market
        for asset_id in market.asset_ids:
            self.market_by_asset[asset_id] = market

    def _close(self, event: MarketClosed) -> None:
        market = self.markets.get(event.condition_id)
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
