"""The configuration: one YAML file plus environment overrides, read once, strictly, and frozen.

Plain scalars are read as text and turned into exact values by the type of their key, so `1e999`, `.inf`, `0x10`,
`1_000` and `yes` mean nothing by accident. An absent risk limit is the smallest one, not none.
"""

from __future__ import annotations

import re
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from polymarket_agent.domain.money import Usdc, decimal_text, usdc
from polymarket_agent.errors import MoneyError

__all__ = [
    "AggregationConfig",
    "Config",
    "FeedConfig",
    "FeedSource",
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

# Digits as everybody writes them: 010 is eight to some readers of YAML, -0 is nothing, and ٣ is a digit to Python.
_DECIMAL = re.compile(r"(?!-0(\.0+)?$)-?(0|[1-9][0-9]{0,11})(\.[0-9]{1,18})?")
_INTEGER = re.compile(r"(?!-0$)-?(0|[1-9][0-9]{0,11})")
_IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")


class Mode(Enum):
    """Where orders go."""

    PAPER = "paper"
    LIVE = "live"


class FeedSource(Enum):
    """Where market data comes from when no recording is replayed."""

    WEBSOCKET = "websocket"
    CLI = "cli"


class SizingMethod(Enum):
    """How much a signal may spend."""

    FIXED = "fixed"
    KELLY = "kelly"


def _text(value: object, wanted: str) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal | float):
        raise ValueError(f"must be {wanted}")  # noqa: TRY004 - pydantic collects ValueErrors
    return str(value)


def _amount(value: object) -> int:
    text = _text(value, "an amount in USDC such as 25 or 12.50")
    if not _DECIMAL.fullmatch(text):
        raise ValueError("must be an amount in USDC such as 25 or 12.50 (plain digits)")
    try:
        return usdc(text)
    except MoneyError as error:
        raise ValueError(str(error)) from error


def _fraction(value: object) -> float:
    text = _text(value, "a number such as 0.25")
    if not _DECIMAL.fullmatch(text):
        raise ValueError("must be a number such as 0.25 (plain digits)")
    return float(text)


def _whole(value: object) -> int:
    text = _text(value, "a whole number")
    if not _INTEGER.fullmatch(text):
        raise ValueError("must be a whole number (plain digits)")
    return int(text)


def _flag(value: object) -> bool:
    if isinstance(value, bool):
        return value
    if value not in ("true", "false"):
        raise ValueError("must be true or false")
    return value == "true"


Amount = Annotated[int, BeforeValidator(_amount)]
Fraction = Annotated[float, BeforeValidator(_fraction)]
Whole = Annotated[int, BeforeValidator(_whole)]
Flag = Annotated[bool, BeforeValidator(_flag)]

_ONE = 1_000_000  # 1 USDC, the smallest limit
_MOST = 1_000_000 * 1_000_000  # no limit can be set above a million USDC


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PaperConfig(_Section):
    """The simulated wallet and what is assumed of the venue."""

    starting_balance: Amount = Field(Usdc(1_000 * _ONE), ge=_ONE, le=_MOST, description="USDC at the first start")
    latency_ms: Whole = Field(50, ge=0, le=60_000, description="from decision to arrival at the venue")
    book_through_fills: Flag = Field(default=True, description="fill resting orders that are offered through")


class RiskConfig(_Section):
    """What the gate refuses. An absent limit is the smallest."""

    max_position_size: Amount = Field(_ONE, ge=_ONE, le=_MOST, description="USDC at risk in one market")
    max_daily_loss: Amount = Field(_ONE, ge=_ONE, le=_MOST, description="fall of equity since 00:00 UTC, USDC")
    max_open_orders: Whole = Field(1, ge=1, le=1_000, description="orders that may still be matched")
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
    cash_reserve: Amount = Field(Usdc(0), ge=0, le=_MOST, description="USDC that entries never touch")


class SizingConfig(_Section):
    """How much a signal spends before the limits bound it."""

    method: SizingMethod = SizingMethod.FIXED
    fixed_size: Amount = Field(Usdc(10 * _ONE), ge=_ONE, le=_MOST, description="USDC, for method fixed")
    kelly_fraction: Fraction = Field(0.25, gt=0, le=1, description="part of the full Kelly stake")
    max_stake_fraction: Fraction = Field(0.05, gt=0, le=1, description="most of the equity in one signal")
    min_edge: Amount = Field(5_000, ge=0, le=500_000, description="fair value minus cost after fees, USDC a share")


