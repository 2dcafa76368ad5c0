"""A live ledger for tests: one wallet, one market, orders and fills in short words, and the account beside it."""

from __future__ import annotations

import sqlite3
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

from polymarket_agent.db import Database
from polymarket_agent.domain.account import Account
from polymarket_agent.domain.book import Side
from polymarket_agent.domain.market import AssetId
from polymarket_agent.domain.money import MICRO, Shares, Usdc, usdc
from polymarket_agent.domain.order import Evidence, Fill, Order, OrderId, OrderState, SettlementStatus
from polymarket_agent.domain.venue import OrderTicket, SignedOrder
from polymarket_agent.ledger.journal import Journal
from polymarket_agent.ledger.live_journal import LiveJournal
from polymarket_agent.ledger.recovery import recover
from tests.trading_world import CONDITION, START_MS, YES, a_fill, an_order

WALLET = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
VENUE = "clob.polymarket.com"
MATCHED, MINED, RETRYING = SettlementStatus.MATCHED, SettlementStatus.MINED, SettlementStatus.RETRYING
CONFIRMED, FAILED = SettlementStatus.CONFIRMED, SettlementStatus.FAILED

DESKS: list[Database] = []  # opened by a test; the folder's conftest closes them


def sent(
    side: Side = Side.BUY,
    at: str = "0.5",
    quantity: str | int = 10,
    *,
    name: str = "0xa1",
    asset_id: AssetId = YES,
    intent: str = "",
) -> Order:
    """Return an order that is about to be sent for the first time."""
    order = an_order(side, at, quantity, asset_id=asset_id, name=name)
    return replace(order, state=OrderState.SUBMITTED, intent=intent or f"wish of {name}", updated_ms=START_MS)


