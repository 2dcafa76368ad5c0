"""The life of a market: listed, closed, proposed, disputed, resolved. And what wallets do with full sets."""

from __future__ import annotations

from dataclasses import replace

from polymarket_agent.domain.market import ConditionId, Market, MarketState
from polymarket_agent.domain.money import Shares, Usdc
from polymarket_agent.sandbox.accounts import Wallet
from polymarket_agent.sandbox.core import Core
from polymarket_agent.sandbox.ladder import TradingMarket
from polymarket_agent.sandbox.model import OrderStatus, Refused

__all__ = ["Lifecycle", "Sets"]


class Lifecycle:
    """Moves markets forward. Steps of a market that is further already change nothing."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def set_accepting(self, trading: TradingMarket, *, accepting: bool) -> None:
        """Let an open market take orders, or not yet."""
        if trading.market.state is MarketState.OPEN and trading.market.accepting_orders is not accepting:
            trading.market = replace(trading.market, accepting_orders=accepting)
            self._core.tell_market("listed", trading)

    def start_game(self, trading: TradingMarket) -> None:
        """Cancel what rests, as sports markets do when their game starts; trading goes on."""
        resting = [o for o in self._core.live.values() if o.trading is trading and o.status is OrderStatus.LIVE]
        self._core.cancel(resting, OrderStatus.CANCELED, "game started")

    def close(self, trading: TradingMarket) -> None:
        """Stop trading."""
        if trading.market.state is MarketState.OPEN:
            self._stop(trading)
            self._core.tell_market("closed", trading)

    def propose(self, trading: TradingMarket, payouts: tuple[int, int] | None) -> None:
        """Propose an answer; trading stops."""
        if trading.market.state is MarketState.RESOLVED:
            return
        self.close(trading)
        trading.proposed = payouts or trading.proposed
        self._core.tell_market("proposed", trading)

    def dispute(self, trading: TradingMarket, payouts: tuple[int, int] | None) -> None:
        """Dispute the proposed answer, with another one or with none yet."""
        if trading.market.state is not MarketState.RESOLVED:
            trading.proposed = payouts
            self._core.tell_market("disputed", trading)

    def resolve(self, trading: TradingMarket, payouts: tuple[int, int] | None) -> None:
        """Give the final answer, the proposed one if none is stated; what rests is cancelled.

        Raises:
            ValueError: no answer is stated and none was proposed.
        """
        if trading.market.state is MarketState.RESOLVED:
            return
        answer = payouts or trading.proposed
        if answer is None:
            raise ValueError(f"market {trading.market.condition_id} has no proposed answer; state the payouts")
        self._cancel_open(trading, "market resolved")
        trading.market = trading.market.resolved(answer)
        self._core.vault.redeem_burned(trading.market)
        self._core.tell_market("resolved", trading)

    def _stop(self, trading: TradingMarket) -> None:
        if self._core.policy.close_cancels:
            self._cancel_open(trading, "market closed")
        trading.market = replace(trading.market, state=MarketState.CLOSED, accepting_orders=False)

    def _cancel_open(self, trading: TradingMarket, reason: str) -> None:
        orders = [order for order in self._core.live.values() if order.trading is trading]
        self._core.cancel(orders, OrderStatus.CANCELED_MARKET_RESOLVED, reason)


class Sets:
    """Splitting, merging, redeeming and converting: transactions of a wallet that no match is behind.

    They look at the chain only: what an open order or an unsettled match was promised can be used up here, and then
    the order is cancelled and the settlement fails.
    """

    def __init__(self, core: Core) -> None:
        self._core = core

    def split(self, address: str, condition_id: ConditionId, amount: Usdc) -> Refused | None:
        """Turn collateral into one share of each outcome."""
        found = self._find(address, condition_id, amount)
        if isinstance(found, Refused):
            return found
        wallet, market = found
        if wallet.cash.balance < amount:
            return Refused(400, "ERC20: transfer amount exceeds balance")
        self._core.vault.split(wallet, market, amount)
        self._core.watch(wallet, None)
        return None

    def merge(self, address: str, condition_id: ConditionId, amount: Usdc) -> Refused | None:
        """Turn one share of each outcome into collateral."""
        found = self._find(address, condition_id, amount)
        if isinstance(found, Refused):
            return found
        wallet, market = found
        if min(wallet.holding(asset_id).balance for asset_id in market.asset_ids) < amount:
            return Refused(400, "SafeMath: subtraction overflow")
        self._core.vault.split(wallet, market, -amount)
        self._watch_shares(wallet, market)
        return None

    def redeem(self, address: str, condition_id: ConditionId) -> Refused | None:
        """Turn all shares of a resolved market into what they pay."""
        found = self._find(address, condition_id, 1)
        if isinstance(found, Refused):
            return found
        wallet, market = found
        if market.payouts is None:
            return Refused(400, "result for condition not received yet")
        self._core.vault.redeem(wallet, market)
        return None

    def convert(self, address: str, group_id: str, condition_id: ConditionId, amount: Shares) -> Refused | None:
        """Turn the second outcome of one market of a neg-risk group into the first of every other one."""
        group = self._core.groups.get(group_id)
        if group is None or not group.neg_risk or condition_id not in group.markets:
            return Refused(400, "market not found in a neg-risk group")
        found = self._find(address, condition_id, amount)
        if isinstance(found, Refused):
            return found
        wallet, market = found
        others = [
            self._core.markets[other]
            for other in group.markets
            if other != condition_id and other in self._core.markets
        ]
        if any(other.payouts is not None for other in (market, *others)):
            return Refused(400, "a market of the group is resolved")
        if wallet.holding(market.asset_ids[1]).balance < amount:
            return Refused(400, "SafeMath: subtraction overflow")
        self._core.vault.convert(wallet, market, others, amount)
        self._watch_shares(wallet, market)
        return None

    def _find(self, address: str, condition_id: ConditionId, amount: int) -> tuple[Wallet, Market] | Refused:
        market = self._core.markets.get(condition_id)
        if market is None:
            return Refused(404, "market not found")
        if amount <= 0:
            return Refused(400, "amount must be positive")
        return self._core.vault.wallet(address), market

    def _watch_shares(self, wallet: Wallet, market: Market) -> None:
        for asset_id in market.asset_ids:
            self._core.watch(wallet, asset_id)
