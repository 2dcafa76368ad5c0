"""Which wallet a key trades for: as the environment says, or as the venue's relayer shows.

A wrong answer here signs orders that the venue refuses, or looks for money where none is, so nothing is guessed: two
possible wallets are an error that names both.

Source: ../shared/spec/polymarket-wire.md, section 3.4.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

import msgspec

from polymarket_agent.adapters.polymarket.hashing import checksum
from polymarket_agent.adapters.polymarket.hosts import require_allowed
from polymarket_agent.adapters.polymarket.reader import HttpReader
from polymarket_agent.adapters.polymarket.wallets import addresses_of, kind_of
from polymarket_agent.domain.venue import WalletIdentity, WalletKind
from polymarket_agent.errors import AgentError, ConfigError, VenueDataError

__all__ = [
    "FUNDER_VARIABLE",
    "SIGNATURE_TYPE_VARIABLE",
    "IsDeployed",
    "detect_identity",
    "identity_note",
    "identity_settings",
    "relayer_check",
]

FUNDER_VARIABLE = "POLYMARKET_FUNDER"
SIGNATURE_TYPE_VARIABLE = "POLYMARKET_SIGNATURE_TYPE"

# Asks whether a wallet of some kind has code: (address, the relayer's word for the kind).
IsDeployed = Callable[[str, str], Awaitable[bool]]

_TYPES = ", ".join(f"{kind.value} ({kind.name})" for kind in WalletKind)
_CHOOSE = (
    f"set {FUNDER_VARIABLE} to the wallet that holds the money and {SIGNATURE_TYPE_VARIABLE} to its type: {_TYPES}"
)
_RELAYER_WORDS = {WalletKind.DEPOSIT: "WALLET", WalletKind.SAFE: "SAFE", WalletKind.PROXY: "PROXY"}


class _Deployed(msgspec.Struct):
    deployed: bool


def identity_settings(environ: Mapping[str, str]) -> tuple[str | None, int | None]:
    """Return the wallet and the signature type that the environment names, None for each that it does not.

    Raises:
        ConfigError: the type is none of the venue's.
    """
    funder = environ.get(FUNDER_VARIABLE, "").strip() or None
    text = environ.get(SIGNATURE_TYPE_VARIABLE, "").strip()
    if not text:
        return funder, None
    if text not in [str(kind.value) for kind in WalletKind]:
        raise ConfigError(f"{SIGNATURE_TYPE_VARIABLE} is none of the venue's types", hint=f"allowed are {_TYPES}")
    return funder, int(text)


async def detect_identity(
    key_address: str, *, funder: str | None, signature_type: int | None, is_deployed: IsDeployed
) -> WalletIdentity:
    """Return which wallet the key of `key_address` trades for.

    What is given decides. Without both, the relayer is asked for each wallet that can belong to the key; the only one
    that is deployed wins, and with none the key's own address does (`identity_note` says what that means).

    Raises:
        ConfigError: the two contradict each other or the key, or several wallets are deployed.
        VenueError: the relayer cannot be read.
    """
    kind = _kind_of_type(signature_type)
    if funder is not None:
        return _given(key_address, funder, kind)
    own = addresses_of(key_address)
    candidates = [
        (WalletKind.DEPOSIT, own.deposit),
        (WalletKind.DEPOSIT, own.deposit_uups),
        (WalletKind.SAFE, own.safe),
        (WalletKind.PROXY, own.proxy),
    ]
    if kind is WalletKind.EOA:
        return WalletIdentity(signer=own.eoa, wallet=own.eoa, kind=kind)
    wanted = [each for each in candidates if kind in (None, each[0])]
    found = [each for each in wanted if await is_deployed(each[1], _RELAYER_WORDS[each[0]])]
    if len(found) == 1:
        return WalletIdentity(signer=own.eoa, wallet=found[0][1], kind=found[0][0])
    if found:
        listed = "; ".join(f"{each.name} (type {each.value}) at {wallet}" for each, wallet in found)
        raise ConfigError(f"the key {own.eoa} has several wallets: {listed}", hint=_CHOOSE)
    if kind is not None:
        raise ConfigError(
            f"the key {own.eoa} has no {kind.name} wallet at {' or '.join(wallet for _, wallet in wanted)}",
            hint=f"open it on the venue's site, or take {SIGNATURE_TYPE_VARIABLE} out to see what there is",
        )
    return WalletIdentity(signer=own.eoa, wallet=own.eoa, kind=WalletKind.EOA)


def identity_note(identity: WalletIdentity) -> str:
    """Return what a person should know about the kind of wallet, "" for nothing."""
    if identity.kind is not WalletKind.EOA:
        return ""
    return (
        f"{identity.wallet} is a plain account: the venue refuses orders of new ones "
        "(maker address not allowed); if so, open a deposit wallet on its site and move the money there"
    )


def relayer_check(relayer_url: str) -> IsDeployed:
    """Return a function that asks the venue's relayer whether a wallet is deployed.

    Raises:
        ConfigError: the address is neither the venue's nor loopback.
    """
    base = require_allowed(relayer_url)

    async def is_deployed(address: str, kind: str) -> bool:
        async with HttpReader(base) as reader:
            body = await reader.get("/deployed", [("address", address), ("type", kind)])
        try:
            return msgspec.json.decode(body, type=_Deployed).deployed
        except (msgspec.MsgspecError, ValueError) as error:
            raise VenueDataError("the relayer does not say whether a wallet is deployed") from error

    return is_deployed


def _kind_of_type(signature_type: int | None) -> WalletKind | None:
    if signature_type is None:
        return None
    try:
        return WalletKind(signature_type)
    except ValueError:
        raise ConfigError(f"{signature_type} is no signature type", hint=f"allowed are {_TYPES}") from None


def _address_in(text: str) -> str | None:
    """Return an address with its checksum, or None; no error repeats the text, which may be a key in the wrong place."""
    try:
        return checksum(text)
    except AgentError:
        return None


def _given(key_address: str, funder: str, kind: WalletKind | None) -> WalletIdentity:
    wallet = _address_in(funder)
    if wallet is None:
        raise ConfigError(f"{FUNDER_VARIABLE} is not an address: that is 0x and 40 hexadecimal digits", hint=_CHOOSE)
    signer = checksum(key_address)
    found = kind_of(signer, wallet)
    if found is None:
        own = addresses_of(signer)
        raise ConfigError(
            f"{wallet} is no wallet of the key {signer}",
            hint=f"its own are {own.eoa} (EOA), {own.proxy} (PROXY), {own.safe} (SAFE), "
            f"{own.deposit} and {own.deposit_uups} (DEPOSIT)",
        )
    if kind not in (None, found):
        raise ConfigError(
            f"{wallet} is the {found.name} wallet of the key, not its {kind.name if kind else ''} wallet",
            hint=f"set {SIGNATURE_TYPE_VARIABLE} to {found.value}, or take it out",
        )
    return WalletIdentity(signer=signer, wallet=wallet, kind=found)
