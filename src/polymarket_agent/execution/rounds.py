"""Reads the venue's lists and compares them with the ledger: at the start, after every reconnect, and on a timer.

A round is atomic: a page that fails discards it. Legs are applied first, then orders, then balances are compared; what
is not explained stops entries, is read again, and then halts.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from polymarket_agent.domain.account import Account
from polymarket_agent.domain.market import AssetId, ConditionId, Market
from polymarket_agent.domain.money import MICRO, Shares, Usdc
from polymarket_agent.domain.order import OrderState
from polymarket_agent.domain.venue import Balances, Leg, OrderSnapshot
from polymarket_agent.errors import LedgerError, OrderStateError, VenueError
from polymarket_agent.execution.live_books import LiveBooks
from polymarket_agent.execution.live_types import Alarm
from polymarket_agent.execution.reconcile import Drift, Finding, cash_drift, compare_orders, shares_drift
from polymarket_agent.execution.strangers import Strangers
from polymarket_agent.ledger.live_journal import LiveJournal
from polymarket_agent.ports import Clock, VenueGateway

__all__ = ["Outcome", "Rounds"]

_OVERLAP_S = 120
_DUST_A_LEG = 20  # micro-USDC; the venue's rounding of fees is not documented
_MOST_DUST = 5_000
_AGAIN_MS = 30_000
_SAME_MS = 2_000

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a round found, and whether cash and shares were compared in it: not while fills arrive."""

    findings: tuple[Finding, ...]
    compared: bool


@dataclass(frozen=True, slots=True)
class _Read:
    asked_ms: int
    version: int
    listed: list[OrderSnapshot]
    legs: list[Leg]
    balances: Balances | None


