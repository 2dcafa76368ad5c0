"""What may be wished for. A wish has no effect by itself: it is combined, sized, checked, and only then an order."""

from __future__ import annotations

from dataclasses import dataclass

from polymarket_agent.domain.book import Side
from polymarket_agent.domain.market import AssetId, ConditionId
from polymarket_agent.domain.money import MICRO, Price, Shares, Usdc, floor_to_lot, shares_for
from polymarket_agent.domain.order import OrderId, TimeInForce

__all__ = ["Basket", "Cancel", "Quote", "Signal", "TargetQuotes", "Wish"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """A strategy's wish to trade one asset.

    Args:
        strategy: who wishes.
        asset_id: the claim to trade.
        side: BUY or SELL of exactly that claim.
        target_price: limit, micro-USDC a share; never worse than this.
        reason: one sentence for the operator.
        size: micro-USDC to spend (BUY) or the worth at `target_price` of what to sell (SELL). 0 leaves it to the
            sizer, which also bounds any other value.
        confidence: weight in (0, 1] when opinions are combined; not a probability.
        fair_value: our probability that the claim pays 1, in (0, 1), for sizing by edge; None if there is none.
        time_in_force: GTC by default, because a target price is a limit.
        post_only: refuse rather than cross.
        expires_at_ms: when an order of it ends (GTD); also when the wish itself is stale.
        signal_id: identity within a run, given by the engine.
        basket_id: the basket that this is a leg of.
    """

    strategy: str
    asset_id: AssetId
    side: Side
    target_price: Price
    reason: str
    size: Usdc = Usdc(0)
    confidence: float = 1.0
    fair_value: float | None = None
    time_in_force: TimeInForce = TimeInForce.GTC
    post_only: bool = False
    expires_at_ms: int | None = None
    signal_id: str = ""
    basket_id: str | None = None

    @property
    def quantity(self) -> Shares:
        """Whole lots of the asset that `size` is worth at the target price; 0 for a size of 0.

        A size made from a whole number of lots with `cost_rounded_up` gives exactly that number back.
        """
        return floor_to_lot(shares_for(self.size, self.target_price)) if 0 < self.target_price < MICRO else Shares(0)


@dataclass(frozen=True, slots=True)
class Quote:
    """One resting order that a maker wants: micro-USDC a share, micro-shares."""

    asset_id: AssetId
    side: Side
    price: Price
    quantity: Shares


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetQuotes:
    """All resting orders that a strategy wants in one market; what it has and does not want is cancelled."""

    strategy: str
    condition_id: ConditionId
    quotes: tuple[Quote, ...]
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Basket:
    """Legs that only make sense together: the same number of shares of each, all or none.

    `quantity` bounds the shares of each leg (0 leaves it to the sizer). `profit_per_share` is the guaranteed
    profit after fees in micro-USDC, for the log and for ranking.
    """

    strategy: str
    legs: tuple[Signal, ...]
    reason: str
    quantity: Shares = Shares(0)
    profit_per_share: int = 0
    basket_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel:
    """A wish to take one of our orders off the book. It passes unsized and unchecked."""

    strategy: str
    order_id: OrderId
    reason: str


Wish = Signal | TargetQuotes | Basket | Cancel
