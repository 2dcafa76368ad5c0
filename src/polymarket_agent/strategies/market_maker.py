"""MarketMaker: two-sided resting quotes around a reservation price that leans against the inventory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from polymarket_agent.domain.book import OrderBook, Side
from polymarket_agent.domain.events import Event, Gap, MarketClosed, MarketResolved, Timer
from polymarket_agent.domain.market import AssetId, ConditionId, Market
from polymarket_agent.domain.money import MICRO, Price, Shares, floor_to_lot, round_down_to_tick, round_up_to_tick
from polymarket_agent.domain.order import Order
from polymarket_agent.domain.signal import Quote, TargetQuotes, Wish
from polymarket_agent.strategies.base import MarketView, Wakes
from polymarket_agent.strategies.parts.params import Number, micro, ordered, whole
from polymarket_agent.strategies.parts.trading import touched_assets

__all__ = ["MarketMaker"]


class _Inventory(NamedTuple):
    """Micro-shares of the two outcomes: held, and of those what our own quotes may sell."""

    held_yes: int
    held_no: int
    sellable_yes: int
    sellable_no: int


class _Tops(NamedTuple):
    """The bests of the first outcome as both books together show them, in micro-USDC.

    A bid for the second outcome at p is an ask for the first at 1 - p, so the tighter of the two counts.
    """

    bid: int
    ask: int


class _LastWish(NamedTuple):
    at_ms: int
    pulled: bool


class MarketMaker:
    """Quotes both sides of a market and sells what it comes to hold.

    Seen from the first outcome (YES), with the second (NO) as its mirror at 1 - price:

        net         = clip((held_yes - held_no) / max_inventory, -1, 1)
        reservation = mid - skew * net
        bid_price   = reservation - half_spread          what we pay for YES at most
        ask_price   = reservation + half_spread          what we want for YES at least

    The bid side sells NO at 1 - bid_price if NO is held, else buys YES at bid_price. The ask side sells YES at
    ask_price if YES is held, else buys NO at 1 - ask_price: what is not held cannot be sold, but a share of each
    outcome together pays 1. A linear skew stands for the inventory term of Avellaneda and Stoikov (risk aversion
    times variance times time left): a binary price has no horizon in which its variance is known.

    Buys are rounded down to the grid and sales up; all stay one tick_size off the displayed other side, so they
    rest. At `net` of 1 or -1 the side that would add is left empty. Quotes are pulled (an empty set) when a book is
    not trusted or one-sided, the spread is under `min_spread` or over `max_spread`, the mid is within `min_price` of
    0 or 1, or less than `min_time_left_ms` is left. A live order stays while its price is within `requote_ticks` and
    it still has half of the wanted quantity. Prices are USDC a share, quantities shares.
    """

    name = "market_maker"

    def __init__(  # noqa: PLR0913 - each is a key of the config
        self,
        *,
        half_spread: Number = 0.01,
        skew: Number = 0.02,
        quote_quantity: Number = 20,
        max_inventory: Number = 100,
        min_spread: Number = 0.01,
        max_spread: Number = 0.1,
        min_price: Number = 0.05,
        min_time_left_ms: Number = 300_000,
        requote_ticks: Number = 1,
        requote_ms: Number = 1_000,
        max_markets: Number = 20,
    ) -> None:
        self.half_spread = micro("half_spread", half_spread, "0.0001", "0.25")
        self.skew = micro("skew", skew, "0", "0.25")
        self.quote_quantity = floor_to_lot(Shares(micro("quote_quantity", quote_quantity, "0.01", "1000000")))
        self.max_inventory = micro("max_inventory", max_inventory, "0.01", "10000000")
        self.min_spread = micro("min_spread", min_spread, "0.0001", "0.5")
        self.max_spread = micro("max_spread", max_spread, "0.0001", "0.5")
        ordered("min_spread", self.min_spread / MICRO, "max_spread", self.max_spread / MICRO)
        self.min_price = micro("min_price", min_price, "0.001", "0.49")
        self.min_time_left_ms = whole("min_time_left_ms", min_time_left_ms, 0, 365 * 86_400_000)
        self.requote_ticks = whole("requote_ticks", requote_ticks, 1, 100)
        self.requote_ms = whole("requote_ms", requote_ms, 0, 3_600_000)
        self.max_markets = whole("max_markets", max_markets, 1, 10_000)
        self.wakes = Wakes(top=True, fills=True, lifecycle=True, every_ms=5_000)
        self._quoting: dict[ConditionId, _LastWish] = {}

    def on_event(self, event: Event, view: MarketView) -> Sequence[Wish]:
        """Look again at the markets that the event is about; at all of them on a timer."""
        if isinstance(event, MarketClosed | MarketResolved):
            self._quoting.pop(event.condition_id, None)
            return ()
        wishes = (self._requote(market, view) for market in self._markets(event, view))
        return [wish for wish in wishes if wish is not None]

    @staticmethod
    def _markets(event: Event, view: MarketView) -> Iterable[Market]:
        if isinstance(event, Timer) or (isinstance(event, Gap) and not event.asset_ids):
            return view.tradable_markets()
        found: dict[ConditionId, Market] = {}
        for asset_id in touched_assets(event):
            market = view.market_of(asset_id)
            if market is not None and market.tradable:
                found[market.condition_id] = market
        return found.values()

    def _requote(self, market: Market, view: MarketView) -> TargetQuotes | None:
        condition_id = market.condition_id
        last = self._quoting.get(condition_id)
        if last is None and len(self._quoting) >= self.max_markets:
            return None
        reason, quotes = self.wanted(market, view)
        # Moving quotes waits, and so does asking once more to pull them; the first pull never does.
        asked = last is not None and (quotes or last.pulled)
        if last is not None and asked and 0 <= view.now_ms - last.at_ms < self.requote_ms:
            return None
        live = view.open_orders(condition_id)
        kept = self._keep_near(quotes, live, market)
        if _same(kept, live):
            if not quotes:
                self._quoting.pop(condition_id, None)  # nothing wanted, and nothing of ours is left
            return None
        self._quoting[condition_id] = _LastWish(view.now_ms, pulled=not quotes)
        return TargetQuotes(strategy=self.name, condition_id=condition_id, quotes=kept, reason=reason)

    def wanted(self, market: Market, view: MarketView) -> tuple[str, tuple[Quote, ...]]:
        """Return a reason and the quotes wanted now; none means: pull what rests."""
        yes, no = (view.book(asset_id) for asset_id in market.asset_ids)
        if yes is None or no is None or not yes.two_sided or not no.two_sided:
            return "a book is not trusted or has one side only", ()
        tops = _tops(yes, no)
        spread, mid = tops.ask - tops.bid, (tops.ask + tops.bid) // 2
        if not self.min_spread <= spread <= self.max_spread:
            return f"the spread of {spread / MICRO:.4f} is not worth quoting", ()
        if not self.min_price <= mid <= MICRO - self.min_price:
            return f"the mid of {mid / MICRO:.4f} is too near 0 or 1", ()
        if market.end_at_ms is not None and market.end_at_ms - view.now_ms < self.min_time_left_ms:
            return "the market ends soon", ()
        inventory = self._inventory(market, view)
        net = max(-self.max_inventory, min(self.max_inventory, inventory.held_yes - inventory.held_no))
        reservation = mid - self.skew * net // self.max_inventory
        sides = (
            self._bid_side(market, tops, inventory, reservation) if net < self.max_inventory else None,
            self._ask_side(market, tops, inventory, reservation) if net > -self.max_inventory else None,
        )
        quotes = tuple(quote for quote in sides if quote is not None)
        return f"mid {mid / MICRO:.4f}, net {net / self.max_inventory:+.2f} of max_inventory", quotes

    def _inventory(self, market: Market, view: MarketView) -> _Inventory:
        yes, no = market.asset_ids
        # The account holds what other strategies bought too; that is not ours to sell.
        held_yes, held_no = view.own_shares(yes), view.own_shares(no)
        # What our own resting sales are promised is ours to promise again: the new set replaces them.
        promised = {yes: 0, no: 0}
        for order in view.open_orders(market.condition_id):
            if order.side is Side.SELL:
                promised[order.asset_id] += order.remaining
        sellable_yes, sellable_no = (view.free_shares(asset_id) + promised[asset_id] for asset_id in (yes, no))
        return _Inventory(held_yes, held_no, min(held_yes, sellable_yes), min(held_no, sellable_no))

    def _bid_side(self, market: Market, tops: _Tops, inventory: _Inventory, reservation: int) -> Quote | None:
        tick_size = market.tick_size
        bid_price = min(round_down_to_tick(reservation - self.half_spread, tick_size), tops.ask - tick_size)
        bid_price = round_down_to_tick(bid_price, tick_size)
        yes, no = market.asset_ids
        selling = self._quantity(market, inventory.sellable_no)
        if selling:
            return _quote(no, Side.SELL, round_up_to_tick(MICRO - bid_price, tick_size), selling)
        return _quote(yes, Side.BUY, bid_price, self._quantity(market, self._room(inventory, buys_yes=True)))

    def _ask_side(self, market: Market, tops: _Tops, inventory: _Inventory, reservation: int) -> Quote | None:
        tick_size = market.tick_size
        ask_price = max(round_up_to_tick(reservation + self.half_spread, tick_size), tops.bid + tick_size)
        ask_price = round_up_to_tick(ask_price, tick_size)
        yes, no = market.asset_ids
        selling = self._quantity(market, inventory.sellable_yes)
        if selling:
            return _quote(yes, Side.SELL, ask_price, selling)
        buying = self._quantity(market, self._room(inventory, buys_yes=False))
        return _quote(no, Side.BUY, round_down_to_tick(MICRO - ask_price, tick_size), buying)

    def _room(self, inventory: _Inventory, *, buys_yes: bool) -> int:
        net = inventory.held_yes - inventory.held_no
        return self.max_inventory - (net if buys_yes else -net)

    def _quantity(self, market: Market, at_most: int) -> Shares:
        """Return what to quote; 0 when the venue would refuse it as too small."""
        quantity = floor_to_lot(Shares(max(0, min(self.quote_quantity, at_most))))
        return quantity if quantity >= market.min_order_size else Shares(0)

    def _keep_near(self, quotes: tuple[Quote, ...], live: Sequence[Order], market: Market) -> tuple[Quote, ...]:
        """Return the wanted quotes, with live orders that are near enough in place of new ones."""
        near = self.requote_ticks * market.tick_size
        kept = []
        for quote in quotes:
            order = next((o for o in live if (o.asset_id, o.side) == (quote.asset_id, quote.side)), None)
            if order is None or abs(order.price - quote.price) >= near:
                kept.append(quote)
            elif 2 * order.remaining >= quote.quantity >= order.remaining:
                kept.append(Quote(quote.asset_id, quote.side, order.price, order.remaining))
            else:
                kept.append(quote)
        bids = [quote.price for quote in kept if quote.side is Side.BUY]
        return tuple(kept) if sum(bids) < MICRO else quotes


def _tops(yes: OrderBook, no: OrderBook) -> _Tops:
    (yes_bid, yes_ask), (no_bid, no_ask) = yes.top, no.top
    return _Tops(max(yes_bid, MICRO - no_ask), min(yes_ask, MICRO - no_bid))


def _quote(asset_id: AssetId, side: Side, price: int, quantity: Shares) -> Quote | None:
    if not quantity or not 0 < price < MICRO:
        return None
    return Quote(asset_id, side, Price(price), quantity)


def _same(quotes: Sequence[Quote], live: Sequence[Order]) -> bool:
    wanted = sorted((q.asset_id, q.side.value, q.price, q.quantity) for q in quotes)
    return wanted == sorted((o.asset_id, o.side.value, o.price, o.remaining) for o in live)
