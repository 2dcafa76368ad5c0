"""Calls of the blocking client `py-clob-client-v2` in threads, one lane for each kind, so that none waits for another."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from polymarket_agent.adapters.polymarket.account_rows import Cursors
from polymarket_agent.adapters.polymarket.clob_door import Door
from polymarket_agent.adapters.polymarket.gateway_common import ANSWER_WITHIN_S, ZERO_BYTES32
from polymarket_agent.adapters.polymarket.gateway_heard import Heard, credentials_of
from polymarket_agent.domain.venue import SignedOrder, WalletIdentity
from polymarket_agent.errors import LiveLockedError
from polymarket_agent.keys import ApiCredentials

__all__ = ["AddressOnly", "Lane", "log_in", "order_fields"]

T = TypeVar("T")

_FIRST_CURSOR = "MA=="
_OK, _BAD_REQUEST, _UNAUTHORIZED, _FORBIDDEN = 200, 400, 401, 403


class AddressOnly:
    """Stands in the client where its key holder would: it knows the address and can sign nothing."""

    def __init__(self, address: str) -> None:
        self._address = address

    def address(self) -> str:
        """Return the address of the signer."""
        return self._address


class Lane:
    """One client of the library in threads of its own, sending through a door of ours.

    Args:
        client: the library's client; what it sends through is replaced.
        threads: how many calls run beside each other.
        name: of the threads.
        door: what it sends through.
    """

    def __init__(self, client: Any, threads: int, name: str, door: Door) -> None:
        client._get, client._post, client._delete = door.get, door.post, door.delete  # noqa: SLF001 - see TESTED_VERSIONS
        # It would poll for up to 30 s whether a match has settled, inside the call that posts.
        client._resolve_transactions_hashes = lambda answer: answer  # noqa: SLF001 - see TESTED_VERSIONS
        self.client = client
        self._door = door
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix=name)

    async def carry(self, call: Callable[[Any], object]) -> tuple[Heard, Exception | None]:
        """Run a call of the client; return what was heard and how it failed. `Heard.body` is None without an answer."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                return await loop.run_in_executor(self._threads, self._work, call)
        except (TimeoutError, RuntimeError) as error:  # the second: closed
            return Heard(), error

    def _work(self, call: Callable[[Any], object]) -> tuple[Heard, Exception | None]:
        heard = self._door.listen()
        try:
            call(self.client)
        except Exception as error:  # noqa: BLE001 - carried to the loop, which judges what was heard first
            return heard, error
        return heard, None

    async def read(self, what: str, call: Callable[[Any], object], parse: Callable[[bytes], T]) -> T:
        """Return what `parse` makes of the answer to a call; `what` names it in errors.

        Raises:
            VenueError: no answer, a refusal, or one that is malformed.
        """
        heard, error = await self.carry(call)
        # What the client makes of a good answer is not used, so its failing over one means nothing.
        if heard.status != _OK or heard.body is None:
            raise heard.failure(what, error)
        return parse(heard.body)

    async def pages(
        self, what: str, page: Callable[[Any, str], object], parse: Callable[[bytes], tuple[list[T], str | None]]
    ) -> list[T]:
        """Return what is on all pages; one that fails fails the whole. `page` asks the client for one, given its cursor.

        Raises:
            VenueError: as `read`, or the list does not end.
        """
        found: list[T] = []
        cursors, cursor = Cursors(what), _FIRST_CURSOR
        while True:
            rows, following = await self.read(what, functools.partial(_turned, page, cursor), parse)
            found += rows
            if following is None:
                return found
            cursor = cursors.after(following)

    def close(self) -> None:
        """Take no more calls; one that hangs ends by its own time limit."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._door.close()


async def log_in(lane: Lane, identity: WalletIdentity) -> ApiCredentials:
    """Create API credentials, or have those told again that are there.

    Raises:
        LiveLockedError: the venue refuses the key.
        VenueError: no usable answer.
    """
    heard, error = await lane.carry(lambda client: client.create_api_key())
    if heard.status == _BAD_REQUEST:  # they are there
        heard, error = await lane.carry(lambda client: client.derive_api_key())
    if heard.status in (_BAD_REQUEST, _UNAUTHORIZED, _FORBIDDEN):
        raise LiveLockedError(
            f"the venue gives no API credentials to {identity.signer}: {heard.status} {heard.text}",
            hint="check that this key may trade at the venue and from this place, and that the clock is right",
        )
    found = credentials_of(heard)
    if heard.status != _OK or found is None:
        raise heard.failure("the request for API credentials", error)
    return found


def order_fields(order: SignedOrder) -> dict[str, Any]:
    """Return the arguments of the client's own `SignedOrderV2`, its `side` aside."""
    ticket = order.ticket
    return {
        "salt": str(order.salt),
        "maker": order.maker,
        "signer": order.signer,
        "tokenId": ticket.asset_id,
        "makerAmount": str(ticket.maker_amount),
        "takerAmount": str(ticket.taker_amount),
        "signatureType": order.signature_type,
        "timestamp": str(order.timestamp_ms),
        "metadata": ZERO_BYTES32,
        "builder": ZERO_BYTES32,
        "expiration": str(ticket.expires_s),
        "signature": order.signature,
    }


def _turned(page: Callable[[Any, str], object], cursor: str, client: Any) -> object:
    return page(client, cursor)
