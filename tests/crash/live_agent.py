"""The real command line, with the long waits of the absence proof cut short: python -m tests.crash.live_agent run …

CRASH_RAISE="module:Class.method" has that method raise an error that shows everything it was called with.
"""

from __future__ import annotations

import importlib
import os
from typing import Any

from polymarket_agent import live_desk
from polymarket_agent.cli import main
from polymarket_agent.execution.live_types import Timing

SHORT = {"absent_after_ms": 3_000, "look_ms": 1_000, "looks_apart_ms": 2_000, "quarantine_absent_ms": 4_000}


def short_timing(**given: Any) -> Timing:
    return Timing(**{**given, **SHORT, "quarantine_refused_ms": 3_000})


def break_at(place: str) -> None:
    module, _, path = place.partition(":")
    *holders, name = path.split(".")
    holder: Any = importlib.import_module(module)
    for each in holders:
        holder = getattr(holder, each)

    def broken(*args: object, **kwargs: object) -> None:
        raise RuntimeError(f"{args!r} {kwargs!r} {[str(each) for each in args]}")

    setattr(holder, name, broken)


if __name__ == "__main__":
    if place := os.environ.pop("CRASH_RAISE", ""):
        break_at(place)
    setattr(live_desk, "Timing", short_timing)  # noqa: B010 - it is no public name there
    main()
