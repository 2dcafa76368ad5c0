"""How much a signal spends. Bounding happens here, visibly; the gate behind it only says yes or no."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from polymarket_agent.config import RiskConfig, SizingConfig, SizingMethod
from polymarket_agent.domain.book import OrderBook, Side
from polymarket_agent.domain.market import Market, taker_fee
from polymarket_agent.domain.money import (
    MICRO,
    Shares,
    Usdc,
    ceil_div,
    cost_rounded_up,
    decimal_text,
    display,
    floor_to_lot,
    shares,
    shares_for,
)
from polymarket_agent.domain.order import form_refusal
from polymarket_agent.domain.portfolio import Account
from polymarket_agent.domain.signal import Basket, Signal

__all__ = ["METHODS", "Sized", "Sizing", "kelly_fraction_of"]

_ONE_SHARE = shares(1)


@dataclass(frozen=True, slots=True)
class Sized:
    """A signal with its size, or None and the reason why there is no order."""

    signal: Signal | None
    reason: str = ""


# A sizing rule: what to spend on an entry, in micro-USDC, before anything bounds it; 0 for no edge.
Rule = Callable[[Signal, Market, Usdc, SizingConfig], Usdc]


def cost_per_share(signal: Signal, market: Market) -> int:
    """Return micro-USDC that one share costs at the signal's price, the taker's fee included if it may take."""
    fee = 0 if signal.post_only else taker_fee(signal.target_price, _ONE_SHARE, market.fees)
    return signal.target_price + fee


def kelly_fraction_of(fair_value: float, cost: int) -> float:
    """Return the share of bankroll that maximises log growth of a claim that costs `cost` micro-USDC and pays 1.

    f = (q - c) / (1 - c), q the probability that it pays, c the cost; 0 or less means no edge.
    """
    c = cost / MICRO
    return (fair_value - c) / (1.0 - c) if c < 1.0 else 0.0


def fixed(signal: Signal, market: Market, equity: Usdc, config: SizingConfig) -> Usdc:
    """Spend the same on every signal."""
    del signal, market, equity
    return Usdc(config.fixed_size)


def capped_kelly(signal: Signal, market: Market, equity: Usdc, config: SizingConfig) -> Usdc:
    """Spend a part of the Kelly stake, at most a part of the equity; nothing without a fair value."""
    if signal.fair_value is None:
        return Usdc(0)
    full = kelly_fraction_of(signal.fair_value, cost_per_share(signal, market))
    part = min(full * config.kelly_fraction * min(1.0, signal.confidence), config.max_stake_fraction)
    return Usdc(max(0, int(equity * part)))


METHODS: dict[SizingMethod, Rule] = {SizingMethod.FIXED: fixed, SizingMethod.KELLY: capped_kelly}


class Sizing:
    """Writes sizes: by the method for entries, then down to what the account, limits and book can bear."""

    def __init__(self, sizing: SizingConfig, risk: RiskConfig) -> None:
        self._config = sizing
        self._risk = risk
        self._rule = METHODS[sizing.method]

    def size(self, signal: Signal, market: Market, book: OrderBook | None, account: Account, equity: Usdc) -> Sized:
        """Return the signal with the size it can have, or the reason why there is no order."""
        if signal.side is Side.SELL:
            return self._size_exit(signal, market, account)
        if signal.fair_value is not None:
            edge = int(signal.fair_value * MICRO) - cost_per_share(signal, market)
            if edge < self._config.min_edge:
                wanted = decimal_text(self._config.min_edge)
                return Sized(None, f"no edge: {display(edge, 4)} a share after fees, {wanted} is wanted")
        wish = signal.size or self._rule(signal, market, equity, self._config)
        if not wish:
            return Sized(None, "no edge: the sizing rule spends nothing on it")
        quantity = shares_for(wish, signal.target_price)
        bounds = {
            "free cash": self._affordable(signal, market, account.free_cash - self._risk.cash_reserve),
            "room in the market": self._affordable(
                signal, market, self._risk.max_position_size - account.exposure(market)
            ),
            "displayed depth": self._depth(signal, book),
        }
        name, least = min(bounds.items(), key=lambda item: item[1])
        bounded = floor_to_lot(Shares(min(quantity, least)))
        wrong = form_refusal(market, signal.target_price, bounded, signal.time_in_force) if bounded else "nothing left"
        if wrong is not None:
            limited = f" after bounding by {name}" if least < quantity else ""
            return Sized(None, f"no order{limited}: {wrong}")
        return Sized(replace(signal, size=cost_rounded_up(signal.target_price, bounded)))

    def size_basket(self, basket: Basket, markets: list[Market], account: Account) -> tuple[Basket | None, str]:
        """Give every leg the same number of shares: what cash and the room in each market can bear."""
        legs = list(zip(basket.legs, markets, strict=True))
        quantity = int(basket.quantity) or shares_for(Usdc(self._config.fixed_size), basket.legs[0].target_price)
        cost = sum(cost_per_share(leg, market) for leg, market in legs)
        # Fees are bounded by the worst case at the gate; a tenth of a percent of room keeps rounding out of it.
        free = (account.free_cash - self._risk.cash_reserve) * 999 // 1_000
        quantity = min(quantity, max(0, free) * MICRO // max(cost, 1))
        by_market: dict[str, int] = {}
        for leg, market in legs:
            by_market[market.condition_id] = by_market.get(market.condition_id, 0) + _worst_per_share(leg, market)
        for _, market in legs:
            room = self._risk.max_position_size - account.exposure(market)
            quantity = min(quantity, max(0, room) * MICRO // by_market[market.condition_id])
        bounded = floor_to_lot(Shares(quantity))
        for leg, market in legs:
            wrong = form_refusal(market, leg.target_price, bounded, leg.time_in_force) if bounded else "nothing left"
            if wrong is not None:
                return None, f"no basket: {wrong}"
        sized = tuple(
            replace(leg, size=cost_rounded_up(leg.target_price, bounded), basket_id=basket.basket_id) for leg, _ in legs
        )
        return replace(basket, legs=sized, quantity=bounded), ""

    def _size_exit(self, signal: Signal, market: Market, account: Account) -> Sized:
        free = floor_to_lot(account.free_shares(signal.asset_id))
        wanted = signal.quantity if signal.size else free
        bounded = Shares(min(wanted, free))
        wrong = (
            form_refusal(market, signal.target_price, bounded, signal.time_in_force) if bounded else "no free shares"
        )
        if wrong is not None:
            return Sized(None, f"no exit: {wrong}")
        return Sized(replace(signal, size=cost_rounded_up(signal.target_price, bounded)))

    def _affordable(self, signal: Signal, market: Market, amount: int) -> int:
        return max(0, amount) * MICRO // _worst_per_share(signal, market)

    def _depth(self, signal: Signal, book: OrderBook | None) -> int:
        """Shares that can be taken within the slippage limit; resting orders are not bounded by depth."""
        unbounded = 1 << 60
        if signal.post_only or book is None or not book.ready or book.best_ask is None:
            return unbounded
        if signal.target_price < book.best_ask:
            return unbounded if signal.time_in_force.rests else 0
        limit = min(signal.target_price, book.best_ask + self._risk.max_slippage)
        return book.walk(Side.BUY, Shares(unbounded), limit).quantity


def _worst_per_share(signal: Signal, market: Market) -> int:
    """Return micro-USDC that the gate reserves for a share: the price, and the highest fee if it may take."""
    fee = 0 if signal.post_only else ceil_div(signal.target_price * market.fees.rate, MICRO)
    return signal.target_price + fee + 1
