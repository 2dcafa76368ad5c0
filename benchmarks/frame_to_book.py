"""Raw websocket frame -> parsed -> both books updated -> best prices read, for each message, against baselines.

    python benchmarks/frame_to_book.py [--data FOLDER] [--rounds N]

Every path sees the same recorded frames in one process, in interleaved rounds, and must end in the same checksum
over (best bid, best ask) of every asset after every message. The official SDK's parser takes part when it is
installed beside the package (`pip install polymarket-client==0.14.0` in an environment made for this).
"""

from __future__ import annotations

import argparse
import gc
import importlib
import json
import statistics
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from polymarket_agent.adapters.polymarket.parse import MarketChannelParser
from polymarket_agent.domain.board import Board
from polymarket_agent.domain.events import BookDelta, MarketListed
from polymarket_agent.domain.market import AssetId, ConditionId, Market, Outcome

RECORDING = Path("ws") / "market_channel_2026-05-19.jsonl"
MICRO = 1_000_000
SECONDS_A_SAMPLE = 0.03

Tops = list[tuple[str, int, int]]


class Contender(ABC):
    """One way from bytes to books. `take` applies a frame and reads the best prices of the assets in it."""

    name = ""

    @abstractmethod
    def reset(self) -> None: ...

    @abstractmethod
    def take(self, raw: bytes) -> Tops: ...


class Ours(Contender):
    name = "polymarket_agent: parser + board"

    def __init__(self, frames: Sequence[bytes]) -> None:
        self.markets = markets_of(frames)
        self.parser = MarketChannelParser()
        self.reset()

    def reset(self) -> None:
        self.board = Board()
        for market in self.markets:
            self.board.apply(MarketListed(market, 0))

    def take(self, raw: bytes) -> Tops:
        board = self.board
        tops: Tops = []
        for event in self.parser.parse(raw, 0):
            board.apply(event)
            if type(event) is BookDelta:
                for asset_id, _, _, _ in event.changes:
                    tops.append((asset_id, *board.books[asset_id].top))
            else:
                asset_id = event.asset_id  # type: ignore[union-attr]
                tops.append((asset_id, *board.books[asset_id].top))
        return tops


class OursWithoutMemory(Ours):
    """The worst case of our number cache: every size is a text never seen before (one in twelve is, in play)."""

    name = "the same, every size new"

    def take(self, raw: bytes) -> Tops:
        self.parser._memory.sizes.clear()
        return super().take(raw)


class Dicts(Contender):
    """A dictionary of levels for each side, floats, best by max and min on demand."""

    def __init__(self, name: str, decode: Callable[[bytes], Any]) -> None:
        self.name = name
        self.decode = decode
        self.reset()

    def reset(self) -> None:
        self.books: dict[str, tuple[dict[float, float], dict[float, float]]] = {}

    def take(self, raw: bytes) -> Tops:
        frame = self.decode(raw)
        tops: Tops = []
        for message in frame if isinstance(frame, list) else [frame]:
            kind = message["event_type"]
            if kind == "price_change":
                for change in message["price_changes"]:
                    asset_id = change["asset_id"]
                    bids, asks = self.books[asset_id]
                    side = bids if change["side"] == "BUY" else asks
                    price, size = float(change["price"]), float(change["size"])
                    if size:
                        side[price] = size
                    else:
                        side.pop(price, None)
                    tops.append(top_of(asset_id, bids, asks))
            elif kind == "book":
                bids = {float(level["price"]): float(level["size"]) for level in message["bids"]}
                asks = {float(level["price"]): float(level["size"]) for level in message["asks"]}
                self.books[message["asset_id"]] = (bids, asks)
                tops.append(top_of(message["asset_id"], bids, asks))
        return tops


class Sdk(Contender):
    """The official SDK's own message parser, then a dictionary of its Decimals."""

    name = "official SDK's parser + dict"

    def __init__(self) -> None:
        protocol = importlib.import_module("polymarket._internal.streams.clob.market_protocol")
        self.parse_events = protocol.parse_events
        self.reset()

    def reset(self) -> None:
        self.books: dict[str, tuple[dict[Any, Any], dict[Any, Any]]] = {}

    def take(self, raw: bytes) -> Tops:
        events, _ = self.parse_events(json.loads(raw))
        tops: Tops = []
        for event in events:
            payload = event.payload
            if event.type == "price_change":
                for change in payload.price_changes:
                    bids, asks = self.books[change.asset_id]
                    side = bids if change.side == "BUY" else asks
                    if change.size:
                        side[change.price] = change.size
                    else:
                        side.pop(change.price, None)
                    tops.append(top_of(change.asset_id, bids, asks))
            elif event.type == "book":
                bids = {level.price: level.size for level in payload.bids}
                asks = {level.price: level.size for level in payload.asks}
                self.books[payload.asset_id] = (bids, asks)
                tops.append(top_of(payload.asset_id, bids, asks))
        return tops


class SdkParserAlone(Sdk):
    name = "official SDK's parser alone"

    def take(self, raw: bytes) -> Tops:
        self.parse_events(json.loads(raw))
        return []


class Part(Contender):
    """A part of our path, to say what dominates; it has no books and so no checksum."""

    def __init__(self, name: str, work: Callable[[bytes], object]) -> None:
        self.name = name
        self.work = work

    def reset(self) -> None:
        pass

    def take(self, raw: bytes) -> Tops:
        self.work(raw)
        return []


