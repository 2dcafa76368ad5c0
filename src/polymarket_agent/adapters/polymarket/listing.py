"""Markets out of Gamma's listings.

One malformed market never costs the rest: every list comes back as (good, dropped), and dropped says which and
why. What a source leaves out is assumed against us (`ASSUMED_FEES`) and marked, never taken for zero.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import msgspec

from polymarket_agent.adapters.assumed import ASSUMED_FEES
from polymarket_agent.adapters.polymarket.answers import Dropped, decoded, each_of, elements, time_ms
from polymarket_agent.adapters.polymarket.exact import (
    Number,
    asset_id_of,
    condition_id_of,
    micro_of,
    nearest_micro,
    tick_size_of,
)
from polymarket_agent.adapters.polymarket.wire import excerpt_of
from polymarket_agent.domain.market import (
    NO_FEE,
    AssetId,
    FeeSchedule,
    Market,
    MarketState,
    Outcome,
    ProtocolVersion,
    is_position_id,
)
from polymarket_agent.domain.money import MICRO, Price, Shares, Usdc
from polymarket_agent.errors import VenueDataError

__all__ = [
    "fee_schedule_of",
    "market_of",
    "parse_market",
    "parse_markets",
]

T = TypeVar("T")

DEFAULT_TICK_SIZE = Price(10_000)
DEFAULT_MIN_ORDER_SIZE = Shares(5_000_000)
PAYOUTS: dict[tuple[str, ...], tuple[int, int]] = {
    ("1", "0"): (MICRO, 0),
    ("0", "1"): (0, MICRO),
    ("0.5", "0.5"): (MICRO // 2, MICRO // 2),
}
# Between proposal and answer the venue takes no orders, whatever the listing still says.
_DECIDED = frozenset({"proposed", "disputed", "resolved"})


class _Fees(msgspec.Struct, rename="camel"):
    rate: Number
    exponent: float = 1
    taker_only: bool = True
    rebate_rate: Number = 0


class _EventRef(msgspec.Struct):
    id: str = ""


class _GammaMarket(msgspec.Struct, rename="camel"):
    condition_id: str
    outcomes: str | list[str]
    question: str | None = None
    version: str | None = None
    clob_token_ids: str | list[str] | None = None
    position_ids: list[str] | None = None
    outcome_prices: str | list[str] | None = None
    closed: bool | None = None
    active: bool | None = None
    accepting_orders: bool | None = None
    enable_order_book: bool | None = None
    neg_risk: bool | None = None
    neg_risk_other: bool | None = None
    fees_enabled: bool | None = None
    fee_schedule: _Fees | msgspec.UnsetType | None = msgspec.UNSET
    order_price_min_tick_size: Number | None = None
    order_min_size: Number | None = None
    uma_resolution_status: str | None = None
    slug: str | None = None
    group_item_title: str | None = None
    end_date: str | None = None
    volume: Number | None = None
    volume_num: Number | None = None
    liquidity: Number | None = None
    liquidity_num: Number | None = None
    events: list[_EventRef] | None = None


def market_of(found: object, *, group_id: str | None = None) -> Market:
    """Return the domain's market of a decoded Gamma object.

    Args:
        found: the object as plain Python values.
        group_id: the group it was listed under, when the object does not say it itself.

    Raises:
        VenueDataError: it is malformed, or a market that cannot be traded here (more than two outcomes, a
            protocol version or ids that we do not know).
    """
    try:
        raw = msgspec.convert(found, _GammaMarket)
    except msgspec.ValidationError as error:
        raise VenueDataError(f"a market of the listing is malformed: {error}") from error
    labels = _texts(raw.outcomes, "outcomes")
    if len(labels) != 2:
        raise VenueDataError(f"a market has {len(labels)} outcomes; only markets of two are traded here")
    version, ids = _ids_of(raw)
    state, payouts = _state_of(raw)
    accepting = bool(raw.accepting_orders) and raw.active is not False and raw.enable_order_book is not False
    if raw.events and raw.events[0].id:
        group_id = raw.events[0].id
    fees, assumed = _fees_of(raw)
    return Market(
        condition_id=condition_id_of(raw.condition_id),
        question=raw.question or "",
        outcomes=(Outcome(ids[0], labels[0]), Outcome(ids[1], labels[1])),
        tick_size=_or_default(raw.order_price_min_tick_size, tick_size_of, DEFAULT_TICK_SIZE),
        min_order_size=_or_default(raw.order_min_size, _size_of, DEFAULT_MIN_ORDER_SIZE),
        fees=fees,
        fees_assumed=assumed,
        neg_risk=bool(raw.neg_risk),
        version=version,
        state=state,
        accepting_orders=accepting and state is MarketState.OPEN and raw.uma_resolution_status not in _DECIDED,
        slug=raw.slug or "",
        group_id=group_id,
        group_item=(raw.group_item_title or "").strip(),
        end_at_ms=time_ms(raw.end_date),
        payouts=payouts,
        volume=_amount_of(raw.volume, raw.volume_num),
        liquidity=_amount_of(raw.liquidity, raw.liquidity_num),
    )


def parse_market(raw: bytes | str | dict[str, Any]) -> Market:
    """Return one Gamma market, from its JSON or already decoded.

    Raises:
        VenueDataError: as `market_of`, or not JSON.
    """
    return market_of(decoded(raw))


def parse_markets(raw: bytes | str | list[Any] | dict[str, Any]) -> tuple[list[Market], Dropped]:
    """Return the markets of a Gamma list: a plain array, or the `markets` of a page.

    Raises:
        VenueDataError: the answer as a whole is malformed.
    """
    return each_of(elements(decoded(raw), "markets"), market_of)


def _ids_of(raw: _GammaMarket) -> tuple[ProtocolVersion, tuple[AssetId, AssetId]]:
    """Pick the ids by the version alone: a market may carry both kinds."""
    try:
        version = ProtocolVersion(raw.version or ProtocolVersion.V1.value)
    except ValueError as error:
        raise VenueDataError(f"protocol version {raw.version!r} is not known here; update before trading it") from error
    is_v2 = version is ProtocolVersion.V2
    source = raw.position_ids if is_v2 else raw.clob_token_ids
    ids = [asset_id_of(text) for text in _texts(source, "asset ids")]
    if len(ids) != 2:
        raise VenueDataError(f"a market of two outcomes has {len(ids)} asset ids")
    if any(is_position_id(each) != is_v2 for each in ids):
        raise VenueDataError(f"the ids of a {version.value} market belong to the other protocol", excerpt=ids[0])
    return version, (ids[0], ids[1])


def _state_of(raw: _GammaMarket) -> tuple[MarketState, tuple[int, int] | None]:
    if not raw.closed:
        return MarketState.OPEN, None
    if raw.uma_resolution_status == "resolved" and raw.outcome_prices is not None:
        payouts = PAYOUTS.get(tuple(text.removesuffix(".0") for text in _texts(raw.outcome_prices, "outcomePrices")))
        if payouts is not None:
            return MarketState.RESOLVED, payouts
    return MarketState.CLOSED, None  # prices between 0 and 1 are the last trades, not an answer


def _fees_of(raw: _GammaMarket) -> tuple[FeeSchedule, bool]:
    """Return the schedule and whether it is assumed, because nobody said that there is no fee."""
    if raw.fees_enabled is False or raw.fee_schedule is None:
        return NO_FEE, False
    if isinstance(raw.fee_schedule, msgspec.UnsetType):
        return ASSUMED_FEES, True
    schedule = raw.fee_schedule
    return fee_schedule_of(schedule.rate, schedule.exponent, schedule.taker_only, schedule.rebate_rate), False


def fee_schedule_of(rate: Number, exponent: float, taker_only: bool, rebate_rate: Number = 0) -> FeeSchedule:
    """Return a fee schedule; rates enter by their shortest text.

    Raises:
        VenueDataError: a rate outside 0 to 1 or not exact, an exponent that is not a whole number of 0 to 4.
    """
    if exponent != exponent // 1:
        raise VenueDataError(f"a fee exponent of {exponent} is not a whole number")
    return FeeSchedule(micro_of(rate), int(exponent), taker_only, micro_of(rebate_rate))


def _texts(source: str | Sequence[str] | None, what: str) -> list[str]:
    """Return a list of strings that may be packed as JSON inside a string."""
    if source is None or source == "":
        raise VenueDataError(f"a market has no {what}")
    if not isinstance(source, str):
        return list(source)
    try:
        found = json.loads(source)
    except (ValueError, RecursionError) as error:
        raise VenueDataError(f"the {what} of a market are not JSON", excerpt=excerpt_of(source)) from error
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        raise VenueDataError(f"the {what} of a market are not a list of texts", excerpt=excerpt_of(source))
    return found


def _size_of(number: Number) -> Shares:
    return Shares(micro_of(number))


def _or_default(number: Number | None, convert: Callable[[Number], T], default: T) -> T:
    return default if number is None else convert(number)


def _amount_of(*numbers: Number | None) -> Usdc:
    """Return the first amount that is there, for ranking only: the venue's sums carry float noise."""
    return Usdc(next((nearest_micro(number) for number in numbers if number not in {None, ""}), 0))
