"""Checks that read the venue: whether it answers, its clock and version, this place, the wallet, the account."""

from __future__ import annotations

import msgspec

from polymarket_agent.adapters.polymarket.reader import HttpReader, ReadPolicy
from polymarket_agent.cli.doctor_case import Case
from polymarket_agent.cli.doctor_findings import Finding, bad, fine, odd
from polymarket_agent.errors import AgentError, LiveLockedError, VenueDataError, VenueError

__all__ = [
    "check_closed_only",
    "check_credentials",
    "check_market_data",
    "check_mode",
    "check_place",
    "check_reach",
    "check_version",
    "check_wallet",
    "remedy_of",
]

ONCE = ReadPolicy(attempts=2, timeout_s=5.0, wait_initial_s=0.2, wait_max_s=0.5)

_SKEW_S = 5.0  # from here on the agent refuses entries
_SAMPLES = 3
_ORDER_VERSION = 2
_UPDATE = "pip install -U 'polymarket-agent[live]'"


class _Place(msgspec.Struct):
    blocked: bool
    country: str | None = None
    region: str | None = None


async def check_reach(case: Case) -> list[Finding]:
    """Ask for the venue's time, and set it against ours. The venue tells whole seconds."""
    from polymarket_agent.adapters.polymarket.account_answers import parse_time

    samples: list[tuple[float, int]] = []
    async with HttpReader(case.config.feed.clob_url, policy=ONCE) as reader:
        for _ in range(_SAMPLES):
            before_ms = case.clock.now_ms()
            theirs_ms = parse_time(await reader.get("/time"))
            after_ms = case.clock.now_ms()
            samples.append(((before_ms + after_ms) / 2 - (theirs_ms + 500), after_ms - before_ms))
    skew_s = min((skew for skew, _ in samples), key=abs) / 1_000
    round_ms = min(took for _, took in samples)
    said = f"{case.config.feed.clob_url} answers in {round_ms} ms"
    reached = fine("venue", said, round_trip_ms=round_ms)
    clock = f"{skew_s:+.1f} s from the venue's, give or take 0.5 s"
    if abs(skew_s) <= _SKEW_S:
        return [reached, fine("clock", clock, skew_s=round(skew_s, 1))]
    cause = "logins and orders carry the time, so the venue may refuse them; beyond 5 s the agent opens nothing"
    fix = "set this machine's clock: turn on time synchronisation (timedatectl set-ntp true)"
    if case.live:
        return [reached, bad("clock", clock, cause=cause, fix=fix, skew_s=round(skew_s, 1))]
    return [
        reached,
        odd("clock", clock, cause="market data looks old or new by that much", fix=fix, skew_s=round(skew_s, 1)),
    ]


async def check_market_data(case: Case) -> list[Finding]:
    """Find the markets of the config's feed section."""
    from polymarket_agent.cli.feeds import watched

    data, found, groups = await watched(case.config)
    await data.aclose()
    case.markets = list(found)
    kinds = _kinds_of(case)
    said = f"{len(found)} open markets by {case.config.feed.source.value}, the most traded is '{found[0].slug}'"
    return [fine("market data", said, markets=len(found), groups=len(groups), kinds=kinds)]


def _kinds_of(case: Case) -> dict[str, int]:
    """Count the markets by the exchange contract that their orders go to."""
    from polymarket_agent.domain.market import ProtocolVersion

    counts = {"standard": 0, "neg-risk": 0, "v2": 0}
    for market in case.markets:
        newer = market.version is ProtocolVersion.V2
        counts["v2" if newer else "neg-risk" if market.neg_risk else "standard"] += 1
    return counts


async def check_version(case: Case) -> list[Finding]:
    """Compare the version in which the venue takes orders with the one that we sign."""
    from polymarket_agent.adapters.polymarket.account_answers import parse_version

    async with HttpReader(case.config.feed.clob_url, policy=ONCE) as reader:
        version = parse_version(await reader.get("/version"))
    kinds = _kinds_of(case)
    listed = ", ".join(f"{number} {kind}" for kind, number in kinds.items() if number) or "no market"
    said = f"orders of version {version}; the config's markets: {listed}"
    if version != _ORDER_VERSION:
        cause = f"this program signs version {_ORDER_VERSION}, which the venue would refuse"
        return [bad("order version", said, cause=cause, fix=f"{_UPDATE}; until then trade on paper", version=version)]
    return [fine("order version", said, version=version, kinds=kinds)]


