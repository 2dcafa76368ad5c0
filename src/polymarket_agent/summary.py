"""What a run came to: counted while it happens, written down wish by wish, and one JSON-able object at the end."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from polymarket_agent import log
from polymarket_agent.clock import iso
from polymarket_agent.decision.gate import Gate
from polymarket_agent.decision.view import Refusal
from polymarket_agent.domain.board import Board
from polymarket_agent.domain.book import Side
from polymarket_agent.domain.events import Event, Filled, MarketClosed, MarketListed, MarketResolved, OrderUpdated
from polymarket_agent.domain.market import AssetId
from polymarket_agent.domain.money import decimal_text
from polymarket_agent.domain.order import Evidence, Fill, Order, OrderId
from polymarket_agent.domain.portfolio import Account, Portfolio
from polymarket_agent.domain.settlement import SettlementStatus
from polymarket_agent.domain.signal import Signal
from polymarket_agent.errors import LedgerError
from polymarket_agent.ledger.journal import Journal
from polymarket_agent.ports import EventFeed

__all__ = ["MARKET_EVENTS", "FillTotals", "Record", "RunStats"]

MARKET_EVENTS = frozenset({MarketListed, MarketClosed, MarketResolved})


@dataclass(slots=True)
class FillTotals:
    """Fills of one kind, summed: micro-shares, micro-USDC."""

    fills: int = 0
    quantity: int = 0
    notional: int = 0
    fees: int = 0

    def add(self, fill: Fill) -> None:
        """Count one fill."""
        self.fills += 1
        self.quantity += fill.quantity
        self.notional += fill.notional
        self.fees += fill.fee

    def take_back(self, fill: Fill) -> None:
        """Uncount one fill."""
        self.fills -= 1
        self.quantity -= fill.quantity
        self.notional -= fill.notional
        self.fees -= fill.fee

    def plain(self) -> dict[str, Any]:
        """Return decimal text for shares and USDC."""
        return {
            "fills": self.fills,
            "shares": decimal_text(self.quantity),
            "notional_usdc": decimal_text(self.notional),
            "fees_usdc": decimal_text(self.fees),
        }


@dataclass(slots=True)
class RunStats:
    """Counters of one run. `events` counts by the type itself: it is touched for every event."""

    events: dict[type[Event], int] = field(default_factory=dict)
    signals: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    unsized: Counter[str] = field(default_factory=Counter)
    orders: dict[OrderId, Order] = field(default_factory=dict)
    by_evidence: dict[str, FillTotals] = field(default_factory=dict)
    by_strategy: dict[str, FillTotals] = field(default_factory=dict)
    set_aside: dict[str, str] = field(default_factory=dict)
    baskets_approved: int = 0
    already_known: int = 0
    first_ms: int | None = None
    last_ms: int | None = None
    wall_s: float = 0.0
    lowest_equity: int | None = None
    highest_equity: int | None = None
    highest_pnl: int | None = None
    deepest_drawdown: int = 0
    failed_fills: int = 0
    _may_fail: set[tuple[str, OrderId, int]] = field(default_factory=set)

    @property
    def event_count(self) -> int:
        """All events taken in."""
        return sum(self.events.values())

    def absorb(self, event: Event) -> None:
        """Count what the executor reported."""
        if isinstance(event, OrderUpdated):
            self.orders[event.order.order_id] = event.order
        elif isinstance(event, Filled):
            self.by_evidence.setdefault(event.fill.evidence.value, FillTotals()).add(event.fill)
            self.by_strategy.setdefault(event.fill.strategy, FillTotals()).add(event.fill)
            if event.fill.evidence is Evidence.VENUE:
                self._may_fail.add((event.fill.trade_id, event.fill.order_id, event.fill.bucket))

    def final(self, fill: Fill) -> None:
        """Take in that a fill of the venue is final; one that failed to settle counts no more."""
        key = (fill.trade_id, fill.order_id, fill.bucket)
        if key not in self._may_fail:
            return  # of a run before, or it had failed before we heard of it
        self._may_fail.discard(key)
        if fill.settlement is SettlementStatus.FAILED:
            self.failed_fills += 1
            self.by_evidence[fill.evidence.value].take_back(fill)
            self.by_strategy[fill.strategy].take_back(fill)

    def note_equity(self, equity: int, pnl: int) -> None:
        """Follow the curve: its extremes and the deepest fall from the highest point; money from outside is no fall."""
        self.highest_equity = equity if self.highest_equity is None else max(self.highest_equity, equity)
        self.highest_pnl = pnl if self.highest_pnl is None else max(self.highest_pnl, pnl)
        self.lowest_equity = equity if self.lowest_equity is None else min(self.lowest_equity, equity)
        self.deepest_drawdown = max(self.deepest_drawdown, self.highest_pnl - pnl)

    def plain(self, portfolio: Portfolio, *, feed: str, ended: str, unpriced: int) -> dict[str, Any]:
        """Return the whole run as one JSON-able object. Money and shares are decimal text, exact."""
        states = Counter(order.state.value for order in self.orders.values())
        closing = Counter(o.reason for o in self.orders.values() if o.reason and o.state.final)
        return {
            "feed": feed,
            "ended": ended,
            "first_event": iso(self.first_ms) if self.first_ms is not None else None,
            "last_event": iso(self.last_ms) if self.last_ms is not None else None,
            "events": {
                "total": self.event_count,
                "by_type": dict(sorted((kind.__name__, number) for kind, number in self.events.items())),
                "already_known": self.already_known,
            },
            "wall_s": round(self.wall_s, 3),
            "events_per_s": round(self.event_count / self.wall_s) if self.wall_s > 0 else None,
            "signals": dict(sorted(self.signals.items())),
            "refusals": dict(sorted(self.refusals.items())),
            "no_order": dict(self.unsized.most_common(12)),
            "baskets_approved": self.baskets_approved,
            "orders": {"total": len(self.orders), "by_state": dict(sorted(states.items()))},
            "closing_reasons": dict(closing.most_common(12)),
            "fills": {
                "total": sum(totals.fills for totals in self.by_evidence.values()),
                "failed": self.failed_fills,
                "by_evidence": {name: totals.plain() for name, totals in sorted(self.by_evidence.items())},
                "by_strategy": {name: totals.plain() for name, totals in sorted(self.by_strategy.items())},
            },
            "fees_usdc": decimal_text(portfolio.fees),
            "cash_usdc": decimal_text(portfolio.cash),
            "reserved_usdc": decimal_text(portfolio.reserved),
            "equity_usdc": decimal_text(portfolio.equity),
            "deposits_usdc": decimal_text(portfolio.deposits),
            "pnl_usdc": decimal_text(portfolio.pnl),
            "realised_before_fees_usdc": decimal_text(portfolio.realised),
            "unrealised_usdc": decimal_text(portfolio.unrealised),
            "drawdown_usdc": decimal_text(self.deepest_drawdown),
            "open_positions": len(portfolio.positions),
            "unpriced_positions": unpriced,
            "strategies_set_aside": self.set_aside,
        }


class Record:
    """Writes down what happens in a run: wishes and what became of them, the equity curve, days, markets, the end."""

    def __init__(self, stats: RunStats, journal: Journal, board: Board, account: Account, gate: Gate) -> None:
        self._stats = stats
        self._journal = journal
        self._board = board
        self._account = account
        self._gate = gate
        self._unsized_before: dict[tuple[str, AssetId, Side], str] = {}
        self._log = log.get(__name__)

    def approved(self, signal: Signal, at_ms: int) -> None:
        """The gate let it pass."""
        self._stats.signals["approved"] += 1
        self._journal.signal(signal, self._board.market_by_asset.get(signal.asset_id), at_ms, verdict="approved")

    def refused(self, signal: Signal, refusals: Sequence[Refusal], at_ms: int) -> None:
        """The gate did not, for these reasons."""
        rules, reasons = ",".join(r.rule for r in refusals), "; ".join(r.reason for r in refusals)
        self._stats.signals["refused"] += 1
        self._stats.refusals.update(refusal.rule for refusal in refusals)
        market = self._board.market_by_asset.get(signal.asset_id)
        self._journal.signal(signal, market, at_ms, verdict="refused", rule=rules, refusal=reasons)
        self._log.info("signal_refused", strategy=signal.strategy, asset_id=signal.asset_id, rules=rules, why=reasons)

    def unsized(self, signal: Signal, why: str, at_ms: int) -> None:
        """There is no order for it. The same wish with the same answer is kept once."""
        self._stats.signals["no order"] += 1
        self._stats.unsized[why.split(":", maxsplit=1)[0]] += 1
        key = (signal.strategy, signal.asset_id, signal.side)
        if self._unsized_before.get(key) != why:
            self._unsized_before[key] = why
            market = self._board.market_by_asset.get(signal.asset_id)
            self._journal.signal(signal, market, at_ms, verdict="unsized", refusal=why)

    def notice(self, level: str, event: str, detail: str, at_ms: int) -> None:
        """Keep something that the operator should find later."""
        self._journal.notice(at_ms, level, event, detail)
        self._log.log(log.LEVELS[level], event, detail=detail)

    def market(self, event: Event) -> None:
        """Keep what is known about the market of one of `MARKET_EVENTS`, so that reports can name it."""
        match event:
            case MarketListed():
                market = self._board.markets.get(event.market.condition_id)
            case MarketClosed() | MarketResolved():
                market = self._board.markets.get(event.condition_id)
            case _:
                market = None
        if market is not None:
            self._journal.market(market, event.at_ms)

    def day(self, at_ms: int) -> None:
        """Begin a new UTC day if it has come, durably."""
        equity, unpriced = self._gate.worth()
        if self._gate.keep_day(at_ms, equity, priced=not unpriced):
            self._journal.day_open(self._gate.day.day, self._gate.day.open_equity, at_ms)

    def point(self, at_ms: int) -> None:
        """Keep one point of the equity curve, the marks behind it, and how far the run has come."""
        stats, portfolio = self._stats, self._gate.portfolio()
        if stats.first_ms is None:
            stats.first_ms = at_ms
        stats.last_ms = at_ms
        stats.note_equity(portfolio.equity, portfolio.pnl)
        unpriced = sum(not mark.priced for mark in portfolio.marks.values())
        self._journal.equity(portfolio, dict(self._gate.valuer.last_good), at_ms, unpriced=unpriced)
        self._journal.progress(first_ms=stats.first_ms, last_ms=at_ms, events=stats.event_count)

    def end(self, feed: EventFeed, *, ended: str, at_ms: int) -> dict[str, Any]:
        """Write the last point and the summary; the ledger is flushed and agrees when this returns.

        Raises:
            LedgerError: the books do not balance. The run is ended as halted.
        """
        wrong: LedgerError | None = None
        if self._stats.event_count:
            self.point(max(at_ms, self._stats.last_ms or 0))
        try:
            self._journal.require_agreement(self._account)
        except LedgerError as error:
            wrong, ended = error, "halted: the books do not balance"
            self.notice("critical", "books_do_not_balance", str(error), at_ms)
        portfolio = self._gate.portfolio()
        unpriced = sum(not mark.priced for mark in portfolio.marks.values())
        summary = self._stats.plain(portfolio, feed=feed.name, ended=ended, unpriced=unpriced)
        summary["left_out"] = {
            "stale_snapshots": self._board.stale_snapshots,
            "contradictory_listings": self._board.contradictions,
            **getattr(feed, "dropped", {}),
        }
        self._journal.end_run(ended=ended, summary=json.dumps(summary))
        if wrong is not None:
            raise wrong
        return summary
