"""An answer of the venue as it came, kept beside what a client library makes of it, and what follows from it.

The libraries turn answers into their own results and leave parts out (an `unmatched` order loses its id, an error page
its text). With `Heard` the same rules judge an answer whichever library carried it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from polymarket_agent.adapters.polymarket.direct_http import Reply, refusal_of, said
from polymarket_agent.adapters.polymarket.direct_login import credentials_refused
from polymarket_agent.adapters.polymarket.outcomes import classify
from polymarket_agent.domain.venue import SubmitOutcome
from polymarket_agent.errors import VenueDataError, VenueError, VenueUnavailableError
from polymarket_agent.keys import ApiCredentials, Secret
from polymarket_agent.ports import Clock

__all__ = ["Heard", "Renewal", "credentials_of", "heartbeat_id_of"]

RENEW_EVERY_MS = 600_000
HEARTBEAT_ID_CHARS = 200
_OK, _NOT_FOUND = 200, 404


@dataclass(slots=True)
class Heard:
    """An HTTP answer as it came. `body` is None until it has arrived whole."""

    status: int = 0
    content_type: str = ""
    retry_after: str | None = None
    body: bytes | None = None

    def take(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        """Take in an answer; `headers` finds names in any case."""
        self.status, self.body = status, body
        self.content_type = headers.get("content-type", "")
        self.retry_after = headers.get("retry-after")

    def outcome(self, expected_id: str) -> SubmitOutcome | None:
        """Say what the answer to the POST of an order proves; None when no whole answer came."""
        if self.body is None:
            return None
        return classify(
            http_status=self.status,
            body=self.body,
            content_type=self.content_type,
            expected_id=expected_id,
            retry_after=self.retry_after,
        )

    @property
    def text(self) -> str:
        """What the venue says in an error, "" where it is no JSON of its own."""
        return said(self.reply())

    def reply(self) -> Reply:
        """Return the answer as the direct gateway knows answers."""
        return Reply(status=self.status, body=self.body or b"", content_type=self.content_type, headers=self._headers())

    def _headers(self) -> dict[str, str]:
        return {} if self.retry_after is None else {"Retry-After": self.retry_after}

    def failure(self, what: str, error: Exception | None) -> VenueError:
        """Return what a request means that did not bring what was asked for; `error` is how it ended at the client."""
        if self.body is not None and self.status != _OK:
            return refusal_of(what, self.reply())
        if self.body is not None:
            return VenueDataError(f"{what}: the answer is not what was expected")
        kind = "no answer" if error is None else type(error).__name__
        return VenueUnavailableError(f"{what} failed: {kind}", hint="check the connection; try again")

    @property
    def says_no_order(self) -> bool:
        """Whether the venue says that it has no such active order: JSON null, or a 404 of its own."""
        if self.status == _NOT_FOUND:
            return "json" in self.content_type.lower()
        return self.status == _OK and self.body is not None and self.body.strip() == b"null"


class Renewal:
    """Says when API credentials have to be got again: once the venue has refused them, at most every ten minutes."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._refused = False
        self._last_ms: int | None = None

    def note(self, heard: Heard) -> None:
        """Take notice of an answer."""
        self._refused = self._refused or credentials_refused(heard.reply())

    def is_due(self) -> bool:
        """Whether they have to be got now; whoever asks is expected to do it."""
        now_ms = self._clock.now_ms()
        if not self._refused or (self._last_ms is not None and now_ms - self._last_ms < RENEW_EVERY_MS):
            return False
        self._refused, self._last_ms = False, now_ms
        return True


def credentials_of(heard: Heard) -> ApiCredentials | None:
    """Return API credentials from an answer, None for anything else: no error may carry a piece of it."""
    try:
        found = msgspec.json.decode(heard.body or b"", type=dict[str, str])
        parts = [found[name] for name in ("apiKey", "secret", "passphrase")]
    except (msgspec.MsgspecError, ValueError, KeyError, RecursionError):
        return None
    return ApiCredentials(parts[0], Secret(parts[1]), Secret(parts[2])) if all(parts) else None


def heartbeat_id_of(heard: Heard) -> str | None:
    """Return the id that the next heartbeat has to send, from an answer of either kind; None where it has none."""
    try:
        found = msgspec.json.decode(heard.body or b"", type=dict[str, Any])
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    expected = found.get("heartbeat_id")
    return expected if isinstance(expected, str) and len(expected) <= HEARTBEAT_ID_CHARS else None
