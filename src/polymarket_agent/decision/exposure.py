"""What can still be lost in a market, whichever of its live orders are filled."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product

from polymarket_agent.domain.book import Side
from polymarket_agent.domain.market import Market
from polymarket_agent.domain.money import Shares, Usdc, ceil_div
from polymarket_agent.domain.order import Order
from polymarket_agent.domain.portfolio import Account, exposure_of

__all__ = ["worst_exposure"]


def worst_exposure(account: Account, market: Market, orders: Iterable[Order]) -> Usdc:
    """Return the most that a market can lose, in micro-USDC, with these of its orders live.

    Buys count at their worst cost. A sale frees its cost but may break a pair that pays for sure, so each may be
    filled wholly or not at all, whichever is worse: exposure is convex in what is sold, so no part of it is.
    """
    buys, sells = 0, dict.fromkeys(market.asset_ids, 0)
    for order in orders:
        if order.asset_id in sells:
            if order.side is Side.BUY:
                buys += order.reserved
            else:
                sells[order.asset_id] += order.reserved
    choices = [sorted({0, sells[asset_id]}) for asset_id in market.asset_ids]
    return max(_after_sales(account, market, sold, buys) for sold in product(*choices))


def _after_sales(account: Account, market: Market, sold: tuple[int, ...], buys: int) -> Usdc:
    holdings: list[tuple[Shares, Usdc]] = []
    for asset_id, quantity in zip(market.asset_ids, sold, strict=True):
        position = account.positions.get(asset_id)
        if position is None:
            holdings.append((Shares(0), Usdc(0)))
            continue
        left = max(0, position.quantity - quantity)
        cost = position.cost + position.entry_fees
        holdings.append((Shares(left), Usdc(ceil_div(cost * left, position.quantity))))
    return exposure_of(holdings, Usdc(buys))
