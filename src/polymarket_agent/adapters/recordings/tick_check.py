"""Checks the best prices that a tick stream claims against books built from its changes alone."""

from __future__ import annotations

from typing import Any

from polymarket_agent.adapters.recordings.tally import Tally
from polymarket_agent.adapters.recordings.tick_rows import NO_CLAIM, TickRows, unpack_claim
from polymarket_agent.domain.book import OrderBook
from polymarket_agent.domain.money import MICRO, Price, Shares

__all__ = ["TickCheck"]


class _Asset:
    """A book without an opening: `seen` holds the prices whose size is known, by side (asks, bids)."""

    __slots__ = ("book", "seen")

    def __init__(self, asset_id: Any) -> None:
        self.book = OrderBook(asset_id)
        self.book.replace((), ())
        self.seen: tuple[set[int], set[int]] = ({MICRO}, {0})


class TickCheck:
    """Follows rows and compares each claim with the book before the claim is used to repair it.

    A claim can be compared when both of its levels have been seen; before that the true best is unknown. A level
    better than a claim has gone without a row of its own (a trade took it): it is removed and counted.
    """

    def __init__(self) -> None:
        self._assets: dict[str, _Asset] = {}
        self.best = dict.fromkeys(("checked", "matched", "unmatched", "uncheckable"), 0)
        self.removed = 0
        self.crossed = 0

    def take(self, rows: TickRows, tally: Tally) -> None:
        """Take in a batch, and note its rows in the tally."""
        trades = set(rows.trades)
        for index, change in enumerate(rows.changes(0, len(rows.at_ms))):
            asset_id, is_bid, at, size = change
            tally.at(rows.at_ms[index], (asset_id,))
            tally.copy((rows.at_ms[index], change, rows.claims[index]))
            if index in trades:
                tally.events["LAST_TRADE"] += 1
                continue
            tally.events["PRICE_CHANGE"] += 1
            asset = self._assets.get(asset_id)
            if asset is None:
                asset = self._assets[asset_id] = _Asset(asset_id)
            asset.book.update(is_bid, at, size)
            asset.seen[is_bid].add(at)
            self._compare(asset, rows.claims[index])
        tally.frames += len(rows.at_ms) + rows.dropped.total()

    def _compare(self, asset: _Asset, claim: int) -> None:
        if claim == NO_CLAIM:
            self.best["uncheckable"] += 1
            return
        bid, ask = unpack_claim(claim)
        book = asset.book
        top = book.top
        asks_seen, bids_seen = asset.seen
        if bid in bids_seen and ask in asks_seen:
            self.best["checked"] += 1
            self.best["matched"] += top == (bid, ask)
        else:
            self.best["uncheckable"] += 1
        while (best := book.best_bid or 0) > bid:
            book.update(True, Price(best), Shares(0))  # noqa: FBT003
            self.removed += 1
        while (best := book.best_ask or MICRO) < ask:
            book.update(False, Price(best), Shares(0))  # noqa: FBT003
            self.removed += 1
        self.crossed += book.crossed

    def report(self) -> dict[str, Any]:
        """Return the counts."""
        self.best["unmatched"] = self.best["checked"] - self.best["matched"]
        return {"best_price": dict(self.best), "levels_taken_without_a_row": self.removed}
