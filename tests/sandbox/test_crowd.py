from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from polymarket_agent.domain.book import Side
from polymarket_agent.domain.money import MICRO
from polymarket_agent.sandbox.crowd import Crowd, run_until
from polymarket_agent.sandbox.exchange import Exchange
from polymarket_agent.sandbox.makers import LEVELS
from polymarket_agent.sandbox.model import LegStatus, Mode, OrderEntry, OrderStatus, OrderType, TradeChanged
from polymarket_agent.sandbox.scenarios import build
from polymarket_agent.sandbox.traders import MAX_OPEN_ORDERS

REPOSITORY = Path(__file__).parents[2]
START_MS = 1_792_990_800_000
ONE_MINUTE = 60_000


def history(name: str, seed: int, minutes: int, step_ms: int) -> str:
    """Return a hash of everything that the exchange told, advancing in steps of a size."""
    exchange, crowd = Exchange(), Crowd(seed, build(name, seed, START_MS))
    digest, end_ms = hashlib.sha256(), START_MS + minutes * ONE_MINUTE
    now_ms = START_MS
    while now_ms < end_ms:
        now_ms = min(now_ms + step_ms, end_ms)
        run_until(exchange, [crowd], now_ms)
        for notice in exchange.drain():
            digest.update(repr(notice).encode())
    return digest.hexdigest()


@pytest.fixture(scope="module")
def quarter() -> tuple[Exchange, Crowd, Counter[str]]:
    """Sixteen minutes of the default scenario, looked at every second: how often each thing was seen."""
    scenario = build("default", 1, START_MS)
    exchange, crowd, seen = Exchange(), Crowd(1, scenario), Counter[str]()
    role = {account.owner: account.role for account in scenario.accounts}
    for now_ms in range(START_MS + 900, START_MS + 16 * ONE_MINUTE, 1_000):
        run_until(exchange, [crowd], now_ms)
        for notice in exchange.drain():
            if isinstance(notice, TradeChanged) and notice.status is LegStatus.MATCHED:
                seen[f"taker {role[notice.taker.owner]}"] += 1
        for listing in crowd.floor.live:
            bid, ask = exchange.best(listing.market.asset_ids[0])
            slug = listing.market.slug
            seen[f"looked {slug}"] += 1
            seen[f"two-sided {slug}"] += bid > 0 and ask < MICRO
            seen["near fair"] += abs((bid + ask) // 2 - listing.path.at(now_ms)) < 60_000
            seen["looked"] += 1
        if now_ms % 60_000 == 900:
            exchange.check()
            orders = Counter(
                order.owner
                for account in scenario.accounts
                for order in exchange.open_orders(account.owner)
                if order.status is OrderStatus.LIVE
            )
            for account in scenario.accounts:
                most = 2 * LEVELS * len(crowd.floor.live) if account.role == "maker" else MAX_OPEN_ORDERS
                assert orders[account.owner] <= most
                assert min(exchange.balance(account.wallet)) >= 0
            for market in exchange.markets.values():
                for level in exchange.book(market.asset_ids[0]).bids():
                    assert level.price % 1_000 == 0
    return exchange, crowd, seen


def test_same_seed_same_history_however_it_is_driven() -> None:
    """Two runs of a seed tell the same to the last byte, in steps of 10 ms, of a minute or of an odd length."""
    histories = {history("default", 1, 2, step_ms) for step_ms in (10, 777, ONE_MINUTE)}

    assert len(histories) == 1
    assert history("default", 2, 2, ONE_MINUTE) not in histories


def test_history_does_not_depend_on_the_hash_seed() -> None:
    """Processes with different PYTHONHASHSEED tell the same history."""
    code = "import runpy; print(runpy.run_path('tests/sandbox/test_crowd.py')['history']('quiet', 7, 1, 1000))"
    said = {
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=REPOSITORY,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "4242")
    }

    assert said == {history("quiet", 7, 1, 1_000) + "\n"}


def test_books_are_two_sided(quarter: tuple[Exchange, Crowd, Counter[str]]) -> None:
    """Every market has a bid and an ask at least 95 of 100 times that one looks."""
    _, _, seen = quarter
    shares = {
        key: seen["two-sided" + key.removeprefix("looked")] / count
        for key, count in seen.items()
        if key.startswith("looked ") and count > 100
    }

    assert len(shares) > 12
    assert min(shares.values()) >= 0.95, shares


