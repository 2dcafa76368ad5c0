"""The fill model: no fill without evidence, no evidence twice, never a better place in the queue than proven."""

from __future__ import annotations

from dataclasses import replace

import pytest

from polymarket_agent.domain.board import Board
from polymarket_agent.domain.book import Side
from polymarket_agent.domain.charges import charges
from polymarket_agent.domain.events import Event, Gap, MarketListed
from polymarket_agent.domain.market import AssetId, FeeSchedule
from polymarket_agent.domain.matching import ANNOUNCED_WITHIN_MS, Match, MatchingModel
from polymarket_agent.domain.money import Price, Shares, price, shares, usdc
from polymarket_agent.domain.order import Evidence, Order, OrderId
from polymarket_agent.domain.prints import REMEMBERED
from tests.trading_world import ASK, BID, NO, START_MS, YES, a_market, an_order, books, change, traded


class Pit:
    """A board with a matching model: bids of 100 at .49 and 50 at .48, asks of 50 at .51 and 70 at .53."""

    def __init__(self, *, book_through: bool = True, tick: str = "0.01") -> None:
        self.board = Board()
        self.board.apply(MarketListed(a_market(tick=tick), START_MS))
        self.model = MatchingModel(self.board, book_through=book_through)
        self.tell(*books([("0.49", 100), ("0.48", 50)], [("0.51", 50), ("0.53", 70)]))

    def rest(
        self,
        side: Side,
        at: str,
        quantity: str | int = 10,
        *,
        asset_id: AssetId = YES,
        name: str = "o1",
        at_ms: int = START_MS,
    ) -> Order:
        order = an_order(side, at, quantity, asset_id=asset_id, name=name)
        self.model.rest(order, at_ms)
        return order

    def tell(self, *events: Event) -> list[tuple[str, str, str, Evidence]]:
        """Apply events; return matches as (order, price, quantity, evidence)."""
        found: list[Match] = []
        for event in events:
            self.board.apply(event)
            match type(event).__name__:
                case "BookDelta":
                    found += self.model.on_delta(event)  # type: ignore[arg-type]
                case "BookSnapshot":
                    found += self.model.on_snapshot(event)  # type: ignore[arg-type]
                case "TradePrint":
                    found += self.model.on_trade(event)  # type: ignore[arg-type]
                case "Gap":
                    self.model.on_gap(event)  # type: ignore[arg-type]
        return [(m.order_id, str(m.price / 1e6), str(m.quantity / 1e6), m.evidence) for m in found]


def test_taking_gets_what_is_displayed_within_the_limit() -> None:
    """Level by level, best first, at the displayed prices, and then it is gone on both outcomes' books."""
    pit = Pit()
    taken = pit.model.take(an_order(Side.BUY, "0.53", 80))
    assert [(m.price, m.quantity, m.evidence) for m in taken] == [
        (price("0.51"), shares(50), Evidence.DISPLAYED),
        (price("0.53"), shares(30), Evidence.DISPLAYED),
    ]
    assert pit.board.books[YES].asks() == [(price("0.53"), shares(40))]
    assert pit.board.books[NO].bids() == [(price("0.47"), shares(40))]
    assert pit.model.take(an_order(Side.BUY, "0.51", 80)) == []


def test_the_same_shares_are_not_taken_through_the_other_outcome() -> None:
    """Buying YES at .51 and selling NO at .49 meet the same resting shares."""
    pit = Pit()
    pit.model.take(an_order(Side.BUY, "0.51", 50))
    assert pit.model.take(an_order(Side.SELL, "0.49", 50, asset_id=NO)) == []


@pytest.mark.parametrize("state", ["gap", "crossed"])
def test_nothing_is_taken_from_a_book_that_cannot_be_believed(state: str) -> None:
    """A lost or crossed book offers nothing."""
    pit = Pit()
    pit.tell(Gap((YES,), "lost", START_MS) if state == "gap" else change(BID, "0.52", 5))
    assert not pit.model.can_judge(YES)
    assert pit.model.takeable(an_order(Side.BUY, "0.9", 10)) == ()


def test_only_whole_lots_are_matched() -> None:
    """What an order gets at one instant is rounded down to hundredths of a share; the total, not every level."""
    pit = Pit()
    pit.tell(change(ASK, "0.51", "0.504"), change(ASK, "0.53", "0.509"))
    taken = pit.model.take(an_order(Side.BUY, "0.53", 5))
    assert [m.quantity for m in taken] == [shares("0.504"), shares("0.506")]


def test_a_trade_at_our_price_first_serves_the_queue() -> None:
    """Joining behind 100 at .49, a sale of 60 moves us up and one of 45 gives us the 5 beyond."""
    pit = Pit()
    pit.rest(Side.BUY, "0.49")
    assert pit.tell(traded("0.49", 60, taker_buys=False, key="a")) == []
    assert pit.model.queue_ahead(OrderId("o1")) == shares(40)
    assert pit.tell(traded("0.49", 45, taker_buys=False, key="b")) == [("o1", "0.49", "5.0", Evidence.QUEUE)]


