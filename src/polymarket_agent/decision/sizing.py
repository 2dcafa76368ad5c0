"""How much a signal spends. Bounding happens here, visibly; the gate behind it only says yes or no."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from polymarket_agent.config import RiskConfig, SizingConfig, SizingMethod
from polymarket_agent.decision.headroom import Headroom
from polymarket_agent.domain.board import Board
from polymarket_agent.domain.book import OrderBook, Side
from polymarket_agent.domain.market import Market, taker_fee
from polymarket_agent.domain.money import (
    LOT,
    MICRO,
    Shares,
    Usdc,
    cost_rounded_up,
    decimal_text,
    display,
    floor_to_lot,
    round_down_to_tick,
    round_up_to_tick,
    shares,
    shares_for,
)
from polymarket_agent.domain.order import form_refusal
from polymarket_agent.domain.portfolio import Account, worst_cost
from polymarket_agent.domain.signal import Basket, Signal

__all__ = ["METHODS", "Sized", "Sizing", "capped_kelly", "cost_per_share", "fixed", "kelly_fraction_of"]

_ONE_SHARE = shares(1)
_UNBOUNDED = Shares(1 << 60)


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

    def tighten(self, risk: RiskConfig) -> None:
        """Take up limits that the gate has taken up."""
        self._risk = risk

    def size(
        self,
        signal: Signal,
        market: Market,
        book: OrderBook | None,
        account: Account,
        equity: Usdc,
        *,
        board: Board | None = None,
    ) -> Sized:
        """Return the signal with the size it can have and its price on the grid, or the reason why there is no order.

        Without a board the limits on events and totals are left to the gate.
        """
        signal = _on_grid(signal, market)
        if signal.side is Side.SELL:
            return self._size_exit(signal, market, book, account)
        if signal.fair_value is not None:
            edge = int(signal.fair_value * MICRO) - cost_per_share(signal, market)
            if edge < self._config.min_edge:
                wanted = decimal_text(self._config.min_edge)
                return Sized(None, f"no edge: {display(edge, 4)} a share after fees, {wanted} is wanted")
        wish = signal.size or self._rule(signal, market, equity, self._config)
        if not wish or not signal.target_price:
            return Sized(
                None, "no edge: the sizing rule spends nothing on it" if not wish else "no order: a price of 0"
            )
        quantity = shares_for(wish, signal.target_price)
        room = Headroom(self._risk, account, board)
        bounds = {
            "free cash": _affordable(signal, market, account.free_cash - self._risk.cash_reserve),
            "max_order_size": _affordable(signal, market, self._risk.max_order_size),
            "room in the market": _affordable(signal, market, room.in_market(market)),
            "room in the event": _affordable(signal, market, room.in_event(market)),
            "room of the strategy": _affordable(signal, market, room.of_strategy(signal.strategy)),
            "room in all markets": _affordable(signal, market, room.in_all()),
            "displayed depth": self._depth(signal, book),
        }
        name, least = min(bounds.items(), key=lambda item: item[1])
        bounded = floor_to_lot(Shares(min(quantity, least)))
        wrong = form_refusal(market, signal.target_price, bounded, signal.time_in_force) if bounded else "nothing left"
        if wrong is not None:
            limited = f" after bounding by {name}" if least < quantity else ""
            return Sized(None, f"no order{limited}: {wrong}")
        return Sized(replace(signal, size=cost_rounded_up(signal.target_price, bounded)))

    def size_basket(
        self, basket: Basket, markets: list[Market], account: Account, *, board: Board | None = None
    ) -> tuple[Basket | None, str]:
        """Give every leg the same number of shares: what cash, free shares and the limits on amounts can bear."""
        legs = [(_on_grid(leg, market), market) for leg, market in zip(basket.legs, markets, strict=True)]
        if not all(leg.target_price for leg, _ in legs):
            return None, "no basket: a price of 0"
        quantity = int(basket.quantity) or shares_for(Usdc(self._config.fixed_size), legs[0][0].target_price)
        buys = [(leg, market) for leg, market in legs if leg.side is Side.BUY]
        free = account.free_cash - self._risk.cash_reserve
        quantity = min(quantity, _affordable_together(buys, free))
        quantity = min(quantity, self._basket_room(buys, Headroom(self._risk, account, board)))
        sold = [leg.asset_id for leg, _ in legs if leg.side is Side.SELL]
        for asset_id in sold:
            quantity = min(quantity, account.free_shares(asset_id) // sold.count(asset_id))
        bounded = floor_to_lot(Shares(quantity))
        for leg, market in legs:
            wrong = form_refusal(market, leg.target_price, bounded, leg.time_in_force) if bounded else "nothing left"
            if wrong is not None:
                return None, f"no basket: {wrong}"
        sized = tuple(
            replace(leg, size=cost_rounded_up(leg.target_price, bounded), basket_id=basket.basket_id) for leg, _ in legs
        )
        return replace(basket, legs=sized, quantity=bounded), ""

    def _size_exit(self, signal: Signal, market: Market, book: OrderBook | None, account: Account) -> Sized:
        """Sell what is free, at most what is wished for; what takes goes no deeper than the slippage limit.

        A large holding leaves a thin book in parts: as a whole the gate would refuse it again and again.
        """
        free = floor_to_lot(account.free_shares(signal.asset_id))
        wanted = signal.quantity if signal.size else free
        bounded = floor_to_lot(Shares(min(wanted, free, self._depth(signal, book))))
        empty = "no free shares" if free <= 0 else "nobody bids for it within the limit price and risk.max_slippage"
        wrong = form_refusal(market, signal.target_price, bounded, signal.time_in_force) if bounded > 0 else empty
        if wrong is not None:
            return Sized(None, f"no exit: {wrong}")
        return Sized(replace(signal, size=cost_rounded_up(signal.target_price, bounded)))

    def _basket_room(self, buys: list[tuple[Signal, Market]], room: Headroom) -> int:
        """Return how many shares of each of these legs the limits leave room for."""
        quantity: int = _UNBOUNDED
        for leg, market in buys:
            quantity = min(quantity, _affordable(leg, market, self._risk.max_order_size))
            own = [(each, its) for each, its in buys if its.condition_id == market.condition_id]
            quantity = min(quantity, _affordable_together(own, room.in_market(market)))
            related = [(each, its) for each, its in buys if room.event_key(its) == room.event_key(market)]
            quantity = min(quantity, _affordable_together(related, room.in_event(market)))
            mine = [(each, its) for each, its in buys if each.strategy == leg.strategy]
            quantity = min(quantity, _affordable_together(mine, room.of_strategy(leg.strategy)))
        return min(quantity, _affordable_together(buys, room.in_all()))

    def _depth(self, signal: Signal, book: OrderBook | None) -> Shares:
        """Shares that can be taken within the slippage limit; resting orders are not bounded by depth."""
        if signal.post_only or book is None or not book.ready:
            return _UNBOUNDED
        buys = signal.side is Side.BUY
        best = book.best_ask if buys else book.best_bid
        if best is None or (signal.target_price < best if buys else signal.target_price > best):
            return _UNBOUNDED if signal.time_in_force.rests else Shares(0)
        slip = self._risk.max_slippage
        limit = min(signal.target_price, best + slip) if buys else max(signal.target_price, best - slip)
        return book.walk(signal.side, _UNBOUNDED, limit).quantity


def _on_grid(signal: Signal, market: Market) -> Signal:
    """Return a signal with its price on the grid of now, never worse than the wish: a buy down, a sale up."""
    tick, wish = market.tick_size, signal.target_price
    price = round_down_to_tick(wish, tick) if signal.side is Side.BUY else round_up_to_tick(wish, tick)
    return signal if price == wish else replace(signal, target_price=price)


def _affordable(signal: Signal, market: Market, amount: int) -> int:
    return _affordable_together([(signal, market)], amount)


def _affordable_together(legs: list[tuple[Signal, Market]], amount: int) -> int:
    """Return how many shares of each of these buys `amount` micro-USDC reserves, to the lot and never one too many."""
    if not legs:
        return _UNBOUNDED
    per_share = sum(_reserved(leg, market, _ONE_SHARE) for leg, market in legs)
    quantity = floor_to_lot(Shares(max(0, amount) * MICRO // max(1, per_share)))
    while quantity and sum(_reserved(leg, market, quantity) for leg, market in legs) > amount:
        quantity = Shares(quantity - LOT)
    return quantity


def _reserved(signal: Signal, market: Market, quantity: Shares) -> int:
    """Return what the gate reserves for so many shares of a buy."""
    return worst_cost(signal.side, signal.target_price, quantity, market.fees, post_only=signal.post_only)
