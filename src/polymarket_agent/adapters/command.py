"""Runs a command of someone else so that it cannot hang, flood or outlive us."""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from polymarket_agent.errors import VenueDataError, VenueUnavailableError

__all__ = ["Ended", "run_command"]

_MAX_ERROR_BYTES = 64 << 10
_READ_BYTES = 64 << 10
_REAP_S = 5.0


class Ended(NamedTuple):
    """How a command ended: its exit code (negative: a signal), all of its output, the start of its complaints."""

    code: int
    output: bytes
    complaint: bytes


async def run_command(
    line: Sequence[str], *, environment: Mapping[str, str], timeout_s: float, max_output_bytes: int
) -> Ended:
    """Run a command to its end, without input, in a session of its own.

    Whatever ends the wait early (the timeout, a cancellation, too much output), the whole session is killed, the
    command's children included, and the command is reaped.

    Raises:
        VenueUnavailableError: it cannot be started, or gives no answer in time.
        VenueDataError: it prints more than the limit.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            *line,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=environment,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        raise VenueUnavailableError(
            f"`{line[0]}` cannot be run: {getattr(error, 'strerror', None) or error}",
            hint=f"install the {Path(line[0]).name} command, put it on PATH, or use another market data source",
        ) from error
    ended = False
    try:
        async with asyncio.timeout(timeout_s):
            output, complaint = await _outputs(process, max_output_bytes)
            code = await process.wait()
            ended = True
    except TimeoutError as error:
        raise VenueUnavailableError(
            f"`{shlex.join(line)}` gave no answer within {timeout_s:g} s and was killed",
            hint="try again; check the network",
        ) from error
    finally:
        if not ended:
            await _end(process)
    if len(output) > max_output_bytes:
        raise VenueDataError(
            f"`{shlex.join(line)}` printed more than {max_output_bytes >> 20} MB and was killed",
            hint="ask for fewer markets",
        )
    return Ended(code, output, complaint)


async def _outputs(process: asyncio.subprocess.Process, limit: int) -> tuple[bytes, bytes]:
    assert process.stderr is not None, "it was started with a pipe"
    output, complaint = await asyncio.gather(_output_of(process, limit), _start_of(process.stderr))
    return output, complaint


async def _output_of(process: asyncio.subprocess.Process, limit: int) -> bytes:
    """Return what is printed. Beyond the limit the session is killed, and the rest is read to let go of the pipe."""
    assert process.stdout is not None, "it was started with a pipe"
    kept = bytearray()
    while len(kept) <= limit and (block := await process.stdout.read(_READ_BYTES)):
        kept += block
    if len(kept) > limit:
        _kill(process)
        while await process.stdout.read(_READ_BYTES):
            pass
    return bytes(kept)


async def _start_of(stream: asyncio.StreamReader) -> bytes:
    """Return the start of a stream, and read the rest, so that the writer does not block."""
    kept = b""
    while block := await stream.read(_READ_BYTES):
        kept = (kept + block)[:_MAX_ERROR_BYTES]
    return kept


def _kill(process: asyncio.subprocess.Process) -> None:
    """Kill a command and all its children: they are one session."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


async def _end(process: asyncio.subprocess.Process) -> None:
    """Kill a session, reap its first process and let go of its pipes."""
    _kill(process)
    with suppress(TimeoutError):
        async with asyncio.timeout(_REAP_S):
            await process.communicate()
