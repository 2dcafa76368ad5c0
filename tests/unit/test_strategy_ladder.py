"""Which questions stand on a ladder, and which only look like it."""

import csv
import gzip
import json
from decimal import Decimal
from pathlib import Path

import pytest

from polymarket_agent.strategies.parts.ladder import Day, Rung, implies, read_rungs

RECORDED = Path(__file__).parents[3] / "shared" / "data" / "gamma"
FEBRUARY_16 = 1_771_200_000_000  # 2026
OCTOBER_15 = 1_760_486_400_000  # 2025

recorded = pytest.mark.skipif(not RECORDED.is_dir(), reason="the recorded listings are not beside the repository")


def only(question: str, group_item: str = "") -> Rung:
    (rung,) = read_rungs(question, group_item)
    return rung


def follows(narrow: str, wide: str, now_ms: int = FEBRUARY_16) -> bool:
    """Whether any reading of the first question implies the second."""
    return any(implies(n, w, now_ms) for n in read_rungs(narrow) for w in read_rungs(wide))


@pytest.mark.parametrize(
    ("narrow", "wide"),
    [
        ("Iran strike by March 31?", "Iran strike by June 30?"),
        ("Macron out by June 30, 2026?", "Macron out by March 31, 2027?"),
        ("Token by March 31 2026?", "Token by December 31 2026?"),
        ("End of operations by April 7th?", "End of operations by April 15th?"),
        ("Anthropic IPO before 2027?", "Anthropic IPO before 2028?"),
        ("Traffic returns to normal by end of April?", "Traffic returns to normal by end of June?"),
        ("BTC above $76,000 on April 14?", "BTC above $74,000 on April 14?"),
        ("FDV above $1B one day after launch?", "FDV above $900M one day after launch?"),
        ("Will Bitcoin dip to $60,000 in March?", "Will Bitcoin dip to $65,000 in March?"),
        ("Will oil hit (LOW) $90 in April?", "Will oil hit (LOW) $95 in April?"),
        ("Will oil hit (HIGH) $105 by March 20?", "Will oil hit (HIGH) $100 by March 20?"),
        ("Score at least 60 on it?", "Score at least 56 on it?"),
        ("Will the rate be ≥ 4.5% in 2026?", "Will the rate be ≥ 4.25% in 2026?"),
        ("Turnout less than 50%?", "Turnout less than 55%?"),
        ("12 or more rate cuts happen in 2026?", "10 or more rate cuts happen in 2026?"),
        ("Be 6°C or below on March 29?", "Be 8°C or below on March 29?"),
        ("Cut of 50+ bps after the meeting?", "Cut of 25+ bps after the meeting?"),
    ],
)
def test_the_narrower_question_implies_the_wider_and_never_the_reverse(narrow: str, wide: str) -> None:
    """An earlier deadline or a stricter threshold of the same text implies the other, in one direction only."""
    assert follows(narrow, wide)
    assert not follows(wide, narrow)
    assert not follows(narrow, narrow)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Largest company by market cap on March 31?", "Largest company by market cap on June 30?"),
        ("BTC above $76,000 on April 14?", "BTC above $74,000 on April 15?"),
        ("BTC above $76,000 on April 14?", "ETH above $74,000 on April 14?"),
        ("Will no one leave by March 31?", "Will no one leave by June 30?"),
        ("Will OpenAI not IPO by June 30, 2026?", "Will OpenAI not IPO by December 31, 2026?"),
        ("Exactly 7 earthquakes by March 31?", "Exactly 7 earthquakes by June 30?"),
        ("Will Israel strike 7 countries by March 31?", "Will Israel strike 7 countries by June 30?"),
        ("Fewer than 5 strikes by March 31?", "Fewer than 5 strikes by June 30?"),
        ("Will X remain PM by March 31?", "Will X remain PM by June 30?"),
        ("Ceasefire holds through March 31?", "Ceasefire holds through June 30?"),
        ("X the largest company by March 31?", "X the largest company by June 30?"),
        ("X out by March 31?", "X out before June 30?"),
        ("X out by March 31?", "X out by June 30, 2026?"),
        ("X out by 2027?", "X out by June 30, 2027?"),
        ("X by March 31 in Paris?", "X by June 30 in Paris?"),
        ("X by June 31?", "X by July 31?"),
        ("Will oil hit $95 in April?", "Will oil hit $90 in April?"),
        ("Will Bitcoin reach $150,000 in March?", "Will Bitcoin reach $140,000 in March?"),
        ("Between 5 and 7 above 3?", "Between 5 and 7 above 2?"),
        ("8 or more quakes of magnitude 7.0 or higher?", "9 or more quakes of magnitude 7.0 or higher?"),
        ("7 quakes of magnitude 7.0 or higher?", "7 quakes of magnitude 6.0 or higher?"),
        ("Lower bound at least 3?", "Lower bound at least 2?"),
        ("Temperature -5°C or below?", "Temperature -7°C or below?"),
        ("Dip to $60,000 by March 31, 2026?", "Dip to $50,000 by June 30, 2026?"),
        ("Lakers vs. Thunder: O/U 222.5", "Lakers vs. Thunder: O/U 225.5"),
        ("Spread: Thunder (-16.5)", "Spread: Thunder (-14.5)"),
    ],
)
def test_what_is_not_plainly_a_ladder_is_none(one: str, other: str) -> None:
    """A day, a count, a negation, a state, a range, another subject, two differences: no implication either way."""
    assert not follows(one, other)
    assert not follows(other, one)


