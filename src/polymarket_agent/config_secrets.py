"""What looks like a secret: it is refused in a config, and never repeated in a message about one."""

from __future__ import annotations

import re

__all__ = ["redacted", "secret_in"]

_NAME = re.compile(r"private_?key|secret|passphrase|password|mnemonic|seed_?phrase|api_?key|credential", re.IGNORECASE)
_KEY = re.compile(r"(?<![0-9A-Za-z])(0x)?[0-9a-fA-F]{64}(?![0-9A-Za-z])")
_SEALED = re.compile(r"[A-Za-z0-9+/_-]{43}=")
_WORDS = re.compile(r"([a-z]{3,8} ){11,23}[a-z]{3,8}")
# Shorter or damaged pieces of the same: not refused, because a config may hold the like, but not shown either.
_PIECES = (
    re.compile(r"[0-9a-fA-F]{24,}"),
    re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"),
    re.compile(r"(?=[0-9+/=_-]*[A-Za-z])(?=\S*[a-z])(?=\S*[A-Z])(?=\S*[0-9])[0-9A-Za-z+/=_-]{20,}"),
    re.compile(r"([a-z]{3,8} ){7,}[a-z]{3,8}"),
    re.compile(r"(?<=://)[^/\s@]*@"),
    re.compile(r"(?<=[/\w])\?\S+"),
)
_HIDDEN = "(not shown)"
_MOST = 1_000  # of a text is looked at, and so shown


def secret_in(name: str, value: str) -> str:
    """Return what makes a value under a name look like a secret, or ""."""
    text = value.strip()
    if _KEY.search(text) or "-----BEGIN" in text:
        return "looks like a private key"
    if _SEALED.fullmatch(text) or _WORDS.fullmatch(text):
        return "looks like a secret"
    if text and _NAME.search(name):
        return "is named like a secret"
    return ""


def redacted(text: str) -> str:
    """Return a text with everything left out that may be a key or a piece of one."""
    text = text[:_MOST]
    for pattern in _PIECES:
        text = pattern.sub(_HIDDEN, text)
    return text
