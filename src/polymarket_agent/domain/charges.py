"""What fills cost or bring: exact sums, rounded against us once for all fills that an order gets at one instant.

Rounding every level by itself could make an order cost more than was reserved for it: with a fee unit of
0.00001 USDC, forty levels of dust are 0.0004 USDC that nobody promised.
"""

from __future__ import annotations

from collections.abc import Iterable

from polymarket_agent.domain.levels import Side
from polymarket_agent.domain.market import FeeSchedule, running_fee
from polymarket_agent.domain.money import MICRO, Price, Shares, Usdc, ceil_div

__all__ = ["charges"]


def charges(
    side: Side, levels: Iterable[tuple[Price, Shares]], fees: FeeSchedule, *, is_maker: bool
) -> list[tuple[Usdc, Usdc]]:
    """Return (notional, fee) of each level, in micro-USDC; their sums are the exact sums, rounded against us.

    A sale's fee comes off its proceeds and is never more than they are.
    """
    pays = bool(fees.rate) and not (is_maker and fees.taker_only)
    parts: list[tuple[int, int]] = []
    out: list[tuple[Usdc, Usdc]] = []
    exact = notional = fee = 0
    for at, quantity in levels:
        parts.append((at, quantity))
        exact += at * quantity
        notional_so_far = ceil_div(exact, MICRO) if side is Side.BUY else exact // MICRO
        fee_so_far: int = running_fee(parts, fees) if pays else 0
        if side is Side.SELL:
            fee_so_far = min(fee_so_far, notional_so_far)
        out.append((Usdc(notional_so_far - notional), Usdc(fee_so_far - fee)))
        notional, fee = notional_so_far, fee_so_far
    return out
