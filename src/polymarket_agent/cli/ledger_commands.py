"""Commands that read a ledger: status, report, orders, fills, positions, signals. They load no key and send nothing."""

from __future__ import annotations

from enum import Enum
from typing import Annotated, Any

import typer

from polymarket_agent.cli.common import (
    ConfigOption,
    DbOption,
    JsonOption,
    LimitOption,
    command,
    ledger_path,
    print_json,
    print_table,
    safe_text,
)

__all__ = ["register"]


class Verdict(Enum):
    """What became of a signal."""

    APPROVED = "approved"
    REFUSED = "refused"
    UNSIZED = "unsized"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(status)
    app.command()(report)
    app.command()(orders)
    app.command()(fills)
    app.command()(positions)
    app.command()(signals)


@command
def status(config: ConfigOption = None, db: DbOption = None, as_json: JsonOption = False) -> None:
    """Show where the agent stands: the last run, money, today's loss, limits; live also its state and what is open."""
    from polymarket_agent import views
    from polymarket_agent.cli.agent_process import running_agent
    from polymarket_agent.clock import SystemClock
    from polymarket_agent.db import open_for_reading
    from polymarket_agent.ledger.control import is_killed

    path = ledger_path(db, config)
    with open_for_reading(path) as connection:
        found = views.status(connection)
        live = views.live_status(connection, SystemClock().now_ms())
    found["agent"] = running_agent(path)
    found["live"] = {**live, "kill_file": is_killed(path)} if live["wallet"] is not None else None
    if as_json:
        print_json({"ledger": str(path), **found})
        return
    run = found["run"]
    typer.echo(f"ledger          {path}")
    if run is None:
        typer.echo("no run yet")
        return
    typer.echo(f"run {run['run_id']:<11} {run['mode']} on {safe_text(run['feed'])}, {run['state']}")
    typer.echo(f"last event      {run['last_event']}  ({run['events']} events)")
    typer.echo(f"equity          {found['equity_usdc']} USDC  (PnL {found['pnl_usdc']}, cash {found['cash_usdc']})")
    limit = found["limits"].get("max_daily_loss", "?")
    typer.echo(f"daily loss      {found['daily_loss_usdc']} of {limit} USDC  (day {found['day']} UTC)")
    limit = found["limits"].get("max_open_orders", "?")
    typer.echo(f"open orders     {found['open_orders']} of {limit}")
    typer.echo(
        f"open positions  {found['open_positions']}, at most {found['limits'].get('max_position_size')} USDC each"
    )
    typer.echo(f"strategies      {', '.join(found['strategies']) or 'none'}")
    agent = found["agent"]
    typer.echo(f"agent           {f'runs, process {agent}' if agent else 'does not run'}")
    if found["live"] is not None:
        _print_live(found["live"])
    for notice in found["notices"]:
        typer.echo(f"{notice['at']} {notice['level']}: {notice['event']} {safe_text(notice['detail'])}")


def _print_live(live: dict[str, Any]) -> None:
    typer.echo(f"wallet          {live['wallet']} at {safe_text(live['venue'])}")
    typer.echo(f"state           {live['state']}{', and the kill file is there' if live['kill_file'] else ''}")
    for each in live["causes"]:
        typer.echo(f"  {each['state']} since {each['since']}: {each['cause']} {safe_text(each['detail'])}")
    states = ", ".join(f"{name.lower()} {number}" for name, number in live["orders_by_state"].items()) or "none"
    typer.echo(f"possibly open   {states}")
    for each in live["orders_not_proven"]:
        what = f"{each['side']} {each['shares']} at {each['price']}, {safe_text(each['market'])}"
        typer.echo(f"  {each['state']} for {each['age_s']} s: {each['order_id']} {what}")
    typer.echo(f"unsettled       {len(live['unsettled_fills'])} fills")
    for each in live["unsettled_fills"]:
        what = f"{each['side']} {each['shares']} at {each['price']}"
        typer.echo(f"  {safe_text(each['settlement'])} for {each['age_s']} s: {safe_text(each['trade_id'])} {what}")
    age = f"  ({live['last_clean_round_age_s']} s ago)" if live["last_clean_round"] else ""
    typer.echo(f"last clean look {live['last_clean_round'] or 'never'}{age}")
    typer.echo(f"limits          hash {live['limits_hash']}; see: polymarket-agent limits")


@command
def report(config: ConfigOption = None, db: DbOption = None, as_json: JsonOption = False) -> None:
    """Show what it came to, with every sum that you can check, split by evidence and strategy."""
    from polymarket_agent import views
    from polymarket_agent.db import open_for_reading

    path = ledger_path(db, config)
    with open_for_reading(path) as connection:
        found = views.report(connection)
    if as_json:
        print_json({"ledger": str(path), **found})
        return
    _print_report(found)


