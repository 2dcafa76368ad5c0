"""What a run came to, as counters and one JSON-able object."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from polymarket_agent.clock import iso
from polymarket_agent.domain.events import Event, Filled, OrderUpdated
from polymarket_agent.domain.money import decimal_text
from polymarket_agent.domain.order import Fill, Order, OrderId
from polymarket_agent.domain.portfolio import Portfolio

__all__ = ["FillTotals", "RunStats"]


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
    """Counters of one run."""

    events: Counter[str] = field(default_factory=Counter)
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
    deepest_drawdown: int = 0

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

    def note_equity(self, equity: int) -> None:
        """Follow the curve: its extremes and the deepest fall from the highest point."""
        if self.highest_equity is None or equity > self.highest_equity:
            self.highest_equity = equity
        self.lowest_equity = equity if self.lowest_equity is None else min(self.lowest_equity, equity)
        self.deepest_drawdown = max(self.deepest_drawdown, self.highest_equity - equity)

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
                "by_type": dict(sorted(self.events.items())),
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
