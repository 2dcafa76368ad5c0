"""The three locks of live trading from outside: config, flag and key. Only all of them together send anything."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest

from polymarket_agent.config import LiveConfig
from tests.cli.live_world import LiveWorld, live_world

KEY = "0x" + "4c" * 32
MISSING = {"config": "mode: paper", "flag": "--live was not given", "key": "no private key is given"}


class Recorder(ThreadingHTTPServer):
    """A venue that knows nothing and writes down what it is asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: Recorder

    def _answer(self) -> None:
        self.server.asked.append((self.command, self.path, dict(self.headers.items())))
        body = b"[]"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def __getattr__(self, name: str) -> Callable[[], None]:
        if not name.startswith("do_"):
            raise AttributeError(name)
        return self._answer

    def log_request(self, code: object = "-", size: object = "-") -> None:
        pass


@pytest.fixture
def venue() -> Iterator[Recorder]:
    with Recorder() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def recorded_world(folder: Path, venue: Recorder, mode: str) -> LiveWorld:
    base = f"http://127.0.0.1:{venue.server_port}"
    names = [name for name in LiveConfig.model_fields if name.endswith("_url")] + ["clob_url", "gamma_url"]
    urls = {name: f"{base}/{name.removesuffix('_url')}" for name in names}
    sockets = {name: f"ws://127.0.0.1:{venue.server_port}/{name}" for name in ("market_ws_url", "user_ws_url")}

    world = LiveWorld(folder, SimpleNamespace(urls={}), {"POLYMARKET_PRIVATE_KEY": KEY})  # type: ignore[arg-type]
    world.write_config(mode=mode, **{**urls, **sockets})
    return world


@pytest.mark.parametrize("command", ["run", "tick"])
@pytest.mark.parametrize("locked", [("config",), ("flag",), ("key",), ("config", "key"), ("flag", "key")])
def test_a_closed_lock_is_named_and_nothing_is_asked(
    tmp_path: Path, venue: Recorder, command: str, locked: tuple[str, ...]
) -> None:
    """With one lock closed or two, exit code 3 and a sentence name what is missing; no request reaches the venue."""
    world = recorded_world(tmp_path, venue, "paper" if "config" in locked else "live")
    words = [command, *([] if "flag" in locked else ["--live"])]
    done = world.call(*words, "--json", key="key" not in locked)
    assert done.code == 3, done.said
    assert MISSING[locked[0]] in done.json["error"]
    assert done.json["hint"]
    assert venue.asked == []


@pytest.mark.parametrize("command", ["run", "tick"])
@pytest.mark.parametrize("with_key", [False, True])
def test_paper_asks_for_public_lists_only(tmp_path: Path, venue: Recorder, command: str, with_key: bool) -> None:
    """On paper a key that lies about is not looked at: every request is a GET without a sign of any account."""
    world = recorded_world(tmp_path, venue, "paper")
    done = world.call(command, "--json", key=with_key)
    assert "no open market" in done.json["error"]
    assert venue.asked
    for method, path, headers in venue.asked:
        assert method == "GET"
        assert "auth" not in path
        assert not [name for name in headers if name.upper().startswith(("POLY", "AUTHORIZATION"))]
        assert KEY[2:] not in json.dumps(headers)


@pytest.mark.parametrize("command", [("run", "--for", "16"), ("tick",)])
def test_with_every_lock_open_orders_are_sent(tmp_path: Path, command: tuple[str, ...]) -> None:
    """mode: live, --live and a key together trade: orders arrive at the venue, and none rests when the command is over."""
    with live_world(tmp_path) as world:
        done = world.call(*command, "--live", "--json", key=True)
        assert done.code == 0, done.said
        assert done.json["orders"]["total"] == world.sent() > 0
        assert world.open_orders() == []
        compared = world.call("reconcile", "--json", key=True)
        assert (compared.code, compared.json["equal"]) == (0, True), compared.said


def test_a_tick_may_leave_its_orders(tmp_path: Path) -> None:
    """With cancel_on_stop: false the orders of a live tick rest on, and a halted agent sends none and takes them off."""
    with live_world(tmp_path) as world:
        config = tmp_path / "polymarket-agent.yaml"
        config.write_text(config.read_text().replace("live:\n", "live:\n  cancel_on_stop: false\n"))
        assert world.call("tick", "--live", "--json", key=True).code == 0
        assert world.open_orders()
        world.call("halt")
        sent = world.sent()
        halted = world.call("tick", "--live", "--json", key=True)
        assert (halted.code, halted.json["error"].partition(" (")[0]) == (1, "nothing was sent: the agent is HALTED")
        assert (world.sent(), world.open_orders()) == (sent, [])


@pytest.mark.parametrize("line", [f'database: "{KEY}"', f"strategies: [{{kind: technical, params: {{x: {KEY[2:]}}}}}]"])
def test_a_key_in_the_config_is_refused_unsaid(tmp_path: Path, venue: Recorder, line: str) -> None:
    """What looks like a private key in the config is refused by every command, and no part of it is repeated."""
    world = recorded_world(tmp_path, venue, "live")
    (tmp_path / "polymarket-agent.yaml").write_text(f"mode: live\n{line}\n")
    for words in (("run", "--live"), ("tick", "--live"), ("status",), ("limits",), ("reconcile",), ("kill",)):
        done = world.call(*words, "--json", POLYMARKET_AGENT_DEBUG="1")
        assert done.code == 2, done.said
        assert KEY[2:10] not in done.said
    assert venue.asked == []
