"""The agent of a ledger, seen from another process: whether it runs, and asking it for something."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from pathlib import Path

__all__ = ["Asked", "ask", "running_agent", "wait_for"]

_POLL_S = 0.05


class Asked:
    """A command that was left for an agent, and what came of it.

    Attributes:
        number: of the command in the ledger.
        result: the agent's answer; None if it gave none in time.
    """

    def __init__(self, number: int, result: str | None) -> None:
        self.number = number
        self.result = result

    @property
    def failed(self) -> bool:
        """Whether the agent answered that it could not."""
        return self.result is not None and self.result.startswith("failed")


def running_agent(ledger: Path) -> int | None:
    """Return the process that holds a ledger, None if none does. A process that hangs holds it too."""
    try:
        file = os.open(ledger.with_name(ledger.name + ".lock"), os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
    except OSError:
        return None
    try:
        holder = os.read(file, 32).decode(errors="replace").strip()
        if not holder.isdigit():
            return None  # released in good order; asking for the lock could be in the way of one that starts
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        return int(holder) if error.errno in (errno.EWOULDBLOCK, errno.EACCES) else None
    finally:
        os.close(file)
    return None


def ask(ledger: Path, name: str, argument: str = "", *, wait_s: float) -> Asked:
    """Leave a command for the agent of a ledger, and wait for its answer.

    Raises:
        DatabaseError: the ledger cannot be written or read.
    """
    from polymarket_agent.clock import SystemClock
    from polymarket_agent.ledger.control import post_command

    number = post_command(ledger, name, argument, "command line", SystemClock().now_ms())
    return Asked(number, wait_for(ledger, number, wait_s=wait_s))


def wait_for(ledger: Path, number: int, *, wait_s: float) -> str | None:
    """Return what came of a command, or None if nothing did in time or the agent ended."""
    from polymarket_agent import views
    from polymarket_agent.db import open_for_reading

    ends = time.monotonic() + wait_s
    with open_for_reading(ledger) as connection:
        while True:
            result = views.command_result(connection, number)
            if result is not None or time.monotonic() > ends:
                return result
            time.sleep(_POLL_S)
