"""What a claim is worth in the play, at every moment: the reason why prices move.

A latent score (log-odds) wanders, is pulled to a course, and jumps when there is news. One score makes the fair
price of a market, of a ladder of dates (one score, one offset a date), or together with others of a group in which
exactly one wins. An up-or-down market follows a walk that decides it at its end.

Every path is a function of its seed and of time alone: asking late, often or ahead changes nothing. Values stand on
a grid of `STEP_MS`; only the last `_WINDOW` of them are kept.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from array import array
from bisect import bisect_right
from random import Random
from typing import Protocol

from polymarket_agent.domain.money import MICRO

__all__ = ["STEP_MS", "ZERO_ONE_MARGIN", "Course", "FairPath", "LadderRung", "Score", "SharedOut", "UpOrDown"]

STEP_MS = 500
ZERO_ONE_MARGIN = 2_000  # no fair price is nearer to 0 or 1 than this, in micro-USDC

_WINDOW = 2_048  # steps kept: seventeen minutes, far more than any trader looks back or ahead
_NEWS_STAYS = 0.8  # part of a jump that moves the course too, so that it is not forgotten at once
_NEWS_HALF_LIFE_S = 1_200.0

Course = tuple[tuple[float, float], ...]  # (second since the start, probability), straight lines between


class FairPath(Protocol):
    """The fair price of a market's first outcome over time."""

    def at(self, now_ms: int) -> int:
        """Return micro-USDC a share."""


class _Steps(ABC):
    """Values on the grid, made one after the other when first asked for."""

    __slots__ = ("_base", "_start_ms", "_values")

    def __init__(self, start_ms: int) -> None:
        self._start_ms = start_ms
        self._base = 0
        self._values = array("d")

    def value(self, step: int) -> float:
        """Return the value of a step; the oldest that is still known for one long past."""
        index = step - self._base
        if index < 0:
            index = 0
        values = self._values
        while index >= len(values):
            values.append(self._made(self._base + len(values)))
            if len(values) >= 2 * _WINDOW:
                del values[:_WINDOW]
                self._base += _WINDOW
                index -= _WINDOW
        return values[index]

    def at(self, now_ms: int) -> int:
        """Return the fair price in micro-USDC."""
        return _inside(self.value((now_ms - self._start_ms) // STEP_MS))

    @abstractmethod
    def _made(self, step: int) -> float:
        """Return the value of the next step; called once for each, in order."""


class Score(_Steps):
    """The log-odds of an answer: pulled to a course, noisy, with news.

    Args:
        seed: makes the walk; text, so that no two paths of a scenario share one by accident.
        start_ms: when its first step is.
        course: where it is pulled to.
        noise: standard deviation a square root of a second.
        half_life_s: in which half of the distance to the course is made good.
        news_every_s: mean time between jumps; 0 for none.
        news_size: their typical size, in log-odds.
    """

    __slots__ = ("_course", "_every_s", "_noise", "_pull", "_random", "_shift", "_shift_decay", "_size", "_x", "news")

    def __init__(
        self,
        seed: str,
        start_ms: int,
        course: Course,
        *,
        noise: float = 0.01,
        half_life_s: float = 120.0,
        news_every_s: float = 180.0,
        news_size: float = 0.25,
    ) -> None:
        super().__init__(start_ms)
        self._random = Random(seed)  # noqa: S311 - a play, not a secret
        self._course = tuple((second, math.log(p / (1 - p))) for second, p in course)
        step_s = STEP_MS / 1_000
        self._noise = noise * math.sqrt(step_s)
        self._pull = 1 - 0.5 ** (step_s / half_life_s)
        self._every_s = news_every_s
        self._size = news_size
        self._shift_decay = 0.5 ** (step_s / _NEWS_HALF_LIFE_S)
        self._shift = 0.0
        self._x = self._course[0][1]
        self.news: list[tuple[int, float]] = []  # (time in ms, jump), oldest first, as far as the path was asked for

    def at(self, now_ms: int) -> int:
        """Return the fair price that the score alone means, in micro-USDC."""
        return _inside(_odds(self.value((now_ms - self._start_ms) // STEP_MS)))

    def _made(self, step: int) -> float:
        if not step:
            return self._x
        random = self._random
        self._shift *= self._shift_decay
        aim = self._aim(step * STEP_MS / 1_000) + self._shift
        self._x += self._pull * (aim - self._x) + self._noise * random.gauss(0.0, 1.0)
        if self._every_s and random.random() < STEP_MS / 1_000 / self._every_s:
            jump = self._size * (0.5 + random.random()) * (1 if random.random() < 0.5 else -1)
            self._x += jump
            self._shift += _NEWS_STAYS * jump
            self.news.append((self._start_ms + step * STEP_MS, jump))
            del self.news[:-_WINDOW]
        return self._x

    def _aim(self, second: float) -> float:
        course = self._course
        after = bisect_right(course, second, key=lambda point: point[0])
        if after == len(course):
            return course[-1][1]
        (from_s, low), (to_s, high) = course[max(after - 1, 0)], course[after]
        return low + (high - low) * (second - from_s) / (to_s - from_s) if to_s > from_s else high


class LadderRung:
    """One date of a ladder: the common score and an offset that grows with the date, so later is never less likely."""

    __slots__ = ("_offset", "_score", "_start_ms")

    def __init__(self, score: Score, start_ms: int, offset: float) -> None:
        self._score = score
        self._start_ms = start_ms
        self._offset = offset

    def at(self, now_ms: int) -> int:
        """Return the fair price in micro-USDC."""
        return _inside(_odds(self._score.value((now_ms - self._start_ms) // STEP_MS) + self._offset))


class SharedOut(_Steps):
    """One answer of a group in which exactly one wins: the scores share out one dollar."""

    __slots__ = ("_index", "_scores")

    def __init__(self, scores: tuple[Score, ...], start_ms: int, index: int) -> None:
        super().__init__(start_ms)
        self._scores = scores
        self._index = index

    def _made(self, step: int) -> float:
        weights = [math.exp(score.value(step)) for score in self._scores]
        return weights[self._index] / sum(weights)


class UpOrDown:
    """A market on whether a walk ends above its start; `up` is how it does end.

    The fair price is the chance of it given where the walk is, so it sharpens as time runs out.
    """

    __slots__ = ("_start_ms", "_values", "up")

    def __init__(self, seed: str, start_ms: int, duration_ms: int) -> None:
        random = Random(seed)  # noqa: S311 - a play, not a secret
        self._start_ms = start_ms
        steps = max(duration_ms // STEP_MS, 1)
        self._values = array("d")
        walk = 0.0
        for step in range(steps):
            self._values.append(0.5 * (1 + math.erf(walk / math.sqrt(2 * (steps - step)))))
            walk += random.gauss(0.0, 1.0)
        self.up = walk >= 0
        self._values.append(1.0 if self.up else 0.0)

    def at(self, now_ms: int) -> int:
        """Return the fair price of "up" in micro-USDC."""
        step = (now_ms - self._start_ms) // STEP_MS
        return _inside(self._values[min(max(step, 0), len(self._values) - 1)])


def _odds(score: float) -> float:
    return 1 / (1 + math.exp(-score))


def _inside(probability: float) -> int:
    micro = int(probability * MICRO)
    return min(max(micro, ZERO_ONE_MARGIN), MICRO - ZERO_ONE_MARGIN)
