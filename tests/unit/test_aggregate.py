from __future__ import annotations

from typing import Any

import pytest

from polymarket_agent.config import AggregationConfig
from polymarket_agent.decision.aggregate import Combined, aggregate, diff_quotes
from polymarket_agent.domain.book import Side
from polymarket_agent.domain.market import ConditionId
from polymarket_agent.domain.money import Shares, price, shares
from polymarket_agent.domain.order import OrderId
from polymarket_agent.domain.signal import Basket, Cancel, Quote, Signal, TargetQuotes, Wish
from tests.unit.agent_world import buy, sell
from tests.unit.strategy_world import World, a_market, no, yes

OWNER: Any = type("Owner", (), {"name": "s"})()


def combined(*wishes: Wish, world: World | None = None, **config: object) -> Combined:
    world = world or World(a_market())
    return aggregate(wishes, world.board, world.account, AggregationConfig.model_validate(config))


def opinion(strategy: str, confidence: float, *, of_no: bool = False) -> Signal:
    return buy(no() if of_no else yes(), "0.50", strategy=strategy, confidence=confidence)


def quotes(*prices: str, side: Side = Side.BUY, key: str = "m", strategy: str = "s") -> TargetQuotes:
    wanted = tuple(Quote(yes(), side, price(p), shares(10)) for p in prices)
    return TargetQuotes(strategy=strategy, condition_id=ConditionId(key), quotes=wanted, reason="quote")


def test_agreeing_opinions_become_one_with_their_joint_confidence() -> None:
    """Copies merge into the most confident signal; the others are dropped with whom they stand behind."""
    result = combined(opinion("a", 0.5), opinion("b", 0.6))

    assert [s.strategy for s in result.entries] == ["b"]
    assert [s.confidence for s in result.entries] == pytest.approx([0.8])
    assert [(s.strategy, why) for s, why in result.dropped] == [("a", "stands behind b's signal for the same side")]


def test_a_joint_confidence_is_never_below_the_leaders() -> None:
    """Arithmetic with tiny confidences does not round a signal down to none."""
    assert combined(opinion("a", 1e-20), min_confidence="0").entries[0].confidence == 1e-20


def test_a_weak_opinion_is_dropped_with_its_confidence_and_the_floor() -> None:
    """Below the floor a signal is no entry, at the floor it is."""
    result = combined(opinion("a", 0.29), min_confidence="0.3")

    assert result.dropped[0][1] == "confidence 0.29 is below the floor of 0.30"
    assert combined(opinion("a", 0.3), min_confidence="0.3").entries


@pytest.mark.parametrize(("against", "left"), [(0.5, 0), (0.49, 0), (0.2, 1)])
def test_of_yes_and_no_at_most_the_clearly_stronger_is_bought(against: float, left: int) -> None:
    """Within the margin nobody wins; beyond it only the stronger side is left."""
    result = combined(opinion("a", 0.5), opinion("b", against, of_no=True), min_margin="0.2")

    assert [s.asset_id for s in result.entries] == [yes()] * left
    assert len(result.dropped) == 2 - left


def test_a_tie_has_no_winner_even_without_a_margin() -> None:
    """Two equal opinions against each other buy nothing, whoever was asked first."""
    assert combined(opinion("a", 0.5), opinion("b", 0.5, of_no=True), min_margin="0").entries == ()


def test_consensus_counts_strategies_and_not_signals() -> None:
    """One strategy that says the same twice is one opinion; two strategies are two."""
    assert combined(opinion("a", 0.5), opinion("a", 0.6), min_agreeing="2").entries == ()
    assert combined(opinion("a", 0.5), opinion("b", 0.6), min_agreeing="2").entries


def test_what_is_held_of_one_outcome_keeps_the_other_from_being_bought() -> None:
    """YES and NO of one market are not both bought, also when a day lies between."""
    world = World(a_market())
    world.fill(OWNER, yes(), Side.BUY, "0.40", 10)

    result = combined(opinion("b", 0.9, of_no=True), opinion("a", 0.5), world=world)

    assert [s.asset_id for s in result.entries] == [yes()]
    assert result.dropped[0][1] == "10.00 Yes are held; sell those before buying the other outcome"


def test_a_pair_is_no_direction() -> None:
    """Equal shares of both outcomes, or a rest too small to sell, keep nobody from buying either."""
    world = World(a_market())
    world.fill(OWNER, yes(), Side.BUY, "0.40", "10.9")
    world.fill(OWNER, no(), Side.BUY, "0.40", 10)

    assert combined(opinion("b", 0.9, of_no=True), world=world).entries


