"""Keeps private keys off the command line: words that a command does not know are refused without being repeated."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from polymarket_agent.config_secrets import redacted, secret_in
from polymarket_agent.errors import UsageError

__all__ = ["TAKES_ANY_WORD", "refuse_key_words"]

# So that a word which could be somebody's key reaches us and not a message that repeats it.
TAKES_ANY_WORD = {"allow_extra_args": True, "ignore_unknown_options": True}

_NAMES = ("key", "secret", "passphrase", "password", "mnemonic", "seed-phrase")
_HINT = (
    "type it at the prompt, or set POLYMARKET_PRIVATE_KEY; what stood on a command line is in the shell's history, "
    "so consider that key as known to others"
)


def refuse_key_words(unknown: Sequence[str], values: Sequence[str | Path | None] = ()) -> None:
    """Refuse words that nobody asked for, and known options that hold what looks like a secret.

    Raises:
        UsageError: there is one; what it says holds nothing of a secret.
    """
    for value in values:
        if value is not None and secret_in("", str(value)):
            raise UsageError("a word on the command line looks like a private key; it is not taken", hint=_HINT)
    for word in unknown:
        name = word.partition("=")[0].lstrip("-").lower()
        if secret_in("", word.partition("=")[2] or word) or any(each in name for each in _NAMES):
            raise UsageError("a key or passphrase is never given on the command line; nothing was done", hint=_HINT)
    if unknown:
        raise UsageError(f"'{redacted(unknown[0])[:40]}' is not an option of this command", hint="see --help")
