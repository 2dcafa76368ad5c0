from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymarket_agent.adapters.polymarket.account_answers import (
    legs_of_trade,
    order_snapshot_of,
    parse_balance,
    parse_cancel,
    parse_flags,
    parse_open_orders,
    parse_order,
    parse_positions,
    parse_time,
    parse_trades,
    parse_version,
)
from polymarket_agent.domain.levels import Side
from polymarket_agent.domain.order import SettlementStatus
from polymarket_agent.errors import VenueDataError

YES, NO = "71321045679252212594626385532706912750332728571942532289631379312455583992563", "52114319501245915516055106046884209969926127482827954674443846427813813222426"  # fmt: skip
MARKET = "0x" + "bd" * 32
WALLET, KEY = "0xd93B25cb943D14d0d34FBaF01Fc93a0f8b5F6E47", "9180014b-33c8-9240-a14b-bdca11c0a465"
THEIRS = {"owner": "another-key", "maker_address": "0x" + "ee" * 20}
OURS = {"owner": KEY, "maker_address": WALLET}
A, B, C = ("0x" + digit * 64 for digit in "abc")


def maker(order_id: str, amount: str, price: str, **more: Any) -> dict[str, Any]:
    return {"order_id": order_id, "matched_amount": amount, "price": price, "fee_rate_bps": "", "asset_id": YES,
            "outcome": "Yes", "side": "SELL", **THEIRS, **more}  # fmt: skip


def trade(*makers: dict[str, Any], **changed: Any) -> dict[str, Any]:
    """Return a row of /data/trades: we take 10 for 0.52 unless changed."""
    return {
        "id": "trade-1", "taker_order_id": A, "market": MARKET, "asset_id": YES, "side": "BUY", "size": "10",
        "price": "0.52", "fee_rate_bps": "0", "status": "TRADE_STATUS_CONFIRMED", "match_time": "1778445523",
        "last_update": "1778445531", "outcome": "Yes", "bucket_index": 0, **OURS, "transaction_hash": "0x",
        "trader_side": "TAKER", "maker_orders": list(makers), **changed,
    }  # fmt: skip


def legs(row: dict[str, Any]) -> Any:
    return legs_of_trade(row, wallet=WALLET, api_key_id=KEY)


def page(rows: list[Any], cursor: str | None = "LTE=") -> str:
    return json.dumps({"data": rows, "next_cursor": cursor, "limit": 500, "count": len(rows)})


def test_a_taker_gets_a_part_for_each_maker_in_its_own_price() -> None:
    """A maker of the other outcome counts at the complement, and the parts add up to the size."""
    [leg] = legs(trade(maker(B, "4", "0.52"), maker(C, "6", "0.49", asset_id=NO, side="BUY")))

    assert (leg.trade_id, leg.order_id, leg.bucket, leg.is_maker) == ("trade-1", A, 0, False)
    assert leg.parts == ((520_000, 4_000_000), (510_000, 6_000_000))
    assert (leg.quantity, leg.price, leg.side, leg.asset_id) == (10_000_000, 514_000, Side.BUY, YES)
    assert (leg.status, leg.matched_ms, leg.updated_ms) == (SettlementStatus.CONFIRMED, 1778445523000, 1778445531000)


@pytest.mark.parametrize("makers", [[], [maker(B, "4", "0.50")], [maker(B, "11", "0.50")]])
def test_parts_that_do_not_add_up_give_way_to_the_size(makers: list[Any]) -> None:
    """A taker whose makers are not all told is booked at the size and price on top."""
    [leg] = legs(trade(*makers))

    assert leg.parts == ((520_000, 10_000_000),)


def test_a_maker_gets_its_own_entry_and_not_the_size_on_top() -> None:
    """Each of our orders below is a leg with its own amount, price, asset and side; the order on top is not ours."""
    row = trade(
        maker(A, "3", "0.52", **OURS), maker(B, "2", "0.47", asset_id=NO, side="BUY", **OURS), maker(C, "5", "0.52"),
        taker_order_id="0x" + "d" * 64, trader_side="MAKER", **THEIRS,
    )  # fmt: skip
    first, second = legs(row)

    assert (first.order_id, first.quantity, first.price, first.side) == (A, 3_000_000, 520_000, Side.SELL)
    assert (second.order_id, second.asset_id, second.parts) == (B, NO, ((470_000, 2_000_000),))
    assert {first.is_maker, second.is_maker} == {True}
    assert second.side is Side.BUY