def test_a_label_may_give_the_direction_but_not_contradict() -> None:
    """The venue's arrow makes "reach" plain; a label with another date, number or direction spoils the question."""
    assert only("Will BTC reach $150,000 in May?", "↑ 150,000") == Rung(
        "will btc reach ${amount} in may", Decimal(150_000), rising=False
    )
    assert only("Will X happen by March 31?", "March 31").value == Day(3, 31, None)
    assert only("FDV above $1B at launch?", "$1B").value == Decimal(10**9)
    assert read_rungs("Will X happen by March 31?", "April 30") == ()
    assert read_rungs("BTC above $76,000 on April 14?", "78,000") == ()
    assert read_rungs("BTC above $76,000 on April 14?", "↓ 76,000") == ()


def test_a_deadline_and_a_threshold_give_two_ladders() -> None:
    """ "Dip to $50,000 by June 30, 2026" can be compared by date with its amount, and by amount with its date."""
    deadline, threshold = read_rungs("Will BTC dip to $50,000 by June 30, 2026?")

    assert deadline == Rung("will btc dip to $50,000 by {day}", Day(6, 30, 2026), rising=True)
    assert threshold == Rung("will btc dip to ${amount} by june 30, 2026", Decimal(50_000), rising=True)


def test_a_deadline_without_a_year_means_the_next_one() -> None:
    """In October the next January is later than the next December by the clock but not by the calendar: no trade."""
    assert follows("X by November 30?", "X by December 31?", OCTOBER_15)
    assert not follows("X by January 31?", "X by December 31?", OCTOBER_15)
    assert not follows("X by December 31?", "X by January 31?", OCTOBER_15)


def test_a_deadline_that_has_just_passed_is_not_plain() -> None:
    """A market may stay open in dispute: two weeks after January 31, "by January 31" may mean the one that passed."""
    assert not follows("X by January 31?", "X by March 31?", FEBRUARY_16)
    assert not follows("X by January 31?", "X by December 31?", FEBRUARY_16)
    assert not follows("X by March 31?", "X by June 30?", 0)


@recorded
def test_the_recorded_group_by_date_is_a_ladder() -> None:
    """Of the five recorded strike deadlines, March 31 implies December 31; those that just passed imply nothing."""
    group = json.loads((RECORDED / "event_by_date_negrisk_false_2026-02-16.json").read_text())
    group = group[0] if isinstance(group, list) else group
    rungs = {m["groupItemTitle"]: only(m["question"], m["groupItemTitle"]) for m in group["markets"]}
    pairs = {(a, b) for a in rungs for b in rungs if implies(rungs[a], rungs[b], FEBRUARY_16)}

    assert len(rungs) == 5
    # January 10 passed 37 days ago: by the calendar first, by the next occurrence last. So it is not plain either.
    assert pairs == {("March 31", "December 31")}


@recorded
def test_no_recorded_question_with_a_trap_is_read_as_a_deadline() -> None:
    """Among 4,835 real questions none that negates, counts or describes a state becomes a deadline."""
    with gzip.open(RECORDED / "listing_2026-04_even_ids.csv.gz", "rt", newline="") as lines:
        questions = [row["question"] for row in csv.DictReader(lines)]
    deadlines = [q for q in questions if any(isinstance(r.value, Day) for r in read_rungs(q))]
    traps = (" no ", " not ", "exactly", "no one", "next ", "largest", "fewer", "between", " on march", "#1", "remain")

    assert len(deadlines) > 200
    assert [q for q in deadlines if any(trap in q.casefold() for trap in traps)] == []
