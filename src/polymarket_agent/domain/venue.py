"""What is said to the venue and what it says back about our orders, in our own words.

Nothing here knows a wire format. Texts that the venue wrote are data: they are stored and shown, never followed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from polymarket_agent.domain.levels import Side
from polymarket_agent.domain.market import AssetId, ConditionId, FeeSchedule, running_fee
from polymarket_agent.domain.money import MICRO, Price, Shares, Usdc, ceil_div
from polymarket_agent.domain.order import OrderId, SettlementStatus, TimeInForce

__all__ = [
    "AccountFlags",
    "Answer",
    "Balances",
    "CancelOutcome",
    "HeldPosition",
    "Leg",
    "OrderSnapshot",
    "OrderTicket",
    "SignedOrder",
    "SubmitOutcome",
    "VenueFacts",
    "VenueMode",
    "WalletIdentity",
    "WalletKind",
    "leg_charges",
]


class WalletKind(Enum):
    """Who holds the money; the value is the venue's signature type."""

    EOA = 0
    PROXY = 1
    SAFE = 2
    DEPOSIT = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class WalletIdentity:
    """Addresses, checksummed: `signer` belongs to the key, `wallet` holds the money and is the maker of orders."""

    signer: str
    wallet: str
    kind: WalletKind


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderTicket:
    """An order in the exact integers that are to be signed.

    `maker_amount` is what is given and `taker_amount` what is wanted, in micro-USDC and micro-shares. `expires_s` is
    what the venue is told (0 for none); it lets an order go a minute before. Not signed: time in force, expiration and
    post-only.
    """

    condition_id: ConditionId
    asset_id: AssetId
    side: Side
    price: Price
    quantity: Shares
    maker_amount: int
    taker_amount: int
    neg_risk: bool
    time_in_force: TimeInForce = TimeInForce.GTC
    post_only: bool = False
    expires_s: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedOrder:
    """A ticket with its signature. `order_id` is the EIP-712 digest of the signed struct, 0x and 64 hex digits.

    The signature is a bearer instrument: it is not shown, and the journal does not keep it (signing the same fields
    again gives the same bytes).
    """

    ticket: OrderTicket
    order_id: OrderId
    salt: int
    maker: str
    signer: str
    signature_type: int
    timestamp_ms: int
    domain: str  # "v2_standard", "v2_negrisk" or "v3"
    signature: str = field(repr=False)


class VenueMode(Enum):
    """What the venue takes at the moment."""

    NORMAL = "normal"
    RESTARTING = "restarting"
    POST_ONLY = "post_only"
    CANCEL_ONLY = "cancel_only"
    DISABLED = "disabled"


class Answer(Enum):
    """What the answer to a POST proves. What is not on the list of exact answers is `UNKNOWN`."""

    ACCEPTED = "accepted"
    ACCEPTED_DELAYED = "accepted, delayed"
    DUPLICATE = "duplicate"  # these bytes arrived before
    REFUSED = "refused for ever"  # true of the bytes
    REFUSED_NOW = "not now"  # true of the moment; another copy may fare better
    NOT_SENT = "not sent"  # no byte left, as the transport reports
    WRONG_ID = "another order id"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitOutcome:
    """The answer to one POST. `text` is the venue's, cut and without anything secret; `status` its word for an order."""

    answer: Answer
    text: str = ""
    http_status: int = 0
    status: str = ""
    order_id: str = ""  # as the venue says, "" when it did not
    retry_after_s: float | None = None
    mode: VenueMode | None = None  # when the answer shows one


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelOutcome:
    """What a cancel was answered. Being cancelled proves nothing about what was matched before."""

    canceled: tuple[OrderId, ...] = ()
    not_canceled: Mapping[OrderId, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderSnapshot:
    """An order as the venue lists or reports it.

    `status` is its word, upper case; `active` says whether it may still match (live, delayed). `matched` is None where
    the message does not say (a killed order has an empty size).
    """

    order_id: OrderId
    condition_id: ConditionId
    asset_id: AssetId
    side: Side
    price: Price
    quantity: Shares
    matched: Shares | None
    status: str
    active: bool
    created_s: int = 0
    expires_s: int = 0
    time_in_force: str = ""
    maker: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """The part of a trade that belongs to one of our orders; key (trade_id, order_id, bucket).

    `parts` are (price in terms of our asset, quantity): one for a maker, one for each maker met by a taker. `raw` is
    the venue's message as evidence, one line of JSON.
    """

    trade_id: str
    order_id: OrderId
    bucket: int
    condition_id: ConditionId
    asset_id: AssetId
    side: Side
    is_maker: bool
    quantity: Shares
    price: Price
    parts: tuple[tuple[Price, Shares], ...]
    status: SettlementStatus
    matched_ms: int
    updated_ms: int = 0
    known_status: bool = True  # False: the venue used a word that we do not know; it counts as MATCHED
    raw: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Balances:
    """What the venue believes the wallet has, in base units. `allowances` by spender, for the collateral."""

    cash: Usdc
    shares: Mapping[AssetId, Shares] = field(default_factory=dict)
    allowances: Mapping[str, int] = field(default_factory=dict)
    share_allowances: Mapping[AssetId, Mapping[str, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldPosition:
    """Shares as the venue's data service lists them; `cost` is what they cost with fees, micro-USDC."""

    asset_id: AssetId
    condition_id: ConditionId
    quantity: Shares
    cost: Usdc
    redeemable: bool = False
    mergeable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountFlags:
    """What the venue allows this account and this place. `country` is its own word, "" when it did not say."""

    closed_only: bool
    blocked: bool
    country: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueFacts:
    """What was read from the venue when the gateway connected."""

    order_version: int
    server_ms: int
    asked_ms: int  # our clock in the middle of the question
    api_key_id: str  # not secret; tells keys apart


def leg_charges(leg: Leg, fees: FeeSchedule) -> tuple[Usdc, Usdc]:
    """Return (notional, fee) of a leg in micro-USDC, as the exchange contract rounds them.

    A resting order gives a whole number of base units for what it gets, so a resting buy pays the ceiling and a resting
    sale gets the floor; the rest is the taker's. The fee is the taker's, rounded up to 0.00001 once a trade.

    Source: ../shared/spec/polymarket-wire.md, sections 7.2 and 7.5.
    """
    up = (leg.side is Side.BUY) is leg.is_maker
    notional = sum(ceil_div(at * quantity, MICRO) if up else at * quantity // MICRO for at, quantity in leg.parts)
    if leg.is_maker and fees.taker_only:
        return Usdc(notional), Usdc(0)
    fee: int = running_fee(leg.parts, fees) if fees.rate else 0
    return Usdc(notional), Usdc(min(fee, notional) if leg.side is Side.SELL else fee)
