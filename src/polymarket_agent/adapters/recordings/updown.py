"""Two kinds that can be looked at and not played: settled five-minute markets, and ticks of their reference price."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from typing import Any

import msgspec

from polymarket_agent.adapters.recordings.base import Recording, RecordingFeed
from polymarket_agent.adapters.recordings.exact import BadRowError, milliseconds
from polymarket_agent.adapters.recordings.lines import LineReader, decoded_lines
from polymarket_agent.adapters.recordings.tally import Tally
from polymarket_agent.domain.market import Market
from polymarket_agent.errors import RecordingError

__all__ = ["REFERENCE_HEADER", "ReferenceTicks", "UpdownMarkets"]

REFERENCE_HEADER = ("feed_ts_ms", "value", "full_accuracy_value", "server_ts_ms", "recv_ms")


class _Settled(msgspec.Struct, gc=False):
    slug: str
    condition_id: str
    token_ids: list[str]
    start_sec: int
    end_sec: int
    resolved: bool = False
    strike_value: str | None = None
    outcome_prices: list[str] | None = None


_settled = msgspec.json.Decoder(_Settled)


class _LookOnly(Recording):
    def feed(self) -> RecordingFeed:
        """Refuse: there is nothing to trade on.

        Raises:
            RecordingError: always.
        """
        raise RecordingError(
            f"{self.path} holds {self.title}: no books and no trades, so it cannot be run",
            hint="look at it with: polymarket-agent recordings inspect PATH",
        )

    def markets(self) -> tuple[Market, ...]:
        """Return none: nothing is listed."""
        return ()


class UpdownMarkets(_LookOnly):
    """Settled up-or-down markets with their Gamma objects."""

    kind = "updown_markets"
    title = "settled up-or-down markets"

    def inspect(self) -> dict[str, Any]:
        """Return what the file holds."""
        tally = Tally(self.assumptions.gap_s)
        without_strike = resolved = 0
        for row in decoded_lines(self.path, _settled, tally.dropped):
            try:
                start_ms = milliseconds(row.start_sec * 1000)
            except BadRowError as error:
                tally.dropped[str(error)] += 1
                continue
            tally.frames += 1
            tally.events["market"] += 1
            tally.copy(row.slug)
            tally.markets.add(row.condition_id)
            tally.at(start_ms, row.token_ids)
            without_strike += not row.strike_value
            resolved += row.resolved
        return tally.report(
            path=str(self.path),
            kind=self.kind,
            title=self.title,
            resolved=resolved,
            without_strike=without_strike,
            note="no books: this recording can be inspected and not run",
        )


class ReferenceTicks(_LookOnly):
    """Ticks of a reference price, with three clocks."""

    kind = "reference_ticks"
    title = "ticks of a reference price"

    def _rows(self, dropped: Counter[str]) -> Iterator[tuple[int, int, tuple[str, ...]]]:
        reader = LineReader(self.path, dropped)
        for number, line in enumerate(reader):
            if number == 0 or not line.strip():
                continue
            try:
                fields = tuple(next(csv.reader([line.decode("utf-8")])))
                if len(fields) != len(REFERENCE_HEADER) or not fields[2].isdecimal():
                    dropped["a cut last line" if reader.unterminated else "a row of another shape"] += 1
                else:
                    yield milliseconds(fields[0]), milliseconds(fields[4]), fields
            except (UnicodeDecodeError, csv.Error, StopIteration):
                dropped["a row that is not text"] += 1
            except BadRowError as error:
                dropped[str(error)] += 1

    def inspect(self) -> dict[str, Any]:
        """Return what the file holds. The copies are of whole rows; the lag is from the feed's clock to ours."""
        tally = Tally(self.assumptions.gap_s)
        longest_lag = 0
        for at_ms, received_ms, fields in self._rows(tally.dropped):
            tally.frames += 1
            tally.events["reference_price"] += 1
            tally.at(at_ms)
            tally.copy(fields)
            longest_lag = max(longest_lag, received_ms - at_ms)
        return tally.report(
            path=str(self.path),
            kind=self.kind,
            title=self.title,
            longest_receive_lag_s=longest_lag / 1000,
            note="no books: this recording can be inspected and not run",
        )
