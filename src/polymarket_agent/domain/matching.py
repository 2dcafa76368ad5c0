"""The one fill model we have: what a paper order may be filled with, and by which evidence.

Assumptions, all against us:

- Taking gets what is displayed within the limit when the order *arrives* (after the latency), level by level,
  and what it took is gone until the venue shows otherwise, on both outcomes' books.
- A resting order joins the end of the queue at its price. It is filled only when others traded there beyond
  the queue that was ahead (`QUEUE`), traded at a price worse for the taker (`TRADED_THROUGH`), or offered at or
  through its price without trading, which can only be because our order is not really there (`BOOK_THROUGH`;
  leaving these out would hide exactly the fills that hurt). At most the traded or offered quantity is ours.
- The queue ahead shrinks by trades, and by cancellations only when the level shows less than the queue. The
  venue shows a trade in the book before it announces it: what vanished ahead of us counts once for both.
- A trade on one outcome is evidence for orders on the other at 1 - price; it is used once for all our orders,
  and never for an order that arrived after it.
- What an order is filled with at one instant is a whole number of lots, rounded down.

What stays unrealistic: our orders do not move the market, hidden reactions of others to them are absent, and
quantity ahead that was cancelled is believed to have been behind us.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from polymarket_agent.domain.board import Board
from polymarket_agent.domain.book import OrderBook
from polymarket_agent.domain.events import BookDelta, BookSnapshot, Gap, TradePrint
from polymarket_agent.domain.levels import Level, Side
from polymarket_agent.domain.market import AssetId, Market
from polymarket_agent.domain.money import MICRO, Price, Shares, floor_to_lot
from polymarket_agent.domain.order import Evidence, Order, OrderId
from polymarket_agent.domain.prints import PrintMemory, in_first_terms

__all__ = ["Match", "MatchingModel"]

ANNOUNCED_WITHIN_MS = 5_000  # a trade is announced at most this long after the book has shown it


class Match(NamedTuple):
    """Quantity of one order matched at one price, and why we believe it."""

    order_id: OrderId
    price: Price
    quantity: Shares
    evidence: Evidence


@dataclass(slots=True, eq=False)
class _Resting:
    """An order on the book. `is_bid` and `price` are in the terms of its market's first outcome ("first terms")."""

    order_id: OrderId
    book: OrderBook  # of its own asset
    buys: bool  # its own asset
    own_price: Price
    is_bid: bool
    price: int
    left: int
    since_ms: int
    queue_ahead: int  # -1 while nobody knows: the book is gone until the next snapshot
    vanished: int = 0  # displayed ahead of us, gone, and no trade announced for it yet
    vanished_ms: int = 0

    def see(self, shown: int, at_ms: int) -> None:
        """Take in what the level at our price displays now."""
        if self.queue_ahead < 0:
            self.queue_ahead, self.vanished = shown, 0
        elif shown < self.queue_ahead:
            gone = self.queue_ahead - shown
            self.vanished = gone + (self.vanished if at_ms - self.vanished_ms <= ANNOUNCED_WITHIN_MS else 0)
            self.vanished_ms = at_ms
            self.queue_ahead = shown

    def fill_from_print(self, volume: int, at_ms: int, *, through: bool) -> int:
        """Return what a trade of `volume` at or through our price fills, and move up in the queue."""
        if through:
            return floor_to_lot(Shares(min(self.left, volume)))
        if self.queue_ahead < 0:
            return 0  # after a gap nobody knows the queue: no fill until a snapshot
        if at_ms - self.vanished_ms > ANNOUNCED_WITHIN_MS:
            self.vanished = 0
        shown_already = min(self.vanished, volume)
        self.vanished -= shown_already
        queue = self.queue_ahead + shown_already
        self.queue_ahead = max(0, queue - volume)
        return floor_to_lot(Shares(min(self.left, max(0, volume - queue))))


@dataclass(slots=True, eq=False)
class _MarketOrders:
    """Our resting orders of one market: better price first (first terms), then older first."""

    market: Market
    orders: list[_Resting] = field(default_factory=list)

    def add(self, resting: _Resting) -> None:
        self.orders.append(resting)
        self.orders.sort(key=lambda r: -r.price if r.is_bid else r.price)  # stable: equals stay in order of age


