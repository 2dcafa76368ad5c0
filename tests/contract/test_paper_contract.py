"""The executor contract, kept by PaperTrader."""

from __future__ import annotations

import pytest

from tests.contract.executor_contract import *  # noqa: F403 - the cards are the tests
from tests.trading_world import PaperDesk


@pytest.fixture
def desk() -> PaperDesk:
    return PaperDesk()
