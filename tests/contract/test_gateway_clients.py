"""What is true of the gateways over the official clients alone: which parts of those are used, and which never."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
from types import SimpleNamespace
from typing import Any

import pytest

from polymarket_agent.adapters.polymarket.gateway_addresses import addresses
from polymarket_agent.adapters.polymarket.gateway_common import asset_type_of
from polymarket_agent.adapters.polymarket.gateways import build_gateway
from polymarket_agent.clock import SystemClock
from polymarket_agent.domain.venue import Answer, WalletIdentity, WalletKind
from polymarket_agent.errors import LiveLockedError
from polymarket_agent.keys import Secret
from polymarket_agent.sandbox.server import Sandbox
from polymarket_agent.sandbox.wallets import Wallet
from tests.contract.gateway_contract import one_authority
from tests.contract.gateway_world import BUY, SELL, gateway_world, urls_of

polymarket = pytest.importorskip("polymarket")
clob = pytest.importorskip("py_clob_client_v2")

__all__ = ["one_authority"]

BOTH = pytest.mark.parametrize("client", ["unified", "clob"])


def production() -> dict[str, str]:
    config = polymarket.PRODUCTION._config
    named = {name: getattr(config, name) for name in ("clob_url", "gamma_url", "data_url", "relayer_url", "rpc_url")}
    return {**named, "market_ws_url": config.clob_market_ws_url, "user_ws_url": config.clob_user_ws_url}


async def test_a_wallet_that_is_not_there_locks_and_is_not_made() -> None:
    """With a deposit wallet or a safe that nobody deployed, connecting says what to do, and nothing asks for one."""
    for kind in (WalletKind.DEPOSIT, WalletKind.SAFE, WalletKind.PROXY):
        wallet = Wallet.from_seed(99, "nobody", kind.value)
        async with Sandbox(seed=5, actors=lambda _: []) as sandbox:
            identity = WalletIdentity(signer=wallet.eoa, wallet=wallet.address, kind=kind)
            key = Secret(wallet.private_key)
            gateway = build_gateway("unified", urls_of(sandbox), key, identity, SystemClock())
            with pytest.raises(LiveLockedError, match="is not deployed") as caught:
                await gateway.connect()

            assert caught.value.hint
            assert sandbox.venue.relayed == {}
            assert not sandbox.venue.chain.is_deployed(wallet.address)


def test_every_address_is_replaced_or_leads_nowhere() -> None:
    """For another venue no address of production is left in the client's environment; for production none changes."""
    config = polymarket.PRODUCTION._config
    sandbox = {name: f"http://127.0.0.1:9/{name}" for name in production()}
    changed = dataclasses.replace(config, **addresses(config, sandbox))

    left = [
        field.name
        for field in dataclasses.fields(changed)
        if isinstance(value := getattr(changed, field.name), str) and "://" in value and "127.0.0.1:9/" not in value
    ]
    assert left == []
    assert (changed.chain_id, changed.standard_exchange) == (config.chain_id, config.standard_exchange)
    assert addresses(config, production()) == {}


def test_a_mixture_of_venues_is_refused() -> None:
    """Some addresses of production and some of another venue lock live trading; a node of one's own does not."""
    config = polymarket.PRODUCTION._config
    with pytest.raises(LiveLockedError, match="clob_url"):
        addresses(config, {**production(), "data_url": "http://127.0.0.1:9"})
    with pytest.raises(LiveLockedError, match="lack data_url"):
        addresses(config, {**production(), "data_url": ""})
    assert addresses(config, {**production(), "rpc_url": "https://node.example"}) == {"rpc_url": "https://node.example"}


async def test_the_second_client_never_has_the_key() -> None:
    """No object of py-clob-client-v2 holds the private key, or anything that can sign."""
    async with gateway_world("clob") as world:
        gateway: Any = world.gateway
        for lane in gateway._lanes:
            assert not hasattr(lane.client.signer, "private_key")
            assert not hasattr(lane.client.signer, "sign")
            assert lane.client.retry_on_error is False


async def test_a_match_without_hashes_is_answered_at_once() -> None:
    """py-clob-client-v2 polls for half a minute for hashes that the venue does not have yet; the gateway does not."""
    async with gateway_world("clob") as world:
        order = world.signed(BUY, "10", "0.45")
        matched = {
            "success": True,
            "errorMsg": "",
            "orderID": order.order_id,
            "status": "matched",
            "makingAmount": "4.5",
            "takingAmount": "10",
            "tradeIDs": ["9f0c2a5e-0000-4000-8000-000000000001"],
        }
        world.fault(point="post.answer", fault="replace", argument={"status": 200, "body": matched}, nth=1)
        loop = asyncio.get_running_loop()
        began = loop.time()
        outcome = await world.gateway.submit(order)

        assert (outcome.answer, outcome.status) == (Answer.ACCEPTED, "matched")
        assert loop.time() - began < 1


