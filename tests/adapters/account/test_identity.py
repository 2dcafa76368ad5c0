from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from polymarket_agent.adapters.polymarket.identity import (
    detect_identity,
    identity_note,
    identity_settings,
    relayer_check,
)
from polymarket_agent.domain.venue import WalletKind
from polymarket_agent.errors import ConfigError, VenueError
from tests.contract.gateway_world import gateway_world

# The development key of polymarket-wire.md 3.4 and its wallets, as the official client derived them.
EOA = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
PROXY = "0x365f0CA36Ae1f641E02fE3B7743673da42A13A70"
SAFE = "0xd93B25cb943D14d0d34FBaF01Fc93a0f8b5F6E47"
BEACON = "0xBc0fF067b7740Eff76C1ca93c875Ba6B890d6B50"
UUPS = "0xdf8b9E8f9AB23f261F6e1B171B7454ae6E46Ba76"
OTHER = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"


def relayer(*deployed: str) -> tuple[Callable[[str, str], Awaitable[bool]], list[tuple[str, str]]]:
    asked: list[tuple[str, str]] = []

    async def is_deployed(address: str, kind: str) -> bool:
        asked.append((address, kind))
        return address in deployed

    return is_deployed, asked


@pytest.mark.parametrize(
    ("wallet", "kind"),
    [
        (BEACON, WalletKind.DEPOSIT),
        (UUPS, WalletKind.DEPOSIT),
        (SAFE, WalletKind.SAFE),
        (PROXY, WalletKind.PROXY),
    ],
)
async def test_the_only_deployed_wallet_wins(wallet: str, kind: WalletKind) -> None:
    """With nothing given, the relayer is asked for each wallet of the key by its own word, and the one that is there is it."""
    check, asked = relayer(wallet)
    found = await detect_identity(EOA, funder=None, signature_type=None, is_deployed=check)

    assert (found.signer, found.wallet, found.kind) == (EOA, wallet, kind)
    assert asked == [(BEACON, "WALLET"), (UUPS, "WALLET"), (SAFE, "SAFE"), (PROXY, "PROXY")]
    assert identity_note(found) == ""


async def test_several_wallets_are_for_a_person_to_choose() -> None:
    """Two deployed wallets are an error that names both with their kinds, and how to choose."""
    check, _ = relayer(SAFE, BEACON)
    with pytest.raises(ConfigError) as caught:
        await detect_identity(EOA, funder=None, signature_type=None, is_deployed=check)

    assert all(word in str(caught.value) for word in (SAFE, BEACON, "SAFE", "DEPOSIT"))
    assert "POLYMARKET_FUNDER" in caught.value.hint


async def test_no_wallet_means_a_plain_account() -> None:
    """Without any wallet the key's own address holds the money, and a note says that the venue refuses new ones."""
    check, _ = relayer()
    found = await detect_identity(EOA, funder=None, signature_type=None, is_deployed=check)

    assert (found.wallet, found.kind) == (EOA, WalletKind.EOA)
    assert "deposit wallet" in identity_note(found)


@pytest.mark.parametrize(
    ("funder", "signature_type", "wallet", "kind"),
    [
        (SAFE, 2, SAFE, WalletKind.SAFE),
        (SAFE.lower(), None, SAFE, WalletKind.SAFE),
        (UUPS, 3, UUPS, WalletKind.DEPOSIT),
        (EOA, 0, EOA, WalletKind.EOA),
        (None, 0, EOA, WalletKind.EOA),
    ],
)
async def test_what_is_given_is_not_asked_for(
    funder: str | None, signature_type: int | None, wallet: str, kind: WalletKind
) -> None:
    """A wallet that belongs to the key is taken as given, in any case of its letters, without a question."""
    check, asked = relayer()
    found = await detect_identity(EOA, funder=funder, signature_type=signature_type, is_deployed=check)

    assert (found.wallet, found.kind, asked) == (wallet, kind, [])


async def test_a_type_alone_chooses_among_its_own_wallets() -> None:
    """A signature type narrows the question; a wallet of that type that is not there is an error."""
    check, asked = relayer(UUPS, SAFE)
    found = await detect_identity(EOA, funder=None, signature_type=3, is_deployed=check)

    assert found.wallet == UUPS
    assert {kind for _, kind in asked} == {"WALLET"}
    with pytest.raises(ConfigError, match="no PROXY wallet"):
        await detect_identity(EOA, funder=None, signature_type=1, is_deployed=check)


@pytest.mark.parametrize(
    ("funder", "signature_type"),
    [(SAFE, 1), (EOA, 3), (OTHER, 2), (OTHER, None), (SAFE[:-1] + "0", 2), ("0x12", None), (SAFE, 7), (None, -1)],
)
async def test_contradictions_are_errors(funder: str | None, signature_type: int | None) -> None:
    """A wallet of another type, of another key, mistyped, or a type that does not exist never signs an order."""
    check, _ = relayer(SAFE)
    with pytest.raises(ConfigError):
        await detect_identity(EOA, funder=funder, signature_type=signature_type, is_deployed=check)


def test_the_environment_is_read_strictly() -> None:
    """Blank variables count as absent; a type is one of four digits."""
    assert identity_settings({}) == (None, None)
    assert identity_settings({"POLYMARKET_FUNDER": " ", "POLYMARKET_SIGNATURE_TYPE": ""}) == (None, None)
    assert identity_settings({"POLYMARKET_FUNDER": SAFE, "POLYMARKET_SIGNATURE_TYPE": "2"}) == (SAFE, 2)
    for text in ("4", "-1", "two", "2.0", "02"):
        with pytest.raises(ConfigError):
            identity_settings({"POLYMARKET_SIGNATURE_TYPE": text})


@pytest.mark.parametrize("kind", list(WalletKind))
async def test_the_relayer_of_a_running_venue_is_understood(kind: WalletKind) -> None:
    """Asked over the wire, each account of the venue is found as what it is."""
    async with gateway_world("direct", kind, connect=False) as world:
        check = relayer_check(world.sandbox.urls["relayer_url"])
        found = await detect_identity(world.account.address, funder=None, signature_type=None, is_deployed=check)

        assert found == world.gateway.identity
        with pytest.raises(VenueError):
            await check("not an address", "SAFE")
