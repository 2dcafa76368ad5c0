"""Read-only queries over a ledger, shared by the command line and every other face.

Every number is computed from rows: nothing is kept that could drift. Money and shares come out as decimal text,
exact; times as ISO text.
"""

from polymarket_agent.views.lists import fills, notices, orders, positions, signals, status
from polymarket_agent.views.report import report

__all__ = ["fills", "notices", "orders", "positions", "report", "signals", "status"]
