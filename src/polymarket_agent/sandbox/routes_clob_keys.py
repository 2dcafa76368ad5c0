"""Api keys of the CLOB: created and derived by L1, listed and revoked by L2."""

from __future__ import annotations

import hashlib

from aiohttp import web

from polymarket_agent.sandbox.auth import Credentials, l1_nonce
from polymarket_agent.sandbox.model import Refused
from polymarket_agent.sandbox.routes_common import (
    RefusedError,
    caller,
    l1_address,
    raise_if_refused,
    reply,
    venue_of,
)

__all__ = [
    "ROUTES",
    "closed_only",
    "create_builder_key",
    "create_key",
    "create_readonly_key",
    "delete_key",
    "delete_readonly_key",
    "derive_key",
    "list_builder_keys",
    "list_keys",
    "list_readonly_keys",
    "revoke_builder_key",
]

ROUTES = web.RouteTableDef()

_MAX_EXTRA_KEYS = 1_000


def _keys(credentials: Credentials) -> dict[str, str]:
    return {
        "apiKey": credentials.api_key,
        "secret": credentials.secret,
        "passphrase": credentials.passphrase,
    }


@ROUTES.post("/clob/auth/api-key")
async def create_key(request: web.Request) -> web.Response:
    """Create the api key of an address and nonce; 400 when it is there already, then clients derive it."""
    address = l1_address(request)
    return reply(_keys(raise_if_refused(venue_of(request).keyring.create(address, l1_nonce(request.headers)))))


@ROUTES.get("/clob/auth/derive-api-key")
async def derive_key(request: web.Request) -> web.Response:
    """Tell the api key of an address and nonce again."""
    address = l1_address(request)
    return reply(_keys(raise_if_refused(venue_of(request).keyring.derive(address, l1_nonce(request.headers)))))


@ROUTES.get("/clob/auth/api-keys")
async def list_keys(request: web.Request) -> web.Response:
    """List the api keys of the caller's address."""
    credentials, _ = await caller(request)
    return reply({"apiKeys": list(venue_of(request).keyring.list_keys(credentials.address))})


@ROUTES.delete("/clob/auth/api-key")
async def delete_key(request: web.Request) -> web.Response:
    """Revoke the key that asks."""
    credentials, _ = await caller(request)
    venue_of(request).keyring.delete(credentials.api_key)
    return reply("OK")


@ROUTES.get("/clob/auth/ban-status/closed-only")
async def closed_only(request: web.Request) -> web.Response:
    """Whether the account may only reduce."""
    credentials, _ = await caller(request)
    return reply({"closed_only": credentials.address in venue_of(request).closed_only})


def _extra(credentials: Credentials, kind: str, serial: int) -> dict[str, str]:
    """Return a builder or read-only key; derived, so that a seed gives the same one."""
    digest = hashlib.sha256(f"{kind} {credentials.secret} {serial}".encode()).hexdigest()
    key = f"{digest[:8]}-{digest[8:12]}-{digest[12:16]}-{digest[16:20]}-{digest[20:32]}"
    return {"key": key, "secret": credentials.secret, "passphrase": digest}


@ROUTES.post("/clob/auth/builder-api-key")
async def create_builder_key(request: web.Request) -> web.Response:
    """Create a builder key."""
    credentials, _ = await caller(request)
    held = venue_of(request).builder_keys
    if len(held) >= _MAX_EXTRA_KEYS:
        raise RefusedError(Refused(400, "Could not create api key"))
    made = _extra(credentials, "builder", len(held))
    held[made["key"]] = credentials.address
    return reply(made)


@ROUTES.get("/clob/auth/builder-api-key")
async def list_builder_keys(request: web.Request) -> web.Response:
    """List builder keys."""
    credentials, _ = await caller(request)
    held = venue_of(request).builder_keys
    return reply([{"key": key} for key, address in held.items() if address == credentials.address])


@ROUTES.delete("/clob/auth/builder-api-key")
async def revoke_builder_key(request: web.Request) -> web.Response:
    """Revoke a builder key: named by its own headers, or all of the caller."""
    held = venue_of(request).builder_keys
    named = request.headers.get("POLY_BUILDER_API_KEY")
    if named is not None:
        if held.pop(named, None) is None:
            raise RefusedError(Refused(401, "Unauthorized/Invalid api key"))
        return reply("OK")
    credentials, _ = await caller(request)
    for key in [key for key, address in held.items() if address == credentials.address]:
        del held[key]
    return reply("OK")


@ROUTES.post("/clob/auth/readonly-api-key")
async def create_readonly_key(request: web.Request) -> web.Response:
    """Create a read-only key; the sandbox hands it out and takes it for nothing."""
    credentials, _ = await caller(request)
    made = _extra(credentials, "readonly", 0)
    return reply({"apiKey": made["key"], "secret": made["secret"], "passphrase": made["passphrase"]})


@ROUTES.get("/clob/auth/readonly-api-keys")
async def list_readonly_keys(request: web.Request) -> web.Response:
    """List read-only keys."""
    credentials, _ = await caller(request)
    return reply({"apiKeys": [_extra(credentials, "readonly", 0)["key"]]})


@ROUTES.delete("/clob/auth/readonly-api-key")
async def delete_readonly_key(request: web.Request) -> web.Response:
    """Revoke a read-only key."""
    await caller(request)
    return reply("OK")