def top_of(asset_id: str, bids: dict[Any, Any], asks: dict[Any, Any]) -> tuple[str, int, int]:
    """Return the best prices as all paths report them: micro-units, 0 and 1000000 for none."""
    bid, ask = max(bids, default=0), min(asks, default=1)
    return asset_id, int(bid * MICRO + type(bid)(1) / 2), int(ask * MICRO + type(ask)(1) / 2)


def markets_of(frames: Sequence[bytes]) -> list[Market]:
    """Return the markets whose books the frames open with."""
    pairs: dict[str, list[str]] = {}
    for raw in frames:
        frame = json.loads(raw)
        for message in frame if isinstance(frame, list) else []:
            pairs.setdefault(message["market"], []).append(message["asset_id"])
    return [
        Market(ConditionId(c), "", (Outcome(AssetId(first), "first"), Outcome(AssetId(second), "second")))
        for c, (first, second) in pairs.items()
    ]


def checksum(contender: Contender, opening: Sequence[bytes], frames: Sequence[bytes]) -> int:
    contender.reset()
    for raw in opening:
        contender.take(raw)
    return hash(tuple(top for raw in frames for top in contender.take(raw)))


def seconds_a_message(contender: Contender, opening: Sequence[bytes], frames: Sequence[bytes], loops: int) -> float:
    contender.reset()
    for raw in opening:
        contender.take(raw)
    take = contender.take
    gc.collect()
    started = time.perf_counter()
    for _ in range(loops):
        if not opening:
            contender.reset()
        for raw in frames:
            take(raw)
    return (time.perf_counter() - started) / (loops * len(frames))


def measure(
    title: str, contenders: Sequence[Contender], opening: Sequence[bytes], frames: Sequence[bytes], rounds: int
) -> dict[str, float]:
    """Print one table; return the median microseconds a message of each contender."""
    whole = [c for c in contenders if not isinstance(c, SdkParserAlone | Part)]
    sums = {c.name: checksum(c, opening, frames) for c in whole}
    if len(set(sums.values())) != 1:
        sys.exit(f"the paths disagree about the best prices: {sums}")
    before = {c.name: [] if isinstance(c, Part) else opening for c in contenders}
    loops = {}
    for contender in contenders:
        once = seconds_a_message(contender, before[contender.name], frames, 1) * len(frames)
        loops[contender.name] = max(1, int(SECONDS_A_SAMPLE / once))
    samples: dict[str, list[float]] = {contender.name: [] for contender in contenders}
    for _ in range(rounds):
        for contender in contenders:
            name = contender.name
            samples[name].append(seconds_a_message(contender, before[name], frames, loops[name]) * 1e6)
    medians = {name: statistics.median(times) for name, times in samples.items()}
    ours = medians[contenders[0].name]
    print(f"\n{title}: {len(frames)} frames, {rounds} interleaved rounds, one checksum for all paths")
    print(f"{'path':44}{'min':>9}{'median':>9}{'max':>9}  us/message{'x ours':>9}")
    for name, times in samples.items():
        print(f"{name:44}{min(times):9.2f}{medians[name]:9.2f}{max(times):9.2f}{medians[name] / ours:21.2f}")
    return medians


def contenders_for(frames: Sequence[bytes]) -> list[Contender]:
    found: list[Contender] = [
        Ours(frames),
        OursWithoutMemory(frames),
        Dicts("json.loads + dict of levels", json.loads),
        Dicts("msgspec untyped + dict (no orjson needed)", msgspec.json.Decoder().decode),
    ]
    try:
        found.append(Dicts("orjson + dict of levels", importlib.import_module("orjson").loads))
    except ImportError:
        print("orjson is not installed: its row is left out")
    try:
        found += [SdkParserAlone(), Sdk()]
    except ImportError:
        print("the official SDK is not installed: its rows are left out (pip install polymarket-client==0.14.0)")
    return found


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = Path(__file__).resolve().parent.parent.parent / "shared" / "data"
    arguments.add_argument("--data", type=Path, default=default, help="folder of recordings")
    arguments.add_argument("--rounds", type=int, default=15)
    options = arguments.parse_args()
    path = options.data / RECORDING
    if not path.is_file():
        sys.exit(f"no recording at {path}; name the folder with --data")
    frames = path.read_bytes().splitlines()
    changes = [raw for raw in frames if b'"price_changes"' in raw]
    opening = [raw for raw in frames if raw.startswith(b"[")]

    contenders = contenders_for(frames)
    from polymarket_agent.adapters.polymarket import parse as ours

    parser = MarketChannelParser()
    parts: list[Contender] = [
        Part("  of ours: decoding alone", ours._decode_price_change),
        Part("  of ours: decoding and building the event", lambda raw: parser.parse(raw, 0)),
    ]
    only = measure("price_change frames", [*contenders, *parts], opening, changes, options.rounds)
    decode, parse = only[parts[0].name], only[parts[1].name]
    total = only[contenders[0].name]
    shares = (
        ("decoding JSON", decode),
        ("exact numbers and the event", parse - decode),
        ("both books and their bests", total - parse),
    )
    print("what dominates: " + ", ".join(f"{what} {spent / total:.0%}" for what, spent in shares))
    measure("all frames, books opened anew in each loop", contenders, [], frames, options.rounds)


if __name__ == "__main__":
    main()
