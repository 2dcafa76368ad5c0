"""The gateway contract, kept over the official client `polymarket-client`."""

from __future__ import annotations

import pytest

from tests.contract.gateway_contract import *  # noqa: F403 - the cards are the tests

pytest.importorskip("polymarket")


@pytest.fixture
def client() -> str:
    return "unified"
