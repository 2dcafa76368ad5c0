"""Whatever the venue reports, in whatever order and however often: the books balance and what failed is not in them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from polymarket_agent.domain.book import Side
from polymarket_agent.domain.market import AssetId
from polymarket_agent.domain.money import MICRO, Shares, Usdc, usdc
from polymarket_agent.domain.order import Fill, Order, OrderState, SettlementStatus
from tests.property.ledger_model import Model
from tests.trading_world import CONDITION, NO, START_MS, YES
from tests.unit.live_ledger_world import CONFIRMED, FAILED, MATCHED, MINED, RETRYING, LiveDesk, a_leg, raw_of, sent

CASH = usdc("100000")
STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            ("buy", "buy", "bought", "sell", "sell", "settle", "settle", "cash", "shares", "adjust", "merge", "redeem")
        ),
        st.sampled_from((YES, YES, YES, NO)),
        st.integers(1, 10**7),  # micro-shares, or a number to choose by
        st.integers(1, 999_999),  # micro-USDC a share, or an amount
        st.sampled_from((MINED, RETRYING, CONFIRMED, FAILED, FAILED)),
    ),
    min_size=4,
    max_size=40,
)


def after(order: Order, fill: Fill) -> Order:
    """Return an order of exactly one fill after that."""
    failed = fill.settlement is FAILED
    return replace(
        order,
        state=OrderState.CANCELED if failed else OrderState.FILLED,
        matched=Shares(0) if failed else fill.quantity,
        spent=Usdc(0) if failed else fill.notional,
        reserved=0,
    )


def leg_of(number: int, side: Side, asset: AssetId, quantity: int, at: int) -> tuple[Fill, Order]:
    fill = a_leg(side, "0.5", 1, trade=f"t{number}", order=f"0x{number}", asset_id=asset)
    notional, fee = Usdc(quantity * at // MICRO), Usdc(at * 7 % 1_000)
    fee = Usdc(min(fee, notional))
    order = sent(side, "0.5", 1, name=f"0x{number}", asset_id=asset)
    return replace(fill, quantity=Shares(quantity), notional=notional, fee=fee), replace(
        order, quantity=Shares(quantity)
    )


@contextmanager
def desk_with_cash() -> Iterator[LiveDesk]:
    desk = LiveDesk(cash="100000")
    try:
        yield desk
    finally:
        desk.db.close()


class Trading:
    """Does the steps that are possible on ledger, account and model; `open` are fills that may still fail."""

    def __init__(self, desk: LiveDesk) -> None:
        self.desk = desk
        self.model = Model([("cash", YES, 0, CASH, 0)])
        self.open: dict[int, tuple[Fill, Order]] = {}

    def step(self, what: str, asset: AssetId, quantity: int, amount: int, status: SettlementStatus) -> None:
        """Do one thing, if it can happen."""
        if what in ("buy", "bought", "sell"):
            self.trade(Side.SELL if what == "sell" else Side.BUY, asset, quantity, amount)
            if what == "bought" and self.open:
                self.settle(len(self.open) - 1, CONFIRMED)
        elif what == "settle":
            self.settle(quantity, status)
        elif what in ("cash", "adjust"):
            self.move_cash(what, Usdc(amount if quantity % 2 else -amount))
        elif not any(fill.asset_id in (YES, NO) for fill, _ in self.open.values()):
            self.move_shares(what, asset, quantity, amount)

    def trade(self, side: Side, asset: AssetId, quantity: int, at: int) -> None:
        """Buy, or sell what no failure can take away."""
        if side is Side.SELL:
            bought = sum(f.quantity for f, _ in self.open.values() if f.side is Side.BUY and f.asset_id == asset)
            quantity = min(quantity, self.model.held(asset) - bought)
        if quantity <= 0:
            return
        number = len(self.model.happened)
        fill, order = leg_of(number, side, asset, quantity, at)
        self.model.happened.append((side.value.lower(), asset, quantity, fill.notional, fill.fee))
        self.open[number] = (fill, order)
        self.desk.account.apply_fill(fill)
        self.desk.live.legs([(fill, after(order, fill), "SUBMITTED", raw_of(fill))], source="x")

    def settle(self, choice: int, to: SettlementStatus) -> None:
        """Report a status of one of the fills that are open."""
        if not self.open:
            return
        number = sorted(self.open)[choice % len(self.open)]
        fill, order = self.open[number]
        now = replace(fill, settlement=to)
        self.desk.account.settle(fill.trade_id, fill.order_id, fill.bucket, to)
        done = after(order, now) if to is FAILED else None
        self.desk.live.settled(now, done, "FILLED", raw_of(now), source="x", at_ms=START_MS)
        if to is FAILED:
            self.model.failed.add(number)
        if to.final:
            del self.open[number]

    def move_cash(self, what: str, amount: Usdc) -> None:
        """Pay in or out, or correct a rounding."""
        if what == "cash":
            self.desk.account.deposit(amount)
            self.desk.live.cash_flow(amount, START_MS, "flow")
        else:
            self.desk.account.adjust(amount)
            self.desk.live.adjust(amount, START_MS, "rounding")
        self.model.happened.append((what, YES, 0, amount, 0))

    def move_shares(self, what: str, asset: AssetId, quantity: int, amount: int) -> None:
        """Move shares without a trade."""
        desk, held = self.desk, self.model.held(asset)
        if what == "shares":
            quantity = min(quantity, held) if amount % 2 else quantity
            signed = -quantity if amount % 2 else quantity
            if not signed:
                return
            desk.account.deposit_shares(asset, CONDITION, Shares(signed), Usdc(amount))
            desk.live.shares_in(asset, CONDITION, Shares(signed), Usdc(amount), START_MS, "transfer")
            self.model.happened.append(("shares", asset, signed, amount, 0))
        elif what == "merge":
            quantity = min(quantity, self.model.held(YES), self.model.held(NO))
            if not quantity:
                return
            desk.account.apply_merge(YES, NO, Shares(quantity))
            desk.live.merged(CONDITION, YES, NO, Shares(quantity), START_MS, "")
            self.model.happened.append(("merge", YES, quantity, 0, 0))
        elif held:
            desk.account.apply_resolution(asset, MICRO)
            desk.journal.resolution(asset, MICRO, START_MS, tx="0x")
            self.model.happened.append(("redeem", asset, 0, MICRO, 0))


@given(steps=STEPS)
def test_ledger_account_and_plain_arithmetic_agree(
    steps: list[tuple[str, AssetId, int, int, SettlementStatus]],
) -> None:
    """After any trades, settlements, failures and flows: entries balance, and ledger, account, a restart and a model agree."""
    with desk_with_cash() as desk:
        trading = Trading(desk)
        for step in steps:
            trading.step(*step)
        assert desk.balances() == trading.model.replayed()
        desk.check()


LEGS = st.lists(
    st.tuples(
        st.booleans(),  # whether it buys
        st.sampled_from((YES, YES, YES, NO)),
        st.integers(1, 10**7),
        st.integers(1, 999_999),
        st.sampled_from((MATCHED, CONFIRMED, FAILED, FAILED)),  # where it ends
    ),
    min_size=4,
    max_size=10,
)
ON_THE_WAY = {MATCHED: (), MINED: (MATCHED,), CONFIRMED: (MATCHED, MINED, RETRYING), FAILED: (MATCHED, RETRYING)}


def legs_that_can_be(wishes: list[tuple[bool, AssetId, int, int, SettlementStatus]]) -> list[tuple[Fill, Order]]:
    """Return fills with their last status; sales are of shares that do not fail to come."""
    held, found = {YES: 0, NO: 0}, []
    for number, (buys, asset, wanted, at, end) in enumerate(wishes):
        quantity = wanted if buys else min(wanted, held[asset])
        if quantity <= 0:
            continue
        fill, order = leg_of(number, Side.BUY if buys else Side.SELL, asset, quantity, at)
        if not (buys and end is FAILED):  # a sale that fails is counted as gone: it may be reported late
            held[asset] += quantity if buys else -quantity
        found.append((replace(fill, settlement=end), order))
    return found


def tell(desk: LiveDesk, fill: Fill, order: Order) -> None:
    """Report a status of a fill as the trader does: a leg when it is new, a settlement when it is known."""
    if desk.rows("SELECT 1 FROM fills WHERE trade_id = ?", fill.trade_id):
        done = after(order, fill) if fill.settlement is FAILED else None
        desk.live.settled(fill, done, "FILLED", raw_of(fill), source="x", at_ms=START_MS)
    else:
        desk.live.legs([(fill, after(order, fill), "SUBMITTED", raw_of(fill))], source="x")


@given(wishes=LEGS, seed=st.integers(0, 2**32))
def test_evidence_in_any_order_and_number_gives_one_ledger(
    wishes: list[tuple[bool, AssetId, int, int, SettlementStatus]], seed: int
) -> None:
    """I7: each fill's messages shuffled, doubled and late among each other come to the same amounts and statuses."""
    legs = legs_that_can_be(wishes)
    in_order = [(n, status) for n in range(len(legs)) for status in statuses_of(legs[n][0])]
    results = []
    for told in (in_order, shuffled(legs, Random(seed)) + in_order):
        with desk_with_cash() as desk:
            for n, status in told:
                fill, order = legs[n]
                tell(desk, replace(fill, settlement=status), order)
            fills = desk.rows("SELECT trade_id, settlement, quantity, notional, fee FROM fills ORDER BY 1")
            orders = desk.rows("SELECT order_id, matched, spent, reserved FROM orders ORDER BY 1")
            results.append((desk.balances(), fills, orders))
    assert results[0] == results[1]


