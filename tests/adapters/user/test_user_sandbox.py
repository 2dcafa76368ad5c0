from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from polymarket_agent.adapters.polymarket.parse_user import UserChannelParser
from polymarket_agent.adapters.polymarket.user_feed import UserFeed, UserFeedPolicy
from polymarket_agent.clock import SystemClock
from polymarket_agent.domain.events import Event, UserStream, VenueLeg, VenueOrder
from polymarket_agent.domain.levels import Side
from polymarket_agent.domain.order import SettlementStatus
from polymarket_agent.keys import ApiCredentials, Secret
from polymarket_agent.sandbox import sdk
from polymarket_agent.sandbox.fault_plan import FaultPlan
from polymarket_agent.sandbox.server import Sandbox
from tests.sandbox.running import market_of, quick_sandbox

polymarket = pytest.importorskip("polymarket")

PATIENCE_S = 20
POLICY = UserFeedPolicy(ping_s=0.05, check_s=0.02, backoff_min_s=0.02, backoff_max_s=0.2)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with quick_sandbox() as running:
        yield running


@asynccontextmanager
async def trading(sandbox: Sandbox, kind: int = 3) -> AsyncIterator[tuple[Any, str]]:
    """Yield the official client for an account, and a token with a book."""
    account = sandbox.accounts[kind]
    client = await polymarket.AsyncSecureClient.create(
        private_key=account.private_key,
        wallet=account.wallet,
        environment=sdk.environment(sandbox.urls),
        api_key=polymarket.RelayerApiKey(key="any", address=account.address),
    )
    async with client:
        market = await asyncio.to_thread(market_of, sandbox, slug="rain-in-lisbon")
        yield client, str(market["asset_ids"][0])


class Listener:
    """Reads a feed to an event that is looked for, and keeps all that passed."""

    def __init__(self, events: AsyncIterator[Event]) -> None:
        self._events = events
        self.seen: list[Event] = []

    async def until(self, wanted: Callable[[Any], bool]) -> Any:
        async with asyncio.timeout(PATIENCE_S):
            async for event in self._events:
                self.seen.append(event)
                if wanted(event):
                    return event
        raise AssertionError("the feed ended")


def feed_of(
    sandbox: Sandbox, client: Any, policy: UserFeedPolicy = POLICY, wrong: dict[str, str] | None = None
) -> UserFeed:
    shown = {name: getattr(client.credentials, name) for name in ("key", "secret", "passphrase")} | (wrong or {})
    return UserFeed(
        sandbox.urls["user_ws_url"],
        ApiCredentials(shown["key"], Secret(shown["secret"]), Secret(shown["passphrase"])),
        parser=UserChannelParser(client.wallet, client.credentials.key),
        clock=SystemClock(),
        policy=policy,
    )


@asynccontextmanager
async def heard(feed: UserFeed) -> AsyncIterator[Listener]:
    """Listen from the moment when the stream is up."""
    async with aclosing(feed.events()) as events:  # type: ignore[type-var]
        listener = Listener(events)
        await listener.until(is_up)
        yield listener


def is_up(event: Event) -> bool:
    return isinstance(event, UserStream) and event.up


def is_down(event: Event) -> bool:
    return isinstance(event, UserStream) and not event.up


def is_leg(status: SettlementStatus) -> Callable[[Event], bool]:
    return lambda event: isinstance(event, VenueLeg) and event.leg.status is status


@pytest.mark.parametrize("kind", [0, 3])
async def test_an_order_is_told_from_its_placement_to_its_cancellation(sandbox: Sandbox, kind: int) -> None:
    """An order placed with the official client is told as live, and as ended when it is cancelled."""
    async with trading(sandbox, kind) as (client, token), heard(feed_of(sandbox, client)) as listener:
        placed = await client.place_limit_order(token_id=token, side="BUY", price=0.05, size=12)
        born = await listener.until(lambda event: isinstance(event, VenueOrder))
        await client.cancel_order(order_id=placed.order_id)
        gone = await listener.until(lambda event: isinstance(event, VenueOrder) and not event.snapshot.active)

    assert born.snapshot.order_id == gone.snapshot.order_id == placed.order_id
    assert (born.snapshot.status, born.snapshot.active, born.snapshot.matched) == ("LIVE", True, 0)
    assert (born.snapshot.side, born.snapshot.price) == (Side.BUY, 50_000)
    assert (born.snapshot.quantity, born.snapshot.asset_id) == (12_000_000, token)
    assert gone.snapshot.status.startswith("CANCEL")
    assert 0 <= born.received_ms - born.at_ms < 5_000


