"""What the checks of the doctor learn from each other, filled in as they go."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from polymarket_agent.adapters.polymarket.hosts import Urls
    from polymarket_agent.config import Config
    from polymarket_agent.domain.market import Market
    from polymarket_agent.domain.venue import Balances, VenueFacts, WalletIdentity
    from polymarket_agent.keys import Secret
    from polymarket_agent.ports import Clock, VenueGateway

__all__ = ["Case"]


@dataclass(slots=True, kw_only=True)
class Case:
    """One examination. The fields below `clock` are None until the check that learns them has passed.

    Attributes:
        config_file: the file that was named, None for the usual one or the defaults.
        ask: puts the question for a keystore's passphrase.
        key: given when the caller has it already; else it is loaded.
    """

    config_file: Path | None
    clock: Clock
    ask: Callable[[str], str]
    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    key: Secret | None = None
    settings: Config | None = None
    urls: Urls | None = None
    identity: WalletIdentity | None = None
    markets: list[Market] = field(default_factory=list)
    gateway: VenueGateway | None = None
    facts: VenueFacts | None = None
    balances: Balances | None = None

    @property
    def config(self) -> Config:
        """The config, for checks that run only when it was understood."""
        assert self.settings is not None, "the check of the config comes first"
        return self.settings

    @property
    def live(self) -> bool:
        """Whether the config wants live trading."""
        from polymarket_agent.config import Mode

        return self.settings is not None and self.settings.mode is Mode.LIVE

    @property
    def account(self) -> VenueGateway:
        """The connected account, for checks that run only when there is one."""
        assert self.gateway is not None, "the check of the credentials comes first"
        return self.gateway

    @property
    def wallet(self) -> WalletIdentity:
        """The wallet, for checks that run only when it is known."""
        assert self.identity is not None, "the check of the wallet comes first"
        return self.identity
