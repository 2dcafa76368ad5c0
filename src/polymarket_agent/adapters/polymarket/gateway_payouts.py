"""Turning winning shares and complete sets into collateral, through the venue's relayer, which pays the gas.

A thing of its own, and not part of a gateway: the trading process never holds a relayer key. Takes the client library as
an argument.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from typing import Any, Self

from polymarket_agent.adapters.polymarket.gateway_common import ANSWER_WITHIN_S, hush_client_logs, spare_loopback
from polymarket_agent.adapters.polymarket.gateway_errors import locked, read_failure
from polymarket_agent.domain.venue import WalletIdentity, WalletKind
from polymarket_agent.errors import AgentError, LiveLockedError, VenueUnavailableError
from polymarket_agent.keys import Secret

__all__ = ["Payouts"]

_DONE_WITHIN_S = 150.0


class Payouts:
    """Redemptions and merges of one wallet. Made by `gateway.open_payouts`; `aclose` ends it."""

    def __init__(self, library: Any, client: Any) -> None:
        self._library, self._client = library, client

    @classmethod
    async def open(
        cls,
        library: Any,
        environment: Any,
        urls: Mapping[str, str],
        key: Secret,
        identity: WalletIdentity,
        relayer_key: Secret,
    ) -> Self:
        """Log in, first without the relayer key, so that a wallet that is not there is refused and not made.

        Raises:
            LiveLockedError: a kind of wallet that the relayer does not serve, one that is not there, a refused key.
            VenueError: the venue cannot be reached.
        """
        if identity.kind is WalletKind.EOA:
            raise LiveLockedError(
                f"{identity.wallet} is a plain account, and the relayer sends for wallets only",
                hint="redeem on the venue's site; the ledger books it at its next comparison",
            )
        spare_loopback(urls)
        hush_client_logs()
        failure: AgentError
        client: Any = None
        try:
            async with asyncio.timeout(3 * ANSWER_WITHIN_S):
                common = {
                    "private_key": key.reveal(),
                    "wallet": identity.wallet,
                    "environment": environment,
                }
                plain = await library.AsyncSecureClient.create(**common)
                credentials = plain.credentials
                await plain.close()
                relayer = library.RelayerApiKey(key=relayer_key.reveal(), address=identity.signer)
                client = await library.AsyncSecureClient.create(**common, credentials=credentials, api_key=relayer)
        except Exception as error:  # noqa: BLE001 - whatever it is, its text and its chain stay here
            failure = locked(library, error, identity)
        else:
            return cls(library, client)
        raise failure  # outside the handler, so that no chain leads to what the client held

    async def redeem(self, condition_id: str) -> str:
        """Turn all shares of a resolved market into what they pay; returns the transaction's hash.

        Raises:
            VenueError: refused, or its outcome is not known; look at what is held before it is asked for again.
        """
        return await self._sent(self._client.redeem_positions(condition_id=condition_id), "the redemption")

    async def merge(self, condition_id: str, amount: int) -> str:
        """Turn `amount` micro-sets of both outcomes into as much collateral; returns the transaction's hash.

        Raises:
            VenueError: as `redeem`.
        """
        return await self._sent(self._client.merge_positions(condition_id=condition_id, amount=amount), "the merge")

    async def _sent(self, request: Awaitable[Any], what: str) -> str:
        failure: AgentError
        try:
            async with asyncio.timeout(_DONE_WITHIN_S):
                outcome = await (await request).wait()
        except TimeoutError:
            failure = VenueUnavailableError(f"the outcome of {what} is not known yet", hint="look again in a minute")
        except Exception as error:  # noqa: BLE001 - translated
            failure = read_failure(self._library, error, what)
        else:
            return str(getattr(outcome, "transaction_hash", "") or "")
        raise failure

    async def aclose(self) -> None:
        """Let go of connections. May be called more than once."""
        await self._client.close()
