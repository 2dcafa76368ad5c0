"""Answers of the venue by name, to be put in the place of a true one: status, headers, body.

Texts are the venue's own (wire specification, 7.10 and 7.12). A text may have places like {order_id}, filled from
what the server knows of the request; a place that nobody fills gets a plausible value.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["ANSWERS", "Answer", "filled"]

JSON, HTML, TEXT = "application/json", "text/html; charset=UTF-8", "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer. `body` is the exact text that goes out."""

    status: int
    body: str
    headers: Mapping[str, str] = field(default_factory=lambda: {"Content-Type": JSON})


_PLACES = {
    "order_id": "0x" + "00" * 32,
    "price": "0.505",
    "tick": "0.01",
    "size": "1",
    "minimum": "5",
    "address": "0x" + "00" * 20,
    "count": "16",
    "most": "15",
    "balance": "1933630",
    "active": "0",
    "matched": "1050000",
    "amount": "2056000",
    "spender": "0xE111180000d2663C0091e4f400237545B87B996B",
    "allowance": "0",
}


def _error(status: int, text: str, headers: Mapping[str, str] | None = None, **more: Any) -> Answer:
    return Answer(status, json.dumps({"error": text, **more}), {"Content-Type": JSON, **(headers or {})})


def _order(status: str, **more: Any) -> Answer:
    fields = {
        "success": True,
        "errorMsg": "",
        "orderID": "{order_id}",
        "status": status,
        "makingAmount": "",
        "takingAmount": "",
        "tradeIDs": [],
        "transactionsHashes": [],
    }
    return Answer(200, json.dumps(fields | more, ensure_ascii=False))


def _page(status: int, title: str, text: str) -> Answer:
    page = f"<!DOCTYPE html>\n<html><head><title>{title}</title></head><body><h1>{text}</h1></body></html>\n"
    return Answer(status, page, {"Content-Type": HTML, "Server": "cloudflare"})


_POST_ONLY = "post-only mode: only post-only orders and cancels are allowed"
_CANCEL_ONLY = "Trading is currently cancel-only. New orders are not accepted, but cancels are allowed."
_INVALID = "order {order_id} is invalid. "
_FOK = "order couldn't be fully filled. FOK orders are fully filled or killed."
_FAK = "no orders found to match with FAK order. FAK orders are partially filled or killed if no match is found."
_LOW = (
    "not enough balance / allowance: the balance is not enough -> balance: {balance}, sum of active orders: {active}, "
)
_LIMIT = "invalid amounts, the buy orders maker amount supports a max accuracy of 4 decimals, "
_MARKET = "invalid amounts, the market buy orders maker amount supports a max accuracy of 2 decimals, "

