"""What the parts of the exchange share: time, policy, markets, orders, notices and what is due later."""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Callable, Iterable

from polymarket_agent.domain.market import AssetId, ConditionId, Market, MarketGroup
from polymarket_agent.domain.money import MICRO, Price
from polymarket_agent.sandbox.accounts import Vault, Wallet
from polymarket_agent.sandbox.ladder import Order, TradingMarket
from polymarket_agent.sandbox.model import (
    MarketChanged,
    Mode,
    Notice,
    OrderChanged,
    OrderStatus,
    Placed,
    Refused,
    TickChanged,
)
from polymarket_agent.sandbox.policy import Policy

__all__ = ["Agenda", "Core"]

_FINE_TICK = Price(1_000)
_EDGE = 960_000
_COMPACT_AT = 1_024


class Agenda:
    """What is due when, in order of time and of planning. A plan whose `wanted` turned false is dropped unseen."""

    __slots__ = ("_entries", "_next", "_stale")

    def __init__(self) -> None:
        self._entries: list[tuple[int, int, Callable[[], None], Callable[[], bool]]] = []
        self._next = 0
        self._stale = 0

    def add(self, at_ms: int, act: Callable[[], None], wanted: Callable[[], bool]) -> None:
        """Plan `act` for a time."""
        heapq.heappush(self._entries, (at_ms, self._next, act, wanted))
        self._next += 1

    def drop_one(self) -> None:
        """Note that a plan is no longer wanted; once half of them are such, they are swept out."""
        self._stale += 1
        if self._stale >= _COMPACT_AT and self._stale * 2 > len(self._entries):
            self._entries = [entry for entry in self._entries if entry[3]()]
            heapq.heapify(self._entries)
            self._stale = 0

    @property
    def next_ms(self) -> int | None:
        """The time of the first plan that is still wanted, or None."""
        while self._entries and not self._entries[0][3]():
            heapq.heappop(self._entries)
            self._stale = max(0, self._stale - 1)
        return self._entries[0][0] if self._entries else None

    def take(self) -> Callable[[], None]:
        """Take out the first plan."""
        return heapq.heappop(self._entries)[2]


