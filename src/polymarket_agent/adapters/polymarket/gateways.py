"""Makes the gateway that the configuration names. Libraries are imported only here and only when they are wanted."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
from typing import TYPE_CHECKING, Any

from polymarket_agent.adapters.polymarket.hosts import Urls, is_loopback
from polymarket_agent.domain.venue import WalletIdentity
from polymarket_agent.errors import ConfigError, LiveLockedError
from polymarket_agent.keys import Secret
from polymarket_agent.ports import Clock, VenueGateway

if TYPE_CHECKING:
    from polymarket_agent.config import Config

__all__ = ["CLIENTS", "TESTED_VERSIONS", "Urls", "build_gateway", "urls_of"]

CLIENTS = ("unified", "clob", "direct")
INSTALL = "pip install 'polymarket-agent[live]'"

# The libraries whose private parts or exact answers are relied on, with the versions that the tests ran against.
TESTED_VERSIONS = {"polymarket-client": ("0.14.0",), "py-clob-client-v2": ("1.2.1",)}
_LIBRARY = {"unified": "polymarket-client", "clob": "py-clob-client-v2"}
_OLD_CLIENT, _OLD_MODULE = "py-clob-client", "py_clob_client"
_OLD_SINCE = "2026-04-28"
_PACKAGE = "polymarket_agent.adapters.polymarket"
_HOME = {"unified": ("gateway", "UnifiedGateway"), "clob": ("clob", "ClobGateway")}


def urls_of(config: Config) -> Urls:
    """Return the addresses of live trading in a configuration.

    The chain is read only by approvals, which the agent never makes; beside a venue on loopback it is on loopback too,
    so that nothing of a rehearsal can reach the outside.

    Raises:
        ConfigError: an address is neither the venue's nor loopback.
    """
    feed, live = config.feed, config.live
    urls = Urls(
        clob=feed.clob_url,
        gamma=feed.gamma_url,
        market_ws=feed.market_ws_url,
        data=live.data_url,
        relayer=live.relayer_url,
        user_ws=live.user_ws_url,
        geoblock=live.geoblock_url,
    )
    scheme, _, rest = urls.clob.partition("://")
    place = rest.partition("/")[0]
    host = place if place.endswith("]") else place.rsplit(":", 1)[0]
    if not is_loopback(host):
        return urls
    given = {name: getattr(urls, name) for name in ("clob", "gamma", "market_ws", "data", "relayer", "user_ws")}
    return Urls(**given, geoblock=urls.geoblock, rpc=f"{scheme}://{place}/rpc")


def build_gateway(client: str, urls: Urls, key: Secret, identity: WalletIdentity, clock: Clock) -> VenueGateway:
    """Return the gateway over a client: `unified`, `clob` (both official) or `direct` (our own HTTP).

    Raises:
        LiveLockedError: the client's library is missing, untested in its version, or no longer accepted by the venue.
        ConfigError: there is no such client.
    """
    if client in (_OLD_CLIENT, _OLD_MODULE):
        raise _old_client()
    if client not in CLIENTS:
        raise ConfigError(f"there is no client '{client[:40]}'", hint=f"live.client is one of {', '.join(CLIENTS)}")
    if client == "direct":
        return _direct(urls, key, identity, clock)
    _check_version(_LIBRARY[client])
    module, name = _HOME[client]
    try:
        gateway: Any = getattr(importlib.import_module(f"{_PACKAGE}.{module}"), name)
    except ModuleNotFoundError as error:
        raise LiveLockedError(
            f"live trading by '{client}' needs {error.name}, which is missing", hint=INSTALL
        ) from error
    made: VenueGateway = gateway(urls.by_client_name(), key, identity, clock)
    return made


def _direct(urls: Urls, key: Secret, identity: WalletIdentity, clock: Clock) -> VenueGateway:
    from polymarket_agent.adapters.polymarket.direct import DirectGateway
    from polymarket_agent.adapters.polymarket.signer import OrderSigner

    return DirectGateway(urls, OrderSigner(key, identity), identity, clock)


def _check_version(library: str) -> None:
    try:
        version = importlib.metadata.version(library)
    except importlib.metadata.PackageNotFoundError:
        version = ""
    if not version:
        if importlib.util.find_spec(_OLD_MODULE) is not None:
            raise _old_client()
        raise LiveLockedError(f"the library {library} is not installed", hint=INSTALL)
    tested = TESTED_VERSIONS[library]
    if version not in tested:
        raise LiveLockedError(
            f"{library} {version} is not a version that this program was tested with",
            hint=f"pip install '{library}=={tested[-1]}', or set live.client: direct",
        )


def _old_client() -> LiveLockedError:
    return LiveLockedError(
        f"{_OLD_CLIENT} signs orders in a version that the venue refuses since {_OLD_SINCE} (order_version_mismatch)",
        hint=f"{INSTALL}, or set live.client: direct",
    )
