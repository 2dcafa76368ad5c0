"""Signs exchange orders and the login to the venue, and nothing else: no approvals, no transfers, no free text.

An order's id is the EIP-712 digest of its struct, so it is known before anything is sent. Signatures are deterministic
(RFC 6979): the same fields give the same bytes after a restart. What does not change between two orders of one wallet is
put together once; an order then costs two hashes and one multiplication on the curve, a deposit wallet's two hashes more.

Source: ../shared/spec/polymarket-wire.md, sections 3.1 and 4.1 to 4.5.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import NoReturn

from polymarket_agent.adapters.polymarket.amounts import check_ticket
from polymarket_agent.adapters.polymarket.hashing import ORDER_TYPE, address_bytes, keccak, typed_digest, word
from polymarket_agent.adapters.polymarket.wallets import address_of, kind_of
from polymarket_agent.domain.levels import Side
from polymarket_agent.domain.market import AssetId, is_position_id
from polymarket_agent.domain.order import OrderId
from polymarket_agent.domain.venue import OrderTicket, SignedOrder, WalletIdentity, WalletKind
from polymarket_agent.errors import AgentError, ConfigError, LiveLockedError
from polymarket_agent.keys import Secret

try:
    from coincurve import PrivateKey
except ImportError:
    PrivateKey = None  # type: ignore[assignment,misc]
if PrivateKey is None:
    raise LiveLockedError("live trading needs coincurve", hint="pip install 'polymarket-agent[live]'")

__all__ = ["DOMAIN_SEPARATORS", "SALT_BITS", "OrderSigner", "domain_of", "order_body", "order_id_of"]

SALT_BITS = 53  # what a JSON reader of the other side keeps exactly

# Name "Polymarket CTF Exchange", chain 137, the contract of the kind of market. The tests compute them from those.
DOMAIN_SEPARATORS = {
    "v2_standard": bytes.fromhex("3264e159346253e26a64e00b69032db0e7d32f94628de3e6eecb50304d7af3d2"),
    "v2_negrisk": bytes.fromhex("9b858f53327b0bd13af8ec14cfb35234fb9eb7b0504d1a4e61f433840d30e81a"),
    "v3": bytes.fromhex("466c63910185bbd55e8679264200c4e0abdcbb0c6264eb3d41d13326022e095b"),
}
_ORDER_TYPE_HASH = bytes.fromhex("bb86318a2138f5fa8ae32fbe8e659f8fcf13cc6ae4014a707893055433818589")
_LOGIN_TYPE_HASH = bytes.fromhex("52578c5c725a28a84fedc8c22aa47947822942f35b4dc350db028e45320e035c")
_LOGIN_SEPARATOR = bytes.fromhex("cfc66be2a3b30464cb3b588324101f660c9a205fa76e8e5f83ee16a528e1c4cb")
_LOGIN_MESSAGE = b"This message attests that I control the given wallet"
_NESTED_TYPE = (
    b"TypedDataSign(Order contents,string name,string version,uint256 chainId,address verifyingContract,bytes32 salt)"
)
_SESSION_MAGIC = bytes.fromhex("6492" * 16)
_CHAIN_ID = 137
_NO_BYTES32 = "0x" + "00" * 32
_ASSETS = 8192  # ids remembered; reading 77 decimal digits costs as much as the rest of the struct


class OrderSigner:
    """The only user of the private key. Shows nothing of it and cannot be pickled.

    With `session` the key is one that the owner of a deposit wallet has allowed to trade for it; the venue knows whether
    that is so. Without it, wallet and key must belong together, so that a mistyped address is found here.
    """

    __slots__ = ("_key", "_nested", "_session", "_struct", "identity")

    def __init__(self, key: Secret, identity: WalletIdentity, *, session: bool = False) -> None:
        if address_of(key) != identity.signer:
            raise ConfigError(f"the private key is not that of {identity.signer}", hint="use the key of that address")
        found = kind_of(identity.signer, identity.wallet)
        if session and (identity.kind is not WalletKind.DEPOSIT or found is not None):
            raise ConfigError(
                f"{identity.wallet} cannot be traded with a session key; only somebody's deposit wallet can"
            )
        if not session and found is not identity.kind:
            raise ConfigError(
                f"{identity.wallet} is not the {identity.kind.name} wallet of {identity.signer}",
                hint="take the wallet address that the venue shows for this key",
            )
        self.identity = identity
        self._key = PrivateKey(bytes.fromhex(key.reveal()[2:]))
        self._struct = _Struct(identity)
        self._nested = (keccak(_NESTED_TYPE + ORDER_TYPE), _nested_tail(identity.wallet))
        self._session = address_bytes(identity.signer).rjust(32, b"\0") if session else b""

    def sign(self, ticket: OrderTicket, *, salt: int, timestamp_ms: int) -> SignedOrder:
        """Return the ticket signed. `salt` below 2**53 makes it the only one of its kind; the venue sees `timestamp_ms`.

        Raises:
            AgentError: the ticket's integers are not those of its price and quantity (`check_ticket`), or salt, time or
                asset id are out of range.
        """
        check_ticket(ticket)
        domain = domain_of(ticket.asset_id, neg_risk=ticket.neg_risk)
        separator = DOMAIN_SEPARATORS[domain]
        struct_hash = self._struct.hash_of(ticket, salt, timestamp_ms)
        digest = typed_digest(separator, struct_hash)
        identity = self.identity
        wrap = identity.kind is WalletKind.DEPOSIT
        signature = self._wrapped(separator, struct_hash) if wrap else self._raw(digest)
        return SignedOrder(
            ticket=ticket,
            order_id=OrderId("0x" + digest.hex()),
            salt=salt,
            maker=identity.wallet,
            signer=_signer_of(identity),
            signature_type=identity.kind.value,
            timestamp_ms=timestamp_ms,
            domain=domain,
            signature="0x" + signature.hex(),
        )

    def l1_headers(self, timestamp_s: int, nonce: int = 0) -> dict[str, str]:
        """Return the headers that prove to the venue that we have the key; with them API keys are made or told."""
        address = self.identity.signer
        parts = (
            _LOGIN_TYPE_HASH,
            address_bytes(address).rjust(32, b"\0"),
            keccak(str(timestamp_s).encode("ascii")),
            word(nonce),
            keccak(_LOGIN_MESSAGE),
        )
        return {
            "POLY_ADDRESS": address,
            "POLY_SIGNATURE": "0x" + self._raw(typed_digest(_LOGIN_SEPARATOR, keccak(b"".join(parts)))).hex(),
            "POLY_TIMESTAMP": str(timestamp_s),
            "POLY_NONCE": str(nonce),
        }

    def _raw(self, digest: bytes) -> bytes:
        """Return r, s and v (27 or 28) of a digest: 65 bytes."""
        found = self._key.sign_recoverable(digest, hasher=None)
        return found[:64] + (b"\x1c" if found[64] else b"\x1b")

    def _wrapped(self, separator: bytes, struct_hash: bytes) -> bytes:
        """Return a deposit wallet's signature (ERC-7739): 317 bytes, and 480 by a session key."""
        type_hash, tail = self._nested
        inner = self._raw(typed_digest(separator, keccak(type_hash + struct_hash + tail)))
        wrapped = inner + separator + struct_hash + ORDER_TYPE + len(ORDER_TYPE).to_bytes(2, "big")
        if not self._session:
            return wrapped
        # ABI of (bytes32, bytes32, bytes): the third stands behind its offset and length, in whole words.
        head = self._session + word(0) + word(96) + word(len(wrapped))
        return head + wrapped + b"\0" * (-len(wrapped) % 32) + _SESSION_MAGIC

    def __repr__(self) -> str:
        return f"OrderSigner({self.identity.kind.name} {self.identity.wallet}, key not shown)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a signer is not written down")