class Core:
    """State of the exchange, and the few changes that every part needs."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.now_ms = 0
        self.mode = Mode.NORMAL
        self.vault = Vault()
        self.agenda = Agenda()
        self.notices: list[Notice] = []
        self.markets: dict[ConditionId, Market] = {}
        self.groups: dict[str, MarketGroup] = {}
        self.trading: dict[ConditionId, TradingMarket] = {}
        self.by_asset: dict[AssetId, TradingMarket] = {}
        self.live: dict[str, Order] = {}
        self.closed: dict[str, Order] = {}
        self.owners: dict[str, dict[str, Order]] = {}
        self.outcomes: dict[str, Placed | Refused] = {}
        self._counts: dict[str, int] = {}

    def fresh(self, kind: str) -> str:
        """Return the next of a series of names without a pattern: 64 hex digits, the same in every run."""
        count = self._counts[kind] = self._counts.get(kind, 0) + 1
        return hashlib.blake2b(f"{self.policy.salt}:{kind}:{count}".encode(), digest_size=32).hexdigest()

    def fresh_uuid(self, kind: str) -> str:
        """Return the next of a series of names in the shape of a random UUID."""
        text = self.fresh(kind)
        return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:32]}"

    def register(self, order: Order) -> None:
        """Take an order in; it is live until `close`."""
        self.closed.pop(order.order_id, None)
        self.live[order.order_id] = order
        order.wallet.orders[order.order_id] = order
        owned = self.owners.get(order.owner)
        if owned is None:
            owned = self.owners[order.owner] = {}
        owned[order.order_id] = order

    def tell(self, kind: str, order: Order, reason: str = "") -> None:
        """Report an order to its owner."""
        self.notices.append(OrderChanged(kind, order.view(), self.now_ms, reason))

    def close(self, order: Order, status: OrderStatus) -> None:
        """End an order: off the book, its promise released, remembered among the closed ones."""
        if order.status is OrderStatus.LIVE:
            ladder = order.trading.ladders[order.rung]
            level = ladder.levels.get(order.bid)
            if level is not None and order.order_id in level.orders:
                ladder.remove(order)
                order.trading.touch(order)
        order.reserve(0)
        order.status = status
        if self.live.pop(order.order_id, None) is not None:
            del order.wallet.orders[order.order_id]
            del self.owners[order.owner][order.order_id]
        if order.expires_s:
            self.agenda.drop_one()
        self.remember(order)

    def remember(self, order: Order) -> None:
        """Keep a closed order for reads and duplicates, as many as the policy bounds."""
        self.closed[order.order_id] = order
        if len(self.closed) > self.policy.closed_kept:
            del self.closed[next(iter(self.closed))]

    def cancel(self, orders: Iterable[Order], status: OrderStatus, reason: str = "") -> list[str]:
        """End orders and report each, then the books that changed. Returns their ids."""
        ids, books = [], {}
        for order in orders:
            if order.status is OrderStatus.DELAYED:
                self.decide(order.order_id, Refused(400, reason))
            self.close(order, status)
            self.tell("CANCELLATION", order, reason)
            books[order.trading.market.condition_id] = order.trading
            ids.append(order.order_id)
        for trading in books.values():
            self.tell_book(trading)
        return ids

    def decide(self, order_id: str, answer: Placed | Refused) -> None:
        """Keep the final answer of an order that was answered `delayed`."""
        self.outcomes[order_id] = answer
        if len(self.outcomes) > self.policy.closed_kept:
            del self.outcomes[next(iter(self.outcomes))]

    def watch(self, wallet: Wallet, asset_id: AssetId | None) -> None:
        """Cancel resting orders that a wallet no longer covers, newest first until the rest is covered."""
        if not self.policy.watch_balances:
            return
        holding = wallet.holding(asset_id)
        missing = -holding.free
        lapsed = []
        for order in reversed(wallet.orders.values()):
            if order.gives is not holding or order.status is not OrderStatus.LIVE:
                continue
            if missing > 0 or wallet.allowance(asset_id, order.trading.spender) < order.reserved:
                lapsed.append(order)
                missing -= order.reserved
        status = OrderStatus.INVALID if self.policy.lapsed_invalid else OrderStatus.CANCELED_NOT_ENOUGH_BALANCE
        self.cancel(lapsed, status, "not enough balance / allowance")

    def tell_book(self, trading: TradingMarket, *, after_trade: bool = False) -> None:
        """Report the levels that changed, and the finer grid if prices came near an edge."""
        changed = trading.changes(self.now_ms, after_trade=after_trade)
        if changed is None:
            return
        self.notices.append(changed)
        first, second = trading.ladders
        tick_size = trading.market.tick_size
        if self.policy.auto_tick and tick_size > _FINE_TICK:
            last = trading.last_price if after_trade else None
            traded_there = last is not None and not MICRO - _EDGE <= last <= _EDGE
            if traded_there or first.best > _EDGE or second.best > _EDGE:
                self.set_tick_size(trading, _FINE_TICK)

    def set_tick_size(self, trading: TradingMarket, tick_size: Price) -> None:
        """Change a market's price grid and say so."""
        old = trading.market.tick_size
        if tick_size != old:
            trading.set_tick_size(tick_size)
            self.markets[trading.market.condition_id] = trading.market
            self.notices.append(TickChanged(trading.market.condition_id, old, tick_size, self.now_ms))

    def tell_market(self, kind: str, trading: TradingMarket) -> None:
        """Report a step in a market's life."""
        self.markets[trading.market.condition_id] = trading.market
        trading.version += 1
        self.notices.append(MarketChanged(kind, trading.market, trading.group, self.now_ms))
