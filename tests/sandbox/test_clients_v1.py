from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from polymarket_agent.sandbox.server import Sandbox
from tests.sandbox.running import market_of, quick_sandbox

v1 = pytest.importorskip("py_clob_client.client")
types = pytest.importorskip("py_clob_client.clob_types")
helpers = pytest.importorskip("py_clob_client.http_helpers.helpers")
errors = pytest.importorskip("py_clob_client.exceptions")


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with quick_sandbox(seed=8) as running:
        yield running
    helpers._http_client.close()


@pytest.fixture(scope="module")
def client(sandbox: Sandbox) -> Any:
    made = v1.ClobClient(sandbox.urls["clob_url"], chain_id=137, key=sandbox.accounts[0].private_key)
    made.set_api_creds(made.create_or_derive_api_creds())
    return made


@pytest.fixture
def token(sandbox: Sandbox) -> str:
    return str(market_of(sandbox, slug="rain-in-lisbon")["asset_ids"][0])


def test_the_old_client_reads(client: Any, token: str) -> None:
    """Books, prices, metadata, lists and the account's own reads answer the first client."""
    assert client.get_ok() == "OK"
    assert client.get_order_book(token).bids
    assert client.get_tick_size(token) == "0.01"
    assert client.get_neg_risk(token) is False
    assert client.get_fee_rate_bps(token) == 1000
    assert client.get_midpoint(token)["mid"]
    assert client.get_markets()["data"]
    assert client.get_orders() == []
    assert client.get_trades() == []
    assert client.get_api_keys()["apiKeys"] == [client.creds.api_key]
    params = types.BalanceAllowanceParams(asset_type=types.AssetType.COLLATERAL, signature_type=0)
    assert int(client.get_balance_allowance(params)["balance"]) > 0


def test_its_orders_are_of_the_wrong_version(client: Any, token: str) -> None:
    """An order of the first version is refused with 400 order_version_mismatch."""
    signed = client.create_order(types.OrderArgs(token_id=token, price=0.05, size=10, side="BUY"))

    with pytest.raises(errors.PolyApiException, match="order_version_mismatch") as refused:
        client.post_order(signed)

    assert refused.value.status_code == 400


def test_its_cancels_work(client: Any) -> None:
    """Cancelling what is not there answers as the venue does."""
    unknown = "0x" + "cd" * 32

    assert unknown in client.cancel(unknown)["not_canceled"]
    assert client.cancel_all()["canceled"] == []
