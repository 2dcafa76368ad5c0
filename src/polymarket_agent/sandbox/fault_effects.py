"""Carrying faults out, as far as it is pure: what becomes of a body, and of the messages of one stream."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections import OrderedDict, deque
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from polymarket_agent.sandbox.faults import Fault, FaultInjector

__all__ = ["Delivery", "StaleAnswers", "StreamLane", "altered"]

_LAST_CURSOR = "LTE="
_SNAPSHOTS = 64  # answers kept of one read
_READS = 512  # reads remembered
_PENDING = 4_096  # messages that a silence or a delay may hold back


def altered(fault: Fault, body: bytes) -> bytes:
    """Return what becomes of an answer's body: cut, null, wrong_id, page_lost; else unchanged.

    A `cut` answer announces its full length, sends what is left, and closes the connection.
    """
    match fault.kind:
        case "cut":
            return body[: fault.count]
        case "null":
            return b"null"
        case "wrong_id":
            return _rewritten(body, _wrong_id)
        case "page_lost":
            return _rewritten(body, _last_page if fault.argument == "end" else _empty_page)
        case _:
            return body


def _rewritten(body: bytes, change: Any) -> bytes:
    try:
        tree = json.loads(body)
    except ValueError:
        return body
    return json.dumps(change(tree), separators=(",", ":")).encode()


def _wrong_id(tree: Any) -> Any:
    """Change the last digit of every id of an order or a heartbeat in an answer."""
    if isinstance(tree, list):
        return [_wrong_id(each) for each in tree]
    if not isinstance(tree, dict):
        return _other(tree) if isinstance(tree, str) and tree.startswith("0x") else tree
    ids = ("orderID", "heartbeat_id")
    out = {key: _other(value) if key in ids and value else value for key, value in tree.items()}
    if isinstance(out.get("canceled"), list):
        out["canceled"] = _wrong_id(out["canceled"])
    return out


def _other(identifier: str) -> str:
    return identifier[:-1] + ("0" if identifier[-1] != "0" else "1")


def _empty_page(tree: Any) -> Any:
    if isinstance(tree, list):
        return []
    if isinstance(tree, dict) and isinstance(tree.get("data"), list):
        return tree | {"data": []} | ({"count": 0} if "count" in tree else {})
    return tree


def _last_page(tree: Any) -> Any:
    if isinstance(tree, dict) and "next_cursor" in tree:
        return tree | {"next_cursor": _LAST_CURSOR} | ({"has_more": False} if "has_more" in tree else {})
    return tree[: len(tree) // 2] if isinstance(tree, list) else tree


class StaleAnswers:
    """What reads were answered with, so that an old answer can be given again."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, deque[tuple[int, bytes]]] = OrderedDict()

    def remember(self, key: str, now_ms: int, body: bytes) -> None:
        """Keep an answer; `key` tells reads apart: path, query and who asked."""
        kept = self._kept.setdefault(key, deque(maxlen=_SNAPSHOTS))
        self._kept.move_to_end(key)
        kept.append((now_ms, body))
        if len(self._kept) > _READS:
            self._kept.popitem(last=False)

    def as_of(self, key: str, at_ms: int) -> bytes | None:
        """Return what was answered last at a moment, or the oldest known; None when there was no answer at all."""
        kept = self._kept.get(key)
        if not kept:
            return None
        index = bisect_right(kept, at_ms, key=lambda each: each[0])
        return kept[max(index - 1, 0)][1]


class Delivery(NamedTuple):
    """What goes to a connection now, in order, and the code it is then closed with."""

    messages: list[str]
    close: int | None = None


class StreamLane:
    """The messages of one connection on their way, with what goes wrong there.

    The server pushes every message and sends what comes out; at `next_due_ms` it asks `due`. Pings are none of its
    business, so they are answered in a silence too.
    """

    def __init__(self, injector: FaultInjector, channel: str) -> None:
        self._injector = injector
        self._point = f"stream.{channel}"
        self._drop = 0
        self._silent_until_ms = 0
        self._held: str | None = None  # waits to be overtaken by the next
        self._late: list[tuple[int, int, str]] = []
        self._serial = 0

    def push(self, message: str, now_ms: int, **context: object) -> Delivery:
        """Take one message and return what the connection gets."""
        if now_ms < self._silent_until_ms:
            return Delivery([])
        out = self.due(now_ms).messages
        if self._drop:
            self._drop -= 1
            return Delivery(out)
        fault = self._injector.at(self._point, now_ms=now_ms, **context)
        sent, close = ([message], None) if fault is None else self._strike(fault, message, now_ms)
        if self._held is not None and sent:
            sent.append(self._held)
            self._held = None
        if fault is not None and fault.kind == "reorder" and self._held is None:
            self._held = message
        return Delivery(out + sent, close)

    def _strike(self, fault: Fault, message: str, now_ms: int) -> tuple[list[str], int | None]:
        match fault.kind:
            case "drop":
                self._drop = max(fault.count - 1, 0)
            case "delay":
                self._serial += 1
                self._late.append((now_ms + fault.delay_ms, self._serial, message))
                self._late = sorted(self._late)[:_PENDING]
            case "duplicate":
                return [message, message], None
            case "silence":
                self._silent_until_ms = now_ms + fault.delay_ms
            case "close":
                return [], fault.count
            case "garble":
                return [_garbled(message)], None
            case _:
                pass
        return [], None

    @property
    def next_due_ms(self) -> int | None:
        """When a message that was held back goes out."""
        return self._late[0][0] if self._late else None

    def due(self, now_ms: int) -> Delivery:
        """Return the held-back messages whose time has come."""
        ready = [message for at_ms, _, message in self._late if at_ms <= now_ms]
        del self._late[: len(ready)]
        return Delivery(ready)


def _garbled(message: str) -> str:
    """Return a message whose second half is lost."""
    return message[: max(len(message) // 2, 1)]
