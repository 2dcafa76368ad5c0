"""What the gateways share: bounds, batches, pages, loopback, quiet logs. The network is touched by `blocked_country` alone."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import TypeVar
from urllib.parse import urlsplit

from polymarket_agent.adapters.polymarket.account_state import AssetBalance, parse_flags
from polymarket_agent.adapters.polymarket.reader import HttpReader
from polymarket_agent.domain.market import AssetId, is_position_id
from polymarket_agent.domain.money import Shares, Usdc
from polymarket_agent.domain.order import OrderId
from polymarket_agent.domain.venue import Balances, CancelOutcome, Leg, OrderSnapshot
from polymarket_agent.errors import LiveLockedError
from polymarket_agent.ports import RateBudget

__all__ = [
    "ANSWER_WITHIN_S",
    "AT_ONCE",
    "CANCELS_A_REQUEST",
    "KNOWN_ORDER_VERSION",
    "MAX_PAGES",
    "WORD_CHARS",
    "ZERO_BYTES32",
    "asset_type_of",
    "balances_of",
    "batches",
    "blocked_country",
    "check_order_version",
    "each_of",
    "hush_client_logs",
    "joined",
    "note_rate_headers",
    "of_wallet",
    "once",
    "spare_loopback",
]

ANSWER_WITHIN_S = 15.0  # a whole answer; the clients bound single reads only, and a dripping answer passes those
AT_ONCE = 4  # reads beside each other
CANCELS_A_REQUEST = 1_000  # the documents say 3,000 in one place and 1,000 in another
KNOWN_ORDER_VERSION = 2
WORD_CHARS = 40
MAX_PAGES = 1_000  # a list that does not end is the venue's mistake, not a reason to read for ever
ZERO_BYTES32 = "0x" + "00" * 32

_LOOPBACK = ("127.0.0.1", "localhost")
_PROXY_EXCEPTIONS = ("NO_PROXY", "no_proxy")
# At DEBUG the first two write request headers, credentials among them; the third writes every refusal to stderr.
_LOUD = ("hpack", "httpcore", "py_clob_client_v2")

T = TypeVar("T")


def asset_type_of(asset_id: AssetId) -> str:
    """Return the venue's word for the kind of balance that an asset is."""
    return "CONDITIONAL-V2" if is_position_id(asset_id) else "CONDITIONAL"


def balances_of(cash: AssetBalance, shares: Mapping[AssetId, AssetBalance]) -> Balances:
    """Return what the venue has cached of the collateral and of some assets as one value."""
    return Balances(
        cash=Usdc(cash.balance),
        allowances=cash.allowances,
        shares={asset_id: Shares(each.balance) for asset_id, each in shares.items()},
        share_allowances={asset_id: each.allowances for asset_id, each in shares.items()},
    )


async def blocked_country(url: str | None) -> tuple[bool, str]:
    """Ask whether trading from this place is blocked, and the country that the venue sees; no address, no question.

    Raises:
        VenueError: the service cannot be read.
    """
    if not url:
        return False, ""
    parts = urlsplit(url)
    async with HttpReader(f"{parts.scheme}://{parts.netloc}") as reader:
        flags = parse_flags(b'{"closed_only":false}', await reader.get(parts.path))
    return flags.blocked, flags.country


async def each_of(asked: Sequence[Callable[[], Awaitable[T]]]) -> list[T]:
    """Ask several things, few at a time; the first failure ends it and is raised."""
    turns, found = asyncio.Semaphore(AT_ONCE), dict[int, T]()

    async def ask(place: int, request: Callable[[], Awaitable[T]]) -> None:
        async with turns:
            found[place] = await request()

    failure: BaseException
    try:
        async with asyncio.TaskGroup() as group:
            for place, request in enumerate(asked):
                group.create_task(ask(place, request))
    except BaseExceptionGroup as several:
        failure = several.exceptions[0]
    else:
        return [found[place] for place in range(len(asked))]
    raise failure


def once(legs: Iterable[Leg], since_s: int) -> list[Leg]:
    """Return legs matched at or after a second, oldest first, each once: a list that grows while it is read repeats."""
    found = {(leg.trade_id, leg.order_id, leg.bucket): leg for leg in legs if leg.matched_ms >= since_s * 1000}
    return sorted(found.values(), key=lambda leg: leg.matched_ms)


def of_wallet(orders: Iterable[OrderSnapshot], wallet: str) -> list[OrderSnapshot]:
    """Return the orders of one wallet: the list is the API key's, which may serve several wallets of its signer."""
    return [each for each in orders if each.maker.lower() in ("", wallet.lower())]


def batches(order_ids: Sequence[OrderId]) -> list[list[OrderId]]:
    """Return ids without repeats, in parts that one cancel request takes."""
    ids = list(dict.fromkeys(order_ids))
    return [ids[start : start + CANCELS_A_REQUEST] for start in range(0, len(ids), CANCELS_A_REQUEST)]


def joined(answers: Sequence[CancelOutcome]) -> CancelOutcome:
    """Return what the answers to the parts of one cancel say together."""
    canceled = tuple(each for answer in answers for each in answer.canceled)
    refused = {each: why for answer in answers for each, why in answer.not_canceled.items()}
    return CancelOutcome(canceled=canceled, not_canceled=refused)


def check_order_version(version: int) -> int:
    """Return the version in which the venue signs orders, if it is the one that we sign.

    Raises:
        LiveLockedError: it is another one.
    """
    if version != KNOWN_ORDER_VERSION:
        raise LiveLockedError(
            f"the venue signs orders in version {version}, this program in version {KNOWN_ORDER_VERSION}",
            hint="live trading needs a newer version of this program; nothing was sent",
        )
    return version


def note_rate_headers(budget: RateBudget, headers: Mapping[str, str], now_ms: int) -> None:
    """Write what an answer's headers say about our rate into `budget`; what they do not say stays as it was."""
    said = {name.lower(): value for name, value in headers.items()}
    said = {name: value for name, value in said.items() if name.startswith("poly-ratelimit-")}
    if not said:
        return
    remaining = said.get("poly-ratelimit-remaining", "")
    if remaining.removeprefix("-").isdecimal():
        budget.remaining = int(remaining)
    until_s = said.get("poly-ratelimit-reset", "")
    if until_s.replace(".", "", 1).isdecimal():
        budget.reset_s = float(until_s)
    budget.tier = said.get("poly-ratelimit-tier", budget.tier)[:WORD_CHARS]
    budget.warning = said.get("poly-ratelimit-warning", budget.warning)[:WORD_CHARS]
    budget.heard_ms = now_ms


def spare_loopback(urls: Mapping[str, str]) -> None:
    """Take loopback out of this process's proxy settings if an address is there; the clients' HTTP follows them.

    Has to come before a client is made: it reads the settings once.
    """
    if not any(urlsplit(url).hostname in _LOOPBACK for url in urls.values()):
        return
    for name in _PROXY_EXCEPTIONS:
        held = [each for each in os.environ.get(name, "").split(",") if each]
        os.environ[name] = ",".join([*held, *(each for each in _LOOPBACK if each not in held)])


def hush_client_logs() -> None:
    """Keep the clients' libraries from logging below WARNING, where they write headers with credentials in them."""
    for name in _LOUD:
        logger = logging.getLogger(name)
        logger.setLevel(max(logger.level, logging.WARNING))
    logging.getLogger("py_clob_client_v2").setLevel(logging.CRITICAL)
