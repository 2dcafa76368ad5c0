"""The one fill model we have: what a paper order may be filled with, and by which evidence.

Assumptions, all against us:

- Taking gets what is displayed within the limit when the order *arrives* (after the latency), level by level,
  and what it took is gone until the venue shows otherwise, on both outcomes' books.
- A resting order joins the end of the queue at its price. It is filled only when others traded there beyond
  the queue that was ahead (`QUEUE`), traded at a price worse for the taker (`TRADED_THROUGH`), or offered at or
  through its price without trading, which can only be because our order is not really there (`BOOK_THROUGH`;
  leaving these out would hide exactly the fills that hurt). At most the traded or offered quantity is ours.
- The queue ahead shrinks by trades, and by cancellations only when the level shows less than the queue.
- A trade on one outcome is evidence for orders on the other at 1 - price; it is used once for all our orders.

What stays unrealistic: our orders do not move the market, hidden reactions of others to them are absent, and
quantity ahead that was cancelled is believed to have been behind us.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from polymarket_agent.domain.board import Board
from polymarket_agent.domain.book import Level, Side
from polymarket_agent.domain.events import BookDelta, BookSnapshot, Gap, TradePrint
from polymarket_agent.domain.market import AssetId, Market
from polymarket_agent.domain.money import MICRO, Price, Shares
from polymarket_agent.domain.order import Evidence, Order, OrderId

__all__ = ["Match", "MatchingModel"]

_REMEMBERED_PRINTS = 64


class Match(NamedTuple):
    """Quantity of one order matched at one price, and why we believe it."""

    order_id: OrderId
    price: Price
    quantity: Shares
    evidence: Evidence


@dataclass(slots=True)
class _Resting:
    """An order on the book, in the terms of its market's first outcome ("first terms")."""

    order_id: OrderId
    asset_id: AssetId
    is_bid: bool  # first terms
    price: int  # first terms
    own_price: Price
    left: int
    queue_ahead: int  # -1 while nobody knows: the book is gone until the next snapshot


@dataclass(slots=True)
class _MarketOrders:
    """Our resting orders of one market and the prints that were used up as evidence."""

    market: Market
    orders: dict[OrderId, _Resting] = field(default_factory=dict)
    prints: list[tuple[int, int, int, bool, AssetId]] = field(default_factory=list)


