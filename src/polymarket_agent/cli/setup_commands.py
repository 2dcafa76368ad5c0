"""The command that leads a beginner from nothing to a first run: a few questions, a config, a look at everything."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from polymarket_agent.cli.common import CONFIG_NAME, JsonOption, command, print_json, safe_text
from polymarket_agent.cli.secret_words import TAKES_ANY_WORD, refuse_key_words
from polymarket_agent.cli.setup_config import Answers, config_text
from polymarket_agent.errors import ConfigError, LiveLockedError, UsageError

if TYPE_CHECKING:
    from polymarket_agent.keys import Secret

__all__ = ["register"]

_HOME = ".polymarket-agent"
_ANSWER = "the answer"
_PAPER = Answers()
_LIVE = Answers(
    live=True, daily_loss="5", per_market="5", database="polymarket-agent-live.db"
)  # first limits: what one evening may cost


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(context_settings=TAKES_ANY_WORD)(setup)


@command
def setup(  # noqa: PLR0913, PLR0917 - one parameter an option
    context: typer.Context,
    config: Annotated[str, typer.Option("--config", "-c", help="The config file to write.")] = CONFIG_NAME,
    mode: Annotated[str, typer.Option(help="paper or live; else it asks.")] = "",
    search: Annotated[str | None, typer.Option(help="Words that find the markets; empty for the most traded.")] = None,
    markets: Annotated[str, typer.Option(help="Watch at most so many markets.")] = "",
    max_daily_loss: Annotated[str, typer.Option(help="USDC that a day may cost.")] = "",
    per_market: Annotated[str, typer.Option(help="USDC that one market may cost.")] = "",
    keystore: Annotated[str, typer.Option(help="Live: the encrypted key file, there already or to be made.")] = "",
    force: Annotated[bool, typer.Option("--force", help="Replace an existing config.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Ask nothing: options, else safe defaults; needs --mode.")] = False,
    check: Annotated[bool, typer.Option("--check/--no-check", help="Run the doctor at the end.")] = True,
    as_json: JsonOption = False,
) -> None:
    """Answer a few questions and get a config that works, for paper or live; asks for a key at a hidden prompt only."""
    from polymarket_agent import log

    log.configure("error")
    refuse_key_words(context.args, [config, mode, search, markets, max_daily_loss, per_market, keystore])
    if as_json and not yes:
        raise UsageError("--json cannot ask questions", hint="add --yes and give the answers as options")
    if yes and mode not in ("paper", "live"):
        raise UsageError("--yes needs --mode paper or --mode live")
    file = Path(config)
    if os.path.lexists(file) and not force:
        raise ConfigError(f"{file} exists already", hint="give another name with --config, or --force to replace it")
    given = {"search": search, "markets": markets, "daily_loss": max_daily_loss, "per_market": per_market}
    live = _mode(mode) == "live"
    answers = _answers(_LIVE if live else _PAPER, given, yes=yes)
    _require_good(answers, file)  # before anybody types a key
    key, made = None, False
    if live:
        key, made, answers = _key(answers, keystore, yes=yes)
        _require_good(answers, file)
    _write(file, answers, key if made else None)
    _finish(file, answers, key, made=made, check=check, as_json=as_json)


# -- questions --------------------------------------------------------------------------------------------------------


def _mode(given: str) -> str:
    while given not in ("paper", "live"):
        if given:
            typer.echo("  please say paper or live")
        typer.echo("Paper trades against the real market with money that does not exist; live trades with yours.")
        given = typer.prompt("paper or live?", default="paper").strip().lower()
    return given


def _answers(start: Answers, given: Mapping[str, str | None], *, yes: bool) -> Answers:
    """Fill in the answers from options, then by asking."""
    taken: dict[str, Any] = {name: value.strip() for name, value in given.items() if value}
    if given["search"] is not None:
        taken["search"] = given["search"].strip()
    answers = replace(start, **taken)
    if yes:
        return answers
    questions = (
        (
            "search",
            "\nMarkets are found by words, such as bitcoin; without any, the most traded ones are watched.",
            "words to search for (Enter: the most traded)",
        ),
        (
            "daily_loss",
            "\nWhen a day has cost this much, the agent stops opening positions until the next day (UTC).",
            "USDC that may be lost a day",
        ),
        (
            "per_market",
            "\nThis is the most that one wrong guess can cost: what a single market may lose.",
            "USDC that may be lost in one market",
        ),
    )
    for name, explanation, question in questions:
        if name not in taken:
            answers = _asked(answers, name, explanation, question)
    return answers


def _asked(answers: Answers, name: str, explanation: str, question: str) -> Answers:
    """Ask until the config's own reader takes the answer."""
    typer.echo(explanation)
    default = getattr(answers, name)
    while True:
        said = typer.prompt(question, default=default, show_default=bool(default)).strip()
        tried = replace(answers, **{name: said})
        try:
            refuse_key_words((), [said])
            _require_good(tried, Path(_ANSWER))
        except (ConfigError, UsageError) as error:
            typer.echo(f"  {safe_text(str(error).removeprefix(f'{_ANSWER}: '))}")
        else:
            return tried


def _require_good(answers: Answers, file: Path) -> None:
    """Read what would be written, as every command will read it."""
    from polymarket_agent.config_file import parse_config

    parse_config(config_text(answers), source=str(file), environ=os.environ)


