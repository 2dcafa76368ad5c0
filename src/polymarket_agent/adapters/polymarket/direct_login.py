"""API credentials of a key: created or derived by its signature, renewed when the venue no longer takes them."""

from __future__ import annotations

import asyncio

import msgspec

from polymarket_agent.adapters.polymarket.direct_http import HttpLine, Reply, refusal_of, said
from polymarket_agent.adapters.polymarket.l2 import L2
from polymarket_agent.adapters.polymarket.remedies import remedy_for
from polymarket_agent.adapters.polymarket.signer import OrderSigner
from polymarket_agent.errors import LiveLockedError, VenueDataError, VenueError
from polymarket_agent.keys import ApiCredentials, Secret
from polymarket_agent.ports import Clock

__all__ = ["Login", "credentials_refused"]

_INVALID_CREDENTIALS = "Unauthorized/Invalid api key"
RENEW_EVERY_MS = 600_000
_OK, _BAD_REQUEST, _UNAUTHORIZED, _FORBIDDEN = 200, 400, 401, 403
_CREATE, _DERIVE = ("POST", "/auth/api-key"), ("GET", "/auth/derive-api-key")


class _Keys(msgspec.Struct):
    """The answer; its repr is the library's, so it never leaves this module."""

    apiKey: str  # noqa: N815 - the venue's spelling
    secret: str
    passphrase: str


def credentials_refused(reply: Reply) -> bool:
    """Whether an answer says that the credentials of the request are not valid."""
    return reply.status == _UNAUTHORIZED and said(reply) == _INVALID_CREDENTIALS


class Login:
    """Holds the credentials of one key. `credentials` is None before `open`."""

    def __init__(self, line: HttpLine, signer: OrderSigner, clock: Clock) -> None:
        self._line = line
        self._signer = signer
        self._clock = clock
        self._l2: L2 | None = None
        self._renewed_ms: int | None = None
        self._renewing = asyncio.Lock()
        self.credentials: ApiCredentials | None = None

    @property
    def key_id(self) -> str:
        """The id of the API key in use; not secret. "" before `open`."""
        return self.credentials.key_id if self.credentials is not None else ""

    async def open(self) -> ApiCredentials:
        """Create the API key, or ask for it where it is there already (the venue then answers 400).

        Raises:
            LiveLockedError: the venue refuses the key; says why.
            VenueError: no usable answer.
        """
        reply = await self._asked(*_CREATE)
        if reply.status == _BAD_REQUEST:
            reply = await self._asked(*_DERIVE)
        if reply.status != _OK:
            raise _locked(reply) or refusal_of("the request for API credentials", reply)
        credentials = _credentials_of(reply.body)
        if credentials is None:
            raise VenueDataError("the venue answered the request for API credentials with something else")
        self._l2 = L2(credentials, self._signer.identity.signer)
        self.credentials = credentials
        return credentials

    def close(self) -> None:
        """Forget the credentials: nothing private is sent any more."""
        self._l2 = None
        self.credentials = None

    async def renew(self, used: ApiCredentials | None) -> bool:
        """Ask again for credentials that the venue refused, once in 10 minutes; return whether there are new ones.

        `used` is what the refused request was signed with: of several that are refused together, one asks.

        Raises:
            VenueError: the venue refuses the key, or gives no usable answer.
        """
        async with self._renewing:
            if self.credentials is not used:
                return True
            now_ms = self._clock.now_ms()
            if self._renewed_ms is not None and now_ms - self._renewed_ms < RENEW_EVERY_MS:
                return False
            self._renewed_ms = now_ms
            try:
                await self.open()
            except LiveLockedError as error:
                raise VenueError(str(error), hint=error.hint) from error
            return True

    def headers(self, method: str, path: str, body: bytes | None) -> dict[str, str]:
        """Return the headers of a private request; they hold secrets.

        Raises:
            VenueError: not open.
        """
        if self._l2 is None:
            raise VenueError("the gateway is not connected", hint="call connect first")
        return self._l2.headers(method, path, body, self._clock.now_ms() // 1000)

    async def _asked(self, method: str, path: str) -> Reply:
        headers = self._signer.l1_headers(self._clock.now_ms() // 1000)
        return await self._line.call(method, path, headers=headers, body=b"" if method == "POST" else None)


def _locked(reply: Reply) -> LiveLockedError | None:
    """Return the refusal of a key in the venue's own words, None for a refusal of the moment or of the edge."""
    if reply.status not in (_BAD_REQUEST, _UNAUTHORIZED, _FORBIDDEN) or not reply.is_json:
        return None
    text = said(reply)
    remedy = remedy_for(reply.status, text)
    return LiveLockedError(
        f"the venue gives this key no API credentials: {text or reply.status}",
        hint=remedy.fix if remedy is not None else "open the account on the venue's site with this key first",
    )


def _credentials_of(body: bytes) -> ApiCredentials | None:
    """Return the credentials of an answer, None for anything else: no error may carry a piece of it."""
    try:
        found = msgspec.json.decode(body, type=_Keys)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    if not (found.apiKey and found.secret and found.passphrase and len(found.apiKey) <= 128):
        return None
    return ApiCredentials(found.apiKey, Secret(found.secret), Secret(found.passphrase))
