"""The markets of the sandbox: their ids in both protocols' layouts, their words, and where they are heading.

A `Listing` is all that listing a market takes. Ids are made from the scenario's seed, so two seeds share none.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from polymarket_agent.domain.market import (
    NO_FEE,
    AssetId,
    ConditionId,
    FeeSchedule,
    Market,
    MarketGroup,
    Outcome,
    ProtocolVersion,
)
from polymarket_agent.domain.money import price, shares
from polymarket_agent.sandbox.fair_value import FairPath, Score, UpOrDown

__all__ = [
    "CRYPTO",
    "CULTURE",
    "POLITICS",
    "SPORTS",
    "Casting",
    "Listing",
    "condition_id_of",
    "position_id",
    "token_id",
]

POLITICS = FeeSchedule(rate=40_000, rebate_rate=250_000)
CULTURE = FeeSchedule(rate=50_000, rebate_rate=250_000)
SPORTS = FeeSchedule(rate=50_000, rebate_rate=150_000)
CRYPTO = FeeSchedule(rate=70_000, rebate_rate=200_000)

_BINARY, _NEG_RISK = 1, 2  # modules of the second protocol
_RESOLUTION_CHAIN = 137
_BITS_OF_V1 = ((1 << 64) - 1) << 40
_UPPER_248 = ((1 << 248) - 1) << 8
_YES_NO = ("Yes", "No")


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A market as it is listed, and the fair price that the crowd trades around.

    `activity` is how often this market is traded, against 1 for an ordinary one. `half_spread` is the distance of
    the best quotes from the fair price at 0.5, in micro-USDC; `depth` the shares at the best level.
    """

    market: Market
    path: FairPath
    seconds_delay: int = 0
    taker_delay: bool = False
    description: str = ""
    tags: tuple[str, ...] = ()
    activity: float = 1.0
    half_spread: int = 10_000
    depth: int = 200


def _hash(*words: str | int) -> int:
    return int.from_bytes(hashlib.sha256("/".join(map(str, words)).encode()).digest())


def token_id(*words: str | int) -> AssetId:
    """Return an id of the first protocol: 256 bits of hash, and never without any of bits 40 to 103."""
    value = _hash("token", *words)
    return AssetId(str(value if value & _BITS_OF_V1 else value | 1 << 64))


def position_id(base: int, *, neg_risk: bool = False, arity: int = 2, condition: int = 0, outcome: int = 0) -> AssetId:
    """Return a position id of the second protocol.

    Layout, high to low: module 8 | base hash 128 | arity 16 | reserved 64 (zero) | resolution chain 16 |
    condition index 16 | outcome index 8.
    """
    module = _NEG_RISK if neg_risk else _BINARY
    value = module << 248 | (base & (1 << 128) - 1) << 120 | arity << 104
    return AssetId(str(value | _RESOLUTION_CHAIN << 24 | condition << 8 | outcome))


def condition_id_of(position: AssetId) -> ConditionId:
    """Return a v2 market's condition: the position id without its outcome, as 32 bytes."""
    return ConditionId(f"0x{int(position) & _UPPER_248:064x}")


class Casting:
    """Makes the listings of one scenario; the same seed makes the same ids and paths."""

    def __init__(self, seed: int, start_ms: int) -> None:
        self.seed = seed
        self.start_ms = start_ms

    def score(self, key: str, course: tuple[tuple[float, float], ...], **shape: float) -> Score:
        """Return a score of its own for a market or a group."""
        return Score(f"{self.seed}/{key}/score", self.start_ms, course, **shape)

    def market(  # noqa: PLR0913 - a line of the cast
        self,
        key: str,
        question: str,
        *,
        labels: tuple[str, str] = _YES_NO,
        version: ProtocolVersion = ProtocolVersion.V1,
        fees: FeeSchedule = NO_FEE,
        tick: str = "0.01",
        ends_s: float = 30 * 86_400,
        neg_risk: bool = False,
        group: tuple[str, str] | None = None,
        member: tuple[int, int] = (0, 2),
    ) -> Market:
        """Return a market; `group` is (id, label of this one), `member` its index and count in a v2 neg-risk group."""
        if version is ProtocolVersion.V2:
            family = group[0] if neg_risk and group else key
            base, (index, count) = _hash("base", self.seed, family), member
            arity = count if neg_risk else 2
            ids = [
                position_id(base, neg_risk=neg_risk, arity=arity, condition=index, outcome=outcome)
                for outcome in (0, 1)
            ]
            condition = condition_id_of(ids[0])
        else:
            ids = [token_id(self.seed, key, outcome) for outcome in (0, 1)]
            condition = ConditionId(f"0x{_hash('condition', self.seed, key):064x}")
        return Market(
            condition_id=condition,
            question=question,
            slug=key,
            outcomes=(Outcome(ids[0], labels[0]), Outcome(ids[1], labels[1])),
            tick_size=price(tick),
            min_order_size=shares(5),
            fees=fees,
            neg_risk=neg_risk,
            version=version,
            group_id=group[0] if group else None,
            group_item=group[1] if group else "",
            end_at_ms=self.start_ms + int(ends_s * 1_000),
        )

    def group_id(self, key: str) -> str:
        """Return the number that names a group, as the venue's ids are numbers."""
        return str(100_000 + _hash("group", self.seed, key) % 900_000)

    def up_or_down(self, number: int, period_ms: int) -> tuple[Listing, tuple[int, int], MarketGroup]:
        """Return the n-th market of a repeating up-or-down series, how it will resolve, and its group of one."""
        opens_ms = self.start_ms + number * period_ms
        path = UpOrDown(f"{self.seed}/up-or-down/{number}", opens_ms, period_ms)
        opens, ends = (_clock(at_ms) for at_ms in (opens_ms, opens_ms + period_ms))
        key = f"btc-updown-{period_ms // 60_000 or 1}m-{opens_ms // 1_000}"
        title = f"Bitcoin Up or Down, {opens} to {ends} UTC"
        market = self.market(
            key,
            title,
            labels=("Up", "Down"),
            version=ProtocolVersion.V2,
            fees=CRYPTO,
            ends_s=(number + 1) * period_ms / 1_000,
            group=(self.group_id(key), ""),
        )
        listing = Listing(
            market=market,
            path=path,
            taker_delay=True,
            description="Resolves to Up if the walk ends at or above where it began, else to Down.",
            tags=("Crypto", "Recurring"),
            activity=2.0,
        )
        payouts = (1_000_000, 0) if path.up else (0, 1_000_000)
        return listing, payouts, MarketGroup.of(self.group_id(key), title, [market], neg_risk=False, complete=True)


def _clock(at_ms: int) -> str:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at_ms)).strftime("%b %d %H:%M:%S")
