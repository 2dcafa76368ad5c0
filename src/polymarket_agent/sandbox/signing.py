"""Is this order what it says, and may this key send it? The venue's identity checks, with its own texts.

`verify_order` goes through the checks in the order of the wire specification, section 10: schema, signer against the api
key, version, signature, maker. What needs the body around the order (owner, order type) or a market (tick, size) is
checked elsewhere.

What others use of it:
- `verify_order` also takes `key_address` (the address behind the api key; None leaves the signer rule out), `sessions`
  ((session key, deposit wallet) pairs that are authorised) and `eoa_allowed` (False refuses plain EOAs as production
  does for new users);
- `VerifiedOrder` carries everything of the signed order that `OrderEntry` needs, ids in canonical form;
- domains and digests live in `eip712.py`, wallets in `wallets.py`; both are exported here too.

Two readings where the venue is stricter or laxer in ways nobody documented: a signature in the upper half of s, or with v
0 or 1, is invalid; an order that verifies in the domain of another version is `order_version_mismatch`, one that verifies
in the other exchange of its own version is `invalid signature`.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from polymarket_agent.domain.levels import Side
from polymarket_agent.domain.market import AssetId
from polymarket_agent.sandbox.eip712 import (
    DOMAINS,
    ORDER_TYPE,
    Domain,
    OrderFields,
    OrderFieldsV1,
    domain_for,
    order_digest,
    order_v1_digest,
    recover,
    wallet_digest,
)
from polymarket_agent.sandbox.keccak import address_bytes, checksum, hex_bytes, keccak
from polymarket_agent.sandbox.model import Refused
from polymarket_agent.sandbox.wallets import SESSION_MAGIC, Wallet, Wallets, session_signature, wallets_of

__all__ = [
    "DOMAINS",
    "Domain",
    "OrderFields",
    "OrderFieldsV1",
    "VerifiedOrder",
    "Wallet",
    "Wallets",
    "domain_for",
    "order_digest",
    "order_fields",
    "order_v1_digest",
    "recover",
    "verify_order",
    "wallets_of",
]

_BAD_PAYLOAD = Refused(400, "Invalid order payload")
_BAD_TOKEN = Refused(400, "Invalid token id")
_BAD_SIDE = Refused(400, "Invalid side")
_BAD_TYPE = Refused(400, "Invalid signature_type")
_BAD_SIGNATURE = Refused(400, "invalid signature")
_WRONG_SIGNER = Refused(400, "the order signer address has to be the address of the API KEY")
_WRONG_VERSION = Refused(400, "order_version_mismatch")
_NO_EOA = Refused(400, "maker address not allowed, please use the deposit wallet flow")

_UINT256_DIGITS = 78
_UINT256 = 1 << 256
_V1_ONLY = ("taker", "nonce", "feeRateBps")
_TRAILER = ORDER_TYPE + len(ORDER_TYPE).to_bytes(2, "big")
_WRAPPED_LENGTH = 65 + 32 + 32 + len(_TRAILER)
_SESSION_LENGTH = 4 * 32 + 320 + len(SESSION_MAGIC)  # ABI head, the wrapped signature in whole words, the magic
_MAX_SIGNATURE_TEXT = 2 + 2 * _SESSION_LENGTH


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedOrder:
    """An order whose signature is good and whose wallet belongs to the key that signed.

    `wallet` is the maker, `signer` what the order names, `signer_eoa` the key that was recovered: the owner's, or a
    session key's when `by_session`. Addresses are checksummed, `expires_s` is not covered by the signature.
    """

    order_id: str
    domain: str
    wallet: str
    signer: str
    signer_eoa: str
    signature_type: int
    asset_id: AssetId
    side: Side
    maker_amount: int
    taker_amount: int
    timestamp_ms: int
    expires_s: int
    by_session: bool = False


def verify_order(
    body_order: object,
    *,
    neg_risk: bool,
    key_address: str | None = None,
    sessions: Collection[tuple[str, str]] = (),
    eoa_allowed: bool = True,
) -> VerifiedOrder | Refused:
    """Check the `order` object of a POST /order body; `neg_risk` is its market's."""
    if not isinstance(body_order, dict):
        return _BAD_PAYLOAD
    if _is_v1(body_order):
        return _WRONG_VERSION
    order = order_fields(body_order)
    if isinstance(order, Refused):
        return order
    signature, expires_s = body_order.get("signature"), _uint(body_order.get("expiration"))
    if not isinstance(signature, str) or expires_s is None:
        return _BAD_PAYLOAD
    maker, signer = checksum(order.maker), checksum(order.signer)
    if key_address is not None and not _may_name(signer, order.signature_type, key_address, sessions):
        return _WRONG_SIGNER
    sent = _Sent(order, order.struct_hash(), _signature_bytes(signature))
    domain = domain_for(str(order.token_id), neg_risk=neg_risk)
    digest = keccak(b"\x19\x01" + domain.separator + sent.struct_hash)
    key = sent.key(domain, digest)
    if key is None or not _belongs(sent, key, sessions):
        return _why_not(sent, domain, sessions)
    if order.signature_type == 0 and not eoa_allowed:
        return _NO_EOA
    return VerifiedOrder(
        order_id="0x" + digest.hex(),
        domain=domain.name,
        wallet=maker,
        signer=signer,
        signer_eoa=key,
        signature_type=order.signature_type,
        asset_id=AssetId(str(order.token_id)),
        side=Side.SELL if order.side else Side.BUY,
        maker_amount=order.maker_amount,
        taker_amount=order.taker_amount,
        timestamp_ms=order.timestamp_ms,
        expires_s=expires_s,
        by_session=sent.by_session,
    )


