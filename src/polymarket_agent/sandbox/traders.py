"""The simulated traders: makers who quote, noise who trade without a reason, informed who have one.

Each is an account with a generator of its own, and knows the fair price as of another moment: a maker late, an
informed trader early. None looks at the clock; `act` is told the time and answers when it wants to act again.
Every order id is made from the account and a counter. Amounts are whole shares, so they fit every price grid.
"""

from __future__ import annotations

import hashlib
import math
from collections import deque
from random import Random

from polymarket_agent.domain.book import Side
from polymarket_agent.domain.market import AssetId, Market
from polymarket_agent.domain.money import MICRO, Price, Usdc, ceil_div
from polymarket_agent.sandbox.exchange import Exchange
from polymarket_agent.sandbox.model import OrderEntry, OrderType, Placed
from polymarket_agent.sandbox.scenario_markets import Listing
from polymarket_agent.sandbox.scenarios import CrowdAccount, Pace

__all__ = ["MAX_OPEN_ORDERS", "Floor", "Informed", "Noise", "Trader"]

MAX_OPEN_ORDERS = 6  # of a noise trader, over all markets
_NO_BOUND = 1_000_000
_LEAST_COLLATERAL = 1_000_000  # the venue takes no marketable order below one dollar


class Floor:
    """Which markets are traded now, and how much the crowd did."""

    def __init__(self) -> None:
        self.live: list[Listing] = []
        self.actions = 0  # placements and cancels sent
        self.refusals: dict[str, int] = {}
        self._weights: list[float] = []

    def add(self, listing: Listing) -> None:
        """Take up a market."""
        self.live.append(listing)
        self._weigh()

    def drop(self, listing: Listing) -> None:
        """Forget a market that takes no orders any more."""
        self.live = [each for each in self.live if each is not listing]
        self._weigh()

    def _weigh(self) -> None:
        total = 0.0
        self._weights = [total := total + each.activity for each in self.live]

    def pick(self, chance: float) -> Listing | None:
        """Return a market by a number in [0, 1), busy ones more often."""
        if not self._weights:
            return None
        wanted = chance * self._weights[-1]
        return next((each for each, upto in zip(self.live, self._weights, strict=True) if wanted < upto), self.live[-1])


