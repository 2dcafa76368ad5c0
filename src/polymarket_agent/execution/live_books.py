"""What the venue's fills do to our orders, our account and the journal.

A fill is booked from a leg only, never from an answer: once, by its key. It counts from its match and may still fail;
then it is taken back exactly.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace

from polymarket_agent.domain.account import Account, FillKey
from polymarket_agent.domain.costs import rest_cost, shrink, unshrink
from polymarket_agent.domain.events import Filled
from polymarket_agent.domain.levels import Side
from polymarket_agent.domain.market import Market
from polymarket_agent.domain.money import Shares, Usdc
from polymarket_agent.domain.order import (
    EXTERNAL,
    CancelState,
    Evidence,
    Fill,
    Order,
    OrderCause,
    OrderState,
    SettlementStatus,
)
from polymarket_agent.domain.venue import Leg, leg_charges
from polymarket_agent.execution.live_types import Alarm, Markets, Said, Timing
from polymarket_agent.execution.order_books import LOOK_SOON_MS, REMEMBERED, OrderBooks
from polymarket_agent.ledger.live_journal import LiveJournal

__all__ = ["LiveBooks"]

_S, _C = OrderState, OrderCause


class LiveBooks(OrderBooks):
    """Orders, fills and their settlement, in memory and in the journal at once."""

    def __init__(
        self, account: Account, journal: LiveJournal, markets: Markets, alarm: Alarm, *, timing: Timing | None = None
    ) -> None:
        super().__init__(account, journal, markets, alarm, timing=timing)
        self.ended: OrderedDict[FillKey, SettlementStatus] = OrderedDict()
        self.on_final: Callable[[Fill], None] = lambda _: None  # told of every fill that settled or failed to

    def leg_said(self, leg: Leg, now_ms: int, *, source: str) -> Said:
        """Take in what the venue says of a fill: book it once, or advance its settlement."""
        if leg.matched_ms < self.born_ms:
            return Said.NOTHING
        market = self._markets(leg.asset_id)
        order = self.find(leg.order_id)
        if order is None or market is None:
            self.strangers.append(leg)
            return Said.STRANGER
        if not leg.known_status:
            self._alarm("unknown_word", f"trade {leg.trade_id} has a status that is not known")
        if self.account.booked(leg.trade_id, leg.order_id, leg.bucket):
            return self._settle(leg, order, market, now_ms, source)
        notional, fee = leg_charges(leg, market.fees)
        fill = Fill(
            trade_id=leg.trade_id,
            order_id=leg.order_id,
            condition_id=leg.condition_id,
            asset_id=leg.asset_id,
            side=leg.side,
            price=leg.price,
            quantity=leg.quantity,
            notional=notional,
            fee=fee,
            is_maker=leg.is_maker,
            evidence=Evidence.VENUE,
            at_ms=leg.matched_ms,
            strategy=order.strategy,
            settlement=leg.status,
            bucket=leg.bucket,
        )
        if leg.status is SettlementStatus.FAILED:
            return self._never_settled(fill, order, leg, now_ms, source)
        before = order.state
        if before in (_S.CANCELED, _S.REJECTED, _S.ABANDONED, _S.QUARANTINED):
            order = self._revived(order, now_ms, f"trade {leg.trade_id} is part of it")
        elif before not in (_S.OPEN, _S.FILLED):  # a rest of dust may still be matched
            order = self._due(order.move(_C.SIGN_OF_LIFE, now_ms), before, now_ms)
        if order.strategy == EXTERNAL:
            order = self._cover(order, fill, now_ms)
        order = shrink(order, fill, market.fees)
        self.account.apply_fill(fill)
        order = self._after_fill(order, now_ms)
        self._journal.legs([(fill, order, before.value, leg.raw)], source=source)
        self._end((fill.trade_id, fill.order_id, fill.bucket), fill.settlement)
        self.version += 1
        self.fills += 1
        self._keep(order, now_ms)
        self.out.append(Filled(fill, now_ms))
        return Said.APPLIED

    def _after_fill(self, order: Order, now_ms: int) -> Order:
        if order.state is _S.FILLED:
            return order
        if order.filled_up:
            return order.move(_C.CLOSED_FILLED, now_ms)
        if not order.time_in_force.rests:
            return replace(order, deadline_ms=now_ms + LOOK_SOON_MS)
        expected = self._expected.get(order.order_id, (0, 0))[0]
        told = expected <= order.matched + self.failed.get(order.order_id, 0)
        if told and expected and order.cancel is CancelState.NONE:
            del self._expected[order.order_id]
            return replace(order, deadline_ms=order.expires_at_ms)
        return order

    def _cover(self, order: Order, fill: Fill, now_ms: int) -> Order:
        """Somebody else's fill may use money or shares that came from outside and that we were not told of."""
        if order.remaining < fill.quantity:  # of the order we know only what it matched
            order = replace(order, quantity=Shares(order.matched + fill.quantity))
        short = Usdc(fill.notional + fill.fee - self.account.cash) if fill.side is Side.BUY else Usdc(0)
        if short > 0:
            self.account.deposit(short)
            self._journal.cash_flow(short, now_ms, "external", f"paid by trade {fill.trade_id}", key=fill.trade_id)
        lacking = (
            Shares(fill.quantity - self.account.quantity_of(fill.asset_id)) if fill.side is Side.SELL else Shares(0)
        )
        if lacking > 0:
            self.account.deposit_shares(fill.asset_id, fill.condition_id, lacking, Usdc(0))
            self._journal.shares_in(
                fill.asset_id, fill.condition_id, lacking, Usdc(0), now_ms, "external", key=fill.trade_id
            )
        return order

    def _never_settled(self, fill: Fill, order: Order, leg: Leg, now_ms: int, source: str) -> Said:
        """A leg that we hear of only when it has failed: it counts for nothing, but its order has arrived."""
        self.account.remember_fill(fill.trade_id, fill.order_id, fill.bucket)
        self._end((fill.trade_id, fill.order_id, fill.bucket), fill.settlement)
        self.failed[order.order_id] = self.failed.get(order.order_id, 0) + fill.quantity
        self._journal.legs([(fill, order, order.state.value, leg.raw)], source=source)
        self.on_final(fill)
        if order.state in (_S.SUBMITTED, _S.UNKNOWN, _S.DELAYED):
            self.move(order, _C.SIGN_OF_LIFE, now_ms, source=source)
        return Said.APPLIED

    def _settle(self, leg: Leg, order: Order, market: Market, now_ms: int, source: str) -> Said:
        key = (leg.trade_id, leg.order_id, leg.bucket)
        fill = self.account.unsettled_fill(*key)
        if fill is None:
            known = self.ended.get(key)
            if known is not None and leg.status.final and leg.status is not known:
                self._alarm("settlement_conflict", f"trade {leg.trade_id} was {known.value} and is {leg.status.value}")
            return Said.NOTHING
        if not self.account.settle(leg.trade_id, leg.order_id, leg.bucket, leg.status):
            return Said.NOTHING
        after = replace(fill, settlement=leg.status)
        before, moved = order.state, order
        if leg.status is SettlementStatus.FAILED:
            self.failed[order.order_id] = self.failed.get(order.order_id, 0) + fill.quantity
            moved = unshrink(order, fill, market.fees)
            if moved.state is _S.FILLED:  # the venue may have closed it, or have it resting again
                held = rest_cost(moved, market.fees, post_only=order.post_only or fill.is_maker)
                moved = moved.move(_C.SETTLEMENT_FAILED, now_ms, "a fill failed to settle", reserved=held)
            if not moved.state.final:
                moved = replace(moved, deadline_ms=now_ms + LOOK_SOON_MS)
        self._end(key, leg.status)
        self._journal.settled(after, moved, before.value, leg.raw, source=source, at_ms=now_ms)
        self.version += 1
        self._keep(moved, now_ms)
        if leg.status.final:
            self.on_final(after)
        return Said.APPLIED

    def _end(self, key: FillKey, status: SettlementStatus) -> None:
        """Remember how a fill ended, so that a word against it is noticed."""
        if status.final:
            self.ended[key] = status
            while len(self.ended) > REMEMBERED:
                self.ended.popitem(last=False)