async def check_place(case: Case) -> list[Finding]:
    """Ask the venue whether it takes orders from this place. What it says is obeyed."""
    from polymarket_agent.adapters.polymarket.outcomes import cleaned

    async with HttpReader(case.config.live.geoblock_url, policy=ONCE) as reader:
        body = await reader.get("")
    try:
        place = msgspec.json.decode(body, type=_Place)
    except (msgspec.MsgspecError, ValueError) as error:
        raise VenueDataError("the venue does not say whether this place may trade") from error
    country = cleaned(place.country or "")[:40]
    where = f" ({country})" if country else ""
    if not place.blocked:
        return [fine("place", f"the venue takes orders from here{where}", country=country, blocked=False)]
    said = f"the venue takes no orders from here{where}"
    fix = "set mode: paper, which works everywhere; the agent keeps to what the venue says"
    return [bad("place", said, cause="its rules for this country", fix=fix, country=country, blocked=True)]


async def check_wallet(case: Case) -> list[Finding]:
    """Find out which wallet the key trades for, as the environment says or as the relayer shows."""
    from polymarket_agent.adapters.polymarket.identity import (
        FUNDER_VARIABLE,
        SIGNATURE_TYPE_VARIABLE,
        detect_identity,
        identity_note,
        identity_settings,
        relayer_check,
    )
    from polymarket_agent.adapters.polymarket.wallets import address_of

    assert case.key is not None
    assert case.urls is not None
    funder, signature_type = identity_settings(case.environ)
    check = relayer_check(case.urls.relayer)
    identity = await detect_identity(
        address_of(case.key), funder=funder, signature_type=signature_type, is_deployed=check
    )
    case.identity = identity
    how = "as given by the environment" if funder or signature_type is not None else "as the relayer shows"
    details = {"wallet": identity.wallet, "kind": identity.kind.name, "signature_type": identity.kind.value}
    said = f"{identity.kind.name.lower()} wallet {identity.wallet} (type {identity.kind.value}), {how}"
    note = identity_note(identity)
    if note:
        fix = (
            f"if you have a wallet on the venue's site, set {FUNDER_VARIABLE} to its address and "
            f"{SIGNATURE_TYPE_VARIABLE} to its type"
        )
        return [odd("wallet", said, cause=note, fix=fix, **details)]
    return [fine("wallet", said, **details)]


async def check_credentials(case: Case) -> list[Finding]:
    """Log in: have the venue create or derive the API credentials of the key, and take them."""
    from polymarket_agent.adapters.polymarket.gateways import build_gateway

    assert case.key is not None
    assert case.urls is not None
    client = case.config.live.client.value
    gateway = build_gateway(client, case.urls, case.key, case.wallet, case.clock)
    try:
        case.facts = await gateway.connect()
    except BaseException:
        await gateway.aclose()
        raise
    case.gateway = gateway
    said = f"the venue gave API credentials for the key (id {case.facts.api_key_id[:8]}…), by '{client}'"
    return [fine("credentials", said, client=client)]


async def check_closed_only(case: Case) -> list[Finding]:
    """Ask whether the account may open positions. What the venue says is obeyed."""
    flags = await case.account.account_flags()
    if flags.closed_only:
        said = "the account may only reduce what it holds"
        fix = "ask the venue's support why; sell or redeem what is held, or set mode: paper"
        return [bad("account", said, cause="the venue has set it to closed-only", fix=fix, closed_only=True)]
    return [fine("account", "may open and close positions", closed_only=False)]


async def check_mode(case: Case) -> list[Finding]:
    """See what reads show of the venue's mode, and what is open there."""
    from polymarket_agent.adapters.polymarket.remedies import remedy_for

    try:
        found = await case.account.open_orders()
    except LiveLockedError:
        raise
    except VenueError as error:
        text = str(error)
        known = remedy_for(425 if "425" in text else None, text)
        fix = known.fix if known else "wait a few minutes; the agent goes on by itself when the venue does"
        return [odd("venue mode", f"open orders cannot be read: {text}", cause="the venue may be restarting", fix=fix)]
    said = f"normal as far as reads show; {len(found)} open orders of this wallet"
    note = "post-only and cancel-only modes show only in the answer to an order"
    return [fine("venue mode", said, open_orders=len(found), note=note)]


def remedy_of(error: AgentError) -> str:
    """Return what can be done about an error: its own hint, or what is known of the venue's words."""
    from polymarket_agent.adapters.polymarket.remedies import remedy_for

    if error.hint:
        return error.hint
    known = remedy_for(None, str(error).rpartition(": ")[2])
    return known.fix if known else ""
