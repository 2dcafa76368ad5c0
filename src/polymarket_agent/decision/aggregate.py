"""From many opinions to one wish per market.

Cancellations pass untouched. Directional entries of several strategies are combined: weak ones are dropped,
copies merged, and buying YES and buying NO of one market is a disagreement that at most the clearly stronger
side survives. Exits, baskets and quotes are not opinions about direction and are not voted on.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from polymarket_agent.config import AggregationConfig
from polymarket_agent.domain.board import Board
from polymarket_agent.domain.book import Side
from polymarket_agent.domain.market import AssetId, ConditionId
from polymarket_agent.domain.money import LOT, cost_rounded_up
from polymarket_agent.domain.order import Order, TimeInForce
from polymarket_agent.domain.portfolio import Account
from polymarket_agent.domain.signal import Basket, Cancel, Quote, Signal, TargetQuotes, Wish

__all__ = ["Combined", "aggregate", "diff_quotes"]


@dataclass(frozen=True, slots=True)
class Combined:
    """What is left to be sized and checked, and what was dropped with the reason."""

    cancels: tuple[Cancel, ...]
    exits: tuple[Signal, ...]
    entries: tuple[Signal, ...]
    quotes: tuple[Signal, ...]
    baskets: tuple[Basket, ...]
    dropped: tuple[tuple[Signal, str], ...]


def aggregate(wishes: Iterable[Wish], board: Board, account: Account, config: AggregationConfig) -> Combined:
    """Combine the wishes of one pass. Wishes for unknown markets pass: the gate refuses them with a reason."""
    cancels: list[Cancel] = []
    exits: list[Signal] = []
    quotes: list[Signal] = []
    baskets: list[Basket] = []
    opinions: list[Signal] = []
    for wish in wishes:
        match wish:
            case Cancel():
                cancels.append(wish)
            case Basket():
                baskets.append(wish)
            case TargetQuotes():
                stale, wanted = diff_quotes(wish, account)
                cancels += stale
                quotes += wanted
            case Signal(side=Side.SELL):
                exits.append(wish)
            case Signal():
                opinions.append(wish)
    entries, dropped = _combine(opinions, board, config)
    return Combined(
        tuple(_unique_cancels(cancels)),
        tuple(_dedup(exits)),
        tuple(entries),
        tuple(quotes),
        tuple(baskets),
        tuple(dropped),
    )


def diff_quotes(wanted: TargetQuotes, account: Account) -> tuple[list[Cancel], list[Signal]]:
    """Set the wanted quotes against this strategy's live orders: what to cancel, what to place.

    An order that stands at a wanted price with at least half and at most the whole wanted quantity is left alone:
    it keeps its place in the queue.
    """
    cancels: list[Cancel] = []
    missing: list[Quote] = list(wanted.quotes)
    for order in account.orders.values():
        if order.strategy != wanted.strategy or order.condition_id != wanted.condition_id or order.basket_id:
            continue
        served = next((quote for quote in missing if _serves(order, quote)), None)
        if served is not None:
            missing.remove(served)
        else:
            cancels.append(Cancel(strategy=wanted.strategy, order_id=order.order_id, reason="no longer wanted"))
    signals = [
        Signal(
            strategy=wanted.strategy,
            asset_id=quote.asset_id,
            side=quote.side,
            target_price=quote.price,
            size=cost_rounded_up(quote.price, quote.quantity),
            reason=wanted.reason,
            post_only=True,
            time_in_force=TimeInForce.GTC,
        )
        for quote in missing
        if quote.quantity >= LOT
    ]
    return cancels, signals


def _serves(order: Order, quote: Quote) -> bool:
    same = (order.asset_id, order.side, order.price) == (quote.asset_id, quote.side, quote.price)
    return same and quote.quantity <= 2 * order.remaining and order.remaining <= quote.quantity


def _unique_cancels(cancels: Sequence[Cancel]) -> list[Cancel]:
    return list({cancel.order_id: cancel for cancel in cancels}.values())


def _dedup(signals: Iterable[Signal]) -> list[Signal]:
    """One signal per strategy, asset and side: the last said wins."""
    return list({(s.strategy, s.asset_id, s.side): s for s in signals}.values())


def _combine(
    opinions: list[Signal], board: Board, config: AggregationConfig
) -> tuple[list[Signal], list[tuple[Signal, str]]]:
    dropped: list[tuple[Signal, str]] = []
    by_market: dict[ConditionId | str, list[Signal]] = {}
    for signal in _dedup(opinions):
        if signal.confidence < config.min_confidence:
            floor = config.min_confidence
            dropped.append((signal, f"confidence {signal.confidence:.2f} is below the floor of {floor:.2f}"))
            continue
        market = board.market_by_asset.get(signal.asset_id)
        by_market.setdefault(market.condition_id if market else signal.asset_id, []).append(signal)
    entries: list[Signal] = []
    for signals in by_market.values():
        winner, losers = _vote(signals, config)
        dropped += losers
        if winner is not None:
            entries.append(winner)
    return entries, dropped


def _vote(signals: list[Signal], config: AggregationConfig) -> tuple[Signal | None, list[tuple[Signal, str]]]:
    """Return the one entry of a market, with the joint confidence, and the signals that it stands for or beat."""
    sides: dict[AssetId, list[Signal]] = {}
    for signal in signals:
        sides.setdefault(signal.asset_id, []).append(signal)
    ranked = sorted(sides.values(), key=lambda group: -_weight(group))
    best = ranked[0]
    if len(ranked) > 1 and _weight(best) - _weight(ranked[1]) < config.min_margin:
        return None, [
            (signal, "strategies disagree about the outcome and no side is clearly stronger") for signal in signals
        ]
    agreeing = len({signal.strategy for signal in best})
    if agreeing < config.min_agreeing:
        why = f"{agreeing} of the {config.min_agreeing} strategies that must agree do"
        return None, [(signal, why) for signal in signals]
    leader = max(best, key=lambda signal: signal.confidence)
    losers = [
        (signal, f"stands behind {leader.strategy}'s signal for the same side")
        for signal in best
        if signal is not leader
    ]
    losers += [
        (signal, "the other outcome of this market has the stronger signals")
        for group in ranked[1:]
        for signal in group
    ]
    return replace(leader, confidence=min(1.0, _weight(best))), losers


def _weight(signals: list[Signal]) -> float:
    """Joint confidence of independent opinions: 1 - product of the doubts."""
    doubt = 1.0
    for signal in signals:
        doubt *= 1.0 - min(1.0, signal.confidence)
    return 1.0 - doubt
