from __future__ import annotations

from typing import Any

import pytest

from polymarket_agent.domain.money import Usdc, usdc
from polymarket_agent.sandbox.model import Placed, Refused
from polymarket_agent.sandbox.policy import DuplicateCheck, Policy
from tests.sandbox.exchange_world import (
    BUY,
    FAK,
    FOK,
    GTC,
    GTD,
    NO,
    SELL,
    START_MS,
    YES,
    World,
    market_of,
)

SECOND = START_MS // 1000

ACCURACY = "maker amount supports a max accuracy of {} decimals, taker amount a max of {} decimals"

BAD_ORDERS: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
    (
        "off the grid",
        {"price": "0.456"},
        {},
        "order 0x0001 is invalid. Price (0.456) breaks minimum tick size rule: 0.01",
    ),
    ("price of 1", {"price": "1"}, {}, "order 0x0001 is invalid. Price (1) breaks minimum tick size rule: 0.01"),
    (
        "a collateral that is no price",
        {},
        {"maker_amount": 45_000_100},
        "order 0x0001 is invalid. Price (0.450001) breaks minimum tick size rule: 0.01",
    ),
    ("free", {}, {"maker_amount": 0}, "order 0x0001 is invalid. Price (0) breaks minimum tick size rule: 0.01"),
    (
        "a market buy far off the grid",
        {"order_type": FOK},
        {"maker_amount": 45_600_000},
        "order 0x0001 is invalid. Price (0.456) breaks minimum tick size rule: 0.01",
    ),
    ("small", {"size": "4.99"}, {}, "order 0x0001 is invalid. Size (4.99) lower than the minimum: 5"),
    ("nothing", {}, {"taker_amount": 0}, "order 0x0001 is invalid. Size (0) lower than the minimum: 5"),
    (
        "a buy of thousandths",
        {"size": "10.002", "price": "0.5"},
        {},
        f"invalid amounts, the buy orders {ACCURACY.format(4, 2)}",
    ),
    (
        "a sale of thousandths",
        {"side": SELL, "size": "10.002", "price": "0.5"},
        {},
        f"invalid amounts, the sell orders {ACCURACY.format(2, 4)}",
    ),
    (
        "a market buy for parts of a cent",
        {"order_type": FAK},
        {"maker_amount": 45_004_500, "taker_amount": 100_010_000},
        f"invalid amounts, the market buy orders {ACCURACY.format(2, 4)}",
    ),
    (
        "a market buy of five decimals",
        {"order_type": FOK},
        {"maker_amount": 10_000_000, "taker_amount": 22_222_220},
        f"invalid amounts, the market buy orders {ACCURACY.format(2, 4)}",
    ),
    ("GTC with an end", {"expires_s": SECOND + 999}, {}, "invalid expiration"),
    ("GTD without one", {"order_type": GTD}, {}, "invalid expiration"),
    ("GTD within the margin", {"order_type": GTD, "expires_s": SECOND + 60}, {}, "invalid expiration"),
    (
        "post-only FAK",
        {"order_type": FAK, "post_only": True},
        {},
        "invalid post-only order: only GTC and GTD order types are allowed",
    ),
    (
        "marketable for cents",
        {"order_type": FOK, "size": "2", "price": "0.49"},
        {},
        "invalid amount for a marketable BUY order ($0.98), min size: $1",
    ),
    (
        "a market sale for cents",
        {"order_type": FOK, "side": SELL, "size": "2", "price": "0.49"},
        {},
        "invalid amount for a marketable SELL order ($0.98), min size: $1",
    ),
    (
        "FOK without counterpart",
        {"order_type": FOK},
        {},
        "order couldn't be fully filled. FOK orders are fully filled or killed.",
    ),
    (
        "FAK without counterpart",
        {"order_type": FAK},
        {},
        "no orders found to match with FAK order. FAK orders are partially filled or killed if no match is found.",
    ),
]


@pytest.mark.parametrize(
    ("changes", "amounts", "text"), [case[1:] for case in BAD_ORDERS], ids=[c[0] for c in BAD_ORDERS]
)
def test_a_bad_order_is_refused_in_the_venues_words(
    changes: dict[str, Any], amounts: dict[str, Any], text: str
) -> None:
    """Each fault of an order by itself is a 400 with the venue's text, and changes neither book nor promises."""
    world = World()
    order: dict[str, Any] = {"wallet": "ann", "side": BUY, "asset_id": YES, "size": "100", "price": "0.45"} | changes

    answer = world.put(**order, **amounts)

    assert answer == Refused(400, text)
    assert world.x.balance("ann")[1] == 0
    assert world.bids(YES) == world.asks(YES) == []
    world.x.check()


