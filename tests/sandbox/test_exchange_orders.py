from __future__ import annotations

import pytest

from polymarket_agent.domain.market import AssetId
from polymarket_agent.domain.money import shares, usdc
from polymarket_agent.sandbox.model import (
    BookChanged,
    CancelAnswer,
    OrderChanged,
    OrderStatus,
    Placed,
    Refused,
    TickChanged,
    TradeChanged,
    TradePrinted,
)
from polymarket_agent.sandbox.policy import Policy, Unmatched
from tests.sandbox.exchange_world import BUY, FAK, FOK, MARKET, NO, SELL, YES, World, market_of

GONE = "Order not found or already canceled"
DONE = "already canceled or matched"


def test_a_resting_order_is_announced() -> None:
    """A resting order is a PLACEMENT to its owner and one change of the book that both outcomes show."""
    world = World()
    answer = world.placed("ann", BUY, NO, "10", "0.45")
    order, book = world.say()

    assert answer == Placed(answer.order_id, "live")
    assert isinstance(order, OrderChanged)
    assert (order.kind, order.order.status, order.order.outcome) == ("PLACEMENT", OrderStatus.LIVE, "No")
    assert isinstance(book, BookChanged)
    assert book.changes == ((YES, False, 550_000, 10_000_000), (NO, True, 450_000, 10_000_000))
    assert not book.after_trade


def test_a_match_is_announced_in_order() -> None:
    """A match tells: taker placed, trade, print, maker and taker updated, and last the book after the trade."""
    world = World()
    maker = world.placed("bob", BUY, NO, "30", "0.45").order_id
    world.say()
    taker = world.placed("ann", BUY, YES, "10", "0.60")
    told = world.say()

    assert [type(n) for n in told] == [
        OrderChanged,
        TradeChanged,
        TradePrinted,
        OrderChanged,
        OrderChanged,
        BookChanged,
    ]
    _, trade, printed, made, taken, book = told
    assert isinstance(trade, TradeChanged)
    assert (trade.taker.asset_id, trade.taker.price, trade.makers[0].price) == (YES, 550_000, 450_000)
    assert trade.transaction_hash in taker.transaction_hashes
    assert isinstance(printed, TradePrinted)
    assert (printed.asset_id, printed.price, printed.taker_side) == (YES, 550_000, BUY)
    assert isinstance(made, OrderChanged)
    assert (made.order.order_id, made.kind, made.order.matched) == (maker, "UPDATE", shares("10"))
    assert isinstance(taken, OrderChanged)
    assert (taken.order.status, taken.order.trade_ids) == (OrderStatus.MATCHED, taker.trade_ids)
    assert isinstance(book, BookChanged)
    assert book.after_trade
    assert book.changes[0] == (YES, False, 550_000, shares("20"))


def test_a_killed_order_is_reported() -> None:
    """A killed FOK order is a CANCELLATION with the reason, unless the policy keeps quiet."""
    for notice in (True, False):
        world = World(Policy(kill_notice=notice))
        answer = world.refused("ann", BUY, YES, "10", "0.50", order_type=FOK)
        told = world.say()
        assert bool(told) is notice
        if notice:
            assert isinstance(told[0], OrderChanged)
            assert (told[0].kind, told[0].reason) == ("CANCELLATION", answer.error)


def test_cancels_say_why_not() -> None:
    """One's own live orders are cancelled; others are named with the venue's reason, and nothing of theirs changes."""
    world = World()
    live = world.placed("ann", BUY, YES, "10", "0.40").order_id
    foreign = world.placed("bob", BUY, YES, "10", "0.40").order_id
    matched = world.placed("ann", BUY, YES, "10", "0.45").order_id
    world.placed("bob", SELL, YES, "10", "0.45")
    world.say()

    answer = world.x.cancel("key-ann", [live, live, matched, foreign, "0xnone"], world.now_ms)

    assert answer == CancelAnswer((live,), {matched: DONE, foreign: GONE, "0xnone": GONE})
    assert world.order_steps(live) == [("CANCELLATION", "CANCELED")]
    assert world.x.cancel("key-ann", [live], world.now_ms).not_canceled == {live: DONE}
    assert world.bids(YES) == [(400_000, shares("10"))]


