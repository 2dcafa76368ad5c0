"""Wallets of a key, and keys that sign: addresses by CREATE2, orders and L1 headers as the official clients make them.

`Wallet` holds a throwaway key for tests, the crowd and the example accounts;
`wallets_of` is remembered for 65,536 keys. Factories, beacon and init codes are the public contracts of chain 137.

Source: ../shared/spec/polymarket-wire.md, sections 3.1 and 3.4; addresses of its test key are reproduced in tests.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache

from coincurve import PrivateKey

from polymarket_agent.domain.levels import Side
from polymarket_agent.sandbox.eip712 import (
    ORDER_TYPE,
    OrderFields,
    clob_auth_digest,
    domain_for,
    order_digest,
    sign,
    wallet_digest,
)
from polymarket_agent.sandbox.keccak import address_bytes, checksum, hex_bytes, keccak

__all__ = ["SESSION_MAGIC", "SIGNATURE_TYPES", "Wallet", "Wallets", "session_signature", "wallets_of"]

SIGNATURE_TYPES = {0: "EOA", 1: "POLY_PROXY", 2: "POLY_GNOSIS_SAFE", 3: "POLY_1271"}
SESSION_MAGIC = bytes.fromhex("6492" * 16)

_ZERO_HEX = "0x" + "00" * 32
_PAD = bytes(12)
_KEYS = 1 << 16

_PROXY_FACTORY = address_bytes("0xaB45c5A4B0c941a2F231C04C3f49182e1A254052")
_PROXY_LOGIC = address_bytes("0x44e999d5c2F66Ef0861317f9A4805AC2e90aEB4f")
_SAFE_FACTORY = address_bytes("0xaacFeEa03eb1561C4e67d661e40682Bd20E3541b")
_SAFE_INIT_HASH = hex_bytes("0x2bce2127ff07fb632d16c8347c4ebf501f4841168bed00d9e6ef715ddb6fcecf", 32)
_DEPOSIT_FACTORY = address_bytes("0x00000000000Fb5C9ADea0298D729A0CB3823Cc07")
_DEPOSIT_LOGIC = address_bytes("0x58CA52ebe0DadfdF531Cde7062e76746de4Db1eB")
_DEPOSIT_BEACON = address_bytes("0x7A18EDfe055488A3128f01F563e5B479D92ffc3a")

# An EIP-1167 clone whose constructor calls the factory with cloneConstructor(bytes) and an empty argument.
_PROXY_INIT_HASH = keccak(
    b"".join(
        (
            bytes.fromhex("3d3d606380380380913d393d73"),
            _PROXY_FACTORY,
            bytes.fromhex("5af4602a57600080fd5b602d8060366000396000f3363d3d373d3d3d363d73"),
            _PROXY_LOGIC,
            bytes.fromhex("5af43d82803e903d91602b57fd5bf3"),
            bytes.fromhex("52e831dd"),
            (32).to_bytes(32, "big"),
            bytes(32),
        )
    )
)
# Minimal ERC-1967 proxies with immutable arguments behind the code; the push of the code's length counts them in.
_UUPS_CODE = bytes.fromhex(
    "60095155f3363d3d373d3d363d7f360894a13ba1a3210667c828492db98dca3e2076"
    "cc3735a920a3ca505d382bbc545af43d6000803e6038573d6000fd5b3d6000f3"
)
_BEACON_CODE = bytes.fromhex(
    "60195155f3363d3d373d3d363d602036600436635c60da"
    "1b60e01b36527fa3f0ad74e5423aebfd80d3ef4346578335a9a72aeaee59ff6c"
    "b3582b35133d50545afa5036515af43d6000803e604d573d6000fd5b3d6000f3"
)


@dataclass(frozen=True, slots=True)
class Wallets:
    """The addresses that belong to a key, deployed or not. `deposit_uups` is the older kind of deposit wallet."""

    eoa: str
    proxy: str
    safe: str
    deposit_beacon: str
    deposit_uups: str

    def of_type(self, signature_type: int) -> tuple[str, ...]:
        """Return the makers that a signature type may have for this key; the first is what new accounts get."""
        return ((self.eoa,), (self.proxy,), (self.safe,), (self.deposit_beacon, self.deposit_uups))[signature_type]


@lru_cache(maxsize=_KEYS)
def wallets_of(eoa: str) -> Wallets:
    """Return the wallets whose addresses follow from a key's address.

    Raises:
        ValueError: `eoa` is no address.
    """
    owner = address_bytes(eoa)
    identity = _PAD + _DEPOSIT_FACTORY + _PAD + owner
    salt = keccak(identity)
    return Wallets(
        eoa=checksum(owner),
        proxy=_create2(_PROXY_FACTORY, keccak(owner), _PROXY_INIT_HASH),
        safe=_create2(_SAFE_FACTORY, keccak(_PAD + owner), _SAFE_INIT_HASH),
        deposit_beacon=_create2(_DEPOSIT_FACTORY, salt, _erc1967_hash(0x52, _DEPOSIT_BEACON + _BEACON_CODE, identity)),
        deposit_uups=_create2(_DEPOSIT_FACTORY, salt, _erc1967_hash(0x3D, _DEPOSIT_LOGIC + _UUPS_CODE, identity)),
    )


def _erc1967_hash(runtime_length: int, code: bytes, arguments: bytes) -> bytes:
    """Return the init code hash of a proxy whose runtime is `runtime_length` bytes long before its arguments."""
    length = (runtime_length + len(arguments)).to_bytes(2, "big")
    return keccak(b"".join((b"\x61", length, bytes.fromhex("3d8160233d3973"), code, arguments)))


def _create2(factory: bytes, salt: bytes, init_hash: bytes) -> str:
    return checksum(keccak(b"\xff" + factory + salt + init_hash)[12:])


def session_signature(session: bytes, wrapped: bytes) -> bytes:
    """Return a deposit wallet's signature as a session key sends it: (signer, 0, bytes) by ABI, then the magic."""
    words = (_PAD + session, bytes(32), (96).to_bytes(32, "big"), len(wrapped).to_bytes(32, "big"))
    return b"".join((*words, wrapped, bytes(-len(wrapped) % 32), SESSION_MAGIC))


