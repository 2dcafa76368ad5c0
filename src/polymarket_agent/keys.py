"""The private key and API credentials: where they come from, and an object for them that has no text form.

A key comes from exactly one of three places: the environment, a file that only its owner may read, or an encrypted
keystore (Web3 Secret Storage, version 3). It never comes from a config or a command-line word, and no message about it
repeats any part of it. An error is raised outside the `except` that saw the failure, so that its chain holds nothing either.
"""

from __future__ import annotations

import os
import re
import shlex
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, SupportsIndex, final

from polymarket_agent.errors import ConfigError, LiveLockedError

__all__ = [
    "KEYSTORE_PASSPHRASE_VARIABLE",
    "PRIVATE_KEY_VARIABLE",
    "ApiCredentials",
    "Secret",
    "load_key",
    "parse_private_key",
    "read_keystore",
    "read_private_file",
    "write_keystore",
]

PRIVATE_KEY_VARIABLE = "POLYMARKET_PRIVATE_KEY"
KEYSTORE_PASSPHRASE_VARIABLE = "POLYMARKET_KEYSTORE_PASSPHRASE"  # noqa: S105 - a name, not a value

_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141  # of the group of secp256k1
_HEX_DIGITS = 64
_MAX_FILE_BYTES = 16_384  # a keystore has under a thousand
_HIDDEN = "Secret(not shown)"


@final
class Secret:
    """A text that is shown by nothing but `reveal`.

    It cannot be pickled or changed, a copy of it is itself, and two of them are equal only when they are one object.
    """

    __slots__ = ("__value",)
    __value: str

    def __init__(self, value: str) -> None:
        object.__setattr__(self, "_Secret__value", value)

    def reveal(self) -> str:
        """Return the text. Only what signs, authenticates or decrypts may ask."""
        return self.__value

    def __repr__(self) -> str:
        return _HIDDEN

    def __format__(self, spec: str) -> str:
        return _HIDDEN

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: object) -> Secret:
        return self

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError("a Secret does not change")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError("a Secret does not change")

    def __getstate__(self) -> NoReturn:
        raise TypeError("a Secret is not written down")

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        raise TypeError("a Secret is not written down")


@dataclass(frozen=True, slots=True, eq=False)
class ApiCredentials:
    """What the venue gave for signing requests. `key_id` is not secret; `secret` is base64 in the URL alphabet."""

    key_id: str
    secret: Secret
    passphrase: Secret


def parse_private_key(text: str, source: str) -> Secret:
    """Return a key of secp256k1 as 0x and 64 lower-case hexadecimal digits.

    Blanks around it and an absent 0x are allowed. `source` is the name of where the text came from.

    Raises:
        ConfigError: what is wrong, without any part of the text.
    """
    digits = text.strip()
    if digits[:2] in ("0x", "0X"):
        digits = digits[2:]
    fault = _fault_of(digits)
    if fault:
        # So that a traceback that shows local variables shows no piece of a mistyped key.
        del text, digits
        raise ConfigError(
            f"{source} holds no private key: {fault}", hint="a private key is 64 hexadecimal digits, with or without 0x"
        )
    return Secret("0x" + digits.lower())


def _fault_of(digits: str) -> str:
    """Return what keeps digits from being a key, or "". Says nothing of what they are."""
    if not digits:
        return "it is empty"
    if len(digits) != _HEX_DIGITS:
        words = len(digits.split())
        kind = f"{words} words, which may be a seed phrase" if words > 1 else f"{len(digits)} characters"
        return f"it has {kind}, not {_HEX_DIGITS} hexadecimal digits"
    if not re.fullmatch("[0-9a-fA-F]*", digits):
        return "not all of its characters are hexadecimal digits"
    if not 0 < int(digits, 16) < _ORDER:
        return "the number is not one that secp256k1 has a key for"
    return ""


