"""The crowd: everybody who trades in a scenario, and the hand that lists and resolves its markets.

One queue holds who acts next. Each acts at its own due time, with the exchange advanced to that very moment, so what
happens does not depend on how often or how late `act` is called. Same scenario, same crowd, same history.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from random import Random
from typing import Protocol

from polymarket_agent.domain.market import ConditionId
from polymarket_agent.sandbox.exchange import Exchange
from polymarket_agent.sandbox.makers import Desk
from polymarket_agent.sandbox.scenario_markets import Listing
from polymarket_agent.sandbox.scenarios import Action, ActionKind, CrowdAccount, Scenario, perform
from polymarket_agent.sandbox.traders import Floor, Informed, Noise

__all__ = ["Actor", "Crowd", "run_until"]

_REDEEM_AFTER_MS = 30_000  # trades that were matched before the end have settled by then
_FIRST_LOOKS_MS = 400  # desks look for the first time within this


class Actor(Protocol):
    """Whoever does things to the exchange at times of its own: a crowd, a recording, a plan of faults."""

    @property
    def next_due_ms(self) -> int | None:
        """When it wants to act next, in unix milliseconds; None for never."""

    def act(self, exchange: Exchange, now_ms: int) -> None:
        """Do everything that is due up to and including now."""


def run_until(exchange: Exchange, actors: Sequence[Actor], now_ms: int) -> None:
    """Let everybody act up to a moment, in the order of time; at the same moment in the order given.

    Afterwards the exchange stands at `now_ms`.
    """
    while True:
        due = [(at_ms, index) for index, each in enumerate(actors) if (at_ms := each.next_due_ms) is not None]
        if not due:
            break
        at_ms, index = min(due)
        if at_ms > now_ms:
            break
        actors[index].act(exchange, at_ms)
    exchange.advance(now_ms)


class _Person(Protocol):
    def act(self, exchange: Exchange, now_ms: int) -> int | None: ...


class Crowd:
    """The traders of a scenario and its schedule. The first call of `act` opens the accounts and lists the markets.

    Args:
        seed: of the traders' dice; with the scenario's own it makes the history.
        scenario: who, what and when.
    """

    def __init__(self, seed: int, scenario: Scenario) -> None:
        self.scenario = scenario
        self.floor = Floor()
        self._seed = seed
        self._queue: list[tuple[int, int, int, _Person]] = []
        self._serial = 0
        self._listed: dict[ConditionId, Listing] = {}
        self._opened = False
        self._push(scenario.start_ms, _Schedule(self, scenario), rank=0)

    @property
    def next_due_ms(self) -> int | None:
        """When somebody acts next."""
        return self._queue[0][0] if self._queue else None

    @property
    def actions(self) -> int:
        """Placements and cancels sent so far."""
        return self.floor.actions

    def act(self, exchange: Exchange, now_ms: int) -> None:
        """Do everything that is due up to and including now."""
        queue = self._queue
        while queue and queue[0][0] <= now_ms:
            due_ms, rank, _, person = heapq.heappop(queue)
            exchange.advance(due_ms)
            again_ms = person.act(exchange, due_ms)
            if again_ms is not None:
                self._push(again_ms, person, rank)

    def _push(self, due_ms: int, person: _Person, rank: int) -> None:
        self._serial += 1
        heapq.heappush(self._queue, (due_ms, rank, self._serial, person))

    def random(self, *words: str) -> Random:
        """Return the dice of one trader; their names keep them apart, so one more changes nobody else's."""
        return Random("/".join((str(self._seed), self.scenario.name, *words)))  # noqa: S311 - a play, not a secret

    def open(self, exchange: Exchange, now_ms: int) -> None:
        """Pay in for everybody, and let those in who trade in all markets."""
        pace = self.scenario.pace
        for account in self.scenario.accounts:
            exchange.fund(account.wallet, account.collateral)
            exchange.approve(account.wallet, "all", None)
            if account.role == "maker":
                continue
            kind = Noise if account.role == "noise" else Informed
            trader = kind(account, self.floor, self.random(account.name), pace)
            self._push(now_ms + 1_000 + trader.wait_ms(pace.noise_ms), trader, rank=2)

    def enter(self, listing: Listing, now_ms: int) -> None:
        """Open the makers' desks in a market that was just listed."""
        self._listed[listing.market.condition_id] = listing
        self.floor.add(listing)
        for account in self.scenario.accounts:
            if account.role == "maker":
                random = self.random(account.name, listing.market.slug)
                desk = Desk(account, self.floor, random, self.scenario.pace, listing)
                self._push(now_ms + 1 + int(_FIRST_LOOKS_MS * random.random()), desk, rank=1)

    def leave(self, condition_id: ConditionId) -> None:
        """Stop trading a market."""
        listing = self._listed.pop(condition_id, None)
        if listing is not None:
            self.floor.drop(listing)

    def redeem_later(self, condition_id: ConditionId, now_ms: int) -> None:
        """Turn what everybody holds of a resolved market into collateral, a while later."""
        self._push(now_ms + _REDEEM_AFTER_MS, _Redemption(condition_id, self.scenario.accounts), rank=3)


class _Schedule:
    """The hand that makes the scenario's actions happen."""

    def __init__(self, crowd: Crowd, scenario: Scenario) -> None:
        self._crowd = crowd
        self._actions = scenario.actions()
        self._next: tuple[int, Action] | None = next(self._actions, None)
        self._opened = False

    def act(self, exchange: Exchange, now_ms: int) -> int | None:
        """Make everything happen that is due and return when the next is."""
        if not self._opened:
            self._opened = True
            self._crowd.open(exchange, now_ms)
        while self._next is not None and self._next[0] <= now_ms:
            action = self._next[1]
            perform(action, exchange, now_ms)
            self._follow(action, now_ms)
            self._next = next(self._actions, None)
        return self._next[0] if self._next is not None else None

    def _follow(self, action: Action, now_ms: int) -> None:
        crowd, condition_id = self._crowd, action.condition_id
        if action.kind is ActionKind.LIST and action.listing is not None:
            crowd.enter(action.listing, now_ms)
        elif condition_id is not None and action.kind in (ActionKind.CLOSE, ActionKind.RESOLVE):
            crowd.leave(condition_id)
            if action.kind is ActionKind.RESOLVE:
                crowd.redeem_later(condition_id, now_ms)


class _Redemption:
    """Everybody's visit to the cashier after a market has resolved."""

    def __init__(self, condition_id: ConditionId, accounts: tuple[CrowdAccount, ...]) -> None:
        self._condition_id = condition_id
        self._accounts = accounts

    def act(self, exchange: Exchange, now_ms: int) -> int | None:
        """Redeem for everybody who holds something; once is enough."""
        del now_ms
        market = exchange.markets[self._condition_id]
        for account in self._accounts:
            if any(exchange.balance(account.wallet, asset_id)[0] for asset_id in market.asset_ids):
                exchange.redeem(account.wallet, self._condition_id)
        return None
