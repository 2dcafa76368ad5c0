"""The way to the simulated exchange: requests that are lost, late, doubled and misread, answers likewise, stale reads."""

from __future__ import annotations

import asyncio
import hashlib
from collections import defaultdict
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from polymarket_agent.domain.market import AssetId, ConditionId
from polymarket_agent.domain.money import Shares, Usdc
from polymarket_agent.domain.order import OrderId
from polymarket_agent.domain.venue import (
    AccountFlags,
    Answer,
    Balances,
    CancelOutcome,
    HeldPosition,
    Leg,
    OrderSnapshot,
    OrderTicket,
    SignedOrder,
    SubmitOutcome,
    VenueFacts,
    VenueMode,
    WalletIdentity,
    WalletKind,
)
from polymarket_agent.errors import VenueUnavailableError
from polymarket_agent.ports import RateBudget
from tests.live.sim_exchange import Exchange
from tests.live.virtual import START_MS, VirtualLoop

WALLET = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
CONDITIONS = {"11": "c1", "12": "c1", "21": "c2", "22": "c2"}
_HTTP_S = 10.0
_COPY_LATE_S = 60.0
_LATEST_S = 540.0
_LAG_S = 8.0

_ANSWERS = {
    "accepted": Answer.ACCEPTED,
    "delayed": Answer.ACCEPTED_DELAYED,
    "duplicate": Answer.DUPLICATE,
    "refused": Answer.REFUSED,
    "not now": Answer.REFUSED_NOW,
}
_MODES = {
    "425": VenueMode.RESTARTING,
    "post_only": VenueMode.POST_ONLY,
    "cancel_only": VenueMode.CANCEL_ONLY,
}


class Wire:
    """What lies between the agent and the exchange; it outlives the agent's processes.

    Attributes:
        in_flight: copies of each order's request that may still arrive.
    """

    def __init__(self, loop: VirtualLoop, rng: Random, exchange: Exchange, chance: Callable[[str], bool]) -> None:
        self.loop, self.rng, self.exchange, self.chance = loop, rng, exchange, chance
        self.in_flight: dict[OrderId, int] = defaultdict(int)
        self.tickets: dict[OrderId, OrderTicket] = {}
        self.counts: dict[str, int] = defaultdict(int)
        self.doomed: set[OrderId] = set()

    def lagged(self) -> float:
        """Return the time that a read shows."""
        return max(0.0, self.loop.time() - (self.rng.uniform(0, _LAG_S) if self.chance("stale") else 0.0))

    async def call(self, name: str, act: Callable[[], Any], order: SignedOrder | None = None) -> Any:
        """Carry a request there and its answer back.

        Raises:
            VenueUnavailableError: no answer in time, or the exchange is not to be spoken to.
        """
        rng, done = self.rng, self.loop.create_future()
        copies = 2 if order is not None and self.chance("dup") else 1
        self.counts[name] += 1
        for _ in range(copies):
            if order is not None:
                self.in_flight[order.order_id] += 1
            if self.chance("lose_req") and self._matters(order):
                self.counts["lost requests"] += 1
                if order is not None:
                    self.in_flight[order.order_id] -= 1
                continue
            wait = rng.uniform(0.01, 0.3)
            if self.chance("late") and name in ("post", "cancel"):
                far = order is not None and copies == 1 and rng.random() < 0.2
                wait = rng.uniform(_HTTP_S, _LATEST_S if far else _COPY_LATE_S)
            self.loop.call_later(wait, self._deliver, act, done, order)
        try:
            async with asyncio.timeout(_HTTP_S):
                answer = await done
        except TimeoutError:
            raise VenueUnavailableError(f"no answer to {name}") from None
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _matters(self, order: SignedOrder | None) -> bool:
        return order is not None or self.rng.random() < 0.2  # else nothing would ever begin

    def _deliver(self, act: Callable[[], Any], done: asyncio.Future[Any], order: SignedOrder | None) -> None:
        if order is not None:
            self.in_flight[order.order_id] -= 1
        try:
            answer = act()
        except VenueUnavailableError as error:
            answer = error
        if self.chance("lose_resp") and self._matters(order):
            return
        self.loop.call_later(self.rng.uniform(0.01, 0.5), _give, done, answer)


def _give(done: asyncio.Future[Any], answer: Any) -> None:
    if not done.done():
        done.set_result(answer)


