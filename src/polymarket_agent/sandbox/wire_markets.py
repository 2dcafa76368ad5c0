"""Markets and events as the CLOB and Gamma list them. Pure; written from the specification and recorded answers."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from polymarket_agent.domain.market import Market, MarketState, ProtocolVersion
from polymarket_agent.domain.money import MICRO, decimal_text
from polymarket_agent.sandbox.wire_books import BookView

__all__ = ["Listing", "clob_compact", "clob_market", "clob_simplified", "gamma_event", "gamma_market", "iso", "number"]


@dataclass(frozen=True, slots=True)
class Listing:
    """A market with what listings say beside it. `number` is Gamma's id; an event holds one market or a group.

    `oracle` is the oracle's state ("", "proposed", "disputed", "resolved"); `book` is that of the first outcome.
    """

    market: Market
    number: int
    event_number: int
    event_slug: str
    event_title: str
    listed_ms: int
    book: BookView
    seconds_delay: int = 0
    taker_delay: bool = False
    description: str = ""
    tags: tuple[str, ...] = ()
    oracle: str = ""
    closed_ms: int | None = None
    volume: int = 0

    @property
    def closed(self) -> bool:
        """Whether trading has ended; a market that waits for its answer still counts as open at Gamma."""
        return self.market.state is MarketState.RESOLVED

    @property
    def prices(self) -> tuple[int, int]:
        """Micro-USDC of both outcomes: the payouts once known, else the mid."""
        if self.market.payouts is not None:
            return self.market.payouts
        mid = (self.book.best_bid + self.book.best_ask) // 2
        return mid, MICRO - mid


def number(micro: int) -> float | int:
    """Return micro-units as a JSON number, whole ones without a point; for listings, which are not exact."""
    return micro // MICRO if micro % MICRO == 0 else micro / MICRO


def iso(at_ms: int | None) -> str | None:
    """Return a time as the venue writes it, to the second."""
    return None if at_ms is None else datetime.fromtimestamp(at_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def clob_compact(listing: Listing) -> dict[str, Any]:
    """Return /clob-markets/{condition}: short keys, `nr` left out when false, `fd` when there is no fee."""
    market, fees = listing.market, listing.market.fees
    answer: dict[str, Any] = {
        "r": {"mi": 100, "ma": 3.5, "e": False, "moas": 4},
        "t": [{"t": outcome.asset_id, "o": outcome.label} for outcome in market.outcomes],
        "c": market.condition_id,
        "mos": number(market.min_order_size),
        "mts": number(market.tick_size),
        "mbf": 1000 if fees.rate else 0,
        "tbf": 1000 if fees.rate else 0,
        "ao": market.tradable,
        "cbos": True,
        "aot": iso(listing.listed_ms),
        "ibce": True,
        "v": market.version.value,
    }
    if market.neg_risk:
        answer["nr"] = True
    if fees.rate:
        answer["fd"] = {"r": number(fees.rate), "e": fees.exponent, "to": fees.taker_only}
    if listing.taker_delay:
        answer["itode"] = True
    return answer


def _tokens(listing: Listing) -> list[dict[str, Any]]:
    payouts = listing.market.payouts
    return [
        {
            "token_id": outcome.asset_id,
            "outcome": outcome.label,
            "price": number(price),
            "winner": payouts is not None and payouts[index] > MICRO // 2,
        }
        for index, (outcome, price) in enumerate(zip(listing.market.outcomes, listing.prices, strict=True))
    ]


def _rewards() -> dict[str, Any]:
    return {"rates": None, "min_size": 0, "max_spread": 0}


def clob_simplified(listing: Listing) -> dict[str, Any]:
    """Return a row of /simplified-markets."""
    return {
        "condition_id": listing.market.condition_id,
        "rewards": _rewards(),
        "tokens": _tokens(listing),
        "active": True,
        "closed": listing.closed,
        "archived": False,
        "accepting_orders": listing.market.tradable,
    }


def clob_market(listing: Listing) -> dict[str, Any]:
    """Return a row of /markets of the CLOB."""
    market = listing.market
    payouts = market.payouts
    return {
        "enable_order_book": not listing.closed,
        "active": True,
        "closed": listing.closed,
        "archived": False,
        "accepting_orders": market.tradable,
        "accepting_order_timestamp": iso(listing.listed_ms),
        "minimum_order_size": number(market.min_order_size),
        "minimum_tick_size": number(market.tick_size),
        "condition_id": market.condition_id,
        "question_id": _question_id(listing),
        "question": market.question,
        "description": listing.description,
        "market_slug": _slug(listing),
        "end_date_iso": iso(market.end_at_ms),
        "game_start_time": iso(market.end_at_ms) if listing.seconds_delay else None,
        "seconds_delay": listing.seconds_delay,
        "fpmm": "",
        "maker_base_fee": 1000 if market.fees.rate else 0,
        "taker_base_fee": 1000 if market.fees.rate else 0,
        "notifications_enabled": True,
        "neg_risk": market.neg_risk,
        "neg_risk_market_id": _group_hash(listing) if market.neg_risk else "",
        "neg_risk_request_id": "",
        "icon": "",
        "image": "",
        "rewards": _rewards(),
        "is_50_50_outcome": payouts is not None and payouts[0] == payouts[1],
        "tokens": _tokens(listing),
        "tags": list(listing.tags) or ["All"],
    }


def _slug(listing: Listing) -> str:
    return listing.market.slug or f"market-{listing.number}"


def _question_id(listing: Listing) -> str:
    return f"0x{listing.number:064x}"


def _group_hash(listing: Listing) -> str:
    return f"0x{listing.event_number << 8:064x}"


def _tag_rows(tags: Iterable[str]) -> list[dict[str, str]]:
    return [{"id": str(1 + sum(label.encode())), "label": label, "slug": label.lower()} for label in tags]


def gamma_market(listing: Listing, *, with_event: bool = True) -> dict[str, Any]:
    """Return a market of Gamma: lists inside are text that holds JSON, position ids are a real array."""
    market, book = listing.market, listing.book
    second = market.version is ProtocolVersion.V2
    resting = sum(level.price * level.size // MICRO for level in book.bids)
    answer: dict[str, Any] = {
        "id": str(listing.number),
        "question": market.question,
        "conditionId": market.condition_id,
        "slug": _slug(listing),
        "description": listing.description,
        "startDate": iso(listing.listed_ms),
        "createdAt": iso(listing.listed_ms),
        "endDate": iso(market.end_at_ms),
        "outcomes": json.dumps([outcome.label for outcome in market.outcomes]),
        "outcomePrices": json.dumps([decimal_text(each) for each in listing.prices]),
        "volume": decimal_text(listing.volume),
        "volumeNum": number(listing.volume),
        "volume24hr": number(listing.volume),
        "liquidity": decimal_text(resting),
        "liquidityNum": number(resting),
        "active": True,
        "closed": listing.closed,
        "archived": False,
        "restricted": False,
        "enableOrderBook": True,
        "acceptingOrders": market.tradable,
        "orderPriceMinTickSize": number(market.tick_size),
        "orderMinSize": number(market.min_order_size),
        "negRisk": market.neg_risk,
        "negRiskOther": False,
        "feesEnabled": bool(market.fees.rate),
        "makerBaseFee": 1000 if market.fees.rate else 0,
        "takerBaseFee": 1000 if market.fees.rate else 0,
        "secondsDelay": listing.seconds_delay,
        "questionID": _question_id(listing),
        "groupItemTitle": market.group_item,
        "marketMakerAddress": "",
        "version": market.version.value,
        "clobTokenIds": json.dumps([] if second else list(market.asset_ids)),
        "positionIds": list(market.asset_ids) if second else [],
        "tags": _tag_rows(listing.tags),
    }
    if market.fees.rate:
        answer["feeSchedule"] = {
            "exponent": market.fees.exponent,
            "rate": number(market.fees.rate),
            "takerOnly": market.fees.taker_only,
            "rebateRate": number(market.fees.rebate_rate),
        }
    answer.update(_changing(listing))
    if with_event:
        answer["events"] = [{"id": str(listing.event_number), "slug": listing.event_slug, "title": listing.event_title}]
    return answer


def _changing(listing: Listing) -> dict[str, Any]:
    """Return the fields that are there only at times: prices of a live book, the oracle's state, the end."""
    book = listing.book
    out: dict[str, Any] = {}
    if book.bids:
        out["bestBid"] = number(book.best_bid)
    if book.asks:
        out["bestAsk"] = number(book.best_ask)
    if book.bids and book.asks:
        out["spread"] = number(book.best_ask - book.best_bid)
    if book.last_trade_price:
        out["lastTradePrice"] = float(book.last_trade_price)
    if listing.oracle:
        out["umaResolutionStatus"] = listing.oracle
    if listing.market.neg_risk:
        out["negRiskMarketID"] = _group_hash(listing)
    if listing.seconds_delay:
        out["gameStartTime"] = iso(listing.market.end_at_ms)
    if listing.closed:
        out["closedTime"] = iso(listing.closed_ms)
    return out


