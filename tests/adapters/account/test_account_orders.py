from __future__ import annotations

import json
from typing import Any

import pytest

from polymarket_agent.adapters.polymarket.account_answers import (
    MAX_PAGES,
    Cursors,
    order_snapshot_of,
    parse_open_orders,
    parse_order,
)
from polymarket_agent.domain.levels import Side
from polymarket_agent.errors import VenueDataError

YES = "71321045679252212594626385532706912750332728571942532289631379312455583992563"
MARKET = "0x" + "bd" * 32
WALLET, KEY = "0xd93B25cb943D14d0d34FBaF01Fc93a0f8b5F6E47", "9180014b-33c8-9240-a14b-bdca11c0a465"
A = "0x" + "a" * 64

# The order of polymarket-wire.md 5.2, letter for letter but for the ids.
ORDER: dict[str, Any] = {
    "id": A, "status": "LIVE", "owner": KEY, "maker_address": WALLET, "market": MARKET, "asset_id": YES, "side": "BUY",
    "original_size": "100", "size_matched": "0", "price": "0.45", "outcome": "Yes", "expiration": "0",
    "order_type": "GTC", "associate_trades": [], "created_at": 1748779200,
}  # fmt: skip


def page(rows: list[Any], cursor: str | None = "LTE=") -> str:
    return json.dumps({"data": rows, "next_cursor": cursor, "limit": 500, "count": len(rows)})


def test_an_open_order_is_read_exactly() -> None:
    """Sizes are shares, the price is in micro-units, and the cursor of the last page is none."""
    [order], cursor = parse_open_orders(page([ORDER]))

    assert (order.order_id, order.condition_id, order.asset_id, order.side) == (A, MARKET, YES, Side.BUY)
    assert (order.price, order.quantity, order.matched) == (450_000, 100_000_000, 0)
    assert (order.status, order.active, order.created_s, order.maker) == ("LIVE", True, 1748779200, WALLET)
    assert (order.time_in_force, order.reason, cursor) == ("GTC", "", None)


@pytest.mark.parametrize(
    ("status", "told", "active"),
    [
        ("LIVE", "LIVE", True),
        ("live", "LIVE", True),
        ("DELAYED", "DELAYED", True),
        ("ORDER_STATUS_LIVE", "LIVE", True),
        ("ORDER_STATUS_CANCELED", "CANCELED", False),
        ("MATCHED", "MATCHED", False),
        ("UNMATCHED", "UNMATCHED", False),
        ("INVALID", "INVALID", False),
        ("CANCELED_NOT_ENOUGH_BALANCE", "CANCELED_NOT_ENOUGH_BALANCE", False),
        ("PARKED", "PARKED", False),
    ],
)
def test_only_live_and_delayed_orders_are_active(status: str, told: str, active: bool) -> None:
    """A status is the venue's word in upper case without its prefix; a word that nobody knows is not active."""
    order = order_snapshot_of({**ORDER, "status": status})

    assert (order.status, order.active) == (told, active)


def test_a_killed_order_tells_no_matched_size_and_its_reason() -> None:
    """The recorded message of a killed order has an empty size and time, and a sentence for a status."""
    status = "CANCELED_order couldn't be fully filled. FOK orders are fully filled or killed."
    order = order_snapshot_of({**ORDER, "type": "CANCELLATION", "status": status, "size_matched": "", "created_at": ""})

    assert (order.matched, order.active, order.created_s, order.reason) == (None, False, 0, status)
    assert order.status == status.upper()
    without_status = {key: value for key, value in ORDER.items() if key != "status"}
    assert order_snapshot_of({**without_status, "type": "PLACEMENT"}).status == "LIVE"


def test_null_is_no_order() -> None:
    """The answer for an order that is not active is None."""
    assert parse_order(b"null") is None
    assert parse_order(json.dumps(ORDER)) == order_snapshot_of(ORDER)


@pytest.mark.parametrize(("cursor", "told"), [("LTE=", None), (None, None), ("MTAw", "MTAw")])
def test_a_page_tells_whether_there_is_more(cursor: str | None, told: str | None) -> None:
    """The end cursor, null and an absent one end a list; any other one leads on."""
    assert parse_open_orders(page([], cursor)) == ([], told)
    assert parse_open_orders(b'{"data":null}') == ([], None)
    for body in (page([], ""), '{"data":[],"next_cursor":7}', '{"next_cursor":"LTE="}'):
        with pytest.raises(VenueDataError):
            parse_open_orders(body)


def test_a_list_that_does_not_end_is_an_error() -> None:
    """A cursor that comes back, and more than 500 pages, raise."""
    cursors = Cursors("trades")
    cursors.after("MTAw")
    with pytest.raises(VenueDataError, match="leads back"):
        cursors.after("MTAw")
    many = Cursors("trades")
    for place in range(MAX_PAGES - 1):
        many.after(str(place))
    with pytest.raises(VenueDataError, match="more than 500 pages"):
        many.after("one more")
