"""Keccak-256 and addresses: what hashing and comparing Ethereum values needs, and nothing of any contract.

An address is checksummed text (EIP-55) everywhere in the sandbox, so two spellings of it are never two accounts.
"""

from __future__ import annotations

from functools import lru_cache

from Crypto.Hash import keccak as _keccak

__all__ = ["address_bytes", "checksum", "hex_bytes", "keccak"]

_ADDRESSES = 1 << 16  # spellings remembered; a checksum costs a hash


def keccak(message: bytes) -> bytes:
    """Return the 32 bytes of Keccak-256, which is not the SHA3-256 of the standard library (other padding)."""
    return _keccak.new(data=message, digest_bits=256).digest()


def hex_bytes(text: str, length: int) -> bytes:
    """Return the `length` bytes written as 0x and hexadecimal digits.

    Raises:
        ValueError: no 0x, other characters, or another length.
    """
    if len(text) != 2 + 2 * length or text[:2] != "0x":
        raise ValueError(f"expected 0x and {2 * length} hexadecimal digits, got {len(text)} characters: {text[:80]!r}")
    found = bytes.fromhex(text[2:])
    if len(found) != length:  # fromhex skips blanks
        raise ValueError(f"blanks in hexadecimal text: {text[:80]!r}")
    return found


@lru_cache(maxsize=_ADDRESSES)
def address_bytes(text: str) -> bytes:
    """Return the 20 bytes of an address in any case.

    Raises:
        ValueError: not an address.
    """
    return hex_bytes(text, 20)


@lru_cache(maxsize=_ADDRESSES)
def checksum(address: bytes) -> str:
    """Return 20 bytes as a checksummed address (EIP-55): a letter is upper case where its digit of the hash is 8 or more."""
    if len(address) != 20:
        raise ValueError(f"an address has 20 bytes, not {len(address)}")
    digits = address.hex()
    cases = keccak(digits.encode()).hex()
    return "0x" + "".join(d.upper() if case >= "8" else d for d, case in zip(digits, cases, strict=False))
