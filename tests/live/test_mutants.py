"""A suite that has never failed proves little: each rule broken on purpose is noticed within a few seeds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.live.mutants import MUTANTS, STORMS, Patch
from tests.live.oracles import Violation
from tests.live.sim_world import World

_SEEDS = 60


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_a_broken_rule_is_noticed(
    mutant: Callable[[Patch], None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The oracles fail within a few seeds of a rule being broken."""
    mutant(monkeypatch)
    for seed in range(_SEEDS):
        try:
            World(seed, tmp_path, knobs=STORMS.get(mutant.__name__)).run()
        except Violation:
            return
    raise AssertionError(f"{_SEEDS} seeds notice nothing")
