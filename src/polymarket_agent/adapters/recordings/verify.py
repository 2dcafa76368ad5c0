"""Checks the venue's own claims, hash and best prices, against a book rebuilt from its messages.

A hash covers more than the levels, and websocket messages leave part of that out. So each asset has a short list
of candidates (minimum order size, neg-risk flag, last trade price), and what matched is tried first next time.
A claim that fits none may still be right: in a burst it can be that of a later state of the same millisecond, its
last trade price can be one that is published a moment later, and a `best_bid_ask` message comes just before the
change that it speaks of. It waits for these before it counts as unmatched.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from polymarket_agent.adapters.polymarket.exact import Number, micro_of, price_of, text_of, tick_size_of
from polymarket_agent.adapters.polymarket.wire import (
    WireBestBidAsk,
    WireBook,
    WireLevel,
    WireMessage,
    WirePriceChange,
    WireTickSize,
    WireTrade,
)
from polymarket_agent.domain.book import OrderBook
from polymarket_agent.domain.market import AssetId
from polymarket_agent.domain.money import MICRO, Price, Shares, complement, decimal_text
from polymarket_agent.errors import VenueDataError

__all__ = ["ClaimCheck"]

# How long a hash may be ahead of the trade that it already contains, and how many claims of a market wait.
_WAIT_MS = 2_000
_MAX_WAITING = 256
_MAX_STATES = 16
_DEFAULT_MIN_ORDER_SIZE = "5"


class _Side:
    """Levels of one side as the text that the hash covers, kept in order."""

    def __init__(self, levels: Iterable[WireLevel] = ()) -> None:
        self.text: dict[int, str] = {}
        for level in levels:
            at, size = price_of(level.price), micro_of(level.size)
            if size:
                self.text[at] = _level_text(at, size)
        self.order = sorted(self.text)

    def set(self, at: int, size: int) -> None:
        if size:
            if at not in self.text:
                insort(self.order, at)
            self.text[at] = _level_text(at, size)
        elif self.text.pop(at, None) is not None:
            del self.order[bisect_left(self.order, at)]


def _level_text(at: int, size: int) -> str:
    return f'{{"price":"{decimal_text(at)}","size":"{decimal_text(size)}"}}'


def _levels(side: Iterable[WireLevel]) -> list[tuple[Price, Shares]]:
    return [(price_of(level.price), Shares(micro_of(level.size))) for level in side]


class _Waiting:
    """A hash that matched no state yet: its digests so far, to which only the part that is unknown is added."""

    __slots__ = ("at_ms", "claim", "states")

    def __init__(self, claim: str, at_ms: int, state: Any) -> None:
        self.claim = claim
        self.at_ms = at_ms
        self.states = [state]


class _Asset:
    """One asset's rebuilt book and what is known of its identity."""

    def __init__(self, asset_id: str, market: str) -> None:
        self.market = market
        self.book = OrderBook(AssetId(asset_id))
        self.bids, self.asks = _Side(), _Side()
        self.tick_size: str | None = None
        self.last_trade: str | None = None
        self.min_order_sizes = [_DEFAULT_MIN_ORDER_SIZE]
        self.neg_risks = ["false", "true"]
        self.waiting: list[_Waiting] = []
        self.waiting_best: list[tuple[int, tuple[int, int]]] = []

    def state(self, at_ms: int) -> Any:
        """Return the digest of the book up to where its identity begins."""
        bids = ",".join([self.bids.text[at] for at in self.bids.order])
        asks = ",".join([self.asks.text[at] for at in reversed(self.asks.order)])
        start = f'{{"market":"{self.market}","asset_id":"{self.book.asset_id}","timestamp":"{at_ms}","hash":"",'
        return hashlib.sha1(f'{start}"bids":[{bids}],"asks":[{asks}],'.encode(), usedforsecurity=False)

    def matches(self, state: Any, claims: Iterable[str], last_trades: Iterable[str]) -> str | None:
        """Return the claim that a state and some candidate give, and remember the candidate."""
        wanted = set(claims)
        for last_trade in last_trades:
            for size in self.min_order_sizes:
                for neg_risk in self.neg_risks:
                    whole = state.copy()
                    whole.update(
                        f'"min_order_size":"{size}","tick_size":"{self.tick_size}","neg_risk":{neg_risk},'
                        f'"last_trade_price":"{last_trade}"}}'.encode()
                    )
                    found: str = whole.hexdigest()
                    if found in wanted:
                        self._prefer(size, neg_risk)
                        return found
        return None

    def _prefer(self, size: str, neg_risk: str) -> None:
        self.min_order_sizes.sort(key=lambda each: each != size)
        self.neg_risks.sort(key=lambda each: each != neg_risk)


