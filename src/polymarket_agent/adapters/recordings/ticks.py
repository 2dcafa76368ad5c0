"""Tick streams: every level change and last trade of some assets as rows of a Parquet file.

There is no opening book, so depth is built up from changes. Two facts make the result honest:

* A book counts as known from the first row on at which its best bid and best ask, as built, are the two that the
  row claims. Until then its changes are gathered and not played; then they arrive as one snapshot, of which the
  top is right and the depth is what has been seen.
* A trade takes liquidity away without a row for the level (the venue sends a fresh book then, which such files
  leave out). The next claim proves it: levels better than the claimed best are gone, and are removed.

A change of one outcome stands beside its mirror (1 - price, same size, other side) of the other outcome; both
halves become one delta.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from polymarket_agent.adapters.recordings import parquet
from polymarket_agent.adapters.recordings.base import CHUNK_EVENTS, Chunks, Recording, RecordingFeed
from polymarket_agent.adapters.recordings.tally import Tally, event_counts
from polymarket_agent.adapters.recordings.tick_check import TickCheck
from polymarket_agent.adapters.recordings.tick_rows import (
    NO_CLAIM,
    TICK_COLUMNS,
    RowDecoder,
    TickRows,
    TickScan,
    scan_file,
    unpack_claim,
)
from polymarket_agent.domain.events import BookDelta, BookSnapshot, Event, LevelChange, MarketListed, TradePrint
from polymarket_agent.domain.market import TICK_SIZES, AssetId, Market
from polymarket_agent.domain.money import MICRO, Price, Shares
from polymarket_agent.errors import RecordingError

__all__ = ["TickRecording"]


class _Warming:
    """The levels of one asset while its book is not yet known."""

    __slots__ = ("changes", "sides")

    def __init__(self) -> None:
        self.sides: tuple[dict[int, int], dict[int, int]] = ({}, {})  # asks, bids: indexed by is_bid
        self.changes = 0

    def take(self, change: LevelChange, claim: int) -> bool:
        """Take in a change and the claim beside it. Returns whether the book is known now."""
        self.changes += 1
        _, is_bid, at, size = change
        asks, bids = self.sides
        self.sides[is_bid][at] = size
        best_bid, best_ask = unpack_claim(claim)
        for gone in [p for p in bids if p > best_bid or not bids[p]]:
            del bids[gone]
        for gone in [p for p in asks if p < best_ask or not asks[p]]:
            del asks[gone]
        return max(bids, default=0) == best_bid and min(asks, default=MICRO) == best_ask

    def snapshot(self, asset_id: AssetId, at_ms: int) -> BookSnapshot:
        """Return the book as far as it has been seen."""
        asks, bids = (tuple((Price(p), Shares(s)) for p, s in sorted(side.items())) for side in self.sides)
        return BookSnapshot(asset_id, bids, asks, at_ms)


class _Player:
    """Turns batches of rows into events. `known` holds the last claim of every book that is known."""

    def __init__(self, grid: int, dropped: Counter[str]) -> None:
        self.grid = grid
        self.dropped = dropped
        self.known: dict[str, int] = {}
        self.warming: dict[str, _Warming] = {}
        self.events: list[Event] = []
        self.removed = 0
        self.row = 0

    def play(self, rows: TickRows) -> Chunks:
        """Yield the events of a batch in chunks."""
        start = 0
        for trade in (*rows.trades, len(rows.at_ms)):
            while start < trade:
                end = min(trade, start + 2 * CHUNK_EVENTS)
                if end < trade and rows.mirrored[end - 1]:
                    end -= 1
                self._changes(rows, start, end)
                start = end
                if len(self.events) >= CHUNK_EVENTS:
                    yield self.events
                    self.events = []
            if trade < len(rows.at_ms):
                self._trade(rows, trade)
            start = trade + 1
        yield self.events
        self.events = []
        self.row += len(rows.at_ms)

    def _trade(self, rows: TickRows, index: int) -> None:
        key = str(self.row + index)
        asset_id, is_bid, at, size = next(rows.changes(index, index + 1))
        self.events.append(TradePrint(asset_id, at, size, is_bid, rows.at_ms[index], key=key))

    def _changes(self, rows: TickRows, start: int, end: int) -> None:
        """Play rows without a trade between them; the common case is that all of them are mirrored pairs."""
        claims, at_ms, mirrored = rows.claims, rows.at_ms, rows.mirrored
        changes = rows.changes(start, end)
        if (end - start) % 2 == 0 and all(mirrored[start:end:2]):
            append, known = self.events.append, self.known.get
            # The same iterator twice: two rows at a time.
            columns = (changes, changes, claims[start:end:2], claims[start + 1 : end : 2], at_ms[start:end:2])
            for one, other, claim, mirror, at in zip(*columns, strict=False):
                if known(one[0]) == claim and known(other[0]) == mirror:
                    append(BookDelta((one, other), at))
                else:
                    self._unit((one, other), (claim, mirror), at)
            return
        index = start
        for one in changes:
            if mirrored[index] and index + 1 < end:
                self._unit((one, next(changes)), claims[index : index + 2], at_ms[index])
                index += 2
            else:
                self._unit((one,), (claims[index],), at_ms[index])
                index += 1

    def _unit(self, changes: Sequence[LevelChange], claims: Sequence[int], at_ms: int) -> None:
        played: list[LevelChange] = []
        became_known: list[BookSnapshot] = []
        for change, claim in zip(changes, claims, strict=True):
            asset_id = change[0]
            if claim == NO_CLAIM:
                self.dropped["a change better than the best that its own row claims"] += 1
                continue
            before = self.known.get(asset_id)
            if before is not None:
                if claim != before:
                    played.extend(self._gone(asset_id, before, claim))
                    self.known[asset_id] = claim
                played.append(change)
                continue
            warming = self.warming.setdefault(asset_id, _Warming())
            if warming.take(change, claim):
                became_known.append(warming.snapshot(asset_id, at_ms))
                self.known[asset_id] = claim
                del self.warming[asset_id]
        if played:
            self.events.append(BookDelta(tuple(played), at_ms))
        self.events.extend(became_known)

    def _gone(self, asset_id: AssetId, before: int, claim: int) -> Iterator[LevelChange]:
        """Yield the removal of every level that the new claim proves to be gone."""
        old_bid, old_ask = unpack_claim(before)
        bid, ask = unpack_claim(claim)
        for at in range(bid + self.grid, old_bid + 1, self.grid):
            yield asset_id, True, Price(at), Shares(0)
        for at in range(old_ask, ask, self.grid):
            yield asset_id, False, Price(at), Shares(0)


class TickRecording(Recording):
    """A tick stream as a Parquet file."""

    kind = "ticks"
    title = "tick stream: level changes and last trades, without opening books"
    _scanned: TickScan | None = None

    def scan(self) -> TickScan:
        """Read the file once to learn which assets belong together; remembered."""
        if self._scanned is None:
            self._scanned = scan_file(self.path)
        return self._scanned

    def markets(self) -> tuple[Market, ...]:
        """Return the markets of the assets, paired by their mirrored rows."""
        scan = self.scan()
        # The usual grid, or a finer one when a price needs it: few prices do not prove a coarser one.
        tick_size = next((t for t in TICK_SIZES if t <= 10_000 and scan.grid % t == 0), TICK_SIZES[-1])
        markets: dict[str, Market] = {}
        for asset in scan.assets:
            if asset in markets:
                continue
            partner = scan.partners.get(asset)
            market = self.catalogue.market([asset, partner] if partner else [asset], tick_size=tick_size)
            markets.update(dict.fromkeys(market.asset_ids, market))
        return tuple(dict.fromkeys(markets.values()))

    def feed(self) -> RecordingFeed:
        """Play the rows in their order."""
        return RecordingFeed(f"ticks {self.path.name}", streaming=True, build=self._chunks)

    def _chunks(self, dropped: Counter[str]) -> Chunks:
        first_ms = self.scan().first_ms
        yield [MarketListed(market, first_ms) for market in self.markets()]
        player = _Player(self.scan().grid, dropped)
        for rows in self.rows(dropped):
            yield from player.play(rows)
        never = sum(warming.changes for warming in player.warming.values())
        if never:
            dropped["a change of a book that never became known"] += never

    def rows(self, dropped: Counter[str]) -> Iterator[TickRows]:
        """Yield the believable rows; damage ends the file and is counted. A mirrored pair is never torn apart."""
        decoder = RowDecoder()
        try:
            for rows in parquet.batches(self.path, TICK_COLUMNS, decoder, decoder.rest):
                dropped.update(rows.dropped)
                yield rows
        except RecordingError:
            dropped["the rest of a damaged Parquet file"] += 1

    def inspect(self) -> dict[str, Any]:
        """Return what the recording holds, and whether its best prices agree with the books built from it."""
        tally = Tally(self.assumptions.gap_s)
        check = TickCheck()
        for rows in self.rows(Counter()):
            check.take(rows, tally)
        tally.crossed = check.crossed
        tally.markets.update(market.condition_id for market in self.markets())
        feed = self.feed()
        events = event_counts(feed.chunks())
        tally.dropped = feed.dropped
        return tally.report(
            path=str(self.path), kind=self.kind, title=self.title, engine_events=events, **check.report()
        )
