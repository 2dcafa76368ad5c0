"""Where the money of a key lies: its own address and the wallets that the venue's factories deploy for it (CREATE2).

The constants are those of Polygon, chain 137. Source: ../shared/spec/polymarket-wire.md, section 3.4, with addresses that
the official client derived for a development key, which the tests reproduce.
"""

from __future__ import annotations

from dataclasses import dataclass

from polymarket_agent.adapters.polymarket.hashing import address_bytes, checksum, keccak, word
from polymarket_agent.domain.venue import WalletKind
from polymarket_agent.errors import LiveLockedError
from polymarket_agent.keys import Secret

__all__ = ["WalletAddresses", "address_of", "addresses_of", "kind_of"]

_PROXY_FACTORY = bytes.fromhex("aB45c5A4B0c941a2F231C04C3f49182e1A254052")
_PROXY_IMPLEMENTATION = bytes.fromhex("44e999d5c2F66Ef0861317f9A4805AC2e90aEB4f")
_SAFE_FACTORY = bytes.fromhex("aacFeEa03eb1561C4e67d661e40682Bd20E3541b")
_SAFE_INIT_CODE_HASH = bytes.fromhex("2bce2127ff07fb632d16c8347c4ebf501f4841168bed00d9e6ef715ddb6fcecf")
_DEPOSIT_FACTORY = bytes.fromhex("00000000000Fb5C9ADea0298D729A0CB3823Cc07")
_DEPOSIT_BEACON = bytes.fromhex("7A18EDfe055488A3128f01F563e5B479D92ffc3a")
_DEPOSIT_IMPLEMENTATION = bytes.fromhex("58CA52ebe0DadfdF531Cde7062e76746de4Db1eB")

# Creation code of the minimal proxies: what stands before, between and after the addresses.
_PROXY_CODE = (
    bytes.fromhex("3d3d606380380380913d393d73"),
    bytes.fromhex("5af4602a57600080fd5b602d8060366000396000f3363d3d373d3d3d363d73"),
    bytes.fromhex("5af43d82803e903d91602b57fd5bf352e831dd") + word(32) + word(0),
)
_BEACON_CODE = (
    0x61_0052_3D8160233D3973,
    bytes.fromhex(
        "60195155f3363d3d373d3d363d602036600436635c60da1b60e01b36527fa3f0ad74e5423aebfd80d3ef4346578335a9a72aeaee59ff6c"
        "b3582b35133d50545afa5036515af43d6000803e604d573d6000fd5b3d6000f3"
    ),
)
_UUPS_CODE = (
    0x61_003D_3D8160233D3973,
    bytes.fromhex(
        "60095155f3363d3d373d3d363d7f360894a13ba1a3210667c828492db98dca3e2076"
        "cc3735a920a3ca505d382bbc545af43d6000803e6038573d6000fd5b3d6000f3"
    ),
)


@dataclass(frozen=True, slots=True)
class WalletAddresses:
    """Every address that one key may trade from, checksummed. `deposit_uups` is how older deposit wallets were made."""

    eoa: str
    proxy: str
    safe: str
    deposit: str
    deposit_uups: str


def address_of(key: Secret) -> str:
    """Return the checksummed address of a private key (0x and 64 digits).

    Raises:
        LiveLockedError: the curve library is not installed.
    """
    try:
        from coincurve import PrivateKey
    except ImportError:
        missing = True
    else:
        missing = False
    if missing:
        raise LiveLockedError("live trading needs coincurve", hint="pip install 'polymarket-agent[live]'")
    public = PrivateKey(bytes.fromhex(key.reveal()[2:])).public_key.format(compressed=False)
    return checksum(keccak(public[1:])[12:])


def addresses_of(eoa: str) -> WalletAddresses:
    """Return the address of a key and of the wallets that can be deployed for it; whether they are is not known here.

    Raises:
        AgentError: not an address.
    """
    owner = address_bytes(eoa)
    first, middle, last = _PROXY_CODE
    proxy_code = first + _PROXY_FACTORY + middle + _PROXY_IMPLEMENTATION + last
    arguments = _padded(_DEPOSIT_FACTORY) + _padded(owner)
    return WalletAddresses(
        eoa=checksum(owner),
        proxy=_create2(_PROXY_FACTORY, keccak(owner), keccak(proxy_code)),
        safe=_create2(_SAFE_FACTORY, keccak(_padded(owner)), _SAFE_INIT_CODE_HASH),
        deposit=_create2(_DEPOSIT_FACTORY, keccak(arguments), _code_hash(_BEACON_CODE, _DEPOSIT_BEACON, arguments)),
        deposit_uups=_create2(
            _DEPOSIT_FACTORY, keccak(arguments), _code_hash(_UUPS_CODE, _DEPOSIT_IMPLEMENTATION, arguments)
        ),
    )


def kind_of(signer: str, wallet: str) -> WalletKind | None:
    """Return what kind of wallet of the signer an address is, or None when it is none of them.

    Raises:
        AgentError: one of the two is not an address.
    """
    known = addresses_of(signer)
    return {
        known.deposit_uups: WalletKind.DEPOSIT,
        known.deposit: WalletKind.DEPOSIT,
        known.safe: WalletKind.SAFE,
        known.proxy: WalletKind.PROXY,
        known.eoa: WalletKind.EOA,
    }.get(checksum(wallet))


def _padded(address: bytes) -> bytes:
    return address.rjust(32, b"\0")


def _code_hash(code: tuple[int, bytes], target: bytes, arguments: bytes) -> bytes:
    """Hash the creation code of an ERC-1967 proxy whose head holds the length of its arguments."""
    head, tail = code
    return keccak((head + (len(arguments) << 56)).to_bytes(10, "big") + target + tail + arguments)


def _create2(factory: bytes, salt: bytes, code_hash: bytes) -> str:
    return checksum(keccak(b"\xff" + factory + salt + code_hash)[12:])
