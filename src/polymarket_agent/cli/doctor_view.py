"""The doctor's findings for a person: one line each, and below it why and what to do where something is wrong."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from polymarket_agent.cli.common import safe_text
from polymarket_agent.cli.doctor_findings import Finding, Verdict

__all__ = ["console", "print_findings", "summary_of"]

_WIDTH = 110
_STYLES = {
    Verdict.OK: "green",
    Verdict.WARNING: "yellow",
    Verdict.PROBLEM: "bold red",
    Verdict.NOT_CHECKED: "dim",
}


def console() -> Console:
    """Return where a person reads: at most so wide that a line can be read at a glance."""
    wide = Console(highlight=False, soft_wrap=False)
    return Console(highlight=False, width=min(wide.width, _WIDTH) if sys.stdout.isatty() else _WIDTH)


def print_findings(findings: Sequence[Finding]) -> None:
    """Print the findings as an aligned list."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(ratio=1, overflow="fold")
    for finding in _joined(findings):
        style = _STYLES[finding.verdict]
        table.add_row(Text(finding.verdict.value, style=style), Text(safe_text(finding.check)), _said(finding))
    console().print(table)


def _joined(findings: Sequence[Finding]) -> Iterator[Finding]:
    """What was skipped for the same reason is one line: nobody reads ten that say the same."""
    order: dict[tuple[bool, str, str], list[Finding]] = {}
    for number, each in enumerate(findings):
        is_skipped = each.verdict is Verdict.NOT_CHECKED
        order.setdefault((is_skipped, each.found if is_skipped else str(number), each.fix), []).append(each)
    for (is_skipped, _, _), group in order.items():
        if not is_skipped or len(group) == 1:
            yield from group
    for (is_skipped, found, fix), group in order.items():
        if is_skipped and len(group) > 1:
            names = ", ".join(each.check for each in group)
            yield Finding("", Verdict.NOT_CHECKED, f"{names} ({found})", fix=fix)


def _said(finding: Finding) -> Text:
    dim = finding.verdict is Verdict.NOT_CHECKED
    text = Text(safe_text(finding.found), style="dim" if dim else "")
    if finding.cause:
        text.append(f"\nwhy: {safe_text(finding.cause)}", style="dim")
    if finding.fix:
        text.append(f"\nfix: {safe_text(finding.fix)}", style="" if dim else "bold")
    return text


def summary_of(findings: Sequence[Finding], *, live: bool, config: Path | None) -> str:
    """Return the last lines: whether the agent can work, and the command that comes next."""
    problems = [each.check for each in findings if each.verdict is Verdict.PROBLEM]
    warnings = [each.check for each in findings if each.verdict is Verdict.WARNING]
    mode = "live" if live else "paper"
    option = f" --config {config}" if config else ""
    if problems:
        number = f"{len(problems)} problem{'s' if len(problems) > 1 else ''}"
        return f"not ready for {mode} trading: {number} ({', '.join(problems)}). Mend the first, then look again."
    note = f"; worth a look: {', '.join(warnings)}" if warnings else ""
    if not live:
        return f"ready for paper trading{note}\nnext: polymarket-agent run{option}"
    first = f"polymarket-agent doctor --probe --live{option}"
    return f"ready for live trading{note}\nnext: {first}   (one small order far from the market, cancelled at once)"