ANSWERS: dict[str, Answer] = {
    # who asks
    "unauthorized": _error(401, "Unauthorized/Invalid api key"),
    "invalid_l1_headers": _error(401, "Invalid L1 Request headers"),
    "forbidden_html": _page(403, "Attention Required! | Cloudflare", "Sorry, you have been blocked"),
    # what is asked for
    "no_orderbook": _error(404, "No orderbook exists for the requested token id"),
    "market_not_found": _error(404, "market not found"),
    # how often
    "too_many_requests": _error(429, "Too Many Requests"),
    "too_many_requests_retry_after": _error(429, "Too Many Requests", {"Retry-After": "2"}),
    "too_many_requests_negative": _error(429, "Too Many Requests", {"Poly-RateLimit-Remaining": "-3"}),
    # modes
    "restarting": Answer(425, "service not ready", {"Content-Type": TEXT}),
    "post_only": _error(503, _POST_ONLY, {"Retry-After": "79"}, code="post_only_mode", retry_after_seconds=79),
    "cancel_only": _error(503, _CANCEL_ONLY),
    "disabled": _error(503, "Trading is currently disabled. Check polymarket.com for updates"),
    "unavailable": _error(503, "Service Unavailable"),
    # the payload
    "invalid_payload": _error(400, "Invalid order payload"),
    "invalid_order_id": _error(400, "Invalid orderID"),
    "invalid_token": _error(400, "Invalid token id"),
    "invalid_side": _error(400, "Invalid side"),
    "invalid_asset_type": _error(400, "Invalid asset type"),
    "invalid_signature_type": _error(400, "Invalid signature_type"),
    "payload_too_large": _error(400, "Payload exceeds the limit"),
    "too_many_orders": _error(400, "Too many orders in payload: {count}, max allowed: {most}"),
    # the account
    "wrong_owner": _error(400, "the order owner has to be the owner of the API KEY"),
    "wrong_signer": _error(400, "the order signer address has to be the address of the API KEY"),
    "maker_not_allowed": _error(400, "maker address not allowed, please use the deposit wallet flow"),
    "invalid_signature": _error(400, "invalid signature"),
    "version_mismatch": _error(400, "order_version_mismatch"),
    "banned": _error(400, "'{address}' address banned"),
    "closed_only": _error(400, "'{address}' address in closed only mode"),
    "no_api_key_created": _error(400, "Could not create api key"),
    "no_api_key_derived": _error(400, "Could not derive api key!"),
    # the order
    "tick_size": _error(400, _INVALID + "Price ({price}) breaks minimum tick size rule: {tick}"),
    "too_small": _error(400, _INVALID + "Size ({size}) lower than the minimum: {minimum}"),
    "duplicated": _error(400, _INVALID + "Duplicated."),
    "crosses": _error(400, "order {order_id} crosses the book"),
    "post_only_crosses": _error(400, "invalid post-only order: order crosses book"),
    "invalid_expiration": _error(400, "invalid expiration"),
    "not_enough": _error(400, "not enough balance / allowance"),
    "not_enough_balance": _error(
        400, _LOW + "sum of matched orders: {matched}, order amount (inc. fees): {amount}"
    ),
    "not_enough_allowance": _error(
        400,
        "not enough balance / allowance: the allowance is not enough -> spender: {spender}, "
        "allowance: {allowance}, order amount: {amount}",
    ),
    "limit_accuracy": _error(400, _LIMIT + "taker amount a max of 2 decimals"),
    "market_accuracy": _error(400, _MARKET + "taker amount a max of 4 decimals"),
    "marketable_minimum": _error(400, "invalid amount for a marketable BUY order ($0.05), min size: $1"),
    "canceled_on_chain": _error(400, "order canceled in the CTF exchange contract"),
    "match_delayed": _error(400, "order match delayed due to market conditions"),
    "not_ready": _error(400, "the market is not yet ready to process new orders"),
    "fok_not_filled": _error(400, _FOK),
    "fak_not_filled": _error(400, _FAK),
    "context_canceled": _error(400, "context canceled"),
    # the venue broke
    "timed_out": _error(500, "order timed out"),
    "not_inserted": _error(500, "could not insert order"),
    "not_inserted_400": _error(400, "could not insert order"),
    "nothing_matches": _error(500, "there are no matching orders"),
    "rounding": _error(500, "the trade contains rounding issues"),
    "internal_error": _error(500, "Internal server error"),
    **{f"edge_{status}": _page(status, f"{status}", "Error") for status in (502, 504, *range(520, 527))},
    # accepted, or is it
    "ok_html": _page(200, "Polymarket", "Please wait"),
    "ok_empty": Answer(200, ""),
    "ok_null": Answer(200, "null"),
    "ok_cut_json": Answer(200, '{"success":true,"errorMsg":"","orderID":"0x'),
    "ok_unmatched": _order("unmatched"),
    "ok_delayed": _order("delayed"),
    "ok_unknown_status": _order("parked"),
    "ok_failed_silently": _order("", success=False, orderID=""),
    "ok_missing_fields": Answer(200, '{"success":true}'),
    "ok_null_fields": _order("live", tradeIDs=None, transactionsHashes=None, makingAmount=None),
    "ok_accuracy": _order("", orderID="", errorMsg=_MARKET + "taker amount a max of 4 decimals"),
    # cancels
    "cancel_not_found": Answer(
        200, '{"canceled":[],"not_canceled":{"{order_id}":"Order not found or already canceled"}}'
    ),
    "cancel_matched": Answer(200, '{"canceled":[],"not_canceled":{"{order_id}":"already canceled or matched"}}'),
}  # fmt: skip


def filled(answer: Answer, context: Mapping[str, object]) -> Answer:
    """Return an answer with its places filled, as JSON text stays valid whatever the values hold."""
    body = answer.body
    if "{" in body:
        for place, usual in _PLACES.items():
            if "{" + place + "}" in body:
                body = body.replace("{" + place + "}", json.dumps(str(context.get(place, usual)))[1:-1])
    return Answer(answer.status, body, answer.headers)