class ClaimCheck:
    """Follows messages in their order and counts which claims hold.

    `crossed` counts messages after which a book that they touch is crossed.
    """

    def __init__(self) -> None:
        self._assets: dict[str, _Asset] = {}
        self._by_market: defaultdict[str, list[_Asset]] = defaultdict(list)
        self._traded: dict[str, str] = {}
        self.hash = dict.fromkeys(("checked", "matched", "matched_in_burst", "unmatched", "unverifiable"), 0)
        self.best = dict.fromkeys(("checked", "matched", "matched_in_burst", "unmatched", "uncheckable"), 0)
        self.crossed = 0

    def take(self, message: WireMessage) -> None:
        """Take in one message that the parser has accepted."""
        match message:
            case WireBook():
                self._book(message)
            case WirePriceChange():
                self._changes(message)
            case WireTrade():
                self._trade(message)
            case WireTickSize():
                asset = self._asset(message.asset_id, message.market)
                asset.tick_size = text_of(message.new_tick_size)
                asset.book.set_tick_size(tick_size_of(message.new_tick_size))
            case WireBestBidAsk():
                asset = self._asset(message.asset_id, message.market)
                self._check_best(asset, message.timestamp, message.best_bid, message.best_ask)
            case _:
                pass

    def report(self) -> dict[str, dict[str, int]]:
        """Return the counts; what still waits is unmatched."""
        for counts in (self.hash, self.best):
            counts["unmatched"] = counts["checked"] - counts["matched"]
        return {"book_hash": dict(self.hash), "best_price": dict(self.best)}

    def _asset(self, asset_id: str, market: str) -> _Asset:
        asset = self._assets.get(asset_id)
        if asset is None:
            asset = self._assets[asset_id] = _Asset(asset_id, market)
            self._by_market[market].append(asset)
        return asset

    def _book(self, message: WireBook) -> None:
        asset = self._asset(message.asset_id, message.market)
        asset.market = message.market or asset.market
        asset.bids, asset.asks = _Side(message.bids), _Side(message.asks)
        asset.book.replace(_levels(message.bids), _levels(message.asks), message.timestamp)
        if message.tick_size:
            asset.tick_size = text_of(message.tick_size)
        if message.last_trade_price is not None:
            asset.last_trade = text_of(message.last_trade_price)
        if (
            message.min_order_size is not None
            and (size := text_of(message.min_order_size)) not in asset.min_order_sizes
        ):
            asset.min_order_sizes.insert(0, size)
        if message.neg_risk is not None:
            asset.neg_risks.sort(key=lambda each: each != ("true" if message.neg_risk else "false"))
        self._check_hash(asset, message.timestamp, message.hash)
        if asset.waiting_best:
            self._settle_best(asset, message.timestamp)
        self.crossed += asset.book.crossed

    def _changes(self, message: WirePriceChange) -> None:
        touched: dict[str, _Asset] = {}
        for entry in message.entries:
            asset = touched[entry.asset_id] = self._asset(entry.asset_id, message.market)
            if asset.book.ready:
                is_bid = entry.side.upper() == "BUY"
                at, size = price_of(entry.price), Shares(micro_of(entry.size))
                asset.book.update(is_bid, at, size)
                (asset.bids if is_bid else asset.asks).set(at, size)
            self._check_hash(asset, message.timestamp, entry.hash)
            if asset.waiting_best:
                self._settle_best(asset, message.timestamp)
            if entry.best_bid is not None or entry.best_ask is not None:
                self._check_best(asset, message.timestamp, entry.best_bid, entry.best_ask)
        self.crossed += any(asset.book.ready and asset.book.crossed for asset in touched.values())

    def _trade(self, message: WireTrade) -> None:
        """A trade may explain hashes that came before it; from now on its price is a candidate."""
        self._traded[message.market] = text_of(message.price)
        news = list(self._trade_prices(message.market))
        for asset in self._by_market[message.market]:
            waiting = [each for each in asset.waiting if message.timestamp - each.at_ms <= _WAIT_MS]
            asset.waiting = [
                each for each in waiting if not any(asset.matches(state, (each.claim,), news) for state in each.states)
            ]
            self.hash["matched"] += len(waiting) - len(asset.waiting)

    def _trade_prices(self, market: str) -> Iterator[str]:
        """Yield spellings of the last trade's price, as sent and as the other outcome sees it."""
        text = self._traded.get(market)
        if text is not None:
            at = micro_of(text)
            places = len(text.partition(".")[2])
            for each in (at, complement(Price(at))):
                short = decimal_text(each)
                yield short
                yield short.ljust(places + 2, "0") if "." in short else short
            yield text

    def _check_hash(self, asset: _Asset, at_ms: int, claim: str) -> None:
        if not claim:
            return
        # Once a trade is known, either may be in force: the book's own price or the trade's.
        last_trades = dict.fromkeys(self._trade_prices(asset.market))
        if asset.last_trade is not None:
            last_trades = {asset.last_trade: None, **last_trades}
        if not (asset.book.ready and asset.tick_size is not None and last_trades):
            self.hash["unverifiable"] += 1
            return
        self.hash["checked"] += 1
        state = asset.state(at_ms)
        same_time = [each for each in asset.waiting if each.at_ms == at_ms]
        wanted = [claim, *(each.claim for each in same_time)]
        found: set[str] = set()
        for last_trade in last_trades:
            hit = asset.matches(state, wanted, (last_trade,))
            if hit is not None:
                found.add(hit)
                asset.last_trade = last_trade
        self._settle(asset, found, claim, at_ms, state)

    def _settle(self, asset: _Asset, found: set[str], claim: str, at_ms: int, state: Any) -> None:
        """Count what was found; the rest waits."""
        kept: list[_Waiting] = []
        for each in asset.waiting:
            if each.at_ms == at_ms and each.claim in found:
                self.hash["matched"] += 1
                self.hash["matched_in_burst"] += 1
                continue
            if each.at_ms == at_ms and len(each.states) < _MAX_STATES:
                each.states.append(state)
            if at_ms - each.at_ms <= _WAIT_MS:
                kept.append(each)
        if claim in found:
            self.hash["matched"] += 1
        else:
            kept.append(_Waiting(claim, at_ms, state))
        asset.waiting = kept[-_MAX_WAITING:]

    def _check_best(self, asset: _Asset, at_ms: int, best_bid: Number | None, best_ask: Number | None) -> None:
        if not asset.book.ready:
            self.best["uncheckable"] += 1
            return
        top = asset.book.top
        try:
            claim = (micro_of(best_bid) if best_bid else top[0], (micro_of(best_ask) or MICRO) if best_ask else top[1])
        except VenueDataError:
            self.best["uncheckable"] += 1
            return
        self.best["checked"] += 1
        if claim == top:
            self.best["matched"] += 1
        else:
            asset.waiting_best = [*asset.waiting_best, (at_ms, claim)][-_MAX_WAITING:]

    def _settle_best(self, asset: _Asset, at_ms: int) -> None:
        """Compare claims that wait with a new state, unless that is younger than they are."""
        top = asset.book.top
        still = [(claimed_ms, claim) for claimed_ms, claim in asset.waiting_best if claimed_ms >= at_ms]
        asset.waiting_best = [each for each in still if each[1] != top]
        found = len(still) - len(asset.waiting_best)
        self.best["matched"] += found
        self.best["matched_in_burst"] += found
