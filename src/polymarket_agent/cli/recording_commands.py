"""Commands about recordings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from polymarket_agent.cli.common import JsonOption, command, print_json, safe_text

__all__ = ["register"]

_group = typer.Typer(help="Look into recordings of market data.", no_args_is_help=True, rich_markup_mode=None)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(_group, name="recordings")


@_group.command("inspect")
@command
def inspect(
    path: Annotated[Path, typer.Argument(help="Frames as JSON lines, or one of the tabular kinds; .gz as well.")],
    as_json: JsonOption = False,
) -> None:
    """Say what a recording holds: frames, events, assets, time span, gaps, and whether hashes and prices agree."""
    from polymarket_agent.adapters.recordings import open_recording

    found = open_recording(path).inspect()
    if as_json:
        print_json(found)
        return
    for key, value in found.items():
        typer.echo(f"{key:<16}{safe_text(_short(value))}")


def _short(value: Any) -> str:
    if isinstance(value, dict):
        items = list(value.items())
        text = ", ".join(f"{name} {_short(each)}" for name, each in items[:8])
        return text + (f", … {len(items) - 8} more" if len(items) > 8 else "") if items else "none"
    if isinstance(value, list):
        return f"{len(value)} entries"
    return str(value)
