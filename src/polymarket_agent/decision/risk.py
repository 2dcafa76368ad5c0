"""The rules of the gate. Each says None, or why not and what would pass. The gate refuses; it never clamps.

Rules that bind exits too are marked so; entry limits never block an order that reduces risk: a sale of at most
the free shares that does not raise what its market can still lose.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from polymarket_agent.config import RiskConfig
from polymarket_agent.domain.board import Board
from polymarket_agent.domain.book import OrderBook, Side
from polymarket_agent.domain.market import Market, MarketState
from polymarket_agent.domain.money import MICRO, Usdc, decimal_text, display
from polymarket_agent.domain.order import Order, OrderState, TimeInForce, form_refusal
from polymarket_agent.domain.portfolio import Account, worst_cost
from polymarket_agent.domain.signal import Signal

__all__ = ["RULES", "Refusal", "RiskView", "Rule", "check", "malformed", "reduces_risk"]

_TRADE_AGE_MS = 300_000
_WIDE_SPREAD = 100_000
_MINUTE_MS = 60_000
_HOUR_MS = 3_600_000
_MOST = 10**15


class Refusal(NamedTuple):
    """Which rule refused, and why with what would pass."""

    rule: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskView:
    """What the rules may look at; made fresh for every signal.

    Args:
        now_ms: the time of the decision.
        limits: the configured limits.
        account: cash, positions and live orders, reservations of orders approved before this one included.
        board: markets and books.
        daily_loss: fall of equity since 00:00 UTC, micro-USDC.
        book_age_ms: age of the market data that the decision stands on; None if there is none.
        recent: orders of the last hour of this strategy, asset and side, for repetition.
        unpriced: assets held without a current price.
        pending: legs of the same basket that were approved a moment ago.
    """

    now_ms: int
    limits: RiskConfig
    account: Account
    board: Board
    daily_loss: Usdc
    book_age_ms: int | None
    recent: Sequence[Order] = ()
    unpriced: frozenset[str] = frozenset()
    pending: Sequence[Signal] = field(default=())

    def market_of(self, signal: Signal) -> Market | None:
        """Return the market of a signal's asset."""
        return self.board.market_by_asset.get(signal.asset_id)

    def book_of(self, signal: Signal) -> OrderBook | None:
        """Return the book of a signal's asset."""
        return self.board.books.get(signal.asset_id)

    def worst_cost(self, signal: Signal) -> int:
        """Return what an order of this signal could cost: micro-USDC, or micro-shares for a sale."""
        market = self.board.market_by_asset[signal.asset_id]
        return worst_cost(signal.side, signal.target_price, signal.quantity, market.fees, post_only=signal.post_only)

    def pending_cost(self, market: Market | None = None) -> int:
        """Return the worst cost of the buys approved a moment ago, in one market or all."""
        return sum(
            self.worst_cost(leg)
            for leg in self.pending
            if leg.side is Side.BUY and (market is None or leg.asset_id in market.asset_ids)
        )


@dataclass(frozen=True, slots=True)
class Rule:
    """One check of the gate."""

    name: str
    refuse: Callable[[Signal, RiskView], str | None]
    binds_exits: bool


def check(signal: Signal, view: RiskView, rules: Iterable[Rule] | None = None) -> list[Refusal]:
    """Return every rule's refusal of a signal, in order; the first two need valid input to go on."""
    refusals: list[Refusal] = []
    exit_order = False
    for rule in rules if rules is not None else RULES:
        if exit_order and not rule.binds_exits:
            continue
        reason = rule.refuse(signal, view)
        if reason is not None:
            refusals.append(Refusal(rule.name, reason))
        if rule.name in ("shape", "instrument") and refusals:
            return refusals
        if rule.name == "instrument":
            exit_order = reduces_risk(signal, view)
    return refusals


