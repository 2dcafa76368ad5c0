"""What happens in the sandbox and when: markets, their lives, and the accounts of the crowd. All of it is data.

    default   a binary market with and one without fees, a neg-risk group of four, one of three in the second
              protocol, a ladder of dates, a sports market with delay, a favourite at the edge of the price grid,
              a market that resolves 50/50, a disputed one, and five-minute up-or-down markets for ever
    quiet     the same with a third of the traffic
    fast      the same lives in a fifth of the time, five times the traffic
    one       a single market, no events

Same name, seed and start: same scenario, to the last id.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum

from polymarket_agent.domain.market import ConditionId, MarketGroup
from polymarket_agent.domain.money import Price, Usdc, usdc
from polymarket_agent.errors import UsageError
from polymarket_agent.sandbox.exchange import Exchange
from polymarket_agent.sandbox.scenario_cast import full_cast, one_market
from polymarket_agent.sandbox.scenario_markets import Casting, Listing

__all__ = ["SCENARIOS", "Action", "ActionKind", "CrowdAccount", "Pace", "Scenario", "build", "perform"]

FIVE_MINUTES_MS = 300_000
REPORT_AFTER_MS = 2_000  # from the end of an up-or-down market to its resolution


class ActionKind(Enum):
    """What happens to a market."""

    LIST_GROUP = "list_group"
    LIST = "list"
    CLOSE = "close"
    PROPOSE = "propose"
    DISPUTE = "dispute"
    RESOLVE = "resolve"
    TICK_SIZE = "tick_size"
    START_GAME = "start_game"


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One event in the life of a market, with what its kind needs."""

    kind: ActionKind
    condition_id: ConditionId | None = None
    listing: Listing | None = None
    group: MarketGroup | None = None
    payouts: tuple[int, int] | None = None
    tick_size: Price | None = None


@dataclass(frozen=True, slots=True)
class CrowdAccount:
    """A simulated trader's account. `role` is maker, noise or informed."""

    name: str
    role: str
    owner: str
    wallet: str
    collateral: Usdc


