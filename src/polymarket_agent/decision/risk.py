"""The rules of the gate. Each says None, or why not and what would pass. The gate refuses; it never clamps.

Rules that bind exits too are marked so; entry limits never block an order that reduces risk: a sale of at most
the free shares that does not raise what its event can still lose. Rules about amounts and about the world outside stand in
modules of their own; here are those about the market, the price and our other orders.
"""

from __future__ import annotations

from collections.abc import Iterable

from polymarket_agent.decision.rules_amounts import (
    daily_loss,
    daily_turnover,
    drawdown,
    event_exposure,
    markets,
    means,
    open_orders,
    order_size,
    position_size,
    strategy_exposure,
    total_exposure,
)
from polymarket_agent.decision.rules_outside import (
    agent_state,
    authority,
    breakers,
    clock,
    listing,
    message_rate,
    stream,
    venue,
)
from polymarket_agent.decision.view import Refusal, RiskView, Rule, reduces_risk
from polymarket_agent.decision.wishes import malformed
from polymarket_agent.domain.book import OrderBook, Side
from polymarket_agent.domain.market import Market, MarketState
from polymarket_agent.domain.money import MICRO, decimal_text, display
from polymarket_agent.domain.order import Order, OrderState, form_refusal
from polymarket_agent.domain.signal import Signal

__all__ = [
    "RESEND_RULES",
    "RULES",
    "Refusal",
    "RiskView",
    "Rule",
    "check",
    "collar",
    "duplicate",
    "form",
    "freshness",
    "instrument",
    "malformed",
    "reduces_risk",
    "repetition",
    "self_trade",
    "shape",
    "slippage",
    "time_to_end",
]

_AHEAD_MS = 5_000  # clocks differ; data stamped further ahead of ours says nothing about its age
_TRADE_AGE_MS = 300_000
_WIDE_SPREAD = 100_000
_MINUTE_MS = 60_000
_REJECTIONS_PER_MINUTE = 5  # of one strategy, asset and side: it repeats what the venue does not take


def check(signal: Signal, view: RiskView, rules: Iterable[Rule] | None = None) -> list[Refusal]:
    """Return every rule's refusal of a signal, in order; what follows shape and instrument needs them to pass."""
    refusals: list[Refusal] = []
    exit_order = False
    for rule in rules if rules is not None else RULES:
        if exit_order and not rule.binds_exits:
            continue
        reason = rule.refuse(signal, view)
        if reason is not None:
            refusals.append(Refusal(rule.name, reason))
            if rule.name in ("shape", "instrument"):
                return refusals
        if rule.name == "instrument":
            exit_order = reduces_risk(signal, view)
    return refusals


# -- the rules ------------------------------------------------------------------------------------------------------


def shape(signal: Signal, view: RiskView) -> str | None:
    """Every field is present, of its type, finite and in range."""
    del view
    wrong = malformed(signal)
    if wrong is None and signal.size <= 0:
        return f"a size of {decimal_text(signal.size)} USDC is not above 0"
    return wrong


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
    """Entries keep away from the end of a market; an end that nobody knows may be now."""
    wanted = view.limits.min_time_to_end_s
    if not wanted:
        return None
    ends_ms = view.board.market_by_asset[signal.asset_id].end_at_ms
    if ends_ms is None:
        return f"nobody knows when the market ends; entries need risk.min_time_to_end_s = {wanted} s"
    left = (ends_ms - view.now_ms) // 1_000
    if left < wanted:
        return f"the market ends in {max(0, left)} s; entries need risk.min_time_to_end_s = {wanted} s"
    return None


def freshness(signal: Signal, view: RiskView) -> str | None:
    """Entries stand on market data that is young and not crossed, in a market where all that is held has a price."""
    book, limit = view.book_of(signal), view.limits.max_book_age_ms
    if book is None or not book.ready or view.book_age_ms is None:
        return "no order book has arrived for this asset, or it was lost; wait for a snapshot"
    if view.book_age_ms > limit:
        return f"the market data is {view.book_age_ms} ms old; risk.max_book_age_ms is {limit}"
    if view.book_age_ms < -_AHEAD_MS:
        return f"the market data is stamped {-view.book_age_ms} ms ahead of our clock, at most {_AHEAD_MS} is believed"
    if book.crossed and book.two_sided:
        return "the book is crossed; it cannot be trusted"
    if not view.unpriced.isdisjoint(view.board.market_by_asset[signal.asset_id].asset_ids):
        return "what is held in this market has no current price"
    return None


def form(signal: Signal, view: RiskView) -> str | None:
    """Price on the grid of now, quantity in lots and above the minimum."""
    market = view.board.market_by_asset[signal.asset_id]
    return form_refusal(market, signal.target_price, signal.quantity, signal.time_in_force)


