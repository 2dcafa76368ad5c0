"""Events per second of a replay through the whole agent: feed, board, strategies, gate, paper trader, ledger.

The tape is a random walk of full books of both outcomes, mirrored changes, one trade in twenty events. An event is one
message of the venue: a change of a level on both outcomes' books, or a trade. The baseline is the least that any
engine must do, in the same run: the same events applied to dicts of levels with the best price by max and min.
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import gc
import json
import resource
import statistics
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from random import Random

from polymarket_agent import log
from polymarket_agent.config import Config, RiskConfig, SizingConfig
from polymarket_agent.db import Database
from polymarket_agent.domain.board import Board
from polymarket_agent.domain.book import Side
from polymarket_agent.domain.events import BookDelta, BookSnapshot, Event, MarketListed, TradePrint
from polymarket_agent.domain.market import AssetId, ConditionId, FeeSchedule, Market, Outcome
from polymarket_agent.domain.money import MICRO, Price, Shares
from polymarket_agent.domain.signal import Quote, Signal, TargetQuotes, Wish
from polymarket_agent.orchestrator import Orchestrator
from polymarket_agent.strategies.base import MarketView, Wakes

TICK = 10_000
START_MS = 1_700_000_000_000


def tape(events: int, markets: int, seed: int = 7) -> list[Event]:
    """Return a tape of `events` messages over `markets` markets."""
    random = Random(seed)
    out: list[Event] = []
    states: list[tuple[AssetId, AssetId, list[int]]] = []
    for number in range(markets):
        first, second = AssetId(f"{number + 1}{'7' * 70}"), AssetId(f"{number + 1}{'8' * 70}")
        market = Market(
            condition_id=ConditionId(f"0x{number:064x}"),
            question=f"Market {number}",
            outcomes=(Outcome(first, "Yes"), Outcome(second, "No")),
            fees=FeeSchedule(rate=50_000),
        )
        out.append(MarketListed(market, START_MS))
        bids = tuple((Price(p * TICK), Shares(500 * MICRO)) for p in range(30, 50))
        asks = tuple((Price(p * TICK), Shares(500 * MICRO)) for p in range(51, 71))
        out.append(BookSnapshot(first, bids, asks, START_MS))
        mirrored = tuple((Price(MICRO - p), s) for p, s in asks), tuple((Price(MICRO - p), s) for p, s in bids)
        out.append(BookSnapshot(second, *mirrored, START_MS))
        states.append((first, second, [50]))
    for step in range(events):
        first, second, middle = states[step % markets]
        at_ms = START_MS + 1 + step // markets
        if step % 20 == 19:
            buys = random.random() < 0.5
            at = Price((middle[0] + (1 if buys else -1)) * TICK)
            out.append(TradePrint(first, at, Shares(random.randrange(1, 40) * MICRO), buys, at_ms))
            continue
        is_bid = random.random() < 0.5
        distance = 1 + int(random.expovariate(0.4))
        if random.random() < 0.01:
            middle[0] = min(80, max(20, middle[0] + random.choice((-1, 1))))
        at = Price(min(98, max(2, middle[0] - distance if is_bid else middle[0] + distance)) * TICK)
        size = Shares(random.randrange(0, 800) * MICRO)
        out.append(BookDelta(((first, is_bid, at, size), (second, not is_bid, Price(MICRO - at), size)), at_ms))
    return out


class TapeFeed:
    """A tape in memory, so that reading it costs nothing."""

    name = "tape"
    streaming = True
    replayed = True

    def __init__(self, events: Sequence[Event]) -> None:
        self._events = events

    async def events(self) -> AsyncIterator[Event]:
        for event in self._events:
            yield event

    async def aclose(self) -> None:
        pass


class Watcher:
    """Looks at the best prices once in a thousand milliseconds and never trades."""

    name = "watcher"
    wakes = Wakes(every_ms=1_000)

    def on_event(self, event: Event, view: MarketView) -> Sequence[Wish]:
        del event
        for market in view.tradable_markets():
            view.book(market.asset_ids[0])
        return ()


class Listener:
    """Is asked after every change of a book and every trade, and does nothing: what NautilusTrader's strategy does here."""

    name = "listener"
    wakes = Wakes(book=True, trades=True)

    def on_event(self, event: Event, view: MarketView) -> Sequence[Wish]:
        del event, view
        return ()


class Taker:
    """Takes five shares of one market, one order per thousand trades seen it is asked about."""

    name = "taker"
    wakes = Wakes(trades=True)

    def __init__(self) -> None:
        self._seen = 0

    def on_event(self, event: Event, view: MarketView) -> Sequence[Wish]:
        self._seen += 1
        if self._seen % 50 or not isinstance(event, TradePrint):
            return ()
        book = view.book(event.asset_id)
        if book is None or book.best_ask is None or book.best_bid is None:
            return ()
        held = view.free_shares(event.asset_id)
        side, at = (Side.SELL, book.best_bid) if held else (Side.BUY, book.best_ask)
        return (Signal(strategy=self.name, asset_id=event.asset_id, side=side, target_price=at, reason="bench"),)


