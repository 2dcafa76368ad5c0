"""What an account is worth: positions at what selling them now would bring."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from polymarket_agent.domain.account import Account
from polymarket_agent.domain.board import Board
from polymarket_agent.domain.book import OrderBook
from polymarket_agent.domain.costs import exposure_of, rest_cost, shrink, unshrink, worst_cost
from polymarket_agent.domain.levels import Side
from polymarket_agent.domain.market import AssetId, Market, taker_fee
from polymarket_agent.domain.money import MICRO, Shares, Usdc, proceeds_rounded_down
from polymarket_agent.domain.position import Position

__all__ = [
    "Account",
    "Mark",
    "Portfolio",
    "Position",
    "Valuer",
    "exposure_of",
    "rest_cost",
    "shrink",
    "unshrink",
    "worst_cost",
]

UNPRICED_HAIRCUT_PERCENT = 90


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
