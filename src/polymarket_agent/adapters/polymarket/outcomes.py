"""What the answer to a POST of an order proves: an allow-list of exact texts. Pure.

What is not on the list is `UNKNOWN`. Status codes alone mislead: the venue rewrites them by words in its messages
("not found" becomes 404, "unauthorized" 401, "context canceled" 400), and a 500 may stand over an accepted order.

Source: ../shared/spec/failure-model.md, section 2.5; the texts are those of polymarket-wire.md, sections 7.6 to 7.12.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from polymarket_agent.domain.venue import Answer, SubmitOutcome, VenueMode

__all__ = [
    "classify",
    "classify_accepted",
    "classify_element",
    "classify_text",
    "cleaned",
    "no_answer",
    "not_sent",
    "retry_after_seconds",
]

TEXT_CHARS = 300
_READ_CHARS = 4_000  # a text longer than this is on no list
_LONGEST_WAIT_S = 86_400.0

_OK, _BAD_REQUEST, _UNAUTHORIZED, _FORBIDDEN = 200, 400, 401, 403
_TOO_EARLY, _TOO_MANY_REQUESTS, _UNAVAILABLE = 425, 429, 503

_ACCEPTED = {
    "live": Answer.ACCEPTED,
    "matched": Answer.ACCEPTED,
    "delayed": Answer.ACCEPTED_DELAYED,
}

_ID = r"order (?P<id>0x[0-9a-fA-F]{64})"
_NUMBER = r"[0-9]{0,30}\.?[0-9]{1,30}"
_SHORT_OF = r"not enough balance / allowance"
_CREDENTIAL_CHECK = "Unauthorized/Invalid api key"


class _Rule(NamedTuple):
    pattern: re.Pattern[str]
    answer: Answer


def _rules(answer: Answer, *patterns: str) -> list[_Rule]:
    return [_Rule(re.compile(pattern), answer) for pattern in patterns]


# Texts of a 400, each as a whole. True of the bytes first, then of the moment.
_TEXTS: tuple[_Rule, ...] = (
    *_rules(
        Answer.REFUSED,
        r"invalid signature",
        r"Invalid order payload",
        r"Invalid orderID",
        r"Invalid token id",
        r"Invalid side",
        r"Invalid asset type",
        r"Invalid signature_type",
        r"Payload exceeds the limit",
        r"Too many orders in payload: [0-9]{1,9}, max allowed: [0-9]{1,9}",
        rf"{_ID} is invalid\. Size \({_NUMBER}\) lower than the minimum: {_NUMBER}",
        r"invalid expiration",
    ),
    *_rules(
        Answer.REFUSED_NOW,
        rf"{_ID} is invalid\. Price \({_NUMBER}\) breaks minimum tick size rule: {_NUMBER}",
        # Whether an order is marketable is true of the moment, unlike the minimum of shares.
        rf"invalid amount for a marketable BUY order \(\${_NUMBER}\), min size: \${_NUMBER}",
        _SHORT_OF,
        _SHORT_OF + r": the balance is not enough -> balance: [0-9]{1,78}(?:, sum of active orders: [0-9]{1,78})?"
        r"(?:, sum of matched orders: [0-9]{1,78})?, order amount \(inc\. fees\): [0-9]{1,78}",
        _SHORT_OF + r": the allowance is not enough -> spender: 0x[0-9a-fA-F]{40}, allowance: [0-9]{1,78}"
        r", order amount: [0-9]{1,78}",
        rf"{_ID} crosses the book",
        r"invalid post-only order: order crosses book",
        r"order couldn't be fully filled\. FOK orders are fully filled or killed\.",
        r"no orders found to match with FAK order\. FAK orders are partially filled or killed if no match is found\.",
        r"the market is not yet ready to process new orders",
        r"'0x[0-9a-fA-F]{40}' address in closed only mode",
    ),
    *_rules(Answer.DUPLICATE, rf"{_ID} is invalid\. Duplicated\."),
)

_MODE_TEXTS = {
    "post-only mode: only post-only orders and cancels are allowed": VenueMode.POST_ONLY,
    "Trading is currently cancel-only. New orders are not accepted, but cancels are allowed.": VenueMode.CANCEL_ONLY,
    "Trading is currently disabled. Check polymarket.com for updates": VenueMode.DISABLED,
}

# An API secret is base64 of 32 bytes, a passphrase 64 hex digits, a signature longer; an order id starts with 0x.
_SECRETIVE = re.compile(r"0x[0-9a-fA-F]{65,}|(?<![0-9a-zA-Z])[0-9a-fA-F]{64,}|[A-Za-z0-9_/+-]{43}=|[A-Za-z0-9_/+]{80,}")


def cleaned(text: str) -> str:
    """Return a text of the venue on one line, cut to 300 characters, without anything that could be a secret."""
    printable = "".join(each if each.isprintable() else " " for each in text[:_READ_CHARS])
    return _SECRETIVE.sub("[removed]", " ".join(printable.split()))[:TEXT_CHARS]


def retry_after_seconds(header: str | float | None) -> float | None:
    """Return the wait that the venue asks for in seconds, at most a day; None when it says none or a date."""
    try:
        seconds = float(header) if header is not None and not isinstance(header, bool) else -1.0
    except ValueError:
        return None
    return min(seconds, _LONGEST_WAIT_S) if seconds >= 0 else None


def classify(
    *, http_status: int, body: bytes, content_type: str, expected_id: str, retry_after: str | None = None
) -> SubmitOutcome:
    """Say what one answer to `POST /order` proves about the order with id `expected_id`. Never raises."""
    try:
        found: Any = msgspec.json.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        found = None
    if http_status == _OK:
        return classify_element(found if isinstance(found, dict) else {}, expected_id)
    is_json = found is not None or "json" in content_type.lower()
    seconds = retry_after_seconds(retry_after)
    text = body.decode("utf-8", "replace")
    if isinstance(found, dict):
        text = found["error"] if isinstance(found.get("error"), str) else ""
        if seconds is None and isinstance(found.get("retry_after_seconds"), int | float | str):
            seconds = retry_after_seconds(found["retry_after_seconds"])
    elif isinstance(found, str):
        text = found
    return classify_text(http_status, text, expected_id, is_json=is_json, retry_after_s=seconds)


def classify_text(
    http_status: int | None,
    text: str,
    expected_id: str,
    *,
    is_json: bool = True,
    retry_after_s: float | None = None,
) -> SubmitOutcome:
    """Say what a refusal proves, given its HTTP status and the venue's text (its `error`).

    `is_json` says that the answer was the venue's own JSON and not a page of its edge. Without a status nothing is
    proven. A text that names another order proves nothing about ours.
    """
    said = text.strip()
    answer, mode = Answer.UNKNOWN, None
    if http_status == _BAD_REQUEST:
        answer = _of_text(said, expected_id)
    elif http_status == _UNAUTHORIZED:
        answer = Answer.REFUSED_NOW if said == _CREDENTIAL_CHECK else Answer.UNKNOWN
    elif http_status == _FORBIDDEN:
        answer = Answer.UNKNOWN if is_json else Answer.REFUSED_NOW
    elif http_status == _TOO_EARLY:
        answer, mode = Answer.REFUSED_NOW, VenueMode.RESTARTING
    elif http_status == _TOO_MANY_REQUESTS:
        answer = Answer.REFUSED_NOW
    elif http_status == _UNAVAILABLE:
        mode = _MODE_TEXTS.get(said)
        answer = Answer.REFUSED_NOW if mode is not None else Answer.UNKNOWN
    return SubmitOutcome(
        answer=answer, text=cleaned(said), http_status=http_status or 0, retry_after_s=retry_after_s, mode=mode
    )


def classify_accepted(order_id: str, status: str, expected_id: str) -> SubmitOutcome:
    """Say what a successful answer proves, given the id and the status word in it."""
    shown_id, shown_status = cleaned(order_id), cleaned(status)
    answer = _ACCEPTED.get(status, Answer.UNKNOWN)
    if not order_id:
        answer = Answer.UNKNOWN
    elif order_id.lower() != expected_id.lower():
        answer = Answer.WRONG_ID
    return SubmitOutcome(answer=answer, http_status=_OK, status=shown_status, order_id=shown_id)


def classify_element(element: Mapping[str, Any], expected_id: str) -> SubmitOutcome:
    """Say what the object of a 200 proves, of `POST /order` or of one place in the list of `POST /orders`."""
    order_id, status = element.get("orderID"), element.get("status")
    error, success = element.get("errorMsg", ""), element.get("success")
    text = error if isinstance(error, str) else ""
    if not isinstance(order_id, str):
        return SubmitOutcome(answer=Answer.UNKNOWN, text=cleaned(text), http_status=_OK)
    if order_id and order_id.lower() != expected_id.lower():
        return classify_accepted(order_id, status if isinstance(status, str) else "", expected_id)
    if success is False and not order_id:
        return SubmitOutcome(answer=_of_text(text.strip(), expected_id), text=cleaned(text), http_status=_OK)
    if success is True and error in ("", None) and isinstance(status, str):
        return classify_accepted(order_id, status, expected_id)
    return SubmitOutcome(
        answer=Answer.UNKNOWN,
        text=cleaned(text),
        http_status=_OK,
        status=cleaned(status) if isinstance(status, str) else "",
        order_id=cleaned(order_id),
    )


def not_sent(text: str) -> SubmitOutcome:
    """Return the outcome of an attempt of which no byte left, as the transport reports."""
    return SubmitOutcome(answer=Answer.NOT_SENT, text=cleaned(text))


def no_answer(text: str) -> SubmitOutcome:
    """Return the outcome of an attempt that may have arrived and was not answered: time-out, reset, cut answer."""
    return SubmitOutcome(answer=Answer.UNKNOWN, text=cleaned(text))


def _of_text(text: str, expected_id: str) -> Answer:
    if len(text) > _READ_CHARS:
        return Answer.UNKNOWN
    for rule in _TEXTS:
        found = rule.pattern.fullmatch(text)
        if found is not None:
            named = found.groupdict().get("id")
            return rule.answer if named is None or named.lower() == expected_id.lower() else Answer.UNKNOWN
    return Answer.UNKNOWN
