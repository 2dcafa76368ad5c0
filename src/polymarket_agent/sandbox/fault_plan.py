"""Plans of faults: which point, which calls, what goes wrong. Read strictly; every error names its rule.

    seed: 7
    rules:
      - {point: post.answer, fault: drop, nth: 2}
      - {point: post.answer, fault: replace, argument: too_many_requests_retry_after, probability: 0.05}
      - {point: read.trades.answer, fault: page_lost, every: 10}
      - {point: stream.user, fault: silence, argument: 30, nth: 5, match: {event_type: trade}}
      - {point: venue, fault: mode, argument: {mode: restart, for_s: 90}, at_s: 60}
      - {point: venue, fault: settle, argument: {end: FAILED}, probability: 0.1}
      - {point: clock, fault: step, argument: 300, at_s: 120, until_s: 180}

`nth` (a number or a list), `every` and `probability` choose among the calls that reach the point and `match`;
`limit` stops a rule after so many. `at_s` is seconds since the start (of a rule that chooses among calls, the
beginning of its time), `every_s` repeats it, `until_s` ends a rule.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import yaml

from polymarket_agent.errors import ConfigError
from polymarket_agent.sandbox.fault_rules import Rule, parse_rule

__all__ = ["FaultPlan"]

_MAX_BYTES = 256 * 1024
_MAX_RULES = 1_000
_RATES = (0.0, 0.0, 0.01, 0.15)  # a swarm: half of the faults never, the others seldom or often
_EVERY_S = (0, 0, 1_800, 240)

# What a drawn plan chooses from, with the argument that it gets; a venue's fault is scheduled, the others have a rate.
_SWARM: tuple[tuple[str, str, Any], ...] = (
    ("post.request", "drop", None),
    ("post.request", "delay", 2),
    ("post.request", "duplicate", None),
    ("post.answer", "drop", None),
    ("post.answer", "delay", 3),
    ("post.answer", "cut", 20),
    ("post.answer", "replace", "internal_error"),
    ("post.answer", "replace", "context_canceled"),
    ("post.answer", "replace", "edge_502"),
    ("post.answer", "replace", "ok_unmatched"),
    ("post.request", "replace", "too_many_requests_retry_after"),
    ("post.request", "replace", "not_ready"),
    ("cancel.request", "drop", None),
    ("cancel.request", "fill_first", None),
    ("cancel.answer", "drop", None),
    ("cancel.answer", "replace", "too_many_requests"),
    ("read.any.answer", "drop", None),
    ("read.any.answer", "replace", "internal_error"),
    ("read.trades.answer", "page_lost", None),
    ("read.orders.answer", "null", None),
    ("read.balance.answer", "stale", 30),
    ("heartbeat.answer", "drop", None),
    ("stream.user", "drop", 1),
    ("stream.user", "duplicate", None),
    ("stream.user", "reorder", None),
    ("stream.user", "delay", 5),
    ("stream.market", "drop", 3),
    ("stream.market", "silence", 20),
    ("stream.market", "garble", None),
    ("stream.market", "close", 1006),
    ("venue", "mode", {"mode": "restart", "for_s": 90}),
    ("venue", "mode", {"mode": "cancel_only", "for_s": 60}),
    ("venue", "settle", {"end": "FAILED"}),
    ("venue", "settle", {"end": "RETRYING", "seconds": 60}),
    ("venue", "match_delay", {"seconds": 3, "for_s": 60}),
    ("venue", "foreign_order", {}),
    ("venue", "stale_balance", {"for_s": 60}),
    ("venue", "heartbeat_expiry", {}),
)


@dataclass(frozen=True, slots=True)
class FaultPlan:
    """A list of rules and the seed of their dice."""

    seed: int = 0
    rules: tuple[Rule, ...] = ()

    @classmethod
    def load(cls, source: Path | str | Mapping[str, Any]) -> FaultPlan:
        """Read a plan from a YAML or JSON file, or take it as a mapping.

        Raises:
            ConfigError: anything that is not understood, with the number of its rule. Nothing is half-read.
        """
        if isinstance(source, Mapping):
            return cls._parse(source, "the plan")
        path = Path(source)
        try:
            if path.stat().st_size > _MAX_BYTES:
                raise ConfigError(f"{path} is larger than {_MAX_BYTES} bytes")
            text = path.read_bytes().decode("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path} cannot be read: {error}") from error
        return cls.loads(text, str(path))

    @classmethod
    def loads(cls, text: str, source: str = "the plan") -> FaultPlan:
        """Read a plan from YAML or JSON text; see `load`."""
        try:
            tree = json.loads(text) if text.lstrip().startswith("{") else yaml.load(text, _Loader)  # noqa: S506
        except yaml.MarkedYAMLError as error:
            where = f" line {error.problem_mark.line + 1}" if error.problem_mark is not None else ""
            raise ConfigError(f"{source}{where}: {error.problem or 'this is not YAML'}") from None
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            raise ConfigError(f"{source} is neither YAML nor JSON: {str(error).splitlines()[0]}") from None
        if not isinstance(tree, Mapping):
            raise ConfigError(f"{source} holds no keys; a plan has 'rules' and perhaps a 'seed'")
        return cls._parse(tree, source)

    @classmethod
    def _parse(cls, tree: Mapping[str, Any], source: str) -> FaultPlan:
        for key in tree:
            if key not in ("seed", "rules"):
                near = difflib.get_close_matches(str(key), ["seed", "rules"], n=1)
                advice = f"did you mean '{near[0]}'?" if near else "known are: seed, rules"
                raise ConfigError(f"{source}: '{key}' is not a key of a plan; {advice}")
        seed, rules = tree.get("seed", 0), tree.get("rules", [])
        if isinstance(seed, bool) or not isinstance(seed, int):
            raise ConfigError(f"{source}: seed = {seed!r} must be a whole number")
        if not isinstance(rules, list) or len(rules) > _MAX_RULES:
            raise ConfigError(f"{source}: 'rules' must be a list of at most {_MAX_RULES}")
        return cls(seed, tuple(parse_rule(each, f"{source}: rule {n}") for n, each in enumerate(rules, start=1)))

    @classmethod
    def drawn(cls, seed: int) -> FaultPlan:
        """Draw a plan: every fault never, seldom or often, so that some runs have only one kind (swarm testing)."""
        random = Random(f"faults/{seed}")  # noqa: S311 - dice of a test, not a secret
        rules: list[dict[str, Any]] = []
        for point, fault, argument in _SWARM:
            pick = int(random.random() * len(_RATES))
            phase = random.random()
            rule: dict[str, Any] = {"point": point, "fault": fault}
            if argument is not None:
                rule["argument"] = argument
            if point == "venue" and fault != "settle":
                if _EVERY_S[pick]:
                    rules.append(rule | {"at_s": int(_EVERY_S[pick] * phase) + 1, "every_s": _EVERY_S[pick]})
            elif _RATES[pick]:
                share = 0.05 if point.startswith("stream") else 1.0  # there are many more messages than requests
                rules.append(rule | {"probability": _RATES[pick] * share})
        return cls._parse({"seed": seed, "rules": rules}, f"the plan of seed {seed}")

    def plain(self) -> dict[str, Any]:
        """Return the plan as it can be written to a file and read again."""
        return {"seed": self.seed, "rules": [rule.plain() for rule in self.rules]}


class _Loader(yaml.SafeLoader):
    """Safe YAML without anchors, tags of its own, or keys that stand twice."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise yaml.MarkedYAMLError(problem="anchors and aliases are not allowed", problem_mark=event.start_mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key_node, _ in node.value:
            if key_node.value in seen:
                raise yaml.MarkedYAMLError(
                    problem=f"the key '{key_node.value}' stands twice", problem_mark=key_node.start_mark
                )
            seen.add(str(key_node.value))
        return super().construct_mapping(node, deep)
