"""Sets of claims that together pay a fixed sum: what they cost at the displayed depth, fees included."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from polymarket_agent.domain.book import OrderBook, Side
from polymarket_agent.domain.market import AssetId, Market, taker_fee
from polymarket_agent.domain.money import MICRO, Price, Shares, Usdc, cost_rounded_up, floor_to_lot
from polymarket_agent.domain.order import TimeInForce, form_refusal
from polymarket_agent.strategies.base import MarketView
from polymarket_agent.strategies.parts.trading import fee_per_share

__all__ = ["Leg", "Plan", "YesNo", "leg_of", "plan_set", "yes_no"]

MAX_LEVELS = 50


class Leg(NamedTuple):
    """One claim to buy, with the book to buy it from."""

    market: Market
    asset_id: AssetId
    book: OrderBook


class Plan(NamedTuple):
    """How many shares of each leg to buy, at which limits, what that costs with fees and what it pays at least."""

    quantity: Shares
    limits: tuple[Price, ...]
    cost: Usdc
    payout: Usdc


class YesNo(NamedTuple):
    """The two claims of a market whose outcomes are called Yes and No."""

    yes: AssetId
    no: AssetId


def yes_no(market: Market) -> YesNo | None:
    """Return which claim is Yes and which is No, or None when the outcomes have other names."""
    first, second = (outcome.label.casefold() for outcome in market.outcomes)
    if (first, second) == ("yes", "no"):
        return YesNo(*market.asset_ids)
    return YesNo(*reversed(market.asset_ids)) if (first, second) == ("no", "yes") else None


def leg_of(market: Market, asset_id: AssetId, view: MarketView) -> Leg | None:
    """Return a leg if the market takes orders and its book is trusted and has an ask on the grid."""
    book = view.book(asset_id)
    if not market.tradable or book is None or book.best_ask is None or book.best_ask % market.tick_size:
        return None
    return Leg(market, asset_id, book)


def plan_set(legs: Sequence[Leg], payout: int, min_profit: int, max_quantity: Shares) -> Plan | None:
    """Return the largest purchase of all legs whose every share still leaves `min_profit`, or None.

    `payout` is what one share of each leg pays together at least; both are micro-USDC a share. The levels of all legs
    are walked side by side; the walk ends where the next share of each would cost more than payout - min_profit with
    fees. price + fee rises with the price, so the limits, the last prices touched, are worth paying for the whole
    quantity as well.
    """
    budget = payout - min_profit
    if sum(leg.book.top[1] for leg in legs) > budget:
        return None  # the common case, before any list is built
    levels = [leg.book.asks(MAX_LEVELS) for leg in legs]
    at, used = [0] * len(legs), [0] * len(legs)
    quantity = 0
    limits: tuple[Price, ...] = ()
    while quantity < max_quantity and all(at[i] < len(levels[i]) for i in range(len(legs))):
        here = [levels[i][at[i]] for i in range(len(legs))]
        prices = tuple(level.price for level in here)
        if any(price % leg.market.tick_size for price, leg in zip(prices, legs, strict=True)):
            break  # a level that an older, finer grid left behind cannot be a limit
        cost = sum(price + fee_per_share(price, leg.market.fees) for price, leg in zip(prices, legs, strict=True))
        if cost > budget:
            break
        step = min(max_quantity - quantity, *(level.size - done for level, done in zip(here, used, strict=True)))
        quantity += step
        limits = prices
        for i, level in enumerate(here):
            used[i] += step
            if used[i] == level.size:
                at[i], used[i] = at[i] + 1, 0
    return _settle(legs, floor_to_lot(Shares(quantity)), limits, payout, min_profit)


def _settle(
    legs: Sequence[Leg], quantity: Shares, limits: tuple[Price, ...], payout: int, min_profit: int
) -> Plan | None:
    """Cost a quantity exactly, level by level as it would be filled."""
    if quantity <= 0 or any(quantity < leg.market.min_order_size for leg in legs):
        return None
    if any(form_refusal(x.market, limit, quantity, TimeInForce.FOK) for x, limit in zip(legs, limits, strict=True)):
        return None
    cost = 0
    for leg, limit in zip(legs, limits, strict=True):
        for price, size in leg.book.walk(Side.BUY, quantity, limit).levels:
            cost += cost_rounded_up(price, size) + taker_fee(price, size, leg.market.fees)
    pays = payout * quantity // MICRO
    if pays - cost < max(1, min_profit * quantity // MICRO):
        return None
    return Plan(quantity, limits, Usdc(cost), Usdc(pays))
