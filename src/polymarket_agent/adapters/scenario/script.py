"""The cast of the built-in scenario: its markets, and where their prices are heading at which second."""

from __future__ import annotations

from dataclasses import dataclass

from polymarket_agent.domain.market import (
    AssetId,
    ConditionId,
    FeeSchedule,
    Market,
    MarketGroup,
    Outcome,
    ProtocolVersion,
)
from polymarket_agent.domain.money import price, shares

__all__ = ["DURATION_S", "START_MS", "MarketScript", "groups", "scripts"]

START_MS = 1_792_990_800_000  # 2026-10-26T05:00:00Z, a date like any other
DURATION_S = 1_200

_GENERAL = FeeSchedule(rate=50_000, rebate_rate=250_000)
_POLITICS = FeeSchedule(rate=40_000, rebate_rate=250_000)
_CRYPTO = FeeSchedule(rate=70_000, rebate_rate=200_000)
# Ids of the first protocol have bits among 40 to 103; ids of the second have none there.
_V1_BITS = 0xABCDEF << 60


@dataclass(frozen=True, slots=True)
class MarketScript:
    """How one market behaves.

    Args:
        market: as it is listed at the start.
        path: (second, fair price of the first outcome); between two points the price drifts from one to the next.
        noise: standard deviation of the fair price a second, in price.
        half_spread: distance of the best quotes from the fair price, in price.
        depth: shares at the best level; deeper levels hold more.
        trades_per_minute: trades between others.
        bursts: (from, to, factor) seconds in which that many times more is traded, in the direction of the drift.
        payouts: (second, payouts) of its resolution; None if it stays open.
    """

    market: Market
    path: tuple[tuple[int, float], ...]
    noise: float = 0.001
    half_spread: float = 0.01
    depth: int = 250
    trades_per_minute: float = 12.0
    bursts: tuple[tuple[int, int, float], ...] = ()
    payouts: tuple[int, tuple[int, int]] | None = None


def _market(  # noqa: PLR0913 - a line of the cast
    number: int,
    question: str,
    *,
    labels: tuple[str, str] = ("Yes", "No"),
    fees: FeeSchedule = _GENERAL,
    group_id: str | None = None,
    group_item: str = "",
    neg_risk: bool = False,
    tick: str = "0.01",
    ends_after_s: int = 30 * 86_400,
    version: ProtocolVersion = ProtocolVersion.V1,
) -> Market:
    if version is ProtocolVersion.V1:
        ids = [str((number << 240) + _V1_BITS + outcome) for outcome in (0, 1)]
    else:
        ids = [str((1 << 248) + (number << 120) + (2 << 104) + outcome) for outcome in (0, 1)]
    return Market(
        condition_id=ConditionId(f"0x{number:064x}"),
        question=question,
        slug=question.lower().replace(" ", "-").rstrip("?"),
        outcomes=(Outcome(AssetId(ids[0]), labels[0]), Outcome(AssetId(ids[1]), labels[1])),
        tick_size=price(tick),
        min_order_size=shares(5),
        fees=fees,
        neg_risk=neg_risk,
        group_id=group_id,
        group_item=group_item,
        version=version,
        end_at_ms=START_MS + ends_after_s * 1_000,
    )


def scripts() -> tuple[MarketScript, ...]:
    """Return the eight markets of the scenario."""
    return (
        MarketScript(
            _market(1, "Will it rain in Lisbon tomorrow?"),
            path=((0, 0.46), (400, 0.50), (800, 0.45), (DURATION_S, 0.48)),
            noise=0.0012,
            trades_per_minute=30,
        ),
        MarketScript(
            _market(2, "Will the comet be visible to the naked eye?"),
            path=((0, 0.38), (280, 0.38), (420, 0.55), (700, 0.57), (900, 0.50), (DURATION_S, 0.52)),
            bursts=((285, 420, 8.0),),
            trades_per_minute=10,
        ),
        MarketScript(
            _market(3, "Bitcoin up or down, 05:00 to 05:15?", labels=("Up", "Down"), fees=_CRYPTO, ends_after_s=900),
            path=((0, 0.50), (200, 0.58), (450, 0.52), (700, 0.74), (850, 0.96), (900, 0.985)),
            noise=0.002,
            trades_per_minute=40,
            payouts=(915, (1_000_000, 0)),
        ),
        MarketScript(
            _market(4, "Rate decision: no change?", fees=_POLITICS, group_id="rates", group_item="No change", neg_risk=True),
            path=((0, 0.60), (DURATION_S, 0.62)),
            noise=0.0004,
            half_spread=0.005,
            depth=600,
            payouts=(1_150, (1_000_000, 0)),
        ),
        MarketScript(
            _market(5, "Rate decision: cut?", fees=_POLITICS, group_id="rates", group_item="Cut", neg_risk=True),
            path=((0, 0.28), (240, 0.28), (243, 0.42), (262, 0.41), (268, 0.27), (DURATION_S, 0.26)),
            noise=0.0004,
            half_spread=0.005,
            depth=600,
            payouts=(1_150, (0, 1_000_000)),
        ),
        MarketScript(
            _market(6, "Rate decision: hike?", fees=_POLITICS, group_id="rates", group_item="Hike", neg_risk=True),
            path=((0, 0.10), (DURATION_S, 0.10)),
            noise=0.0003,
            half_spread=0.005,
            depth=600,
            payouts=(1_150, (0, 1_000_000)),
        ),
        MarketScript(
            _market(
                7, "Will the telescope launch by March 31?", group_id="launch", group_item="March 31",
                version=ProtocolVersion.V2,
            ),
            path=((0, 0.30), (500, 0.31), (503, 0.54), (530, 0.53), (536, 0.32), (DURATION_S, 0.33)),
            noise=0.0005,
        ),
        MarketScript(
            _market(
                8, "Will the telescope launch by June 30?", group_id="launch", group_item="June 30",
                version=ProtocolVersion.V2,
            ),
            path=((0, 0.42), (DURATION_S, 0.44)),
            noise=0.0005,
        ),
    )  # fmt: skip


def groups() -> tuple[MarketGroup, ...]:
    """Return the two groups of the scenario: rival outcomes of one decision, and a ladder of dates."""
    by_id: dict[str, list[Market]] = {}
    for script in scripts():
        if script.market.group_id is not None:
            by_id.setdefault(script.market.group_id, []).append(script.market)
    return (
        MarketGroup.of("rates", "Rate decision", by_id["rates"], neg_risk=True, complete=True),
        MarketGroup.of("launch", "Telescope launch", by_id["launch"], neg_risk=False),
    )
