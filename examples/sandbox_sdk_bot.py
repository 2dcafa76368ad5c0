"""A bot on the official client, pointed at the sandbox: the only line that knows is the one with `environment`.

    polymarket-agent sandbox --json --port 8137 > sandbox.json &
    python examples/sandbox_sdk_bot.py sandbox.json

It quotes one side of the first market, waits for a fill of a market order, and cancels what is left.
"""

import json
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

from polymarket_agent.sandbox.sdk import environment


def run(connection: dict[str, Any]) -> dict[str, Any]:
    """Trade a little and return what happened."""
    from polymarket import SecureClient

    account = next(each for each in connection["accounts"] if each["signature_type"] == 3)
    client = SecureClient.create(
        private_key=account["private_key"], wallet=account["wallet"], environment=environment(connection)
    )
    with client:
        market = client.list_markets(closed=False, page_size=1).first_page().items[0]
        token = market.outcomes.yes.token_id
        assert token is not None
        book = client.get_order_book(token_id=token)
        below = max(book.bids[-1].price - 5 * book.tick_size, book.tick_size) if book.bids else Decimal("0.1")
        quote = client.place_limit_order(token_id=token, side="BUY", price=below, size=20, post_only=True)
        taken = client.place_market_order(token_id=token, side="BUY", amount=5, order_type="FAK")
        open_orders = client.list_open_orders().first_page().items
        cancelled = client.cancel_all().canceled
        return {
            "market": market.question,
            "quote": quote.ok,
            "taken": taken.ok,
            "open_orders": len(open_orders),
            "cancelled": len(cancelled),
        }


if __name__ == "__main__":
    first_line = Path(sys.argv[1]).read_text(encoding="utf-8").splitlines()[0]
    print(json.dumps(run(json.loads(first_line)), indent=2))
