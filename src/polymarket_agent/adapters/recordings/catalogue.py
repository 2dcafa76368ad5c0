"""Which market an asset belongs to: by given metadata, else by what the recording shows, else by assumption."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

from polymarket_agent.adapters.assumed import ASSUMED_FEES
from polymarket_agent.domain.market import AssetId, ConditionId, Market, MarketState, Outcome
from polymarket_agent.domain.money import Price

__all__ = ["Catalogue", "complement_id", "mutual_pairs"]


def complement_id(asset_id: str) -> AssetId:
    """Return the made-up id of the other outcome of an asset whose partner is not in the recording."""
    return AssetId(f"complement:{asset_id}")


def mutual_pairs(votes: Counter[tuple[str, str]]) -> dict[str, str]:
    """Return each asset's partner, where both name each other most often."""
    favourite: dict[str, tuple[int, str]] = {}
    for (one, other), count in votes.items():
        for asset, partner in ((one, other), (other, one)):
            if asset not in favourite or count > favourite[asset][0]:
                favourite[asset] = (count, partner)
    return {asset: partner for asset, (_, partner) in favourite.items() if favourite[partner][1] == asset}


class Catalogue:
    """Known markets by asset. Metadata given by the caller wins over what is inferred.

    A market given as closed or resolved is listed as open: the recording plays an earlier time, and an answer
    known today must not be seen then.
    """

    def __init__(self, markets: Iterable[Market] = ()) -> None:
        self._by_asset: dict[str, Market] = {}
        self._by_condition: dict[str, Market] = {}
        self.given: list[Market] = []
        for market in markets:
            listed = replace(market, state=MarketState.OPEN, accepting_orders=True, payouts=None)
            self.given.append(listed)
            self._by_condition[listed.condition_id] = listed
            for asset_id in listed.asset_ids:
                self._by_asset[asset_id] = listed

    def known(self, asset_id: str) -> Market | None:
        """Return the given market of an asset, if any."""
        return self._by_asset.get(asset_id)

    def market(
        self,
        assets: Sequence[str],
        *,
        condition_id: str = "",
        question: str = "",
        labels: Sequence[str] = (),
        tick_size: Price = Price(10_000),
        neg_risk: bool = False,
    ) -> Market:
        """Return the market of one or two assets, in the order of its outcomes.

        Without metadata its fees are unknown and so assumed to be the highest; a lone asset gets a made-up
        complement, which never has a book.
        """
        given = self._by_asset.get(assets[0])
        if given is not None:
            return given
        first = assets[0]
        second = assets[1] if len(assets) > 1 else complement_id(first)
        names = (*labels, "Outcome 1", "Outcome 2")[: max(2, len(labels))]
        condition = condition_id or f"unknown:{first}"
        return Market(
            condition_id=ConditionId(condition),
            question=question or f"Recorded market {condition[:18]}",
            outcomes=(
                Outcome(AssetId(first), names[0]),
                Outcome(AssetId(second), names[1] if len(labels) != 1 else f"not {names[0]}"),
            ),
            tick_size=tick_size,
            fees=ASSUMED_FEES,
            fees_assumed=True,
            neg_risk=neg_risk,
        )
