from __future__ import annotations

import importlib.util
import json
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from polymarket_agent.errors import UsageError
from polymarket_agent.sandbox import sdk
from polymarket_agent.sandbox.server import Sandbox
from tests.sandbox.running import call, quick_sandbox, until

COMMAND = [sys.executable, "-c", "from polymarket_agent.cli import main; main()", "sandbox"]
EXAMPLE = Path(__file__).parents[2] / "examples" / "sandbox_sdk_bot.py"


def test_a_program_starts_it_and_connects() -> None:
    """The first line of --json says where everything is; an interrupt ends it cleanly."""
    with subprocess.Popen(
        [*COMMAND, "--json", "--seed", "9", "--scenario", "one"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        connection = json.loads(process.stdout.readline())
        answer = call(f"{connection['clob_url']}/ok")
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate(timeout=15)

    names = ("clob", "gamma", "data", "relayer", "rpc", "market_ws", "user_ws", "admin")
    assert all(connection[f"{name}_url"].split("://")[1].startswith("127.0.0.1:") for name in names)
    assert [each["signature_type"] for each in connection["accounts"]] == [0, 1, 2, 3]
    assert set(connection["accounts"][0]) == {"private_key", "address", "wallet", "signature_type", "collateral"}
    assert "worthless" in connection["warning"]
    assert answer == (200, "OK")
    assert (process.returncode, rest, errors) == (0, "", "")


def test_it_ends_by_itself_and_tells_people_how_to_connect() -> None:
    """Without a terminal it prints addresses and accounts; --for ends it."""
    done = subprocess.run([*COMMAND, "--for", "0.5"], capture_output=True, text=True, check=False, timeout=30)

    assert done.returncode == 0
    assert "/ws/market" in done.stdout
    assert "worthless" in done.stdout


@pytest.mark.parametrize(
    ("words", "part"),
    [(["--host", "0.0.0.0"], "127.0.0.1"), (["--scenario", "none"], "default"), (["--speed", "0"], "speed")],
)
def test_what_it_cannot_do_is_said_in_one_sentence(words: list[str], part: str) -> None:
    """Another host, an unknown scenario and no speed are refused with exit code 2."""
    done = subprocess.run([*COMMAND, *words], capture_output=True, text=True, check=False, timeout=30)

    assert done.returncode == 2
    assert part in done.stderr
    assert "Traceback" not in done.stderr


def test_a_missing_signing_library_is_named() -> None:
    """Without the curve library the command says what to install, and nothing else happens."""
    without = "import sys; sys.modules['coincurve'] = None; " + COMMAND[2]
    done = subprocess.run(
        [COMMAND[0], "-c", without, "sandbox"], capture_output=True, text=True, check=False, timeout=30
    )

    assert done.returncode == 2
    assert "coincurve" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_same_seed_makes_the_same_accounts() -> None:
    """Keys follow from the seed; another seed has others."""
    first, again, other = (Sandbox(seed=seed, scenario="one") for seed in (1, 1, 2))

    assert first.accounts == again.accounts
    assert first.accounts != other.accounts


def test_the_view_is_drawn() -> None:
    """Markets, accounts and the mode stand in the live view."""
    from rich.console import Console

    from polymarket_agent.cli.sandbox_view import render

    sandbox = Sandbox(seed=1, scenario="one")
    sandbox.urls = {"clob_url": "http://127.0.0.1:1/clob"}
    console = Console(width=120, record=True, file=open("/dev/null", "w"))  # noqa: SIM115, PTH123
    console.print(render(sandbox))
    text = console.export_text()
    console.file.close()

    assert "Will it rain" in text
    assert sandbox.accounts[3].wallet in text


def test_every_address_of_the_sdk_is_the_sandboxs() -> None:
    """No field of the client's environment still names a production host."""
    pytest.importorskip("polymarket")
    names = ("clob", "gamma", "data", "relayer", "rpc", "market_ws", "user_ws")
    urls = {f"{name}_url": f"http://127.0.0.1:1/{name}" for name in names}

    config = sdk.environment(urls)._config

    assert not [name for name in config.__slots__ if "polymarket.com" in str(getattr(config, name))]
    assert not [name for name in config.__slots__ if "drpc.org" in str(getattr(config, name))]


def test_the_sdk_is_never_pointed_elsewhere() -> None:
    """An address that is not loopback, or a missing one, is refused."""
    with pytest.raises(UsageError, match="lack"):
        sdk.environment({})
    names = ("clob", "gamma", "data", "relayer", "rpc", "market_ws", "user_ws")
    with pytest.raises(UsageError, match="not loopback"):
        sdk.environment({f"{name}_url": f"https://{name}.example.com/" for name in names})


def test_the_example_bot_trades() -> None:
    """examples/sandbox_sdk_bot.py quotes, takes and cancels."""
    pytest.importorskip("polymarket")
    spec = importlib.util.spec_from_file_location("sandbox_sdk_bot", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    bot: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(bot)

    with quick_sandbox(seed=6) as sandbox:
        done = bot.run(sandbox.connection())

    assert done["quote"]
    assert done["taken"]
    assert done["cancelled"] == 1


def test_time_runs_faster_when_asked() -> None:
    """At speed 200 the venue's clock makes a minute in well under a second, and trades go on."""
    with quick_sandbox(seed=2, speed=200.0, scenario="one") as sandbox:
        begin = call(f"{sandbox.urls['clob_url']}/time")[1]
        until(lambda: call(f"{sandbox.urls['clob_url']}/time")[1] >= begin + 60)
        assert call(f"{sandbox.urls['admin_url']}/check") == (200, {"conserved": True})

    assert not [thread for thread in threading.enumerate() if thread.name == "sandbox"]
