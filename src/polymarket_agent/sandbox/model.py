"""What crosses the border of the exchange core: requests in, answers and notices out. Plain values, no I/O.

Amounts are whole micro-units, times whole milliseconds. Sizes of orders are what was signed: maker and taker amounts.
The core knows wallets (where balances lie) and api keys (who asks); signatures are checked before it, in `auth.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from polymarket_agent.domain.book import Side
from polymarket_agent.domain.market import AssetId, ConditionId, Market, MarketGroup
from polymarket_agent.domain.money import Price, Shares, Usdc

__all__ = [
    "BookChanged",
    "CancelAnswer",
    "Leg",
    "LegStatus",
    "MarketChanged",
    "Mode",
    "Notice",
    "OpenOrder",
    "OrderChanged",
    "OrderEntry",
    "OrderStatus",
    "OrderType",
    "Placed",
    "Refused",
    "TickChanged",
    "TradeChanged",
    "TradePrinted",
]


class OrderType(Enum):
    """Time in force, in the venue's words."""

    GTC = "GTC"
    GTD = "GTD"
    FOK = "FOK"
    FAK = "FAK"


class OrderStatus(Enum):
    """Where an order stands at the venue."""

    LIVE = "LIVE"
    MATCHED = "MATCHED"
    DELAYED = "DELAYED"
    CANCELED = "CANCELED"
    CANCELED_MARKET_RESOLVED = "CANCELED_MARKET_RESOLVED"
    CANCELED_NOT_ENOUGH_BALANCE = "CANCELED_NOT_ENOUGH_BALANCE"
    CANCELED_EXPIRED_ORDER = "CANCELED_EXPIRED_ORDER"
    INVALID = "INVALID"


class LegStatus(Enum):
    """Settlement of a trade."""

    MATCHED = "MATCHED"
    MINED = "MINED"
    CONFIRMED = "CONFIRMED"
    RETRYING = "RETRYING"
    FAILED = "FAILED"


class Mode(Enum):
    """What the venue accepts."""

    NORMAL = "normal"
    RESTARTING = "restarting"
    POST_ONLY = "post_only"
    CANCEL_ONLY = "cancel_only"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderEntry:
    """A POSTed order, authenticated, its signature recovered and found good.

    `order_id` is the EIP-712 digest of the signed struct. `owner` is the api key that posts; `wallet` is the maker,
    where balances lie; `expires_s` is unix seconds, 0 for none.
    """

    order_id: str
    owner: str
    wallet: str
    signer: str
    signature_type: int
    asset_id: AssetId
    side: Side
    maker_amount: int
    taker_amount: int
    order_type: OrderType
    expires_s: int = 0
    post_only: bool = False
    defer_exec: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """A refusal with the venue's own status and text; `code` and `retry_after_s` where the venue gives them."""

    http_status: int
    error: str
    code: str | None = None
    retry_after_s: int | None = None


@dataclass(frozen=True, slots=True)
class Placed:
    """An accepted order. `status` is live, matched, delayed or unmatched; amounts are what was matched at once."""

    order_id: str
    status: str
    making_amount: int = 0
    taking_amount: int = 0
    trade_ids: tuple[str, ...] = ()
    transaction_hashes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CancelAnswer:
    """Which orders were cancelled, and why the others were not."""

    canceled: tuple[str, ...]
    not_canceled: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenOrder:
    """An order as its owner sees it. `matched` and `original` are micro-shares."""

    order_id: str
    owner: str
    wallet: str
    condition_id: ConditionId
    asset_id: AssetId
    outcome: str
    side: Side
    price: Price
    original: Shares
    matched: Shares
    order_type: OrderType
    status: OrderStatus
    created_ms: int
    expires_s: int = 0
    trade_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """One order's part in a trade: what it got (micro-shares) at which price of its own asset, and its fee."""

    order_id: str
    owner: str
    wallet: str
    asset_id: AssetId
    outcome: str
    side: Side
    price: Price
    quantity: Shares
    fee: Usdc = Usdc(0)
    fee_rate: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeChanged:
    """A trade was matched or moved towards settlement: the taker's leg and the makers'. To the user channel."""

    trade_id: str
    condition_id: ConditionId
    taker: Leg
    makers: tuple[Leg, ...]
    status: LegStatus
    matched_ms: int
    updated_ms: int
    transaction_hash: str
    bucket_index: int = 0


@dataclass(frozen=True, slots=True)
class OrderChanged:
    """PLACEMENT, UPDATE or CANCELLATION of an order. To the user channel."""

    kind: str
    order: OpenOrder
    at_ms: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class BookChanged:
    """Levels of a market changed: (asset, is bid, price, new absolute size), both outcomes mirrored. Market channel."""

    condition_id: ConditionId
    changes: tuple[tuple[AssetId, bool, Price, Shares], ...]
    at_ms: int
    after_trade: bool = False


@dataclass(frozen=True, slots=True)
class TradePrinted:
    """A match, as everybody sees it (last_trade_price). Market channel."""

    condition_id: ConditionId
    asset_id: AssetId
    price: Price
    quantity: Shares
    taker_side: Side
    fee_rate: int
    at_ms: int
    transaction_hash: str


@dataclass(frozen=True, slots=True)
class TickChanged:
    """The price grid of a market changed. Market channel."""

    condition_id: ConditionId
    old: Price
    new: Price
    at_ms: int


@dataclass(frozen=True, slots=True)
class MarketChanged:
    """A market was listed, closed, proposed, disputed or resolved (`kind`). Market channel and listings."""

    kind: str
    market: Market
    group: MarketGroup | None
    at_ms: int


Notice = TradeChanged | OrderChanged | BookChanged | TradePrinted | TickChanged | MarketChanged
