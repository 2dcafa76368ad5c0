"""The command that runs a sandbox."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from polymarket_agent.cli.common import command
from polymarket_agent.errors import UsageError

if TYPE_CHECKING:
    from polymarket_agent.sandbox.server import MakeActors, Sandbox

__all__ = ["register"]

_REFRESH_S = 0.25
_SIGNING_LIBRARIES = ("coincurve", "Crypto")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(sandbox)


@command
def sandbox(  # noqa: PLR0913, PLR0917 - one parameter an option
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of 127.0.0.1; 0 takes any that is free.")] = 0,
    seed: Annotated[int, typer.Option(help="Of markets, crowd, keys and dice.")] = 1,
    scenario: Annotated[str, typer.Option(help="default, quiet, fast or one.")] = "default",
    faults: Annotated[Path | None, typer.Option("--faults", help="A plan of what goes wrong, YAML or JSON.")] = None,
    recording: Annotated[
        Path | None, typer.Option("--recording", help="Books follow this recording instead of a scenario.")
    ] = None,
    speed: Annotated[float, typer.Option(help="How fast the venue's time runs against the wall's.")] = 1.0,
    host: Annotated[str, typer.Option(hidden=True, help="Only 127.0.0.1 is taken.")] = "127.0.0.1",
    stop_after: Annotated[float | None, typer.Option("--for", min=0.1, help="Stop after this many seconds.")] = None,
    until_eof: Annotated[
        bool, typer.Option("--until-eof", help="Stop when standard input ends, as its owner died.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one line that says how to connect, and then nothing.")
    ] = False,
) -> None:
    """Run a Polymarket of your own on loopback, for any client, until stopped (Ctrl-C)."""
    from polymarket_agent import log

    try:
        from polymarket_agent.sandbox.fault_plan import FaultPlan
        from polymarket_agent.sandbox.server import Sandbox
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _SIGNING_LIBRARIES:
            raise
        raise UsageError(
            f"the sandbox checks signatures and needs {error.name}, which is not installed",
            hint="install coincurve and pycryptodome beside polymarket-agent",
        ) from error
    log.configure("warning")
    plan = None if faults is None else FaultPlan.load(faults)
    actors = None if recording is None else _recorded(recording)
    made = Sandbox(seed=seed, scenario=scenario, port=port, speed=speed, plan=plan, host=host, actors=actors)
    asyncio.run(_serve(made, stop_after=stop_after, until_eof=until_eof, as_json=as_json))


def _stop_at_end_of_input(loop: asyncio.AbstractEventLoop, stopped: asyncio.Event) -> None:
    """End with whoever holds the other end of standard input, however that one ended."""
    number = sys.stdin.fileno()

    def read() -> None:
        if not os.read(number, 4096):
            loop.remove_reader(number)
            stopped.set()

    loop.add_reader(number, read)


def _recorded(path: Path) -> MakeActors:
    """Return what makes the one actor that plays a recording into the books."""
    from itertools import chain

    from polymarket_agent.adapters.recordings import open_recording
    from polymarket_agent.sandbox.recorded import RecordedBooks

    events = chain.from_iterable(open_recording(path).feed().chunks())
    return lambda start_ms: [RecordedBooks(events, start_ms=start_ms)]


async def _serve(made: Sandbox, *, stop_after: float | None, until_eof: bool, as_json: bool) -> None:
    loop, stopped = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    if stop_after is not None:
        loop.call_later(stop_after, stopped.set)
    if until_eof:
        _stop_at_end_of_input(loop, stopped)
    async with made:
        if as_json:
            typer.echo(json.dumps(made.connection()))
            sys.stdout.flush()
            await _until(made, stopped)
        elif sys.stdout.isatty():
            await _show(made, stopped)
        else:
            from polymarket_agent.cli.sandbox_view import connect_text

            typer.echo(connect_text(made))
            sys.stdout.flush()
            await _until(made, stopped)


async def _until(made: Sandbox, stopped: asyncio.Event) -> None:
    """Wait until stopped, or until the sandbox's own time has stopped by an error."""
    while not stopped.is_set() and not made.failed:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stopped.wait(), _REFRESH_S)


async def _show(made: Sandbox, stopped: asyncio.Event) -> None:
    from rich.live import Live

    from polymarket_agent.cli.sandbox_view import connect_text, render

    typer.echo(connect_text(made) + "\n")
    with Live(render(made), refresh_per_second=4, transient=False) as live:
        while not stopped.is_set() and not made.failed:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopped.wait(), _REFRESH_S)
            live.update(render(made))
