"""Commands about the config and the strategies that it may name."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from polymarket_agent.cli.common import (
    CONFIG_NAME,
    ConfigOption,
    JsonOption,
    command,
    effective_config,
    print_json,
    print_table,
)
from polymarket_agent.errors import ConfigError

__all__ = ["register"]

_group = typer.Typer(help="Make, check and show the config.", no_args_is_help=True, rich_markup_mode=None)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(_group, name="config")
    app.command()(strategies)


@_group.command("init")
@command
def init(
    path: Annotated[Path, typer.Argument(help="The file to write.")] = Path(CONFIG_NAME),
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Write a config to begin with: paper mode, small limits, every key with its meaning."""
    from polymarket_agent.cli.config_template import CONFIG_TEMPLATE

    if path.exists() and not force:
        raise ConfigError(f"{path} exists already", hint="give another name, or --force to replace it")
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_text(CONFIG_TEMPLATE, encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise ConfigError(f"{path} cannot be written: {error.strerror}") from error
    if as_json:
        print_json({"written": str(path)})
    else:
        typer.echo(f"wrote {path}; look at it, then: polymarket-agent run --feed demo --config {path}")


@_group.command("check")
@command
def check(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Read the config strictly, import the strategies that it names, and say whether all is well."""
    from polymarket_agent.config_file import config_hash
    from polymarket_agent.strategies.base import build

    found = effective_config(config)
    for strategy in found.strategies:
        build(strategy.kind, strategy.params, name=strategy.label)
    result = {"ok": True, "config_hash": config_hash(found), "strategies": [s.label for s in found.strategies]}
    if as_json:
        print_json(result)
    else:
        names = ", ".join(result["strategies"]) or "none"  # type: ignore[arg-type]
        typer.echo(f"the config is good (hash {result['config_hash']}); strategies: {names}")


@_group.command("show")
@command
def show(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show the config in force: the file, the environment's overrides and the defaults together."""
    import yaml

    from polymarket_agent.config import to_plain

    plain = to_plain(effective_config(config))
    if as_json:
        print_json(plain)
    else:
        typer.echo(yaml.safe_dump(plain, sort_keys=False, allow_unicode=True), nl=False)


@command
def strategies(as_json: JsonOption = False) -> None:
    """List the strategies that are installed, ours and those of other packages."""
    from polymarket_agent.strategies.base import available

    rows = [
        {"kind": name, "from": point.value.partition(":")[0], "package": point.dist.name if point.dist else ""}
        for name, point in sorted(available().items())
    ]
    if as_json:
        print_json(rows)
    else:
        print_table(rows, ("kind", "from", "package"), empty="no strategies are installed")
