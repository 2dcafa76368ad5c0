"""The user channel: who listens to which account, and what each notice becomes for its owner. No sockets here."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from polymarket_agent.sandbox import wire_events
from polymarket_agent.sandbox.model import Notice, OrderChanged, TradeChanged
from polymarket_agent.sandbox.streams import Listener, strings, text_of

if TYPE_CHECKING:
    from polymarket_agent.sandbox.venue import Venue

__all__ = ["UserHub"]


class UserHub:
    """Who listens to which account. An empty filter is everything: that is how a client widens to all markets."""

    def __init__(self, venue: Venue, owner_of: Callable[[object], str | None]) -> None:
        self._venue = venue
        self._owner_of = owner_of
        self._listeners: dict[str, dict[Listener, set[str]]] = {}
        self._owner: dict[Listener, str] = {}
        self.messages = 0

    def take_frame(self, listener: Listener, frame: dict[str, Any]) -> bool:
        """Follow a client's frame; False when it does not show who it is and the connection must end."""
        markets = {each.lower() for each in strings(frame.get("markets"))}
        owner = self._owner.get(listener)
        if owner is None:
            owner = self._owner_of(frame.get("auth"))
            if owner is None:
                return False
            self._venue.publish()
            self._owner[listener] = owner
            self._listeners.setdefault(owner, {})[listener] = markets
            return True
        wanted = self._listeners[owner][listener]
        operation = str(frame.get("operation", "")).lower()
        if operation == "subscribe":
            wanted |= markets
        elif operation == "unsubscribe":
            wanted -= markets
        return True

    def leave(self, listener: Listener) -> None:
        """Forget a connection."""
        owner = self._owner.pop(listener, None)
        if owner is not None:
            self._listeners[owner].pop(listener, None)
            if not self._listeners[owner]:
                del self._listeners[owner]

    def take(self, notice: Notice) -> None:
        """Tell the owners."""
        match notice:
            case OrderChanged():
                self._send(
                    notice.order.owner, notice.order.condition_id, "order", lambda: wire_events.user_order(notice)
                )
            case TradeChanged():
                self._trade(notice)
            case _:
                pass

    def _trade(self, trade: TradeChanged) -> None:
        legs = {leg.owner: leg for leg in reversed((trade.taker, *trade.makers))}
        for owner, leg in legs.items():
            if owner in self._listeners:
                market = self._venue.exchange.markets.get(trade.condition_id)
                event = wire_events.user_trade(trade, leg, market)
                self._send(owner, trade.condition_id, "trade", lambda event=event: event)  # type: ignore[misc]

    def _send(self, owner: str, market: str, event_type: str, event: Callable[[], dict[str, Any]]) -> None:
        listeners = self._listeners.get(owner)
        if not listeners:
            return
        text = text_of(event())
        for listener, wanted in listeners.items():
            if not wanted or market in wanted:
                self.messages += 1
                listener.send(text, event_type=event_type, market=market)
