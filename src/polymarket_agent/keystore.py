"""Encrypted keystores: Web3 Secret Storage, version 3, as wallets and node software write them. No file is touched here.

The passphrase goes through scrypt (or PBKDF2 when reading), AES-128 in counter mode hides the key, and a Keccak-256 over
half of the derived key and the cipher text tells a wrong passphrase from a right one. Parameters of foreign keystores are
bounded, so that a file cannot ask for more memory or time than a person would wait for.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import uuid
from typing import Any

from polymarket_agent.errors import ConfigError, LiveLockedError

__all__ = ["seal", "unseal"]

_VERSION = 3
_KEY_BYTES = 32  # of a private key, and of what is derived from the passphrase
_MAX_SCRYPT_BYTES = 1 << 30
_MAX_SCRYPT_WORK = 1 << 24  # n r p; eight times what wallets write
_MAX_ROUNDS = 10_000_000


def seal(plain: bytes, passphrase: str, *, scrypt_n: int) -> bytes:
    """Return the text of a keystore that holds 32 bytes. It does not tell the address, so not whose money it guards.

    Raises:
        LiveLockedError: the encryption library is not installed.
    """
    assert len(plain) == _KEY_BYTES, "a private key has 32 bytes"
    counter = secrets.token_bytes(16)
    kdf: dict[str, Any] = {"dklen": _KEY_BYTES, "n": scrypt_n, "r": 8, "p": 1, "salt": secrets.token_hex(32)}
    derived = _derive("scrypt", kdf, passphrase)
    cipher_text = _aes_128_ctr(derived[:16], counter, plain)
    content = {
        "version": _VERSION,
        "id": str(uuid.UUID(bytes=secrets.token_bytes(16), version=4)),
        "crypto": {
            "cipher": "aes-128-ctr",
            "cipherparams": {"iv": counter.hex()},
            "ciphertext": cipher_text.hex(),
            "kdf": "scrypt",
            "kdfparams": kdf,
            "mac": _keccak(derived[16:32] + cipher_text).hex(),
        },
    }
    return (json.dumps(content, indent=1) + "\n").encode("ascii")


def unseal(content: bytes, passphrase: str, source: str) -> bytes:
    """Return the 32 bytes that a keystore holds; `source` names it in errors.

    Raises:
        ConfigError: no keystore of version 3, a derivation that is not taken, a damaged file, or a wrong passphrase.
        LiveLockedError: the decryption library is not installed.
    """
    crypto = _crypto_of(content, source)
    parameters = crypto.get("cipherparams")
    if crypto.get("cipher") != "aes-128-ctr" or not isinstance(parameters, dict):
        raise ConfigError(f"{source} has a cipher other than aes-128-ctr")
    cipher_text = _hex(crypto.get("ciphertext"), source, "ciphertext")
    counter = _hex(parameters.get("iv"), source, "iv")
    mac = _hex(crypto.get("mac"), source, "mac")
    if len(counter) != 16 or len(cipher_text) != _KEY_BYTES:
        raise ConfigError(f"{source} does not hold a private key of {_KEY_BYTES} bytes")
    kdf = _bounded(crypto, source)
    derived = _derive(str(crypto["kdf"]), kdf, passphrase)
    if not hmac.compare_digest(_keccak(derived[16:32] + cipher_text), mac):
        raise ConfigError(f"{source} does not open: the passphrase is wrong, or the file is damaged")
    return _aes_128_ctr(derived[:16], counter, cipher_text)


def _crypto_of(content: bytes, source: str) -> dict[str, Any]:
    """Return the `crypto` object; some programs write the names of the top level in capitals."""
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        found = None
    top = {name.lower(): value for name, value in found.items()} if isinstance(found, dict) else {}
    crypto = top.get("crypto")
    if top.get("version") != _VERSION or not isinstance(crypto, dict):
        raise ConfigError(
            f"{source} is not a keystore of version {_VERSION}", hint="it is JSON with `crypto` and `version`: 3"
        )
    return crypto


def _hex(value: object, source: str, name: str) -> bytes:
    try:
        found = bytes.fromhex(value.removeprefix("0x")) if isinstance(value, str) else None
    except ValueError:
        found = None
    if found is None:
        raise ConfigError(f"{source} is damaged: its {name} is not hexadecimal")
    return found


def _bounded(crypto: dict[str, Any], source: str) -> dict[str, Any]:
    """Return the parameters of a derivation that we know and that takes neither all memory nor all day."""
    kdf, parameters = crypto.get("kdf"), crypto.get("kdfparams")
    if kdf not in ("scrypt", "pbkdf2") or not isinstance(parameters, dict):
        raise ConfigError(f"{source} derives its key in a way that is neither scrypt nor pbkdf2")
    needed = ("dklen", "n", "r", "p") if kdf == "scrypt" else ("dklen", "c")
    if any(type(parameters.get(name)) is not int or parameters[name] <= 0 for name in needed):
        raise ConfigError(f"{source} is damaged: {', '.join(needed)} of its key derivation must be positive numbers")
    _hex(parameters.get("salt"), source, "salt")
    known = parameters["dklen"] == _KEY_BYTES
    if kdf == "pbkdf2":
        known &= parameters.get("prf", "hmac-sha256") == "hmac-sha256" and parameters["c"] <= _MAX_ROUNDS
    else:
        n, r, p = parameters["n"], parameters["r"], parameters["p"]
        known &= n > 1 and not n & (n - 1) and 128 * n * r <= _MAX_SCRYPT_BYTES and n * r * p <= _MAX_SCRYPT_WORK
    if not known:
        raise ConfigError(f"{source} asks for a key derivation outside of what is taken here")
    return parameters


def _derive(kdf: str, parameters: dict[str, Any], passphrase: str) -> bytes:
    salt = bytes.fromhex(parameters["salt"].removeprefix("0x"))
    if kdf == "pbkdf2":
        return hashlib.pbkdf2_hmac("sha256", passphrase.encode(), salt, parameters["c"], _KEY_BYTES)
    try:
        # Not the standard library's, which refuses the n and r of the format's own example.
        from Crypto.Protocol.KDF import scrypt
    except ImportError as error:
        raise _not_installed() from error
    n, r, p = parameters["n"], parameters["r"], parameters["p"]
    found = scrypt(passphrase.encode(), salt, _KEY_BYTES, n, r, p)  # type: ignore[arg-type]
    assert isinstance(found, bytes), "one key was asked for"
    return found


def _aes_128_ctr(key: bytes, counter: bytes, text: bytes) -> bytes:
    """Encrypt or decrypt, which in counter mode is the same."""
    try:
        from Crypto.Cipher import AES
    except ImportError as error:
        raise _not_installed() from error
    return AES.new(key, AES.MODE_CTR, nonce=b"", initial_value=counter).encrypt(text)


def _keccak(text: bytes) -> bytes:
    try:
        from Crypto.Hash import keccak
    except ImportError as error:
        raise _not_installed() from error
    return keccak.new(data=text, digest_bits=256).digest()


def _not_installed() -> LiveLockedError:
    return LiveLockedError("encrypted keystores need pycryptodome", hint="pip install 'polymarket-agent[live]'")
