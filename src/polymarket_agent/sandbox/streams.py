"""The market channel: who listens to what, and what each notice becomes for them. No sockets here.

The books that events tell are rebuilt from the notices in their order, so that a level, the best prices and the hash
of one message always belong together, however many changes the exchange made at once.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from polymarket_agent.domain.book import OrderBook
from polymarket_agent.domain.book_hash import BookIdentity
from polymarket_agent.domain.market import AssetId, ConditionId, Market
from polymarket_agent.domain.money import MICRO, decimal_text
from polymarket_agent.sandbox import wire_books, wire_events
from polymarket_agent.sandbox.model import (
    BookChanged,
    MarketChanged,
    Notice,
    TickChanged,
    TradePrinted,
)
from polymarket_agent.sandbox.wire_books import BookView
from polymarket_agent.sandbox.wire_events import Top

if TYPE_CHECKING:
    from polymarket_agent.sandbox.venue import Venue

__all__ = ["Listener", "MarketHub", "frame_of", "strings", "text_of"]

MAX_ASSETS = 500  # instruments of one connection; the venue closes it beyond that

_encode = msgspec.json.Encoder().encode


class Listener(Protocol):
    """One connection: takes the text of a message; `event_type` and `market` are what faults choose by."""

    def send(self, text: str, *, event_type: str, market: str) -> None:
        """Queue a message."""


def frame_of(text: str | bytes) -> dict[str, Any] | None:
    """Return a client's frame, None when it is no JSON object; whatever comes, nothing is raised."""
    try:
        frame = msgspec.json.decode(text)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None
    return frame if isinstance(frame, dict) else None


def strings(values: object) -> list[str]:
    """Return the texts of a list; whatever else was sent counts as none."""
    return [each for each in values if isinstance(each, str)] if isinstance(values, list) else []


def text_of(body: Any) -> str:
    """Return compact JSON."""
    return _encode(body).decode()


class _Shadow:
    """The books of one market as its listeners have been told."""

    def __init__(self, market: Market, books: tuple[OrderBook, OrderBook], last: str) -> None:
        self.market = market
        self.books = dict(zip(market.asset_ids, books, strict=True))
        self.last = last
        self.tops = {asset_id: book.top for asset_id, book in self.books.items()}

    def view(self, asset_id: AssetId, at_ms: int) -> BookView:
        book = self.books[asset_id]
        return BookView(self.market, asset_id, book.bids(), book.asks(), at_ms, self.hash(asset_id, at_ms), self.last)

    def hash(self, asset_id: AssetId, at_ms: int) -> str:
        market = self.market
        identity = BookIdentity(
            market.condition_id,
            decimal_text(market.min_order_size),
            decimal_text(market.tick_size),
            market.neg_risk,
            self.last,
        )
        return self.books[asset_id].hash(identity, at_ms)

    def top(self, asset_id: AssetId, at_ms: int) -> Top:
        bid, ask = self.books[asset_id].top
        return Top(bid, ask, self.hash(asset_id, at_ms))


