from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio

from polymarket_agent.sandbox import sdk
from polymarket_agent.sandbox.server import Sandbox
from tests.sandbox.running import admin, market_of, quick_sandbox

polymarket = pytest.importorskip("polymarket")
streams = pytest.importorskip("polymarket.streams")

PATIENCE_S = 15


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with quick_sandbox(seed=5) as running:
        yield running


@pytest_asyncio.fixture(params=[0, 3])
async def client(sandbox: Sandbox, request: pytest.FixtureRequest) -> AsyncIterator[Any]:
    account = sandbox.accounts[request.param]
    made = await polymarket.AsyncSecureClient.create(
        private_key=account.private_key,
        wallet=account.wallet,
        environment=sdk.environment(sandbox.urls),
        api_key=polymarket.RelayerApiKey(key="any", address=account.address),
    )
    async with made:
        yield made


async def heard(handle: Any, wanted: Any, *, within_s: float = PATIENCE_S) -> list[Any]:
    """Return the events up to and including the first that is wanted."""
    events: list[Any] = []

    async def listen() -> None:
        async for event in handle:
            events.append(event)
            if wanted(event):
                return

    await asyncio.wait_for(listen(), within_s)
    return events


def token_of(sandbox: Sandbox, slug: str = "rain-in-lisbon") -> str:
    return str(market_of(sandbox, slug=slug)["asset_ids"][0])


async def test_a_book_is_followed_from_the_dump_on(client: Any, sandbox: Sandbox) -> None:
    """The market stream begins with the book and tells an order of ours as a change of its level."""
    token = token_of(sandbox)
    spec = streams.MarketSpec(asset_ids=[token], custom_feature_enabled=True)
    async with await client.subscribe(spec) as handle:
        first = await heard(handle, lambda event: event.type == "book")
        assert first[-1].payload.asset_id == token
        placed = await client.place_limit_order(token_id=token, side="BUY", price=0.03, size=77)
        assert placed.status == "live"

        def is_ours(event: Any) -> bool:
            changes = getattr(event.payload, "price_changes", ())
            return any(str(each.price) == "0.03" and each.size >= 77 for each in changes)

        await heard(handle, is_ours)
    await client.cancel_all()


async def test_orders_and_trades_are_told_to_their_owner(client: Any, sandbox: Sandbox) -> None:
    """The user stream tells placement, cancellation, and a trade until it is confirmed."""
    token = token_of(sandbox)
    async with await client.subscribe(streams.UserSpec()) as handle:
        placed = await client.place_limit_order(token_id=token, side="BUY", price=0.03, size=10)
        events = await heard(
            handle, lambda event: event.type == "order" and event.payload.order_event_type == "PLACEMENT"
        )
        assert events[-1].payload.id == placed.order_id
        await client.cancel_order(order_id=placed.order_id)
        await heard(handle, lambda event: event.type == "order" and event.payload.order_event_type == "CANCELLATION")
        taken = await client.place_market_order(token_id=token, side="BUY", amount=5, order_type="FAK")
        assert taken.status == "matched"
        events = await heard(handle, lambda event: event.type == "trade" and "CONFIRMED" in str(event.payload.status))

    told = [str(event.payload.status).removeprefix("TRADE_STATUS_") for event in events if event.type == "trade"]
    steps = [step for step in ("MATCHED", "MINED", "CONFIRMED") if any(step in each for each in told)]
    assert steps == ["MATCHED", "MINED", "CONFIRMED"]


async def test_a_subscription_grows_and_shrinks_while_connected(client: Any, sandbox: Sandbox) -> None:
    """A second market is added on the same connection, with its book, and given up again."""
    first, second = token_of(sandbox), token_of(sandbox, "comet-naked-eye")
    async with await client.subscribe(streams.MarketSpec(asset_ids=[first])) as one:
        await heard(one, lambda event: event.type == "book")
        async with await client.subscribe(streams.MarketSpec(asset_ids=[second])) as other:
            events = await heard(other, lambda event: event.type == "book")
            assert events[-1].payload.asset_id == second
        await client.place_limit_order(token_id=first, side="BUY", price=0.04, size=10)
        await heard(one, lambda event: event.type == "price_change")
    await client.cancel_all()


async def test_the_life_of_a_market_is_told(client: Any, sandbox: Sandbox) -> None:
    """Tick size, best prices and the resolution come through the market stream."""
    markets = admin(sandbox, "limits", {})["markets"]
    market = next(m for m in markets if m["state"] == "open" and m["tick_size"] == "0.01" and m["neg_risk"])
    token = market["asset_ids"][0]
    async with await client.subscribe(streams.MarketSpec(asset_ids=[token], custom_feature_enabled=True)) as handle:
        await heard(handle, lambda event: event.type == "book")
        await asyncio.to_thread(admin, sandbox, "tick", {"market": market["market"], "tick_size": "0.001"})
        await heard(handle, lambda event: event.type == "tick_size_change")
        await asyncio.to_thread(admin, sandbox, "resolve", {"market": market["market"], "payouts": ["0", "1"]})
        events = await heard(handle, lambda event: event.type == "market_resolved")

    assert events[-1].payload.winning_asset_id == market["asset_ids"][1]


async def test_a_day_of_work(client: Any, sandbox: Sandbox) -> None:
    """Discover, quote, batch, look, cancel, split, merge, heartbeat: the asynchronous client does all of it."""
    page = await client.list_markets(closed=False, page_size=50).first_page()
    market = next(each for each in page.items if each.slug == "comet-naked-eye")
    token = market.outcomes.yes.token_id
    signed = [await client.create_limit_order(token_id=token, side="BUY", price=p, size=10) for p in ("0.05", "0.06")]
    placed = await client.post_orders(signed)
    assert [each.status for each in placed] == ["live", "live"]
    orders = await client.list_open_orders().first_page()
    assert {each.id for each in orders.items} == {each.order_id for each in placed}
    cancelled = await client.cancel_market_orders(market=market.condition_id)
    assert len(cancelled.canceled) == 2

    await (await client.split_position(condition_id=market.condition_id, amount=8_000_000)).wait()
    await (await client.merge_positions(condition_id=market.condition_id, amount="max")).wait()
    balance = await client.get_balance_allowance(asset_type="COLLATERAL")
    assert balance.balance > 0
    assert (await client.send_order_heartbeat()).heartbeat_id
