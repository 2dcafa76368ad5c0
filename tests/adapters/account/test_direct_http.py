from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from polymarket_agent.adapters.polymarket.direct_http import HttpLimits, HttpLine, NoAnswerError, NotSentError
from polymarket_agent.errors import ConfigError, VenueDataError

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def served(handler: Handler, **limits: float) -> AsyncIterator[HttpLine]:
    """Run a server whose every answer one function gives, and a line to it."""
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", handler)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    line = HttpLine(f"http://127.0.0.1:{runner.addresses[0][1]}", HttpLimits(**{"timeout_s": 2.0, **limits}))  # type: ignore[arg-type]
    try:
        yield line
    finally:
        await line.aclose()
        await runner.cleanup()


def closed_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


async def test_a_closed_port_is_not_sent() -> None:
    """Without a connection no byte left, and the error says so."""
    line = HttpLine(f"http://127.0.0.1:{closed_port()}", HttpLimits())
    with pytest.raises(NotSentError):
        await line.call("POST", "/order", body=b"{}")
    await line.aclose()


async def test_a_failed_handshake_is_not_sent() -> None:
    """A server that does not speak TLS never got the request."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response()

    async with served(answer) as plain:
        line = HttpLine(plain.base_url.replace("http://", "https://"), HttpLimits())
        with pytest.raises(NotSentError):
            await line.call("POST", "/order", body=b"{}")
        await line.aclose()


@pytest.mark.parametrize("method", ["POST", "GET"])
async def test_a_broken_connection_is_no_answer(method: str) -> None:
    """A connection that breaks after the request proves nothing, and a POST is not sent again."""
    seen = []

    async def break_off(request: web.Request) -> web.Response:
        seen.append(await request.read())
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    async with served(break_off) as line:
        with pytest.raises(NoAnswerError):
            await line.call(method, "/order", body=b"{}" if method == "POST" else None)
    if method == "POST":
        assert seen == [b"{}"]


async def test_a_post_on_a_connection_that_just_closed_is_sent_once() -> None:
    """When the server closes a kept connection under a POST, it may have been read: nothing is repeated."""
    seen = []

    async def once_then_break(request: web.Request) -> web.Response:
        seen.append(request.path)
        if len(seen) > 1:
            assert request.transport is not None
            request.transport.abort()
        return web.Response(text="ok")

    async with served(once_then_break) as line:
        assert (await line.call("GET", "/first")).body == b"ok"
        with pytest.raises(NoAnswerError):
            await line.call("POST", "/order", body=b"{}")
    assert seen == ["/first", "/order"]


async def test_silence_ends_in_time() -> None:
    """An answer that does not come, and one that never ends, raise after the limit."""

    async def silent(request: web.Request) -> web.StreamResponse:
        if request.path == "/drip":
            answer = web.StreamResponse()
            await answer.prepare(request)
            for _ in range(100):
                await answer.write(b" ")
                await asyncio.sleep(0.05)
        await asyncio.sleep(5)
        return web.Response()

    async with served(silent, timeout_s=0.3) as line:
        for path in ("/never", "/drip"):
            with pytest.raises(NoAnswerError, match=r"within 0\.3 s"):
                await line.call("POST", path, body=b"{}")
        with pytest.raises(NoAnswerError, match=r"within 0\.1 s"):
            await line.call("POST", "/never", body=b"{}", timeout_s=0.1)


async def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    """The request goes to the host that was configured and nowhere else."""
    seen = []

    async def redirect(request: web.Request) -> web.Response:
        seen.append(request.path)
        return web.Response(status=307, headers={"Location": "/elsewhere"})

    async with served(redirect) as line:
        assert (await line.call("POST", "/order", body=b"{}")).status == 307
    assert seen == ["/order"]


async def test_an_endless_answer_is_cut_off() -> None:
    """An answer that is larger than allowed raises."""

    async def flood(_: web.Request) -> web.Response:
        return web.Response(body=b"x" * 10_000)

    async with served(flood, max_bytes=1_000) as line:
        with pytest.raises(VenueDataError, match="more than 1000 bytes"):
            await line.call("GET", "/")


async def test_proxies_of_the_environment_are_not_heeded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Proxy variables change nothing: the request goes straight to the host."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{closed_port()}")

    async def answer(_: web.Request) -> web.Response:
        return web.Response(text="ok")

    async with served(answer) as line:
        assert (await line.call("GET", "/")).status == 200


async def test_small_requests_leave_at_once() -> None:
    """Connections have Nagle's algorithm off, kept ones too, and the second request uses the first one's connection."""
    peers, options = [], []

    async def answer(request: web.Request) -> web.Response:
        assert request.transport is not None
        peers.append(request.transport.get_extra_info("peername"))
        return web.Response(text="ok")

    async with served(answer) as line:
        for _ in range(2):
            await line.call("POST", "/order", body=b"{}")
            for kept in line._opened().connector._conns.values():  # type: ignore[union-attr]
                for protocol, _ in kept:
                    assert protocol.transport is not None
                    held = protocol.transport.get_extra_info("socket")
                    options.append(held.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

    assert len(set(peers)) == 1
    assert options
    assert all(options)


async def test_the_query_is_encoded_and_the_path_stays() -> None:
    """What is signed is the path as given; cursors with odd characters arrive as they were."""
    seen = []

    async def answer(request: web.Request) -> web.Response:
        seen.append((request.path, request.query.get("next_cursor")))
        return web.Response()

    async with served(answer) as line:
        await line.call("GET", "/data/orders", parameters=[("next_cursor", "a+b/c=&d")])
    assert seen == [("/data/orders", "a+b/c=&d")]


def test_a_line_goes_to_allowed_hosts_only() -> None:
    """A line to any other host cannot be made."""
    with pytest.raises(ConfigError):
        HttpLine("https://evil.example", HttpLimits())
