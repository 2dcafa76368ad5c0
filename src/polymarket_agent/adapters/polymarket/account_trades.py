"""Our part of a trade, of a page of `/data/trades` or a message of the user channel. Pure.

A trade has a taker's order on top and makers' orders below, any number of them ours, on both sides too. Its `asset_id`,
`side`, `size` and `price` are the taker's; a maker is told what it filled in its own entry.

Source: ../shared/spec/polymarket-wire.md, sections 5.2 and 6.3.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from polymarket_agent.adapters.polymarket.account_rows import (
    converted_row,
    order_id_of,
    rows_and_cursor,
    seconds_of,
    share_price,
    side_of,
)
from polymarket_agent.adapters.polymarket.exact import Number, asset_id_of, condition_id_of, micro_of, text_of
from polymarket_agent.domain.levels import Side
from polymarket_agent.domain.market import AssetId
from polymarket_agent.domain.money import MICRO, Price, Shares, complement
from polymarket_agent.domain.order import SettlementStatus
from polymarket_agent.domain.venue import Leg
from polymarket_agent.errors import VenueDataError

__all__ = ["legs_of_trade", "parse_trades"]

Parts = tuple[tuple[Price, Shares], ...]

OURS = "ours"
_OWNER_KEYS = frozenset({"owner", "trade_owner", "order_owner"})
_STATUS_PREFIX = "TRADE_STATUS_"
_STATUSES = {status.value: status for status in SettlementStatus} | {
    "MATCHED_NOT_BROADCASTED": SettlementStatus.MATCHED
}


class _Maker(msgspec.Struct):
    order_id: str
    matched_amount: Number
    price: Number
    asset_id: str | None = ""
    side: str | None = ""
    owner: str | None = ""
    maker_address: str | None = ""


class _Trade(msgspec.Struct):
    id: str
    taker_order_id: str
    market: str
    asset_id: str
    side: str
    size: Number
    price: Number
    status: str
    match_time: Number | None = None
    matchtime: Number | None = None
    last_update: Number | None = None
    timestamp: Number | None = None
    bucket_index: int | None = 0
    owner: str | None = ""
    maker_address: str | None = ""
    trader_side: str | None = ""
    maker_orders: list[_Maker] | None = None


class _Ours:
    """Tells our entries by wallet or by API key: a key may have been renewed since, a wallet stays."""

    def __init__(self, wallet: str, api_key_id: str) -> None:
        self._wallet, self._key = wallet.lower(), api_key_id

    def has(self, part: _Trade | _Maker) -> bool:
        """Whether an entry names our wallet or our key."""
        by_key = bool(self._key) and part.owner == self._key
        return by_key or (bool(self._wallet) and (part.maker_address or "").lower() == self._wallet)


def parse_trades(body: bytes | str, *, wallet: str, api_key_id: str) -> tuple[list[Leg], str | None]:
    """Return our legs of a page of `/data/trades` in its order, and the cursor of the next one, None at the end.

    Raises:
        VenueDataError: the page or one of its rows is malformed.
    """
    rows, cursor = rows_and_cursor(body)
    return [leg for row in rows for leg in legs_of_trade(row, wallet=wallet, api_key_id=api_key_id)], cursor


def legs_of_trade(found: Mapping[str, Any], *, wallet: str, api_key_id: str) -> list[Leg]:
    """Return the legs of one trade that are ours: the taker's first, then each maker's order once.

    Raises:
        VenueDataError: malformed.
    """
    trade = converted_row(found, _Trade)
    if not 0 < len(trade.id) <= 128 or not trade.id.isprintable():
        raise VenueDataError("a trade has no usable id")
    taker_asset, taker_side = asset_id_of(trade.asset_id), side_of(trade.side)
    ours = _Ours(wallet, api_key_id)
    makers: dict[str, tuple[AssetId, Side, Parts]] = {}
    taken: Parts = ()
    for entry in trade.maker_orders or ():
        asset_id = asset_id_of(entry.asset_id) if entry.asset_id else taker_asset
        part = (share_price(entry.price), Shares(micro_of(entry.matched_amount)))
        order_id = order_id_of(entry.order_id)
        if not part[1]:
            continue
        taken += ((part[0] if asset_id == taker_asset else complement(part[0]), part[1]),)
        if ours.has(entry):
            side = side_of(entry.side) if entry.side else _side_opposed(asset_id, taker_asset, taker_side)
            earlier = makers[order_id][2] if order_id in makers else ()
            makers[order_id] = (asset_id, side, (*earlier, part))
    size = Shares(micro_of(trade.size))
    legs = []
    evidence = _evidence(found, api_key_id)
    if _takes(trade, ours, has_maker=bool(makers)) and size:
        whole = sum(quantity for _, quantity in taken) == size
        parts = taken if whole else ((share_price(trade.price), size),)
        legs.append(_leg(trade, trade.taker_order_id, (taker_asset, taker_side, parts), evidence, is_maker=False))
    legs += [_leg(trade, order_id, made, evidence, is_maker=True) for order_id, made in makers.items()]
    return legs


def _side_opposed(asset_id: AssetId, taker_asset: AssetId, taker_side: Side) -> Side:
    """Return a maker's side where it is not told: of the same claim the other one, of the other claim the same."""
    return taker_side.opposite if asset_id == taker_asset else taker_side


