"""The executor contract, kept by PaperTrader."""

from __future__ import annotations

import pytest

from polymarket_agent.domain.events import Event
from polymarket_agent.domain.market import AssetId
from polymarket_agent.domain.order import Fill, Order, OrderState
from tests.contract.executor_contract import *  # noqa: F403 - the cards are the tests
from tests.trading_world import START_MS, PaperDesk

LIVES_MS = 10_000


class PaperContract(PaperDesk):
    """Paper knows at once what everything came to: its own refusals are final, and payouts are paid with the answer."""

    def asset(self, asset_id: AssetId) -> AssetId:
        return asset_id

    async def happens(self, *events: Event) -> list[Fill]:
        return self.tell(*events)

    def is_refused(self, order: Order) -> bool:
        return order.state is OrderState.REJECTED

    def ends_ms(self) -> int:
        return START_MS + LIVES_MS

    def before(self, ends_ms: int) -> int:
        return ends_ms - 1

    async def settle(self) -> None:
        return


@pytest.fixture
def desk() -> PaperContract:
    return PaperContract()