def reduces_risk(signal: Signal, view: RiskView) -> bool:
    """Whether a signal sells at most the free shares and does not raise what its market can still lose."""
    market = view.market_of(signal)
    if signal.side is not Side.SELL or market is None:
        return False
    if signal.quantity > view.account.free_shares(signal.asset_id):
        return False
    after = view.account.exposure(market, selling=(signal.asset_id, signal.quantity))
    return after <= view.account.exposure(market)


# -- the rules ------------------------------------------------------------------------------------------------------


def shape(signal: Signal, view: RiskView) -> str | None:
    """Every field is present, of its type, finite and in range."""
    del view
    wrong = malformed(signal)
    if wrong is None and signal.size <= 0:
        return f"a size of {decimal_text(signal.size)} USDC is not above 0"
    return wrong


def malformed(signal: Signal) -> str | None:
    """Return what makes a signal no wish at all, or None. Sizes may still be 0 here."""
    for name, value in {"target_price": signal.target_price, "size": signal.size}.items():
        if not isinstance(value, int) or isinstance(value, bool):
            return f"{name} is {value!r}; it must be whole micro-units"
    if not 0 < signal.target_price < MICRO:
        return f"a target price of {decimal_text(signal.target_price)} is not between 0 and 1"
    if not 0 <= signal.size <= _MOST:
        return f"a size of {decimal_text(signal.size)} USDC is not between 0 and {display(_MOST)}"
    confidence = signal.confidence
    if not isinstance(confidence, int | float) or not math.isfinite(confidence) or not 0 < confidence <= 1:
        return f"a confidence of {confidence!r} is not in (0, 1]"
    fair = signal.fair_value
    if fair is not None and (not isinstance(fair, int | float) or not math.isfinite(fair) or not 0 <= fair <= 1):
        return f"a fair value of {fair!r} is not a probability"
    if not isinstance(signal.side, Side) or not isinstance(signal.time_in_force, TimeInForce):
        return f"side {signal.side!r} or time in force {signal.time_in_force!r} is not known"
    if signal.post_only and not signal.time_in_force.rests:
        return "post-only needs an order that may rest: GTC or GTD"
    if signal.time_in_force is TimeInForce.GTD and signal.expires_at_ms is None:
        return "a GTD order needs an end: expires_at_ms"
    return None


def instrument(signal: Signal, view: RiskView) -> str | None:
    """The asset belongs to a known market that takes orders and does not end too soon."""
    market = view.market_of(signal)
    if market is None:
        return f"asset {signal.asset_id[:20]} belongs to no market that is known"
    if market.state is MarketState.RESOLVED:
        return "the market is resolved; what is held was paid out"
    if not market.tradable:
        return "the market takes no orders now"
    if signal.expires_at_ms is not None and signal.expires_at_ms <= view.now_ms:
        return "the signal's end has passed"
    return None


def time_to_end(signal: Signal, view: RiskView) -> str | None:
    """Entries keep away from the end of a market."""
    market = view.board.market_by_asset[signal.asset_id]
    wanted = view.limits.min_time_to_end_s
    if market.end_at_ms is None or not wanted:
        return None
    left = (market.end_at_ms - view.now_ms) // 1_000
    if left < wanted:
        return f"the market ends in {max(0, left)} s; entries need risk.min_time_to_end_s = {wanted} s"
    return None


def freshness(signal: Signal, view: RiskView) -> str | None:
    """Entries stand on market data that is young, two-sided where it matters, and not crossed."""
    book = view.book_of(signal)
    if book is None or not book.ready or view.book_age_ms is None:
        return "no order book has arrived for this asset, or it was lost; wait for a snapshot"
    if view.book_age_ms > view.limits.max_book_age_ms:
        limit = view.limits.max_book_age_ms
        return f"the market data is {view.book_age_ms} ms old; risk.max_book_age_ms is {limit}"
    if book.crossed and book.two_sided:
        return "the book is crossed; it cannot be trusted"
    if view.unpriced and signal.asset_id in view.unpriced:
        return "what is held of this asset has no current price"
    return None


def form(signal: Signal, view: RiskView) -> str | None:
    """Price on the grid of now, quantity in lots and above the minimum."""
    market = view.board.market_by_asset[signal.asset_id]
    return form_refusal(market, signal.target_price, signal.quantity, signal.time_in_force)


