"""Winning shares and complete sets become collateral, and the ledger books them by itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from polymarket_agent.cli.payouts import payouts_of
from polymarket_agent.domain.money import MICRO
from tests.cli.live_world import LiveWorld, live_world
from tests.sandbox.exchange_world import market_of
from tests.sandbox.running import state


@pytest.fixture
def world(tmp_path: Path) -> Iterator[LiveWorld]:
    with live_world(tmp_path, scenario="quiet") as running:
        yield running


def give(world: LiveWorld, asset_id: str, shares: str) -> None:
    world.admin("give", {"wallet": world.wallet, "asset_id": asset_id, "shares": shares})


def without_strategies(world: LiveWorld) -> None:
    config = world.folder / "polymarket-agent.yaml"
    config.write_text(config.read_text().partition("strategies:")[0])


def open_markets(world: LiveWorld) -> list[dict[str, Any]]:
    return [each for each in state(world.sandbox)["markets"] if each["state"] == "open"]


def test_redemptions_and_merges_are_sent_and_booked(world: LiveWorld) -> None:
    """redeem shows first and sends only when told; a redemption and two merges of one moment are booked at the next start."""
    without_strategies(world)
    won, *others = open_markets(world)
    for market, first, second in ((won, "20", "7"), (others[0], "30", "12"), (others[1], "5", "5")):
        give(world, market["asset_ids"][0], first)
        give(world, market["asset_ids"][1], second)
    assert world.call("tick", "--live", key=True).code == 0  # the ledger opens with these shares
    world.admin("resolve", {"market": won["market"], "payouts": ["1", "0"]})

    shown = world.call("redeem", "--json")
    assert [(each["kind"], each["value_usdc"]) for each in shown.json["payable"]] == [
        ("redeem", "20"), ("merge", "12"), ("merge", "5"),
    ]  # fmt: skip
    assert shown.json["sent"] == []
    for words in (("redeem", "--yes"), ("redeem", "--yes", "--live")):
        assert world.call(*words, key="--live" not in words).code == 3
    no_relayer = world.call("redeem", "--yes", "--live", key=True)
    assert (no_relayer.code, "POLYMARKET_RELAYER_API_KEY" in no_relayer.err) == (3, True)

    sent = world.call("redeem", "--yes", "--live", "--json", key=True, POLYMARKET_RELAYER_API_KEY="relayer")
    assert sent.code == 0, sent.said
    assert all(each["transaction"].startswith("0x") for each in sent.json["sent"])
    differs = world.call("reconcile", "--json", key=True)
    cash = next(row for row in differs.json["rows"] if row["what"].startswith("cash"))
    assert (differs.code, cash["difference"]) == (1, "37")

    assert world.call("tick", "--live", key=True).code == 0
    after = world.call("reconcile", "--json", key=True)
    assert (after.code, after.json["equal"]) == (0, True), after.said
    assert world.query("SELECT count(*) FROM flows WHERE kind = 'merge'") == [(2,)]
    assert world.call("redeem", "--json").json["payable"] == []


def test_a_plain_account_is_told_to_redeem_on_the_site(tmp_path: Path) -> None:
    """A wallet that the relayer does not serve is refused before anything is sent."""
    with live_world(tmp_path, scenario="quiet", kind=0) as world:
        without_strategies(world)
        market = open_markets(world)[0]
        for asset_id in market["asset_ids"]:
            give(world, asset_id, "5")
        assert world.call("tick", "--live", key=True).code == 0
        done = world.call("redeem", "--yes", "--live", key=True, POLYMARKET_RELAYER_API_KEY="relayer")
        assert (done.code, "plain account" in done.err) == (3, True), done.said


def test_what_open_sales_promise_is_not_merged() -> None:
    """A merge takes complete sets of shares that are not promised; losing shares are worth nothing."""
    market = market_of()
    first, second = market.asset_ids
    held = {first: 10 * MICRO, second: 8 * MICRO}
    (found,) = payouts_of([market], held, {second: 3 * MICRO})
    assert (found.amount, found.value) == (5 * MICRO, 5 * MICRO)
    assert payouts_of([market.resolved((0, MICRO))], {first: 10 * MICRO}, {}) == []
    (half,) = payouts_of([market.resolved((MICRO // 2, MICRO // 2))], held, {})
    assert (half.amount, half.value) == (0, 9 * MICRO)