async def test_a_fill_is_told_at_every_step_until_it_is_final(sandbox: Sandbox) -> None:
    """A taker's leg comes as matched, mined and confirmed under one key, with parts that add up to what was bought."""
    async with trading(sandbox) as (client, token), heard(feed_of(sandbox, client)) as listener:
        taken = await client.place_market_order(token_id=token, side="BUY", amount=5, order_type="FAK")
        await listener.until(is_leg(SettlementStatus.CONFIRMED))

    legs = [event.leg for event in listener.seen if isinstance(event, VenueLeg)]
    steps = list(dict.fromkeys(leg.status for leg in legs))
    assert steps == [SettlementStatus.MATCHED, SettlementStatus.MINED, SettlementStatus.CONFIRMED]
    last = next(leg for leg in legs if leg.status is SettlementStatus.CONFIRMED)
    assert {leg.order_id for leg in legs} == {taken.order_id}
    assert (last.is_maker, last.side, last.asset_id) == (False, Side.BUY, token)
    assert sum(quantity for _, quantity in last.parts) == last.quantity
    confirmed = [leg for leg in legs if leg.trade_id == last.trade_id]
    assert len({(leg.order_id, leg.bucket, leg.quantity, leg.parts) for leg in confirmed}) == 1


async def test_two_orders_of_ours_that_meet_strangers_keep_apart(sandbox: Sandbox) -> None:
    """Of two accounts that trade with each other, each hears of its own order only, one as maker and one as taker."""
    async with trading(sandbox, 1) as (rests, token), trading(sandbox, 2) as (takes, _):
        async with heard(feed_of(sandbox, rests)) as of_maker, heard(feed_of(sandbox, takes)) as of_taker:
            book = await rests.get_order_book(token_id=token)
            inside = book.asks[-1].price - book.tick_size
            bid = await rests.place_limit_order(token_id=token, side="BUY", price=inside, size=20)
            other = (await asyncio.to_thread(market_of, sandbox, slug="rain-in-lisbon"))["asset_ids"][1]
            bought = await takes.place_market_order(
                token_id=other, side="BUY", amount=2_000, max_price=1 - inside, order_type="FAK"
            )
            told = await of_maker.until(
                lambda event: isinstance(event, VenueLeg) and event.leg.order_id == bid.order_id
            )
            took = await of_taker.until(lambda event: isinstance(event, VenueLeg))
        await rests.cancel_all()

    assert (told.leg.is_maker, told.leg.side, told.leg.asset_id) == (True, Side.BUY, token)
    assert told.leg.price == int(inside * 1_000_000)
    assert (took.leg.is_maker, took.leg.order_id, took.leg.asset_id) == (False, bought.order_id, other)
    for listener, ours in ((of_maker, bid.order_id), (of_taker, bought.order_id)):
        orders = {each.snapshot.order_id for each in listener.seen if isinstance(each, VenueOrder)}
        legs = {each.leg.order_id for each in listener.seen if isinstance(each, VenueLeg)}
        assert orders | legs == {ours}


async def test_a_killed_order_is_told(sandbox: Sandbox) -> None:
    """A FOK order that the venue kills, of which the official client hears nothing, is told with its reason."""
    async with trading(sandbox) as (client, token), heard(feed_of(sandbox, client)) as listener:
        signed = await client.create_market_order(
            token_id=token, side="BUY", amount=9_000, max_price=0.6, order_type="FOK"
        )
        with pytest.raises(polymarket.RequestRejectedError):
            await client.post_order(signed)
        event = await listener.until(lambda event: isinstance(event, VenueOrder) and not event.snapshot.active)

    assert event.snapshot.matched is None
    assert "killed" in event.snapshot.reason


@pytest.mark.parametrize(
    "wrong",
    [
        {"secret": base64.urlsafe_b64encode(b"no" * 16).decode()},
        {"passphrase": "ab" * 32},
        {"key": "00000000-0000-0000-0000-000000000000"},
    ],
)
async def test_a_wrong_login_is_refused_by_the_venue(sandbox: Sandbox, wrong: dict[str, str]) -> None:
    """With one wrong part of the login the sandbox closes, and the feed says so instead of an epoch."""
    async with trading(sandbox) as (client, _):
        feed = feed_of(sandbox, client, wrong=wrong)
        async with aclosing(feed.events()) as events:  # type: ignore[type-var]
            down = await Listener(events).until(lambda _: True)

    assert isinstance(down, UserStream)
    assert (down.up, down.epoch) == (False, 0)
    assert "at the login (code 1008)" in down.reason


