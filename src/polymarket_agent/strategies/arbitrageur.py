"""Arbitrageur: buys sets of claims that pay more than they cost, whatever happens. All legs or none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from polymarket_agent.domain.book import Side
from polymarket_agent.domain.events import (
    BookSnapshot,
    Event,
    Filled,
    GroupListed,
    MarketClosed,
    MarketListed,
    MarketResolved,
    Timer,
)
from polymarket_agent.domain.market import AssetId, ConditionId, Market, MarketGroup
from polymarket_agent.domain.money import MICRO, Shares, cost_rounded_up
from polymarket_agent.domain.order import Fill, SettlementStatus, TimeInForce
from polymarket_agent.domain.signal import Basket, Signal, Wish
from polymarket_agent.strategies.base import MarketView, Wakes
from polymarket_agent.strategies.parts.ladder import Rung, implies, read_rungs
from polymarket_agent.strategies.parts.params import Number, micro, whole
from polymarket_agent.strategies.parts.sets import Leg, Plan, leg_of, plan_set, yes_no
from polymarket_agent.strategies.parts.trading import sell_signal, touched_assets

__all__ = ["Arbitrageur"]

MAX_SENT = 1_000


class _Candidate(NamedTuple):
    """Claims that together pay at least `payout` micro-USDC a share of each, and why."""

    key: str
    legs: tuple[Leg, ...]
    payout: int
    why: str


@dataclass(slots=True)
class _Sent:
    """A basket that was wished for, and what of it has been filled."""

    at_ms: int
    next_look_ms: int
    quantity: int
    filled: dict[AssetId, int]
    why: str


class Arbitrageur:
    """Wishes for baskets whose smallest possible payout exceeds their cost with fees by `min_profit` a share.

    Complete set: one share of each outcome of a market pays 1.
    Neg-risk group, NO: at most one of n markets answers yes, so one NO of each pays n - 1 at least. This holds for any
        part of the group: markets without an ask are left out, and beyond `max_legs` those that add least.
    Neg-risk group, YES: one YES of each pays 1, if the group is complete; one that cannot be bought spoils it, unless
        it is resolved to no.
    Ladder: YES of the wider question ("by June 30", "above 100") and NO of the narrower ("by March 31", "above 110")
        pay 1 at least, because the narrower implies the wider (`parts.ladder` says when we believe that).

    "Whatever happens" does not include that the venue resolves a ladder against its own logic, or 50/50. Books that
    nobody displayed (`synthetic`) are never looked at.

    A basket is wished for up to `max_quantity` shares and then not again for `cooldown_ms`. If after `settle_ms` some
    legs were filled and others were not, the unmatched shares are orphans: bets that nobody wanted. They are offered
    at the bid, again and again for `orphan_patience_ms`. What is filled is counted from this strategy's own fills, so
    an orphan from before a restart is found only if the fills are replayed. Prices are USDC a share.
    """

    name = "arbitrageur"

    def __init__(
        self,
        *,
        min_profit: Number = 0.005,
        max_quantity: Number = 500,
        max_legs: Number = 12,
        cooldown_ms: Number = 30_000,
        settle_ms: Number = 5_000,
        orphan_patience_ms: Number = 600_000,
        wish_ms: Number = 2_000,
    ) -> None:
        self.min_profit = micro("min_profit", min_profit, "0.000001", "0.5")
        self.max_quantity = Shares(micro("max_quantity", max_quantity, "0.01", "10000000"))
        self.max_legs = whole("max_legs", max_legs, 2, 200)
        self.cooldown_ms = whole("cooldown_ms", cooldown_ms, 0, 86_400_000)
        self.settle_ms = whole("settle_ms", settle_ms, 100, 3_600_000)
        self.orphan_patience_ms = whole("orphan_patience_ms", orphan_patience_ms, 0, 30 * 86_400_000)
        self.wish_ms = whole("wish_ms", wish_ms, 100, 3_600_000)
        self.wakes = Wakes(top=True, fills=True, lifecycle=True, every_ms=1_000)
        self._groups: dict[str, MarketGroup] | None = None
        self._groups_of: dict[ConditionId, set[str]] = {}
        self._rungs: dict[ConditionId, tuple[str, tuple[Rung, ...]]] = {}
        self._not_before: dict[str, int] = {}
        self._sent: list[_Sent] = []

    def on_event(self, event: Event, view: MarketView) -> Sequence[Wish]:
        """Look at the sets that a changed book is part of; look for orphans on a timer."""
        if self._groups is None:
            self._groups = {}
            for group in view.groups():
                self._learn(group)
        match event:
            case GroupListed():
                self._learn(event.group)
            case MarketListed():
                self._rungs.pop(event.market.condition_id, None)
            case MarketClosed() | MarketResolved():
                self._rungs.pop(event.condition_id, None)
            case Filled():
                self._count(event.fill)
            case Timer():
                self._not_before = {key: at for key, at in self._not_before.items() if at > view.now_ms}
                return list(self._orphans(view))
            case BookSnapshot(synthetic=True):
                pass  # made up from a price for each outcome: two such asks below 1 are nobody's offer
            case _:
                return list(self._baskets(touched_assets(event), view))
        return ()

    def _learn(self, group: MarketGroup) -> None:
        assert self._groups is not None, "filled on the first event"
        self._groups[group.group_id] = group
        for condition_id in group.markets:
            self._groups_of.setdefault(condition_id, set()).add(group.group_id)

    # -- finding --------------------------------------------------------------------------------------------------

    def _baskets(self, assets: Iterable[AssetId], view: MarketView) -> Iterator[Basket]:
        found = (view.market_of(asset_id) for asset_id in assets)
        markets = {market.condition_id: market for market in found if market is not None and market.tradable}
        seen: set[str] = set()
        for market in markets.values():
            for candidate in self._candidates(market, view):
                if candidate.key in seen or self._not_before.get(candidate.key, 0) > view.now_ms:
                    continue
                seen.add(candidate.key)
                plan = plan_set(candidate.legs, candidate.payout, self.min_profit, self.max_quantity)
                if plan is not None:
                    yield self._basket(candidate, plan, view.now_ms)

    def _candidates(self, market: Market, view: MarketView) -> Iterator[_Candidate]:
        legs = _legs(((market, asset_id) for asset_id in market.asset_ids), view)
        if len(legs) == 2:
            yield _Candidate(f"set {market.condition_id}", legs, MICRO, "one share of each outcome pays 1")
        for group_id in sorted(self._groups_of.get(market.condition_id, ())):
            group = (self._groups or {})[group_id]
            if group.neg_risk:
                yield from self._neg_risk(group, view)
            else:
                yield from self._ladder(market, group, view)

    def _neg_risk(self, group: MarketGroup, view: MarketView) -> Iterator[_Candidate]:
        markets = [market for each in group.markets if (market := view.market(each)) is not None]
        claims = [(market, claim) for market in markets if (claim := yes_no(market)) is not None]
        # An ask below 1 adds more to the payout than to the cost, so the cheapest legs are worth most.
        no_legs = sorted(_legs(((m, c.no) for m, c in claims), view), key=lambda leg: leg.book.top[1])
        no_legs = no_legs[: self.max_legs]
        if len(no_legs) >= 2:
            count = len(no_legs)
            why = f"at most one of {count} can be yes, so {count} NO pay {count - 1}"
            yield _Candidate(f"no {group.group_id}", tuple(no_legs), (count - 1) * MICRO, why)
        if not group.complete or len(claims) != len(group.markets):
            return
        alive = [(market, claim.yes) for market, claim in claims if market.payout_of(claim.yes) != 0]
        yes_legs = _legs(alive, view)
        if 2 <= len(yes_legs) == len(alive) <= self.max_legs:
            yield _Candidate(f"yes {group.group_id}", yes_legs, MICRO, "exactly one is yes, so one YES of each pays 1")

    def _ladder(self, market: Market, group: MarketGroup, view: MarketView) -> Iterator[_Candidate]:
        ours = self._rungs_of(market)
        if not ours:
            return
        for other_id in group.markets:
            other = view.market(other_id)
            if other is None or other_id == market.condition_id or not other.tradable:
                continue
            for theirs in self._rungs_of(other):
                for rung in ours:
                    if implies(rung, theirs, view.now_ms):
                        yield from _pair(market, other, view)
                    elif implies(theirs, rung, view.now_ms):
                        yield from _pair(other, market, view)

    def _rungs_of(self, market: Market) -> tuple[Rung, ...]:
        known = self._rungs.get(market.condition_id)
        if known is not None and known[0] == market.question:
            return known[1]
        rungs = read_rungs(market.question, market.group_item)
        self._rungs[market.condition_id] = (market.question, rungs)
        return rungs

    def _basket(self, candidate: _Candidate, plan: Plan, now_ms: int) -> Basket:
        self._not_before[candidate.key] = now_ms + self.cooldown_ms
        if len(self._sent) >= MAX_SENT:
            del self._sent[0]
        filled = {leg.asset_id: 0 for leg in candidate.legs}
        self._sent.append(_Sent(now_ms, now_ms + self.settle_ms, plan.quantity, filled, candidate.why))
        profit = (plan.payout - plan.cost) * MICRO // plan.quantity
        reason = f"{candidate.why}; {profit / MICRO:.4f} a share are left after fees"
        return Basket(
            strategy=self.name,
            legs=tuple(
                Signal(
                    strategy=self.name,
                    asset_id=leg.asset_id,
                    side=Side.BUY,
                    target_price=limit,
                    reason=reason,
                    size=cost_rounded_up(limit, plan.quantity),
                    time_in_force=TimeInForce.FOK,
                    expires_at_ms=now_ms + self.wish_ms,
                )
                for leg, limit in zip(candidate.legs, plan.limits, strict=True)
            ),
            reason=reason,
            quantity=plan.quantity,
            profit_per_share=profit,
        )

    # -- orphans --------------------------------------------------------------------------------------------------

    def _count(self, fill: Fill) -> None:
        """Book a fill to the oldest basket that still lacks it; a sale to the oldest that still has it."""
        if fill.strategy != self.name or fill.settlement is SettlementStatus.FAILED:
            return
        left = int(fill.quantity)
        for sent in self._sent:
            have = sent.filled.get(fill.asset_id)
            if have is None or not left:
                continue
            part = min(left, sent.quantity - have if fill.side is Side.BUY else have)
            sent.filled[fill.asset_id] = have + (part if fill.side is Side.BUY else -part)
            left -= part

    def _orphans(self, view: MarketView) -> Iterator[Signal]:
        kept = []
        busy = {order.asset_id for order in view.open_orders()}
        for sent in self._sent:
            if view.now_ms < sent.next_look_ms or not busy.isdisjoint(sent.filled):
                kept.append(sent)
                continue
            matched = min(sent.filled.values())
            excess = {asset_id: have - matched for asset_id, have in sent.filled.items() if have > matched}
            if not excess or view.now_ms - sent.at_ms > self.settle_ms + self.orphan_patience_ms:
                continue
            sent.next_look_ms = view.now_ms + self.settle_ms
            kept.append(sent)
            for asset_id, quantity in excess.items():
                signal = self._sell_orphan(asset_id, quantity, sent.why, view)
                if signal is not None:
                    yield signal
        self._sent = kept

    def _sell_orphan(self, asset_id: AssetId, quantity: int, why: str, view: MarketView) -> Signal | None:
        market = view.market_of(asset_id)
        if market is None or not market.tradable:
            return None
        return sell_signal(
            view,
            market,
            asset_id,
            at_most=quantity,
            strategy=self.name,
            reason=f"orphan leg: its counterpart did not fill ({why}); {market.label_of(asset_id)} goes back",
            expires_at_ms=view.now_ms + self.wish_ms,
        )


def _legs(claims: Iterable[tuple[Market, AssetId]], view: MarketView) -> tuple[Leg, ...]:
    legs = (leg_of(market, asset_id, view) for market, asset_id in claims)
    return tuple(leg for leg in legs if leg is not None)


def _pair(narrow: Market, wide: Market, view: MarketView) -> Iterator[_Candidate]:
    """Yield YES of the wider question with NO of the narrower."""
    wide_claims, narrow_claims = yes_no(wide), yes_no(narrow)
    if wide_claims is None or narrow_claims is None:
        return
    legs = _legs(((wide, wide_claims.yes), (narrow, narrow_claims.no)), view)
    if len(legs) == 2:
        key = f"ladder {narrow.condition_id} {wide.condition_id}"
        yield _Candidate(key, legs, MICRO, f'"{narrow.question}" implies "{wide.question}"')
