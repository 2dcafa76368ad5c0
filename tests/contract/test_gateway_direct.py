"""The gateway contract, kept over our own HTTP."""

from __future__ import annotations

import pytest

from tests.contract.gateway_contract import *  # noqa: F403 - the cards are the tests


@pytest.fixture
def client() -> str:
    return "direct"
