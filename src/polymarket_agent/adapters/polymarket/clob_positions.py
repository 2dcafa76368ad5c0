"""Positions of a wallet from the data service, which the client `py-clob-client-v2` does not know."""

from __future__ import annotations

from polymarket_agent.adapters.polymarket.account_answers import Cursors, parse_positions
from polymarket_agent.adapters.polymarket.reader import HttpReader
from polymarket_agent.domain.market import AssetId
from polymarket_agent.domain.venue import HeldPosition

__all__ = ["positions_of"]


async def positions_of(reader: HttpReader, wallet: str) -> list[HeldPosition]:
    """Return every position of a wallet from the data service.

    Raises:
        VenueError: it cannot be read to its end.
    """
    held: dict[AssetId, HeldPosition] = {}
    for status in ("", "REDEEMABLE"):  # what is left out without a status is not documented
        cursors, cursor = Cursors("positions"), None
        while True:
            asked = {"user": wallet, "limit": "100", "filter_type": "TOKENS", "filter_amount": "0"}
            asked |= {"status": status} if status else {}
            page, following = parse_positions(
                await reader.get("/v2/positions", asked | ({"cursor": cursor} if cursor else {}))
            )
            held |= {each.asset_id: each for each in page}
            if following is None:
                break
            cursor = cursors.after(following)
    return list(held.values())
