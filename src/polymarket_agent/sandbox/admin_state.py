"""The venue at a glance, for the admin port and for tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from polymarket_agent.domain.money import decimal_text

if TYPE_CHECKING:
    from polymarket_agent.sandbox.venue import Venue

__all__ = ["books_of", "state"]


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


def books_of(venue: Venue, wallet: str) -> dict[str, Any]:
    """Return what the exchange itself has of a wallet, in base units: the truth that a ledger is compared with."""
    exchange = venue.exchange
    legs = [
        {
            "trade_id": trade.trade_id,
            "order_id": leg.order_id,
            "asset_id": leg.asset_id,
            "side": leg.side.value,
            "shares": leg.quantity,
            "fee": leg.fee,
            "status": trade.status.value,
        }
        for trade in exchange.trades_with(wallet)
        for leg in (trade.taker, *trade.makers)
        if leg.wallet == wallet
    ]
    return {
        "wallet": wallet,
        "cash": exchange.balance(wallet)[0],
        "shares": exchange.positions(wallet),
        "orders": [
            {"order_id": order.order_id, "status": order.status.value, "matched": order.matched}
            for order in exchange.orders_of(wallet)
        ],
        "legs": legs,
    }
