"""The gate's memory: what the rules look at besides the signal. Pure; time is handed in."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from polymarket_agent.config import RiskConfig
from polymarket_agent.decision.binding import differences, not_whole, of_order, wish_of
from polymarket_agent.decision.breakers import Breakers, MessageRate
from polymarket_agent.decision.conditions import Conditions
from polymarket_agent.decision.day import HighestEquity, TradingDay
from polymarket_agent.decision.limits import Tightened, tightened
from polymarket_agent.decision.risk import RESEND_RULES, check
from polymarket_agent.decision.states import StateChange
from polymarket_agent.decision.turnover import Turnover
from polymarket_agent.decision.view import Refusal, RiskView, as_order
from polymarket_agent.decision.wishes import malformed
from polymarket_agent.domain.board import Board
from polymarket_agent.domain.book import Side
from polymarket_agent.domain.market import AssetId
from polymarket_agent.domain.money import Usdc, display
from polymarket_agent.domain.order import Order, OrderId, OrderState
from polymarket_agent.domain.portfolio import UNPRICED_HAIRCUT_PERCENT, Account, Portfolio, Valuer
from polymarket_agent.domain.signal import Signal

__all__ = ["Gate"]

_HOUR_MS = 3_600_000
_MINUTE_MS = 60_000
_REFUSED = frozenset({OrderState.REJECTED, OrderState.QUARANTINED})
_MOST_IDS = 5_000  # kept so that an order is counted once; more than a minute can have


class Gate:
    """Checks signals against the limits, and remembers the day and the orders of the last hour.

    Args:
        limits: the configured limits.
        account: shared with the executor.
        board: shared with the engine.
        streaming: whether silence of one asset means "no change" while others are heard.
        day: the current day as recovered, or a new one.
        last_equity: the last equity that was recorded before this start; None in a new ledger.
        conditions: facts that executor and orchestrator keep true; without them everything is as it should be.
        highest: the highest equity so far as recovered, net of flows; None begins with what is known here.
    """

    def __init__(
        self,
        limits: RiskConfig,
        account: Account,
        board: Board,
        *,
        streaming: bool,
        day: TradingDay | None = None,
        last_equity: Usdc | None = None,
        conditions: Conditions | None = None,
        highest: Usdc | None = None,
    ) -> None:
        self.day = day or TradingDay()
        self.highest = HighestEquity(highest)
        self.valuer = Valuer()
        self.conditions = conditions or Conditions()
        self.breakers = Breakers()
        self.messages = MessageRate()
        self.turnover = Turnover()
        self.heard_ms = 0
        self._limits = limits
        self._account = account
        self._board = board
        self._streaming = streaming
        self._last_equity = last_equity
        self._paid_in = account.deposits
        self._was_down = True
        self._recent: dict[tuple[str, AssetId, Side], dict[OrderId, Order]] = defaultdict(dict)
        self._left: dict[OrderId, None] = {}
        self._refused: dict[OrderId, None] = {}
        for known in (last_equity, self.day.open_equity if self.day.day else None):
            if known is not None:
                self.highest.see(known)

    @property
    def limits(self) -> RiskConfig:
        """The limits that hold now."""
        return self._limits

    def tighten(self, new: RiskConfig) -> Tightened:
        """Take up every limit that is tighter now; what is looser waits for a restart."""
        result = tightened(self._limits, new)
        self._limits = result.limits
        return result

    # -- judging --------------------------------------------------------------------------------------------------

    def refusals(self, signal: Signal, now_ms: int, pending: Sequence[Signal] = ()) -> list[Refusal]:
        """Return every reason why a signal may not become an order now, or [].

        `pending` are legs of the same basket that were found good a moment ago and are not ordered yet. A day that
        has begun since `keep_day` was called last is not known here: until then the old day's loss counts.
        """
        wrong = malformed(signal)
        if wrong is not None:
            return [Refusal("shape", wrong)]
        return check(signal, self._view(signal, now_ms, pending))

    def refusals_of_order(
        self, order: Order, signal: Signal, now_ms: int, pending: Sequence[Signal] = ()
    ) -> list[Refusal]:
        """Return every reason why exactly this order may not be signed and sent, or [].

        The binding check, for the step that reserves: every rule again on the integers of the order, what it
        reserves included, and that it is what the signal asked for. The order may be among the account's orders
        already; it does not count against itself.
        """
        wrong = malformed(signal)
        if wrong is not None:
            return [Refusal("shape", wrong)]
        if unusable := not_whole(order):
            return unusable
        judged = of_order(order, signal)
        found = list(differences(order, signal, self._board.market_by_asset.get(order.asset_id)))
        if judged.quantity != order.quantity:
            found.append(Refusal("form", f"{display(order.quantity, 6)} shares are no whole number of hundredths"))
        if (wrong := malformed(judged)) is not None:
            return [*found, Refusal("shape", wrong)]
        return [*found, *check(judged, self._view(judged, now_ms, pending, exact=order))]

    def refusals_of_resend(self, order: Order, now_ms: int) -> list[Refusal]:
        """Return why the bytes of an order may not be sent once more, or []: state, venue, market and price."""
        signal = wish_of(order)
        return check(signal, self._view(signal, now_ms, exact=order), RESEND_RULES)

    def _view(
        self, signal: Signal, now_ms: int, pending: Sequence[Signal] = (), exact: Order | None = None
    ) -> RiskView:
        self._follow_deposits()
        equity, unpriced = self.worth()
        return RiskView(
            now_ms=now_ms,
            limits=self._limits,
            account=self._account,
            board=self._board,
            daily_loss=self.day.loss(equity),
            drawdown=self.highest.drawdown(equity),
            turnover=self.turnover.today(now_ms, without=exact),
            book_age_ms=self._book_age_ms(signal.asset_id, now_ms),
            recent=[
                o for o in self._orders_of_last_hour(signal, now_ms) if exact is None or o.order_id != exact.order_id
            ],
            unpriced=frozenset(unpriced),
            pending=[as_order(leg, self._board.market_by_asset[leg.asset_id], now_ms) for leg in pending],
            conditions=self.conditions,
            breakers=self.breakers,
            messages=self.messages,
            exact=exact,
        )

    # -- remembering ----------------------------------------------------------------------------------------------

    def remember(self, orders: Iterable[Order]) -> None:
        """Take in orders, new or moved on, for the rules about repetition: those that take, were filled or rejected.

        A quote that only rested leaves no trace there, so that a maker's hour is not thousands of orders long. The
        rate of messages, the day's turnover and the count of refusals are kept from the same orders: after a start
        hand in those of the last hour and of this UTC day.
        """
        for order in orders:
            mine = self._recent[(order.strategy, order.asset_id, order.side)]
            if order.post_only and not order.matched:
                mine.pop(order.order_id, None)
            else:
                mine[order.order_id] = order
            self._count_message(order)
            self.turnover.take(order)
            if order.state in _REFUSED and _keep(self._refused, order.order_id):
                self.breakers.rejected(order.strategy, order.updated_ms or order.created_ms)

    def _count_message(self, order: Order) -> None:
        """Count an order that left when it is seen first; one that moved on much later was counted then."""
        late = order.updated_ms - order.created_ms > _MINUTE_MS
        if _keep(self._left, order.order_id) and not late and order.state is not OrderState.ABANDONED:
            self.messages.take(self._limits, order.created_ms)

    def keep_day(self, now_ms: int, equity: Usdc, *, priced: bool = True) -> bool:
        """Begin a new day if it has come; True if it has, and then it must be written down.

        The equity known before counts too after a start, and when not all of this one is `priced`.
        """
        self._follow_deposits()
        began = self.day.begins(now_ms)
        if began:
            before = self._last_equity if self._was_down or not priced else None
            self.day.open(now_ms, equity, last_equity=before)
        self._was_down = False
        if priced:
            self._last_equity = equity
            self.highest.see(equity)
        return began

    def _follow_deposits(self) -> None:
        """Let money from outside, or to outside, be neither gain nor loss: what losses are counted from moves with it."""
        amount = Usdc(self._account.deposits - self._paid_in)
        if not amount:
            return
        self._paid_in = self._account.deposits
        self.day.flow(amount)
        self.highest.flow(amount)
        if self._last_equity is not None:
            self._last_equity = Usdc(self._last_equity + amount)

    def enforce(self, now_ms: int) -> list[StateChange]:
        """Let the agent's state follow losses, failed settlements and the clock; every change is a row to be written.

        Call it after `keep_day`: until a day has begun here its loss is not judged.
        """
        self._follow_deposits()
        states, (equity, unpriced) = self.conditions.states, self.worth()
        changes = states.sweep(now_ms, priced=not unpriced)
        if not self.day.begins(now_ms):
            for cause, detail in self._losses(equity, bool(unpriced)):
                changes += _some(states.enter(cause, detail=detail, at_ms=now_ms))
        if (why := self.breakers.ghosts(now_ms)) is not None:
            changes += _some(states.enter("ghost_fills", detail=why, at_ms=now_ms))
        if self.conditions.clock_ok:
            states.clear("clock", now_ms)
        else:
            changes += _some(states.enter("clock", detail="our clock disagrees or has jumped", at_ms=now_ms))
        return changes

    def _losses(self, equity: Usdc, unpriced: bool) -> Iterator[tuple[str, str]]:
        """Yield the causes that losses are, and whether they rest on marks that have no price behind them."""
        at_last_price = equity
        if unpriced:
            marks = self.portfolio().marks.values()
            haircut = 100 - UNPRICED_HAIRCUT_PERCENT
            lost = sum(mark.value * haircut // UNPRICED_HAIRCUT_PERCENT for mark in marks if not mark.priced)
            at_last_price = Usdc(equity + lost)
        for cause, loss, real, limit in (
            ("daily_loss", self.day.loss(equity), self.day.loss(at_last_price), self._limits.max_daily_loss),
            (
                "drawdown",
                self.highest.drawdown(equity),
                self.highest.drawdown(at_last_price),
                self._limits.max_drawdown,
            ),
        ):
            if loss >= limit:
                name = cause if real >= limit else "unpriced_loss"
                yield name, f"{cause} of {display(loss)} USDC, the limit is {display(limit)}"

    def worth(self) -> tuple[Usdc, tuple[AssetId, ...]]:
        """Return equity in micro-USDC and the assets that have no current price."""
        return self.valuer.equity(self._account, self._board)

    def portfolio(self) -> Portfolio:
        """Return the account with every position marked."""
        return self.valuer.portfolio(self._account, self._board)

    def _book_age_ms(self, asset_id: AssetId, now_ms: int) -> int | None:
        """Return the age of the data behind an asset's book; negative if it is stamped ahead of our clock."""
        heard_ms = self._board.heard_ms.get(asset_id)
        if heard_ms is None:
            return None
        return now_ms - (self.heard_ms if self._streaming else heard_ms)

    def _orders_of_last_hour(self, signal: Signal, now_ms: int) -> list[Order]:
        orders = self._recent.get((signal.strategy, signal.asset_id, signal.side))
        if not orders:
            return []
        for order_id in [o.order_id for o in orders.values() if o.created_ms <= now_ms - _HOUR_MS]:
            del orders[order_id]
        return list(orders.values())


def _some(change: StateChange | None) -> list[StateChange]:
    return [] if change is None else [change]


def _keep(ids: dict[OrderId, None], order_id: OrderId) -> bool:
    """Keep an id among the last ones; False if it is there already."""
    if order_id in ids:
        return False
    ids[order_id] = None
    if len(ids) > _MOST_IDS:
        del ids[next(iter(ids))]
    return True