# -- the key ----------------------------------------------------------------------------------------------------------


def _key(answers: Answers, named: str, *, yes: bool) -> tuple[Secret | None, bool, Answers]:
    """Return the key if it is known here, whether a keystore is to be made of it, and the answers with its place."""
    from polymarket_agent.keys import PRIVATE_KEY_VARIABLE

    in_environment = bool(os.environ.get(PRIVATE_KEY_VARIABLE, "").strip())
    if in_environment and not named:
        _tell(yes, f"\nThe key is taken from the environment ({PRIVATE_KEY_VARIABLE}); no file is made of it.")
        return None, False, answers
    if in_environment:
        raise ConfigError(
            f"the key would be in two places: {PRIVATE_KEY_VARIABLE} and the keystore",
            hint=f"leave out --keystore, or first: polymarket-agent keys new-keystore {named}; then unset the variable",
        )
    default = Path.home() / _HOME / "keystore.json"
    _tell(
        yes or bool(named),
        "\nThe key is kept encrypted in a file of its own; its passphrase is asked for at each start.",
    )
    file = Path(named or (str(default) if yes else typer.prompt("keystore", default=str(default)))).expanduser()
    refuse_key_words((), [file])
    file = file.absolute()
    answers = replace(answers, keystore=file)
    if file.is_file():
        _tell(yes, f"{file} is there and is used as it is.")
        return None, False, answers
    if yes:
        raise LiveLockedError(
            f"no private key is given: there is no keystore {file}, and {PRIVATE_KEY_VARIABLE} is not set",
            hint=f"first: polymarket-agent keys new-keystore {file}",
        )
    from polymarket_agent.cli.keys_commands import ask_key

    return ask_key({}), True, answers


def _tell(silent: bool, text: str) -> None:
    if not silent:
        typer.echo(text)


# -- files ------------------------------------------------------------------------------------------------------------


def _write(file: Path, answers: Answers, key: Secret | None) -> None:
    """Write keystore and config, or neither: whatever goes wrong in between is taken back."""
    from polymarket_agent.config_file import load_config

    made: list[Path] = []
    try:
        if key is not None and answers.keystore is not None:
            _make_keystore(answers.keystore, key, made)
        part = file.with_name(f".{file.name}.{os.getpid()}")
        made.append(part)
        try:
            part.write_text(config_text(answers), encoding="utf-8")
            load_config(part, os.environ)
            part.replace(file)
        except OSError as error:
            raise ConfigError(f"{file} cannot be written: {error.strerror}") from error
    except BaseException:
        for each in reversed(made):
            if each.is_dir():
                each.rmdir()
            else:
                each.unlink(missing_ok=True)
        raise


def _make_keystore(file: Path, key: Secret, made: list[Path]) -> None:
    from polymarket_agent.cli.keys_commands import ask_passphrase, make_keystore

    passphrase = ask_passphrase(os.environ)
    if not file.parent.is_dir():
        try:
            file.parent.mkdir(mode=0o700)
        except OSError as error:
            raise ConfigError(f"the folder {file.parent} cannot be made: {error.strerror}") from error
        made.append(file.parent)
    make_keystore(file, key, passphrase)
    made.append(file)


# -- the end ----------------------------------------------------------------------------------------------------------


def _finish(file: Path, answers: Answers, key: Secret | None, *, made: bool, check: bool, as_json: bool) -> None:
    """Run the doctor and say what comes next."""
    option = "" if str(file) == CONFIG_NAME else f" --config {file}"
    commands = (
        [f"polymarket-agent doctor --probe --live{option}", f"polymarket-agent run --live{option}"]
        if answers.live
        else [f"polymarket-agent run{option}", f"polymarket-agent report{option}"]
    )
    result: dict[str, Any] = {"written": str(file), "mode": "live" if answers.live else "paper", "next": commands}
    if answers.keystore is not None:
        result |= {"keystore": str(answers.keystore), "keystore_made": made}
    if not as_json:
        typer.echo(f"\nwrote {file}" + (f" and {answers.keystore} (mode 0600)" if made else ""))
    if check:
        from polymarket_agent.cli.doctor_commands import report
        from polymarket_agent.cli.doctor_findings import as_plain

        if not as_json:
            typer.echo("\nwhat the doctor says:\n")
        _, findings = report(file, as_json=as_json, key=key)
        result["doctor"] = as_plain(findings, mode=result["mode"])
    if as_json:
        print_json(result)
        return
    if check and not result["doctor"]["ok"]:
        typer.echo(f"\nThe config is good, but something else is not: mend it, then: polymarket-agent doctor{option}")
    _say_next(answers, commands)


def _say_next(answers: Answers, commands: list[str]) -> None:
    first, second = commands
    if answers.live:
        typer.echo(
            f"\nfirst   {first}\n        one tiny order far from the market, cancelled at once: it proves the path"
        )
        typer.echo(
            f"then    {second}\n        trades within the small limits above; Ctrl-C stops it and cancels what is open"
        )
        return
    typer.echo(f"\nfirst   {first}\n        trades on paper until Ctrl-C; let it run for an hour")
    typer.echo(f"then    {second}\n        what it earned or lost, and why to believe it")
