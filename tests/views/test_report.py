"""The report against a ledger written by hand, with sums done by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from polymarket_agent import views
from polymarket_agent.db import Database, open_for_reading
from polymarket_agent.domain.account import Account
from polymarket_agent.domain.board import Board
from polymarket_agent.domain.events import BookSnapshot, MarketListed, MarketResolved
from polymarket_agent.domain.levels import Side
from polymarket_agent.domain.market import AssetId, ConditionId, Market, Outcome
from polymarket_agent.domain.money import Usdc, price, shares, usdc
from polymarket_agent.domain.order import Evidence, Fill, Order, OrderId, OrderState, TimeInForce
from polymarket_agent.domain.portfolio import Valuer
from polymarket_agent.ledger.journal import Journal
from polymarket_agent.views.attribution import weaker

YES, NO = AssetId("7" * 70), AssetId("8" * 70)
MARKET = Market(ConditionId("0x1"), "Will it?", (Outcome(YES, "Yes"), Outcome(NO, "No")))


class Book:
    """A ledger that is written fill by fill, with the account and the board beside it."""

    def __init__(self, db: Database) -> None:
        self.journal, self.account, self.board, self.valuer = Journal(db), Account(usdc("100")), Board(), Valuer()
        self.journal.begin_run(mode="paper", feed="hand", config_hash="", config="{}", at_ms=0)
        self.journal.deposit(usdc("100"), 0)
        self.board.apply(MarketListed(MARKET, 0))
        self._count = 0

    def fill(self, side: Side, at: str, quantity: str, evidence: Evidence, *, by: str = "a", fee: str = "0") -> None:
        self._count += 1
        number = OrderId(f"paper-{self._count}")
        size, cost = shares(quantity), Usdc(price(at) * shares(quantity) // 1_000_000)
        order = Order(
            number, "s", by, MARKET.condition_id, YES, side, price(at), size, TimeInForce.GTC, self._count,
            state=OrderState.FILLED, matched=size,
        )  # fmt: skip
        fill = Fill(
            "t" + number, number, MARKET.condition_id, YES, side, price(at), size, cost, usdc(fee),
            is_maker=False, evidence=evidence, at_ms=self._count, strategy=by,
        )  # fmt: skip
        self.journal.fill(fill, order, before="OPEN")
        self.account.apply_fill(fill)

    def close(self, best_bid: str | None, *, end: bool = True) -> None:
        if best_bid is None:
            self.board.apply(MarketResolved(MARKET.condition_id, (500_000, 500_000), 9))
            self.account.apply_resolution(YES, 500_000)
            self.journal.resolution(YES, 500_000, 9)
        else:
            self.board.apply(BookSnapshot(YES, ((price(best_bid), shares("1000")),), (), 9))
        self.journal.market(self.board.markets[MARKET.condition_id], 9)
        portfolio = self.valuer.portfolio(self.account, self.board)
        self.journal.equity(portfolio, dict(self.valuer.last_good), 9, unpriced=0)
        if end:
            self.journal.end_run(ended="done", summary="{}")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "hand.db"


def test_a_round_trip_counts_under_the_weaker_evidence(path: Path) -> None:
    """Bought on display at 0.40 and sold by the queue at 0.50: 10 shares bring 1 USDC, under `queue`."""
    with Database(path) as db:
        book = Book(db)
        book.fill(Side.BUY, "0.40", "10", Evidence.DISPLAYED)
        book.fill(Side.SELL, "0.50", "10", Evidence.QUEUE)
        book.close("0.30")
    with open_for_reading(path) as connection:
        report = views.report(connection)
    split = {name: each["pnl_usdc"] for name, each in report["by_evidence"].items()}
    assert (report["pnl_usdc"], split) == ("1", {"displayed": "0", "queue": "1"})
    assert all(report["checks"].values())


def test_what_was_traded_since_the_equity_was_noted_last_is_in_the_sums(path: Path) -> None:
    """The mark of 0.30 holds for what is held now: 10 bought at 0.40, then 4 sold at 0.35 and 6 bought at 0.32."""
    with Database(path) as db:
        book = Book(db)
        book.fill(Side.BUY, "0.40", "10", Evidence.DISPLAYED)
        book.close("0.30", end=False)
        book.fill(Side.SELL, "0.35", "4", Evidence.DISPLAYED)
        book.fill(Side.BUY, "0.32", "6", Evidence.DISPLAYED)
    with open_for_reading(path) as connection:
        report = views.report(connection)
        held = views.positions(connection)
    assert (report["cash_usdc"], report["equity_usdc"], report["pnl_usdc"]) == ("95.48", "99.08", "-0.92")
    assert (held[0]["shares"], held[0]["value_usdc"]) == ("12", "3.6")
    assert all(report["checks"].values())


def test_the_last_point_of_a_run_that_ended_is_todays_equity(path: Path) -> None:
    """A fill that the last point of an ended run does not know makes the check fail."""
    with Database(path) as db:
        book = Book(db)
        book.fill(Side.BUY, "0.40", "10", Evidence.DISPLAYED)
        book.close("0.30")
        book.fill(Side.SELL, "0.35", "4", Evidence.DISPLAYED)
    with open_for_reading(path) as connection:
        checks = views.report(connection)["checks"]
    assert {name for name, ok in checks.items() if not ok} == {"equity = cash + value of open positions"}


def test_what_is_held_is_worth_its_mark_and_fees_are_paid_by_the_buyer(path: Path) -> None:
    """Of 10 shares bought at 0.40 with a fee of 0.10, four are sold at 0.45 and six are worth 0.30."""
    with Database(path) as db:
        book = Book(db)
        book.fill(Side.BUY, "0.40", "10", Evidence.DISPLAYED, fee="0.1")
        book.fill(Side.SELL, "0.45", "4", Evidence.DISPLAYED)
        book.close("0.30")
    with open_for_reading(path) as connection:
        report = views.report(connection)
    assert (report["cash_usdc"], report["equity_usdc"]) == ("97.7", "99.5")
    assert (report["realised_before_fees_usdc"], report["fees_usdc"], report["unrealised_usdc"]) == (
        "0.2",
        "0.1",
        "-0.6",
    )
    assert report["by_evidence"]["displayed"]["pnl_usdc"] == "-0.5"
    assert all(report["checks"].values())


def test_a_sale_takes_the_sellers_own_shares_first(path: Path) -> None:
    """Strategy b sells what b bought, although a's shares of the same asset are older and cheaper."""
    with Database(path) as db:
        book = Book(db)
        book.fill(Side.BUY, "0.20", "10", Evidence.DISPLAYED, by="a")
        book.fill(Side.BUY, "0.40", "10", Evidence.DISPLAYED, by="b")
        book.fill(Side.SELL, "0.50", "10", Evidence.DISPLAYED, by="b")
        book.close("0.20")
    with open_for_reading(path) as connection:
        by_strategy = views.report(connection)["by_strategy"]
    assert {name: each["pnl_usdc"] for name, each in by_strategy.items()} == {"a": "0", "b": "1"}


