"""The example of a third-party strategy is a package of its own, and the agent finds and runs it."""

import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from polymarket_agent.domain.book import Side
from polymarket_agent.domain.money import price
from polymarket_agent.domain.signal import Signal
from polymarket_agent.errors import ConfigError
from polymarket_agent.strategies.base import ENTRY_POINT_GROUP, Strategy, available, build
from tests.unit.strategy_world import World, a_market, yes

EXAMPLE = Path(__file__).parents[2] / "examples" / "plugin_strategy"
PROJECT = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]


def install(into: Path) -> None:
    """Do what an installer does with a wheel of the example: its package, and beside it what is known about it."""
    shutil.copytree(EXAMPLE / "src", into, dirs_exist_ok=True)
    dist_info = into / f"{PROJECT['name'].replace('-', '_')}-{PROJECT['version']}.dist-info"
    dist_info.mkdir()
    (dist_info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {PROJECT['name']}\nVersion: {PROJECT['version']}\n"
    )
    points = PROJECT["entry-points"][ENTRY_POINT_GROUP]
    lines = [f"[{ENTRY_POINT_GROUP}]", *(f"{name} = {target}" for name, target in points.items())]
    (dist_info / "entry_points.txt").write_text("\n".join(lines) + "\n")


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Yield a directory on the import path into which the example is installed, and take it off again."""
    install(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    sys.modules.pop("polymarket_agent_momentum", None)


def test_without_it_there_is_no_such_strategy() -> None:
    """Nothing of the agent knows the example: before it is installed its name is an error that lists the others."""
    with pytest.raises(ConfigError, match="there is no strategy 'momentum'"):
        build("momentum", {})


def test_it_is_found_beside_our_own_without_being_imported(installed: Path) -> None:
    """Listing reads the metadata only."""
    assert "momentum" in available()
    assert "polymarket_agent_momentum" not in sys.modules


def test_it_is_built_with_its_params(installed: Path) -> None:
    """The params of the config reach the constructor, and the config may give it another name."""
    strategy = build("momentum", {"trades": 4}, name="mine")

    assert isinstance(strategy, Strategy)
    assert (strategy.name, vars(strategy)["trades"]) == ("mine", 4)


@pytest.mark.parametrize(("params", "message"), [({"trades": 1}, "trades is 1"), ({"trade": 3}, "trade")])
def test_its_refusals_are_config_errors(installed: Path, params, message: str) -> None:
    """A value that is not allowed and a param that does not exist both name what is wrong."""
    with pytest.raises(ConfigError, match=message):
        build("momentum", params)


def test_it_trades_on_events(installed: Path) -> None:
    """Three purchases at rising prices give one wish at the displayed ask; a sale in between starts the count anew."""
    strategy, world = build("momentum", {"trades": 3}), World(a_market())
    world.mirrored("0.52", "0.54")
    for at in ("0.50", "0.51"):
        assert world.tell(strategy, world.trade(yes(), at, 10)) == []
    assert world.tell(strategy, world.trade(yes(), "0.51", 10, taker_buys=False)) == []
    wishes = [wish for at in ("0.50", "0.51", "0.52") for wish in world.tell(strategy, world.trade(yes(), at, 10))]

    assert [(w.side, w.target_price) for w in wishes if isinstance(w, Signal)] == [(Side.BUY, price("0.54"))]


def test_another_process_finds_it(installed: Path) -> None:
    """A fresh interpreter with the directory on its path discovers, imports and builds it."""
    code = "from polymarket_agent.strategies.base import build; print(build('momentum', {}).name)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=installed, timeout=60
    )

    assert (done.stdout.strip(), done.stderr) == ("momentum", "")


def test_it_imports_nothing_but_the_public_parts() -> None:
    """The example needs domain and the strategy interface, and no private module of the agent."""
    source = (EXAMPLE / "src" / "polymarket_agent_momentum" / "__init__.py").read_text()
    modules = set(re.findall(r"^from (polymarket_agent[\w.]*) import", source, re.MULTILINE))

    assert modules
    assert all(m.startswith("polymarket_agent.domain.") or m == "polymarket_agent.strategies.base" for m in modules)
