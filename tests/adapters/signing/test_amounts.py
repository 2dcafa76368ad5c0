from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from random import Random
from typing import Any

import pytest

from polymarket_agent.adapters.polymarket.amounts import check_ticket
from polymarket_agent.domain.levels import Side
from polymarket_agent.domain.market import AssetId, ConditionId
from polymarket_agent.domain.money import Price, Shares
from polymarket_agent.domain.order import TimeInForce
from polymarket_agent.domain.venue import OrderTicket
from polymarket_agent.errors import AgentError
from tests.adapters.signing.official import random_wanted, ticket_of

BUY = OrderTicket(
    condition_id=ConditionId("0x01"),
    asset_id=AssetId("1" + "7" * 70),
    side=Side.BUY,
    price=Price(450_000),
    quantity=Shares(12_340_000),
    maker_amount=5_553_000,
    taker_amount=12_340_000,
    neg_risk=False,
)
SELL = replace(BUY, side=Side.SELL, maker_amount=12_340_000, taker_amount=5_553_000)
# FOK BUY of 10 dollars at 0.52 at most, as the official client sends it.
MARKET = replace(
    BUY,
    price=Price(520_000),
    quantity=Shares(19_230_700),
    maker_amount=10_000_000,
    taker_amount=19_230_700,
    time_in_force=TimeInForce.FOK,
)


@pytest.mark.parametrize("ticket", [BUY, SELL, MARKET, replace(SELL, time_in_force=TimeInForce.FAK)])
def test_what_the_venue_was_seen_to_take_passes(ticket: OrderTicket) -> None:
    """Captured amounts of limit and market orders are what their price and quantity come to."""
    check_ticket(ticket)


@pytest.mark.parametrize(
    ("ticket", "change"),
    [
        (BUY, {"maker_amount": 5_553_001}),
        (BUY, {"maker_amount": 5_552_999}),
        (BUY, {"taker_amount": 12_350_000}),
        (BUY, {"taker_amount": 12_340_001}),
        (BUY, {"quantity": 12_340_001}),
        (BUY, {"price": 460_000}),
        (BUY, {"side": Side.SELL}),
        (BUY, {"maker_amount": 12_340_000, "taker_amount": 5_553_000}),
        (BUY, {"quantity": 12_345_000, "taker_amount": 12_345_000, "maker_amount": 5_555_250}),
        (BUY, {"quantity": 0, "maker_amount": 0, "taker_amount": 0}),
        (BUY, {"quantity": -12_340_000, "maker_amount": -5_553_000, "taker_amount": -12_340_000}),
        (BUY, {"price": 0, "maker_amount": 0}),
        (BUY, {"price": 1_000_000, "maker_amount": 12_340_000}),
        (BUY, {"price": 450_050, "maker_amount": 5_553_617}),
        (BUY, {"expires_s": 1_800_000_000}),
        (BUY, {"time_in_force": TimeInForce.GTD}),
        (SELL, {"taker_amount": 5_552_999}),
        (SELL, {"maker_amount": 12_340_100}),
        (SELL, {"time_in_force": TimeInForce.FOK, "post_only": True}),
        (MARKET, {"maker_amount": 10_000_001}),
        (MARKET, {"maker_amount": 10_005_000}),
        (MARKET, {"maker_amount": 10_010_000}),
        (MARKET, {"maker_amount": 100_000_000}),
        (MARKET, {"taker_amount": 19_230_750}),
        (MARKET, {"taker_amount": 19_240_700}),
        (MARKET, {"taker_amount": 19_220_700}),
        (MARKET, {"price": 510_000}),
        (MARKET, {"price": 530_000}),
        (MARKET, {"maker_amount": 20_000_000, "taker_amount": 38_461_500}),
        (MARKET, {"quantity": 38_461_500}),
        (MARKET, {"expires_s": 1}),
        # So small that the rounding reaches a price where the next ask of 0.5601 could be taken; the client refuses it too.
        (MARKET, {"price": 560_000, "quantity": 142_800, "maker_amount": 80_000, "taker_amount": 142_800}),
    ],
)
def test_an_amount_that_was_not_intended_is_refused(ticket: OrderTicket, change: dict[str, Any]) -> None:
    """A single number that does not follow from price and quantity keeps the order from being signed."""
    with pytest.raises(AgentError, match="not signed"):
        check_ticket(replace(ticket, **change))


def test_no_changed_amount_passes() -> None:
    """Of thousands of right tickets every one passes, and none does with an amount that is off by some units."""
    random = Random(11)
    for _ in range(3_000):
        wanted = random_wanted(random)
        if wanted.market_buy and wanted.quantity < Decimal(5):
            continue
        ticket = ticket_of(wanted)
        check_ticket(ticket)
        name, off = random.choice(["maker_amount", "taker_amount"]), random.choice([1, 7, 99]) * random.choice([-1, 1])
        with pytest.raises(AgentError):
            check_ticket(replace(ticket, **{name: getattr(ticket, name) + off}))