def test_a_market_that_resolves_half_and_half_pays_half(path: Path) -> None:
    """Ten shares bought at 0.40 pay 5 USDC at 50/50, and the report names the resolution."""
    with Database(path) as db:
        book = Book(db)
        book.fill(Side.BUY, "0.40", "10", Evidence.ASSUMED)
        book.close(None)
    with open_for_reading(path) as connection:
        report = views.report(connection)
    assert (report["pnl_usdc"], report["by_evidence"]["assumed"]["pnl_usdc"]) == ("1", "1")
    assert report["resolutions"][0]["received_usdc"] == "5"
    assert all(report["checks"].values())


def test_a_tampered_fill_makes_a_check_fail(path: Path) -> None:
    """A row that was edited behind our back no longer adds up, and the report says which sum."""
    with Database(path) as db:
        book = Book(db)
        book.fill(Side.BUY, "0.40", "10", Evidence.DISPLAYED)
        book.close("0.40")
        db.run(lambda connection: connection.execute("UPDATE fills SET quantity = quantity - 10000"))
    with open_for_reading(path) as connection:
        checks = views.report(connection)["checks"]
    assert checks["matched shares of orders = shares of fills"] is False


@pytest.mark.parametrize(
    ("one", "other", "result"), [("displayed", "assumed", "assumed"), ("queue", "displayed", "queue")]
)
def test_the_weaker_evidence_is_the_one_easier_to_doubt(one: str, other: str, result: str) -> None:
    """Every class of evidence has its place, and the worse of two is chosen whichever comes first."""
    assert weaker(one, other) == weaker(other, one) == result
    assert all(weaker(each.value, each.value) == each.value for each in Evidence)
