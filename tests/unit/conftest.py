"""What unit tests open is closed after each."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from polymarket_agent.errors import DatabaseError
from tests.unit.live_ledger_world import DESKS


@pytest.fixture(autouse=True)
def close_ledgers() -> Iterator[None]:
    """Close the ledgers of a test; those whose writer was made to fail say so once more."""
    yield
    while DESKS:
        with contextlib.suppress(DatabaseError):
            DESKS.pop().close()