def statuses_of(fill: Fill) -> tuple[SettlementStatus, ...]:
    return (*ON_THE_WAY[fill.settlement], fill.settlement)


def shuffled(legs: list[tuple[Fill, Order]], random: Random) -> list[tuple[int, SettlementStatus]]:
    """Return every message twice, in any order; only what is heard of first keeps its order, as no sale precedes its buy."""
    told: list[tuple[int, SettlementStatus]] = []
    late: list[tuple[int, SettlementStatus]] = []
    waiting = list(range(len(legs)))
    while waiting or late:
        if waiting and (not late or random.random() < 0.4):
            n = waiting.pop(0)
            messages = random.sample(statuses_of(legs[n][0]) * 2, 2 * len(statuses_of(legs[n][0])))
            told.append((n, messages[0]))
            late += [(n, status) for status in messages[1:]]
        else:
            told.append(late.pop(random.randrange(len(late))))
    return told


@given(wishes=LEGS, seed=st.integers(0, 2**32))
def test_what_failed_contributes_nothing(
    wishes: list[tuple[bool, AssetId, int, int, SettlementStatus]], seed: int
) -> None:
    """A ledger that lived through failures has the sums of one that never heard of those fills."""
    legs = legs_that_can_be(wishes)
    sums = []
    for with_failures in (True, False):
        with desk_with_cash() as desk:
            for fill, order in legs:
                if with_failures or fill.settlement is not FAILED:
                    tell(desk, replace(fill, settlement=MATCHED), order)
            for fill, order in Random(seed).sample(legs, len(legs)):
                if with_failures or fill.settlement is not FAILED:
                    tell(desk, fill, order)
            sums.append(desk.balances())
    assert sums[0] == sums[1]
