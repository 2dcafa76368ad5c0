"""What the venue's error texts mean and what a person can do about each, in our own words. Pure.

For people to read, never for decisions: whether an order was refused is decided by `outcomes.py` alone.

Source: ../shared/spec/polymarket-wire.md, sections 6.3, 7.6 to 7.10 and 7.12, and reports of users.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from polymarket_agent.adapters.polymarket.remedies_account import ACCOUNT_REMEDIES
from polymarket_agent.adapters.polymarket.remedies_orders import ORDER_REMEDIES

__all__ = ["Remedy", "remedies_for", "remedy_for"]

_READ_CHARS = 2_000


class Remedy(NamedTuple):
    """A meaning: a short code, a sentence about what happened, and what a person can do."""

    code: str
    sentence: str
    fix: str


_ENTRIES = tuple(
    (re.compile(pattern), Remedy(code, sentence, fix))
    for pattern, code, sentence, fix in (*ACCOUNT_REMEDIES, *ORDER_REMEDIES)
)
# Where the text says nothing that we know.
_BY_STATUS = {
    403: Remedy(
        "forbidden",
        "The venue, or the protection in front of it, refuses this account or this place.",
        "see that this machine is where the venue allows trading; stop sending until it answers again",
    ),
    425: Remedy(
        "restarting",
        "The matching engine restarts, which takes about 90 seconds.",
        "wait; the agent goes on by itself",
    ),
    429: Remedy(
        "rate_limit",
        "Too many requests.",
        "lower risk.orders_per_second or run fewer strategies; the agent waits as long as the venue asks",
    ),
}


def remedies_for(http_status: int | None, text: str) -> list[Remedy]:
    """Return every remedy whose text is this one. More than one is a mistake in the catalogue, which a test finds."""
    said = text.strip()[:_READ_CHARS]
    found = [remedy for pattern, remedy in _ENTRIES if pattern.fullmatch(said)]
    if not found and http_status in _BY_STATUS:
        return [_BY_STATUS[http_status]]
    return found


def remedy_for(http_status: int | None, text: str) -> Remedy | None:
    """Return what a person can do about a text of the venue, None for one that nobody has reported yet.

    `http_status` is None where there was none: a client's own words, a state of an order, a reason of a cancel.
    """
    found = remedies_for(http_status, text)
    return found[0] if found else None
