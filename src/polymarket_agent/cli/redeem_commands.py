"""The command `redeem`: shows what winning shares and complete sets are worth, and turns them into collateral if told to."""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import TYPE_CHECKING, Annotated, Any

import typer

from polymarket_agent.cli.agent_process import running_agent
from polymarket_agent.cli.common import (
    ConfigOption,
    DbOption,
    JsonOption,
    command,
    effective_config,
    print_json,
    print_table,
    safe_text,
)
from polymarket_agent.cli.control_commands import control_ledger
from polymarket_agent.cli.payouts import Payout, payouts_of
from polymarket_agent.errors import ConfigError, LiveLockedError, VenueError

if TYPE_CHECKING:
    from polymarket_agent.config import Config
    from polymarket_agent.keys import Secret

__all__ = ["RELAYER_KEY_VARIABLE", "register"]

RELAYER_KEY_VARIABLE = "POLYMARKET_RELAYER_API_KEY"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(redeem)


@command
def redeem(
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Send it; without this nothing is sent.")] = False,
    live: Annotated[bool, typer.Option("--live", help="Needed with --yes.")] = False,
    config: ConfigOption = None,
    db: DbOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what can be turned into collateral; with --yes --live and the key, do so."""
    from polymarket_agent import views
    from polymarket_agent.db import open_for_reading

    path = control_ledger(config, db)
    settings = effective_config(config)
    agent = running_agent(path)
    with open_for_reading(path) as connection:
        holdings = views.holdings(connection)
        wallet = views.live_status(connection, 0)["wallet"]
    found = asyncio.run(_payable(settings, holdings)) if holdings else []
    sent: list[dict[str, Any]] = []
    if yes:
        _require_live(settings, live_flag=live)
        sent = asyncio.run(_send(settings, found, wallet=wallet, agent=agent))
    if as_json:
        print_json({"ledger": str(path), "agent": agent, "payable": [each.plain() for each in found], "sent": sent})
    else:
        _print(found, sent, asked=yes, agent=agent)
    if any(each["error"] for each in sent):
        raise typer.Exit(1)


def _print(found: list[Payout], sent: list[dict[str, Any]], *, asked: bool, agent: int | None) -> None:
    columns = ("kind", "market", "sets", "value_usdc")
    print_table([each.plain() for each in found], columns, empty="nothing can be redeemed or merged")
    for each in sent:
        became = f"failed: {each['error']}" if each["error"] else f"done, transaction {each['transaction']}"
        typer.echo(f"{each['kind']} {safe_text(each['market'])}: {safe_text(became)}")
    if sent:
        typer.echo("the ledger books it at its next comparison" + ("" if agent else ", when an agent starts"))
    elif found and not asked:
        typer.echo("nothing was sent; do it with: polymarket-agent redeem --yes --live")


async def _payable(settings: Config, holdings: list[dict[str, Any]]) -> list[Payout]:
    """Ask the venue's public lists how the markets of what is held stand; needs no key."""
    from polymarket_agent.cli.market_commands import market_data
    from polymarket_agent.ports import MarketQuery

    conditions = tuple(sorted({each["condition_id"] for each in holdings}))
    held = {each["asset_id"]: each["quantity"] for each in holdings}
    promised = {each["asset_id"]: each["promised"] for each in holdings}
    data = market_data(settings, None)
    try:
        query = MarketQuery(condition_ids=conditions, open_only=False, limit=len(conditions))
        markets = await data.markets(query)
    finally:
        await data.aclose()
    return payouts_of(markets, held, promised)


def _require_live(settings: Config, *, live_flag: bool) -> None:
    from polymarket_agent.cli.unlock import require_live_unlocked

    if not require_live_unlocked(settings, live_flag=live_flag):
        raise LiveLockedError("the config says mode: paper, so nothing was sent", hint="set mode: live, give --live")


def _relayer_key() -> Secret:
    from polymarket_agent.keys import Secret

    text = os.environ.get(RELAYER_KEY_VARIABLE, "").strip()
    if not text:
        raise LiveLockedError(
            "no relayer key is given, and redemptions go through the venue's relayer",
            hint=f"make one on the venue's site (settings, API keys) and set {RELAYER_KEY_VARIABLE}, or redeem there",
        )
    return Secret(text)


async def _send(
    settings: Config, found: list[Payout], *, wallet: str | None, agent: int | None
) -> list[dict[str, Any]]:
    """Redeem and merge one after the other. Merges wait for an agent to end: it could be selling the same shares."""
    from polymarket_agent.adapters.polymarket.gateway import open_payouts
    from polymarket_agent.adapters.polymarket.gateways import urls_of
    from polymarket_agent.cli.unlock import identity_of, key_of
    from polymarket_agent.ledger.lease import WalletLock

    key, relayer_key = key_of(settings), _relayer_key()
    identity = await identity_of(settings, key)
    if wallet is None or wallet.lower() != identity.wallet.lower():
        raise ConfigError(
            f"the ledger belongs to wallet {wallet}, the key to {identity.wallet}", hint="name the right one with --db"
        )
    sent: list[dict[str, Any]] = []
    with contextlib.nullcontext() if agent is not None else WalletLock(identity.wallet):
        payouts = await open_payouts(urls_of(settings).by_client_name(), key, identity, relayer_key)
        try:
            for each in found:
                done = {**each.plain(), "transaction": "", "error": ""}
                sent.append(done)
                if each.amount and agent is not None:
                    done["error"] = f"an agent runs (process {agent}); stop it first"
                    continue
                try:
                    condition = each.market.condition_id
                    done["transaction"] = await (
                        payouts.merge(condition, each.amount) if each.amount else payouts.redeem(condition)
                    )
                except VenueError as error:
                    done["error"] = str(error)
        finally:
            await payouts.aclose()
    return sent