def test_a_trade_shown_in_the_book_and_then_announced_counts_once() -> None:
    """The venue shows a trade before it tells it: 100 ahead, the book falls by 60, the trade of 60 follows: 40 ahead."""
    pit = Pit()
    pit.rest(Side.BUY, "0.49")
    pit.tell(change(BID, "0.49", 40))
    assert pit.tell(traded("0.49", 60, taker_buys=False)) == []
    assert pit.model.queue_ahead(OrderId("o1")) == shares(40)


def test_a_sweep_shown_before_it_is_announced_gives_only_what_went_beyond_the_queue() -> None:
    """The level of 100 vanishes, then a sale of 104 at it is told: 4 were beyond the queue, not 10."""
    pit = Pit()
    pit.rest(Side.BUY, "0.49")
    pit.tell(change(BID, "0.49", 0))
    assert pit.tell(traded("0.49", 104, taker_buys=False)) == [("o1", "0.49", "4.0", Evidence.QUEUE)]


def test_cancellations_ahead_count_once_no_trade_can_explain_them_any_more() -> None:
    """What vanished long before a trade was cancelled, so the trade is ours."""
    pit = Pit()
    pit.rest(Side.BUY, "0.49")
    pit.tell(change(BID, "0.49", 0))
    late = START_MS + 2 + ANNOUNCED_WITHIN_MS
    assert pit.tell(traded("0.49", 7, taker_buys=False, at_ms=late)) == [("o1", "0.49", "7.0", Evidence.QUEUE)]


def test_a_cancellation_behind_us_moves_nothing() -> None:
    """While the level shows as much as the queue, whoever left may have stood behind us."""
    pit = Pit()
    pit.rest(Side.BUY, "0.49")
    pit.tell(change(BID, "0.49", 300), change(BID, "0.49", 120, at_ms=START_MS + 2))
    assert pit.model.queue_ahead(OrderId("o1")) == shares(100)


def test_a_trade_through_our_price_fills_at_our_price() -> None:
    """A sale at .48 must have passed our bid of .49: filled at .49, by at most what was traded."""
    pit = Pit()
    pit.rest(Side.BUY, "0.49")
    assert pit.tell(traded("0.48", 4, taker_buys=False)) == [("o1", "0.49", "4.0", Evidence.TRADED_THROUGH)]
    assert pit.tell(traded("0.5", 99, taker_buys=True)) == []


@pytest.mark.parametrize("taker_buys", [True, False])
def test_a_trade_on_our_own_side_is_no_evidence(taker_buys: bool) -> None:
    """Purchases fill sales and sales fill purchases, on either outcome."""
    pit = Pit()
    pit.rest(Side.BUY if taker_buys else Side.SELL, "0.5")
    assert pit.tell(traded("0.5", 99, taker_buys=taker_buys)) == []
    assert pit.tell(traded("0.5", 99, taker_buys=not taker_buys, asset_id=NO)) == []


def test_a_trade_of_the_other_outcome_is_evidence_once() -> None:
    """A purchase of NO at .52 is a sale of YES at .48; told on both outcomes it is still one trade."""
    pit = Pit()
    pit.rest(Side.BUY, "0.49", 10)
    told = [
        traded("0.52", 4, taker_buys=True, asset_id=NO),
        traded("0.48", 4, taker_buys=False, asset_id=YES),
    ]
    assert pit.tell(*told) == [("o1", "0.49", "4.0", Evidence.TRADED_THROUGH)]


def test_a_repeated_message_is_no_second_trade() -> None:
    """Frames repeat after a reconnect; the key of a trade makes the copy known, equal trades without one are two."""
    pit = Pit()
    pit.rest(Side.BUY, "0.49", 20)
    copy = traded("0.48", 4, taker_buys=False, key="tx")
    assert len(pit.tell(copy, copy)) == 1
    plain = traded("0.48", 4, taker_buys=False)
    assert len(pit.tell(plain, plain)) == 2


def test_the_memory_of_trades_is_bounded() -> None:
    """After enough trades the oldest is forgotten, and memory does not grow."""
    pit = Pit()
    for number in range(REMEMBERED + 10):
        pit.tell(traded("0.48", 1, taker_buys=False, key=str(number), at_ms=START_MS + number))
    memory = pit.model._prints
    assert len(memory._keys) == len(memory._trades) == REMEMBERED


def test_a_trade_before_we_arrived_is_no_evidence() -> None:
    """Trades are told late: one stamped before our arrival happened without us."""
    pit = Pit()
    pit.rest(Side.BUY, "0.49", at_ms=START_MS + 100)
    assert pit.tell(traded("0.48", 4, taker_buys=False, at_ms=START_MS + 99)) == []
    assert pit.tell(traded("0.48", 5, taker_buys=False, at_ms=START_MS + 100)) != []