def _takes(trade: _Trade, ours: _Ours, *, has_maker: bool) -> bool:
    """Whether the order on top is ours.

    The trade is told as one account sees it. To a maker, `owner` and `maker_address` on top may be its own, so they
    decide only where nothing below is ours: a fill must not get lost between the two.
    """
    role = (trade.trader_side or "").upper()
    if role == "TAKER":
        return True
    return ours.has(trade) and not (role == "MAKER" and has_maker)


def _leg(trade: _Trade, order_id: str, made: tuple[AssetId, Side, Parts], evidence: str, *, is_maker: bool) -> Leg:
    asset_id, side, parts = made
    quantity = Shares(sum(each for _, each in parts))
    word = trade.status.strip().upper().removeprefix(_STATUS_PREFIX)
    return Leg(
        trade_id=trade.id,
        order_id=order_id_of(order_id),
        bucket=trade.bucket_index or 0,
        condition_id=condition_id_of(trade.market),
        asset_id=asset_id,
        side=side,
        is_maker=is_maker,
        quantity=quantity,
        price=parts[0][0] if len(parts) == 1 else _average(parts, quantity),
        parts=parts,
        status=_STATUSES.get(word, SettlementStatus.MATCHED),
        matched_ms=_matched_ms(trade),
        updated_ms=seconds_of(trade.last_update) * 1000,
        known_status=word in _STATUSES,
        raw=evidence,
    )


def _matched_ms(trade: _Trade) -> int:
    """Return when a trade was matched; without any time it would fall out of every list that begins somewhere."""
    told_s = seconds_of(trade.match_time) or seconds_of(trade.matchtime) or seconds_of(trade.last_update)
    found = told_s * 1000 or _milliseconds(trade.timestamp)
    if not found:
        raise VenueDataError("a trade does not say when it was matched")
    return found


def _average(parts: Parts, quantity: Shares) -> Price:
    """Return the mean price by quantity, half up, within the open interval; for show, the parts are what counts."""
    total = sum(price * part for price, part in parts)
    return Price(min(MICRO - 1, max(1, (2 * total + quantity) // (2 * quantity))))


def _milliseconds(number: Number | None) -> int:
    text = "" if number is None else text_of(number)
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 15 else 0


def _evidence(found: object, api_key_id: str) -> str:
    try:
        return msgspec.json.encode(_masked(found, api_key_id)).decode()
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise VenueDataError(f"a trade cannot be kept as evidence: {error}") from error


def _masked(found: object, api_key_id: str) -> object:
    """Return a message in which our key stands as a word of ours."""
    if isinstance(found, Mapping):
        return {
            key: OURS if key in _OWNER_KEYS and api_key_id and value == api_key_id else _masked(value, api_key_id)
            for key, value in found.items()
        }
    if isinstance(found, list):
        return [_masked(each, api_key_id) for each in found]
    return found
