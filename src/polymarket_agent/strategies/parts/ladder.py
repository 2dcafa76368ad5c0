"""Rungs of a ladder: questions that differ only in a deadline or a threshold, so that one answer implies another.

Questions are text of strangers, and a wrong implication costs the whole stake of a "riskless" trade. So the reading
is strict: whatever is not plainly of a known shape is no rung. Not monotone, and refused, are for example "on March
31" (a day, not a deadline), "exactly 7", "no one ... by", "fewer than 5 ... by", and "hit $95" without a direction.
"""

from __future__ import annotations

import re
from calendar import monthrange
from datetime import date
from decimal import Decimal
from typing import NamedTuple

__all__ = ["Day", "Rung", "implies", "read_rungs"]

MS_A_DAY = 86_400_000
EPOCH_ORDINAL = date(1970, 1, 1).toordinal()

# A deadline without a year that passed so recently may still be the one that is meant.
RECENT_DAYS = 30

_MONTH = "january|february|march|april|may|june|july|august|september|october|november|december"
_MONTHS = _MONTH.split("|")
_DATE = rf"""
    (?P<end>(?:the\s)?end\sof\s)?
    (?:(?P<month>{_MONTH})(?:\s(?P<day>\d{{1,2}})(?:st|nd|rd|th)?)?(?:,?\s(?P<year>20\d\d))?|(?P<only_year>20\d\d))
"""
_DEADLINE = re.compile(rf"\b(?:by|before)\s(?P<date>{_DATE})$", re.VERBOSE)
_LABEL_DATE = re.compile(rf"^(?:by\s|before\s)?(?P<date>{_DATE})$", re.VERBOSE)

_NUMBER = r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?"
_SCALES = {"k": 3, "thousand": 3, "m": 6, "million": 6, "b": 9, "billion": 9, "t": 12, "trillion": 12}
_SCALE = r"(?:\s?(?:thousand|million|billion|trillion|k|m|b|t)\b)"
# A number with a currency sign takes its scale along ("$900m" against "$1b"); any other unit stays in the text.
_AMOUNT = rf"(?:\$\s?{_NUMBER}{_SCALE}?|{_NUMBER})(?![.,]?\d)"
_RISES = r"above|over|at\sleast|greater\sthan|more\sthan|≥|hit\s\(high\)"
_FALLS = r"below|under|less\sthan|fewer\sthan|at\smost|≤|dip\sto|hit\s\(low\)"
_THRESHOLD = re.compile(
    rf"""
      (?<![\w-])(?:(?P<up>{_RISES})|(?P<down>{_FALLS})|(?P<unclear>reach|hit))\s?(?P<after>{_AMOUNT})
    | (?<![\w.,$-])(?P<before>{_AMOUNT})
      (?:(?P<plus>\+)|(?:\s?[a-z%°]+)?\sor\s(?:(?P<or_up>more|higher|above|greater)|(?P<or_down>less|lower|below|fewer))\b)
    """,
    re.VERBOSE,
)
_LABEL_AMOUNT = re.compile(rf"^(?P<arrow>[↑↓])?\s?(?P<amount>\$?\s?{_NUMBER}{_SCALE}?)$")

# Words that turn a question round, or make it one about a single value.
_NEGATED = re.compile(
    r"\b(?:no|not|never|none|nobody|nothing|nor|neither|without|exactly|between|only|unless|fail\w*)\b|n['\u2019]t\b"
)
# Words that make "by a date" a state on that date, or something that more time can undo.
_UNDOABLE = re.compile(
    r"\b(?:remain\w*|still|stay\w*|continu\w*|keep\w*|hold|holds|last|lasts|surviv\w*|through|until|next|first|above"
    r"|over|below|under|fewer|less|lower|largest|highest|lowest|most|least|top|lead|leads|rank\w*)\b|[≥≤]"
)
_UP_WORDS = re.compile(r"\b(?:above|over|more|higher|high|greater|at least)\b|[≥↑]")
_DOWN_WORDS = re.compile(r"\b(?:below|under|less|lower|low|fewer|at most|dip)\b|[≤↓]")
# Numbers that are part of a date and bound nothing.
_DATED = re.compile(
    rf"\b(?:{_MONTH})\s\d{{1,2}}(?:st|nd|rd|th)?(?:\s?[-\u2013]\s?(?:(?:{_MONTH})\s)?\d{{1,2}})?\b"
    r"|\b20\d\d(?:\s?[-\u2013]\s?\d\d(?:\d\d)?)?\b|\b(?:day|week|month)\s\d{1,2}\b"
)
_DOLLARS = re.compile(rf"\$\s?{_NUMBER}{_SCALE}?")


class Day(NamedTuple):
    """A deadline; the year is None where the question leaves it out."""

    month: int
    day: int
    year: int | None


class Rung(NamedTuple):
    """One question of a ladder: the text with a hole in it, and what stood in the hole.

    `rising` says that a larger value makes YES more likely: a later deadline, "below 110" against "below 100".
    """

    template: str
    value: Day | Decimal
    rising: bool