class _Struct:
    """The constant parts of an order struct for one wallet."""

    __slots__ = ("_parties", "_sides")

    def __init__(self, identity: WalletIdentity) -> None:
        parties = (identity.wallet, _signer_of(identity))
        self._parties = b"".join(address_bytes(each).rjust(32, b"\0") for each in parties)
        kind = word(identity.kind.value)
        self._sides = {Side.BUY: word(0) + kind, Side.SELL: word(1) + kind}

    def hash_of(self, ticket: OrderTicket, salt: int, timestamp_ms: int) -> bytes:
        if not 0 <= salt < 1 << SALT_BITS:
            raise AgentError(f"a salt of {salt.bit_length()} bits; the venue takes numbers from 0 to 2^{SALT_BITS} - 1")
        if not 0 < timestamp_ms < 1 << 53:
            raise AgentError(f"{timestamp_ms} is no time in milliseconds")
        return keccak(
            b"".join(
                (
                    _ORDER_TYPE_HASH,
                    salt.to_bytes(32, "big"),
                    self._parties,
                    _asset(ticket.asset_id)[0],
                    ticket.maker_amount.to_bytes(32, "big"),
                    ticket.taker_amount.to_bytes(32, "big"),
                    self._sides[ticket.side],
                    timestamp_ms.to_bytes(32, "big"),
                    b"\0" * 64,  # no metadata, no builder
                )
            )
        )


