"""Answers of the venue about one account. Pure; orders here, and one door to everything else about an account.

A malformed row raises and the whole page is discarded: a list of which a part was dropped would look like a venue that
lost an order. Sizes are exact; a number that does not fit in micro-units is malformed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from polymarket_agent.adapters.polymarket.account_rows import (
    END_CURSOR,
    MAX_PAGES,
    Cursors,
    converted_row,
    order_id_of,
    rows_and_cursor,
    seconds_of,
    share_price,
    side_of,
)
from polymarket_agent.adapters.polymarket.account_state import (
    AssetBalance,
    parse_balance,
    parse_cancel,
    parse_closed_only,
    parse_flags,
    parse_positions,
    parse_time,
    parse_version,
)
from polymarket_agent.adapters.polymarket.account_trades import legs_of_trade, parse_trades
from polymarket_agent.adapters.polymarket.answers import decoded
from polymarket_agent.adapters.polymarket.exact import Number, asset_id_of, condition_id_of, micro_of
from polymarket_agent.adapters.polymarket.outcomes import cleaned
from polymarket_agent.domain.money import Shares
from polymarket_agent.domain.venue import OrderSnapshot

__all__ = [
    "END_CURSOR",
    "MAX_PAGES",
    "AssetBalance",
    "Cursors",
    "legs_of_trade",
    "order_snapshot_of",
    "parse_balance",
    "parse_cancel",
    "parse_closed_only",
    "parse_flags",
    "parse_open_orders",
    "parse_order",
    "parse_positions",
    "parse_time",
    "parse_trades",
    "parse_version",
]

_ACTIVE = frozenset({"LIVE", "DELAYED"})
_PLAIN_STATUS = frozenset({"LIVE", "DELAYED", "MATCHED", "CANCELED", "CANCELLED", "UNMATCHED", "INVALID"})
_STATUS_OF_TYPE = {"PLACEMENT": "LIVE", "UPDATE": "LIVE", "CANCELLATION": "CANCELED"}


class _Order(msgspec.Struct):
    id: str
    market: str
    asset_id: str
    side: str
    original_size: Number
    price: Number
    size_matched: Number | None = None
    status: str | None = ""
    type: str | None = ""
    maker_address: str | None = ""
    expiration: Number | None = None
    created_at: Number | None = None
    order_type: str | None = ""


def order_snapshot_of(found: Mapping[str, Any]) -> OrderSnapshot:
    """Return an order as a list or a message of the user channel tells it.

    `status` is without the prefix `ORDER_STATUS_`; a message without one says it by its type. `reason` is the venue's
    word wherever it says more than the plain states do.

    Raises:
        VenueDataError: malformed.
    """
    row = converted_row(found, _Order)
    word = cleaned(row.status or "")
    status = word.upper().removeprefix("ORDER_STATUS_") or _STATUS_OF_TYPE.get((row.type or "").upper(), "")
    matched = None if row.size_matched in (None, "") else Shares(micro_of(row.size_matched or 0))
    return OrderSnapshot(
        order_id=order_id_of(row.id),
        condition_id=condition_id_of(row.market),
        asset_id=asset_id_of(row.asset_id),
        side=side_of(row.side),
        price=share_price(row.price),
        quantity=Shares(micro_of(row.original_size)),
        matched=matched,
        status=status,
        active=status in _ACTIVE,
        created_s=seconds_of(row.created_at),
        expires_s=seconds_of(row.expiration),
        time_in_force=cleaned(row.order_type or "").upper(),
        maker=row.maker_address or "",
        reason="" if status in _PLAIN_STATUS else word,
    )


def parse_open_orders(body: bytes | str) -> tuple[list[OrderSnapshot], str | None]:
    """Return a page of `/data/orders` and the cursor of the next one, None at the end.

    Raises:
        VenueDataError: the page or one of its rows is malformed.
    """
    rows, cursor = rows_and_cursor(body)
    return [order_snapshot_of(row) for row in rows], cursor


def parse_order(body: bytes | str) -> OrderSnapshot | None:
    """Return the order of `/data/order/{id}`, None for `null`, which proves nothing.

    Raises:
        VenueDataError: malformed.
    """
    answer = decoded(body)
    return None if answer is None else order_snapshot_of(answer)
