"""Groups out of Gamma's listings: the venue calls them "events"."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from polymarket_agent.adapters.polymarket.answers import Dropped, decoded, each_of, elements
from polymarket_agent.adapters.polymarket.listing import market_of
from polymarket_agent.domain.market import Market, MarketGroup
from polymarket_agent.errors import VenueDataError

__all__ = ["ListedGroup", "group_of", "parse_group", "parse_groups"]


class ListedGroup(NamedTuple):
    """A group with those of its markets that could be read."""

    group: MarketGroup
    markets: tuple[Market, ...]
    dropped: Dropped


class _GammaEvent(msgspec.Struct, rename="camel"):
    id: str
    title: str = ""
    slug: str | None = None
    neg_risk: bool | None = None
    neg_risk_augmented: bool | None = None
    markets: list[Any] | None = None


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


def parse_group(raw: bytes | str | dict[str, Any]) -> ListedGroup:
    """Return one Gamma event, from its JSON or already decoded.

    Raises:
        VenueDataError: as `group_of`, or not JSON.
    """
    return group_of(decoded(raw))


def parse_groups(
    raw: bytes | str | list[Any] | dict[str, Any], *, whole: bool = True
) -> tuple[list[ListedGroup], Dropped]:
    """Return the groups of a Gamma list or page of events, or of a search answer (then `whole` is False).

    Raises:
        VenueDataError: the answer as a whole is malformed.
    """
    return each_of(elements(decoded(raw), "events"), lambda each: group_of(each, whole=whole))
