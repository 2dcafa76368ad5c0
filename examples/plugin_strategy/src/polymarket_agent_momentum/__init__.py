"""A strategy of another package: follows takers who keep paying more."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from polymarket_agent.domain.book import Side
from polymarket_agent.domain.events import Event, MarketClosed, MarketResolved, TradePrint
from polymarket_agent.domain.market import AssetId
from polymarket_agent.domain.money import MICRO, Price
from polymarket_agent.domain.order import TimeInForce
from polymarket_agent.domain.signal import Signal, Wish
from polymarket_agent.strategies.base import MarketView, Wakes

__all__ = ["Momentum"]

WISH_MS = 5_000


class Momentum:
    """Buys an asset after `trades` purchases in a row, each at a higher price; below `max_price` USDC only."""

    name = "momentum"
    wakes = Wakes(trades=True, lifecycle=True)

    def __init__(self, *, trades: int = 3, max_price: float = 0.8) -> None:
        if not 2 <= trades <= 100:
            raise ValueError(f"trades is {trades}; allowed are whole numbers from 2 to 100")
        if not 0 < max_price < 1:
            raise ValueError(f"max_price is {max_price}; allowed are prices between 0 and 1")
        self.trades = trades
        self.max_price = int(max_price * MICRO)
        self._rising: dict[AssetId, deque[Price]] = {}

    def on_event(self, event: Event, view: MarketView) -> Sequence[Wish]:
        """Count rising purchases; wish for the asset when there are enough."""
        match event:
            case TradePrint():
                return self._on_trade(event, view)
            case MarketClosed() | MarketResolved():
                market = view.market(event.condition_id)
                for asset_id in market.asset_ids if market is not None else ():
                    self._rising.pop(asset_id, None)
            case _:
                pass
        return ()

    def _on_trade(self, trade: TradePrint, view: MarketView) -> Sequence[Wish]:
        rising = self._rising.setdefault(trade.asset_id, deque(maxlen=self.trades))
        if not trade.taker_buys or (rising and trade.price <= rising[-1]):
            rising.clear()
        if trade.taker_buys:
            rising.append(trade.price)
        book = view.book(trade.asset_id)
        if len(rising) < self.trades or book is None or book.best_ask is None or book.best_ask > self.max_price:
            return ()
        if view.position(trade.asset_id) is not None:
            return ()
        rising.clear()
        return [
            Signal(
                strategy=self.name,
                asset_id=trade.asset_id,
                side=Side.BUY,
                target_price=book.best_ask,
                reason=f"takers paid more {self.trades} times in a row",
                confidence=0.5,
                time_in_force=TimeInForce.FAK,
                expires_at_ms=view.now_ms + WISH_MS,
            )
        ]
