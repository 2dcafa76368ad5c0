"""What the sandbox's exchange does where the venue is configurable, undocumented or contradicts itself.

Each switch names one open point of the wire specification (sections 7 and 11). The defaults are the documented
reading, or the one that live users report; a test that must hold either way runs with both.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from polymarket_agent.domain.money import Usdc
from polymarket_agent.sandbox.model import LegStatus

__all__ = ["SPENDERS", "UNLIMITED", "DuplicateCheck", "FeeRounding", "Policy", "SelfTrade", "Unmatched"]

UNLIMITED = 2**256 - 1

# The contracts that collect from wallets, by the names that `Exchange.approve` takes.
SPENDERS = {
    "exchange": "0xE111180000d2663C0091e4f400237545B87B996B",
    "neg_risk_exchange": "0xe2222d279d744050d28e00520010520000310F59",
    "exchange_v3": "0xe3333700cA9d93003F00f0F71f8515005F6c00Aa",
}


class DuplicateCheck(Enum):
    """Which known order ids make a repeated POST a duplicate. Each covers those before it."""

    LIVE = "live"
    CLOSED = "closed"
    KILLED = "killed"


class SelfTrade(Enum):
    """What happens when an order would match one of the same wallet. The venue does not document it."""

    ALLOW = "allow"
    CANCEL_RESTING = "cancel_resting"
    CANCEL_TAKER = "cancel_taker"


class Unmatched(Enum):
    """What becomes of a delayed GTC or GTD order that was marketable at first and finds no match at last."""

    LIVE = "live"
    RESTS = "rests"
    GONE = "gone"


class FeeRounding(Enum):
    """How a fee becomes a multiple of 0.00001 USDC. The venue does not document it."""

    UP = "up"
    NEAREST = "nearest"
    DOWN = "down"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Switches and bounds of an `Exchange`. Times carry their unit; bounds say how many are kept.

    Args:
        salt: makes trade ids and transaction hashes of two exchanges differ.
        mined_ms: from match to MINED in the plan that every trade follows unless `settlement_plan` is replaced.
        settle_ms: from match to CONFIRMED in that plan.
        settled_on: the step at which cash and shares move; CONFIRMED, or MINED.
        taker_delay_ms: how long marketable orders wait in markets with a taker delay.
        gtd_margin_s: a GTD order ends this long before the second it states.
        heartbeat_s: silence after which all orders of an armed key are cancelled.
        heartbeat_check_s: how often that is looked at, so that it takes up to the sum of both; 0 looks at once.
        post_only_s: how long post-only mode lasts after a restart that had an end.
        marketable_min: the least collateral that FOK, FAK and crossing BUY orders are for; 0 switches it off.
        market_min_shares: whether the market's minimum of shares binds FOK and FAK orders too.
        flat_limit_decimals: collateral decimals of limit orders on every tick size; None goes by the tick size.
        fee_gate_always: whether the balance check counts a fee for BUY orders that will rest, which never pay one.
        fee_rounding: to the fee's unit.
        duplicates: which ids are remembered as used.
        self_trade: matching against the same wallet.
        unmatched: the end of a delayed order that finds no match.
        post_only_names_order: the refusal says "order {id} crosses the book" instead of the documented sentence.
        kill_notice: a killed FOK or FAK order is also reported to the user channel as a CANCELLATION.
        failed_keeps_matched: after FAILED the order's matched size stays; else it is taken back, and an order
            that still rests is offered again.
        watch_balances: resting orders whose funds lapsed are cancelled.
        lapsed_invalid: they end as INVALID, as was once recorded, instead of CANCELED_NOT_ENOUGH_BALANCE.
        close_cancels: closing or proposing a market cancels its open orders, not only resolving it.
        auto_tick: the price grid becomes 0.001 beyond 0.96 and below 0.04.
        trade_spans_prices: one trade for all prices a taker reached, at the average; else one for each price.
        makers_per_trade: more makers than this make several trades, counted by `bucket_index`.
        closed_kept: closed orders remembered for reads and duplicates.
        trades_kept: settled trades remembered for reads.
        history_kept: points of price history a market.
    """

    salt: str = ""
    mined_ms: int = 2_000
    settle_ms: int = 5_000
    settled_on: LegStatus = LegStatus.CONFIRMED
    taker_delay_ms: int = 250
    gtd_margin_s: int = 60
    heartbeat_s: int = 10
    heartbeat_check_s: int = 5
    post_only_s: int = 120
    marketable_min: Usdc = Usdc(1_000_000)
    market_min_shares: bool = False
    flat_limit_decimals: int | None = None
    fee_gate_always: bool = False
    fee_rounding: FeeRounding = FeeRounding.UP
    duplicates: DuplicateCheck = DuplicateCheck.KILLED
    self_trade: SelfTrade = SelfTrade.ALLOW
    unmatched: Unmatched = Unmatched.LIVE
    post_only_names_order: bool = False
    kill_notice: bool = True
    failed_keeps_matched: bool = True
    watch_balances: bool = True
    lapsed_invalid: bool = False
    close_cancels: bool = True
    auto_tick: bool = True
    trade_spans_prices: bool = False
    makers_per_trade: int = 20
    closed_kept: int = 100_000
    trades_kept: int = 100_000
    history_kept: int = 20_000
