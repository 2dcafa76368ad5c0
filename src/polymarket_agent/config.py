"""The configuration: one YAML file plus environment overrides, read once, strictly, and frozen.

Plain scalars are read as text and turned into exact values by the type of their key, so `1e999`, `.inf`, `0x10`,
`1_000` and `yes` mean nothing by accident. An absent risk limit is the smallest one, not none.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Any

from pydantic import Field, field_validator

from polymarket_agent.config_values import (
    IDENTIFIER,
    MOST,
    ONE,
    Amount,
    FileName,
    FileNameOrNone,
    Flag,
    Fraction,
    Section,
    Url,
    Whole,
    is_amount,
    is_number,
    to_plain,
)
from polymarket_agent.domain.money import Usdc

__all__ = [
    "AggregationConfig",
    "Config",
    "FeedConfig",
    "FeedSource",
    "LiveClient",
    "LiveConfig",
    "Mode",
    "PaperConfig",
    "RiskConfig",
    "SizingConfig",
    "SizingMethod",
    "StrategyConfig",
    "is_amount",
    "is_number",
    "to_plain",
]


class Mode(Enum):
    """Where orders go."""

    PAPER = "paper"
    LIVE = "live"


class FeedSource(Enum):
    """Where market data comes from when no recording is replayed."""

    WEBSOCKET = "websocket"
    CLI = "cli"


class LiveClient(Enum):
    """Which client speaks to the venue."""

    UNIFIED = "unified"
    CLOB = "clob"
    DIRECT = "direct"


class SizingMethod(Enum):
    """How much a signal may spend."""

    FIXED = "fixed"
    KELLY = "kelly"


class PaperConfig(Section):
    """The simulated wallet and what is assumed of the venue."""

    starting_balance: Amount = Field(Usdc(1_000 * ONE), ge=ONE, le=MOST, description="USDC at the first start")
    latency_ms: Whole = Field(50, ge=0, le=60_000, description="from decision to arrival at the venue")
    book_through_fills: Flag = Field(default=True, description="fill resting orders that are offered through")


def _derived(key: str, *, times: int = 1, by: str = "") -> Any:
    """Return a default made from a key that stands before: its value `times`, or `by` another key."""

    def of(data: Mapping[str, int]) -> int:
        return min(MOST, data[key] * (data[by] if by else times))

    return of


class RiskConfig(Section):
    """What the gate refuses. An absent limit is the smallest, or follows from those that are given."""

    max_position_size: Amount = Field(ONE, ge=ONE, le=MOST, description="USDC at risk in one market")
    max_daily_loss: Amount = Field(ONE, ge=ONE, le=MOST, description="fall of equity since 00:00 UTC, USDC")
    max_open_orders: Whole = Field(1, ge=1, le=1_000, description="orders that may still be matched")
    max_markets: Whole = Field(5, ge=1, le=1_000, description="markets with something held or bid for")
    max_order_size: Amount = Field(
        default_factory=_derived("max_position_size"),
        ge=ONE,
        le=MOST,
        description="USDC that one order may cost, fee included; absent: max_position_size",
    )
    max_event_exposure: Amount = Field(
        default_factory=_derived("max_position_size"),
        ge=ONE,
        le=MOST,
        description="USDC at risk in the markets of one event together; absent: max_position_size",
    )
    max_total_exposure: Amount = Field(
        default_factory=_derived("max_position_size", by="max_markets"),
        ge=ONE,
        le=MOST,
        description="USDC at risk in all; absent: max_position_size x max_markets",
    )
    max_strategy_exposure: Amount = Field(
        default_factory=_derived("max_total_exposure"),
        ge=ONE,
        le=MOST,
        description="USDC at risk by one strategy; absent: max_total_exposure",
    )
    max_drawdown: Amount = Field(
        default_factory=_derived("max_daily_loss", times=3),
        ge=ONE,
        le=MOST,
        description="fall of equity from its highest, USDC; absent: 3 x max_daily_loss",
    )
    max_daily_turnover: Amount = Field(
        default_factory=_derived("max_total_exposure", times=10),
        ge=ONE,
        le=MOST,
        description="USDC that the buys of a UTC day spent and may still spend; absent: 10 x max_total_exposure",
    )
    max_book_age_ms: Whole = Field(2_000, ge=1, le=86_400_000, description="older market data refuses entries")
    max_slippage: Amount = Field(20_000, ge=0, le=500_000, description="worst price of a fill from the best, USDC")
    price_collar: Amount = Field(50_000, ge=0, le=500_000, description="entry price from the reference, USDC")
    exit_collar: Amount = Field(150_000, ge=0, le=990_000, description="exit price from the reference, USDC")
    min_time_to_end_s: Whole = Field(0, ge=0, le=31_536_000, description="entries need this long before the end")
    duplicate_window_s: Whole = Field(30, ge=0, le=86_400, description="the same order is not repeated within")
    entries_per_minute: Whole = Field(3, ge=1, le=600, description="per strategy, asset and side")
    entries_per_hour: Whole = Field(10, ge=1, le=3_600, description="per strategy, asset and side")
    exits_per_minute: Whole = Field(10, ge=1, le=600, description="per strategy, asset and side")
    max_orders_per_side: Whole = Field(2, ge=1, le=50, description="live orders per asset and side")
    orders_per_second: Whole = Field(5, ge=1, le=40, description="new orders of all kinds, lasting rate")
    order_burst: Whole = Field(10, ge=1, le=60, description="new orders at once after a pause")
    orders_per_minute: Whole = Field(100, ge=1, le=2_400, description="new orders of all kinds in any minute")
    cash_reserve: Amount = Field(Usdc(0), ge=0, le=MOST, description="USDC that entries never touch")


class SizingConfig(Section):
    """How much a signal spends before the limits bound it."""

    method: SizingMethod = Field(SizingMethod.FIXED, description="kelly needs a fair value from the strategy")
    fixed_size: Amount = Field(Usdc(10 * ONE), ge=ONE, le=MOST, description="USDC, for method fixed")
    kelly_fraction: Fraction = Field(0.25, gt=0, le=1, description="part of the full Kelly stake")
    max_stake_fraction: Fraction = Field(0.05, gt=0, le=1, description="most of the equity in one signal")
    min_edge: Amount = Field(5_000, ge=0, le=500_000, description="fair value minus cost after fees, USDC a share")


class AggregationConfig(Section):
    """How opinions become one wish per market."""

    min_confidence: Fraction = Field(0.1, ge=0, le=1, description="signals below are dropped")
    min_agreeing: Whole = Field(1, ge=1, le=20, description="strategies that must agree on an entry")
    min_margin: Fraction = Field(0.2, ge=0, le=1, description="lead of the stronger opinion when they disagree")


class FeedConfig(Section):
    """Which markets are watched, and where their data comes from."""

    source: FeedSource = Field(FeedSource.WEBSOCKET, description="websocket, or cli: the official command, polled")
    slugs: tuple[str, ...] = Field((), max_length=200, description="markets by name; none means the most traded")
    groups: tuple[str, ...] = Field((), max_length=50, description="groups of markets (the venue's events) by slug")
    search: str = Field("", max_length=200, description="or the markets that a search finds")
    limit: Whole = Field(10, ge=1, le=200, description="at most this many markets")
    clob_url: Url = Field("https://clob.polymarket.com", description="books and orders")
    gamma_url: Url = Field("https://gamma-api.polymarket.com", description="markets and events")
    market_ws_url: Url = Field(
        "wss://ws-subscriptions-clob.polymarket.com/ws/market", description="changes of books and trades"
    )
    poll_s: Whole = Field(5, ge=1, le=3_600, description="pause between reads of the cli source")


class LiveConfig(Section):
    """How real orders are sent. The key itself never stands here: the names of files may, their content may not.

    Orders go to `feed.clob_url`.
    """

    client: LiveClient = Field(LiveClient.UNIFIED, description="unified, clob (both official) or direct (our own HTTP)")
    data_url: Url = Field("https://data-api.polymarket.com", description="what the wallet holds")
    relayer_url: Url = Field("https://relayer-v2.polymarket.com", description="redemptions and merges without gas")
    user_ws_url: Url = Field(
        "wss://ws-subscriptions-clob.polymarket.com/ws/user", description="our own orders and fills as they happen"
    )
    geoblock_url: Url = Field("https://polymarket.com/api/geoblock", description="whether this place may trade")
    key_file: FileNameOrNone = Field(None, description="file with the key, readable by its owner only")
    keystore: FileNameOrNone = Field(None, description="encrypted key file")
    cancel_on_start: Flag = Field(default=True, description="cancel orders found open that no strategy claims")
    cancel_on_stop: Flag = Field(default=True, description="cancel resting orders when stopping")
    heartbeat: Flag = Field(default=True, description="have the venue cancel everything when the agent falls silent")
    http_timeout_s: Whole = Field(10, ge=1, le=60, description="an order without an answer by then is unknown")
    start_gap_s: Whole = Field(10, ge=1, le=600, description="between the two clean comparisons that end a recovery")
    resend_entries: Flag = Field(default=True, description="send the same bytes of an unanswered entry again")
    quarantine_absent_s: Whole = Field(600, ge=60, le=86_400, description="an order proven absent counts so long")
    quarantine_refused_s: Whole = Field(90, ge=1, le=86_400, description="an order refused for now counts so long")


class StrategyConfig(Section):
    """One strategy to run: `kind` is its entry point; `name` tells two of a kind apart."""

    kind: str
    name: str = ""
    enabled: Flag = True
    params: dict[str, Any] = Field(default_factory=dict)

    @field_validator("kind")
    @classmethod
    def _is_identifier(cls, value: str) -> str:
        if not IDENTIFIER.fullmatch(value):
            raise ValueError("must be a name of letters, digits, - and _")
        return value

    @field_validator("name")
    @classmethod
    def _is_identifier_or_none(cls, value: str) -> str:
        return cls._is_identifier(value) if value else value

    @property
    def label(self) -> str:
        """The name under which its orders are booked."""
        return self.name or self.kind


class Config(Section):
    """Everything the agent is told."""

    mode: Mode = Mode.PAPER
    database: FileName = Path("polymarket-agent.db")
    paper: PaperConfig = PaperConfig()
    risk: RiskConfig = RiskConfig()
    sizing: SizingConfig = SizingConfig()
    aggregation: AggregationConfig = AggregationConfig()
    feed: FeedConfig = FeedConfig()
    live: LiveConfig = LiveConfig()
    strategies: tuple[StrategyConfig, ...] = Field((), max_length=32)

    @field_validator("strategies")
    @classmethod
    def _labels_differ(cls, value: tuple[StrategyConfig, ...]) -> tuple[StrategyConfig, ...]:
        labels = [strategy.label for strategy in value]
        for label in labels:
            if labels.count(label) > 1:
                raise ValueError(f"two strategies are called '{label}'; give one of them a name of its own")
        return value
