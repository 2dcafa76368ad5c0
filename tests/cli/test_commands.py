"""The command line as a person or a program uses it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from polymarket_agent.cli.app import app
from polymarket_agent.db import open_for_reading
from polymarket_agent.errors import DatabaseError

CONFIG = """\
mode: paper
risk: {max_position_size: 60, max_daily_loss: 40, max_open_orders: 24, entries_per_minute: 12, entries_per_hour: 120}
strategies:
  - kind: signal_trader
  - kind: arbitrageur
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in [each for each in os.environ if each.startswith("POLYMARKET")]:
        monkeypatch.delenv(name)
    (tmp_path / "agent.yaml").write_text(CONFIG)
    return tmp_path


def call(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


def test_a_replay_ends_with_one_json_object_whose_sums_agree(folder: Path) -> None:
    """`run --json` prints exactly one object, and its equity is deposits plus every part of the profit."""
    result = call("run", "--config", "agent.yaml", "--feed", "demo", "--json")
    summary = json.loads(result.stdout)
    assert result.exit_code == 0
    assert summary["ended"] == "end of feed"
    assert summary["fills"]["total"] == sum(each["fills"] for each in summary["fills"]["by_evidence"].values()) > 0
    parts = [float(summary[key]) for key in ("realised_before_fees_usdc", "unrealised_usdc")]
    assert float(summary["pnl_usdc"]) == pytest.approx(sum(parts) - float(summary["fees_usdc"]), abs=1e-9)
    assert (folder / summary["ledger"]).is_file()


def test_reading_commands_speak_json_about_the_last_run(folder: Path) -> None:
    """Every reading command answers with JSON that a program can take, without being told the ledger."""
    summary = json.loads(call("run", "--config", "agent.yaml", "--feed", "demo", "--json").stdout)
    orders = json.loads(call("orders", "--json", "--limit", "1000").stdout)
    assert len(orders) == summary["orders"]["total"]
    assert len(json.loads(call("fills", "--json", "--limit", "1000").stdout)) == summary["fills"]["total"]
    assert len(json.loads(call("positions", "--json").stdout)) == summary["open_positions"]
    status, report = json.loads(call("status", "--json").stdout), json.loads(call("report", "--json").stdout)
    assert status["equity_usdc"] == report["equity_usdc"] == summary["equity_usdc"]
    assert all(report["checks"].values())
    assert {row["verdict"] for row in json.loads(call("signals", "--json").stdout)} <= {
        "approved",
        "refused",
        "unsized",
    }


def test_the_same_replay_gives_the_same_result(folder: Path) -> None:
    """Two runs over the same feed and config end with the same numbers; only the time they took differs."""
    first, second = (json.loads(call("run", "-c", "agent.yaml", "--feed", "demo", "--json").stdout) for _ in range(2))
    for summary in (first, second):
        del summary["wall_s"], summary["events_per_s"]
    assert first == second


def test_a_replay_that_the_ledger_knows_changes_nothing(folder: Path) -> None:
    """Playing a recording again over the same ledger trades nothing twice."""
    words = ("run", "-c", "agent.yaml", "--feed", "demo", "--db", "kept.db", "--json")
    first, again = json.loads(call(*words).stdout), json.loads(call(*words).stdout)
    assert again["events"]["total"] == 0
    assert again["events"]["already_known"] == first["events"]["total"]
    assert (again["cash_usdc"], again["orders"]["total"]) == (first["cash_usdc"], 0)


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("run", "--feed", "demo", "--live"), 3, "mode: paper"),
        (("tick", "--live"), 3, "mode: paper"),
        (("run", "--feed", "nowhere.jsonl"), 1, "nowhere.jsonl"),
        (("run", "--feed", "demo", "--speed", "-1"), 2, "speed"),
        (("run", "--speed", "2"), 2, "--feed"),
        (("run", "--feed", "demo", "--log-level", "loud"), 2, "loud"),
        (("run", "--config", "missing.yaml"), 2, "missing.yaml"),
        (("report", "--db", "missing.db"), 1, "missing.db"),
        (("status", "--db", "agent.yaml"), 1, "agent.yaml"),
        (("recordings", "inspect", "missing.gz"), 1, "missing.gz"),
        (("orders", "--limit", "0"), 2, "limit"),
        (("nonsense",), 2, "nonsense"),
    ],
)
def test_a_mistake_gets_one_sentence_and_its_exit_code(
    folder: Path, words: tuple[str, ...], code: int, says: str
) -> None:
    """A wrong word, file or lock ends with the documented code, names itself, and shows no traceback."""
    result = call(*words)
    assert result.exit_code == code, result.output
    assert says in result.output
    assert "Traceback" not in result.output


def test_an_error_with_json_is_json(folder: Path) -> None:
    """With `--json` an error is one object on standard output with its hint and exit code."""
    result = call("report", "--db", "missing.db", "--json")
    said = json.loads(result.stdout)
    assert result.exit_code == said["exit_code"] == 1
    assert "missing.db" in said["error"]


def test_mode_live_fails_with_one_sentence(folder: Path) -> None:
    """A config that asks for live trading is refused with exit code 3 before a ledger is made."""
    (folder / "live.yaml").write_text("mode: live\n")
    result = call("run", "--config", "live.yaml", "--feed", "demo")
    assert result.exit_code == 3
    assert not list(folder.glob("**/*.db"))