def test_prices_follow_what_claims_are_worth(quarter: tuple[Exchange, Crowd, Counter[str]]) -> None:
    """The middle of the book is within six cents of the fair price nearly always: prices move for a reason."""
    _, _, seen = quarter

    assert seen["near fair"] > 0.95 * seen["looked"]


def test_everybody_trades(quarter: tuple[Exchange, Crowd, Counter[str]]) -> None:
    """Makers, noise and informed traders all take, and hardly any order is refused."""
    _, crowd, seen = quarter

    assert min(seen[f"taker {role}"] for role in ("noise", "informed", "maker")) > 100
    assert sum(crowd.floor.refusals.values()) < 0.02 * crowd.actions


def test_the_books_balance_after_the_crowd(quarter: tuple[Exchange, Crowd, Counter[str]]) -> None:
    """Cash and shares are conserved to the base unit after a quarter of an hour, with markets resolved and redeemed."""
    exchange, crowd, _ = quarter
    exchange.check()
    over = [market for market in exchange.markets.values() if market.payouts is not None]

    assert len(over) >= 4
    for market in over[:-1]:
        for account in crowd.scenario.accounts:
            assert all(exchange.balance(account.wallet, asset_id)[0] == 0 for asset_id in market.asset_ids)


def test_orders_stand_on_the_price_grid() -> None:
    """Every price that the crowd quotes is a multiple of the market's tick size when it is placed."""
    scenario = build("fast", 2, START_MS)
    exchange, crowd = Exchange(), Crowd(2, scenario)
    placed: list[tuple[int, int, int]] = []
    place = exchange.place

    def watched(entry: OrderEntry, now_ms: int) -> object:
        market = exchange.market_of(entry.asset_id)
        assert market is not None
        money, quantity = entry.maker_amount, entry.taker_amount
        if entry.side is Side.SELL:
            money, quantity = quantity, money
        placed.append((money * MICRO, quantity, market.tick_size))
        return place(entry, now_ms)

    exchange.place = watched  # type: ignore[method-assign, assignment]
    run_until(exchange, [crowd], START_MS + ONE_MINUTE)

    assert len(placed) > 2_000
    assert all(cost % quantity == 0 and cost // quantity % tick == 0 for cost, quantity, tick in placed)
    assert {tick for _, _, tick in placed} == {10_000, 1_000}


def test_makers_come_back_after_a_restart_of_the_venue() -> None:
    """Quotes stay through a mode that takes no orders, and follow the price again afterwards."""
    exchange, crowd = Exchange(), Crowd(1, build("one", 1, START_MS))
    asset_id = crowd.scenario.listings[0].market.asset_ids[0]
    run_until(exchange, [crowd], START_MS + ONE_MINUTE)
    before = crowd.floor.refusals.copy()
    exchange.set_mode(Mode.CANCEL_ONLY, exchange.now_ms, retry_after_s=60)
    run_until(exchange, [crowd], START_MS + 2 * ONE_MINUTE - 1)
    bid, ask = exchange.best(asset_id)
    exchange_was_closed = sum(crowd.floor.refusals.values()) > sum(before.values())
    run_until(exchange, [crowd], START_MS + 6 * ONE_MINUTE)

    assert bid > 0
    assert ask < MICRO
    assert exchange_was_closed
    now = exchange.best(asset_id)
    assert abs(sum(now) // 2 - crowd.scenario.listings[0].path.at(exchange.now_ms)) < 60_000


def test_a_sweep_of_the_book_is_healed() -> None:
    """After a client takes a whole side, the makers show both sides again within five seconds."""
    exchange, crowd = Exchange(), Crowd(1, build("one", 1, START_MS))
    market = crowd.scenario.listings[0].market
    run_until(exchange, [crowd], START_MS + 10_000)
    exchange.fund("0xclient", 10**12)  # type: ignore[arg-type]
    exchange.approve("0xclient")
    entry = OrderEntry(
        order_id="0x" + "ab" * 32,
        owner="client",
        wallet="0xclient",
        signer="0xclient",
        signature_type=0,
        asset_id=market.asset_ids[0],
        side=Side.BUY,
        maker_amount=99_000 * MICRO,
        taker_amount=100_000 * MICRO,
        order_type=OrderType.FAK,
    )
    exchange.place(entry, START_MS + 10_000)
    swept = exchange.best(market.asset_ids[0])
    run_until(exchange, [crowd], START_MS + 15_000)
    healed = exchange.best(market.asset_ids[0])

    assert swept[1] == MICRO
    assert healed[1] < MICRO
    exchange.check()
