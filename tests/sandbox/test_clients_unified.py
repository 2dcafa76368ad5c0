from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from polymarket_agent.clock import SystemClock
from polymarket_agent.sandbox import sdk
from polymarket_agent.sandbox.server import Sandbox
from tests.sandbox.running import admin, call, market_of, quick_sandbox, until

polymarket = pytest.importorskip("polymarket")

KINDS = [0, 1, 2, 3]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with quick_sandbox() as running:
        yield running


@pytest.fixture(scope="module")
def clients(sandbox: Sandbox) -> Iterator[dict[int, Any]]:
    environment = sdk.environment(sandbox.urls)
    made = {
        account.signature_type: polymarket.SecureClient.create(
            private_key=account.private_key,
            wallet=account.wallet,
            environment=environment,
            api_key=polymarket.RelayerApiKey(key="any", address=account.address),
        )
        for account in sandbox.accounts
    }
    yield made
    for client in made.values():
        client.close()


@pytest.fixture(params=KINDS)
def client(request: pytest.FixtureRequest, clients: dict[int, Any]) -> Any:
    return clients[request.param]


@pytest.fixture
def token(sandbox: Sandbox) -> str:
    return str(market_of(sandbox, slug="rain-in-lisbon")["asset_ids"][0])


def test_markets_are_discovered(client: Any) -> None:
    """Lists, single markets, events and search answer what the client takes, page by page."""
    found = {
        market.id: market for page in [client.list_markets(closed=False, page_size=5)] for market in page.iter_items()
    }
    market = next(each for each in found.values() if each.slug == "rain-in-lisbon")

    assert len(found) > 5
    assert client.get_market(id=market.id).condition_id == market.condition_id
    assert client.get_market(slug=market.slug).id == market.id
    assert client.get_event(id=market.events[0].id).markets
    assert client.search(q="lisbon").first_page().items[0].events
    assert {str(each.version) for each in found.values()} == {"v1", "v2"}


def test_books_and_prices_agree(client: Any, token: str) -> None:
    """Every public read of a token tells the same book."""
    book = client.get_order_book(token_id=token)

    assert book.bids[-1].price < book.asks[-1].price
    assert client.get_price(token_id=token, side="BUY") < client.get_price(token_id=token, side="SELL")
    assert client.get_spread(token_id=token) > 0
    assert client.get_midpoints(token_ids=[token])[token] > 0
    assert client.get_order_books(token_ids=[token])
    last = client.get_last_trade_price(token_id=token)
    assert last is None or 0 < last.price < 1


def test_orders_rest_are_seen_and_cancelled(client: Any, sandbox: Sandbox, token: str) -> None:
    """GTC, GTD, post-only and a batch rest; one, many, a market's and all are cancelled."""
    client.cancel_all()
    later = SystemClock().now_ms() // 1000 + 900
    placed = [
        client.place_limit_order(token_id=token, side="BUY", price=0.05, size=10),
        client.place_limit_order(token_id=token, side="BUY", price=0.06, size=10, expiration=later),
        client.place_limit_order(token_id=token, side="BUY", price=0.07, size=10, post_only=True),
    ]
    batch = [client.create_limit_order(token_id=token, side="BUY", price=Decimal(p) / 100, size=10) for p in (8, 9, 10)]
    placed += client.post_orders(batch)

    assert {each.status for each in placed} == {"live"}
    ids = [each.order_id for each in placed]
    seen = {order.id: order for order in client.list_open_orders().first_page().items}
    assert set(ids) == set(seen)
    assert client.get_order(order_id=ids[1]).order_type == "GTD"
    assert client.cancel_order(order_id=ids[0]).canceled == (ids[0],)
    assert set(client.cancel_orders(order_ids=ids[1:3]).canceled) == set(ids[1:3])
    market = client.get_order(order_id=ids[3]).market
    assert len(client.cancel_market_orders(market=market).canceled) == 3
    client.place_limit_order(token_id=token, side="BUY", price=0.05, size=10)
    assert len(client.cancel_all().canceled) == 1
    assert client.cancel_order(order_id=ids[0]).not_canceled.keys() == {ids[0]}