def test_cancels_of_a_market_or_an_asset_or_all() -> None:
    """A cancel by market or asset ends exactly those of the owner's orders, a cancel of all the others too."""
    world = World()
    yes = world.placed("ann", BUY, YES, "10", "0.40").order_id
    no = world.placed("ann", BUY, NO, "10", "0.40").order_id
    sale = world.placed("ann", SELL, YES, "10", "0.90").order_id
    world.placed("bob", BUY, YES, "10", "0.40")

    assert world.x.cancel_market("key-ann", world.now_ms, MARKET, YES).canceled == (yes, sale)
    assert world.x.cancel_market("key-ann", world.now_ms, MARKET, AssetId("9")).canceled == ()
    assert world.x.cancel_all("key-ann", world.now_ms).canceled == (no,)
    assert len(world.x.open_orders("key-bob")) == 1
    world.x.check()


def test_a_sports_order_waits() -> None:
    """A marketable order in a sports market is delayed, cannot be cancelled meanwhile, and then matches."""
    world = World(seconds_delay=3)
    world.placed("bob", SELL, YES, "10", "0.50")
    answer = world.placed("ann", BUY, YES, "10", "0.50")
    assert answer == Placed(answer.order_id, "delayed")
    assert world.x.held_until(answer.order_id) is None
    assert world.x.cancel("key-ann", [answer.order_id], world.now_ms).not_canceled == {answer.order_id: GONE}
    assert world.x.cancel_all("key-ann", world.now_ms).canceled == ()

    world.wait(2_999)
    assert world.x.outcome(answer.order_id) is None
    world.wait(1)

    final = world.x.outcome(answer.order_id)
    assert isinstance(final, Placed)
    assert (final.status, final.taking_amount) == ("matched", shares("10"))
    assert world.order_steps(answer.order_id) == [("PLACEMENT", "DELAYED"), ("UPDATE", "MATCHED")]
    world.settle()


def test_a_delayed_order_is_checked_again() -> None:
    """After the delay balance, market and counterpart are looked at afresh: each can end the order."""
    world = World(seconds_delay=3)
    sale = world.placed("bob", SELL, YES, "10", "0.50").order_id
    poor = world.placed("ann", BUY, YES, "10", "0.50").order_id
    late = world.placed("cyd", BUY, YES, "10", "0.50", order_type=FAK).order_id
    world.x.withdraw("ann", usdc("999"))
    world.x.cancel("key-bob", [sale], world.now_ms)
    world.wait(3_000)

    ended = world.x.order(poor)
    assert ended is not None
    assert ended.status is OrderStatus.CANCELED_NOT_ENOUGH_BALANCE
    answers = world.x.outcome(poor), world.x.outcome(late)
    assert [a.error[:21] for a in answers if isinstance(a, Refused)] == [
        "not enough balance / ",
        "no orders found to ma",
    ]
    world.x.check()


def test_closing_a_market_ends_its_delayed_orders() -> None:
    """A delayed order of a market that closes is cancelled, and its final answer is a refusal."""
    world = World(seconds_delay=3)
    world.placed("bob", SELL, YES, "10", "0.50")
    order = world.placed("ann", BUY, YES, "10", "0.50").order_id
    world.x.close_market(MARKET, world.now_ms)
    world.wait(5_000)

    assert isinstance(world.x.outcome(order), Refused)
    assert world.x.open_orders("key-ann") == []
    world.x.check()


@pytest.mark.parametrize(
    ("policy", "status", "rests"),
    [(Unmatched.LIVE, "live", 1), (Unmatched.RESTS, "unmatched", 1), (Unmatched.GONE, "unmatched", 0)],
)
def test_a_delayed_order_without_a_match(policy: Unmatched, status: str, rests: int) -> None:
    """A taker-delayed order whose counterpart left rests as live, rests as unmatched, or is gone: by policy."""
    world = World(Policy(unmatched=policy), taker_delay=True)
    sale = world.placed("bob", SELL, YES, "10", "0.50").order_id
    order = world.placed("ann", BUY, YES, "10", "0.50").order_id
    assert world.x.held_until(order) == world.now_ms + 250
    world.x.cancel("key-bob", [sale], world.now_ms)
    world.wait(250)

    final = world.x.outcome(order)
    assert isinstance(final, Placed)
    assert (final.status, len(world.bids(YES))) == (status, rests)
    assert world.x.held_until(order) is None
    world.x.check()


def test_orders_that_take_nothing_are_not_delayed() -> None:
    """In a market with a delay a resting order rests at once."""
    assert World(seconds_delay=3).placed("ann", BUY, YES, "10", "0.50").status == "live"


