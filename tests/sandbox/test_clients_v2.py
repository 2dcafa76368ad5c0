from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from polymarket_agent.sandbox.server import Sandbox
from tests.sandbox.running import call, market_of, quick_sandbox, until

v2 = pytest.importorskip("py_clob_client_v2")
types = pytest.importorskip("py_clob_client_v2.clob_types")
helpers = pytest.importorskip("py_clob_client_v2.http_helpers.helpers")
errors = pytest.importorskip("py_clob_client_v2.exceptions")


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with quick_sandbox(seed=7) as running:
        yield running
    helpers._http_client.close()


@pytest.fixture(scope="module", params=[0, 1, 2, 3])
def client(request: pytest.FixtureRequest, sandbox: Sandbox) -> Any:
    account = sandbox.accounts[request.param]
    made = v2.ClobClient(
        sandbox.urls["clob_url"],
        chain_id=137,
        key=account.private_key,
        signature_type=account.signature_type,
        funder=account.wallet,
    )
    made.set_api_creds(made.create_or_derive_api_key())
    return made


@pytest.fixture
def token(sandbox: Sandbox) -> str:
    return str(market_of(sandbox, slug="rain-in-lisbon")["asset_ids"][0])


def order(token: str, price: float, size: float = 10, **more: Any) -> Any:
    return types.OrderArgsV2(token_id=token, price=price, size=size, side="BUY", **more)


def test_public_reads_answer(client: Any, token: str) -> None:
    """Everything that needs no key: service, books, prices, metadata, lists, history."""
    assert client.get_ok() == "OK"
    assert client.get_version() == 2
    assert client.get_server_time() > 1_700_000_000
    book = client.get_order_book(token)
    assert client.get_order_book_hash(types.OrderBookSummary(**_summary(book))) == book["hash"]
    assert client.get_tick_size(token) == "0.01"
    assert client.get_neg_risk(token) is False
    assert 0 < float(client.get_midpoint(token)["mid"]) < 1
    assert float(client.get_price(token, "BUY")["price"]) < float(client.get_price(token, "SELL")["price"])
    assert token in client.get_midpoints([types.BookParams(token_id=token)])
    assert client.get_prices([types.BookParams(token_id=token, side="BUY")])[token]["BUY"]
    assert client.get_order_books([types.BookParams(token_id=token)])
    for page in (client.get_markets(), client.get_simplified_markets(), client.get_sampling_markets()):
        assert page["next_cursor"] == "LTE="
        assert page["data"]
    condition = client.get_sampling_simplified_markets()["data"][0]["condition_id"]
    assert client.get_market(condition)["condition_id"] == condition
    assert client.get_clob_market_info(condition)["c"] == condition


def _summary(book: dict[str, Any]) -> dict[str, Any]:
    levels = {side: [types.OrderSummary(**level) for level in book[side]] for side in ("bids", "asks")}
    return {**{key: value for key, value in book.items() if key != "version"}, **levels}


def test_a_day_of_work(client: Any, sandbox: Sandbox, token: str) -> None:
    """Orders of every kind are placed, seen, cancelled in every way, and trades and balances are read."""
    gtc = client.create_and_post_order(order(token, 0.05))
    gtd = client.create_and_post_order(
        order(token, 0.06, expiration=client.get_server_time() + 900), order_type=types.OrderType.GTD
    )
    post_only = client.create_and_post_order(order(token, 0.07), post_only=True)
    batch = client.post_orders(
        [
            types.PostOrdersV2Args(order=client.create_order(order(token, price)), orderType=types.OrderType.GTC)
            for price in (0.08, 0.09)
        ]
    )
    placed = [gtc, gtd, post_only, *batch]
    assert {each["status"] for each in placed} == {"live"}
    ids = [each["orderID"] for each in placed]
    assert {each["id"] for each in client.get_open_orders()} == set(ids)
    assert client.get_order(ids[0])["size_matched"] == "0"
    assert client.cancel_order(types.OrderPayload(orderID=ids[0]))["canceled"] == [ids[0]]
    assert set(client.cancel_orders(ids[1:3])["canceled"]) == set(ids[1:3])
    assert len(client.cancel_market_orders(types.OrderMarketCancelParams(asset_id=token))["canceled"]) == 2
    assert client.cancel_all() == {"canceled": [], "not_canceled": {}}

    bought = [
        client.create_and_post_market_order(
            types.MarketOrderArgsV2(token_id=token, amount=5, side="BUY", order_type=kind), order_type=kind
        )
        for kind in (types.OrderType.FOK, types.OrderType.FAK)
    ]
    assert {each["status"] for each in bought} == {"matched"}
    assert all(each["transactionsHashes"] for each in bought)
    assert {each["taker_order_id"] for each in client.get_trades()} >= {each["orderID"] for each in bought}
    held = types.BalanceAllowanceParams(asset_type=types.AssetType.CONDITIONAL, token_id=token)
    assert until(lambda: int(client.get_balance_allowance(held)["balance"])) > 0
    client.update_balance_allowance(held)
    assert call(f"{sandbox.urls['admin_url']}/check") == (200, {"conserved": True})


def test_what_surrounds_an_account_answers(client: Any) -> None:
    """Keys, ban status, notifications, scoring and the heartbeat chain."""
    assert client.creds.api_key in client.get_api_keys()["apiKeys"]
    assert client.get_closed_only_mode() == {"closed_only": False}
    assert isinstance(client.get_notifications(), list)
    assert client.is_order_scoring(types.OrderScoringParams(orderId="0x" + "ab" * 32)) == {"scoring": False}
    first = client.post_heartbeat()["heartbeat_id"]
    assert client.post_heartbeat(first)["heartbeat_id"] != first
    with pytest.raises(errors.PolyApiException, match="Invalid Heartbeat ID"):
        client.post_heartbeat("wrong")


def test_orders_in_every_kind_of_market(client: Any, sandbox: Sandbox) -> None:
    """Neg-risk and V3 orders of this client verify as well."""
    for wanted in ({"version": "v1", "neg_risk": True}, {"version": "v2", "neg_risk": False}):
        market = market_of(sandbox, **wanted)
        name = "position_id" if market["version"] == "v2" else "token_id"
        made = types.OrderArgsV2(
            **{name: market["asset_ids"][0]}, price=float(market["tick_size"]), size=100, side="BUY"
        )
        answer = client.create_and_post_order(made)
        assert answer["status"] == "live", answer
        client.cancel_all()


def test_refusals_keep_their_words(client: Any, token: str) -> None:
    """A post-only order that crosses and a FOK order that cannot be filled are refused as the venue refuses them."""
    with pytest.raises(errors.PolyApiException, match="post-only order: order crosses book"):
        client.create_and_post_order(order(token, 0.95), post_only=True)
    with pytest.raises(errors.PolyApiException, match="fully filled or killed"):
        client.create_and_post_market_order(
            types.MarketOrderArgsV2(token_id=token, amount=9000, side="BUY", price=0.6),
            order_type=types.OrderType.FOK,
        )