def test_what_takes_is_matched_or_killed(client: Any, token: str) -> None:
    """FOK and FAK take what is there, settle, and stand in trades; a FOK beyond the book is killed."""
    fok = client.place_market_order(token_id=token, side="BUY", amount=5, order_type="FOK")
    fak = client.place_market_order(token_id=token, side="BUY", amount=5, order_type="FAK")

    assert {fok.status, fak.status} == {"matched"}
    assert fok.making_amount <= 5
    mine = {trade.taker_order_id for trade in client.list_account_trades().first_page().items}
    assert {fok.order_id, fak.order_id} <= mine
    done = client.wait_for_order_fill_settlement(fok)
    assert done is not None
    signed = client.create_market_order(token_id=token, side="BUY", amount=9000, max_price=0.6, order_type="FOK")
    with pytest.raises(polymarket.RequestRejectedError, match="fully filled or killed"):
        client.post_order(signed)


def test_a_crossing_post_only_order_is_refused(client: Any, token: str) -> None:
    """The venue's words for a post-only order that crosses reach the client."""
    with pytest.raises(polymarket.RequestRejectedError, match="invalid post-only order: order crosses book"):
        client.place_limit_order(token_id=token, side="BUY", price=0.9, size=10, post_only=True)


@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize("neg_risk", [False, True])
def test_every_kind_of_market_takes_orders(client: Any, sandbox: Sandbox, version: str, neg_risk: bool) -> None:
    """Standard, neg-risk and ExchangeV3 signatures are each good in their markets."""
    market = market_of(sandbox, version=version, neg_risk=neg_risk)
    tick = Decimal(market["tick_size"])

    placed = client.place_limit_order(asset_id=market["asset_ids"][1], side="BUY", price=tick, size=100)

    assert placed.status == "live", placed
    assert client.cancel_order(order_id=placed.order_id).canceled == (placed.order_id,)


@pytest.mark.parametrize(
    "wanted", [{"version": "v1", "neg_risk": False}, {"version": "v1", "neg_risk": True}, {"version": "v2"}]
)
def test_sets_are_split_merged_and_redeemed(client: Any, sandbox: Sandbox, wanted: dict[str, Any]) -> None:
    """Collateral becomes full sets, some of them collateral again, and the winners pay after the resolution."""
    markets = call(f"{sandbox.urls['admin_url']}/state")[1]["markets"]
    fits = [m for m in markets if m["state"] == "open" and all(m[k] == v for k, v in wanted.items())]
    market = next(m for m in fits if m["slug"] != "rain-in-lisbon")
    condition = market["market"]
    before = client.get_balance_allowance(asset_type="COLLATERAL").balance

    client.split_position(condition_id=condition, amount=20_000_000).wait()
    client.merge_positions(condition_id=condition, amount=5_000_000).wait()
    assert client.get_balance_allowance(asset_type="COLLATERAL").balance == before - 15_000_000
    held = [each for each in client.list_positions().first_page().items if each.condition_id == condition]
    assert [each.current_size for each in held] == [15, 15]
    assert all(each.mergeable for each in held)

    admin(sandbox, "resolve", {"market": condition, "payouts": ["1", "0"]})
    client.redeem_positions(condition_id=condition).wait()
    assert client.get_balance_allowance(asset_type="COLLATERAL").balance == before
    assert client.get_resolutions(condition_ids=[condition])[0].status == "resolved"
    assert call(f"{sandbox.urls['admin_url']}/check") == (200, {"conserved": True})


