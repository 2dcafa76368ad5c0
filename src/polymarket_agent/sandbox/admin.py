"""The hand of the operator: modes, money, markets and faults, by HTTP on loopback under /admin.

Amounts are decimal text, prices too. Every call answers the state that it left behind or a sentence about what is wrong.
"""

from __future__ import annotations

from typing import Any

from aiohttp import web

from polymarket_agent.domain.market import AssetId, ConditionId, Market
from polymarket_agent.domain.money import decimal_text, price, shares, usdc
from polymarket_agent.errors import AgentError
from polymarket_agent.sandbox.admin_state import books_of, state
from polymarket_agent.sandbox.keccak import address_bytes, checksum
from polymarket_agent.sandbox.limits import TIERS, Buckets
from polymarket_agent.sandbox.model import Mode, Refused
from polymarket_agent.sandbox.routes_common import RefusedError, body_of, reply, venue_of
from polymarket_agent.sandbox.venue import Venue

__all__ = [
    "ROUTES",
    "account",
    "add_fault",
    "approve",
    "ban",
    "check",
    "choices",
    "clear_faults",
    "delay",
    "fault_report",
    "fund",
    "give",
    "life",
    "limits",
    "mode",
    "show",
    "tick",
]

ROUTES = web.RouteTableDef()


def _bad(text: str) -> RefusedError:
    return RefusedError(Refused(400, text))


async def _asked(request: web.Request) -> tuple[Venue, dict[str, Any]]:
    if request.headers.get("Origin"):
        raise RefusedError(Refused(403, "the admin port is not for web pages"))
    venue, body = venue_of(request), await body_of(request)
    venue.turn()
    if not isinstance(body, dict):
        raise _bad("a JSON object is expected")
    return venue, body