def _print_report(found: dict[str, Any]) -> None:
    typer.echo("Profit and loss, USDC")
    lines = [
        ("  deposits", found["deposits_usdc"]),
        ("+ realised, before fees", found["realised_before_fees_usdc"]),
        ("- fees", found["fees_usdc"]),
        ("+ unrealised: value - cost of what is held", found["unrealised_usdc"]),
        ("= equity", found["equity_usdc"]),
        ("  profit (equity - deposits)", found["pnl_usdc"]),
        ("  deepest fall of equity", found["drawdown_usdc"]),
    ]
    for label, value in lines:
        typer.echo(f"{label:<46}{_six(value):>16}")
    typer.echo("")
    columns = ("name", "fills", "shares", "notional_usdc", "fees_usdc", "pnl_usdc")
    for title, key in (
        ("By evidence; a round trip counts under its weaker fill", "by_evidence"),
        ("By strategy", "by_strategy"),
    ):
        rows = [{"name": name, **values} for name, values in found[key].items()]
        print_table(rows, columns, empty=f"{title}: no fills", title=title)
        typer.echo("")
    typer.echo(f"rounding left over by the splits{_six(found['rounding_usdc']):>30}")
    typer.echo("")
    for title, key in (
        ("Orders", "orders_by_state"),
        ("Closed because", "closing_reasons"),
        ("Signals", "signals_by_verdict"),
        ("Refused by rule", "refusals_by_rule"),
    ):
        counts = ", ".join(f"{safe_text(name)} {number}" for name, number in found[key].items()) or "none"
        typer.echo(f"{title:<16}{counts}")
    for resolution in found["resolutions"]:
        paid = ", ".join(f"{safe_text(label)} {amount}" for label, amount in resolution["payouts"].items())
        typer.echo(f"{'Resolved':<16}{safe_text(resolution['market'])} ({paid}): {resolution['received_usdc']} USDC")
    if found["fees_assumed_markets"]:
        typer.echo(f"{'Note':<16}fees are assumed (7 % schedule) in {found['fees_assumed_markets']} traded markets")
    typer.echo("")
    for label, good in found["checks"].items():
        typer.echo(f"{'ok' if good else 'WRONG':<6}{label}")
    if not all(found["checks"].values()):
        raise typer.Exit(1)


def _six(value: str) -> str:
    whole, _, part = value.partition(".")
    return f"{whole}.{part:0<6}"


@command
def orders(
    config: ConfigOption = None,
    db: DbOption = None,
    limit: LimitOption = 20,
    live: Annotated[bool, typer.Option("--open", help="Only those that may still be matched.")] = False,
    as_json: JsonOption = False,
) -> None:
    """List orders, newest first."""
    from polymarket_agent import views

    rows = _read(db, config, lambda connection: views.orders(connection, limit=limit, live_only=live))
    columns = ("created", "order_id", "state", "strategy", "market", "outcome", "side", "price", "shares",
               "matched_shares", "time_in_force", "reason")  # fmt: skip
    narrow = ("created", "state", "outcome", "side", "price", "shares", "matched_shares", "reason")
    _show(rows, columns, "no orders", as_json=as_json, narrow=narrow)


@command
def fills(
    config: ConfigOption = None, db: DbOption = None, limit: LimitOption = 20, as_json: JsonOption = False
) -> None:
    """List fills, newest first, each with the evidence for it."""
    from polymarket_agent import views

    rows = _read(db, config, lambda connection: views.fills(connection, limit=limit))
    columns = (
        "at",
        "order_id",
        "strategy",
        "market",
        "outcome",
        "side",
        "price",
        "shares",
        "fee_usdc",
        "role",
        "evidence",
        "settlement",
    )
    narrow = ("at", "outcome", "side", "price", "shares", "fee_usdc", "role", "settlement")
    _show(rows, columns, "no fills", as_json=as_json, narrow=narrow)


@command
def positions(config: ConfigOption = None, db: DbOption = None, as_json: JsonOption = False) -> None:
    """List what is held, at cost and at what selling it would bring."""
    from polymarket_agent import views

    rows = _read(db, config, views.positions)
    columns = ("market", "outcome", "shares", "average_price", "cost_usdc", "value_usdc", "unrealised_usdc", "priced")
    _show(rows, columns, "nothing is held", as_json=as_json)


@command
def signals(
    config: ConfigOption = None,
    db: DbOption = None,
    limit: LimitOption = 20,
    verdict: Annotated[Verdict | None, typer.Option(help="Only these.")] = None,
    as_json: JsonOption = False,
) -> None:
    """List what strategies wished for, newest first, and what became of it."""
    from polymarket_agent import views

    wanted = verdict.value if verdict is not None else None
    rows = _read(db, config, lambda connection: views.signals(connection, limit=limit, verdict=wanted))
    columns = (
        "at",
        "strategy",
        "market",
        "outcome",
        "side",
        "target_price",
        "size_usdc",
        "verdict",
        "rules",
        "refusal",
    )
    _show(rows, columns, "no signals", as_json=as_json)


def _read(db: Any, config: Any, query: Any) -> list[dict[str, Any]]:
    from polymarket_agent.db import open_for_reading

    with open_for_reading(ledger_path(db, config)) as connection:
        found: list[dict[str, Any]] = query(connection)
    return found


def _show(
    rows: list[dict[str, Any]],
    columns: tuple[str, ...],
    empty: str,
    *,
    as_json: bool,
    narrow: tuple[str, ...] = (),
) -> None:
    if as_json:
        print_json(rows)
    else:
        print_table(rows, columns, empty=empty, narrow=narrow)