def test_refusals_follow_the_venues_order() -> None:
    """An order with every fault at once is refused for the first one; mended one by one, for the next."""
    world = World(shares="0")
    world.placed("bob", BUY, NO, "10", "0.60")
    said = []
    for mended in (
        {},
        {"price": "0.45"},
        {"price": "0.45", "size": "100.001"},
        {"price": "0.45", "size": "100"},
        {"price": "0.45", "size": "100", "expires_s": 0, "order_id": "0x0001"},
        {"price": "0.45", "size": "100", "expires_s": 0},
        {"price": "0.45", "size": "100", "expires_s": 0, "post_only": False, "wallet": "nobody"},
    ):
        fields: dict[str, Any] = {
            "price": "0.456",
            "size": "1.001",
            "expires_s": 1,
            "post_only": True,
            "wallet": "ann",
        } | mended
        said.append(world.refused(side=BUY, asset_id=YES, **fields).error)

    words = [" ".join(text.split()[-3:]) for text in said]
    assert words == [
        "size rule: 0.01",
        "the minimum: 5",
        "of 2 decimals",
        "invalid expiration",
        "is invalid. Duplicated.",
        "order crosses book",
        "(inc. fees): 45000000",
    ]


@pytest.mark.parametrize(
    ("names_order", "text"),
    [(False, "invalid post-only order: order crosses book"), (True, "order 0x0002 crosses the book")],
)
def test_a_post_only_order_never_takes(names_order: bool, text: str) -> None:
    """A post-only order that would match is refused, in either of the venue's texts, and the book stays."""
    world = World(Policy(post_only_names_order=names_order))
    world.placed("bob", SELL, YES, "10", "0.50")

    assert world.put("ann", BUY, YES, "10", "0.50", post_only=True) == Refused(400, text)
    assert world.asks(YES) == [(500_000, 10_000_000)]
    assert world.placed("ann", BUY, YES, "10", "0.49", post_only=True).status == "live"


@pytest.mark.parametrize(
    ("check", "refused"),
    [
        (DuplicateCheck.LIVE, [True, False, False]),
        (DuplicateCheck.CLOSED, [True, True, False]),
        (DuplicateCheck.KILLED, [True, True, True]),
    ],
)
def test_a_known_order_id_is_a_duplicate(check: DuplicateCheck, refused: list[bool]) -> None:
    """Which used ids are duplicates, live, closed or killed ones, is the policy's choice."""
    world = World(Policy(duplicates=check))
    live = world.entry("ann", BUY, YES, "10", "0.45")
    closed = world.entry("ann", BUY, YES, "10", "0.45")
    killed = world.entry("ann", BUY, YES, "10", "0.45", order_type=FOK)
    for entry in (live, closed, killed):
        world.x.place(entry, world.now_ms)
    world.x.cancel("key-ann", [closed.order_id], world.now_ms)

    answers = [world.x.place(entry, world.now_ms) for entry in (live, closed, killed)]

    said = [
        isinstance(a, Refused) and a.error == f"order {e.order_id} is invalid. Duplicated."
        for a, e in zip(answers, (live, closed, killed), strict=True)
    ]
    assert said == refused


def test_a_refused_order_may_be_sent_again() -> None:
    """An order refused for lack of balance is not remembered: the same order is taken once there is balance."""
    world = World(cash="1")
    entry = world.entry("ann", BUY, YES, "10", "0.45")

    assert isinstance(world.x.place(entry, world.now_ms), Refused)
    world.x.fund("ann", usdc("4"))
    assert isinstance(world.x.place(entry, world.now_ms), Placed)


def test_marketable_orders_below_a_dollar() -> None:
    """A crossing buy below the marketable minimum is refused although it has five shares; a switch takes it."""
    text = "invalid amount for a marketable BUY order ($0.5), min size: $1"
    for policy, expected in ((Policy(), Refused(400, text)), (Policy(marketable_min=Usdc(0)), None)):
        world = World(policy)
        world.placed("bob", SELL, YES, "10", "0.10")
        answer = world.put("ann", BUY, YES, "5", "0.10")
        assert answer == expected or (expected is None and isinstance(answer, Placed))


def test_the_minimum_of_shares_binds_resting_orders() -> None:
    """FOK and FAK orders may be smaller than the market's minimum of shares, unless the policy binds them too."""
    for bound in (False, True):
        world = World(Policy(market_min_shares=bound))
        world.placed("bob", SELL, YES, "10", "0.50")
        answer = world.put("ann", BUY, YES, "2", "0.50", order_type=FOK)
        assert isinstance(answer, Refused) is bound


def test_a_finer_grid_has_more_decimals() -> None:
    """On a tick size of 0.001 a limit buy may have five decimals of collateral, unless a flat rule says four."""
    for decimals in (None, 4):
        world = World(Policy(flat_limit_decimals=decimals), market=market_of(tick="0.001"))
        answer = world.put("ann", BUY, YES, "12.35", "0.455", order_type=GTC)
        assert isinstance(answer, Refused) is (decimals is not None)
