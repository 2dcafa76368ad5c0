"""Drives a PaperTrader and judges it by its own books: what the venue displayed and printed, in plain dictionaries.

Everything is kept in terms of the first outcome: a bid for NO at p is an ask for YES at 1 - p. Nothing here knows how
the trader matches; it knows only what evidence there was and what money must have moved.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Coroutine, Sequence
from fractions import Fraction
from typing import Any

from polymarket_agent.domain.book import Side
from polymarket_agent.domain.events import (
    BookDelta,
    BookSnapshot,
    Event,
    Filled,
    Gap,
    MarketResolved,
    OrderUpdated,
    TickSizeChange,
    Timer,
    TradePrint,
)
from polymarket_agent.domain.market import AssetId, FeeSchedule
from polymarket_agent.domain.money import MICRO, Price, Shares, usdc
from polymarket_agent.domain.order import Evidence, Fill, Order, OrderId
from polymarket_agent.domain.signal import Signal
from tests.trading_world import CONDITION, NO, START_MS, YES, Desk, a_market

__all__ = ["Oracle"]

LevelKey = tuple[bool, int]  # is it a bid, price: both in first terms
FROM_PRINTS = (Evidence.TRADED_THROUGH, Evidence.QUEUE)


def result_of(work: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine that never waits."""
    try:
        work.send(None)
    except StopIteration as done:
        return done.value
    raise AssertionError("a paper trader waits for nothing")


