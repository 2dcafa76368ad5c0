"""What the simulated strategy wishes for: more, and more wildly, than a real one would."""

from __future__ import annotations

from random import Random

from polymarket_agent.domain.account import Account
from polymarket_agent.domain.book import Side
from polymarket_agent.domain.market import AssetId, ConditionId, FeeSchedule, Market, Outcome
from polymarket_agent.domain.money import Price, Shares, cost_rounded_up
from polymarket_agent.domain.order import TimeInForce
from polymarket_agent.domain.signal import Signal
from tests.live.sim_gateway import CONDITIONS
from tests.live.sim_orders import FEE_RATE, LOT, U

MARKETS = tuple(
    Market(
        condition_id=ConditionId(condition),
        question=f"{condition}?",
        outcomes=(Outcome(AssetId(yes), "Yes"), Outcome(AssetId(no), "No")),
        fees=FeeSchedule(rate=FEE_RATE[condition]),
    )
    for condition, yes, no in (("c1", "11", "12"), ("c2", "21", "22"))
)


def wild_wish(rng: Random, account: Account, number: int, now_ms: int) -> Signal:
    """Return a wish to buy something, or to sell what is free."""
    asset = AssetId(rng.choice(sorted(CONDITIONS)))
    side, at = Side.BUY, Price(rng.choice((100_000, 330_000, 500_000, 910_000)))
    quantity = Shares(rng.randint(500, 6_000) * LOT)
    free = account.free_shares(asset)
    if free >= 5 * U and rng.random() < 0.6:
        side, quantity = Side.SELL, Shares(min(quantity, free // LOT * LOT))
    tif = rng.choice((TimeInForce.GTC, TimeInForce.GTC, TimeInForce.GTD, TimeInForce.FAK, TimeInForce.FOK))
    return Signal(
        strategy="wild",
        asset_id=asset,
        side=side,
        target_price=at,
        reason="why not",
        size=cost_rounded_up(at, quantity),
        time_in_force=tif,
        post_only=tif.rests and rng.random() < 0.3,
        expires_at_ms=now_ms + rng.randint(30, 200) * 1_000 if tif is TimeInForce.GTD else None,
        signal_id=f"w{number}",
    )