class Maker:
    """Quotes both sides one tick away from the best whenever a best price moves."""

    name = "maker"
    wakes = Wakes(top=True)

    def on_event(self, event: Event, view: MarketView) -> Sequence[Wish]:
        asset_id = event.changes[0][0] if isinstance(event, BookDelta) else getattr(event, "asset_id", None)
        market = view.market_of(asset_id) if asset_id is not None else None
        book = view.book(market.asset_ids[0]) if market is not None else None
        if market is None or book is None or not book.two_sided:
            return ()
        bid, ask = book.top
        quotes = (
            Quote(market.asset_ids[0], Side.BUY, Price(max(TICK, bid - TICK)), Shares(5 * MICRO)),
            Quote(market.asset_ids[1], Side.BUY, Price(max(TICK, MICRO - ask - TICK)), Shares(5 * MICRO)),
        )
        return (TargetQuotes(strategy=self.name, condition_id=market.condition_id, quotes=quotes, reason="bench"),)


def agent(events: Sequence[Event], strategy: object) -> float:
    """Return seconds for the whole agent over a tape; the ledger is in memory."""
    limits = RiskConfig.model_validate(
        {"max_position_size": "1000000", "max_daily_loss": "1000000", "max_open_orders": "1000",
         "entries_per_minute": "600", "entries_per_hour": "3600", "max_orders_per_side": "50", "max_markets": "1000",
         "orders_per_second": "40", "order_burst": "60", "orders_per_minute": "2400"}
    )  # fmt: skip
    config = Config(risk=limits, sizing=SizingConfig.model_validate({"fixed_size": "5"}))
    with Database(":memory:") as db, Orchestrator(config, db, TapeFeed(events), strategies=[strategy]) as run:  # type: ignore[list-item]
        began = time.perf_counter()
        asyncio.run(run.run())
        return time.perf_counter() - began


def board_only(events: Sequence[Event]) -> float:
    """Return seconds for the books alone."""
    board = Board()
    began = time.perf_counter()
    for event in events:
        board.apply(event)
    return time.perf_counter() - began


def dicts(events: Sequence[Event]) -> float:
    """Return seconds for the baseline: dicts of levels, best by max and min after every event."""
    books: dict[str, tuple[dict[int, int], dict[int, int]]] = {}
    began = time.perf_counter()
    for event in events:
        if type(event) is BookDelta:
            for asset_id, is_bid, at, size in event.changes:
                book = books[asset_id]
                side = book[0] if is_bid else book[1]
                if size:
                    side[at] = size
                else:
                    side.pop(at, None)
                max(book[0], default=0)
                min(book[1], default=0)
        elif type(event) is BookSnapshot:
            books[event.asset_id] = (dict(event.bids), dict(event.asks))
    return time.perf_counter() - began


def plain(events: Sequence[Event]) -> list[list[object]]:
    """Return the tape as JSON rows in dollars and shares, for an engine of another environment."""
    rows: list[list[object]] = []
    for event in events:
        if type(event) is TradePrint:
            at, size = event.price / MICRO, event.size / MICRO
            rows.append(["trade", event.asset_id, at, size, event.taker_buys, event.at_ms])
        elif type(event) is BookDelta:
            rows.append(["book", [[a, b, p / MICRO, s / MICRO] for a, b, p, s in event.changes], event.at_ms])
        elif type(event) is BookSnapshot:
            levels = [[event.asset_id, True, p / MICRO, s / MICRO] for p, s in event.bids]
            levels += [[event.asset_id, False, p / MICRO, s / MICRO] for p, s in event.asks]
            rows.append(["book", levels, event.at_ms])
    return rows


def nautilus(python: str, events: Sequence[Event]) -> float:
    """Return seconds that NautilusTrader needs for the run over the same tape."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tape.json"
        path.write_text(json.dumps(plain(events)))
        script = Path(__file__).with_name("replay_nautilus.py")
        done = subprocess.run([python, str(script), str(path)], check=True, capture_output=True, text=True)
    return float(json.loads(done.stdout.splitlines()[-1])["seconds"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=300_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--nautilus", metavar="PYTHON", help="a Python with nautilus_trader, for a second baseline")
    options = parser.parse_args()
    log.configure("error")
    print(f"{'markets':>8}{'path':>18}{'events/s':>12}{'x dicts':>9}{'min':>12}{'max':>12}")
    for markets in (1, 10, 100):
        events = tape(options.events, markets)
        runs: dict[str, list[float]] = {}
        measures: dict[str, Callable[[Sequence[Event]], float]] = {
            "dicts": dicts,
            "books only": board_only,
            "agent, watcher": lambda tape: agent(tape, Watcher()),
            "agent, listener": lambda tape: agent(tape, Listener()),
            "agent, taker": lambda tape: agent(tape, Taker()),
            "agent, maker": lambda tape: agent(tape, Maker()),
        }
        if options.nautilus:
            measures["NautilusTrader"] = functools.partial(nautilus, options.nautilus)
        for _ in range(options.rounds):  # interleaved, because this kind of machine drifts
            for name, measure in measures.items():
                gc.collect()
                runs.setdefault(name, []).append(len(events) / measure(events))
        base = statistics.median(runs["dicts"])
        for name, rates in runs.items():
            rate = statistics.median(rates)
            print(f"{markets:>8}{name:>18}{rate:>12,.0f}{rate / base:>9.2f}{min(rates):>12,.0f}{max(rates):>12,.0f}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"peak memory {peak} MiB, the tapes of {options.events:,} events included")


if __name__ == "__main__":
    main()
