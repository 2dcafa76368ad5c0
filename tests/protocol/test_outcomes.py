from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymarket_agent.adapters.polymarket.outcomes import (
    classify,
    classify_accepted,
    classify_element,
    classify_text,
    cleaned,
    no_answer,
    not_sent,
    retry_after_seconds,
)
from polymarket_agent.domain.venue import Answer, SubmitOutcome, VenueMode
from tests.protocol.refusals import (
    CANCEL_ONLY,
    DISABLED,
    FOK,
    HTML,
    JSON,
    NEAR,
    OTHER,
    OURS,
    POST_ONLY,
    REFUSED,
    REFUSED_NOW,
    UNKNOWN,
)


def refusal(status: int, text: str, **more: Any) -> SubmitOutcome:
    body = json.dumps({"error": text, **more}).encode()
    return classify(http_status=status, body=body, content_type=JSON, expected_id=OURS)


def accepted(**changed: Any) -> bytes:
    fields = {
        "success": True,
        "errorMsg": "",
        "orderID": OURS,
        "status": "live",
        "makingAmount": "",
        "takingAmount": "",
    }
    return json.dumps(fields | changed).encode()


def ok(body: bytes, content_type: str = JSON) -> SubmitOutcome:
    return classify(http_status=200, body=body, content_type=content_type, expected_id=OURS)


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_true_of_the_bytes_is_refused_for_ever(text: str) -> None:
    """Each text of the row is a proof on a 400, through every door; on any other status it proves nothing."""
    assert refusal(400, text).answer is Answer.REFUSED
    assert classify_text(400, text, OURS).answer is Answer.REFUSED
    assert ok(accepted(success=False, errorMsg=text, orderID="", status="")).answer is Answer.REFUSED
    assert {refusal(status, text).answer for status in (404, 409, 422, 500, 502, 503)} == {Answer.UNKNOWN}


@pytest.mark.parametrize("text", REFUSED_NOW)
def test_what_is_true_of_the_moment_is_not_now(text: str) -> None:
    """Each text of the row says "not now" on a 400, and nothing on a 500."""
    assert refusal(400, text).answer is Answer.REFUSED_NOW
    assert refusal(500, text).answer is Answer.UNKNOWN


@pytest.mark.parametrize("text", UNKNOWN + NEAR)
def test_a_text_that_is_not_on_the_list_proves_nothing(text: str) -> None:
    """Another text, and one that is only almost on the list, leaves the outcome unknown."""
    assert refusal(400, text).answer is Answer.UNKNOWN
    assert ok(accepted(success=False, errorMsg=text, orderID="", status="")).answer is Answer.UNKNOWN


def test_a_duplicate_is_proof_only_of_our_own_bytes() -> None:
    """`Duplicated.` with our id says that these bytes arrived; with another id it says nothing about them."""
    assert refusal(400, f"order {OURS} is invalid. Duplicated.").answer is Answer.DUPLICATE
    assert refusal(400, f"order {OURS.upper().replace('X', 'x')} is invalid. Duplicated.").answer is Answer.DUPLICATE
    assert refusal(400, f"order {OTHER} is invalid. Duplicated.").answer is Answer.UNKNOWN
    assert refusal(400, f"order {OTHER} crosses the book").answer is Answer.UNKNOWN
    assert refusal(500, f"order {OURS} is invalid. Duplicated.").answer is Answer.UNKNOWN


@pytest.mark.parametrize(
    ("status", "answer"),
    [("live", Answer.ACCEPTED), ("matched", Answer.ACCEPTED), ("delayed", Answer.ACCEPTED_DELAYED)],
)
def test_an_order_is_accepted_by_its_own_id_and_a_known_status(status: str, answer: Answer) -> None:
    """Success with our id and one of three words is an acceptance, whatever the case of the id's letters."""
    found = ok(accepted(status=status, orderID=OURS.upper().replace("0X", "0x")))

    assert (found.answer, found.status, found.http_status) == (answer, status, 200)
    assert classify_accepted(OURS, status, OURS).answer is answer


@pytest.mark.parametrize("success", [True, False])
@pytest.mark.parametrize("status", ["live", "matched", "unmatched", "", "parked"])
def test_another_id_is_told_apart_from_everything_else(success: bool, status: str) -> None:
    """A 200 that names another order is the answer that halts, whatever else it says."""
    found = ok(accepted(orderID=OTHER, status=status, success=success))

    assert (found.answer, found.order_id) == (Answer.WRONG_ID, OTHER)


