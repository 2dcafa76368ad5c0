"""A small world for strategies: a real board and account, driven by events, without engine or executor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from polymarket_agent.domain.board import Board
from polymarket_agent.domain.book import Side
from polymarket_agent.domain.events import (
    BookSnapshot,
    Event,
    Filled,
    Gap,
    GroupListed,
    MarketListed,
    Timer,
    TradePrint,
)
from polymarket_agent.domain.market import NO_FEE, AssetId, ConditionId, FeeSchedule, Market, MarketGroup, Outcome
from polymarket_agent.domain.money import MICRO, Price, Shares, Usdc, cost_rounded_up, price, shares, usdc
from polymarket_agent.domain.order import Evidence, Fill, Order, OrderCause, OrderId, TimeInForce
from polymarket_agent.domain.portfolio import Account
from polymarket_agent.domain.signal import Wish
from polymarket_agent.strategies.base import MarketView, Strategy

START_MS = 1_771_200_000_000  # 2026-02-16 00:00 UTC

Levels = Sequence[tuple[str, str | int]]


def a_market(
    key: str = "m",
    question: str = "Will it happen?",
    *,
    fees: FeeSchedule = NO_FEE,
    tick: str = "0.01",
    labels: tuple[str, str] = ("Yes", "No"),
    group_item: str = "",
    end_at_ms: int | None = None,
    minimum: int = 5,
) -> Market:
    """Return a market whose claims are `<key>-yes` and `<key>-no`."""
    return Market(
        condition_id=ConditionId(key),
        question=question,
        outcomes=(Outcome(yes(key), labels[0]), Outcome(no(key), labels[1])),
        tick_size=price(tick),
        min_order_size=shares(minimum),
        fees=fees,
        group_item=group_item,
        end_at_ms=end_at_ms,
    )


def yes(key: str = "m") -> AssetId:
    """Return the first claim of a market."""
    return AssetId(f"{key}-yes")


def no(key: str = "m") -> AssetId:
    """Return the second claim of a market."""
    return AssetId(f"{key}-no")


class World:
    """Board, account and time; `tell` applies an event and asks a strategy."""

    def __init__(self, *markets: Market, cash: str = "1000") -> None:
        self.board = Board()
        self.account = Account(usdc(cash))
        self.now_ms = START_MS
        self._serial = 0
        for market in markets:
            self.board.apply(MarketListed(market, self.now_ms))

    def view(self, strategy: Strategy) -> MarketView:
        """Return what a strategy sees now."""
        return MarketView(self.board, self.account, strategy=strategy.name, now_ms=self.now_ms)

    def tell(self, strategy: Strategy, event: Event) -> list[Wish]:
        """Apply an event and return what the strategy wishes."""
        self.board.apply(event)
        return list(strategy.on_event(event, self.view(strategy)))

    def tick(self, strategy: Strategy, after_ms: int = 1_000) -> list[Wish]:
        """Let time pass and return what the strategy wishes on its timer."""
        self.now_ms += after_ms
        return self.tell(strategy, Timer(self.now_ms))

    def snapshot(self, asset_id: AssetId, bids: Levels, asks: Levels) -> BookSnapshot:
        """Return a snapshot from levels as text."""
        return BookSnapshot(
            asset_id,
            tuple((price(p), shares(s)) for p, s in bids),
            tuple((price(p), shares(s)) for p, s in asks),
            self.now_ms,
        )

    def book(self, asset_id: AssetId, bids: Levels, asks: Levels) -> BookSnapshot:
        """Show a book of one asset."""
        event = self.snapshot(asset_id, bids, asks)
        self.board.apply(event)
        return event

    def mirrored(self, bid: str, ask: str, size: int = 100, key: str = "m") -> BookSnapshot:
        """Show the YES book with these bests and the NO book as its mirror; returns the YES event."""
        at_bid, at_ask, depth = price(bid), price(ask), shares(size)
        event = BookSnapshot(yes(key), ((at_bid, depth),), ((at_ask, depth),), self.now_ms)
        mirror = (((Price(MICRO - at_ask), depth),), ((Price(MICRO - at_bid), depth),))
        self.board.apply(event)
        self.board.apply(BookSnapshot(no(key), *mirror, self.now_ms))
        return event

    def gap(self, *assets: AssetId) -> Gap:
        """Lose messages of some assets, or of all."""
        event = Gap(assets, "test", self.now_ms)
        self.board.apply(event)
        return event

    def group(self, group_id: str, markets: Sequence[Market], *, neg_risk: bool, complete: bool = False) -> None:
        """List a group."""
        group = MarketGroup.of(group_id, group_id, markets, neg_risk=neg_risk, complete=complete)
        self.board.apply(GroupListed(group, self.now_ms))

    def trade(self, asset_id: AssetId, at: str, size: int, *, taker_buys: bool = True) -> TradePrint:
        """Return a trade between others."""
        return TradePrint(asset_id, price(at), shares(size), taker_buys, self.now_ms)

    def fill(
        self, strategy: Strategy, asset_id: AssetId, side: Side, at: str, quantity: int | str, fee: str = "0"
    ) -> Filled:
        """Book a fill of a strategy's order and return its event."""
        self._serial += 1
        amount = shares(quantity)
        fill = Fill(
            trade_id=f"t{self._serial}",
            order_id=OrderId(f"f{self._serial}"),
            condition_id=self.board.market_by_asset[asset_id].condition_id,
            asset_id=asset_id,
            side=side,
            price=price(at),
            quantity=amount,
            notional=cost_rounded_up(price(at), amount),
            fee=usdc(fee),
            is_maker=False,
            evidence=Evidence.DISPLAYED,
            at_ms=self.now_ms,
            strategy=strategy.name,
        )
        assert self.account.apply_fill(fill)
        return Filled(fill, self.now_ms)

    def rest(self, strategy: Strategy, asset_id: AssetId, side: Side, at: str | Price, quantity: int | Shares) -> Order:
        """Put a live order of a strategy on the account; text and small numbers are amounts, the rest micro-units."""
        self._serial += 1
        order = Order(
            order_id=OrderId(f"o{self._serial}"),
            signal_id="",
            strategy=strategy.name,
            condition_id=self.board.market_by_asset[asset_id].condition_id,
            asset_id=asset_id,
            side=side,
            price=price(at) if isinstance(at, str) else at,
            quantity=shares(quantity) if quantity < 10_000 else Shares(quantity),
            time_in_force=TimeInForce.GTC,
            created_ms=self.now_ms,
            post_only=True,
        )
        order = replace(order, reserved=order.quantity if side is Side.SELL else Usdc(0))
        order = order.move(OrderCause.ATTEMPT_COMMITTED, self.now_ms).move(OrderCause.ACCEPTED, self.now_ms)
        self.account.apply_order(order)
        return order
