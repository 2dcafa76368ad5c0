from __future__ import annotations

import json
from pathlib import Path

import pytest

from polymarket_agent.adapters.polymarket.remedies import remedies_for, remedy_for
from tests.protocol.refusals import CANCEL_ONLY, DISABLED, POST_ONLY, REFUSED, REFUSED_NOW, UNKNOWN

# polymarket-wire.md 7.12 and 7.10, and the states of 6.3 that end an order, as (status, text).
CATALOGUE: list[tuple[int | None, str]] = [
    (401, "Unauthorized/Invalid api key"),
    (401, "Invalid L1 Request headers"),
    (404, "No orderbook exists for the requested token id"),
    (404, "market not found"),
    (425, ""),
    (429, "Too Many Requests"),
    *[(400, text) for text in (*REFUSED, *REFUSED_NOW)],
    *[(400, text) for text in UNKNOWN if text and "nobody has seen" not in text],
    (400, "order 0x12 is invalid. Duplicated."),
    (400, "Could not create api key"),
    (400, "Could not derive api key!"),
    (500, "order timed out"),
    (500, "could not insert order"),
    (500, "there are no matching orders"),
    (500, "the trade contains rounding issues"),
    (500, "Internal server error"),
    (503, POST_ONLY),
    (503, CANCEL_ONLY),
    (503, DISABLED),
    (400, "Invalid Heartbeat ID"),
    (None, "Order not found or already canceled"),
    (None, "already canceled or matched"),
    (None, "CANCELED_MARKET_RESOLVED"),
    (None, "CANCELED_NOT_ENOUGH_BALANCE"),
    (None, "CANCELED_MARKET_NOT_FOUND"),
    (None, "CANCELED_EXPIRED_ORDER"),
    (None, "CANCELED_ORDER_TIMED_OUT"),
    (None, "ORDER_STATUS_INVALID"),
    (None, "CANCELED_order couldn't be fully filled. FOK orders are fully filled or killed."),
]


def check(status: int | None, text: str) -> None:
    found = remedies_for(status, text)
    assert len(found) == 1, f"{status} {text!r} has {[each.code for each in found]}"
    [remedy] = found
    assert remedy_for(status, text) == remedy
    assert len(remedy.sentence.split()) >= 3
    assert remedy.sentence.endswith(".")
    assert len(remedy.fix) >= 15, "a fix says what a person does"
    assert text not in remedy.sentence or not text, "in our own words"


@pytest.mark.parametrize(("status", "text"), CATALOGUE)
def test_every_text_of_the_specification_has_one_remedy(status: int | None, text: str) -> None:
    """Each text of the catalogue has exactly one meaning, and something that a person can do."""
    check(status, text)


def test_every_report_of_a_user_has_one_remedy(shared_data: Path) -> None:
    """Each error that was seen in the wild has exactly one meaning, and something that a person can do."""
    rows = json.loads((shared_data / "errors" / "errors_in_the_wild.json").read_text())["errors"]
    for row in rows:
        check(row["http_status"], row["text"])

    assert len(rows) >= 15


def test_a_page_of_the_edge_is_known_by_its_words() -> None:
    """The block page is found inside HTML, and a 403 without any known word still has advice."""
    page = "<html><title>Attention Required! | Cloudflare</title><h1>Sorry, you have been blocked</h1></html>"

    assert [each.code for each in remedies_for(403, page)] == ["edge_block"]
    assert [each.code for each in remedies_for(403, "")] == ["forbidden"]


def test_an_unknown_text_has_no_remedy() -> None:
    """Nothing is made up for a text that nobody has reported."""
    assert remedy_for(400, "something that nobody has seen yet") is None
    assert remedy_for(None, "") is None


def test_codes_are_one_word_each() -> None:
    """A code names one meaning wherever it stands; two texts may share it."""
    by_code: dict[str, set[str]] = {}
    for status, text in CATALOGUE:
        remedy = remedies_for(status, text)[0]
        by_code.setdefault(remedy.code, set()).add(remedy.sentence)

    assert all(code.replace("_", "").isalnum() and code.islower() for code in by_code)
    assert {code: len(each) for code, each in by_code.items() if len(each) > 1} == {}
