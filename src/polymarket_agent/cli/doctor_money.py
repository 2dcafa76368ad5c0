"""What the wallet has, and whom it lets take it: one finding for each exchange contract. Nothing is approved here."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from polymarket_agent.cli.doctor_case import Case
from polymarket_agent.cli.doctor_findings import Finding, bad, fine, odd, skipped
from polymarket_agent.cli.doctor_venue import ONCE
from polymarket_agent.domain.money import Usdc, display
from polymarket_agent.errors import VenueError

__all__ = ["SPENDERS", "Spender", "check_allowances", "check_cash"]

_COLLATERAL = "0xC011a7E12a19f7B1f670D46F03B03f3342E82DFB"
_TOKENS_V1 = "0x4D97DCd97eC945f40cF65F87097ACe5EA0476045"
_TOKENS_V2 = "0x006F54F7f9A22e0000CC2ab60031000000ae9fEF"
_LITTLE = 5_000_000  # micro-USDC: what the smallest resting order costs at most
_ON_THE_SITE = (
    "log in on polymarket.com with this wallet and trade or 'enable trading' once; its site asks you to sign the "
    "approvals. polymarket-agent never approves anything"
)


class Spender(NamedTuple):
    """A contract that must be allowed to take pUSD for buys, and tokens for sales, of some markets."""

    name: str
    kind: str
    address: str
    tokens: str
    tokens_name: str


# Source: ../shared/spec/polymarket-wire.md, sections 3.4 and 4.1.
SPENDERS = (
    Spender(
        "standard exchange", "standard", "0xE111180000d2663C0091e4f400237545B87B996B", _TOKENS_V1, "outcome tokens"
    ),
    Spender(
        "neg-risk exchange", "neg-risk", "0xe2222d279d744050d28e00520010520000310F59", _TOKENS_V1, "outcome tokens"
    ),
    Spender("v2 exchange", "v2", "0xe3333700cA9d93003F00f0F71f8515005F6c00Aa", _TOKENS_V2, "position tokens"),
)


class _Approval(msgspec.Struct):
    token: str
    spender: str
    approved: bool = False


class _Listed(msgspec.Struct):
    contracts: list[_Approval]


class _Approvals(msgspec.Struct):
    data: _Listed


async def check_cash(case: Case) -> list[Finding]:
    """Compare the wallet's pUSD with what the limits would spend."""
    case.balances = balances = await case.account.balances([])
    risk = case.config.risk
    said = f"{display(balances.cash)} pUSD in {case.wallet.wallet}"
    details = {"pusd": display(balances.cash, 6).replace(",", "")}
    if balances.cash < _LITTLE:
        cause = "the venue's smallest resting order is mostly 5 shares, which cost up to 5 pUSD"
        fix = f"deposit pUSD into {case.wallet.wallet} on the venue's site; see that it is the wallet that you funded"
        return [bad("balance", said, cause=cause, fix=fix, **details)]
    if balances.cash < risk.max_total_exposure:
        limit = f"risk.max_total_exposure is {display(Usdc(risk.max_total_exposure))}"
        return [fine("balance", f"{said}; {limit}, so the balance is the tighter bound", **details)]
    return [fine("balance", said, **details)]


async def check_allowances(case: Case) -> list[Finding]:
    """Say for each exchange which orders would fail for want of an approval, by contract and address."""
    balances = case.balances or await case.account.balances([])
    allowances = {spender.lower(): amount for spender, amount in balances.allowances.items()}
    try:
        sales = await _approvals(case)
        unread = ""
    except VenueError as error:
        sales, unread = {}, str(error)
    watched = {_kind(neg_risk=market.neg_risk, version=market.version.value) for market in case.markets}
    found = [_exchange(each, allowances, sales, watched) for each in SPENDERS]
    if unread:
        found.append(skipped("approvals of sales", f"the data service cannot be read: {unread}"))
    return found


def _kind(*, neg_risk: bool, version: str) -> str:
    return "v2" if version == "v2" else "neg-risk" if neg_risk else "standard"


async def _approvals(case: Case) -> dict[tuple[str, str], bool]:
    """Ask the data service which token may be taken by whom."""
    from polymarket_agent.adapters.polymarket.reader import HttpReader
    from polymarket_agent.errors import VenueDataError

    async with HttpReader(case.config.live.data_url, policy=ONCE) as reader:
        body = await reader.get("/v2/approvals", {"user": case.wallet.wallet})
    try:
        rows = msgspec.json.decode(body, type=_Approvals).data.contracts
    except (msgspec.MsgspecError, ValueError) as error:
        raise VenueDataError("its list of approvals is malformed") from error
    return {(row.token.lower(), row.spender.lower()): row.approved for row in rows}


def _exchange(
    spender: Spender, allowances: dict[str, int], sales: dict[tuple[str, str], bool], watched: set[str]
) -> Finding:
    """Return how one exchange stands: a problem where the config's markets need it."""
    check = f"allowance: {spender.name}"
    may_take = allowances.get(spender.address.lower(), 0)
    may_sell = sales.get((spender.tokens.lower(), spender.address.lower()))
    missing = []
    if may_take < _LITTLE:
        missing.append(f"buys: it may take {display(Usdc(may_take))} pUSD ({_COLLATERAL})")
    if may_sell is False:
        missing.append(f"sales: it may take no {spender.tokens_name} ({spender.tokens})")
    details = {
        "spender": spender.address,
        "pusd_allowance": str(may_take),
        "may_take_tokens": may_sell,
        "tokens": spender.tokens,
        "needed": spender.kind in watched,
    }
    if not missing:
        said = f"{spender.address} may take pUSD for buys"
        said += f" and {spender.tokens_name} for sales" if may_sell else "; sales not checked"
        return fine(check, said, **details)
    said = f"{spender.address} lacks an approval for {' and for '.join(missing)}"
    cause = f"in {spender.kind} markets these orders would be refused: not enough balance / allowance"
    if spender.kind in watched:
        return bad(check, said, cause=cause, fix=_ON_THE_SITE, **details)
    cause += "; the config's feed has none of them now"
    return odd(check, said, cause=cause, fix=_ON_THE_SITE, **details)
