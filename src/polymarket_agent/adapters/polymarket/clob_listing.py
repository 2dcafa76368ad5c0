"""Markets as the order-book API lists them: pages of `/markets`, and the compact `/clob-markets` of one-letter keys."""

from __future__ import annotations

from typing import Any

import msgspec

from polymarket_agent.adapters.assumed import ASSUMED_FEES
from polymarket_agent.adapters.polymarket.answers import Dropped, decoded, each_of, elements, time_ms
from polymarket_agent.adapters.polymarket.exact import Number, asset_id_of, condition_id_of, micro_of, tick_size_of
from polymarket_agent.adapters.polymarket.listing import fee_schedule_of
from polymarket_agent.domain.market import NO_FEE, Market, MarketState, Outcome, ProtocolVersion, is_position_id
from polymarket_agent.domain.money import MICRO, Shares
from polymarket_agent.errors import VenueDataError

__all__ = ["parse_clob_market", "parse_clob_page", "parse_compact_market", "parse_compact_markets"]

# The cursor that ends a list, and the ones that a cut or careless answer ends with.
END_CURSORS = frozenset({"LTE=", "", None})


class _Token(msgspec.Struct):
    token_id: str
    outcome: str
    price: Number = 0
    winner: bool = False


class _ClobMarket(msgspec.Struct):
    condition_id: str
    question: str
    tokens: list[_Token]
    minimum_tick_size: Number
    minimum_order_size: Number
    market_slug: str = ""
    active: bool = True
    closed: bool = False
    archived: bool = False
    accepting_orders: bool = False
    enable_order_book: bool = False
    neg_risk: bool = False
    is_50_50_outcome: bool = False
    taker_base_fee: Number = 0
    end_date_iso: str | None = None


class _CompactToken(msgspec.Struct):
    t: str
    o: str


class _CompactFees(msgspec.Struct):
    r: Number
    e: float = 1
    to: bool = True


class _CompactMarket(msgspec.Struct):
    c: str
    t: list[_CompactToken]
    mts: Number
    mos: Number
    ao: bool = False
    nr: bool = False
    fd: _CompactFees | None = None
    v: str = ProtocolVersion.V1.value


def parse_clob_market(raw: bytes | str | dict[str, Any]) -> Market:
    """Return one market of `/markets/{condition}` or of a page.

    It says nothing about fees (its base fees are not the effective ones), so an open market's are assumed.

    Raises:
        VenueDataError: malformed, a placeholder without ids, or not a market of two outcomes.
    """
    return _clob_market_of(decoded(raw))


def parse_clob_page(raw: bytes | str | dict[str, Any]) -> tuple[list[Market], Dropped, str | None]:
    """Return the markets of a page, what was dropped, and the cursor of the next page (None at the end).

    Raises:
        VenueDataError: the page as a whole is malformed.
    """
    page = decoded(raw)
    markets, dropped = each_of(elements(page, "data"), _clob_market_of)
    cursor = page.get("next_cursor") if isinstance(page, dict) else None
    return markets, dropped, None if cursor in END_CURSORS else str(cursor)


def parse_compact_market(raw: bytes | str | dict[str, Any]) -> Market:
    """Return one market of `/clob-markets/{condition}`; it has no question, and no fee schedule means no fee.

    Raises:
        VenueDataError: malformed, or of an unknown protocol version.
    """
    return _compact_market_of(decoded(raw))


def parse_compact_markets(raw: bytes | str | list[Any]) -> tuple[list[Market], Dropped]:
    """Return the markets of a list of the compact form.

    Raises:
        VenueDataError: not a list.
    """
    return each_of(elements(decoded(raw), "data"), _compact_market_of)


def _outcomes_of(named: list[tuple[str, str]]) -> tuple[Outcome, Outcome]:
    if len(named) != 2:
        raise VenueDataError(f"a market has {len(named)} outcomes; only markets of two are traded here")
    (first, first_label), (second, second_label) = named
    return Outcome(asset_id_of(first), first_label), Outcome(asset_id_of(second), second_label)


def _clob_market_of(found: object) -> Market:
    try:
        raw = msgspec.convert(found, _ClobMarket)
    except msgspec.ValidationError as error:
        raise VenueDataError(f"a market of the order-book API is malformed: {error}") from error
    state, payouts = MarketState.OPEN, None
    if raw.closed:
        winners = tuple(MICRO if token.winner else 0 for token in raw.tokens)
        if sum(winners) == MICRO and len(winners) == 2:
            state, payouts = MarketState.RESOLVED, (winners[0], winners[1])
        elif raw.is_50_50_outcome and not any(winners):
            state, payouts = MarketState.RESOLVED, (MICRO // 2, MICRO // 2)
        else:
            state = MarketState.CLOSED  # no winner is named for one in two of the old markets
    accepting = raw.accepting_orders and raw.active and raw.enable_order_book and not raw.archived
    outcomes = _outcomes_of([(token.token_id, token.outcome) for token in raw.tokens])
    is_open = state is MarketState.OPEN
    return Market(
        condition_id=condition_id_of(raw.condition_id),
        question=raw.question,
        outcomes=outcomes,
        tick_size=tick_size_of(raw.minimum_tick_size),
        min_order_size=Shares(micro_of(raw.minimum_order_size)),
        fees=ASSUMED_FEES if is_open else NO_FEE,
        fees_assumed=is_open,
        neg_risk=raw.neg_risk,
        version=ProtocolVersion.V2 if is_position_id(outcomes[0].asset_id) else ProtocolVersion.V1,
        state=state,
        accepting_orders=accepting and is_open,
        slug=raw.market_slug,
        end_at_ms=time_ms(raw.end_date_iso),
        payouts=payouts,
    )


def _compact_market_of(found: object) -> Market:
    try:
        raw = msgspec.convert(found, _CompactMarket)
        version = ProtocolVersion(raw.v)
    except (msgspec.ValidationError, ValueError) as error:
        raise VenueDataError(f"a compact market is malformed: {error}") from error
    outcomes = _outcomes_of([(token.t, token.o) for token in raw.t])
    is_v2 = version is ProtocolVersion.V2
    if any(is_position_id(outcome.asset_id) != is_v2 for outcome in outcomes):
        raise VenueDataError(f"the ids of a {raw.v} market belong to the other protocol", excerpt=raw.t[0].t)
    return Market(
        condition_id=condition_id_of(raw.c),
        question="",
        outcomes=outcomes,
        tick_size=tick_size_of(raw.mts),
        min_order_size=Shares(micro_of(raw.mos)),
        fees=fee_schedule_of(raw.fd.r, raw.fd.e, raw.fd.to) if raw.fd is not None else NO_FEE,
        neg_risk=raw.nr,
        version=version,
        accepting_orders=raw.ao,
    )
