"""Why the venue refuses an order: its own texts and status codes, in the order of wire specification section 10.

What comes before (rate limit, authentication, payload, signature) is checked in front of the exchange.
"""

from __future__ import annotations

from polymarket_agent.domain.book import Side
from polymarket_agent.domain.market import MarketState
from polymarket_agent.domain.money import decimal_text
from polymarket_agent.sandbox.amounts import MARKET_TYPES, Terms, accuracy_error, ratio_text, taker_fee, terms_of
from polymarket_agent.sandbox.core import Core
from polymarket_agent.sandbox.ladder import Order, TradingMarket
from polymarket_agent.sandbox.model import Mode, OrderEntry, OrderStatus, OrderType, Refused
from polymarket_agent.sandbox.policy import DuplicateCheck, Policy

__all__ = [
    "ALREADY_DONE",
    "CANCEL_ONLY",
    "DISABLED",
    "FAK_KILLED",
    "FOK_KILLED",
    "NOT_FOUND",
    "NOT_READY",
    "NO_BOOK",
    "POST_ONLY_MODE",
    "RESTARTING",
    "cancel_reason",
    "coverage_refusal",
    "cross_refusal",
    "least_refusal",
    "market_refusal",
    "mode_refusal",
    "order_terms",
    "promised",
]

RESTARTING = "the matching engine is restarting"
CANCEL_ONLY = "Trading is currently cancel-only. New orders are not accepted, but cancels are allowed."
DISABLED = "Trading is currently disabled. Check polymarket.com for updates"
POST_ONLY_MODE = "post-only mode: only post-only orders and cancels are allowed"
NOT_READY = "the market is not yet ready to process new orders"
NO_BOOK = "No orderbook exists for the requested token id"
FOK_KILLED = "order couldn't be fully filled. FOK orders are fully filled or killed."
FAK_KILLED = "no orders found to match with FAK order. FAK orders are partially filled or killed if no match is found."
NOT_FOUND = "Order not found or already canceled"
ALREADY_DONE = "already canceled or matched"

_LIMIT_TYPES = (OrderType.GTC, OrderType.GTD)


def mode_refusal(mode: Mode, retry_after_s: int | None, *, post_only: bool) -> Refused | None:
    """Return what a new order is answered in a mode, or None when it is taken."""
    match mode:
        case Mode.NORMAL:
            return None
        case Mode.RESTARTING:
            return Refused(425, RESTARTING)
        case Mode.POST_ONLY:
            return None if post_only else Refused(503, POST_ONLY_MODE, "post_only_mode", retry_after_s)
        case Mode.CANCEL_ONLY:
            return Refused(503, CANCEL_ONLY)
        case Mode.DISABLED:
            return Refused(503, DISABLED)


def market_refusal(trading: TradingMarket | None) -> Refused | None:
    """Return why a market takes no orders: it is unknown or over (404), or not ready yet (400)."""
    if trading is None or trading.market.state is not MarketState.OPEN:
        return Refused(404, NO_BOOK)
    if not trading.market.accepting_orders:
        return Refused(400, NOT_READY)
    return None


def order_terms(core: Core, entry: OrderEntry, trading: TradingMarket) -> Terms | Refused:
    """Check an order by itself: tick, size, accuracy, expiration, whether its id is used. Return its terms."""
    policy, market = core.policy, trading.market
    quantity = entry.taker_amount if entry.side is Side.BUY else entry.maker_amount
    terms = terms_of(entry, market.tick_size)
    if terms is None and quantity > 0:
        tick = decimal_text(market.tick_size)
        return _invalid(entry, f"Price ({ratio_text(entry)}) breaks minimum tick size rule: {tick}")
    bound = entry.order_type in _LIMIT_TYPES or policy.market_min_shares
    if terms is None or (bound and quantity < market.min_order_size):
        least = decimal_text(market.min_order_size)
        return _invalid(entry, f"Size ({decimal_text(quantity)}) lower than the minimum: {least}")
    inaccurate = accuracy_error(entry, market.tick_size, policy.flat_limit_decimals)
    if inaccurate is not None:
        return Refused(400, inaccurate)
    if not _expiration_good(core, entry):
        return Refused(400, "invalid expiration")
    if entry.order_id in core.live or (policy.duplicates is not DuplicateCheck.LIVE and entry.order_id in core.closed):
        return _invalid(entry, "Duplicated.")
    if entry.post_only and entry.order_type in MARKET_TYPES:
        return Refused(400, "invalid post-only order: only GTC and GTD order types are allowed")
    return terms


def _invalid(entry: OrderEntry, reason: str) -> Refused:
    return Refused(400, f"order {entry.order_id} is invalid. {reason}")


def _expiration_good(core: Core, entry: OrderEntry) -> bool:
    if entry.order_type is not OrderType.GTD:
        return entry.expires_s == 0
    return (entry.expires_s - core.policy.gtd_margin_s) * 1000 > core.now_ms


def cross_refusal(policy: Policy, entry: OrderEntry) -> Refused | None:
    """Check an order that would match now: post-only, and the least collateral of marketable orders."""
    if entry.post_only:
        if policy.post_only_names_order:
            return Refused(400, f"order {entry.order_id} crosses the book")
        return Refused(400, "invalid post-only order: order crosses book")
    return least_refusal(policy, entry)


def least_refusal(policy: Policy, entry: OrderEntry) -> Refused | None:
    """Check the least collateral that a marketable order is for: all FOK and FAK orders, and crossing buys."""
    buying = entry.side is Side.BUY
    if not buying and entry.order_type not in MARKET_TYPES:
        return None
    collateral = entry.maker_amount if buying else entry.taker_amount
    if collateral < policy.marketable_min:
        least = decimal_text(policy.marketable_min)
        text = f"invalid amount for a marketable {entry.side.value} order (${decimal_text(collateral)}), min size: ${least}"
        return Refused(400, text)
    return None


def promised(core: Core, entry: OrderEntry, terms: Terms, *, crosses: bool) -> int:
    """Return what an order may take from its holding at its limit, fees of a taker included."""
    if entry.side is Side.SELL:
        return entry.maker_amount
    fees = core.by_asset[entry.asset_id].market.fees
    pays_fee = crosses or (core.policy.fee_gate_always and not entry.post_only)
    fee = taker_fee(((terms.price, terms.quantity),), fees, core.policy.fee_rounding) if pays_fee else 0
    return entry.maker_amount + fee


def coverage_refusal(order: Order, amount: int) -> Refused | None:
    """Check that a wallet has, and lets the contract take, `amount` beside what it has promised already."""
    holding = order.gives
    active = holding.active - order.reserved
    text = "not enough balance / allowance: "
    if holding.balance < active + holding.matched + amount:
        return Refused(
            400,
            f"{text}the balance is not enough -> balance: {holding.balance}, sum of active orders: {active}, "
            f"sum of matched orders: {holding.matched}, order amount (inc. fees): {amount}",
        )
    spender = order.trading.spender
    allowance = order.wallet.allowance(order.gives_asset, spender)
    if allowance < amount:
        text += f"the allowance is not enough -> spender: {spender}, allowance: {allowance}, order amount: {amount}"
        return Refused(400, text)
    return None


def cancel_reason(order: Order | None, owner: str) -> str:
    """Return why an order was not cancelled."""
    if order is None or order.owner != owner or order.status is OrderStatus.DELAYED:
        return NOT_FOUND
    return ALREADY_DONE
