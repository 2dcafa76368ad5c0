"""A venue of one's own for one test: a sandbox without a crowd, a gateway to it, and somebody to trade with.

What somebody else does is handed to the exchange itself, past the wire; what the gateway does goes over the wire.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import certifi

from polymarket_agent.adapters.polymarket.gateways import Urls, build_gateway
from polymarket_agent.clock import SystemClock
from polymarket_agent.domain.levels import Side
from polymarket_agent.domain.market import AssetId, FeeSchedule, Market, ProtocolVersion
from polymarket_agent.domain.money import MICRO, Shares, price, shares, usdc
from polymarket_agent.domain.order import OrderId, TimeInForce
from polymarket_agent.domain.venue import Leg, OrderTicket, SignedOrder, SubmitOutcome, WalletIdentity, WalletKind
from polymarket_agent.keys import Secret
from polymarket_agent.ports import VenueGateway
from polymarket_agent.sandbox.model import OrderEntry, OrderType, Placed
from polymarket_agent.sandbox.policy import Policy
from polymarket_agent.sandbox.scenario_markets import Casting
from polymarket_agent.sandbox.sdk import no_proxy_for_loopback
from polymarket_agent.sandbox.server import Account, Sandbox

__all__ = [
    "BUY",
    "FAK",
    "FOK",
    "GTC",
    "GTD",
    "NOBODYS",
    "QUICK",
    "SELL",
    "GatewayWorld",
    "few_certificates",
    "gateway_world",
    "urls_of",
]

BUY, SELL = Side.BUY, Side.SELL
GTC, GTD, FOK, FAK = TimeInForce.GTC, TimeInForce.GTD, TimeInForce.FOK, TimeInForce.FAK
NOBODYS = OrderId("0x" + "ab" * 32)
SOMEBODY = "0x00000000000000000000000000000000000000A1"
FEES = FeeSchedule(rate=40_000)
QUICK = Policy(salt="gateways", mined_ms=20, settle_ms=60, heartbeat_s=1, heartbeat_check_s=0)
PATIENCE_S = 10.0

T = TypeVar("T")


def urls_of(sandbox: Sandbox) -> Urls:
    names = ("clob", "data", "relayer", "user_ws", "geoblock", "gamma", "market_ws", "rpc")
    return Urls(**{name: sandbox.urls[f"{name}_url"] for name in names})


@dataclass
class GatewayWorld:
    """`yes` and `no` are the outcomes of `market`, which has fees; `neg_risk` and `second` are its like."""

    sandbox: Sandbox
    gateway: VenueGateway
    client: str
    account: Account
    market: Market
    neg_risk: Market
    second: Market
    _serial: Any = field(default_factory=lambda: count(1))

    @property
    def yes(self) -> AssetId:
        return self.market.asset_ids[0]

    @property
    def no(self) -> AssetId:
        return self.market.asset_ids[1]

    def ticket(
        self,
        side: Side,
        quantity: str,
        at: str,
        *,
        asset_id: AssetId | None = None,
        market: Market | None = None,
        **more: Any,
    ) -> OrderTicket:
        """Build a ticket whose amounts are exact."""
        market = market or self.market
        wanted, limit = shares(quantity), price(at)
        collateral = wanted * limit // MICRO
        return OrderTicket(
            condition_id=market.condition_id,
            asset_id=asset_id or market.asset_ids[0],
            side=side,
            price=limit,
            quantity=wanted,
            maker_amount=collateral if side is BUY else wanted,
            taker_amount=wanted if side is BUY else collateral,
            neg_risk=market.neg_risk,
            **more,
        )

    def signed(self, side: Side, quantity: str, at: str, **more: Any) -> SignedOrder:
        ticket = self.ticket(side, quantity, at, **more)
        return self.gateway.sign(ticket, salt=next(self._serial), timestamp_ms=SystemClock().now_ms())

    async def send(self, side: Side, quantity: str, at: str, **more: Any) -> tuple[SignedOrder, SubmitOutcome]:
        order = self.signed(side, quantity, at, **more)
        return order, await self.gateway.submit(order)

    def offer(self, side: Side, quantity: str, at: str, *, asset_id: AssetId | None = None) -> str:
        """Let somebody else place a resting order, or take; return its id."""
        wanted, limit = shares(quantity), price(at)
        collateral = wanted * limit // MICRO
        order_id = f"0x{next(self._serial):064x}"
        answer = self.sandbox.exchange.place(
            OrderEntry(
                order_id=order_id,
                owner="somebody",
                wallet=SOMEBODY,
                signer=SOMEBODY,
                signature_type=0,
                asset_id=asset_id or self.yes,
                side=side,
                maker_amount=collateral if side is BUY else wanted,
                taker_amount=wanted if side is BUY else collateral,
                order_type=OrderType.GTC,
            ),
            self.sandbox.venue.now_ms(),
        )
        assert isinstance(answer, Placed), answer
        self.sandbox.venue.publish()
        return order_id

    def fault(self, **rule: Any) -> None:
        self.sandbox.venue.injector.add(rule, self.sandbox.venue.now_ms())
        self.sandbox.venue.faulty = True

    @property
    def api_key(self) -> str:
        return str(self.sandbox.venue.keyring.list_keys(self.account.address)[0])

    def cash(self) -> int:
        """Return what the wallet has on the chain."""
        return self.sandbox.exchange.balance(self.account.wallet)[0]

    def held(self, asset_id: AssetId) -> int:
        return self.sandbox.exchange.balance(self.account.wallet, asset_id)[0]

    async def settled(self) -> None:
        """Wait until every trade of ours is final on the exchange."""

        def final() -> bool:
            self.sandbox.venue.turn()
            trades = self.sandbox.exchange.trades(self.api_key)
            return all(each.status.value in ("CONFIRMED", "FAILED") for each in trades)

        await self.until(final)

    async def until(self, look: Callable[[], T]) -> T:
        """Look until something is there, and return it."""
        loop = asyncio.get_running_loop()
        ends = loop.time() + PATIENCE_S
        while not (found := look()):
            assert loop.time() < ends, "it did not happen in time"
            await asyncio.sleep(0.01)
        return found

    async def leg_of(self, order_id: str) -> Leg:
        """Return the one leg of an order."""
        (leg,) = [each for each in await self.gateway.legs(0) if each.order_id == order_id]
        return leg


def few_certificates(folder: Path) -> str:
    """Write a file with one authority and return its name: nothing here speaks TLS, and reading all takes most of a test."""
    every = Path(certifi.where()).read_text(encoding="utf-8")
    end = "-----END CERTIFICATE-----"
    file = folder / "one-authority.pem"
    file.write_text(
        every[every.index("-----BEGIN CERTIFICATE-----") : every.index(end) + len(end)] + "\n", encoding="utf-8"
    )
    return str(file)


@asynccontextmanager
async def gateway_world(
    client: str,
    kind: WalletKind = WalletKind.EOA,
    *,
    policy: Policy = QUICK,
    connect: bool = True,
) -> AsyncIterator[GatewayWorld]:
    """Run a venue with three markets, and a gateway of one client to it."""
    no_proxy_for_loopback()
    async with Sandbox(seed=5, policy=policy, actors=lambda _: []) as sandbox:
        account = sandbox.accounts[kind.value]
        casting = Casting(5, sandbox.exchange.now_ms)
        group = (casting.group_id("who"), "Ann")
        world = GatewayWorld(
            sandbox=sandbox,
            gateway=build_gateway(
                client,
                urls_of(sandbox),
                Secret(account.private_key),
                WalletIdentity(signer=account.address, wallet=account.wallet, kind=kind),
                SystemClock(),
            ),
            client=client,
            account=account,
            market=casting.market("rain", "Will it rain?", fees=FEES),
            neg_risk=casting.market("who-ann", "Will Ann win?", neg_risk=True, group=group, fees=FEES),
            second=casting.market("second", "Will it work?", version=ProtocolVersion.V2, fees=FEES),
        )
        for market in (world.market, world.neg_risk, world.second):
            sandbox.exchange.list_market(market, sandbox.venue.now_ms())
            for asset_id in market.asset_ids:
                sandbox.exchange.give_shares(account.wallet, asset_id, Shares(shares("1000")))
                sandbox.exchange.give_shares(SOMEBODY, asset_id, Shares(shares("10000")))
        sandbox.venue.tells_finished = False  # null, as users report
        sandbox.exchange.fund(SOMEBODY, usdc("10000"))
        sandbox.exchange.approve(SOMEBODY, "all", None)
        sandbox.venue.chain.approve_all(account.wallet)
        sandbox.venue.publish()
        try:
            if connect:
                await world.gateway.connect()
            yield world
        finally:
            await world.gateway.aclose()
