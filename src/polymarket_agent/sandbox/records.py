"""What the venue's read services remember of what happened: trades, cost of holdings, activity, notifications.

The exchange core keeps balances and orders; the Data API and the listings need history. Fed by notices only, so that
it can disagree with nobody: sizes always come from the core. Wallets are kept in lower case. Pure.
"""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass
from typing import Any

from polymarket_agent.domain.levels import Side
from polymarket_agent.domain.market import AssetId, ConditionId
from polymarket_agent.domain.money import MICRO
from polymarket_agent.sandbox.model import (
    Leg,
    LegStatus,
    MarketChanged,
    Notice,
    OrderChanged,
    TradeChanged,
    TradePrinted,
)

__all__ = ["Activity", "Holding", "OracleState", "Records"]

MAX_TRADES = 200_000
MAX_NOTIFICATIONS = 200


@dataclass(slots=True)
class Holding:
    """Cost of what a wallet holds of an asset, in micro-USDC; `bought` is all shares ever got, in micro-shares."""

    size: int = 0
    cost: int = 0
    fees: int = 0
    bought: int = 0
    realized: int = 0
    first_ms: int = 0
    last_ms: int = 0

    def gain(self, quantity: int, cost: int, fee: int, at_ms: int) -> None:
        """Shares came in at a cost."""
        self.size += quantity
        self.cost += cost
        self.fees += fee
        self.bought += quantity
        self.first_ms = self.first_ms or at_ms
        self.last_ms = at_ms

    def lose(self, quantity: int, proceeds: int, at_ms: int) -> None:
        """Shares went out for proceeds; their cost goes at the average."""
        share = self.cost * quantity // self.size if self.size else 0
        self.size -= quantity
        self.cost -= share
        self.realized += proceeds - share
        self.last_ms = at_ms


@dataclass(frozen=True, slots=True)
class Activity:
    """Something a wallet did outside the book: SPLIT, MERGE, REDEEM. Amount in micro-USDC."""

    kind: str
    condition_id: ConditionId
    amount: int
    at_ms: int
    transaction_hash: str


@dataclass(frozen=True, slots=True)
class OracleState:
    """Where a market's answer stands."""

    status: str
    at_ms: int
    disputed: bool = False


class Records:
    """History of the venue."""

    def __init__(self) -> None:
        self.trades: dict[str, TradeChanged] = {}
        self.trades_of: dict[str, deque[str]] = defaultdict(deque)
        self.holdings: dict[tuple[str, AssetId], Holding] = defaultdict(Holding)
        self.activity: dict[str, list[Activity]] = defaultdict(list)
        self.notifications: dict[str, deque[dict[str, Any]]] = defaultdict(lambda: deque(maxlen=MAX_NOTIFICATIONS))
        self.oracle: dict[ConditionId, OracleState] = {}
        self.numbers: dict[ConditionId, int] = {}
        self.listed_ms: dict[ConditionId, int] = {}
        self.volume: dict[ConditionId, int] = defaultdict(int)
        self.taker_side: dict[ConditionId, str] = {}
        self._serial = 0

    def number_of(self, condition_id: ConditionId, at_ms: int) -> int:
        """Return Gamma's id of a market, given in the order of listing."""
        if condition_id not in self.numbers:
            self.numbers[condition_id] = 100_001 + len(self.numbers)
            self.listed_ms[condition_id] = at_ms
        return self.numbers[condition_id]

    def take(self, notice: Notice) -> None:
        """Take up one notice."""
        match notice:
            case TradeChanged():
                self._trade(notice)
            case TradePrinted():
                self.volume[notice.condition_id] += notice.price * notice.quantity // MICRO
                self.taker_side[notice.condition_id] = notice.taker_side.value
            case MarketChanged():
                self._market(notice)
            case OrderChanged() if notice.kind == "CANCELLATION":
                self._notify(notice)
            case _:
                pass

    def _trade(self, trade: TradeChanged) -> None:
        known = self.trades.get(trade.trade_id)
        self.trades[trade.trade_id] = trade
        legs = (trade.taker, *trade.makers)
        if known is None:
            for wallet in dict.fromkeys(leg.wallet.lower() for leg in legs):
                self.trades_of[wallet].append(trade.trade_id)
            for leg in legs:
                self._book(leg, trade.matched_ms, reverse=False)
            if len(self.trades) > MAX_TRADES:
                self._forget(next(iter(self.trades)))
        elif trade.status is LegStatus.FAILED and known.status is not LegStatus.FAILED:
            for leg in legs:
                self._book(leg, trade.updated_ms, reverse=True)

    def _forget(self, trade_id: str) -> None:
        old = self.trades.pop(trade_id)
        for wallet in {leg.wallet.lower() for leg in (old.taker, *old.makers)}:
            ids = self.trades_of[wallet]
            if ids and ids[0] == trade_id:
                ids.popleft()

    def _book(self, leg: Leg, at_ms: int, *, reverse: bool) -> None:
        holding = self.holdings[leg.wallet.lower(), leg.asset_id]
        notional = leg.price * leg.quantity // MICRO
        if leg.side is Side.BUY:
            if reverse:
                holding.gain(-leg.quantity, -notional, -leg.fee, at_ms)
            else:
                holding.gain(leg.quantity, notional, leg.fee, at_ms)
        elif reverse:
            holding.lose(-leg.quantity, leg.fee - notional, at_ms)
        else:
            holding.lose(leg.quantity, notional - leg.fee, at_ms)

    def _market(self, changed: MarketChanged) -> None:
        condition_id = changed.market.condition_id
        self.number_of(condition_id, changed.at_ms)
        before = self.oracle.get(condition_id)
        disputed = changed.kind == "disputed" or (before is not None and before.disputed)
        if changed.kind in ("proposed", "disputed", "resolved"):
            self.oracle[condition_id] = OracleState(changed.kind, changed.at_ms, disputed)

    def _notify(self, changed: OrderChanged) -> None:
        order = changed.order
        self._serial += 1
        self.notifications[order.owner].append(
            {
                "id": self._serial,
                "owner": order.owner,
                "type": 1,
                "timestamp": changed.at_ms // 1000,
                "order": order,
            }
        )

    def did(
        self, wallet: str, activity: Activity, asset_ids: tuple[AssetId, AssetId], payouts: tuple[int, int]
    ) -> None:
        """Note a split, merge or redemption. A split costs half a unit a side; `payouts` values what goes out."""
        wallet = wallet.lower()
        self.activity[wallet].append(activity)
        for asset_id, payout in zip(asset_ids, payouts, strict=True):
            holding = self.holdings[wallet, asset_id]
            if activity.kind == "SPLIT":
                holding.gain(activity.amount, activity.amount // 2, 0, activity.at_ms)
            elif activity.kind == "MERGE":
                holding.lose(activity.amount, activity.amount // 2, activity.at_ms)
            else:
                holding.lose(holding.size, holding.size * payout // MICRO, activity.at_ms)

    def trades_by(self, wallet: str) -> list[TradeChanged]:
        """Return a wallet's trades, newest first."""
        ids = self.trades_of.get(wallet.lower(), ())
        return [self.trades[each] for each in reversed(ids) if each in self.trades]
