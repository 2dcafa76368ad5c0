"""The border to plug-ins: what a strategy answered is looked at here before anything relies on it.

An answer that is no list of wishes, or a flood of them, is the strategy's end. A signal with a wrong field is kept
apart and refused with a reason, in a form that can be written down.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from dataclasses import replace
from itertools import islice
from typing import Any

from polymarket_agent.domain.book import Side
from polymarket_agent.domain.market import AssetId
from polymarket_agent.domain.money import MICRO, Price, Usdc, decimal_text, display
from polymarket_agent.domain.order import TimeInForce
from polymarket_agent.domain.signal import Basket, Cancel, Quote, Signal, TargetQuotes, Wish
from polymarket_agent.errors import StrategyError

__all__ = ["MOST_WISHES", "malformed", "read_answer", "said_by", "storable", "well_formed"]

MOST_WISHES = 500  # in one answer, legs and quotes included
_MOST_MICRO = 10**15
_MOST_TEXT = 2_000
_MOST_SAID = 500  # characters of a plug-in's error that are kept
_SHOWN = 80


def read_answer(answer: Any, strategy: str) -> list[Wish]:
    """Return what a strategy answered as a list of wishes.

    Raises:
        StrategyError: it is no list of wishes, they are signed by another, or there are too many.
        Exception: whatever the plug-in raises while it is asked for the next one.
    """
    if inspect.iscoroutine(answer):
        answer.close()
        raise StrategyError("on_event is async; it must be a plain function that returns wishes")
    if not isinstance(answer, Iterable):
        raise StrategyError(f"answered with {_shown(answer)}, which is no list of wishes; () means none")
    wishes: list[Wish] = []
    count = 0
    for wish in islice(answer, MOST_WISHES + 1):
        parts = _parts(wish)
        for each in (wish, *parts):
            if getattr(each, "strategy", strategy) != strategy:
                raise StrategyError(f"signed a wish with the name {_shown(each.strategy)}")
        count += max(1, len(parts))
        if count > MOST_WISHES:
            raise StrategyError(f"answered with more than {MOST_WISHES} wishes at once")
        wishes.append(wish)
    return wishes


def _parts(wish: Any) -> tuple[Any, ...]:
    """Return the legs or quotes of a wish after a look at the types of what is not a signal."""
    kind = type(wish)
    if kind is Signal:
        return ()
    if kind is Cancel:
        _require(isinstance(wish.order_id, str), wish)
        return ()
    if kind is Basket:
        _require(isinstance(wish.legs, tuple | list) and all(type(leg) is Signal for leg in wish.legs), wish)
        _require(_whole(wish.quantity) and wish.quantity >= 0 and _whole(wish.profit_per_share), wish)
        return tuple(wish.legs)
    if kind is TargetQuotes:
        _require(isinstance(wish.condition_id, str) and isinstance(wish.quotes, tuple | list), wish)
        _require(
            all(type(quote) is Quote and _whole(quote.price) and _whole(quote.quantity) for quote in wish.quotes), wish
        )
        _require(all(isinstance(q.asset_id, str) and isinstance(q.side, Side) for q in wish.quotes), wish)
        return tuple(wish.quotes)
    raise StrategyError(f"answered with {_shown(wish)}, which is no wish")


def _require(well_formed: bool, wish: Wish) -> None:
    if not well_formed:
        raise StrategyError(f"answered with a wish that has a field of a wrong type: {_shown(wish)}")


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def well_formed(wishes: Iterable[Wish]) -> tuple[list[Wish], list[tuple[Signal, str]]]:
    """Return the wishes that can be worked on, and signals that are none with the reason; a basket stands or falls."""
    good: list[Wish] = []
    bad: list[tuple[Signal, str]] = []
    for wish in wishes:
        legs = wish.legs if isinstance(wish, Basket) else (wish,) if isinstance(wish, Signal) else ()
        wrong = {id(leg): why for leg in legs if (why := malformed(leg)) is not None}
        if wrong:
            bad += [(leg, wrong.get(id(leg), "another leg of its basket is malformed")) for leg in legs]
        else:
            good.append(wish)
    return good, bad


def said_by(error: BaseException) -> str:
    """Return what an exception of a plug-in says; it may raise on being asked."""
    try:
        said = str(error)
    except Exception:  # noqa: BLE001 - the plug-in border: it may raise anything
        said = "its message cannot be read"
    said = said.encode(errors="replace").decode()[:_MOST_SAID]
    return said if type(error) is StrategyError else f"{type(error).__name__}: {said}"


def malformed(signal: Signal) -> str | None:  # noqa: C901, PLR0912 - one line a field
    """Return what makes a signal no wish at all, or None. Sizes may still be 0 here."""
    for name in ("strategy", "asset_id", "reason"):
        if not _is_text(getattr(signal, name)):
            return f"{name} is {_shown(getattr(signal, name))}; it must be text of at most {_MOST_TEXT} characters"
    for name in ("target_price", "size"):
        if not _whole(getattr(signal, name)):
            return f"{name} is {_shown(getattr(signal, name))}; it must be whole micro-units"
    if not 0 < signal.target_price < MICRO:
        return f"a target price of {_amount(signal.target_price)} is not between 0 and 1"
    if not 0 <= signal.size <= _MOST_MICRO:
        return f"a size of {_amount(signal.size)} USDC is not between 0 and {display(_MOST_MICRO)}"
    if not _is_number(signal.confidence) or not 0 < signal.confidence <= 1:
        return f"a confidence of {_shown(signal.confidence)} is not in (0, 1]"
    fair = signal.fair_value
    if fair is not None and (not _is_number(fair) or not 0 <= fair <= 1):
        return f"a fair value of {_shown(fair)} is not a probability"
    if not isinstance(signal.side, Side) or not isinstance(signal.time_in_force, TimeInForce):
        return f"side {_shown(signal.side)} or time in force {_shown(signal.time_in_force)} is not known"
    if not isinstance(signal.post_only, bool):
        return f"post_only is {_shown(signal.post_only)}; it must be True or False"
    if signal.post_only and not signal.time_in_force.rests:
        return "post-only needs an order that may rest: GTC or GTD"
    ends = signal.expires_at_ms
    if ends is not None and (not _whole(ends) or not 0 <= ends <= _MOST_MICRO):
        return f"expires_at_ms is {_shown(ends)}; it must be whole milliseconds since 1970"
    if signal.time_in_force is TimeInForce.GTD and ends is None:
        return "a GTD order needs an end: expires_at_ms"
    return None


def storable(signal: Signal) -> Signal:
    """Return a malformed signal in a form that the journal can keep; the refusal beside it says what was wrong."""
    fair = signal.fair_value
    return replace(
        signal,
        strategy=_as_text(signal.strategy),
        asset_id=AssetId(_as_text(signal.asset_id)),
        reason=_as_text(signal.reason),
        side=signal.side if isinstance(signal.side, Side) else Side.BUY,
        target_price=Price(_clip(signal.target_price)),
        size=Usdc(_clip(signal.size)),
        confidence=float(signal.confidence) if _is_number(signal.confidence) and 0 <= signal.confidence <= 1 else 0.0,
        fair_value=float(fair) if fair is not None and _is_number(fair) and 0 <= fair <= 1 else None,
    )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_text(value: object) -> bool:
    """Whether it is text that a file can hold: a lone half of a surrogate pair cannot be encoded."""
    return isinstance(value, str) and len(value) <= _MOST_TEXT and value.encode(errors="replace").decode() == value


def _as_text(value: object) -> str:
    if _is_text(value):
        return str(value)
    text = value if isinstance(value, str) else _shown(value)
    return text[:_MOST_TEXT].encode(errors="replace").decode()


def _clip(value: object) -> int:
    return min(max(value, -_MOST_MICRO), _MOST_MICRO) if isinstance(value, int) and _whole(value) else 0


def _amount(micro: int) -> str:
    return decimal_text(_clip(micro)) if abs(micro) <= _MOST_MICRO else "more than any amount here can be"


def _shown(value: object) -> str:
    """Return a value for a message; a plug-in's own `repr` may raise, lie or be very long."""
    try:
        text = repr(value)
    except Exception as error:  # noqa: BLE001 - the plug-in border: an object may raise anything
        return f"a {type(value).__name__} that raises {type(error).__name__}"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
