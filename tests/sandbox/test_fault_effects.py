from __future__ import annotations

import json
from typing import Any

import pytest

from polymarket_agent.sandbox.fault_answers import ANSWERS
from polymarket_agent.sandbox.fault_effects import StaleAnswers, StreamLane, altered
from polymarket_agent.sandbox.fault_plan import FaultPlan
from polymarket_agent.sandbox.faults import Fault, FaultInjector


def plan(*rules: dict[str, Any], seed: int = 1) -> FaultPlan:
    return FaultPlan.load({"seed": seed, "rules": list(rules)})


def lane(*rules: dict[str, Any]) -> StreamLane:
    return StreamLane(FaultInjector(plan(*rules)), "user")


def pushed(stream: StreamLane, count: int, step_ms: int = 1_000) -> list[list[str]]:
    return [stream.push(f"message {n}", n * step_ms).messages for n in range(1, count + 1)]


@pytest.mark.parametrize("name", sorted(ANSWERS))
def test_named_answers_are_whole(name: str) -> None:
    """Each named answer has no place left open, and is JSON exactly where it says so, unless that is its fault."""
    injector = FaultInjector(plan({"point": "post.answer", "fault": "replace", "argument": name, "nth": 1}))
    fault = injector.at("post.answer", order_id='0x"quoted"')
    assert fault is not None
    answer = fault.answer

    assert "{order_id}" not in answer.body
    assert not any("{" + place in answer.body for place in ("price", "tick", "size", "address", "balance", "amount"))
    if answer.headers["Content-Type"] == "application/json" and name not in ("ok_empty", "ok_cut_json"):
        json.loads(answer.body)


@pytest.mark.parametrize(
    ("name", "status", "text"),
    [
        ("unauthorized", 401, "Unauthorized/Invalid api key"),
        ("restarting", 425, "service not ready"),
        ("too_many_requests", 429, "Too Many Requests"),
        ("post_only", 503, '"retry_after_seconds": 79'),
        ("cancel_only", 503, "Trading is currently cancel-only."),
        ("disabled", 503, "Trading is currently disabled."),
        ("duplicated", 400, "order 0xabc is invalid. Duplicated."),
        ("forbidden_html", 403, "Sorry, you have been blocked"),
        ("edge_522", 522, "522"),
    ],
)
def test_documented_answers_have_their_status_and_text(name: str, status: int, text: str) -> None:
    """The venue's own words and numbers, with the order's id where one belongs."""
    fault = FaultInjector(plan({"point": "post.answer", "fault": "replace", "argument": name, "nth": 1})).at(
        "post.answer", order_id="0xabc"
    )

    assert fault is not None
    assert fault.answer.status == status
    assert text in fault.answer.body


def test_an_answer_of_ones_own_can_be_given() -> None:
    """A mapping with status, body and headers replaces the answer too."""
    argument = {"status": 418, "body": {"error": "teapot"}, "headers": {"Retry-After": 3}}
    fault = FaultInjector(plan({"point": "post.answer", "fault": "replace", "argument": argument, "nth": 1})).at(
        "post.answer"
    )

    assert fault is not None
    assert (fault.answer.status, fault.answer.body) == (418, '{"error": "teapot"}')
    assert fault.answer.headers["Retry-After"] == "3"


def test_bodies_are_altered() -> None:
    """Cut leaves so many bytes, null is null, a wrong id differs in its last digit, a lost page has no rows."""
    page = b'{"data":[{"id":1}],"next_cursor":"MTAw","limit":100,"count":1}'

    def after(kind: str, argument: Any, body: bytes) -> Any:
        return altered(Fault("post.answer", kind, argument, 1), body)

    assert after("cut", 4, b'{"success":true}') == b'{"su'
    assert after("null", None, page) == b"null"
    assert after("wrong_id", None, b'{"orderID":"0xab0","status":"live"}') == b'{"orderID":"0xab1","status":"live"}'
    assert json.loads(after("wrong_id", None, b'[{"orderID":"0xab5"}]')) == [{"orderID": "0xab0"}]
    assert json.loads(after("wrong_id", None, b'{"canceled":["0x1"],"not_canceled":{}}'))["canceled"] == ["0x0"]
    assert json.loads(after("page_lost", "rows", page)) == {
        "data": [],
        "next_cursor": "MTAw",
        "limit": 100,
        "count": 0,
    }
    assert json.loads(after("page_lost", "end", page))["next_cursor"] == "LTE="
    assert after("wrong_id", None, b"<html>") == b"<html>"
    assert after("delay", 1.0, page) == page


def test_a_stale_answer_is_the_last_one_before() -> None:
    """An answer as of a moment is what was answered last by then, or the oldest known, or none."""
    stale = StaleAnswers()
    for at_ms in (1_000, 2_000, 3_000):
        stale.remember("balance", at_ms, f"{at_ms}".encode())

    assert [stale.as_of("balance", at_ms) for at_ms in (500, 1_999, 2_000, 9_000)] == [
        b"1000",
        b"1000",
        b"2000",
        b"3000",
    ]
    assert stale.as_of("orders", 1_000) is None


def test_a_stream_drops_doubles_and_garbles() -> None:
    """Drop loses so many messages, duplicate sends two, garble cuts one in half, and the rest goes through."""
    rule = {"point": "stream.user", "nth": 2}

    assert pushed(lane(rule | {"fault": "drop", "argument": 2}), 4) == [["message 1"], [], [], ["message 4"]]
    assert pushed(lane(rule | {"fault": "duplicate"}), 2)[1] == ["message 2", "message 2"]
    assert pushed(lane(rule | {"fault": "garble"}), 2)[1] == ["mess"]


def test_a_stream_reorders() -> None:
    """A reordered message comes right after the one that followed it."""
    stream = lane({"point": "stream.user", "fault": "reorder", "nth": 1})

    assert pushed(stream, 3) == [[], ["message 2", "message 1"], ["message 3"]]


def test_a_stream_delays() -> None:
    """A delayed message goes out at its time, by itself or before the next that is sent then."""
    stream = lane({"point": "stream.user", "fault": "delay", "argument": 2.5, "nth": 1})

    assert pushed(stream, 2) == [[], ["message 2"]]
    assert stream.next_due_ms == 3_500
    assert stream.due(3_499).messages == []
    assert stream.push("message 4", 4_000).messages == ["message 1", "message 4"]
    assert stream.next_due_ms is None


def test_a_stream_falls_silent_and_comes_back() -> None:
    """A silence swallows everything for its seconds, then messages flow again."""
    stream = lane({"point": "stream.user", "fault": "silence", "argument": 3, "nth": 2})

    assert pushed(stream, 5) == [["message 1"], [], [], [], ["message 5"]]


def test_a_stream_is_closed_with_its_code() -> None:
    """A close sends nothing and gives the code."""
    stream = lane({"point": "stream.user", "fault": "close", "argument": 1006, "nth": 1})

    assert stream.push("message", 0) == ([], 1006)
