"""Commands that steer an agent from another process: halt, kill, resume, cancel-all. None of them can place an order."""

from __future__ import annotations

import asyncio
import sys
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
from polymarket_agent.cli.kill_command import kill
from polymarket_agent.errors import AgentError, LiveLockedError, UsageError

if TYPE_CHECKING:
    from polymarket_agent.config import Config

__all__ = ["control_ledger", "register"]

_ANSWER_S = 5.0
_CANCEL_S = 30.0
_WORD = "resume"

ReasonOption = Annotated[str, typer.Option("--reason", help="Kept in the ledger.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(halt)
    app.command()(kill)
    app.command()(resume)
    app.command("cancel-all")(cancel_all)


def control_ledger(config: Path | None, db: Path | None) -> Path:
    """Return the ledger that a command steers: named or configured, never guessed.

    Raises:
        DatabaseError: there is none.
        UsageError: it trades on paper, where no command is heard.
    """
    from polymarket_agent.db import open_for_reading

    path = db or effective_config(config).database
    with open_for_reading(path) as connection:
        run = connection.execute("SELECT mode FROM runs ORDER BY run_id DESC LIMIT 1").fetchone()
    if run is not None and run["mode"] != "live":
        agent = running_agent(path)
        hint = f"end the agent with: kill -INT {agent}" if agent else "no agent runs; there is nothing to steer"
        raise UsageError(f"{path} trades on paper, and an agent on paper takes no commands", hint=hint)
    return path


@command
def halt(
    reason: ReasonOption = "", config: ConfigOption = None, db: DbOption = None, as_json: JsonOption = False
) -> None:
    """Send no more orders and cancel what is open, until `resume`."""
    from polymarket_agent.clock import SystemClock
    from polymarket_agent.ledger.control import enter_state_from_outside

    path = control_ledger(config, db)
    detail = reason or "by the operator"
    enter_state_from_outside(path, "operator_halt", "HALTED", detail, SystemClock().now_ms())
    agent = running_agent(path)
    if agent is None:
        told, then = None, "no agent runs; the next one starts HALTED and cancels only. Go on with: resume"
    else:
        told = ask(path, "halt", detail, wait_s=_ANSWER_S).result
        then = "the agent sends nothing more and cancels what is open. Go on with: resume"
        if told is None:
            then = (
                f"the agent (process {agent}) does not answer; it can send nothing more, but may not cancel. "
                "If it hangs, cancel with: kill"
            )
    _say({"ledger": str(path), "state": "HALTED", "agent": agent, "answer": told, "next": then}, as_json=as_json)


@command
def resume(
    yes: YesOption = False,
    confirm: Annotated[str, typer.Option("--confirm", help=f"Ends a kill without asking: --confirm {_WORD}.")] = "",
    config: ConfigOption = None,
    db: DbOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let a halted or killed agent go on; it compares its books with the venue's first."""
    from polymarket_agent import views
    from polymarket_agent.db import open_for_reading
    from polymarket_agent.ledger.control import is_killed

    path = control_ledger(config, db)
    with open_for_reading(path) as connection:
        causes = views.states(connection)
    if is_killed(path) and not any(each["state"] == "KILLED" for each in causes):
        causes.insert(0, {"state": "KILLED", "cause": "kill", "since": "?", "detail": "the kill file is there"})
    if not as_json:
        print_table(causes, ("state", "cause", "since", "detail"), empty="nothing holds the agent back")
    killed = any(each["state"] == "KILLED" for each in causes)
    _require_consent(causes, killed=killed, yes=yes, confirm=confirm)
    agent = running_agent(path)
    if agent is None:
        state = _resume_in_file(path)
        then = "no agent runs; the next one compares its books with the venue's before it trades"
    else:
        asked = ask(path, "resume", "confirmed" if killed else "", wait_s=_ANSWER_S)
        if asked.result is None:
            raise AgentError(
                f"the agent (process {agent}) does not answer, and nothing was resumed",
                hint="end it, and resume without it; a request that it did not take is void after 30 s",
            )
        if asked.failed:
            raise AgentError(asked.result)
        state, then = asked.result, "two clean comparisons with the venue, then it trades"
    _say({"ledger": str(path), "state": state, "agent": agent, "causes": causes, "next": then}, as_json=as_json)


def _require_consent(causes: list[dict[str, Any]], *, killed: bool, yes: bool, confirm: str) -> None:
    """Let the operator say yes, or type the word that ends a kill.

    Raises:
        UsageError: they did not, and nobody can be asked.
    """
    if killed:
        if not confirm and sys.stdin.isatty():
            confirm = typer.prompt(f"the agent was killed; type {_WORD} to go on", default="", show_default=False)
        if confirm != _WORD:
            raise UsageError("the agent was killed, and nothing was resumed", hint=f"go on with --confirm {_WORD}")
    elif causes and not yes and not (sys.stdin.isatty() and typer.confirm("go on in spite of this?")):
        raise UsageError("nothing was resumed", hint="go on with --yes")


def _resume_in_file(path: Path) -> str:
    """Let go of what only the operator ends, in the ledger itself; returns the state after it."""
    import sqlite3

    from polymarket_agent.clock import SystemClock
    from polymarket_agent.conduct import open_causes
    from polymarket_agent.db import Database
    from polymarket_agent.decision.states import StateBook
    from polymarket_agent.ledger.control import is_killed, remove_kill_file
    from polymarket_agent.ledger.states import enter_state, leave_state, open_states

    now_ms = SystemClock().now_ms()
    with Database(path) as db:  # its lock keeps an agent from starting meanwhile
        book = StateBook(open_causes(db.run(open_states)))
        if is_killed(path):
            book.enter("kill", detail="the kill file is there", at_ms=now_ms)
        changes = book.resume(now_ms, confirmed=True)
        remove_kill_file(path)
        opened = {each.cause: each.state.value for each in book.causes}

        def work(connection: sqlite3.Connection) -> None:
            for change in changes:
                if change.opened:
                    enter_state(connection, change.cause, opened[change.cause], change.detail, now_ms)
                else:
                    leave_state(connection, change.cause, now_ms, change.by)
            connection.execute(
                "UPDATE commands SET done_ms = ?, result = 'dropped: no agent took it before a resume'"
                " WHERE done_ms IS NULL",
                (now_ms,),
            )

        db.run(work)
        return book.describe()


@command
def cancel_all(
    config: ConfigOption = None,
    db: DbOption = None,
    live: Annotated[bool, typer.Option("--live", help="Needed when no agent runs.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Cancel every open order; trading goes on."""
    path = db or effective_config(config).database
    agent = running_agent(path)
    if agent is not None:
        path = control_ledger(config, db)
        asked = ask(path, "cancel-all", wait_s=_CANCEL_S)
        if asked.result is None:
            raise AgentError(f"the agent (process {agent}) does not answer", hint="if it hangs: polymarket-agent kill")
        if asked.failed:
            raise AgentError(asked.result)
        then = "the venue was asked to cancel everything; see: polymarket-agent orders --open"
        _say({"ledger": str(path), "agent": agent, "state": asked.result, "next": then}, as_json=as_json)
        return
    settings = effective_config(config)
    _require_live(settings, live_flag=live)
    _cancel_ourselves(settings, as_json=as_json)


def _require_live(settings: Config, *, live_flag: bool) -> None:
    from polymarket_agent.cli.unlock import require_live_unlocked

    if not require_live_unlocked(settings, live_flag=live_flag):
        raise LiveLockedError(
            "no agent runs, and the config says mode: paper", hint="set mode: live and give --live and the key"
        )


def _cancel_ourselves(settings: Config, *, as_json: bool) -> None:
    from polymarket_agent.cli.unlock import key_of
    from polymarket_agent.cli.venue_door import empty_the_venue

    key = key_of(settings)
    emptied = asyncio.run(empty_the_venue(settings, key, verify_s=1.0, patience_s=_CANCEL_S))
    if not emptied.verified:
        raise AgentError(f"not everything was seen cancelled: {emptied.trouble}", hint="try again, or look at the site")
    then = "the venue lists nothing open; the next start reads what was filled before"
    _say({"agent": None, "cancelled": len(emptied.cancelled), "next": then}, as_json=as_json)


def _say(found: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    for key in ("state", "answer"):
        if found.get(key):
            typer.echo(f"{key}: {safe_text(str(found[key]))}")
    typer.echo(f"next: {safe_text(found['next'])}")
