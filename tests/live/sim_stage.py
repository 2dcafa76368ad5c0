"""A short scene on the simulated exchange: one process of the agent, no chance, and a script that makes things happen."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

from polymarket_agent.domain.book import Side
from polymarket_agent.domain.events import Timer
from polymarket_agent.domain.market import AssetId, ConditionId
from polymarket_agent.domain.money import Price, Shares, Usdc
from polymarket_agent.domain.order import Fill, Order, OrderId, TimeInForce
from polymarket_agent.domain.signal import Signal
from polymarket_agent.domain.venue import OrderTicket, SignedOrder
from polymarket_agent.execution.live import LiveTrader
from polymarket_agent.live_desk import LiveDesk
from tests.live.oracles import Oracle
from tests.live.sim_exchange import Exchange
from tests.live.sim_gateway import CONDITIONS, Wire
from tests.live.sim_orders import T, U, VenueOrderBook, VenueTrade
from tests.live.sim_world import CALM, World
from tests.live.virtual import SimDatabase

Script = Callable[["Stage"], Awaitable[None]]
READY_S = 40.0  # two clean rounds lie behind it


class Still(Exchange):
    """Matches nothing by itself; the script does."""

    def take(self, order: VenueOrderBook, crosses: bool) -> bool:
        del crosses
        order.status, order.taking = "LIVE", False
        self._note(order)
        return False

    def moved(self) -> None:
        """Note balances that the script has changed."""
        self.history.append((self.loop.time(), self.cash, dict(self.shares)))

    def fill(
        self, order_id: str, shares: int, *, name: str = "", settles: float | None = 1.0, told: bool = True
    ) -> VenueTrade:
        """Match a part of an order; it is confirmed after `settles` seconds, or never. `told` is whether anybody hears."""
        order = self.orders[OrderId(order_id)]
        at = self.loop.time()
        trade = VenueTrade(
            id=name or f"T{len(order.trades)}{order_id[:10]}",
            order=order,
            parts=[(int(order.ticket.price), shares)],
            maker=True,
            at=at,
            statuses=[(at, T.MATCHED)],
            cash_at=T.CONFIRMED,
            shares_at=T.CONFIRMED,
        )
        order.trades.append(trade)
        order.left -= shares
        if told:
            self.publish(trade)
            self._note(order)
        if settles is not None:
            self.loop.call_later(settles, self._status, trade, T.CONFIRMED)
        if not order.left:
            self.close(order, "MATCHED")
        return trade

    def publish(self, trade: VenueTrade) -> None:
        """Let a trade be seen."""
        self.trades[trade.id] = trade
        self.emit(self.leg(trade))

    def others(self, order_id: str, *, quantity: int, filled: int, asset: str = "21", price: int = 300_000) -> None:
        """Somebody else has an order on this wallet, and some of it is matched and settled; nobody is told."""
        ticket = OrderTicket(
            condition_id=ConditionId(CONDITIONS[asset]),
            asset_id=AssetId(asset),
            side=Side.BUY,
            price=Price(price),
            quantity=Shares(quantity),
            maker_amount=price * quantity // U,
            taker_amount=quantity,
            neg_risk=False,
        )
        at = self.loop.time()
        order = VenueOrderBook(OrderId(order_id), ticket, at, quantity - filled, live=filled < quantity, taking=False)
        self.orders[order.id] = order
        trade = VenueTrade(
            id=f"T{order_id}",
            order=order,
            parts=[(price, filled)],
            maker=True,
            at=at,
            statuses=[(at, T.CONFIRMED)],
            cash_at=T.CONFIRMED,
            shares_at=T.CONFIRMED,
            moved={"cash", "shares"},
        )
        self.trades[trade.id] = trade
        order.trades.append(trade)
        order.history.append((at, filled, order.live, "LIVE" if order.live else "MATCHED"))
        self.cash -= trade.cost
        self.shares[asset] += filled
        self.moved()


class Unjudged(Oracle):
    """The script judges."""

    def before_post(self, signed: SignedOrder) -> None:
        del signed

    def order(self, order_id: OrderId) -> None:
        del order_id

    def booked(self, fill: Fill) -> None:
        del fill


class _Salts(Random):
    """Salts that the exchange does not take for malformed."""

    count = 0

    def getrandbits(self, k: int, /) -> int:
        del k
        _Salts.count += 20
        return _Salts.count


class Stage(World):
    """One or more processes of the agent, each with its script.

    Args:
        folder: for the ledger.
        scripts: one a process, in turn.
        between: called after each process but the last.
        heartbeat: whether the agent sends them.
    """

    exchange: Still

    def __init__(
        self, folder: Path, *scripts: Script, between: Callable[[Stage], None] | None = None, heartbeat: bool = False
    ) -> None:
        super().__init__(1, folder, knobs=CALM)
        self.exchange = Still(self.loop, Random(1), self.chance, self._emit, self._changed, cash=120 * U)
        self.wire = Wire(self.loop, Random(2), self.exchange, self.chance)
        self.policy = replace(self.policy, heartbeat=heartbeat, cancel_on_start=False)
        self.oracle = Unjudged(self)
        self._scripts, self._between = list(scripts), between
        self._wishes, self.limit_base = 0, 10_000 * U
        self.ended_at = 0.0

    async def _main(self) -> None:
        while self._scripts:
            await self._process()
            if self.failure is not None:
                raise self.failure
            if self._between is not None and self._scripts:
                self._between(self)

    async def _live(self, desk: LiveDesk, db: SimDatabase) -> bool:
        script = self._scripts.pop(0)
        desk.trader._rng = _Salts()
        async with desk.trader.session():
            self.loop.call_later(0.5, self.channel.opens, db)
            await script(self)
            self.ended_at = self.loop.time()
        return True

    @property
    def faulty(self) -> bool:
        """Nothing goes wrong by itself."""
        return False

    # -- what scripts use ---------------------------------------------------------------------------------------------

    @property
    def now(self) -> float:
        """Seconds since the beginning."""
        return self.loop.time()

    @property
    def on(self) -> LiveDesk:
        """The desk of the process that runs."""
        assert self.desk is not None
        return self.desk

    @property
    def trader(self) -> LiveTrader:
        return self.on.trader

    @property
    def state(self) -> str:
        """The state of the agent, by its name."""
        return self.on.conduct.states.state.value

    @property
    def entries(self) -> bool:
        """Whether the executor lets entries through, as far as it has heard."""
        return self.on.conditions.stream_up

    def causes(self) -> set[str]:
        return {each.cause for each in self.on.conduct.states.causes}

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Read the ledger as it is on disk."""
        assert self.db is not None
        return self.db.rows(query)

    def instead(self, name: str, act: Callable[..., Any]) -> Callable[..., Any]:
        """Put a function in the place of one of the gateway's; returns that."""
        before: Callable[..., Any] = getattr(self.trader.gateway, name)
        setattr(self.trader.gateway, name, act)
        return before

    def order(self, order_id: str) -> Order:
        """Return our view of an order."""
        found = self.trader.books.find(OrderId(order_id))
        assert found is not None
        return found

    async def passes(self, seconds: float, each: Callable[[], None] | None = None, step: float = 0.5) -> None:
        """Let the engine run for a while."""
        end = self.now + seconds
        while self.now < end:
            await asyncio.sleep(step)
            self.on.hear()
            self.take_in(Timer(self.clock.now_ms()))
            if each is not None:
                each()

    async def wish(
        self,
        quantity: int = 10 * U,
        *,
        at: int = 500_000,
        side: Side = Side.BUY,
        asset: str = "21",
    ) -> OrderId:
        """Place a resting order; returns its id."""
        self._wishes += 1
        signal = Signal(
            strategy="scene",
            asset_id=AssetId(asset),
            side=side,
            target_price=Price(at),
            reason="the script",
            size=Usdc(at * quantity // U),
            time_in_force=TimeInForce.GTC,
            signal_id=f"s{self._wishes}-{len(self._scripts)}",
        )
        return (await self.trader.place_order(signal)).order_id

    async def resting(self, quantity: int = 10 * U, *, at: int = 500_000, asset: str = "21") -> OrderId:
        """Place a buy and let it arrive."""
        order_id = await self.wish(quantity, at=at, asset=asset)
        await self.passes(2)
        assert self.exchange.orders[order_id].live
        return order_id


def play(
    folder: Path, *scripts: Script, between: Callable[[Stage], None] | None = None, heartbeat: bool = False
) -> Stage:
    """Play scripts to their end; what one of them asserts is raised."""
    stage = Stage(folder, *scripts, between=between, heartbeat=heartbeat)
    stage.run()
    assert not stage._scripts
    return stage
