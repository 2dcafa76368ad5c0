"""One raw frame of the user channel -> what it says about our orders and fills, or VenueDataError and nothing at all.

The venue repeats itself, leaves sizes empty when it kills an order, and writes its reasons where a state should stand;
all of that is evidence, and nothing is concluded from it here.

Source: ../shared/spec/polymarket-wire.md, section 6.3.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec

from polymarket_agent.adapters.polymarket.account_answers import legs_of_trade, order_snapshot_of
from polymarket_agent.adapters.polymarket.outcomes import cleaned
from polymarket_agent.adapters.polymarket.wire import PONG
from polymarket_agent.domain.events import Event, VenueLeg, VenueOrder
from polymarket_agent.domain.order import TimeInForce
from polymarket_agent.errors import VenueDataError

__all__ = ["UserChannelParser"]

TEXT_CHARS = 200  # of what the venue wrote, in a status or a reason
_EXCERPT_READ = 600  # read before it is cleaned and cut, so that no half of a secret is left
_EARLIEST_S = 10**9
_LATEST_S = 10**10
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
_TIMES_IN_FORCE = frozenset(each.value for each in TimeInForce)

_decode = msgspec.json.Decoder().decode


class UserChannelParser:
    """Turns frames into events and keeps count.

    `counts` has messages by type (`pong` and `unknown` included), `dropped` what was left out on purpose, by reason.
    Frames that raise are in `malformed`, and in neither of the others.

    Args:
        wallet: the address that holds the money; another wallet of the same key is not ours to speak of.
        api_key_id: tells our legs in trades, where a wallet is not told.
    """

    def __init__(self, wallet: str, api_key_id: str) -> None:
        self._wallet = wallet
        self._api_key_id = api_key_id
        self.counts: Counter[str] = Counter()
        self.dropped: Counter[str] = Counter()
        self.malformed = 0

    def parse(self, raw: bytes | str, received_ms: int) -> list[Event]:
        """Return the events of one frame, in its order; none for `PONG`, an empty frame, and unknown messages.

        A trade gives one event for each of our orders in it.

        Raises:
            VenueDataError: the frame breaks the contract anywhere. Nothing of it counts then.
        """
        text = raw.strip()
        if not text or text in (PONG, PONG.encode()):
            self.counts["pong"] += 1 if text else 0
            return []
        counted: Counter[str] = Counter()
        dropped: Counter[str] = Counter()
        events: list[Event] = []
        try:
            for message in _messages_of(text):
                kind = message.get("event_type")
                if kind == "order":
                    found = self._order(message, received_ms)
                elif kind == "trade":
                    found = self._legs(message, received_ms)
                else:
                    counted["unknown"] += 1
                    continue
                counted[kind] += 1
                if isinstance(found, str):
                    dropped[found] += 1
                else:
                    events += found
        except VenueDataError as error:
            self.malformed += 1
            error.excerpt = _excerpt_of(text)
            raise
        self.counts += counted
        self.dropped += dropped
        return events

    def _order(self, message: Mapping[str, Any], received_ms: int) -> list[Event] | str:
        """Return the event of an order message, or why there is none."""
        snapshot = order_snapshot_of(message)
        maker = snapshot.maker if _ADDRESS.fullmatch(snapshot.maker) else ""
        if maker and maker.lower() != self._wallet.lower():
            return "an order of another wallet"
        ended = message.get("type") == "CANCELLATION"
        snapshot = replace(
            snapshot,
            active=snapshot.active and not ended,
            status=snapshot.status[:TEXT_CHARS],
            reason=snapshot.reason[:TEXT_CHARS],
            time_in_force=snapshot.time_in_force if snapshot.time_in_force in _TIMES_IN_FORCE else "",
            maker=maker,
        )
        return [VenueOrder(snapshot, _time_of(message, received_ms), received_ms)]

    def _legs(self, message: Mapping[str, Any], received_ms: int) -> list[Event] | str:
        """Return an event for each leg of ours in a trade message, or why there is none."""
        legs = legs_of_trade(message, wallet=self._wallet, api_key_id=self._api_key_id)
        at_ms = _time_of(message, received_ms)
        return [VenueLeg(leg, at_ms, received_ms) for leg in legs] or "a trade without a leg of ours"


def _messages_of(text: bytes | str) -> list[Mapping[str, Any]]:
    try:
        found = _decode(text)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise VenueDataError(f"a frame of the user channel is not JSON: {error}") from error
    messages = found if isinstance(found, list) else [found]
    if not all(isinstance(each, dict) for each in messages):
        raise VenueDataError("a frame of the user channel holds something that is no message")
    return messages


def _time_of(message: Mapping[str, Any], received_ms: int) -> int:
    """Return the venue's time in milliseconds, told in seconds or milliseconds; ours where it cannot be read.

    Nothing is decided by it, so a message is not given up for it.
    """
    told = message.get("timestamp")
    text = str(told) if isinstance(told, str | int) else ""
    if not (text.isascii() and text.isdigit() and len(text) <= 13):
        return received_ms
    number = int(text)
    if _EARLIEST_S <= number < _LATEST_S:
        return number * 1000
    return number if _EARLIEST_S * 1000 <= number < _LATEST_S * 1000 else received_ms


def _excerpt_of(text: bytes | str) -> str:
    start = text[:_EXCERPT_READ]
    return cleaned(start.decode("utf-8", "replace") if isinstance(start, bytes) else start)[
        : VenueDataError.EXCERPT_CHARS
    ]
