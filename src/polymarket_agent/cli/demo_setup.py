"""What the demo is played with: the faults of the exchange, and the agent's config."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from polymarket_agent.errors import AgentError

__all__ = ["FAULTS", "prepare"]

_DEPOSIT_WALLET = 3

FAULTS = """\
# The third order is accepted and its answer is lost; the fourth of our trades fails on the chain.
seed: 1
rules:
  - {point: post.answer, fault: drop, nth: 3}
  - {point: venue, fault: settle, argument: {end: FAILED, seconds: 2}, nth: 4}
"""

_CONFIG = """\
mode: live
database: {ledger}
risk:
  max_position_size: 40
  max_event_exposure: 80
  max_total_exposure: 200
  max_markets: 12
  max_daily_loss: 60
  max_drawdown: 60
  max_daily_turnover: 5000
  max_order_size: 40
  max_open_orders: 14
  entries_per_minute: 12
  entries_per_hour: 200
sizing: {{method: fixed, fixed_size: 12}}
feed:
  limit: 40
  clob_url: {clob_url}
  gamma_url: {gamma_url}
  market_ws_url: {market_ws_url}
live:
  client: {client}
  data_url: {data_url}
  relayer_url: {relayer_url}
  user_ws_url: {user_ws_url}
  geoblock_url: {geoblock_url}
  http_timeout_s: 2
  start_gap_s: 2
strategies:
  - kind: signal_trader
    params: {{every_ms: 250, window_ms: 4000, baseline_ms: 8000, cooldown_ms: 2000, rest_ms: 3000, max_hold_ms: 6000,
             min_time_left_ms: 1000, min_confidence: 0.3, velocity_scale: 0.015}}
  - kind: market_maker
    params: {{max_markets: 4, quote_quantity: 12, max_inventory: 60, min_time_left_ms: 5000}}
  - kind: technical
    params: {{bar_ms: 1000, fast: 3, slow: 8, rsi: 6, bands: 8, cooldown_bars: 3, max_hold_bars: 12}}
"""


def prepare(urls: dict[str, Any], config: Path, ledger: Path, client: str) -> dict[str, Any]:
    """Write the config of an agent on the local exchange; returns the account that it trades for.

    Raises:
        AgentError: the exchange gives no account with a deposit wallet.
    """
    account = next((each for each in urls["accounts"] if each["signature_type"] == _DEPOSIT_WALLET), None)
    if account is None:
        raise AgentError("the local exchange has no account with a deposit wallet")
    addresses = {name: value for name, value in urls.items() if name.endswith("_url")}
    config.write_text(_CONFIG.format(ledger=ledger, client=client, **addresses), encoding="utf-8")
    found: dict[str, Any] = account
    return found
