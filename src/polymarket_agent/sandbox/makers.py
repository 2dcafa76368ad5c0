"""Makers: a desk quotes one market for one account, in a ladder around what it believes the fair price is.

Its belief is the fair price of a moment ago plus a lasting error of its own, shifted against its inventory. It
cancels what has left the ladder, places what is missing, tops up what was eaten, and splits and merges sets to have
shares to sell. Prices are in terms of the first outcome: an ask sells its shares or buys the other outcome's.
"""

from __future__ import annotations

from random import Random

from polymarket_agent.domain.book import Side
from polymarket_agent.domain.market import Market
from polymarket_agent.domain.money import MICRO, Usdc
from polymarket_agent.sandbox.exchange import Exchange
from polymarket_agent.sandbox.model import Mode, OrderEntry, OrderStatus, OrderType
from polymarket_agent.sandbox.scenario_markets import Listing
from polymarket_agent.sandbox.scenarios import CrowdAccount, Pace
from polymarket_agent.sandbox.traders import Floor, Trader

__all__ = ["LEVELS", "Desk"]

LEVELS = 5  # a side; a desk never rests more than twice as many
_OPENING_SETS = 500 * MICRO
_MERGE_ABOVE = 1_500 * MICRO
_INVENTORY_LIMIT = 3_000 * MICRO  # where the shift of the belief is largest
_LARGEST_SHIFT = 3  # in half spreads
_AUDIT_EVERY = 16  # looks after which every order is compared with the venue's


