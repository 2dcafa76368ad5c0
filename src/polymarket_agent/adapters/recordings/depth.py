"""Full-depth snapshots of the two outcomes of one market, and its trades, as lines of JSON.

The files are grouped by outcome, not by time, so the outcomes are read side by side and merged by time.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from polymarket_agent.adapters.recordings.base import (
    Assumptions,
    Chunks,
    Recording,
    RecordingFeed,
    in_chunks,
)
from polymarket_agent.adapters.recordings.catalogue import Catalogue
from polymarket_agent.adapters.recordings.exact import (
    BadRowError,
    Number,
    levels_of,
    micro,
    milliseconds,
    trade_price_of,
)
from polymarket_agent.adapters.recordings.lines import decoded_lines
from polymarket_agent.adapters.recordings.tally import Tally, feed_counts
from polymarket_agent.domain.events import BookSnapshot, Event, MarketListed, TradePrint
from polymarket_agent.domain.market import AssetId, Market
from polymarket_agent.domain.money import Shares
from polymarket_agent.errors import RecordingError

__all__ = ["DepthBooks", "DepthTrades"]

_MAX_OUTCOMES = 2


class _Level(msgspec.Struct, gc=False):
    price: Number
    size: Number


class _Book(msgspec.Struct, gc=False):
    outcome: str
    bids: list[_Level]
    asks: list[_Level]
    timestamp: Number
    local_timestamp: Number | None = None


class _Trade(msgspec.Struct, gc=False):
    outcome: str
    price: Number
    size: Number
    side: str
    timestamp: Number
    local_timestamp: Number | None = None


class _Outcome(msgspec.Struct):
    outcome: str


_books = msgspec.json.Decoder(_Book)
_trades = msgspec.json.Decoder(_Trade)
_outcomes = msgspec.json.Decoder(_Outcome)


def _snapshot(row: _Book, asset_id: AssetId) -> BookSnapshot:
    bids = levels_of([(level.price, level.size) for level in row.bids])
    asks = levels_of([(level.price, level.size) for level in row.asks])
    received = milliseconds(row.local_timestamp) if row.local_timestamp is not None else 0
    return BookSnapshot(asset_id, bids, asks, milliseconds(row.timestamp), received)


def _print(row: _Trade, asset_id: AssetId, number: int) -> TradePrint:
    side = row.side.lower()
    if side not in {"buy", "sell"}:
        raise BadRowError("a trade without a side")
    received = milliseconds(row.local_timestamp) if row.local_timestamp is not None else 0
    return TradePrint(
        asset_id,
        trade_price_of(row.price),
        Shares(micro(row.size)),
        side == "buy",
        milliseconds(row.timestamp),
        received,
        key=f"{row.outcome}:{number}",  # equal trades are not known to be copies
    )


class _Depth(Recording):
    """What books and trades have in common: two outcomes of one market, named but without ids."""

    _market: Market | None = None

    def __init__(self, path: Path, catalogue: Catalogue, assumptions: Assumptions) -> None:
        super().__init__(path, catalogue, assumptions)
        self.name = path.name.split(".")[0].partition("_")[2] or path.name

    def markets(self) -> tuple[Market, ...]:
        """Return the one market: given metadata whose outcomes have these names, or one made up from the file."""
        if self._market is None:
            labels: dict[str, None] = {}
            for row in decoded_lines(self.path, _outcomes, Counter()):
                labels.setdefault(row.outcome)
                if len(labels) > _MAX_OUTCOMES:
                    raise RecordingError(f"{self.path} has more than two outcomes; a depth recording is of one market")
            if not labels:
                raise RecordingError(f"{self.path} has no line that can be read")
            names = list(labels)
            given = [m for m in self.catalogue.given if set(names) <= {o.label.lower() for o in m.outcomes}]
            if len(given) == 1:
                self._market = given[0]
            else:
                self._market = self.catalogue.market(
                    [f"{self.name}:{label}" for label in names],
                    condition_id=self.name,
                    question=self.name.replace("_", " "),
                    labels=names,
                )
        return (self._market,)

    def assets(self) -> dict[str, AssetId]:
        """Return the asset of each outcome name."""
        return {outcome.label.lower(): outcome.asset_id for outcome in self.markets()[0].outcomes}

    def _playing(self, streams: Sequence[Iterator[Event]]) -> Chunks:
        merged = heapq.merge(*streams, key=lambda event: event.at_ms)
        first = next(merged, None)
        if first is not None:
            yield [*(MarketListed(market, first.at_ms) for market in self.markets()), first]
        yield from in_chunks(merged)

    def _report(self, tally: Tally, **more: Any) -> dict[str, Any]:
        tally.markets.update(market.condition_id for market in self.markets())
        feed = self.feed()
        events, tally.crossed = feed_counts(feed.chunks())
        tally.dropped = feed.dropped
        return tally.report(path=str(self.path), kind=self.kind, title=self.title, engine_events=events, **more)


def _book_stream(path: Path, outcome: str, asset_id: AssetId, dropped: Counter[str]) -> Iterator[Event]:
    for row in decoded_lines(path, _books, dropped):
        if row.outcome == outcome:
            try:
                yield _snapshot(row, asset_id)
            except BadRowError as error:
                dropped[str(error)] += 1


def _trade_stream(path: Path, outcome: str, asset_id: AssetId, dropped: Counter[str]) -> Iterator[Event]:
    for number, row in enumerate(decoded_lines(path, _trades, dropped)):
        if row.outcome == outcome:
            try:
                yield _print(row, asset_id, number)
            except BadRowError as error:
                dropped[str(error)] += 1


class DepthBooks(_Depth):
    """Polled books of both outcomes; the trades of the same market join them if their file lies beside."""

    kind = "depth_books"
    title = "full-depth book snapshots of the two outcomes of a market"

    def __init__(self, path: Path, catalogue: Catalogue, assumptions: Assumptions, *, also: Path | None = None) -> None:
        super().__init__(path, catalogue, assumptions)
        beside = path.with_name(path.name.replace("books", "trades", 1))
        self.trades = also or (beside if beside != path and beside.is_file() else None)

    def feed(self) -> RecordingFeed:
        """Play books and trades by time. A poll says nothing about the time between, so it is no stream."""
        return RecordingFeed(f"depth {self.path.name}", streaming=False, build=self._chunks)

    def _chunks(self, dropped: Counter[str]) -> Chunks:
        streams: list[Iterator[Event]] = []
        for number, (outcome, asset_id) in enumerate(self.assets().items()):
            # Bad lines are counted by the first reader only; the second reads the same lines again.
            counted = dropped if number == 0 else Counter[str]()
            streams.append(_book_stream(self.path, outcome, asset_id, counted))
            if self.trades is not None:
                streams.append(_trade_stream(self.trades, outcome, asset_id, counted))
        return self._playing(streams)

    def inspect(self) -> dict[str, Any]:
        """Return what the recording holds."""
        tally = Tally(self.assumptions.gap_s)
        assets = self.assets()
        for row in decoded_lines(self.path, _books, Counter()):
            tally.frames += 1
            tally.events["book"] += 1
            try:
                tally.at(milliseconds(row.timestamp), [assets.get(row.outcome, row.outcome)])
                tally.copy(msgspec.json.encode(row))
            except BadRowError:
                continue
        return self._report(tally, trades_file=str(self.trades) if self.trades else None)


class DepthTrades(_Depth):
    """Trades alone: no book, so a strategy sees prints and can trade nothing."""

    kind = "depth_trades"
    title = "trades of the two outcomes of a market, without books"

    def feed(self) -> RecordingFeed:
        """Play the trades by time."""
        return RecordingFeed(f"trades {self.path.name}", streaming=False, build=self._chunks)

    def _chunks(self, dropped: Counter[str]) -> Chunks:
        streams = [
            _trade_stream(self.path, outcome, asset_id, dropped if number == 0 else Counter())
            for number, (outcome, asset_id) in enumerate(self.assets().items())
        ]
        return self._playing(streams)

    def inspect(self) -> dict[str, Any]:
        """Return what the recording holds."""
        tally = Tally(self.assumptions.gap_s)
        assets = self.assets()
        for row in decoded_lines(self.path, _trades, Counter()):
            tally.frames += 1
            tally.events["trade"] += 1
            try:
                tally.at(milliseconds(row.timestamp), [assets.get(row.outcome, row.outcome)])
                tally.copy(msgspec.json.encode(row))
            except BadRowError:
                continue
        return self._report(tally)
