"""The command `limits`: what the config allows, what the agent has taken up, and having it read the config again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

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
)
from polymarket_agent.cli.control_commands import control_ledger
from polymarket_agent.errors import AgentError, DatabaseError

__all__ = ["register"]

_ANSWER_S = 5.0


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(limits)


@command
def limits(
    reload: Annotated[
        bool, typer.Option("--reload", help="Have the running agent read its config again; it takes what is tighter.")
    ] = False,
    config: ConfigOption = None,
    db: DbOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the limits in the config and those that the agent has, with their hashes."""
    from polymarket_agent import views
    from polymarket_agent.config import to_plain
    from polymarket_agent.db import open_for_reading

    settings = effective_config(config)
    path = db or settings.database
    wanted = to_plain(settings.risk)
    answer = _reload(control_ledger(config, db)) if reload else None
    agent = running_agent(path)
    try:
        with open_for_reading(path) as connection:
            in_use = views.limits_in_use(connection)
    except DatabaseError:
        in_use = {}
    found: dict[str, Any] = {
        "config": {"hash": views.limits_hash(wanted), "limits": wanted},
        "agent": {"process": agent, "hash": views.limits_hash(in_use) if in_use else None, "limits": in_use},
        "reload": answer,
    }
    if as_json:
        print_json(found)
        return
    rows = [
        {"limit": key, "config": value, "agent": in_use.get(key, "-"), "": "differs" if key in in_use and in_use[key] != value else ""}
        for key, value in wanted.items()
    ]  # fmt: skip
    print_table(rows, ("limit", "config", "agent", ""), empty="no limits")
    typer.echo(f"hash of the config's limits {found['config']['hash']}")
    if in_use:
        whose = f"agent runs, process {agent}" if agent else "last run"
        typer.echo(f"hash of the agent's limits  {found['agent']['hash']} ({whose})")
    if answer is not None:
        taken = ", ".join(f"{key} {value}" for key, value in answer["taken"].items()) or "nothing was tighter"
        typer.echo(f"taken up: {taken}")
        if answer["ignored"]:
            typer.echo(f"looser, so it waits for a restart: {', '.join(answer['ignored'])}")


def _reload(path: Path) -> dict[str, Any]:
    agent = running_agent(path)
    if agent is None:
        raise AgentError("no agent runs on this ledger", hint="the next start takes the config as it is")
    asked = ask(path, "reload", wait_s=_ANSWER_S)
    if asked.result is None:
        raise AgentError(f"the agent (process {agent}) does not answer", hint="if it hangs: polymarket-agent kill")
    if asked.failed:
        raise AgentError(asked.result, hint="the old limits stay")
    answer: dict[str, Any] = json.loads(asked.result)
    return answer