class Desk(Trader):
    """One maker in one market."""

    def __init__(self, account: CrowdAccount, floor: Floor, random: Random, pace: Pace, listing: Listing) -> None:
        super().__init__(account, floor, random, desk=listing.market.slug)
        self.listing = listing
        self._mean_ms = pace.maker_ms
        self._lag_ms = int(pace.maker_ms * (0.25 + random.random()))
        self._error = int(random.gauss(0.0, listing.half_spread / 4))
        self._wide = 1 if random.random() < 0.6 else 2
        self._resting: tuple[dict[int, tuple[str, int]], dict[int, tuple[str, int]]] = ({}, {})  # asks, bids by price
        self._drawn: tuple[int, int, int] | None = None  # base, half spread, grid of the ladder that stands
        self._inventory = 0  # first outcome less second, in micro-shares
        self._free = [0, 0]
        self._looks = 0

    def act(self, exchange: Exchange, now_ms: int) -> int | None:
        """Look at the market once and return when to look again; None when it is over."""
        listing = self.listing
        market = exchange.markets[listing.market.condition_id]
        if not market.tradable:
            self.floor.drop(listing)
            return None
        if exchange.mode not in (Mode.NORMAL, Mode.POST_ONLY):
            return now_ms + self._mean_ms  # what rests stays: nothing could be put in its place
        if not self._looks:
            exchange.split(self.account.wallet, market.condition_id, Usdc(_OPENING_SETS))
        audit = self._looks % _AUDIT_EVERY == 0
        self._looks += 1
        self._look(exchange, market, audit=audit)
        if audit or self._drawn is None:
            self._count_shares(exchange, market)
        self._quote(exchange, market, self._belief(now_ms), now_ms)
        return now_ms + int(self._mean_ms * (0.6 + 0.8 * self.random.random())) + 1

    def _belief(self, now_ms: int) -> int:
        listing = self.listing
        share = max(-1.0, min(1.0, self._inventory / _INVENTORY_LIMIT))
        shift = int(_LARGEST_SHIFT * listing.half_spread * share)
        return listing.path.at(now_ms - self._lag_ms) + self._error - shift

    def _count_shares(self, exchange: Exchange, market: Market) -> None:
        """Note what is held and what of it can be sold; merge full sets that pile up."""
        wallet = self.account.wallet
        (first, first_held), (second, second_held) = (exchange.balance(wallet, each) for each in market.asset_ids)
        self._inventory = first - second
        self._free = [first - first_held, second - second_held]
        if min(self._free) > _MERGE_ABOVE:
            amount = (min(self._free) - _OPENING_SETS) // MICRO * MICRO
            if exchange.merge(wallet, market.condition_id, Usdc(amount)) is None:
                self._free = [each - amount for each in self._free]

    def _look(self, exchange: Exchange, market: Market, *, audit: bool) -> None:
        """Forget orders that are gone, mark those half eaten.

        Nothing behind an untouched order was touched, and nothing behind somebody's better price; what slips
        through is found by the audit.
        """
        best_bid, best_ask = exchange.best(market.asset_ids[0])
        for is_bid in (0, 1):
            resting = self._resting[is_bid]
            for at in sorted(resting, reverse=bool(is_bid)):
                if not audit and (at < best_bid if is_bid else at > best_ask):
                    break
                order_id, quantity = resting[at]
                order = exchange.order(order_id)
                if order is None or order.status is not OrderStatus.LIVE:
                    del resting[at]
                    self._drawn = None
                elif order.matched * 2 > quantity:
                    resting[at] = order_id, 0  # to be replaced
                    self._drawn = None
                elif not order.matched and not audit:
                    break

    def _quote(self, exchange: Exchange, market: Market, belief: int, now_ms: int) -> None:
        """Make the ladder stand around the belief, unless it stands there already."""
        tick: int = market.tick_size
        base = min(max(belief // tick, 1), MICRO // tick - 2)
        curve = 4 * belief * (MICRO - belief) // MICRO if 0 < belief < MICRO else 0
        half = max(1, self._wide * self.listing.half_spread * curve // MICRO // tick)
        if self._drawn is not None and self._drawn[2] == tick and abs(self._drawn[0] - base) <= half // 3:
            return
        self._drawn = base, half, tick
        ask, bid = min(base + half, MICRO // tick - 1) * tick, max(base - half + 1, 1) * tick
        asks, bids = self._resting
        self._withdraw(exchange, [at for at in asks if at < ask], [at for at in bids if at > bid], now_ms)
        ask, bid = self._beside_others(exchange, market, ask, bid, now_ms)
        step = max(1, half // 2) * tick
        wanted = (
            [at for level in range(LEVELS) if (at := ask + level * step) < MICRO],
            [at for level in range(LEVELS) if (at := bid - level * step) > 0],
        )
        left = [
            [at for at in side if at not in keep or not side[at][1]]
            for side, keep in zip(self._resting, wanted, strict=True)
        ]
        self._withdraw(exchange, left[0], left[1], now_ms)
        for is_bid in (0, 1):
            for level, at in enumerate(wanted[is_bid]):
                if at not in self._resting[is_bid]:
                    self._place_level(exchange, market, bool(is_bid), at, level, now_ms)

    def _beside_others(self, exchange: Exchange, market: Market, ask: int, bid: int, now_ms: int) -> tuple[int, int]:
        """Return best ask and bid that cross nobody; who stands far beyond them is wrong and is taken first."""
        first, second = market.asset_ids
        best_bid, best_ask = exchange.best(first)
        if best_bid < ask and best_ask > bid:
            return ask, bid
        self._drawn = None  # the others will move: look again
        quantity = self.listing.depth * MICRO
        if best_ask < bid - self.listing.half_spread:
            self.place(exchange, self.entry(first, Side.BUY, bid, quantity, OrderType.FAK), now_ms)
        elif best_bid > ask + self.listing.half_spread:
            self.place(exchange, self.entry(second, Side.BUY, MICRO - ask, quantity, OrderType.FAK), now_ms)
        best_bid, best_ask = exchange.best(first)
        tick = market.tick_size
        return max(ask, best_bid + tick), min(bid, best_ask - tick)

    def _withdraw(self, exchange: Exchange, asks: list[int], bids: list[int], now_ms: int) -> None:
        gone = [self._resting[0].pop(at)[0] for at in asks] + [self._resting[1].pop(at)[0] for at in bids]
        if gone:
            self.cancel(exchange, gone, now_ms)

    def _place_level(self, exchange: Exchange, market: Market, is_bid: bool, at: int, level: int, now_ms: int) -> None:
        size = int(self.listing.depth * (1 + 0.6 * level) * (0.4 + 0.6 * self.random.random()))
        quantity = max(size, 10) * MICRO
        entry = self._rung(market, is_bid, at, quantity)
        if self.place(exchange, entry, now_ms) is None:
            self._drawn = None  # try again at the next look
        else:
            self._resting[is_bid][at] = entry.order_id, quantity

    def _rung(self, market: Market, is_bid: bool, at: int, quantity: int) -> OrderEntry:
        """Return a bid or an ask: out of shares where there are enough, else with money."""
        first, second = market.asset_ids
        index = 1 if is_bid else 0  # the claim that is sold
        if self._free[index] >= quantity:
            self._free[index] -= quantity
            if is_bid:
                return self.entry(second, Side.SELL, MICRO - at, quantity, post_only=True)
            return self.entry(first, Side.SELL, at, quantity, post_only=True)
        if is_bid:
            return self.entry(first, Side.BUY, at, quantity, post_only=True)
        return self.entry(second, Side.BUY, MICRO - at, quantity, post_only=True)
