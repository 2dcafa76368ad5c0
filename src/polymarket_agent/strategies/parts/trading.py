"""Entries and exits that several strategies share: what they hold themselves, and at which limit they trade."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from polymarket_agent.domain.book import OrderBook, Side
from polymarket_agent.domain.events import BookDelta, BookSnapshot, Event, Filled, Gap, TickSizeChange, TradePrint
from polymarket_agent.domain.market import AssetId, FeeSchedule, Market, taker_fee
from polymarket_agent.domain.money import (
    MICRO,
    Price,
    Shares,
    ceil_div,
    cost_rounded_up,
    floor_to_lot,
    round_down_to_tick,
)
from polymarket_agent.domain.order import Fill, SettlementStatus, TimeInForce, form_refusal
from polymarket_agent.domain.signal import Signal
from polymarket_agent.strategies.base import MarketView

__all__ = [
    "EntryRule",
    "Holding",
    "Limit",
    "Opinion",
    "OwnHoldings",
    "entry_limit",
    "fee_per_share",
    "is_free",
    "leave",
    "sell_signal",
    "touched_assets",
]

_FEE_SAMPLE = Shares(100 * MICRO)  # the venue rounds a fee to 0.00001 USDC: over 100 shares that vanishes


def fee_per_share(at: Price, fees: FeeSchedule) -> int:
    """Return the taker fee in micro-USDC a share, rounded up."""
    return ceil_div(taker_fee(at, _FEE_SAMPLE, fees) * MICRO, _FEE_SAMPLE)


def touched_assets(event: Event) -> Iterable[AssetId]:
    """Return the assets that a market event is about; () when it is about none or about all."""
    match event:
        case BookDelta():
            return {change[0] for change in event.changes}
        case BookSnapshot() | TradePrint() | TickSizeChange():
            return (event.asset_id,)
        case Filled():
            return (event.fill.asset_id,)
        case Gap():
            return event.asset_ids
        case _:
            return ()


@dataclass(slots=True)
class Holding:
    """What this strategy itself bought of an asset: micro-shares, their cost with fees, since when."""

    quantity: int
    cost: int
    since_ms: int
    next_offer_ms: int = 0

    @property
    def average_cost(self) -> int:
        """Micro-USDC paid a share, fees included, rounded up."""
        return ceil_div(self.cost * MICRO, self.quantity)


class OwnHoldings:
    """Positions by this strategy's own fills, because an account holds those of all strategies together."""

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held: dict[AssetId, Holding] = {}

    def apply(self, fill: Fill) -> None:
        """Take in one of our fills. A failed settlement is none."""
        if fill.settlement is SettlementStatus.FAILED:
            return
        held = self._held.get(fill.asset_id)
        if fill.side is Side.BUY:
            if held is None:
                held = self._held[fill.asset_id] = Holding(0, 0, fill.at_ms)
            held.quantity += fill.quantity
            held.cost += fill.notional + fill.fee
        elif held is not None:
            left = held.quantity - fill.quantity
            if left <= 0:
                del self._held[fill.asset_id]
            else:
                held.cost = ceil_div(held.cost * left, held.quantity)
                held.quantity = left

    def get(self, asset_id: AssetId) -> Holding | None:
        """Return what we hold of an asset, or None."""
        return self._held.get(asset_id)

    def forget(self, market: Market) -> None:
        """Drop a market that is over."""
        for asset_id in market.asset_ids:
            self._held.pop(asset_id, None)


class Limit(NamedTuple):
    """A price to buy at, whether it takes what is displayed, and the edge left after costs (micro-USDC a share)."""

    price: Price
    takes: bool
    edge: int


