"""The live executor under the fault plans that come with the sandbox: many things go wrong at once."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from functools import partial
from random import Random

import pytest

from polymarket_agent.decision.states import AgentState
from polymarket_agent.domain.money import price, shares
from polymarket_agent.sandbox.fault_plan import FaultPlan
from tests.conftest import REPOSITORY
from tests.contract.fault_words import (
    FAK,
    FOK,
    SELL,
    a_desk,
    buy,
    count_of,
)
from tests.contract.live_venue import few_certificates
from tests.contract.live_world import LiveDesk


@pytest.fixture(scope="module", autouse=True)
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with few_certificates(tmp_path_factory.mktemp("tls")):
        yield


@pytest.fixture
async def one(request: pytest.FixtureRequest) -> AsyncIterator[LiveDesk]:
    """Run a desk over the gateway that is used by default; a parameter has more to say of desk and venue."""
    async with a_desk("unified", **getattr(request, "param", {})) as desk:
        yield desk


@pytest.mark.parametrize("name", ["lost-answers", "streams"])
async def test_plans_that_come_with_the_sandbox(one: LiveDesk, name: str) -> None:
    """Under a plan of many faults many orders, cancels and fills end with books that are equal."""
    for rule in FaultPlan.load(REPOSITORY / "examples" / "faults" / f"{name}.yaml").plain()["rules"]:
        one.venue.fault(**rule)
    dice = Random(7)
    for _ in range(40):
        calls = len(one.cable.calls)
        await one_step(one, dice)
        await one.until(partial(has_called, one, calls))
    assert one.venue.sandbox.venue.injector.total > 5
    one.venue.no_faults()
    await one.agrees()
    assert one.state is AgentState.ACTIVE
    assert len(one.venue.legs()) > 5
    intents = one.rows("SELECT count(*), count(DISTINCT order_id) FROM orders")
    assert intents == [(count_of(one, "signed_orders"),) * 2]


async def one_step(desk: LiveDesk, dice: Random) -> None:
    """Let us or others do one thing."""
    shown_again(desk)
    match dice.choice(("rest", "rest", "take", "take", "cancel", "hit", "hit")):
        case "rest":
            await desk.send(buy(f"0.{dice.randint(30, 46)}", dice.randint(5, 30)))
        case "take":
            await desk.send(buy("0.53", dice.randint(5, 30), tif=dice.choice((FOK, FAK))))
        case "cancel":
            for order in list(desk.account.orders.values())[:2]:
                await desk.trader.cancel_order(order.order_id)
        case _:
            desk.venue.take(SELL, str(dice.randint(1, 20)), price("0.3"))


def has_called(desk: LiveDesk, before: int) -> bool:
    return len(desk.cable.calls) > before


def shown_again(desk: LiveDesk) -> None:
    desk.venue.show([(price("0.28"), shares(50))], [(price("0.51"), shares(50)), (price("0.53"), shares(70))])
