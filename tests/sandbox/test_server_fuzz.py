from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from random import Random
from typing import Any

import aiohttp
import pytest_asyncio

from polymarket_agent.sandbox.auth import Credentials, l2_headers
from polymarket_agent.sandbox.server import Sandbox
from polymarket_agent.sandbox.wallets import Wallet

ROUNDS = 600

# Values that break parsers: wrong types, extremes, other alphabets, deep nesting, what looks like a number and is none.
ODD: list[Any] = [
    None, True, 0, -1, 1.5, 1e308, 10**40, "", "0", "-1", "1e999", "NaN", "0x", "0x" + "zz" * 32, "\u0000", "٣", "🦀" * 50,
    "A" * 1500, [], {}, [[]], [None], {"a": {}}, [[[[[[[[[[]]]]]]]]]], "../../etc/passwd", "%00", "'; --", "MA==", "LTE=", "LQ==",
]  # fmt: skip


@pytest_asyncio.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(seed=11, scenario="quiet") as running:
        yield running


def credentials_of(sandbox: Sandbox, kind: int = 0) -> Credentials:
    """Make an api key as a client would get it."""
    made = sandbox.venue.keyring.create(sandbox.accounts[kind].address, 0)
    assert isinstance(made, Credentials)
    return made


def wallet_of(sandbox: Sandbox, kind: int = 0) -> Wallet:
    return Wallet(sandbox.accounts[kind].private_key, kind)


def good_order(sandbox: Sandbox, owner: str, salt: int = 1, price: int = 50_000) -> dict[str, Any]:
    """Return the body of a resting order."""
    from polymarket_agent.domain.levels import Side

    market = next(iter(sandbox.exchange.markets.values()))
    signed = wallet_of(sandbox).sign_order(
        market.asset_ids[0], Side.BUY, 10 * price, 10_000_000, salt=salt, timestamp_ms=sandbox.venue.now_ms()
    )
    return {"order": signed, "owner": owner, "orderType": "GTC", "deferExec": False}


def paths(sandbox: Sandbox) -> list[tuple[str, str]]:
    """Return every route with something odd where it has a place."""
    app = sandbox._app()
    return [
        (route.method, route.resource.canonical)
        for route in app.router.routes()
        if route.resource is not None and route.method != "HEAD" and not route.resource.canonical.startswith("/ws")
    ]


async def test_no_request_brings_it_down(sandbox: Sandbox) -> None:
    """Whatever stands in path, query and body of any route, the answer is JSON below 500 and the next one works."""
    random, routes, base = Random(1), paths(sandbox), sandbox.urls["clob_url"].removesuffix("/clob")
    credentials = credentials_of(sandbox)
    async with aiohttp.ClientSession() as session:
        for number in range(ROUNDS):
            method, path = routes[number % len(routes)]
            while "{" in path:
                head, _, rest = path.partition("{")
                odd = random.choice(["x", "0", "-1", "%F0%9F%A6%80", "0x" + "ab" * 32, "close", "9" * 90])
                path = head + odd + rest.partition("}")[2]
            names = (
                "token_id",
                "market",
                "limit",
                "next_cursor",
                "cursor",
                "user",
                "asset_type",
                "after",
                "id",
                "side",
            )
            query = {name: str(random.choice(ODD)) for name in random.sample(names, 3)}
            raw = random_body(random)
            headers = l2_headers(
                credentials, method, path.removeprefix("/clob"), raw, now_s=sandbox.venue.clock.wall_s()
            )
            async with session.request(method, base + path, params=query, data=raw or None, headers=headers) as answer:
                text = await answer.text()
                assert answer.status < 500 or answer.status == 503, (method, path, query, raw[:200], text)
                assert json.loads(text) is None or text
    sandbox.exchange.check()
    assert not sandbox.failed


def random_body(random: Random) -> bytes:
    kind = random.randrange(4)
    if kind == 0:
        return random.randbytes(random.randrange(60))
    names = (
        "orderID",
        "market",
        "order",
        "owner",
        "orderType",
        "type",
        "from",
        "wallet",
        "amount",
        "payouts",
        "method",
    )
    body: Any = {name: random.choice(ODD) for name in random.sample(names, 5)}
    if kind == 1:
        body = [body] * random.randrange(20)
    return json.dumps(body).encode()


async def test_a_bent_order_is_refused_and_never_taken(sandbox: Sandbox) -> None:
    """Each field of a good order, made odd one at a time, is a 4xx with a text; nothing rests afterwards."""
    credentials = credentials_of(sandbox)
    url = f"{sandbox.urls['clob_url']}/order"

    async def post(session: aiohttp.ClientSession, body: Any) -> tuple[int, Any]:
        raw = json.dumps(body).encode()
        headers = l2_headers(credentials, "POST", "/order", raw, now_s=sandbox.venue.clock.wall_s())
        async with session.post(url, data=raw, headers=headers) as answer:
            return answer.status, await answer.json()

    async with aiohttp.ClientSession() as session:
        for field in ("salt", "maker", "signer", "tokenId", "makerAmount", "takerAmount", "side", "signatureType",
                      "timestamp", "metadata", "builder", "signature", "expiration"):  # fmt: skip
            for odd in ODD:
                body = good_order(sandbox, credentials.api_key)
                if body["order"][field] == odd or (field == "expiration" and odd == "0"):
                    continue
                body["order"][field] = odd
                status, answer = await post(session, body)
                assert 400 <= status < 500, (field, odd, answer)
                assert answer["error"]
        assert sandbox.exchange.open_orders(credentials.api_key) == []
        status, answer = await post(session, good_order(sandbox, credentials.api_key))
        assert (status, answer["status"]) == (200, "live")


async def test_no_frame_brings_a_channel_down(sandbox: Sandbox) -> None:
    """Odd frames are passed over; a ping behind them is answered, and a subscription still works."""
    random = Random(2)
    asset_id = next(iter(sandbox.exchange.markets.values())).asset_ids[0]
    async with aiohttp.ClientSession() as session:
        for _ in range(40):
            async with session.ws_connect(sandbox.urls["market_ws_url"]) as socket:
                for _ in range(5):
                    frame = {
                        name: random.choice(ODD)
                        for name in ("type", "assets_ids", "operation", "custom_feature_enabled", "auth", "markets")
                    }
                    await socket.send_str(json.dumps(random.choice([frame, random.choice(ODD), [frame]])))
                await socket.send_bytes(random.randbytes(20))
                await socket.send_str("PING")
                assert await asyncio.wait_for(socket.receive_str(), 5) == "PONG"
                await socket.send_str(json.dumps({"type": "market", "assets_ids": [asset_id]}))
                dump = json.loads(await asyncio.wait_for(socket.receive_str(), 5))
                assert dump[0]["event_type"] == "book"
            async with session.ws_connect(sandbox.urls["user_ws_url"]) as socket:
                await socket.send_str(json.dumps({"type": "user", "auth": random.choice(ODD)}))
                message = await asyncio.wait_for(socket.receive(), 5)
                assert message.type is aiohttp.WSMsgType.CLOSE
    assert not sandbox.failed


async def test_another_sites_page_gets_nothing(sandbox: Sandbox) -> None:
    """A Host that is not loopback is refused, and so is the admin port to a web page."""
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{sandbox.urls['clob_url']}/time", headers={"Host": "evil.example"}) as answer:
            assert answer.status == 403
        async with session.post(
            f"{sandbox.urls['admin_url']}/mode", json={"mode": "disabled"}, headers={"Origin": "http://evil.example"}
        ) as answer:
            assert answer.status == 403
    assert sandbox.exchange.mode.value == "normal"
