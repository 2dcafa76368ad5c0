"""A sandbox, a config that points to it, and the commands run against both as a person runs them."""

from __future__ import annotations

import json
import os
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from polymarket_agent.cli.app import app
from polymarket_agent.sandbox.server import Account, Sandbox
from tests.sandbox.running import admin, quick_sandbox

CONFIG = """\
mode: {mode}
database: agent.db
risk: {{max_position_size: 5, max_daily_loss: 5, max_open_orders: 2}}
feed: {{limit: 10, clob_url: "{clob_url}", gamma_url: "{gamma_url}", market_ws_url: "{market_ws_url}"}}
live:
  client: direct
  start_gap_s: 1
  data_url: "{data_url}"
  relayer_url: "{relayer_url}"
  user_ws_url: "{user_ws_url}"
  geoblock_url: "{geoblock_url}"
strategies:
  - kind: signal_trader
"""


class DoctorWorld:
    """`account` is the one with a deposit wallet; its key stands in the environment until a test moves it."""

    def __init__(self, sandbox: Sandbox, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sandbox, self.folder = sandbox, folder
        self.account: Account = sandbox.accounts[3]
        self.outputs: list[str] = []
        self._monkeypatch = monkeypatch
        monkeypatch.chdir(folder)
        for name in [each for each in os.environ if each.startswith("POLYMARKET")]:
            monkeypatch.delenv(name)
        monkeypatch.setenv("XDG_STATE_HOME", str(folder / "state"))
        monkeypatch.setenv("HOME", str(folder / "home"))
        self.env("POLYMARKET_PRIVATE_KEY", self.account.private_key)

    def env(self, name: str, value: str | None) -> None:
        if value is None:
            self._monkeypatch.delenv(name, raising=False)
        else:
            self._monkeypatch.setenv(name, value)

    def config(self, mode: str = "live", change: Callable[[str], str] = lambda text: text) -> None:
        text = CONFIG.format(mode=mode, **self.sandbox.urls)
        (self.folder / "polymarket-agent.yaml").write_text(change(text), encoding="utf-8")

    def call(self, *words: str, typed: str = "") -> Result:
        result = CliRunner().invoke(app, list(words), input=typed)
        self.outputs += [result.output, *(traceback.format_exception(result.exception) if result.exception else ())]
        return result

    def doctor(self) -> tuple[int, dict[str, dict[str, Any]]]:
        """Return the exit code and the findings by name."""
        result = self.call("doctor", "--json")
        return result.exit_code, {each["check"]: each for each in json.loads(result.stdout)["findings"]}

    def admin(self, path: str, **body: Any) -> None:
        admin(self.sandbox, path, body)

    def to_sandbox(self) -> None:
        """Let the environment point every config to the sandbox."""
        for name in ("clob", "gamma", "market_ws"):
            self.env(f"POLYMARKET_AGENT__FEED__{name.upper()}_URL", self.sandbox.urls[f"{name}_url"])
        for name in ("data", "relayer", "user_ws", "geoblock"):
            self.env(f"POLYMARKET_AGENT__LIVE__{name.upper()}_URL", self.sandbox.urls[f"{name}_url"])


@contextmanager
def doctor_world(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DoctorWorld]:
    with quick_sandbox() as sandbox:
        (folder / "home").mkdir()
        yield DoctorWorld(sandbox, folder, monkeypatch)
