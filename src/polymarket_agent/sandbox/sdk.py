"""Points the official client `polymarket-client` at a sandbox. The only place that touches its private parts.

The client has no public way to another address: its `Environment` cannot be constructed, so this goes through the
constructor that its own tests use, with the client's version checked. Contracts and chain id stay those of production,
so signatures and order ids are the same.
"""

from __future__ import annotations

import dataclasses
import importlib
import os
from collections.abc import Mapping
from typing import Any

from polymarket_agent.errors import UsageError

__all__ = ["TESTED_VERSIONS", "environment", "no_proxy_for_loopback"]

TESTED_VERSIONS = ("0.14.0",)

_LOOPBACK = ("127.0.0.1", "localhost")
_NEEDED = (
    "clob_url",
    "gamma_url",
    "data_url",
    "relayer_url",
    "rpc_url",
    "market_ws_url",
    "user_ws_url",
)
_POLL_MS = 50


def environment(urls: Mapping[str, Any]) -> Any:
    """Return an environment for `SecureClient.create(environment=…)` whose every address is the sandbox's.

    `urls` is what `polymarket-agent sandbox --json` prints first, or `Sandbox.urls`. Services that the sandbox does not
    have get an address of it that answers 404, so nothing can reach production. Also takes loopback out of the proxy
    settings of this process, which the client would follow even to 127.0.0.1.

    Raises:
        UsageError: an address is missing or is not loopback, or the client is not installed as a version we know.
    """
    missing = [name for name in _NEEDED if not isinstance(urls.get(name), str)]
    if missing:
        raise UsageError(f"the sandbox's addresses lack {', '.join(missing)}; hand in what it prints with --json")
    for name in _NEEDED:
        if not str(urls[name]).split("://", 1)[-1].startswith(tuple(f"{host}:" for host in _LOOPBACK)):
            raise UsageError(f"{name} = {urls[name]} is not loopback; a sandbox never is anywhere else")
    no_proxy_for_loopback()
    production, create = _private_parts()
    return create(name="sandbox", config=dataclasses.replace(production, **_addresses(production, urls)))


def _private_parts() -> tuple[Any, Any]:
    try:
        metadata = importlib.import_module("importlib.metadata")
        version = metadata.version("polymarket-client")
        client = importlib.import_module("polymarket")
        private = importlib.import_module("polymarket._internal.environment")
    except ImportError as error:
        raise UsageError(
            "the official client is not installed", hint=f"pip install polymarket-client=={TESTED_VERSIONS[-1]}"
        ) from error
    create = getattr(private, "create_environment", None)
    config = getattr(client.PRODUCTION, "_config", None)
    if create is None or config is None:
        raise UsageError(
            f"polymarket-client {version} has no environment that we know",
            hint=f"tested with {', '.join(TESTED_VERSIONS)}",
        )
    return config, create


def _addresses(production: Any, urls: Mapping[str, Any]) -> dict[str, Any]:
    """Return a replacement for every field that holds an address, known to us or not."""
    known = {
        "clob_url": urls["clob_url"],
        "gamma_url": urls["gamma_url"],
        "data_url": urls["data_url"],
        "relayer_url": urls["relayer_url"],
        "rpc_url": urls["rpc_url"],
        "clob_market_ws_url": urls["market_ws_url"],
        "clob_user_ws_url": urls["user_ws_url"],
        "relayer_poll_frequency_ms": _POLL_MS,
    }
    root_http = str(urls["clob_url"]).rsplit("/clob", 1)[0]
    root_ws = str(urls["market_ws_url"]).split("/ws/", 1)[0]
    for field in dataclasses.fields(production):
        value = getattr(production, field.name)
        if field.name in known or not isinstance(value, str) or "://" not in value:
            continue
        known[field.name] = f"{root_ws if value.startswith('ws') else root_http}/nothing/{field.name}"
    return known


def no_proxy_for_loopback() -> None:
    """Let this process reach loopback directly whatever proxy is set; HTTP and websocket clients honour it."""
    for name in ("NO_PROXY", "no_proxy"):
        held = [each for each in os.environ.get(name, "").split(",") if each]
        os.environ[name] = ",".join([*held, *(each for each in _LOOPBACK if each not in held)])
