"""What every test stands on: a closed network, printed seeds, and the way to the shared recordings."""

from __future__ import annotations

import os
import secrets
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

REPOSITORY = Path(__file__).parent.parent
SHARED_DATA = REPOSITORY.parent / "shared" / "data"

# The same examples every run, so that a red run stays red until it is mended; --hypothesis-seed=random looks elsewhere.
DEFAULT_SEED = "1"
settings.register_profile("default", deadline=None, print_blob=True)
settings.register_profile("thorough", parent=settings.get_profile("default"), max_examples=2_000)
settings.load_profile("default")

_LOOPBACK_NAMES = frozenset({"", "localhost", "::1", "::", "0.0.0.0"})
_NETWORK_EVENTS = frozenset({"socket.connect", "socket.sendto", "socket.getaddrinfo", "socket.gethostbyname"})


class NetworkClosedError(AssertionError):
    """A test reached for a host other than loopback; not an OSError, so that no retry swallows it."""


def _is_loopback(host: object) -> bool:
    name = host.decode() if isinstance(host, bytes) else host
    return name is None or (isinstance(name, str) and (name in _LOOPBACK_NAMES or name.startswith("127.")))


def _refuse_network(event: str, args: tuple[Any, ...]) -> None:
    """Raise on any attempt to leave the machine; an audit hook sees the C level too."""
    if event not in _NETWORK_EVENTS:
        return
    # connect and sendto carry (socket, address); an address that is no tuple is a Unix socket's path.
    address = args[1] if event in {"socket.connect", "socket.sendto"} else (args[0],)
    if isinstance(address, tuple) and not _is_loopback(address[0]):
        raise NetworkClosedError(
            f"{event} to {address[0]!r}: tests reach loopback only; "
            "start a server on 127.0.0.1, replay a recording, or use a fake"
        )


sys.addaudithook(_refuse_network)


def pytest_configure(config: pytest.Config) -> None:
    """Fix the seed of every property test before Hypothesis reads it; workers inherit it."""
    if config.option.hypothesis_seed is None:
        config.option.hypothesis_seed = DEFAULT_SEED
    if config.option.hypothesis_seed == "random":
        config.option.hypothesis_seed = str(secrets.randbelow(1 << 32))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the seed, quiet or not."""
    terminalreporter.write_line(f"property tests: --hypothesis-seed={config.option.hypothesis_seed}")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder of real recordings beside the repository, or skip where it is absent.

    `POLYMARKET_AGENT_DATA` names another place.
    """
    folder = Path(os.environ.get("POLYMARKET_AGENT_DATA", SHARED_DATA))
    if not (folder / "README.md").is_file():
        pytest.skip(f"no recordings at {folder}; set POLYMARKET_AGENT_DATA to the folder that holds them")
    return folder
