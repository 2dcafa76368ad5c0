from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from polymarket_agent.errors import ConfigError
from polymarket_agent.sandbox.fault_arguments import FAULTS_OF
from polymarket_agent.sandbox.fault_plan import FaultPlan
from polymarket_agent.sandbox.fault_rules import ENDPOINTS, POINTS
from polymarket_agent.sandbox.faults import FaultInjector

EXAMPLES = Path(__file__).parents[2] / "examples" / "faults"

# A valid argument for each fault that needs one.
ARGUMENTS: dict[str, Any] = {
    "delay": 1.5,
    "replace": "restarting",
    "stale": 30,
    "silence": 2,
    "mode": "cancel_only",
    "settle": "FAILED",
    "step": -30,
    "drift": 2,
}


def plan(*rules: dict[str, Any], seed: int = 1) -> FaultPlan:
    return FaultPlan.load({"seed": seed, "rules": list(rules)})


def struck(injector: FaultInjector, point: str, calls: int) -> list[int]:
    return [number for number in range(1, calls + 1) if injector.at(point) is not None]


@pytest.mark.parametrize("point", sorted(POINTS))
def test_every_word_of_the_vocabulary_can_be_planned(point: str) -> None:
    """Each fault of each point is taken, and the plan can be written down and read again as the same plan."""
    for fault in FAULTS_OF[POINTS[point]]:
        rule: dict[str, Any] = {"point": point, "fault": fault}
        rule |= {"argument": ARGUMENTS[fault]} if fault in ARGUMENTS else {}
        scheduled = point in ("venue", "clock") and fault != "settle"
        made = plan(rule | ({"at_s": 1} if scheduled else {"nth": 1}))

        assert FaultPlan.load(json.loads(json.dumps(made.plain()))) == made


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.stem)
def test_examples_are_read(path: Path) -> None:
    """Every plan in examples/faults is understood."""
    assert FaultPlan.load(path).rules


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"point": "post.anwser", "fault": "drop", "nth": 1}, "did you mean 'post.answer'"),
        ({"point": "post.answer", "fault": "dorp", "nth": 1}, "did you mean 'drop'"),
        ({"point": "post.answer", "fault": "page_lost", "nth": 1}, "not a fault of post.answer"),
        ({"point": "disk", "fault": "full", "nth": 1}, "'disk' is not a point"),
        ({"fault": "drop", "nth": 1}, "'point' is missing"),
        ({"point": "post.answer", "fault": "drop"}, "say which calls"),
        ({"point": "post.answer", "fault": "drop", "nth": 1, "every": 2}, "with one of nth, every, probability"),
        ({"point": "post.answer", "fault": "drop", "nth": 0}, "nth = 0"),
        ({"point": "post.answer", "fault": "drop", "nth": True}, "nth = True"),
        ({"point": "post.answer", "fault": "drop", "probability": 1.5}, "probability = 1.5"),
        ({"point": "post.answer", "fault": "drop", "nth": 1, "argument": 3}, "it takes none"),
        ({"point": "post.answer", "fault": "delay", "nth": 1}, "must be a number of seconds"),
        ({"point": "post.answer", "fault": "delay", "nth": 1, "argument": float("nan")}, "must be a number of seconds"),
        ({"point": "post.answer", "fault": "replace", "nth": 1, "argument": "to_many_requests"}, "too_many_requests"),
        ({"point": "post.answer", "fault": "replace", "nth": 1, "argument": {"status": 99}}, "status = 99"),
        ({"point": "post.answer", "fault": "drop", "nth": 1, "match": {"ordertype": "GTC"}}, "mean 'order_type'"),
        ({"point": "post.answer", "fault": "drop", "often": 1}, "'often' is not a key of a rule"),
        ({"point": "venue", "fault": "mode", "argument": "restart"}, "say when: at_s"),
        ({"point": "venue", "fault": "mode", "argument": "sleepy", "at_s": 1}, "'sleepy' must be one of"),
        ({"point": "venue", "fault": "mode", "argument": "restart", "at_s": 1, "nth": 1}, "'nth' chooses among calls"),
        ({"point": "venue", "fault": "tick", "argument": "0.003", "at_s": 1}, "none of the venue's"),
        ({"point": "venue", "fault": "ban", "argument": {"who": 1}, "at_s": 1}, "'who' is not known"),
        ({"point": "clock", "fault": "step", "argument": 0, "at_s": 1}, "must be seconds"),
        ("post.answer drop", "must hold keys"),
    ],
)
def test_a_bad_rule_is_refused_by_number(rule: Any, said: str) -> None:
    """A rule that is not understood is an error that names it and says what is allowed; nothing is half-read."""
    with pytest.raises(ConfigError, match="rule 2") as error:
        plan({"point": "post.answer", "fault": "drop", "nth": 1}, rule)

    assert said in str(error.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("rules: [{point: a, point: b}]", "stands twice"),
        ("rules: &x []\nseed: 1", "anchors"),
        ("rules: [", "line 1"),
        ("just words", "holds no keys"),
        ("rule: []", "did you mean 'rules'"),
        ("seed: many", "seed = 'many'"),
        ('{"rules": [}', "neither YAML nor JSON"),
    ],
)
def test_a_bad_file_is_refused(text: str, said: str) -> None:
    """Text that is no plan is an error that says why."""
    with pytest.raises(ConfigError) as error:
        FaultPlan.loads(text)

    assert said in str(error.value)


