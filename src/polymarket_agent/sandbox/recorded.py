"""Books that follow a recording: one maker whose orders are the recorded levels, one taker who repeats the prints.

After each recorded event the book shows what the recording shows (to the whole hundredth of a share, which is the
finest order there is), plus what clients have put there. What a client takes comes back with the next event that
touches its market. An order of a client that the recording trades through is filled, as it would have been.

Markets are listed with a minimum of 0.01 share, because remainders of recorded orders are smaller than any order
that the venue takes. Times are shifted so that the first event happens at `start_ms`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from polymarket_agent.domain.book import Side
from polymarket_agent.domain.events import (
    BookDelta,
    BookSnapshot,
    Event,
    GroupListed,
    MarketClosed,
    MarketListed,
    MarketResolved,
    TickSizeChange,
    TradePrint,
    time_of,
)
from polymarket_agent.domain.market import TICK_SIZES, AssetId, ConditionId, Market, MarketState
from polymarket_agent.domain.money import LOT, MICRO, Usdc
from polymarket_agent.sandbox.exchange import Exchange
from polymarket_agent.sandbox.model import OrderEntry, OrderType, Placed
from polymarket_agent.sandbox.scenario_markets import token_id

__all__ = ["RecordedBooks"]

_MAKER = ("00000000-0000-4000-8000-0000000000a1", "0x00000000000000000000000000000000000000a1")
_TAKER = ("00000000-0000-4000-8000-0000000000a2", "0x00000000000000000000000000000000000000a2")
_POCKET = Usdc(10**15)

_Level = tuple[bool, int]  # is a bid, price of the first outcome


@dataclass(slots=True)
class _Mirror:
    """A market's levels: wanted by the recording, and our orders that stand there, oldest first."""

    market: Market
    wanted: dict[_Level, int] = field(default_factory=dict)
    orders: dict[_Level, list[str]] = field(default_factory=dict)
    unmet: set[_Level] = field(default_factory=set)


