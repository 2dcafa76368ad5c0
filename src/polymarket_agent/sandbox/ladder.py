"""The book of a market: one ladder of bids for each outcome, first come first served at each price.

Selling an outcome at p is bidding 1 - p for the other one, so every order is a bid on one of two ladders and two bids
cross when they add up to 1 or more. Buying against selling, two buyers who mint a set and two sellers who merge one are
then the same comparison. In terms of the first outcome, ladder 0 holds the bids and ladder 1 the asks at 1 - price.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from dataclasses import replace

from polymarket_agent.domain.book import Side
from polymarket_agent.domain.market import AssetId, Market, MarketGroup, ProtocolVersion
from polymarket_agent.domain.money import MICRO, Price, Shares, ceil_div
from polymarket_agent.sandbox.accounts import Holding, Wallet
from polymarket_agent.sandbox.amounts import Terms
from polymarket_agent.sandbox.model import BookChanged, OpenOrder, OrderEntry, OrderStatus
from polymarket_agent.sandbox.policy import SPENDERS

__all__ = ["Ladder", "Level", "Order", "TradingMarket"]


class Order:
    """An accepted order. `left` is in micro-shares; `reserved` in what it gives: collateral or shares.

    `rung` and `bid` are its ladder and its price there. `budget` is the collateral that a FOK or FAK buy aims at.
    """

    __slots__ = (
        "address",
        "bid",
        "budget",
        "created_ms",
        "expires_s",
        "index",
        "left",
        "matched",
        "order_id",
        "order_type",
        "original",
        "owner",
        "price",
        "reserved",
        "rung",
        "side",
        "status",
        "trade_ids",
        "trading",
        "wallet",
    )

    def __init__(self, entry: OrderEntry, terms: Terms, trading: TradingMarket, wallet: Wallet, now_ms: int) -> None:
        self.order_id = entry.order_id
        self.owner = entry.owner
        self.address = entry.wallet
        self.wallet = wallet
        self.trading = trading
        self.side = entry.side
        self.index = index = trading.market.index_of(entry.asset_id)
        self.price: int = terms.price
        buying = entry.side is Side.BUY
        self.rung = index if buying else 1 - index
        self.bid: int = terms.price if buying else MICRO - terms.price
        self.original: int = terms.quantity
        self.left: int = terms.quantity
        self.matched = 0
        self.budget = terms.budget
        self.reserved = 0
        self.order_type = entry.order_type
        self.status = OrderStatus.LIVE
        self.created_ms = now_ms
        self.expires_s = entry.expires_s
        self.trade_ids: tuple[str, ...] = ()

    @property
    def asset_id(self) -> AssetId:
        """The claim that it buys or sells."""
        return self.trading.market.asset_ids[self.index]

    @property
    def gives_asset(self) -> AssetId | None:
        """What it pays with or delivers; None is collateral."""
        return None if self.side is Side.BUY else self.asset_id

    @property
    def gives(self) -> Holding:
        """The holding that it pays or delivers from."""
        return self.wallet.cash if self.side is Side.BUY else self.wallet.holding(self.asset_id)

    @property
    def need(self) -> int:
        """What the rest of it can take from its holding at its own price."""
        return ceil_div(self.left * self.price, MICRO) if self.side is Side.BUY else self.left

    @property
    def spent(self) -> bool:
        """Whether what is left is worth less than one base unit, so that nothing can be traded any more."""
        worth = self.left * self.price // MICRO
        return worth == 0 or (self.side is Side.BUY and self.reserved == 0)

    def reserve(self, amount: int) -> None:
        """Promise `amount` of its holding, instead of what was promised before."""
        self.gives.active += amount - self.reserved
        self.reserved = amount

    def view(self) -> OpenOrder:
        """Return the order as its owner sees it."""
        market = self.trading.market
        outcome = market.outcomes[self.index]
        return OpenOrder(
            order_id=self.order_id,
            owner=self.owner,
            wallet=self.address,
            condition_id=market.condition_id,
            asset_id=outcome.asset_id,
            outcome=outcome.label,
            side=self.side,
            price=Price(self.price),
            original=Shares(self.original),
            matched=Shares(self.matched),
            order_type=self.order_type,
            status=self.status,
            created_ms=self.created_ms,
            expires_s=self.expires_s,
            trade_ids=self.trade_ids,
        )


class Level:
    """All orders at one price of a ladder, oldest first."""

    __slots__ = ("orders", "size")

    def __init__(self) -> None:
        self.orders: dict[str, Order] = {}
        self.size = 0


class Ladder:
    """Bids for one outcome. `prices` rises: the best is last."""

    __slots__ = ("levels", "prices")

    def __init__(self) -> None:
        self.prices: list[int] = []
        self.levels: dict[int, Level] = {}

    @property
    def best(self) -> int:
        """The highest bid, or 0."""
        return self.prices[-1] if self.prices else 0

    def add(self, order: Order) -> None:
        """Put an order at the end of its price's queue."""
        level = self.levels.get(order.bid)
        if level is None:
            level = self.levels[order.bid] = Level()
            insort(self.prices, order.bid)
        level.orders[order.order_id] = order
        level.size += order.left

    def resize(self, order: Order, change: int) -> None:
        """Take a change of a resting order's `left` into account; its place in the queue stays."""
        self.levels[order.bid].size += change

    def remove(self, order: Order) -> None:
        """Take an order off."""
        level = self.levels[order.bid]
        del level.orders[order.order_id]
        level.size -= order.left
        if not level.orders:
            del self.levels[order.bid]
            del self.prices[bisect_left(self.prices, order.bid)]

    def size_at(self, bid: int) -> int:
        """Micro-shares at a price."""
        level = self.levels.get(bid)
        return level.size if level is not None else 0


