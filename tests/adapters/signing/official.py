"""Orders as the official client makes them, through its public methods and without a network, for our own to equal."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from random import Random
from types import SimpleNamespace
from typing import Any
from unittest import mock

from polymarket_agent.adapters.polymarket.wallets import address_of, addresses_of
from polymarket_agent.domain.levels import Side
from polymarket_agent.domain.market import AssetId, ConditionId
from polymarket_agent.domain.money import MICRO, Price, Shares, decimal_text
from polymarket_agent.domain.order import TimeInForce
from polymarket_agent.domain.venue import OrderTicket, WalletIdentity, WalletKind
from polymarket_agent.keys import Secret, parse_private_key

_KINDS = {
    WalletKind.EOA: "EOA",
    WalletKind.PROXY: "POLY_PROXY",
    WalletKind.SAFE: "GNOSIS_SAFE",
    WalletKind.DEPOSIT: "DEPOSIT_WALLET",
}
_TICKS = tuple(Decimal(tick) for tick in ("0.1", "0.01", "0.005", "0.0025", "0.001", "0.0001"))
_MARKET_TICKS = _TICKS[:2]  # on finer ones the client makes a market BUY that the venue refuses
_RESERVED = ((1 << 64) - 1) << 40
OWNER = "9180014b-33c8-9240-a14b-bdca11c0a465"


@dataclass(frozen=True)
class Wanted:
    """One order in words that both sides are told."""

    asset_id: str
    neg_risk: bool
    side: Side
    tick: Decimal
    price: Decimal
    quantity: Decimal  # shares, and dollars for a market BUY
    time_in_force: TimeInForce
    post_only: bool
    expires_s: int
    salt: int
    timestamp_ms: int

    @property
    def market_buy(self) -> bool:
        return self.side is Side.BUY and not self.time_in_force.rests


class Official:
    """The client's own `create_limit_order` and `create_market_order` for one wallet, market details filled in."""

    def __init__(self, key: Secret, identity: WalletIdentity, *, session: bool = False) -> None:
        import polymarket
        from eth_account import Account
        from polymarket._internal.actions.orders import market_data
        from polymarket._internal.actions.orders import orders as drawn

        self._drawn = drawn
        self._market_data = market_data
        self._market: Any = None
        context: Any = SimpleNamespace(
            environment_config=polymarket.PRODUCTION._config,
            order_metadata=SimpleNamespace(
                resolve_market=lambda *_, **__: self._market, fetch_current_market=lambda *_, **__: self._market
            ),
            signer=Account.from_key(key.reveal()),
            signer_type="SESSION_KEY" if session else "OWNER",
            wallet=identity.wallet,
            wallet_type=_KINDS[identity.kind],
        )
        self.client: Any = polymarket.SecureClient.__new__(polymarket.SecureClient)
        self.client._ended = False
        self.client._ctx = context

    def market(self, *, tick: Decimal, neg_risk: bool) -> None:
        """Let the client know a market as if it had asked before."""
        fees = self._market_data.PlatformFeeInfo(rate=Decimal(0), exponent=Decimal(1))
        self._market = self._market_data.MarketInfo(
            fee_info=fees, neg_risk=neg_risk, tick_size=tick, token_ids=frozenset()
        )

    def order(self, wanted: Wanted) -> Any:
        """Return the client's signed order for the same salt and time."""
        self.market(tick=wanted.tick, neg_risk=wanted.neg_risk)
        with (
            mock.patch.object(self._drawn, "_generate_salt", return_value=wanted.salt),
            mock.patch.object(self._drawn, "_current_timestamp_ms", return_value=wanted.timestamp_ms),
        ):
            if wanted.time_in_force.rests:
                return self.client.create_limit_order(
                    token_id=wanted.asset_id,
                    price=wanted.price,
                    size=wanted.quantity,
                    side=wanted.side.name,
                    post_only=wanted.post_only,
                    expiration=wanted.expires_s or None,
                )
            amounts: dict[str, Any] = (
                {"amount": wanted.quantity, "max_price": wanted.price}
                if wanted.side is Side.BUY
                else {"shares": wanted.quantity, "min_price": wanted.price}
            )
            return self.client.create_market_order(
                token_id=wanted.asset_id, side=wanted.side.name, order_type=wanted.time_in_force.value, **amounts
            )


