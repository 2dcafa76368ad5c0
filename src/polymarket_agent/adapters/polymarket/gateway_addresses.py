"""What of `polymarket-client` is private or named its own way: versions, addresses, kinds of wallets. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from importlib.metadata import version
from typing import Any
from urllib.parse import urlsplit

from polymarket_agent.domain.venue import WalletKind
from polymarket_agent.errors import LiveLockedError

__all__ = ["TESTED_VERSIONS", "WALLET_KINDS", "addresses", "environment_of"]

TESTED_VERSIONS = ("0.14.0",)
WALLET_KINDS = {
    "EOA": WalletKind.EOA,
    "POLY_PROXY": WalletKind.PROXY,
    "GNOSIS_SAFE": WalletKind.SAFE,
    "DEPOSIT_WALLET": WalletKind.DEPOSIT,
}  # by the client's names

_SOCKET_SCHEMES = ("ws", "wss")
_FIELDS = {
    "clob_url": "clob_url",
    "gamma_url": "gamma_url",
    "data_url": "data_url",
    "relayer_url": "relayer_url",
    "rpc_url": "rpc_url",
    "market_ws_url": "clob_market_ws_url",
    "user_ws_url": "clob_user_ws_url",
}


def environment_of(sdk: Any, create: Callable[..., Any], urls: Mapping[str, str]) -> Any:
    """Return the environment of the client `sdk` for these addresses: its own production, or one made by `create`.

    Raises:
        LiveLockedError: a version of which we do not know the private parts, or addresses that do not belong together.
    """
    found, production = version("polymarket-client"), getattr(sdk.PRODUCTION, "_config", None)
    if found not in TESTED_VERSIONS or production is None:
        raise LiveLockedError(
            f"polymarket-client {found} is not a version that this program knows",
            hint=f"pip install polymarket-client=={TESTED_VERSIONS[-1]}",
        )
    changed = addresses(production, urls)
    return create(name="other", config=replace(production, **changed)) if changed else sdk.PRODUCTION


def addresses(production: Any, urls: Mapping[str, str]) -> dict[str, str]:
    """Return what replaces which field of the client's production environment; nothing where `urls` are its own.

    A field for which `urls` has nothing gets an address of the same host that answers 404, so that a client for
    another venue cannot reach this one.

    Raises:
        LiveLockedError: an address is missing, or only a part of them are production's.
    """
    missing = [name for name in _FIELDS if not urls.get(name)]
    if missing:
        raise LiveLockedError(f"the addresses of the venue lack {', '.join(missing)}")
    wanted = {field: urls[name].rstrip("/") for name, field in _FIELDS.items()}
    theirs = {field: str(getattr(production, field)) for field in wanted}
    own = [field for field, url in wanted.items() if urlsplit(url).hostname == urlsplit(theirs[field]).hostname]
    if wanted.keys() - set(own) <= {"rpc_url"}:  # which node of the chain is asked is the operator's choice
        return {field: url for field, url in wanted.items() if url != theirs[field]}
    if own:
        raise LiveLockedError(
            f"only {', '.join(own)} of the venue's addresses are production's",
            hint="take all of them from one venue; a mixture could sign for one and send to the other",
        )
    http, socket = _root(wanted["clob_url"]), _root(wanted["clob_market_ws_url"])
    for field in fields(production):
        value = getattr(production, field.name)
        if field.name not in wanted and isinstance(value, str) and "://" in value:
            root = socket if urlsplit(value).scheme in _SOCKET_SCHEMES else http
            wanted[field.name] = f"{root}/nothing/{field.name}"
    return wanted


def _root(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
