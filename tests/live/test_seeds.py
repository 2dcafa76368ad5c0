"""Whole lives of the live executor under faults, one a seed; `World(seed, folder, trace=True).run()` replays one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.live.sim_world import CALM, World

_SEEDS = 100


@pytest.mark.parametrize("seed", range(_SEEDS))
def test_a_seed_of_faults_breaks_no_invariant(seed: int, tmp_path: Path) -> None:
    """Whatever is lost, late, doubled or misread, limits hold, and both sides' books are equal in the end."""
    World(seed, tmp_path).run()


def test_a_seed_is_one_story(tmp_path: Path) -> None:
    """The same seed lives the same life twice."""
    lives = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        world = World(7, tmp_path / name)
        world.run()
        lives.append((dict(world.stats), world.loop.time(), world.exchange.cash, list(world.exchange.orders)))
    assert lives[0] == lives[1]


def test_without_faults_everything_settles(tmp_path: Path) -> None:
    """On a quiet exchange every order ends, every fill is booked, and nothing is reserved."""
    world = World(3, tmp_path, knobs=CALM)
    world.run()
    assert world.exchange.orders
    assert world.exchange.trades
