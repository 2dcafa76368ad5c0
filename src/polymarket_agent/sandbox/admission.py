"""The gate: modes, bans and checks before an order is taken, and cancels by request."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from polymarket_agent.domain.book import Side
from polymarket_agent.domain.money import ceil_div
from polymarket_agent.sandbox.amounts import MARKET_TYPES, Terms
from polymarket_agent.sandbox.checks import (
    DISABLED,
    RESTARTING,
    cancel_reason,
    coverage_refusal,
    cross_refusal,
    least_refusal,
    market_refusal,
    mode_refusal,
    order_terms,
    promised,
)
from polymarket_agent.sandbox.core import Core
from polymarket_agent.sandbox.execution import Desk
from polymarket_agent.sandbox.ladder import Order
from polymarket_agent.sandbox.model import CancelAnswer, Mode, OrderEntry, OrderStatus, Placed, Refused

__all__ = ["Admission"]


class Admission:
    """Decides whether an order is taken. `banned` says of addresses whether they may still reduce."""

    def __init__(self, core: Core, desk: Desk) -> None:
        self._core = core
        self._desk = desk
        self._mode_ends_ms: int | None = None
        self.banned: dict[str, bool] = {}

    def set_mode(self, mode: Mode, retry_after_s: int | None) -> None:
        """Change the mode, for a time or until it is changed again."""
        core = self._core
        core.mode = mode
        self._mode_ends_ms = None
        if retry_after_s is not None and mode is not Mode.NORMAL:
            ends_ms = core.now_ms + retry_after_s * 1000
            self._mode_ends_ms = ends_ms
            core.agenda.add(ends_ms, self._end_mode, partial(self._ends_at, ends_ms))

    def _ends_at(self, ends_ms: int) -> bool:
        return self._mode_ends_ms == ends_ms

    def _end_mode(self) -> None:
        if self._core.mode is Mode.RESTARTING:
            self.set_mode(Mode.POST_ONLY, self._core.policy.post_only_s)
        else:
            self.set_mode(Mode.NORMAL, None)

    def _retry_after_s(self) -> int | None:
        ends_ms = self._mode_ends_ms
        return None if ends_ms is None else ceil_div(ends_ms - self._core.now_ms, 1000)

    def cancel_refusal(self) -> Refused | None:
        """Return what cancels are answered in this mode, or None when they are done."""
        match self._core.mode:
            case Mode.RESTARTING:
                return Refused(425, RESTARTING)
            case Mode.DISABLED:
                return Refused(503, DISABLED)
            case _:
                return None

    def place(self, entry: OrderEntry) -> Placed | Refused:
        """Check an order in the venue's order of checks, then rest, delay or match it."""
        core = self._core
        if core.mode is not Mode.NORMAL:
            refused = mode_refusal(core.mode, self._retry_after_s(), post_only=entry.post_only)
            if refused is not None:
                return refused
        trading = core.by_asset.get(entry.asset_id)
        refused = (self._ban_refusal(entry) if self.banned else None) or market_refusal(trading)
        if refused is not None:
            return refused
        assert trading is not None, "an unknown market is refused"
        terms = order_terms(core, entry, trading)
        if isinstance(terms, Refused):
            return terms
        order = Order(entry, terms, trading, core.vault.wallet(entry.wallet), core.now_ms)
        return self._place_good(entry, terms, order)

    def _place_good(self, entry: OrderEntry, terms: Terms, order: Order) -> Placed | Refused:
        """Check an order that is good by itself against the book and the wallet, then hand it to the desk."""
        core, trading, refused = self._core, order.trading, None
        crosses = trading.crosses(order)
        markets = entry.order_type in MARKET_TYPES
        if crosses:
            refused = cross_refusal(core.policy, entry)
        elif markets:
            refused = least_refusal(core.policy, entry)
        amount = promised(core, entry, terms, crosses=crosses or markets)
        refused = refused or coverage_refusal(order, amount)
        if refused is not None:
            return refused
        if not crosses and not markets:
            return self._desk.rest(order)
        if crosses and trading.seconds_delay:
            return self._desk.delay(order, amount, int(trading.seconds_delay * 1000))
        if crosses and trading.taker_delay:
            return self._desk.delay(order, amount, core.policy.taker_delay_ms)
        return self._desk.take(order, amount)

    def _ban_refusal(self, entry: OrderEntry) -> Refused | None:
        for address in dict.fromkeys((entry.wallet, entry.signer)):
            closed_only = self.banned.get(address.lower())
            if closed_only is None:
                continue
            if not closed_only:
                return Refused(400, f"'{address}' address banned")
            if entry.side is Side.BUY:
                return Refused(400, f"'{address}' address in closed only mode")
        return None

    def cancel(self, owner: str, order_ids: Sequence[str]) -> CancelAnswer:
        """Cancel orders by id; what is not cancelled has its reason."""
        refused = self.cancel_refusal()
        if refused is not None:
            return CancelAnswer((), dict.fromkeys(order_ids, refused.error))
        live, closed = self._core.live, self._core.closed
        found, not_canceled = {}, {}
        for order_id in order_ids:
            order = live.get(order_id)
            if order is not None and order.owner == owner and order.status is OrderStatus.LIVE:
                found[order_id] = order
            else:
                not_canceled[order_id] = cancel_reason(order or closed.get(order_id), owner)
        return CancelAnswer(tuple(self._core.cancel(found.values(), OrderStatus.CANCELED)), not_canceled)

    def cancel_where(self, owner: str, meant: Callable[[Order], bool]) -> CancelAnswer:
        """Cancel those resting orders of an owner that are meant."""
        if self.cancel_refusal() is not None:
            return CancelAnswer(())
        owned = self._core.owners.get(owner, {}).values()
        found = [order for order in owned if order.status is OrderStatus.LIVE and meant(order)]
        return CancelAnswer(tuple(self._core.cancel(found, OrderStatus.CANCELED)))
