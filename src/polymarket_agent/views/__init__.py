"""Read-only queries over a ledger, shared by the command line and every other face.

Every number is computed from rows: nothing is kept that could drift. Money and shares come out as decimal text,
exact; times as ISO text.
"""

from polymarket_agent.views.control import (
    command_result,
    holdings,
    limits_hash,
    limits_in_use,
    live_status,
    possibly_open,
    rounds,
    states,
)
from polymarket_agent.views.lists import fills, notices, orders, positions, signals, status
from polymarket_agent.views.report import report

__all__ = [
    "command_result",
    "fills",
    "holdings",
    "limits_hash",
    "limits_in_use",
    "live_status",
    "notices",
    "orders",
    "positions",
    "possibly_open",
    "report",
    "rounds",
    "signals",
    "states",
    "status",
]
