"""The command `kill`: flag and file first, then the venue is emptied over a connection of its own."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from polymarket_agent.cli.agent_process import running_agent
from polymarket_agent.cli.common import (
    ConfigOption,
    DbOption,
    JsonOption,
    command,
    effective_config,
    print_json,
    safe_text,
)
from polymarket_agent.errors import AgentError, ConfigError, DatabaseError, UsageError

if TYPE_CHECKING:
    from polymarket_agent.config import Config

__all__ = ["kill"]

_LEDGER_S = 15.0
_POLL_S = 0.2
_SITE = "look at the venue's site, or run this again with the key"
_AGENT_CANCELS = (
    "the agent cancels if it works; if it hangs, its heartbeats stop and the venue cancels everything of its API key "
    f"within about 15 s; {_SITE}"
)
_NOBODY_CANCELS = (
    "no agent is there to cancel; if the last one sent heartbeats, the venue has cancelled everything of its API key "
    f"about 15 s after it ended; {_SITE}"
)


@dataclass(slots=True)
class _Kill:
    ledger: Path
    config: Config | None
    trouble: list[str] = field(default_factory=list)
    done: list[str] = field(default_factory=list)
    verified: bool = False
    cancelled: int = 0
    left: tuple[str, ...] = ()


@command
def kill(
    reason: Annotated[str, typer.Option("--reason", help="Kept in the ledger.")] = "",
    verify_s: Annotated[
        float, typer.Option("--verify-s", min=0.0, max=600.0, help="Seconds between the two looks that must be empty.")
    ] = 10.0,
    patience_s: Annotated[
        float, typer.Option("--patience-s", min=1.0, help="Give up verifying after this many seconds.")
    ] = 120.0,
    config: ConfigOption = None,
    db: DbOption = None,
    as_json: JsonOption = False,
) -> None:
    """Stop trading at once and cancel everything, also when the agent hangs. Only `resume` ends it."""
    job = _begin(config, db)
    _require_no_paper(job.ledger)
    _raise_flags(job, reason)
    if not as_json:
        for line in job.done:
            typer.echo(line)
    said = len(job.done)
    agent = running_agent(job.ledger)
    _cancel(job, verify_s=verify_s, patience_s=patience_s)
    if not job.verified:
        _ask_the_ledger(job, wait=agent is not None)
    _report(job, agent, said, as_json=as_json)
    if not job.verified:
        raise typer.Exit(1)


def _begin(config: Path | None, db: Path | None) -> _Kill:
    """Find the ledger; a config that cannot be read is no hindrance when the ledger is named."""
    try:
        settings = effective_config(config)
    except ConfigError as error:
        if db is None:
            raise UsageError(
                f"the config does not say where the ledger is: {error}",
                hint="name the ledger: polymarket-agent kill --db FILE needs no config",
            ) from error
        return _Kill(db, None, [f"the config cannot be read: {error}"])
    return _Kill(db or settings.database, settings)


def _require_no_paper(ledger: Path) -> None:
    """Refuse a ledger that trades on paper: an agent there hears no kill, and one that seems killed and trades on is worse.

    Raises:
        UsageError: it does. A ledger that cannot be read is none.
    """
    from polymarket_agent.db import open_for_reading

    try:
        with open_for_reading(ledger) as connection:
            bound = connection.execute("SELECT 1 FROM binding").fetchone()
            run = connection.execute("SELECT mode FROM runs ORDER BY run_id DESC LIMIT 1").fetchone()
    except DatabaseError:
        return
    if bound is None and run is not None and run["mode"] != "live":
        agent = running_agent(ledger)
        hint = f"end the agent with: kill -INT {agent}" if agent else "no agent runs; nothing is open at the venue"
        raise UsageError(f"{ledger} trades on paper, and an agent on paper takes no commands", hint=hint)


def _raise_flags(job: _Kill, reason: str) -> None:
    """Write the kill file and the flag in the ledger; one of them is enough for an agent to send nothing more.

    Raises:
        DatabaseError: neither could be written.
    """
    from polymarket_agent.clock import SystemClock, iso
    from polymarket_agent.ledger.control import create_kill_file, enter_state_from_outside, post_command

    at_ms = SystemClock().now_ms()
    detail = reason or "by the operator"
    errors: list[AgentError] = []
    try:
        made = create_kill_file(job.ledger, f"{iso(at_ms)} {detail}\n")
        job.done.append(f"the kill file is there: {made}")
    except DatabaseError as error:
        errors.append(error)
    try:
        enter_state_from_outside(job.ledger, "kill", "KILLED", detail, at_ms)
        job.done.append(f"the ledger says KILLED: {job.ledger}")
        post_command(job.ledger, "kill", detail, "command line", at_ms)
    except DatabaseError as error:
        errors.append(error)
    if len(errors) > 1:
        raise errors[0]
    job.trouble += [str(error) for error in errors]


def _cancel(job: _Kill, *, verify_s: float, patience_s: float) -> None:
    """Empty the venue with a connection of our own, if config and key allow it."""
    from polymarket_agent.config import Mode

    if job.config is None or job.config.mode is not Mode.LIVE:
        return
    from polymarket_agent.cli.unlock import key_of
    from polymarket_agent.cli.venue_door import empty_the_venue

    try:
        key = key_of(job.config)
        emptied = asyncio.run(empty_the_venue(job.config, key, verify_s=verify_s, patience_s=patience_s))
    except AgentError as error:
        job.trouble.append(str(error))
        return
    job.cancelled, job.left, job.verified = len(emptied.cancelled), emptied.left, emptied.verified
    if emptied.trouble:
        job.trouble.append(emptied.trouble)
    if not job.ledger.is_file():
        job.verified = False
        seen = "nothing open any more" if emptied.verified else f"{len(emptied.left)} orders that are still open"
        job.done.append(f"the venue was asked: {seen}, for this key's wallet; without the ledger that proves no more")


def _ask_the_ledger(job: _Kill, *, wait: bool) -> None:
    """Without a look at the venue: an agent that is killed notes no new order, so none open in the ledger is none at all."""
    from polymarket_agent import views
    from polymarket_agent.db import open_for_reading

    if not job.ledger.is_file() or job.left:
        return
    ends = time.monotonic() + (_LEDGER_S if wait else 0.0)
    try:
        with open_for_reading(job.ledger) as connection:
            while (open_orders := sum(views.possibly_open(connection).values())) and time.monotonic() < ends:
                time.sleep(_POLL_S)
    except DatabaseError as error:
        job.trouble.append(str(error))
        return
    if open_orders:
        job.trouble.append(f"the ledger has {open_orders} orders that may be open at the venue")
    elif any(line.startswith("the ledger says KILLED") for line in job.done):
        job.verified = True
        job.done.append("the ledger has no order that may be open, and takes no new one")


def _report(job: _Kill, agent: int | None, said: int, *, as_json: bool) -> None:
    advice = ""
    if not job.ledger.is_file():
        advice = f"there is no ledger {job.ledger}; name the running agent's with --db"
    elif not job.verified:
        advice = _NOBODY_CANCELS if agent is None else _AGENT_CANCELS
    if as_json:
        print_json(
            {
                "ledger": str(job.ledger),
                "agent": agent,
                "done": job.done,
                "verified": job.verified,
                "cancelled": job.cancelled,
                "still_open": list(job.left),
                "trouble": job.trouble,
                "advice": advice,
            }
        )
        return
    running = "no agent runs on this ledger"
    if agent:
        running = f"an agent runs (process {agent}); it sends nothing more"
    typer.echo(running)
    for line in job.done[said:]:
        typer.echo(line)
    if job.cancelled:
        typer.echo(f"cancelled {job.cancelled} orders")
    for each in job.trouble:
        typer.echo(f"trouble: {safe_text(each)}", err=True)
    if job.verified:
        typer.echo("verified: nothing is open; go on later with: polymarket-agent resume")
    else:
        typer.echo(f"NOT VERIFIED: {safe_text(advice)}", err=True)
