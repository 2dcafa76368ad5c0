"""Which order the doctor's probe sends: the least that the venue takes, as far below the market as its grid goes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from polymarket_agent.cli.common import safe_text
from polymarket_agent.domain.market import AssetId, Market
from polymarket_agent.domain.money import Price, Shares, cost_rounded_up, decimal_text
from polymarket_agent.errors import AgentError

if TYPE_CHECKING:
    from polymarket_agent.config import Config

__all__ = ["LIVES_MS", "Plan", "plan_probe"]

LIVES_MS = 120_000

_LASTS_MS = 900_000  # a market that ends sooner is not taken
_LOOKED_AT = 20  # markets
_LEAST_BID = 50_000  # so that the lowest price of the grid is far below it
_WIDEST = 100_000


@dataclass(frozen=True, slots=True)
class Plan:
    """What the probe will send: a buy of `quantity` at `price`, where others bid `best_bid`."""

    market: Market
    asset_id: AssetId
    price: Price
    quantity: Shares
    best_bid: Price

    def sentence(self) -> str:
        """Return the order as a person checks it."""
        outcome = next(each.label for each in self.market.outcomes if each.asset_id == self.asset_id)
        return safe_text(
            f"buy {decimal_text(self.quantity)} shares of '{outcome}' in '{self.market.slug}' at "
            f"{decimal_text(self.price)} (others bid {decimal_text(self.best_bid)}), post-only, "
            f"{decimal_text(cost_rounded_up(self.price, self.quantity))} pUSD at most; cancelled as soon as it rests"
        )


async def plan_probe(config: Config) -> Plan:
    """Choose the most traded market with a narrow book, and the lowest price and least size that it takes.

    Raises:
        VenueError: the venue cannot be read.
        AgentError: no market is fit for it.
    """
    from polymarket_agent.adapters.polymarket.public import PolymarketPublic
    from polymarket_agent.clock import SystemClock
    from polymarket_agent.ports import MarketQuery

    data = PolymarketPublic(clob_url=config.feed.clob_url, gamma_url=config.feed.gamma_url)
    soon_ms = SystemClock().now_ms() + max(_LASTS_MS, config.risk.min_time_to_end_s * 1_000 + LIVES_MS)
    try:
        for market in await data.markets(MarketQuery(limit=_LOOKED_AT)):
            lasts = market.tradable and (market.end_at_ms is None or market.end_at_ms > soon_ms)
            for asset_id in market.asset_ids if lasts else ():
                book = await data.order_book(asset_id)
                bid, spread = book.best_bid, book.spread
                if bid is not None and bid >= _LEAST_BID and spread is not None and 0 < spread <= _WIDEST:
                    return Plan(market, asset_id, market.tick_size, market.min_order_size, bid)
    finally:
        await data.aclose()
    raise AgentError("no market is fit for the probe: none has a narrow book far enough above its lowest price")
