"""The matching desk: takes orders in, matches them, rests them, delays and kills them."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from itertools import groupby

from polymarket_agent.domain.book import Side
from polymarket_agent.domain.money import MICRO, Price, ceil_div
from polymarket_agent.sandbox.amounts import MARKET_TYPES, taker_fee
from polymarket_agent.sandbox.checks import FAK_KILLED, FOK_KILLED, NOT_READY, coverage_refusal
from polymarket_agent.sandbox.core import Core
from polymarket_agent.sandbox.ladder import Order
from polymarket_agent.sandbox.matching import Fill, Plan, plan_matches
from polymarket_agent.sandbox.model import (
    LegStatus,
    OrderStatus,
    OrderType,
    Placed,
    Refused,
    TradeChanged,
    TradePrinted,
)
from polymarket_agent.sandbox.policy import DuplicateCheck, Unmatched
from polymarket_agent.sandbox.settlement import Settlement
from polymarket_agent.sandbox.trades import leg_of, moves_of, take_from_maker, take_from_taker, totals

__all__ = ["Desk"]


class Desk:
    """Turns accepted orders into resting orders and trades."""

    def __init__(self, core: Core, settlement: Settlement) -> None:
        self._core = core
        self._settlement = settlement

    def rest(self, order: Order) -> Placed:
        """Put an order that matches nothing on the book."""
        core = self._core
        order.reserve(order.need)
        core.register(order)
        self._expire_later(order)
        core.tell("PLACEMENT", order)
        self._enqueue(order)
        core.tell_book(order.trading)
        return Placed(order.order_id, "live")

    def delay(self, order: Order, amount: int, delay_ms: int) -> Placed:
        """Hold a marketable order; it is looked at again after the delay."""
        core = self._core
        order.status = OrderStatus.DELAYED
        order.reserve(amount)
        core.register(order)
        self._expire_later(order)
        core.tell("PLACEMENT", order)
        core.agenda.add(core.now_ms + delay_ms, partial(self._release, order), partial(_waits, order))
        return Placed(order.order_id, "delayed")

    def take(self, order: Order, amount: int) -> Placed | Refused:
        """Match a new marketable order at once."""
        plan = plan_matches(order, self._core.policy.self_trade)
        killed = self._kill_reason(order, plan)
        if killed is not None:
            return self._kill(order, killed)
        order.reserve(amount)
        self._core.register(order)
        self._expire_later(order)
        self._core.tell("PLACEMENT", order)
        return self._execute(order, plan)

    def _expire_later(self, order: Order) -> None:
        if order.order_type is OrderType.GTD:
            due_ms = (order.expires_s - self._core.policy.gtd_margin_s) * 1000
            self._core.agenda.add(due_ms, partial(self._expire, order), partial(_lives, order))

    def _expire(self, order: Order) -> None:
        self._core.cancel([order], OrderStatus.CANCELED_EXPIRED_ORDER, "expired")

    def _enqueue(self, order: Order) -> None:
        order.trading.ladders[order.rung].add(order)
        order.trading.touch(order)

    def _release(self, order: Order) -> None:
        """End a delay: check again what may have changed, then match or rest."""
        core = self._core
        order.status = OrderStatus.LIVE
        if not order.trading.market.tradable:
            self._drop(order, OrderStatus.CANCELED, Refused(400, NOT_READY))
            return
        uncovered = coverage_refusal(order, order.reserved)
        if uncovered is not None:
            self._drop(order, OrderStatus.CANCELED_NOT_ENOUGH_BALANCE, uncovered)
            return
        plan = plan_matches(order, core.policy.self_trade)
        killed = self._kill_reason(order, plan)
        if killed is not None:
            self._drop(order, OrderStatus.CANCELED, Refused(400, killed))
        elif plan.fills or plan.own or plan.stopped:
            core.decide(order.order_id, self._execute(order, plan))
        else:
            core.decide(order.order_id, self._rest_unmatched(order))

    def _drop(self, order: Order, status: OrderStatus, answer: Refused) -> None:
        self._core.cancel([order], status, answer.error)
        self._core.decide(order.order_id, answer)

    def _rest_unmatched(self, order: Order) -> Placed:
        """End the delay of an order that was marketable when it came and is not now."""
        if self._core.policy.unmatched is Unmatched.GONE:
            self._core.cancel([order], OrderStatus.CANCELED, "unmatched")
            return Placed(order.order_id, "unmatched")
        order.reserve(order.need)
        self._enqueue(order)
        self._core.tell("UPDATE", order)
        self._core.tell_book(order.trading)
        return Placed(order.order_id, "live" if self._core.policy.unmatched is Unmatched.LIVE else "unmatched")

    def _kill_reason(self, order: Order, plan: Plan) -> str | None:
        if order.order_type is OrderType.FOK and not plan.done:
            return FOK_KILLED
        if order.order_type is OrderType.FAK and not plan.fills:
            return FAK_KILLED
        if plan.stopped and not plan.fills:
            return f"order {order.order_id} crosses the book"
        return None

    def _kill(self, order: Order, reason: str) -> Refused:
        core = self._core
        order.status = OrderStatus.CANCELED
        if core.policy.duplicates is DuplicateCheck.KILLED:
            core.remember(order)
        if core.policy.kill_notice and order.order_type in MARKET_TYPES:
            core.tell("CANCELLATION", order, reason)
        return Refused(400, reason)

    def _execute(self, taker: Order, plan: Plan) -> Placed:
        core = self._core
        core.cancel(plan.own, OrderStatus.CANCELED, "self trade")
        trades, making, taking = [], 0, 0
        for bucket, fills in enumerate(self._buckets(taker, plan.fills)):
            trades.append(self._trade(taker, fills, bucket))
            quantity, collateral = totals(taker, fills)
            making += collateral if taker.side is Side.BUY else quantity
            taking += quantity if taker.side is Side.BUY else collateral
        if plan.fills:
            self._finish(taker, done=plan.done or (not taker.budget and taker.spent))
        if taker.status is OrderStatus.LIVE:
            self._settle_rest(taker, stopped=plan.stopped)
        core.tell_book(taker.trading, after_trade=bool(trades))
        return Placed(
            taker.order_id,
            "matched" if trades else "live",
            making,
            taking,
            tuple(trade.trade_id for trade in trades),
            tuple(trade.transaction_hash for trade in trades),
        )

    def _settle_rest(self, taker: Order, *, stopped: bool) -> None:
        """Rest or cancel what did not match."""
        if taker.order_type in MARKET_TYPES or stopped:
            self._core.close(taker, OrderStatus.CANCELED)
            self._core.tell("CANCELLATION", taker, "self trade" if stopped else "")
            return
        taker.reserve(taker.need)
        self._enqueue(taker)

    def _buckets(self, taker: Order, fills: list[Fill]) -> Iterable[list[Fill]]:
        policy = self._core.policy
        runs: Iterable[list[Fill]] = (list(run) for _, run in groupby(fills, lambda fill: fill.taker_price(taker)))
        if policy.trade_spans_prices:
            runs = [fills] if fills else []
        for run in runs:
            for start in range(0, len(run), policy.makers_per_trade):
                yield run[start : start + policy.makers_per_trade]

    def _trade(self, taker: Order, fills: list[Fill], bucket: int) -> TradeChanged:
        core, market = self._core, taker.trading.market
        trade_id = core.fresh_uuid("trade")
        quantity, collateral = totals(taker, fills)
        fee = self._fee(taker, fills, quantity, collateral)
        makers = tuple(leg_of(fill.maker, fill.quantity, fill.maker.price) for fill in fills)
        average = (
            Price(collateral * MICRO // quantity) if core.policy.trade_spans_prices else fills[0].taker_price(taker)
        )
        record = TradeChanged(
            trade_id=trade_id,
            condition_id=market.condition_id,
            taker=leg_of(taker, quantity, average, fee, market.fees.rate // 100),
            makers=makers,
            status=LegStatus.MATCHED,
            matched_ms=core.now_ms,
            updated_ms=core.now_ms,
            transaction_hash="0x" + core.fresh("transaction"),
            bucket_index=bucket,
        )
        moves = moves_of(taker, fills, quantity, collateral, fee)
        for fill in fills:
            take_from_maker(fill)
        take_from_taker(taker, quantity, collateral, fee)
        self._settlement.begin(record, taker.trading, moves)
        self._print(taker, record)
        for fill in fills:
            fill.maker.trade_ids += (trade_id,)
            self._finish(fill.maker, done=fill.maker.spent)
        taker.trade_ids += (trade_id,)
        return record

    def _print(self, taker: Order, record: TradeChanged) -> None:
        core, leg = self._core, record.taker
        taker.trading.print_price(leg.price if taker.index == 0 else MICRO - leg.price, core.now_ms)
        core.notices.append(
            TradePrinted(
                record.condition_id,
                leg.asset_id,
                leg.price,
                leg.quantity,
                leg.side,
                leg.fee_rate,
                core.now_ms,
                record.transaction_hash,
            )
        )

    def _fee(self, taker: Order, fills: list[Fill], quantity: int, collateral: int) -> int:
        """Return the taker's fee, never more than the sale brings or the buyer has left beside its promises."""
        parts = [(fill.taker_price(taker), fill.quantity) for fill in fills]
        fee = taker_fee(parts, taker.trading.market.fees, self._core.policy.fee_rounding)
        if not fee:
            return 0
        if taker.side is Side.SELL:
            return min(fee, collateral)
        rest = 0 if taker.order_type in MARKET_TYPES else ceil_div((taker.left - quantity) * taker.price, MICRO)
        return min(fee, max(0, taker.reserved + taker.wallet.cash.free - collateral - rest))

    def _finish(self, order: Order, *, done: bool) -> None:
        """Report an order that matched; close it when it is done."""
        if done:
            self._core.close(order, OrderStatus.MATCHED)
        self._core.tell("UPDATE", order)


def _waits(order: Order) -> bool:
    return order.status is OrderStatus.DELAYED


def _lives(order: Order) -> bool:
    return order.status is OrderStatus.LIVE or order.status is OrderStatus.DELAYED
