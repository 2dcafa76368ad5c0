"""Markets: what can be traded, in which steps, at which fee, and how it ends.

An outcome's `asset_id` is an opaque decimal string. A market carries the protocol version that says which
kind of id it is: `v1` ids are CTF token ids, `v2` ids are position ids of the second protocol.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import NewType

from polymarket_agent.domain.money import MICRO, Price, Shares, Usdc, ceil_div
from polymarket_agent.errors import VenueDataError

__all__ = [
    "NO_FEE",
    "TICK_SIZES",
    "AssetId",
    "ConditionId",
    "FeeSchedule",
    "Market",
    "MarketGroup",
    "MarketState",
    "Outcome",
    "ProtocolVersion",
    "is_position_id",
    "most_taker_fee",
    "position_id_fields",
    "running_fee",
    "taker_fee",
]

AssetId = NewType("AssetId", str)
ConditionId = NewType("ConditionId", str)

# The venue's closed set of price grids: 0.1, 0.01, 0.005, 0.0025, 0.001, 0.0001.
TICK_SIZES: tuple[Price, ...] = tuple(Price(t) for t in (100_000, 10_000, 5_000, 2_500, 1_000, 100))

_FEE_UNIT = 10  # fees are whole 0.00001 USDC
_RESERVED_BITS = ((1 << 64) - 1) << 40


class ProtocolVersion(Enum):
    """Which contracts a market settles on, and so which ids it has."""

    V1 = "v1"
    V2 = "v2"


class MarketState(Enum):
    """The life of a market. `CLOSED` has stopped trading and has no answer yet."""

    OPEN = "open"
    CLOSED = "closed"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class FeeSchedule:
    """What takers pay, and makers too unless `taker_only`.

    `rate` is in millionths (0.05 is 50_000); `exponent` shapes the curve. Rebates to makers are not counted on.

    Raises:
        VenueDataError: a rate outside [0, 1] or an exponent outside 0..4.
    """

    rate: int
    exponent: int = 1
    taker_only: bool = True
    rebate_rate: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.rate <= MICRO or not 0 <= self.rebate_rate <= MICRO:
            raise VenueDataError(f"a fee rate of {self.rate / MICRO} is outside 0 to 1")
        if not 0 <= self.exponent <= 4:
            raise VenueDataError(f"a fee exponent of {self.exponent} is outside 0 to 4")


NO_FEE = FeeSchedule(rate=0)


def taker_fee(at: Price, quantity: Shares, schedule: FeeSchedule) -> Usdc:
    """Return the venue's fee for taking `quantity` at a price, in micro-USDC.

    fee = quantity * rate * (price * (1 - price)) ** exponent, rounded up to 0.00001 USDC because the venue
    does not document its rounding and we never flatter ourselves; largest at price 0.5.

    Source: venue documentation, "Fees"; recorded examples in tests/protocol.
    """
    if not schedule.rate or not quantity:
        return Usdc(0)
    return running_fee(((at, quantity),), schedule)


def running_fee(parts: Iterable[tuple[int, int]], schedule: FeeSchedule) -> Usdc:
    """Return the fee of several (price, quantity) of one order, rounded up once for all of them, in micro-USDC."""
    exponent = schedule.exponent
    numerator = sum(quantity * (at * (MICRO - at)) ** exponent for at, quantity in parts) * schedule.rate
    return Usdc(ceil_div(numerator, MICRO ** (1 + 2 * exponent) * _FEE_UNIT) * _FEE_UNIT)


def most_taker_fee(amount: Usdc, quantity: Shares, schedule: FeeSchedule) -> Usdc:
    """Return the highest fee that buying `quantity` for at most `amount` can have, in micro-USDC.

    For a curve of exponent 1 or more no price within the limit gives a higher fee than `amount * rate`, also when
    a better price gives more shares for the amount. Rounded up to the fee's unit, as the fee itself is.
    """
    base: int = amount if schedule.exponent else quantity
    return Usdc(ceil_div(base * schedule.rate, MICRO * _FEE_UNIT) * _FEE_UNIT)


@dataclass(frozen=True, slots=True)
class Outcome:
    """One answer of a market and its tradable claim, which pays 1 USDC a share if right."""

    asset_id: AssetId
    label: str


@dataclass(frozen=True, slots=True)
class Market:
    """One question with two outcomes.

    `min_order_size` is in micro-shares. `payouts` is micro-USDC a share for each outcome, in the order of
    `outcomes`; only a resolved market has it, and 50/50 is (500000, 500000). `group_item` is the label that
    tells this market from its siblings ("March 31", "25 bps decrease").
    """

    condition_id: ConditionId
    question: str
    outcomes: tuple[Outcome, Outcome]
    tick_size: Price = Price(10_000)
    min_order_size: Shares = Shares(5_000_000)
    fees: FeeSchedule = NO_FEE
    fees_assumed: bool = False
    neg_risk: bool = False
    version: ProtocolVersion = ProtocolVersion.V1
    state: MarketState = MarketState.OPEN
    accepting_orders: bool = True
    slug: str = ""
    group_id: str | None = None
    group_item: str = ""
    end_at_ms: int | None = None
    payouts: tuple[int, int] | None = None
    volume: Usdc = Usdc(0)
    liquidity: Usdc = Usdc(0)

    def __post_init__(self) -> None:
        if self.tick_size not in TICK_SIZES:
            raise VenueDataError(f"market {self.condition_id}: the venue has no tick size of {self.tick_size / MICRO}")
        first, second = self.outcomes
        if first.asset_id == second.asset_id:
            raise VenueDataError(f"market {self.condition_id} lists the same asset twice", excerpt=first.asset_id)
        if (self.payouts is not None) != (self.state is MarketState.RESOLVED):
            raise VenueDataError(f"market {self.condition_id}: payouts are known exactly when it is resolved")
        if self.payouts is not None and (sum(self.payouts) != MICRO or min(self.payouts) < 0):
            raise VenueDataError(f"market {self.condition_id}: payouts {self.payouts} do not share out 1 USDC")

    @property
    def tradable(self) -> bool:
        """Whether the venue takes new orders here."""
        return self.state is MarketState.OPEN and self.accepting_orders

    @property
    def asset_ids(self) -> tuple[AssetId, AssetId]:
        """The two claims, in the order of the outcomes."""
        return self.outcomes[0].asset_id, self.outcomes[1].asset_id

    def index_of(self, asset_id: AssetId) -> int:
        """Return 0 for the first outcome's claim and 1 for the second's.

        Raises:
            VenueDataError: it is no claim of this market; the other outcome's price or payout would be a guess.
        """
        if asset_id == self.outcomes[0].asset_id:
            return 0
        if asset_id == self.outcomes[1].asset_id:
            return 1
        raise VenueDataError(f"market {self.condition_id} has no such asset", excerpt=asset_id)

    def complement_of(self, asset_id: AssetId) -> AssetId:
        """Return the other outcome's claim."""
        return self.outcomes[1 - self.index_of(asset_id)].asset_id

    def label_of(self, asset_id: AssetId) -> str:
        """Return the outcome's name for a claim of this market."""
        return self.outcomes[self.index_of(asset_id)].label

    def payout_of(self, asset_id: AssetId) -> int | None:
        """Return micro-USDC a share of a claim, or None while unresolved."""
        return None if self.payouts is None else self.payouts[self.index_of(asset_id)]

    def resolved(self, payouts: tuple[int, int]) -> Market:
        """Return this market with its answer."""
        return replace(self, state=MarketState.RESOLVED, accepting_orders=False, payouts=payouts)


