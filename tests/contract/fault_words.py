"""Words for tests of a venue that goes wrong."""

from __future__ import annotations

from typing import Any

from polymarket_agent.domain.levels import Side
from polymarket_agent.domain.market import FeeSchedule
from polymarket_agent.domain.order import OrderState, TimeInForce
from polymarket_agent.domain.signal import Signal
from tests.contract.live_world import LiveDesk, live_desk
from tests.trading_world import a_signal, books

__all__ = [
    "BUY",
    "CANCELED",
    "DEAF",
    "FAK",
    "FILLED",
    "FOK",
    "OPEN",
    "REJECTED",
    "SELL",
    "a_desk",
    "buy",
    "count_of",
    "shown",
]

BUY, SELL = Side.BUY, Side.SELL
FOK, FAK = TimeInForce.FOK, TimeInForce.FAK
OPEN, CANCELED, FILLED, REJECTED = OrderState.OPEN, OrderState.CANCELED, OrderState.FILLED, OrderState.REJECTED
FEES = FeeSchedule(rate=40_000)
DEAF = {"point": "stream.user", "fault": "drop", "argument": 1, "every": 1}


def a_desk(client: str, **more: Any) -> Any:
    return live_desk(client, **{"fees": FEES, **more})


async def shown(desk: LiveDesk) -> None:
    await desk.happens(*books([("0.45", 100), ("0.44", 50)], [("0.51", 50), ("0.53", 70)]))


def buy(at: str, quantity: str | int = 20, **more: Any) -> Signal:
    return a_signal(BUY, at, quantity, **more)


def count_of(desk: LiveDesk, what: str) -> int:
    ((number,),) = desk.rows(f"SELECT count(*) FROM {what}")
    return int(number)