def signed(order: Order, *, salt: int = 2**255 + 7, timestamp_ms: int = START_MS) -> SignedOrder:
    """Return what would be sent for an order."""
    worth = int(order.price * order.quantity // MICRO)
    making, taking = (worth, int(order.quantity)) if order.side is Side.BUY else (int(order.quantity), worth)
    ticket = OrderTicket(
        condition_id=order.condition_id,
        asset_id=order.asset_id,
        side=order.side,
        price=order.price,
        quantity=order.quantity,
        maker_amount=making,
        taker_amount=taking,
        neg_risk=True,
        expires_s=1_900_000_000,
    )
    return SignedOrder(
        ticket=ticket,
        order_id=order.order_id,
        salt=salt,
        maker=WALLET,
        signer=WALLET,
        signature_type=3,
        timestamp_ms=timestamp_ms,
        domain="v2_negrisk",
        signature="0x5ec2e7",
    )


def a_leg(
    side: Side,
    at: str,
    quantity: str | int,
    *,
    trade: str,
    order: str,
    fee: str = "0",
    asset_id: AssetId = YES,
    settlement: SettlementStatus = MATCHED,
) -> Fill:
    """Return a fill as the venue reports it."""
    fill = a_fill(side, at, quantity, fee=fee, asset_id=asset_id, trade=trade, order=order)
    return replace(fill, evidence=Evidence.VENUE, settlement=settlement)


def filled_by(order: Order, *fills: Fill) -> Order:
    """Return an order with exactly these fills, all of it matched or not."""
    good = [fill for fill in fills if fill.settlement is not FAILED]
    matched = sum(fill.quantity for fill in good)
    rest = order.quantity - matched
    held = int(rest * order.price // MICRO) if order.side is Side.BUY else int(rest)
    return replace(
        order,
        state=OrderState.OPEN if rest else OrderState.FILLED,
        matched=Shares(matched),
        spent=Usdc(sum(fill.notional for fill in good)),
        reserved=held,
    )


class LiveDesk:
    """A ledger with its journal, and an account that is told the same."""

    def __init__(self, path: Path | str = ":memory:", *, cash: str = "1000", lease: bool = True) -> None:
        self.db = Database(path)
        DESKS.append(self.db)
        found = recover(self.db)
        self.journal = Journal(self.db)
        self.live = LiveJournal(self.db, self.journal)
        self.journal.begin_run(mode="live", feed="test", config_hash="", config="{}", at_ms=START_MS)
        if lease:
            self.live.take_lease(wallet=WALLET, venue=VENUE, pid=1, host_name="here", at_ms=START_MS)
        self.account = found.account or Account()
        if found.account is None and lease:
            self.account.deposit(usdc(cash))
            self.live.cash_flow(usdc(cash), START_MS, "start")

    def send(self, order: Order, *, attempt: int = 1) -> Future[None]:
        """Ask the ledger to let an order go."""
        return self.live.submit(order, signed(order), attempt=attempt, approval="digest", at_ms=START_MS)

    def fill(self, fill: Fill, order: Order | None = None) -> Order:
        """Book a fill of an order that it closes, or of one given as it was before; returns the order after it."""
        if order is None:
            order = sent(fill.side, "0.5", 10, name=fill.order_id, asset_id=fill.asset_id)
            order = replace(order, price=fill.price, quantity=fill.quantity)
        after = filled_by(order, *self.fills_of(order.order_id), fill)
        self.account.apply_fill(fill)
        self.account.apply_order(after)
        self.live.legs([(fill, after, order.state.value, raw_of(fill))], source="test")
        return after

    def settle(self, fill: Fill, to: SettlementStatus, order: Order | None = None) -> None:
        """Tell ledger and account a fill's next status; the order's fills are counted again."""
        now = replace(fill, settlement=to)
        after = None
        if order is not None:
            others = [each for each in self.fills_of(order.order_id) if each.trade_id != fill.trade_id]
            after = filled_by(order, *others, now)
            if order.state.final:
                after = replace(after, state=OrderState.CANCELED if to is FAILED else order.state, reserved=0)
            self.account.apply_order(after)
        self.account.settle(fill.trade_id, fill.order_id, fill.bucket, to)
        before = order.state.value if order else ""
        self.live.settled(now, after, before, raw_of(now), source="test", at_ms=START_MS)

    def fills_of(self, order_id: OrderId) -> list[Fill]:
        """Return the fills of an order that the ledger has."""
        from polymarket_agent.ledger.rows import fill_of

        def work(connection: sqlite3.Connection) -> list[Fill]:
            cursor = connection.cursor()
            cursor.row_factory = sqlite3.Row
            return [fill_of(row) for row in cursor.execute("SELECT * FROM fills WHERE order_id = ?", (order_id,))]

        return self.db.commit(work).result()

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        return self.db.commit(lambda connection: connection.execute(query, values).fetchall()).result()

    def balances(self) -> dict[tuple[str, str], int]:
        """Return the sums of the postings that are not 0."""
        rows = self.rows("SELECT account, unit, sum(amount) FROM postings GROUP BY 1, 2 HAVING sum(amount) <> 0")
        return {(account, unit): amount for account, unit, amount in rows}

    def check(self) -> None:
        """Entries balance, account and postings agree, and a restart would come to the same account."""
        assert self.rows("SELECT entry FROM postings GROUP BY entry, unit HAVING sum(amount) <> 0") == []
        self.journal.require_agreement(self.account)
        again = recover(self.db).account
        assert again is not None
        assert state_of(again) == state_of(self.account)


def raw_of(fill: Fill) -> str:
    """Return the message with which the venue reported a fill."""
    return f'{{"id":"{fill.trade_id}","order":"{fill.order_id}","status":"{fill.settlement.value}"}}'


def state_of(account: Account) -> tuple[object, ...]:
    """Return all that two accounts must have in common."""
    assets = sorted(account.positions)
    return (
        *(account.cash, account.deposits, account.fees, account.realised, account.positions, account.orders),
        *(account.free_cash, account.pending_cost, account.pending_proceeds),
        [(account.pending_buys(a), account.pending_sells(a), account.free_shares(a)) for a in assets],
        sorted((fill.trade_id, fill.settlement.value) for fill in account.unsettled_fills()),
    )


__all__ = [
    "CONDITION",
    "CONFIRMED",
    "DESKS",
    "FAILED",
    "MATCHED",
    "MINED",
    "RETRYING",
    "VENUE",
    "WALLET",
    "LiveDesk",
    "a_leg",
    "filled_by",
    "raw_of",
    "sent",
    "signed",
    "state_of",
]
