"""Injecting faults: asked at each boundary, answers what goes wrong there, and keeps the list of all that did.

The server asks `at(point, now_ms=…, **context)` at every boundary and does what the returned `Fault` says;
`fault_effects` has the pure halves of doing it. What happens at a time (modes, bans, foreign orders) is done to the
exchange by `act`, as a crowd acts. Which calls are struck depends on the plan, its seed and the number of the call
among those that the rule matches; on nothing else.
"""

from __future__ import annotations

import hashlib
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from polymarket_agent.domain.market import AssetId
from polymarket_agent.sandbox.exchange import Exchange
from polymarket_agent.sandbox.fault_answers import Answer, filled
from polymarket_agent.sandbox.fault_plan import FaultPlan
from polymarket_agent.sandbox.fault_rules import POINTS, Rule, parse_rule, points_of
from polymarket_agent.sandbox.fault_targets import Target
from polymarket_agent.sandbox.venue_faults import VenueFaults

__all__ = ["Fault", "FaultInjector", "Injected", "Target"]

_LISTED = 10_000  # injected faults kept with their context; the counts go on
_CONTEXT_CHARS = 100


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong at one call. `number` counts the injected faults of a run."""

    point: str
    kind: str
    argument: Any
    number: int

    @property
    def delay_ms(self) -> int:
        """How long to wait: of delay, silence and stale."""
        return int(self.argument * 1_000) if isinstance(self.argument, float) else 0

    @property
    def count(self) -> int:
        """How many: messages of a stream's drop, bytes that a cut leaves, the code of a close."""
        return self.argument if isinstance(self.argument, int) else 0

    @property
    def answer(self) -> Answer:
        """What goes out instead: of replace."""
        assert isinstance(self.argument, Answer), f"{self.kind} replaces nothing"
        return self.argument


@dataclass(frozen=True, slots=True)
class Injected:
    """A line of the report."""

    number: int
    at_ms: int
    point: str
    fault: str
    context: Mapping[str, str]


@dataclass(slots=True)
class _Armed:
    """A rule at work: how many calls it has matched and how often it struck."""

    rule: Rule
    salt: str
    calls: int = 0
    struck: int = 0
    from_ms: int = 0
    until_ms: int | None = None


