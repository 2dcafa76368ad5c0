"""What every gateway must do, as numbered cards over a running venue. A test module names its `client` and imports them.

Expectations are the specification's and the exchange's own books, never what another gateway says.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.contract.gateway_cards_account import *  # noqa: F403 - cards
from tests.contract.gateway_cards_faults import *  # noqa: F403 - cards
from tests.contract.gateway_cards_locks import *  # noqa: F403 - cards
from tests.contract.gateway_cards_orders import *  # noqa: F403 - cards
from tests.contract.gateway_world import GatewayWorld, few_certificates, gateway_world


@pytest.fixture(scope="module", autouse=True)
def one_authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", few_certificates(tmp_path_factory.mktemp("tls")))
        yield


@pytest.fixture
async def world(client: str) -> AsyncIterator[GatewayWorld]:
    async with gateway_world(client) as made:
        yield made
