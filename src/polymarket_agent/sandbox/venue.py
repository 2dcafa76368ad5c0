"""The running exchange as its routes see it: core, keys, records, clock, and who listens. One event loop, no locks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from polymarket_agent.domain.market import AssetId, ConditionId, Market, MarketGroup, MarketState
from polymarket_agent.sandbox.chain import Chain
from polymarket_agent.sandbox.crowd import Actor, run_until
from polymarket_agent.sandbox.limits import Buckets
from polymarket_agent.sandbox.model import Notice, Refused
from polymarket_agent.sandbox.records import Records
from polymarket_agent.sandbox.wire_books import BookView
from polymarket_agent.sandbox.wire_markets import Listing

if TYPE_CHECKING:
    from polymarket_agent.ports import Clock
    from polymarket_agent.sandbox.auth import Credentials, Keyring
    from polymarket_agent.sandbox.exchange import Exchange
    from polymarket_agent.sandbox.faults import FaultInjector

__all__ = ["Venue", "VenueClock"]


class VenueClock:
    """The venue's time: it starts at the wall's and runs `speed` times as fast; it never goes back."""

    def __init__(self, clock: Clock, speed: float = 1.0, start_ms: int | None = None) -> None:
        self._clock = clock
        self.speed = speed
        self._wall_ms = clock.now_ms()
        self._origin_ms = self._wall_ms if start_ms is None else start_ms
        self._latest_ms = self._origin_ms

    def now_ms(self) -> int:
        """Return the venue's time in milliseconds."""
        now = self._origin_ms + int((self._clock.now_ms() - self._wall_ms) * self.speed)
        self._latest_ms = max(self._latest_ms, now)
        return self._latest_ms

    def wall_s(self) -> int:
        """Return the wall's time in seconds: what clients sign into their headers."""
        return self._clock.now_ms() // 1000


