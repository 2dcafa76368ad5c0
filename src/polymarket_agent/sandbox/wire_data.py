"""Rows of the Data API: positions, trades, activity, resolutions, approvals. Pure; numbers are JSON numbers."""

from __future__ import annotations

from typing import Any

from polymarket_agent.domain.money import MICRO
from polymarket_agent.sandbox.contracts import APPROVALS
from polymarket_agent.sandbox.keccak import address_bytes, checksum
from polymarket_agent.sandbox.model import Leg, TradeChanged
from polymarket_agent.sandbox.records import Activity, Holding, OracleState
from polymarket_agent.sandbox.wire_markets import Listing, number

__all__ = ["activity_event", "activity_trade", "approvals", "page", "position", "resolution", "trade_row"]

UNLIMITED = (1 << 256) - 1
_UNSET_PRICE = "69"


def page(rows: list[Any], *, limit: int, offset: int, next_cursor: str | None) -> dict[str, Any]:
    """Return the envelope of a list; `has_more` and the cursor always agree."""
    return {
        "data": rows,
        "pagination": {
            "limit": limit,
            "offset": offset,
            "has_more": next_cursor is not None,
            "next_cursor": next_cursor,
        },
    }


def position(wallet: str, listing: Listing, index: int, held: tuple[int, int], holding: Holding) -> dict[str, Any]:
    """Return what a wallet holds of one outcome; `held` is (shares of it, shares of the other one)."""
    market, price = listing.market, listing.prices[index]
    size, other = held
    cost = holding.cost if size else 0
    value = size * price // MICRO
    unrealized = value - cost
    redeemable = market.payouts is not None and size > 0
    return {
        "proxy_wallet": wallet,
        "token_id": market.outcomes[index].asset_id,
        "condition_id": market.condition_id,
        "current_size": number(size),
        "avg_price": number(cost * MICRO // size) if size else 0,
        "entry_cost_usdc": number(cost),
        "entry_fees_usdc": number(holding.fees),
        "total_cost_usdc": number(cost),
        "current_price": number(price),
        "current_value": number(value),
        "total_size": number(holding.bought),
        "realized_pnl": number(holding.realized),
        "unrealized_pnl": number(unrealized),
        "total_pnl": number(holding.realized + unrealized),
        "percent_pnl": unrealized * 100 / cost if cost else 0,
        "percent_realized_pnl": holding.realized * 100 / cost if cost else 0,
        "status": "REDEEMABLE" if redeemable else "OPEN" if size else "CLOSED",
        "redeemable": redeemable,
        "mergeable": min(size, other) > 0,
        "negative_risk": market.neg_risk,
        "archived": False,
        "verified": False,
        "title": market.question,
        "slug": market.slug,
        "icon": "",
        "event_id": str(listing.event_number),
        "event_slug": listing.event_slug,
        "outcome": market.outcomes[index].label,
        "outcome_index": index,
        "opposite_outcome": market.outcomes[1 - index].label,
        "opposite_token_id": market.outcomes[1 - index].asset_id,
        "end_date": None,
        "last_event_at": holding.last_ms // 1000 or None,
        "first_entry_at": holding.first_ms // 1000 or None,
    }


def trade_row(trade: TradeChanged, leg: Leg, listing: Listing) -> dict[str, Any]:
    """Return a wallet's part in a trade."""
    market = listing.market
    return {
        "proxy_wallet": leg.wallet,
        "token_id": leg.asset_id,
        "condition_id": trade.condition_id,
        "side": leg.side.value,
        "size": number(leg.quantity),
        "price": number(leg.price),
        "timestamp": trade.matched_ms // 1000,
        "transaction_hash": trade.transaction_hash,
        "title": market.question,
        "slug": market.slug,
        "icon": "",
        "event_slug": listing.event_slug,
        "outcome": leg.outcome,
        "outcome_index": market.index_of(leg.asset_id),
        "name": "",
        "pseudonym": "",
        "bio": "",
        "profile_image": "",
        "profile_image_optimized": "",
    }


def activity_trade(trade: TradeChanged, leg: Leg, listing: Listing) -> dict[str, Any]:
    """Return a trade as activity."""
    row = trade_row(trade, leg, listing)
    return {**row, "type": "TRADE", "is_combo": False, "usdc_size": number(leg.price * leg.quantity // MICRO)}


def activity_event(wallet: str, done: Activity, listing: Listing) -> dict[str, Any]:
    """Return a split, merge or redemption as activity."""
    return {
        "proxy_wallet": wallet,
        "timestamp": done.at_ms // 1000,
        "transaction_hash": done.transaction_hash,
        "type": done.kind,
        "is_combo": False,
        "condition_id": done.condition_id,
        "usdc_size": number(done.amount),
        "title": listing.market.question,
        "slug": listing.market.slug,
        "icon": "",
        "event_slug": listing.event_slug,
    }


def resolution(listing: Listing, oracle: OracleState | None) -> dict[str, Any]:
    """Return where a market's answer stands; 69 stands for a price that is not set."""
    payouts = listing.market.payouts
    status = oracle.status if oracle is not None else "posed"
    disputed = oracle is not None and oracle.disputed
    if status == "proposed" and disputed:
        status = "reproposed"
    price = str(number(payouts[0])) if payouts is not None else _UNSET_PRICE
    return {
        "question_id": f"0x{listing.number:064x}",
        "condition_id": listing.market.condition_id,
        "status": status,
        "extended_review": False,
        "was_disputed": disputed,
        "new_version_q": False,
        "proposed_price": price if payouts is not None else _UNSET_PRICE,
        "reproposed_price": _UNSET_PRICE,
        "price": price,
        "transaction_hash": "",
        "log_index": None,
        "last_update_timestamp": (oracle.at_ms if oracle is not None else listing.listed_ms) // 1000,
        "payouts": list(payouts) if payouts is not None else None,
        "reporter": "UMA_OO",
        "was_arbitrated": disputed and payouts is not None,
        "resolved_at": oracle.at_ms // 1000 if oracle is not None and payouts is not None else None,
    }


def approvals(wallet: str, allowed: dict[tuple[str, str], int]) -> dict[str, Any]:
    """Return who may take what from a wallet, for every pair that the clients ask for."""
    rows = []
    for approval in APPROVALS:
        amount = allowed.get((approval.token, approval.spender), 0)
        row = {
            "token": checksum(address_bytes(approval.token)),
            "spender": checksum(address_bytes(approval.spender)),
            "standard": approval.standard,
            "approved": amount > 0,
        }
        if approval.standard == "ERC20":
            row["amount"] = "max" if amount == UNLIMITED else str(amount)
        rows.append(row)
    return {"address": wallet, "chain_id": 137, "contracts": rows}
