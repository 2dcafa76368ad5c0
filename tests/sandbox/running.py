"""A running sandbox for the tests of its clients, and what they need to look at it from outside."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from polymarket_agent.sandbox.policy import Policy
from polymarket_agent.sandbox.sdk import no_proxy_for_loopback
from polymarket_agent.sandbox.server import Sandbox, in_thread

T = TypeVar("T")

# Settles within half a second, so that positions are there when a test asks for them.
QUICK = Policy(salt="tests", mined_ms=100, settle_ms=300)
_PATIENCE_S = 20.0


@contextmanager
def quick_sandbox(**options: Any) -> Iterator[Sandbox]:
    """Run a sandbox whose crowd has made its first quotes."""
    no_proxy_for_loopback()
    with in_thread(**{"seed": 3, "scenario": "quiet", "policy": QUICK, **options}) as sandbox:
        until(
            lambda: [each for each in state(sandbox)["markets"] if each["slug"] == "rain-in-lisbon" and two_sided(each)]
        )
        yield sandbox


def two_sided(market: dict[str, Any]) -> bool:
    return bool(market["best_bid"] != "0" and market["best_ask"] != "1")


def until(look: Callable[[], T]) -> T:
    """Look until something is there, and return it."""
    ends = time.monotonic() + _PATIENCE_S
    while not (found := look()):
        assert time.monotonic() < ends, "it did not happen in time"
        time.sleep(0.02)
    return found


def call(url: str, body: Any = None, method: str | None = None) -> tuple[int, Any]:
    """Ask by plain HTTP and return status and JSON."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, method=method or ("GET" if body is None else "POST"))
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=10) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


def state(sandbox: Sandbox) -> dict[str, Any]:
    return dict(call(f"{sandbox.urls['admin_url']}/state")[1])


def admin(sandbox: Sandbox, path: str, body: Any, method: str | None = None) -> Any:
    status, answer = call(f"{sandbox.urls['admin_url']}/{path}", body, method)
    assert status == 200, answer
    return answer


def market_of(sandbox: Sandbox, **wanted: Any) -> dict[str, Any]:
    """Return the first open market whose fields are as wanted."""
    return next(
        each
        for each in state(sandbox)["markets"]
        if each["state"] == "open" and all(each[key] == value for key, value in wanted.items())
    )