class Venue:
    """Everything routes share.

    `eoa_allowed` and `tells_finished` are choices where the venue's ways are not known: whether a plain key may be a
    maker, and whether a finished order is shown by its id or is null. `blocked_country` is where requests seem to come
    from when trading is blocked there; "" blocks nobody.
    """

    def __init__(self, exchange: Exchange, keyring: Keyring, clock: VenueClock, injector: FaultInjector) -> None:
        self.exchange = exchange
        self.injector = injector
        self.faulty = bool(injector.plan.rules)
        self.actors: list[Actor] = []
        self.keyring = keyring
        self.clock = clock
        self.buckets = Buckets()
        self.records = Records()
        self.chain = Chain(self)
        self.relayed: dict[str, dict[str, str]] = {}
        self.builder_keys: dict[str, str] = {}
        self.closed_only: set[str] = set()
        self.blocked_country = ""
        self.eoa_allowed = True
        self.tells_finished = True
        self.listeners: list[Callable[[Notice], None]] = []

    def now_ms(self) -> int:
        """Return the venue's time in milliseconds."""
        return self.clock.now_ms()

    def told_s(self) -> int:
        """Return the second that the venue tells, which a plan may have set wrong."""
        now_ms = self.clock.now_ms()
        return (now_ms + self.injector.skew_ms(now_ms)) // 1000

    def turn(self) -> int:
        """Let everything happen that is due, tell it, and return the time."""
        now_ms = self.clock.now_ms()
        run_until(self.exchange, self.actors, now_ms)
        self.publish()
        return now_ms

    def next_due_ms(self) -> int | None:
        """Return when something happens next by itself."""
        due = [self.exchange.next_due_ms, *(each.next_due_ms for each in self.actors)]
        return min((each for each in due if each is not None), default=None)

    def publish(self) -> None:
        """Hand the notices since the last time to the records and to who listens."""
        for notice in self.exchange.drain():
            self.records.take(notice)
            for listener in self.listeners:
                listener(notice)

    def check_l1(self, headers: Mapping[str, str]) -> str | Refused:
        """Return the address behind L1 headers."""
        return self.keyring.check_l1(headers, self._client_s(headers))

    def check_l2(self, headers: Mapping[str, str], method: str, path: str, raw: bytes) -> Credentials | Refused:
        """Return whose request it is."""
        return self.keyring.check_l2(headers, method, path, raw, self._client_s(headers))

    def _client_s(self, headers: Mapping[str, str]) -> int:
        """Return the wall's second, or the venue's when the client signs by that: some ask for it first."""
        skew_s = self.injector.skew_ms(self.clock.now_ms()) // 1000 if self.faulty else 0
        wall_s, venue_s = self.clock.wall_s() + skew_s, self.clock.now_ms() // 1000 + skew_s
        sent = headers.get("POLY_TIMESTAMP", "")
        if wall_s == venue_s or not sent.isascii() or not sent.isdigit() or len(sent) > 15:
            return wall_s
        return min((wall_s, venue_s), key=lambda each: abs(each - int(sent)))

    def market(self, condition_id: str) -> Market | None:
        """Return a market by its condition id in any case."""
        return self.exchange.markets.get(ConditionId(condition_id.lower()))

    def market_by_asset(self, asset_id: str) -> Market | None:
        """Return the market that an asset belongs to."""
        return self.exchange.market_of(AssetId(asset_id))

    def market_by_number(self, number: str) -> Market | None:
        """Return the market with a Gamma id."""
        for condition_id, each in self.records.numbers.items():
            if str(each) == number:
                return self.exchange.markets.get(condition_id)
        return None

    def view(self, asset_id: str) -> BookView | None:
        """Return an asset's book now, or None where there is none: an unknown token, or a market that has closed."""
        market = self.market_by_asset(asset_id)
        if market is None or market.state is not MarketState.OPEN:
            return None
        return self._view(market, AssetId(asset_id))

    def _view(self, market: Market, asset_id: AssetId) -> BookView:
        found = self.exchange.book(asset_id)
        last = self.exchange.last_trade_price(market.condition_id) or ""
        return BookView(
            market, asset_id, found.bids(), found.asks(), found.at_ms, self.exchange.book_hash(asset_id), last
        )

    def group_of(self, condition_id: ConditionId) -> MarketGroup | None:
        """Return the group that a market belongs to."""
        return self.exchange._trading(condition_id).group  # noqa: SLF001 - as above

    def listing(self, market: Market) -> Listing:
        """Return a market with what listings say beside it."""
        condition_id = market.condition_id
        number = self.records.number_of(condition_id, self.exchange.now_ms)
        terms = self.exchange._trading(condition_id)  # noqa: SLF001 - what was said at the listing; no read tells it
        group, oracle = terms.group, self.records.oracle.get(condition_id)
        return Listing(
            market=market,
            number=number,
            event_number=number + 1_000_000 if group is None else _event_number(group),
            event_slug=(group.slug or f"event-{group.group_id}") if group else (market.slug or f"market-{number}"),
            event_title=group.title if group else market.question,
            listed_ms=self.records.listed_ms[condition_id],
            book=self._view(market, market.asset_ids[0]),
            seconds_delay=terms.seconds_delay,
            taker_delay=terms.taker_delay,
            description=terms.description,
            tags=terms.tags,
            oracle=oracle.status if oracle is not None else "",
            closed_ms=oracle.at_ms if oracle is not None else None,
            volume=self.records.volume[condition_id],
        )

    def listings(self) -> Iterator[Listing]:
        """Yield every market in the order of listing."""
        for market in list(self.exchange.markets.values()):
            yield self.listing(market)

    def events(self) -> dict[int, list[Listing]]:
        """Return the listings of every event by its number, in the order of listing."""
        out: dict[int, list[Listing]] = {}
        for listing in self.listings():
            out.setdefault(listing.event_number, []).append(listing)
        return out

    def side_of_last_trade(self, condition_id: ConditionId) -> str:
        """Return the taker's side of the last trade, "" when there was none."""
        return self.records.taker_side.get(condition_id, "")


def _event_number(group: MarketGroup) -> int:
    """Return Gamma's id of a group: its own where that is a number, as the venue's are."""
    text = group.group_id
    return int(text) if text.isascii() and text.isdigit() else 2_000_000 + sum(map(ord, text)) * 131