class MatchingModel:
    """Matches our simulated orders against what the board shows. Holds no money and no order state."""

    def __init__(self, board: Board, *, book_through: bool = True) -> None:
        self._board = board
        self._book_through = book_through
        self._by_asset: dict[AssetId, _MarketOrders] = {}
        self._by_order: dict[OrderId, _MarketOrders] = {}

    # -- taking ---------------------------------------------------------------------------------------------------

    def takeable(self, order: Order) -> tuple[Level, ...]:
        """Return the displayed levels that an order would take now, best first; nothing is consumed."""
        book = self._board.books.get(order.asset_id)
        if book is None or not book.ready or book.crossed:
            return ()
        return book.walk(order.side, order.remaining, order.price).levels

    def take(self, order: Order) -> list[Match]:
        """Consume what `takeable` says, on both outcomes' books."""
        evidence = Evidence.ASSUMED if order.asset_id in self._board.synthetic else Evidence.DISPLAYED
        matches = []
        for level_price, size in self.takeable(order):
            self._consume(order.asset_id, order.side is Side.SELL, level_price, size)
            matches.append(Match(order.order_id, level_price, size, evidence))
        return matches

    def _consume(self, asset_id: AssetId, is_bid: bool, at: Price, size: Shares) -> None:
        market = self._board.market_by_asset[asset_id]
        self._board.books[asset_id].consume(is_bid, at, size)
        other = self._board.books.get(market.complement_of(asset_id))
        if other is not None:
            other.consume(not is_bid, Price(MICRO - at), size)

    # -- resting --------------------------------------------------------------------------------------------------

    def rest(self, order: Order) -> None:
        """Put the rest of an order at the end of the queue of its price."""
        market = self._board.market_by_asset[order.asset_id]
        first = order.asset_id == market.asset_ids[0]
        buys = order.side is Side.BUY
        book = self._board.books[order.asset_id]
        resting = _Resting(
            order_id=order.order_id,
            asset_id=order.asset_id,
            is_bid=buys if first else not buys,
            price=order.price if first else MICRO - order.price,
            own_price=order.price,
            left=order.remaining,
            queue_ahead=book.size_at(buys, order.price) if book.ready else -1,
        )
        orders = self._by_asset.get(order.asset_id)
        if orders is None:
            orders = _MarketOrders(market)
            for asset_id in market.asset_ids:
                self._by_asset[asset_id] = orders
        orders.orders[order.order_id] = resting
        self._by_order[order.order_id] = orders

    def remove(self, order_id: OrderId) -> None:
        """Take an order off the book. Unknown ids are ignored."""
        orders = self._by_order.pop(order_id, None)
        if orders is None:
            return
        del orders.orders[order_id]
        if not orders.orders:
            for asset_id in orders.market.asset_ids:
                self._by_asset.pop(asset_id, None)

    def queue_ahead(self, order_id: OrderId) -> Shares | None:
        """Return micro-shares believed to be ahead of a resting order, or None if it does not rest."""
        orders = self._by_order.get(order_id)
        return Shares(orders.orders[order_id].queue_ahead) if orders is not None else None

    def watches(self, asset_id: AssetId) -> bool:
        """Whether an order of ours rests in this asset's market."""
        return asset_id in self._by_asset

    # -- evidence -------------------------------------------------------------------------------------------------

    def on_delta(self, event: BookDelta) -> list[Match]:
        """Return what a change of levels fills. The board has applied it already."""
        touched: list[_MarketOrders] = []
        for change in event.changes:
            orders = self._by_asset.get(change[0])
            if orders is not None and orders not in touched:
                touched.append(orders)
        return [match for orders in touched for match in self._look_at_books(orders)]

    def on_snapshot(self, event: BookSnapshot) -> list[Match]:
        """Return what a fresh book fills. The board has applied it already."""
        orders = self._by_asset.get(event.asset_id)
        return self._look_at_books(orders) if orders is not None else []

    def on_gap(self, event: Gap) -> None:
        """Books are unknown now; queues are joined anew at the next snapshot, at their end."""
        for asset_id in event.asset_ids or tuple(self._by_asset):
            orders = self._by_asset.get(asset_id)
            if orders is not None:
                for resting in orders.orders.values():
                    if resting.asset_id == asset_id:
                        resting.queue_ahead = -1

    def _look_at_books(self, orders: _MarketOrders) -> list[Match]:
        matches: list[Match] = []
        for resting in _by_priority(orders):
            book = self._board.books[resting.asset_id]
            if not book.ready or book.crossed:
                continue
            buys = resting.is_bid == (resting.asset_id == orders.market.asset_ids[0])
            shown = book.size_at(buys, resting.own_price)
            resting.queue_ahead = shown if resting.queue_ahead < 0 else min(resting.queue_ahead, shown)
            if self._book_through and resting.left:
                matches += self._offered_through(resting, buys=buys)
        return matches

    def _offered_through(self, resting: _Resting, *, buys: bool) -> list[Match]:
        book = self._board.books[resting.asset_id]
        best = book.best_ask if buys else book.best_bid
        if best is None or (best > resting.own_price if buys else best < resting.own_price):
            return []
        side = Side.BUY if buys else Side.SELL
        evidence = Evidence.ASSUMED if resting.asset_id in self._board.synthetic else Evidence.BOOK_THROUGH
        quantity = 0
        for level_price, size in book.walk(side, Shares(resting.left), resting.own_price).levels:
            self._consume(resting.asset_id, not buys, level_price, size)
            quantity += size
        resting.left -= quantity
        return [Match(resting.order_id, resting.own_price, Shares(quantity), evidence)] if quantity else []

    def on_trade(self, event: TradePrint) -> list[Match]:
        """Return what a trade between others fills. One print is never used twice."""
        orders = self._by_asset.get(event.asset_id)
        if orders is None:
            return []
        first = event.asset_id == orders.market.asset_ids[0]
        taker_buys = event.taker_buys if first else not event.taker_buys
        at = event.price if first else MICRO - event.price
        if self._is_mirror_copy(orders, event, at, taker_buys=taker_buys):
            return []
        matches: list[Match] = []
        volume = int(event.size)
        for resting in _by_priority(orders):
            # A buying taker hits asks (first terms), a selling one bids.
            if resting.is_bid == taker_buys or not resting.left or volume <= 0:
                continue
            beyond = resting.price < at if taker_buys else resting.price > at
            if not beyond and resting.price != at:
                continue
            quantity, volume = _fill_from_print(resting, volume, through=beyond)
            if quantity:
                resting.left -= quantity
                evidence = Evidence.TRADED_THROUGH if beyond else Evidence.QUEUE
                matches.append(Match(resting.order_id, resting.own_price, Shares(quantity), evidence))
        return matches

    def _is_mirror_copy(self, orders: _MarketOrders, event: TradePrint, at: int, *, taker_buys: bool) -> bool:
        """Whether the other outcome reported this very trade: same instant, size, and price in first terms."""
        for at_ms, seen_at, size, buys, asset_id in orders.prints:
            same = (at_ms, seen_at, size, buys) == (event.at_ms, at, event.size, taker_buys)
            if same and asset_id != event.asset_id:
                return True
        orders.prints.append((event.at_ms, at, event.size, taker_buys, event.asset_id))
        del orders.prints[:-_REMEMBERED_PRINTS]
        return False


def _by_priority(orders: _MarketOrders) -> list[_Resting]:
    """Better price first (first terms), then older first, as the dict keeps insertion order."""
    return sorted(orders.orders.values(), key=lambda r: -r.price if r.is_bid else r.price)


def _fill_from_print(resting: _Resting, volume: int, *, through: bool) -> tuple[int, int]:
    """Return (what fills the order, volume left for our other orders)."""
    if through:
        quantity = min(resting.left, volume)
        return quantity, volume - quantity
    if resting.queue_ahead < 0:
        return 0, 0  # after a gap nobody knows the queue: no fill until a snapshot
    reached = volume - resting.queue_ahead
    resting.queue_ahead = max(0, resting.queue_ahead - volume)
    if reached <= 0:
        return 0, 0
    quantity = min(resting.left, reached)
    return quantity, reached - quantity
