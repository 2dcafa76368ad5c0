"""Whether cash, shares and promises add up to the last base unit."""

from __future__ import annotations

from collections import Counter

from polymarket_agent.domain.market import AssetId
from polymarket_agent.domain.money import MICRO
from polymarket_agent.sandbox.core import Core
from polymarket_agent.sandbox.ladder import TradingMarket
from polymarket_agent.sandbox.model import OrderStatus
from polymarket_agent.sandbox.settlement import Settlement

__all__ = ["check"]


def check(core: Core, settlement: Settlement) -> None:
    """Check everything that must hold between two requests.

    Raises:
        AssertionError: cash or shares came from nowhere, a promise has no order or trade behind it, or a book is
            crossed or out of order.
    """
    _check_cash(core)
    for trading in core.trading.values():
        _check_shares(core, trading)
        _check_book(core, trading)
    _check_promises(core, settlement)


def _check_cash(core: Core) -> None:
    vault = core.vault
    cash = sum(wallet.cash.balance for wallet in vault.wallets.values())
    locked = sum(vault.locked.values())
    assert cash + locked == vault.funded + vault.unbacked, (
        f"{cash} in wallets and {locked} in full sets are not the {vault.funded} funded and {vault.unbacked} unbacked"
    )


def _check_shares(core: Core, trading: TradingMarket) -> None:
    market, vault = trading.market, core.vault
    first, second = (vault.outstanding(asset_id) for asset_id in market.asset_ids)
    locked = vault.locked[market.condition_id]
    if market.payouts is None:
        assert first == second == locked, f"{first} and {second} shares are backed by {locked} in {market.condition_id}"
        return
    owed = first * market.payouts[0] + second * market.payouts[1] + vault.dust[market.condition_id]
    assert owed == locked * MICRO, f"{owed} millionths are owed from {locked} in {market.condition_id}"


def _check_promises(core: Core, settlement: Settlement) -> None:
    active: Counter[tuple[str, AssetId | None]] = Counter()
    matched: Counter[tuple[str, AssetId | None]] = Counter()
    for order in core.live.values():
        active[order.wallet.address, order.gives_asset] += order.reserved
    for wallet, asset_id, amount in settlement.promises():
        matched[wallet.address, asset_id] += amount
    for wallet, asset_id, holding in core.vault.holdings():
        key = (wallet.address, asset_id)
        assert holding.balance >= 0, f"{key} holds {holding.balance}"
        assert holding.active == active[key], f"{key}: {holding.active} active, orders promise {active[key]}"
        assert holding.matched == matched[key], f"{key}: {holding.matched} matched, trades promise {matched[key]}"


def _check_book(core: Core, trading: TradingMarket) -> None:
    first, second = trading.ladders
    assert first.best + second.best < MICRO, f"{trading.market.condition_id} is crossed: {first.best} + {second.best}"
    resting = 0
    for ladder in trading.ladders:
        assert ladder.prices == sorted(ladder.levels), "prices and levels of a ladder differ"
        for bid, level in ladder.levels.items():
            assert level.size == sum(order.left for order in level.orders.values()) > 0, f"level {bid} counts wrong"
            for order in level.orders.values():
                assert (order.bid, core.live.get(order.order_id)) == (bid, order), f"{order.order_id} rests astray"
                assert order.status is OrderStatus.LIVE, f"{order.order_id} rests as {order.status}"
                assert order.left > 0, f"{order.order_id} rests with nothing left"
                # Each match may round one base unit of the signed amount away.
                short = order.need - order.reserved
                assert 0 <= short <= len(order.trade_ids), f"{order.order_id} promises {short} less than it needs"
            resting += len(level.orders)
    live = sum(order.trading is trading and order.status is OrderStatus.LIVE for order in core.live.values())
    assert resting == live, f"{live} live orders, {resting} rest in {trading.market.condition_id}"