@pytest.mark.parametrize("row_owner", [THEIRS, OURS])
def test_a_maker_is_not_taken_for_the_taker(row_owner: dict[str, str]) -> None:
    """Told as a maker, the fields on top may name either side; the leg is the entry below both times."""
    [leg] = legs(trade(maker(B, "10", "0.52", **OURS), trader_side="MAKER", **row_owner))

    assert (leg.order_id, leg.is_maker) == (B, True)


@pytest.mark.parametrize(
    "mark", [{"maker_address": WALLET.lower()}, {"maker_address": WALLET.upper().replace("0X", "0x")}, {"owner": KEY}]
)
def test_our_entries_are_known_by_wallet_in_any_case_or_by_key(mark: dict[str, str]) -> None:
    """Either mark is enough: a key may have been renewed, and addresses are written in more than one way."""
    [leg] = legs(trade(maker(B, "10", "0.52", **mark), trader_side="MAKER", **THEIRS))

    assert leg.order_id == B


def test_a_self_trade_has_both_legs() -> None:
    """Our order on top and our order below are two legs of one trade, on opposite sides."""
    taker, made = legs(trade(maker(B, "10", "0.52", **OURS)))

    assert [(leg.order_id, leg.is_maker, leg.side) for leg in (taker, made)] == [
        (A, False, Side.BUY),
        (B, True, Side.SELL),
    ]


def test_a_fill_is_not_lost_between_top_and_bottom() -> None:
    """A trade told as a maker's in which no entry below is ours, but the top is, counts as ours."""
    assert [leg.order_id for leg in legs(trade(maker(B, "10", "0.52"), trader_side="MAKER"))] == [A]
    assert legs(trade(maker(B, "10", "0.52"), trader_side="MAKER", **THEIRS)) == []
    assert [leg.order_id for leg in legs(trade(maker(B, "10", "0.52"), trader_side=""))] == [A]


def test_an_order_named_twice_in_one_trade_is_one_leg() -> None:
    """The key of a leg is (trade, order, bucket), so two entries of one order are two parts of one leg."""
    [leg] = legs(trade(maker(B, "4", "0.52", **OURS), maker(B, "6", "0.53", **OURS), trader_side="MAKER", **THEIRS))

    assert (leg.quantity, leg.parts) == (10_000_000, ((520_000, 4_000_000), (530_000, 6_000_000)))


@pytest.mark.parametrize(("asset_id", "side"), [(YES, Side.SELL), (NO, Side.BUY)])
def test_a_side_that_is_not_told_follows_from_the_taker(asset_id: str, side: Side) -> None:
    """Old messages tell no side of a maker: it is opposed in the same claim and equal in the other one."""
    entry = maker(B, "10", "0.52", asset_id=asset_id, **OURS)
    del entry["side"]

    assert legs(trade(entry, trader_side="MAKER", **THEIRS))[0].side is side


@pytest.mark.parametrize("prefix", ["", "TRADE_STATUS_"])
@pytest.mark.parametrize(
    "word", ["MATCHED", "MINED", "CONFIRMED", "RETRYING", "FAILED", "MATCHED_NOT_BROADCASTED", "LOST"]
)
def test_settlement_words_are_known_with_and_without_prefix(prefix: str, word: str) -> None:
    """Every documented word is known; any other one counts as matched and is marked."""
    [leg] = legs(trade(status=prefix + word))

    assert leg.known_status is (word != "LOST")
    assert leg.status.value == ("MATCHED" if word in ("MATCHED_NOT_BROADCASTED", "LOST") else word)


def test_evidence_is_the_row_on_one_line_without_our_key() -> None:
    """What is kept of a message is all of it but the id of our API key."""
    row = trade(maker(B, "10", "0.52", **OURS), trade_owner=KEY)
    raw = legs(row)[0].raw
    kept = json.loads(raw)

    assert "\n" not in raw
    assert KEY not in raw
    assert kept["owner"] == kept["trade_owner"] == kept["maker_orders"][0]["owner"] == "ours"
    assert kept["maker_orders"][0]["maker_address"] == WALLET
    assert row["owner"] == KEY, "the message itself is left as it was"


