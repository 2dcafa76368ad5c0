"""From a market frame to the signed order at the venue, over loopback sockets: the whole agent, and the official client.

A stub venue in a process of its own takes the time from the moment it sends a price change to the moment it has read the
POST that follows. Ours: websocket, parser, books, engine, strategy, sizing, gate, signing, the gate again, journal, POST
by `live.client: direct`. Theirs: the official client's stream, `create_limit_order` and `post_order`, and nothing in
between. Rounds alternate. `--disk` also journals ours to a file with full sync.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from benchmarks.stub_venue import CONDITION, NO, YES
from polymarket_agent.adapters.merged import MergedFeed
from polymarket_agent.adapters.pacing import TimerFeed
from polymarket_agent.adapters.polymarket.direct import DirectGateway
from polymarket_agent.adapters.polymarket.feed import PolymarketFeed
from polymarket_agent.adapters.polymarket.gateways import Urls
from polymarket_agent.adapters.polymarket.parse_user import UserChannelParser
from polymarket_agent.adapters.polymarket.signer import OrderSigner
from polymarket_agent.adapters.polymarket.user_feed import UserFeed
from polymarket_agent.adapters.polymarket.wallets import address_of
from polymarket_agent.clock import SystemClock
from polymarket_agent.config import Config
from polymarket_agent.db import Database
from polymarket_agent.domain.book import Side
from polymarket_agent.domain.events import BookDelta, Event
from polymarket_agent.domain.market import AssetId, ConditionId, Market, Outcome
from polymarket_agent.domain.money import Price, Shares
from polymarket_agent.domain.signal import Signal
from polymarket_agent.domain.venue import WalletIdentity, WalletKind
from polymarket_agent.keys import Secret
from polymarket_agent.live_desk import LiveAccess, policy_of
from polymarket_agent.orchestrator import Orchestrator
from polymarket_agent.strategies.base import MarketView, Wakes

KEY = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
WARM = 60


class Quoter:
    """Answers every change with a small post-only bid."""

    name = "quoter"
    wakes = Wakes(book=True)
    orders = 0

    def on_event(self, event: Event, view: MarketView) -> Sequence[Signal]:
        del view
        if type(event) is not BookDelta:
            return ()
        self.orders += 1
        size = 2_000_000 + 400_000 * (self.orders % 20)
        return [
            Signal(
                strategy=self.name,
                asset_id=AssetId(YES),
                side=Side.BUY,
                target_price=Price(400_000),
                size=size,  # type: ignore[arg-type]
                post_only=True,
                reason="measure",
            )
        ]


def _settings(port: int) -> Config:
    base = f"http://127.0.0.1:{port}"
    return Config.model_validate(
        {
            "mode": "live",
            "risk": {
                "max_position_size": "100000", "max_daily_loss": "100000", "max_open_orders": 1000, "duplicate_window_s": 0,
                "max_orders_per_side": 50, "orders_per_second": 40, "order_burst": 60, "orders_per_minute": 2400,
                "price_collar": "0.5", "max_daily_turnover": "1000000",
            },
            "sizing": {"fixed_size": "100"},
            "feed": {"clob_url": base, "gamma_url": base, "market_ws_url": f"ws://127.0.0.1:{port}/ws/market"},
            "live": {"data_url": base, "relayer_url": base, "user_ws_url": f"ws://127.0.0.1:{port}/ws/user",
                     "geoblock_url": f"{base}/geoblock", "start_gap_s": 1, "heartbeat": "false"},
        }
    )  # fmt: skip


async def ours(port: int, seconds: float, path: str) -> None:
    """Run the agent against the stub for a while."""
    config, clock = _settings(port), SystemClock()
    base = f"http://127.0.0.1:{port}"
    urls = Urls(
        clob=base, data=base, relayer=base, gamma=base, rpc=base, geoblock=f"{base}/geoblock",
        user_ws=config.live.user_ws_url, market_ws=config.feed.market_ws_url,
    )  # fmt: skip
    key = Secret(KEY)
    address = address_of(key)
    identity = WalletIdentity(signer=address, wallet=address, kind=WalletKind.EOA)
    gateway = DirectGateway(urls, OrderSigner(key, identity), identity, clock)
    facts = await gateway.connect()
    market = Market(
        ConditionId(CONDITION),
        "?",
        (Outcome(AssetId(YES), "Yes"), Outcome(AssetId(NO), "No")),
        min_order_size=Shares(5_000_000),
    )
    parser = UserChannelParser(address, facts.api_key_id)
    feed = MergedFeed(
        PolymarketFeed([market], clock=clock, data=_NoBooks(), url=config.feed.market_ws_url),
        TimerFeed(clock),
        UserFeed(urls.user_ws, gateway.credentials, parser=parser, clock=clock),
    )
    access = LiveAccess(gateway=gateway, venue="stub", policy=policy_of(config.live))
    with Database(path) as db, Orchestrator(config, db, feed, strategies=[Quoter()], access=access) as agent:
        asyncio.get_running_loop().call_later(seconds, agent.stop)
        summary = await agent.run()
    if os.environ.get("SHOW"):
        print(json.dumps({name: summary[name] for name in ("orders", "refusals", "events")}), file=sys.stderr)


class _NoBooks:
    async def books(self, asset_ids: Sequence[AssetId]) -> Sequence[Any]:
        del asset_ids
        return ()


async def theirs(port: int, seconds: float) -> None:
    """The official client: its stream, then its order calls."""
    import dataclasses

    from polymarket import PRODUCTION, AsyncSecureClient
    from polymarket._internal.environment import create_environment
    from polymarket.streams import MarketSpec

    base = f"http://127.0.0.1:{port}"
    held = PRODUCTION._config
    replaced: dict[str, Any] = {
        field.name: base if not str(getattr(held, field.name)).startswith("ws") else f"ws://127.0.0.1:{port}/ws/user"
        for field in dataclasses.fields(held)
        if isinstance(getattr(held, field.name), str) and "://" in getattr(held, field.name)
    } | {"clob_market_ws_url": f"ws://127.0.0.1:{port}/ws/market"}
    environment = create_environment(name="stub", config=dataclasses.replace(held, **replaced))
    address = address_of(Secret(KEY))
    client = await AsyncSecureClient.create(private_key=KEY, wallet=address, environment=environment)
    ends = asyncio.get_running_loop().time() + seconds
    try:
        stream = await client.subscribe(MarketSpec(token_ids=[YES]))
        async for event in stream:
            if type(event).__name__ == "MarketPriceChangeEvent" or "PriceChange" in type(event).__name__:
                order = await client.create_limit_order(
                    token_id=YES, side="BUY", price=Decimal("0.40"), size=Decimal(5), post_only=True
                )
                await client.post_order(order)
            if asyncio.get_running_loop().time() > ends:
                break
    finally:
        await client.close()


def measure(kind: str, seconds: float, path: str = ":memory:") -> list[float]:
    """Run one side against a stub of its own; returns microseconds from frame to order, without the first ones."""
    stub = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.stub_venue"],
        cwd=Path(__file__).parents[1],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert stub.stdout is not None
    port = int(stub.stdout.readline())
    words = [sys.executable, "-m", "benchmarks.tick_to_wire", "--side", kind, "--port", str(port)]
    subprocess.run([*words, "--seconds", str(seconds), "--path", path], cwd=Path(__file__).parents[1], check=True)
    out, _ = stub.communicate("")
    took: list[float] = json.loads(out.strip().splitlines()[-1])
    return took[WARM:]


def show(name: str, took: list[float]) -> float:
    middle = statistics.median(took)
    high = statistics.quantiles(took, n=100)[98] if len(took) > 1 else middle
    print(f"{name:<52}{middle:>9.0f}{high:>9.0f}{len(took):>7}")
    return middle


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", choices=["ours", "theirs"])
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--path", default=":memory:")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--rounds", type=int, default=3)
    wanted = parser.parse_args()
    if wanted.side:
        work = (
            ours(wanted.port, wanted.seconds, wanted.path)
            if wanted.side == "ours"
            else theirs(wanted.port, wanted.seconds)
        )
        asyncio.run(work)
        return 0
    rounds: dict[str, list[list[float]]] = {"agent": [], "agent, journal synced to disk": [], "official client": []}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(wanted.rounds):
            rounds["agent"].append(measure("ours", wanted.seconds))
            rounds["agent, journal synced to disk"].append(measure("ours", wanted.seconds, f"{folder}/{number}.db"))
            rounds["official client"].append(measure("theirs", wanted.seconds))
    print(f"{'frame sent -> order read, microseconds':<52}{'p50':>9}{'p99':>9}{'n':>7}")
    middle = {name: show(name, [each for took in all_ for each in took]) for name, all_ in rounds.items()}
    ratios = sorted(
        statistics.median(a) / statistics.median(b)
        for a, b in zip(rounds["official client"], rounds["agent"], strict=True)
    )
    print(f"official client / agent: {ratios[len(ratios) // 2]:.1f} x ({ratios[0]:.1f} to {ratios[-1]:.1f})")
    return 0 if middle else 1


if __name__ == "__main__":
    sys.exit(main())