class TradingMarket:
    """A listed market with its book, its delays and what was traded last. `touched` are levels not yet told of."""

    def __init__(self, market: Market, group: MarketGroup | None, at_ms: int, history_kept: int) -> None:
        self.market = market
        self.group = group
        self.ladders = (Ladder(), Ladder())
        self.seconds_delay = 0
        self.taker_delay = False
        self.description = ""
        self.tags: tuple[str, ...] = ()
        self.at_ms = at_ms
        self.version = 0
        self.proposed: tuple[int, int] | None = None
        self.last_price: int | None = None
        self.history: deque[tuple[int, int]] = deque(maxlen=history_kept)
        self.touched: dict[tuple[int, int], None] = {}
        if market.version is ProtocolVersion.V2:
            self.spender = SPENDERS["exchange_v3"]
        else:
            self.spender = SPENDERS["neg_risk_exchange" if market.neg_risk else "exchange"]

    def crosses(self, order: Order) -> bool:
        """Whether an order would match something now."""
        return self.ladders[1 - order.rung].best + order.bid >= MICRO

    def touch(self, order: Order) -> None:
        """Note that an order's level has another size now."""
        self.touched[order.rung, order.bid] = None

    def print_price(self, first_price: int, at_ms: int) -> None:
        """Remember a trade at a price in terms of the first outcome; one point of history a second."""
        self.last_price = first_price
        second = at_ms // 1000
        if self.history and self.history[-1][0] == second:
            self.history.pop()
        self.history.append((second, first_price))

    def set_tick_size(self, tick_size: Price) -> None:
        """Change the price grid; resting orders stay where they are."""
        self.market = replace(self.market, tick_size=tick_size)
        self.version += 1

    def changes(self, at_ms: int, *, after_trade: bool) -> BookChanged | None:
        """Return the touched levels as both outcomes show them, and forget that they were touched."""
        if not self.touched:
            return None
        assets = self.market.asset_ids
        changes: list[tuple[AssetId, bool, Price, Shares]] = []
        for rung, bid in self.touched:
            size = Shares(self.ladders[rung].size_at(bid))
            shown = ((assets[rung], True, Price(bid), size), (assets[1 - rung], False, Price(MICRO - bid), size))
            changes += shown if rung == 0 else reversed(shown)
        self.touched = {}
        self.at_ms = max(self.at_ms, at_ms)
        self.version += 1
        return BookChanged(self.market.condition_id, tuple(changes), self.at_ms, after_trade)
