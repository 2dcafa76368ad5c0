from __future__ import annotations

import importlib.metadata
import importlib.util
from typing import Any

import pytest

from polymarket_agent.adapters.polymarket.gateways import CLIENTS, TESTED_VERSIONS, Urls, build_gateway, urls_of
from polymarket_agent.clock import SystemClock
from polymarket_agent.config import Config
from polymarket_agent.domain.venue import WalletIdentity, WalletKind
from polymarket_agent.errors import ConfigError, LiveLockedError
from polymarket_agent.keys import Secret

# The development key of polymarket-wire.md: public, worthless.
KEY = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
ADDRESS = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
IDENTITY = WalletIdentity(signer=ADDRESS, wallet=ADDRESS, kind=WalletKind.EOA)


def built(client: str) -> Any:
    return build_gateway(client, Urls(), Secret(KEY), IDENTITY, SystemClock())


def versions(monkeypatch: pytest.MonkeyPatch, **installed: str) -> None:
    def version(name: str) -> str:
        if name.replace("-", "_") not in installed:
            raise importlib.metadata.PackageNotFoundError(name)
        return installed[name.replace("-", "_")]

    monkeypatch.setattr(importlib.metadata, "version", version)


def test_the_direct_gateway_needs_no_client() -> None:
    """Our own HTTP is made whatever clients are installed."""
    assert built("direct").name == "direct"
    assert built("direct").identity == IDENTITY


@pytest.mark.parametrize("client", ["unified", "clob"])
def test_official_clients_are_made_when_they_are_installed(client: str) -> None:
    """Each of the two gateways over an official client is made without any connection."""
    if importlib.util.find_spec({"unified": "polymarket", "clob": "py_clob_client_v2"}[client]) is None:
        pytest.skip(f"the library of '{client}' is not installed")

    assert built(client).identity == IDENTITY


@pytest.mark.parametrize("client", ["unified", "clob"])
def test_a_missing_library_locks_live_trading(client: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its library a client is a locked door with the command that opens it."""
    versions(monkeypatch)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(LiveLockedError, match="not installed") as caught:
        built(client)

    assert caught.value.hint == "pip install 'polymarket-agent[live]'"


def test_an_untested_version_locks_live_trading(monkeypatch: pytest.MonkeyPatch) -> None:
    """A version that the tests never ran against is refused, with the one that they did."""
    versions(monkeypatch, polymarket_client="0.15.0", py_clob_client_v2="1.2.1")
    with pytest.raises(LiveLockedError, match=r"0\.15\.0") as caught:
        built("unified")

    assert "polymarket-client==0.14.0" in caught.value.hint
    assert TESTED_VERSIONS["polymarket-client"] == ("0.14.0",)


@pytest.mark.parametrize("client", ["py-clob-client", "py_clob_client"])
def test_the_old_client_is_refused_with_its_reason(client: str) -> None:
    """The client of the first protocol cannot trade since 2026-04-28, and the error says what to install."""
    with pytest.raises(LiveLockedError, match="2026-04-28") as caught:
        built(client)

    assert "pip install" in caught.value.hint


def test_having_only_the_old_client_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever installed the client of the first protocol alone learns why it is not enough."""
    versions(monkeypatch)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object() if name == "py_clob_client" else None)
    with pytest.raises(LiveLockedError, match="order_version_mismatch"):
        built("unified")


def test_a_client_that_does_not_exist_is_an_error() -> None:
    """The names are those of the configuration."""
    with pytest.raises(ConfigError, match="'ccxt'") as caught:
        built("ccxt")

    assert all(name in caught.value.hint for name in CLIENTS)


def test_addresses_come_from_the_configuration() -> None:
    """Defaults are the venue's; beside a venue on loopback the chain is on loopback too; anything else is an error."""
    assert urls_of(Config()) == Urls()
    local = {"feed": {"clob_url": "http://127.0.0.1:8080/clob"}}
    assert urls_of(Config.model_validate(local)).rpc == "http://127.0.0.1:8080/rpc"
    assert urls_of(Config.model_validate(local)).clob == "http://127.0.0.1:8080/clob"
    assert (
        urls_of(Config.model_validate({"feed": {"clob_url": "http://[::1]:8080/clob"}})).rpc == "http://[::1]:8080/rpc"
    )
    with pytest.raises(ConfigError, match="evil"):
        urls_of(Config.model_validate({"live": {"data_url": "https://evil.example"}}))
