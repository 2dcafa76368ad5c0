from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from polymarket_agent.adapters.polymarket.direct import DirectGateway
from polymarket_agent.adapters.polymarket.signer import order_body
from polymarket_agent.clock import SystemClock
from polymarket_agent.domain.order import OrderId
from polymarket_agent.domain.venue import Answer, WalletKind
from polymarket_agent.errors import LiveLockedError, RateLimitedError, VenueDataError, VenueError, VenueUnavailableError
from tests.contract.gateway_world import BUY, SELL, GatewayWorld, gateway_world

KINDS = list(WalletKind)


@pytest.fixture
async def world() -> AsyncIterator[GatewayWorld]:
    async with gateway_world("direct") as running:
        yield running


def direct(world: GatewayWorld) -> DirectGateway:
    assert isinstance(world.gateway, DirectGateway)
    return world.gateway


async def open_ids(world: GatewayWorld) -> set[str]:
    return {order.order_id for order in await world.gateway.open_orders()}


async def test_reads_are_repeated_a_few_times(world: GatewayWorld) -> None:
    """Two failures of a read are mended by the third try; three raise, and nothing is half an answer."""
    order, _ = await world.send(BUY, "10", "0.40")
    world.fault(point="read.orders.answer", fault="replace", argument="internal_error", nth=[1, 2, 4, 5, 6])

    assert await open_ids(world) == {order.order_id}
    with pytest.raises(VenueUnavailableError):
        await world.gateway.open_orders()
    world.fault(point="read.trades.request", fault="replace", argument="too_many_requests_retry_after", nth=1)
    with pytest.raises(RateLimitedError) as caught:
        await world.gateway.legs(0)
    assert caught.value.retry_after_s == 2.0