def gamma_event(listings: Sequence[Listing], *, complete: bool = True, with_markets: bool = True) -> dict[str, Any]:
    """Return an event of Gamma from the listings of its markets, of which there is at least one."""
    first = listings[0]
    volume = sum(listing.volume for listing in listings)
    ends = [listing.market.end_at_ms for listing in listings if listing.market.end_at_ms is not None]
    neg_risk = first.market.neg_risk
    event: dict[str, Any] = {
        "id": str(first.event_number),
        "ticker": first.event_slug,
        "slug": first.event_slug,
        "title": first.event_title,
        "description": first.description,
        "startDate": iso(min(listing.listed_ms for listing in listings)),
        "creationDate": iso(min(listing.listed_ms for listing in listings)),
        "endDate": iso(max(ends)) if ends else None,
        "active": True,
        "closed": all(listing.closed for listing in listings),
        "archived": False,
        "restricted": False,
        "volume": number(volume),
        "volume24hr": number(volume),
        "enableOrderBook": True,
        "negRisk": neg_risk,
        "enableNegRisk": neg_risk,
        "negRiskAugmented": neg_risk and not complete,
        "tags": _tag_rows(first.tags),
    }
    if neg_risk:
        event["negRiskMarketID"] = _group_hash(first)
    if with_markets:
        event["markets"] = [gamma_market(listing, with_event=False) for listing in listings]
    return event
