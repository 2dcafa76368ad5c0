"""Markets and groups out of the venue's listings: Gamma, and the order-book API's two forms.

One malformed market never costs the rest: every list comes back as (good, dropped), and dropped says which and
why. What a source leaves out is assumed against us (`ASSUMED_FEES`) and marked, never taken for zero.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, TypeVar

import msgspec

from polymarket_agent.adapters.assumed import ASSUMED_FEES
from polymarket_agent.adapters.polymarket.answers import Dropped, decoded, each_of, elements
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
    MarketGroup,
    MarketState,
    Outcome,
    ProtocolVersion,
    is_position_id,
)
from polymarket_agent.domain.money import MICRO, Price, Shares, Usdc
from polymarket_agent.errors import VenueDataError

__all__ = [
    "ListedGroup",
    "fee_schedule_of",
    "group_of",
    "market_of",
    "parse_group",
    "parse_groups",
    "parse_market",
    "parse_markets",
    "time_ms",
]

T = TypeVar("T")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DEFAULT_TICK_SIZE = Price(10_000)
DEFAULT_MIN_ORDER_SIZE = Shares(5_000_000)
PAYOUTS: dict[tuple[str, ...], tuple[int, int]] = {
    ("1", "0"): (MICRO, 0),
    ("0", "1"): (0, MICRO),
    ("0.5", "0.5"): (MICRO // 2, MICRO // 2),
}
# Between proposal and answer the venue takes no orders, whatever the listing still says.
_DECIDED = frozenset({"proposed", "disputed", "resolved"})


class ListedGroup(NamedTuple):
    """A group with those of its markets that could be read."""

    group: MarketGroup
    markets: tuple[Market, ...]
    dropped: Dropped


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
    fee_schedule: _Fees | None | msgspec.UnsetType = msgspec.UNSET
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


class _GammaEvent(msgspec.Struct, rename="camel"):
    id: str
    title: str = ""
    slug: str | None = None
    neg_risk: bool | None = None
    neg_risk_augmented: bool | None = None
    markets: list[Any] | None = None


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


def group_of(found: object, *, whole: bool = True) -> ListedGroup:
    """Return the group and the markets of a decoded Gamma "event".

    A group is complete when it is neg-risk, cannot gain outcomes (not augmented, no "other" placeholder), and
    every one of its markets could be read.

    Args:
        found: the object as plain Python values.
        whole: whether the object lists all markets of the event; a search answer may not.

    Raises:
        VenueDataError: the event itself is malformed.
    """
    try:
        raw = msgspec.convert(found, _GammaEvent)
    except msgspec.ValidationError as error:
        raise VenueDataError(f"a group of the listing is malformed: {error}") from error
    listed = raw.markets or []
    markets, dropped = each_of(listed, lambda each: market_of(each, group_id=raw.id))
    placeholder = any(isinstance(each, dict) and each.get("negRiskOther") for each in listed)
    neg_risk = bool(raw.neg_risk)
    complete = (
        whole and neg_risk and not raw.neg_risk_augmented and not placeholder and not dropped and len(markets) > 1
    )
    ids = tuple(market.condition_id for market in markets)
    group = MarketGroup(raw.id, raw.title, neg_risk, ids, complete, raw.slug or "")
    return ListedGroup(group, tuple(markets), dropped)


def parse_market(raw: bytes | str | dict[str, Any]) -> Market:
    """Return one Gamma market, from its JSON or already decoded.

    Raises:
        VenueDataError: as `market_of`, or not JSON.
    """
    return market_of(decoded(raw))


def parse_group(raw: bytes | str | dict[str, Any]) -> ListedGroup:
    """Return one Gamma event, from its JSON or already decoded.

    Raises:
        VenueDataError: as `group_of`, or not JSON.
    """
    return group_of(decoded(raw))


def parse_markets(raw: bytes | str | list[Any] | dict[str, Any]) -> tuple[list[Market], Dropped]:
    """Return the markets of a Gamma list: a plain array, or the `markets` of a page.

    Raises:
        VenueDataError: the answer as a whole is malformed.
    """
    return each_of(elements(decoded(raw), "markets"), market_of)


def parse_groups(
    raw: bytes | str | list[Any] | dict[str, Any], *, whole: bool = True
) -> tuple[list[ListedGroup], Dropped]:
    """Return the groups of a Gamma list or page of events, or of a search answer (then `whole` is False).

    Raises:
        VenueDataError: the answer as a whole is malformed.
    """
    return each_of(elements(decoded(raw), "events"), lambda each: group_of(each, whole=whole))


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
    return Usdc(next((nearest_micro(number) for number in numbers if number not in {None, ""}), 0))  # type: ignore[arg-type]


def time_ms(text: str | None) -> int | None:
    """Return milliseconds since 1970 of a time such as 2026-06-08T00:00:00Z or 2026-06-08 00:00:16+00.

    Raises:
        VenueDataError: a text that is neither empty nor a time.
    """
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise VenueDataError(f"{text[:40]!r} is not a time") from error
    aware = found if found.tzinfo is not None else found.replace(tzinfo=UTC)
    return (aware - _EPOCH) // timedelta(milliseconds=1)
