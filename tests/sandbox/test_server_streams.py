from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest_asyncio

from polymarket_agent.domain.book import OrderBook
from polymarket_agent.domain.book_hash import BookIdentity
from polymarket_agent.domain.market import AssetId
from polymarket_agent.domain.money import decimal_text, price, shares
from polymarket_agent.sandbox.policy import Policy
from polymarket_agent.sandbox.server import Sandbox

PATIENCE_S = 15


@pytest_asyncio.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(seed=12, scenario="fast", speed=10, policy=Policy(auto_tick=False)) as running:
        yield running


async def frames(socket: aiohttp.ClientWebSocketResponse, count: int) -> list[dict[str, Any]]:
    """Return this many messages, arrays taken apart."""
    out: list[dict[str, Any]] = []
    while len(out) < count:
        frame = json.loads(await asyncio.wait_for(socket.receive_str(), PATIENCE_S))
        out += frame if isinstance(frame, list) else [frame]
    return out


class Follower:
    """Rebuilds the books from messages, and checks what each message says of them."""

    def __init__(self, market: Any) -> None:
        self.market = market
        self.books = {asset_id: OrderBook(asset_id) for asset_id in market.asset_ids}
        self.last = ""
        self.checked = 0

    def take(self, event: dict[str, Any]) -> None:
        match event["event_type"]:
            case "book":
                sides = [
                    [(price(row["price"]), shares(row["size"])) for row in event[side]] for side in ("bids", "asks")
                ]
                self.books[AssetId(event["asset_id"])].replace(sides[0], sides[1])
                self.last = event["last_trade_price"]
                assert [row[0] for row in sides[0]] == sorted(row[0] for row in sides[0])
                assert [row[0] for row in sides[1]] == sorted((row[0] for row in sides[1]), reverse=True)
                self.check_hash(event["asset_id"], event["hash"], event["timestamp"])
            case "price_change":
                for row in event["price_changes"]:
                    book = self.books[AssetId(row["asset_id"])]
                    book.update(row["side"] == "BUY", price(row["price"]), shares(row["size"]))
                for row in event["price_changes"]:
                    bid, ask = self.books[AssetId(row["asset_id"])].top
                    assert (row["best_bid"], row["best_ask"]) == (decimal_text(bid), decimal_text(ask))
                    self.check_hash(row["asset_id"], row["hash"], event["timestamp"])
            case "best_bid_ask":
                bid, ask = self.books[AssetId(event["asset_id"])].top
                assert (event["best_bid"], event["best_ask"]) == (decimal_text(bid), decimal_text(ask))

    def check_hash(self, asset_id: str, found: str, timestamp: str) -> None:
        market = self.market
        texts = decimal_text(market.min_order_size), decimal_text(market.tick_size)
        identity = BookIdentity(market.condition_id, *texts, market.neg_risk, self.last)
        assert self.books[AssetId(asset_id)].hash(identity, int(timestamp)) == found
        self.checked += 1


async def test_the_books_that_messages_make_are_the_exchanges(sandbox: Sandbox) -> None:
    """Levels, best prices and hashes of every message agree with the books rebuilt from them, and with the core's."""
    market = next(each for each in sandbox.exchange.markets.values() if each.slug == "rain-in-lisbon")
    follower, kinds = Follower(market), set()
    async with aiohttp.ClientSession() as session, session.ws_connect(sandbox.urls["market_ws_url"]) as socket:
        await socket.send_str(
            json.dumps({"type": "market", "assets_ids": list(market.asset_ids), "custom_feature_enabled": True})
        )
        for event in await frames(socket, 400):
            assert event["timestamp"].isdigit()
            if event["event_type"] == "last_trade_price" and event["market"] == market.condition_id:
                first = event["asset_id"] == market.asset_ids[0]
                follower.last = event["price"] if first else decimal_text(1_000_000 - price(event["price"]))
            if event["market"] == market.condition_id:
                follower.take(event)
                kinds.add(event["event_type"])

    assert kinds >= {"book", "price_change", "best_bid_ask", "last_trade_price"}
    assert follower.checked > 200


async def test_no_and_yes_mirror_each_other(sandbox: Sandbox) -> None:
    """A change of one token stands in the same message as its mirror on the other."""
    market = next(iter(sandbox.exchange.markets.values()))
    first, second = market.asset_ids
    async with aiohttp.ClientSession() as session, session.ws_connect(sandbox.urls["market_ws_url"]) as socket:
        await socket.send_str(json.dumps({"type": "market", "assets_ids": [first]}))
        events = await frames(socket, 60)

    changes = [event["price_changes"] for event in events if event["event_type"] == "price_change"]
    assert changes
    for rows in changes:
        told = {(row["asset_id"], row["side"] == "BUY", int(price(row["price"])), row["size"]) for row in rows}
        mirrored = {(second if a == first else first, not bid, 1_000_000 - at, size) for a, bid, at, size in told}
        assert told == mirrored
    assert {event["asset_id"] for event in events if event["event_type"] == "book"} == {first}
    assert "best_bid_ask" not in {event["event_type"] for event in events}


async def test_what_is_given_up_is_not_sent(sandbox: Sandbox) -> None:
    """After an unsubscription nothing comes any more, and the ping is still answered."""
    asset_id = next(iter(sandbox.exchange.markets.values())).asset_ids[0]
    async with aiohttp.ClientSession() as session, session.ws_connect(sandbox.urls["market_ws_url"]) as socket:
        await socket.send_str(json.dumps({"type": "market", "assets_ids": [asset_id], "initial_dump": False}))
        await socket.send_str(json.dumps({"operation": "unsubscribe", "assets_ids": [asset_id]}))
        await socket.send_str("PING")
        while (text := await asyncio.wait_for(socket.receive_str(), PATIENCE_S)) != "PONG":
            assert json.loads(text)
        await socket.send_str("PING")
        assert await asyncio.wait_for(socket.receive_str(), PATIENCE_S) == "PONG"


async def test_more_than_the_venue_takes_ends_the_connection(sandbox: Sandbox) -> None:
    """Beyond 500 instruments the connection is closed rather than served less."""
    async with aiohttp.ClientSession() as session, session.ws_connect(sandbox.urls["market_ws_url"]) as socket:
        await socket.send_str(json.dumps({"type": "market", "assets_ids": [str(n) for n in range(501)]}))
        message = await socket.receive(timeout=5)

    assert message.type is aiohttp.WSMsgType.CLOSE


async def test_new_markets_are_announced(sandbox: Sandbox) -> None:
    """Who asked for custom features hears of the next five-minute market."""
    asset_id = next(iter(sandbox.exchange.markets.values())).asset_ids[0]
    async with aiohttp.ClientSession() as session, session.ws_connect(sandbox.urls["market_ws_url"]) as socket:
        await socket.send_str(json.dumps({"type": "market", "assets_ids": [asset_id], "custom_feature_enabled": True}))
        while (await frames(socket, 1))[0]["event_type"] != "new_market":
            pass