def test_config_init_writes_what_config_check_accepts(folder: Path) -> None:
    """The config of `config init` passes `config check`, shows its limits, and is not overwritten by mistake."""
    assert call("config", "init", "new.yaml").exit_code == 0
    assert json.loads(call("config", "check", "--config", "new.yaml", "--json").stdout)["ok"] is True
    shown = json.loads(call("config", "show", "--config", "new.yaml", "--json").stdout)
    assert shown["risk"]["max_position_size"] == "50"
    again = call("config", "init", "new.yaml")
    assert again.exit_code == 2
    assert "exists" in again.output


def test_strategies_lists_the_four_of_this_package() -> None:
    """`strategies` names what a config may name."""
    kinds = {row["kind"] for row in json.loads(call("strategies", "--json").stdout)}
    assert {"signal_trader", "market_maker", "arbitrageur", "technical"} <= kinds


def test_the_human_report_shows_the_same_equity(folder: Path) -> None:
    """The text of `report` adds up to the equity of its JSON, and every check says ok."""
    call("run", "-c", "agent.yaml", "--feed", "demo", "--json")
    equity = json.loads(call("report", "--json").stdout)["equity_usdc"]
    text = call("report").stdout
    line = next(line for line in text.splitlines() if line.startswith("= equity"))
    assert float(line.split()[-1]) == float(equity)
    assert "WRONG" not in text


def test_control_characters_of_a_market_title_are_shown_as_text() -> None:
    """Text from outside cannot move the cursor or turn the direction of a terminal."""
    from polymarket_agent.cli.common import safe_text

    assert safe_text("a\x1b[2Jb\u202ec") == "a\\u001b[2Jb\\u202ec"


def _agent(folder: Path, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", "from polymarket_agent.cli import main; main()", *words],
        cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def _wait_for(condition: object, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 30
    while not condition():  # type: ignore[operator]
        assert process.poll() is None, process.stderr.read() if process.stderr else ""
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _samples(path: Path) -> int:
    """Return how many points the equity curve has; one comes with the first event of a run."""
    try:
        with open_for_reading(path) as connection:
            return int(connection.execute("SELECT count(*) FROM equity").fetchone()[0])
    except DatabaseError:
        return 0


def test_ctrl_c_ends_a_run_cleanly(folder: Path) -> None:
    """An interrupted run flushes its ledger, says how it stands, and ends with code 0."""
    process = _agent(folder, "run", "-c", "agent.yaml", "--feed", "demo", "--speed", "20", "--db", "a.db", "--json")
    _wait_for(lambda: _samples(folder / "a.db") > 0, process)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    assert json.loads(out)["ended"] == "stopped"
    assert json.loads(call("status", "--db", "a.db", "--json").stdout)["run"]["state"] == "stopped"


def test_a_second_agent_on_the_same_ledger_is_refused(folder: Path) -> None:
    """While an agent runs, another one on its ledger is refused with the process that holds it."""
    process = _agent(folder, "run", "-c", "agent.yaml", "--feed", "demo", "--speed", "1", "--db", "a.db", "--json")
    try:
        _wait_for(lambda: (folder / "a.db.lock").exists() and (folder / "a.db.lock").read_text(), process)
        result = call("run", "-c", "agent.yaml", "--feed", "demo", "--db", "a.db")
        assert result.exit_code == 1
        assert str(process.pid) in result.output
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)


def test_help_names_every_command() -> None:
    """The help of the program shows what it can do, with the exit codes."""
    text = call("--help").output
    for word in (
        "run",
        "tick",
        "status",
        "report",
        "markets",
        "orders",
        "positions",
        "signals",
        "strategies",
        "config",
    ):
        assert word in text
    assert "Exit codes" in text


def test_the_agent_trades_on_the_local_exchange_over_real_sockets(folder: Path) -> None:
    """`--feed sandbox` starts an exchange of its own, hears its markets, books all that happens, and leaves nothing."""
    words = ("run", "-c", "agent.yaml", "--feed", "sandbox", "--speed", "5", "--for", "4", "--json")
    summary = json.loads(call(*words).stdout)
    assert (summary["ended"], summary["feed"]) == ("stopped", "polymarket")
    assert summary["events"]["by_type"]["MarketListed"] >= 5
    assert summary["events"]["by_type"]["BookDelta"] > 50
    report = json.loads(call("report", "--json").stdout)
    assert report["equity_usdc"] == summary["equity_usdc"]
    assert all(report["checks"].values())


def test_the_local_exchange_dies_with_its_agent(folder: Path) -> None:
    """An agent that is killed outright leaves no exchange behind."""
    process = _agent(folder, "run", "-c", "agent.yaml", "--feed", "sandbox", "--db", "a.db", "--json")
    _wait_for(lambda: _samples(folder / "a.db") > 0, process)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    exchanges = [int(each) for each in children.read_text().split()] if children.exists() else []
    process.kill()
    process.communicate(timeout=30)
    if not exchanges:
        pytest.skip("this system does not tell the children of a process")
    deadline = time.monotonic() + 20
    while any(_is_alive(exchange) for exchange in exchanges):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