@dataclass(frozen=True, slots=True)
class Pace:
    """How busy the crowd is: mean time between looks of a maker at a market, and between actions of the others."""

    makers: int = 3
    noise: int = 8
    informed: int = 3
    maker_ms: int = 1_200
    noise_ms: int = 2_400
    informed_ms: int = 1_500

    def times(self, factor: float) -> Pace:
        """Return the same crowd, `factor` times as busy."""
        return Pace(
            self.makers,
            self.noise,
            self.informed,
            int(self.maker_ms / factor),
            int(self.noise_ms / factor),
            int(self.informed_ms / factor),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """Everything that a run needs to be the same run again.

    `schedule` holds what happens once, in order of time, beginning with the listings at `start_ms`;
    `actions` adds what repeats for ever. `period_ms` is the length of the up-or-down markets, 0 for none.
    """

    name: str
    seed: int
    start_ms: int
    listings: tuple[Listing, ...]
    groups: tuple[MarketGroup, ...]
    schedule: tuple[tuple[int, Action], ...]
    accounts: tuple[CrowdAccount, ...]
    pace: Pace = field(default_factory=Pace)
    period_ms: int = 0

    def actions(self) -> Iterator[tuple[int, Action]]:
        """Yield (time, action) in order of time, without end if a market repeats."""
        return heapq.merge(self.schedule, self._repeating(), key=lambda timed: timed[0])

    def _repeating(self) -> Iterator[tuple[int, Action]]:
        """One market after the other: as it ends the next is listed, and its own answer follows."""
        if not self.period_ms:
            return
        casting = Casting(self.seed, self.start_ms)
        number, before = 0, None
        while True:
            listing, payouts, group = casting.up_or_down(number, self.period_ms)
            opens_ms = self.start_ms + number * self.period_ms
            if before is not None:
                yield opens_ms, Action(kind=ActionKind.CLOSE, condition_id=before[0])
            yield opens_ms, Action(kind=ActionKind.LIST, listing=listing, group=group)
            yield opens_ms, Action(kind=ActionKind.LIST_GROUP, group=group)
            if before is not None:
                resolved = Action(kind=ActionKind.RESOLVE, condition_id=before[0], payouts=before[1])
                yield opens_ms + min(REPORT_AFTER_MS, self.period_ms // 2), resolved
            before = listing.market.condition_id, payouts
            number += 1


def perform(action: Action, exchange: Exchange, now_ms: int) -> None:
    """Make one action happen."""
    match action:
        case Action(kind=ActionKind.LIST, listing=Listing() as listing):
            exchange.list_market(
                listing.market,
                now_ms,
                group=action.group,
                seconds_delay=listing.seconds_delay,
                taker_delay=listing.taker_delay,
                description=listing.description,
                tags=listing.tags,
            )
        case Action(kind=ActionKind.LIST_GROUP, group=MarketGroup() as group):
            exchange.list_group(group)
        case Action(kind=ActionKind.CLOSE, condition_id=str() as condition_id):
            exchange.close_market(condition_id, now_ms)
        case Action(kind=ActionKind.PROPOSE, condition_id=str() as condition_id):
            exchange.propose(condition_id, action.payouts, now_ms)
        case Action(kind=ActionKind.DISPUTE, condition_id=str() as condition_id):
            exchange.dispute(condition_id, action.payouts, now_ms)
        case Action(kind=ActionKind.RESOLVE, condition_id=str() as condition_id, payouts=(_, _) as payouts):
            exchange.resolve(condition_id, payouts, now_ms)
        case Action(kind=ActionKind.TICK_SIZE, condition_id=str() as condition_id, tick_size=int() as tick_size):
            exchange.set_tick_size(condition_id, tick_size, now_ms)
        case Action(kind=ActionKind.START_GAME, condition_id=str() as condition_id):
            exchange.start_game(condition_id, now_ms)
        case _:
            raise AssertionError(f"an action without what it needs: {action}")


@dataclass(frozen=True, slots=True)
class _Recipe:
    cast: Callable[[Casting, float], tuple[list[Listing], list[MarketGroup], list[tuple[float, Action]]]]
    pace: Pace
    time_factor: float = 1.0
    period_ms: int = 0


def _full(casting: Casting, factor: float) -> tuple[list[Listing], list[MarketGroup], list[tuple[float, Action]]]:
    listings, groups, lives = full_cast(casting, factor)
    actions: list[tuple[float, Action]] = []
    for life in lives:
        at, name, condition_id, payouts = life
        actions.append((at, Action(kind=ActionKind(name), condition_id=condition_id, payouts=payouts)))
    return listings, groups, actions


def _one(casting: Casting, factor: float) -> tuple[list[Listing], list[MarketGroup], list[tuple[float, Action]]]:
    del factor
    return [one_market(casting)], [], []


SCENARIOS: dict[str, _Recipe] = {
    "default": _Recipe(_full, Pace(), period_ms=FIVE_MINUTES_MS),
    "quiet": _Recipe(_full, Pace(makers=2, noise=4, informed=1).times(1 / 3), period_ms=FIVE_MINUTES_MS),
    "fast": _Recipe(_full, Pace().times(5), time_factor=0.2, period_ms=FIVE_MINUTES_MS // 5),
    "one": _Recipe(_one, Pace(makers=2, noise=3, informed=1)),
}


def build(name: str, seed: int, start_ms: int) -> Scenario:
    """Make a scenario.

    Raises:
        UsageError: there is none of that name.
    """
    recipe = SCENARIOS.get(name)
    if recipe is None:
        raise UsageError(f"there is no scenario '{name}'", hint=f"there are: {', '.join(SCENARIOS)}")
    listings, groups, lives = recipe.cast(Casting(seed, start_ms), recipe.time_factor)
    group_of = {condition_id: group for group in groups for condition_id in group.markets}
    opening = [
        (start_ms, Action(kind=ActionKind.LIST, listing=each, group=group_of.get(each.market.condition_id)))
        for each in listings
    ]
    opening += [(start_ms, Action(kind=ActionKind.LIST_GROUP, group=group)) for group in groups]
    later = [(start_ms + int(second * 1_000), action) for second, action in lives]
    return Scenario(
        name=name,
        seed=seed,
        start_ms=start_ms,
        listings=tuple(listings),
        groups=tuple(groups),
        schedule=(*opening, *sorted(later, key=lambda timed: timed[0])),
        accounts=_accounts(seed, recipe.pace),
        pace=recipe.pace,
        period_ms=recipe.period_ms,
    )


def _accounts(seed: int, pace: Pace) -> tuple[CrowdAccount, ...]:
    worth = {"maker": usdc(250_000), "noise": usdc(5_000), "informed": usdc(20_000)}
    counts = {"maker": pace.makers, "noise": pace.noise, "informed": pace.informed}
    out: list[CrowdAccount] = []
    for role, count in counts.items():
        for number in range(1, count + 1):
            name = f"{role}-{number}"
            digest = hashlib.sha256(f"{seed}/crowd/{name}".encode()).hexdigest()
            owner = f"{digest[:8]}-{digest[8:12]}-{digest[12:16]}-{digest[16:20]}-{digest[20:32]}"
            out.append(CrowdAccount(name, role, owner, f"0x{digest[-40:]}", worth[role]))
    return tuple(out)
