"""From many opinions to one wish per market.

Cancellations of own orders pass untouched. Directional entries of several strategies are combined: weak ones are
dropped, copies merged, and buying YES and buying NO of one market is a disagreement that at most the clearly stronger
side survives; what was bought or ordered before on the other side counts too. Exits, baskets and quotes are not
opinions about direction and are not voted on.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from polymarket_agent.config import AggregationConfig
from polymarket_agent.domain.board import Board
from polymarket_agent.domain.book import Side
from polymarket_agent.domain.market import AssetId, Market
from polymarket_agent.domain.money import LOT, cost_rounded_up, display, shares
from polymarket_agent.domain.order import Order, TimeInForce
from polymarket_agent.domain.portfolio import Account
from polymarket_agent.domain.signal import Basket, Cancel, Quote, Signal, TargetQuotes, Wish

__all__ = ["Combined", "aggregate", "diff_quotes"]

_A_SHARE = shares(1)  # less may be too little to be sold, and is no direction

T = TypeVar("T")
_Dropped = tuple[Signal, str]


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
    """Combine the wishes of one pass. Wishes for unknown markets pass: the gate refuses them with a reason.

    Who says a thing twice in a pass means what was said last: one signal a side of an asset, one set of quotes a
    market, one basket of the same legs.
    """
    said = list(wishes)
    cancels = [wish for wish in said if isinstance(wish, Cancel)]
    signals = [wish for wish in said if isinstance(wish, Signal)]
    meant = _last_said(signals, lambda s: (s.strategy, s.asset_id, s.side))
    kept = {id(signal) for signal in meant}
    dropped = [(s, "said again later in the same pass, which counts") for s in signals if id(s) not in kept]
    quotes: list[Signal] = []
    targets = [wish for wish in said if isinstance(wish, TargetQuotes)]
    for target in _last_said(targets, lambda t: (t.strategy, t.condition_id)):
        stale, wanted = diff_quotes(target, account)
        cancels += stale
        for quote in wanted:
            market = board.market_by_asset.get(quote.asset_id)
            if market is not None and market.condition_id != target.condition_id:
                dropped.append((quote, "the quote is for an asset of another market than it names"))
            else:
                quotes.append(quote)
    entries, outvoted = _combine([s for s in meant if s.side is Side.BUY], board, account, config)
    baskets = [wish for wish in said if isinstance(wish, Basket)]
    return Combined(
        cancels=tuple(_own_cancels(cancels, account)),
        exits=tuple(signal for signal in meant if signal.side is Side.SELL),
        entries=tuple(entries),
        quotes=tuple(quotes),
        baskets=tuple(_last_said(baskets, lambda b: (b.strategy, tuple((leg.asset_id, leg.side) for leg in b.legs)))),
        dropped=(*dropped, *outvoted),
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


def _own_cancels(cancels: Sequence[Cancel], account: Account) -> list[Cancel]:
    """One cancellation an order, by the strategy whose order it is: nobody takes away another's exit."""
    own = {}
    for cancel in cancels:
        order = account.orders.get(cancel.order_id)
        if order is not None and order.strategy == cancel.strategy:
            own[cancel.order_id] = cancel
    return list(own.values())


def _last_said(wishes: Iterable[T], key: Callable[[T], Hashable]) -> list[T]:
    return list({key(wish): wish for wish in wishes}.values())


def _combine(
    opinions: list[Signal], board: Board, account: Account, config: AggregationConfig
) -> tuple[list[Signal], list[_Dropped]]:
    dropped: list[_Dropped] = []
    by_market: dict[str, list[Signal]] = {}
    for signal in opinions:
        market = board.market_by_asset.get(signal.asset_id)
        why = _weak(signal, config) or _against(signal, market, account)
        if why is not None:
            dropped.append((signal, why))
        else:
            by_market.setdefault(market.condition_id if market else signal.asset_id, []).append(signal)
    entries: list[Signal] = []
    for signals in by_market.values():
        winner, losers = _vote(signals, config)
        dropped += losers
        if winner is not None:
            entries.append(winner)
    return entries, dropped


def _weak(signal: Signal, config: AggregationConfig) -> str | None:
    floor = config.min_confidence
    if signal.confidence < floor:
        return f"confidence {signal.confidence:.2f} is below the floor of {floor:.2f}"
    return None


def _against(signal: Signal, market: Market | None, account: Account) -> str | None:
    """Return why an entry would go against what the account has on the other outcome already, or None.

    A pair is no direction: only what is held of the other beyond this one counts. Quotes and legs of baskets stand on
    both sides on purpose.
    """
    if market is None:
        return None
    other = market.complement_of(signal.asset_id)
    excess = account.quantity_of(other) - account.quantity_of(signal.asset_id)
    if excess >= _A_SHARE:
        return f"{display(excess)} {market.label_of(other)} are held; sell those before buying the other outcome"
    for order in account.orders_of(market):
        is_quote = order.post_only and order.time_in_force is TimeInForce.GTC
        if order.asset_id == other and order.side is Side.BUY and not is_quote and order.basket_id is None:
            return f"{order.strategy} has an order for {market.label_of(other)}; only one outcome of a market is bought"
    return None


def _vote(signals: list[Signal], config: AggregationConfig) -> tuple[Signal | None, list[_Dropped]]:
    """Return the one entry of a market, with the joint confidence, and the signals that it stands for or beat."""
    sides: dict[AssetId, list[Signal]] = {}
    for signal in signals:
        sides.setdefault(signal.asset_id, []).append(signal)
    ranked = sorted(sides.values(), key=lambda group: -_weight(group))
    best = ranked[0]
    if len(ranked) > 1:
        lead = _weight(best) - _weight(ranked[1])
        if lead < config.min_margin or lead <= 0:
            why = "strategies disagree about the outcome and no side is clearly stronger"
            return None, [(signal, why) for signal in signals]
    agreeing = len({signal.strategy for signal in best})
    if agreeing < config.min_agreeing:
        why = f"{agreeing} of the {config.min_agreeing} strategies that must agree do"
        return None, [(signal, why) for signal in signals]
    leader = max(best, key=lambda signal: signal.confidence)
    behind = f"stands behind {leader.strategy}'s signal for the same side"
    losers = [(signal, behind) for signal in best if signal is not leader]
    beaten = "the other outcome of this market has the stronger signals"
    losers += [(signal, beaten) for group in ranked[1:] for signal in group]
    return replace(leader, confidence=max(leader.confidence, _weight(best))), losers


def _weight(signals: list[Signal]) -> float:
    """Joint confidence of independent opinions: 1 - product of the doubts."""
    doubt = 1.0
    for signal in signals:
        doubt *= 1.0 - min(1.0, signal.confidence)
    return 1.0 - doubt
