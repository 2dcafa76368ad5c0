"""Messages of the user channel in the forms that were recorded, and a user feed on loopback that is quick."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from random import Random
from typing import Any

from polymarket_agent.adapters.polymarket.parse_user import UserChannelParser
from polymarket_agent.adapters.polymarket.user_feed import UserFeed, UserFeedPolicy
from polymarket_agent.clock import ManualClock
from polymarket_agent.keys import ApiCredentials, Secret
from tests.adapters.venue import ChannelVenue, Reader, serve

WALLET = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
STRANGER = "0x629BC4a1E53e1d475beB7ea3D388791e96Dd995A"
KEY = "9180014b-33c8-9240-a14b-bdca11c0a465"
OTHER_KEY = "ce168652-c146-2d93-a45c-f36cc52ae6f6"
SECRET = "c2VjcmV0LWNhbmFyeS1vZi10aGUtdXNlci1jaGFubmVsLTE="
PASSPHRASE = "5e" * 16 + "ca4a71" * 5 + "ff"
CONDITION = "0x" + "ab" * 32
YES = str((1 << 250) + 11)
NO = str((1 << 250) + 12)
ORDER = "0x" + "0f" * 32
AT_MS = 1_795_360_431_340
OURS = AT_MS + 50

QUICK = UserFeedPolicy(
    ping_s=0.02,
    dead_after_s=2.0,
    check_s=0.01,
    login_s=2.0,
    backoff_min_s=0.01,
    backoff_max_s=0.05,
    refused_wait_s=0.02,
    close_s=0.1,
)


def credentials() -> ApiCredentials:
    return ApiCredentials(KEY, Secret(SECRET), Secret(PASSPHRASE))


def order(**fields: Any) -> dict[str, Any]:
    return {
        "event_type": "order",
        "type": "PLACEMENT",
        "id": ORDER,
        "owner": KEY,
        "market": CONDITION,
        "asset_id": YES,
        "side": "BUY",
        "order_owner": KEY,
        "original_size": "100",
        "size_matched": "0",
        "price": "0.45",
        "associate_trades": None,
        "outcome": "Yes",
        "created_at": "1795360431",
        "expiration": "0",
        "order_type": "GTC",
        "status": "LIVE",
        "maker_address": WALLET,
        "timestamp": str(AT_MS),
        **fields,
    }


def killed(**fields: Any) -> dict[str, Any]:
    """Return a killed FOK order as it was recorded: a sentence for a state, no size and no time."""
    said = "CANCELED_order couldn't be fully filled. FOK orders are fully filled or killed."
    return order(type="CANCELLATION", order_type="FOK", status=said, size_matched="", created_at="", **fields)


def maker(number: int = 1, **fields: Any) -> dict[str, Any]:
    return {
        "order_id": f"0x{number:064x}",
        "owner": OTHER_KEY,
        "maker_address": STRANGER,
        "matched_amount": "10",
        "price": "0.52",
        "fee_rate_bps": "",
        "asset_id": YES,
        "outcome": "Yes",
        "outcome_index": 0,
        "side": "SELL",
        **fields,
    }


def trade(**fields: Any) -> dict[str, Any]:
    """Return a trade in which we took ten shares of one maker."""
    return {
        "event_type": "trade",
        "type": "TRADE",
        "id": "f50e8ab2-652d-4dc8-9c82-8e46197fe98d",
        "taker_order_id": ORDER,
        "market": CONDITION,
        "asset_id": YES,
        "side": "BUY",
        "size": "10",
        "price": "0.52",
        "fee_rate_bps": "0",
        "status": "MATCHED",
        "match_time": "1795360431",
        "last_update": "1795360432",
        "outcome": "Yes",
        "owner": KEY,
        "trade_owner": KEY,
        "maker_address": WALLET,
        "transaction_hash": "",
        "bucket_index": 0,
        "maker_orders": [maker()],
        "trader_side": "TAKER",
        "timestamp": str(AT_MS),
        **fields,
    }


def parsed(*messages: Any, parser: UserChannelParser | None = None) -> list[Any]:
    raw = json.dumps(messages[0] if len(messages) == 1 else list(messages)).encode()
    return list((parser or UserChannelParser(WALLET, KEY)).parse(raw, OURS))


def user_feed(url: str, policy: UserFeedPolicy = QUICK) -> UserFeed:
    return UserFeed(
        url,
        credentials(),
        parser=UserChannelParser(WALLET, KEY),
        clock=ManualClock(AT_MS),
        policy=policy,
        jitter=Random(1),
    )


@asynccontextmanager
async def listening(venue: ChannelVenue, policy: UserFeedPolicy = QUICK) -> AsyncIterator[tuple[Reader, UserFeed]]:
    async with serve(venue.handle) as address:
        feed = user_feed(f"ws://{address}/ws/user", policy)
        async with aclosing(feed.events()) as events:  # type: ignore[type-var]
            yield Reader(events), feed
