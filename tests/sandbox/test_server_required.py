"""What the official client refuses to do without, held against the sandbox's own answers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from polymarket_agent.sandbox.auth import l2_headers
from polymarket_agent.sandbox.policy import Policy
from polymarket_agent.sandbox.server import Sandbox
from tests.sandbox.test_server_fuzz import credentials_of, good_order

REQUIRED = Path(__file__).parents[2].parent / "shared" / "spec" / "captures" / "required-fields.json"


@pytest_asyncio.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(seed=13, scenario="one", policy=Policy(mined_ms=1, settle_ms=2)) as running:
        yield running


@pytest.fixture
def required() -> dict[str, dict[str, str]]:
    if not REQUIRED.is_file():
        pytest.skip("the captures are not beside the repository")
    return dict(json.loads(REQUIRED.read_text(encoding="utf-8"))["rest"])


def fits(rules: dict[str, str], row: dict[str, Any]) -> Iterable[str]:
    """Yield what the client would refuse in a row."""
    for name, rule in rules.items():
        if "REQUIRED" in rule and name not in row:
            yield f"{name} is missing"
        if name in row and "null rejected" in rule and row[name] is None:
            yield f"{name} is null"
        if name in row and "empty_string rejected" in rule and row[name] == "":
            yield f"{name} is empty"
        is_number = isinstance(row.get(name), int | float) and not isinstance(row.get(name), bool)
        if "as_number rejected" in rule and is_number:
            yield f"{name} is a number"
        if "as_string rejected" in rule and isinstance(row.get(name), str):
            yield f"{name} is text"


async def test_every_answer_has_what_the_client_needs(sandbox: Sandbox, required: dict[str, dict[str, str]]) -> None:
    """Books, orders, trades, balances, markets, positions and their pages pass the client's own list of demands."""
    credentials = credentials_of(sandbox)
    market = next(iter(sandbox.exchange.markets.values()))
    token, condition, urls = market.asset_ids[0], market.condition_id, sandbox.urls
    wallet = sandbox.accounts[0].wallet
    async with asyncio.timeout(15):
        while not sandbox.exchange.book(token).two_sided:  # noqa: ASYNC110 - the crowd tells nobody
            await asyncio.sleep(0.01)

    async with aiohttp.ClientSession() as session:

        async def ask(service: str, path: str, query: str = "", method: str = "GET", body: Any = None) -> Any:
            raw = b"" if body is None else json.dumps(body).encode()
            headers = l2_headers(credentials, method, path, raw, now_s=sandbox.venue.clock.wall_s())
            url = urls[f"{service}_url"] + path + query
            async with session.request(method, url, data=raw or None, headers=headers) as answer:
                assert answer.status == 200, await answer.text()
                return await answer.json()

        placed = await ask("clob", "/order", method="POST", body=good_order(sandbox, credentials.api_key))
        taking = await ask(
            "clob", "/order", method="POST", body=good_order(sandbox, credentials.api_key, salt=2, price=990_000)
        )
        async with asyncio.timeout(15):
            while not sandbox.exchange.positions(wallet):  # noqa: ASYNC110 - settled by the driver
                await asyncio.sleep(0.01)
        orders = await ask("clob", "/data/orders")
        trades = await ask("clob", "/data/trades")
        positions = await ask("data", "/v2/positions", f"?user={wallet}")
        book = await ask("clob", "/book", f"?token_id={token}")
        answers = {
            "GET /book": book,
            "GET /book level": book["bids"][0],
            "POST /order": placed,
            "GET /data/orders row": orders["data"][0],
            "GET /data/orders page": orders,
            "GET /data/order/{id}": await ask("clob", f"/data/order/{placed['orderID']}"),
            "GET /data/trades row": trades["data"][0],
            "GET /data/trades maker_order": trades["data"][0]["maker_orders"][0],
            "GET /balance-allowance": await ask(
                "clob", "/balance-allowance", "?asset_type=COLLATERAL&signature_type=0"
            ),
            "GET /clob-markets/{c} (limit order)": await ask("clob", f"/clob-markets/{condition}"),
            "GET /markets-by-token/{t}": await ask("clob", f"/markets-by-token/{token}"),
            "GET gamma /markets/{id}": await ask("gamma", "/markets/100001"),
            "GET gamma /markets/keyset page": await ask("gamma", "/markets/keyset"),
            "GET data /v2/positions row": positions["data"][0],
            "GET data /v2/trades row": (await ask("data", "/v2/trades", f"?user={wallet}"))["data"][0],
            "GET data /v2/leaderboard row": (await ask("data", "/v2/leaderboard"))["data"][0],
            "GET data /v2/resolutions row": (await ask("data", "/v2/resolutions", f"?condition_id={condition}"))[
                "data"
            ][0],
            "DELETE /order": await ask("clob", "/order", method="DELETE", body={"orderID": placed["orderID"]}),
        }
        rules = {name: required[name] for name in answers}

    assert taking["status"] == "matched"
    assert positions["pagination"]["has_more"] is (positions["pagination"]["next_cursor"] is not None)
    assert {name: found for name in answers if (found := list(fits(rules[name], answers[name])))} == {}
