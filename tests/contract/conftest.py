"""Every ledger that a test opened is closed when the test ends."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.trading_world import OPENED


@pytest.fixture(autouse=True)
def _closed_ledgers() -> Iterator[None]:
    yield
    while OPENED:
        OPENED.pop().close()
