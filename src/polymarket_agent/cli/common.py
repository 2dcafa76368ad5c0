"""What commands share: options, errors as one sentence, and where the ledger is."""

from __future__ import annotations

import functools
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, ParamSpec, TypeVar

import typer

from polymarket_agent.errors import AgentError, ConfigError

if TYPE_CHECKING:
    from polymarket_agent.config import Config

__all__ = [
    "CONFIG_NAME",
    "ConfigOption",
    "DbOption",
    "JsonOption",
    "LimitOption",
    "command",
    "config_file",
    "effective_config",
    "ledger_path",
    "print_json",
    "print_table",
    "safe_text",
]

_TIMES = ("at", "created", "since")
_WIDE = 120  # columns of a terminal in which every column of ours has room

CONFIG_NAME = "polymarket-agent.yaml"
RUNS_FOLDER = Path("runs")

ConfigOption = Annotated[
    Path | None, typer.Option("--config", "-c", help=f"The config file; {CONFIG_NAME} if that exists, else defaults.")
]
DbOption = Annotated[Path | None, typer.Option("--db", help="The ledger file; else the one of the config.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON value instead of text.")]
LimitOption = Annotated[int, typer.Option("--limit", "-n", min=1, max=10_000, help="At most this many, newest first.")]

P = ParamSpec("P")
R = TypeVar("R")


def command(function: Callable[P, R]) -> Callable[P, R]:
    """Turn every error of ours into one sentence and an exit code; nobody sees a traceback.

    With `--json` the sentence is an object on standard output: {"error", "hint", "exit_code"}.
    """

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except AgentError as error:
            _fail(str(error), error.hint, error.exit_code, as_json=bool(kwargs.get("as_json")))
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(0) from None
        except (typer.Exit, typer.Abort, KeyboardInterrupt):
            raise
        except Exception as error:
            ours = _one_of_ours(error)
            if ours is not None:
                _fail(str(ours), ours.hint, ours.exit_code, as_json=bool(kwargs.get("as_json")))
            if os.environ.get("POLYMARKET_AGENT_DEBUG"):
                raise
            hint = "this is a defect; run it again with POLYMARKET_AGENT_DEBUG=1 and report what it prints"
            _fail(f"{type(error).__name__}: {error}", hint, 1, as_json=bool(kwargs.get("as_json")))

    return run


def _one_of_ours(error: BaseException) -> AgentError | None:
    """Return the error that a group of tasks ended with, if all of its errors are ours."""
    if not isinstance(error, BaseExceptionGroup):
        return error if isinstance(error, AgentError) else None
    found = [_one_of_ours(each) for each in error.exceptions]
    return found[0] if all(found) else None


def _fail(message: str, hint: str, code: int, *, as_json: bool) -> NoReturn:
    if as_json:
        print_json({"error": message, "hint": hint, "exit_code": code})
    else:
        typer.echo(f"error: {safe_text(message)}", err=True)
        if hint:
            typer.echo(f"hint: {safe_text(hint)}", err=True)
    raise typer.Exit(code)


def effective_config(path: Path | None) -> Config:
    """Return the config of a file, or of the usual file if that exists, or the defaults; with the environment."""
    from polymarket_agent.config_file import load_config, parse_config

    if path is None and not Path(CONFIG_NAME).is_file():
        return parse_config("mode: paper\n", source="the defaults", environ=os.environ)
    return load_config(path or Path(CONFIG_NAME), os.environ)


def config_file(path: Path | None) -> Path | None:
    """Return the file that `effective_config` reads, None if it takes the defaults."""
    return path or (Path(CONFIG_NAME) if Path(CONFIG_NAME).is_file() else None)


def ledger_path(db: Path | None, config: Path | None) -> Path:
    """Return the ledger that a reading command means: named, configured, or the newest of `runs/`."""
    if db is not None:
        return db
    configured = effective_config(config).database
    if configured.is_file() or not RUNS_FOLDER.is_dir():
        return configured
    recent = sorted(RUNS_FOLDER.glob("*.db"), key=lambda path: path.stat().st_mtime)
    return recent[-1] if recent else configured


def print_json(value: Any) -> None:
    """Print one JSON value on standard output."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def safe_text(text: str) -> str:
    """Make text from outside harmless on a terminal: control and direction marks become visible."""
    return "".join(c if c.isprintable() or c == "\n" else f"\\u{ord(c):04x}" for c in text)


def print_table(
    rows: Sequence[Mapping[str, Any]],
    columns: Sequence[str],
    *,
    empty: str,
    title: str = "",
    narrow: Sequence[str] = (),
) -> None:
    """Print rows as a table for a person, with the given columns of each row; with `narrow` ones if there is no room."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    if not rows:
        typer.echo(empty)
        return
    console = Console(width=None if sys.stdout.isatty() else 160, highlight=False)
    if narrow and console.width < _WIDE:
        columns = narrow
    table = Table(title=title or None, box=None, pad_edge=False, title_justify="left", header_style="bold")
    for column in columns:
        numeric = all(_is_number(row.get(column)) for row in rows)
        whole = numeric or column in _TIMES  # half a number is worse than none
        table.add_column(
            column.replace("_", " "),
            justify="right" if numeric else "left",
            overflow="ellipsis",
            min_width=max(len(_cell(column, row.get(column))) for row in rows) if whole else None,
        )
    for row in rows:
        table.add_row(*(Text(safe_text(_cell(column, row.get(column)))) for column in columns))
    console.print(table)


def _cell(column: str, value: Any) -> str:
    if value is None:
        return "-"
    if column in _TIMES:
        return str(value)[5:19].replace("T", " ")  # month to second; --json has it all
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(str(each) for each in value)
    return str(value)


def _is_number(value: Any) -> bool:
    if value is None or isinstance(value, bool):
        return value is None
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True


def positive_speed(value: float | None) -> float | None:
    """Return a replay speed, or None for as fast as possible.

    Raises:
        ConfigError: zero, negative or not finite.
    """
    if value is None:
        return None
    if not 0 < value < 1_000_000:
        raise ConfigError(f"--speed {value} is not a speed; 1 is real time, 60 a minute a second")
    return value