def _text(body: dict[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise _bad(f"'{name}' must be text")
    return value


def _wallet(body: dict[str, Any], name: str = "wallet") -> str:
    try:
        return checksum(address_bytes(_text(body, name)))
    except ValueError as error:
        raise _bad(str(error)) from error


def _market(venue: Venue, body: dict[str, Any]) -> Market:
    """Return the market named by its condition id, slug or an asset id."""
    name = _text(body, "market")
    found = venue.market(name) or venue.market_by_asset(name)
    for market in venue.exchange.markets.values():
        if found is None and market.slug == name:
            found = market
    if found is None:
        raise _bad(f"there is no market '{name}'; GET /admin/state lists them")
    return found


def _payouts(body: dict[str, Any]) -> tuple[int, int]:
    pair = body.get("payouts")
    if not isinstance(pair, list) or len(pair) != 2:
        raise _bad("'payouts' must be a pair such as ['1', '0'] or ['0.5', '0.5']")
    try:
        first, second = (usdc(str(each)) for each in pair)
    except AgentError as error:
        raise _bad(str(error)) from error
    if first + second != usdc(1) or min(first, second) < 0:
        raise _bad("'payouts' must share out 1")
    return first, second


def _amount(body: dict[str, Any], name: str) -> int:
    try:
        return int(usdc(str(body.get(name))))
    except AgentError as error:
        raise _bad(str(error)) from error


def _done(venue: Venue) -> web.Response:
    venue.publish()
    return reply(state(venue))


@ROUTES.get("/admin/state")
async def show(request: web.Request) -> web.Response:
    """Return the state of the venue."""
    venue = venue_of(request)
    venue.turn()
    return reply(state(venue))


@ROUTES.get("/admin/account/{wallet}")
async def account(request: web.Request) -> web.Response:
    """Return what the exchange has of a wallet, to the base unit: cash, shares, orders, legs of trades."""
    venue = venue_of(request)
    venue.turn()
    return reply(books_of(venue, request.match_info["wallet"]))


@ROUTES.get("/admin/check")
async def check(request: web.Request) -> web.Response:
    """Check that cash and shares are conserved to the base unit."""
    venue = venue_of(request)
    venue.turn()
    try:
        venue.exchange.check()
    except AssertionError as error:
        return reply({"conserved": False, "error": str(error)}, 500)
    return reply({"conserved": True})


@ROUTES.post("/admin/mode")
async def mode(request: web.Request) -> web.Response:
    """Set the mode: {"mode": "normal|restarting|post_only|cancel_only|disabled", "retry_after_s": 90}."""
    venue, body = await _asked(request)
    try:
        wanted = Mode(_text(body, "mode"))
    except ValueError:
        raise _bad(f"'mode' must be one of {', '.join(each.value for each in Mode)}") from None
    for_s = body.get("retry_after_s")
    if not isinstance(for_s, int | None) or isinstance(for_s, bool):
        raise _bad("'retry_after_s' must be a whole number")
    venue.exchange.set_mode(wanted, venue.now_ms(), retry_after_s=for_s)
    return _done(venue)


@ROUTES.post("/admin/fund")
async def fund(request: web.Request) -> web.Response:
    """Pay collateral in: {"wallet", "amount"}; negative pays out."""
    venue, body = await _asked(request)
    wallet, amount = _wallet(body), _amount(body, "amount")
    if amount >= 0:
        venue.exchange.fund(wallet, usdc(decimal_text(amount)))
    else:
        refused = venue.exchange.withdraw(wallet, usdc(decimal_text(-amount)))
        if refused is not None:
            raise RefusedError(refused)
    return _done(venue)


@ROUTES.post("/admin/approve")
async def approve(request: web.Request) -> web.Response:
    """Give a wallet every approval and put its code on chain: {"wallet"}; {"amount"} limits the exchanges' allowance."""
    venue, body = await _asked(request)
    wallet = _wallet(body)
    if "amount" in body:
        venue.exchange.approve(wallet, "all", _amount(body, "amount"))
    else:
        venue.chain.deploy(wallet)
        venue.chain.approve_all(wallet)
    return _done(venue)


@ROUTES.post("/admin/give")
async def give(request: web.Request) -> web.Response:
    """Give shares: {"wallet", "asset_id", "shares"}."""
    venue, body = await _asked(request)
    asset_id = AssetId(_text(body, "asset_id"))
    if venue.market_by_asset(asset_id) is None:
        raise _bad("no market has that asset")
    venue.exchange.give_shares(_wallet(body), asset_id, shares(decimal_text(_amount(body, "shares"))))
    return _done(venue)


@ROUTES.post("/admin/tick")
async def tick(request: web.Request) -> web.Response:
    """Change a price grid: {"market", "tick_size"}."""
    venue, body = await _asked(request)
    market = _market(venue, body)
    try:
        venue.exchange.set_tick_size(market.condition_id, price(_text(body, "tick_size")), venue.now_ms())
    except AgentError as error:
        raise _bad(str(error)) from error
    return _done(venue)


@ROUTES.post("/admin/{step:close|propose|dispute|resolve}")
async def life(request: web.Request) -> web.Response:
    """Take a market on: {"market", "payouts"}; closing and disputing need no payouts."""
    venue, body = await _asked(request)
    market, now_ms, step = _market(venue, body), venue.now_ms(), request.match_info["step"]
    condition: ConditionId = market.condition_id
    if market.payouts is not None:
        raise _bad("that market is resolved; nothing changes it any more")
    match step:
        case "close":
            venue.exchange.close_market(condition, now_ms)
        case "propose":
            venue.exchange.propose(condition, _payouts(body), now_ms)
        case "dispute":
            venue.exchange.dispute(condition, None, now_ms)
        case _:
            venue.exchange.resolve(condition, _payouts(body), now_ms)
    return _done(venue)


@ROUTES.post("/admin/ban")
async def ban(request: web.Request) -> web.Response:
    """Ban an address: {"address", "closed_only"}; {"lift": true} ends it."""
    venue, body = await _asked(request)
    address = _wallet(body, "address")
    if body.get("lift"):
        venue.exchange.unban(address)
        venue.closed_only.discard(address)
    else:
        closed_only = bool(body.get("closed_only"))
        venue.exchange.ban(address, closed_only=closed_only)
        if closed_only:
            venue.closed_only.add(address)
    return _done(venue)


@ROUTES.post("/admin/delay")
async def delay(request: web.Request) -> web.Response:
    """Let takers wait: {"market", "seconds_delay", "taker_delay"}."""
    venue, body = await _asked(request)
    market, seconds = _market(venue, body), body.get("seconds_delay", 0)
    if not isinstance(seconds, int) or isinstance(seconds, bool) or not 0 <= seconds <= 3600:
        raise _bad("'seconds_delay' must be 0 to 3600")
    venue.exchange.set_delay(market.condition_id, seconds_delay=seconds, taker_delay=bool(body.get("taker_delay")))
    return _done(venue)


@ROUTES.post("/admin/limits")
async def limits(request: web.Request) -> web.Response:
    """Set trading rate limits: {"tier", "enforce"}."""
    venue, body = await _asked(request)
    tier = body.get("tier", venue.buckets.tier.name)
    if tier not in TIERS:
        raise _bad(f"'tier' must be one of {', '.join(TIERS)}")
    venue.buckets = Buckets(tier, enforce=bool(body.get("enforce", venue.buckets.enforce)))
    return _done(venue)


@ROUTES.post("/admin/choices")
async def choices(request: web.Request) -> web.Response:
    """Choose where the venue's ways are not known: {"eoa_allowed", "tells_finished"}; and {"blocked_country"}."""
    venue, body = await _asked(request)
    venue.eoa_allowed = bool(body.get("eoa_allowed", venue.eoa_allowed))
    venue.tells_finished = bool(body.get("tells_finished", venue.tells_finished))
    venue.blocked_country = str(body.get("blocked_country", venue.blocked_country))
    return _done(venue)


@ROUTES.get("/admin/faults")
async def fault_report(request: web.Request) -> web.Response:
    """Return every injected fault, counted and listed."""
    return reply(venue_of(request).injector.report())


@ROUTES.post("/admin/faults")
async def add_fault(request: web.Request) -> web.Response:
    """Add a rule of the plan's vocabulary, such as {"point": "post.answer", "fault": "drop", "nth": 1}."""
    venue, body = await _asked(request)
    try:
        venue.injector.add(body, venue.now_ms())
    except AgentError as error:
        raise _bad(str(error)) from error
    venue.faulty = True
    return reply(venue.injector.report())


@ROUTES.delete("/admin/faults")
async def clear_faults(request: web.Request) -> web.Response:
    """Forget every rule; the report stays."""
    venue = venue_of(request)
    venue.injector.clear()
    venue.faulty = False
    return reply(venue.injector.report())
