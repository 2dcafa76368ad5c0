"""What a person sees while the agent runs."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from polymarket_agent.cli.common import safe_text
from polymarket_agent.clock import iso
from polymarket_agent.domain.board import Board
from polymarket_agent.domain.market import Market, MarketState
from polymarket_agent.domain.money import decimal_text, display
from polymarket_agent.domain.order import Order
from polymarket_agent.orchestrator import Orchestrator

__all__ = ["render", "show_while"]

_REFRESH_S = 0.2
_MARKET_ROWS = 10
_ORDER_ROWS = 8


async def show_while(orchestrator: Orchestrator, *, speed: float | None) -> dict[str, Any]:
    """Run the agent and refresh the view until it ends; the last view stays on the screen."""
    with Live(render(orchestrator, speed=speed), refresh_per_second=8, transient=False) as live:

        async def refresh() -> None:
            while True:
                await asyncio.sleep(_REFRESH_S)
                live.update(render(orchestrator, speed=speed))

        # A group would wrap the run's own error into a group of errors; this task ends with this function.
        refreshing = asyncio.ensure_future(refresh())  # noqa: TID251
        try:
            summary = await orchestrator.run()
        finally:
            refreshing.cancel()
            live.update(render(orchestrator, speed=speed))
    return summary


def render(orchestrator: Orchestrator, *, speed: float | None) -> Group:
    """Return the view of this instant: markets, latest orders, money."""
    return Group(_header(orchestrator, speed), Text(), _markets(orchestrator), Text(), _orders(orchestrator), Text())


def _header(orchestrator: Orchestrator, speed: float | None) -> Text:
    stats, account = orchestrator.stats, orchestrator.account
    equity, unpriced = orchestrator.gate.worth()
    loss = orchestrator.gate.day.loss(equity)
    now = iso(orchestrator.engine.now_ms)[:19].replace("T", " ") if orchestrator.engine.now_ms else "waiting for data"
    pace = "" if speed is None else f"  x{speed:g}"
    text = Text()
    text.append(f"{orchestrator.config.mode.value.upper()} ", style="bold")
    text.append(f"{safe_text(orchestrator.feed.name)}  {now} UTC{pace}  events {stats.event_count:,}\n")
    pnl = equity - account.deposits
    text.append(f"equity {display(equity)}  ")
    text.append(f"PnL {display(pnl)}", style="green" if pnl >= 0 else "red")
    text.append(
        f"  cash {display(account.cash)} (reserved {display(account.reserved_cash)})  fees {display(account.fees)}"
        f"  daily loss {display(loss)} of {display(orchestrator.config.risk.max_daily_loss)}"
    )
    if unpriced:
        text.append(f"  {len(unpriced)} unpriced", style="yellow")
    refused = stats.signals["refused"]
    fills = sum(totals.fills for totals in stats.by_evidence.values())
    text.append(f"\norders {len(stats.orders)}  live {len(account.orders)}  fills {fills}  refused {refused}")
    return text


def _markets(orchestrator: Orchestrator) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", expand=False)
    for name, justify in (("market", "left"), ("state", "left"), ("bid", "right"), ("ask", "right"), ("held", "left")):
        table.add_column(name, justify=justify, no_wrap=True)  # type: ignore[arg-type]
    board = orchestrator.board
    active = {order.condition_id for order in orchestrator.account.orders.values()}
    active |= {position.condition_id for position in orchestrator.account.positions.values()}
    ranked = sorted(board.markets.values(), key=lambda market: market.condition_id not in active)
    for market in ranked[:_MARKET_ROWS]:
        bid, ask = _top(board, market)
        held = ", ".join(
            f"{display(position.quantity, 1)} {safe_text(market.label_of(asset_id))}"
            for asset_id, position in orchestrator.account.positions.items()
            if asset_id in market.asset_ids
        )
        state = market.state.value if market.state is not MarketState.RESOLVED else f"resolved {_answer(market)}"
        table.add_row(safe_text(market.question)[:44], state, bid, ask, held)
    return table


def _top(board: Board, market: Market) -> tuple[str, str]:
    book = board.books[market.asset_ids[0]]
    if not book.ready:
        return "-", "-"
    return tuple(decimal_text(p) if p is not None else "-" for p in (book.best_bid, book.best_ask))  # type: ignore[return-value]


def _answer(market: Market) -> str:
    payouts = market.payouts or (0, 0)
    if payouts[0] == payouts[1]:
        return "50/50"
    return safe_text(market.outcomes[0 if payouts[0] else 1].label)


def _orders(orchestrator: Orchestrator) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("latest orders", "strategy", "side", "outcome", "price", "shares", "matched", "state"):
        table.add_column(name, justify="right" if name in ("price", "shares", "matched") else "left", no_wrap=True)
    latest: deque[Order] = deque(orchestrator.stats.orders.values(), maxlen=_ORDER_ROWS)
    for order in reversed(latest):
        market = orchestrator.board.markets.get(order.condition_id)
        label = safe_text(market.label_of(order.asset_id)) if market else ""
        question = safe_text(market.question)[:32] if market else ""
        table.add_row(
            question,
            order.strategy,
            order.side.value,
            label,
            decimal_text(order.price),
            display(order.quantity),
            display(order.matched),
            f"{order.state.value.lower()} {safe_text(order.reason)}"[:44],
        )
    return table
