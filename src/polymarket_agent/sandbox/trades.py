"""What a match means for those who matched: legs, transfers, and what is left of their orders and promises."""

from __future__ import annotations

from polymarket_agent.domain.book import Side
from polymarket_agent.domain.money import Price, Shares, Usdc
from polymarket_agent.sandbox.ladder import Order
from polymarket_agent.sandbox.matching import Fill
from polymarket_agent.sandbox.model import Leg
from polymarket_agent.sandbox.settlement import Moves, Transfer

__all__ = ["leg_of", "moves_of", "take_from_maker", "take_from_taker", "totals"]


def totals(taker: Order, fills: list[Fill]) -> tuple[int, int]:
    """Return shares matched and the collateral that the taker pays or gets for them, before fees."""
    return sum(fill.quantity for fill in fills), sum(fill.taker_collateral(taker) for fill in fills)


def leg_of(order: Order, quantity: int, price: int, fee: int = 0, fee_rate: int = 0) -> Leg:
    """Return an order's part in a trade."""
    outcome = order.trading.market.outcomes[order.index]
    return Leg(
        order_id=order.order_id,
        owner=order.owner,
        wallet=order.address,
        asset_id=outcome.asset_id,
        outcome=outcome.label,
        side=order.side,
        price=Price(price),
        quantity=Shares(quantity),
        fee=Usdc(fee),
        fee_rate=fee_rate,
    )


def moves_of(taker: Order, fills: list[Fill], quantity: int, collateral: int, fee: int) -> Moves:
    """Return what a trade moves: the same assets change hands, or full sets are minted or merged on the way."""
    gives, gets, minted = [], [], 0
    for maker, shares, amount in fills:
        gives.append(Transfer(maker.wallet, maker.gives_asset, amount if maker.side is Side.BUY else shares))
        wanted = maker.asset_id if maker.side is Side.BUY else None
        gets.append(Transfer(maker.wallet, wanted, shares if maker.side is Side.BUY else amount))
        if maker.index != taker.index:
            minted += shares if taker.side is Side.BUY else -shares
    if taker.side is Side.BUY:
        gives.append(Transfer(taker.wallet, None, collateral + fee))
        gets.append(Transfer(taker.wallet, taker.asset_id, quantity))
    else:
        gives.append(Transfer(taker.wallet, taker.asset_id, quantity))
        gets.append(Transfer(taker.wallet, None, collateral - fee))
    orders = [(fill.maker, fill.quantity) for fill in fills]
    return Moves(gives, gets, fee, minted, [*orders, (taker, quantity)])


def take_from_maker(fill: Fill) -> None:
    """Take a match off a resting order, its level and its promise."""
    maker, quantity, collateral = fill
    maker.left -= quantity
    maker.matched += quantity
    maker.trading.ladders[maker.rung].resize(maker, -quantity)
    maker.trading.touch(maker)
    given = collateral if maker.side is Side.BUY else quantity
    maker.reserve(min(maker.reserved - given, maker.need))


def take_from_taker(taker: Order, quantity: int, collateral: int, fee: int) -> None:
    """Take a match off the arriving order and its promise."""
    given = collateral + fee if taker.side is Side.BUY else quantity
    taker.matched += quantity
    taker.left = max(0, taker.left - quantity)
    taker.reserve(max(0, taker.reserved - given))