def test_recorded_messages_of_the_user_channel_are_read(shared_data: Path) -> None:
    """Recorded order and trade messages give the order, and one taker leg with the size on top."""
    seen: dict[str, Any] = {}
    for line in (shared_data / "user" / "user_channel.jsonl").read_text().splitlines():
        message = json.loads(line)["message"]
        wallet, key = message["maker_address"], message["owner"]
        if message.get("event_type") == "order":
            seen[message["type"]] = order_snapshot_of(message)
        else:
            [leg] = legs_of_trade(message, wallet=wallet, api_key_id=key)
            seen[message["status"]] = leg

    assert (seen["PLACEMENT"].active, seen["PLACEMENT"].price) == (True, 513_000)
    assert (seen["CANCELLATION"].active, seen["CANCELLATION"].matched) == (False, 5_000_000)
    assert (seen["MATCHED"].status, seen["MATCHED"].parts) == (SettlementStatus.MATCHED, ((520_000, 5_000_000),))
    assert (seen["CONFIRMED"].status, seen["CONFIRMED"].price) == (SettlementStatus.CONFIRMED, 489_000)


def test_a_trade_tells_when_it_was_matched() -> None:
    """The time is the match's, else the last change's or the message's; a trade without any is malformed."""
    untimed = {key: value for key, value in trade().items() if key not in ("match_time", "last_update")}

    assert legs({**untimed, "matchtime": "1778445523"})[0].matched_ms == 1_778_445_523_000
    assert legs({**untimed, "last_update": 1778445531})[0].matched_ms == 1_778_445_531_000
    assert legs({**untimed, "timestamp": "1778445523340"})[0].matched_ms == 1_778_445_523_340
    with pytest.raises(VenueDataError, match="when it was matched"):
        legs(untimed)


BREAKS: list[tuple[str, Any]] = [
    ("size", "ten"), ("size", "-1"), ("size", "0.0000001"), ("size", None), ("price", "1"), ("price", "0"),
    ("side", "HOLD"), ("side", ""), ("asset_id", "yes"), ("market", "0x12"), ("id", ""), ("taker_order_id", ""),
    ("match_time", "yesterday"), ("bucket_index", "x"), ("maker_orders", {}), ("maker_orders", [{}]), ("status", None),
]  # fmt: skip


@pytest.mark.parametrize(("key", "value"), BREAKS)
def test_a_malformed_trade_discards_the_page(key: str, value: Any) -> None:
    """One bad field in one row raises for the whole page; no row before it is handed out."""
    with pytest.raises(VenueDataError):
        parse_trades(page([trade(), {**trade(), key: value}]), wallet=WALLET, api_key_id=KEY)


@given(st.data())
def test_a_page_is_read_whole_or_not_at_all(data: st.DataObject) -> None:
    """However a row is damaged, either every row of the page is handed out or the page raises."""
    rows = [trade(maker(B, "10", "0.52")) for _ in range(3)]
    damaged = copy.deepcopy(rows)
    target = damaged[data.draw(st.integers(0, 2))]
    key = data.draw(st.sampled_from(sorted(target)))
    junk = (
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.lists(st.none(), max_size=2)
    )
    if data.draw(st.booleans()):
        target[key] = data.draw(junk)
    else:
        del target[key]
    try:
        found, cursor = parse_trades(json.dumps({"data": damaged}), wallet=WALLET, api_key_id=KEY)
    except VenueDataError:
        return

    assert len(found) >= 3 - (key in ("size", "trader_side"))
    assert cursor is None


@given(st.binary(max_size=120) | st.text(max_size=60).map(lambda text: json.dumps({"data": text}).encode()))
def test_noise_raises_our_error_and_no_other(noise: bytes) -> None:
    """Whatever the venue sends, a parser answers with a value or with `VenueDataError`."""
    for parse in (
        parse_open_orders, parse_order, parse_balance, parse_positions, parse_cancel, parse_time, parse_version,
        lambda body: parse_trades(body, wallet=WALLET, api_key_id=KEY), lambda body: parse_flags(body, body),
    ):  # fmt: skip
        try:
            parse(noise)
        except VenueDataError:
            continue