class Oracle:
    """One market, one trader, and the account that a plain person would keep."""

    def __init__(self, *, fee_rate: int, latency_ms: int, cash: str = "100") -> None:
        self.fees = FeeSchedule(fee_rate)
        self.desk = Desk(a_market(fees=self.fees, minimum="0.01"), cash=cash, latency_ms=latency_ms)
        self.now_ms = START_MS
        self.cash: Fraction = Fraction(usdc(cash))
        self.shares: Counter[AssetId] = Counter()
        self.shown: dict[LevelKey, int] = {}
        self.offered: Counter[LevelKey] = Counter()  # every share that was ever added to a level
        self.used: Counter[LevelKey] = Counter()  # taken up to this price
        self.changed: set[OrderId] = set()
        self.unchecked_use = False
        self.orders: dict[OrderId, Order] = {}
        self.first_reserved: dict[OrderId, int] = {}
        self.fills: dict[OrderId, list[Fill]] = defaultdict(list)
        self.seen: Counter[str] = Counter()
        self.serial = 0

    # -- the venue speaks -----------------------------------------------------------------------------------------

    def snapshot(self, bids: Sequence[tuple[int, int]], asks: Sequence[tuple[int, int]]) -> None:
        """Show a whole book, one outcome after the other."""
        now = {(True, at): size for at, size in bids} | {(False, at): size for at, size in asks}
        for key in self.shown | now:
            self.show(key, now.get(key, 0))
        ours = tuple((Price(at), Shares(s)) for at, s in bids), tuple((Price(at), Shares(s)) for at, s in asks)
        theirs = [tuple((Price(MICRO - at), s) for at, s in half) for half in reversed(ours)]
        self.tell(BookSnapshot(YES, *ours, self.now_ms, self.now_ms))
        self.tell(BookSnapshot(NO, theirs[0], theirs[1], self.now_ms, self.now_ms))

    def delta(self, changes: Sequence[tuple[bool, int, int]]) -> None:
        """Change levels of both halves in one message."""
        halves = []
        for is_bid, at, size in changes:
            self.show((is_bid, at), size)
            halves += [(YES, is_bid, Price(at), Shares(size)), (NO, not is_bid, Price(MICRO - at), Shares(size))]
        self.tell(BookDelta(tuple(halves), self.now_ms, self.now_ms))

    def show(self, key: LevelKey, size: int) -> None:
        self.offered[key] += max(0, size - self.shown.get(key, 0))
        self.shown[key] = size

    def trade(self, at: int, size: int, *, taker_buys: bool, on_no: bool, copies: int) -> None:
        """Tell a trade, perhaps several times and on both outcomes; it is one trade."""
        self.serial += 1
        left = size
        for copy in range(copies):
            no = on_no ^ bool(copy % 2)
            event = TradePrint(
                NO if no else YES,
                Price(MICRO - at if no else at),
                Shares(size),
                taker_buys ^ no,
                self.now_ms,
                self.now_ms,
                f"t{self.serial}",
            )
            fills = [fill for fill in self.tell(event) if fill.evidence in FROM_PRINTS]
            for fill in fills:
                is_bid, limit = self.first_terms(fill)
                assert is_bid != taker_buys, "a trade fills only the side that it hits"
                assert at <= limit if is_bid else at >= limit, "a trade must reach the order's price"
                assert fill.evidence is Evidence.TRADED_THROUGH or at == limit
                left -= fill.quantity
            assert left >= 0, "a trade was used beyond its size"

    def gap(self, assets: tuple[AssetId, ...]) -> None:
        """Lose messages."""
        self.tell(Gap(assets, "test", self.now_ms, self.now_ms))

    def tick_size(self, size: int) -> None:
        """Change the grid."""
        self.tell(TickSizeChange(YES, Price(size), self.now_ms, self.now_ms))

    def wait(self, ms: int) -> None:
        """Let time pass."""
        self.now_ms += ms
        self.tell(Timer(self.now_ms, self.now_ms))

    def resolve(self, payouts: tuple[int, int]) -> None:
        """End the market, and require that everything is settled."""
        self.tell(Timer(self.now_ms, self.now_ms))
        resolved = MarketResolved(CONDITION, payouts, self.now_ms, self.now_ms)
        self.desk.board.apply(resolved)
        assert self.judge(resolved, self.desk.trader.observe(resolved)) == []
        for asset_id, payout in zip((YES, NO), payouts, strict=True):
            self.cash += self.shares.pop(asset_id, 0) * payout // MICRO
        assert not any(order.possibly_alive for order in self.orders.values())
        self.check()
        balance = self.desk.db.run(
            lambda c: c.execute("SELECT unit, sum(amount) FROM postings GROUP BY unit").fetchall()
        )
        assert all(amount == 0 for _, amount in balance)

    # -- we act ---------------------------------------------------------------------------------------------------

    def place(self, signal: Signal) -> Order:
        """Place an order."""
        order: Order = result_of(self.desk.trader.place_order(signal))
        self.tell(Timer(self.now_ms, self.now_ms))
        self.seen[self.orders[order.order_id].reason.split(":")[0]] += 1
        return order

    def cancel(self, number: int) -> None:
        """Cancel one of the open orders, if there is one."""
        alive = [order for order in self.orders.values() if order.possibly_alive]
        if alive:
            result_of(self.desk.trader.cancel_order(alive[number % len(alive)].order_id))
            self.tell(Timer(self.now_ms, self.now_ms))

    # -- judging --------------------------------------------------------------------------------------------------

    def tell(self, event: Event) -> list[Fill]:
        """Hand an event to the trader and judge everything it did."""
        desk = self.desk
        desk.clock.advance_to(self.now_ms)
        if desk.trader.next_due_ms <= self.now_ms:
            self.judge(Timer(self.now_ms), desk.trader.observe(Timer(self.now_ms)))
        desk.board.apply(event)
        fills = self.judge(event, desk.trader.observe(event))
        self.check()
        return fills

    def judge(self, event: Event, reported: Sequence[Event]) -> list[Fill]:
        fills = []
        for each in reported:
            if isinstance(each, OrderUpdated):
                self.moved(each.order)
            elif isinstance(each, Filled):
                self.filled(each.fill, event)
                fills.append(each.fill)
        return fills

    def moved(self, order: Order) -> None:
        before = self.orders.get(order.order_id)
        assert before is None or not before.state.final, "a closed order moved"
        assert order.possibly_alive or order.reserved == 0, "a closed order still reserves"
        assert order.matched == sum(fill.quantity for fill in self.fills[order.order_id])
        self.orders[order.order_id] = order
        self.changed.add(order.order_id)
        self.first_reserved.setdefault(order.order_id, order.reserved)

    def first_terms(self, fill: Fill) -> LevelKey:
        """Return (is our order a bid, its limit) in first terms."""
        limit, buys = self.orders[fill.order_id].price, fill.side is Side.BUY
        return (buys, limit) if fill.asset_id == YES else (not buys, MICRO - limit)

    def use(self, key: LevelKey, quantity: int) -> None:
        self.used[key] += quantity
        self.unchecked_use = True

    def filled(self, fill: Fill, event: Event) -> None:
        order = self.orders[fill.order_id]
        buys = fill.side is Side.BUY
        assert order.possibly_alive, "a closed order was filled"
        assert fill.quantity > 0
        assert fill.price <= order.price if buys else fill.price >= order.price, "the limit was passed"
        assert abs(fill.notional - Fraction(fill.price * fill.quantity, MICRO)) < 1
        self.seen[fill.evidence.value] += 1
        is_bid, limit = self.first_terms(fill)
        if fill.evidence is Evidence.DISPLAYED:
            at = fill.price if fill.asset_id == YES else MICRO - fill.price
            assert not fill.is_maker
            assert fill.quantity <= self.shown.get((not is_bid, at), 0), "more was taken than is displayed"
            self.use((not is_bid, at), fill.quantity)
        else:
            assert fill.is_maker
            assert (fill.price, fill.fee) == (order.price, 0), "a resting order trades at its price, without a fee"
            wanted = TradePrint if fill.evidence in FROM_PRINTS else (BookDelta, BookSnapshot)
            assert isinstance(event, wanted), "a fill without its evidence"
        if fill.evidence is Evidence.BOOK_THROUGH:
            self.use((not is_bid, limit), fill.quantity)
        self.fills[fill.order_id].append(fill)
        self.cash += (-fill.notional if buys else fill.notional) - fill.fee
        self.shares[fill.asset_id] += fill.quantity if buys else -fill.quantity

    def check(self) -> None:
        """Require conservation, cover, and that no displayed share was used twice."""
        account = self.desk.account
        assert account.cash == self.cash
        assert {a: q for a, q in self.shares.items() if q} == {a: account.quantity_of(a) for a in account.positions}
        assert account.free_cash >= 0
        assert all(account.free_shares(asset_id) >= 0 for asset_id in (YES, NO))
        assert account.orders == {k: o for k, o in self.orders.items() if o.possibly_alive}
        self.desk.journal.require_agreement(account)
        for order_id in self.changed:
            self.check_cover(self.orders[order_id], self.fills[order_id])
        self.changed.clear()
        if self.unchecked_use:
            self.unchecked_use = False
            self.check_use()

    def check_use(self) -> None:
        """On each side, what was used up to any price was offered up to that price."""
        for is_bid in (True, False):
            for cut in {at for side, at in self.used if side is is_bid}:
                used, offered = (
                    sum(q for (side, at), q in of.items() if side is is_bid and (at >= cut if is_bid else at <= cut))
                    for of in (self.used, self.offered)
                )
                assert used <= offered, "displayed shares were used twice"

    def check_cover(self, order: Order, fills: Sequence[Fill]) -> None:
        """I12: what an order cost so far and what it has reserved cover what it may cost in all."""
        takes = [fill for fill in fills if not fill.is_maker]
        exact = sum(Fraction(f.price * f.quantity, MICRO) for f in takes)
        fee = sum(Fraction(f.quantity * f.price * (MICRO - f.price) * self.fees.rate, MICRO**3) for f in takes)
        charged = sum(f.fee for f in takes)
        if order.side is Side.BUY:
            assert exact <= sum(f.notional for f in takes) < exact + 1
            assert fee <= charged < fee + 10
            if order.possibly_alive:
                spent = sum(f.notional + f.fee for f in fills)
                assert order.reserved >= Fraction(order.price * order.remaining, MICRO)
                assert spent + order.reserved <= self.first_reserved[order.order_id]
        else:
            assert exact - 1 < sum(f.notional for f in takes) <= exact
            assert charged >= min(fee, exact - 1)
            assert not order.possibly_alive or order.reserved == order.remaining