@asynccontextmanager
async def faulty(fault: str, **fields: Any) -> AsyncIterator[tuple[Any, str, Sandbox]]:
    """Run a sandbox in which a fault strikes the first message of the user stream."""
    plan = FaultPlan.load({"seed": 1, "rules": [{"point": "stream.user", "fault": fault, "nth": 1, **fields}]})

    def open_one() -> tuple[Any, Sandbox]:
        context = quick_sandbox(plan=plan)
        return context, context.__enter__()

    context, sandbox = await asyncio.to_thread(open_one)
    try:
        async with trading(sandbox) as (client, token):
            yield client, token, sandbox
    finally:
        await asyncio.to_thread(context.__exit__, None, None, None)


@pytest.mark.parametrize(
    ("fault", "fields", "said"),
    [("close", {"argument": 1011}, "code 1011"), ("garble", {}, "could not be read")],
)
async def test_a_fault_of_the_stream_is_a_loss_and_a_new_epoch(fault: str, fields: dict[str, Any], said: str) -> None:
    """A line that is cut, or half a message, is told as down; a new epoch follows and tells what happens then."""
    async with faulty(fault, **fields) as (client, token, sandbox), heard(feed_of(sandbox, client)) as listener:
        lost = await client.place_limit_order(token_id=token, side="BUY", price=0.05, size=12)
        down = await listener.until(is_down)
        up = await listener.until(is_up)
        await client.cancel_order(order_id=lost.order_id)
        gone = await listener.until(lambda event: isinstance(event, VenueOrder))

    assert (down.epoch, said in down.reason) == (1, True), down
    assert up.epoch == 2
    assert (gone.snapshot.order_id, gone.snapshot.active) == (lost.order_id, False)


async def test_a_silence_with_answered_pings_is_ended_from_outside() -> None:
    """A stream that tells nothing while it answers PING stays up, until who compares it with the lists renews it."""
    async with faulty("silence", argument=600) as (client, token, sandbox):
        feed = feed_of(sandbox, client, replace(POLICY, dead_after_s=1.0))
        async with heard(feed) as listener:
            placed = await client.place_limit_order(token_id=token, side="BUY", price=0.05, size=12)
            reading = asyncio.ensure_future(listener.until(lambda _: True))  # noqa: TID251 - nothing is to come of it
            await asyncio.sleep(1.5)
            assert not reading.done()
            feed.renew("an order of the list was not told")
            down = await reading
            up = await listener.until(is_up)
            await client.cancel_order(order_id=placed.order_id)
            gone = await listener.until(lambda event: isinstance(event, VenueOrder))

    assert (down.up, down.epoch, up.epoch) == (False, 1, 2)
    assert gone.snapshot.order_id == placed.order_id


async def test_a_doubled_message_is_told_twice() -> None:
    """What the venue says twice is told twice and is no loss; both copies are equal, so that one of them can go."""
    async with faulty("duplicate") as (client, token, sandbox), heard(feed_of(sandbox, client)) as listener:
        placed = await client.place_limit_order(token_id=token, side="BUY", price=0.05, size=12)
        await client.cancel_order(order_id=placed.order_id)
        await listener.until(lambda event: isinstance(event, VenueOrder) and not event.snapshot.active)

    told = [event.snapshot for event in listener.seen if isinstance(event, VenueOrder)]
    assert [each.active for each in told] == [True, True, False]
    assert told[0] == told[1]


async def test_reordered_messages_are_told_as_they_come() -> None:
    """An order whose cancellation overtakes its placement is told in that order; nothing is sorted or lost here."""
    async with faulty("reorder") as (client, token, sandbox), heard(feed_of(sandbox, client)) as listener:
        placed = await client.place_limit_order(token_id=token, side="BUY", price=0.05, size=12)
        await client.cancel_order(order_id=placed.order_id)
        await listener.until(lambda event: isinstance(event, VenueOrder) and event.snapshot.active)

    assert [event.snapshot.active for event in listener.seen if isinstance(event, VenueOrder)] == [False, True]
    assert not any(is_down(event) for event in listener.seen)