def domain_of(asset_id: AssetId, *, neg_risk: bool) -> str:
    """Return the name of the exchange that an order for an asset is signed for.

    Raises:
        AgentError: not the decimal id of an asset.
    """
    if _asset(asset_id)[1]:
        return "v3"
    return "v2_negrisk" if neg_risk else "v2_standard"


def order_id_of(ticket: OrderTicket, identity: WalletIdentity, *, salt: int, timestamp_ms: int) -> OrderId:
    """Return the id that an order has once signed. Needs no key, so the journal can be checked without one.

    Raises:
        AgentError: salt, time or asset id are out of range.
    """
    separator = DOMAIN_SEPARATORS[domain_of(ticket.asset_id, neg_risk=ticket.neg_risk)]
    struct_hash = _struct_of(identity).hash_of(ticket, salt, timestamp_ms)
    return OrderId("0x" + typed_digest(separator, struct_hash).hex())


def order_body(signed: SignedOrder, owner: str) -> bytes:
    """Return the body of POST /order as compact JSON; `owner` is the id of the API key. Holds the signature: not for logs.

    Byte for byte what the official client sends, in its order of keys.
    """
    ticket = signed.ticket
    post_only = ',"postOnly":true' if ticket.post_only else ""
    return (
        f'{{"deferExec":false,"order":{{"builder":"{_NO_BYTES32}","expiration":"{ticket.expires_s}",'
        f'"maker":"{signed.maker}","makerAmount":"{ticket.maker_amount}","metadata":"{_NO_BYTES32}",'
        f'"salt":{signed.salt},"side":"{ticket.side.name}","signature":"{signed.signature}",'
        f'"signatureType":{signed.signature_type},"signer":"{signed.signer}","takerAmount":"{ticket.taker_amount}",'
        f'"timestamp":"{signed.timestamp_ms}","tokenId":"{ticket.asset_id}"}},'
        f'"orderType":"{ticket.time_in_force.value}","owner":{json.dumps(owner)}{post_only}}}'
    ).encode("ascii")


def _signer_of(identity: WalletIdentity) -> str:
    """Return what an order names as its signer: a deposit wallet signs for itself."""
    return identity.wallet if identity.kind is WalletKind.DEPOSIT else identity.signer


@lru_cache(maxsize=16)
def _struct_of(identity: WalletIdentity) -> _Struct:
    return _Struct(identity)


def _nested_tail(wallet: str) -> bytes:
    """Return what follows the order in the struct that a deposit wallet signs: its own domain, in words."""
    parts = (keccak(b"DepositWallet"), keccak(b"1"), word(_CHAIN_ID), address_bytes(wallet).rjust(32, b"\0"), word(0))
    return b"".join(parts)


@lru_cache(maxsize=_ASSETS)
def _asset(asset_id: AssetId) -> tuple[bytes, bool]:
    """Return an asset id as a word, and whether it is a position of the second protocol."""
    if not (asset_id.isascii() and asset_id.isdigit() and len(asset_id) <= 78) or asset_id[0] == "0":
        raise AgentError(f"{asset_id[:100]!r} is not the decimal id of an asset")
    number = int(asset_id)
    if number >> 256:
        raise AgentError(f"{asset_id} is larger than an asset id can be")
    return word(number), is_position_id(asset_id)
