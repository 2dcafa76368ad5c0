"""At whom and at what a venue's faults are aimed: accounts under test, and markets that are traded."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from polymarket_agent.domain.book import Side
from polymarket_agent.domain.market import AssetId, Market
from polymarket_agent.domain.money import MICRO
from polymarket_agent.sandbox.exchange import Exchange
from polymarket_agent.sandbox.model import OrderEntry, OrderType

__all__ = ["NobodyError", "Target", "Targets"]


@dataclass(frozen=True, slots=True)
class Target:
    """An account under test, as the key that trades for it."""

    owner: str
    wallet: str
    signer: str
    signature_type: int = 0


class NobodyError(Exception):
    """There is nothing that a rule could strike."""


class Targets:
    """Who is known, and how rules name them."""

    def __init__(self, seed: str) -> None:
        self.known: list[Target] = []
        self._random = Random(seed)  # noqa: S311 - chooses targets of a test
        self._serial = 0

    def know(self, target: Target) -> None:
        """Take up an account, once for each of its keys."""
        if all(each.owner != target.owner for each in self.known):
            self.known.append(target)

    def account(self, name: str) -> Target:
        """Return an account by number, wallet or owner, or "any" of them.

        Raises:
            NobodyError: there is none.
        """
        if name == "any" and self.known:
            return self.known[int(self._random.random() * len(self.known))]
        if name.isdigit() and int(name) < len(self.known):
            return self.known[int(name)]
        found = next((each for each in self.known if name.lower() in (each.wallet.lower(), each.owner.lower())), None)
        if found is None:
            raise NobodyError(f"no account is known as '{name}' yet")
        return found

    def wallets(self, name: str) -> list[str]:
        """Return the wallet of an account, or those of "all".

        Raises:
            NobodyError: there is none.
        """
        if name != "all":
            return [self.account(name).wallet]
        if not self.known:
            raise NobodyError("no account is known yet")
        return list(dict.fromkeys(target.wallet for target in self.known))

    def market(self, exchange: Exchange, name: str) -> Market:
        """Return a traded market by slug, condition id or asset id, or "any" of them.

        Raises:
            NobodyError: there is none.
        """
        tradable = [market for market in exchange.markets.values() if market.tradable]
        if name == "any" and tradable:
            return tradable[int(self._random.random() * len(tradable))]
        for market in tradable:
            if name in (market.slug, market.condition_id) or name in market.asset_ids:
                return market
        raise NobodyError(f"no market '{name}' is traded")

    def entry(
        self, target: Target, asset_id: AssetId, side: Side, at: int, quantity: int, order_type: OrderType
    ) -> OrderEntry:
        """Return an order that the target did not send itself."""
        self._serial += 1
        notional, buying = at * quantity // MICRO, side is Side.BUY
        return OrderEntry(
            order_id=f"0xfa17{self._serial:060x}",
            owner=target.owner,
            wallet=target.wallet,
            signer=target.signer,
            signature_type=target.signature_type,
            asset_id=asset_id,
            side=side,
            maker_amount=notional if buying else quantity,
            taker_amount=quantity if buying else notional,
            order_type=order_type,
        )
