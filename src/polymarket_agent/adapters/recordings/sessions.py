"""Polled sessions: lines of {timestamp, type, data} with the books of many markets, levels as [price, size]."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Annotated, Any

import msgspec

from polymarket_agent.adapters.recordings.base import Chunks, Recording, RecordingFeed, in_chunks
from polymarket_agent.adapters.recordings.exact import BadRowError, Number, levels_of, milliseconds
from polymarket_agent.adapters.recordings.lines import decoded_lines
from polymarket_agent.adapters.recordings.tally import Tally, feed_counts
from polymarket_agent.domain.events import BookSnapshot, Event, MarketListed
from polymarket_agent.domain.market import AssetId, Market

__all__ = ["SessionRecording"]


class _Book(msgspec.Struct, gc=False):
    asset_id: Annotated[str, msgspec.Meta(min_length=1)]
    market: str
    bids: list[tuple[Number, Number]]
    asks: list[tuple[Number, Number]]
    timestamp: Number | None = None
    hash: str = ""


class _Line(msgspec.Struct, gc=False):
    timestamp: Number
    type: str
    data: msgspec.Raw


_lines = msgspec.json.Decoder(_Line)
_books = msgspec.json.Decoder(_Book)


class SessionRecording(Recording):
    """A polled session. Its `market` may be the id of a whole event: only one that has two assets is a market."""

    kind = "sessions"
    title = "polled books of several markets"
    _markets: tuple[Market, ...] | None = None

    def _rows(self, dropped: Counter[str]) -> Iterator[tuple[int, _Book]]:
        for line in decoded_lines(self.path, _lines, dropped):
            if line.type != "book":
                dropped["a line of another type"] += 1
                continue
            try:
                book = _books.decode(line.data)
                yield milliseconds(line.timestamp if book.timestamp is None else book.timestamp), book
            except (msgspec.MsgspecError, UnicodeDecodeError):
                dropped["a line of another shape"] += 1
            except BadRowError as error:
                dropped[str(error)] += 1

    def markets(self) -> tuple[Market, ...]:
        """Return the markets, two assets of one market id each; an asset without a partner gets a made-up one."""
        if self._markets is None:
            by_market: defaultdict[str, dict[str, None]] = defaultdict(dict)
            assets: dict[str, None] = {}
            for _, book in self._rows(Counter()):
                by_market[book.market].setdefault(book.asset_id)
                assets.setdefault(book.asset_id)
            pairs = {a: (market, list(two)) for market, two in by_market.items() if len(two) == 2 for a in two}
            found: dict[str, Market] = {}
            for asset in assets:
                condition_id, pair = pairs.get(asset, ("", [asset]))
                found.setdefault(asset, self.catalogue.market(pair, condition_id=condition_id))
                for other in found[asset].asset_ids:
                    found.setdefault(other, found[asset])
            self._markets = tuple(dict.fromkeys(found.values()))
        return self._markets

    def feed(self) -> RecordingFeed:
        """Play the books in the order of the file. A poll says nothing about the time between."""
        return RecordingFeed(f"session {self.path.name}", streaming=False, build=self._chunks)

    def _chunks(self, dropped: Counter[str]) -> Chunks:
        market_of = {asset: market for market in self.markets() for asset in market.asset_ids}
        return in_chunks(self._events(dropped, market_of))

    def _events(self, dropped: Counter[str], market_of: dict[AssetId, Market]) -> Iterator[Event]:
        listed: set[str] = set()
        for at_ms, book in self._rows(dropped):
            asset_id = AssetId(book.asset_id)
            try:
                snapshot = BookSnapshot(asset_id, levels_of(book.bids), levels_of(book.asks), at_ms)
            except BadRowError as error:
                dropped[str(error)] += 1
                continue
            market = market_of[asset_id]
            if market.condition_id not in listed:
                listed.add(market.condition_id)
                yield MarketListed(market, at_ms)
            yield snapshot

    def inspect(self) -> dict[str, Any]:
        """Return what the recording holds. Its hashes cannot be checked: the lines lack what they cover."""
        tally = Tally(self.assumptions.gap_s)
        hashes = one_sided = 0
        for at_ms, book in self._rows(Counter()):
            tally.frames += 1
            tally.events["book"] += 1
            tally.at(at_ms, [book.asset_id])
            tally.copy(msgspec.json.encode(book))
            hashes += bool(book.hash)
            one_sided += not (book.bids and book.asks)
        tally.markets.update(market.condition_id for market in self.markets())
        feed = self.feed()
        events, tally.crossed = feed_counts(feed.chunks())
        tally.dropped = feed.dropped
        return tally.report(
            path=str(self.path),
            kind=self.kind,
            title=self.title,
            engine_events=events,
            one_sided_books=one_sided,
            book_hash={"checked": 0, "matched": 0, "unmatched": 0, "unverifiable": hashes},
        )
