"""Keccak-256, addresses and EIP-712: the hashing that orders and logins are made of. Nothing here knows a key.

Loaded only where something is signed or checked; without its library that is one sentence and not a traceback.
"""

from __future__ import annotations

import re
from functools import lru_cache

from polymarket_agent.errors import AgentError, LiveLockedError

try:
    from Crypto.Hash import keccak as _keccak
except ImportError:
    _keccak = None  # type: ignore[assignment]
if _keccak is None:
    raise LiveLockedError("live trading needs pycryptodome", hint="pip install 'polymarket-agent[live]'")

__all__ = [
    "DOMAIN_TYPE",
    "ORDER_TYPE",
    "address_bytes",
    "checksum",
    "domain_separator",
    "keccak",
    "typed_digest",
    "word",
]

DOMAIN_TYPE = b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
ORDER_TYPE = (
    b"Order(uint256 salt,address maker,address signer,uint256 tokenId,uint256 makerAmount,uint256 takerAmount,"
    b"uint8 side,uint8 signatureType,uint256 timestamp,bytes32 metadata,bytes32 builder)"
)

_ADDRESSES = 4096  # spellings remembered; a checksum costs a hash
_ADDRESS = re.compile("0x[0-9a-fA-F]{40}")


def keccak(message: bytes) -> bytes:
    """Return the 32 bytes of Keccak-256 (not the SHA3-256 of the standard library, which pads otherwise)."""
    return _keccak.new(data=message, digest_bits=256).digest()


def word(number: int) -> bytes:
    """Return a number as the 32 bytes of a uint256.

    Raises:
        AgentError: negative, or too large.
    """
    if not 0 <= number < 1 << 256:
        raise AgentError(f"a number of {number.bit_length()} bits is no uint256, or it is negative")
    return number.to_bytes(32, "big")


@lru_cache(maxsize=_ADDRESSES)
def address_bytes(text: str) -> bytes:
    """Return the 20 bytes of an address. One that mixes cases must have the right ones (EIP-55), so a slip is found.

    Raises:
        AgentError: not an address.
    """
    if not _ADDRESS.fullmatch(text):
        # Not shown: whoever swaps two settings has a key here.
        raise AgentError(f"a text of {len(text)} characters is not an address: that is 0x and 40 hexadecimal digits")
    found = bytes.fromhex(text[2:])
    if text[2:] not in (text[2:].lower(), text[2:].upper()) and text != _checksum(found):
        raise AgentError(
            f"{text} has letters in the wrong case for an address", hint="copy it again, or write it in small letters"
        )
    return found


def checksum(address: str | bytes) -> str:
    """Return an address, given in any case or as its 20 bytes, in the spelling of EIP-55.

    Raises:
        AgentError: not an address.
    """
    found = address_bytes(address) if isinstance(address, str) else address
    if len(found) != 20:
        raise AgentError(f"an address has 20 bytes, not {len(found)}")
    return _checksum(found)


@lru_cache(maxsize=_ADDRESSES)
def _checksum(address: bytes) -> str:
    digits = address.hex()
    nibbles = keccak(digits.encode("ascii")).hex()
    return "0x" + "".join(
        digit.upper() if nibble in "89abcdef" else digit for digit, nibble in zip(digits, nibbles, strict=False)
    )


def domain_separator(name: str, version: str, chain_id: int, contract: str) -> bytes:
    """Return the hash of an EIP-712 domain with a verifying contract."""
    parts = (keccak(DOMAIN_TYPE), keccak(name.encode()), keccak(version.encode()), word(chain_id))
    return keccak(b"".join(parts) + address_bytes(contract).rjust(32, b"\0"))


def typed_digest(separator: bytes, struct_hash: bytes) -> bytes:
    """Return what is signed for a struct in a domain (EIP-712)."""
    return keccak(b"\x19\x01" + separator + struct_hash)
