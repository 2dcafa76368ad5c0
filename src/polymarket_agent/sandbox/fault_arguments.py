"""What each fault takes as its argument, read strictly: seconds, counts, an answer's name, or a mapping of its own."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from polymarket_agent.domain.market import TICK_SIZES
from polymarket_agent.domain.money import MICRO, Price, Shares, Usdc, decimal_text, price, shares, usdc
from polymarket_agent.sandbox.fault_answers import ANSWERS, JSON, Answer
from polymarket_agent.sandbox.model import LegStatus, Mode, OrderType

__all__ = [
    "ARGUMENTS",
    "FAULTS_OF",
    "Ban",
    "ForeignOrder",
    "MatchDelay",
    "ModeChange",
    "Resolution",
    "Settlement",
    "TickChange",
    "Window",
]

_MAX_SECONDS = 86_400.0
_ANY = "any"

_REQUEST_FAULTS = ("drop", "delay", "duplicate", "replace")
_ANSWER_FAULTS = ("drop", "delay", "replace", "cut", "null")

FAULTS_OF: dict[str, tuple[str, ...]] = {
    "post.request": _REQUEST_FAULTS,
    "post.answer": (*_ANSWER_FAULTS, "wrong_id"),
    "cancel.request": (*_REQUEST_FAULTS, "fill_first"),
    "cancel.answer": (*_ANSWER_FAULTS, "wrong_id"),
    "heartbeat.request": _REQUEST_FAULTS,
    "heartbeat.answer": (*_ANSWER_FAULTS, "wrong_id"),
    "read.request": _REQUEST_FAULTS,
    "read.answer": (*_ANSWER_FAULTS, "stale", "page_lost"),
    "stream": ("drop", "delay", "duplicate", "reorder", "silence", "close", "garble"),
    "venue": (
        "mode",
        "match_delay",
        "settle",
        "tick",
        "resolve",
        "ban",
        "foreign_order",
        "withdraw",
        "heartbeat_expiry",
        "stale_balance",
    ),
    "clock": ("step", "drift"),
}


@dataclass(frozen=True, slots=True)
class ModeChange:
    """A mode of the venue for a while; a restart is followed by post-only mode."""

    mode: Mode
    for_s: int


@dataclass(frozen=True, slots=True)
class MatchDelay:
    """Marketable orders of a market wait, and may then find nothing."""

    market: str
    seconds: int
    for_s: float


@dataclass(frozen=True, slots=True)
class Settlement:
    """How a trade ends: FAILED; RETRYING for a while and then `then`; or slowly CONFIRMED."""

    end: str
    seconds: float
    then: LegStatus


@dataclass(frozen=True, slots=True)
class TickChange:
    """A new price grid; None is the next finer one."""

    market: str
    tick: Price | None


@dataclass(frozen=True, slots=True)
class Resolution:
    """An answer to a market before its time."""

    market: str
    payouts: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Ban:
    """An account that may not trade, or only close, for a while; 0 seconds is for ever."""

    account: str
    closed_only: bool
    for_s: float


@dataclass(frozen=True, slots=True)
class ForeignOrder:
    """An order of the same wallet by somebody else. Without a price it takes what is best, or joins it."""

    account: str
    market: str
    side: str
    quantity: Shares
    price: Price | None
    order_type: OrderType


@dataclass(frozen=True, slots=True)
class Window:
    """Accounts and for how long (stale balances), or how much (a withdrawal)."""

    account: str
    for_s: float = 0.0
    amount: Usdc = Usdc(0)


def _nothing(value: Any) -> None:
    if value is not None:
        raise ValueError(f"it takes none, and {value!r} was given")


def _seconds(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= _MAX_SECONDS:
        raise ValueError(f"{value!r} must be a number of seconds, more than 0 and at most {_MAX_SECONDS:g}")
    return float(value)


def _step(value: Any) -> float:
    """The clock goes forward or back: seconds at once (step), or seconds an hour (drift)."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < abs(value) <= _MAX_SECONDS:
        raise ValueError(f"{value!r} must be seconds, forward or back, at most {_MAX_SECONDS:g}")
    return float(value)


def _count(default: int, most: int) -> Callable[[Any], int]:
    def read(value: Any) -> int:
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
            raise ValueError(f"{value!r} must be a whole number from 0 to {most}")
        return value

    return read


def _answer(value: Any) -> Answer:
    if isinstance(value, str):
        if value not in ANSWERS:
            near = difflib.get_close_matches(value, ANSWERS, n=1, cutoff=0.5)
            raise ValueError(f"no answer is named '{value}'" + (f"; did you mean '{near[0]}'?" if near else ""))
        return ANSWERS[value]
    keys = _keys(value, "status", "body", "headers")
    status, body, headers = keys.get("status"), keys.get("body", ""), keys.get("headers", {})
    if isinstance(status, bool) or not isinstance(status, int) or not 200 <= status <= 599:
        raise ValueError(f"status = {status!r} must be an HTTP status from 200 to 599, or give the name of an answer")
    if not isinstance(headers, Mapping):
        raise ValueError("headers must hold keys")  # noqa: TRY004 - the reader's one error
    text = body if isinstance(body, str) else json.dumps(body)
    return Answer(status, text, {"Content-Type": JSON, **{str(key): str(each) for key, each in headers.items()}})


