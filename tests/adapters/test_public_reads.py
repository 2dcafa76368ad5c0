import asyncio
import zlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from aiohttp import web

from polymarket_agent.adapters.polymarket.public import PolymarketPublic
from polymarket_agent.adapters.polymarket.reader import NotFoundError, ReadPolicy
from polymarket_agent.domain.market import AssetId
from polymarket_agent.errors import RateLimitedError, VenueDataError, VenueError, VenueUnavailableError
from polymarket_agent.ports import Interval, MarketData, MarketQuery
from tests.adapters.venue import HttpVenue, serve
from tests.protocol.frames import AT_MS, NO, YES, book
from tests.protocol.listings import condition_id, event, gamma_market

QUICK = ReadPolicy(attempts=3, timeout_s=0.5, wait_initial_s=0.001, wait_max_s=0.002, wait_jitter_s=0.001)
TOKEN = AssetId(YES)


@pytest.fixture
def venue() -> HttpVenue:
    return HttpVenue()


@pytest.fixture
async def public(venue: HttpVenue) -> AsyncIterator[PolymarketPublic]:
    async with serve(venue.handle) as address:
        reads = PolymarketPublic(clob_url=f"http://{address}/", gamma_url=f"http://{address}", policy=QUICK)
        yield reads
        await reads.aclose()


def failing(status: int, **headers: str) -> web.Response:
    return web.Response(status=status, body=b'{"error":"oops"}', headers=headers)


async def test_a_list_is_read_page_by_page(venue: HttpVenue, public: PolymarketPublic) -> None:
    """Pages follow their cursor until none is given; what is malformed is counted, the rest arrives."""
    venue.answer(
        "/markets/keyset",
        {"markets": [gamma_market(1, volume="5"), gamma_market(2, outcomes='["A"]')], "next_cursor": "abc"},
        {"markets": [gamma_market(3, volume="9")]},
    )
    found = await public.markets(MarketQuery(limit=50))

    assert [market.condition_id for market in found] == [condition_id(3), condition_id(1)]
    assert [request[1].partition("after_cursor=")[2] for request in venue.requests] == ["", "abc"]
    assert "closed=false" in venue.requests[0][1]
    assert sum(public.dropped.values()) == 1


@pytest.mark.parametrize("cursor", ["", None, "abc", 7])
async def test_a_list_ends_at_an_empty_or_repeated_cursor(
    venue: HttpVenue, public: PolymarketPublic, cursor: str | None
) -> None:
    """An empty cursor, null, a number and the same cursor again all end the reading."""
    venue.answer("/markets/keyset", {"markets": [gamma_market(1)], "next_cursor": cursor})

    assert len(await public.markets(MarketQuery(limit=50))) == 1
    assert len(venue.requests) <= 2


async def test_no_more_is_returned_than_asked_for(venue: HttpVenue, public: PolymarketPublic) -> None:
    """`limit` bounds the answer even when the venue sends more, and closed markets come when asked for."""
    venue.answer("/markets/keyset", {"markets": [gamma_market(n) for n in range(1, 9)], "next_cursor": "x"})

    assert len(await public.markets(MarketQuery(limit=3, open_only=False))) == 3
    assert "closed" not in venue.requests[0][1]
    assert "limit=3" in venue.requests[0][1]


async def test_named_markets_come_whatever_their_state(venue: HttpVenue, public: PolymarketPublic) -> None:
    """A slug finds a closed market; an unknown slug is left out and counted; a slug cannot leave its path."""
    venue.answer("/markets/slug/question-1", gamma_market(1, closed=True))

    found = await public.markets(MarketQuery(slugs=("question-1", "../../book?x", "nobody")))
    assert [market.slug for market in found] == ["question-1"]
    assert venue.requests[1][1] == "/markets/slug/..%2F..%2Fbook%3Fx"
    assert public.dropped["an unknown slug"] == 2


async def test_markets_by_condition_are_looked_for_among_the_closed_too(
    venue: HttpVenue, public: PolymarketPublic
) -> None:
    """Ids that the plain list leaves out are asked for once more among closed markets."""
    venue.answer("/markets/keyset", {"markets": [gamma_market(1)]}, {"markets": [gamma_market(2, closed=True)]})
    wanted = (condition_id(1), condition_id(2))

    found = await public.markets(MarketQuery(condition_ids=wanted))
    assert {market.condition_id for market in found} == set(wanted)
    assert venue.requests[1][1].count("condition_ids=") == 1
    assert "closed=true" in venue.requests[1][1]


