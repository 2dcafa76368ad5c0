"""The config that `config init` writes."""

from __future__ import annotations

__all__ = ["CONFIG_TEMPLATE"]

CONFIG_TEMPLATE = """\
---
# polymarket-agent. Every key can be left out; an absent risk limit is the smallest one, not none.
# Any key can be set from outside: POLYMARKET_AGENT__RISK__MAX_DAILY_LOSS=20

mode: paper                      # paper is the only mode of this version
database: polymarket-agent.db    # the ledger

paper:
  starting_balance: 1000         # USDC, at the first start of a ledger
  latency_ms: 50                 # from what the market data shows to our arrival at the venue: add your feed's lag
  book_through_fills: true       # fill resting orders that the other side is displayed through

risk:
  max_position_size: 50          # USDC that one market may lose at most
  max_daily_loss: 25             # fall of equity since 00:00 UTC, USDC, that stops entries
  max_open_orders: 20            # orders that may still be matched
  max_book_age_ms: 2000          # older market data refuses entries
  max_slippage: 0.02             # worst price of a fill from the best, USDC a share
  price_collar: 0.05             # entry price from the reference price, USDC a share
  entries_per_minute: 6          # per strategy, asset and side: orders that take or were filled
  entries_per_hour: 60

sizing:
  method: fixed                  # fixed, or kelly (needs a fair value from the strategy)
  fixed_size: 10                 # USDC a signal
  kelly_fraction: 0.25           # part of the full Kelly stake
  max_stake_fraction: 0.05       # most of the equity in one signal
  min_edge: 0.005                # fair value minus cost after fees, USDC a share

aggregation:
  min_confidence: 0.1            # weaker signals are dropped
  min_agreeing: 1                # strategies that must agree on an entry

feed:
  source: websocket              # or cli: polls through the official `polymarket` command
  limit: 10                      # watch the most traded markets, at most this many
  # slugs: [will-it-rain]        # or these
  # groups: [fed-decision]       # or all markets of these groups, which arbitrage across markets needs
  # search: bitcoin              # or what a search finds

strategies:
  - kind: signal_trader
  - kind: market_maker
  - kind: arbitrageur
  - kind: technical
...
"""
