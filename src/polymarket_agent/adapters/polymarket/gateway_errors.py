"""Asking the client `polymarket-client`, and its errors in our words. Takes the client as an argument, imports it not.

No message of the client is repeated where it may have seen the key or credentials: its errors carry their input.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, TypeVar

from polymarket_agent.adapters.polymarket.gateway_common import ANSWER_WITHIN_S, MAX_PAGES
from polymarket_agent.adapters.polymarket.outcomes import cleaned, no_answer, not_sent
from polymarket_agent.domain.venue import SubmitOutcome, WalletIdentity, WalletKind
from polymarket_agent.errors import (
    AgentError,
    LiveLockedError,
    RateLimitedError,
    VenueDataError,
    VenueError,
    VenueUnavailableError,
)

__all__ = ["Asker", "locked", "read_failure", "without_answer"]

T = TypeVar("T")

_REPEATABLE = frozenset({408, 425})
_FIRST_SERVER_FAULT = 500
# Names of httpx, and one of the client, for an attempt that ended before the request was written.
_BEFORE_SENDING = frozenset({"ConnectError", "ConnectTimeout", "PoolTimeout", "UnsupportedProtocol", "UserInputError"})


class Asker:
    """Awaits requests of one client library: bounded in time, pages to the end, errors ours and without a chain."""

    def __init__(self, library: Any) -> None:
        self.library = library

    async def ask(self, request: Awaitable[T], what: str) -> T:
        """Return what a request brings; `what` names it in errors.

        Raises:
            VenueError: it failed. Nothing leads from it to what the client held.
        """
        failure: VenueError
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                return await request
        except Exception as error:  # noqa: BLE001 - translated
            failure = read_failure(self.library, error, what)
        raise failure

    async def pages(self, paginator: Any, what: str) -> list[Any]:
        """Return what is on all pages; one that fails fails the whole. Raises as `ask`."""
        found: list[Any] = []
        pages = aiter(paginator)
        for _ in range(MAX_PAGES):
            page = await self.ask(anext(pages, None), what)
            if page is None:
                return found
            if page.limit_reached:
                break
            found += page.items
        raise VenueDataError(f"{what} does not end within {MAX_PAGES} pages")


def read_failure(sdk: Any, error: Exception, what: str) -> VenueError:
    """Return what a failed request other than the POST of an order means; `what` names it."""
    if isinstance(error, VenueError):
        return error
    if isinstance(error, sdk.RateLimitError):
        seconds = 1.0 if error.retry_after is None else float(error.retry_after)
        return RateLimitedError(f"{what} was refused with 429", retry_after_s=seconds, hint="ask less often")
    if isinstance(error, sdk.RequestRejectedError):
        said = f"{what} was refused with {error.status}: {cleaned(str(error))}"
        if error.status in _REPEATABLE or error.status >= _FIRST_SERVER_FAULT:
            return VenueUnavailableError(said, hint="try again later", status=error.status)
        return VenueDataError(said, excerpt=cleaned(str(error)))
    if isinstance(error, sdk.TransportError | TimeoutError):
        return VenueUnavailableError(f"{what} failed: {_cause(error)}", hint="check the connection; try again")
    if isinstance(error, sdk.UnexpectedResponseError):
        return VenueDataError(f"{what}: the client does not understand the venue's answer: {cleaned(str(error))}")
    return VenueDataError(f"{what}: the client failed with {type(error).__name__}")


def locked(sdk: Any, error: Exception, identity: WalletIdentity) -> AgentError:
    """Return what a failure to make a client means: a lock of live trading, or a venue that cannot be reached."""
    if isinstance(error, sdk.UserInputError):
        hint = "log in to the venue's site with this key once, which makes the wallet, and pay in there"
        if identity.kind is WalletKind.EOA:
            hint = "check the key and the wallet address in the config"
        return LiveLockedError(
            f"the wallet {identity.wallet} ({identity.kind.name}) is not deployed, or does not belong to this key",
            hint=hint,
        )
    if isinstance(error, sdk.RequestRejectedError) and error.status in (400, 401, 403):
        return LiveLockedError(
            f"the venue gives no API credentials to {identity.signer}: {error.status} {cleaned(str(error))}",
            hint="check that this key may trade at the venue and from this place, and that the clock is right",
        )
    if isinstance(error, sdk.UnexpectedResponseError):
        return VenueDataError("the answer with API credentials is malformed")
    return read_failure(sdk, error, "the request for API credentials")


def without_answer(error: Exception) -> SubmitOutcome:
    """Return the outcome of a POST to which no whole answer came."""
    cause = error.__cause__ if error.__cause__ is not None else error
    if type(cause).__name__ in _BEFORE_SENDING:
        return not_sent(f"no connection: {_cause(error)}")
    return no_answer(_cause(error))


def _cause(error: Exception) -> str:
    """Return the kind of a failure of transport and its text, which holds addresses at most."""
    cause = error.__cause__ if error.__cause__ is not None else error
    return cleaned(f"{type(cause).__name__} {cause}".strip())
