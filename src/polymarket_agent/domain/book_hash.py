"""The venue's checksum of a book."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import NamedTuple

from polymarket_agent.domain.money import Price, Shares, decimal_text

__all__ = ["BookIdentity", "book_hash"]


class BookIdentity(NamedTuple):
    """What the venue's book hash covers besides the levels, as text the way the venue writes it."""

    market: str
    min_order_size: str
    tick_size: str
    neg_risk: bool
    last_trade_price: str


def book_hash(
    asset_id: str,
    timestamp: str,
    bids: Iterable[tuple[Price, Shares]],
    asks: Iterable[tuple[Price, Shares]],
    identity: BookIdentity,
) -> str:
    """Return SHA-1 over the compact JSON of a book, levels in the order given (the venue's is worst to best).

    Source: the official client's recipe, checked against recorded books. The hash is the venue's checksum,
    not a security measure.
    """

    def levels(side: Iterable[tuple[Price, Shares]]) -> str:
        return ",".join(f'{{"price":"{decimal_text(p)}","size":"{decimal_text(s)}"}}' for p, s in side)

    body = (
        f'{{"market":"{identity.market}","asset_id":"{asset_id}","timestamp":"{timestamp}","hash":"",'
        f'"bids":[{levels(bids)}],"asks":[{levels(asks)}],"min_order_size":"{identity.min_order_size}",'
        f'"tick_size":"{identity.tick_size}","neg_risk":{"true" if identity.neg_risk else "false"},'
        f'"last_trade_price":"{identity.last_trade_price}"}}'
    )
    return hashlib.sha1(body.encode(), usedforsecurity=False).hexdigest()