class Wallet:
    """A throwaway key and the wallet it trades from, for loopback only; its text form does not show the key."""

    __slots__ = ("_key", "address", "eoa", "session", "signature_type")

    def __init__(self, private_key: str, signature_type: int = 0, *, wallet: str | None = None) -> None:
        self._key = PrivateKey(hex_bytes(private_key, 32))
        self.eoa = checksum(keccak(self._key.public_key.format(compressed=False)[1:])[12:])
        own = wallets_of(self.eoa).of_type(signature_type)
        self.address = own[0] if wallet is None else checksum(address_bytes(wallet))
        self.signature_type = signature_type
        # A deposit wallet that does not follow from the key is operated by it as a session key.
        self.session = self.address not in own
        if self.session and signature_type != 3:
            raise ValueError(f"{self.address} is not the {SIGNATURE_TYPES[signature_type]} wallet of {self.eoa}")

    @classmethod
    def from_seed(cls, seed: int, name: str, signature_type: int = 0) -> Wallet:
        """Return the wallet that a seed gives to `name`; anyone who knows both has its key."""
        key = hashlib.sha256(f"polymarket-agent sandbox {seed} {name}".encode()).hexdigest()
        return cls("0x" + key, signature_type)

    def __repr__(self) -> str:
        return f"Wallet(address={self.address!r}, signature_type={self.signature_type})"

    @property
    def private_key(self) -> str:
        """The key, 0x and 64 digits."""
        return "0x" + self._key.secret.hex()

    def sign_order(
        self,
        asset_id: str,
        side: Side,
        maker_amount: int,
        taker_amount: int,
        *,
        salt: int,
        timestamp_ms: int,
        neg_risk: bool = False,
        expires_s: int = 0,
    ) -> dict[str, str | int]:
        """Return the `order` object of a POST /order body, signed."""
        maker = address_bytes(self.address)
        order = OrderFields(
            salt=salt,
            maker=maker,
            signer=maker if self.signature_type == 3 else address_bytes(self.eoa),
            token_id=int(asset_id),
            maker_amount=maker_amount,
            taker_amount=taker_amount,
            side=int(side is Side.SELL),
            signature_type=self.signature_type,
            timestamp_ms=timestamp_ms,
        )
        return {
            "builder": _ZERO_HEX,
            "expiration": str(expires_s),
            "maker": self.address,
            "makerAmount": str(maker_amount),
            "metadata": _ZERO_HEX,
            "salt": salt,
            "side": side.value,
            "signature": "0x" + self._signature(order, neg_risk=neg_risk).hex(),
            "signatureType": self.signature_type,
            "signer": checksum(order.signer),
            "takerAmount": str(taker_amount),
            "timestamp": str(timestamp_ms),
            "tokenId": asset_id,
        }

    def _signature(self, order: OrderFields, *, neg_risk: bool) -> bytes:
        domain = domain_for(str(order.token_id), neg_risk=neg_risk)
        if self.signature_type != 3:
            return sign(order_digest(order, domain), self._key)
        struct_hash = order.struct_hash()
        inner = sign(wallet_digest(struct_hash, domain, order.maker), self._key)
        length = len(ORDER_TYPE).to_bytes(2, "big")
        wrapped = b"".join((inner, domain.separator, struct_hash, ORDER_TYPE, length))
        return session_signature(address_bytes(self.eoa), wrapped) if self.session else wrapped

    def l1_headers(self, now_s: int, nonce: int = 0) -> dict[str, str]:
        """Return the headers that create or derive an api key; always of the key's own address, not the wallet's."""
        digest = clob_auth_digest(address_bytes(self.eoa), str(now_s), nonce)
        return {
            "POLY_ADDRESS": self.eoa,
            "POLY_NONCE": str(nonce),
            "POLY_SIGNATURE": "0x" + sign(digest, self._key).hex(),
            "POLY_TIMESTAMP": str(now_s),
        }
