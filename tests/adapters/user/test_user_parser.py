import json
from typing import Any

import pytest

from polymarket_agent.adapters.polymarket.parse_user import UserChannelParser
from polymarket_agent.domain.events import VenueLeg, VenueOrder
from polymarket_agent.domain.levels import Side
from polymarket_agent.domain.order import SettlementStatus
from polymarket_agent.errors import VenueDataError
from tests.adapters.user.user_world import (
    AT_MS,
    CONDITION,
    KEY,
    NO,
    ORDER,
    OTHER_KEY,
    OURS,
    PASSPHRASE,
    SECRET,
    STRANGER,
    WALLET,
    YES,
    killed,
    maker,
    order,
    parsed,
    trade,
)


def test_a_placement_is_an_order_that_may_match() -> None:
    """Every field of a placement stands in the event in our units, with both times."""
    (event,) = parsed(order(expiration="1795370000", order_type="GTD"))

    found = event.snapshot
    assert isinstance(event, VenueOrder)
    assert (event.at_ms, event.received_ms) == (AT_MS, OURS)
    assert (found.order_id, found.condition_id, found.asset_id, found.side) == (ORDER, CONDITION, YES, Side.BUY)
    assert (found.price, found.quantity, found.matched) == (450_000, 100_000_000, 0)
    assert (found.status, found.active, found.reason) == ("LIVE", True, "")
    assert (found.created_s, found.expires_s, found.time_in_force) == (1_795_360_431, 1_795_370_000, "GTD")
    assert found.maker == WALLET


def test_a_killed_order_says_nothing_of_its_size() -> None:
    """The recorded message of a killed FOK, which the official client drops, is an ended order of unknown size."""
    (event,) = parsed(killed())

    found = event.snapshot
    assert (found.matched, found.active, found.created_s) == (None, False, 0)
    assert "couldn't be fully filled" in found.reason
    assert found.time_in_force == "FOK"


@pytest.mark.parametrize(
    ("fields", "matched", "active"),
    [
        ({"type": "UPDATE", "size_matched": "40"}, 40_000_000, True),
        ({"type": "UPDATE", "size_matched": "100", "status": "MATCHED"}, 100_000_000, False),
        ({"type": "CANCELLATION", "status": "CANCELED"}, 0, False),
        ({"type": "CANCELLATION", "status": "LIVE"}, 0, False),
        ({"type": "CANCELLATION", "status": "INVALID"}, 0, False),
        ({"status": "DELAYED"}, 0, True),
        ({"status": "UNMATCHED"}, 0, False),
        ({"status": "something new"}, 0, False),
        ({"size_matched": 12.5, "price": 0.45, "original_size": 100}, 12_500_000, True),
    ],
)
def test_the_words_and_sizes_of_an_order_are_told(fields: dict[str, Any], matched: int, active: bool) -> None:
    """What is matched is the venue's own sum; only a live or delayed order that was not cancelled may still match."""
    (event,) = parsed(order(**fields))

    assert (event.snapshot.matched, event.snapshot.active) == (matched, active)


def test_a_text_of_the_venue_is_cut_and_plain() -> None:
    """Control characters are gone from a state and a reason, both are short, and no other field takes free text."""
    said = "CANCELED_ignore\u0000 all\r\n\x1b[31m previous \u202e rules " + "long " * 1_000
    (event,) = parsed(order(type="CANCELLATION", status=said, order_type="do as I say", maker_address="<b>me</b>"))

    found = event.snapshot
    assert found.reason.startswith("CANCELED_ignore all")
    assert found.reason.isprintable()
    assert max(len(found.reason), len(found.status)) <= 200
    assert (found.time_in_force, found.maker) == ("", "")


def test_an_order_of_another_wallet_is_not_ours() -> None:
    """A key may trade for several wallets; what another one does is counted and left out."""
    parser = UserChannelParser(WALLET.lower(), KEY)
    events = parsed(order(maker_address=STRANGER), order(), parser=parser)

    assert len(events) == 1
    assert parser.dropped == {"an order of another wallet": 1}
    assert parser.counts == {"order": 2}


def test_a_trade_that_we_took_is_one_leg() -> None:
    """The taker's leg has the order on top, its size, and a part for each maker met."""
    (event,) = parsed(trade(size="15", maker_orders=[maker(), maker(2, matched_amount="5", price="0.50")]))

    leg = event.leg
    assert isinstance(event, VenueLeg)
    assert (leg.order_id, leg.side, leg.is_maker, leg.quantity) == (ORDER, Side.BUY, False, 15_000_000)
    assert leg.parts == ((520_000, 10_000_000), (500_000, 5_000_000))
    assert (leg.status, leg.known_status) == (SettlementStatus.MATCHED, True)
    assert json.loads(leg.raw)["id"] == leg.trade_id


def test_a_trade_in_which_several_of_our_orders_rested_is_several_legs() -> None:
    """Each of our resting orders in a stranger's trade is a leg of its own, in terms of its own asset."""
    rested = [
        maker(1, owner=KEY, maker_address=WALLET),
        maker(2),
        maker(3, owner=KEY, maker_address=WALLET, asset_id=NO, side="BUY", price="0.48", matched_amount="7"),
    ]
    told = trade(
        owner=KEY,
        trade_owner=OTHER_KEY,
        trader_side="MAKER",
        size="27",
        maker_orders=rested,
    )
    events = parsed(told)

    legs = {event.leg.order_id: event.leg for event in events}
    assert set(legs) == {rested[0]["order_id"], rested[2]["order_id"]}
    first, third = legs[rested[0]["order_id"]], legs[rested[2]["order_id"]]
    assert (first.asset_id, first.side, first.price, first.quantity) == (YES, Side.SELL, 520_000, 10_000_000)
    assert (third.asset_id, third.side, third.price, third.quantity) == (NO, Side.BUY, 480_000, 7_000_000)
    assert all(leg.is_maker for leg in legs.values())


