"""Every exception that the agent raises on purpose.

    AgentError                    has .hint: what the operator or caller can do
    ├─ ConfigError                a key, its value, the file, what is allowed          exit code 2
    ├─ UsageError                 a command-line word that cannot be taken             exit code 2
    ├─ LiveLockedError            which of the locks on live trading is closed         exit code 3
    ├─ MoneyError                 a number that is not an exact amount
    ├─ OrderStateError            an order asked to make a forbidden move
    ├─ VenueError
    │  ├─ VenueUnavailableError   a read failed; it may be repeated
    │  ├─ RateLimitedError        .retry_after_s
    │  ├─ VenueDataError          their message breaks the contract; .excerpt
    │  └─ OrderRejectedError      refusal proven; .reason
    ├─ RecordingError             a recording that cannot be read
    ├─ StrategyError              a plug-in raised; it is set aside
    ├─ DatabaseError              the file is newer, foreign, or held by another agent
    ├─ GateClosedError            the ledger refused to send an order; nothing was written
    └─ LedgerError                books do not balance; trading halts

Expected answers (a refusal of the gate, a rejected order) are values, not exceptions.
"""

from __future__ import annotations

__all__ = [
    "AgentError",
    "ConfigError",
    "DatabaseError",
    "GateClosedError",
    "LedgerError",
    "LiveLockedError",
    "MoneyError",
    "OrderRejectedError",
    "OrderStateError",
    "RateLimitedError",
    "RecordingError",
    "StrategyError",
    "UsageError",
    "VenueDataError",
    "VenueError",
    "VenueUnavailableError",
]


class AgentError(Exception):
    """The root of the tree. `hint` says what the operator or caller can do; `exit_code` is the command's."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class ConfigError(AgentError):
    """A key in the configuration has a value that is not allowed."""

    exit_code = 2


class UsageError(AgentError):
    """A word on the command line cannot be taken."""

    exit_code = 2


class LiveLockedError(AgentError):
    """Live trading was asked for and one of its locks is closed."""

    exit_code = 3


class MoneyError(AgentError):
    """A number is not an exact amount of micro-units, or is out of range."""


class OrderStateError(AgentError):
    """An order was asked to make a move that its transition table forbids. Nothing has changed."""


class VenueError(AgentError):
    """Something went wrong at the border to the exchange."""


class VenueUnavailableError(VenueError):
    """A read failed (time-out, reset, 5xx). It may be repeated. `status` is HTTP's, 0 without an answer."""

    def __init__(self, message: str, *, hint: str = "", status: int = 0) -> None:
        super().__init__(message, hint=hint)
        self.status = status


class RateLimitedError(VenueError):
    """The venue asks for fewer requests."""

    def __init__(self, message: str, *, retry_after_s: float, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.retry_after_s = retry_after_s


class VenueDataError(VenueError):
    """A message of the venue breaks its contract; `excerpt` is a short, safe part of it."""

    EXCERPT_CHARS = 160

    def __init__(self, message: str, *, excerpt: str = "", hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.excerpt = excerpt[: self.EXCERPT_CHARS]


class OrderRejectedError(VenueError):
    """The venue has proven that it refused an order."""

    def __init__(self, message: str, *, reason: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.reason = reason


class RecordingError(AgentError):
    """A recording cannot be read: it is missing, cut, or of an unknown kind."""


class StrategyError(AgentError):
    """A strategy raised or answered with something that is no wish. It is set aside."""


class DatabaseError(AgentError):
    """The database cannot be used: newer, foreign, damaged, or held by another agent."""


class GateClosedError(AgentError):
    """The ledger refused to note an order as sent, so it must not be sent. Nothing was written."""


class LedgerError(AgentError):
    """The books do not balance. Trading halts."""
