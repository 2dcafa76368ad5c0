"""Signed orders a second into the sandbox over real sockets, latency of a POST, stream messages, memory.

The sandbox runs in a process of its own. The client signs everything first (so that its own curve does not count), then
POSTs with keep-alive connections from this process. Prices rest and do not cross. Streams: ten subscribers of the market
that the orders change, in a second client process, counted by messages that arrived. Memory is the resident size of the
sandbox's process as Linux tells it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import multiprocessing
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import aiohttp

from polymarket_agent.clock import SystemClock
from polymarket_agent.domain.levels import Side
from polymarket_agent.sandbox.auth import Credentials, l2_headers
from polymarket_agent.sandbox.wallets import Wallet

START = [
    sys.executable,
    "-c",
    "from polymarket_agent.cli import main; main()",
    "sandbox",
    "--json",
    "--scenario",
    "one",
]


def resident_mib(pid: int) -> float:
    """Return a process's resident memory in MiB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def cpu_s(pid: int) -> float:
    """Return the processor seconds that a process has used: what an order costs, whoever else uses the machine."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def prepare(connection: dict[str, Any], orders: int) -> tuple[Credentials, list[bytes], str]:
    """Return credentials, signed bodies that rest, and the asset they are for."""
    account = connection["accounts"][0]
    wallet = Wallet(account["private_key"], 0)
    clob, admin = connection["clob_url"], connection["admin_url"]
    async with aiohttp.ClientSession() as session:
        now_s = SystemClock().now_ms() // 1000
        async with session.post(f"{clob}/auth/api-key", headers=wallet.l1_headers(now_s)) as answer:
            keys = await answer.json()
        async with session.get(f"{admin}/state") as answer:
            asset_id = (await answer.json())["markets"][0]["asset_ids"][0]
        async with session.post(f"{admin}/fund", json={"wallet": account["wallet"], "amount": "100000000"}) as answer:
            assert answer.status == 200, await answer.text()
    bodies = []
    for salt in range(orders):
        price = 10_000 * (1 + salt % 30)  # 0.01 to 0.30: below the crowd's asks
        order = wallet.sign_order(
            asset_id, Side.BUY, 5 * price, 5_000_000, salt=salt, timestamp_ms=SystemClock().now_ms()
        )
        body = {"deferExec": False, "order": order, "orderType": "GTC", "owner": keys["apiKey"]}
        bodies.append(json.dumps(body, separators=(",", ":")).encode())
    credentials = Credentials(keys["apiKey"], keys["secret"], keys["passphrase"], account["address"])
    return credentials, bodies, asset_id


async def post_all(
    url: str, credentials: Credentials, bodies: list[bytes], connections: int, *, pid: int
) -> dict[str, float]:
    """POST every body, `connections` at a time; return accepted orders a second, latencies and processor time in ms."""
    used = cpu_s(pid)
    waits: list[float] = []
    accepted = 0
    work = iter(bodies)

    async def worker(session: aiohttp.ClientSession) -> None:
        nonlocal accepted
        for body in work:
            now_s = SystemClock().now_ms() // 1000
            headers = l2_headers(credentials, "POST", "/order", body, now_s=now_s)
            begin = time.perf_counter()
            async with session.post(f"{url}/order", data=body, headers=headers) as answer:
                text = await answer.read()
            waits.append((time.perf_counter() - begin) * 1000)
            accepted += answer.status == 200
            if answer.status != 200 and accepted < 3:
                print(text.decode()[:200], file=sys.stderr)

    connector = aiohttp.TCPConnector(limit=connections)
    async with aiohttp.ClientSession(connector=connector) as session:
        begin = time.perf_counter()
        await asyncio.gather(*(worker(session) for _ in range(connections)))
        took = time.perf_counter() - begin
    waits.sort()
    return {
        "accepted": accepted,
        "orders_per_s": round(accepted / took, 1),
        "p50_ms": round(statistics.median(waits), 3),
        "p99_ms": round(waits[math.ceil(len(waits) * 0.99) - 1], 3),
        "server_cpu_ms_an_order": round((cpu_s(pid) - used) * 1000 / max(accepted, 1), 3),
    }


async def listen(url: str, asset_id: str, subscribers: int, stop: Any, counts: Any) -> None:
    """Follow one asset with several connections and count what arrives."""
    async with aiohttp.ClientSession() as session:

        async def one(index: int) -> None:
            async with session.ws_connect(url, max_msg_size=0) as socket:
                frame = {"type": "market", "assets_ids": [asset_id], "custom_feature_enabled": True}
                await socket.send_str(json.dumps(frame))
                while not stop.is_set():
                    try:
                        await asyncio.wait_for(socket.receive(), 0.5)
                    except TimeoutError:
                        continue
                    counts[index] += 1

        await asyncio.gather(*(one(index) for index in range(subscribers)))


def listeners(url: str, asset_id: str, subscribers: int, stop: Any, counts: Any) -> None:
    asyncio.run(listen(url, asset_id, subscribers, stop, counts))


async def measure(orders: int, connections: int, subscribers: int, depth: int) -> dict[str, Any]:
    with subprocess.Popen(START, stdout=subprocess.PIPE, text=True) as process:  # noqa: ASYNC220 - nothing runs yet
        try:
            assert process.stdout is not None
            connection = json.loads(process.stdout.readline())
            url = connection["clob_url"]
            credentials, bodies, asset_id = await prepare(connection, orders * 3 + depth)
            empty = resident_mib(process.pid)
            one = await post_all(url, credentials, bodies[:orders], 1, pid=process.pid)
            many = await post_all(url, credentials, bodies[orders : orders * 2], connections, pid=process.pid)
            context = multiprocessing.get_context("spawn")
            stop, counts = context.Event(), context.Array("q", subscribers, lock=False)
            told = context.Process(
                target=listeners, args=(connection["market_ws_url"], asset_id, subscribers, stop, counts)
            )
            told.start()
            await asyncio.sleep(2.5)
            before, begin = sum(counts), time.perf_counter()
            streaming = await post_all(url, credentials, bodies[orders * 2 : orders * 3], connections, pid=process.pid)
            took = time.perf_counter() - begin
            heard = sum(counts) - before
            stop.set()
            told.join()
            deep = await post_all(url, credentials, bodies[orders * 3 :], connections, pid=process.pid) if depth else {}
            return {
                "one_connection": one,
                f"{connections}_connections": many,
                f"with_{subscribers}_subscribers": {**streaming, "messages_per_s": round(heard / took, 1)},
                "deep": deep,
                "resident_mib": {
                    "empty": round(empty, 1),
                    f"after_{orders * 3 + depth}_orders": round(resident_mib(process.pid), 1),
                },
            }
        finally:
            process.terminate()
            process.wait(timeout=10)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=5_000, help="of each measurement")
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--subscribers", type=int, default=10)
    parser.add_argument("--depth", type=int, default=0, help="orders more, before memory is read")
    options = parser.parse_args()
    found = asyncio.run(measure(options.orders, options.connections, options.subscribers, options.depth))
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
