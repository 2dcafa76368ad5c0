"""What can still be lost in a market, an event, by a strategy and in all, whichever live orders are filled.

exposure = cost of what is held with entry fees + worst cost of live buys - the smallest payout over all answers that
can still come. Live buys count as filled. A sale frees its cost but may break a pair that pays for sure, so each may be
filled wholly or not at all, whichever is worse: for one answer the loss is linear in what is sold, so no part of it is.
Shares whose purchase may still fail to settle cost what they cost and promise no payout.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from polymarket_agent.domain.board import Board
from polymarket_agent.domain.book import Side
from polymarket_agent.domain.market import AssetId, ConditionId, Market
from polymarket_agent.domain.money import MICRO, Shares, Usdc, ceil_div
from polymarket_agent.domain.order import Order
from polymarket_agent.domain.portfolio import Account, Position

__all__ = [
    "Related",
    "event_exposure",
    "exposures",
    "markets_at_risk",
    "related_to",
    "total_exposure",
    "worst_exposure",
]


_MOST_EVENTS = 10_000
_Memo = dict[tuple[str, str | None], tuple[tuple[object, ...], list[Shares], Usdc]]
_MEMO: WeakKeyDictionary[Account, _Memo] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class Related:
    """The markets of one event, or one market by itself.

    Args:
        key: the same for all markets of the event.
        conditions: every market of it, known or not.
        markets: those that the board knows.
        one_wins: at most one of them resolves yes (neg-risk). Otherwise they answer independently.
        none_wins: with `one_wins`, whether all of them may resolve no: the event may gain outcomes, or one is not known.
    """

    key: str
    conditions: frozenset[ConditionId]
    markets: tuple[Market, ...]
    one_wins: bool = False
    none_wins: bool = True


def related_to(board: Board, condition_id: ConditionId) -> Related:
    """Return the event of a market. A group that was never listed counts as independent markets, which is never less."""
    market = board.markets.get(condition_id)
    named = market.group_id if market is not None else None
    group = board.groups.get(named) if named else None
    if board.groups and (group is None or condition_id not in group.markets):
        group = next((each for each in board.groups.values() if condition_id in each.markets), None)
    if group is not None:
        known = tuple(board.markets[each] for each in group.markets if each in board.markets)
        closed = group.complete and len(known) == len(group.markets)
        return Related(group.group_id, frozenset(group.markets), known, group.neg_risk, none_wins=not closed)
    if named:
        known = tuple(each for each in board.markets.values() if each.group_id == named)
        return Related(named, frozenset(each.condition_id for each in known), known)
    return Related(condition_id, frozenset((condition_id,)), (market,) if market is not None else ())


def worst_exposure(account: Account, market: Market, orders: Iterable[Order]) -> Usdc:
    """Return the most that a market can lose, in micro-USDC, with these of its orders live."""
    alone = Related(market.condition_id, frozenset((market.condition_id,)), (market,))
    return event_exposure(account, alone, orders)


def event_exposure(account: Account, event: Related, orders: Iterable[Order], strategy: str | None = None) -> Usdc:
    """Return the most that the markets of an event can lose together, in micro-USDC, with these of its orders live.

    Below 0 is a profit that is certain. With `strategy` only what it bought and its own orders count.
    """
    positions = [each for each in account.positions.values() if each.condition_id in event.conditions]
    return _lost(account, event, positions, [o for o in orders if o.condition_id in event.conditions], strategy)


def _lost(
    account: Account,
    event: Related,
    positions: Sequence[Position],
    orders: Sequence[Order],
    strategy: str | None,
) -> Usdc:
    """Return the same from the positions and orders of the event alone.

    Remembered for as long as nothing of it has changed: positions, orders and markets are values, so the same objects
    mean the same answer, together with what is settled of each position.
    """
    parts = (event, *event.markets, *positions, *orders)
    settled = [account.pending_buys(each.asset_id) for each in positions]
    memo = _MEMO.setdefault(account, {})
    known = memo.get((event.key, strategy))
    if (
        known is not None
        and known[1] == settled
        and len(known[0]) == len(parts)
        and all(a is b for a, b in zip(known[0][1:], parts[1:], strict=True))
        and known[0][0] == event
    ):
        return known[2]
    lost = _work_out(account, event, positions, orders, strategy)
    if len(memo) >= _MOST_EVENTS:
        memo.clear()
    memo[event.key, strategy] = (parts, settled, lost)
    return lost


def _work_out(
    account: Account,
    event: Related,
    positions: Sequence[Position],
    orders: Sequence[Order],
    strategy: str | None,
) -> Usdc:
    buys, sells = 0, dict[AssetId, int]()
    for order in orders:
        if strategy is None or strategy == order.strategy:
            if order.side is Side.BUY:
                buys += order.reserved
            else:
                sells[order.asset_id] = sells.get(order.asset_id, 0) + order.reserved
    held = {each.asset_id: _Held.of(account, each, sells.get(each.asset_id, 0), strategy) for each in positions}
    if not held:
        return Usdc(buys)
    listed = {asset_id for market in event.markets for asset_id in market.asset_ids}
    unknown = sum(each.loss(pays=False) for asset_id, each in held.items() if asset_id not in listed)
    lost = _one_wins(event, held) if event.one_wins else sum(max(_answers(market, held)) for market in event.markets)
    return Usdc(lost + unknown + buys)


def exposures(board: Board, account: Account, orders: Iterable[Order], strategy: str | None = None) -> dict[str, Usdc]:
    """Return the exposure of every event in which something is held or ordered, by the key of the event."""
    events: dict[ConditionId, Related] = {}
    parts: dict[str, tuple[Related, list[Position], list[Order]]] = {}

    def part_of(condition_id: ConditionId) -> tuple[Related, list[Position], list[Order]]:
        event = events.get(condition_id)
        if event is None:
            event = related_to(board, condition_id)
            events.update(dict.fromkeys(event.conditions, event))
        return parts.setdefault(event.key, (event, [], []))

    for position in account.positions.values():
        part_of(position.condition_id)[1].append(position)
    for order in orders:
        part_of(order.condition_id)[2].append(order)
    return {key: _lost(account, event, held, live, strategy) for key, (event, held, live) in parts.items()}


def total_exposure(board: Board, account: Account, orders: Iterable[Order], strategy: str | None = None) -> Usdc:
    """Return the most that can be lost in all, in micro-USDC; a certain profit of one event pays for no other."""
    return Usdc(sum(max(0, each) for each in exposures(board, account, orders, strategy).values()))


def markets_at_risk(account: Account, orders: Iterable[Order]) -> set[ConditionId]:
    """Return the markets in which something is held or bid for."""
    bid_for = {order.condition_id for order in orders if order.side is Side.BUY}
    return bid_for | {position.condition_id for position in account.positions.values()}


@dataclass(frozen=True, slots=True)
class _Held:
    """What is held of an asset: micro-shares, those that are settled, their cost with fees, and what live sales take."""

    quantity: int
    settled: int
    cost: int
    sells: int

    @classmethod
    def of(cls, account: Account, position: Position, sells: int, strategy: str | None) -> _Held:
        quantity: int = position.quantity if strategy is None else account.bought_by(strategy, position.asset_id)
        cost = ceil_div((position.cost + position.entry_fees) * quantity, position.quantity)
        settled = max(0, quantity - account.pending_buys(position.asset_id))
        return cls(quantity, settled, cost, min(sells, quantity))

    def loss(self, *, pays: bool) -> int:
        """Return what is lost by holding it under an answer: without its live sales, or after them if that is more."""
        kept = self._after(0, pays=pays)
        return max(kept, self._after(self.sells, pays=pays)) if self.sells else kept

    def _after(self, sold: int, *, pays: bool) -> int:
        left = self.quantity - sold
        payout = max(0, self.settled - sold) if pays else 0
        return ceil_div(self.cost * left, self.quantity) - payout if self.quantity else 0


_NONE = _Held(0, 0, 0, 0)


def _answers(market: Market, held: dict[AssetId, _Held]) -> list[int]:
    """Return what a market loses under each answer that it can still have: yes first, if it can be."""
    yes, no = (held.get(asset_id, _NONE) for asset_id in market.asset_ids)
    says_yes = yes.loss(pays=True) + no.loss(pays=False)
    says_no = yes.loss(pays=False) + no.loss(pays=True)
    match market.payouts:
        case None:
            return [says_yes, says_no]
        case (paid, _) if paid in (0, MICRO):
            return [says_yes if paid else says_no]
        case _:  # a shared answer pays less than a whole one; nothing of it is counted on
            return [yes.loss(pays=False) + no.loss(pays=False)]


def _one_wins(event: Related, held: dict[AssetId, _Held]) -> int:
    """Return what the markets of a neg-risk event lose at most: each of them winning, or none if that can be."""
    held_in = [market for market in event.markets if not held.keys().isdisjoint(market.asset_ids)]
    answers = [_answers(market, held) for market in held_in]
    lost_by_no = sum(each[-1] for each in answers)
    if any(market.payouts is not None and market.payouts[0] == MICRO for market in event.markets):
        return lost_by_no
    swings = [says_yes - says_no for says_yes, says_no in (each for each in answers if len(each) > 1)]
    others = any(market.payouts is None for market in event.markets if held.keys().isdisjoint(market.asset_ids))
    if event.none_wins or others or not swings:
        swings.append(0)
    return lost_by_no + max(swings)
