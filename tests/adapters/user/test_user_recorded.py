import json
from pathlib import Path

import pytest

from polymarket_agent.adapters.polymarket.parse_user import UserChannelParser
from polymarket_agent.domain.levels import Side
from polymarket_agent.errors import VenueDataError
from tests.adapters.user.user_world import parsed


def test_recorded_messages_are_understood(shared_data: Path) -> None:
    """The messages that the venue once sent become what they say: two orders, one trade, and a row of a list."""
    path = shared_data / "user" / "user_channel.jsonl"
    if not path.is_file():
        pytest.skip(f"no recording at {path}")
    messages = [json.loads(line)["message"] for line in path.read_text(encoding="utf-8").splitlines()]
    wallet = next(each["maker_address"] for each in messages if each.get("type") == "PLACEMENT")
    parser = UserChannelParser(wallet, messages[0]["owner"])
    placed, cancelled, taken = parsed(*messages, parser=parser)

    assert (placed.snapshot.status, placed.snapshot.active, placed.snapshot.price) == ("LIVE", True, 513_000)
    assert (cancelled.snapshot.side, cancelled.snapshot.matched) == (Side.SELL, 5_000_000)
    assert (cancelled.snapshot.active, cancelled.at_ms) == (False, 1_725_841_743_272)
    assert (taken.leg.is_maker, taken.leg.parts) == (False, ((520_000, 5_000_000),))
    assert taken.leg.order_id == messages[2]["taker_order_id"]
    assert parser.counts == {"order": 2, "trade": 1, "unknown": 1}


def test_every_form_that_was_captured_is_understood(shared_data: Path) -> None:
    """Of all forms of user events only those with a time in words are refused, the killed orders are among the rest."""
    path = shared_data.parent / "spec" / "captures" / "ws-server-events.json"
    if not path.is_file():
        pytest.skip(f"no captures at {path}")
    refused, understood = set(), set()
    for each in json.loads(path.read_text(encoding="utf-8"))["events"]:
        frame = each["server_frame"]
        if isinstance(frame, dict) and frame.get("event_type") in ("order", "trade"):
            try:
                assert parsed(frame), each["case"]
                understood.add(each["case"])
            except VenueDataError:
                refused.add(each["case"])

    assert {"PLACEMENT", "FOK killed", "FOK killed 0", "trade FAILED", "trade no maker_orders"} <= understood
    assert all("ISO" in case for case in refused), refused
