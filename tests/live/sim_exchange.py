"""A small exchange to lose money at: it matches by chance, settles late or never, and forgets nothing.

Written from the failure model and the venue's documents; shares no code with the product but the words of `domain`.
Amounts are micro-units. What happens to an order or a trade is kept with its time, so that reads can be stale.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from random import Random

from polymarket_agent.domain.book import Side
from polymarket_agent.domain.market import AssetId, ConditionId
from polymarket_agent.domain.money import Price, Shares, Usdc
from polymarket_agent.domain.order import OrderId, SettlementStatus, TimeInForce
from polymarket_agent.domain.venue import Balances, Leg, OrderSnapshot, OrderTicket, SignedOrder
from tests.live.sim_orders import LOT, T, U, VenueOrderBook, VenueTrade, cost_of_rest
from tests.live.virtual import START_MS, VirtualLoop


class Exchange:
    """Orders, trades and balances of one wallet.

    Args:
        loop: the time.
        rng: every choice.
        chance: how likely a named fault is now.
        emit: tells the user channel something, as it is now.
        changed: called after each change of an order.
    """

    def __init__(
        self,
        loop: VirtualLoop,
        rng: Random,
        chance: Callable[[str], bool],
        emit: Callable[[OrderSnapshot | Leg], None],
        changed: Callable[[OrderId], None],
        *,
        cash: int,
    ) -> None:
        self.loop, self.rng, self.chance, self.emit, self.changed = loop, rng, chance, emit, changed
        self.orders: dict[OrderId, VenueOrderBook] = {}
        self.trades: dict[str, VenueTrade] = {}
        self.cash = cash
        self.shares: dict[str, int] = defaultdict(int)
        self.history: list[tuple[float, int, dict[str, int]]] = [(-1.0, cash, {})]
        self.mode = "normal"
        self.counts_failed = rng.random() < 0.5
        self.beat: float | None = None

    # -- orders -----------------------------------------------------------------------------------------------------

    def post(self, signed: SignedOrder) -> tuple[str, str]:
        """Take an order; returns a class of answer and the venue's word."""
        ticket = signed.ticket
        if self.mode == "restart":
            return "not now", "425"
        if signed.salt % 20 == 7:
            return "refused", "malformed"
        if signed.order_id in self.orders:
            return "duplicate", "duplicated"
        if self.mode == "cancel_only" or (self.mode == "post_only" and not ticket.post_only):
            return "not now", self.mode
        if not self._affordable(ticket):
            return "not now", "not enough balance"
        crosses = self.rng.random() < 0.6
        if ticket.post_only and crosses:
            return "not now", "crosses"
        if ticket.time_in_force is TimeInForce.FOK and not crosses:
            return "not now", "not filled"
        now = self.loop.time()
        left = ticket.maker_amount if ticket.side is Side.BUY and not ticket.time_in_force.rests else ticket.quantity
        order = VenueOrderBook(signed.order_id, ticket, now, int(left))
        self.orders[order.id] = order
        self._note(order)
        if ticket.time_in_force is TimeInForce.GTD:
            end = (ticket.expires_s * 1_000 - START_MS) / 1_000 - 60
            self.loop.call_at(max(end, now), self.close, order, "CANCELED")
        if self.chance("delay") and not ticket.post_only:
            order.status = "DELAYED"
            self._note(order)
            self.loop.call_later(3, self.take, order, crosses)
            return "delayed", "delayed"
        return "accepted", "matched" if self.take(order, crosses) else "live"

    def _affordable(self, ticket: OrderTicket) -> bool:
        if ticket.side is Side.BUY:
            coming = sum(t.cost for t in self.trades.values() if t.order.buys and t.pending and "cash" not in t.moved)
            left = ticket.quantity if ticket.time_in_force.rests else ticket.maker_amount
            live = sum(each.may_cost() for each in self.orders.values())
            return cost_of_rest(ticket, left) + live + coming <= self.cash
        asset = ticket.asset_id
        live = sum(x.left for x in self.orders.values() if x.live and not x.buys and x.ticket.asset_id == asset)
        going = sum(
            t.size
            for t in self.trades.values()
            if not t.order.buys and t.order.ticket.asset_id == asset and t.pending and "shares" not in t.moved
        )
        return ticket.quantity + live + going <= self.shares[asset]

    def take(self, order: VenueOrderBook, crosses: bool) -> bool:
        """Match what is there when an order arrives; then it rests or ends."""
        if not order.live:
            return False
        order.status = "LIVE"
        tif, matched = order.ticket.time_in_force, False
        if crosses and not order.ticket.post_only:
            share = 1.0 if tif is TimeInForce.FOK else self.rng.choice((0.1, 0.5, 1.0, 1.0))
            matched = self._match(order, share, maker=False)
        order.taking = False
        if order.live and not tif.rests:
            self.close(order, "MATCHED" if matched else "CANCELED")
        elif order.live:
            self._note(order)
            self.loop.call_later(self.rng.uniform(5, 200), self.rest, order)
        return matched

    def rest(self, order: VenueOrderBook) -> None:
        """Somebody may meet a resting order."""
        if order.live:
            self._match(order, self.rng.choice((0.0, 0.1, 0.5, 1.0)), maker=True)
            self.loop.call_later(self.rng.uniform(5, 200), self.rest, order)

    def _match(self, order: VenueOrderBook, share: float, *, maker: bool) -> bool:
        limit = int(order.ticket.price)
        better = 0 if maker else self.rng.choice((0, 0, 10_000, 50_000))
        at = max(10_000, limit - better) if order.buys else min(U - 10_000, limit + better)
        if order.budgeted:
            size = int(order.left * share) * U // at // 100 * 100
        else:
            size = int(order.left * share) // LOT * LOT
        if size <= 0:
            return False
        parts = [(at, size)]
        if not maker and self.rng.random() < 0.3 and size > 3 * LOT:
            first = size // 3 // 100 * 100
            parts = [(at, first), (limit if not order.budgeted else at, size - first)]
        trade = VenueTrade(
            id=f"t{len(self.trades)}",
            order=order,
            parts=parts,
            maker=maker,
            at=self.loop.time(),
            statuses=[(self.loop.time(), T.MATCHED)],
            cash_at=self.rng.choice((T.MINED, T.CONFIRMED)),
            shares_at=self.rng.choice((T.MINED, T.CONFIRMED)),
        )
        self.trades[trade.id] = trade
        order.trades.append(trade)
        order.left -= trade.notional if order.budgeted else size
        self.emit(self.leg(trade))
        self.loop.call_later(self.rng.uniform(2, 50), self.settle, trade)
        if order.left < (limit * LOT // U if order.budgeted else LOT):
            self.close(order, "MATCHED")
        else:
            self._note(order)
        return True

    def close(self, order: VenueOrderBook, status: str) -> None:
        """End an order."""
        if order.live:
            order.live, order.status = False, status
            self._note(order)

    def _note(self, order: VenueOrderBook) -> None:
        matched = sum(t.size for t in order.trades if self.counts_failed or t.status is not T.FAILED)
        order.history.append((self.loop.time(), matched, order.live, order.status))
        self.emit(self.snapshot(order, self.loop.time()))
        self.changed(order.id)

    def cancel(self, order_id: OrderId) -> str | None:
        """Return None if it was live and is no more, else why it was not cancelled."""
        order = self.orders.get(order_id)
        if order is None or not order.live:
            return "not found"
        if order.taking:
            return "it is being matched"
        self.close(order, "CANCELED")
        return None

    def heard(self) -> None:
        """The heart of the agent has beaten; without the next beat everything is cancelled."""
        self.beat = self.loop.time()
        self.loop.call_later(11, self._listen, self.beat)

    def _listen(self, beat: float) -> None:
        if self.beat == beat:
            for order in self.orders.values():
                if not order.taking:
                    self.close(order, "CANCELED")

    # -- settlement -------------------------------------------------------------------------------------------------

    def settle(self, trade: VenueTrade) -> None:
        """Take the next step of a settlement."""
        if self.chance("ghost"):
            if trade.status is not T.RETRYING and self.rng.random() < 0.5:
                self._status(trade, T.RETRYING)
                self.loop.call_later(10, self.settle, trade)
                return
            self._status(trade, T.FAILED)
            if self.rng.random() < 0.5:
                self.close(trade.order, "CANCELED")
            return
        if trade.status is T.MINED or self.rng.random() < 0.2:
            self._status(trade, T.CONFIRMED)
            return
        self._status(trade, T.MINED)
        self.loop.call_later(self.rng.uniform(0.5, 20), self.settle, trade)

    def _status(self, trade: VenueTrade, status: SettlementStatus) -> None:
        trade.statuses.append((self.loop.time(), status))
        if status in (T.FAILED, T.RETRYING):
            for what in sorted(trade.moved):
                self._move(trade, what, -1)
            trade.moved.clear()
        else:
            for what, when in (("cash", trade.cash_at), ("shares", trade.shares_at)):
                if what not in trade.moved and (status is when or status is T.CONFIRMED):
                    trade.moved.add(what)
                    self._move(trade, what, 1)
        self.history.append((self.loop.time(), self.cash, dict(self.shares)))
        self.emit(self.leg(trade))
        self.changed(trade.order.id)

    def _move(self, trade: VenueTrade, what: str, times: int) -> None:
        sign = times if trade.order.buys else -times
        if what == "shares":
            self.shares[trade.order.ticket.asset_id] += sign * trade.size
        elif trade.order.buys:
            self.cash -= times * trade.cost
        else:
            self.cash += times * (trade.notional - trade.fee)

    # -- what others see ----------------------------------------------------------------------------------------------

    def snapshot(self, order: VenueOrderBook, at: float) -> OrderSnapshot:
        """Return an order as it was."""
        _, matched, live, status = [each for each in order.history if each[0] <= at][-1]
        ticket = order.ticket
        return OrderSnapshot(
            order_id=order.id,
            condition_id=ticket.condition_id,
            asset_id=ticket.asset_id,
            side=ticket.side,
            price=ticket.price,
            quantity=ticket.quantity,
            matched=Shares(matched),
            status=status,
            active=live,
            created_s=(START_MS + int(order.at * 1_000)) // 1_000,
        )

    def leg(self, trade: VenueTrade, at: float | None = None) -> Leg:
        """Return our part of a trade as it was."""
        ticket = trade.order.ticket
        status = [s for when, s in trade.statuses if at is None or when <= at][-1]
        return Leg(
            trade_id=trade.id,
            order_id=trade.order.id,
            bucket=0,
            condition_id=ConditionId(ticket.condition_id),
            asset_id=ticket.asset_id,
            side=ticket.side,
            is_maker=trade.maker,
            quantity=Shares(trade.size),
            price=Price(trade.parts[0][0]),
            parts=tuple((Price(price), Shares(size)) for price, size in trade.parts),
            status=status,
            matched_ms=(START_MS + int(trade.at * 1_000)) // 1_000 * 1_000,
            raw=f'{{"id":"{trade.id}","order":"{trade.order.id}","status":"{status.value}"}}',
        )

    def balances(self, at: float, asset_ids: list[AssetId]) -> Balances:
        """Return balances as they were."""
        _, cash, shares = [each for each in self.history if each[0] <= at][-1]
        return Balances(cash=Usdc(cash), shares={each: Shares(shares.get(each, 0)) for each in asset_ids})
