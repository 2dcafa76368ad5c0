"""The command that looks at everything trading needs and says what is wrong and how to mend it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from polymarket_agent.cli.common import ConfigOption, JsonOption, command, print_json, safe_text
from polymarket_agent.cli.unlock import require_live_unlocked
from polymarket_agent.errors import AgentError, UsageError

if TYPE_CHECKING:
    from polymarket_agent.cli.doctor_case import Case
    from polymarket_agent.cli.doctor_findings import Finding
    from polymarket_agent.keys import Secret

__all__ = ["register", "report"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(doctor)


@command
def doctor(
    config: ConfigOption = None,
    probe: Annotated[
        bool,
        typer.Option("--probe", help="Then place one tiny order far from the market, and cancel it; needs --live."),
    ] = False,
    live: Annotated[bool, typer.Option("--live", help="Needed for --probe: it sends a real order.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before the probe's order is sent.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Check config, key, venue, money, streams, ledger and disk; sends nothing without --probe. 1 if there is a problem."""
    from polymarket_agent import log

    log.configure("error")
    if probe and not live:
        raise UsageError("--probe sends a real order and needs --live", hint="without --probe nothing is sent")
    if live and not probe:
        raise UsageError("--live belongs to --probe; without it the doctor sends nothing", hint="leave out --live")
    if probe and as_json and not yes:
        raise UsageError("--probe with --json cannot ask first", hint="add --yes if the order may be sent")
    case, findings = report(config, as_json=as_json)
    from polymarket_agent.cli.doctor_findings import Verdict, as_plain
    from polymarket_agent.cli.doctor_view import summary_of

    result = as_plain(findings, mode="live" if case.live else "paper")
    good = all(each.verdict is not Verdict.PROBLEM for each in findings)
    if not as_json and not (probe and good):
        typer.echo("\n" + safe_text(summary_of(findings, live=case.live, config=config)))
    if probe and good:
        require_live_unlocked(case.config, live_flag=live)
        result["probe"] = _probe(case, config, yes=yes, as_json=as_json)
        good = bool(result["probe"]["ok"])
    result["ok"] = good
    if as_json:
        print_json(result)
    if not good:
        raise typer.Exit(1)


def report(config: Path | None, *, as_json: bool, key: Secret | None = None) -> tuple[Case, list[Finding]]:
    """Examine a config, print the findings for a person unless `as_json`, and return them with what was learned."""
    from polymarket_agent.cli.doctor_case import Case
    from polymarket_agent.cli.doctor_checks import examine
    from polymarket_agent.cli.doctor_view import print_findings
    from polymarket_agent.cli.unlock import ask_in_terminal
    from polymarket_agent.clock import SystemClock

    case = Case(config_file=config, clock=SystemClock(), ask=ask_in_terminal, key=key)
    if as_json or not sys.stdout.isatty():
        findings = asyncio.run(examine(case))
    else:
        findings = _with_status(lambda told: asyncio.run(examine(case, told)), case)
    if not as_json:
        print_findings(findings)
    return case, findings


def _with_status(work: Callable[[Callable[[str], None]], list[Finding]], case: Case) -> list[Finding]:
    """Show what is being looked at. It stands aside while a passphrase is asked for."""
    from rich.status import Status

    with Status("looking …") as status:
        ask = case.ask

        def aside(question: str) -> str:
            status.stop()
            try:
                return ask(question)
            finally:
                status.start()

        case.ask = aside
        return work(lambda name: status.update(f"looking at: {name}"))


def _probe(case: Case, config: Path | None, *, yes: bool, as_json: bool) -> dict[str, Any]:
    from polymarket_agent.cli.doctor_plan import plan_probe
    from polymarket_agent.cli.doctor_probe import print_probe, run_probe

    assert case.key is not None
    assert case.identity is not None
    plan = asyncio.run(plan_probe(case.config))
    if not as_json:
        typer.echo(f"\nthe probe: {plan.sentence()}")
    if not yes and not typer.confirm("send it?"):
        raise AgentError("the probe was not sent")
    result = asyncio.run(run_probe(case.config, plan, case.key, case.identity))
    if not as_json:
        print_probe(result, config)
    return result
