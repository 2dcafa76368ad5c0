"""Daily closes of many markets, with their answers: a synthetic book around each close.

Nobody displayed these books. The close is a mid or a last trade; the spread and the size around it are assumed
(see `Assumptions`), and every snapshot is marked synthetic, so that fills on it are reported as such.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

from polymarket_agent.adapters.recordings import parquet
from polymarket_agent.adapters.recordings.base import Assumptions, Chunks, Recording, RecordingFeed, in_chunks
from polymarket_agent.adapters.recordings.exact import EARLIEST_MS, LATEST_MS, Sides
from polymarket_agent.adapters.recordings.tally import Tally, feed_counts
from polymarket_agent.domain.events import BookSnapshot, Event, MarketClosed, MarketListed, MarketResolved
from polymarket_agent.domain.market import AssetId, Market
from polymarket_agent.domain.money import MICRO, Price, round_down_to_tick, round_up_to_tick
from polymarket_agent.errors import RecordingError

__all__ = ["HISTORY_COLUMNS", "DailyCloses", "sides_around"]

HISTORY_COLUMNS = ("condition_id", "token_id", "outcome", "won", "resolved_at", "observed_at", "close")
_TICK = Price(1_000)
_FIRST_LABELS = ("Yes", "Up", "Over")


class _Rows(NamedTuple):
    """Columns of a slice; the texts as (distinct values, index of each row). Times in seconds, closes in micro.

    `timeless` counts rows that are left out because one of their times cannot be.
    """

    conditions: tuple[list[str], list[int]]
    tokens: tuple[list[str], list[int]]
    labels: tuple[list[str], list[int]]
    won: list[int]
    resolved_s: list[int]
    observed_s: list[int]
    closes: list[int]
    exact: list[int]
    timeless: int


class _Entry:
    """What the file says about one market: its tokens with label and answer, and when it was answered."""

    __slots__ = ("market", "resolved_s", "tokens")

    def __init__(self, resolved_s: int) -> None:
        self.resolved_s = resolved_s
        self.tokens: dict[str, tuple[str, bool]] = {}
        self.market: Market | None = None


def _decode(pa: Any, part: Any) -> _Rows:
    pc = pa.compute
    timely = [
        pc.and_(pc.greater_equal(part[name], EARLIEST_MS // 1000), pc.less(part[name], LATEST_MS // 1000))
        for name in ("resolved_at", "observed_at")
    ]
    rows = part.num_rows
    part = part.filter(pc.fill_null(pc.and_(*timely), fill_value=False))
    closes, exact = parquet.micros(part["close"])
    return _Rows(
        parquet.texts(part["condition_id"]),
        parquet.texts(part["token_id"]),
        parquet.texts(part["outcome"]),
        parquet.integers(part["won"]),
        parquet.integers(part["resolved_at"]),
        parquet.integers(part["observed_at"]),
        parquet.integers(closes),
        parquet.integers(exact),
        rows - part.num_rows,
    )


def sides_around(close: int, assumptions: Assumptions) -> tuple[Sides, Sides]:
    """Return the assumed bids and asks around a price: one level each, none where it would leave (0, 1)."""
    bid = round_down_to_tick(close - assumptions.half_spread, _TICK)
    ask = round_up_to_tick(close + assumptions.half_spread, _TICK)
    if bid >= ask:
        ask = Price(bid + _TICK)
    return (
        ((bid, assumptions.size),) if bid > 0 else (),
        ((ask, assumptions.size),) if ask < MICRO else (),
    )


class DailyCloses(Recording):
    """A history of daily closes. It has to be sorted by time, so its columns stand in memory, packed."""

    kind = "daily_closes"
    title = "daily closes of resolved markets; books around them are synthetic"
    _entries: dict[str, _Entry] | None = None

    def _slices(self, *, ordered: bool) -> Iterator[_Rows]:
        if ordered:
            return parquet.sorted_rows(self.path, HISTORY_COLUMNS, sort_by="observed_at", decode=_decode)
        return parquet.batches(self.path, HISTORY_COLUMNS, _decode)

    def entries(self) -> dict[str, _Entry]:
        """Read the file once for its markets; remembered."""
        if self._entries is None:
            entries: dict[str, _Entry] = {}
            for rows in self._slices(ordered=False):
                (conditions, condition_of), (tokens, token_of), (labels, label_of), won, resolved, *_ = rows
                distinct = dict.fromkeys(zip(condition_of, token_of, label_of, won, resolved, strict=True))
                for condition, token, label, answer, resolved_s in distinct:
                    entry = entries.setdefault(conditions[condition], _Entry(resolved_s))
                    entry.tokens[tokens[token]] = (labels[label], bool(answer))
            if not entries:
                raise RecordingError(f"{self.path} is a history without a single row")
            for condition_id, entry in entries.items():
                entry.market = self._market_of(condition_id, entry)
            self._entries = entries
        return self._entries

    def _market_of(self, condition_id: str, entry: _Entry) -> Market:
        tokens = sorted(entry.tokens, key=lambda token: entry.tokens[token][0] not in _FIRST_LABELS)[:2]
        labels = [entry.tokens[token][0] or f"Outcome {index + 1}" for index, token in enumerate(tokens)]
        return self.catalogue.market(tokens, condition_id=condition_id, labels=labels, tick_size=_TICK)

    def markets(self) -> tuple[Market, ...]:
        """Return the markets in the order of the file."""
        return tuple(entry.market for entry in self.entries().values() if entry.market is not None)

    def feed(self) -> RecordingFeed:
        """Play closes and answers of all markets by time."""
        return RecordingFeed(f"history {self.path.name}", streaming=False, build=self._chunks)

    def _chunks(self, dropped: Counter[str]) -> Chunks:
        return in_chunks(self._events(dropped))

    def _events(self, dropped: Counter[str]) -> Iterator[Event]:
        entries = self.entries()
        endings = sorted(((entry.resolved_s, key) for key, entry in entries.items()), reverse=True)
        listed: set[str] = set()
        cache: dict[int, tuple[Sides, Sides]] = {}
        assumptions = self.assumptions
        for rows in self._slices(ordered=True):
            (conditions, condition_of), (tokens, token_of), _, _, resolved, observed, closes, exact, timeless = rows
            if timeless:
                dropped["a row whose times cannot be"] += timeless
            columns = (condition_of, token_of, resolved, observed, closes, exact)
            for condition, token, resolved_s, observed_s, close, is_exact in zip(*columns, strict=True):
                while endings and endings[-1][0] < observed_s:
                    yield from self._ending(endings.pop()[1], listed, dropped)
                if observed_s > resolved_s:
                    dropped["a close after the answer"] += 1
                    continue
                if not is_exact or not 0 < close < MICRO:
                    dropped["a close that is not between 0 and 1"] += 1
                    continue
                key, at_ms = conditions[condition], observed_s * 1000
                if key not in listed:
                    listed.add(key)
                    market = entries[key].market
                    assert market is not None, "every entry gets its market when it is read"
                    yield MarketListed(market, at_ms)
                sides = cache.get(close)
                if sides is None:
                    sides = cache[close] = sides_around(close, assumptions)
                yield BookSnapshot(AssetId(tokens[token]), *sides, at_ms, 0, None, True)  # noqa: FBT003
        while endings:
            yield from self._ending(endings.pop()[1], listed, dropped)

    def _ending(self, key: str, listed: set[str], dropped: Counter[str]) -> Iterator[Event]:
        if key not in listed:
            return
        entry = self.entries()[key]
        market, at_ms = entry.market, entry.resolved_s * 1000
        assert market is not None, "every entry gets its market when it is read"
        winners = [token for token, (_, won) in entry.tokens.items() if won]
        if len(winners) == 1 and winners[0] in market.asset_ids:
            first = winners[0] == market.asset_ids[0]
            yield MarketResolved(market.condition_id, (MICRO, 0) if first else (0, MICRO), at_ms)
        else:
            # No winner, or two: 50/50 would be a guess.
            dropped["an answer that names no single winner"] += 1
            yield MarketClosed(market.condition_id, at_ms)

    def inspect(self) -> dict[str, Any]:
        """Return what the recording holds. Gaps and silences are of the times in order, not of the file's order."""
        tally = Tally(self.assumptions.gap_s)
        for rows in self._slices(ordered=True):
            tokens, token_of = rows.tokens
            for token, observed_s, close in zip(token_of, rows.observed_s, rows.closes, strict=True):
                tally.at(observed_s * 1000, (tokens[token],))
                tally.copy((token, observed_s, close))
            tally.frames += len(token_of) + rows.timeless
            tally.events["close"] += len(token_of)
        tally.markets.update(self.entries())
        feed = self.feed()
        events, tally.crossed = feed_counts(feed.chunks())
        tally.dropped = feed.dropped
        return tally.report(path=str(self.path), kind=self.kind, title=self.title, engine_events=events)
