import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from polymarket_agent.adapters.polymarket.answers import (
    claimed_hash_matches,
    parse_book,
    parse_books,
    parse_price_history,
    parse_public_trades,
)
from polymarket_agent.adapters.polymarket.clob_listing import parse_clob_page, parse_compact_markets
from polymarket_agent.adapters.polymarket.groups import parse_group, parse_groups
from polymarket_agent.adapters.polymarket.listing import parse_market, parse_markets
from polymarket_agent.adapters.polymarket.parse import MarketChannelParser
from polymarket_agent.adapters.polymarket.wire import decode_messages
from polymarket_agent.domain.board import Board
from polymarket_agent.domain.events import BookDelta, BookSnapshot
from polymarket_agent.errors import VenueDataError
from tests.protocol.frames import NO, YES, book, change, price_change, resolved, text, trade
from tests.protocol.listings import event, gamma_market

PARSERS: list[Any] = [
    decode_messages,
    parse_book,
    parse_books,
    claimed_hash_matches,
    parse_price_history,
    parse_public_trades,
    parse_clob_page,
    parse_compact_markets,
    parse_group,
    parse_groups,
    parse_market,
    parse_markets,
]

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["0.5", "1", "0", "-1", "NaN", "1e9", YES, NO, "BUY", "book", "0.01", "[]", "{}", "\ud800"])
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def feed(raw: bytes | str) -> None:
    parser = MarketChannelParser()
    before = Board()
    try:
        events = parser.parse(raw, 0)
    except VenueDataError:
        assert not parser.counts
        return
    for each in events:
        if isinstance(each, BookDelta):
            assert all(0 < price < 1_000_000 and not price % 100 and size >= 0 for _, _, price, size in each.changes)
        if isinstance(each, BookSnapshot):
            assert all(0 < price < 1_000_000 and not price % 100 for price, _ in each.bids + each.asks)
        before.apply(each)


@given(st.binary(max_size=200))
def test_arbitrary_bytes_raise_nothing_but_a_data_error(raw: bytes) -> None:
    """Whatever arrives, every parser answers or raises VenueDataError."""
    feed(raw)
    for parse in PARSERS:
        try:
            parse(raw)
        except VenueDataError:
            continue


@given(st.text(max_size=100))
def test_arbitrary_text_raises_nothing_but_a_data_error(raw: str) -> None:
    """Text is as hostile as bytes, lone surrogates included."""
    feed(raw)


@given(
    st.sampled_from([price_change(), book(), trade(), resolved(), price_change(change(YES))]),
    st.data(),
)
def test_a_frame_with_any_field_replaced_is_taken_whole_or_not_at_all(
    message: dict[str, Any], data: st.DataObject
) -> None:
    """A mutated message gives only levels that a book can have, or raises and counts nothing."""
    mutated = mutate(message, data)

    feed(json.dumps(mutated).encode())
    feed(json.dumps([message, mutated]).encode())


@given(st.binary(min_size=1, max_size=4), st.integers(0, 10_000), st.sampled_from([price_change(), book(), trade()]))
def test_a_frame_with_damaged_bytes_is_taken_whole_or_not_at_all(
    damage: bytes, where: int, message: dict[str, Any]
) -> None:
    """Cut or overwritten bytes give levels that a book can have, or an error."""
    raw = text(message)
    at = where % len(raw)

    feed(raw[:at])
    feed(raw[:at] + damage + raw[at + len(damage) :])


@given(st.data())
def test_a_listing_with_any_field_replaced_raises_nothing_but_a_data_error(data: st.DataObject) -> None:
    """A mutated market or group is parsed or refused; in a list it costs only itself."""
    market = mutate(gamma_market(), data)
    try:
        parse_market(market)
    except VenueDataError:
        markets, dropped = parse_markets([gamma_market(2), market, gamma_market(3)])
        assert (len(markets), len(dropped)) == (2, 1)
    try:
        parse_group(mutate(event(gamma_market()), data))
    except VenueDataError:
        return


def mutate(message: dict[str, Any], data: st.DataObject) -> dict[str, Any]:
    mutated: dict[str, Any] = json.loads(json.dumps(message))
    place: Any = mutated
    while True:
        key = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
        inner = place[key]
        if isinstance(inner, dict | list) and inner and data.draw(st.booleans()):
            place = inner
        elif isinstance(place, dict) and data.draw(st.booleans()):
            del place[key]
            return mutated
        else:
            place[key] = data.draw(values)
            return mutated
