"""Who holds what: cash and shares that are on the chain, and what of them is promised.

A holding's `balance` moves only when a trade settles, or by a split, merge, redemption or transfer. Open orders stand in
`active`, matches that wait for settlement in `matched`; the venue accepts an order only within the rest.
Shares exist in full sets only: for each unit of collateral locked in a market there is one of either outcome.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from polymarket_agent.domain.market import AssetId, ConditionId, Market
from polymarket_agent.domain.money import MICRO
from polymarket_agent.sandbox.policy import SPENDERS, UNLIMITED

if TYPE_CHECKING:
    from polymarket_agent.sandbox.ladder import Order

__all__ = ["BURNED", "FEES", "OUTSIDE", "Holding", "Vault", "Wallet", "spender_address"]

# Wallets of the system: where fees go, who holds the other half of shares given from outside, what conversions burn.
FEES, OUTSIDE, BURNED = "@fees", "@outside", "@burned"


class Holding:
    """Units of one asset in one wallet."""

    __slots__ = ("active", "balance", "matched")

    def __init__(self) -> None:
        self.balance = 0
        self.active = 0
        self.matched = 0

    @property
    def free(self) -> int:
        """What no order and no unsettled match is promised; negative when the balance lapsed."""
        return self.balance - self.active - self.matched


class Wallet:
    """Balances, allowances and live orders of one address. `operators` may move its shares."""

    __slots__ = ("address", "allowances", "cash", "operators", "orders", "shares")

    def __init__(self, address: str) -> None:
        self.address = address
        self.cash = Holding()
        self.shares: dict[AssetId, Holding] = {}
        self.allowances: dict[str, int] = {}
        self.operators: set[str] = set()
        self.orders: dict[str, Order] = {}

    def holding(self, asset_id: AssetId | None) -> Holding:
        """Return the holding of an asset; None is collateral."""
        if asset_id is None:
            return self.cash
        holding = self.shares.get(asset_id)
        if holding is None:
            holding = self.shares[asset_id] = Holding()
        return holding

    def allowance(self, asset_id: AssetId | None, spender: str) -> int:
        """Return how much a contract may take; shares are approved altogether or not at all."""
        if asset_id is None:
            return self.allowances.get(spender, 0)
        return UNLIMITED if spender in self.operators else 0

    def approve(self, spender: str, amount: int) -> None:
        """Let a contract take collateral up to `amount`, and shares if that is not 0."""
        self.allowances[spender] = amount
        if amount:
            self.operators.add(spender)
        else:
            self.operators.discard(spender)

    def use_allowance(self, asset_id: AssetId | None, spender: str, amount: int) -> None:
        """Take collateral off a limited allowance (negative: put it back); an unlimited one stays."""
        if asset_id is None and self.allowances.get(spender, 0) != UNLIMITED:
            self.allowances[spender] = self.allowances.get(spender, 0) - amount


class Vault:
    """All wallets, and the collateral locked in full sets.

    `funded` came from outside. `unbacked` backs the sets that conversions mint: the burned halves of those sets are
    worth as much when the group resolves. `dust` is what redemptions rounded away, in millionths of a micro-unit.
    """

    def __init__(self) -> None:
        self.wallets: dict[str, Wallet] = {}
        self.locked: dict[ConditionId, int] = {}
        self.dust: dict[ConditionId, int] = {}
        self.funded = 0
        self.unbacked = 0

    def wallet(self, address: str) -> Wallet:
        """Return a wallet, whatever the case of its address; unknown ones are empty."""
        key = address.lower()
        wallet = self.wallets.get(key)
        if wallet is None:
            wallet = self.wallets[key] = Wallet(address)
        return wallet

    def known(self, address: str) -> Wallet | None:
        """Return a wallet that was seen before, without making one."""
        return self.wallets.get(address.lower())

    def mint(self, market: Market, amount: int) -> None:
        """Lock collateral for full sets (negative: release it). The caller moves cash and shares."""
        self.locked[market.condition_id] += amount

    def split(self, wallet: Wallet, market: Market, amount: int) -> None:
        """Turn collateral of a wallet into full sets; a negative amount merges."""
        wallet.cash.balance -= amount
        self.mint(market, amount)
        for asset_id in market.asset_ids:
            wallet.holding(asset_id).balance += amount

    def give(self, wallet: Wallet, market: Market, index: int, quantity: int) -> None:
        """Give shares of one outcome, paid from outside, which keeps those of the other."""
        self.funded += quantity
        self.mint(market, quantity)
        wallet.holding(market.asset_ids[index]).balance += quantity
        self.wallet(OUTSIDE).holding(market.asset_ids[1 - index]).balance += quantity

    def redeem(self, wallet: Wallet, market: Market) -> int:
        """Burn a wallet's shares of a resolved market for their payout, rounded down. Returns the collateral paid."""
        assert market.payouts is not None, "only a resolved market is redeemed"
        exact = 0
        for asset_id, payout in zip(market.asset_ids, market.payouts, strict=True):
            holding = wallet.holding(asset_id)
            exact += holding.balance * payout
            holding.balance = 0
        paid = exact // MICRO
        wallet.cash.balance += paid
        self.mint(market, -paid)
        self.dust[market.condition_id] += exact - paid * MICRO
        return paid

    def redeem_burned(self, market: Market) -> None:
        """Let what conversions burned pay back what backed their sets."""
        burned = self.wallet(BURNED)
        paid = self.redeem(burned, market)
        burned.cash.balance -= paid
        self.unbacked -= paid

    def convert(self, wallet: Wallet, market: Market, others: list[Market], amount: int) -> None:
        """Burn `amount` of a market's second outcome for as many first outcomes of every other market."""
        burned = self.wallet(BURNED)
        wallet.holding(market.asset_ids[1]).balance -= amount
        burned.holding(market.asset_ids[1]).balance += amount
        for other in others:
            self.unbacked += amount
            self.mint(other, amount)
            wallet.holding(other.asset_ids[0]).balance += amount
            burned.holding(other.asset_ids[1]).balance += amount

    def outstanding(self, asset_id: AssetId) -> int:
        """Return how many units of an outcome exist."""
        return sum(wallet.shares[asset_id].balance for wallet in self.wallets.values() if asset_id in wallet.shares)

    def holdings(self) -> Iterator[tuple[Wallet, AssetId | None, Holding]]:
        """Yield every holding with whose and of what it is."""
        for wallet in self.wallets.values():
            yield wallet, None, wallet.cash
            for asset_id, holding in wallet.shares.items():
                yield wallet, asset_id, holding


def spender_address(name: str) -> str:
    """Return a contract's address by its name or by any spelling of its address."""
    if name in SPENDERS:
        return SPENDERS[name]
    return next((address for address in SPENDERS.values() if address.lower() == name.lower()), name)
