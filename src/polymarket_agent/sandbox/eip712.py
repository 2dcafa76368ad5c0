"""What is signed and how: EIP-712 domains and digests of the venue, signatures of the curve.

digest = keccak(0x1901 ‖ domain separator ‖ struct hash). The id of an order is the digest of its struct in the domain of
the exchange that settles it, also for deposit wallets, whose key signs a digest around it (`wallet_digest`).
Domains and type hashes are computed once, at import; hashing an order costs two keccaks.

Source: ../shared/spec/polymarket-wire.md, sections 3.1, 4.1, 4.2, 4.4, 4.5.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from coincurve import PrivateKey, PublicKey

from polymarket_agent.domain.market import is_position_id
from polymarket_agent.sandbox.keccak import address_bytes, checksum, keccak

__all__ = [
    "CHAIN_ID",
    "DOMAINS",
    "ORDER_TYPE",
    "ZERO_32",
    "Domain",
    "OrderFields",
    "OrderFieldsV1",
    "clob_auth_digest",
    "domain_for",
    "order_digest",
    "order_v1_digest",
    "recover",
    "sign",
    "wallet_digest",
]

CHAIN_ID = 137
ZERO_32 = bytes(32)
ORDER_TYPE = (
    b"Order(uint256 salt,address maker,address signer,uint256 tokenId,uint256 makerAmount,uint256 takerAmount,"
    b"uint8 side,uint8 signatureType,uint256 timestamp,bytes32 metadata,bytes32 builder)"
)

_PAD = bytes(12)  # an address stands in the low 20 of 32 bytes
_HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0
_DOMAIN_TYPE = keccak(b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)")
_ORDER_TYPE_HASH = keccak(ORDER_TYPE)
_ORDER_V1_TYPE_HASH = keccak(
    b"Order(uint256 salt,address maker,address signer,address taker,uint256 tokenId,uint256 makerAmount,"
    b"uint256 takerAmount,uint256 expiration,uint256 nonce,uint256 feeRateBps,uint8 side,uint8 signatureType)"
)
_WALLET_TYPE_HASH = keccak(
    b"TypedDataSign(Order contents,string name,string version,uint256 chainId,address verifyingContract,bytes32 salt)"
    + ORDER_TYPE
)
_WALLET_DOMAIN = keccak(b"DepositWallet") + keccak(b"1")
_AUTH_TYPE_HASH = keccak(b"ClobAuth(address address,string timestamp,uint256 nonce,string message)")
_AUTH_DOMAIN_TYPE = keccak(b"EIP712Domain(string name,string version,uint256 chainId)")
_AUTH_MESSAGE_HASH = keccak(b"This message attests that I control the given wallet")


def _word(number: int) -> bytes:
    return number.to_bytes(32, "big")


@dataclass(frozen=True, slots=True)
class Domain:
    """One exchange contract: orders signed for another version, contract or chain have another digest."""

    name: str
    version: str
    contract: str
    chain_id: int = CHAIN_ID
    separator: bytes = field(init=False)

    def __post_init__(self) -> None:
        encoded = b"".join(
            (
                _DOMAIN_TYPE,
                keccak(b"Polymarket CTF Exchange"),
                keccak(self.version.encode()),
                _word(self.chain_id),
                _PAD,
                address_bytes(self.contract),
            )
        )
        object.__setattr__(self, "separator", keccak(encoded))


DOMAINS: dict[str, Domain] = {
    domain.name: domain
    for domain in (
        Domain("v1_standard", "1", "0x4bFb41d5B3570DeFd03C39a9A4D8dE6Bd8B8982E"),
        Domain("v1_negrisk", "1", "0xC5d563A36AE78145C45a50134d48A1215220f80a"),
        Domain("v2_standard", "2", "0xE111180000d2663C0091e4f400237545B87B996B"),
        Domain("v2_negrisk", "2", "0xe2222d279d744050d28e00520010520000310F59"),
        Domain("v3", "3", "0xe3333700cA9d93003F00f0F71f8515005F6c00Aa"),
    )
}


def domain_for(asset_id: str, *, neg_risk: bool) -> Domain:
    """Return the exchange that an order for `asset_id` is signed for: the id's own bits say V3, else the market says."""
    if is_position_id(asset_id):
        return DOMAINS["v3"]
    return DOMAINS["v2_negrisk" if neg_risk else "v2_standard"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderFields:
    """The signed fields of an order of versions 2 and 3. `maker` and `signer` are 20 bytes, `side` 0 for BUY."""

    salt: int
    maker: bytes
    signer: bytes
    token_id: int
    maker_amount: int
    taker_amount: int
    side: int
    signature_type: int
    timestamp_ms: int
    metadata: bytes = ZERO_32
    builder: bytes = ZERO_32

    def struct_hash(self) -> bytes:
        """Return hashStruct(Order)."""
        return keccak(
            b"".join(
                (
                    _ORDER_TYPE_HASH,
                    self.salt.to_bytes(32, "big"),
                    _PAD,
                    self.maker,
                    _PAD,
                    self.signer,
                    self.token_id.to_bytes(32, "big"),
                    self.maker_amount.to_bytes(32, "big"),
                    self.taker_amount.to_bytes(32, "big"),
                    self.side.to_bytes(32, "big"),
                    self.signature_type.to_bytes(32, "big"),
                    self.timestamp_ms.to_bytes(32, "big"),
                    self.metadata,
                    self.builder,
                )
            )
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderFieldsV1:
    """The signed fields of an order of version 1, which the venue answers with `order_version_mismatch`."""

    salt: int
    maker: bytes
    signer: bytes
    taker: bytes
    token_id: int
    maker_amount: int
    taker_amount: int
    expiration_s: int
    nonce: int
    fee_rate_bps: int
    side: int
    signature_type: int

    def struct_hash(self) -> bytes:
        """Return hashStruct(Order) of version 1."""
        addresses = (_PAD + self.maker, _PAD + self.signer, _PAD + self.taker)
        numbers = (self.token_id, self.maker_amount, self.taker_amount, self.expiration_s, self.nonce)
        rest = (self.fee_rate_bps, self.side, self.signature_type)
        return keccak(b"".join((_ORDER_V1_TYPE_HASH, _word(self.salt), *addresses, *map(_word, numbers + rest))))


def order_digest(order: OrderFields, domain: Domain) -> bytes:
    """Return the order's id as 32 bytes."""
    return keccak(b"\x19\x01" + domain.separator + order.struct_hash())


def order_v1_digest(order: OrderFieldsV1, domain: Domain) -> bytes:
    """Return the id of an order of version 1 as 32 bytes."""
    return keccak(b"\x19\x01" + domain.separator + order.struct_hash())


def wallet_digest(struct_hash: bytes, domain: Domain, wallet: bytes) -> bytes:
    """Return what the owner of a deposit wallet signs for an order (ERC-7739, nested): struct and wallet together."""
    nested = keccak(
        b"".join((_WALLET_TYPE_HASH, struct_hash, _WALLET_DOMAIN, _word(domain.chain_id), _PAD, wallet, ZERO_32))
    )
    return keccak(b"\x19\x01" + domain.separator + nested)


def clob_auth_digest(address: bytes, timestamp: str, nonce: int, chain_id: int = CHAIN_ID) -> bytes:
    """Return what a key signs to show that it controls `address` (L1)."""
    separator = keccak(_AUTH_DOMAIN_TYPE + keccak(b"ClobAuthDomain") + keccak(b"1") + _word(chain_id))
    claim = (_AUTH_TYPE_HASH, _PAD, address, keccak(timestamp.encode()), _word(nonce), _AUTH_MESSAGE_HASH)
    return keccak(b"\x19\x01" + separator + keccak(b"".join(claim)))


def recover(digest: bytes, signature: bytes) -> str | None:
    """Return the address whose key made a 65-byte signature (r, s, v), or None when no key can have made it.

    v is 27 or 28. s must be in the lower half: its mirror image is valid mathematics but a second signature of the
    same order, which no client of the venue makes.
    """
    if len(signature) != 65 or signature[64] not in {27, 28}:
        return None
    if int.from_bytes(signature[32:64], "big") > _HALF_ORDER:
        return None
    try:
        key = PublicKey.from_signature_and_message(
            signature[:64] + (b"\x00" if signature[64] == 27 else b"\x01"), digest, hasher=None
        )
    except ValueError:
        return None  # r or s is zero, beyond the curve's order, or r is no point
    return checksum(keccak(key.format(compressed=False)[1:])[12:])


def sign(digest: bytes, key: PrivateKey) -> bytes:
    """Return the 65 bytes r, s, v of a deterministic signature (RFC 6979), byte for byte what the clients make."""
    made = key.sign_recoverable(digest, hasher=None)
    return made[:64] + bytes((27 + made[64],))
