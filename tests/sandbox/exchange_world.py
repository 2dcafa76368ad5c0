"""A small exchange to try things on: one market at a tick of 0.01, three funded wallets, orders in a line."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count
from typing import Any

from polymarket_agent.domain.book import Side
from polymarket_agent.domain.market import NO_FEE, AssetId, ConditionId, FeeSchedule, Market, Outcome
from polymarket_agent.domain.money import Price, shares, usdc
from polymarket_agent.sandbox.exchange import Exchange
from polymarket_agent.sandbox.model import (
    Notice,
    OrderChanged,
    OrderEntry,
    OrderType,
    Placed,
    Refused,
    TradeChanged,
)
from polymarket_agent.sandbox.policy import Policy

START_MS = 1_795_360_431_000
YES, NO = AssetId("11"), AssetId("22")
MARKET = ConditionId("0xm")
BUY, SELL = Side.BUY, Side.SELL
GTC, GTD, FOK, FAK = OrderType.GTC, OrderType.GTD, OrderType.FOK, OrderType.FAK
FEES = FeeSchedule(rate=40_000)  # 1 USDC for 100 shares at 0.50
WALLETS = ("ann", "bob", "cyd")


def market_of(*, tick: str = "0.01", fees: FeeSchedule = NO_FEE, **changes: Any) -> Market:
    fields: dict[str, Any] = {
        "condition_id": MARKET,
        "question": "Will it?",
        "outcomes": (Outcome(YES, "Yes"), Outcome(NO, "No")),
        "tick_size": Price(usdc(tick)),
        "fees": fees,
    }
    return Market(**(fields | changes))


@dataclass
class World:
    """An exchange, its clock and shorthands. `say` returns the notices since it was last asked."""

    policy: Policy = field(default_factory=Policy)
    market: Market = field(default_factory=market_of)
    seconds_delay: int = 0
    taker_delay: bool = False
    cash: str = "1000"
    shares: str = "1000"
    now_ms: int = START_MS

    def __post_init__(self) -> None:
        self._ids = count(1)
        self.x = Exchange(self.policy)
        self.x.list_market(self.market, self.now_ms, seconds_delay=self.seconds_delay, taker_delay=self.taker_delay)
        for wallet in WALLETS:
            self.x.fund(wallet, usdc(self.cash))
            self.x.approve(wallet, "all", None)
            for asset_id in self.market.asset_ids:
                self.x.give_shares(wallet, asset_id, shares(self.shares))
        self.x.drain()

    def wait(self, ms: int) -> None:
        self.now_ms += ms
        self.x.advance(self.now_ms)

    def entry(self, wallet: str, side: Side, asset_id: AssetId, size: str, price: str, **changes: Any) -> OrderEntry:
        """Build a limit order; FOK and FAK keep the amounts, so a buy of them aims at size * price collateral."""
        quantity = shares(size)
        collateral = quantity * usdc(price) // 1_000_000
        fields: dict[str, Any] = {
            "order_id": f"0x{next(self._ids):04x}",
            "owner": f"key-{wallet}",
            "wallet": wallet,
            "signer": wallet,
            "signature_type": 0,
            "asset_id": asset_id,
            "side": side,
            "maker_amount": collateral if side is BUY else quantity,
            "taker_amount": quantity if side is BUY else collateral,
            "order_type": GTC,
        }
        return OrderEntry(**(fields | changes))

    def put(
        self, wallet: str, side: Side, asset_id: AssetId, size: str, price: str, **changes: Any
    ) -> Placed | Refused:
        return self.x.place(self.entry(wallet, side, asset_id, size, price, **changes), self.now_ms)

    def placed(self, wallet: str, side: Side, asset_id: AssetId, size: str, price: str, **changes: Any) -> Placed:
        answer = self.put(wallet, side, asset_id, size, price, **changes)
        assert isinstance(answer, Placed), answer
        return answer

    def refused(self, wallet: str, side: Side, asset_id: AssetId, size: str, price: str, **changes: Any) -> Refused:
        answer = self.put(wallet, side, asset_id, size, price, **changes)
        assert isinstance(answer, Refused), answer
        return answer

    def settle(self) -> None:
        """Let all that was matched settle, and check that nothing was lost."""
        self.wait(self.policy.settle_ms)
        self.x.check()

    def cash_of(self, wallet: str) -> int:
        return self.x.balance(wallet)[0]

    def shares_of(self, wallet: str, asset_id: AssetId) -> int:
        return self.x.balance(wallet, asset_id)[0]

    def bids(self, asset_id: AssetId) -> list[tuple[int, int]]:
        return [(level.price, level.size) for level in self.x.book(asset_id).bids()]

    def asks(self, asset_id: AssetId) -> list[tuple[int, int]]:
        return [(level.price, level.size) for level in self.x.book(asset_id).asks()]

    def say(self) -> list[Notice]:
        return self.x.drain()

    def order_steps(self, order_id: str) -> list[tuple[str, str]]:
        """Return (kind, status) of what its owner was told about an order since the last drain."""
        told = [n for n in self.x.drain() if isinstance(n, OrderChanged) and n.order.order_id == order_id]
        return [(n.kind, n.order.status.value) for n in told]

    def trade_steps(self) -> list[TradeChanged]:
        return [notice for notice in self.x.drain() if isinstance(notice, TradeChanged)]
