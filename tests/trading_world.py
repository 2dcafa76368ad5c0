"""A small venue for tests of books, fills and ledgers: one market, events in short words, a paper trader."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

from polymarket_agent.clock import ManualClock
from polymarket_agent.db import Database
from polymarket_agent.domain.board import Board
from polymarket_agent.domain.book import Side
from polymarket_agent.domain.events import BookDelta, BookSnapshot, Event, Filled, MarketListed, Timer, TradePrint
from polymarket_agent.domain.market import NO_FEE, AssetId, ConditionId, FeeSchedule, Market, Outcome
from polymarket_agent.domain.money import LOT, MICRO, Price, Shares, Usdc, cost_rounded_up, price, shares, usdc
from polymarket_agent.domain.order import Evidence, Fill, Order, OrderId, OrderState, TimeInForce
from polymarket_agent.domain.signal import Signal
from polymarket_agent.execution.paper import PaperTrader
from polymarket_agent.ledger.journal import Journal
from polymarket_agent.ledger.recovery import order_of

YES, NO = AssetId("11"), AssetId("22")
BID, ASK = True, False
CONDITION = ConditionId("0xc0")
START_MS = 1_800_000_000_000

OPENED: list[Database] = []  # by desks; whoever runs the test closes them

Levels = Iterable[tuple[str, str | int]]


def a_market(*, fees: FeeSchedule = NO_FEE, tick: str = "0.01", minimum: str = "5") -> Market:
    """Return a market with the claims YES and NO."""
    return Market(
        condition_id=CONDITION,
        question="Will it happen?",
        outcomes=(Outcome(YES, "Yes"), Outcome(NO, "No")),
        tick_size=price(tick),
        min_order_size=shares(minimum),
        fees=fees,
    )


def levels(side: Levels) -> tuple[tuple[Price, Shares], ...]:
    """Return levels given in words."""
    return tuple((price(p), shares(s)) for p, s in side)


def mirrored(side: Sequence[tuple[Price, Shares]]) -> tuple[tuple[Price, Shares], ...]:
    """Return levels as the other outcome shows them."""
    return tuple((Price(MICRO - p), s) for p, s in side)


def books(bids: Levels, asks: Levels, at_ms: int = START_MS) -> list[Event]:
    """Return the snapshots of both outcomes; the levels are YES's."""
    ours, theirs = levels(bids), levels(asks)
    return [
        BookSnapshot(YES, ours, theirs, at_ms, at_ms),
        BookSnapshot(NO, mirrored(theirs), mirrored(ours), at_ms, at_ms),
    ]


def change(is_bid: bool, at: str, size: str | int, at_ms: int = START_MS + 1) -> BookDelta:
    """Return a changed level of YES with its mirrored half."""
    level, quantity = price(at), shares(size)
    return BookDelta(((YES, is_bid, level, quantity), (NO, not is_bid, Price(MICRO - level), quantity)), at_ms, at_ms)


def traded(
    at: str,
    size: str | int,
    *,
    taker_buys: bool,
    asset_id: AssetId = YES,
    at_ms: int = START_MS + 1,
    key: str = "",
) -> TradePrint:
    """Return a trade between others."""
    return TradePrint(asset_id, price(at), shares(size), taker_buys, at_ms, at_ms, key)


def a_signal(
    side: Side,
    at: str,
    quantity: str | int,
    *,
    asset_id: AssetId = YES,
    tif: TimeInForce = TimeInForce.GTC,
    post_only: bool = False,
    expires_at_ms: int | None = None,
) -> Signal:
    """Return a wish for a quantity."""
    limit = price(at)
    return Signal(
        strategy="test",
        asset_id=asset_id,
        side=side,
        target_price=limit,
        reason="test",
        size=cost_rounded_up(limit, shares(quantity)),
        time_in_force=tif,
        post_only=post_only,
        expires_at_ms=expires_at_ms,
    )


