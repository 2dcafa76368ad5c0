"""What we hold and owe: positions, cash, live orders, and what they could still cost.

`Account` changes only by orders, fills and resolutions. It is arithmetic of its own; the ledger's postings are
computed separately and must come to the same sums.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from polymarket_agent.domain.levels import Side
from polymarket_agent.domain.market import AssetId, ConditionId, FeeSchedule, Market, most_taker_fee
from polymarket_agent.domain.money import MICRO, Price, Shares, Usdc, ceil_div, cost_rounded_up
from polymarket_agent.domain.order import Fill, Order, OrderId, OrderState, SettlementStatus
from polymarket_agent.errors import LedgerError

__all__ = ["Account", "Position", "exposure_of", "shrink", "worst_cost"]


@dataclass(frozen=True, slots=True)
class Position:
    """Shares of one asset. `cost` is what the held shares cost before fees, `entry_fees` the fees on top.

    Selling a part takes the same part of both, rounded down; the last share takes the rest.
    """

    asset_id: AssetId
    condition_id: ConditionId
    quantity: Shares = Shares(0)
    cost: Usdc = Usdc(0)
    entry_fees: Usdc = Usdc(0)

    @property
    def average_cost(self) -> Price:
        """Micro-USDC paid per share held, rounded up; 0 for none."""
        return Price(ceil_div(self.cost * MICRO, self.quantity)) if self.quantity else Price(0)

    def basis_of(self, quantity: Shares) -> Usdc:
        """Return the cost that leaves with `quantity`."""
        return Usdc(self.cost * quantity // self.quantity)


def worst_cost(side: Side, at: Price, quantity: Shares, fees: FeeSchedule, *, post_only: bool) -> int:
    """Return what an order can cost at most: micro-USDC for a BUY (fee included), micro-shares for a SELL."""
    if side is Side.SELL:
        return quantity
    amount = cost_rounded_up(at, quantity)
    return amount if post_only and fees.taker_only else amount + most_taker_fee(amount, quantity, fees)


def shrink(order: Order, fill: Fill, fees: FeeSchedule) -> Order:
    """Return an order after one of its fills: matched grown, its reservation down to what the rest can cost.

    A reservation falls by at least what the fill took, so that free cash never pays for a fill.

    Raises:
        LedgerError: the order would be filled beyond its quantity.
    """
    matched = Shares(order.matched + fill.quantity)
    if matched > order.quantity:
        raise LedgerError(f"order {order.order_id} of {order.quantity} would be filled to {matched}")
    rest = Shares(order.quantity - matched)
    reserved = worst_cost(order.side, order.price, rest, fees, post_only=order.post_only or fill.is_maker)
    taken: int = fill.quantity if order.side is Side.SELL else fill.notional + fill.fee
    return replace(
        order, matched=matched, reserved=max(0, min(order.reserved - taken, reserved)), updated_ms=fill.at_ms
    )


def exposure_of(holdings: Iterable[tuple[Shares, Usdc]], open_buys: Usdc = Usdc(0)) -> Usdc:
    """Return the most that can still be lost in one market, in micro-USDC.

    cost of what is held with entry fees + worst cost of live buys - the smallest payout over both answers.

    Args:
        holdings: (shares, cost with entry fees) of each outcome; missing outcomes count as none held.
        open_buys: worst cost of buys that may still be matched.
    """
    held = list(holdings)
    guaranteed = min(quantity for quantity, _ in held) if len(held) > 1 else 0
    return Usdc(sum(cost for _, cost in held) + open_buys - guaranteed)


class Account:
    """Cash, positions and live orders of one wallet."""

    def __init__(self, starting_balance: Usdc = Usdc(0)) -> None:
        self.deposits = starting_balance
        self.cash = starting_balance
        self.realised = Usdc(0)  # before fees
        self.fees = Usdc(0)
        self.positions: dict[AssetId, Position] = {}
        self.orders: dict[OrderId, Order] = {}
        self._bought_by: dict[tuple[str, AssetId], int] = {}
        self._applied: set[tuple[str, OrderId, int]] = set()

    def apply_order(self, order: Order) -> None:
        """Take in an order's new state; a closed one is forgotten here (the journal keeps it)."""
        if order.possibly_alive or order.state is OrderState.PREPARED:
            self.orders[order.order_id] = order
        else:
            self.orders.pop(order.order_id, None)

    def apply_fill(self, fill: Fill) -> bool:
        """Book a fill once. Returns False for a copy of one that is booked already.

        Raises:
            LedgerError: more would be sold than is held, or spent than there is. Nothing has changed.
        """
        key = (fill.trade_id, fill.order_id, fill.bucket)
        if key in self._applied:
            return False
        if fill.settlement is SettlementStatus.FAILED:
            return False
        position = self.positions.get(fill.asset_id) or Position(fill.asset_id, fill.condition_id)
        if fill.side is Side.BUY:
            cash = self.cash - fill.notional - fill.fee
            if cash < 0:
                raise LedgerError(f"fill {fill.trade_id} costs {fill.notional + fill.fee}, cash is {self.cash}")
            after = replace(
                position,
                quantity=Shares(position.quantity + fill.quantity),
                cost=Usdc(position.cost + fill.notional),
                entry_fees=Usdc(position.entry_fees + fill.fee),
            )
            gain = 0
        else:
            if fill.quantity > position.quantity:
                raise LedgerError(f"fill {fill.trade_id} sells {fill.quantity}, {position.quantity} are held")
            cash = self.cash + fill.notional - fill.fee
            basis = position.basis_of(fill.quantity)
            gain = fill.notional - basis
            after = replace(
                position,
                quantity=Shares(position.quantity - fill.quantity),
                cost=Usdc(position.cost - basis),
                entry_fees=Usdc(position.entry_fees - position.entry_fees * fill.quantity // position.quantity),
            )
        self._applied.add(key)
        owner = (fill.strategy, fill.asset_id)
        sign = 1 if fill.side is Side.BUY else -1
        self._bought_by[owner] = self._bought_by.get(owner, 0) + sign * fill.quantity
        self.cash = Usdc(cash)
        self.fees = Usdc(self.fees + fill.fee)
        self.realised = Usdc(self.realised + gain)
        self._store(after)
        return True

    def apply_resolution(self, asset_id: AssetId, payout: int) -> Usdc:
        """Turn a position into its payout (micro-USDC a share, rounded down in sum). Returns the cash received."""
        position = self.positions.get(asset_id)
        if position is None:
            return Usdc(0)
        received = Usdc(position.quantity * payout // MICRO)
        self.cash = Usdc(self.cash + received)
        self.realised = Usdc(self.realised + received - position.cost)
        del self.positions[asset_id]
        for owner in [owner for owner in self._bought_by if owner[1] == asset_id]:
            del self._bought_by[owner]
        return received

    def remember_fill(self, trade_id: str, order_id: OrderId, bucket: int) -> None:
        """Note a fill that the ledger holds from an earlier run, so that a copy of it is ignored."""
        self._applied.add((trade_id, order_id, bucket))

    def _store(self, position: Position) -> None:
        if position.quantity:
            self.positions[position.asset_id] = position
        else:
            self.positions.pop(position.asset_id, None)

    def quantity_of(self, asset_id: AssetId) -> Shares:
        """Micro-shares held of an asset."""
        position = self.positions.get(asset_id)
        return position.quantity if position else Shares(0)

    def bought_by(self, strategy: str, asset_id: AssetId) -> Shares:
        """Micro-shares held of an asset that a strategy bought and has not sold; never more than are held."""
        return Shares(max(0, min(self._bought_by.get((strategy, asset_id), 0), self.quantity_of(asset_id))))

    @property
    def reserved_cash(self) -> Usdc:
        """What live buys may still cost: a sum over the orders, not a counter."""
        return Usdc(sum(order.reserved for order in self.orders.values() if order.side is Side.BUY))

    @property
    def free_cash(self) -> Usdc:
        """Cash that no order is promised."""
        return Usdc(self.cash - self.reserved_cash)

    def reserved_shares(self, asset_id: AssetId) -> Shares:
        """Micro-shares that live sells of an asset may still deliver."""
        return Shares(sum(o.reserved for o in self.orders.values() if o.side is Side.SELL and o.asset_id == asset_id))

    def free_shares(self, asset_id: AssetId) -> Shares:
        """Micro-shares held that no live sell is promised."""
        return Shares(self.quantity_of(asset_id) - self.reserved_shares(asset_id))

    def orders_of(self, market: Market) -> Iterator[Order]:
        """Live orders in a market."""
        return (order for order in self.orders.values() if order.condition_id == market.condition_id)

    def exposure(self, market: Market, *, selling: tuple[AssetId, Shares] | None = None) -> Usdc:
        """Return the most that can still be lost in a market; with `selling`, after that sale too.

        Live buys count as filled. Live sells count as filled where that makes it worse: selling one half of a
        pair leaves the other half without its guarantee.
        """
        first, second = (self._after_sales(asset_id, selling) for asset_id in market.asset_ids)
        buys = Usdc(sum(o.reserved for o in self.orders_of(market) if o.side is Side.BUY))
        return max(exposure_of((one, other), buys) for one in first for other in second)

    def _after_sales(
        self, asset_id: AssetId, selling: tuple[AssetId, Shares] | None
    ) -> tuple[tuple[Shares, Usdc], tuple[Shares, Usdc]]:
        """Return (shares, cost with fees) of an asset as held, and after all of its live sells."""
        position = self.positions.get(asset_id)
        if position is None:
            return (Shares(0), Usdc(0)), (Shares(0), Usdc(0))
        held, cost = position.quantity, position.cost + position.entry_fees
        now = max(0, held - selling[1]) if selling is not None and selling[0] == asset_id else held
        later = max(0, now - self.reserved_shares(asset_id))
        return (
            (Shares(now), Usdc(ceil_div(cost * now, held))),
            (Shares(later), Usdc(ceil_div(cost * later, held))),
        )
