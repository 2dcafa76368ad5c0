"""Orders and requests that official clients really sent, and small makers of orders for the signing and auth tests."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from polymarket_agent.domain.levels import Side
from polymarket_agent.sandbox.signing import OrderFields, OrderFieldsV1, Wallet, order_fields

TEST_KEY = (
    "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"  # public first key of development chains
)
TEST_ADDRESS = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
SECOND_KEY = "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d"  # the second of them
CTF_TOKEN = "71321045679252212594626385532706912750332728571942532289631379312455583992563"
NEG_RISK_TOKEN = "11111045679252212594626385532706912750332728571942532289631379312455583990001"
POSITION = "663574927012476832975694178961957910328055987427402067619466963999000625152"
CAPTURES = (
    "unified-01-create",
    "unified-03-orders",
    "unified-04-cancel-account",
    "unified-07-allowance-recovery",
    "clob-v2-01-orders",
    "clob-v2-02-rest",
    "clob-v1",
)


def captured(shared_data: Path, name: str) -> Any:
    """Return one file of the wire specification's captures, or skip where the specification is absent."""
    path = shared_data.parent / "spec" / "captures" / f"{name}.json"
    if not path.is_file():
        pytest.skip(f"no captures of the wire specification at {path.parent}")
    return json.loads(path.read_text(encoding="utf-8"))


def captured_requests(shared_data: Path) -> Iterator[dict[str, Any]]:
    """Yield every request that the clients sent to the clob in the captures."""
    for name in CAPTURES:
        for exchange in captured(shared_data, name)["exchanges"]:
            if exchange["service"] == "clob":
                yield exchange["request"]


def raw_body(request: dict[str, Any]) -> bytes:
    """Return a captured body's bytes: the clients write compact JSON in their own order of keys, as the capture keeps it."""
    if request["body"] is None:
        return b""
    body = json.dumps(request["body"], separators=(",", ":")).encode()
    assert len(body) == request["raw_body_bytes"]
    return body


def captured_orders(shared_data: Path) -> Iterator[dict[str, Any]]:
    """Yield every `order` object that the clients posted in the captures."""
    for request in captured_requests(shared_data):
        if request["method"] == "POST" and request["path"] in {"/order", "/orders"}:
            bodies = request["body"] if request["path"] == "/orders" else [request["body"]]
            yield from (body["order"] for body in bodies)


def fields_of(body_order: dict[str, Any]) -> OrderFields:
    """Return the signed fields of an `order` object that is known to be well formed."""
    order = order_fields(body_order)
    assert isinstance(order, OrderFields), order
    return order


def v1_fields_of(body_order: dict[str, Any]) -> OrderFieldsV1:
    """Return the signed fields of an order of version 1, from a body or from a test vector."""
    return OrderFieldsV1(
        salt=int(body_order["salt"]),
        maker=bytes.fromhex(body_order["maker"][2:]),
        signer=bytes.fromhex(body_order["signer"][2:]),
        taker=bytes.fromhex(body_order["taker"][2:]),
        token_id=int(body_order["tokenId"]),
        maker_amount=int(body_order["makerAmount"]),
        taker_amount=int(body_order["takerAmount"]),
        expiration_s=int(body_order["expiration"]),
        nonce=int(body_order["nonce"]),
        fee_rate_bps=int(body_order["feeRateBps"]),
        side={"BUY": 0, "SELL": 1}.get(body_order["side"], body_order["side"]),
        signature_type=body_order["signatureType"],
    )


def signed(wallet: Wallet, *, token: str = CTF_TOKEN, neg_risk: bool = False, salt: int = 7) -> dict[str, Any]:
    """Return a small BUY of a wallet."""
    return dict(
        wallet.sign_order(
            token, Side.BUY, 4_500_000, 10_000_000, salt=salt, timestamp_ms=1_795_360_431_340, neg_risk=neg_risk
        )
    )