class FaultInjector:
    """The plan at work.

    Args:
        plan: what goes wrong; nothing by default.
        seed: of the dice; the plan's own by default.
        start_ms: what `at_s` counts from.
    """

    def __init__(self, plan: FaultPlan | None = None, *, seed: int | None = None, start_ms: int = 0) -> None:
        self.plan = plan = plan or FaultPlan()
        self.seed = plan.seed if seed is None else seed
        self.start_ms = start_ms
        self._armed: dict[str, list[_Armed]] = {point: [] for point in POINTS}
        self._rules: list[_Armed] = []
        self._counts: Counter[tuple[str, str]] = Counter()
        self._listed: deque[Injected] = deque(maxlen=_LISTED)
        self._number = 0
        self._venue = VenueFaults(self._note, self._settle_fault, f"{self.seed}/venue")
        for rule in plan.rules:
            self._arm(rule, start_ms)

    def add(self, rule: Mapping[str, Any], now_ms: int) -> Rule:
        """Take up one more rule while running (an admin's call); its times count from now.

        Raises:
            ConfigError: it is not understood.
        """
        parsed = parse_rule(rule, "the rule")
        self._arm(parsed, now_ms)
        return parsed

    def clear(self) -> None:
        """Forget every rule; a mode or a delay under way runs to its end, the report stays."""
        for armed in self._armed.values():
            armed.clear()
        self._rules.clear()
        self._venue.forget()

    def _arm(self, rule: Rule, start_ms: int) -> None:
        if rule.scheduled:
            self._venue.schedule(rule, start_ms)
            return
        until_ms = None if rule.until_s is None else start_ms + int(rule.until_s * 1_000)
        from_ms = start_ms + int(rule.at_s[0] * 1_000) if rule.at_s else 0
        armed = _Armed(rule, f"{self.seed}/{len(self._rules)}", from_ms=from_ms, until_ms=until_ms)
        self._rules.append(armed)
        for point in points_of(rule.point):
            self._armed[point].append(armed)

    # At the boundaries.

    def at(self, point: str, *, now_ms: int = 0, **context: object) -> Fault | None:
        """Return what goes wrong at this call, or None. The first rule that strikes wins; every rule counts the call.

        Raises:
            KeyError: the point is not in the vocabulary; a fault asked for at the wrong name would never happen.
        """
        armed = self._armed[point]
        return self._ask(point, armed, now_ms, context) if armed else None

    def _ask(self, point: str, armed: Sequence[_Armed], now_ms: int, context: Mapping[str, object]) -> Fault | None:
        chosen: Rule | None = None
        for each in armed:
            if _strikes(each, now_ms, context) and chosen is None:
                each.struck += 1
                chosen = each.rule
        if chosen is None:
            return None
        self._note(point, chosen.fault, now_ms, context)
        argument = filled(chosen.argument, context) if isinstance(chosen.argument, Answer) else chosen.argument
        return Fault(point, chosen.fault, argument, self._number)

    def _settle_fault(self, now_ms: int, context: Mapping[str, object]) -> Any:
        """Return how a trade settles by the plan, or None for as usual."""
        armed = self._armed["venue"]
        fault = self._ask("venue", armed, now_ms, context) if armed else None
        return None if fault is None else fault.argument

    def _note(self, point: str, fault: str, now_ms: int, context: Mapping[str, object]) -> None:
        self._number += 1
        self._counts[point, fault] += 1
        shown = {key: str(value)[:_CONTEXT_CHARS] for key, value in context.items() if value is not None}
        self._listed.append(Injected(self._number, now_ms, point, fault, shown))

    # At their time.

    @property
    def next_due_ms(self) -> int | None:
        """When something is done to the exchange next."""
        return self._venue.next_due_ms

    def act(self, exchange: Exchange, now_ms: int) -> None:
        """Do to the exchange everything that is due up to and including now."""
        self._venue.act(exchange, now_ms)

    def attach(self, exchange: Exchange) -> None:
        """Let the plan decide how trades settle; once, before the first trade."""
        self._venue.attach(exchange)

    def know(self, target: Target) -> None:
        """Tell of an account under test: who foreign orders, bans and withdrawals can be aimed at. Once per key."""
        self._venue.targets.know(target)

    def balance(self, exchange: Exchange, wallet: str, asset_id: AssetId | None = None) -> tuple[int, int]:
        """Return (balance, reserved) as the venue's cache shows it: the true ones, unless it is stale now."""
        return self._venue.cache.balance(exchange, wallet, asset_id)

    def refresh(self, wallet: str) -> None:
        """End a wallet's stale balances: what the update route does."""
        self._venue.cache.refresh(wallet)

    def fill_first(self, exchange: Exchange, order_id: str, now_ms: int) -> None:
        """Fill an order that is about to be cancelled: the race that the cancel loses."""
        self._venue.fill_first(exchange, order_id, now_ms)

    def skew_ms(self, now_ms: int) -> int:
        """Return by how much the venue's clock is ahead of the true one; add it to every time that is told."""
        return self._venue.skew_ms(now_ms)

    # What was injected.

    @property
    def total(self) -> int:
        """How many faults were injected so far."""
        return self._number

    def counts(self) -> dict[str, int]:
        """Return how many were injected, by point and fault, such as {"post.answer drop": 3}."""
        return {f"{point} {fault}": count for (point, fault), count in sorted(self._counts.items())}

    def report(self) -> dict[str, Any]:
        """Return counts and the list of injected faults, as JSON can hold it."""
        listed = [
            {"number": n.number, "at_ms": n.at_ms, "point": n.point, "fault": n.fault, "context": dict(n.context)}
            for n in self._listed
        ]
        return {
            "seed": self.seed,
            "total": self._number,
            "counts": self.counts(),
            "injected": listed,
            "left_off": self._number - len(listed),
            "skipped": list(self._venue.skipped),
        }

    def replayable(self) -> FaultPlan:
        """Return the plan with the seed that is used, to be written beside a failure."""
        return replace(self.plan, seed=self.seed)


def _strikes(armed: _Armed, now_ms: int, context: Mapping[str, object]) -> bool:
    """Count a call and decide. The dice depend on the rule and on the number of the call alone."""
    rule = armed.rule
    if now_ms < armed.from_ms or (armed.until_ms is not None and now_ms >= armed.until_ms):
        return False
    if rule.match and not all(_matches(context.get(key), wanted) for key, wanted in rule.match):
        return False
    armed.calls += 1
    if rule.limit is not None and armed.struck >= rule.limit:
        return False
    if rule.nth:
        return armed.calls in rule.nth
    if rule.every:
        return armed.calls % rule.every == 0
    return _die(armed.salt, armed.calls) < rule.probability


def _matches(value: object, wanted: str) -> bool:
    if isinstance(value, tuple):
        return any(_matches(each, wanted) for each in value)
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return text.startswith(wanted[:-1]) if wanted.endswith("*") else text == wanted


def _die(salt: str, number: int) -> float:
    digest = hashlib.blake2b(f"{salt}/{number}".encode(), digest_size=7).digest()
    return int.from_bytes(digest) / (1 << 56)