def test_yaml_may_say_null() -> None:
    """The fault `null` can be written without quotes, which YAML reads as nothing."""
    assert FaultPlan.loads("rules: [{point: read.orders.answer, fault: null, nth: 1}]").rules[0].fault == "null"


def test_an_unknown_point_is_refused_at_the_boundary() -> None:
    """Asking at a point outside the vocabulary raises, with or without rules: it would never strike there."""
    with pytest.raises(KeyError):
        FaultInjector().at("post.anwser")


def test_rules_strike_the_calls_they_name() -> None:
    """`nth`, `every`, `limit` and `probability` 1 and 0 choose exactly those calls."""

    def calls(**rule: Any) -> list[int]:
        injector = FaultInjector(plan({"point": "post.answer", "fault": "drop"} | rule))
        return struck(injector, "post.answer", 12)

    assert calls(nth=3) == [3]
    assert calls(nth=[2, 5]) == [2, 5]
    assert calls(every=4) == [4, 8, 12]
    assert calls(every=4, limit=2) == [4, 8]
    assert calls(probability=1.0) == list(range(1, 13))
    assert calls(probability=0.0) == []


def test_a_match_counts_only_its_own_calls() -> None:
    """A rule with `match` counts the calls that match; others neither strike nor count."""
    rule = {"point": "post.request", "fault": "drop", "nth": 2, "match": {"order_type": "FOK", "post_only": False}}
    injector = FaultInjector(plan(rule))
    said = [
        injector.at("post.request", order_type=order_type, post_only=post_only) is not None
        for order_type, post_only in [("FOK", False), ("GTC", False), ("FOK", True), ("FOK", False), ("FOK", False)]
    ]

    assert said == [False, False, False, True, False]


def test_a_match_may_end_in_a_star() -> None:
    """A value that ends in * matches what begins like it."""
    rule = {"point": "read.orders.answer", "fault": "drop", "every": 1, "match": {"path": "/data/*"}}
    injector = FaultInjector(plan(rule))

    assert injector.at("read.orders.answer", path="/data/orders") is not None
    assert injector.at("read.orders.answer", path="/order") is None


def test_the_first_rule_that_strikes_wins() -> None:
    """Two rules at one call give one fault, the first; the second still counts the call."""
    injector = FaultInjector(
        plan(
            {"point": "post.answer", "fault": "drop", "nth": 1}, {"point": "post.answer", "fault": "cut", "nth": [1, 2]}
        )
    )

    assert [fault.kind for _ in range(3) if (fault := injector.at("post.answer"))] == ["drop", "cut"]