async def test_a_search_gives_the_open_markets_of_its_groups(venue: HttpVenue, public: PolymarketPublic) -> None:
    """Markets of all found groups are flattened; closed ones are left out unless wanted."""
    groups = [event(gamma_market(1), gamma_market(2, closed=True)), event(gamma_market(3), id="78")]
    venue.answer("/public-search", {"events": groups, "tags": None, "profiles": [None], "pagination": {}})

    assert len(await public.markets(MarketQuery(text="a & b"))) == 2
    assert len(await public.markets(MarketQuery(text="a & b", open_only=False))) == 3
    assert "q=a+%26+b" in venue.requests[0][1]


async def test_groups_are_read_by_name_by_text_and_as_a_list(venue: HttpVenue, public: PolymarketPublic) -> None:
    """A named group is whole and so may be complete; one out of a search is not."""
    whole = event(gamma_market(1), gamma_market(2))
    venue.answer("/events/slug/a-group", whole)
    venue.answer("/public-search", {"events": [whole]})
    venue.answer("/events/keyset", {"events": [whole]})

    (named,) = await public.groups(MarketQuery(slugs=("a-group",)))
    (searched,) = await public.groups(MarketQuery(text="a"))
    (listed,) = await public.groups(MarketQuery())
    assert (named.group.complete, searched.group.complete, listed.group.complete) == (True, False, True)
    assert len(named.markets) == 2


async def test_a_book_is_read_exactly(venue: HttpVenue, public: PolymarketPublic) -> None:
    """The book of an asset has the venue's levels, time and grid."""
    venue.answer("/book", book(YES))
    found = await public.order_book(TOKEN)

    assert (found.best_bid, found.best_ask, found.at_ms, found.step) == (480_000, 520_000, AT_MS, 10_000)
    assert venue.requests[0][1] == f"/book?token_id={YES}"


async def test_another_books_answer_is_refused(venue: HttpVenue, public: PolymarketPublic) -> None:
    """A book of an asset that was not asked for is no answer."""
    venue.answer("/book", book(NO))

    with pytest.raises(VenueDataError, match="got another"):
        await public.order_book(TOKEN)


async def test_many_books_are_asked_for_in_chunks(venue: HttpVenue, public: PolymarketPublic) -> None:
    """No request names more than 500 assets, strangers in the answer are left out, a bad book costs only itself."""
    venue.answer("/books", [book(YES), book(NO, bids=7), book(str((1 << 250) + (3 << 50)))])
    ids = [TOKEN, *(AssetId(str((1 << 250) + (number << 60))) for number in range(1, 600))]

    assert [each.asset_id for each in await public.books(ids)] == [YES]
    assert [request[2].count("token_id") for request in venue.requests] == [500, 100]


async def test_a_history_names_its_interval(venue: HttpVenue, public: PolymarketPublic) -> None:
    """The interval goes out in the venue's words, and points come back oldest first."""
    venue.answer("/prices-history", {"history": [{"t": 1_700_000_060, "p": 0.5}, {"t": 1_700_000_000, "p": 0.48}]})

    points = await public.price_history(TOKEN, Interval.WEEK)
    assert [point.price for point in points] == [480_000, 500_000]
    assert "interval=1w" in venue.requests[0][1]


async def test_the_venues_clock_can_be_asked(venue: HttpVenue, public: PolymarketPublic) -> None:
    """Whole seconds become an aware time; anything else is refused."""
    venue.answer("/time", 1_700_000_000, "soon")

    assert await public.time() == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
    with pytest.raises(VenueDataError):
        await public.time()


@pytest.mark.parametrize("status", [500, 502, 503, 425, 408])
async def test_a_server_fault_is_tried_again_a_few_times(
    venue: HttpVenue, public: PolymarketPublic, status: int
) -> None:
    """Faults of the server heal by themselves or end, after the allowed attempts, in one clear error."""
    venue.answer("/book", failing(status), failing(status), book(YES))
    assert (await public.order_book(TOKEN)).ready

    venue.rows["/book"].clear()
    venue.answer("/book", failing(status))
    with pytest.raises(VenueUnavailableError, match=rf"failed with {status}: oops") as caught:
        await public.order_book(TOKEN)
    assert caught.value.hint
    assert len(venue.requests) == 3 + QUICK.attempts