def collar(signal: Signal, view: RiskView) -> str | None:
    """The price is near the reference: mid if the spread is narrow, else a fresh last trade, else no entry."""
    exit_order = reduces_risk(signal, view)
    market = view.board.market_by_asset[signal.asset_id]
    width = max(view.limits.exit_collar if exit_order else view.limits.price_collar, 3 * market.tick_size)
    reference = _reference(signal, view, view.book_of(signal))
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
    if trade is not None and -_AHEAD_MS <= view.now_ms - trade.at_ms <= _TRADE_AGE_MS:
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
    window_s = view.limits.duplicate_window_s
    for order in view.live_orders():
        same = (order.asset_id, order.side, order.price) == (signal.asset_id, signal.side, signal.target_price)
        if same and order.quantity == signal.quantity and order.created_ms > view.now_ms - window_s * 1_000:
            age_s = (view.now_ms - order.created_ms) / 1_000
            return (
                f"the same order was placed {age_s:.1f} s ago and may still be matched ({order.order_id}); "
                f"risk.duplicate_window_s is {window_s}"
            )
    return None


def repetition(signal: Signal, view: RiskView) -> str | None:
    """A strategy that repeats itself on one asset and side is stopped; resting quotes without a fill do not count."""
    taken = [order for order in (*view.recent, *_like(signal, view.pending)) if order.state is not OrderState.REJECTED]
    last_minute = sum(order.created_ms > view.now_ms - _MINUTE_MS for order in taken)
    if reduces_risk(signal, view):
        most = view.limits.exits_per_minute
        return f"{last_minute} exits in a minute; risk.exits_per_minute is {most}" if last_minute >= most else None
    if last_minute >= view.limits.entries_per_minute:
        return f"{last_minute} entries in a minute; risk.entries_per_minute is {view.limits.entries_per_minute}"
    if len(taken) >= view.limits.entries_per_hour:
        return f"{len(taken)} entries in an hour; risk.entries_per_hour is {view.limits.entries_per_hour}"
    rejected = [order for order in view.recent if order.state is OrderState.REJECTED]
    rejections = sum(order.created_ms > view.now_ms - _MINUTE_MS for order in rejected)
    if rejections >= _REJECTIONS_PER_MINUTE:
        return f"{rejections} orders like it were rejected in a minute; after {_REJECTIONS_PER_MINUTE} it waits"
    return None


def _like(signal: Signal, orders: Iterable[Order]) -> Iterable[Order]:
    return (o for o in orders if (o.asset_id, o.side) == (signal.asset_id, signal.side) and not o.post_only)


def self_trade(signal: Signal, view: RiskView) -> str | None:
    """No order would meet one of ours, on either outcome."""
    market = view.board.market_by_asset[signal.asset_id]
    # In terms of the first outcome a sale of NO at p is a purchase of YES at 1 - p.
    buys, at = _first_terms(market, signal.asset_id, signal.side, signal.target_price)
    for order in (order for order in view.live_orders() if order.condition_id == market.condition_id):
        other_buys, other_at = _first_terms(market, order.asset_id, order.side, order.price)
        if other_buys != buys and (at >= other_at if buys else at <= other_at):
            price = decimal_text(order.price)
            return (
                f"it would trade with our own {order.side.value} at {price} ({order.order_id}); cancel that one first"
            )
    return None


def _first_terms(market: Market, asset_id: str, side: Side, at: int) -> tuple[bool, int]:
    return (side is Side.BUY, at) if asset_id == market.asset_ids[0] else (side is Side.SELL, MICRO - at)


RULES: tuple[Rule, ...] = (
    Rule("shape", shape, binds_exits=True),
    Rule("state", agent_state, binds_exits=True),
    Rule("authority", authority, binds_exits=True),
    Rule("venue", venue, binds_exits=True),
    Rule("instrument", instrument, binds_exits=True),
    Rule("listing", listing, binds_exits=False),
    Rule("time_to_end", time_to_end, binds_exits=False),
    Rule("clock", clock, binds_exits=False),
    Rule("stream", stream, binds_exits=False),
    Rule("freshness", freshness, binds_exits=False),
    Rule("form", form, binds_exits=True),
    Rule("collar", collar, binds_exits=True),
    Rule("slippage", slippage, binds_exits=True),
    Rule("duplicate", duplicate, binds_exits=True),
    Rule("repetition", repetition, binds_exits=True),
    Rule("self_trade", self_trade, binds_exits=True),
    Rule("max_order_size", order_size, binds_exits=False),
    Rule("max_position_size", position_size, binds_exits=False),
    Rule("max_event_exposure", event_exposure, binds_exits=False),
    Rule("max_strategy_exposure", strategy_exposure, binds_exits=False),
    Rule("max_total_exposure", total_exposure, binds_exits=False),
    Rule("max_markets", markets, binds_exits=False),
    Rule("means", means, binds_exits=True),
    Rule("max_daily_loss", daily_loss, binds_exits=False),
    Rule("max_drawdown", drawdown, binds_exits=False),
    Rule("max_open_orders", open_orders, binds_exits=False),
    Rule("message_rate", message_rate, binds_exits=True),
    Rule("breakers", breakers, binds_exits=False),
    Rule("max_daily_turnover", daily_turnover, binds_exits=False),
)

# What still has to hold before the same bytes of an order are sent again: its reservation stands, and the venue takes
# them once. Limits on new orders and the order's own traces (it is unknown, it is its own copy) do not.
_RESENT = {"state", "authority", "venue", "instrument", "clock", "freshness", "form", "collar", "max_daily_loss"}
RESEND_RULES: tuple[Rule, ...] = tuple(rule for rule in RULES if rule.name in _RESENT)
