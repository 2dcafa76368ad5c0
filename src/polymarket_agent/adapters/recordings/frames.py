"""Raw frames of the market channel, one a line, as they came over the websocket."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import msgspec

from polymarket_agent.adapters.polymarket.parse import MarketChannelParser
from polymarket_agent.adapters.polymarket.wire import (
    WireBestBidAsk,
    WireBook,
    WireMessage,
    WirePriceChange,
    WireTickSize,
    WireTrade,
    WireUnknown,
    decode_messages,
)
from polymarket_agent.adapters.recordings.base import Chunks, Recording, RecordingFeed, in_chunks
from polymarket_agent.adapters.recordings.frame_scan import Sight, look, other_type, unwrapped
from polymarket_agent.adapters.recordings.lines import LineReader
from polymarket_agent.adapters.recordings.tally import Tally
from polymarket_agent.adapters.recordings.verify import ClaimCheck
from polymarket_agent.domain.events import BookDelta, Event, MarketListed, MarketResolved
from polymarket_agent.domain.market import AssetId, Market
from polymarket_agent.domain.money import Price
from polymarket_agent.errors import VenueDataError

__all__ = ["FrameRecording"]


class FrameRecording(Recording):
    """Raw websocket frames, one a line: an object or an array, a bare PONG, `[]`, or a {"fixture", "message"} line."""

    kind = "ws_frames"
    title = "raw websocket frames"
    _markets: tuple[Market, ...] | None = None

    def lines(self, dropped: Counter[str]) -> Iterator[tuple[bytes, bool]]:
        """Yield lines that are not blank, unwrapped, and whether the file ends within this one."""
        reader = LineReader(self.path, dropped)
        for line in reader:
            stripped = line.strip()
            if stripped:
                yield unwrapped(stripped), reader.unterminated

    def markets(self) -> tuple[Market, ...]:
        """Return the markets of all assets that occur; read from the file once."""
        if self._markets is None:
            sights: dict[str, Sight] = {}
            for line, _ in self.lines(Counter()):
                look(line, sights)
            self._markets = tuple(dict.fromkeys(self._found(sights)))
        return self._markets

    def _found(self, sights: dict[str, Sight]) -> Iterator[Market]:
        for condition_id, sight in sights.items():
            assets = [asset for asset in sight.assets if asset.isascii() and asset.isdigit()]
            paired = bool(condition_id) and len(assets) in (1, 2)
            for together in [assets] if paired else [[asset] for asset in assets]:
                yield self.catalogue.market(
                    together,
                    condition_id=condition_id if paired else "",
                    question=sight.question,
                    labels=sight.labels if len(sight.labels) == 2 else (),
                    tick_size=sight.tick_size or Price(10_000),
                    neg_risk=sight.neg_risk,
                )

    def _parser(self) -> MarketChannelParser:
        return MarketChannelParser(
            {
                asset_id: (market.condition_id, index)
                for market in self.markets()
                for index, asset_id in enumerate(market.asset_ids)
            }
        )

    def feed(self) -> RecordingFeed:
        """Play the frames in their order."""
        return RecordingFeed(f"frames {self.path.name}", streaming=True, build=self._chunks)

    def _chunks(self, dropped: Counter[str]) -> Chunks:
        return in_chunks(self._events(dropped))

    def _events(self, dropped: Counter[str]) -> Iterator[Event]:
        parser = self._parser()
        parse = parser.parse
        waiting = {asset_id: market for market in self.markets() for asset_id in market.asset_ids}
        last_ms = 0
        for line, cut in self.lines(dropped):
            try:
                events = parse(line, 0)
            except VenueDataError:
                if other_type(line) is None:
                    dropped[_reason(line, cut=cut)] += 1
                continue
            for event in events:
                if not (event.at_ms or last_ms):
                    dropped["a message without a time"] += 1
                    continue
                last_ms = event.at_ms or last_ms
                if waiting:
                    yield from _listings(event, waiting, last_ms)
                # Where the venue left the time out, it is that of the frame before.
                yield event if event.at_ms else msgspec.structs.replace(event, at_ms=last_ms)
        unknown = "a message of an unknown type"
        dropped.update({reason: count for reason, count in parser.dropped.items() if reason != unknown})

    def inspect(self) -> dict[str, Any]:
        """Return what the frames hold, and whether the venue's hashes and best prices agree with the rebuilt books."""
        tally = Tally(self.assumptions.gap_s)
        parser = self._parser()
        check = ClaimCheck()
        engine: Counter[str] = Counter()
        for line, cut in self.lines(tally.dropped):
            tally.frames += 1
            try:
                events = parser.parse(line, 0)
                messages = decode_messages(line)
            except VenueDataError:
                other = other_type(line)
                if other is None:
                    tally.dropped[_reason(line, cut=cut)] += 1
                else:
                    tally.events[other] += 1
                continue
            if not messages:
                tally.events["empty" if line[:1] == b"[" else "pong"] += 1
                continue
            tally.copy(hash(line))
            engine.update(type(event).__name__ for event in events)
            for message in messages:
                self._note(message, tally)
                check.take(message)
        tally.dropped.update({k: n for k, n in parser.dropped.items() if k != "a message of an unknown type"})
        tally.crossed = check.crossed
        tally.markets.update(market.condition_id for market in self.markets())
        return tally.report(
            path=str(self.path),
            kind=self.kind,
            title=self.title,
            engine_events=dict(sorted(engine.items())),
            **check.report(),
        )

    @staticmethod
    def _note(message: WireMessage, tally: Tally) -> None:
        if isinstance(message, WireUnknown):
            tally.events[message.event_type[:40]] += 1
            return
        tally.events[str(message.__struct_config__.tag)] += 1
        match message:
            case WireBook() | WireTrade() | WireBestBidAsk() | WireTickSize():
                assets: dict[str, None] = {message.asset_id: None}
            case WirePriceChange():
                assets = dict.fromkeys(entry.asset_id for entry in message.entries)
            case _:
                assets = {}
        # The time of an opening book is its last change, which may be minutes before the connection.
        if message.timestamp and not isinstance(message, WireBook):
            tally.at(message.timestamp, assets)
        else:
            tally.assets.update(list(assets))


def _listings(event: Event, waiting: dict[AssetId, Market], at_ms: int) -> Iterator[Event]:
    """Yield the markets that an event is the first to speak about, and take them off the waiting ones."""
    for asset_id in _assets_of(event):
        market = waiting.get(asset_id)
        if market is not None:
            for each in market.asset_ids:
                waiting.pop(each, None)
            yield MarketListed(market, at_ms)


def _assets_of(event: Event) -> tuple[AssetId, ...]:
    match event:
        case BookDelta():
            return tuple([change[0] for change in event.changes])
        case MarketResolved():
            return ()
        case _:
            asset_id = getattr(event, "asset_id", None)
            return () if asset_id is None else (asset_id,)


def _reason(line: bytes, *, cut: bool) -> str:
    try:
        msgspec.json.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return "a cut last line" if cut else "a line that is not JSON"
    return "a message that breaks the venue's contract"
