"""Where the account's requests may go: the venue's own hosts, or loopback. Pure.

A key and credentials travel with these requests, so a configured address is compared with a list of exact names and is
never followed elsewhere.

Source: ../shared/spec/polymarket-wire.md, section 2.1.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from polymarket_agent.errors import ConfigError

__all__ = ["VENUE_HOSTS", "Urls", "is_loopback", "require_allowed"]

VENUE_HOSTS = frozenset(
    {
        "clob.polymarket.com",
        "ws-subscriptions-clob.polymarket.com",
        "gamma-api.polymarket.com",
        "data-api.polymarket.com",
        "relayer-v2.polymarket.com",
        "ws-live-data.polymarket.com",
        "ws-live-v2.polymarket.com",
        "sports-api.polymarket.com",
        "polymarket.com",
        "polygon.drpc.org",
    }
)

# Strict, so that no two readers of addresses can see two hosts in one text.
_URL = re.compile(
    r"(?P<scheme>https|http|wss|ws)://(?P<host>[A-Za-z0-9.-]{1,253}|\[[0-9a-fA-F:]{2,39}\])"
    r"(?::(?P<port>[0-9]{1,5}))?(?P<path>(?:/[A-Za-z0-9._~-]*)*)"
)
_SECURE_PORT = 443


@dataclass(frozen=True, slots=True, kw_only=True)
class Urls:
    """The addresses that live trading talks to, each checked by `require_allowed` when the object is made.

    Raises:
        ConfigError: one of them is neither the venue's nor loopback.
    """

    clob: str = "https://clob.polymarket.com"
    data: str = "https://data-api.polymarket.com"
    relayer: str = "https://relayer-v2.polymarket.com"
    user_ws: str = "wss://ws-subscriptions-clob.polymarket.com/ws/user"
    geoblock: str = "https://polymarket.com/api/geoblock"
    gamma: str = "https://gamma-api.polymarket.com"
    market_ws: str = "wss://ws-subscriptions-clob.polymarket.com/ws/market"
    rpc: str = "https://polygon.drpc.org"

    def __post_init__(self) -> None:
        for name in self.__slots__:
            object.__setattr__(self, name, require_allowed(getattr(self, name)))

    def by_client_name(self) -> dict[str, str]:
        """Return the addresses under the names that the gateways over the official clients take."""
        return {f"{name}_url": getattr(self, name) for name in self.__slots__}


def require_allowed(url: str) -> str:
    """Return an address without a trailing slash if requests of an account may go there.

    Raises:
        ConfigError: neither one of the venue's hosts by https or wss on its usual port, nor loopback.
    """
    found = _URL.fullmatch(url.rstrip("/"))
    if found is None:
        raise ConfigError(
            f"{_shown(url)} is not a plain address",
            hint="write https://host/path: no user, no query, no fragment, no other characters",
        )
    host = found["host"].lower()
    if is_loopback(host):
        return found[0]
    if host not in VENUE_HOSTS:
        raise ConfigError(
            f"requests of an account may not go to {host}",
            hint=f"allowed are loopback and the venue's own hosts: {', '.join(sorted(VENUE_HOSTS))}",
        )
    if found["scheme"] not in ("https", "wss"):
        raise ConfigError(
            f"{host} may be reached by https or wss only, not by {found['scheme']}", hint="write https://"
        )
    if found["port"] not in (None, str(_SECURE_PORT)):
        raise ConfigError(f"{host} may be reached on port {_SECURE_PORT} only", hint="leave the port out")
    return found[0]


def is_loopback(host: str) -> bool:
    """Whether a host name is this machine itself: localhost, 127.0.0.0/8 or ::1, as an address in full."""
    name = host.lower()
    if name == "localhost":
        return True
    try:
        address = ipaddress.ip_address(name.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    # An IPv6 address that wraps an IPv4 one is nobody's loopback in a configuration.
    return address.is_loopback and getattr(address, "ipv4_mapped", None) is None


def _shown(url: str) -> str:
    """Return an address for a message, without what could be a password in it."""
    text = "".join(each if each.isprintable() else "?" for each in url[:120])
    return repr(re.sub(r"//[^/]*@", "//[removed]@", text))
