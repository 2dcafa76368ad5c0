"""What can be asked of the exchange. Reads change nothing."""

from __future__ import annotations

from typing import NamedTuple

from polymarket_agent.domain.book import BookIdentity, OrderBook
from polymarket_agent.domain.market import AssetId, ConditionId, Market, MarketGroup
from polymarket_agent.domain.money import MICRO, Price, Shares, decimal_text
from polymarket_agent.sandbox import conservation
from polymarket_agent.sandbox.core import Core
from polymarket_agent.sandbox.ladder import TradingMarket
from polymarket_agent.sandbox.model import Mode, Notice, OpenOrder, OrderStatus, Placed, Refused, TradeChanged
from polymarket_agent.sandbox.policy import SPENDERS
from polymarket_agent.sandbox.settlement import Settlement

__all__ = ["MarketTerms", "Reads"]


class MarketTerms(NamedTuple):
    """What was said about a market beside the `Market` itself when it was listed, delays as they are now."""

    seconds_delay: int
    taker_delay: bool
    description: str
    tags: tuple[str, ...]


class Reads:
    """The reading half of the exchange."""

    def __init__(self, core: Core, settlement: Settlement) -> None:
        self._core = core
        self._settlement = settlement
        self._books: dict[AssetId, tuple[int, OrderBook]] = {}

    def _trading(self, condition_id: ConditionId) -> TradingMarket:
        return self._core.trading[condition_id]

    @property
    def now_ms(self) -> int:
        """The last time handed in."""
        return self._core.now_ms

    @property
    def mode(self) -> Mode:
        """What is accepted now."""
        return self._core.mode

    @property
    def next_due_ms(self) -> int | None:
        """When `advance` will next change something by itself, or None."""
        return self._core.agenda.next_ms

    def drain(self) -> list[Notice]:
        """Return the notices since the last call, in their order."""
        notices, self._core.notices = self._core.notices, []
        return notices

    def check(self) -> None:
        """Raise AssertionError unless cash, shares and promises add up and the books are in order."""
        conservation.check(self._core, self._settlement)

    def open_orders(self, owner: str) -> list[OpenOrder]:
        """Return an owner's resting and delayed orders, oldest first."""
        return [order.view() for order in self._core.owners.get(owner, {}).values()]

    def order(self, order_id: str) -> OpenOrder | None:
        """Return an order in any state, as long as it is remembered."""
        order = self._core.live.get(order_id) or self._core.closed.get(order_id)
        return order.view() if order is not None else None

    def outcome(self, order_id: str) -> Placed | Refused | None:
        """Return the final answer of an order that was delayed; None while it waits and for all others."""
        return self._core.outcomes.get(order_id)

    def held_until(self, order_id: str) -> int | None:
        """Return until when (unix ms) the POST of an order blocks for a taker delay; None when it does not."""
        order = self._core.live.get(order_id)
        if order is None or order.status is not OrderStatus.DELAYED or order.trading.seconds_delay:
            return None
        return order.created_ms + self._core.policy.taker_delay_ms

    def trades(self, owner: str) -> list[TradeChanged]:
        """Return the trades that an owner has a leg in, oldest first, each as it stands."""
        return self._settlement.trades_of(owner)

    def balance(self, wallet: str, asset_id: AssetId | None = None) -> tuple[int, int]:
        """Return (balance on the chain, what of it orders and unsettled matches are promised); None is collateral."""
        known = self._core.vault.known(wallet)
        holding = known.cash if known is not None and asset_id is None else None
        if known is not None and asset_id is not None:
            holding = known.shares.get(asset_id)
        return (holding.balance, holding.active + holding.matched) if holding is not None else (0, 0)

    def allowances(self, wallet: str, asset_id: AssetId | None = None) -> dict[str, int]:
        """Return how much each contract may take of an asset, by the contract's address."""
        known = self._core.vault.known(wallet)
        return {
            address: known.allowance(asset_id, address) if known is not None else 0 for address in SPENDERS.values()
        }

    def positions(self, wallet: str) -> dict[AssetId, Shares]:
        """Return the shares that a wallet holds on the chain."""
        known = self._core.vault.known(wallet)
        shares = known.shares if known is not None else {}
        return {asset_id: Shares(holding.balance) for asset_id, holding in shares.items() if holding.balance}

    def orders_of(self, wallet: str) -> list[OpenOrder]:
        """Return every order that a wallet ever got in, as long as it is remembered, whoever sent it."""
        known = (*self._core.closed.values(), *self._core.live.values())
        return [order.view() for order in known if order.wallet.address == wallet]

    def trades_with(self, wallet: str) -> list[TradeChanged]:
        """Return the trades that a wallet has a leg in, oldest first, each as it stands."""
        return self._settlement.trades_with(wallet)

    @property
    def markets(self) -> dict[ConditionId, Market]:
        """Every listed market as it stands."""
        return self._core.markets

    @property
    def groups(self) -> dict[str, MarketGroup]:
        """Every listed group."""
        return self._core.groups

    def market_of(self, asset_id: AssetId) -> Market | None:
        """Return the market of an asset, or None."""
        trading = self._core.by_asset.get(asset_id)
        return trading.market if trading is not None else None

    def terms(self, condition_id: ConditionId) -> MarketTerms:
        """Return a market's delays and texts."""
        trading = self._trading(condition_id)
        return MarketTerms(trading.seconds_delay, trading.taker_delay, trading.description, trading.tags)

    def best(self, asset_id: AssetId) -> tuple[int, int]:
        """Return best bid and best ask of an asset in micro-USDC, 0 and 1000000 where there is none."""
        trading = self._core.by_asset[asset_id]
        index = trading.market.index_of(asset_id)
        return trading.ladders[index].best, MICRO - trading.ladders[1 - index].best

    def book(self, asset_id: AssetId) -> OrderBook:
        """Return an asset's book: the market's book seen from its outcome. It is shared by callers; do not change it.

        Raises:
            KeyError: no listed market has the asset.
        """
        trading = self._core.by_asset[asset_id]
        known = self._books.get(asset_id)
        if known is not None and known[0] == trading.version:
            return known[1]
        index = trading.market.index_of(asset_id)
        own, other = trading.ladders[index], trading.ladders[1 - index]
        book = OrderBook(asset_id, trading.market.tick_size)
        book.replace(
            [(Price(bid), Shares(own.levels[bid].size)) for bid in own.prices],
            [(Price(MICRO - bid), Shares(other.levels[bid].size)) for bid in other.prices],
            trading.at_ms,
        )
        self._books[asset_id] = (trading.version, book)
        return book

    def book_hash(self, asset_id: AssetId) -> str:
        """Return the venue's hash of an asset's book."""
        market = self._core.by_asset[asset_id].market
        identity = BookIdentity(
            market.condition_id,
            decimal_text(market.min_order_size),
            decimal_text(market.tick_size),
            market.neg_risk,
            self.last_trade_price(market.condition_id) or "",
        )
        return self.book(asset_id).hash(identity)

    def last_trade_price(self, condition_id: ConditionId) -> str | None:
        """Return the last trade's price in terms of the first outcome, as text, or None."""
        last = self._trading(condition_id).last_price
        return decimal_text(last) if last is not None else None

    def history(self, asset_id: AssetId) -> list[tuple[int, Price]]:
        """Return (unix seconds, last trade price of that second) of an asset, oldest first."""
        trading = self._core.by_asset[asset_id]
        first = trading.market.index_of(asset_id) == 0
        return [(second, Price(price if first else MICRO - price)) for second, price in trading.history]
