"""The config that `config init` writes."""

from __future__ import annotations

__all__ = ["CONFIG_TEMPLATE"]

CONFIG_TEMPLATE = """\
---
# polymarket-agent. Every key can be left out; an absent risk limit is the smallest one, not none.
# Any key can be set from outside: POLYMARKET_AGENT__RISK__MAX_DAILY_LOSS=20

mode: paper                      # or live, which also needs --live and a key
database: polymarket-agent.db    # the ledger

paper:
  starting_balance: 1000         # USDC, at the first start of a ledger
  latency_ms: 50                 # from what the market data shows to our arrival at the venue: add your feed's lag
  book_through_fills: true       # fill resting orders that the other side is displayed through

risk:
  max_position_size: 50          # USDC that one market may lose at most
  max_daily_loss: 25             # fall of equity since 00:00 UTC, USDC, that stops entries
  max_open_orders: 20            # orders that may still be matched
  max_markets: 10                # markets with something held or bid for
  max_order_size: 25             # USDC that one order may cost, fee included
  max_event_exposure: 75         # USDC that the markets of one event may lose together
  max_total_exposure: 200        # USDC that everything together may lose
  max_strategy_exposure: 100     # USDC that one strategy may lose
  max_drawdown: 60               # fall of equity from its highest, USDC, that stops entries
  max_daily_turnover: 2000       # USDC that the buys of one UTC day may spend
  max_book_age_ms: 2000          # older market data refuses entries
  max_slippage: 0.02             # worst price of a fill from the best, USDC a share
  price_collar: 0.05             # entry price from the reference price, USDC a share
  entries_per_minute: 6          # per strategy, asset and side: orders that take or were filled
  entries_per_hour: 60
  orders_per_second: 5           # new orders of all kinds; a burst of order_burst, at most orders_per_minute
  order_burst: 10
  orders_per_minute: 100

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

live:                            # only read with mode: live; the key itself stands in no config
  client: unified                # or clob (the other official client), or direct (our own HTTP)
  # key_file: keys/agent.key        # readable by its owner only; or give it another way
  # keystore: keys/agent.json   # an encrypted key
  cancel_on_start: true          # orders found open that no strategy claims
  cancel_on_stop: true
  heartbeat: true                # the venue cancels everything when the agent falls silent
  start_gap_s: 10                # between the two comparisons with the venue before anything is sent
  http_timeout_s: 10             # an order without an answer by then is unknown, and keeps its reservation
  resend_entries: true           # the same bytes of an unanswered entry may go again; exits always may
  quarantine_absent_s: 600       # an order proven absent keeps its reservation so long
  quarantine_refused_s: 90       # an order refused for now keeps it so long

strategies:
  - kind: signal_trader
  - kind: market_maker
  - kind: arbitrageur
  - kind: technical
...
"""
