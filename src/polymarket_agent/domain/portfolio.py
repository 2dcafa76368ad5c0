"""What we hold and owe: positions, cash, live orders, and what they are worth and could still cost.

`Account` changes only by orders, fills and resolutions. It is arithmetic of its own; the ledger's postings are
computed separately and must come to the same sums.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from polymarket_agent.domain.board import Board
from polymarket_agent.domain.book import OrderBook, Side
from polymarket_agent.domain.market import AssetId, ConditionId, FeeSchedule, Market, taker_fee
from polymarket_agent.domain.money import (
    MICRO,
    Price,
    Shares,
    Usdc,
    ceil_div,
    cost_rounded_up,
    proceeds_rounded_down,
)
from polymarket_agent.domain.order import Fill, Order, OrderId, OrderState, SettlementStatus
from polymarket_agent.errors import LedgerError

__all__ = ["Account", "Mark", "Portfolio", "Position", "Valuer", "exposure_of", "shrink", "worst_cost"]

UNPRICED_HAIRCUT_PERCENT = 90


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
    """Return what an order can cost at most: micro-USDC for a BUY (fee included), micro-shares for a SELL.

    For a curve of exponent 1 or more no price within the limit gives a higher fee than `amount * rate`.
    """
    if side is Side.SELL:
        return quantity
    amount = cost_rounded_up(at, quantity)
    if post_only or not fees.rate:
        return amount
    return amount + ceil_div((amount if fees.exponent else quantity) * fees.rate, MICRO)


def shrink(order: Order, fill: Fill, fees: FeeSchedule) -> Order:
    """Return an order after one of its fills: matched grown, reservation down to the worst cost of the rest."""
    matched = Shares(order.matched + fill.quantity)
    if matched > order.quantity:
        raise LedgerError(f"order {order.order_id} of {order.quantity} would be filled to {matched}")
    rest = Shares(order.quantity - matched)
    reserved = worst_cost(order.side, order.price, rest, fees, post_only=order.post_only or fill.is_maker)
    return replace(order, matched=matched, reserved=min(order.reserved, reserved), updated_ms=fill.at_ms)


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
        self._applied: set[tuple[str, OrderId, int]] = set()

    # -- changing -------------------------------------------------------------------------------------------------

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
        return received

    def remember_fill(self, trade_id: str, order_id: OrderId, bucket: int) -> None:
        """Note a fill that the ledger holds from an earlier run, so that a copy of it is ignored."""
        self._applied.add((trade_id, order_id, bucket))

    def _store(self, position: Position) -> None:
        if position.quantity:
            self.positions[position.asset_id] = position
        else:
            self.positions.pop(position.asset_id, None)

    # -- reading --------------------------------------------------------------------------------------------------

    def quantity_of(self, asset_id: AssetId) -> Shares:
        """Micro-shares held of an asset."""
        position = self.positions.get(asset_id)
        return position.quantity if position else Shares(0)

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
        """Return the most that can still be lost in a market; with `selling`, after that sale."""
        holdings: list[tuple[Shares, Usdc]] = []
        for asset_id in market.asset_ids:
            position = self.positions.get(asset_id)
            quantity, cost = (
                (position.quantity, position.cost + position.entry_fees) if position is not None else (0, 0)
            )
            if selling is not None and selling[0] == asset_id and quantity:
                left = max(0, quantity - selling[1])
                quantity, cost = left, ceil_div(cost * left, quantity)
            holdings.append((Shares(quantity), Usdc(cost)))
        buys = sum(o.reserved for o in self.orders_of(market) if o.side is Side.BUY)
        return exposure_of(holdings, Usdc(buys))


@dataclass(frozen=True, slots=True)
class Mark:
    """What a holding is worth: micro-USDC after the exit fee. `priced` is False when nothing current backs it."""

    value: Usdc
    priced: bool


class Valuer:
    """Values positions at what selling them now would bring; remembers the last good value of each.

    A stale, crossed or bid-less book gives the last good value times 0.9, flagged: it writes nothing off and
    sells nothing. Quantity beyond the displayed bids is worth 0. A resolved market pays its payout.
    """

    def __init__(self) -> None:
        self._last_good: dict[AssetId, tuple[Shares, Usdc]] = {}

    def mark(self, position: Position, market: Market | None, book: OrderBook | None) -> Mark:
        """Return what a position is worth now."""
        payout = market.payout_of(position.asset_id) if market is not None else None
        if payout is not None:
            return Mark(Usdc(position.quantity * payout // MICRO), priced=True)
        if market is not None and book is not None and book.ready and not book.crossed and book.best_bid is not None:
            walk = book.walk(Side.SELL, position.quantity)
            value = sum(proceeds_rounded_down(p, s) - taker_fee(p, s, market.fees) for p, s in walk.levels)
            good = Usdc(max(0, value))
            self._last_good[position.asset_id] = (position.quantity, good)
            return Mark(good, priced=True)
        quantity, value = self._last_good.get(position.asset_id, (position.quantity, position.cost))
        return Mark(Usdc(value * position.quantity * UNPRICED_HAIRCUT_PERCENT // (quantity * 100)), priced=False)

    def equity(self, account: Account, board: Board) -> tuple[Usdc, tuple[AssetId, ...]]:
        """Return cash + positions at mark, and the assets whose mark has no current price."""
        total, unpriced = account.cash, []
        for asset_id, position in account.positions.items():
            mark = self.mark(position, board.market_by_asset.get(asset_id), board.books.get(asset_id))
            total = Usdc(total + mark.value)
            if not mark.priced:
                unpriced.append(asset_id)
        return total, tuple(unpriced)

    def portfolio(self, account: Account, board: Board) -> Portfolio:
        """Return the account with every position marked."""
        marks = {
            asset_id: self.mark(position, board.market_by_asset.get(asset_id), board.books.get(asset_id))
            for asset_id, position in account.positions.items()
        }
        equity = Usdc(account.cash + sum(mark.value for mark in marks.values()))
        return Portfolio(
            cash=account.cash,
            reserved=account.reserved_cash,
            positions=dict(account.positions),
            marks=marks,
            equity=equity,
            realised=account.realised,
            fees=account.fees,
            deposits=account.deposits,
        )

    @property
    def last_good(self) -> Mapping[AssetId, tuple[Shares, Usdc]]:
        """The last value of each asset that a current book backed, with the quantity that it was for."""
        return self._last_good

    def remember(self, asset_id: AssetId, quantity: Shares, value: Usdc) -> None:
        """Take up a value from an earlier run."""
        self._last_good[asset_id] = (quantity, value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Portfolio:
    """An account at one instant. `realised` is before fees; PnL = equity - deposits contains everything."""

    cash: Usdc
    reserved: Usdc
    positions: dict[AssetId, Position]
    marks: dict[AssetId, Mark]
    equity: Usdc
    realised: Usdc
    fees: Usdc
    deposits: Usdc

    @property
    def pnl(self) -> Usdc:
        """Profit and loss since the start, after fees, open positions at their marks."""
        return Usdc(self.equity - self.deposits)

    @property
    def unrealised(self) -> Usdc:
        """Marks minus what the held shares cost before fees."""
        return Usdc(sum(self.marks[asset_id].value - position.cost for asset_id, position in self.positions.items()))
