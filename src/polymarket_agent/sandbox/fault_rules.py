"""The vocabulary of faults, and one rule of a plan: where it strikes, which calls, what it does.

    post.request cancel.request heartbeat.request read.<endpoint>.request     before the venue has seen it
    post.answer  cancel.answer  heartbeat.answer  read.<endpoint>.answer      after the venue has acted
    stream.market stream.user                                                 each message to each connection
    venue clock                                                               at a time

A word outside this vocabulary is refused, never ignored.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from polymarket_agent.errors import ConfigError, MoneyError
from polymarket_agent.sandbox.fault_arguments import ARGUMENTS, FAULTS_OF

__all__ = ["ENDPOINTS", "MATCH_KEYS", "POINTS", "Rule", "parse_rule", "points_of"]

# The reads that faults tell apart; `any` in a rule stands for all of them.
ENDPOINTS = (
    "auth", "balance", "ban_status", "book", "books", "data", "events", "gamma", "history", "last_trade", "market",
    "markets", "midpoint", "notifications", "ok", "order", "orders", "positions", "price", "relayer", "rpc", "search",
    "spread", "tick_size", "time", "trades", "version",
)  # fmt: skip

_REQUESTS = ("post", "cancel", "heartbeat", *(f"read.{each}" for each in ENDPOINTS))
POINTS: dict[str, str] = {
    **{f"{each}.{half}": f"{each.partition('.')[0]}.{half}" for each in _REQUESTS for half in ("request", "answer")},
    "stream.market": "stream",
    "stream.user": "stream",
    "venue": "venue",
    "clock": "clock",
}  # point -> the family that says which faults it can have

MATCH_KEYS = (
    "asset_id", "event_type", "market", "method", "order_id", "order_type", "owner", "path", "post_only", "side",
    "signature_type", "status", "wallet",
)  # fmt: skip

_KEYS = ("point", "fault", "argument", "nth", "every", "probability", "match", "limit", "at_s", "every_s", "until_s")
_CALL_KEYS = ("nth", "every", "probability")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One line of a plan. `argument` is what the fault's own reader made of it; `given` is what was written."""

    point: str
    fault: str
    argument: Any = None
    given: Any = None
    nth: tuple[int, ...] = ()
    every: int = 0
    probability: float = 0.0
    match: tuple[tuple[str, str], ...] = ()
    limit: int | None = None
    at_s: tuple[float, ...] = ()
    every_s: float = 0.0
    until_s: float | None = None

    @property
    def scheduled(self) -> bool:
        """Whether it strikes at a time and not at a call."""
        return self.point in ("venue", "clock") and self.fault != "settle"

    def plain(self) -> dict[str, Any]:
        """Return the rule as it is written in a plan."""
        written: dict[str, Any] = {"point": self.point, "fault": self.fault}
        if self.given is not None:
            written["argument"] = self.given
        written |= {"nth": list(self.nth)} if self.nth else {}
        written |= {"at_s": list(self.at_s)} if self.at_s else {}
        written |= {"match": dict(self.match)} if self.match else {}
        for key in ("every", "probability", "limit", "every_s", "until_s"):
            if (value := getattr(self, key)) not in (None, 0):
                written[key] = value
        return written


def points_of(rule_point: str) -> tuple[str, ...]:
    """Return the points that a rule's point stands for."""
    if rule_point.startswith("read.any."):
        half = rule_point.removeprefix("read.any.")
        return tuple(f"read.{each}.{half}" for each in ENDPOINTS)
    return (rule_point,)