def collar(signal: Signal, view: RiskView) -> str | None:
    """The price is near the reference: mid if the spread is narrow, else a fresh last trade, else no entry."""
    book = view.book_of(signal)
    exit_order = signal.side is Side.SELL
    width = view.limits.exit_collar if exit_order else view.limits.price_collar
    market = view.board.market_by_asset[signal.asset_id]
    width = max(width, 3 * market.tick_size)
    reference = _reference(signal, view, book)
    if reference is None:
        return None if exit_order else "no reference price: the spread is wide and no trade is fresh"
    # Only the harmful direction counts: a buy far above, a sale far below the reference.
    away = signal.target_price - reference if signal.side is Side.BUY else reference - signal.target_price
    if away > width:
        side = "above" if signal.side is Side.BUY else "below"
        return (
            f"{decimal_text(signal.target_price)} is {decimal_text(away)} {side} the reference of "
            f"{decimal_text(reference)}; at most {decimal_text(width)} is allowed"
        )
    return None


def _reference(signal: Signal, view: RiskView, book: OrderBook | None) -> int | None:
    if book is not None and book.ready and book.spread is not None and 0 < book.spread <= _WIDE_SPREAD:
        return book.mid
    trade = view.board.last_trades.get(signal.asset_id)
    if trade is not None and view.now_ms - trade.at_ms <= _TRADE_AGE_MS:
        return trade.price
    return None


def slippage(signal: Signal, view: RiskView) -> str | None:
    """An order that takes walks the book no further than the slippage limit from the best."""
    book = view.book_of(signal)
    if signal.post_only or book is None or not book.ready:
        return None
    best = book.best_ask if signal.side is Side.BUY else book.best_bid
    if best is None:
        return None
    worst = book.walk(signal.side, signal.quantity, signal.target_price).worst
    if worst and abs(worst - best) > view.limits.max_slippage:
        limit = decimal_text(view.limits.max_slippage)
        return (
            f"taking {display(signal.quantity)} shares walks the book from {decimal_text(best)} to "
            f"{decimal_text(worst)}; risk.max_slippage is {limit}"
        )
    return None


def duplicate(signal: Signal, view: RiskView) -> str | None:
    """The same order of the last seconds is not repeated while it may still be alive."""
    since = view.now_ms - view.limits.duplicate_window_s * 1_000
    for order in view.account.orders.values():
        same = (order.asset_id, order.side, order.price) == (signal.asset_id, signal.side, signal.target_price)
        if same and order.quantity == signal.quantity and order.created_ms > since:
            age_s = (view.now_ms - order.created_ms) / 1_000
            return f"the same order was placed {age_s:.1f} s ago and may still be matched ({order.order_id})"
    return None


def repetition(signal: Signal, view: RiskView) -> str | None:
    """A strategy that repeats itself on one asset and side is stopped; resting quotes without a fill do not count."""
    mine = [
        order
        for order in view.recent
        if (not order.post_only or order.matched) and order.state is not OrderState.REJECTED
    ]
    last_minute = sum(order.created_ms > view.now_ms - _MINUTE_MS for order in mine)
    if signal.side is Side.SELL:
        most = view.limits.exits_per_minute
        return f"{last_minute} exits in a minute; risk.exits_per_minute is {most}" if last_minute >= most else None
    if last_minute >= view.limits.entries_per_minute:
        return f"{last_minute} entries in a minute; risk.entries_per_minute is {view.limits.entries_per_minute}"
    last_hour = sum(order.created_ms > view.now_ms - _HOUR_MS for order in mine)
    if last_hour >= view.limits.entries_per_hour:
        return f"{last_hour} entries in an hour; risk.entries_per_hour is {view.limits.entries_per_hour}"
    return None