def test_a_rule_for_any_read_strikes_every_endpoint() -> None:
    """`read.any` stands for all reads, which it counts together."""
    injector = FaultInjector(plan({"point": "read.any.answer", "fault": "drop", "every": 2}))
    said = [injector.at(f"read.{endpoint}.answer") is not None for endpoint in ENDPOINTS[:4]]

    assert said == [False, True, False, True]


def test_a_rule_keeps_to_its_time() -> None:
    """A rule with `at_s` and `until_s` strikes, and counts, between them only."""
    injector = FaultInjector(
        plan({"point": "post.answer", "fault": "drop", "every": 1, "at_s": 10, "until_s": 20}), start_ms=1_000
    )
    said = [second for second in range(30) if injector.at("post.answer", now_ms=1_000 + second * 1_000)]

    assert said == list(range(10, 20))


def test_dice_depend_on_seed_and_call_alone() -> None:
    """The same seed strikes the same calls whatever happens at other points between; another seed strikes others."""
    rules = [{"point": f"{half}.answer", "fault": "drop", "probability": 0.3} for half in ("post", "cancel")]
    alone, mixed, other = FaultInjector(plan(*rules)), FaultInjector(plan(*rules)), FaultInjector(plan(*rules, seed=2))
    expected = struck(alone, "post.answer", 300)
    said = []
    for number in range(1, 301):
        struck(mixed, "cancel.answer", number % 3)
        if mixed.at("post.answer") is not None:
            said.append(number)

    assert said == expected
    assert 50 < len(expected) < 130
    assert struck(other, "post.answer", 300) != expected


def test_drawn_plans_are_swarms() -> None:
    """A drawn plan is the same for a seed, leaves about half of the faults out, and over seeds has each of them."""
    assert FaultPlan.drawn(5) == FaultPlan.drawn(5)
    plans = [FaultPlan.drawn(seed) for seed in range(60)]
    kinds = {(rule.point, rule.fault) for each in plans for rule in each.rules}

    assert {point.partition(".")[0] for point, _ in kinds} >= {"post", "cancel", "read", "stream", "venue", "heartbeat"}
    assert 10 < sum(len(each.rules) for each in plans) / len(plans) < 28


def test_what_was_injected_is_counted_and_listed() -> None:
    """The report counts by point and fault and lists each with time and context; JSON can hold it."""
    injector = FaultInjector(plan({"point": "post.answer", "fault": "drop", "every": 2}))
    for number in range(6):
        injector.at("post.answer", now_ms=number, order_id=f"0x{number}")
    report = json.loads(json.dumps(injector.report()))

    assert report["counts"] == {"post.answer drop": 3}
    assert report["total"] == 3
    assert [(each["at_ms"], each["context"]["order_id"]) for each in report["injected"]] == [
        (1, "0x1"),
        (3, "0x3"),
        (5, "0x5"),
    ]


def test_the_list_is_bounded_and_the_count_is_not() -> None:
    """More faults than the list keeps are counted, and the report says how many it left off."""
    injector = FaultInjector(plan({"point": "stream.market", "fault": "garble", "every": 1}))
    struck(injector, "stream.market", 10_050)
    report = injector.report()

    assert report["total"] == 10_050
    assert len(report["injected"]) == 10_000
    assert report["left_off"] == 50


def test_a_rule_can_be_added_and_all_forgotten() -> None:
    """An admin's rule works at once, its times counted from then; clearing forgets rules and keeps the report."""
    injector = FaultInjector()
    injector.add({"point": "post.answer", "fault": "drop", "every": 1, "at_s": 5}, now_ms=10_000)

    assert injector.at("post.answer", now_ms=12_000) is None
    assert injector.at("post.answer", now_ms=15_000) is not None
    injector.clear()
    assert injector.at("post.answer", now_ms=16_000) is None
    assert injector.total == 1
    with pytest.raises(ConfigError, match="the rule"):
        injector.add({"point": "nowhere"}, now_ms=0)
