"""From MATCHED to CONFIRMED or FAILED: when cash and shares really move, and how they move back.

Matching only promises. At the step that the policy names, everything a trade moves is moved at once, or nothing: if a
wallet no longer holds what it promised, or no longer allows the contract to take it, the transaction fails. A failure
after that step takes everything back, unless what came in has been passed on, which makes the step final.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from polymarket_agent.domain.market import AssetId
from polymarket_agent.sandbox.accounts import FEES, Wallet
from polymarket_agent.sandbox.core import Core
from polymarket_agent.sandbox.ladder import Order, TradingMarket
from polymarket_agent.sandbox.model import LegStatus, OrderStatus, TradeChanged
from polymarket_agent.sandbox.policy import UNLIMITED

__all__ = ["Moves", "Settlement", "Transfer"]

SettlementPlan = Callable[[TradeChanged], list[tuple[int, LegStatus]]]

_FINAL = (LegStatus.CONFIRMED, LegStatus.FAILED)


class Transfer(NamedTuple):
    """Units of an asset (None is collateral) that a wallet gives or gets."""

    wallet: Wallet
    asset_id: AssetId | None
    amount: int


class Moves(NamedTuple):
    """All that a trade moves. `minted` full sets are made (negative: merged); `orders` were matched by how much."""

    gives: list[Transfer]
    gets: list[Transfer]
    fee: int
    minted: int
    orders: list[tuple[Order, int]]


class _Trade:
    __slots__ = ("moved", "moves", "trading")

    def __init__(self, trading: TradingMarket, moves: Moves) -> None:
        self.trading = trading
        self.moves = moves
        self.moved = False


class Settlement:
    """Trades on their way and those remembered."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._open: dict[str, _Trade] = {}
        self._records: dict[str, TradeChanged] = {}
        self._by_owner: dict[str, dict[str, None]] = {}
        self.plan: SettlementPlan = self._default_plan

    def _default_plan(self, _trade: TradeChanged) -> list[tuple[int, LegStatus]]:
        policy = self._core.policy
        return [(policy.mined_ms, LegStatus.MINED), (policy.settle_ms, LegStatus.CONFIRMED)]

    def trades_with(self, wallet: str) -> list[TradeChanged]:
        """Return trades that a wallet has a leg in, oldest first."""
        records = self._records.values()
        return [each for each in records if wallet in {leg.wallet for leg in (each.taker, *each.makers)}]

    def trades_of(self, owner: str) -> list[TradeChanged]:
        """Return an owner's trades, oldest first, each as it stands now."""
        return [self._records[trade_id] for trade_id in self._by_owner.get(owner, ())]

    def promises(self) -> Iterable[Transfer]:
        """Yield what trades that have not moved yet will take."""
        for trade in self._open.values():
            if not trade.moved:
                yield from trade.moves.gives

    def begin(self, record: TradeChanged, trading: TradingMarket, moves: Moves) -> None:
        """Take in a match: promise what it moves and plan its steps."""
        for wallet, asset_id, amount in moves.gives:
            wallet.holding(asset_id).matched += amount
        self._open[record.trade_id] = _Trade(trading, moves)
        self._records[record.trade_id] = record
        for leg in (record.taker, *record.makers):
            self._by_owner.setdefault(leg.owner, {})[record.trade_id] = None
        self._core.notices.append(record)
        trade_id = record.trade_id
        for delay_ms, status in self.plan(record):
            self._core.agenda.add(
                self._core.now_ms + max(0, delay_ms),
                partial(self._step, trade_id, status),
                partial(self._open.__contains__, trade_id),
            )
        self._forget_old()

    def _forget_old(self) -> None:
        while len(self._records) > self._core.policy.trades_kept:
            oldest = next(iter(self._records))
            if oldest in self._open:
                return  # nothing is forgotten while it can still change
            record = self._records.pop(oldest)
            for leg in (record.taker, *record.makers):
                self._by_owner[leg.owner].pop(oldest, None)

    def _step(self, trade_id: str, status: LegStatus) -> None:
        record, trade = self._records[trade_id], self._open[trade_id]
        if status is LegStatus.MATCHED:
            return
        settles = status is LegStatus.CONFIRMED or status is self._core.policy.settled_on
        if settles and not trade.moved and not self._move(trade):
            status = LegStatus.FAILED
        elif status in (LegStatus.RETRYING, LegStatus.FAILED) and trade.moved and not self._move_back(trade):
            return  # others have used what came in: the transaction stands
        if status is LegStatus.FAILED:
            for wallet, asset_id, amount in trade.moves.gives:
                wallet.holding(asset_id).matched -= amount
        if status in _FINAL:
            del self._open[trade_id]
        if status is LegStatus.RETRYING:
            record = replace(record, transaction_hash="0x" + self._core.fresh("transaction"))
        record = replace(record, status=status, updated_ms=self._core.now_ms)
        self._records[trade_id] = record
        self._core.notices.append(record)
        if status is LegStatus.FAILED:
            self._take_back(trade)

    def _move(self, trade: _Trade) -> bool:
        """Move cash and shares. Returns False, with nothing moved, when somebody cannot deliver."""
        gives, gets, fee, minted, _ = trade.moves
        spender = trade.trading.spender
        needs: dict[tuple[str, AssetId | None], Transfer] = {}
        for wallet, asset_id, amount in gives:
            before = needs.get((wallet.address, asset_id))
            needs[wallet.address, asset_id] = Transfer(wallet, asset_id, amount + (before.amount if before else 0))
        for wallet, asset_id, amount in needs.values():
            if wallet.holding(asset_id).balance < amount or wallet.allowance(asset_id, spender) < amount:
                return False
        for wallet, asset_id, amount in gives:
            holding = wallet.holding(asset_id)
            holding.balance -= amount
            holding.matched -= amount
            wallet.use_allowance(asset_id, spender, amount)
        for wallet, asset_id, amount in gets:
            wallet.holding(asset_id).balance += amount
        self._core.vault.wallet(FEES).cash.balance += fee
        self._core.vault.mint(trade.trading.market, minted)
        trade.moved = True
        for wallet, asset_id, _ in needs.values():
            if wallet.allowance(asset_id, spender) != UNLIMITED:
                self._core.watch(wallet, asset_id)
        return True

    def _move_back(self, trade: _Trade) -> bool:
        """Reverse `_move`. Returns False, with nothing moved, when what came in is no longer there."""
        gives, gets, fee, minted, _ = trade.moves
        vault = self._core.vault
        holdings = [(wallet.holding(asset_id), amount) for wallet, asset_id, amount in gets]
        for holding, amount in holdings:
            holding.balance -= amount
        possible = all(holding.balance >= 0 for holding, _ in holdings)
        possible = possible and vault.locked[trade.trading.market.condition_id] >= minted
        if not possible:
            for holding, amount in holdings:
                holding.balance += amount
            return False
        vault.wallet(FEES).cash.balance -= fee
        vault.mint(trade.trading.market, -minted)
        for wallet, asset_id, amount in gives:
            holding = wallet.holding(asset_id)
            holding.balance += amount
            holding.matched += amount
            wallet.use_allowance(asset_id, trade.trading.spender, -amount)
        trade.moved = False
        for wallet, asset_id, _ in gets:
            self._core.watch(wallet, asset_id)
        return True

    def _take_back(self, trade: _Trade) -> None:
        """After FAILED: reduce what the orders count as matched, where the policy says so."""
        if self._core.policy.failed_keeps_matched:
            return
        for order, quantity in trade.moves.orders:
            order.matched -= quantity
            if order.status is OrderStatus.LIVE:
                order.left += quantity
                order.trading.ladders[order.rung].resize(order, quantity)
                order.trading.touch(order)
                order.reserve(order.need)
                self._core.watch(order.wallet, order.gives_asset)
            elif order.status is OrderStatus.MATCHED:
                order.status = OrderStatus.CANCELED
            self._core.tell("UPDATE", order)
        self._core.tell_book(trade.trading)
