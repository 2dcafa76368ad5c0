"""Which books of a connection can be believed. No socket, no clock: times are given, events are returned.

A book is *wanted* from a subscription, a gap or a suspicion until a snapshot of it comes. The opening dump of the
websocket stands in the stream, so what follows it applies to it. A snapshot of the HTTP endpoint does not: the
changes that arrive while it is fetched are kept, and those that are not older than it are applied behind it.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import inf

from polymarket_agent.domain.board import Board
from polymarket_agent.domain.events import BookDelta, BookSnapshot, Event, Gap, LevelChange, MarketListed
from polymarket_agent.domain.market import AssetId, Market, MarketState

__all__ = ["BookKeeper"]

# Changes of one asset kept while its book is fetched; a fetch that takes longer starts anew.
MAX_KEPT_CHANGES = 20_000


class BookKeeper:
    """The feed's own view of the books of one connection. `now` is any steady clock in seconds."""

    def __init__(self, markets: Iterable[Market]) -> None:
        self.board = Board()
        self.asset_ids: tuple[AssetId, ...] = ()
        self._due: dict[AssetId, float] = {}
        self._kept: dict[AssetId, list[tuple[LevelChange, int, int]]] = {}
        self._heard: dict[AssetId, float] = {}
        self._sibling: dict[AssetId, AssetId] = {}
        for market in markets:
            first, second = market.asset_ids
            self.board.apply(MarketListed(market, 0))
            self.asset_ids += (first, second)
            self._sibling |= {first: second, second: first}
        self._due |= dict.fromkeys(self.asset_ids, inf)  # unknown until a connection is there to bring them

    def with_siblings(self, asset_ids: Iterable[AssetId]) -> tuple[AssetId, ...]:
        """Return the assets of this connection among these, each with the other outcome of its market."""
        known = [each for each in asset_ids if each in self._sibling]
        return tuple(dict.fromkeys(each for one in known for each in (one, self._sibling[one])))

    def want(self, asset_ids: Iterable[AssetId], due_at: float) -> None:
        """Believe the books of these assets no more; from `due_at` on they are to be fetched."""
        for asset_id in asset_ids:
            self._due[asset_id] = due_at
            self._kept.pop(asset_id, None)
            self.board.books[asset_id].clear()

    def take(self, event: Event, now: float) -> Event | None:
        """Take in an event of the stream; return what of it the reader may see."""
        if type(event) is BookDelta:
            for asset_id, _, _, _ in event.changes:
                self._heard[asset_id] = now
            if not self._due:
                self.board.apply(event)
                return event
            return self._take_part(event)
        if isinstance(event, BookSnapshot):
            self._heard[event.asset_id] = now
            self._due.pop(event.asset_id, None)
            self._kept.pop(event.asset_id, None)
        self.board.apply(event)
        return event

    def _take_part(self, event: BookDelta) -> BookDelta | None:
        """Let through what is about known books; keep the rest if a fetch will need it."""
        rest = []
        for change in event.changes:
            if change[0] not in self._due:
                rest.append(change)
            elif (kept := self._kept.get(change[0])) is not None:
                kept.append((change, event.at_ms, event.received_ms))
        if not rest:
            return None
        allowed = BookDelta(tuple(rest), event.at_ms, event.received_ms)
        self.board.apply(allowed)
        return allowed

    def start_fetch(self, now: float) -> tuple[AssetId, ...]:
        """Return the assets whose books are due, and keep what is heard about them from now on."""
        due = tuple(asset_id for asset_id, due_at in self._due.items() if due_at <= now)
        for asset_id in due:
            self._kept[asset_id] = []
        return due

    def end_fetch(self, fetched: Iterable[BookSnapshot], now: float, again_at: float) -> list[Event]:
        """Return the fetched snapshots, each with the changes behind it; what did not come is due again then."""
        events: list[Event] = []
        for snapshot in fetched:
            kept = self._kept.pop(snapshot.asset_id, None)
            if kept is None or len(kept) > MAX_KEPT_CHANGES:
                continue  # the stream brought a book meanwhile, or too much happened
            del self._due[snapshot.asset_id]
            self._heard[snapshot.asset_id] = now
            events.append(snapshot)
            # Sizes are absolute, so a change of the snapshot's own millisecond may be applied twice.
            events += [BookDelta((c,), at_ms, got_ms) for c, at_ms, got_ms in kept if at_ms >= snapshot.at_ms]
        for asset_id in self._kept:
            self._due[asset_id] = again_at
        self._kept.clear()
        for event in events:
            self.board.apply(event)
        return events

    def silent_since(self, before: float) -> list[AssetId]:
        """Return the assets of open markets with a known book about which nothing was heard since."""
        return [
            asset_id
            for asset_id, heard in self._heard.items()
            if heard < before and asset_id in self._sibling and self._may_speak(asset_id)
        ]

    def _may_speak(self, asset_id: AssetId) -> bool:
        market = self.board.market_by_asset[asset_id]
        return self.board.books[asset_id].ready and market.state is MarketState.OPEN

    def note_checked(self, asset_ids: Iterable[AssetId], now: float) -> None:
        """Count a look at the venue's book as having heard of these assets."""
        for asset_id in asset_ids:
            self._heard[asset_id] = now

    def missed(self, snapshot: BookSnapshot) -> bool:
        """Whether a fetched book is newer than ours and shows other levels: then the stream has left something out."""
        book = self.board.books.get(snapshot.asset_id)
        if book is None or not book.ready or snapshot.at_ms <= book.at_ms:
            return False
        ours = (dict(book.bids()), dict(book.asks()))
        theirs = ({p: s for p, s in snapshot.bids if s}, {p: s for p, s in snapshot.asks if s})
        return ours != theirs

    def gap(self, asset_ids: Iterable[AssetId], reason: str, at_ms: int) -> Gap | None:
        """Return the gap to report for those of these assets whose book was known until now."""
        known = tuple(asset_id for asset_id in asset_ids if asset_id not in self._due)
        return Gap(known, reason, at_ms, at_ms) if known else None
