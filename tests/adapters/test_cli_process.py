from __future__ import annotations

import asyncio
import inspect
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from polymarket_agent.adapters import cli_source
from polymarket_agent.errors import AgentError, RateLimitedError, UsageError, VenueDataError, VenueUnavailableError
from tests.adapters.fake_command import fake


async def run(command: str, *args: str, timeout_s: float = 20) -> Any:
    return await cli_source._run_cli(args, timeout_s, command=command)


def ended(pid: int) -> bool:
    """Whether a process is gone; one that nobody has reaped yet counts as gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def gone(pid: int) -> bool:
    """Whether a process ends within a few seconds: a kill takes effect a moment after it was sent."""
    for _ in range(100):
        if ended(pid):
            return True
        time.sleep(0.05)
    return False


def reaped(pid: int) -> bool:
    """Whether no dead child of ours waits under this id."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return True
    return False


async def test_an_answer_is_decoded_json(tmp_path: Path) -> None:
    """The words follow `-o json`, and what is printed comes back decoded."""
    command = fake(tmp_path, "print(json.dumps(argv))")

    assert await run(command, "clob", "book", "7") == ["-o", "json", "clob", "book", "7"]


def test_the_choke_point_waits_thirty_seconds_by_default() -> None:
    """`_run_cli(args, timeout=30)` is the signature that the rest relies on."""
    parameters = inspect.signature(cli_source._run_cli).parameters

    assert list(parameters)[:2] == ["args", "timeout"]
    assert parameters["timeout"].default == 30


HANG_WITH_CHILD = """
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
open(os.path.join(os.path.dirname(__file__), "pids"), "w").write(f"{os.getpid()} {child.pid}")
time.sleep(600)
"""


def pids_in(folder: Path) -> list[int]:
    """Return the processes that a fake command has written down, once it has."""
    found: list[str] = []
    deadline = time.monotonic() + 20
    while len(found) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
        with suppress(FileNotFoundError):
            found = (folder / "pids").read_text().split()
    return [int(pid) for pid in found]


async def test_a_hung_command_is_killed_with_its_children(tmp_path: Path) -> None:
    """After the timeout neither the command nor what it started is alive, and the error says so."""
    with pytest.raises(VenueUnavailableError, match=r"no answer within 2 s and was killed"):
        await run(fake(tmp_path, HANG_WITH_CHILD), "status", timeout_s=2)

    for pid in pids_in(tmp_path):
        assert gone(pid)


async def test_a_cancelled_call_kills_its_command(tmp_path: Path) -> None:
    """Cancelling the caller ends the command and its children, and stays a cancellation."""
    async with asyncio.TaskGroup() as group:
        task = group.create_task(run(fake(tmp_path, HANG_WITH_CHILD), "status"))
        pids = await asyncio.to_thread(pids_in, tmp_path)
        task.cancel()

    assert task.cancelled()
    for pid in pids:
        assert gone(pid)


async def test_a_missing_command_says_what_to_install(tmp_path: Path) -> None:
    """No executable, and a file that cannot be executed, are one clear error each."""
    plain = tmp_path / "plain"
    plain.write_text("not a program")
    with pytest.raises(VenueUnavailableError, match="cannot be run: No such file") as caught:
        await run(str(tmp_path / "nothing"), "status")
    with pytest.raises(VenueUnavailableError, match="cannot be run: Permission denied"):
        await run(str(plain), "status")

    assert "install" in caught.value.hint


@pytest.mark.parametrize(
    ("body", "error", "said"),
    [
        (
            'print(json.dumps({"error": "no such market"})); sys.exit(1)',
            VenueUnavailableError,
            "failed: no such market",
        ),
        ('print(json.dumps({"error": "odd"}))', VenueUnavailableError, "failed: odd"),
        ('print(json.dumps({"error": "Status: error(429 Too Many Requests)"})); sys.exit(1)', RateLimitedError, "429"),
        ('sys.stderr.write("Error: boom"); sys.exit(1)', VenueUnavailableError, "ended with code 1: Error: boom"),
        ('sys.stderr.write("unexpected argument"); sys.exit(2)', UsageError, "not understood: unexpected argument"),
        ('print("<html>not json")', VenueDataError, "printed no JSON: <html>not json"),
        ("pass", VenueDataError, "printed no JSON: nothing"),
        ("sys.stdout.buffer.write(bytes(range(256)))", VenueDataError, "printed no JSON"),
        ('print("[" * 100000)', VenueDataError, "printed no JSON"),
        ("os.kill(os.getpid(), 9)", VenueUnavailableError, "was killed by signal 9"),
        ("sys.exit(101)", VenueUnavailableError, "ended with code 101: it said nothing"),
    ],
)
async def test_every_way_to_fail_is_one_clear_error(
    tmp_path: Path, body: str, error: type[AgentError], said: str
) -> None:
    """The error names the command as run and what it said, on one printable line."""
    with pytest.raises(error) as caught:
        await run(fake(tmp_path, body), "markets", "list")

    assert said in str(caught.value)
    assert "polymarket -o json markets list" in str(caught.value)
    assert str(caught.value).isprintable()


async def test_endless_output_is_cut_off(tmp_path: Path) -> None:
    """A command that prints without end is killed at the limit; one that complains without end is not waited for."""
    with pytest.raises(VenueDataError, match="more than 32 MB"):
        await run(fake(tmp_path, "while True: sys.stdout.write('x' * 1000000)"), "markets")
    noisy = fake(tmp_path, "sys.stderr.write('x' * 5000000); print('[]')", "noisy")

    assert await run(noisy, "markets") == []


async def test_no_secret_reaches_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command sees PATH, HOME, language and the RPC address, and neither a key nor anything else of ours."""
    monkeypatch.setenv("POLYMARKET_PRIVATE_KEY", "0xsecret")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("POLYMARKET_RPC_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    seen = await run(fake(tmp_path, "print(json.dumps(dict(os.environ)))"), "status")

    assert seen["POLYMARKET_RPC_URL"] == "http://127.0.0.1:1"
    assert not [name for name in seen if "KEY" in name or "SECRET" in name]
    assert set(seen) <= {"PATH", "HOME", "LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "TZ", "POLYMARKET_RPC_URL"}


async def test_no_process_is_left_behind(tmp_path: Path) -> None:
    """After an error in the middle of a read the command is reaped."""
    note = f"open({str(tmp_path / 'pids')!r}, 'w').write(f'{{os.getpid()}} {{os.getpid()}}')"
    body = f"{note}\nwhile True: sys.stdout.write('x' * 1000000)"
    with suppress(VenueDataError):
        await run(fake(tmp_path, body), "markets")

    assert reaped(pids_in(tmp_path)[0])