def an_order(
    side: Side = Side.BUY, at: str = "0.5", quantity: str | int = 10, *, asset_id: AssetId = YES, name: str = "o1"
) -> Order:
    """Return an open order with what it needs reserved (no fee)."""
    limit, wanted = price(at), shares(quantity)
    return Order(
        order_id=OrderId(name),
        signal_id="s",
        strategy="test",
        condition_id=CONDITION,
        asset_id=asset_id,
        side=side,
        price=limit,
        quantity=wanted,
        time_in_force=TimeInForce.GTC,
        created_ms=START_MS,
        state=OrderState.OPEN,
        reserved=cost_rounded_up(limit, wanted) if side is Side.BUY else wanted,
    )


def a_fill(
    side: Side,
    at: str,
    quantity: str | int,
    *,
    fee: str = "0",
    asset_id: AssetId = YES,
    trade: str = "t1",
    order: str = "o1",
) -> Fill:
    """Return a fill at a price."""
    notional = Usdc(price(at) * shares(quantity) // MICRO)
    return Fill(
        trade_id=trade,
        order_id=OrderId(order),
        condition_id=CONDITION,
        asset_id=asset_id,
        side=side,
        price=price(at),
        quantity=shares(quantity),
        notional=notional,
        fee=usdc(fee),
        is_maker=False,
        evidence=Evidence.DISPLAYED,
        at_ms=START_MS,
        strategy="test",
    )


class Desk:
    """A paper trader with its board, clock and ledger; `tell` is the venue speaking."""

    def __init__(
        self,
        market: Market | None = None,
        *,
        db: Database | None = None,
        cash: str = "1000",
        latency_ms: int = 0,
        book_through: bool = True,
        at_ms: int = START_MS,
        known: Sequence[Event] = (),
    ) -> None:
        """Open a desk at a time; `known` is what the board has seen before the trader comes to it."""
        self.market = market or a_market()
        self.db = db or Database(":memory:")
        OPENED.append(self.db)
        self.clock = ManualClock(at_ms)
        self.board = Board()
        for event in known:
            self.board.apply(event)
        self.journal = Journal(self.db)
        self.trader = PaperTrader(
            usdc(cash),
            self.db,
            board=self.board,
            journal=self.journal,
            clock=self.clock,
            latency_ms=latency_ms,
            book_through=book_through,
        )
        self.account = self.trader.account
        self.fills: list[Fill] = []
        self.journal.begin_run(mode="paper", feed="test", config_hash="", config="", at_ms=START_MS)
        self.tell(MarketListed(self.market, at_ms, at_ms))

    def tell(self, *events: Event) -> list[Fill]:
        """Apply events in order; return the fills they led to."""
        new: list[Fill] = []
        for event in events:
            self.clock.advance_to(event.received_ms or event.at_ms)
            self.board.apply(event)
            new += [each.fill for each in self.trader.observe(event) if isinstance(each, Filled)]
        self.fills += new
        return new

    def check(self) -> None:
        """Require that account and ledger agree and nothing is overdrawn."""
        self.journal.require_agreement(self.account)
        assert self.account.free_cash >= 0
        assert all(self.account.free_shares(asset_id) >= 0 for asset_id in (YES, NO))


class PaperDesk(Desk):
    """A desk that places and cancels, as the executor contract wants it."""

    async def place(self, signal: Signal) -> Order:
        """Place an order and take in what that did."""
        order = await self.trader.place_order(signal)
        self.tell(Timer(self.clock.now_ms()))
        return order

    async def cancel(self, order: Order) -> bool:
        """Cancel an order and take in what that did."""
        asked = await self.trader.cancel_order(order.order_id)
        self.tell(Timer(self.clock.now_ms()))
        return asked

    def order(self, order: Order) -> Order:
        """Return an order as the ledger has it now."""
        return stored_order(self.db, order.order_id)


def stored_order(db: Database, order_id: OrderId) -> Order:
    """Return an order as a ledger has it."""

    def work(connection: sqlite3.Connection) -> Order:
        connection.row_factory = sqlite3.Row
        row = connection.execute("SELECT * FROM orders WHERE order_id = ?", (order_id,)).fetchone()
        connection.row_factory = None
        return order_of(row)

    found: Order = db.run(work)
    return found


def lots(number: int) -> Shares:
    """Return a number of whole lots."""
    return Shares(number * LOT)
