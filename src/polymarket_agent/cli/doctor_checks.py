"""The order of the examination: what is looked at, what has to stand before it, and what paper trading does not need.

A check whose base is broken is not run, so that one cause gives one problem and not ten.
"""

from __future__ import annotations

import asyncio
import inspect
import os
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from polymarket_agent.cli import doctor_here, doctor_local, doctor_money, doctor_streams, doctor_venue
from polymarket_agent.cli.doctor_case import Case
from polymarket_agent.cli.doctor_findings import Finding, Verdict, bad, skipped
from polymarket_agent.errors import AgentError

__all__ = ["CHECKS", "PAPER_NEEDS_NONE", "Check", "examine"]

PAPER_NEEDS_NONE = "paper trading needs none"
_WITHIN_S = 40.0


class Check(NamedTuple):
    """One step: its name, what it does, which checks must have gone well before, and whether only live needs it."""

    name: str
    look: Callable[[Case], list[Finding] | Awaitable[list[Finding]]]
    needs: tuple[str, ...] = ()
    live_only: bool = False


CHECKS = (
    Check("config", doctor_local.check_config),
    Check("limits", doctor_local.check_limits, ("config",)),
    Check("strategies", doctor_local.check_strategies, ("config",)),
    Check("libraries", doctor_local.check_libraries, ("config",), live_only=True),
    Check("key", doctor_local.check_key, ("libraries",), live_only=True),
    Check("hosts", doctor_local.check_hosts, ("config",)),
    Check("venue", doctor_venue.check_reach, ("hosts",)),
    Check("market data", doctor_venue.check_market_data, ("venue",)),
    Check("order version", doctor_venue.check_version, ("venue",), live_only=True),
    Check("place", doctor_venue.check_place, ("hosts",), live_only=True),
    Check("wallet", doctor_venue.check_wallet, ("key", "venue"), live_only=True),
    Check("credentials", doctor_venue.check_credentials, ("wallet", "clock", "order version"), live_only=True),
    Check("account", doctor_venue.check_closed_only, ("credentials",), live_only=True),
    Check("venue mode", doctor_venue.check_mode, ("credentials",), live_only=True),
    Check("balance", doctor_money.check_cash, ("credentials",), live_only=True),
    Check("allowance", doctor_money.check_allowances, ("credentials",), live_only=True),
    Check("market stream", doctor_streams.check_market_stream, ("market data",)),
    Check("user stream", doctor_streams.check_user_stream, ("credentials",), live_only=True),
    Check("ledger", doctor_here.check_ledger, ("config",)),
    Check("locks", doctor_here.check_locks, ("config",)),
    Check("disk", doctor_here.check_disk, ("config",)),
)


async def examine(case: Case, told: Callable[[str], None] = lambda _: None) -> list[Finding]:
    """Run every check that can be run and return what was found, in order. Sends no order and changes nothing.

    In live mode it logs in, which makes the API credentials of the key if there are none.

    Args:
        case: the config and what may be asked; it learns as the checks go.
        told: called with the name of each check before it runs.
    """
    found: list[Finding] = []
    broken: set[str] = set()
    try:
        for check in CHECKS:
            if check.live_only and not case.live and case.settings is not None:
                found.append(skipped(check.name, PAPER_NEEDS_NONE))
                continue
            waits = [each for each in check.needs if each in broken]
            if waits:
                broken.add(check.name)
                found.append(skipped(check.name, f"waits for: {', '.join(waits)}"))
                continue
            told(check.name)
            results = await _run(check, case)
            found += results
            broken |= {each.check for each in results if each.verdict is Verdict.PROBLEM}
    finally:
        if case.gateway is not None:
            await case.gateway.aclose()
    return found


async def _run(check: Check, case: Case) -> list[Finding]:
    try:
        async with asyncio.timeout(_WITHIN_S):
            found = check.look(case)
            return await found if inspect.isawaitable(found) else found
    except AgentError as error:
        return [bad(check.name, str(error), fix=doctor_venue.remedy_of(error))]
    except TimeoutError:
        return [bad(check.name, f"no result within {_WITHIN_S:g} s", fix="check the connection; try again")]
    except Exception as error:
        if os.environ.get("POLYMARKET_AGENT_DEBUG"):
            raise
        # Its text is not shown: who knows what an unforeseen error quotes.
        fix = "this is a defect; run it again with POLYMARKET_AGENT_DEBUG=1 and report what it prints"
        return [bad(check.name, f"the check itself failed: {type(error).__name__}", fix=fix)]
