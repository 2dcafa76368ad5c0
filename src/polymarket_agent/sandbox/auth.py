"""Who is asking: L1 (a key's own signature) and L2 (an api key's HMAC) checked over what was really sent.

Keys follow from (seed, address, nonce) and nothing else, so a sandbox with the same seed knows a client's stored
credentials again once it has created or derived them.

What others use of it:
- `check_l1` returns the checksummed address; `l1_nonce(headers)` reads the nonce, valid after it;
- `check_l2` returns the `Credentials` that sent the request; `.address` is the key's own address, never its wallet;
- `signed_path(raw_path)` is what L2 covers (no query, no /clob prefix); `check_l2` applies it itself, so the raw path of
  the request can be handed in. The body must be the bytes of the wire, never a re-serialised object;
- `admit(credentials)` takes credentials from elsewhere (recorded captures, a user's own);
- `check_owner` is the rule for the `owner` field of order bodies;
- `websocket_owner(auth)` checks the `auth` object of a user-channel subscription;
- `l2_headers` signs a request, for tests and examples.

Source: ../shared/spec/polymarket-wire.md, sections 3.1 to 3.3. The accepted clock skew is not documented there: it is
`skew_s` here.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field

from polymarket_agent.sandbox.eip712 import CHAIN_ID, clob_auth_digest, recover
from polymarket_agent.sandbox.keccak import address_bytes, checksum, hex_bytes
from polymarket_agent.sandbox.model import Refused

__all__ = ["Credentials", "Keyring", "check_owner", "l1_nonce", "l2_headers", "l2_signature", "signed_path"]

DEFAULT_SKEW_S = 300
PATH_PREFIX = "/clob"

_BAD_L1 = Refused(401, "Invalid L1 Request headers")
_BAD_L2 = Refused(401, "Unauthorized/Invalid api key")
_NOT_CREATED = Refused(400, "Could not create api key")
_NOT_DERIVED = Refused(400, "Could not derive api key!")
_NOT_OWNER = Refused(400, "the order owner has to be the owner of the API KEY")

_MAX_TIMESTAMP_DIGITS = 15
_UINT256_DIGITS = 78
_UINT256 = 1 << 256


@dataclass(frozen=True, slots=True)
class Credentials:
    """An api key with its secrets and the address it was made for. The text form shows neither."""

    api_key: str
    secret: str = field(repr=False)
    passphrase: str = field(repr=False)
    address: str = ""
    nonce: int = 0


class Keyring:
    """The api keys of the venue.

    With `refuse_second_create` a second create of a live (address, nonce) is refused, as clients expect that derive
    on 400; without it the same key is given again. `skew_s` is how far a client's clock may be off, both ways.
    """

    def __init__(
        self, seed: int, *, skew_s: int = DEFAULT_SKEW_S, refuse_second_create: bool = True, chain_id: int = CHAIN_ID
    ) -> None:
        self._seed = f"polymarket-agent sandbox {seed}".encode()
        self._chain_id = chain_id
        self.skew_s = skew_s
        self.refuse_second_create = refuse_second_create
        self._live: dict[str, tuple[Credentials, bytes]] = {}  # by api key, with the secret decoded
        self._by_nonce: dict[tuple[str, int], str] = {}

    def create(self, address: str, nonce: int = 0) -> Credentials | Refused:
        """Make the api key of an address and nonce live."""
        address = checksum(address_bytes(address))
        if (address, nonce) in self._by_nonce and self.refuse_second_create:
            return _NOT_CREATED
        credentials = self._made_from(address, nonce)
        self.admit(credentials)
        return credentials

    def derive(self, address: str, nonce: int = 0) -> Credentials | Refused:
        """Return the api key of an address and nonce that was created and not deleted."""
        found = self._by_nonce.get((checksum(address_bytes(address)), nonce))
        return _NOT_DERIVED if found is None else self._live[found][0]

    def list_keys(self, address: str) -> tuple[str, ...]:
        """Return the live api keys of an address, by nonce."""
        wanted = checksum(address_bytes(address))
        return tuple(
            api_key for (owner, _), api_key in sorted(self._by_nonce.items(), key=lambda row: row[0]) if owner == wanted
        )

    def delete(self, api_key: str) -> bool:
        """End an api key; False when it is not live."""
        found = self._live.pop(api_key, None)
        if found is None:
            return False
        del self._by_nonce[found[0].address, found[0].nonce]
        return True

    def admit(self, credentials: Credentials) -> None:
        """Make credentials live that were not made here; they replace those of the same key or (address, nonce).

        Raises:
            ValueError: the secret is not base64 or the address is none.
        """
        slot = checksum(address_bytes(credentials.address)), credentials.nonce
        row = (credentials, _secret_bytes(credentials.secret))
        self.delete(self._by_nonce.get(slot, ""))
        self.delete(credentials.api_key)
        self._live[credentials.api_key] = row
        self._by_nonce[slot] = credentials.api_key

    def find(self, api_key: str) -> Credentials | None:
        """Return the live credentials of an api key."""
        found = self._live.get(api_key)
        return None if found is None else found[0]

    def check_l1(self, headers: Mapping[str, str], now_s: float) -> str | Refused:
        """Return the address that signed the L1 headers."""
        timestamp, nonce = headers.get("POLY_TIMESTAMP", ""), _decimal(headers.get("POLY_NONCE", ""))
        if nonce is None or not self._is_now(timestamp, now_s):
            return _BAD_L1
        try:
            address = address_bytes(headers.get("POLY_ADDRESS", ""))
            signature = hex_bytes(headers.get("POLY_SIGNATURE", ""), 65)
        except ValueError:
            return _BAD_L1
        claimed = checksum(address)
        digest = clob_auth_digest(address, timestamp, nonce, self._chain_id)
        return claimed if recover(digest, signature) == claimed else _BAD_L1

    def check_l2(
        self, headers: Mapping[str, str], method: str, path: str, raw_body: bytes, now_s: float
    ) -> Credentials | Refused:
        """Return whose request this is. `path` is the request's raw path, `raw_body` its bytes (empty for none)."""
        found = self._live.get(headers.get("POLY_API_KEY", ""))
        timestamp = headers.get("POLY_TIMESTAMP", "")
        if found is None or not self._is_now(timestamp, now_s):
            return _BAD_L2
        credentials, secret = found
        message = _bytes(f"{timestamp}{method}{signed_path(path)}") + raw_body
        expected = base64.urlsafe_b64encode(hmac.digest(secret, message, "sha256"))
        if (
            not hmac.compare_digest(expected, _bytes(headers.get("POLY_SIGNATURE", "")))
            or not hmac.compare_digest(_bytes(credentials.passphrase), _bytes(headers.get("POLY_PASSPHRASE", "")))
            or headers.get("POLY_ADDRESS", "").lower() != credentials.address.lower()
        ):
            return _BAD_L2
        return credentials

    def websocket_owner(self, auth: object) -> Credentials | Refused:
        """Return whose user channel this is; the `auth` object carries apiKey, secret and passphrase themselves."""
        if not isinstance(auth, Mapping):
            return _BAD_L2
        api_key = auth.get("apiKey")
        found = self.find(api_key) if isinstance(api_key, str) else None
        if found is None or auth.get("secret") != found.secret or auth.get("passphrase") != found.passphrase:
            return _BAD_L2
        return found

    def _is_now(self, timestamp: str, now_s: float) -> bool:
        return (
            len(timestamp) <= _MAX_TIMESTAMP_DIGITS
            and timestamp.isascii()
            and timestamp.isdigit()
            and abs(int(timestamp) - now_s) <= self.skew_s
        )

    def _made_from(self, address: str, nonce: int) -> Credentials:
        def draw(purpose: str) -> bytes:
            return hmac.digest(self._seed, f"{purpose} {address} {nonce}".encode(), "sha256")

        return Credentials(
            api_key=str(uuid.UUID(bytes=draw("key")[:16], version=4)),
            secret=base64.urlsafe_b64encode(draw("secret")).decode(),
            passphrase=draw("passphrase").hex(),
            address=address,
            nonce=nonce,
        )


