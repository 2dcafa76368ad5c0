from __future__ import annotations

import pytest

from polymarket_agent.adapters.polymarket.hosts import Urls, require_allowed
from polymarket_agent.errors import ConfigError

ALLOWED = [
    "https://clob.polymarket.com",
    "https://CLOB.polymarket.com",
    "https://clob.polymarket.com:443",
    "wss://ws-subscriptions-clob.polymarket.com/ws/user",
    "https://gamma-api.polymarket.com",
    "https://data-api.polymarket.com/v2",
    "https://relayer-v2.polymarket.com",
    "https://polymarket.com/api/geoblock",
    "http://127.0.0.1:8080/clob",
    "ws://127.255.1.2:1/ws/user",
    "https://localhost:8443",
    "http://[::1]:8080/clob",
]
REFUSED = [
    "http://clob.polymarket.com",
    "ws://ws-subscriptions-clob.polymarket.com/ws/user",
    "https://clob.polymarket.com:8443",
    "https://clob.polymarket.com.evil.example",
    "https://evil.example/clob.polymarket.com",
    "https://clob.polymarket.com.",
    "https://clob.polymarket.com@evil.example",
    "https://user:word@clob.polymarket.com",
    "https://clob.polymarket.com\\@evil.example",
    "https://clob.polymarket.com#@evil.example",
    "https://clob.polymarket.com?x=@evil.example",
    "https://\u0441lob.polymarket.com",
    "https://xclob.polymarket.com",
    "https://combos-rfq-api.polymarket.com",
    "https://10.0.0.1",
    "http://0.0.0.0:80",
    "http://127.1:80",
    "http://2130706433",
    "http://[::ffff:127.0.0.1]:80",
    "http://[::]:80",
    "http://localhost.evil.example",
    "ftp://127.0.0.1",
    "file:///etc/passwd",
    "clob.polymarket.com",
    "//clob.polymarket.com",
    "https://clob.polymarket.com /x",
    "https://clob.polymarket.com\n.evil.example",
    "",
]


@pytest.mark.parametrize("url", ALLOWED)
def test_the_venue_and_loopback_are_allowed(url: str) -> None:
    """The venue's own names by a secure scheme, and this machine by any, are taken; a last slash is dropped."""
    assert require_allowed(url) == url
    assert require_allowed(url + "/") == url


@pytest.mark.parametrize("url", REFUSED)
def test_everything_else_is_refused(url: str) -> None:
    """A look-alike, a second reader's host, an odd port or a plain scheme is an error."""
    with pytest.raises(ConfigError):
        require_allowed(url)


def test_the_error_names_the_host_and_what_is_allowed() -> None:
    """A person sees which host is meant and which ones there are, and no password."""
    with pytest.raises(ConfigError, match=r"evil\.example") as caught:
        require_allowed("https://evil.example/x")
    with pytest.raises(ConfigError) as other:
        require_allowed("https://someone:hunter2@clob.polymarket.com")

    assert "clob.polymarket.com" in caught.value.hint
    assert "hunter2" not in str(other.value) + other.value.hint


def test_addresses_are_checked_when_they_are_put_together() -> None:
    """One address elsewhere makes the whole set an error; the names are those that the clients' gateways take."""
    with pytest.raises(ConfigError):
        Urls(data="https://data-api.example")

    assert Urls().by_client_name()["clob_url"] == "https://clob.polymarket.com"
    assert {"user_ws_url", "relayer_url", "geoblock_url", "rpc_url"} <= set(Urls().by_client_name())
