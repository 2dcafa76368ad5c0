"""The commands and their groups."""

from __future__ import annotations

from typing import Annotated

import typer

from polymarket_agent.cli import (
    config_commands,
    control_commands,
    demo_commands,
    doctor_commands,
    keys_commands,
    ledger_commands,
    limits_command,
    market_commands,
    reconcile_command,
    recording_commands,
    redeem_commands,
    run_commands,
    sandbox_commands,
    setup_commands,
)
from polymarket_agent.version import __version__

__all__ = ["app", "main"]

app = typer.Typer(
    name="polymarket-agent",
    help="Trades on Polymarket: on paper against real market data, honest about orders, fills and numbers.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    epilog="Exit codes: 0 done; 1 failed; 2 wrong words or config; 3 live trading is locked; 130 interrupted twice.",
)


def _version(value: bool) -> None:
    if value:
        typer.echo(f"polymarket-agent {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Take the options that stand before a command."""
    del version


run_commands.register(app)
ledger_commands.register(app)
control_commands.register(app)
reconcile_command.register(app)
redeem_commands.register(app)
limits_command.register(app)
market_commands.register(app)
config_commands.register(app)
recording_commands.register(app)
sandbox_commands.register(app)
demo_commands.register(app)
doctor_commands.register(app)
setup_commands.register(app)
keys_commands.register(app)


def main() -> None:
    """Run the command line."""
    app()
