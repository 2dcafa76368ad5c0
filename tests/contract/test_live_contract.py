"""The executor contract, kept by LiveTrader over every gateway, at a sandbox over real sockets."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import pytest

from tests.contract.executor_contract import *  # noqa: F403 - the cards are the tests
from tests.contract.live_agent import FAST
from tests.contract.live_venue import CLIENTS, few_certificates
from tests.contract.live_world import LiveDesk, live_desk


@pytest.fixture(scope="module", autouse=True)
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with few_certificates(tmp_path_factory.mktemp("tls")):
        yield


@pytest.fixture(params=CLIENTS)
async def desk(request: pytest.FixtureRequest) -> AsyncIterator[LiveDesk]:
    async with live_desk(request.param, policy=replace(FAST, resend_entries=False)) as desk:
        yield desk
