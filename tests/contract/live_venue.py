"""A venue of its own for one live agent: a sandbox on a socket, one market, our wallet, and other people.

Other people act on the exchange itself, past the wire. The venue's own books are what a test compares a ledger with.
"""

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any

import certifi
import pytest

from polymarket_agent.adapters.polymarket.gateways import Urls, build_gateway
from polymarket_agent.clock import SystemClock, from_ms
from polymarket_agent.domain.events import (
    TradePrint,
)
from polymarket_agent.domain.levels import Side
from polymarket_agent.domain.market import NO_FEE, AssetId, FeeSchedule, Market
from polymarket_agent.domain.money import MICRO, Shares, shares, usdc
from polymarket_agent.domain.venue import WalletIdentity, WalletKind
from polymarket_agent.keys import Secret
from polymarket_agent.ports import VenueGateway
from polymarket_agent.sandbox.model import OpenOrder, OrderEntry, OrderType, TradeChanged
from polymarket_agent.sandbox.policy import Policy
from polymarket_agent.sandbox.scenario_markets import Casting
from polymarket_agent.sandbox.sdk import no_proxy_for_loopback
from polymarket_agent.sandbox.server import Account, Sandbox

__all__ = ["CLIENTS", "MAKER", "QUICK", "LiveVenue", "SecondHand", "few_certificates", "live_venue"]

CLIENTS = ("unified", "clob", "direct")
_LIBRARIES = {"unified": "polymarket", "clob": "py_clob_client_v2"}
MAKER = "0x00000000000000000000000000000000000000A1"
TAKER = "0x00000000000000000000000000000000000000A2"
QUICK = Policy(salt="live", mined_ms=20, settle_ms=60, kill_notice=False)
_SHORTLY_MS = 10


class SecondHand:
    """The machine's clock, a part of a second ahead: a new ledger begins at a whole second, and tests need not wait."""

    def __init__(self) -> None:
        self._system = SystemClock()
        self._ahead_ms = 0

    def leap(self) -> None:
        """Go on to shortly before the next second; for the venue and for us at once."""
        self._ahead_ms += (-_SHORTLY_MS - self.now_ms()) % 1_000

    def now(self) -> datetime:
        return from_ms(self.now_ms())

    def now_ms(self) -> int:
        return self._system.now_ms() + self._ahead_ms