def official_body(order: Any, owner: str = OWNER) -> bytes:
    """Return the bytes that the client's transport makes of its own payload."""
    from polymarket._internal.actions.orders.post import build_post_order_request

    return json.dumps(build_post_order_request(order, owner_api_key=owner)[1], separators=(",", ":")).encode()


def identities(key: Secret) -> list[tuple[WalletIdentity, bool]]:
    """Return every wallet that a key can trade for, each with whether it does so as a session key."""
    known = addresses_of(address_of(key))
    stranger = addresses_of(known.proxy).deposit
    wallets = [
        (known.eoa, WalletKind.EOA, False),
        (known.proxy, WalletKind.PROXY, False),
        (known.safe, WalletKind.SAFE, False),
        (known.deposit, WalletKind.DEPOSIT, False),
        (known.deposit_uups, WalletKind.DEPOSIT, False),
        (stranger, WalletKind.DEPOSIT, True),
    ]
    return [(WalletIdentity(signer=known.eoa, wallet=at, kind=kind), session) for at, kind, session in wallets]


def random_key(random: Random) -> Secret:
    return parse_private_key(f"{random.randrange(1, 1 << 255):064x}", "a test")


def random_wanted(random: Random) -> Wanted:
    """Return an order that the client would make: any exchange, side, kind, tick size and price on it."""
    time_in_force, side = random.choice(list(TimeInForce)), random.choice(list(Side))
    tick = random.choice(_TICKS if time_in_force.rests or side is Side.SELL else _MARKET_TICKS)
    price = tick * random.randrange(1, int(1 / tick))
    token = random.getrandbits(256) | 1 << 255
    position = random.random() < 1 / 3
    rests = time_in_force.rests
    return Wanted(
        asset_id=str(token & ~_RESERVED if position else token | 1 << 50),
        neg_risk=random.random() < 0.5,
        side=side,
        tick=tick,
        price=price,
        quantity=Decimal(random.randrange(1, 10 ** random.randrange(1, 9))).scaleb(-2),
        time_in_force=time_in_force,
        post_only=rests and random.random() < 0.3,
        expires_s=random.randrange(4_000_000_000, 5_000_000_000) if time_in_force is TimeInForce.GTD else 0,
        salt=random.getrandbits(53),
        timestamp_ms=random.randrange(1_700_000_000_000, 1_900_000_000_000),
    )


def ticket_of(wanted: Wanted) -> OrderTicket:
    """Return the same order in exact integers, worked out here from price and quantity."""
    at, quantity = int(wanted.price * MICRO), int(wanted.quantity * MICRO)
    if wanted.market_buy:
        decimals = 1000 if wanted.tick == Decimal("0.1") else 100
        gives, quantity = quantity, quantity * MICRO // at // decimals * decimals
        wants = quantity
    else:
        money = int(wanted.price * wanted.quantity * MICRO)
        assert money == wanted.price * wanted.quantity * MICRO, decimal_text(at)
        gives, wants = (money, quantity) if wanted.side is Side.BUY else (quantity, money)
    return OrderTicket(
        condition_id=ConditionId("0x01"),
        asset_id=AssetId(wanted.asset_id),
        side=wanted.side,
        price=Price(at),
        quantity=Shares(quantity),
        maker_amount=gives,
        taker_amount=wants,
        neg_risk=wanted.neg_risk,
        time_in_force=wanted.time_in_force,
        post_only=wanted.post_only,
        expires_s=wanted.expires_s,
    )


def pairs(random: Random, count: int) -> Iterator[tuple[Wanted, WalletIdentity, bool, Secret, Any]]:
    """Yield orders that the client agreed to sign, round the wallets of a few keys, with what it signed."""
    from polymarket.errors import UserInputError

    signers = [
        (identity, session, key, Official(key, identity, session=session))
        for key in (random_key(random) for _ in range(3))
        for identity, session in identities(key)
    ]
    done = 0
    while done < count:
        wanted = random_wanted(random)
        identity, session, key, official = signers[done % len(signers)]
        # A market BUY too small for its price is refused by the client; another is drawn.
        with contextlib.suppress(UserInputError):
            order = official.order(wanted)
            done += 1
            yield wanted, identity, session, key, order
