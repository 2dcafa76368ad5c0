"""What must be true, checked against the exchange's own books; numbers are those of the failure model."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from polymarket_agent.domain.account import Account
from polymarket_agent.domain.book import Side
from polymarket_agent.domain.order import Fill, OrderId, OrderState, SettlementStatus
from polymarket_agent.domain.venue import SignedOrder
from polymarket_agent.ledger.recovery import fill_of, recover
from tests.live.sim_orders import VenueOrderBook, cost_of_rest
from tests.live.virtual import SimDatabase

if TYPE_CHECKING:
    from tests.live.sim_world import World

_EXPECTED = {"start", "revival", "operator_halt", "kill", "resume"}
_DUST = 30  # micro-USDC a leg: what rounding each by itself may add
_LATE_MS = 60_000
_S = SettlementStatus


class Violation(AssertionError):  # noqa: N818 - it is a finding
    """An invariant did not hold."""


class Oracle:
    """Compares what the agent believes with what is so."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.posts = 0
        self.steps = 0

    # -- as things happen ---------------------------------------------------------------------------------------------

    def before_post(self, signed: SignedOrder) -> None:
        """I2 and I16: what is about to leave is on disk, and nothing leaves after a kill."""
        world = self.world
        world.saw_post(signed)
        self.posts += 1
        if world.killed:
            self.fail("I16 an order was sent after the kill")
        assert world.db is not None
        rows = world.db.rows("SELECT reserved FROM orders WHERE order_id = ?", signed.order_id)
        attempts = world.db.rows("SELECT count(*) FROM attempts WHERE order_id = ?", signed.order_id)
        if not rows or attempts[0][0] < 1:
            self.fail(f"I2 {signed.order_id} was sent before it was on disk")

    def take_up(self, db: SimDatabase) -> None:
        """A process has started: what it knows is what is on disk."""
        self.world.known.clear()

        def read(connection: sqlite3.Connection) -> list[Fill]:
            cursor = connection.cursor()
            cursor.row_factory = sqlite3.Row
            return [fill_of(r) for r in cursor.execute("SELECT * FROM fills WHERE settlement <> 'FAILED'")]

        for fill in db.run(read):
            self.world.known[fill.order_id][fill.trade_id] = fill

    def booked(self, fill: Fill) -> None:
        """I5: a fill that is booked is the exchange's, to the unit."""
        trade = self.world.exchange.trades.get(fill.trade_id)
        if trade is None or trade.order.id != fill.order_id:
            self.fail(f"I5 phantom fill {fill.trade_id}")
        elif (trade.size, trade.notional, trade.fee) != (fill.quantity, fill.notional, fill.fee):
            self.fail(
                f"I5 fill {fill.trade_id} is {(fill.quantity, fill.notional, fill.fee)},"
                f" the exchange says {(trade.size, trade.notional, trade.fee)}"
            )

    def order(self, order_id: OrderId) -> None:
        """I12: an order costs no more than the ledger allows for."""
        world = self.world
        if world.desk is None or world.db is None or world.db.dead:
            return
        world.drain()
        self._promised(order_id)
        self._no_halt()

    def _promised(self, order_id: OrderId) -> None:
        world = self.world
        theirs, ours = world.exchange.orders.get(order_id), world.account.orders.get(order_id)
        ticket = theirs.ticket if theirs is not None else world.wire.tickets.get(order_id)
        if ticket is None or ticket.side is Side.SELL:
            return
        legs = world.known[order_id].values()
        have = sum(fill.notional + fill.fee for fill in legs) + (ours.reserved if ours is not None else 0)
        need = self._may_cost(order_id, theirs)
        if have + _DUST * (len(legs) + 1) < need:
            state = ours.state.value if ours is not None else "not alive"
            self.fail(f"I12 {order_id[:8]} ({state}) may cost {need}, the ledger allows for {have}")

    def _may_cost(self, order_id: OrderId, theirs: VenueOrderBook | None) -> int:
        wire = self.world.wire
        if theirs is not None:
            matched = sum(trade.cost for trade in theirs.trades if trade.status is not _S.FAILED)
            return matched + theirs.may_cost()
        if not wire.in_flight[order_id] or order_id in wire.doomed:
            return 0
        ticket = wire.tickets[order_id]
        return cost_of_rest(ticket, int(ticket.quantity if ticket.time_in_force.rests else ticket.maker_amount))

    def step(self) -> None:
        """Check everything that is cheap, and the rest now and then."""
        self.steps += 1
        self._no_halt()
        if self.steps % 4:
            return
        world = self.world
        world.drain()
        if world.desk is not None and world.desk.conditions.stream_up and not world.channel.up:
            self.fail("I19 entries are allowed while nobody hears our own fills")
        for order_id in world.wire.tickets:
            self._promised(order_id)
        true = sum(self._may_cost(each.id, each) for each in world.exchange.orders.values() if each.buys)
        if true > world.limit + _DUST * (len(world.exchange.trades) + 1):
            self.fail(f"I14 purchases may come to {true}, the limit is {world.limit}")
        if (
            world.account.free_cash < 0 and not world.knobs["ghost"]
        ):  # what failed may be matched again, at a worse price
            self.fail(f"I11 free cash is {world.account.free_cash}")
        self._deadlines()

    def _deadlines(self) -> None:
        world = self.world
        now_ms = world.clock.now_ms()
        if world.loop.time() - world.up_since < _LATE_MS / 1_000:
            return
        for order in world.account.orders.values():
            if order.state is OrderState.SUBMITTED:
                late = now_ms - order.updated_ms > 2 * _LATE_MS
            else:
                due_ms = order.deadline_ms  # of an order that was found late it may lie before that
                late = due_ms is not None and now_ms - max(due_ms, order.updated_ms) > _LATE_MS
                late |= order.deadline_ms is None and order.state is not OrderState.OPEN
            if late:
                self.fail(f"I6 {order.order_id[:8]} is {order.state.value} and was due at {order.deadline_ms}")

    def _no_halt(self) -> None:
        world = self.world
        if world.desk is None or world.db is None or world.db.dead:
            return
        if world.db.failure is not None:
            self.fail(f"the ledger's writer ended: {world.db.failure!r}")
        for cause in world.desk.conduct.states.causes:
            if cause.cause not in _EXPECTED:
                self.fail(f"halted by itself, {cause.cause}: {cause.detail}")

    def fail(self, why: str) -> None:
        """Note a violation where it cannot be swallowed, and raise it."""
        violation = Violation(f"{why} (at {self.world.loop.time():.3f})")
        if self.world.failure is None:
            self.world.failure = violation
        raise violation

    # -- in the end ---------------------------------------------------------------------------------------------------

    def unsettled(self) -> str:
        """Return what is still on its way once the faults are over, or ""."""
        world = self.world
        if world.failure is not None:
            raise world.failure
        flying = [each for each, copies in world.wire.in_flight.items() if copies]
        live = [each.id[:8] for each in world.exchange.orders.values() if each.live]
        pending = [each.id for each in world.exchange.trades.values() if each.pending]
        ours = world.account.orders.values() if world.desk is not None else ()
        waiting = [f"{each.order_id[:8]} {each.state.value}" for each in ours]
        if not (flying or live or pending or waiting):
            return ""
        return f"on the wire {flying}, live {live}, settling {pending}, ours {waiting}"

    def final(self, db: SimDatabase) -> None:
        """I4, I6, I10: both sides are equal, on disk too, and starting again finds the same."""
        world = self.world
        db.write_now()
        if db.failure is not None:
            self.fail(f"the ledger's writer ended: {db.failure!r}")
        rows = db.rows("SELECT trade_id, order_id, quantity, notional, fee, settlement FROM fills")
        fills = {row[0]: row[1:] for row in rows}
        for trade in world.exchange.trades.values():
            true = (trade.order.id, trade.size, trade.notional, trade.fee, trade.status.value)
            if trade.id not in fills:
                if trade.status is not _S.FAILED:
                    self.fail(f"I4 lost fill {trade.id}")
            elif fills.pop(trade.id) != true:
                self.fail(f"I6 fill {trade.id} differs from {true}")
        if fills:
            self.fail(f"I5 phantom fills {list(fills)}")
        self._equal(world.account_at_end)
        self._per_intent(db)
        left = db.rows(
            "SELECT order_id, state, reserved FROM orders WHERE reserved <> 0"
            " OR state NOT IN ('FILLED', 'CANCELED', 'REJECTED', 'ABANDONED')"
        )
        if left:
            self.fail(f"I12 left over {left}")
        again = recover(db).account
        same = ("cash", "deposits", "realised", "fees", "positions")
        differ = [name for name in same if getattr(again, name) != getattr(world.account_at_end, name)]
        if differ:
            self.fail(f"I30 a restart finds other {differ}")

    def _equal(self, account: Account) -> None:
        world = self.world
        if account.cash != world.exchange.cash:
            self.fail(f"I10 cash is {account.cash}, the exchange says {world.exchange.cash}")
        held = {asset: size for asset, size in world.exchange.shares.items() if size}
        ours = {asset: position.quantity for asset, position in account.positions.items()}
        if held != ours:
            self.fail(f"I10 shares are {ours}, the exchange says {held}")

    def _per_intent(self, db: SimDatabase) -> None:
        taken: dict[str, set[str]] = {}
        for order_id in self.world.exchange.orders:
            rows = db.rows("SELECT intent FROM orders WHERE order_id = ?", order_id)
            if not rows:
                self.fail(f"I4 order {order_id} was never written down")
            taken.setdefault(rows[0][0], set()).add(order_id)
        for intent, orders in taken.items():
            if len(orders) > 1:
                self.fail(f"I3 {len(orders)} orders of intent {intent}")
