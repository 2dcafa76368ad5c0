"""The HTTP of the client `py-clob-client-v2`, replaced by one of our own.

The client's own is one object for the whole process, made when it is imported, with a switch that posts an order twice.
`Door` has the three methods that the client sends everything through; it sends once, follows no redirect, and keeps
each answer as it came.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from typing import Any

from polymarket_agent.adapters.polymarket.gateway_common import note_rate_headers
from polymarket_agent.adapters.polymarket.gateway_heard import Heard, Renewal
from polymarket_agent.ports import Clock, RateBudget

__all__ = ["Door", "RefusedError"]

TIMEOUT_S = 5.0  # each of connecting, writing, reading, waiting for a connection
_CONNECTIONS = 16
_OK = 200


class RefusedError(Exception):
    """The venue answered with another status than 200; `Door.heard` has the answer."""


class Door:
    """Sends what a client hands it and keeps the answer for the thread that asked.

    Args:
        budget: is told what answers say about our rate.
        clock: when that was.
        renewal: is told of answers, some of which refuse our credentials.
    """

    def __init__(self, budget: RateBudget, clock: Clock, renewal: Renewal) -> None:
        import httpx

        self._http = httpx.Client(
            timeout=TIMEOUT_S, follow_redirects=False, limits=httpx.Limits(max_connections=_CONNECTIONS)
        )
        self._budget, self._clock, self._renewal = budget, clock, renewal
        self._of_thread = threading.local()

    def listen(self) -> Heard:
        """Return where the next answer to this thread will be."""
        self._of_thread.heard = Heard()
        heard: Heard = self._of_thread.heard
        return heard

    def get(self, endpoint: str, headers: Mapping[str, str] | None = None, params: Any = None) -> Any:
        """Send a GET; return the answer as plain values, or as text where it is no JSON."""
        return self._send("GET", endpoint, headers, None, params)

    def post(
        self, endpoint: str, headers: Mapping[str, str] | None = None, data: str | None = None, params: Any = None
    ) -> Any:
        """Send a POST, once. As `get`."""
        return self._send("POST", endpoint, headers, data, params)

    def delete(
        self, endpoint: str, headers: Mapping[str, str] | None = None, data: str | None = None, params: Any = None
    ) -> Any:
        """Send a DELETE, once. As `get`."""
        return self._send("DELETE", endpoint, headers, data, params)

    def _send(
        self, method: str, endpoint: str, headers: Mapping[str, str] | None, data: str | None, params: Any
    ) -> Any:
        content = None if data is None else data.encode()
        given = {"Accept": "application/json", "Content-Type": "application/json", **(headers or {})}
        answer = self._http.request(method, endpoint, headers=given, content=content, params=params)
        heard: Heard = self._of_thread.heard
        heard.take(answer.status_code, answer.headers, answer.content)
        self._renewal.note(heard)
        note_rate_headers(self._budget, answer.headers, self._clock.now_ms())
        if answer.status_code != _OK:
            raise RefusedError
        try:
            return json.loads(answer.content)
        except ValueError:
            return answer.text

    def close(self) -> None:
        """Let go of connections."""
        self._http.close()
