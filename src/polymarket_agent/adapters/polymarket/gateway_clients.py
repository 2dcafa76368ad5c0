"""Two clients of the library `polymarket-client` for one wallet, made, listened to and renewed. Takes the library as an argument.

One carries orders and reads, the other cancels and heartbeats, so that a hung POST or a stalled connection holds up
neither. What the client does not show in public is reached for here: the HTTP below it, to hear answers as they came.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from polymarket_agent.adapters.polymarket.gateway_addresses import WALLET_KINDS, environment_of
from polymarket_agent.adapters.polymarket.gateway_common import (
    ANSWER_WITHIN_S,
    hush_client_logs,
    note_rate_headers,
    spare_loopback,
)
from polymarket_agent.adapters.polymarket.gateway_errors import locked
from polymarket_agent.adapters.polymarket.gateway_heard import Heard, Renewal
from polymarket_agent.domain.venue import WalletIdentity
from polymarket_agent.errors import AgentError, LiveLockedError, VenueUnavailableError
from polymarket_agent.keys import ApiCredentials, Secret
from polymarket_agent.ports import Clock, RateBudget

__all__ = ["Clients"]

_HEARD: ContextVar[Heard | None] = ContextVar("unified_gateway_heard", default=None)


class Clients:
    """The clients of one wallet.

    Args:
        urls: as `UnifiedGateway` takes them.
        key: of the signer. The clients hold it from `open` to `close`.
        identity: whose wallet it is.
        clock: for what has to do with time.
        budget: is told what answers say about our rate.
    """

    def __init__(
        self, urls: Mapping[str, str], key: Secret, identity: WalletIdentity, clock: Clock, budget: RateBudget
    ) -> None:
        self._urls, self._key, self._identity, self._clock, self._budget = urls, key, identity, clock, budget
        self._library: Any = None
        self._environment: Any = None
        self._open: tuple[Any, ...] = ()  # orders and reads; cancels and heartbeats
        self._retired: list[Any] = []  # something may still be under way on them
        self._renewal = Renewal(clock)

    async def open(self, library: Any, create_environment: Any) -> None:
        """Make the clients, which creates or derives API credentials.

        Raises:
            LiveLockedError: an unknown version of the library, a wallet that is not there, a key that is refused.
            VenueError: the venue cannot be reached.
        """
        spare_loopback(self._urls)
        hush_client_logs()
        self._library = library
        self._environment = environment_of(library, create_environment, self._urls)
        await self._make()

    async def _make(self) -> None:
        main = await self._client(None)
        try:
            swift = await self._client(main.credentials)
        except BaseException:
            await main.close()
            raise
        self._retired += self._open
        self._open = (main, swift)

    async def ready(self, *, swift: bool = False) -> Any:
        """Return the client for orders and reads, or the `swift` one; credentials that were refused are renewed first.

        Raises:
            VenueError: not open, or the credentials cannot be renewed.
        """
        if self._renewal.is_due() and self._open:
            await self._make()
        return self.now(swift=swift)

    def now(self, *, swift: bool = False) -> Any:
        """Return a client as it is.

        Raises:
            VenueUnavailableError: not open.
        """
        if not self._open:
            raise VenueUnavailableError("the gateway is not connected", hint="connect first")
        return self._open[1 if swift else 0]

    @property
    def credentials(self) -> ApiCredentials:
        """The API credentials in use. Raises as `now`."""
        held = self.now().credentials
        return ApiCredentials(held.key, Secret(held.secret), Secret(held.passphrase))

    @contextmanager
    def listening(self) -> Iterator[Heard]:
        """Yield where the answer to a request made within will be, as it came."""
        heard = Heard()
        token = _HEARD.set(heard)
        try:
            yield heard
        finally:
            _HEARD.reset(token)

    async def close(self) -> None:
        """Let go of connections. May be called more than once."""
        clients, self._open, self._retired = [*self._open, *self._retired], (), []
        for client in clients:
            await client.close()

    async def _client(self, credentials: Any) -> Any:
        failure: AgentError
        try:
            async with asyncio.timeout(2 * ANSWER_WITHIN_S):
                # Neither a relayer nor a builder key: with one, a wallet that is not there would be deployed.
                client = await self._library.AsyncSecureClient.create(
                    private_key=self._key.reveal(),
                    wallet=self._identity.wallet,
                    environment=self._environment,
                    credentials=credentials,
                )
        except Exception as error:  # noqa: BLE001 - whatever it is, its text and its chain stay here
            failure = locked(self._library, error, self._identity)
        else:
            found = (str(client.signer), str(client.wallet), WALLET_KINDS.get(client.wallet_type))
            if found == (self._identity.signer, self._identity.wallet, self._identity.kind):
                self._hear(client)
                return client
            await client.close()
            failure = LiveLockedError(
                f"the venue's client does not take {found[1]} for a {self._identity.kind.name} wallet of this key",
                hint="check the wallet address and its kind in the config",
            )
        raise failure  # outside the handler, so that no chain leads to what the client held

    def _hear(self, client: Any) -> None:
        """Listen to answers as they come, which the client's own results leave out."""

        async def hear(response: Any) -> None:
            note_rate_headers(self._budget, response.headers, self._clock.now_ms())
            heard = _HEARD.get() or Heard()
            heard.take(response.status_code, response.headers, await response.aread())
            self._renewal.note(heard)

        client._ctx.secure_clob._client.event_hooks = {"response": [hear]}  # noqa: SLF001 - see TESTED_VERSIONS
