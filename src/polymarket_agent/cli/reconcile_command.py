"""The command `reconcile`: the agent's own comparison if one runs, else one look at the venue that sends nothing."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from polymarket_agent.cli.agent_process import ask, running_agent
from polymarket_agent.cli.common import (
    ConfigOption,
    DbOption,
    JsonOption,
    command,
    effective_config,
    print_json,
    print_table,
    safe_text,
)
from polymarket_agent.cli.control_commands import control_ledger
from polymarket_agent.errors import AgentError, ConfigError, DatabaseError, UsageError

if TYPE_CHECKING:
    from polymarket_agent.cli.comparison import Comparison
    from polymarket_agent.config import Config
    from polymarket_agent.db import Database

__all__ = ["register"]

_ANSWER_S = 5.0
_ROUND_S = 30.0
_POLL_S = 0.2
_WORD = "book"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(reconcile)


@command
def reconcile(
    accept_flow: Annotated[
        bool,
        typer.Option("--accept-flow", help="Book a cash difference that nothing explains as deposit or withdrawal."),
    ] = False,
    confirm: Annotated[str, typer.Option("--confirm", help=f"With --accept-flow: --confirm {_WORD}.")] = "",
    config: ConfigOption = None,
    db: DbOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare the ledger with the venue: cash, shares, open orders, fills. Exit code 1 if they differ."""
    path = control_ledger(config, db)
    agent = running_agent(path)
    if agent is not None:
        if accept_flow:
            raise UsageError(f"an agent runs (process {agent})", hint="stop it first; --accept-flow writes its ledger")
        _ask_the_agent(path, agent, as_json=as_json)
        return
    settings = effective_config(config)
    found = asyncio.run(_compare(settings, path))
    if accept_flow:
        _accept(settings, path, found, confirm=confirm)
        return
    if as_json:
        print_json(found.plain())
    else:
        _print(found)
    if not found.equal:
        raise typer.Exit(1)


def _ask_the_agent(path: Path, agent: int, *, as_json: bool) -> None:
    """Have a running agent compare anew, wait for its next round, and show the last ones."""
    from polymarket_agent import views
    from polymarket_agent.clock import SystemClock
    from polymarket_agent.db import open_for_reading

    asked_ms = SystemClock().now_ms()
    asked = ask(path, "reconcile", wait_s=_ANSWER_S)
    if asked.result is None:
        raise AgentError(f"the agent (process {agent}) does not answer", hint="if it hangs: polymarket-agent kill")
    if asked.failed:
        raise AgentError(asked.result)
    ends = time.monotonic() + _ROUND_S
    with open_for_reading(path) as connection:
        while not (new := views.rounds(connection, after_ms=asked_ms)) and time.monotonic() < ends:
            time.sleep(_POLL_S)
        shown = new or views.rounds(connection)
    if as_json:
        print_json({"agent": agent, "new": bool(new), "rounds": shown})
    else:
        rows = [{**each, "findings": safe_text("; ".join(each["findings"])) or "none"} for each in shown]
        print_table(rows, ("at", "kind", "clean", "findings"), empty="the agent has not compared anything yet")
        if not new:
            typer.echo("the agent has not finished a comparison since it was asked")
    if not new or not new[0]["clean"]:
        raise typer.Exit(1)


async def _compare(settings: Config, path: Path) -> Comparison:
    from polymarket_agent.cli.comparison import compare
    from polymarket_agent.cli.unlock import key_of
    from polymarket_agent.cli.venue_door import connected
    from polymarket_agent.db import Database
    from polymarket_agent.ledger.lease import binding_of

    key = key_of(settings)
    async with connected(settings, key) as gateway:
        with Database(path) as db:
            bound = db.run(binding_of)
            if bound is None:
                raise DatabaseError(f"{path} has never traded live", hint="name the ledger with --db")
            if bound[2].lower() != gateway.identity.wallet.lower():
                raise ConfigError(
                    f"the ledger belongs to wallet {bound[2]}, the key to {gateway.identity.wallet}",
                    hint="name the ledger of this wallet with --db",
                )
            return await compare(gateway, db)


def _print(found: Comparison) -> None:
    columns = ("what", "venue", "ledger", "difference", "explained")
    print_table(found.rows, columns, empty="nothing to compare")
    for line in found.notes:
        typer.echo(safe_text(line))
    typer.echo("they agree" if found.equal else "THEY DIFFER")


# -- a deposit or withdrawal ------------------------------------------------------------------------------------------


def _accept(settings: Config, path: Path, found: Comparison, *, confirm: str) -> None:
    """Book the cash that nothing explains, if that is all that differs and the operator says so."""
    from polymarket_agent.domain.money import Usdc, display

    amount = found.cash_outside
    if not amount:
        raise UsageError("there is no cash difference to book", hint="see: polymarket-agent reconcile")
    if not found.only_cash:
        _print(found)
        raise UsageError(
            "more than cash differs, so it is no plain deposit or withdrawal", hint="start the agent; it books fills"
        )
    word = "deposit" if amount > 0 else "withdrawal"
    _print(found)
    if not confirm and sys.stdin.isatty():
        question = f"type {_WORD} to book {display(abs(amount), 6)} USDC as a {word}"
        confirm = typer.prompt(question, default="", show_default=False)
    if confirm != _WORD:
        raise UsageError("nothing was booked", hint=f"book it with --confirm {_WORD}")
    from polymarket_agent.db import Database

    with Database(path) as db:
        _book(db, Usdc(amount), word)
    del settings
    typer.echo(f"booked {display(amount, 6)} USDC as a {word}; a halt stays until: polymarket-agent resume")


def _book(db: Database, amount: Any, word: str) -> None:
    from polymarket_agent.clock import SystemClock
    from polymarket_agent.ledger.journal import Journal
    from polymarket_agent.ledger.lease import binding_of
    from polymarket_agent.ledger.live_journal import LiveJournal

    now_ms = SystemClock().now_ms()
    bound = db.run(binding_of)
    journal = LiveJournal(db, Journal(db))
    journal.take_lease(
        wallet=bound[2], venue=bound[0], chain=bound[1], pid=os.getpid(), host_name=socket.gethostname(), at_ms=now_ms
    )
    journal.cash_flow(amount, now_ms, word, "named by the operator")
    db.flush()
