"""The model exchange: state + request + time -> answer + notices. No clock, no I/O, no randomness.

The same object runs behind sockets, in a simulator with virtual time, and as the oracle of property tests.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from polymarket_agent.domain.market import AssetId, ConditionId, Market, MarketGroup
from polymarket_agent.domain.money import Price, Shares, Usdc
from polymarket_agent.sandbox.accounts import spender_address
from polymarket_agent.sandbox.admission import Admission
from polymarket_agent.sandbox.core import Core
from polymarket_agent.sandbox.execution import Desk
from polymarket_agent.sandbox.heartbeats import Heartbeats
from polymarket_agent.sandbox.ladder import Order, TradingMarket
from polymarket_agent.sandbox.lifecycle import Lifecycle, Sets
from polymarket_agent.sandbox.model import (
    CancelAnswer,
    LegStatus,
    Mode,
    OrderEntry,
    Placed,
    Refused,
    TradeChanged,
)
from polymarket_agent.sandbox.policy import SPENDERS, UNLIMITED, Policy
from polymarket_agent.sandbox.reads import Reads
from polymarket_agent.sandbox.settlement import Settlement

__all__ = ["Exchange"]


class Exchange(Reads):
    """Markets, wallets, orders and trades of a Polymarket of one's own.

    Every request first lets everything happen that is due by its time; time never runs backwards. Orders come with
    their signature checked. What the venue does not document is switched by `Policy`. Additive to the interface that
    the sandbox's other parts were promised:

    - `outcome(order_id)` is the final answer of an order that `place` answered `delayed`, None while it waits;
      `held_until(order_id)` is the unix ms until which a POST blocks for a taker delay, None where `delayed` is
      answered at once (sports delay).
    - `cancel_refusal()` is what the DELETE routes answer in modes that take no cancels.
    - `heartbeat(owner, None, now_ms)` is the unchained kind. A mismatch carries the expected id in `Refused.code`.
    - `set_mode` with `retry_after_s` ends the mode by itself; RESTARTING is then followed by POST_ONLY.
    - `best(asset_id)` is (bid, ask) in micro-USDC, 0 and 1000000 where there is none. `withdraw`, `set_delay`,
      `set_accepting`, `start_game`, `unban`, `market_of`; `terms(condition_id)` is delays, description and tags.
    - `Leg.fee_rate` and `TradePrinted.fee_rate` are basis points of the schedule's rate.
    """

    def __init__(self, policy: Policy = Policy()) -> None:  # noqa: B008 - frozen
        core = Core(policy)
        settlement = Settlement(core)
        super().__init__(core, settlement)
        self.policy = policy
        self._admission = Admission(core, Desk(core, settlement))
        self._heartbeats = Heartbeats(core)
        self._lifecycle = Lifecycle(core)
        self._sets = Sets(core)

    @property
    def settlement_plan(self) -> Callable[[TradeChanged], list[tuple[int, LegStatus]]]:
        """What happens to a trade after its match: (ms from the match, status), asked once a trade."""
        return self._settlement.plan

    @settlement_plan.setter
    def settlement_plan(self, plan: Callable[[TradeChanged], list[tuple[int, LegStatus]]]) -> None:
        self._settlement.plan = plan

    def list_market(
        self,
        market: Market,
        now_ms: int,
        *,
        group: MarketGroup | None = None,
        seconds_delay: int = 0,
        taker_delay: bool = False,
        description: str = "",
        tags: Sequence[str] = (),
    ) -> None:
        """Open a market. Delays hold marketable orders: `seconds_delay` is the sports kind.

        Raises:
            ValueError: the market or one of its assets is listed already.
        """
        self.advance(now_ms)
        core = self._core
        if market.condition_id in core.trading or any(asset_id in core.by_asset for asset_id in market.asset_ids):
            raise ValueError(f"market {market.condition_id} or one of its assets is listed already")
        if group is not None:
            self.list_group(group)
        trading = TradingMarket(market, group, core.now_ms, self.policy.history_kept)
        trading.description, trading.tags = description, tuple(tags)
        core.trading[market.condition_id] = trading
        core.vault.locked[market.condition_id] = core.vault.dust[market.condition_id] = 0
        for asset_id in market.asset_ids:
            core.by_asset[asset_id] = trading
        self.set_delay(market.condition_id, seconds_delay=seconds_delay, taker_delay=taker_delay)
        core.tell_market("listed", trading)

    def list_group(self, group: MarketGroup) -> None:
        """Take in a group, or a group's new state; its markets refer to it from then on."""
        self._core.groups[group.group_id] = group
        for condition_id in group.markets:
            if condition_id in self._core.trading:
                self._core.trading[condition_id].group = group

    def set_delay(self, condition_id: ConditionId, *, seconds_delay: int = 0, taker_delay: bool = False) -> None:
        """Change a market's delays for orders to come."""
        trading = self._trading(condition_id)
        trading.seconds_delay, trading.taker_delay = seconds_delay, taker_delay

    def set_accepting(self, condition_id: ConditionId, *, accepting: bool) -> None:
        """Let an open market take orders, or not yet."""
        self._lifecycle.set_accepting(self._trading(condition_id), accepting=accepting)

    def fund(self, wallet: str, collateral: Usdc) -> None:
        """Give a wallet collateral from outside."""
        self._core.vault.wallet(wallet).cash.balance += collateral
        self._core.vault.funded += collateral

    def withdraw(self, wallet: str, collateral: Usdc) -> Refused | None:
        """Take collateral out, as a transfer by somebody else with the same key does."""
        known = self._core.vault.wallet(wallet)
        if not 0 <= collateral <= known.cash.balance:
            return Refused(400, "ERC20: transfer amount exceeds balance")
        known.cash.balance -= collateral
        self._core.vault.funded -= collateral
        self._core.watch(known, None)
        return None

    def approve(self, wallet: str, spender: str = "all", amount: int | None = None) -> None:
        """Let a contract (name, address or "all") take collateral up to `amount`, None for any, and shares."""
        known = self._core.vault.wallet(wallet)
        for address in SPENDERS.values() if spender == "all" else (spender_address(spender),):
            known.approve(address, UNLIMITED if amount is None else amount)
        for asset_id in (None, *known.shares):
            self._core.watch(known, asset_id)

    def give_shares(self, wallet: str, asset_id: AssetId, quantity: Shares) -> None:
        """Give a wallet shares, paid from outside."""
        market = self._core.by_asset[asset_id].market
        self._core.vault.give(self._core.vault.wallet(wallet), market, market.index_of(asset_id), quantity)

    def set_mode(self, mode: Mode, now_ms: int, retry_after_s: int | None = None) -> None:
        """Change what the venue accepts; with `retry_after_s`, for that long."""
        self.advance(now_ms)
        self._admission.set_mode(mode, retry_after_s)

    def ban(self, address: str, closed_only: bool = False) -> None:
        """Refuse all orders of a wallet or signer, or only those that buy."""
        self._admission.banned[address.lower()] = closed_only

    def unban(self, address: str) -> None:
        """Take a ban back."""
        self._admission.banned.pop(address.lower(), None)

    def set_tick_size(self, condition_id: ConditionId, tick_size: Price, now_ms: int) -> None:
        """Change a market's price grid; resting orders stay."""
        self.advance(now_ms)
        self._core.set_tick_size(self._trading(condition_id), tick_size)

    def start_game(self, condition_id: ConditionId, now_ms: int) -> None:
        """Cancel what rests in a sports market because its game starts."""
        self.advance(now_ms)
        self._lifecycle.start_game(self._trading(condition_id))

    def close_market(self, condition_id: ConditionId, now_ms: int) -> None:
        """Stop trading in a market."""
        self.advance(now_ms)
        self._lifecycle.close(self._trading(condition_id))

    def propose(self, condition_id: ConditionId, payouts: tuple[int, int] | None, now_ms: int) -> None:
        """Propose a market's answer (micro-USDC a share of each outcome); trading stops."""
        self.advance(now_ms)
        self._lifecycle.propose(self._trading(condition_id), payouts)

    def dispute(self, condition_id: ConditionId, payouts: tuple[int, int] | None, now_ms: int) -> None:
        """Dispute a proposed answer."""
        self.advance(now_ms)
        self._lifecycle.dispute(self._trading(condition_id), payouts)

    def resolve(self, condition_id: ConditionId, payouts: tuple[int, int] | None, now_ms: int) -> None:
        """Give a market's answer, the proposed one if None. Its open orders are cancelled."""
        self.advance(now_ms)
        self._lifecycle.resolve(self._trading(condition_id), payouts)

    def place(self, entry: OrderEntry, now_ms: int) -> Placed | Refused:
        """Take an order, or refuse it in the venue's words."""
        self.advance(now_ms)
        return self._admission.place(entry)

    def cancel(self, owner: str, order_ids: Sequence[str], now_ms: int) -> CancelAnswer:
        """Cancel an owner's orders by id."""
        self.advance(now_ms)
        return self._admission.cancel(owner, order_ids)

    def cancel_all(self, owner: str, now_ms: int) -> CancelAnswer:
        """Cancel all resting orders of an owner."""
        return self.cancel_market(owner, now_ms)

    def cancel_market(
        self, owner: str, now_ms: int, condition_id: ConditionId | None = None, asset_id: AssetId | None = None
    ) -> CancelAnswer:
        """Cancel an owner's resting orders of a market, of an asset, or of both at once where both are given."""
        self.advance(now_ms)

        def meant(order: Order) -> bool:
            in_market = condition_id is None or order.trading.market.condition_id == condition_id
            return in_market and (asset_id is None or order.asset_id == asset_id)

        return self._admission.cancel_where(owner, meant)

    def cancel_refusal(self) -> Refused | None:
        """Return what cancels are answered now instead of being done, or None."""
        return self._admission.cancel_refusal()

    def heartbeat(self, owner: str, heartbeat_id: str | None, now_ms: int) -> str | Refused:
        """Keep an owner's orders alive; the first one arms the switch. Returns the id to send next."""
        self.advance(now_ms)
        return self._heartbeats.beat(owner, heartbeat_id)

    def split(self, wallet: str, condition_id: ConditionId, amount: Usdc) -> Refused | None:
        """Turn collateral into full sets."""
        return self._sets.split(wallet, condition_id, amount)

    def merge(self, wallet: str, condition_id: ConditionId, amount: Usdc) -> Refused | None:
        """Turn full sets into collateral."""
        return self._sets.merge(wallet, condition_id, amount)

    def redeem(self, wallet: str, condition_id: ConditionId) -> Refused | None:
        """Turn all shares of a resolved market into their payout."""
        return self._sets.redeem(wallet, condition_id)

    def convert(self, wallet: str, group_id: str, condition_id: ConditionId, amount: Shares) -> Refused | None:
        """Turn the second outcome of a neg-risk market into the first of every other market of its group."""
        return self._sets.convert(wallet, group_id, condition_id, amount)

    def advance(self, now_ms: int) -> None:
        """Let everything happen that is due by `now_ms`, in its order and each at its own time."""
        core = self._core
        if now_ms < core.now_ms:
            return  # a clock that was set back does not undo anything
        while (due_ms := core.agenda.next_ms) is not None and due_ms <= now_ms:
            core.now_ms = max(core.now_ms, due_ms)
            core.agenda.take()()
        core.now_ms = now_ms