@dataclass(frozen=True, slots=True)
class MarketGroup:
    """The markets of one Polymarket "event". With `neg_risk`, at most one of them resolves yes.

    `complete` says that the listed markets cover every answer that can still happen; an augmented event can
    gain outcomes, so holding one share of each is then no guarantee.
    """

    group_id: str
    title: str
    neg_risk: bool
    markets: tuple[ConditionId, ...]
    complete: bool = False
    slug: str = ""

    @classmethod
    def of(
        cls, group_id: str, title: str, markets: Iterable[Market], *, neg_risk: bool, complete: bool = False
    ) -> MarketGroup:
        """Build a group from markets, keeping their order."""
        ids: Sequence[ConditionId] = tuple(market.condition_id for market in markets)
        return cls(group_id, title, neg_risk, tuple(ids), complete)


def is_position_id(asset_id: str) -> bool:
    """Whether a decimal id is a position id of the second protocol: its 64 reserved bits (40 to 103) are zero.

    Source: the official client's own rule for choosing the signing domain.
    """
    return asset_id.isascii() and asset_id.isdigit() and not int(asset_id) & _RESERVED_BITS


def position_id_fields(asset_id: AssetId) -> dict[str, int]:
    """Split a v2 position id into its fields.

    Layout, high to low: module 8 | base hash 128 | arity 16 | reserved 64 | resolution chain 16 |
    condition index 16 | outcome index 8.

    Raises:
        VenueDataError: not a position id.
    """
    if not is_position_id(asset_id):
        raise VenueDataError("not a v2 position id: its reserved bits are not zero", excerpt=asset_id)
    value = int(asset_id)
    return {
        "module": value >> 248,
        "base_hash": value >> 120 & (1 << 128) - 1,
        "arity": value >> 104 & 0xFFFF,
        "resolution_chain": value >> 24 & 0xFFFF,
        "condition_index": value >> 8 & 0xFFFF,
        "outcome_index": value & 0xFF,
    }
