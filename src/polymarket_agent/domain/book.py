"""The order book of one asset on the price grid.

Sizes stand in two plain lists, one slot a price step, with the best bid and best ask maintained, so an update
costs the same on every grid and reading the best is one index. Slot 0 and the last slot (price 1) are never
prices: they stop the scans. A level off the current grid refines the grid (a market's tick size may change
while running), it never rounds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import gcd

from polymarket_agent.domain.book_hash import BookIdentity, book_hash
from polymarket_agent.domain.levels import Level, Side, Walk
from polymarket_agent.domain.market import AssetId
from polymarket_agent.domain.money import (
    MICRO,
    PRICE_GRID,
    Price,
    Shares,
    Usdc,
    cost_rounded_up,
    decimal_text,
    proceeds_rounded_down,
)
from polymarket_agent.errors import VenueDataError

__all__ = ["BookIdentity", "Level", "OrderBook", "Side", "Walk", "book_hash"]


class OrderBook:
    """Bids and asks of one asset.

    `at_ms` is the venue's time of the last change applied. `ready` is False until a snapshot arrives and after
    `clear` (a gap, a silence): then the levels mean nothing and are empty.
    """

    __slots__ = ("_asks", "_best_ask", "_best_bid", "_bids", "_steps", "_taken", "asset_id", "at_ms", "ready", "step")

    def __init__(self, asset_id: AssetId, tick_size: Price = Price(10_000)) -> None:
        self.asset_id = asset_id
        self.at_ms = 0
        self.ready = False
        self._taken: dict[tuple[bool, Price], Shares] = {}
        self._set_grid(tick_size)

    def _set_grid(self, step: int) -> None:
        if step < PRICE_GRID or MICRO % step:
            raise VenueDataError(f"a tick size of {decimal_text(step)} does not divide 1 on the 0.0001 grid")
        self.step = step
        self._steps = MICRO // step
        self._bids = [0] * (self._steps + 1)
        self._asks = [0] * (self._steps + 1)
        self._best_bid = 0
        self._best_ask = self._steps

    def replace(
        self, bids: Iterable[tuple[Price, Shares]], asks: Iterable[tuple[Price, Shares]], at_ms: int = 0
    ) -> None:
        """Take a snapshot: these levels and no others.

        Raises:
            VenueDataError: a price outside (0, 1) or finer than 0.0001. Nothing has changed then.
        """
        new_bids, new_asks = list(bids), list(asks)
        step = self.step
        for level_price, size in (*new_bids, *new_asks):
            if not 0 < level_price < MICRO or size < 0 or level_price % PRICE_GRID:
                raise VenueDataError(f"a book level at {level_price / MICRO} with size {size / MICRO} cannot exist")
            step = gcd(step, level_price)
        self._set_grid(step)
        if self._taken:
            shown = {(True, p): s for p, s in new_bids} | {(False, p): s for p, s in new_asks}
            self._taken = {key: min(taken, shown[key]) for key, taken in self._taken.items() if shown.get(key)}
            new_bids = [(p, Shares(s - self._taken.get((True, p), 0))) for p, s in new_bids]
            new_asks = [(p, Shares(s - self._taken.get((False, p), 0))) for p, s in new_asks]
        self._fill(new_bids, new_asks)
        self.at_ms = at_ms
        self.ready = True

    def _fill(self, bids: Iterable[tuple[int, int]], asks: Iterable[tuple[int, int]]) -> None:
        step = self.step
        for level_price, size in bids:
            if size:
                self._bids[level_price // step] = size
                self._best_bid = max(self._best_bid, level_price // step)
        for level_price, size in asks:
            if size:
                self._asks[level_price // step] = size
                self._best_ask = min(self._best_ask, level_price // step)

    def update(self, is_bid: bool, at: Price, size: Shares) -> None:  # noqa: C901 - the hot path, kept in one piece
        """Set the absolute size of one level; 0 removes it. The caller has validated price and size."""
        step = self.step
        index = at // step
        if index * step != at:
            self._regrid(gcd(step, at))
            index = at // self.step
        if self._taken:
            size = self._net(is_bid, at, size)
        if is_bid:
            self._bids[index] = size
            if size:
                if index > self._best_bid:
                    self._best_bid = index
            elif index == self._best_bid:
                bids = self._bids
                while index and not bids[index]:
                    index -= 1
                self._best_bid = index
        else:
            asks = self._asks
            asks[index] = size
            if size:
                if index < self._best_ask:
                    self._best_ask = index
            elif index == self._best_ask:
                last = self._steps
                while index < last and not asks[index]:
                    index += 1
                self._best_ask = index

    def consume(self, is_bid: bool, at: Price, size: Shares) -> None:
        """Take displayed shares off a level for a simulated fill of ours, so that nobody takes them twice.

        A recording does not know of our trades and goes on displaying what we took. From here on the level
        counts as what is displayed less what we took, until the venue shows less than that. It may be more than
        is displayed yet: the other outcome's half of the same book can arrive later.
        """
        shown = self.size_at(is_bid, at)
        before = self._taken.pop((is_bid, at), Shares(0))
        if shown:
            self.update(is_bid, at, Shares(max(0, shown - size)))
        self._taken[(is_bid, at)] = Shares(before + size)

    def _net(self, is_bid: bool, at: Price, size: Shares) -> Shares:
        taken = self._taken.get((is_bid, at))
        if taken is None:
            return size
        if taken >= size:  # the venue shows no more than what we took: it is gone, or it is what we took
            if size:
                self._taken[(is_bid, at)] = size
            else:
                del self._taken[(is_bid, at)]
            return Shares(0)
        return Shares(size - taken)

    def set_tick_size(self, tick_size: Price) -> None:
        """Take up a new price grid. Levels that are off it stay (the venue does not say that it removes them)."""
        step: int = tick_size
        for level in (*self.bids(), *self.asks()):
            step = gcd(step, level.price)
        self._regrid(step)

    def _regrid(self, step: int) -> None:
        if step != self.step:
            bids, asks = self.bids(), self.asks()
            self._set_grid(step)
            self._fill(bids, asks)

    def clear(self) -> None:
        """Forget every level: nothing is known until the next snapshot.

        What we took is remembered: the snapshot displays it again.
        """
        self._set_grid(self.step)
        self.ready = False

    @property
    def best_bid(self) -> Price | None:
        """The highest buy, or None."""
        return Price(self._best_bid * self.step) if self._best_bid else None

    @property
    def best_ask(self) -> Price | None:
        """The lowest sell, or None."""
        return Price(self._best_ask * self.step) if self._best_ask < self._steps else None

    @property
    def top(self) -> tuple[int, int]:
        """Best bid and best ask in micro-USDC, 0 and 1000000 where there is none. Cheap: for comparing."""
        return self._best_bid * self.step, self._best_ask * self.step

    @property
    def crossed(self) -> bool:
        """Whether a bid stands at or above an ask: a state that no venue shows for long; trust nothing then."""
        return self._best_bid >= self._best_ask

    @property
    def two_sided(self) -> bool:
        """Whether there is a bid and an ask."""
        return self._best_bid > 0 and self._best_ask < self._steps

    @property
    def mid(self) -> int | None:
        """Mean of the bests in micro-USDC (rounded down), or None when a side is empty."""
        if not self.two_sided:
            return None
        return (self._best_bid + self._best_ask) * self.step // 2

    @property
    def spread(self) -> int | None:
        """Best ask minus best bid in micro-USDC, or None when a side is empty."""
        if not self.two_sided:
            return None
        return (self._best_ask - self._best_bid) * self.step

    @property
    def microprice(self) -> float | None:
        """The mid weighted by the opposite quantity, in micro-USDC: nearer the side that is thin."""
        if not self.two_sided:
            return None
        bid_size, ask_size = self._bids[self._best_bid], self._asks[self._best_ask]
        return (self._best_bid * ask_size + self._best_ask * bid_size) * self.step / (bid_size + ask_size)

    def size_at(self, is_bid: bool, at: int) -> Shares:
        """Displayed micro-shares at a price; 0 off the grid or out of range."""
        index, off_grid = divmod(at, self.step)
        if off_grid or not 0 < index < self._steps:
            return Shares(0)
        return Shares((self._bids if is_bid else self._asks)[index])

    def bids(self, depth: int | None = None) -> list[Level]:
        """Levels from the best (highest) down."""
        return list(self._iterate(is_bid=True, depth=depth))

    def asks(self, depth: int | None = None) -> list[Level]:
        """Levels from the best (lowest) up."""
        return list(self._iterate(is_bid=False, depth=depth))

    def _iterate(self, *, is_bid: bool, depth: int | None = None) -> Iterator[Level]:
        sizes = self._bids if is_bid else self._asks
        indices = range(self._best_bid, 0, -1) if is_bid else range(self._best_ask, self._steps)
        found = 0
        for index in indices:
            if sizes[index]:
                if depth is not None and found >= depth:
                    return
                found += 1
                yield Level(Price(index * self.step), Shares(sizes[index]))

    def depth(self, is_bid: bool, within: int) -> Shares:
        """Micro-shares resting within `within` micro-USDC of the best of that side."""
        best = self.best_bid if is_bid else self.best_ask
        if best is None:
            return Shares(0)
        total = 0
        for level in self._iterate(is_bid=is_bid):
            if abs(level.price - best) > within:
                break
            total += level.size
        return Shares(total)

    def walk(self, side: Side, quantity: Shares, limit: int | None = None) -> Walk:
        """Take up to `quantity` from the displayed levels, best first, no worse than `limit`."""
        buying = side is Side.BUY
        taken: list[Level] = []
        left, notional = quantity, 0
        for level in self._iterate(is_bid=not buying):
            if left <= 0 or (limit is not None and (level.price > limit if buying else level.price < limit)):
                break
            size = Shares(min(left, level.size))
            taken.append(Level(level.price, size))
            left = Shares(left - size)
            notional += (cost_rounded_up if buying else proceeds_rounded_down)(level.price, size)
        worst = taken[-1].price if taken else Price(0)
        return Walk(tuple(taken), Shares(quantity - left), Usdc(notional), worst)

    def hash(self, identity: BookIdentity, at_ms: int | None = None) -> str:
        """Return the venue's hash of this book (40 hex digits); meaningless after `consume`."""
        stamp = str(self.at_ms if at_ms is None else at_ms)
        # Venue order: bids rise, asks fall, so the best is last on both sides.
        return book_hash(self.asset_id, stamp, self.bids()[::-1], self.asks()[::-1], identity)

    def __repr__(self) -> str:
        state = "" if self.ready else " not ready"
        return f"<OrderBook {self.asset_id[:8]}… {self.best_bid} / {self.best_ask}{state}>"