class Trader:
    """An account that can place and cancel; `desk` keeps the order ids of one account's desks apart.

    It pays in more when an order was refused for lack of money: people deposit too.
    """

    def __init__(self, account: CrowdAccount, floor: Floor, random: Random, desk: str = "") -> None:
        self.account = account
        self.floor = floor
        self.random = random
        self._prefix = "0x" + hashlib.sha256(f"{account.owner}/orders/{desk}".encode()).hexdigest()[:44]
        self._serial = 0

    def entry(
        self,
        asset_id: AssetId,
        side: Side,
        at: int,
        quantity: int,
        order_type: OrderType = OrderType.GTC,
        *,
        post_only: bool = False,
        expires_s: int = 0,
    ) -> OrderEntry:
        """Return an order for micro-shares at a price, with the next id."""
        self._serial += 1
        account, notional = self.account, at * quantity // MICRO
        buying = side is Side.BUY
        return OrderEntry(
            order_id=f"{self._prefix}{self._serial:020x}",
            owner=account.owner,
            wallet=account.wallet,
            signer=account.wallet,
            signature_type=0,
            asset_id=asset_id,
            side=side,
            maker_amount=notional if buying else quantity,
            taker_amount=quantity if buying else notional,
            order_type=order_type,
            expires_s=expires_s,
            post_only=post_only,
        )

    def place(self, exchange: Exchange, entry: OrderEntry, now_ms: int) -> Placed | None:
        """Send an order; a refusal is counted and answered with None."""
        floor = self.floor
        floor.actions += 1
        answer = exchange.place(entry, now_ms)
        if isinstance(answer, Placed):
            return answer
        reason = answer.error[:40]
        floor.refusals[reason] = floor.refusals.get(reason, 0) + 1
        if reason.startswith("not enough balance") and entry.side is Side.BUY:
            exchange.fund(self.account.wallet, Usdc(self.account.collateral // 4))
        return None

    def cancel(self, exchange: Exchange, order_ids: list[str], now_ms: int) -> None:
        """Cancel; whether it was too late shows in the balances."""
        self.floor.actions += len(order_ids)
        exchange.cancel(self.account.owner, order_ids, now_ms)

    def wait_ms(self, mean_ms: int) -> int:
        """Return a waiting time of a trader who acts independently of what was before, at most five means."""
        return max(1, int(mean_ms * min(-math.log(1.0 - self.random.random()), 5.0)))


def _round_lot(market: Market, at: int, quantity: float, most: int) -> int:
    """Return micro-shares near a wish: no less than the venue's minimum in shares and dollars, fit for the grid.

    Whole shares on a grid of 0.01, tens of them on one of 0.001, so that a buyer's dollars are whole cents.
    """
    unit = 10_000 // math.gcd(10_000, market.tick_size)
    least = max(ceil_div(market.min_order_size, MICRO), ceil_div(_LEAST_COLLATERAL, at))
    whole = max(least, min(int(quantity), most))
    return ceil_div(whole, unit) * unit * MICRO


def _inside(at: int, tick_size: int) -> int:
    return min(max(at, tick_size), MICRO - tick_size)


class Noise(Trader):
    """Trades without a reason: mostly takes, sometimes rests an order near the price and forgets it for a while."""

    def __init__(self, account: CrowdAccount, floor: Floor, random: Random, pace: Pace) -> None:
        super().__init__(account, floor, random)
        self._mean_ms = pace.noise_ms
        self._open: deque[str] = deque()

    def act(self, exchange: Exchange, now_ms: int) -> int | None:
        """Do one thing and return when to do the next."""
        random = self.random
        listing = self.floor.pick(random.random())
        if listing is not None and exchange.markets[listing.market.condition_id].tradable:
            what = random.random()
            if len(self._open) >= MAX_OPEN_ORDERS or (what < 0.1 and self._open):
                self.cancel(exchange, [self._open.popleft()], now_ms)
            elif what < 0.65:
                self._take(exchange, listing, now_ms)
            else:
                self._rest(exchange, listing, now_ms)
        return now_ms + self.wait_ms(self._mean_ms)

    def _take(self, exchange: Exchange, listing: Listing, now_ms: int) -> None:
        random = self.random
        market = exchange.markets[listing.market.condition_id]
        asset_id, side, fair, most = self._direction(exchange, listing, now_ms)
        slack = listing.half_spread * (1 + int(3 * random.random()))
        tick = market.tick_size
        at = _inside((fair + slack if side is Side.BUY else fair - slack) // tick * tick, tick)
        quantity = _round_lot(market, at, math.exp(random.gauss(3.0, 0.9)), min(most, 400))
        order_type = OrderType.FOK if random.random() < 0.2 else OrderType.FAK
        self.place(exchange, self.entry(asset_id, side, at, quantity, order_type), now_ms)

    def _rest(self, exchange: Exchange, listing: Listing, now_ms: int) -> None:
        random = self.random
        market = exchange.markets[listing.market.condition_id]
        asset_id, side, fair, most = self._direction(exchange, listing, now_ms)
        away = int(listing.half_spread * (0.5 + 4 * random.random()))
        tick = market.tick_size
        at = _inside((fair - away if side is Side.BUY else fair + away) // tick * tick, tick)
        quantity = _round_lot(market, at, math.exp(random.gauss(3.4, 0.8)), min(most, 600))
        until = now_ms // 1_000 + 240 + int(300 * random.random()) if random.random() < 0.3 else 0
        order_type = OrderType.GTD if until else OrderType.GTC
        entry = self.entry(asset_id, side, at, quantity, order_type, expires_s=until)
        answer = self.place(exchange, entry, now_ms)
        if answer is not None and answer.status != "matched":
            self._open.append(answer.order_id)

    def _direction(self, exchange: Exchange, listing: Listing, now_ms: int) -> tuple[AssetId, Side, int, int]:
        """Return claim, side, the claim's fair price and the most shares: sells what it holds, half of the time."""
        random = self.random
        index = 0 if random.random() < 0.5 else 1
        asset_id = listing.market.asset_ids[index]
        fair = listing.path.at(now_ms)
        fair = MICRO - fair if index else fair
        if random.random() < 0.5:
            balance, reserved = exchange.balance(self.account.wallet, asset_id)
            if balance - reserved >= 20 * MICRO:
                return asset_id, Side.SELL, fair, (balance - reserved) // MICRO
        return asset_id, Side.BUY, fair, _NO_BOUND


class Informed(Trader):
    """Knows the fair price some seconds before the makers do, and takes what is wrong by more than it costs."""

    _LEAD_MS = 6_000
    _WATCHED = 6  # markets looked at at once
    _MARGIN = 12_000  # what a trade must earn on top of the fee, in micro-USDC a share

    def __init__(self, account: CrowdAccount, floor: Floor, random: Random, pace: Pace) -> None:
        super().__init__(account, floor, random)
        self._mean_ms = pace.informed_ms
        self._lead_ms = int(self._LEAD_MS * (0.5 + random.random()))

    def act(self, exchange: Exchange, now_ms: int) -> int | None:
        """Trade the market that will move most of those it looks at, if it will move enough."""
        first, ahead_ms = int(len(self.floor.live) * self.random.random()), now_ms + self._lead_ms
        moves = [
            (abs(move := each.path.at(ahead_ms) - each.path.at(now_ms)), move, each)
            for each in self.floor.live[first : first + self._WATCHED]
        ]
        if moves:
            size, move, listing = max(moves, key=lambda each: each[0])
            if size > self._MARGIN:
                self._trade(exchange, listing, now_ms, rises=move > 0)
        return now_ms + self.wait_ms(self._mean_ms)

    def _trade(self, exchange: Exchange, listing: Listing, now_ms: int, *, rises: bool) -> None:
        market = exchange.markets[listing.market.condition_id]
        if not market.tradable:
            return
        index = 0 if rises else 1
        asset_id = market.asset_ids[index]
        worth = listing.path.at(now_ms + self._lead_ms)
        worth = MICRO - worth if index else worth
        fee = market.fees.rate * worth // MICRO * (MICRO - worth) // MICRO
        tick = market.tick_size
        at = (worth - self._MARGIN - fee) // tick * tick
        if exchange.best(asset_id)[1] > at or at < tick:
            return
        other = market.asset_ids[1 - index]
        quantity = _round_lot(market, at, 40 + 260 * self.random.random(), most=300)
        balance, reserved = exchange.balance(self.account.wallet, other)
        if balance - reserved >= quantity:  # leave the other answer before paying for this one
            entry = self.entry(other, Side.SELL, MICRO - at, quantity, OrderType.FAK)
        else:
            entry = self.entry(asset_id, Side.BUY, Price(at), quantity, OrderType.FAK)
        self.place(exchange, entry, now_ms)
