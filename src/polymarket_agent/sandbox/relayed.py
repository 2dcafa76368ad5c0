"""Reads what the relayer is asked to send for a wallet: whose it is, which calls, signed by the wallet's key. Pure.

Three envelopes: a deposit wallet signs a batch (EIP-712), a Safe one transaction or a packed batch (EIP-712, then the
personal-message prefix, v + 4), a proxy a relay message (keccak of "rlx:" and fields, then that prefix).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from polymarket_agent.sandbox.calldata import BadCalldataError, Call, Function, multisend_calls, proxy_calls
from polymarket_agent.sandbox.contracts import PROXY_FACTORY, SAFE_MULTISEND
from polymarket_agent.sandbox.eip712 import CHAIN_ID, recover
from polymarket_agent.sandbox.keccak import address_bytes, checksum, hex_bytes, keccak
from polymarket_agent.sandbox.model import Refused
from polymarket_agent.sandbox.wallets import wallets_of

__all__ = ["Relayed", "read_envelope"]

_PAD = bytes(12)
_BAD = Refused(400, "invalid transaction request")
_BAD_SIGNATURE = Refused(400, "invalid signature")
_CALL_TYPE = b"Call(address target,uint256 value,bytes data)"
_BATCH_TYPE = b"Batch(address wallet,uint256 nonce,uint256 deadline,Call[] calls)" + _CALL_TYPE
_SAFE_TYPE = (
    b"SafeTx(address to,uint256 value,bytes data,uint8 operation,uint256 safeTxGas,uint256 baseGas,uint256 gasPrice,"
    b"address gasToken,address refundReceiver,uint256 nonce)"
)
_MAX_CALLS = 100


@dataclass(frozen=True, slots=True)
class Relayed:
    """A request that its wallet's key signed. `kind` is WALLET, SAFE, PROXY or WALLET-CREATE."""

    kind: str
    owner: str
    wallet: str
    nonce: int
    calls: tuple[Call, ...]


def read_envelope(body: Any) -> Relayed | Refused:
    """Read and verify the body of POST /submit."""
    if not isinstance(body, dict):
        return _BAD
    readers = {"WALLET": _deposit, "SAFE": _safe, "PROXY": _proxy, "WALLET-CREATE": _create}
    reader = readers.get(str(body.get("type")))
    if reader is None:
        return _BAD
    try:
        return reader(body)
    except (KeyError, TypeError, ValueError, OverflowError, BadCalldataError):
        return _BAD


def _number(value: object) -> int:
    if not isinstance(value, str) or not value.isascii() or not value.isdigit() or len(value) > 78:
        raise ValueError("not a decimal number")
    return int(value)


def _word(number: int) -> bytes:
    return number.to_bytes(32, "big")


def _data(text: object) -> bytes:
    if not isinstance(text, str) or not text.startswith("0x"):
        raise ValueError("not hexadecimal")
    return bytes.fromhex(text[2:])


def _personal(digest: bytes) -> bytes:
    return keccak(b"\x19Ethereum Signed Message:\n32" + digest)


def _create(body: dict[str, Any]) -> Relayed | Refused:
    owner = checksum(address_bytes(body["from"]))
    return Relayed("WALLET-CREATE", owner, wallets_of(owner).deposit_beacon, 0, ())


def _deposit(body: dict[str, Any]) -> Relayed | Refused:
    owner = checksum(address_bytes(body["from"]))
    params = body["depositWalletParams"]
    wallet, nonce = address_bytes(params["depositWallet"]), _number(body["nonce"])
    calls, hashes = [], []
    for each in params["calls"][:_MAX_CALLS]:
        target, value, data = address_bytes(each["target"]), _number(each["value"]), _data(each["data"])
        calls.append(Call("0x" + target.hex(), data))
        hashes.append(keccak(keccak(_CALL_TYPE) + _PAD + target + _word(value) + keccak(data)))
    struct = keccak(
        b"".join(
            (
                keccak(_BATCH_TYPE),
                _PAD + wallet,
                _word(nonce),
                _word(_number(params["deadline"])),
                keccak(b"".join(hashes)),
            )
        )
    )
    domain_type = b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
    head = keccak(domain_type) + keccak(b"DepositWallet") + keccak(b"1")
    domain = keccak(head + _word(CHAIN_ID) + _PAD + wallet)
    signer = recover(keccak(b"\x19\x01" + domain + struct), hex_bytes(body["signature"], 65))
    if signer != owner or checksum(wallet) not in wallets_of(owner).of_type(3):
        return _BAD_SIGNATURE
    return Relayed("WALLET", owner, checksum(wallet), nonce, tuple(calls))


def _safe(body: dict[str, Any]) -> Relayed | Refused:
    owner, safe = checksum(address_bytes(body["from"])), address_bytes(body["proxyWallet"])
    to, data, nonce = address_bytes(body["to"]), _data(body["data"]), _number(body["nonce"])
    params = body["signatureParams"]
    operation = _number(params["operation"])
    struct = keccak(
        b"".join(
            (
                keccak(_SAFE_TYPE),
                _PAD + to,
                _word(_number(body.get("value", "0"))),
                keccak(data),
                _word(operation),
                _word(_number(params["safeTxnGas"])),
                _word(_number(params["baseGas"])),
                _word(_number(params["gasPrice"])),
                _PAD + address_bytes(params["gasToken"]),
                _PAD + address_bytes(params["refundReceiver"]),
                _word(nonce),
            )
        )
    )
    domain_type = keccak(b"EIP712Domain(uint256 chainId,address verifyingContract)")
    domain = keccak(domain_type + _word(CHAIN_ID) + _PAD + safe)
    packed = hex_bytes(body["signature"], 65)
    signature = packed[:64] + bytes((packed[64] - 4,)) if packed[64] > 30 else packed
    signer = recover(_personal(keccak(b"\x19\x01" + domain + struct)), signature)
    if signer != owner or wallets_of(owner).safe != checksum(safe):
        return _BAD_SIGNATURE
    target = "0x" + to.hex()
    is_batch = target == SAFE_MULTISEND and operation == 1
    if is_batch and data[:4].hex() != Function.MULTI_SEND.value:
        return _BAD
    calls = multisend_calls(data) if is_batch else [Call(target, data)]
    return Relayed("SAFE", owner, checksum(safe), nonce, tuple(calls))


def _proxy(body: dict[str, Any]) -> Relayed | Refused:
    owner, to = checksum(address_bytes(body["from"])), address_bytes(body["to"])
    data, nonce, params = _data(body["data"]), _number(body["nonce"]), body["signatureParams"]
    if "0x" + to.hex() != PROXY_FACTORY or data[:4].hex() != Function.PROXY.value:
        return _BAD
    message = b"".join(
        (
            b"rlx:",
            address_bytes(owner),
            to,
            data,
            _word(_number(params["relayerFee"])),
            _word(_number(params["gasPrice"])),
            _word(_number(params["gasLimit"])),
            _word(nonce),
            address_bytes(params["relayHub"]),
            address_bytes(params["relay"]),
        )
    )
    signer = recover(_personal(keccak(message)), hex_bytes(body["signature"], 65))
    if signer != owner or wallets_of(owner).proxy != checksum(address_bytes(body["proxyWallet"])):
        return _BAD_SIGNATURE
    return Relayed("PROXY", owner, wallets_of(owner).proxy, nonce, tuple(proxy_calls(data)))
