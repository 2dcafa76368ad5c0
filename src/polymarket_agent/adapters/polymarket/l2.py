"""The headers that authenticate a request to the venue (its "L2": an HMAC over time, method, path and body).

Source: ../shared/spec/polymarket-wire.md, section 3.2; the tests reproduce captured requests.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import NoReturn

from polymarket_agent.errors import ConfigError
from polymarket_agent.keys import ApiCredentials

__all__ = ["L2"]

_BLOCK = 64  # bytes of SHA-256


class L2:
    """Signs requests for one API key. Keeps the state of the hash after the key, and not the key.

    `address` is that of the key that asked for the credentials (the EOA), checksummed, also where a wallet trades.
    """

    __slots__ = ("_address", "_inner", "_key_id", "_outer", "_passphrase")

    def __init__(self, credentials: ApiCredentials, address: str) -> None:
        key = _decoded(credentials)
        if len(key) > _BLOCK:
            key = hashlib.sha256(key).digest()
        key = key.ljust(_BLOCK, b"\0")
        self._inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in key))
        self._outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in key))
        self._address = address
        self._key_id = credentials.key_id
        self._passphrase = credentials.passphrase

    @property
    def key_id(self) -> str:
        """The id of the API key, which orders name as their owner; not secret."""
        return self._key_id

    def headers(self, method: str, path: str, body: bytes | None, timestamp_s: int) -> dict[str, str]:
        """Return the headers of one request.

        `body` is the very bytes that are sent, None or empty for none. A query in `path` is not signed, as the venue
        wants it. The headers hold the passphrase: they are not for logs.
        """
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(f"{timestamp_s}{method}{path.partition('?')[0]}".encode())
        if body:
            inner.update(body)
        outer.update(inner.digest())
        return {
            "POLY_ADDRESS": self._address,
            "POLY_API_KEY": self._key_id,
            "POLY_PASSPHRASE": self._passphrase.reveal(),
            "POLY_SIGNATURE": base64.urlsafe_b64encode(outer.digest()).decode("ascii"),
            "POLY_TIMESTAMP": str(timestamp_s),
        }

    def __repr__(self) -> str:
        return f"L2({self._address}, key id {self._key_id})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("credentials are not written down")


def _decoded(credentials: ApiCredentials) -> bytes:
    """Return the bytes of the HMAC key; some clients cut the padding of its base64."""
    try:
        text = credentials.secret.reveal()
        found = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        found = b""
    if not found:
        raise ConfigError(
            f"the secret of API key {credentials.key_id} is not base64", hint="ask the venue for new keys"
        )
    return found