def test_a_price_between_two_steps_proves_no_more_than_the_nearer_one() -> None:
    """An average of .4867 may hold trades at .49, so our bid there gets what its queue allows and not all."""
    pit = Pit()
    pit.rest(Side.BUY, "0.49")
    assert pit.tell(traded("0.4867", 90, taker_buys=False)) == []
    pit.rest(Side.SELL, "0.51", name="o2")
    assert pit.tell(traded("0.5167", 40, taker_buys=True)) == []
    assert pit.tell(traded("0.5267", 40, taker_buys=True)) == [("o2", "0.51", "10.0", Evidence.TRADED_THROUGH)]


def test_one_trade_is_shared_by_our_orders_better_price_first_then_older() -> None:
    """Together our orders get what was traded and no more; no order of ours overtakes an older one."""
    pit = Pit()
    pit.rest(Side.BUY, "0.48", 10, name="low")
    pit.rest(Side.BUY, "0.49", 10, name="old")
    pit.rest(Side.SELL, "0.51", 10, asset_id=NO, name="young")
    assert pit.tell(traded("0.47", 15, taker_buys=False)) == [
        ("old", "0.49", "10.0", Evidence.TRADED_THROUGH),
        ("young", "0.51", "5.0", Evidence.TRADED_THROUGH),
    ]


def test_an_offer_through_our_price_fills_by_what_it_offers() -> None:
    """Others display a sale at .48 under our bid of .49: only because we are not there. Once, at our price."""
    pit = Pit()
    pit.rest(Side.BUY, "0.5", 10)
    through = change(ASK, "0.5", 4)
    assert pit.tell(through) == [("o1", "0.5", "4.0", Evidence.BOOK_THROUGH)]
    assert pit.tell(through) == []
    assert pit.tell(change(ASK, "0.5", 7)) == [("o1", "0.5", "3.0", Evidence.BOOK_THROUGH)]


def test_offers_through_can_be_left_out() -> None:
    """With book_through off only trades fill resting orders."""
    pit = Pit(book_through=False)
    pit.rest(Side.BUY, "0.5", 10)
    assert pit.tell(change(ASK, "0.5", 4)) == []


def test_after_a_gap_the_queue_is_joined_at_its_end() -> None:
    """Between gap and snapshot nothing at our price fills; the snapshot's whole level is ahead of us then."""
    pit = Pit()
    pit.rest(Side.BUY, "0.49")
    pit.tell(traded("0.49", 95, taker_buys=False), Gap((YES,), "lost", START_MS + 1))
    assert pit.model.queue_ahead(OrderId("o1")) is None
    assert pit.tell(traded("0.49", 50, taker_buys=False, key="x")) == []
    pit.tell(books([("0.49", 80)], [("0.51", 50)], START_MS + 2)[0])
    assert pit.model.queue_ahead(OrderId("o1")) == shares(80)


def test_a_removed_order_is_never_matched() -> None:
    """Taking an order off the book ends its claims; the market is watched while another one rests."""
    pit = Pit()
    pit.rest(Side.BUY, "0.49", name="o1")
    pit.rest(Side.BUY, "0.49", name="o2")
    pit.model.remove(OrderId("o1"))
    assert pit.tell(traded("0.48", 99, taker_buys=False)) == [("o2", "0.49", "10.0", Evidence.TRADED_THROUGH)]
    pit.model.remove(OrderId("o2"))
    pit.model.remove(OrderId("o2"))
    assert not pit.model.watches(YES)
    assert pit.model.queue_ahead(OrderId("o2")) is None


@pytest.mark.parametrize(
    ("side", "at", "crosses"),
    [(Side.BUY, "0.51", True), (Side.BUY, "0.5", False), (Side.SELL, "0.49", True), (Side.SELL, "0.5", False)],
)
def test_an_order_crosses_when_its_price_meets_the_other_side(side: Side, at: str, crosses: bool) -> None:
    """At the other side's best is crossing; one step away is not, and an empty side cannot be crossed."""
    pit = Pit()
    assert pit.model.crosses(an_order(side, at)) is crosses
    pit.tell(*books([], [], START_MS + 1))
    assert not pit.model.crosses(an_order(side, at))


def test_charges_add_up_to_the_exact_sums_rounded_against_us() -> None:
    """Dust on forty levels costs what its sum costs; a sale never pays more fee than it brings."""
    dust = [(Price(10_000 * n), Shares(3)) for n in range(1, 41)]
    bought = charges(Side.BUY, dust, FeeSchedule(50_000), is_maker=False)
    exact = sum(at * quantity for at, quantity in dust)
    assert sum(notional for notional, _ in bought) == -(-exact // 1_000_000)
    assert sum(fee for _, fee in bought) == 10
    sold = charges(Side.SELL, [(Price(100), shares("0.01"))], FeeSchedule(50_000), is_maker=False)
    assert sold == [(1, 1)]


def test_makers_are_charged_only_where_the_schedule_says_so() -> None:
    """A resting order pays no fee, unless the schedule is for everyone."""
    level = [(price("0.5"), shares(10))]
    everyone = replace(FeeSchedule(50_000), taker_only=False)
    assert charges(Side.BUY, level, FeeSchedule(50_000), is_maker=True) == [(usdc("5"), 0)]
    assert charges(Side.BUY, level, everyone, is_maker=True) == [(usdc("5"), usdc("0.125"))]
