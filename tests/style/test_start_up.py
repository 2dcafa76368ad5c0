import os
import statistics
import subprocess
import sys

import pytest

from tests.style.source import PACKAGE

HEAVY = {"aiohttp", "eth_account", "polymarket", "pyarrow", "pydantic", "rich"}
HELP_CPU_LIMIT_S = 0.2
HELP = "import sys; sys.argv = ['polymarket-agent', '--help']; from polymarket_agent.cli import main; main()"
AT_EXIT = "import atexit, sys; atexit.register(lambda: print('loaded:', *sys.modules, file=sys.stderr)); "


def loaded_by(code: str) -> set[str]:
    """Return the names of all modules that a fresh interpreter has loaded after running `code`."""
    done = subprocess.run([sys.executable, "-c", AT_EXIT + code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stderr.rpartition("loaded: ")[2].split())


def cpu_seconds(code: str) -> float:
    """Return the user and system time of a fresh interpreter that runs `code`."""
    pid = os.posix_spawn(
        sys.executable,
        [sys.executable, "-c", code],
        os.environ,
        file_actions=[(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)],
    )
    _, status, usage = os.wait4(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    return usage.ru_utime + usage.ru_stime


@pytest.fixture
def command_line() -> None:
    if not (PACKAGE / "cli" / "__init__.py").read_text(encoding="utf-8").strip():
        pytest.skip("there is no command line yet")


def test_importing_the_package_is_light() -> None:
    """`import polymarket_agent` loads no network, schema, table or wallet library."""
    assert loaded_by("import polymarket_agent") & HEAVY == set()


@pytest.mark.usefixtures("command_line")
def test_help_is_light() -> None:
    """`polymarket-agent --help` loads no network, schema, table or wallet library."""
    assert loaded_by(HELP) & HEAVY == set()


@pytest.mark.usefixtures("command_line")
def test_help_is_quick() -> None:
    """`polymarket-agent --help` takes under 0.2 s of processor time, the median of five runs."""
    assert statistics.median(cpu_seconds(HELP) for _ in range(5)) < HELP_CPU_LIMIT_S