class RecordedBooks:
    """An actor that plays a recording.

    Args:
        events: of the domain, in the order of time; anything but markets, books and prints is passed over.
        start_ms: when the first of them happens.
        markets: those that the recording does not list itself.
        prints: whether recorded trades are repeated by a taker.
    """

    def __init__(
        self, events: Iterable[Event], *, start_ms: int, markets: Iterable[Market] = (), prints: bool = True
    ) -> None:
        self._events: Iterator[Event] = iter(events)
        self._next = next(self._events, None)
        self._shift_ms = 0 if self._next is None else start_ms - time_of(self._next)
        self._waiting = list(markets)
        self._prints = prints
        self._mirrors: dict[ConditionId, _Mirror] = {}
        self._listed: dict[ConditionId, ConditionId] = {}  # as the recording names it, as it is listed
        self._of_asset: dict[AssetId, tuple[_Mirror, int]] = {}
        self._serial = 0
        self._opened = False
        self.refusals: dict[str, int] = {}

    @property
    def next_due_ms(self) -> int | None:
        """When the next recorded event happens."""
        return None if self._next is None else time_of(self._next) + self._shift_ms

    def act(self, exchange: Exchange, now_ms: int) -> None:
        """Play everything that is due up to and including now."""
        while (due_ms := self.next_due_ms) is not None and due_ms <= now_ms:
            exchange.advance(due_ms)
            if not self._opened:
                self._open(exchange, due_ms)
            assert self._next is not None, "it is due"
            self._play(exchange, self._next, due_ms)
            self._next = next(self._events, None)

    def _open(self, exchange: Exchange, now_ms: int) -> None:
        self._opened = True
        for _, wallet in (_MAKER, _TAKER):
            exchange.fund(wallet, _POCKET)
            exchange.approve(wallet)
        for market in self._waiting:
            self._list(exchange, market, now_ms)

    def _list(self, exchange: Exchange, market: Market, now_ms: int) -> None:
        if market.condition_id in self._listed or market.state is not MarketState.OPEN:
            return
        ends_ms = None if market.end_at_ms is None else market.end_at_ms + self._shift_ms
        listed = replace(_named(market), min_order_size=LOT, end_at_ms=ends_ms, accepting_orders=True)
        exchange.list_market(listed, now_ms)
        self._listed[market.condition_id] = listed.condition_id
        mirror = self._mirrors[listed.condition_id] = _Mirror(listed)
        for index, asset_id in enumerate(market.asset_ids):
            self._of_asset[asset_id] = mirror, index

    def _play(self, exchange: Exchange, event: Event, now_ms: int) -> None:
        match event:
            case MarketListed():
                self._list(exchange, event.market, now_ms)
            case GroupListed():
                exchange.list_group(event.group)
            case BookSnapshot() if event.asset_id in self._of_asset:
                self._snapshot(exchange, event, now_ms)
            case BookDelta():
                self._delta(exchange, event, now_ms)
            case TradePrint() if self._prints and event.asset_id in self._of_asset:
                self._print(exchange, event, now_ms)
            case TickSizeChange() if event.asset_id in self._of_asset:
                market = exchange.markets[self._of_asset[event.asset_id][0].market.condition_id]
                if market.tick_size != event.tick_size:
                    exchange.set_tick_size(market.condition_id, event.tick_size, now_ms)
            case MarketClosed() if event.condition_id in self._listed:
                exchange.close_market(self._listed[event.condition_id], now_ms)
                self._forget(event.condition_id)
            case MarketResolved() if event.condition_id in self._listed:
                exchange.resolve(self._listed[event.condition_id], event.payouts, now_ms)
                self._forget(event.condition_id)
            case _:
                pass

    def _forget(self, condition_id: ConditionId) -> None:
        """Follow a market no longer; its answer may still come."""
        mirror = self._mirrors.pop(self._listed[condition_id], None)
        self._of_asset = {asset_id: known for asset_id, known in self._of_asset.items() if known[0] is not mirror}

    def _snapshot(self, exchange: Exchange, event: BookSnapshot, now_ms: int) -> None:
        mirror, index = self._of_asset[event.asset_id]
        shown = {_level(index, at, is_bid=True): int(size) for at, size in event.bids}
        shown |= {_level(index, at, is_bid=False): int(size) for at, size in event.asks}
        gone = dict.fromkeys(mirror.wanted.keys() - shown.keys(), 0)
        self._follow(exchange, mirror, dict(sorted(gone.items())) | shown, now_ms)

    def _delta(self, exchange: Exchange, event: BookDelta, now_ms: int) -> None:
        changes: dict[ConditionId, dict[_Level, int]] = {}
        for asset_id, is_bid, at, size in event.changes:
            known = self._of_asset.get(asset_id)
            if known is not None:
                mirror, index = known
                changes.setdefault(mirror.market.condition_id, {})[_level(index, at, is_bid=is_bid)] = int(size)
        for condition_id, levels in changes.items():
            self._follow(exchange, self._mirrors[condition_id], levels, now_ms)

    def _follow(self, exchange: Exchange, mirror: _Mirror, levels: dict[_Level, int], now_ms: int) -> None:
        """Make levels what they should be: first take away, then add, so that no order of ours meets another."""
        for level, size in levels.items():
            whole = size // LOT * LOT
            if whole:
                mirror.wanted[level] = whole
            else:
                mirror.wanted.pop(level, None)
        self._refine(exchange, mirror, levels, now_ms)
        touched = list(dict.fromkeys((*levels, *sorted(mirror.unmet))))
        missing = {level: self._shrink(exchange, mirror, level, now_ms) for level in touched}
        mirror.unmet = {
            level
            for level, quantity in missing.items()
            if quantity and not self._add(exchange, mirror, level, quantity, now_ms)
        }

    def _refine(self, exchange: Exchange, mirror: _Mirror, levels: Iterable[_Level], now_ms: int) -> None:
        """Make the price grid fit levels that are off it: the recording did not say that it had changed."""
        tick = exchange.markets[mirror.market.condition_id].tick_size
        fit = next((each for each in TICK_SIZES if each <= tick and all(at % each == 0 for _, at in levels)), tick)
        if fit != tick:
            exchange.set_tick_size(mirror.market.condition_id, fit, now_ms)

    def _shrink(self, exchange: Exchange, mirror: _Mirror, level: _Level, now_ms: int) -> int:
        """Cancel what is too much, the newest first, and return what is missing then."""
        wanted = mirror.wanted.get(level, 0)
        standing = [
            (order_id, left) for order_id in mirror.orders.get(level, ()) if (left := _left(exchange, order_id))
        ]
        total = sum(left for _, left in standing)
        gone: list[str] = []
        while total > wanted:
            order_id, left = standing.pop()
            gone.append(order_id)
            total -= left
        if gone:
            exchange.cancel(_MAKER[0], gone, now_ms)
        if standing:
            mirror.orders[level] = [order_id for order_id, _ in standing]
        else:
            mirror.orders.pop(level, None)
        return (wanted - total) // LOT * LOT

    def _add(self, exchange: Exchange, mirror: _Mirror, level: _Level, quantity: int, now_ms: int) -> bool:
        is_bid, at = level
        if any(bid is not is_bid and (at >= other if is_bid else at <= other) for bid, other in mirror.orders):
            self._refused("the recording is crossed")
            return False
        first, second = mirror.market.asset_ids
        asset_id, price = (first, at) if is_bid else (second, MICRO - at)
        answer = self._place(exchange, _MAKER, asset_id, price, quantity, now_ms)
        if answer is None:
            return False
        mirror.orders.setdefault(level, []).append(answer.order_id)
        return True

    def _print(self, exchange: Exchange, event: TradePrint, now_ms: int) -> None:
        """Repeat a trade against what stands there, then show what the recording shows again."""
        mirror, index = self._of_asset[event.asset_id]
        quantity = event.size // LOT * LOT
        is_bid = event.taker_buys == (index == 0)  # in terms of the first outcome
        at: int = event.price if index == 0 else MICRO - event.price
        first, second = mirror.market.asset_ids
        asset_id, price = (first, at) if is_bid else (second, MICRO - at)
        answer = self._place(exchange, _TAKER, asset_id, price, quantity, now_ms) if quantity else None
        if answer is None:
            return
        exchange.cancel(_TAKER[0], [answer.order_id], now_ms)
        eaten = [
            level
            for level in mirror.wanted
            if level[0] is not is_bid and (level[1] <= at if is_bid else level[1] >= at)
        ]
        self._follow(exchange, mirror, {level: mirror.wanted[level] for level in eaten}, now_ms)

    def _place(
        self, exchange: Exchange, who: tuple[str, str], asset_id: AssetId, at: int, quantity: int, now_ms: int
    ) -> Placed | None:
        owner, wallet = who
        self._serial += 1
        entry = OrderEntry(
            order_id=f"0x4ec0{self._serial:060x}",
            owner=owner,
            wallet=wallet,
            signer=wallet,
            signature_type=0,
            asset_id=asset_id,
            side=Side.BUY,
            maker_amount=at * quantity // MICRO,
            taker_amount=quantity,
            order_type=OrderType.GTC,
        )
        answer = exchange.place(entry, now_ms)
        if isinstance(answer, Placed):
            return answer
        self._refused(answer.error)
        return None

    def _refused(self, reason: str) -> None:
        self.refusals[reason[:40]] = self.refusals.get(reason[:40], 0) + 1


def _named(market: Market) -> Market:
    """Return a market with ids as the venue writes them, where the recording did not know them."""
    condition_id, outcomes = market.condition_id, market.outcomes
    if not re.fullmatch("0x[0-9a-f]{64}", condition_id):
        condition_id = ConditionId("0x" + hashlib.sha256(condition_id.encode()).hexdigest())
    if not all(asset_id.isdigit() for asset_id in market.asset_ids):
        first, second = (replace(each, asset_id=token_id(each.asset_id)) for each in outcomes)
        outcomes = first, second
    return replace(market, condition_id=condition_id, outcomes=outcomes)


def _level(index: int, at: int, *, is_bid: bool) -> _Level:
    """Return a level in terms of the first outcome: a bid for the second is an ask for the first."""
    return (is_bid, at) if index == 0 else (not is_bid, MICRO - at)


def _left(exchange: Exchange, order_id: str) -> int:
    order = exchange.order(order_id)
    return order.original - order.matched if order is not None and order.status.value == "LIVE" else 0
