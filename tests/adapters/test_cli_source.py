from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from polymarket_agent.adapters.assumed import ASSUMED_FEES
from polymarket_agent.adapters.cli_feed import CliFeed
from polymarket_agent.adapters.cli_source import CliMarketData
from polymarket_agent.domain.events import BookSnapshot, MarketListed
from polymarket_agent.domain.market import AssetId
from polymarket_agent.errors import AgentError, UsageError, VenueDataError
from polymarket_agent.ports import Interval, MarketQuery
from tests.adapters.fake_command import fake, printing

YES, NO = "1" * 70, "2" * 70
MARKET: dict[str, Any] = {
    "id": "7",
    "conditionId": "0x" + "ab" * 32,
    "question": "Will it?",
    "slug": "will-it",
    "outcomes": '["Yes", "No"]',
    "outcomePrices": '["0.4", "0.6"]',
    "clobTokenIds": json.dumps([hex(int(YES)), hex(int(NO))]),
    "volumeNum": "123.5",
    "volume": None,
    "orderPriceMinTickSize": "0.001",
    "orderMinSize": "5",
    "active": True,
    "closed": False,
    "acceptingOrders": True,
    "enableOrderBook": True,
    "negRisk": False,
    "feesEnabled": None,
    "feeSchedule": None,
    "endDate": "2026-12-31T00:00:00Z",
    "umaResolutionStatus": None,
    "events": None,
}
BOOK: dict[str, Any] = {
    "market": MARKET["conditionId"],
    "asset_id": hex(int(YES)),
    "timestamp": "1795360431000",
    "hash": "0" * 40,
    "bids": [{"price": "0.1", "size": "500"}, {"price": "0.4", "size": "20.5"}],
    "asks": [{"price": "0.9", "size": "500"}, {"price": "0.41", "size": "7"}],
    "min_order_size": "5",
    "neg_risk": False,
    "tick_size": "0.01",
    "last_trade_price": None,
}


class ManualClock:
    """A clock that stands still."""

    def now_ms(self) -> int:
        return 1_800_000_000_000

    def now(self) -> Any:
        raise NotImplementedError


@pytest.mark.parametrize("word", ["-o", "--private-key=0x1", "  --help", "", "x\x00y", "x\ny", "y" * 201])
async def test_no_word_of_a_user_becomes_an_option(tmp_path: Path, word: str) -> None:
    """Search words and slugs that begin with a hyphen, are empty, or hold control characters are refused unrun."""
    command = fake(tmp_path, f"open({str(tmp_path / 'ran')!r}, 'w')")
    venue = CliMarketData(command=command)
    queries = [MarketQuery(text=word), MarketQuery(slugs=(word,))]
    for query in queries if word else queries[1:]:
        with pytest.raises(UsageError):
            await venue.markets(query)

    with pytest.raises(AgentError):
        await venue.order_book(AssetId(word))
    assert not (tmp_path / "ran").exists()


async def test_a_market_is_read_from_the_form_of_the_command(tmp_path: Path) -> None:
    """Hexadecimal ids become decimal, decimals in strings exact, nulls missing, and lost fees are assumed."""
    (market,) = await CliMarketData(command=printing(tmp_path, [MARKET])).markets(MarketQuery(text="will it"))

    assert market.asset_ids == (YES, NO)
    assert (market.tick_size, market.min_order_size, market.volume) == (1_000, 5_000_000, 123_500_000)
    assert (market.fees, market.fees_assumed) == (ASSUMED_FEES, True)


async def test_a_malformed_market_is_left_out(tmp_path: Path) -> None:
    """What is no market is counted by reason; the others arrive, most traded first, closed ones only on request."""
    other = MARKET | {"conditionId": "0x" + "cd" * 32, "volumeNum": "999"}
    closed = MARKET | {"conditionId": "0x" + "ef" * 32, "closed": True}
    broken = [3, {}, MARKET | {"clobTokenIds": "no json"}]
    venue = CliMarketData(command=printing(tmp_path, [MARKET, *broken, other, closed]))
    found = await venue.markets(MarketQuery(text="x"))

    assert [market.volume for market in found] == [999_000_000, 123_500_000]
    assert venue.dropped.total() == 3
    assert len(await venue.markets(MarketQuery(text="x", open_only=False))) == 3


async def test_lists_come_page_by_page_newest_first(tmp_path: Path) -> None:
    """A list is asked for in pages, by volume, until a page is short."""
    log = tmp_path / "log"
    body = (
        f"open({str(log)!r}, 'a').write(' '.join(argv) + '\\n')\n"
        "size, offset = int(argv[argv.index('--limit') + 1]), int(argv[argv.index('--offset') + 1])\n"
        "print(json.dumps([{}] * min(size, 130 - offset)))"
    )
    venue = CliMarketData(command=fake(tmp_path, body))

    assert await venue.markets(MarketQuery(limit=200)) == []
    assert log.read_text().splitlines() == [
        "-o json markets list --active true --limit 100 --offset 0 --order volumeNum",
        "-o json markets list --active true --limit 100 --offset 100 --order volumeNum",
    ]


async def test_condition_ids_cannot_be_looked_up(tmp_path: Path) -> None:
    """The command has no such look-up, and the error says what to give instead."""
    with pytest.raises(UsageError, match="condition id") as caught:
        await CliMarketData(command=printing(tmp_path, [])).markets(MarketQuery(condition_ids=("0x1",)))

    assert "slug" in caught.value.hint


async def test_a_book_is_read_and_is_the_one_asked_for(tmp_path: Path) -> None:
    """The book of the asset comes with exact levels; another asset's book is an error."""
    venue = CliMarketData(command=printing(tmp_path, BOOK))
    book = await venue.order_book(AssetId(YES))

    assert (book.asset_id, book.top, book.at_ms) == (YES, (400_000, 410_000), 1_795_360_431_000)
    assert book.bids()[0].size == 20_500_000
    with pytest.raises(VenueDataError, match="got another"):
        await venue.order_book(AssetId(NO))


async def test_a_history_is_sorted_and_bad_points_are_counted(tmp_path: Path) -> None:
    """Points come oldest first; those that cannot be are left out."""
    points = [
        {"timestamp": 1_700_000_060, "price": "0.5"},
        {"timestamp": 1_700_000_000, "price": "0.25"},
        {"timestamp": "x"},
        3,
    ]
    venue = CliMarketData(command=printing(tmp_path, points))

    assert await venue.price_history(AssetId(YES), Interval.DAY) == [
        (1_700_000_000_000, 250_000), (1_700_000_060_000, 500_000),
    ]  # fmt: skip
    assert venue.dropped.total() == 2


async def test_the_feed_goes_on_after_errors(tmp_path: Path) -> None:
    """A poll that fails is counted, the others arrive, and the next round is tried."""
    body = f"found = {BOOK!r}\nif argv[-1] == {NO!r}: sys.exit(1)\nprint(json.dumps(found))"
    (market,) = await CliMarketData(command=printing(tmp_path, [MARKET])).markets(MarketQuery(text="x"))
    source = CliMarketData(command=fake(tmp_path, body, "books"))
    feed = CliFeed(source, [market], clock=ManualClock(), interval_s=0.01)
    seen = []
    async for event in feed.events():
        seen.append(event)
        if len(seen) == 3:
            await feed.aclose()

    assert [type(event) for event in seen] == [MarketListed, BookSnapshot, BookSnapshot]
    assert feed.errors.total() == 2
    assert not feed.streaming
    assert not feed.replayed
    assert {event.at_ms for event in seen} == {1_800_000_000_000}
