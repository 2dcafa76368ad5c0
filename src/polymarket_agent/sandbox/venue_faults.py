"""Faults that happen to the venue itself at a time: modes, delays, settlements, bans, somebody else on the wallet.

Each is done to the exchange through the same doors that a venue's operator, a chain or another client would use.
A rule that finds nobody to strike is skipped, and listed as skipped.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from polymarket_agent.domain.book import Side
from polymarket_agent.domain.market import TICK_SIZES
from polymarket_agent.domain.money import MICRO, Usdc
from polymarket_agent.sandbox.exchange import Exchange
from polymarket_agent.sandbox.fault_arguments import (
    Ban,
    ForeignOrder,
    MatchDelay,
    ModeChange,
    Resolution,
    Settlement,
    TickChange,
    Window,
)
from polymarket_agent.sandbox.fault_rules import Rule
from polymarket_agent.sandbox.fault_targets import NobodyError, Target, Targets
from polymarket_agent.sandbox.model import LegStatus, OrderType, Refused, TradeChanged
from polymarket_agent.sandbox.wallet_cache import WalletCache

__all__ = ["VenueFaults"]

_SKIPPED = 1_000  # lines kept about rules that struck nobody
_HOUSE = Target("00000000-0000-4000-8000-00000000fa17", "0x00000000000000000000000000000000000fa017", "")

Context = Mapping[str, object]
Note = Callable[[str, str, int, Context], None]
SettleFault = Callable[[int, Context], Settlement | None]
Act = Callable[[Exchange, int], None]


class VenueFaults:
    """Scheduled rules and what they do.

    Args:
        note: where an injected fault is written down.
        settle_fault: how the plan lets a trade settle, None for as usual.
        seed: of the choice among "any".
    """

    def __init__(self, note: Note, settle_fault: SettleFault, seed: str) -> None:
        self.targets = Targets(seed)
        self.cache = WalletCache()
        self.skipped: deque[str] = deque(maxlen=_SKIPPED)
        self._note = note
        self._settle_fault = settle_fault
        self._queue: list[tuple[int, int, Act]] = []
        self._serial = 0
        self._ends: set[int] = set()  # entries of the queue that end what a rule began
        self._clock: list[tuple[int, int | None, Rule]] = []  # from, until, step or drift
        self._strikes: dict[str, Callable[[Exchange, int, Any], Context]] = {
            "mode": _mode,
            "match_delay": self._match_delay,
            "tick": self._tick,
            "resolve": self._resolve,
            "ban": self._ban,
            "foreign_order": self._foreign_order,
            "withdraw": self._withdraw,
            "heartbeat_expiry": self._heartbeat_expiry,
            "stale_balance": self._stale_balance,
        }

    @property
    def next_due_ms(self) -> int | None:
        """When something is done next."""
        return self._queue[0][0] if self._queue else None

    def act(self, exchange: Exchange, now_ms: int) -> None:
        """Do everything that is due up to and including now."""
        while self._queue and self._queue[0][0] <= now_ms:
            due_ms, serial, act = heapq.heappop(self._queue)
            self._ends.discard(serial)
            exchange.advance(due_ms)
            act(exchange, due_ms)

    def schedule(self, rule: Rule, start_ms: int) -> None:
        """Put a rule's times into the queue; one that repeats puts itself back."""
        until_ms = None if rule.until_s is None else start_ms + int(rule.until_s * 1_000)
        for at_s in rule.at_s:
            self._later(start_ms + int(at_s * 1_000), self._struck(rule, until_ms, rule.limit))

    def forget(self) -> None:
        """Strike no more; what a rule began still ends at its time. Clock and balances are true again."""
        self._queue = [each for each in self._queue if each[1] in self._ends]
        heapq.heapify(self._queue)
        self._clock.clear()
        self.cache = WalletCache()

    def _later(self, at_ms: int, act: Act, *, ends: bool = False) -> None:
        self._serial += 1
        if ends:
            self._ends.add(self._serial)
        heapq.heappush(self._queue, (at_ms, self._serial, act))

    def _struck(self, rule: Rule, until_ms: int | None, times: int | None) -> Act:
        def act(exchange: Exchange, now_ms: int) -> None:
            if until_ms is not None and now_ms >= until_ms:
                return
            try:
                context = self._strike(rule, exchange, now_ms, until_ms)
            except NobodyError as reason:
                self.skipped.append(f"{rule.fault} at {now_ms}: {reason}")
            else:
                self._note(rule.point, rule.fault, now_ms, context)
            left = None if times is None else times - 1
            if rule.every_s and left != 0:
                self._later(now_ms + int(rule.every_s * 1_000), self._struck(rule, until_ms, left))

        return act

    def _strike(self, rule: Rule, exchange: Exchange, now_ms: int, until_ms: int | None) -> Context:
        if rule.point == "clock":
            self._clock.append((now_ms, until_ms, rule))
            return {"seconds": rule.argument}
        return self._strikes[rule.fault](exchange, now_ms, rule.argument)

    def _match_delay(self, exchange: Exchange, now_ms: int, delay: MatchDelay) -> Context:
        market = self.targets.market(exchange, delay.market)
        terms = exchange.terms(market.condition_id)
        seconds, taker = terms.seconds_delay, terms.taker_delay
        exchange.set_delay(market.condition_id, seconds_delay=delay.seconds, taker_delay=taker)

        def end(exchange: Exchange, _: int) -> None:
            exchange.set_delay(market.condition_id, seconds_delay=seconds, taker_delay=taker)

        self._later(now_ms + int(delay.for_s * 1_000), end, ends=True)
        return {"market": market.slug, "seconds": delay.seconds}

    def _tick(self, exchange: Exchange, now_ms: int, change: TickChange) -> Context:
        market = self.targets.market(exchange, change.market)
        finer = next((each for each in TICK_SIZES if each < market.tick_size), None)
        tick = change.tick or finer
        if tick is None or tick == market.tick_size:
            raise NobodyError(f"{market.slug} has that grid already")
        exchange.set_tick_size(market.condition_id, tick, now_ms)
        return {"market": market.slug, "tick": tick}

    def _resolve(self, exchange: Exchange, now_ms: int, resolution: Resolution) -> Context:
        market = self.targets.market(exchange, resolution.market)
        exchange.resolve(market.condition_id, resolution.payouts, now_ms)
        return {"market": market.slug, "payouts": resolution.payouts}

    def _ban(self, exchange: Exchange, now_ms: int, ban: Ban) -> Context:
        wallet = self.targets.account(ban.account).wallet
        exchange.ban(wallet, closed_only=ban.closed_only)
        if ban.for_s:
            self._later(now_ms + int(ban.for_s * 1_000), lambda exchange, _: exchange.unban(wallet), ends=True)
        return {"wallet": wallet, "closed_only": ban.closed_only}

    def _foreign_order(self, exchange: Exchange, now_ms: int, order: ForeignOrder) -> Context:
        target, market = self.targets.account(order.account), self.targets.market(exchange, order.market)
        asset_id, tick = market.asset_ids[0], market.tick_size
        best_bid, best_ask = exchange.best(asset_id)
        usual = (best_bid or tick) if order.side == "BUY" else min(best_ask, MICRO - tick)
        at = order.price or usual // tick * tick
        entry = self.targets.entry(target, asset_id, Side(order.side), at, order.quantity, order.order_type)
        answer = exchange.place(entry, now_ms)
        if isinstance(answer, Refused):
            raise NobodyError(f"the order of {target.wallet} in {market.slug} was refused: {answer.error}")
        return {"wallet": target.wallet, "market": market.slug, "order_id": entry.order_id, "status": answer.status}

    def _withdraw(self, exchange: Exchange, _now_ms: int, window: Window) -> Context:
        wallet = self.targets.account(window.account).wallet
        refused = exchange.withdraw(wallet, window.amount)
        if refused is not None:
            raise NobodyError(refused.error)
        return {"wallet": wallet, "amount": window.amount}

    def _heartbeat_expiry(self, exchange: Exchange, now_ms: int, window: Window) -> Context:
        owner = self.targets.account(window.account).owner
        return {"owner": owner, "canceled": len(exchange.cancel_all(owner, now_ms).canceled)}

    def _stale_balance(self, exchange: Exchange, now_ms: int, window: Window) -> Context:
        wallets = self.targets.wallets(window.account)
        for wallet in wallets:
            self.cache.freeze(exchange, wallet, now_ms + int(window.for_s * 1_000))
        return {"wallets": len(wallets), "for_s": window.for_s}

    def attach(self, exchange: Exchange) -> None:
        """Take part in how trades settle: those of accounts under test, whatever side they are on."""
        usual = exchange.settlement_plan

        def plan(trade: TradeChanged) -> list[tuple[int, LegStatus]]:
            legs = (trade.taker, *trade.makers)
            owners = tuple(leg.owner for leg in legs)
            if all(target.owner not in owners for target in self.targets.known):
                return usual(trade)
            wallets = tuple(leg.wallet for leg in legs)
            context = {"market": trade.condition_id, "owner": owners, "wallet": wallets, "trade": trade.trade_id}
            fault = self._settle_fault(trade.matched_ms, context)
            return usual(trade) if fault is None else _settles(fault)

        exchange.settlement_plan = plan

    def skew_ms(self, now_ms: int) -> int:
        """Return by how much the clock is ahead: steps at once, drifts by the hour."""
        total = 0.0
        for from_ms, until_ms, rule in self._clock:
            if from_ms <= now_ms and (until_ms is None or now_ms < until_ms):
                total += rule.argument * (1_000 if rule.fault == "step" else (now_ms - from_ms) / 3_600)
        return int(total)

    def fill_first(self, exchange: Exchange, order_id: str, now_ms: int) -> None:
        """Let the house take everything down to the order's price, so that the cancel comes too late."""
        order = exchange.order(order_id)
        if order is None or not exchange.markets[order.condition_id].tradable:
            return
        buying, book = order.side is Side.BUY, exchange.book(order.asset_id)
        levels = book.bids() if buying else book.asks()
        ahead = sum(
            each.size for each in levels if (each.price >= order.price if buying else each.price <= order.price)
        )
        exchange.fund(_HOUSE.wallet, Usdc(ahead * 2))  # each share costs less than one dollar, and its fee less still
        exchange.approve(_HOUSE.wallet)
        other = exchange.markets[order.condition_id].complement_of(order.asset_id)
        asset_id, at = (other, MICRO - order.price) if buying else (order.asset_id, order.price)
        exchange.place(self.targets.entry(_HOUSE, asset_id, Side.BUY, at, ahead, OrderType.GTC), now_ms)
        exchange.cancel_all(_HOUSE.owner, now_ms)


def _mode(exchange: Exchange, now_ms: int, change: ModeChange) -> Context:
    exchange.set_mode(change.mode, now_ms, retry_after_s=change.for_s)
    return {"mode": change.mode.value, "for_s": change.for_s}


def _settles(fault: Settlement) -> list[tuple[int, LegStatus]]:
    """Return the steps of a trade's settlement, as (milliseconds after the match, status)."""
    last_ms = int(fault.seconds * 1_000)
    match fault.end:
        case "FAILED":
            return [(last_ms // 2, LegStatus.RETRYING), (last_ms, LegStatus.FAILED)]
        case "RETRYING":
            return [(min(2_000, last_ms), LegStatus.RETRYING), (last_ms, fault.then)]
        case _:
            return [(last_ms // 2, LegStatus.MINED), (last_ms, fault.then)]