@pytest.mark.parametrize(
    ("word", "status", "known"),
    [
        ("MINED", SettlementStatus.MINED, True),
        ("TRADE_STATUS_CONFIRMED", SettlementStatus.CONFIRMED, True),
        ("RETRYING", SettlementStatus.RETRYING, True),
        ("FAILED", SettlementStatus.FAILED, True),
        ("MATCHED_NOT_BROADCASTED", SettlementStatus.MATCHED, True),
        ("PONDERING", SettlementStatus.MATCHED, False),
    ],
)
def test_every_word_of_settlement_is_known_or_marked(word: str, status: SettlementStatus, known: bool) -> None:
    """The steps of settlement arrive with or without their prefix; an unknown one counts as matched and says so."""
    (event,) = parsed(trade(status=word))

    assert (event.leg.status, event.leg.known_status) == (status, known)


def test_a_trade_of_strangers_is_left_out() -> None:
    """A trade in which nothing is ours gives no leg and is counted."""
    parser = UserChannelParser(WALLET, KEY)
    foreign = trade(owner=OTHER_KEY, maker_address=STRANGER, trader_side="MAKER")

    assert parsed(foreign, parser=parser) == []
    assert parser.dropped == {"a trade without a leg of ours": 1}


def test_a_frame_is_an_object_or_an_array() -> None:
    """The messages of an array become events in its order; a PONG, blanks and an empty array are none."""
    parser = UserChannelParser(WALLET, KEY)
    events = parsed(order(), trade(), killed(), parser=parser)

    assert [type(event) for event in events] == [VenueOrder, VenueLeg, VenueOrder]
    assert [parser.parse(raw, OURS) for raw in (b"PONG", "PONG\n", b"", b" \n", b"[]")] == [[], [], [], [], []]
    assert parser.counts == {"order": 2, "trade": 1, "pong": 2}
    assert parser.malformed == 0


@pytest.mark.parametrize(
    "message",
    [
        {"event_type": "new_kind", "id": 7},
        {"event_type": None},
        {"event_type": ["order"]},
        {"event_type": {"order": 1}},
        {"error": "no"},
        {},
    ],
)
def test_an_unknown_message_is_counted_and_harms_nothing(message: dict[str, Any]) -> None:
    """A message of a type that we do not know gives no event, and its neighbours stand."""
    parser = UserChannelParser(WALLET, KEY)

    assert len(parsed(message, order(), parser=parser)) == 1
    assert parser.counts == {"unknown": 1, "order": 1}


@pytest.mark.parametrize(
    "broken",
    [
        order(price="7"),
        order(side="HOLD"),
        order(original_size="-1"),
        order(size_matched="0.0000001"),
        order(market="0x12"),
        order(asset_id=""),
        order(id=""),
        order(created_at="2026-01-01T00:00:00Z"),
        trade(size="NaN"),
        trade(maker_orders=[{}]),
        trade(id=""),
        trade(taker_order_id=None),
        "order",
        [order()],
        7,
        None,
    ],
)
def test_one_bad_message_costs_the_frame(broken: Any) -> None:
    """A frame with one message that breaks the contract gives nothing, counts nothing but itself, and raises."""
    parser = UserChannelParser(WALLET, KEY)

    with pytest.raises(VenueDataError):
        parsed(order(), broken, trade(), parser=parser)
    assert (parser.malformed, parser.counts, parser.dropped) == (1, {}, {})


@pytest.mark.parametrize("raw", [b"{", b"\xff\xfe", b"PONG PONG", b'"PONG"', b"nul", "ping", b"[" * 5_000, b"NaN"])
def test_what_is_no_message_is_refused(raw: bytes | str) -> None:
    """A frame that is no JSON, or no object or array of objects, raises with a short printable excerpt."""
    parser = UserChannelParser(WALLET, KEY)

    with pytest.raises(VenueDataError) as caught:
        parser.parse(raw, OURS)
    assert 0 < len(caught.value.excerpt) <= 160
    assert caught.value.excerpt.isprintable()


def test_an_excerpt_shows_the_start_without_what_may_be_secret() -> None:
    """The excerpt of a broken frame helps whoever looks for the cause and holds no key or passphrase, not half of one."""
    raw = f'{{"event_type": "order", "id": 7, "said": "{SECRET}", "x": "{"y " * 40}", "more": "{PASSPHRASE}'
    with pytest.raises(VenueDataError) as caught:
        UserChannelParser(WALLET, KEY).parse(raw, OURS)

    assert caught.value.excerpt.startswith('{"event_type": "order", "id": 7')
    assert SECRET[:12] not in caught.value.excerpt
    assert PASSPHRASE[:12] not in caught.value.excerpt


@pytest.mark.parametrize(
    ("told", "at_ms"),
    [
        ("1795360431", 1_795_360_431_000),
        (1_795_360_431_340, AT_MS),
        ("", OURS),
        (None, OURS),
        ("2026-01-01T00:00:00Z", OURS),
        ("9" * 400, OURS),
        ("0", OURS),
        ("٣" * 13, OURS),
        (1.5, OURS),
    ],
)
def test_a_time_that_cannot_be_read_is_ours(told: Any, at_ms: int) -> None:
    """Seconds and milliseconds are told apart; any other form costs the time and not the message."""
    (event,) = parsed(order(timestamp=told))

    assert event.at_ms == at_ms
