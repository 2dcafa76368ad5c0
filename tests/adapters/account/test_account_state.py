from __future__ import annotations

import json
from typing import Any

import pytest

from polymarket_agent.adapters.polymarket.account_answers import (
    parse_balance,
    parse_cancel,
    parse_closed_only,
    parse_flags,
    parse_positions,
    parse_time,
    parse_version,
)
from polymarket_agent.domain.venue import AccountFlags
from polymarket_agent.errors import VenueDataError

TOKEN = "71321045679252212594626385532706912750332728571942532289631379312455583992563"
ROW: dict[str, Any] = {
    "token_id": TOKEN, "condition_id": "0x" + "bd" * 32, "current_size": 12.5, "total_cost_usdc": 6.1,
    "redeemable": False, "mergeable": True, "status": "OPEN",
}  # fmt: skip


def positions(rows: list[Any], *, more: bool = False, cursor: str | None = None) -> str:
    paging = {"limit": 100, "offset": 0, "has_more": more, "next_cursor": cursor}
    return json.dumps({"data": rows, "pagination": paging})


def test_positions_are_read_without_empty_ones() -> None:
    """A position is shares and cost in micro-units; what is sold out is left out."""
    [held], cursor = parse_positions(positions([ROW, {**ROW, "current_size": 0}]))

    assert (held.asset_id, held.quantity, held.cost) == (TOKEN, 12_500_000, 6_100_000)
    assert (held.mergeable, held.redeemable, cursor) == (True, False, None)
    assert parse_positions(positions([], more=True, cursor="MTAw"))[1] == "MTAw"


@pytest.mark.parametrize(
    "body",
    [
        positions([ROW], more=True),
        positions([ROW], cursor="MTAw"),
        positions([{**ROW, "current_size": -1}]),
        positions([{**ROW, "token_id": ""}]),
        positions([{key: value for key, value in ROW.items() if key != "total_cost_usdc"}]),
        json.dumps({"data": [ROW]}),
        json.dumps([ROW]),
    ],
)
def test_positions_that_contradict_themselves_are_refused(body: str) -> None:
    """A page that does not say whether it is the last, and a malformed row, raise."""
    with pytest.raises(VenueDataError):
        parse_positions(body)


def test_a_balance_is_base_units_with_allowances() -> None:
    """Balance and allowances are whole numbers of any size up to 256 bits, as text or as numbers."""
    most = str(2**256 - 1)
    found = parse_balance(json.dumps({"balance": "1000000000", "allowances": {"0xspender": most, "0xother": 5}}))

    assert found.balance == 1_000_000_000
    assert found.allowances == {"0xspender": 2**256 - 1, "0xother": 5}


@pytest.mark.parametrize(
    "body", [b'{"balance":"1"}', b'{"allowances":{}}', b'{"balance":"-1","allowances":{}}', b'{"balance":"1.5","allowances":{}}',
             b'{"balance":null,"allowances":{}}', b'{"balance":"1","allowances":null}', b'{"balance":true,"allowances":{}}', b"[]"],
)  # fmt: skip
def test_a_balance_without_both_parts_is_refused(body: bytes) -> None:
    """A missing or odd balance is an error, never zero."""
    with pytest.raises(VenueDataError):
        parse_balance(body)


def test_a_cancel_tells_what_ended_and_what_did_not() -> None:
    """Ids are in lower case, reasons are the venue's words on one line."""
    one, two = "0x" + "A1" * 32, "0x" + "b2" * 32
    found = parse_cancel(json.dumps({"canceled": [one], "not_canceled": {two: "already canceled\nor matched"}}))

    assert found.canceled == (one.lower(),)
    assert found.not_canceled == {two: "already canceled or matched"}
    assert parse_cancel(b'{"canceled":null}').canceled == ()
    for body in (b"{}", b'{"canceled":"all"}', b'{"canceled":[""]}', b'{"canceled":[],"not_canceled":[]}', b"null"):
        with pytest.raises(VenueDataError):
            parse_cancel(body)


def test_time_and_version_are_whole_numbers() -> None:
    """The venue's clock is whole seconds, its version a number; anything else is an error."""
    assert parse_time(b"1795360431") == 1_795_360_431_000
    assert parse_time(b'"1795360431"') == 1_795_360_431_000
    assert parse_version(b'{"version":2}') == 2
    for body in (b"0", b"1.5", b"true", b"null", b"{}", b"1795360431000", b'"now"'):
        with pytest.raises(VenueDataError):
            parse_time(body)
    for body in (b'{"version":"2"}', b"2", b"{}"):
        with pytest.raises(VenueDataError):
            parse_version(body)


def test_flags_need_both_answers_in_full() -> None:
    """A missing flag is an error: nobody may trade because a field was renamed."""
    place = b'{"blocked":true,"ip":"127.0.0.1","country":"XX","region":""}'

    assert parse_flags(b'{"closed_only":false}', place) == AccountFlags(closed_only=False, blocked=True, country="XX")
    assert parse_closed_only(b'{"closed_only":true}') is True
    for closed_only, where in ((b"{}", place), (b'{"closed_only":null}', place), (b'{"closed_only":false}', b"{}")):
        with pytest.raises(VenueDataError):
            parse_flags(closed_only, where)