@BOTH
async def test_a_proxy_is_not_followed_to_loopback(client: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a proxy set for everything, a venue on loopback is still reached directly."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with gateway_world(client, connect=False) as world:
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.setenv(name, "example.org")
        await world.gateway.connect()

        assert await world.gateway.open_orders() == []
        assert os.environ["NO_PROXY"].split(",") == ["example.org", "127.0.0.1", "localhost"]


@BOTH
async def test_the_body_is_the_one_that_was_signed(client: str) -> None:
    """What arrives at the venue are the signed integers, the signature, and nothing that could change the order."""
    async with gateway_world(client) as world:
        seen: list[dict[str, Any]] = []
        taken = world.sandbox.venue.exchange.place

        def place(entry: Any, now_ms: int) -> Any:
            seen.append({"id": entry.order_id, "defer": entry.defer_exec, "post_only": entry.post_only})
            return taken(entry, now_ms)

        world.sandbox.venue.exchange.place = place  # type: ignore[method-assign]
        plain, _ = await world.send(BUY, "10", "0.40")
        making, _ = await world.send(SELL, "10", "0.60", post_only=True)

        assert seen == [
            {"id": plain.order_id, "defer": False, "post_only": False},
            {"id": making.order_id, "defer": False, "post_only": True},
        ]


@BOTH
async def test_an_unknown_version_locks(client: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A release of a client whose private parts nobody here has looked at is not used."""
    home = {"unified": "gateway_addresses", "clob": "clob"}[client]
    async with gateway_world(client, connect=False) as world:
        monkeypatch.setattr(f"polymarket_agent.adapters.polymarket.{home}.version", lambda _: "9.9.9")
        with pytest.raises(LiveLockedError, match=r"9\.9\.9"):
            await world.gateway.connect()


def test_the_old_client_is_explained() -> None:
    """py-clob-client signs what the venue no longer takes; asking for it says so and what to take instead."""
    wallet = Wallet.from_seed(5, "account-0", 0)
    identity = WalletIdentity(signer=wallet.eoa, wallet=wallet.address, kind=WalletKind.EOA)
    urls: Any = SimpleNamespace()
    with pytest.raises(LiveLockedError, match="order_version_mismatch") as caught:
        build_gateway("py-clob-client", urls, Secret(wallet.private_key), identity, SystemClock())

    assert "live.client" in caught.value.hint


@pytest.mark.parametrize("words", [{"error": "Invalid Heartbeat ID"}, {"error_msg": "Invalid Heartbeat ID"}])
@BOTH
async def test_a_refused_heartbeat_under_either_word_is_mended(client: str, words: dict[str, str]) -> None:
    """The documents tell the refusal under two keys; a chain begins anew in both cases, at the latest with the next beat."""
    async with gateway_world(client) as world:
        await world.gateway.heartbeat()
        body = json.dumps({**words, "heartbeat_id": "not-the-one"})
        world.fault(point="heartbeat.answer", fault="replace", argument={"status": 400, "body": body}, nth=1)
        try:
            await world.gateway.heartbeat()
        except Exception as error:  # noqa: BLE001 - which kind is not the point
            assert "heartbeat" in str(error)  # noqa: PT017
        await world.gateway.heartbeat()


async def test_cancels_have_connections_of_their_own() -> None:
    """Cancels and heartbeats share no connection with orders, so a stalled one holds up neither."""
    async with gateway_world("unified") as unified, gateway_world("clob") as second:
        clients: Any = unified.gateway
        lanes: Any = second.gateway
        orders, swift = clients._clients._open
        assert orders._ctx.secure_clob is not swift._ctx.secure_clob
        assert len({id(lane._door._http) for lane in lanes._lanes}) == 3


async def test_the_kind_of_a_balance_is_named_as_the_venue_does() -> None:
    """Shares of the second protocol are asked for by their own word."""
    async with gateway_world("direct", connect=False) as world:
        assert asset_type_of(world.yes) == "CONDITIONAL"
        assert asset_type_of(world.second.asset_ids[0]) == "CONDITIONAL-V2"
