"""Commands about the private key: put it into an encrypted file, and say whose it is. None of them shows it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from polymarket_agent.cli.common import ConfigOption, JsonOption, command, effective_config, print_json
from polymarket_agent.cli.secret_words import TAKES_ANY_WORD, refuse_key_words
from polymarket_agent.errors import ConfigError, LiveLockedError

if TYPE_CHECKING:
    from polymarket_agent.keys import Secret

__all__ = ["ask_key", "ask_passphrase", "make_keystore", "register"]

_group = typer.Typer(help="Keep the private key safe and say whose it is.", no_args_is_help=True, rich_markup_mode=None)

_SHORTEST = 8
_TRIES = 3


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(_group, name="keys")


@_group.command("new-keystore", context_settings=TAKES_ANY_WORD)
@command
def new_keystore(
    context: typer.Context,
    path: Annotated[str, typer.Argument(help="The file to write; it must not exist.")],
    as_json: JsonOption = False,
) -> None:
    """Encrypt a private key into a new file that only you may read. The key comes from a prompt or the environment."""
    refuse_key_words(context.args, [path])
    file = Path(path)
    if os.path.lexists(file):
        raise ConfigError(f"{file} exists, and a keystore is never overwritten", hint="give another name")
    key = ask_key(os.environ)
    address = make_keystore(file, key, ask_passphrase(os.environ))
    if as_json:
        print_json({"written": str(file), "address": address})
        return
    typer.echo(f"wrote {file} (mode 0600) for the address {address}")
    typer.echo(f"keep the passphrase: without it the file is worthless\nin the config:  live: {{keystore: {file}}}")
    if os.environ.get("POLYMARKET_PRIVATE_KEY", "").strip():
        typer.echo("now take POLYMARKET_PRIVATE_KEY out of the environment: a key is read from one place only")


@_group.command("address", context_settings=TAKES_ANY_WORD)
@command
def address(context: typer.Context, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show the addresses of the configured key: its own, and those of the wallets that can belong to it. Asks nobody."""
    from polymarket_agent.adapters.polymarket.identity import identity_settings
    from polymarket_agent.adapters.polymarket.wallets import address_of, addresses_of
    from polymarket_agent.cli.unlock import key_of

    refuse_key_words(context.args, [config])
    own = addresses_of(address_of(key_of(effective_config(config))))
    funder, _ = identity_settings(os.environ)
    rows = {
        "key": own.eoa,
        "deposit wallet": own.deposit,
        "deposit wallet, older": own.deposit_uups,
        "safe": own.safe,
        "proxy": own.proxy,
    }
    if as_json:
        print_json({**{name.replace(", ", "_").replace(" ", "_"): value for name, value in rows.items()}})
        return
    for name, value in rows.items():
        mark = "   <- POLYMARKET_FUNDER" if funder and funder.lower() == value.lower() else ""
        typer.echo(f"{name:<23}{value}{mark}")
    typer.echo("which of them exists and is used: polymarket-agent doctor")


def ask_key(environ: os._Environ[str] | dict[str, str]) -> Secret:
    """Return the key of the environment, or one typed at a hidden prompt; a mistyped one is asked for again.

    Raises:
        ConfigError: what is given is no key.
    """
    from polymarket_agent.keys import PRIVATE_KEY_VARIABLE, parse_private_key

    if environ.get(PRIVATE_KEY_VARIABLE, "").strip():
        return parse_private_key(environ[PRIVATE_KEY_VARIABLE], f"the environment variable {PRIVATE_KEY_VARIABLE}")
    for tries_left in reversed(range(_TRIES)):
        try:
            return parse_private_key(
                typer.prompt("private key (64 hexadecimal digits, not shown)", hide_input=True, err=True),
                "what was typed",
            )
        except ConfigError as error:
            if not tries_left:
                raise
            typer.echo(f"{error}; {error.hint}", err=True)
    raise AssertionError("the last try returns or raises")


def ask_passphrase(environ: os._Environ[str] | dict[str, str]) -> Secret:
    """Return the passphrase of the environment, or one typed twice at a hidden prompt.

    Raises:
        ConfigError: it is shorter than 8 characters.
    """
    from polymarket_agent.keys import KEYSTORE_PASSPHRASE_VARIABLE, Secret

    given = environ.get(KEYSTORE_PASSPHRASE_VARIABLE, "")
    passphrase = Secret(
        given
        or typer.prompt(
            f"passphrase for the keystore (at least {_SHORTEST} characters, not shown)",
            hide_input=True,
            confirmation_prompt=True,
            err=True,
        )
    )
    if len(passphrase.reveal()) < _SHORTEST:
        raise ConfigError(f"the passphrase has fewer than {_SHORTEST} characters", hint="a few random words are good")
    return passphrase


def make_keystore(file: Path, key: Secret, passphrase: Secret) -> str:
    """Write a keystore, whole or not at all, and return the address of its key.

    Raises:
        ConfigError: the file exists or cannot be written.
        LiveLockedError: the libraries that sign are not installed.
    """
    import importlib.util

    from polymarket_agent.cli.unlock import INSTALL_LIVE
    from polymarket_agent.keys import write_keystore

    if any(importlib.util.find_spec(name) is None for name in ("coincurve", "Crypto")):
        raise LiveLockedError("the libraries that encrypt and sign are not installed", hint=INSTALL_LIVE)
    from polymarket_agent.adapters.polymarket.wallets import address_of

    was_there = os.path.lexists(file)
    try:
        write_keystore(key, passphrase, file)
    except BaseException:
        if not was_there:
            file.unlink(missing_ok=True)
        raise
    if sys.platform != "win32":
        file.chmod(0o600)
    return address_of(key)
