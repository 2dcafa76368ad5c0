"""Checks of the two websocket channels: connect, subscribe or log in, and hear an answer to a PING."""

from __future__ import annotations

import asyncio
import time

import aiohttp
import msgspec

from polymarket_agent.cli.doctor_case import Case
from polymarket_agent.cli.doctor_findings import Finding, bad, fine
from polymarket_agent.domain.events import UserStream
from polymarket_agent.version import __version__

__all__ = ["check_market_stream", "check_user_stream"]

ANSWER_S = 5.0

_LOST = "see that websockets (wss) leave this network; a proxy or firewall may cut them"


async def check_market_stream(case: Case) -> list[Finding]:
    """Subscribe to one asset and wait for the answer to a PING."""
    url = case.config.feed.market_ws_url
    asset_id = case.markets[0].asset_ids[0]
    began = time.monotonic()
    try:
        async with asyncio.timeout(ANSWER_S):
            frames = await _pong_of(url, asset_id)
    except TimeoutError:
        return [bad("market stream", f"{url} does not answer a PING within {ANSWER_S:g} s", fix=_LOST)]
    except (aiohttp.ClientError, OSError) as error:
        return [bad("market stream", f"{url} cannot be connected: {str(error) or type(error).__name__}", fix=_LOST)]
    if frames is None:
        return [bad("market stream", f"{url} closed the line", fix="try again in a minute; " + _LOST)]
    took_ms = round((time.monotonic() - began) * 1_000)
    return [fine("market stream", f"connected, subscribed, PONG within {took_ms} ms", pong_ms=took_ms, frames=frames)]


async def _pong_of(url: str, asset_id: str) -> int | None:
    """Return how many other frames came before the PONG; None if the line was closed."""
    headers = {"User-Agent": f"polymarket-agent/{__version__}"}
    subscribe = msgspec.json.encode({"type": "market", "assets_ids": [asset_id], "custom_feature_enabled": True})
    async with (
        aiohttp.ClientSession(trust_env=False, headers=headers) as session,
        session.ws_connect(url, timeout=aiohttp.ClientWSTimeout(ws_close=1.0)) as socket,
    ):
        await socket.send_str(subscribe.decode())
        await socket.send_str("PING")
        frames = 0
        async for message in socket:
            if message.data in ("PONG", b"PONG"):
                return frames
            frames += 1
        return None


async def check_user_stream(case: Case) -> list[Finding]:
    """Log in to the channel of our own orders, as the agent does, and wait until it counts as usable."""
    from polymarket_agent.adapters.polymarket.parse_user import UserChannelParser
    from polymarket_agent.adapters.polymarket.user_feed import UserFeed, UserFeedPolicy

    assert case.facts is not None
    assert case.urls is not None
    url = case.urls.user_ws
    feed = UserFeed(
        url,
        case.account.credentials,
        parser=UserChannelParser(case.wallet.wallet, case.facts.api_key_id),
        clock=case.clock,
        policy=UserFeedPolicy(login_s=ANSWER_S, check_s=0.2, connect_s=ANSWER_S),
    )
    began = time.monotonic()
    said = f"no answer within {ANSWER_S:g} s"
    try:
        async with asyncio.timeout(ANSWER_S + 1.0):
            async for event in feed.events():
                if isinstance(event, UserStream) and event.up:
                    took_ms = round((time.monotonic() - began) * 1_000)
                    return [fine("user stream", f"connected, logged in, PONG within {took_ms} ms", pong_ms=took_ms)]
                if isinstance(event, UserStream):
                    said = event.reason
                    break
    except TimeoutError:
        pass
    finally:
        await feed.aclose()
    cause = "without it the agent opens nothing, because it would not hear of its own fills in time"
    return [bad("user stream", f"{url}: {said}", cause=cause, fix=_LOST)]