def entry_limit(book: OrderBook, market: Market, fair_value: int, min_edge: int) -> Limit | None:
    """Return at which price an asset is worth buying, or None.

    Costs of the whole way are counted: `exit_price` = fair_value - spread / 2, the bid to expect when the price
    has come to our fair value, less the taker fee there. Taking the ask pays a fee too; resting one tick_size
    inside the best bid does not.
    """
    best_bid, best_ask = book.best_bid, book.best_ask
    if best_bid is None or best_ask is None:
        return None
    exit_price = min(fair_value, MICRO - 1) - (best_ask - best_bid) // 2
    if exit_price <= 0:
        return None
    exit_net = exit_price - fee_per_share(Price(exit_price), market.fees)
    taking_edge = exit_net - best_ask - fee_per_share(best_ask, market.fees)
    if taking_edge >= min_edge and not best_ask % market.tick_size:
        return Limit(best_ask, takes=True, edge=taking_edge)
    inside = round_down_to_tick(best_bid + market.tick_size, market.tick_size)
    resting = inside if inside < best_ask else round_down_to_tick(best_bid, market.tick_size)
    resting_edge = exit_net - resting
    if resting <= 0 or resting_edge < min_edge:
        return None
    return Limit(resting, takes=False, edge=resting_edge)


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryRule:
    """When an opinion is worth a purchase; prices in micro-USDC a share.

    An asset with its mid within `min_price` of 0 or 1, or a spread over `max_spread`, is left alone.
    fair_value = mid + reach * confidence; what is left of it after all costs must be `min_edge`.
    """

    reach: int
    min_edge: int
    max_spread: int
    min_price: int

    def buy(
        self, view: MarketView, market: Market, asset_id: AssetId, *, confidence: float, opinion: Opinion
    ) -> Signal | None:
        """Return the purchase, sized later, or None."""
        book = view.book(asset_id)
        if book is None or book.mid is None or book.spread is None or book.spread > self.max_spread:
            return None
        if not self.min_price <= book.mid <= MICRO - self.min_price:
            return None
        fair_value = min(book.mid + int(self.reach * confidence), MICRO - self.min_price)
        limit = entry_limit(book, market, fair_value, self.min_edge)
        if limit is None:
            return None
        edge = f"edge {limit.edge / MICRO:.4f} after fees and spread"
        return Signal(
            strategy=opinion.strategy,
            asset_id=asset_id,
            side=Side.BUY,
            target_price=limit.price,
            reason=f"buy {market.label_of(asset_id)}: {opinion.why}; {edge}",
            confidence=confidence,
            fair_value=fair_value / MICRO,
            time_in_force=TimeInForce.FAK if limit.takes else TimeInForce.GTD,
            post_only=not limit.takes,
            expires_at_ms=view.now_ms + (opinion.take_ms if limit.takes else opinion.rest_ms),
        )


class Opinion(NamedTuple):
    """Who wants to buy and why, and how long an order that takes and one that rests may live."""

    strategy: str
    why: str
    take_ms: int
    rest_ms: int


def is_free(market: Market, view: MarketView) -> bool:
    """Whether nothing is held of either outcome, by anyone, and no order of this strategy is open in the market."""
    if any(view.position(asset_id) is not None for asset_id in market.asset_ids):
        return False
    return not view.open_orders(market.condition_id)


def leave(
    view: MarketView,
    market: Market,
    own: OwnHoldings,
    *,
    why: Callable[[AssetId, Holding, Price], str],
    strategy: str,
    wait_ms: int,
) -> Signal | None:
    """Return the sale of an own holding for which `why` (asset, holding, best bid) gives a reason, or None.

    A holding is offered once in `wait_ms`.
    """
    for asset_id in market.asset_ids:
        held, book = own.get(asset_id), view.book(asset_id)
        if held is None or book is None or book.best_bid is None or view.now_ms < held.next_offer_ms:
            continue
        reason = why(asset_id, held, book.best_bid)
        if not reason:
            continue
        signal = sell_signal(
            view,
            market,
            asset_id,
            at_most=held.quantity,
            strategy=strategy,
            reason=f"sell {market.label_of(asset_id)}: {reason}",
            expires_at_ms=view.now_ms + wait_ms,
        )
        if signal is not None:
            held.next_offer_ms = view.now_ms + wait_ms
            return signal
    return None


def sell_signal(
    view: MarketView, market: Market, asset_id: AssetId, *, at_most: int, strategy: str, reason: str, expires_at_ms: int
) -> Signal | None:
    """Return a sale at the displayed best bid of what is free, or None when it cannot be done.

    It cannot without a trusted book with a bid, nor when the venue would refuse the form (too small). The price is
    rounded down to the grid: a bid that an older, finer grid left behind is still hit, at its own price.
    """
    book = view.book(asset_id)
    if book is None or book.best_bid is None:
        return None
    quantity = floor_to_lot(Shares(min(at_most, view.free_shares(asset_id))))
    price = round_down_to_tick(book.best_bid, market.tick_size)
    if form_refusal(market, price, quantity, TimeInForce.FAK) is not None:
        return None
    return Signal(
        strategy=strategy,
        asset_id=asset_id,
        side=Side.SELL,
        target_price=price,
        reason=reason,
        size=cost_rounded_up(price, quantity),
        time_in_force=TimeInForce.FAK,
        expires_at_ms=expires_at_ms,
    )