class AggregationConfig(_Section):
    """How opinions become one wish per market."""

    min_confidence: Fraction = Field(0.1, ge=0, le=1, description="signals below are dropped")
    min_agreeing: Whole = Field(1, ge=1, le=20, description="strategies that must agree on an entry")
    min_margin: Fraction = Field(0.2, ge=0, le=1, description="lead of the stronger opinion when they disagree")


class FeedConfig(_Section):
    """Which markets are watched, and where their data comes from."""

    source: FeedSource = FeedSource.WEBSOCKET
    slugs: tuple[str, ...] = Field((), max_length=200, description="markets by name; none means the most traded")
    groups: tuple[str, ...] = Field((), max_length=50, description="groups of markets (the venue's events) by slug")
    search: str = Field("", max_length=200, description="or the markets that a search finds")
    limit: Whole = Field(10, ge=1, le=200, description="at most this many markets")
    clob_url: str = "https://clob.polymarket.com"
    gamma_url: str = "https://gamma-api.polymarket.com"
    market_ws_url: str = "wss://ws-subscriptions-clob.polymarket.com/ws/market"
    poll_s: Whole = Field(5, ge=1, le=3_600, description="pause between reads of the cli source")

    @field_validator("clob_url", "gamma_url", "market_ws_url")
    @classmethod
    def _is_url(cls, value: str) -> str:
        if not re.fullmatch(r"(https?|wss?)://[A-Za-z0-9._\[\]:-]+(/[A-Za-z0-9._~/-]*)?", value):
            raise ValueError("must be an http(s) or ws(s) address without user, query or fragment")
        return value.rstrip("/")


class StrategyConfig(_Section):
    """One strategy to run: `kind` is its entry point; `name` tells two of a kind apart."""

    kind: str
    name: str = ""
    enabled: Flag = True
    params: dict[str, Any] = Field(default_factory=dict)

    @field_validator("kind")
    @classmethod
    def _is_identifier(cls, value: str) -> str:
        if not _IDENTIFIER.fullmatch(value):
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


class Config(_Section):
    """Everything the agent is told."""

    mode: Mode = Mode.PAPER
    database: Path = Path("polymarket-agent.db")
    paper: PaperConfig = PaperConfig()
    risk: RiskConfig = RiskConfig()
    sizing: SizingConfig = SizingConfig()
    aggregation: AggregationConfig = AggregationConfig()
    feed: FeedConfig = FeedConfig()
    strategies: tuple[StrategyConfig, ...] = Field((), max_length=32)

    @field_validator("database", mode="before")
    @classmethod
    def _is_file_name(cls, value: object) -> object:
        if not str(value).strip() or not str(value).isprintable():
            raise ValueError("must be the path of a file")
        return value

    @field_validator("strategies")
    @classmethod
    def _labels_differ(cls, value: tuple[StrategyConfig, ...]) -> tuple[StrategyConfig, ...]:
        labels = [strategy.label for strategy in value]
        for label in labels:
            if labels.count(label) > 1:
                raise ValueError(f"two strategies are called '{label}'; give one of them a name of its own")
        return value


def to_plain(config: BaseModel) -> dict[str, Any]:
    """Return a config as plain values, amounts as decimal text, the way the file writes them."""
    plain: dict[str, Any] = {}
    for key, field in type(config).model_fields.items():
        plain[key] = _plain_value(getattr(config, key), is_amount=is_amount(field.metadata))
    return plain


def is_amount(metadata: list[Any]) -> bool:
    """Whether the metadata of a field says that it is an amount in micro-USDC."""
    return any(isinstance(each, BeforeValidator) and each.func is _amount for each in metadata)


def is_number(text: str) -> bool:
    """Whether a text is a number written in plain digits."""
    return _DECIMAL.fullmatch(text) is not None


def _plain_value(value: Any, *, is_amount: bool) -> Any:
    if is_amount:
        return decimal_text(value)
    if isinstance(value, BaseModel):
        return to_plain(value)
    if isinstance(value, tuple):
        return [_plain_value(each, is_amount=False) for each in value]
    if isinstance(value, Enum):
        return value.value
    return str(value) if isinstance(value, Path) else value