async def test_every_page_of_trades_is_read(world: GatewayWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """Legs of more than one page come once each, oldest first, from the second that was asked for."""
    from polymarket_agent.sandbox import routes_clob_account, routes_common

    monkeypatch.setattr(
        routes_clob_account, "clob_page", lambda request, rows: routes_common.clob_page(request, rows, page=2)
    )
    ids = []
    for _ in range(5):
        world.offer(SELL, "5", "0.45")
        ids.append((await world.send(BUY, "5", "0.45"))[0].order_id)
    legs = await world.gateway.legs(0)

    assert sorted(leg.order_id for leg in legs) == sorted(ids)
    assert [leg.matched_ms for leg in legs] == sorted(leg.matched_ms for leg in legs)
    assert await world.gateway.legs(SystemClock().now_ms() // 1000 + 60) == []


async def test_null_and_the_venues_404_are_no_order(world: GatewayWorld) -> None:
    """An order that is not active and one that nobody knows are both None."""
    order, _ = await world.send(BUY, "10", "0.40")
    world.sandbox.venue.tells_finished = False
    await world.gateway.cancel([order.order_id])

    assert await world.gateway.order(order.order_id) is None
    assert await world.gateway.order(OrderId("0x" + "ab" * 32)) is None
    world.fault(point="read.order.request", fault="replace", argument="edge_502", every=1)
    with pytest.raises(VenueError):
        await world.gateway.order(order.order_id)


async def test_a_heartbeat_follows_the_venues_id(world: GatewayWorld) -> None:
    """Each beat carries the last answer's id; after a mismatch the expected one is taken and sent once."""
    gateway = direct(world)
    await gateway.heartbeat()
    await gateway.heartbeat()
    gateway._beat_id = "not the one"
    await gateway.heartbeat()
    world.fault(point="heartbeat.answer", fault="drop", nth=1)
    with pytest.raises(VenueUnavailableError):
        await gateway.heartbeat()
    await gateway.heartbeat()

    assert gateway._beat_id not in ("", "not the one")


async def test_credentials_are_renewed_once_when_the_venue_drops_them(world: GatewayWorld) -> None:
    """A read that is refused for its credentials derives them again and succeeds; a second time within 10 minutes it fails."""
    world.fault(point="read.orders.answer", fault="replace", argument="unauthorized", nth=[1, 3])
    assert await world.gateway.open_orders() == []
    with pytest.raises(VenueDataError, match="Invalid api key"):
        await world.gateway.open_orders()


async def test_a_refused_key_locks_live_trading() -> None:
    """When the venue gives a key no credentials, connecting says why and what to do."""
    async with gateway_world("direct", connect=False) as world:
        world.fault(point="read.auth.request", fault="replace", argument="invalid_l1_headers", every=1)
        with pytest.raises(LiveLockedError, match="Invalid L1 Request headers") as caught:
            await world.gateway.connect()

        assert "clock" in caught.value.hint


async def test_an_unknown_order_version_locks_and_nothing_is_sent() -> None:
    """A venue that signs in another version is refused, and afterwards the gateway sends nothing private."""
    async with gateway_world("direct", connect=False) as world:
        answer = {"status": 200, "body": {"version": 3}}
        world.fault(point="read.version.request", fault="replace", argument=answer, every=1)
        with pytest.raises(LiveLockedError, match="version 3"):
            await world.gateway.connect()

        assert (await world.send(BUY, "10", "0.40"))[1].answer is Answer.NOT_SENT
        with pytest.raises(VenueError, match="not connected"):
            await world.gateway.open_orders()


async def test_account_and_place_are_asked_for(world: GatewayWorld) -> None:
    """Closed-only accounts and blocked places are told apart."""
    assert not (await world.gateway.account_flags()).blocked
    world.sandbox.venue.blocked_country = "XX"
    world.sandbox.venue.closed_only.add(world.account.address)
    flags = await world.gateway.account_flags()

    assert (flags.blocked, flags.country, flags.closed_only) == (True, "XX", True)


async def test_positions_and_refreshed_balances(world: GatewayWorld) -> None:
    """Bought shares stand in the positions; a refresh of the venue's cache is taken."""
    world.offer(SELL, "10", "0.45")
    await world.send(BUY, "10", "0.45")
    await world.settled()
    await world.gateway.refresh_balances([world.yes])
    held = {each.asset_id: each for each in await world.gateway.positions()}

    assert held[world.yes].quantity == world.held(world.yes)


async def test_signing_needs_no_venue_and_is_repeatable(world: GatewayWorld) -> None:
    """The same ticket, salt and time give the same id and the same body."""
    ticket = world.ticket(BUY, "10", "0.40")
    one, two = (world.gateway.sign(ticket, salt=7, timestamp_ms=1_700_000_000_000) for _ in range(2))

    assert one == two
    assert order_body(one, "key") == order_body(two, "key")


async def test_no_error_shows_a_secret(world: GatewayWorld) -> None:
    """Neither texts nor the chains of errors and objects hold the key, the secret, the passphrase or a signature."""
    credentials = direct(world).credentials
    order = world.signed(BUY, "10", "0.40")
    hidden = [credentials.secret.reveal(), credentials.passphrase.reveal(), world.account.private_key, order.signature]
    seen: list[Any] = [repr(order), repr(world.gateway), repr(credentials)]
    for answer in ("internal_error", "unauthorized", "ok_html", "forbidden_html"):
        world.sandbox.venue.injector.clear()
        world.fault(point="read.any.answer", fault="replace", argument=answer, every=1)
        world.fault(point="cancel.answer", fault="replace", argument=answer, every=1)
        for call in (world.gateway.open_orders(), world.gateway.cancel_all(), world.gateway.connect()):
            with pytest.raises((VenueError, LiveLockedError)) as caught:
                await call
            error: BaseException | None = caught.value
            while error is not None:
                seen += [str(error), repr(error), repr(vars(error))]
                error = error.__cause__ or error.__context__
    text = msgspec.json.encode(seen).decode()

    assert not [each for each in hidden if each.removeprefix("0x") in text]


async def test_closing_twice_is_fine(world: GatewayWorld) -> None:
    """A gateway may be closed more than once, and used again afterwards."""
    await world.gateway.aclose()
    await world.gateway.aclose()

    assert await world.gateway.server_time_ms() > 0
