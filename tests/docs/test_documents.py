"""The documents say what the program does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from polymarket_agent.cli.config_template import CONFIG_TEMPLATE
from polymarket_agent.config import Config
from polymarket_agent.config_file import load_config, parse_config
from polymarket_agent.strategies.base import build
from tests.docs.program import commands

ROOT = Path(__file__).parents[2]


def test_every_command_has_its_heading() -> None:
    """docs/commands.md has a heading for each command that the program has, and for no other."""
    headings = set(re.findall(r"^## (.+)$", (ROOT / "docs/commands.md").read_text(), re.MULTILINE))
    assert headings == set(commands())


@pytest.mark.parametrize("name", ["README.md", "docs/commands.md", "CONTRIBUTING.md"])
def test_documents_name_only_commands_that_exist(name: str) -> None:
    """Every `polymarket-agent …` in a document begins with a command of the program."""
    text = (ROOT / name).read_text()
    used = re.findall(
        r"(?<![\w/.-])polymarket-agent ((?:config|markets|recordings|keys) [\w-]+|[a-z]+(?:-[a-z]+)*)\b", text
    )
    known = set(commands()) | {"is", "on", "trades"}
    assert {each for each in used if each not in known} == set()


def test_make_targets_of_the_readme_exist() -> None:
    """Every `make …` of the README is a target of the Makefile."""
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"`?\bmake ([a-z]+)", (ROOT / "README.md").read_text())) <= targets


@pytest.mark.parametrize("name", ["demo.yaml", "scenario.yaml"])
def test_the_example_configs_are_good(name: str) -> None:
    """The configs of examples/ are understood, and their strategies can be built."""
    config = load_config(ROOT / "examples" / name)
    for strategy in config.strategies:
        build(strategy.kind, strategy.params, name=strategy.label)


def test_the_template_shows_every_risk_limit_that_matters_first() -> None:
    """What `config init` writes is understood and sets the three named limits above the smallest."""
    config = parse_config(CONFIG_TEMPLATE, source="template")
    smallest = Config().risk
    for name in ("max_position_size", "max_daily_loss", "max_open_orders"):
        assert getattr(config.risk, name) > getattr(smallest, name)


def test_links_between_documents_lead_somewhere() -> None:
    """Relative links in the documents name files that are there."""
    for document in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("**/*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", document.read_text()):
            assert (document.parent / target).exists(), f"{document.name}: {target}"