def test_the_start_of_a_game_clears_the_book() -> None:
    """When a game starts its market's resting orders are cancelled and new ones are taken."""
    world = World(seconds_delay=3)
    order = world.placed("ann", BUY, YES, "10", "0.50").order_id
    world.x.start_game(MARKET, world.now_ms)

    assert world.order_steps(order)[-1] == ("CANCELLATION", "CANCELED")
    assert world.placed("ann", BUY, YES, "10", "0.50").status == "live"


def test_the_heartbeat_is_a_dead_mans_switch() -> None:
    """The first heartbeat arms; ten seconds of silence end all the owner's orders at the next check."""
    world = World(Policy(heartbeat_check_s=0))
    order = world.placed("ann", BUY, YES, "10", "0.50").order_id
    world.placed("bob", BUY, YES, "10", "0.50")
    first = world.x.heartbeat("key-ann", "", world.now_ms)
    world.wait(9_000)
    assert isinstance(first, str)
    second = world.x.heartbeat("key-ann", first, world.now_ms)
    world.wait(9_999)
    assert len(world.x.open_orders("key-ann")) == 1
    world.say()
    world.wait(1)

    assert second not in ("", first)
    assert world.order_steps(order) == [("CANCELLATION", "CANCELED")]
    assert len(world.x.open_orders("key-bob")) == 1
    world.placed("ann", BUY, YES, "10", "0.50")
    world.wait(10_000)
    assert world.x.open_orders("key-ann") == []


def test_a_wrong_heartbeat_id_is_refused_with_the_right_one() -> None:
    """A heartbeat that does not continue the chain is refused, names the expected id and extends nothing."""
    world = World(Policy(heartbeat_check_s=0))
    world.placed("ann", BUY, YES, "10", "0.50")
    first = world.x.heartbeat("key-ann", "", world.now_ms)
    world.wait(9_000)

    assert world.x.heartbeat("key-ann", "", world.now_ms) == Refused(400, "Invalid Heartbeat ID", code=str(first))
    world.wait(1_000)
    assert world.x.open_orders("key-ann") == []


def test_the_heartbeat_is_looked_at_every_five_seconds() -> None:
    """With the venue's period of checks the orders live for up to fifteen seconds of silence."""
    world = World()
    world.wait(5_000 - world.now_ms % 5_000 + 1)
    world.placed("ann", BUY, YES, "10", "0.50")
    assert isinstance(world.x.heartbeat("key-ann", None, world.now_ms), str)
    world.wait(14_998)
    assert world.x.open_orders("key-ann")
    world.wait(1)
    assert not world.x.open_orders("key-ann")


@pytest.mark.parametrize(("asset_id", "at"), [(YES, "0.97"), (NO, "0.97"), (YES, "0.03"), (NO, "0.03")])
def test_near_the_edge_the_grid_becomes_finer(asset_id: AssetId, at: str) -> None:
    """A best price beyond 0.96 or below 0.04 changes the tick size to 0.001, once, and coarse orders stay."""
    world = World()
    side = BUY if at == "0.97" else SELL
    world.placed("ann", side, asset_id, "10", "0.96" if side is BUY else "0.04")
    assert not [n for n in world.say() if isinstance(n, TickChanged)]
    world.placed("ann", side, asset_id, "10", at)
    changed = [n for n in world.say() if isinstance(n, TickChanged)]

    assert [(n.old, n.new) for n in changed] == [(10_000, 1_000)]
    assert world.x.markets[MARKET].tick_size == 1_000
    world.placed("ann", BUY, asset_id, "10", "0.011")
    world.x.check()


def test_the_grid_can_be_changed_by_hand() -> None:
    """A tick size set by the scenario is announced, binds new orders, and leaves those that rest."""
    world = World(Policy(auto_tick=False), market=market_of(tick="0.001"))
    world.placed("ann", BUY, YES, "10", "0.455")
    world.x.set_tick_size(MARKET, world.market.tick_size * 10, world.now_ms)  # type: ignore[arg-type]

    assert "minimum tick size rule: 0.01" in world.refused("ann", BUY, YES, "10", "0.455").error
    assert world.bids(YES) == [(455_000, shares("10"))]


def test_closed_orders_are_bounded() -> None:
    """No more closed orders are remembered than the policy says; the oldest are forgotten."""
    world = World(Policy(closed_kept=2))
    ids = [world.placed("ann", BUY, YES, "10", "0.50").order_id for _ in range(4)]
    world.x.cancel("key-ann", ids, world.now_ms)

    assert [world.x.order(order_id) is not None for order_id in ids] == [False, False, True, True]
