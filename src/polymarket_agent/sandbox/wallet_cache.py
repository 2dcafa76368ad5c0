"""What the venue's balance cache shows while it is stale: the state of the moment in which it froze."""

from __future__ import annotations

from dataclasses import dataclass

from polymarket_agent.domain.market import AssetId
from polymarket_agent.sandbox.exchange import Exchange

__all__ = ["WalletCache"]


@dataclass(frozen=True, slots=True)
class _Frozen:
    until_ms: int
    balances: dict[AssetId | None, tuple[int, int]]


class WalletCache:
    """Frozen balances by wallet. What a wallet did not hold when it froze is shown as nothing."""

    def __init__(self) -> None:
        self._frozen: dict[str, _Frozen] = {}

    def freeze(self, exchange: Exchange, wallet: str, until_ms: int) -> None:
        """Show a wallet as it is now until a moment, or until it is refreshed."""
        assets = [None, *exchange.positions(wallet)]
        balances = {asset_id: exchange.balance(wallet, asset_id) for asset_id in assets}
        self._frozen[wallet.lower()] = _Frozen(until_ms, balances)

    def balance(self, exchange: Exchange, wallet: str, asset_id: AssetId | None) -> tuple[int, int]:
        """Return (balance, reserved) as shown."""
        frozen = self._frozen.get(wallet.lower())
        if frozen is None:
            return exchange.balance(wallet, asset_id)
        if exchange.now_ms >= frozen.until_ms:
            self.refresh(wallet)
            return exchange.balance(wallet, asset_id)
        return frozen.balances.get(asset_id, (0, 0))

    def refresh(self, wallet: str) -> None:
        """Show the truth again."""
        self._frozen.pop(wallet.lower(), None)