async def test_a_short_wait_asked_for_is_waited(venue: HttpVenue, public: PolymarketPublic) -> None:
    """A 429 with a short Retry-After is repeated after it."""
    venue.answer("/book", failing(429, **{"Retry-After": "0"}), book(YES))

    assert (await public.order_book(TOKEN)).ready


async def test_a_long_wait_asked_for_is_handed_on(venue: HttpVenue, public: PolymarketPublic) -> None:
    """A 429 with a long Retry-After is the caller's to decide, with the seconds in the error."""
    venue.answer("/book", failing(429, **{"Retry-After": "79"}))

    with pytest.raises(RateLimitedError) as caught:
        await public.order_book(TOKEN)
    assert (caught.value.retry_after_s, len(venue.requests)) == (79.0, 1)


async def test_an_unknown_asset_is_not_asked_for_twice(venue: HttpVenue, public: PolymarketPublic) -> None:
    """A 404 is an answer: it is not repeated, and its sentence carries the venue's words."""
    with pytest.raises(NotFoundError, match="404"):
        await public.order_book(TOKEN)
    assert len(venue.requests) == 1


@pytest.mark.parametrize(
    "body",
    [b"<html>Attention Required!</html>", b'{"market":"0x', b"", b"[]", b"null", b'{"error":"x"}', b"\xff"],
    ids=["html", "cut", "empty", "list", "null", "error with 200", "not text"],
)
async def test_an_answer_that_is_no_book_is_a_data_error(
    venue: HttpVenue, public: PolymarketPublic, body: bytes
) -> None:
    """HTML, cut JSON and other shapes raise VenueDataError with one sentence, and are not repeated."""
    venue.answer("/book", body)

    with pytest.raises(VenueDataError):
        await public.order_book(TOKEN)
    assert len(venue.requests) == 1


async def test_a_redirect_is_not_followed(venue: HttpVenue, public: PolymarketPublic) -> None:
    """Another host never sees what was meant for the venue."""
    venue.answer("/book", failing(302, Location="http://127.0.0.1:9/book"))

    with pytest.raises(VenueDataError, match="redirect"):
        await public.order_book(TOKEN)


async def test_an_answer_is_bounded_in_size(venue: HttpVenue) -> None:
    """More than the allowed bytes are not read, compressed or not."""
    bomb = web.Response(body=zlib.compress(b" " * 5_000_000), headers={"Content-Encoding": "deflate"})
    venue.answer("/book", b" " * 200_000)
    venue.answer("/time", bomb)
    async with serve(venue.handle) as address:
        public = PolymarketPublic(clob_url=f"http://{address}", policy=ReadPolicy(max_bytes=100_000))
        for read in (public.order_book(TOKEN), public.time()):
            with pytest.raises(VenueDataError, match="more than 100000 bytes"):
                await read
        await public.aclose()


async def test_an_answer_that_does_not_come_is_given_up() -> None:
    """A venue that hangs costs the time-out, not forever."""

    async def hang(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(5)
        raise AssertionError("nobody waits so long")

    async with serve(hang) as address:
        public = PolymarketPublic(clob_url=f"http://{address}", policy=ReadPolicy(attempts=1, timeout_s=0.05))
        with pytest.raises(VenueUnavailableError, match=r"did not answer within 0\.05 s"):
            await public.order_book(TOKEN)
        await public.aclose()


async def test_a_venue_that_is_away_is_one_sentence(venue: HttpVenue) -> None:
    """A refused connection is a VenueError with a hint, and no library's exception."""
    async with serve(venue.handle) as address:
        pass
    public = PolymarketPublic(clob_url=f"http://{address}", policy=QUICK)
    with pytest.raises(VenueUnavailableError, match="failed") as caught:
        await public.order_book(TOKEN)
    await public.aclose()

    assert isinstance(caught.value, VenueError)
    assert caught.value.hint


async def test_proxy_variables_are_not_heeded(
    venue: HttpVenue, public: PolymarketPublic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy in the environment does not divert reads, and the venue is told who asks."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    venue.answer("/book", book(YES))

    assert (await public.order_book(TOKEN)).ready
    assert venue.headers[0]["User-Agent"].startswith("polymarket-agent/")


async def test_reads_are_a_market_data_port(public: PolymarketPublic) -> None:
    """What the agent asks of market data is there, and closing twice is harmless."""
    port: MarketData = public
    await port.aclose()
    await port.aclose()
