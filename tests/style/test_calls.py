import ast
import subprocess
import sys

import pytest

from tests.style.source import PACKAGE, REPOSITORY, calls_of, name_of, parse, python_files

EXACT_FOLDERS = ("domain", "ledger")


def found(folder: str, *names: str) -> list[str]:
    return [
        f"{name_of(path)}:{call.lineno}: {ast.unparse(call)}"
        for path in python_files(PACKAGE / folder)
        for call in calls_of(parse(path), *names)
    ]


@pytest.mark.parametrize("folder", EXACT_FOLDERS)
def test_money_is_never_a_float(folder: str) -> None:
    """Where money is counted nothing is made a float or rounded without a name; money.py has named roundings."""
    assert not found(folder, "float", "round")


def test_only_the_command_line_prints() -> None:
    """`print` is for cli/; everything else returns values or logs events."""
    printing = [line for line in found(".", "print") if not line.startswith("src/polymarket_agent/cli/")]

    assert not printing


@pytest.mark.parametrize(
    ("code", "replacement"),
    [
        ("import time\ntime.time()\n", "ask the Clock"),
        ("from time import time as wall\nwall()\n", "ask the Clock"),
        ("import datetime as dt\ndt.datetime.now(dt.UTC)\n", "ask the Clock"),
        ("from datetime import datetime\ndatetime.utcnow()\n", "ask the Clock"),
        ("import asyncio\nasyncio.create_task(work())\n", "group.create_task"),
        ("import random\nrandom.random()\n", "pass a random.Random"),
        ("from random import shuffle\nshuffle([])\n", "pass a random.Random"),
    ],
)
def test_a_banned_call_is_refused_with_its_replacement(code: str, replacement: str) -> None:
    """The linter refuses calls that read the clock, roll dice or start loose tasks, and says what to use."""
    said = lint(code, filename="src/polymarket_agent/decision/example.py")

    assert "TID251" in said
    assert replacement in said


def test_the_clock_module_may_read_the_time() -> None:
    """clock.py is the one reader of wall time, so the ban does not hold there."""
    assert "TID251" not in lint("import time\ntime.time()\n", filename="src/polymarket_agent/clock.py")


def lint(code: str, *, filename: str) -> str:
    command = [
        sys.executable,
        "-m",
        "ruff",
        "check",
        "--no-cache",
        "--select=TID251",
        f"--stdin-filename={filename}",
        "-",
    ]
    return subprocess.run(command, input=code, cwd=REPOSITORY, capture_output=True, text=True, check=False).stdout