class MarketHub:
    """Who listens to which books."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._listeners: dict[AssetId, dict[Listener, None]] = {}
        self._assets: dict[Listener, dict[AssetId, None]] = {}
        self._custom: dict[Listener, None] = {}
        self._shadows: dict[ConditionId, _Shadow] = {}
        self.messages = 0

    def take_frame(self, listener: Listener, frame: dict[str, Any]) -> bool:
        """Follow a client's frame; False when the connection must end because it asks for too much."""
        assets = [AssetId(each) for each in strings(frame.get("assets_ids"))]
        if isinstance(frame.get("custom_feature_enabled"), bool):
            if frame["custom_feature_enabled"]:
                self._custom[listener] = None
            else:
                self._custom.pop(listener, None)
        operation = str(frame.get("operation", "")).lower()
        if operation == "unsubscribe":
            for asset_id in assets:
                self._drop(listener, asset_id)
            return True
        if operation == "subscribe" or str(frame.get("type", "")).lower() == "market":
            return self._subscribe(listener, assets, dump=frame.get("initial_dump", True) is not False)
        return True

    def _subscribe(self, listener: Listener, assets: list[AssetId], *, dump: bool) -> bool:
        self._venue.publish()
        held = self._assets.setdefault(listener, {})
        if len(set(held) | set(assets)) > MAX_ASSETS:
            return False
        books = []
        for asset_id in dict.fromkeys(assets):
            shadow = self._shadow(asset_id)
            held[asset_id] = None
            self._listeners.setdefault(asset_id, {})[listener] = None
            if shadow is not None and self._venue.view(asset_id) is not None:
                books.append(wire_books.book_event(shadow.view(asset_id, shadow.books[asset_id].at_ms)))
        if dump and books:
            self._send([listener], books, "book", books[0]["market"])
        return True

    def _shadow(self, asset_id: AssetId) -> _Shadow | None:
        market = self._venue.market_by_asset(asset_id)
        if market is None:
            return None
        shadow = self._shadows.get(market.condition_id)
        if shadow is None:
            first, second = (self._copy(each) for each in market.asset_ids)
            last = self._venue.exchange.last_trade_price(market.condition_id) or ""
            shadow = self._shadows[market.condition_id] = _Shadow(market, (first, second), last)
        return shadow

    def _copy(self, asset_id: AssetId) -> OrderBook:
        """Return a book of our own: the exchange may hand out one that it goes on changing."""
        found = self._venue.exchange.book(asset_id)
        market = self._venue.market_by_asset(asset_id)
        assert market is not None, "only books of listed markets are copied"
        book = OrderBook(asset_id, market.tick_size)
        book.replace(found.bids(), found.asks(), found.at_ms or self._venue.exchange.now_ms)
        return book

    def _drop(self, listener: Listener, asset_id: AssetId) -> None:
        self._assets.get(listener, {}).pop(asset_id, None)
        listeners = self._listeners.get(asset_id)
        if listeners is None:
            return
        listeners.pop(listener, None)
        if listeners:
            return
        del self._listeners[asset_id]
        market = self._venue.market_by_asset(asset_id)
        if market is not None and not any(each in self._listeners for each in market.asset_ids):
            self._shadows.pop(market.condition_id, None)

    def leave(self, listener: Listener) -> None:
        """Forget a connection."""
        for asset_id in list(self._assets.get(listener, ())):
            self._drop(listener, asset_id)
        self._assets.pop(listener, None)
        self._custom.pop(listener, None)

    def take(self, notice: Notice) -> None:
        """Tell those who listen."""
        match notice:
            case BookChanged() if notice.condition_id in self._shadows:
                self._book(self._shadows[notice.condition_id], notice)
            case TradePrinted() if notice.condition_id in self._shadows:
                self._print(self._shadows[notice.condition_id], notice)
            case TickChanged() if notice.condition_id in self._shadows:
                self._tick(self._shadows[notice.condition_id], notice)
            case MarketChanged():
                self._market(notice)
            case _:
                pass

    def _of(self, asset_ids: Iterable[AssetId]) -> dict[Listener, None]:
        out: dict[Listener, None] = {}
        for asset_id in asset_ids:
            out.update(self._listeners.get(asset_id, {}))
        return out

    def _send(self, listeners: Iterable[Listener], body: Any, event_type: str, market: str) -> None:
        text = text_of(body)
        for listener in listeners:
            self.messages += 1
            listener.send(text, event_type=event_type, market=market)

    def _book(self, shadow: _Shadow, changed: BookChanged) -> None:
        for asset_id, is_bid, at, size in changed.changes:
            shadow.books[asset_id].update(is_bid, at, size)
        market, at_ms = shadow.market.condition_id, changed.at_ms
        for book in shadow.books.values():
            book.at_ms = at_ms
        if changed.after_trade:
            for asset_id in shadow.books:
                listeners = self._listeners.get(asset_id)
                if listeners:
                    self._send(listeners, wire_books.book_event(shadow.view(asset_id, at_ms)), "book", market)
        else:
            tops = {asset_id: shadow.top(asset_id, at_ms) for asset_id in shadow.books}
            listeners = self._of(shadow.books)
            self._send(listeners, wire_events.price_change(changed, tops), "price_change", market)
        self._bests(shadow, at_ms)

    def _bests(self, shadow: _Shadow, at_ms: int) -> None:
        for asset_id, book in shadow.books.items():
            if book.top == shadow.tops[asset_id]:
                continue
            shadow.tops[asset_id] = book.top
            custom = [each for each in self._listeners.get(asset_id, ()) if each in self._custom]
            if custom:
                top, market = Top(*book.top, ""), shadow.market.condition_id
                self._send(custom, wire_events.best_bid_ask(market, asset_id, top, at_ms), "best_bid_ask", market)

    def _print(self, shadow: _Shadow, printed: TradePrinted) -> None:
        first = shadow.market.asset_ids[0] == printed.asset_id
        shadow.last = decimal_text(printed.price if first else MICRO - printed.price)
        listeners = self._listeners.get(printed.asset_id, {})
        self._send(listeners, wire_events.last_trade(printed), "last_trade_price", printed.condition_id)

    def _tick(self, shadow: _Shadow, changed: TickChanged) -> None:
        shadow.market = self._venue.exchange.markets[changed.condition_id]
        for asset_id, book in shadow.books.items():
            book.set_tick_size(changed.new)
            listeners = self._listeners.get(asset_id, {})
            self._send(listeners, wire_events.tick_change(changed, asset_id), "tick_size_change", changed.condition_id)

    def _market(self, changed: MarketChanged) -> None:
        market = changed.market
        if market.condition_id in self._shadows:
            self._shadows[market.condition_id].market = market
        if changed.kind == "listed" and self._custom:
            listing = self._venue.listing(market)
            self._send(self._custom, wire_events.new_market(listing, changed.at_ms), "new_market", market.condition_id)
        elif changed.kind == "resolved":
            custom = [each for each in self._of(market.asset_ids) if each in self._custom]
            if custom:
                listing = self._venue.listing(market)
                event = wire_events.market_resolved(market, listing.number, listing.tags, changed.at_ms)
                self._send(custom, event, "market_resolved", market.condition_id)
