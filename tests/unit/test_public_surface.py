"""The public surface of the package."""

from __future__ import annotations

import pytest

import polymarket_agent


@pytest.mark.parametrize("name", polymarket_agent.__all__)
def test_every_public_name_can_be_used(name: str) -> None:
    """Each name that the package lists is there, although nothing is imported before it is asked for."""
    assert getattr(polymarket_agent, name) is not None


def test_a_name_that_is_not_public_is_refused_by_name() -> None:
    """Asking the package for something it does not have says what was asked for."""
    with pytest.raises(AttributeError, match="Nonsense"):
        _ = polymarket_agent.Nonsense
