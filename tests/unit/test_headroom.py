from __future__ import annotations

from polymarket_agent.config import RiskConfig
from polymarket_agent.domain.book import Side
from polymarket_agent.domain.money import shares, usdc
from tests.unit.agent_world import buy
from tests.unit.strategy_world import World, a_market, yes
from tests.unit.test_sizing import OWNER, a_basket, a_world, shares_of, sized, sizing


def test_an_entry_is_bounded_by_every_limit_on_amounts() -> None:
    """The sizer clamps to the room of one order, the event, the strategy and all markets, before the gate says no."""
    markets = [a_market(key) for key in ("m", "other")]
    for limit, room in (
        ("max_order_size", "30"),
        ("max_event_exposure", "10"),
        ("max_strategy_exposure", "10"),
        ("max_total_exposure", "10"),
    ):
        world = World(*markets)
        world.group("g", markets, neg_risk=True)
        world.mirrored("0.48", "0.50", size=1_000)
        world.fill(OWNER, yes("other"), Side.BUY, "0.50", 40)
        tool = sizing({limit: 30})
        signal = buy(yes(), "0.50", "50")

        result = tool.size(signal, markets[0], None, world.account, usdc("1000"), board=world.board)

        assert result.signal is not None, result.reason
        assert result.signal.size == usdc(room), limit


def test_legs_of_one_event_share_its_room() -> None:
    """A basket of three legs in one event is bounded by what the event may lose, not three times by it."""
    markets = [a_market(key) for key in ("a", "b", "c")]
    world = World(*markets)
    world.group("g", markets, neg_risk=True, complete=True)
    legs = [buy(yes(key), "0.30") for key in ("a", "b", "c")]
    tool = sizing({"max_position_size": 45})

    basket, why = tool.size_basket(a_basket(*legs, quantity=100), markets, world.account, board=world.board)

    assert basket is not None, why
    assert basket.quantity == shares(50)
    assert sum(leg.size for leg in basket.legs) == usdc(45)


def test_tightened_limits_bound_the_next_size() -> None:
    """What the gate takes up while running, the sizer takes up too."""
    tool = sizing()
    tool.tighten(RiskConfig.model_validate({"max_position_size": 20}))

    assert shares_of(sized(buy(yes(), "0.48", "90"), a_world(), tool)) == shares("41.66")