def order_fields(body_order: dict[str, Any]) -> OrderFields | Refused:
    """Read the signed fields of an `order` object: salt and signatureType are integers, all others text."""
    side = body_order.get("side")
    if side not in ("BUY", "SELL"):
        return _BAD_SIDE
    token_id = _uint(body_order.get("tokenId"))
    if token_id is None:
        return _BAD_TOKEN
    signature_type, salt = body_order.get("signatureType"), body_order.get("salt")
    if type(signature_type) is not int or type(salt) is not int or not 0 <= salt < _UINT256:
        return _BAD_PAYLOAD
    if not 0 <= signature_type <= 3:
        return _BAD_TYPE
    maker_amount, taker_amount = _uint(body_order.get("makerAmount")), _uint(body_order.get("takerAmount"))
    timestamp_ms = _uint(body_order.get("timestamp"))
    if maker_amount is None or taker_amount is None or timestamp_ms is None:
        return _BAD_PAYLOAD
    try:
        return OrderFields(
            salt=salt,
            maker=address_bytes(body_order["maker"]),
            signer=address_bytes(body_order["signer"]),
            token_id=token_id,
            maker_amount=maker_amount,
            taker_amount=taker_amount,
            side=int(side == "SELL"),
            signature_type=signature_type,
            timestamp_ms=timestamp_ms,
            metadata=hex_bytes(body_order["metadata"], 32),
            builder=hex_bytes(body_order["builder"], 32),
        )
    except (KeyError, TypeError, ValueError):
        return _BAD_PAYLOAD  # absent, not text, or not hexadecimal of that length


@dataclass(frozen=True, slots=True)
class _Sent:
    """An order as it came: its fields, their hash, and the bytes of its signature (empty where it was no hex)."""

    order: OrderFields
    struct_hash: bytes
    signature: bytes

    @property
    def by_session(self) -> bool:
        return self.order.signature_type == 3 and len(self.signature) == _SESSION_LENGTH

    def key(self, domain: Domain, digest: bytes) -> str | None:
        """Return the address whose key signed this order for a domain, or None."""
        if self.order.signature_type != 3:
            return recover(digest, self.signature)
        wrapped, session = self.signature, None
        if self.by_session:
            session, wrapped = self.signature[12:32], self.signature[128 : 128 + _WRAPPED_LENGTH]
            if session_signature(session, wrapped) != self.signature:
                return None
        if wrapped[65:] != domain.separator + self.struct_hash + _TRAILER:
            return None
        key = recover(wallet_digest(self.struct_hash, domain, self.order.maker), wrapped[:65])
        return None if session is not None and key != checksum(session) else key


def _belongs(sent: _Sent, key: str, sessions: Collection[tuple[str, str]]) -> bool:
    """Whether signer and maker are what the contracts ask for, given the key that signed."""
    order = sent.order
    maker, signer = checksum(order.maker), checksum(order.signer)
    if order.signature_type == 0:
        return maker == signer == key
    if order.signature_type != 3:
        return signer == key and maker in wallets_of(key).of_type(order.signature_type)
    if signer != maker:
        return False
    return (key, maker) in sessions if sent.by_session else maker in wallets_of(key).of_type(3)


def _why_not(sent: _Sent, expected: Domain, sessions: Collection[tuple[str, str]]) -> Refused:
    """Tell an order of another version from one that is signed wrongly; both are refused."""
    for domain in DOMAINS.values():
        if domain.version in {expected.version, "1"}:
            continue
        key = sent.key(domain, order_digest(sent.order, domain))
        if key is not None and _belongs(sent, key, sessions):
            return _WRONG_VERSION
    return _BAD_SIGNATURE


def _is_v1(body_order: dict[str, Any]) -> bool:
    """Whether this is the struct of version 1: it signs taker, nonce and fee rate, and has no timestamp."""
    return "timestamp" not in body_order and all(name in body_order for name in _V1_ONLY)


def _may_name(signer: str, signature_type: int, key_address: str, sessions: Collection[tuple[str, str]]) -> bool:
    """Whether the key of an api key may name this signer: itself, its deposit wallet, or one it has a session for."""
    if signature_type != 3:
        return signer == key_address
    return signer in wallets_of(key_address).of_type(3) or (key_address, signer) in sessions


def _uint(text: object) -> int | None:
    """Read a decimal uint256, or None; Python's own int() would take blanks, signs and underscores too."""
    if not isinstance(text, str) or len(text) > _UINT256_DIGITS or not text.isascii() or not text.isdigit():
        return None
    number = int(text)
    return number if number < _UINT256 else None


def _signature_bytes(text: str) -> bytes:
    """Return a signature's bytes, empty when it is no hexadecimal text or longer than any signature."""
    if len(text) > _MAX_SIGNATURE_TEXT or not text.startswith("0x"):
        return b""
    try:
        raw = bytes.fromhex(text[2:])
    except ValueError:
        return b""
    return raw if 2 + 2 * len(raw) == len(text) else b""