def _page(value: Any) -> str:
    """`rows`: this page comes empty and the next can be asked for; `end`: the list ends here."""
    return _one_of("rows" if value is None else value, "rows", "end")


def _mode(value: Any) -> ModeChange:
    words = {"restart": Mode.RESTARTING, "restarting": Mode.RESTARTING} | {mode.value: mode for mode in Mode}
    keys = _keys({"mode": value} if isinstance(value, str) else value, "mode", "for_s")
    return ModeChange(words[_one_of(keys.get("mode"), *words)], max(1, int(_seconds(keys.get("for_s", 90)))))


def _match_delay(value: Any) -> MatchDelay:
    keys = _keys(value, "market", "seconds", "for_s")
    seconds = max(1, int(_seconds(keys.get("seconds", 3))))
    return MatchDelay(str(keys.get("market", _ANY)), seconds, _seconds(keys.get("for_s", 60)))


def _settle(value: Any) -> Settlement:
    keys = _keys({"end": value} if isinstance(value, str) else value, "end", "seconds", "then")
    end = _one_of(keys.get("end"), "FAILED", "RETRYING", "slow")
    usual = {"FAILED": 5, "RETRYING": 60, "slow": 60}[end]
    then = LegStatus(_one_of(keys.get("then", "FAILED" if end == "FAILED" else "CONFIRMED"), "CONFIRMED", "FAILED"))
    return Settlement(end, _seconds(keys.get("seconds", usual)), then)


def _tick(value: Any) -> TickChange:
    keys = _keys({"tick": value} if isinstance(value, str | int | float) else value, "market", "tick")
    tick = keys.get("tick")
    grid = None if tick is None else price(str(tick))
    if grid is not None and grid not in TICK_SIZES:
        raise ValueError(f"{tick!r} is none of the venue's: {', '.join(decimal_text(each) for each in TICK_SIZES)}")
    return TickChange(str(keys.get("market", _ANY)), grid)


def _resolve(value: Any) -> Resolution:
    words = {"yes": (MICRO, 0), "no": (0, MICRO), "half": (MICRO // 2, MICRO // 2)}
    keys = _keys({"payouts": value} if isinstance(value, str) else value, "market", "payouts")
    payouts = keys.get("payouts", "yes")
    payouts = {True: "yes", False: "no"}.get(payouts, payouts) if isinstance(payouts, bool) else payouts
    return Resolution(str(keys.get("market", _ANY)), words[_one_of(payouts, *words)])


def _ban(value: Any) -> Ban:
    keys = _keys(value, "account", "closed_only", "for_s")
    closed_only = keys.get("closed_only", False)
    if not isinstance(closed_only, bool):
        raise ValueError(f"closed_only = {closed_only!r} must be true or false")  # noqa: TRY004
    return Ban(str(keys.get("account", _ANY)), closed_only, _seconds(keys["for_s"]) if "for_s" in keys else 0.0)


def _foreign_order(value: Any) -> ForeignOrder:
    keys = _keys(value, "account", "market", "side", "quantity", "price", "order_type")
    return ForeignOrder(
        account=str(keys.get("account", _ANY)),
        market=str(keys.get("market", _ANY)),
        side=_one_of(keys.get("side", "BUY"), "BUY", "SELL"),
        quantity=shares(str(keys.get("quantity", 10))),
        price=price(str(keys["price"])) if "price" in keys else None,
        order_type=OrderType(_one_of(keys.get("order_type", "GTC"), "GTC", "FAK", "FOK")),
    )


def _stale_balance(value: Any) -> Window:
    keys = _keys(value, "account", "for_s")
    return Window(str(keys.get("account", "all")), _seconds(keys.get("for_s", 60)))


def _account(value: Any) -> Window:
    return Window(str(_keys(value, "account").get("account", _ANY)))


def _withdraw(value: Any) -> Window:
    keys = _keys(value, "account", "amount")
    return Window(str(keys.get("account", _ANY)), amount=usdc(str(keys.get("amount", 10))))


def _keys(value: Any, *known: str) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise ValueError(f"{value!r} must hold keys: {', '.join(known)}")  # noqa: TRY004
    for key in value:
        if key not in known:
            raise ValueError(f"'{key}' is not known; known are: {', '.join(known)}")
    return dict(value)


def _one_of(value: Any, *words: str) -> str:
    if not isinstance(value, str) or value not in words:
        raise ValueError(f"{value!r} must be one of {', '.join(words)}")
    return value


ARGUMENTS: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(("drop", "duplicate", "wrong_id", "null", "fill_first", "reorder", "garble"), _nothing),
    **dict.fromkeys(("delay", "silence", "stale"), _seconds),
    "drop_n": _count(1, 10_000),
    "cut": _count(20, 1_000_000),
    "close": _count(1001, 4_999),
    "replace": _answer,
    "page_lost": _page,
    "mode": _mode,
    "match_delay": _match_delay,
    "settle": _settle,
    "tick": _tick,
    "resolve": _resolve,
    "ban": _ban,
    "foreign_order": _foreign_order,
    "withdraw": _withdraw,
    "heartbeat_expiry": _account,
    "stale_balance": _stale_balance,
    "step": _step,
    "drift": _step,
}
