from __future__ import annotations

import json
from typing import Any

import aiohttp
import pytest

from polymarket_agent.sandbox.auth import l2_headers
from polymarket_agent.sandbox.fault_plan import FaultPlan
from polymarket_agent.sandbox.server import Sandbox
from tests.sandbox.test_server_fuzz import credentials_of, good_order


def planned(*rules: dict[str, Any]) -> Sandbox:
    return Sandbox(seed=4, scenario="one", plan=FaultPlan.load({"seed": 1, "rules": list(rules)}))


async def post(sandbox: Sandbox, session: aiohttp.ClientSession, body: Any, method: str = "POST") -> tuple[int, str]:
    raw = json.dumps(body).encode()
    found = sandbox.venue.keyring.list_keys(sandbox.accounts[0].address)
    credentials = sandbox.venue.keyring.find(found[0]) if found else credentials_of(sandbox)
    assert credentials is not None
    headers = l2_headers(credentials, method, "/order", raw, now_s=sandbox.venue.clock.wall_s())
    url = f"{sandbox.urls['clob_url']}/order"
    async with session.request(method, url, data=raw, headers=headers) as answer:
        return answer.status, await answer.text()


async def test_an_answer_is_lost_after_the_order_was_taken() -> None:
    """The connection breaks, and yet the order rests under its id; the fault is counted and listed."""
    async with (
        planned({"point": "post.answer", "fault": "drop", "nth": 1}) as sandbox,
        aiohttp.ClientSession() as session,
    ):
        key = credentials_of(sandbox).api_key
        with pytest.raises(aiohttp.ClientError):
            await post(sandbox, session, good_order(sandbox, key))

        assert len(sandbox.exchange.open_orders(key)) == 1
        assert sandbox.venue.injector.counts() == {"post.answer drop": 1}


async def test_a_request_is_lost_before_the_venue_saw_it() -> None:
    """The connection breaks and there is no order."""
    async with (
        planned({"point": "post.request", "fault": "drop", "nth": 1}) as sandbox,
        aiohttp.ClientSession() as session,
    ):
        key = credentials_of(sandbox).api_key
        with pytest.raises(aiohttp.ClientError):
            await post(sandbox, session, good_order(sandbox, key))

        assert sandbox.exchange.open_orders(key) == []


async def test_a_doubled_request_makes_one_order() -> None:
    """The second copy is refused as a duplicate, which is what the client hears."""
    rule = {"point": "post.request", "fault": "duplicate", "nth": 1}
    async with planned(rule) as sandbox, aiohttp.ClientSession() as session:
        key = credentials_of(sandbox).api_key
        status, text = await post(sandbox, session, good_order(sandbox, key))

        assert (status, "Duplicated" in text) == (400, True)
        assert len(sandbox.exchange.open_orders(key)) == 1


@pytest.mark.parametrize(
    ("rule", "status", "part"),
    [
        ({"point": "post.request", "fault": "replace", "argument": "forbidden_html"}, 403, "blocked"),
        ({"point": "post.answer", "fault": "replace", "argument": "internal_error"}, 500, "Internal server error"),
        ({"point": "post.answer", "fault": "null"}, 200, "null"),
        ({"point": "post.answer", "fault": "wrong_id"}, 200, "orderID"),
    ],
)
async def test_an_answer_is_replaced(rule: dict[str, Any], status: int, part: str) -> None:
    """Documented statuses, pages of the edge, null and another order's id go out in the place of the truth."""
    async with planned({**rule, "nth": 1}) as sandbox, aiohttp.ClientSession() as session:
        body = good_order(sandbox, credentials_of(sandbox).api_key)
        found, text = await post(sandbox, session, body)

        assert (found, part in text) == (status, True), text
        assert sandbox.venue.injector.total == 1


async def test_a_cut_answer_breaks_off() -> None:
    """The whole length is announced and less is sent."""
    async with (
        planned({"point": "post.answer", "fault": "cut", "argument": 10, "nth": 1}) as sandbox,
        aiohttp.ClientSession() as session,
    ):
        with pytest.raises(aiohttp.ClientPayloadError):
            await post(sandbox, session, good_order(sandbox, credentials_of(sandbox).api_key))


async def test_modes_come_from_the_admin_port() -> None:
    """In a restart orders and cancels get 425, in cancel-only mode orders get 503; it ends by command."""
    async with Sandbox(seed=4, scenario="one") as sandbox, aiohttp.ClientSession() as session:
        key = credentials_of(sandbox).api_key

        async def mode(name: str) -> None:
            async with session.post(f"{sandbox.urls['admin_url']}/mode", json={"mode": name}) as answer:
                assert answer.status == 200

        await mode("restarting")
        assert (await post(sandbox, session, good_order(sandbox, key)))[0] == 425
        await mode("cancel_only")
        assert (await post(sandbox, session, good_order(sandbox, key)))[0] == 503
        cancel = {"orderID": "0x" + "ab" * 32}
        assert (await post(sandbox, session, cancel, "DELETE"))[0] == 200
        await mode("normal")
        assert (await post(sandbox, session, good_order(sandbox, key)))[0] == 200


async def test_a_stream_is_cut_and_silent_by_the_plan() -> None:
    """A close rule ends the connection with its code."""
    async with (
        planned({"point": "stream.market", "fault": "close", "argument": 1011, "nth": 1}) as sandbox,
        aiohttp.ClientSession() as session,
        session.ws_connect(sandbox.urls["market_ws_url"]) as socket,
    ):
        asset_id = next(iter(sandbox.exchange.markets.values())).asset_ids[0]
        await socket.send_str(json.dumps({"type": "market", "assets_ids": [asset_id]}))
        message = await socket.receive(timeout=5)

        assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, 1011)


async def test_rate_limits_are_told_and_can_be_enforced() -> None:
    """Headers count down; with enforcement what is over gets 429 with Retry-After."""
    async with Sandbox(seed=4, scenario="one") as sandbox, aiohttp.ClientSession() as session:
        key = credentials_of(sandbox).api_key
        async with session.post(f"{sandbox.urls['admin_url']}/limits", json={"enforce": True}) as answer:
            assert answer.status == 200

        answers = [(await post(sandbox, session, good_order(sandbox, key, salt)))[0] for salt in range(1, 120)]

        assert answers[0] == 200
        assert 429 in answers
