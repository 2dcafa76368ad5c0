"""The relayer and the JSON-RPC node, as far as the official clients use them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aiohttp import web

from polymarket_agent.sandbox.chain import RevertedError
from polymarket_agent.sandbox.eip712 import CHAIN_ID
from polymarket_agent.sandbox.keccak import address_bytes, checksum
from polymarket_agent.sandbox.model import Refused
from polymarket_agent.sandbox.relayed import Relayed, read_envelope
from polymarket_agent.sandbox.requests import json_body
from polymarket_agent.sandbox.routes_common import (
    RefusedError,
    body_of,
    query_int,
    raise_if_refused,
    reply,
    venue_of,
)
from polymarket_agent.sandbox.venue import Venue

__all__ = ["RELAY_ADDRESS", "ROUTES", "deployed", "nonce", "params", "rpc", "submit", "transaction", "transactions"]

ROUTES = web.RouteTableDef()

RELAY_ADDRESS = "0x00000000000000000000000000000000005a4d0b"
MAX_RELAYED = 100_000
MAX_RPC_BATCH = 500
_GAS, _GAS_PRICE = 150_000, 30_000_000_000


def _address(text: str) -> str:
    try:
        return checksum(address_bytes(text))
    except ValueError:
        raise RefusedError(Refused(400, "invalid address")) from None


@ROUTES.get("/relayer/deployed")
async def deployed(request: web.Request) -> web.Response:
    """Whether a wallet has code."""
    wallet = _address(request.query.get("address", ""))
    return reply({"deployed": venue_of(request).chain.is_deployed(wallet)})


def _signer(request: web.Request) -> None:
    """Refuse requests without a relayer or builder key; which one it is does not matter here."""
    names = ("RELAYER_API_KEY", "POLY_BUILDER_API_KEY")
    if not any(request.headers.get(name) for name in names):
        raise RefusedError(Refused(401, "invalid authorization"))


def _next_nonce(venue: Venue, owner: str, kind: str) -> int:
    return venue.chain.nonce(f"{kind} {owner}")


@ROUTES.get("/relayer/v1/account/transactions/params")
@ROUTES.get("/relayer/relay-payload")
async def params(request: web.Request) -> web.Response:
    """Return the number that the next transaction of a wallet must carry, and who relays it."""
    owner = _address(request.query.get("address", ""))
    kind = request.query.get("type", "")
    return reply(
        {
            "address": checksum(address_bytes(RELAY_ADDRESS)),
            "nonce": str(_next_nonce(venue_of(request), owner, kind)),
        }
    )


@ROUTES.get("/relayer/nonce")
async def nonce(request: web.Request) -> web.Response:
    """Return only the number."""
    owner = _address(request.query.get("address", ""))
    return reply({"nonce": str(_next_nonce(venue_of(request), owner, request.query.get("type", "")))})


@ROUTES.post("/relayer/submit")
async def submit(request: web.Request) -> web.Response:
    """Carry out what a wallet's key signed."""
    venue = venue_of(request)
    venue.turn()
    _signer(request)
    asked = raise_if_refused(read_envelope(await body_of(request)))
    if asked.kind != "WALLET-CREATE":
        expected = _next_nonce(venue, asked.owner, asked.kind)
        if asked.nonce != expected:
            text = f"batch nonce {asked.nonce} does not match on-chain nonce {expected}"
            raise RefusedError(Refused(400, text))
        if not venue.chain.is_deployed(asked.wallet):
            raise RefusedError(Refused(400, "wallet is not deployed"))
        venue.chain.used_nonce(f"{asked.kind} {asked.owner}")
    transaction_hash = venue.chain.new_hash()
    error = _carry_out(venue, asked, transaction_hash)
    venue.chain.receipt(transaction_hash, good=not error)
    row = {
        "transaction_id": transaction_hash[2:34],
        "transaction_hash": transaction_hash,
        "state": "STATE_FAILED" if error else "STATE_CONFIRMED",
        "error_msg": error,
    }
    venue.relayed[row["transaction_id"]] = row
    if len(venue.relayed) > MAX_RELAYED:
        del venue.relayed[next(iter(venue.relayed))]
    return reply(
        {
            "transactionID": row["transaction_id"],
            "transactionHash": transaction_hash,
            "state": "STATE_NEW",
        }
    )


def _carry_out(venue: Venue, asked: Relayed, transaction_hash: str) -> str:
    """Return why a transaction failed, "" when it went through. Calls before the one that fails stay done."""
    if asked.kind == "WALLET-CREATE":
        venue.chain.deploy(asked.wallet)
        return ""
    try:
        for call in asked.calls:
            venue.chain.execute(asked.wallet, call, transaction_hash)
    except RevertedError as error:
        return f"execution reverted: {error}"
    return ""