def read_rungs(question: str, group_item: str = "") -> tuple[Rung, ...]:
    """Return the ladders that a question can stand on: by its deadline, by its threshold, or none.

    A `group_item` that names another date, number or direction than the question makes it none.
    """
    text, label = _plain(question).rstrip("? "), _plain(group_item)
    if _NEGATED.search(text) or "{" in text:
        return ()
    threshold = _read_threshold(text, label)
    deadline = _read_deadline(text, threshold)
    named_day, named_amount = _LABEL_DATE.match(label), _LABEL_AMOUNT.match(label)
    if named_day is not None and deadline is not None and not _same_day(_day_of(named_day), deadline.value):
        return ()
    if named_amount is not None and threshold is not None and not _same_amount(named_amount, threshold):
        return ()
    return tuple(rung for rung in (deadline, threshold) if rung is not None)


def implies(narrow: Rung, wide: Rung, now_ms: int) -> bool:
    """Whether YES of `narrow` forces YES of `wide`: same text, and strictly less room in the hole."""
    if narrow.template != wide.template or narrow.rising != wide.rising:
        return False
    small, large = (narrow.value, wide.value) if narrow.rising else (wide.value, narrow.value)
    if isinstance(small, Day) and isinstance(large, Day):
        return _earlier(small, large, now_ms)
    if isinstance(small, Decimal) and isinstance(large, Decimal):
        return small < large
    return False


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())


def _read_deadline(text: str, threshold: Rung | None) -> Rung | None:
    match = _DEADLINE.search(text)
    if match is None:
        return None
    day = _day_of(match)
    before = text[: match.start("date")]
    # A number that is neither an amount of money nor an explicit threshold may count something exactly.
    counted = _DOLLARS.sub("", _masked_threshold(before) if threshold is not None else before)
    if day is None or _UNDOABLE.search(before) or re.search(r"\d", counted):
        return None
    # "By 2027" is not plainly before or after a day of 2027, so years are compared with years only.
    hole = "{year}" if match["only_year"] and not match["end"] else "{day}"
    return Rung(before + hole, day, rising=True)


def _day_of(match: re.Match[str]) -> Day | None:
    year = int(match["year"] or match["only_year"] or 0) or None
    month = _MONTHS.index(match["month"]) + 1 if match["month"] else 12 if match["end"] else 1
    last = monthrange(year or 2023, month)[1]
    if match["end"]:
        return None if match["day"] else Day(month, last, year)
    if match["only_year"]:
        return Day(1, 1, year)
    day = int(match["day"] or 0)
    return Day(month, day, year) if 1 <= day <= last else None


def _read_threshold(text: str, label: str) -> Rung | None:
    matches = list(_THRESHOLD.finditer(text))
    if len(matches) != 1:
        return None
    match = matches[0]
    up = bool(match["up"] or match["or_up"] or match["plus"])
    if match["unclear"]:  # "reach" and "hit" say no direction; the venue's arrow in the label does
        if not label.startswith(("↑", "↓")):
            return None
        up = label.startswith("↑")
    template = _masked_threshold(text)
    contrary = _DOWN_WORDS if up else _UP_WORDS
    if contrary.search(template) or re.search(r"\d", _DOLLARS.sub("", _DATED.sub("", template))):
        return None
    return Rung(template, _amount(match["after"] or match["before"]), rising=not up)


def _masked_threshold(text: str) -> str:
    match = _THRESHOLD.search(text)
    if match is None:
        return text
    name = "after" if match["after"] else "before"
    hole = "${amount}" if match[name].startswith("$") else "{amount}"
    return text[: match.start(name)] + hole + text[match.end(name) :]


def _amount(text: str) -> Decimal:
    match = re.fullmatch(rf"\$?\s?(?P<number>{_NUMBER})\s?(?P<scale>[a-z]*)", text)
    assert match is not None, "every amount is matched by the same pattern"
    return Decimal(match["number"].replace(",", "")).scaleb(_SCALES.get(match["scale"], 0))


def _same_day(named: Day | None, value: Day | Decimal) -> bool:
    if named is None or not isinstance(value, Day):
        return False
    return named[:2] == value[:2] and (named.year == value.year or None in (named.year, value.year))


def _same_amount(named: re.Match[str], threshold: Rung) -> bool:
    arrow = named["arrow"]
    if arrow and (arrow == "↓") != threshold.rising:
        return False
    unscaled = re.sub(r"\s?[a-z]+$", "", named["amount"])
    return threshold.value in (_amount(named["amount"]), _amount(unscaled))


def _earlier(first: Day, second: Day, now_ms: int) -> bool:
    """Whether one deadline is plainly before another.

    A deadline without a year means its next occurrence; but a market may stay open past its deadline, so one that
    passed in the last RECENT_DAYS is not plain, nor are two that the calendar and the next occurrence order differently.
    """
    if first.year is not None and second.year is not None:
        return (first.year, first.month, first.day) < (second.year, second.month, second.day)
    if first.year is not None or second.year is not None or now_ms <= 0:
        return False
    today = date.fromordinal(EPOCH_ORDINAL + now_ms // MS_A_DAY)
    if any((today - _occurrence(day, today, next_one=False)).days <= RECENT_DAYS for day in (first, second)):
        return False
    nexts = [_occurrence(day, today, next_one=True) for day in (first, second)]
    return nexts[0] < nexts[1] and (first.month, first.day) < (second.month, second.day)


def _occurrence(day: Day, today: date, *, next_one: bool) -> date:
    """Return the first such day from today on, or the last one before today."""
    this_year = date(today.year, day.month, day.day)
    if (this_year >= today) == next_one:
        return this_year
    return date(today.year + (1 if next_one else -1), day.month, day.day)
