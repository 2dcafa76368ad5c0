"""What the doctor found, one thing at a time: how bad it is, why, and what mends it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

__all__ = ["Finding", "Verdict", "as_plain", "bad", "fine", "odd", "skipped", "worst_of"]


class Verdict(Enum):
    """How a thing stands; only a problem keeps the agent from its work."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"
    NOT_CHECKED = "not checked"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        check: its name; a check may have several findings, told apart by what follows a colon.
        verdict: how it stands.
        found: what is there, one sentence.
        cause: why that matters or how it came about; "" where `found` says it.
        fix: the command or act that mends it; "" for nothing to do.
        details: more of the same for programs and for those who look closer, as plain values.
    """

    check: str
    verdict: Verdict
    found: str
    cause: str = ""
    fix: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)


def fine(check: str, found: str, **details: Any) -> Finding:
    """Return a finding that all is well."""
    return Finding(check, Verdict.OK, found, details=details)


def odd(check: str, found: str, *, cause: str = "", fix: str = "", **details: Any) -> Finding:
    """Return a warning."""
    return Finding(check, Verdict.WARNING, found, cause, fix, details)


def bad(check: str, found: str, *, cause: str = "", fix: str = "", **details: Any) -> Finding:
    """Return a problem."""
    return Finding(check, Verdict.PROBLEM, found, cause, fix, details)


def skipped(check: str, why: str, *, fix: str = "") -> Finding:
    """Return that something was not looked at, and why."""
    return Finding(check, Verdict.NOT_CHECKED, why, fix=fix)


def worst_of(findings: Sequence[Finding]) -> Verdict:
    """Return the worst verdict of some; OK of none. What was not checked is no worse than a warning."""
    ranks = (Verdict.OK, Verdict.NOT_CHECKED, Verdict.WARNING, Verdict.PROBLEM)
    return max((each.verdict for each in findings), key=ranks.index, default=Verdict.OK)


def as_plain(findings: Sequence[Finding], *, mode: str) -> dict[str, Any]:
    """Return all findings as one JSON-able object; `ok` is false when there is a problem."""
    counts = {verdict.value: sum(each.verdict is verdict for each in findings) for verdict in Verdict}
    return {
        "ok": not counts[Verdict.PROBLEM.value],
        "mode": mode,
        "counts": counts,
        "findings": [
            {
                "check": each.check,
                "verdict": each.verdict.value,
                "found": each.found,
                "cause": each.cause,
                "fix": each.fix,
                "details": dict(each.details),
            }
            for each in findings
        ],
    }
