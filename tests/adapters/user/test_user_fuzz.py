import json
import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from polymarket_agent.adapters.polymarket.parse_user import UserChannelParser
from polymarket_agent.domain.events import VenueLeg, VenueOrder
from polymarket_agent.domain.money import MICRO
from polymarket_agent.domain.order import TimeInForce
from polymarket_agent.errors import VenueDataError
from tests.adapters.user.user_world import KEY, NO, ORDER, WALLET, YES, killed, maker, order, trade

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=12)
    | st.sampled_from(["0.5", "1", "0", "-1", "NaN", "1e9", "", YES, NO, ORDER, KEY, WALLET, "SELL", "LIVE", "TAKER"])
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
good = st.sampled_from([order(), killed(), trade(), trade(maker_orders=[maker(owner=KEY), maker(2)])])


@st.composite
def damaged(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a message of which some fields hold anything, or are gone."""
    message = dict(draw(good))
    for name in draw(st.lists(st.sampled_from(sorted(message)), max_size=3)):
        if draw(st.booleans()):
            message[name] = draw(values)
        else:
            message.pop(name, None)
    return message


def check(raw: bytes | str) -> list[Any]:
    """Parse; a refusal counts as malformed and as nothing else, and what comes out keeps to its types."""
    parser = UserChannelParser(WALLET, KEY)
    try:
        events = parser.parse(raw, 1)
    except VenueDataError:
        assert (parser.malformed, parser.counts, parser.dropped) == (1, {}, {})
        return []
    assert parser.malformed == 0
    for event in events:
        if isinstance(event, VenueOrder):
            order_keeps_to_its_types(event)
        else:
            leg_keeps_to_its_types(event)
    return list(events)


def order_keeps_to_its_types(event: VenueOrder) -> None:
    found = event.snapshot
    assert found.order_id.isalnum()
    assert 0 < found.price < MICRO
    assert found.quantity >= 0
    assert found.matched is None or found.matched >= 0
    for text in (found.status, found.reason):
        assert len(text) <= 200
        assert text.isprintable()
    assert found.time_in_force in {"", *(each.value for each in TimeInForce)}
    assert re.fullmatch("(0x[0-9a-fA-F]{40})?", found.maker)


def leg_keeps_to_its_types(event: Any) -> None:
    assert isinstance(event, VenueLeg)
    leg = event.leg
    assert sum(quantity for _, quantity in leg.parts) == leg.quantity > 0
    assert all(0 < price < MICRO for price, _ in leg.parts)
    assert leg.order_id.isalnum()
    assert leg.raw.count("\n") == 0
    json.loads(leg.raw)


@given(st.binary(max_size=200) | st.text(max_size=200))
def test_no_bytes_break_the_parser(raw: bytes | str) -> None:
    """Whatever bytes or text arrive, the parser answers with events or refuses the frame."""
    check(raw)


@given(values)
def test_no_json_breaks_the_parser(value: Any) -> None:
    """Whatever JSON arrives, alone or in an array beside a good message, it is taken or refused as a whole."""
    check(json.dumps(value))
    events = check(json.dumps([order(), value]))
    assert len(events) in {0, 1}


@given(st.lists(damaged(), min_size=1, max_size=3))
def test_damaged_messages_are_taken_whole_or_not_at_all(messages: list[dict[str, Any]]) -> None:
    """Messages with wrong or missing fields never give half of what they say, or a value out of its range."""
    alone = []
    for message in messages:
        parser = UserChannelParser(WALLET, KEY)
        try:
            alone.append(len(parser.parse(json.dumps(message), 1)))
        except VenueDataError:
            alone.append(-1)
    together = check(json.dumps(messages))
    assert len(together) == (0 if -1 in alone else sum(alone))


@given(good, st.data())
def test_a_cut_frame_is_refused(message: dict[str, Any], data: st.DataObject) -> None:
    """A frame of which the end was lost gives nothing, wherever it was cut."""
    raw = json.dumps(message).encode()
    end = data.draw(st.integers(1, len(raw) - 1))
    assert check(raw[:end]) == []
