"""Self-made objects of the listing APIs."""

from __future__ import annotations

import json
from typing import Any


def v1_ids(number: int = 1) -> tuple[str, str]:
    """Return two token ids of the first protocol: some of their bits 40 to 103 are set."""
    return str((1 << 250) + (number << 50) + 1), str((1 << 251) + (number << 50) + 2)


def v2_ids(number: int = 1) -> tuple[str, str]:
    """Return two position ids of the second protocol: their bits 40 to 103 are zero."""
    base = (1 << 248) + (number << 120) + (2 << 104)
    return str(base), str(base + 1)


def condition_id(number: int = 1) -> str:
    return f"0x{number:064x}"


def gamma_market(number: int = 1, **fields: Any) -> dict[str, Any]:
    return {
        "id": str(number),
        "question": f"Question {number}?",
        "conditionId": condition_id(number),
        "slug": f"question-{number}",
        "outcomes": '["Yes", "No"]',
        "outcomePrices": '["0.25", "0.75"]',
        "clobTokenIds": json.dumps(v1_ids(number)),
        "active": True,
        "closed": False,
        "acceptingOrders": True,
        "enableOrderBook": True,
        "negRisk": False,
        "orderPriceMinTickSize": 0.001,
        "orderMinSize": 5,
        "feesEnabled": True,
        "feeSchedule": {"rate": 0.05, "exponent": 1, "takerOnly": True, "rebateRate": 0.25},
        "volume": "1234.5",
        "liquidity": "10.000001",
        "endDate": "2026-12-31T00:00:00Z",
        "groupItemTitle": f"Item {number} ",
        **fields,
    }


def event(*markets: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {
        "id": "77",
        "title": "A group",
        "slug": "a-group",
        "negRisk": True,
        "negRiskAugmented": False,
        "markets": list(markets),
        **fields,
    }
