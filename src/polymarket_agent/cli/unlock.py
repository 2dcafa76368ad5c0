"""The locks of live trading, opened one after the other: config, flag, library, key, wallet, venue.

Nothing here sends an order. What is missing is named, and the exit code is 3.
"""

from __future__ import annotations

import contextlib
import getpass
import importlib.util
import os
import resource
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from polymarket_agent.errors import LiveLockedError

if TYPE_CHECKING:
    from polymarket_agent.config import Config
    from polymarket_agent.domain.venue import VenueFacts, WalletIdentity
    from polymarket_agent.keys import Secret
    from polymarket_agent.ports import Clock, EventFeed, VenueGateway

__all__ = ["INSTALL_LIVE", "Unlocked", "ask_in_terminal", "identity_of", "key_of", "require_live_unlocked", "unlocked"]

INSTALL_LIVE = "pip install 'polymarket-agent[live]'"

_NEEDED = ("coincurve", "Crypto")


def require_live_unlocked(config: Config, *, live_flag: bool, feed: str | None = None) -> bool:
    """Return whether this run is live; it is when config and command line both say so.

    Raises:
        LiveLockedError: only one of the two says so, or the feed is not the venue's. Nothing was sent.
    """
    from polymarket_agent.config import Mode

    wanted = config.mode is Mode.LIVE
    if not wanted and not live_flag:
        return False
    if not wanted:
        raise LiveLockedError(
            "--live was given, but the config says mode: paper", hint="set mode: live, or leave out --live"
        )
    if not live_flag:
        raise LiveLockedError(
            "the config says mode: live, but --live was not given", hint="add --live, or set mode: paper"
        )
    if feed is not None:
        raise LiveLockedError(
            f"live orders cannot be decided on --feed {feed}: it is not the venue they would be sent to",
            hint="leave out --feed; to rehearse, point the config at a sandbox: polymarket-agent sandbox",
        )
    return True


def key_of(config: Config, environ: Mapping[str, str] | None = None) -> Secret:
    """Return the private key from the one place that holds it.

    Raises:
        LiveLockedError: nothing holds one, or the libraries that sign are not installed.
        ConfigError: what is there is no key, or more than one place holds one.
    """
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise LiveLockedError("the libraries that sign orders are not installed", hint=INSTALL_LIVE)
    from polymarket_agent.keys import load_key

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core dump would hold the key
    live = config.live
    return load_key(
        os.environ if environ is None else environ, key_file=live.key_file, keystore=live.keystore, ask=ask_in_terminal
    )


def ask_in_terminal(question: str) -> str:
    """Return what a person types, without showing it.

    Raises:
        LiveLockedError: there is no terminal.
    """
    if not sys.stdin.isatty():
        raise LiveLockedError(
            "the keystore needs its passphrase and nobody can be asked for it",
            hint="set POLYMARKET_KEYSTORE_PASSPHRASE, or start in a terminal",
        )
    return getpass.getpass(question)


async def identity_of(config: Config, key: Secret, environ: Mapping[str, str] | None = None) -> WalletIdentity:
    """Return which wallet the key trades for.

    Raises:
        ConfigError: several are possible, or what the environment names cannot be.
        VenueError: the relayer cannot be asked.
    """
    from polymarket_agent.adapters.polymarket.gateways import urls_of
    from polymarket_agent.adapters.polymarket.identity import detect_identity, identity_settings, relayer_check
    from polymarket_agent.adapters.polymarket.wallets import address_of

    funder, signature_type = identity_settings(os.environ if environ is None else environ)
    check = relayer_check(urls_of(config).relayer)
    return await detect_identity(address_of(key), funder=funder, signature_type=signature_type, is_deployed=check)


@dataclass(frozen=True, slots=True)
class Unlocked:
    """A connected account, and the channel of its orders."""

    gateway: VenueGateway
    facts: VenueFacts
    user_feed: EventFeed
    venue: str


@contextlib.asynccontextmanager
async def unlocked(config: Config, clock: Clock, *, key: Secret | None = None) -> AsyncIterator[Unlocked]:
    """Open the rest of the locks, and hold the wallet until the block ends. `key` is given by who has it already.

    Raises:
        LiveLockedError: one of them stays closed; says which, why, and what opens it.
        DatabaseError: another agent holds the wallet.
    """
    from polymarket_agent.adapters.polymarket.gateways import build_gateway, urls_of
    from polymarket_agent.adapters.polymarket.parse_user import UserChannelParser
    from polymarket_agent.adapters.polymarket.user_feed import UserFeed
    from polymarket_agent.ledger.lease import WalletLock

    urls = urls_of(config)
    key = key or key_of(config)
    identity = await identity_of(config, key)
    gateway = build_gateway(config.live.client.value, urls, key, identity, clock)
    with WalletLock(identity.wallet):
        try:
            facts = await gateway.connect()
            flags = await gateway.account_flags()
            if flags.blocked:
                where = f" ({flags.country})" if flags.country else ""
                raise LiveLockedError(
                    f"the venue does not take orders from this place{where}", hint="paper trading works everywhere"
                )
            parser = UserChannelParser(identity.wallet, facts.api_key_id)
            feed = UserFeed(urls.user_ws, gateway.credentials, parser=parser, clock=clock)
            yield Unlocked(gateway, facts, feed, urlsplit(urls.clob).netloc)
        finally:
            await gateway.aclose()