def parse_rule(tree: Any, where: str) -> Rule:
    """Read one rule.

    Raises:
        ConfigError: what is wrong, beginning with `where`, and what is allowed.
    """
    if not isinstance(tree, Mapping):
        raise ConfigError(f"{where} must hold keys, such as {{point: post.answer, fault: drop, nth: 2}}")
    for key in tree:
        _known(key, _KEYS, f"{where}: '{key}' is not a key of a rule")
    point, fault = _point(tree, where), "null" if tree.get("fault", "") is None else str(tree.get("fault", ""))
    family = POINTS[points_of(point)[0]]
    faults = FAULTS_OF[family]
    _known(fault, faults, f"{where}: '{fault}' is not a fault of {point}")
    given = tree.get("argument")
    try:
        argument = ARGUMENTS[fault if family != "stream" or fault != "drop" else "drop_n"](given)
    except (ValueError, MoneyError) as error:
        raise ConfigError(f"{where}: argument of {fault}: {error}") from None
    rule = Rule(
        point=point,
        fault=fault,
        argument=argument,
        given=given,
        nth=tuple(int(each) for each in _numbers(tree, "nth", where, least=1, whole=True)),
        every=int(_number(tree, "every", where, least=1, whole=True) or 0),
        probability=_number(tree, "probability", where, least=0, most=1) or 0.0,
        match=_match(tree, where),
        limit=None if tree.get("limit") is None else int(_number(tree, "limit", where, least=1, whole=True) or 0),
        at_s=_numbers(tree, "at_s", where, least=0),
        every_s=_number(tree, "every_s", where, least=1) or 0.0,
        until_s=_number(tree, "until_s", where, least=0),
    )
    _check_when(rule, tree, where)
    return rule


def _check_when(rule: Rule, tree: Mapping[str, Any], where: str) -> None:
    given = [key for key in _CALL_KEYS if tree.get(key) is not None]
    if rule.scheduled:
        if not rule.at_s:
            raise ConfigError(f"{where}: say when: at_s, in seconds since the start")
        if given or rule.match:
            raise ConfigError(f"{where}: {rule.fault} happens at a time; '{(*given, 'match')[0]}' chooses among calls")
        return
    if len(given) != 1:
        raise ConfigError(f"{where}: say which calls with one of nth, every, probability (every: 1 is each of them)")
    if rule.every_s or len(rule.at_s) > 1:
        raise ConfigError(f"{where}: {rule.fault} strikes at calls; at_s and until_s may bound it, every_s may not")


def _point(tree: Mapping[str, Any], where: str) -> str:
    point = tree.get("point")
    known = (*POINTS, "read.any.request", "read.any.answer")
    if not isinstance(point, str):
        raise ConfigError(f"{where}: 'point' is missing; such as post.answer, stream.user, venue")
    _known(point, known, f"{where}: '{point}' is not a point")
    return point


def _known(word: object, known: tuple[str, ...], complaint: str) -> None:
    if word in known:
        return
    near = difflib.get_close_matches(str(word), known, n=1, cutoff=0.6)
    shown = known if len(known) < 16 else ("post.request", "post.answer", "read.<endpoint>.answer", "stream.user", "…")
    raise ConfigError(f"{complaint}; " + (f"did you mean '{near[0]}'?" if near else f"known are: {', '.join(shown)}"))


def _match(tree: Mapping[str, Any], where: str) -> tuple[tuple[str, str], ...]:
    match = tree.get("match") or {}
    if not isinstance(match, Mapping):
        raise ConfigError(f"{where}: 'match' must hold keys, such as {{order_type: GTC}}")
    for key in match:
        _known(key, MATCH_KEYS, f"{where}: '{key}' is nothing to match")
    return tuple((str(key), _text(value)) for key, value in match.items())


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _numbers(tree: Mapping[str, Any], key: str, where: str, *, least: float, whole: bool = False) -> tuple[float, ...]:
    value = tree.get(key)
    values = value if isinstance(value, list) else [] if value is None else [value]
    found = [_number({key: each}, key, where, least=least, whole=whole) for each in values]
    return tuple(each for each in found if each is not None)


def _number(
    tree: Mapping[str, Any], key: str, where: str, *, least: float, most: float = 1e9, whole: bool = False
) -> float | None:
    value = tree.get(key)
    if value is None:
        return None
    kinds = (int,) if whole else (int, float)
    if isinstance(value, bool) or not isinstance(value, kinds) or not least <= value <= most:
        kind = "a whole number" if whole else "a number"
        raise ConfigError(f"{where}: {key} = {value!r} must be {kind} from {least:g} to {most:g}")
    return value
