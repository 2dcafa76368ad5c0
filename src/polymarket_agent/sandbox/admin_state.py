"""The venue at a glance, for the admin port and for tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from polymarket_agent.domain.money import decimal_text

if TYPE_CHECKING:
    from polymarket_agent.sandbox.venue import Venue

__all__ = ["state"]


def state(venue: Venue) -> dict[str, Any]:
    """Return markets, mode and faults, as a person or a program looks at them."""
    markets = []
    for listing in venue.listings():
        market = listing.market
        markets.append(
            {
                "market": market.condition_id,
                "slug": market.slug,
                "question": market.question,
                "state": market.state.value,
                "oracle": listing.oracle,
                "tick_size": decimal_text(market.tick_size),
                "neg_risk": market.neg_risk,
                "version": market.version.value,
                "asset_ids": list(market.asset_ids),
                "best_bid": decimal_text(listing.book.best_bid),
                "best_ask": decimal_text(listing.book.best_ask),
                "last_trade_price": listing.book.last_trade_price,
                "volume": decimal_text(listing.volume),
                "payouts": [decimal_text(each) for each in market.payouts] if market.payouts else None,
            }
        )
    return {
        "now_ms": venue.now_ms(),
        "mode": venue.exchange.mode.value,
        "markets": markets,
        "faults": venue.injector.counts(),
        "faults_total": venue.injector.total,
        "limits": {"tier": venue.buckets.tier.name, "enforce": venue.buckets.enforce},
    }
