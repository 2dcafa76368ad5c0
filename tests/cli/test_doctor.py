"""The doctor where all is well, where there is nothing yet, and its probe."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from polymarket_agent.adapters.polymarket.gateways import build_gateway
from polymarket_agent.clock import SystemClock
from polymarket_agent.db import open_for_reading
from polymarket_agent.domain.levels import Side
from polymarket_agent.domain.money import price, shares
from polymarket_agent.domain.venue import Answer, OrderTicket, WalletIdentity, WalletKind
from polymarket_agent.keys import Secret
from tests.cli.doctor_world import DoctorWorld, doctor_world
from tests.contract.gateway_world import urls_of
from tests.sandbox.running import market_of


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DoctorWorld]:
    with doctor_world(tmp_path, monkeypatch) as made:
        made.config()
        yield made


def test_a_good_live_setup_is_ready(world: DoctorWorld) -> None:
    """With key, money and approvals every check is ok, and the next command is the probe."""
    result = world.call("doctor")
    assert result.exit_code == 0, result.output
    assert "ready for live trading" in result.output
    assert "polymarket-agent doctor --probe --live" in result.output
    code, findings = world.doctor()
    assert code == 0
    assert {each["verdict"] for each in findings.values()} == {"ok"}
    assert world.account.wallet in findings["wallet"]["found"]


def test_every_absent_limit_is_named_with_its_value(world: DoctorWorld) -> None:
    """The limits that the config does not give are listed with what holds instead."""
    _, findings = world.doctor()
    absent = findings["limits"]["details"]["absent"]
    assert set(findings["limits"]["details"]["given"]) == {"max_position_size", "max_daily_loss", "max_open_orders"}
    assert (absent["max_order_size"], absent["max_total_exposure"], absent["max_drawdown"]) == ("5", "25", "15")
    assert all(f"{name} {value}" in findings["limits"]["found"] for name, value in absent.items())


def test_paper_needs_neither_key_nor_account(world: DoctorWorld) -> None:
    """In paper mode it passes without a key, and what only live needs is not checked."""
    world.env("POLYMARKET_PRIVATE_KEY", None)
    world.config("paper")
    code, findings = world.doctor()
    assert code == 0
    skipped = {name for name, each in findings.items() if each["verdict"] == "not checked"}
    assert {"key", "wallet", "credentials", "balance", "allowance", "user stream"} <= skipped
    assert findings["market stream"]["verdict"] == "ok"


def test_without_a_config_it_says_what_it_can(world: DoctorWorld) -> None:
    """In an empty folder it names the defaults that hold and the command that makes a config."""
    (world.folder / "polymarket-agent.yaml").unlink()
    world.env("POLYMARKET_PRIVATE_KEY", None)
    world.to_sandbox()
    code, findings = world.doctor()
    assert code == 0
    assert findings["config"]["fix"] == findings["strategies"]["fix"] == "polymarket-agent setup"
    assert findings["limits"]["verdict"] == "warning"


def test_a_config_that_is_not_understood_stops_everything_else(world: DoctorWorld) -> None:
    """A wrong key in the config is one problem, and all that needs the config waits for it."""
    (world.folder / "polymarket-agent.yaml").write_text("mode: live\nrisk: {max_dayly_loss: 5}\n")
    code, findings = world.doctor()
    assert code == 1
    assert "max_daily_loss" in findings["config"]["found"]
    assert {each["verdict"] for name, each in findings.items() if name != "config"} == {"not checked"}


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("--probe",), 2, "needs --live"),
        (("--live",), 2, "belongs to --probe"),
        (("--probe", "--live", "--json"), 2, "--yes"),
    ],
)
def test_a_probe_needs_every_word(world: DoctorWorld, words: tuple[str, ...], code: int, says: str) -> None:
    """Half a wish for a probe is refused, and nothing is looked at."""
    result = world.call("doctor", *words)
    assert result.exit_code == code
    assert says in result.output


def test_a_probe_is_refused_on_paper(world: DoctorWorld) -> None:
    """With mode paper no order is sent, whatever the command line says."""
    world.config("paper")
    result = world.call("doctor", "--probe", "--live", "--yes")
    assert result.exit_code == 3
    assert world.sandbox.exchange.orders_of(world.account.wallet) == []


def test_a_probe_asks_first(world: DoctorWorld) -> None:
    """It shows the order, and without a yes nothing is sent and no ledger is made."""
    result = world.call("doctor", "--probe", "--live", typed="n\n")
    assert result.exit_code == 1
    assert "post-only" in result.output
    assert "was not sent" in result.output
    assert world.sandbox.exchange.orders_of(world.account.wallet) == []
    assert not (world.folder / "agent.db").exists()


def test_a_probe_places_and_cancels_one_order_in_the_journal(world: DoctorWorld) -> None:
    """One post-only order of the least size rests far below the bid, is cancelled, unfilled, and stands in the ledger."""
    result = world.call("doctor", "--probe", "--live", "--yes", "--json")
    assert result.exit_code == 0, result.output
    probe = json.loads(result.stdout)["probe"]
    assert (probe["ok"], probe["fills"], probe["state"]) == (True, 0, "CANCELED")
    assert probe["order_id_computed"] == probe["order_id_answered"]
    assert float(probe["price"]) * 2 < float(probe["best_bid"])
    (order,) = world.sandbox.exchange.orders_of(world.account.wallet)
    assert (order.order_id, order.status.value, order.matched) == (probe["order_id_computed"], "CANCELED", 0)
    with open_for_reading(world.folder / "agent.db") as ledger:
        row = ledger.execute("SELECT order_id, state, post_only, matched, time_in_force FROM orders").fetchone()
        assert tuple(row) == (order.order_id, "CANCELED", 1, 0, "GTD")
        assert ledger.execute("SELECT answer FROM attempts").fetchone()[0] == "accepted"
    assert world.sandbox.exchange.balance(world.account.wallet)[0] == world.account.collateral


async def resting_order(world: DoctorWorld) -> str:
    account, market = world.account, market_of(world.sandbox, slug="rain-in-lisbon")
    identity = WalletIdentity(signer=account.address, wallet=account.wallet, kind=WalletKind.DEPOSIT)
    gateway = build_gateway("direct", urls_of(world.sandbox), Secret(account.private_key), identity, SystemClock())
    ticket = OrderTicket(
        condition_id=market["market"],
        asset_id=market["asset_ids"][0],
        side=Side.BUY,
        price=price("0.01"),
        quantity=shares("5"),
        maker_amount=50_000,
        taker_amount=5_000_000,
        neg_risk=market["neg_risk"],
    )
    try:
        await gateway.connect()
        signed = gateway.sign(ticket, salt=1, timestamp_ms=SystemClock().now_ms())
        assert (await gateway.submit(signed)).answer is Answer.ACCEPTED
    finally:
        await gateway.aclose()
    return str(signed.order_id)


def test_a_probe_leaves_other_orders_alone(world: DoctorWorld) -> None:
    """A wallet with an open order is not probed, because the run could touch that order."""
    order_id = asyncio.run(resting_order(world))
    result = world.call("doctor", "--probe", "--live", "--yes")
    assert result.exit_code == 1
    assert "may be open" in result.output
    (order,) = world.sandbox.exchange.orders_of(world.account.wallet)
    assert (order.order_id, order.status.value) == (order_id, "LIVE")