@ROUTES.get("/relayer/v1/account/transactions/{id}")
async def transaction(request: web.Request) -> web.Response:
    """Return how a transaction stands; snake case, unlike the answer to its submission."""
    row = venue_of(request).relayed.get(request.match_info["id"])
    if row is None:
        raise RefusedError(Refused(404, "transaction not found"))
    return reply(row)


@ROUTES.get("/relayer/v1/account/transactions")
async def transactions(request: web.Request) -> web.Response:
    """Return the latest transactions."""
    limit = query_int(request, "limit", 100, low=1, high=1000)
    return reply(list(venue_of(request).relayed.values())[-limit:][::-1])


class _RpcError(Exception):
    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


def _hex(value: object) -> bytes:
    if not isinstance(value, str) or not value.startswith("0x"):
        raise _RpcError(-32602, "invalid argument: hex string expected")
    try:
        return bytes.fromhex(value[2:])
    except ValueError:
        raise _RpcError(-32602, "invalid argument: hex string expected") from None


def _account(values: list[Any]) -> str:
    try:
        return checksum(address_bytes(values[0]))
    except (ValueError, TypeError, IndexError, AttributeError):
        raise _RpcError(-32602, "invalid argument 0: address expected") from None


def _eth_call(venue: Venue, values: list[Any]) -> str:
    call = values[0] if values else None
    if not isinstance(call, dict) or not isinstance(call.get("to"), str):
        raise _RpcError(-32602, "invalid argument 0: call object expected")
    try:
        return "0x" + venue.chain.call(call["to"].lower(), _hex(call.get("data", call.get("input")))).hex()
    except RevertedError as error:
        raise _RpcError(3, str(error)) from error


def _receipt(venue: Venue, values: list[Any]) -> dict[str, Any] | None:
    transaction_hash = str(values[0]).lower() if values else ""
    good = venue.chain.receipts.get(transaction_hash)
    if good is None:
        return None
    return {
        "transactionHash": transaction_hash,
        "status": "0x1" if good else "0x0",
        "blockNumber": hex(venue.now_ms() // 2000),
        "gasUsed": hex(_GAS),
        "logs": [],
    }


def _block(venue: Venue) -> dict[str, Any]:
    return {"number": hex(venue.now_ms() // 2000), "timestamp": hex(venue.clock.wall_s()), "transactions": []}


def _send(venue: Venue, values: list[Any]) -> str:
    try:
        return venue.chain.send_raw(_hex(values[0] if values else None))
    except RevertedError as error:
        raise _RpcError(-32000, str(error)) from error


_METHODS: dict[str, Callable[[Venue, list[Any]], Any]] = {
    "eth_chainId": lambda _, __: hex(CHAIN_ID),
    "net_version": lambda _, __: str(CHAIN_ID),
    "eth_blockNumber": lambda venue, _: hex(venue.now_ms() // 2000),
    "eth_getBlockByNumber": lambda venue, _: _block(venue),
    "eth_gasPrice": lambda _, __: hex(_GAS_PRICE),
    "eth_estimateGas": lambda _, __: hex(_GAS),
    "eth_getTransactionCount": lambda venue, values: hex(venue.chain.nonce(_account(values))),
    "eth_getBalance": lambda _, values: hex(10**19) if _account(values) else "0x0",
    "eth_getCode": lambda venue, values: "0x00" if venue.chain.is_deployed(_account(values)) else "0x",
    "eth_call": _eth_call,
    "eth_sendRawTransaction": _send,
    "eth_getTransactionReceipt": _receipt,
}


def _result(venue: Venue, asked: Any) -> Any:
    if not isinstance(asked, dict) or not isinstance(asked.get("method"), str):
        raise _RpcError(-32600, "invalid request")
    method, values = _METHODS.get(asked["method"]), asked.get("params", [])
    if method is None:
        raise _RpcError(-32601, f"the method {asked['method'][:60]} does not exist")
    return method(venue, values if isinstance(values, list) else [])


def _answer(venue: Venue, asked: Any) -> dict[str, Any]:
    body: dict[str, Any] = {"jsonrpc": "2.0", "id": asked.get("id") if isinstance(asked, dict) else None}
    try:
        body["result"] = _result(venue, asked)
    except _RpcError as error:
        body["error"] = {"code": error.code, "message": str(error)}
    return body


@ROUTES.post("/rpc")
@ROUTES.post("/rpc/")
async def rpc(request: web.Request) -> web.Response:
    """One call or a batch."""
    venue = venue_of(request)
    venue.turn()
    asked = json_body(await request.read())
    if isinstance(asked, list):
        if not 0 < len(asked) <= MAX_RPC_BATCH:
            return reply(_answer(venue, None))
        return reply([_answer(venue, each) for each in asked])
    return reply(_answer(venue, asked))
