"""Keeps account and journal of simulated orders in step: every move and fill goes into both, and is reported."""

from __future__ import annotations

from collections.abc import Sequence

from polymarket_agent.domain.charges import charges
from polymarket_agent.domain.events import Event, Filled, OrderUpdated
from polymarket_agent.domain.levels import Side
from polymarket_agent.domain.market import Market
from polymarket_agent.domain.matching import Match
from polymarket_agent.domain.money import LOT, Usdc, display
from polymarket_agent.domain.order import Fill, Order, OrderCause, OrderState
from polymarket_agent.domain.portfolio import Account, shrink, worst_cost
from polymarket_agent.ledger.journal import Journal

__all__ = ["Bookkeeper"]


class Bookkeeper:
    """Books moves, fills and payouts. `out` is what was not reported yet."""

    def __init__(self, account: Account, journal: Journal) -> None:
        self.out: list[Event] = []
        self._account = account
        self._journal = journal

    def take_out(self) -> list[Event]:
        """Return what happened since the last call."""
        out, self.out = self.out, []
        return out

    def need(self, order: Order, market: Market) -> int:
        """Return what an order of which nothing is matched can cost: micro-USDC, or micro-shares for a sale."""
        return worst_cost(order.side, order.price, order.quantity, market.fees, post_only=order.post_only)

    def means_refusal(self, order: Order, market: Market) -> str | None:
        """Return why such an order cannot be paid, or None; what it has reserved already is its own."""
        need = self.need(order, market)
        buys = order.side is Side.BUY
        have = (self._account.free_cash if buys else self._account.free_shares(order.asset_id)) + order.reserved
        if need > have:
            unit = "USDC" if buys else "shares"
            return f"not enough balance: {display(need)} {unit} needed, {display(have)} free"
        return None

    def move(self, order: Order, cause: OrderCause, at_ms: int, reason: str = "") -> Order:
        """Move an order by evidence and return it."""
        after = order.move(cause, at_ms, reason)
        self._account.apply_order(after)
        self._journal.order(after, before="" if order.state is OrderState.PREPARED else order.state.value)
        self.out.append(OrderUpdated(after, at_ms))
        return after

    def fill(self, order: Order, matches: Sequence[Match], at_ms: int, market: Market, *, is_maker: bool) -> Order:
        """Book what an order was matched with at one instant, and return it."""
        levels = [(match.price, match.quantity) for match in matches]
        costs = charges(order.side, levels, market.fees, is_maker=is_maker)
        booked: list[tuple[Fill, Order, str]] = []
        for left, match, (notional, fee) in zip(reversed(range(len(matches))), matches, costs, strict=True):
            # Many small fills of a resting buy may round up more often than was reserved for.
            most = order.reserved - notional if is_maker and order.side is Side.BUY else fee
            fill = Fill(
                trade_id=f"{order.order_id}-{order.matched}",
                order_id=order.order_id,
                condition_id=order.condition_id,
                asset_id=order.asset_id,
                side=order.side,
                price=match.price,
                quantity=match.quantity,
                notional=notional,
                fee=Usdc(min(fee, max(0, most))),
                is_maker=is_maker,
                evidence=match.evidence,
                at_ms=at_ms,
                strategy=order.strategy,
                note="fee schedule assumed" if market.fees_assumed and not is_maker else "",
            )
            before = order.state.value
            order = self._apply(fill, order, market, last=not left)
            booked.append((fill, order, before))
        if booked:
            self._journal.fills(booked)
        return order

    def _apply(self, fill: Fill, order: Order, market: Market, *, last: bool) -> Order:
        after = shrink(order, fill, market.fees)
        if last and after.remaining < LOT:  # a part of a lot may be on the next level of the same instant
            after = after.move(OrderCause.CLOSED_FILLED, fill.at_ms)
        self._account.apply_fill(fill)
        self._account.apply_order(after)
        self.out += (Filled(fill, fill.at_ms), OrderUpdated(after, fill.at_ms))
        return after

    def pay_out(self, market: Market, at_ms: int) -> None:
        """Turn what is held in a resolved market into its payout; nothing happens in another."""
        for asset_id, payout in zip(market.asset_ids, market.payouts or (), strict=False):
            if asset_id in self._account.positions:
                self._account.apply_resolution(asset_id, payout)
                self._journal.resolution(asset_id, payout, at_ms)