def self_trade(signal: Signal, view: RiskView) -> str | None:
    """No order would meet one of ours, on either outcome."""
    market = view.board.market_by_asset[signal.asset_id]
    # In terms of the first outcome a sale of NO at p is a purchase of YES at 1 - p.
    buys, at = _first_terms(market, signal.asset_id, signal.side, signal.target_price)
    for order in view.account.orders_of(market):
        other_buys, other_at = _first_terms(market, order.asset_id, order.side, order.price)
        if other_buys != buys and (at >= other_at if buys else at <= other_at):
            return f"it would trade with our own order {order.order_id}; cancel that one first"
    return None


def _first_terms(market: Market, asset_id: str, side: Side, at: int) -> tuple[bool, int]:
    buys = side is Side.BUY
    return (buys, at) if asset_id == market.asset_ids[0] else (not buys, MICRO - at)


def position_size(signal: Signal, view: RiskView) -> str | None:
    """The order alone, and what its market can lose with it, stay within the limit."""
    limit = view.limits.max_position_size
    market = view.board.market_by_asset[signal.asset_id]
    if signal.side is Side.SELL:
        after = view.account.exposure(market, selling=(signal.asset_id, signal.quantity))
        if after > limit:
            return f"selling it breaks a pair: {display(after)} USDC could then be lost; max_position_size is {display(limit)}"
        return None
    cost = view.worst_cost(signal)
    before = view.account.exposure(market) + view.pending_cost(market)
    if before + cost > limit:
        room = max(0, limit - before)
        return (
            f"BUY of {display(cost)} USDC refused: max_position_size is {display(limit)} USDC and {display(before)} are "
            f"at risk in this market; lower the size to {display(room)} or raise risk.max_position_size"
        )
    return None


def means(signal: Signal, view: RiskView) -> str | None:
    """There is free cash for a purchase with its fee, and there are free shares for a sale."""
    if signal.side is Side.SELL:
        free = view.account.free_shares(signal.asset_id)
        if signal.quantity > free:
            return f"{display(signal.quantity)} shares are to be sold, {display(free)} are free"
        return None
    cost = view.worst_cost(signal)
    free_cash = view.account.free_cash - view.pending_cost() - view.limits.cash_reserve
    if cost > free_cash:
        return f"it may cost {display(cost)} USDC, {display(max(0, free_cash))} are free"
    return None


def daily_loss(signal: Signal, view: RiskView) -> str | None:
    """No entry once equity has fallen by the limit since 00:00 UTC."""
    del signal
    limit = view.limits.max_daily_loss
    if view.daily_loss >= limit:
        return f"equity has fallen by {display(view.daily_loss)} USDC today; max_daily_loss is {display(limit)}"
    return None


def open_orders(signal: Signal, view: RiskView) -> str | None:
    """The number of orders that may still be matched stays within the limits, in all and per asset and side."""
    limit = view.limits.max_open_orders
    alive = len(view.account.orders) + len(view.pending)
    if alive + 1 > limit:
        return f"{alive} orders may still be matched; max_open_orders is {limit}"
    most = view.limits.max_orders_per_side
    same = sum((o.asset_id, o.side) == (signal.asset_id, signal.side) for o in view.account.orders.values())
    if same + 1 > most:
        return f"{same} orders stand on this side of the asset; risk.max_orders_per_side is {most}"
    return None


RULES: tuple[Rule, ...] = (
    Rule("shape", shape, binds_exits=True),
    Rule("instrument", instrument, binds_exits=True),
    Rule("time_to_end", time_to_end, binds_exits=False),
    Rule("freshness", freshness, binds_exits=False),
    Rule("form", form, binds_exits=True),
    Rule("collar", collar, binds_exits=True),
    Rule("slippage", slippage, binds_exits=True),
    Rule("duplicate", duplicate, binds_exits=True),
    Rule("repetition", repetition, binds_exits=True),
    Rule("self_trade", self_trade, binds_exits=True),
    Rule("max_position_size", position_size, binds_exits=False),
    Rule("means", means, binds_exits=True),
    Rule("max_daily_loss", daily_loss, binds_exits=False),
    Rule("max_open_orders", open_orders, binds_exits=False),
)
