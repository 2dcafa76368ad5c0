"""What is assumed about a market when its source does not say. Missing is never zero."""

from __future__ import annotations

from polymarket_agent.domain.market import FeeSchedule

__all__ = ["ASSUMED_FEES"]

# The highest taker rate that the venue's fee table lists (crypto, 0.07, exponent 1), so that a result under the
# assumption is never better than the truth. Geopolitics pays nothing and most others 0.04 to 0.05.
ASSUMED_FEES = FeeSchedule(rate=70_000, exponent=1)