@pytest.mark.parametrize(
    "body",
    [
        accepted(status="unmatched"),
        accepted(status="parked"),
        accepted(status="LIVE"),
        accepted(status=None),
        accepted(orderID=""),
        accepted(orderID=None),
        accepted(success="true"),
        accepted(success=False),
        accepted(success=False, orderID="", errorMsg=""),
        accepted(success=False, errorMsg=FOK),
        accepted(errorMsg="invalid amounts, the market buy orders maker amount supports a max accuracy of 2 decimals"),
        accepted(errorMsg=POST_ONLY, orderID=""),
        accepted()[:-20],
        b'{"success":true}',
        b"{}",
        b"[]",
        b"null",
        b"",
        b"\xff\xfe",
        HTML.encode(),
        b"[" * 5_000,
    ],
)
def test_a_200_that_says_anything_else_proves_nothing(body: bytes) -> None:
    """Unmatched, new words, missing fields, contradictions, cut JSON and pages are unknown."""
    assert ok(body).answer is Answer.UNKNOWN


def test_a_failed_credential_check_is_not_now_by_its_exact_text_only() -> None:
    """A 401 counts with the sentence of the check; the venue gives that status to other messages too."""
    assert refusal(401, "Unauthorized/Invalid api key").answer is Answer.REFUSED_NOW
    assert refusal(401, "Invalid L1 Request headers").answer is Answer.UNKNOWN
    assert refusal(401, "user is unauthorized to trade").answer is Answer.UNKNOWN
    assert refusal(400, "Unauthorized/Invalid api key").answer is Answer.UNKNOWN


def test_a_403_is_the_edge_only_when_it_is_no_json() -> None:
    """A page of the edge never reached the venue; a 403 in JSON may come from behind it."""
    page = classify(http_status=403, body=HTML.encode(), content_type="text/html", expected_id=OURS)
    cut = classify(http_status=403, body=b'{"error":"forb', content_type=JSON, expected_id=OURS)

    assert page.answer is Answer.REFUSED_NOW
    assert refusal(403, "forbidden").answer is Answer.UNKNOWN
    assert refusal(403, "invalid signature").answer is Answer.UNKNOWN
    assert cut.answer is Answer.UNKNOWN


@pytest.mark.parametrize(
    ("text", "mode"),
    [(POST_ONLY, VenueMode.POST_ONLY), (CANCEL_ONLY, VenueMode.CANCEL_ONLY), (DISABLED, VenueMode.DISABLED)],
)
def test_a_503_is_a_mode_by_its_exact_text_only(text: str, mode: VenueMode) -> None:
    """The three sentences are refusals that also tell the venue's mode; any other 503 is unknown."""
    found = refusal(503, text, code="x", retry_after_seconds=79)

    assert (found.answer, found.mode, found.retry_after_s) == (Answer.REFUSED_NOW, mode, 79.0)
    assert refusal(503, text + " ").mode is mode, "blanks around a text are not part of it"
    assert refusal(503, text[:-1]).answer is Answer.UNKNOWN
    assert refusal(500, text).answer is Answer.UNKNOWN


def test_a_restart_and_a_rate_limit_are_not_now() -> None:
    """425 and 429 count by their status, with the wait that the header asks for; the 425 of users is no JSON."""
    early = classify(http_status=425, body=b"service not ready", content_type="text/plain", expected_id=OURS)
    often = classify(http_status=429, body=b"", content_type="", expected_id=OURS, retry_after="2")

    assert (early.answer, early.mode, early.text) == (Answer.REFUSED_NOW, VenueMode.RESTARTING, "service not ready")
    assert (often.answer, often.mode, often.retry_after_s) == (Answer.REFUSED_NOW, None, 2.0)


@pytest.mark.parametrize(
    "status", [201, 204, 301, 302, 307, 404, 405, 408, 409, 422, 499, 500, 502, 503, 504, 520, 524]
)
def test_every_other_status_is_unknown(status: int) -> None:
    """Whatever the body, these statuses prove neither acceptance nor refusal."""
    for body in (accepted(), b"", HTML.encode(), b'{"error":"invalid signature"}'):
        found = classify(http_status=status, body=body, content_type=JSON, expected_id=OURS)
        assert found.answer is Answer.UNKNOWN