def load_key(
    environ: Mapping[str, str], *, key_file: Path | None, keystore: Path | None, ask: Callable[[str], str]
) -> Secret:
    """Return the private key from the one place that has it.

    `ask` is called with a question for the keystore's passphrase when POLYMARKET_KEYSTORE_PASSPHRASE does not hold it.
    A variable that is set to blanks counts as not set.

    Raises:
        LiveLockedError: no place is given, or a library that a keystore needs is not installed.
        ConfigError: more than one place is given, or what is there is not a key that only its owner may read.
    """
    in_environment = bool(environ.get(PRIVATE_KEY_VARIABLE, "").strip())
    given = [f"the environment variable {PRIVATE_KEY_VARIABLE}"] if in_environment else []
    given += [f"the key file {key_file}"] if key_file else []
    given += [f"the keystore {keystore}"] if keystore else []
    if len(given) > 1:
        raise ConfigError(
            f"the private key is given more than once: {', '.join(given)}",
            hint="keep one of them and take out the rest",
        )
    if in_environment:
        return parse_private_key(environ[PRIVATE_KEY_VARIABLE], given[0])
    if key_file:
        _refuse_working_tree(key_file)
        return parse_private_key(read_private_file(key_file, given[0]).decode("ascii", "replace"), given[0])
    if keystore:
        return read_keystore(keystore, _passphrase(environ, keystore, ask))
    raise LiveLockedError(
        "no private key is given",
        hint=f"set {PRIVATE_KEY_VARIABLE}, or name a key file that only you may read, or name an encrypted keystore",
    )


def _passphrase(environ: Mapping[str, str], keystore: Path, ask: Callable[[str], str]) -> Secret:
    passphrase = Secret(environ.get(KEYSTORE_PASSPHRASE_VARIABLE, "") or ask(f"passphrase of {keystore}: "))
    if not passphrase.reveal():
        raise ConfigError(
            f"the keystore {keystore} needs a passphrase and got none", hint=f"set {KEYSTORE_PASSPHRASE_VARIABLE}"
        )
    return passphrase


def read_keystore(path: Path, passphrase: Secret) -> Secret:
    """Return the key of an encrypted keystore.

    Raises:
        ConfigError: the file is open to others, is no keystore of version 3, asks for absurd work, or the passphrase is
            wrong.
        LiveLockedError: the decryption library is not installed.
    """
    from polymarket_agent.keystore import unseal

    source = f"the keystore {path}"
    content = read_private_file(path, source)
    return parse_private_key(unseal(content, passphrase.reveal(), source).hex(), source)


def write_keystore(key: Secret, passphrase: Secret, path: Path, *, scrypt_n: int = 1 << 17) -> None:
    """Write a key, encrypted, into a new file of mode 0600. The file is on the disk when this returns.

    `scrypt_n` is the work of one guess at the passphrase: 2**17 takes 128 MiB and about half a second.

    Raises:
        ConfigError: the file exists (it is never overwritten) or cannot be written, or the passphrase is empty.
        LiveLockedError: the encryption library is not installed.
    """
    from polymarket_agent.keystore import seal

    plain = parse_private_key(key.reveal(), "what is to be stored").reveal()[2:]
    if not passphrase.reveal():
        raise ConfigError("a keystore needs a passphrase, and this one is empty")
    content = seal(bytes.fromhex(plain), passphrase.reveal(), scrypt_n=scrypt_n)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        fault = "it exists, and a keystore is never overwritten"
    except OSError as error:
        fault = error.strerror or "it cannot be created"
    else:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        return
    raise ConfigError(f"the keystore {path} cannot be written: {fault}")


def read_private_file(path: Path, source: str) -> bytes:
    """Return what stands in a regular file that only its owner may read or write.

    Raises:
        ConfigError: absent, not a regular file, too long, somebody else's, or open to others; with the command that mends it.
    """
    descriptor, fault = _opened(path)
    if descriptor is None:
        raise ConfigError(f"{source} cannot be read: {fault}", hint="see that it exists and is yours")
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise ConfigError(f"{source} is not a regular file", hint="name a file, not a folder, pipe or device")
        if found.st_mode & 0o177:
            raise ConfigError(
                f"{source} has mode {stat.S_IMODE(found.st_mode):04o}; only its owner may read it",
                hint=f"chmod 600 {shlex.quote(str(path))}",
            )
        if os.geteuid() not in (0, found.st_uid):
            raise ConfigError(f"{source} belongs to another user", hint="copy it into a file of your own")
        if found.st_size > _MAX_FILE_BYTES:
            raise ConfigError(f"{source} has {found.st_size} bytes; no key is that long")
        return os.read(descriptor, _MAX_FILE_BYTES)
    finally:
        os.close(descriptor)


def _opened(path: Path) -> tuple[int | None, str]:
    """Open for reading without waiting, as a named pipe would make us; return a descriptor, or None and what failed."""
    try:
        return os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), ""
    except (OSError, ValueError) as error:
        return None, getattr(error, "strerror", None) or "its name is not a path"


def _refuse_working_tree(path: Path) -> None:
    """Refuse a plain key inside a git working tree, from where it is one commit away from everybody."""
    for folder in path.absolute().parents:
        if (folder / ".git").exists():
            raise ConfigError(
                f"the key file {path} lies in the git working tree {folder}", hint="move it out of the repository"
            )