class MatchingModel:
    """Matches our simulated orders against what the board shows. Holds no money and no order state."""

    def __init__(self, board: Board, *, book_through: bool = True) -> None:
        self._board = board
        self._book_through = book_through
        self._by_asset: dict[AssetId, _MarketOrders] = {}
        self._by_order: dict[OrderId, tuple[_MarketOrders, _Resting]] = {}
        self._prints = PrintMemory()

    def can_judge(self, asset_id: AssetId) -> bool:
        """Whether the book of an asset is known and not crossed, so that an order can meet it."""
        book = self._board.books.get(asset_id)
        return book is not None and book.ready and not book.crossed

    def crosses(self, order: Order) -> bool:
        """Whether something is displayed at or within an order's limit on the other side."""
        bid, ask = self._board.books[order.asset_id].top
        return ask <= order.price if order.side is Side.BUY else 0 < order.price <= bid

    def takeable(self, order: Order) -> tuple[Level, ...]:
        """Return the displayed levels that an order would take now, best first; nothing is consumed."""
        if not self.can_judge(order.asset_id):
            return ()
        return _whole_lots(self._board.books[order.asset_id], order.side, order.remaining, order.price)

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

    def rest(self, order: Order, at_ms: int) -> None:
        """Put the rest of an order at the end of the queue of its price; `at_ms` is when it arrived."""
        market = self._board.market_by_asset[order.asset_id]
        first = order.asset_id == market.asset_ids[0]
        buys = order.side is Side.BUY
        book = self._board.books[order.asset_id]
        resting = _Resting(
            order_id=order.order_id,
            book=book,
            buys=buys,
            own_price=order.price,
            is_bid=buys if first else not buys,
            price=order.price if first else MICRO - order.price,
            left=order.remaining,
            since_ms=at_ms,
            queue_ahead=book.size_at(buys, order.price) if self.can_judge(order.asset_id) else -1,
        )
        orders = self._by_asset.get(order.asset_id)
        if orders is None:
            orders = _MarketOrders(market)
            for asset_id in market.asset_ids:
                self._by_asset[asset_id] = orders
        orders.add(resting)
        self._by_order[order.order_id] = (orders, resting)

    def remove(self, order_id: OrderId) -> None:
        """Take an order off the book. Unknown ids are ignored."""
        found = self._by_order.pop(order_id, None)
        if found is None:
            return
        orders, resting = found
        orders.orders.remove(resting)
        if not orders.orders:
            for asset_id in orders.market.asset_ids:
                self._by_asset.pop(asset_id, None)

    def queue_ahead(self, order_id: OrderId) -> Shares | None:
        """Return micro-shares believed to be ahead of a resting order; None if it does not rest or nobody knows."""
        found = self._by_order.get(order_id)
        return None if found is None or found[1].queue_ahead < 0 else Shares(found[1].queue_ahead)

    def watches(self, asset_id: AssetId) -> bool:
        """Whether an order of ours rests in this asset's market."""
        return asset_id in self._by_asset

    def on_delta(self, event: BookDelta) -> list[Match]:
        """Return what a change of levels fills. The board has applied it already."""
        by_asset = self._by_asset
        if not by_asset:
            return []
        touched: list[_MarketOrders] = []
        for change in event.changes:
            orders = by_asset.get(change[0])
            if orders is not None and orders not in touched:
                touched.append(orders)
        return [match for orders in touched for match in self._look_at_books(orders, event.at_ms)]

    def on_snapshot(self, event: BookSnapshot) -> list[Match]:
        """Return what a fresh book fills. The board has applied it already."""
        orders = self._by_asset.get(event.asset_id)
        return self._look_at_books(orders, event.at_ms) if orders is not None else []

    def on_gap(self, event: Gap) -> None:
        """Books are unknown now; queues are joined anew at the next snapshot, at their end."""
        for asset_id in event.asset_ids or tuple(self._by_asset):
            orders = self._by_asset.get(asset_id)
            for resting in orders.orders if orders is not None else ():
                if resting.book.asset_id == asset_id:
                    resting.queue_ahead = -1

    def _look_at_books(self, orders: _MarketOrders, at_ms: int) -> list[Match]:
        matches: list[Match] = []
        through = self._book_through
        for resting in orders.orders:
            book, price = resting.book, resting.own_price
            bid, ask = book.top
            if not book.ready or bid >= ask:
                continue
            shown = book.size_at(resting.buys, price)
            if shown < resting.queue_ahead or resting.queue_ahead < 0:
                resting.see(shown, at_ms)
            if through and (ask <= price if resting.buys else 0 < price <= bid) and resting.left:
                matches += self._offered_through(resting)
        return matches

    def _offered_through(self, resting: _Resting) -> list[Match]:
        asset_id = resting.book.asset_id
        side = Side.BUY if resting.buys else Side.SELL
        evidence = Evidence.ASSUMED if asset_id in self._board.synthetic else Evidence.BOOK_THROUGH
        quantity = 0
        for level_price, size in _whole_lots(resting.book, side, resting.left, resting.own_price):
            self._consume(asset_id, not resting.buys, level_price, size)
            quantity += size
        resting.left -= quantity
        return [Match(resting.order_id, resting.own_price, Shares(quantity), evidence)] if quantity else []

    def on_trade(self, event: TradePrint) -> list[Match]:
        """Return what a trade between others fills. One print is never used twice."""
        market = self._board.market_by_asset.get(event.asset_id)
        if market is None or self._prints.is_copy(market, event):
            return []
        orders = self._by_asset.get(event.asset_id)
        if orders is None:
            return []
        taker_buys, at = in_first_terms(market, event)
        matches: list[Match] = []
        volume = int(event.size)
        for resting in orders.orders:
            # A buying taker hits asks (first terms), a selling one bids.
            if resting.is_bid == taker_buys or not resting.left or event.at_ms < resting.since_ms:
                continue
            through = resting.price < at if taker_buys else resting.price > at
            if not through and resting.price != at:
                continue
            quantity = resting.fill_from_print(volume, event.at_ms, through=through)
            if quantity:
                resting.left -= quantity
                volume -= quantity
                evidence = Evidence.TRADED_THROUGH if through else Evidence.QUEUE
                matches.append(Match(resting.order_id, resting.own_price, Shares(quantity), evidence))
        return matches


def _whole_lots(book: OrderBook, side: Side, quantity: int, limit: Price) -> tuple[Level, ...]:
    """Return the levels that hold up to `quantity` within a limit, cut at the end to a whole number of lots."""
    walk = book.walk(side, Shares(quantity), limit)
    whole = floor_to_lot(walk.quantity)
    return walk.levels if whole == walk.quantity else book.walk(side, whole, limit).levels
