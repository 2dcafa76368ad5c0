"""What every recording can do: say what it holds, and play it to the engine."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar

from polymarket_agent.adapters.recordings.catalogue import Catalogue
from polymarket_agent.domain.events import Event
from polymarket_agent.domain.market import Market
from polymarket_agent.domain.money import Price, Shares
from polymarket_agent.errors import ConfigError

__all__ = ["CHUNK_EVENTS", "Assumptions", "Chunks", "Recording", "RecordingFeed", "in_chunks"]

# Events built at once: enough to spread the cost of a batch, few enough to stay in the processor's cache.
CHUNK_EVENTS = 4_096

Chunks = Iterator[Sequence[Event]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumptions:
    """What is made up where a recording has prices and no book. Everything made from it is marked synthetic.

    Args:
        half_spread: micro-USDC between a daily close and the bid and the ask put around it.
        size: micro-shares put on each side.
        gap_s: a silence longer than this counts as a gap in `inspect`.
    """

    half_spread: Price = Price(10_000)
    size: Shares = Shares(100_000_000)
    gap_s: float = 10.0

    def __post_init__(self) -> None:
        if not 0 <= self.half_spread < 500_000 or self.half_spread % 100:
            raise ConfigError(f"half_spread is {self.half_spread}; it must be a multiple of 100 from 0 to 499900")
        if self.size <= 0:
            raise ConfigError(f"size is {self.size} micro-shares; it must be positive")
        if not self.gap_s > 0:
            raise ConfigError(f"gap_s is {self.gap_s}; it must be positive")


def in_chunks(events: Iterable[Event]) -> Chunks:
    """Yield events in chunks."""
    source = iter(events)
    while chunk := list(islice(source, CHUNK_EVENTS)):
        yield chunk


class RecordingFeed:
    """An `EventFeed` over chunks of events. `dropped` counts by reason what was left out, and grows while it plays.

    Between two chunks the event loop gets a turn, so a replay can be paused or cancelled.
    """

    replayed = True

    def __init__(self, name: str, *, streaming: bool, build: Callable[[Counter[str]], Chunks]) -> None:
        self.name = name
        self.streaming = streaming
        self.dropped: Counter[str] = Counter()
        self._chunks = build(self.dropped)

    def chunks(self) -> Chunks:
        """Yield the events in chunks, for callers that need no event loop. A feed plays once."""
        return self._chunks

    async def events(self) -> AsyncIterator[Event]:
        """Yield the events one by one until the end of the recording."""
        for chunk in self._chunks:
            for event in chunk:
                yield event
            await asyncio.sleep(0)

    async def aclose(self) -> None:
        """Let go of the file. May be called more than once."""
        close = getattr(self._chunks, "close", None)
        if close is not None:
            close()


class Recording(ABC):
    """One recorded file. Cheap to open; `inspect` and `feed` read it."""

    kind: ClassVar[str]
    title: ClassVar[str]

    def __init__(self, path: Path, catalogue: Catalogue, assumptions: Assumptions) -> None:
        self.path = path
        self.catalogue = catalogue
        self.assumptions = assumptions

    @abstractmethod
    def inspect(self) -> dict[str, Any]:
        """Return what the recording holds, ready for JSON."""

    @abstractmethod
    def feed(self) -> RecordingFeed:
        """Return a fresh feed from the first event on.

        Raises:
            RecordingError: the recording has nothing that an engine can trade on.
        """

    @abstractmethod
    def markets(self) -> tuple[Market, ...]:
        """Return the markets that the feed will list, as far as the recording and the given metadata tell."""
