"""The gateway contract, kept over the official client `py-clob-client-v2`."""

from __future__ import annotations

import pytest

from tests.contract.gateway_contract import *  # noqa: F403 - the cards are the tests

pytest.importorskip("py_clob_client_v2")


@pytest.fixture
def client() -> str:
    return "clob"
