"""What we hold and owe: positions, cash, live orders, and what they could still cost.

`Account` changes only by orders, fills and resolutions. It is arithmetic of its own; the ledger's postings are
computed separately and must come to the same sums.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from polymarket_agent.domain.costs import exposure_of
from polymarket_agent.domain.levels import Side
from polymarket_agent.domain.market import AssetId, ConditionId, Market
from polymarket_agent.domain.money import MICRO, Shares, Usdc, ceil_div
from polymarket_agent.domain.order import SETTLEMENT_MOVES, Fill, Order, OrderId, OrderState, SettlementStatus
from polymarket_agent.domain.position import Position, Unsettled, after_fill
from polymarket_agent.errors import LedgerError

__all__ = ["Account", "FillKey"]


FillKey = tuple[str, OrderId, int]


class Account:
    """Cash, positions and live orders of one wallet.

    Fills count from their match. Until they are settled they may still fail, and then count as if they had never
    been: shares bought so are not sold on, and proceeds are not spent, before.
    """

    def __init__(self, starting_balance: Usdc = Usdc(0)) -> None:
        self.deposits = starting_balance
        self.cash = starting_balance
        self.realised = Usdc(0)  # before fees
        self.fees = Usdc(0)
        self.positions: dict[AssetId, Position] = {}
        self.orders: dict[OrderId, Order] = {}
        self._bought_by: dict[tuple[str, AssetId], int] = {}
        self._applied: set[FillKey] = set()
        self._unsettled: dict[AssetId, Unsettled] = {}

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
        if key in self._applied or fill.settlement is SettlementStatus.FAILED:
            return False
        position = self.positions.get(fill.asset_id) or Position(fill.asset_id, fill.condition_id)
        moved = -fill.notional if fill.side is Side.BUY else fill.notional
        cash = self.cash + moved - fill.fee
        if fill.side is Side.BUY and cash < 0:
            raise LedgerError(f"fill {fill.trade_id} costs {fill.notional + fill.fee}, cash is {self.cash}")
        after, gain = after_fill(position, fill)
        if not fill.settlement.final or fill.asset_id in self._unsettled:
            self._unsettled.setdefault(fill.asset_id, Unsettled(position, [])).fills.append(fill)
        self._applied.add(key)
        self._count_for(fill, 1)
        self.cash = Usdc(cash)
        self.fees = Usdc(self.fees + fill.fee)
        self.realised = Usdc(self.realised + gain)
        self._store(after)
        return True

    def settle(self, trade_id: str, order_id: OrderId, bucket: int, status: SettlementStatus) -> bool:
        """Advance a booked fill; False if nothing changes (an older message, or a fill that is final).

        CONFIRMED makes it final. FAILED undoes it: position, realised gains and fees are those of a replay without it.

        Raises:
            LedgerError: without it more would have been sold than was held. Nothing has changed.
        """
        for asset_id, unsettled in self._unsettled.items():
            for index, fill in enumerate(unsettled.fills):
                if (fill.trade_id, fill.order_id, fill.bucket) == (trade_id, order_id, bucket):
                    if status is fill.settlement or status not in SETTLEMENT_MOVES[fill.settlement]:
                        return False
                    if status is SettlementStatus.FAILED:
                        self._undo(unsettled, index)
                    else:
                        unsettled.fills[index] = replace(fill, settlement=status)
                    unsettled.fold()
                    if not unsettled.fills:
                        del self._unsettled[asset_id]
                    return True
        return False

    def _undo(self, unsettled: Unsettled, index: int) -> None:
        fill = unsettled.fills[index]
        without = Unsettled(unsettled.base, [*unsettled.fills[:index], *unsettled.fills[index + 1 :]])
        (after, realised), (_, before) = without.replay(), unsettled.replay()
        unsettled.fills = without.fills
        moved = fill.notional if fill.side is Side.BUY else -fill.notional
        self.cash = Usdc(self.cash + moved + fill.fee)
        self.fees = Usdc(self.fees - fill.fee)
        self.realised = Usdc(self.realised + realised - before)
        self._count_for(fill, -1)
        self._store(after)

    def _count_for(self, fill: Fill, times: int) -> None:
        owner, sign = (fill.strategy, fill.asset_id), times if fill.side is Side.BUY else -times
        self._bought_by[owner] = self._bought_by.get(owner, 0) + sign * fill.quantity

    def booked(self, trade_id: str, order_id: OrderId, bucket: int) -> bool:
        """Whether a fill is known, failed or not."""
        return (trade_id, order_id, bucket) in self._applied

    def unsettled_fills(self) -> list[Fill]:
        """Return fills that are booked and may still fail."""
        return [fill for each in self._unsettled.values() for fill in each.fills if not fill.settlement.final]

    def unsettled_fill(self, trade_id: str, order_id: OrderId, bucket: int) -> Fill | None:
        """Return a booked fill that may still fail, or None."""
        for fill in self.unsettled_fills():
            if (fill.trade_id, fill.order_id, fill.bucket) == (trade_id, order_id, bucket):
                return fill
        return None

    def pending_buys(self, asset_id: AssetId) -> Shares:
        """Micro-shares bought and not settled yet."""
        each = self._unsettled.get(asset_id)
        return Shares(sum(fill.quantity for fill in each.pending(Side.BUY))) if each else Shares(0)

    def pending_sells(self, asset_id: AssetId) -> Shares:
        """Micro-shares sold and not settled yet; the wallet still has them."""
        each = self._unsettled.get(asset_id)
        return Shares(sum(fill.quantity for fill in each.pending(Side.SELL))) if each else Shares(0)

    @property
    def pending_cost(self) -> Usdc:
        """Micro-USDC, fees included, that unsettled purchases will take from the wallet."""
        bought = (fill for each in self._unsettled.values() for fill in each.pending(Side.BUY))
        return Usdc(sum(fill.notional + fill.fee for fill in bought))

    @property
    def pending_proceeds(self) -> Usdc:
        """Micro-USDC, fees taken off, that unsettled sales will bring."""
        sold = (fill for each in self._unsettled.values() for fill in each.pending(Side.SELL))
        return Usdc(sum(fill.notional - fill.fee for fill in sold))

    def deposit(self, amount: Usdc) -> None:
        """Book cash from outside, negative for what left. It is no profit."""
        self.deposits = Usdc(self.deposits + amount)
        self.cash = Usdc(self.cash + amount)

    def deposit_shares(self, asset_id: AssetId, condition_id: ConditionId, quantity: Shares, cost: Usdc) -> None:
        """Book shares from outside at what they cost there; negative for what left, at its part of our cost.

        Raises:
            LedgerError: more would leave than is held, or fills of the asset are not settled.
        """
        if asset_id in self._unsettled:
            raise LedgerError(f"shares of {asset_id} moved while fills of it are not settled")
        position = self.positions.get(asset_id) or Position(asset_id, condition_id)
        if quantity < 0:
            if -quantity > position.quantity:
                raise LedgerError(f"{-quantity} of {asset_id} left, {position.quantity} are held")
            part = Position(asset_id, condition_id, Shares(-quantity))
            cost = Usdc(-position.basis_of(part.quantity))
        fees = position.entry_fees * -quantity // position.quantity if quantity < 0 else 0
        self.deposits = Usdc(self.deposits + cost)
        self._store(
            replace(
                position,
                quantity=Shares(position.quantity + quantity),
                cost=Usdc(position.cost + cost),
                entry_fees=Usdc(position.entry_fees - fees),
            )
        )

    def adjust(self, amount: Usdc) -> None:
        """Book a rounding of the venue, positive in our favour; it counts as a fee."""
        self.cash = Usdc(self.cash + amount)
        self.fees = Usdc(self.fees - amount)

    def apply_merge(self, first: AssetId, second: AssetId, quantity: Shares) -> None:
        """Turn complete sets into 1 USDC each.

        Raises:
            LedgerError: less than that is held and settled of one of them. Nothing has changed.
        """
        for asset_id in (first, second):
            if quantity > self.quantity_of(asset_id) or asset_id in self._unsettled:
                raise LedgerError(f"{quantity} sets are merged, {self.quantity_of(asset_id)} of {asset_id} are settled")
        cost = 0
        for asset_id in (first, second):
            position = self.positions[asset_id]
            part = position.basis_of(quantity)
            fees = position.entry_fees * quantity // position.quantity
            cost += part
            left = replace(
                position,
                quantity=Shares(position.quantity - quantity),
                cost=Usdc(position.cost - part),
                entry_fees=Usdc(position.entry_fees - fees),
            )
            self._store(left)
        self.cash = Usdc(self.cash + quantity)
        self.realised = Usdc(self.realised + quantity - cost)

    def apply_resolution(self, asset_id: AssetId, payout: int) -> Usdc:
        """Turn a position into its payout (micro-USDC a share, rounded down in sum). Returns the cash received.

        Raises:
            LedgerError: fills of it are not settled; what may still fail is not paid out.
        """
        if asset_id in self._unsettled:
            raise LedgerError(f"fills of {asset_id} are not settled")
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
        """Cash that is here and that no order is promised."""
        return Usdc(self.cash - self.pending_proceeds - self.reserved_cash)

    def reserved_shares(self, asset_id: AssetId) -> Shares:
        """Micro-shares that live sells of an asset may still deliver.

        A quarantined sale blocks no other: the venue cannot settle shares that are gone.
        """
        sells = (o for o in self.orders.values() if o.side is Side.SELL and o.asset_id == asset_id)
        return Shares(sum(o.reserved for o in sells if o.state is not OrderState.QUARANTINED))

    def free_shares(self, asset_id: AssetId) -> Shares:
        """Micro-shares held and settled that no live sell is promised."""
        settled = self.quantity_of(asset_id) - self.pending_buys(asset_id)
        return Shares(settled - self.reserved_shares(asset_id))

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
