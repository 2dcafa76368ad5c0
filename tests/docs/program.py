"""What the program itself says about its commands."""

from __future__ import annotations

from collections.abc import Iterator

from typer.main import get_command

from polymarket_agent.cli.app import app


def commands() -> list[str]:
    """Return every command, groups resolved: `run`, `config check`, …"""
    return sorted(_walk(get_command(app), ""))


def _walk(command: object, path: str) -> Iterator[str]:
    below = getattr(command, "commands", None)
    if below is None:
        yield path.strip()
        return
    for name, each in below.items():
        yield from _walk(each, f"{path} {name}")
