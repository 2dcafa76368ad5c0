"""Commands that trade: run and tick."""

from __future__ import annotations

import asyncio
import gc
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from polymarket_agent.cli.common import (
    RUNS_FOLDER,
    ConfigOption,
    DbOption,
    JsonOption,
    command,
    config_file,
    effective_config,
    positive_speed,
    print_json,
    safe_text,
)
from polymarket_agent.cli.unlock import require_live_unlocked
from polymarket_agent.errors import UsageError

if TYPE_CHECKING:
    from polymarket_agent.config import Config
    from polymarket_agent.ports import EventFeed

__all__ = ["register"]

LiveFlag = Annotated[
    bool, typer.Option("--live", help="One of the three locks of live trading; the others are mode: live and a key.")
]
LogOption = Annotated[str, typer.Option("--log-level", help="debug, info, warning or error, to standard error.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(run)
    app.command()(tick)


@command
def run(  # noqa: PLR0913, PLR0917 - one parameter an option
    config: ConfigOption = None,
    feed: Annotated[
        str | None,
        typer.Option("--feed", help="`sandbox`, `demo`, or the path of a recording; else the live market data."),
    ] = None,
    speed: Annotated[
        float | None, typer.Option(help="Replay speed: 1 is real time; absent is as fast as it goes.")
    ] = None,
    markets: Annotated[
        Path | None, typer.Option(help="Gamma JSON with the markets of a recording: names, fees, tick sizes.")
    ] = None,
    db: DbOption = None,
    stop_after: Annotated[float | None, typer.Option("--for", min=0.1, help="Stop after this many seconds.")] = None,
    live: LiveFlag = False,
    log_level: LogOption = "warning",
    as_json: JsonOption = False,
) -> None:
    """Trade until stopped (Ctrl-C) or until the recording ends."""
    from polymarket_agent import log

    if log_level not in log.LEVELS:
        raise UsageError(f"--log-level {log_level} is not one of {', '.join(log.LEVELS)}")
    log.configure(log_level)
    settings = effective_config(config)
    is_live = require_live_unlocked(settings, live_flag=live, feed=feed)
    replay_speed = positive_speed(speed)
    if feed is None and (speed is not None or markets is not None):
        raise UsageError("--speed and --markets belong to a recording; name one with --feed")
    path = _ledger_for(settings, db, feed)

    async def work() -> dict[str, Any]:
        from polymarket_agent.cli.feeds import live_feed, replay_feed

        if is_live:
            from polymarket_agent.cli.live_run import trade_live

            file = config_file(config)
            return await trade_live(settings, path, config_file=file, stop_after=stop_after, quiet=as_json)
        if feed == "sandbox":
            from polymarket_agent.cli.local_exchange import LocalExchange

            async with LocalExchange(speed=replay_speed or 1.0) as exchange:
                local = exchange.configured(settings)
                source, _ = await live_feed(local)
                return await _trade(local, path, source, speed=replay_speed, stop_after=stop_after, quiet=as_json)
        source = (await live_feed(settings))[0] if feed is None else replay_feed(feed, markets, replay_speed)
        return await _trade(settings, path, source, speed=replay_speed, stop_after=stop_after, quiet=as_json)

    if feed not in (None, "sandbox"):
        gc.set_threshold(100_000, 50, 100)  # a replay builds millions of events without cycles
    summary = asyncio.run(work())
    summary["ledger"] = str(path)
    if as_json:
        print_json(summary)
    else:
        _print_summary(summary)


@command
def tick(config: ConfigOption = None, db: DbOption = None, live: LiveFlag = False, as_json: JsonOption = False) -> None:
    """Look at the markets once, decide once, and stop."""
    from polymarket_agent import log

    log.configure("warning")
    settings = effective_config(config)
    is_live = require_live_unlocked(settings, live_flag=live)
    path = _ledger_for(settings, db, None)
    if is_live:
        from polymarket_agent.cli.live_run import tick_live

        summary = asyncio.run(tick_live(settings, path))
    else:
        summary = asyncio.run(_tick(settings, path))
    summary["ledger"] = str(path)
    if as_json:
        print_json(summary)
    else:
        _print_summary(summary)


def _ledger_for(settings: Config, db: Path | None, feed: str | None) -> Path:
    """Return the ledger of a run. A replay that names none gets an empty one of its own under `runs/`."""
    if db is not None:
        return db
    if feed is None or "database" in settings.model_fields_set:
        settings.database.parent.mkdir(parents=True, exist_ok=True)
        return settings.database
    RUNS_FOLDER.mkdir(exist_ok=True)
    path = RUNS_FOLDER / f"{Path(feed).name.split('.')[0] or 'replay'}.db"
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    return path


async def _trade(
    settings: Config, path: Path, source: EventFeed, *, speed: float | None, stop_after: float | None, quiet: bool
) -> dict[str, Any]:
    from polymarket_agent.cli.live_run import run_until
    from polymarket_agent.db import Database
    from polymarket_agent.orchestrator import Orchestrator

    with Database(path) as db, Orchestrator(settings, db, source) as orchestrator:
        return await run_until(orchestrator, speed=speed, stop_after=stop_after, quiet=quiet)


async def _tick(settings: Config, path: Path) -> dict[str, Any]:
    from polymarket_agent.adapters.pacing import SnapshotFeed
    from polymarket_agent.cli.feeds import watched
    from polymarket_agent.clock import SystemClock
    from polymarket_agent.db import Database
    from polymarket_agent.orchestrator import Orchestrator

    data, found, groups = await watched(settings)
    settle_ms = settings.paper.latency_ms + 50
    source = SnapshotFeed(data, found, SystemClock(), groups=groups, settle_ms=settle_ms)
    with Database(path) as db, Orchestrator(settings, db, source) as orchestrator:
        summary = await orchestrator.run()
    return {**summary, "books_not_read": source.failures}


def _print_summary(summary: dict[str, Any]) -> None:
    fills, orders = summary["fills"], summary["orders"]
    states = ", ".join(f"{name.lower()} {number}" for name, number in orders["by_state"].items()) or "none"
    evidence = ", ".join(f"{name} {each['fills']}" for name, each in fills["by_evidence"].items()) or "none"
    refusals = ", ".join(f"{name} {number}" for name, number in summary["refusals"].items()) or "none"
    rate = f", {summary['events_per_s']:,} a second" if summary["events_per_s"] else ""
    typer.echo(f"{safe_text(summary['feed'])}: {summary['ended']}")
    typer.echo(f"events    {summary['events']['total']:,} in {summary['wall_s']} s{rate}")
    typer.echo(f"orders    {orders['total']} ({states})")
    failed = f"; {fills['failed']} more failed to settle" if fills["failed"] else ""
    typer.echo(f"fills     {fills['total']} by evidence: {evidence}{failed}")
    typer.echo(f"refused   {refusals}")
    for name, reason in summary["strategies_set_aside"].items():
        typer.echo(f"set aside {safe_text(name)}: {safe_text(reason)}")
    typer.echo(
        f"equity    {summary['equity_usdc']} USDC, PnL {summary['pnl_usdc']} after fees of {summary['fees_usdc']}, "
        f"cash {summary['cash_usdc']}"
    )
    typer.echo(f"ledger    {summary['ledger']}   more: polymarket-agent report --db {summary['ledger']}")
