"""One process of the agent: the real live desk on a simulated account, with a limit as its gate."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from polymarket_agent.domain.board import Board
from polymarket_agent.domain.book import Side
from polymarket_agent.domain.events import MarketListed
from polymarket_agent.domain.order import Fill, Order, SettlementStatus
from polymarket_agent.domain.signal import Signal
from polymarket_agent.ledger.journal import Journal
from polymarket_agent.live_desk import LiveAccess, LiveDesk
from tests.live.sim_gateway import SimGateway
from tests.live.sim_wishes import MARKETS
from tests.live.virtual import SimDatabase

if TYPE_CHECKING:
    from tests.live.sim_world import World


def build_desk(world: World, db: SimDatabase) -> LiveDesk:
    """Return what a start of the agent makes of a ledger."""
    journal, board, now_ms = Journal(db), Board(), world.clock.now_ms()
    journal.begin_run(mode="live", feed="sim", config_hash="", config="{}", at_ms=now_ms)
    for market in MARKETS:
        board.apply(MarketListed(market, now_ms))
    gateway = SimGateway(world.wire, lambda: not db.dead, world.oracle.before_post)
    desk = LiveDesk(
        LiveAccess(gateway=gateway, venue="sim", policy=world.policy),
        world.policy,
        db,
        board=board,
        journal=journal,
        clock=world.clock,
        notice=world.log,
    )
    trader = desk.trader
    trader._rng = Random(world.rng.random())

    def approve(order: Order, signal: Signal) -> str | None:
        """All purchases ever made and possible stay within a limit."""
        del signal
        account = trader.account
        if order.side is Side.SELL:
            return None if order.quantity <= account.free_shares(order.asset_id) else "not enough shares"
        fills = (fill for each in world.known.values() for fill in each.values())
        bought = sum(fill.notional + fill.fee for fill in fills if fill.side is Side.BUY)
        if bought + account.reserved_cash + order.reserved > world.limit:
            world.stats["over the limit"] += 1
            return "over the limit"
        return None if order.reserved <= account.free_cash else "not enough cash"

    def on_final(fill: Fill) -> None:
        if fill.settlement is SettlementStatus.FAILED:
            world.known[fill.order_id].pop(fill.trade_id, None)

    trader.approve, trader.books.on_final = approve, on_final
    return desk
