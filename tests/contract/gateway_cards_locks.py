"""Cards of the gateway contract: locks, secrets and credentials. See `gateway_contract.py`."""

from __future__ import annotations

import logging
from traceback import format_exception

import pytest

from polymarket_agent.domain.venue import Answer
from polymarket_agent.errors import LiveLockedError, VenueError
from tests.contract.gateway_world import (
    BUY,
    GatewayWorld,
    gateway_world,
)

__all__ = [
    "test_g40_an_order_version_that_we_do_not_sign_locks",
    "test_g41_a_key_that_the_venue_refuses_locks",
    "test_g42_no_secret_is_shown",
    "test_g44_closing_twice_and_working_unconnected",
    "test_g45_signing_again_gives_the_same_bytes",
    "test_g46_refused_credentials_are_got_again",
]


async def test_g40_an_order_version_that_we_do_not_sign_locks(client: str) -> None:
    """A venue that signs orders in another version is not traded with."""
    async with gateway_world(client, connect=False) as world:
        world.fault(
            point="read.version.answer", fault="replace", argument={"status": 200, "body": {"version": 3}}, every=1
        )
        with pytest.raises(LiveLockedError, match="version 3"):
            await world.gateway.connect()
        assert (await world.gateway.submit(world.signed(BUY, "10", "0.40"))).answer is Answer.NOT_SENT


async def test_g41_a_key_that_the_venue_refuses_locks(client: str) -> None:
    """Where the venue gives no API credentials, connecting says so and names no secret."""
    async with gateway_world(client, connect=False) as world:
        world.fault(point="read.auth.answer", fault="replace", argument="invalid_l1_headers", every=1)
        with pytest.raises(LiveLockedError) as caught:
            await world.gateway.connect()

        assert caught.value.hint
        assert world.account.private_key.removeprefix("0x") not in "".join(format_exception(caught.value))


async def test_g42_no_secret_is_shown(world: GatewayWorld, caplog: pytest.LogCaptureFixture) -> None:
    """Neither logs at their loudest, nor errors, nor reprs show the key, the credentials or a signature."""
    caplog.set_level(logging.DEBUG)
    await world.gateway.connect()
    order, _ = await world.send(BUY, "10", "0.40")
    texts = [caplog.text, repr(world.gateway), repr(vars(world.gateway)), repr(order)]
    for answer in ("internal_error", "unauthorized", "ok_html"):
        world.fault(point="read.any.answer", fault="replace", argument=answer, every=1)
        try:
            await world.gateway.open_orders()
        except VenueError as error:
            texts += ["".join(format_exception(error)), error.hint]
    found = world.sandbox.venue.keyring.find(world.api_key)
    assert found is not None
    secrets = (world.account.private_key.removeprefix("0x"), found.secret, found.passphrase, order.signature)
    assert not [each for each in secrets for text in texts if each in text]


async def test_g44_closing_twice_and_working_unconnected(client: str) -> None:
    """Closing may be repeated; unconnected, nothing is sent and reads raise."""
    async with gateway_world(client, connect=False) as world:
        assert (await world.gateway.submit(world.signed(BUY, "10", "0.40"))).answer is Answer.NOT_SENT
        with pytest.raises(VenueError):
            await world.gateway.open_orders()
        await world.gateway.connect()
        await world.gateway.aclose()
        await world.gateway.aclose()


async def test_g45_signing_again_gives_the_same_bytes(world: GatewayWorld) -> None:
    """The same ticket, salt and time give the same order, signature included; another salt gives another."""
    ticket = world.ticket(BUY, "10", "0.40")
    first, again = (world.gateway.sign(ticket, salt=7, timestamp_ms=1_795_360_431_340) for _ in range(2))
    other = world.gateway.sign(ticket, salt=8, timestamp_ms=1_795_360_431_340)

    assert first == again
    assert other.order_id != first.order_id


async def test_g46_refused_credentials_are_got_again(world: GatewayWorld) -> None:
    """Once the venue has refused the API key, a later read gets credentials anew and works; not more often than allowed."""
    key = world.api_key
    world.sandbox.venue.keyring.delete(key)
    _, refused = await world.send(BUY, "10", "0.40")
    assert (refused.answer, refused.http_status) == (Answer.REFUSED_NOW, 401)

    assert await world.gateway.open_orders() == []
    assert (await world.gateway.submit(world.signed(BUY, "10", "0.40"))).answer is Answer.ACCEPTED
    world.sandbox.venue.keyring.delete(world.api_key)
    with pytest.raises(VenueError):
        await world.gateway.open_orders()
    with pytest.raises(VenueError):
        await world.gateway.open_orders()
