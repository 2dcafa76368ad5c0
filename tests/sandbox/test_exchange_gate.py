from __future__ import annotations

import pytest

from polymarket_agent.domain.money import usdc
from polymarket_agent.sandbox.model import Mode, Refused
from polymarket_agent.sandbox.policy import SPENDERS
from tests.sandbox.exchange_world import (
    BUY,
    FEES,
    MARKET,
    SELL,
    YES,
    World,
    market_of,
)

MODES = [
    (Mode.RESTARTING, Refused(425, "the matching engine is restarting"), True),
    (
        Mode.POST_ONLY,
        Refused(503, "post-only mode: only post-only orders and cancels are allowed", "post_only_mode", 79),
        False,
    ),
    (
        Mode.CANCEL_ONLY,
        Refused(503, "Trading is currently cancel-only. New orders are not accepted, but cancels are allowed."),
        False,
    ),
    (Mode.DISABLED, Refused(503, "Trading is currently disabled. Check polymarket.com for updates"), True),
]


@pytest.mark.parametrize(("mode", "refusal", "cancels_too"), MODES)
def test_a_mode_refuses_orders(mode: Mode, refusal: Refused, cancels_too: bool) -> None:
    """Each mode answers a new order with its own status, and cancels work except while restarting or disabled."""
    world = World()
    resting = world.placed("ann", BUY, YES, "10", "0.45").order_id
    world.x.set_mode(mode, world.now_ms, 80)
    world.wait(1_000)

    assert world.put("ann", BUY, YES, "10", "0.45") == refusal
    assert (world.x.cancel_refusal() is not None) is cancels_too
    answer = world.x.cancel("key-ann", [resting], world.now_ms)
    assert answer.canceled == (() if cancels_too else (resting,))


def test_post_only_mode_takes_post_only_orders() -> None:
    """In post-only mode an order that is post-only rests."""
    world = World()
    world.x.set_mode(Mode.POST_ONLY, world.now_ms)

    assert world.placed("ann", BUY, YES, "10", "0.45", post_only=True).status == "live"
    assert world.refused("ann", BUY, YES, "10", "0.45").retry_after_s is None


def test_a_restart_ends_in_post_only_mode_and_then_in_normal() -> None:
    """A restart with an end is followed by two minutes of post-only mode, then everything is taken again."""
    world = World()
    world.x.set_mode(Mode.RESTARTING, world.now_ms, 90)

    modes = []
    for ms in (89_999, 1, 119_999, 1):
        world.wait(ms)
        modes.append(world.x.mode)

    assert modes == [Mode.RESTARTING, Mode.POST_ONLY, Mode.POST_ONLY, Mode.NORMAL]


def test_markets_that_take_no_orders() -> None:
    """An unknown or closed market has no book (404); one that is not ready says so (400)."""
    world = World()
    world.x.set_accepting(MARKET, accepting=False)
    not_ready = world.put("ann", BUY, YES, "10", "0.45")
    world.x.close_market(MARKET, world.now_ms)
    closed = world.put("ann", BUY, YES, "10", "0.45")

    assert not_ready == Refused(400, "the market is not yet ready to process new orders")
    assert closed == Refused(404, "No orderbook exists for the requested token id")
    assert world.put("ann", BUY, "33", "10", "0.45") == closed  # type: ignore[arg-type]


def test_banned_addresses() -> None:
    """A banned wallet places nothing; one in closed only mode sells and does not buy; either can be lifted."""
    world = World()
    world.x.ban("ANN")
    assert world.put("ann", SELL, YES, "10", "0.45") == Refused(400, "'ann' address banned")
    world.x.ban("ann", closed_only=True)
    assert world.put("ann", BUY, YES, "10", "0.45") == Refused(400, "'ann' address in closed only mode")
    assert world.placed("ann", SELL, YES, "10", "0.45").status == "live"
    world.x.unban("ann")
    assert world.placed("ann", BUY, YES, "10", "0.40").status == "live"


def test_the_balance_counts_orders_matches_and_fees() -> None:
    """The balance must cover open orders, unsettled matches and the order with its fee; the text lists all four."""
    world = World(market=market_of(fees=FEES), cash="100")
    world.placed("bob", SELL, YES, "200", "0.50")
    world.placed("ann", BUY, YES, "50", "0.50")  # 25 and a fee of 0.50 matched
    world.placed("ann", BUY, YES, "100", "0.40")  # 40 active

    answer = world.put("ann", BUY, YES, "68.30", "0.50")

    assert answer == Refused(
        400,
        "not enough balance / allowance: the balance is not enough -> balance: 100000000, "
        "sum of active orders: 40000000, sum of matched orders: 25500000, order amount (inc. fees): 34833000",
    )
    assert world.placed("ann", BUY, YES, "67.64", "0.50").status == "matched"  # 33.82 and 0.6764: 3600 micro are left
    world.settle()


def test_a_sale_needs_settled_shares() -> None:
    """Shares that were bought can be sold when the trade is confirmed, not before."""
    world = World(shares="0")
    world.x.give_shares("bob", YES, usdc("10"))  # type: ignore[arg-type]
    world.placed("bob", SELL, YES, "10", "0.50")
    world.placed("ann", BUY, YES, "10", "0.50")

    assert world.put("ann", SELL, YES, "10", "0.60") == Refused(
        400,
        "not enough balance / allowance: the balance is not enough -> balance: 0, "
        "sum of active orders: 0, sum of matched orders: 0, order amount (inc. fees): 10000000",
    )
    world.settle()
    assert world.placed("ann", SELL, YES, "10", "0.60").status == "live"


def test_the_allowance_of_the_markets_contract_counts() -> None:
    """The contract that settles the market must be allowed the order's amount, of collateral and of shares."""
    world = World()
    spender = SPENDERS["exchange"]
    world.x.approve("ann", "exchange", 44_999_999)
    assert world.put("ann", BUY, YES, "100", "0.45") == Refused(
        400,
        f"not enough balance / allowance: the allowance is not enough -> spender: {spender}, "
        "allowance: 44999999, order amount: 45000000",
    )
    world.x.approve("ann", "exchange", 0)
    assert world.refused("ann", SELL, YES, "100", "0.45").error.endswith("allowance: 0, order amount: 100000000")
    world.x.approve("ann", spender.lower(), 45_000_000)
    assert world.placed("ann", BUY, YES, "100", "0.45").status == "live"


def test_neg_risk_markets_ask_another_contract() -> None:
    """An approval of the standard exchange is none for a neg-risk market."""
    world = World(market=market_of(neg_risk=True))
    world.x.approve("ann", "neg_risk_exchange", 0)

    assert SPENDERS["neg_risk_exchange"] in world.refused("ann", BUY, YES, "100", "0.45").error