class SimGateway:
    """A `VenueGateway` for one process of the agent. `before_post` sees each order whose first byte is about to leave."""

    name = "simulated"

    def __init__(self, wire: Wire, alive: Callable[[], bool], before_post: Callable[[SignedOrder], None]) -> None:
        self._wire, self._alive, self._before_post = wire, alive, before_post
        self.identity = WalletIdentity(signer=WALLET, wallet=WALLET, kind=WalletKind.EOA)
        self.budget = RateBudget()

    @property
    def credentials(self) -> Any:
        raise AssertionError("nobody asks for credentials here")

    async def connect(self) -> VenueFacts:
        return VenueFacts(order_version=2, server_ms=START_MS, asked_ms=START_MS, api_key_id="key")

    def sign(self, ticket: OrderTicket, *, salt: int, timestamp_ms: int) -> SignedOrder:
        digest = hashlib.sha256(f"{ticket}{salt}{timestamp_ms}".encode()).hexdigest()
        return SignedOrder(
            ticket=ticket,
            order_id=OrderId(f"0x{digest}"),
            salt=salt,
            maker=WALLET,
            signer=WALLET,
            signature_type=0,
            timestamp_ms=timestamp_ms,
            domain="v2_standard",
            signature="0x00",
        )

    async def submit(self, order: SignedOrder) -> SubmitOutcome:
        await self._here()
        wire = self._wire
        self._before_post(order)
        wire.tickets[order.order_id] = order.ticket
        if order.salt % 20 == 7:
            wire.doomed.add(order.order_id)
        if wire.chance("not_sent"):
            return SubmitOutcome(answer=Answer.NOT_SENT, text="connection refused")
        try:
            kind, word = await wire.call("post", lambda: wire.exchange.post(order), order)
        except VenueUnavailableError as error:
            return SubmitOutcome(answer=Answer.UNKNOWN, text=str(error))
        if wire.chance("odd"):
            return SubmitOutcome(answer=Answer.UNKNOWN, http_status=500, text="could not insert order")
        taken = kind in ("accepted", "delayed")
        return SubmitOutcome(
            answer=_ANSWERS[kind],
            text="" if taken else word,
            http_status=200 if taken else 400,
            status=word if taken else "",
            order_id=order.order_id if taken else "",
            mode=_MODES.get(word),
        )

    async def _here(self) -> None:
        if not self._alive():
            await self._wire.loop.create_future()  # a dead process does nothing any more

    async def _ask(self, name: str, act: Callable[[], Any]) -> Any:
        await self._here()
        exchange = self._wire.exchange

        def act_unless_down() -> Any:
            if exchange.mode == "restart":
                raise VenueUnavailableError("425", status=425)
            if name in ("order", "list", "legs", "balances") and self._wire.chance("fail_read"):
                raise VenueUnavailableError("500")
            return act()

        answer = await self._wire.call(name, act_unless_down)
        await self._here()
        return answer

    async def cancel(self, order_ids: Sequence[OrderId]) -> CancelOutcome:
        def act() -> CancelOutcome:
            said = {each: self._wire.exchange.cancel(each) for each in order_ids}
            gone = tuple(each for each, why in said.items() if why is None)
            return CancelOutcome(
                canceled=gone, not_canceled={each: why for each, why in said.items() if why is not None}
            )

        outcome: CancelOutcome = await self._ask("cancel", act)
        return outcome

    async def cancel_all(self) -> CancelOutcome:
        def act() -> CancelOutcome:
            live = [each.id for each in self._wire.exchange.orders.values() if each.live]
            return CancelOutcome(canceled=tuple(each for each in live if self._wire.exchange.cancel(each) is None))

        outcome: CancelOutcome = await self._ask("cancel", act)
        return outcome

    async def order(self, order_id: OrderId) -> OrderSnapshot | None:
        def act() -> OrderSnapshot | None:
            found, at = self._wire.exchange.orders.get(order_id), self._wire.lagged()
            if found is None or found.history[0][0] > at:
                return None
            said = self._wire.exchange.snapshot(found, at)
            return said if said.active else None

        said: OrderSnapshot | None = await self._ask("order", act)
        return said

    async def open_orders(self) -> Sequence[OrderSnapshot]:
        def act() -> list[OrderSnapshot]:
            exchange, at = self._wire.exchange, self._wire.lagged()
            seen = [exchange.snapshot(x, at) for x in exchange.orders.values() if x.history[0][0] <= at]
            return [each for each in seen if each.active]

        found: list[OrderSnapshot] = await self._ask("list", act)
        return found

    async def legs(self, since_s: int) -> Sequence[Leg]:
        def act() -> list[Leg]:
            exchange, at = self._wire.exchange, self._wire.lagged()
            seen = [exchange.leg(t, at) for t in exchange.trades.values() if t.at <= at]
            return [each for each in seen if each.matched_ms >= since_s * 1_000]

        found: list[Leg] = await self._ask("legs", act)
        return found

    async def balances(self, asset_ids: Sequence[AssetId]) -> Balances:
        found: Balances = await self._ask(
            "balances", lambda: self._wire.exchange.balances(self._wire.lagged(), list(asset_ids))
        )
        return found

    async def refresh_balances(self, asset_ids: Sequence[AssetId]) -> None:
        await self._ask("refresh", lambda: asset_ids)

    async def positions(self) -> Sequence[HeldPosition]:
        def act() -> list[HeldPosition]:
            shares = self._wire.exchange.balances(self._wire.lagged(), [AssetId(a) for a in CONDITIONS]).shares
            return [
                HeldPosition(
                    asset_id=asset,
                    condition_id=ConditionId(CONDITIONS[asset]),
                    quantity=Shares(size),
                    cost=Usdc(size // 2),
                )
                for asset, size in shares.items()
                if size
            ]

        found: list[HeldPosition] = await self._ask("positions", act)
        return found

    async def server_time_ms(self) -> int:
        now_ms: int = await self._ask("time", lambda: START_MS + int(self._wire.loop.time()) * 1_000)
        return now_ms

    async def account_flags(self) -> AccountFlags:
        await self._ask("flags", lambda: None)
        return AccountFlags(closed_only=False, blocked=False)

    async def heartbeat(self) -> None:
        await self._ask("heartbeat", self._wire.exchange.heard)

    async def aclose(self) -> None:
        pass