def test_a_live_order_for_one_outcome_keeps_the_other_from_being_bought() -> None:
    """An order that may still be filled is a direction already; a maker's quote is none."""
    world = World(a_market())
    quote = world.rest(OWNER, yes(), Side.BUY, "0.40", 10)
    assert combined(opinion("b", 0.9, of_no=True), world=world).entries

    object.__setattr__(quote, "post_only", False)  # the same order, as one that would have taken
    assert "s has an order for Yes" in combined(opinion("b", 0.9, of_no=True), world=world).dropped[0][1]


def test_exits_baskets_and_own_cancels_are_not_voted_on() -> None:
    """Whatever the opinions say, sales pass, baskets pass whole, and orders can always be cancelled."""
    world = World(a_market())
    order = world.rest(OWNER, yes(), Side.BUY, "0.40", 10)
    basket = Basket(strategy="s", legs=(opinion("s", 0.01), opinion("s", 0.01, of_no=True)), reason="pair")
    cancel = Cancel(strategy="s", order_id=order.order_id, reason="enough")

    result = combined(basket, cancel, sell(yes(), "0.40", confidence=0.01), world=world, min_agreeing="9")

    assert (result.baskets, result.cancels, len(result.exits)) == ((basket,), (cancel,), 1)


def test_nobody_cancels_the_order_of_another() -> None:
    """A cancellation of a stranger's order, or of one that is no more, comes to nothing."""
    world = World(a_market())
    order = world.rest(OWNER, yes(), Side.SELL, "0.60", 10)
    foreign = Cancel(strategy="other", order_id=order.order_id, reason="mine now")
    gone = Cancel(strategy="s", order_id=OrderId("gone"), reason="late")

    assert combined(foreign, gone, world=world).cancels == ()


def test_what_is_said_last_in_a_pass_is_meant() -> None:
    """One signal a side of an asset, one set of quotes a market, one basket of the same legs; copies have a reason."""
    legs = (buy(yes(), "0.50"), buy(no(), "0.48"))
    baskets = [Basket(strategy="s", legs=legs, reason=reason) for reason in ("first", "second")]

    result = combined(
        sell(yes(), "0.40"), sell(yes(), "0.41"), quotes("0.40"), quotes("0.41"), *baskets, opinion("s", 0.5)
    )

    assert [s.target_price for s in result.exits] == [price("0.41")]
    assert [s.target_price for s in result.quotes] == [price("0.41")]
    assert [b.reason for b in result.baskets] == ["second"]
    assert [why for _, why in result.dropped] == ["said again later in the same pass, which counts"]


def test_a_quote_for_an_asset_of_another_market_is_dropped() -> None:
    """It would never be found again among the orders of the market that it names, and so be placed for ever."""
    world = World(a_market(), a_market("n"))

    result = combined(quotes("0.40", key="n"), world=world)

    assert result.quotes == ()
    assert "another market" in result.dropped[0][1]


@pytest.mark.parametrize(
    ("standing", "quantity", "kept"),
    [("0.40", 10, True), ("0.40", 5, True), ("0.40", 4, False), ("0.40", 11, False), ("0.41", 10, False)],
)
def test_a_quote_that_stands_well_enough_keeps_its_place(standing: str, quantity: int, kept: bool) -> None:
    """At the wanted price, with half to all of the wanted quantity, an order is left alone; else it is replaced."""
    world = World(a_market())
    order = world.rest(OWNER, yes(), Side.BUY, standing, quantity)

    cancels, signals = diff_quotes(quotes("0.40"), world.account)

    assert ([c.order_id for c in cancels], len(signals)) == ([] if kept else [order.order_id], 0 if kept else 1)


def test_no_quotes_wanted_cancels_what_stands_and_leaves_others_alone() -> None:
    """An empty set of quotes takes down this strategy's orders of that market, and nobody else's."""
    world = World(a_market(), a_market("n"))
    mine = world.rest(OWNER, yes(), Side.BUY, "0.40", 10)
    world.rest(OWNER, yes("n"), Side.BUY, "0.40", 10)
    world.rest(type("Other", (), {"name": "t"})(), yes(), Side.BUY, "0.40", 10)

    cancels, signals = diff_quotes(quotes(), world.account)

    assert ([c.order_id for c in cancels], signals) == ([mine.order_id], [])


def test_a_quote_becomes_a_resting_signal_of_exactly_its_quantity() -> None:
    """Quotes never take, and the size in USDC gives the quoted shares back to the lot."""
    odd = Quote(yes(), Side.SELL, price("0.37"), Shares(12_340_000))
    wanted = TargetQuotes(strategy="s", condition_id=ConditionId("m"), quotes=(odd,), reason="quote")

    (signal,) = diff_quotes(wanted, World(a_market()).account)[1]

    assert (signal.quantity, signal.post_only, signal.time_in_force.rests) == (odd.quantity, True, True)