def check_owner(credentials: Credentials, owner: object) -> Refused | None:
    """Return why an order body's `owner` does not fit the api key that sent it."""
    return None if owner == credentials.api_key else _NOT_OWNER


def l1_nonce(headers: Mapping[str, str]) -> int:
    """Return the nonce of L1 headers that passed `check_l1`."""
    return _decimal(headers.get("POLY_NONCE", "")) or 0


def signed_path(raw_path: str) -> str:
    """Return the part of a request's path that L2 signs: no query, and no prefix of the clob's base address."""
    path = raw_path.partition("?")[0]
    return path.removeprefix(PATH_PREFIX) if path.startswith(PATH_PREFIX + "/") else path


def l2_signature(secret: str, timestamp: int | str, method: str, path: str, raw_body: bytes = b"") -> str:
    """Return the HMAC of a request, url-safe base64 with its padding."""
    message = f"{timestamp}{method}{path}".encode() + raw_body
    return base64.urlsafe_b64encode(hmac.digest(_secret_bytes(secret), message, hashlib.sha256)).decode()


def l2_headers(
    credentials: Credentials, method: str, path: str, raw_body: bytes = b"", *, now_s: int
) -> dict[str, str]:
    """Return the headers that authenticate a request; `path` without query and prefix."""
    return {
        "POLY_ADDRESS": credentials.address,
        "POLY_API_KEY": credentials.api_key,
        "POLY_PASSPHRASE": credentials.passphrase,
        "POLY_SIGNATURE": l2_signature(credentials.secret, now_s, method, path, raw_body),
        "POLY_TIMESTAMP": str(now_s),
    }


def _bytes(text: str) -> bytes:
    """Return what stood on the wire: HTTP servers hand undecodable bytes of headers on as surrogates."""
    return text.encode("utf-8", "surrogateescape")


def _secret_bytes(secret: str) -> bytes:
    return base64.urlsafe_b64decode(secret + "=" * (-len(secret) % 4))


def _decimal(text: str) -> int | None:
    """Read a decimal uint256, or None."""
    if len(text) > _UINT256_DIGITS or not text.isascii() or not text.isdigit():
        return None
    number = int(text)
    return number if number < _UINT256 else None