def test_the_transport_tells_not_sent_from_not_answered() -> None:
    """Only what never left is "not sent"; a lost answer is unknown, and so is an answer without a status."""
    assert not_sent("no connection").answer is Answer.NOT_SENT
    assert no_answer("timed out").answer is Answer.UNKNOWN
    assert classify_text(None, "invalid signature", OURS).answer is Answer.UNKNOWN


def test_texts_are_one_line_cut_and_without_secrets() -> None:
    """What is kept of the venue's words has no control characters, 300 characters, and nothing shaped like a secret."""
    secret, passphrase, signature = "A" * 43 + "=", "ab" * 32, "0x" + "cd" * 65
    shown = cleaned(f"\x1b[31mkey {secret}\n{passphrase}\t{signature} of order {OURS} " + "z " * 400)

    assert shown.isprintable()
    assert len(shown) <= 300
    assert OURS in shown
    assert not any(each in shown for each in (secret, passphrase, signature))


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("2", 2.0), ("0.5", 0.5), (79, 79.0), ("", None), (None, None), ("-1", None), ("nan", None), ("inf", 86_400.0),
     ("Wed, 21 Oct 2026 07:28:00 GMT", None), ("999999999", 86_400.0), (True, None)],
)  # fmt: skip
def test_a_wait_is_read_within_reason(header: Any, seconds: float | None) -> None:
    """A wait is a number of seconds up to a day; anything else is no wait."""
    assert retry_after_seconds(header) == seconds


def test_the_reports_of_users_are_read_as_the_table_says(shared_data: Path) -> None:
    """Every error that was seen in the wild gets the class of its row, and the real acceptance is one."""
    expected = {
        "balance-1": Answer.REFUSED_NOW,
        "balance-2": Answer.REFUSED_NOW,
        "version-1": Answer.UNKNOWN,
        "signature-1": Answer.REFUSED,
        "cross-1": Answer.REFUSED_NOW,
        "min-1": Answer.REFUSED_NOW,
        "accuracy-1": Answer.UNKNOWN,
        "accuracy-2": Answer.UNKNOWN,
        "auth-1": Answer.REFUSED_NOW,
        "book-404": Answer.UNKNOWN,
        "425": Answer.REFUSED_NOW,
        "fok-1": Answer.REFUSED_NOW,
        "none-1": Answer.UNKNOWN,
        "tick-1": Answer.UNKNOWN,
        "403-html": Answer.REFUSED_NOW,
    }
    folder = shared_data / "errors"
    rows = json.loads((folder / "errors_in_the_wild.json").read_text())["errors"]
    for row in rows:
        found = classify_text(row["http_status"], row["text"], OURS, is_json=row["id"] != "403-html")
        assert found.answer is expected[row["id"]], row["id"]
    for reply in json.loads((folder / "order_replies.json").read_text()):
        response = reply["response"]
        assert classify_element(response, response["orderID"]).answer is Answer.ACCEPTED
        assert classify_element(response, OURS).answer is Answer.WRONG_ID
    assert len(rows) == len(expected)


@given(status=st.integers(100, 599), body=st.binary(max_size=200), kind=st.sampled_from([JSON, "text/html", ""]))
def test_noise_is_never_an_acceptance(status: int, body: bytes, kind: str) -> None:
    """Random bytes on any status are never taken for an acceptance, a duplicate or a final refusal."""
    found = classify(http_status=status, body=body, content_type=kind, expected_id=OURS)

    assert found.answer in (Answer.UNKNOWN, Answer.REFUSED_NOW)
    assert found.text.isprintable()


@given(st.sampled_from(REFUSED + REFUSED_NOW), st.integers(0, 200), st.characters())
def test_a_changed_text_is_not_the_text(text: str, place: int, character: str) -> None:
    """A text with one strange character in it is off the list, unless it is a blank at its end or a digit of a number."""
    at = place % (len(text) + 1)
    changed = text[:at] + character + text[at:]
    same = changed.strip() == text or (character.isascii() and (character.isdigit() or character == "."))
    grown = re.sub(r"[0-9]", "", changed.strip()) == re.sub(r"[0-9]", "", text)

    assert same or grown or refusal(400, changed).answer is Answer.UNKNOWN