def test_the_account_is_told_in_the_data_api(client: Any, token: str) -> None:
    """Positions, trades, activity, value and approvals of a wallet that bought something."""
    bought = client.place_market_order(token_id=token, side="BUY", amount=3, order_type="FAK")
    assert bought.status == "matched"

    held = until(lambda: [each for each in client.list_positions().first_page().items if each.asset_id == token])
    assert held[0].current_size > 0
    assert held[0].entry_cost_usdc > 0
    assert client.list_trades().first_page().items[0].asset_id == token
    assert {str(each.type) for each in client.list_activity().first_page().items} >= {"TRADE"}
    assert client.get_portfolio_value().value > 0
    assert client.get_trading_approvals_state().is_fully_approved
    assert client.list_trader_leaderboard().first_page().items
    assert client.list_price_history(asset_id=token, interval="1h").first_page().items


def test_sold_shares_come_back_as_collateral(client: Any, token: str) -> None:
    """What was bought and settled can be sold again."""
    bought = client.place_market_order(token_id=token, side="BUY", amount=10, order_type="FAK")
    size = until(lambda: client.get_balance_allowance(asset_type="CONDITIONAL", token_id=token).balance)

    sold = client.place_market_order(token_id=token, side="SELL", shares=min(size, 8_000_000) / 10**6, order_type="FAK")

    assert bought.status == sold.status == "matched"


def test_approvals_are_given_anew(client: Any, sandbox: Sandbox) -> None:
    """An allowance that was taken away is missed, and the client's own call gives it back."""
    standard = client.environment._config.standard_exchange
    collateral = client.environment._config.collateral_token
    client.approve_erc20(token_address=collateral, spender_address=standard, amount=0).wait()
    assert not client.get_trading_approvals_state().is_fully_approved

    client.setup_trading_approvals()

    assert client.get_trading_approvals_state().is_fully_approved


def test_keys_notifications_and_flags(client: Any, token: str) -> None:
    """The reads around an account answer; a cancellation is notified until the notice is dropped."""
    client.place_limit_order(token_id=token, side="BUY", price=0.05, size=10)
    client.cancel_all()
    assert client.credentials.key in client.fetch_api_keys()
    assert client.get_closed_only_mode() is False
    assert client.get_order_scoring(order_id="0x" + "ab" * 32) is False
    notes = until(client.get_notifications)
    client.drop_notifications(ids=[notes[0].id])
    assert len(client.get_notifications()) == len(notes) - 1


def test_credentials_are_derived_again(sandbox: Sandbox, clients: dict[int, Any]) -> None:
    """A second client of the same key gets the same credentials, and stored ones are taken."""
    account = sandbox.accounts[0]
    environment = sdk.environment(sandbox.urls)
    with polymarket.SecureClient.create(
        private_key=account.private_key, wallet=account.wallet, environment=environment
    ) as again:
        assert again.credentials == clients[0].credentials
    with polymarket.SecureClient.create(
        private_key=account.private_key, wallet=account.wallet, environment=environment, credentials=again.credentials
    ) as stored:
        assert stored.list_open_orders().first_page().items == ()


def test_the_heartbeat_is_a_chain(clients: dict[int, Any]) -> None:
    """Each heartbeat sends the id of the one before; a wrong one tells the right one."""
    client = clients[3]
    first = client.send_order_heartbeat()
    second = client.send_order_heartbeat(heartbeat_id=first.heartbeat_id)

    with pytest.raises(polymarket.OrderHeartbeatMismatchError):
        client.send_order_heartbeat(heartbeat_id="wrong")
    assert client.send_order_heartbeat(heartbeat_id=second.heartbeat_id).heartbeat_id


def test_a_wallet_is_deployed_by_the_relayer(sandbox: Sandbox) -> None:
    """A key without any wallet gets its deposit wallet through the relayer."""
    environment = sdk.environment(sandbox.urls)
    key = "0x" + "5a" * 32
    with polymarket.SecureClient.create(private_key=key, environment=environment, api_key=_relayer_key()) as client:
        address = client.wallet

    assert call(f"{sandbox.urls['relayer_url']}/deployed?address={address}&type=WALLET") == (200, {"deployed": True})


def _relayer_key() -> Any:
    return polymarket.RelayerApiKey(key="any", address="0x" + "00" * 20)
