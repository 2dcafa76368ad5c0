"""Rules about amounts: what an order, a market, an event, a strategy and the whole agent may cost and lose."""

from __future__ import annotations

from polymarket_agent.decision.exposure import markets_at_risk
from polymarket_agent.decision.view import RiskView
from polymarket_agent.domain.book import Side
from polymarket_agent.domain.money import display
from polymarket_agent.domain.signal import Signal

__all__ = [
    "daily_loss",
    "daily_turnover",
    "drawdown",
    "event_exposure",
    "markets",
    "means",
    "open_orders",
    "order_size",
    "position_size",
    "strategy_exposure",
    "total_exposure",
]


def order_size(signal: Signal, view: RiskView) -> str | None:
    """A purchase by itself costs no more than one order may, its fee included."""
    limit, cost = view.limits.max_order_size, view.order_of(signal).reserved
    if signal.side is Side.BUY and cost > limit:
        return f"it may cost {display(cost)} USDC; max_order_size is {display(limit)}"
    return None


def position_size(signal: Signal, view: RiskView) -> str | None:
    """The order alone, and what its market can lose with it, stay within the limit."""
    limit = view.limits.max_position_size
    market = view.board.market_by_asset[signal.asset_id]
    order = view.order_of(signal)
    after = view.exposure(market, more=order)
    if signal.side is Side.SELL:
        could = f"selling it breaks a pair: {display(after)} USDC could then be lost"
        return f"{could}; max_position_size is {display(limit)}" if after > limit else None
    before = view.exposure(market)
    if order.reserved > limit or after > limit:
        room = max(0, min(limit, limit - before))
        return (
            f"BUY of {display(order.reserved)} USDC refused: max_position_size is {display(limit)} USDC and "
            f"{display(before)} are at risk in this market; lower the size to {display(room)} or raise "
            "risk.max_position_size"
        )
    return None


def event_exposure(signal: Signal, view: RiskView) -> str | None:
    """What the markets of one event can lose together stays within the limit."""
    market = view.board.market_by_asset[signal.asset_id]
    limit = view.limits.max_event_exposure
    if len(view.event_of(market).conditions) == 1 and limit >= view.limits.max_position_size:
        return None  # max_position_size says all there is to say
    after = view.event_exposure(market, more=view.order_of(signal))
    if after <= limit:
        return None
    return _beyond("max_event_exposure", limit, view.event_exposure(market), after, "this event")


def strategy_exposure(signal: Signal, view: RiskView) -> str | None:
    """What one strategy can lose stays within the limit."""
    limit = view.limits.max_strategy_exposure
    after = view.total_exposure(signal.strategy, more=view.order_of(signal))
    if after <= limit:
        return None
    return _beyond("max_strategy_exposure", limit, view.total_exposure(signal.strategy), after, signal.strategy)


def total_exposure(signal: Signal, view: RiskView) -> str | None:
    """What can be lost in all stays within the limit."""
    limit = view.limits.max_total_exposure
    after = view.total_exposure(more=view.order_of(signal))
    if after <= limit:
        return None
    return _beyond("max_total_exposure", limit, view.total_exposure(), after, "all markets")


def _beyond(name: str, limit: int, before: int, after: int, where: str) -> str:
    return (
        f"{display(after)} USDC could then be lost in {where}, {display(before)} without it; {name} is {display(limit)}"
    )


def markets(signal: Signal, view: RiskView) -> str | None:
    """The number of markets with something held or bid for stays within the limit."""
    limit = view.limits.max_markets
    at_risk = markets_at_risk(view.account, view.live_orders())
    new = view.board.market_by_asset[signal.asset_id].condition_id not in at_risk
    if signal.side is Side.BUY and new and len(at_risk) + 1 > limit:
        return f"{len(at_risk)} markets are held or bid for; max_markets is {limit}"
    return None


def means(signal: Signal, view: RiskView) -> str | None:
    """There is free cash for a purchase with its fee, and there are free shares for a sale."""
    if signal.side is Side.SELL:
        free = view.free_shares(signal.asset_id)
        if signal.quantity > free:
            return f"{display(signal.quantity)} shares are to be sold, {display(free)} are free"
        return None
    cost = view.order_of(signal).reserved
    if cost > view.free_cash:
        return f"it may cost {display(cost)} USDC, {display(max(0, view.free_cash))} are free"
    allowance = view.conditions.allowance
    promised = sum(order.reserved for order in view.live_orders() if order.side is Side.BUY)
    if allowance is not None and cost + promised > allowance:
        return f"the exchange may take {display(allowance)} USDC of the wallet; {display(cost + promised)} are needed"
    return None


def daily_loss(signal: Signal, view: RiskView) -> str | None:
    """No entry once equity has fallen by the limit since 00:00 UTC."""
    del signal
    limit = view.limits.max_daily_loss
    if view.daily_loss >= limit:
        return f"equity has fallen by {display(view.daily_loss)} USDC today; max_daily_loss is {display(limit)}"
    return None


def drawdown(signal: Signal, view: RiskView) -> str | None:
    """No entry once equity has fallen by the limit from its highest."""
    del signal
    limit = view.limits.max_drawdown
    if view.drawdown >= limit:
        return f"equity is {display(view.drawdown)} USDC below its highest; max_drawdown is {display(limit)}"
    return None


def daily_turnover(signal: Signal, view: RiskView) -> str | None:
    """What the buys of a UTC day spent and may still spend stays within the limit."""
    if signal.side is not Side.BUY:
        return None
    limit = view.limits.max_daily_turnover
    before = view.turnover + sum(order.reserved for order in view.pending if order.side is Side.BUY)
    after = before + view.order_of(signal).reserved
    if after > limit:
        return f"buys of this day would come to {display(after)} USDC; max_daily_turnover is {display(limit)}"
    return None


def open_orders(signal: Signal, view: RiskView) -> str | None:
    """The number of orders that may still be matched stays within the limits, in all and per asset and side."""
    limit, most = view.limits.max_open_orders, view.limits.max_orders_per_side
    live = view.live_orders()
    if len(live) + 1 > limit:
        return f"{len(live)} orders may still be matched; max_open_orders is {limit}"
    same = sum((order.asset_id, order.side) == (signal.asset_id, signal.side) for order in live)
    if same + 1 > most:
        return f"{same} orders stand on this side of the asset; risk.max_orders_per_side is {most}"
    return None
