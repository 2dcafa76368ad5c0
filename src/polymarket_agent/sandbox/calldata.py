"""Reads what wallets send to contracts: function selectors, ABI words, batches of calls, raw transactions. Pure.

Only the functions that the official clients call are known. A selector is the first four bytes of the keccak of the
signature beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

__all__ = [
    "Arguments",
    "BadCalldataError",
    "Call",
    "Function",
    "addresses",
    "arguments",
    "multisend_calls",
    "proxy_calls",
    "read_function",
    "rlp_list",
    "uints",
    "word",
]

MAX_ITEMS = 500
_WORD = 32


class BadCalldataError(ValueError):
    """The sender's bytes are no call that we know: their fault, answered as a revert."""


class Function(Enum):
    """The contract functions that clients call, by selector."""

    APPROVE = "095ea7b3"  # approve(address,uint256)
    ALLOWANCE = "dd62ed3e"  # allowance(address,address)
    TRANSFER = "a9059cbb"  # transfer(address,uint256)
    BALANCE_OF_ERC20 = "70a08231"  # balanceOf(address)
    BALANCE_OF = "00fdd58e"  # balanceOf(address,uint256)
    BALANCE_OF_BATCH = "4e1273f4"  # balanceOfBatch(address[],uint256[])
    SET_APPROVAL_FOR_ALL = "a22cb465"  # setApprovalForAll(address,bool)
    IS_APPROVED_FOR_ALL = "e985e9c5"  # isApprovedForAll(address,address)
    SPLIT_POSITION = "72ce4275"  # splitPosition(address,bytes32,bytes32,uint256[],uint256)
    MERGE_POSITIONS = "9e7212ad"  # mergePositions(address,bytes32,bytes32,uint256[],uint256)
    REDEEM_POSITIONS = "01b7037c"  # redeemPositions(address,bytes32,bytes32,uint256[])
    ROUTER_SPLIT = "82d3b9f1"  # split(bytes31,uint256)
    ROUTER_MERGE = "5b63685e"  # merge(bytes31,uint256)
    ROUTER_REDEEM = "d217a3cc"  # redeem(bytes31,uint256,uint256)
    CONVERT_POSITIONS = "c64748c4"  # convertPositions(bytes32,uint256,uint256)
    MULTI_SEND = "8d80ff0a"  # multiSend(bytes)
    PROXY = "34ee9791"  # proxy((uint8,address,uint256,bytes)[])
    FACTORY_BEACON = "49493a4d"  # the deposit-wallet factory's beacon


class Call(NamedTuple):
    """One call of a contract: lower-case hex address and data."""

    to: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Arguments:
    """The words behind a selector."""

    body: bytes

    def word(self, index: int) -> bytes:
        """Return the word at a position.

        Raises:
            BadCalldataError: the data ends before it.
        """
        return word(self.body, index * _WORD)

    def uint(self, index: int) -> int:
        """Return a word as a number."""
        return int.from_bytes(self.word(index))

    def address(self, index: int) -> str:
        """Return a word as a lower-case address."""
        return "0x" + self.word(index)[12:].hex()


def word(body: bytes, offset: int) -> bytes:
    """Return the 32 bytes at an offset.

    Raises:
        BadCalldataError: the data ends before it.
    """
    if offset < 0 or offset + _WORD > len(body):
        raise BadCalldataError(f"calldata of {len(body)} bytes has no word at {offset}")
    return body[offset : offset + _WORD]


def read_function(data: bytes) -> Function:
    """Return which function a call means.

    Raises:
        BadCalldataError: none that we know.
    """
    try:
        return Function(data[:4].hex())
    except ValueError as error:
        raise BadCalldataError(f"selector 0x{data[:4].hex()} is none that the sandbox knows") from error


def arguments(data: bytes) -> Arguments:
    """Return the words behind the selector."""
    return Arguments(data[4:])


def uints(body: bytes, offset: int) -> list[int]:
    """Return a dynamic array of numbers whose length stands at `offset`.

    Raises:
        BadCalldataError: it is cut, or longer than we take.
    """
    length = int.from_bytes(word(body, offset))
    if length > MAX_ITEMS:
        raise BadCalldataError(f"an array of {length} items is longer than {MAX_ITEMS}")
    return [int.from_bytes(word(body, offset + _WORD * (1 + index))) for index in range(length)]


def addresses(body: bytes, offset: int) -> list[str]:
    """Return a dynamic array of addresses, lower case."""
    return [f"0x{value & (1 << 160) - 1:040x}" for value in uints(body, offset)]


def _bytes_at(body: bytes, offset: int) -> bytes:
    length = int.from_bytes(word(body, offset))
    if offset + _WORD + length > len(body):
        raise BadCalldataError("calldata is cut inside a byte string")
    return body[offset + _WORD : offset + _WORD + length]


def proxy_calls(data: bytes) -> list[Call]:
    """Return the calls inside proxy((uint8,address,uint256,bytes)[]) of the proxy factory."""
    body = data[4:]
    start = int.from_bytes(word(body, 0))
    length = int.from_bytes(word(body, start))
    if length > MAX_ITEMS:
        raise BadCalldataError(f"a batch of {length} calls is longer than {MAX_ITEMS}")
    base, calls = start + _WORD, []
    for index in range(length):
        item = base + int.from_bytes(word(body, base + index * _WORD))
        to = "0x" + word(body, item + _WORD)[12:].hex()
        calls.append(Call(to, _bytes_at(body, item + int.from_bytes(word(body, item + 3 * _WORD)))))
    return calls


def multisend_calls(data: bytes) -> list[Call]:
    """Return the calls inside multiSend(bytes): operation 1 | to 20 | value 32 | length 32 | data, packed."""
    body = data[4:]
    packed = _bytes_at(body, int.from_bytes(word(body, 0)))
    calls: list[Call] = []
    offset = 0
    while offset < len(packed):
        head = packed[offset : offset + 85]
        if len(head) < 85 or len(calls) >= MAX_ITEMS:
            raise BadCalldataError("a packed batch is cut or too long")
        length = int.from_bytes(head[53:85])
        inner = packed[offset + 85 : offset + 85 + length]
        if len(inner) != length:
            raise BadCalldataError("a packed batch is cut inside a call")
        calls.append(Call("0x" + head[1:21].hex(), inner))
        offset += 85 + length
    return calls


def rlp_list(raw: bytes) -> list[bytes]:
    """Return the items of a flat RLP list, as a legacy transaction is.

    Raises:
        BadCalldataError: it is not one.
    """
    payload, rest, is_list = _rlp_item(raw)
    if not is_list or rest:
        raise BadCalldataError("a raw transaction is one RLP list")
    items = []
    while payload:
        item, payload, is_list = _rlp_item(payload)
        if is_list:
            raise BadCalldataError("only legacy transactions are taken, whose list is flat")
        items.append(item)
    return items


def _rlp_item(raw: bytes) -> tuple[bytes, bytes, bool]:
    if not raw:
        raise BadCalldataError("an RLP item is missing")
    head = raw[0]
    if head < 0x80:
        return raw[:1], raw[1:], False
    is_list = head >= 0xC0
    short = head - (0xC0 if is_list else 0x80)
    if short <= 55:
        start, length = 1, short
    else:
        start = 1 + short - 55
        length = int.from_bytes(raw[1:start])
    if start + length > len(raw):
        raise BadCalldataError("an RLP item is cut")
    return raw[start : start + length], raw[start + length :], is_list
