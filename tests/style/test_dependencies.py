import re
import tomllib
from typing import Any

import pytest

from tests.style.source import REPOSITORY

PROJECT: dict[str, Any] = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
BASE = [*PROJECT["project"]["dependencies"], *PROJECT["dependency-groups"]["build"]]
BASE += [each for extra in ("data", "sandbox") for each in PROJECT["project"]["optional-dependencies"][extra]]
DEV = PROJECT["dependency-groups"]["dev"]


def normal(requirement: str) -> str:
    """Return a requirement's project name as indexes write it."""
    name = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert name, f"{requirement!r} names no project"
    return re.sub(r"[-_.]+", "-", name[0]).lower()


def pinned(file: str) -> dict[str, str]:
    """Return the pin of every project in a requirements file."""
    lines = (REPOSITORY / "requirements" / file).read_text(encoding="utf-8").splitlines()
    return {normal(line): line for line in lines if line and line[0].isalnum()}


@pytest.mark.parametrize(("file", "requirements"), [("base.txt", BASE), ("dev.txt", DEV)])
def test_every_direct_dependency_is_pinned(file: str, requirements: list[str]) -> None:
    """What pyproject.toml asks for stands in the requirements file as one exact version; `make lock` writes them."""
    pins = pinned(file)

    assert sorted({normal(requirement) for requirement in requirements} - set(pins)) == []
    assert [pin for pin in pins.values() if "==" not in pin] == []


def test_both_files_pin_the_same_versions() -> None:
    """A project that stands in both files has one version, so tests run on what users run."""
    base, dev = pinned("base.txt"), pinned("dev.txt")

    assert {name: dev[name] for name in base.keys() & dev.keys()} == {
        name: base[name] for name in base.keys() & dev.keys()
    }


def test_every_direct_dependency_has_its_reason_written_down() -> None:
    """docs/dependencies.md has one line for each direct dependency and none for what is gone."""
    page = (REPOSITORY / "docs" / "dependencies.md").read_text(encoding="utf-8")
    written = {normal(name) for name in re.findall(r"^- \*\*(.+?)\*\*", page, flags=re.MULTILINE)}

    assert written == {normal(requirement) for requirement in [*BASE, *DEV]}
