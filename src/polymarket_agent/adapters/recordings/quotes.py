"""Hourly quotes of Polymarket US, another venue: bid and ask without sizes, and the answer.

Each slug is one question of which only YES is quoted; the NO side is its mirror. The sizes are assumed, so every
book is marked synthetic. The file does not say when a question was answered: an hour after its last quote is
taken, when the next quote would have come.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

from polymarket_agent.adapters.recordings import parquet
from polymarket_agent.adapters.recordings.base import Chunks, Recording, RecordingFeed, in_chunks
from polymarket_agent.adapters.recordings.exact import EARLIEST_MS, LATEST_MS, Sides
from polymarket_agent.adapters.recordings.tally import Tally, feed_counts
from polymarket_agent.domain.events import BookSnapshot, Event, MarketClosed, MarketListed, MarketResolved
from polymarket_agent.domain.market import Market
from polymarket_agent.domain.money import MICRO, PRICE_GRID, Price, complement
from polymarket_agent.errors import RecordingError

__all__ = ["QUOTE_COLUMNS", "HourlyQuotes"]

QUOTE_COLUMNS = ("ts", "slug", "question", "bid", "ask", "y")
_TICK = Price(1_000)
_HOUR_MS = 3_600_000
_NONE = -1


class _Rows(NamedTuple):
    """Columns of a slice; prices in micro-USDC, 0 where there is none, -1 where it cannot be read.

    `timeless` counts rows that are left out because their time cannot be.
    """

    at_ms: list[int]
    slugs: tuple[list[str], list[int]]
    questions: tuple[list[str], list[int]]
    bids: list[int]
    asks: list[int]
    answers: list[int]
    timeless: int


class _Entry(NamedTuple):
    market: Market
    last_ms: int
    answers: frozenset[int]


def _decode(pa: Any, part: Any) -> _Rows:
    def prices(name: str) -> list[int]:
        values, exact = parquet.micros(part[name])
        on_grid = pa.compute.equal(pa.compute.multiply(pa.compute.divide(values, PRICE_GRID), PRICE_GRID), values)
        usable = pa.compute.and_(pa.compute.and_(exact, on_grid), pa.compute.less_equal(values, MICRO))
        readable = pa.compute.if_else(usable, values, _NONE)
        column = part[name].combine_chunks() if hasattr(part[name], "combine_chunks") else part[name]
        return parquet.integers(pa.compute.if_else(pa.compute.is_null(column), 0, readable))

    pc = pa.compute
    times = parquet.millis(part["ts"])
    rows = part.num_rows
    part = part.filter(
        pc.fill_null(pc.and_(pc.greater_equal(times, EARLIEST_MS), pc.less(times, LATEST_MS)), fill_value=False)
    )
    return _Rows(
        parquet.integers(parquet.millis(part["ts"])),
        parquet.texts(part["slug"]),
        parquet.texts(part["question"]),
        prices("bid"),
        prices("ask"),
        parquet.integers(part["y"]),
        rows - part.num_rows,
    )


class HourlyQuotes(Recording):
    """Hourly quotes. They have to be sorted by time, so the columns stand in memory, packed."""

    kind = "hourly_quotes"
    title = "hourly quotes of Polymarket US; sizes are synthetic"
    _entries: dict[str, _Entry] | None = None

    def entries(self) -> dict[str, _Entry]:
        """Read the file once for its questions; remembered."""
        if self._entries is None:
            found: dict[str, tuple[str, int, set[int]]] = {}
            for rows in parquet.batches(self.path, QUOTE_COLUMNS, _decode):
                (slugs, slug_of), (questions, question_of) = rows.slugs, rows.questions
                for slug, question, at_ms, answer in zip(slug_of, question_of, rows.at_ms, rows.answers, strict=True):
                    known = found.get(slugs[slug])
                    if known is None:
                        found[slugs[slug]] = (questions[question], at_ms, {answer})
                    else:
                        known[2].add(answer)
                        if at_ms > known[1]:
                            found[slugs[slug]] = (known[0], at_ms, known[2])
            if not found:
                raise RecordingError(f"{self.path} holds hourly quotes without a single row")
            self._entries = {
                slug: _Entry(
                    self.catalogue.market(
                        [slug], condition_id=slug, question=question, labels=("Yes", "No"), tick_size=_TICK
                    ),
                    last_ms,
                    frozenset(answers),
                )
                for slug, (question, last_ms, answers) in found.items()
            }
        return self._entries

    def markets(self) -> tuple[Market, ...]:
        """Return one market a slug; the asset of YES is the slug, that of NO is made up."""
        return tuple(entry.market for entry in self.entries().values())

    def feed(self) -> RecordingFeed:
        """Play quotes and answers of all questions by time."""
        return RecordingFeed(f"quotes {self.path.name}", streaming=False, build=self._chunks)

    def _chunks(self, dropped: Counter[str]) -> Chunks:
        return in_chunks(heapq.merge(self._quotes(dropped), self._answers(dropped), key=lambda event: event.at_ms))

    def _answers(self, dropped: Counter[str]) -> Iterator[Event]:
        for entry in sorted(self.entries().values(), key=lambda entry: entry.last_ms):
            at_ms = entry.last_ms + _HOUR_MS
            condition_id = entry.market.condition_id
            if entry.answers in ({0}, {1}):
                yield MarketResolved(condition_id, (MICRO, 0) if 1 in entry.answers else (0, MICRO), at_ms)
            else:
                dropped["an answer that is neither 0 nor 1"] += 1
                yield MarketClosed(condition_id, at_ms)

    def _quotes(self, dropped: Counter[str]) -> Iterator[Event]:
        entries = self.entries()
        listed: set[str] = set()
        size = self.assumptions.size
        cache: dict[int, Sides] = {0: ()}
        for rows in parquet.sorted_rows(self.path, QUOTE_COLUMNS, sort_by="ts", decode=_decode):
            slugs, slug_of = rows.slugs
            if rows.timeless:
                dropped["a row whose times cannot be"] += rows.timeless
            for slug, at_ms, bid, ask in zip(slug_of, rows.at_ms, rows.bids, rows.asks, strict=True):
                if _NONE in (bid, ask) or bid == MICRO or (ask and bid >= ask):
                    dropped["a quote that no book can have"] += 1
                    continue
                market = entries[slugs[slug]].market
                if market.condition_id not in listed:
                    listed.add(market.condition_id)
                    yield MarketListed(market, at_ms)
                yes_bids, yes_asks, no_bids, no_asks = (
                    cache.setdefault(at, ((Price(at), size),))
                    for at in (
                        bid,
                        ask % MICRO,
                        complement(Price(ask)) % MICRO if ask else 0,
                        complement(Price(bid)) % MICRO,
                    )
                )
                yes, no = market.asset_ids
                yield BookSnapshot(yes, yes_bids, yes_asks, at_ms, 0, None, True)  # noqa: FBT003
                yield BookSnapshot(no, no_bids, no_asks, at_ms, 0, None, True)  # noqa: FBT003

    def inspect(self) -> dict[str, Any]:
        """Return what the recording holds."""
        tally = Tally(self.assumptions.gap_s)
        without_bid = without_ask = 0
        for rows in parquet.sorted_rows(self.path, QUOTE_COLUMNS, sort_by="ts", decode=_decode):
            slugs, slug_of = rows.slugs
            for slug, at_ms, bid, ask in zip(slug_of, rows.at_ms, rows.bids, rows.asks, strict=True):
                tally.at(at_ms, (slugs[slug],))
                tally.copy((slug, at_ms, bid, ask))
                without_bid += not bid
                without_ask += not ask
            tally.frames += len(slug_of) + rows.timeless
            tally.events["quote"] += len(slug_of)
        tally.markets.update(self.entries())
        feed = self.feed()
        events, tally.crossed = feed_counts(feed.chunks())
        tally.dropped = feed.dropped
        return tally.report(
            path=str(self.path),
            kind=self.kind,
            title=self.title,
            engine_events=events,
            without_bid=without_bid,
            without_ask=without_ask,
        )
