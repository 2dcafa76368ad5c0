"""A venue that does nothing but tell when bytes left and arrived: for measuring clients, not for trading.

Run as a process: prints its port, then sends one price change every PACE_S to whoever listens, and answers POSTs. At the
end of its input it prints the times from frame to order, in microseconds, as one JSON list.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

from aiohttp import web

from polymarket_agent.adapters.polymarket.signer import order_id_of
from polymarket_agent.clock import SystemClock
from polymarket_agent.domain.levels import Side
from polymarket_agent.domain.market import AssetId, ConditionId
from polymarket_agent.domain.money import Price, Shares
from polymarket_agent.domain.venue import OrderTicket, WalletIdentity, WalletKind

PACE_S = 0.03
CLOCK = SystemClock()
CONDITION = "0x" + "ab" * 32
YES = "71321045679252212594626385532706912750332728571942532289631379312455583992563"
NO = "52114319501245915516055106046884209969926127482827954674443846427813813222426"
CREDENTIALS = {
    "apiKey": "9180014b-33c8-9240-a14b-bdca11c0a465",
    "secret": "MDEyMzQ1Njc4OWFiY2RlZg==",
    "passphrase": "p" * 64,
}


def book(asset_id: str, bid: str, ask: str) -> dict[str, Any]:
    return {
        "event_type": "book", "asset_id": asset_id, "market": CONDITION, "timestamp": str(CLOCK.now_ms()),
        "hash": "0" * 40, "bids": [{"price": "0.30", "size": "500"}, {"price": bid, "size": "100"}],
        "asks": [{"price": "0.70", "size": "500"}, {"price": ask, "size": "100"}],
        "tick_size": "0.01", "min_order_size": "5", "neg_risk": False, "last_trade_price": "0.50",
    }  # fmt: skip


class Stub:
    def __init__(self, group: asyncio.TaskGroup) -> None:
        self.group = group
        self.market: web.WebSocketResponse | None = None
        self.user: web.WebSocketResponse | None = None
        self.sent_ns = 0
        self.took: list[float] = []

    async def ws_market(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            if message.data == "PING":
                await socket.send_str("PONG")
            elif self.market is None or self.market.closed:
                await socket.send_str(json.dumps([book(YES, "0.48", "0.52"), book(NO, "0.48", "0.52")]))
                self.market = socket
        return socket

    async def ws_user(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            if message.data == "PING":
                await socket.send_str("PONG")
            else:
                self.user = socket
        return socket

    async def tick(self) -> None:
        step = 0
        while True:
            await asyncio.sleep(PACE_S)
            if self.market is None or self.market.closed:
                continue
            step += 1
            size = str(100 + step % 50)
            changes = [
                {"asset_id": YES, "price": "0.48", "size": size, "side": "BUY", "hash": "0" * 40, "best_bid": "0.48", "best_ask": "0.52"},
                {"asset_id": NO, "price": "0.52", "size": size, "side": "SELL", "hash": "0" * 40, "best_bid": "0.48", "best_ask": "0.52"},
            ]  # fmt: skip
            frame = {
                "event_type": "price_change",
                "market": CONDITION,
                "price_changes": changes,
                "timestamp": str(CLOCK.now_ms()),
            }
            text = json.dumps(frame, separators=(",", ":"))
            self.sent_ns = time.perf_counter_ns()
            await self.market.send_str(text)

    async def order(self, request: web.Request) -> web.Response:
        raw = await request.read()
        if self.sent_ns:
            self.took.append((time.perf_counter_ns() - self.sent_ns) / 1_000)
            self.sent_ns = 0
        sent = json.loads(raw)["order"]
        order_id = _id_of(sent)
        if self.user is not None:
            self.group.create_task(self._gone(sent, order_id))
        return web.json_response(
            {
                "success": True,
                "errorMsg": "",
                "orderID": order_id,
                "status": "live",
                "makingAmount": "",
                "takingAmount": "",
                "tradeIDs": [],
                "transactionsHashes": [],
            }
        )

    async def _gone(self, sent: dict[str, Any], order_id: str) -> None:
        await asyncio.sleep(0.004)
        event = {
            "event_type": "order", "type": "CANCELLATION", "id": order_id, "owner": CREDENTIALS["apiKey"], "market": CONDITION,
            "asset_id": YES, "side": "BUY", "order_owner": CREDENTIALS["apiKey"], "original_size": "5", "size_matched": "0",
            "price": "0.40", "associate_trades": None, "outcome": "Yes", "created_at": str(CLOCK.now_ms() // 1_000), "expiration": "0",
            "order_type": "GTC", "status": "CANCELED", "maker_address": sent["maker"], "timestamp": str(CLOCK.now_ms()),
        }  # fmt: skip
        if self.user is not None and not self.user.closed:
            await self.user.send_str(json.dumps(event))


def _id_of(sent: dict[str, Any]) -> str:
    ticket = OrderTicket(
        condition_id=ConditionId(CONDITION), asset_id=AssetId(sent["tokenId"]), side=Side(sent["side"]), price=Price(400_000),
        quantity=Shares(int(sent["takerAmount"])), maker_amount=int(sent["makerAmount"]), taker_amount=int(sent["takerAmount"]),
        neg_risk=False,
    )  # fmt: skip
    identity = WalletIdentity(signer=sent["signer"], wallet=sent["maker"], kind=WalletKind(sent["signatureType"]))
    return order_id_of(ticket, identity, salt=sent["salt"], timestamp_ms=int(sent["timestamp"]))


def _fixed(value: Any) -> Any:
    async def answer(_: web.Request) -> web.Response:
        return web.json_response(value)

    return answer


async def _time(_: web.Request) -> web.Response:
    return web.json_response(CLOCK.now_ms() // 1_000)


async def main() -> None:
    async with asyncio.TaskGroup() as group:
        await serve(Stub(group))


async def serve(stub: Stub) -> None:
    app = web.Application()
    page = {"data": [], "next_cursor": "LTE=", "limit": 100, "count": 0}
    held = {"data": [], "pagination": {"limit": 100, "offset": 0, "has_more": False, "next_cursor": None}}
    clob_market = {
        "c": CONDITION,
        "t": [{"t": YES, "o": "Yes"}, {"t": NO, "o": "No"}],
        "mts": 0.01,
        "mos": 5,
        "ao": True,
    }
    fixed = {
        ("GET", "/version"): {"version": 2}, ("GET", "/auth/ban-status/closed-only"): {"closed_only": False},
        ("GET", "/geoblock"): {"blocked": False, "ip": "127.0.0.1", "country": "", "region": ""},
        ("GET", "/data/orders"): page, ("GET", "/data/trades"): page, ("GET", "/v2/positions"): held,
        ("GET", "/balance-allowance"): {"balance": "1000000000", "allowances": {}}, ("GET", "/balance-allowance/update"): {},
        ("POST", "/v1/heartbeats"): {"heartbeat_id": "1"}, ("POST", "/auth/api-key"): CREDENTIALS,
        ("DELETE", "/orders"): {"canceled": [], "not_canceled": {}}, ("DELETE", "/order"): {"canceled": [], "not_canceled": {}},
        ("DELETE", "/cancel-all"): {"canceled": [], "not_canceled": {}}, ("GET", "/auth/api-keys"): {"apiKeys": [CREDENTIALS["apiKey"]]},
        ("GET", f"/markets-by-token/{YES}"): {"condition_id": CONDITION, "primary_token_id": YES, "secondary_token_id": NO},
        ("GET", f"/clob-markets/{CONDITION}"): clob_market,
    }  # fmt: skip
    for (method, path), value in fixed.items():
        app.router.add_route(method, path, _fixed(value))
    app.router.add_get("/time", _time)
    app.router.add_get("/data/order/{id}", _fixed(None))
    app.router.add_post("/order", stub.order)
    app.router.add_get("/ws/market", stub.ws_market)
    app.router.add_get("/ws/user", stub.ws_user)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(site._server.sockets[0].getsockname()[1], flush=True)  # type: ignore[union-attr]
    ticking = stub.group.create_task(stub.tick())
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    ticking.cancel()
    print(json.dumps(stub.took), flush=True)
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(main())