class Rounds:
    """One round at a time.

    Args:
        market_of: the market of an asset if it is known.
        fetch_markets: reads markets that nobody listens to.
        born_s: Unix second before which trades belong to the opening balances.
    """

    def __init__(  # noqa: PLR0913 - one collaborator each
        self,
        gateway: VenueGateway,
        account: Account,
        books: LiveBooks,
        journal: LiveJournal,
        clock: Clock,
        strangers: Strangers,
        *,
        alarm: Alarm,
        market_of: Callable[[AssetId], Market | None],
        fetch_markets: Callable[[list[ConditionId]], Awaitable[None]],
        born_s: int,
    ) -> None:
        self._gateway, self._account, self._books, self._journal = gateway, account, books, journal
        self._clock, self._strangers, self._alarm, self._market_of = clock, strangers, alarm, market_of
        self._fetch_markets = fetch_markets
        self.born_s = born_s
        self.read_ms = 0  # when the last round that succeeded was asked for
        self._off_since: dict[str, int] = {}  # what: when it was first seen, without a break since
        self._fills_at_equality = 0
        self._less: dict[str, int] = {}

    async def run(self, *, everything: bool, balances: bool) -> Outcome:
        """Read and compare once; returns what differs beyond what unsettled fills explain.

        Args:
            everything: from the first order that may be alive on, and all positions; else since the last round.
            balances: compare cash and shares too.

        Raises:
            VenueError: a read failed. Nothing was applied.
        """
        read = await self._read(everything=everything, balances=balances)
        now_ms = self._clock.now_ms()
        for leg in read.legs:
            self._take_leg(leg, now_ms)
        findings = self._compare_orders(read, now_ms)
        await self._strangers.settle()
        findings += [Finding("D5", each, "not placed yet") for each in self._strangers.waiting()]
        compared = read.balances is not None and read.version == self._books.version
        if read.balances is not None and compared:
            findings += self._compare_balances(read.balances, now_ms)
        self.read_ms = read.asked_ms
        self._journal.bookmark("trades_read_ms", read.asked_ms)
        return Outcome(tuple(findings), compared)

    def _take_leg(self, leg: Leg, now_ms: int) -> None:
        """Apply one leg; one that breaks an invariant halts, and the rest of the list still counts."""
        try:
            self._books.leg_said(leg, now_ms, source="list")
        except (LedgerError, OrderStateError) as error:
            self._alarm("invariant", str(error))

    async def _read(self, *, everything: bool, balances: bool) -> _Read:
        asked_ms = self._clock.now_ms()
        listed = list(await self._gateway.open_orders())
        legs = list(await self._gateway.legs(self._since_s(everything=everything)))
        known = {(leg.trade_id, leg.order_id, leg.bucket) for leg in legs}
        fresh = any(not self._account.booked(*key) for key in known)
        read, version = None, self._books.version
        if balances and not fresh:
            read = await self._gateway.balances(sorted(await self._assets(everything=everything)))
            await self._know_what_went(read)
        return _Read(asked_ms, version, listed, legs, read)

    async def _assets(self, *, everything: bool) -> set[AssetId]:
        """Return what to compare; the data service knows more than we do, and is not needed for what we know."""
        assets = set(self._account.positions)
        if everything:
            try:
                assets |= {each.asset_id for each in await self._gateway.positions()}
            except VenueError as error:
                _log.warning("positions_not_read", error=str(error))
        return assets

    async def _know_what_went(self, theirs: Balances) -> None:
        """Read again the markets whose shares are less than ours: they may have paid out, and nobody listens there."""
        positions = self._account.positions
        went = {
            positions[asset_id].condition_id
            for asset_id, held in theirs.shares.items()
            if asset_id in positions and held < positions[asset_id].quantity
        }
        if went:
            await self._fetch_markets(sorted(went))

    async def refresh(self) -> None:
        """Have the venue read the chain again; its balances are a cache.

        Raises:
            VenueError: it cannot be asked.
        """
        await self._gateway.refresh_balances(sorted(self._account.positions))

    def _since_s(self, *, everything: bool) -> int:
        times = [self.read_ms or self.born_s * 1_000]
        times += [fill.at_ms for fill in self._account.unsettled_fills()]
        if everything:
            sent = self._books.first_sent_ms
            times += [sent.get(o.order_id, o.created_ms) for o in self._account.orders.values()]
        return max(self.born_s, min(times) // 1_000 - _OVERLAP_S)

    # -- orders -------------------------------------------------------------------------------------------------------

    def _compare_orders(self, read: _Read, now_ms: int) -> list[Finding]:
        books = self._books
        differ = compare_orders(
            self._account.orders,
            read.listed,
            asked_ms=read.asked_ms,
            known=[each.order_id for each in read.listed if books.find(each.order_id) is not None],
            failed=books.failed,
        )
        findings = []
        for said in (*differ.listed, *differ.strangers):
            order = books.find(said.order_id)
            if order is not None and order.state.final and order.updated_ms > read.asked_ms - _SAME_MS:
                continue  # it was closed while the list was on its way
            books.order_said(said, now_ms, source="list")
            findings.append(Finding("D3" if order is not None else "D5", said.order_id, "listed open"))
        for order in differ.missing:
            books.note(order, deadline_ms=now_ms)
            findings.append(Finding("D4", order.order_id, "not listed any more"))
        for said in differ.more_matched:
            books.note(self._account.orders[said.order_id], deadline_ms=now_ms)
            findings.append(Finding("D6", said.order_id, "the venue has matched more than we have seen"))
        less = {said.order_id for said in differ.less_matched}
        for order_id in less:
            first = self._less.setdefault(order_id, now_ms)
            findings.append(Finding("D7", order_id, "the venue has matched less than we have booked"))
            if now_ms - first >= _AGAIN_MS:
                self._alarm("difference", f"order {order_id}: the venue has matched less than we have booked")
        self._less = {order_id: at for order_id, at in self._less.items() if order_id in less}
        waiting = [o for o in self._account.orders.values() if o.state is OrderState.UNKNOWN]
        findings += [Finding("waiting", order.order_id, "its outcome is not proven") for order in waiting]
        return findings

    # -- balances -----------------------------------------------------------------------------------------------------

    def _compare_balances(self, theirs: Balances, now_ms: int) -> list[Finding]:
        drifts = [cash_drift(self._account, theirs.cash)]
        drifts += [shares_drift(self._account, asset_id, n) for asset_id, n in sorted(theirs.shares.items())]
        if self._explained_by_payouts(theirs, drifts, now_ms):
            drifts = [cash_drift(self._account, theirs.cash)]
            drifts += [shares_drift(self._account, asset_id, n) for asset_id, n in sorted(theirs.shares.items())]
        off = [drift for drift in drifts if drift.outside]
        if off and off[0] is drifts[0] and abs(off[0].outside) <= self._dust():
            if not off[0].pending:  # while fills settle, it may be theirs
                self._adjust(off[0].outside, now_ms)
            off = off[1:]
        if not off and not any(drift.pending for drift in drifts):
            self._fills_at_equality = self._books.fills
        self._off_since = {what: at for what, at in self._off_since.items() if what in {each.what for each in off}}
        return [self._report(drift, now_ms) for drift in off]

    def _dust(self) -> int:
        """Return how much the venue's rounding of fees may have come to since the books were equal."""
        return min(_MOST_DUST, _DUST_A_LEG * (self._books.fills - self._fills_at_equality))

    def _adjust(self, amount: int, now_ms: int) -> None:
        self._account.adjust(Usdc(amount))
        self._journal.adjust(
            Usdc(amount), now_ms, f"{self._books.fills - self._fills_at_equality} fills since equality"
        )
        self._books.version += 1

    def _report(self, drift: Drift, now_ms: int) -> Finding:
        """Stop entries at the first sight of an unexplained difference, halt at the second."""
        first_ms = self._off_since.setdefault(drift.what, now_ms)
        if now_ms - first_ms >= _AGAIN_MS:
            self._alarm("difference", str(drift))
        return Finding("D9", drift.what, str(drift))

    def _explained_by_payouts(self, theirs: Balances, drifts: list[Drift], now_ms: int) -> bool:
        """Book what redemptions and merges have done: shares that went, and exactly the cash that they are worth."""
        gone = {
            asset_id: self._account.quantity_of(asset_id) - held
            for asset_id, held in theirs.shares.items()
            if held < self._account.quantity_of(asset_id) and not self._account.pending_buys(asset_id)
        }
        if not gone:
            return False
        paid = [self._payout(market, gone) for market in self._markets_of(gone)]
        if not paid or None in paid:
            return False
        total, cash = sum(each or 0 for each in paid), drifts[0]
        if not cash.low - self._dust() <= cash.theirs - total <= cash.high + self._dust():
            return False
        for market in self._markets_of(gone):
            if self._is_redeemed(market, gone):
                for asset_id in [each for each in market.asset_ids if each in gone]:
                    self._redeem(asset_id, now_ms)
            else:
                self._merge(market, gone[market.asset_ids[0]], now_ms)
        return True

    def _markets_of(self, gone: dict[AssetId, int]) -> list[Market]:
        """Return the markets of assets, [] if one is not known, so that nothing is explained by the rest."""
        found = {asset_id: self._market_of(asset_id) for asset_id in gone}
        known = {market.condition_id: market for market in found.values() if market is not None}
        return list(known.values()) if None not in found.values() else []

    def _is_redeemed(self, market: Market, gone: dict[AssetId, int]) -> bool:
        whole = all(gone[each] == self._account.quantity_of(each) for each in market.asset_ids if each in gone)
        return market.payouts is not None and whole

    def _payout(self, market: Market, gone: dict[AssetId, int]) -> int | None:
        """Return what a market's shares that went have paid, as a redemption or a merge; None if it is neither."""
        first, second = (gone.get(each, 0) for each in market.asset_ids)
        if self._is_redeemed(market, gone):
            return sum(gone.get(each, 0) * (market.payout_of(each) or 0) // MICRO for each in market.asset_ids)
        return first if first == second else None

    def _redeem(self, asset_id: AssetId, now_ms: int) -> None:
        market = self._market_of(asset_id)
        payout = market.payout_of(asset_id) if market is not None else None
        assert payout is not None
        self._account.apply_resolution(asset_id, payout)
        self._journal.redeemed(asset_id, payout, now_ms)
        self._books.version += 1

    def _merge(self, market: Market, quantity: int, now_ms: int) -> None:
        first, second = market.asset_ids
        self._account.apply_merge(first, second, Shares(quantity))
        self._journal.merged(market.condition_id, first, second, Shares(quantity), now_ms, "")
        self._books.version += 1