@dataclass
class LiveVenue:
    """A sandbox with one market, our wallet with 1000 pUSD, and others who make and take prices."""

    sandbox: Sandbox
    clock: SecondHand
    account: Account
    kind: WalletKind
    market: Market
    _serial: Any = field(default_factory=lambda: count(1))

    @property
    def owner(self) -> str:
        """The API key of the wallet, as the exchange knows it."""
        return str(self.sandbox.venue.keyring.list_keys(self.account.address)[0])

    def gateway(self, client: str) -> VenueGateway:
        """Return an unconnected gateway of the wallet; the test is skipped where the client is not installed."""
        if client in _LIBRARIES:
            pytest.importorskip(_LIBRARIES[client])
        identity = WalletIdentity(signer=self.account.address, wallet=self.account.wallet, kind=self.kind)
        names = ("clob", "data", "relayer", "user_ws", "geoblock", "gamma", "market_ws", "rpc")
        urls = Urls(**{name: self.sandbox.urls[f"{name}_url"] for name in names})
        return build_gateway(client, urls, Secret(self.account.private_key), identity, self.clock)

    # -- other people -------------------------------------------------------------------------------------------------

    def place(self, who: str, side: Side, at: int, size: int, *, asset_id: AssetId | None = None, **more: Any) -> Any:
        """Let somebody place an order; returns what the exchange answers."""
        collateral = at * size // MICRO
        answer = self.sandbox.exchange.place(
            OrderEntry(
                order_id=f"0x{next(self._serial):064x}",
                owner=more.pop("owner", who),
                wallet=who,
                signer=who,
                signature_type=0,
                asset_id=asset_id or self.market.asset_ids[0],
                side=side,
                maker_amount=collateral if side is Side.BUY else size,
                taker_amount=size if side is Side.BUY else collateral,
                order_type=more.pop("order_type", OrderType.GTC),
                **more,
            ),
            self.sandbox.venue.now_ms(),
        )
        self.sandbox.venue.publish()
        return answer

    def show(self, bids: Iterable[tuple[int, int]], asks: Iterable[tuple[int, int]]) -> None:
        """Let somebody display exactly these levels of the first outcome."""
        self.sandbox.exchange.cancel_all(MAKER, self.sandbox.venue.now_ms())
        for side, levels in ((Side.BUY, bids), (Side.SELL, asks)):
            for at, size in levels:
                answer = self.place(MAKER, side, at, size)
                assert getattr(answer, "status", "") == "live", answer

    def shown(self) -> list[OpenOrder]:
        """Return what somebody displays."""
        return self.sandbox.exchange.open_orders(MAKER)

    def trade_through(self, print_: TradePrint, asset_id: AssetId) -> None:
        """Let somebody take at a price, where those who displayed something have gone before."""
        aside = [o for o in self.shown() if (o.side is Side.BUY) is not print_.taker_buys]
        self.sandbox.exchange.cancel(MAKER, [o.order_id for o in aside], self.sandbox.venue.now_ms())
        side = Side.BUY if print_.taker_buys else Side.SELL
        self.place(TAKER, side, print_.price, print_.size, asset_id=asset_id, order_type=OrderType.FAK)
        for each in aside:
            self.place(MAKER, each.side, each.price, each.original - each.matched, asset_id=each.asset_id)

    def take(self, side: Side, size: str, at: int) -> None:
        """Let somebody take what is displayed, first come first served."""
        self.place(TAKER, side, at, shares(size), order_type=OrderType.FAK)

    def fault(self, **rule: Any) -> None:
        """Let something go wrong, in the words of fault plans."""
        self.sandbox.venue.injector.add(rule, self.sandbox.venue.now_ms())
        self.sandbox.venue.faulty = True

    def no_faults(self) -> None:
        self.sandbox.venue.injector.clear()
        self.sandbox.venue.faulty = False

    # -- the venue's own books ----------------------------------------------------------------------------------------

    def open_orders(self) -> dict[str, OpenOrder]:
        return {each.order_id: each for each in self.sandbox.exchange.open_orders(self.owner)}

    def trades(self) -> list[TradeChanged]:
        return self.sandbox.exchange.trades(self.owner)

    def legs(self) -> list[tuple[str, str, int, str]]:
        """Return (trade, order, bucket, status) of every part of a trade that is ours."""
        return [
            (trade.trade_id, leg.order_id, trade.bucket_index, trade.status.value)
            for trade in self.trades()
            for leg in (trade.taker, *trade.makers)
            if leg.owner == self.owner
        ]

    def cash(self) -> int:
        return self.sandbox.exchange.balance(self.account.wallet)[0]

    def positions(self) -> dict[AssetId, Shares]:
        return self.sandbox.exchange.positions(self.account.wallet)

    def struck(self, point: str, fault: str) -> int:
        """Return how often a fault was injected."""
        counts: Mapping[str, int] = self.sandbox.venue.injector.counts()
        return sum(n for name, n in counts.items() if point in name and fault in name)


@contextmanager
def few_certificates(folder: Path) -> Iterator[None]:
    """Let clients know one authority: nothing here speaks TLS, and reading all of them takes most of a test."""
    every, end = Path(certifi.where()).read_text(encoding="utf-8"), "-----END CERTIFICATE-----"
    file = folder / "one-authority.pem"
    file.write_text(every[: every.index(end) + len(end)] + "\n", encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(file))
        yield


@asynccontextmanager
async def live_venue(
    *,
    policy: Policy = QUICK,
    fees: FeeSchedule = NO_FEE,
    kind: WalletKind = WalletKind.EOA,
    tells_finished: bool = False,
) -> AsyncIterator[LiveVenue]:
    """Run a venue without a crowd; by default an order that is over is null there, as users report."""
    no_proxy_for_loopback()
    clock = SecondHand()
    async with Sandbox(seed=5, policy=policy, actors=lambda _: [], collateral=usdc(1_000), clock=clock) as sandbox:
        exchange, account = sandbox.exchange, sandbox.accounts[kind.value]
        market = replace(
            Casting(5, exchange.now_ms).market("rain", "Will it rain?", fees=fees), min_order_size=shares(1)
        )
        exchange.list_market(market, sandbox.venue.now_ms())
        for who in (MAKER, TAKER):
            exchange.fund(who, usdc(100_000))
            for asset_id in market.asset_ids:
                exchange.give_shares(who, asset_id, Shares(shares(100_000)))
            exchange.approve(who, "all", None)
        sandbox.venue.chain.approve_all(account.wallet)
        sandbox.venue.tells_finished = tells_finished
        sandbox.venue.publish()
        yield LiveVenue(sandbox, clock, account, kind, market)
