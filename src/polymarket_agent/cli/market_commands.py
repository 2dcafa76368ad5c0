"""Commands that read public market data: no wallet, no key."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from polymarket_agent.cli.common import (
    ConfigOption,
    JsonOption,
    command,
    effective_config,
    print_json,
    print_table,
    safe_text,
)
from polymarket_agent.errors import UsageError

if TYPE_CHECKING:
    from polymarket_agent.config import Config
    from polymarket_agent.domain.market import Market
    from polymarket_agent.ports import MarketData

__all__ = ["market_data", "register"]

_group = typer.Typer(help="List, search and show markets.", no_args_is_help=True, rich_markup_mode=None)


class Source(Enum):
    """Where market data is read."""

    HTTP = "http"
    CLI = "cli"


SourceOption = Annotated[Source | None, typer.Option(help="Public endpoints, or the `polymarket` command.")]
MostOption = Annotated[int, typer.Option("--limit", "-n", min=1, max=200, help="At most this many.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(_group, name="markets")


def market_data(config: Config, source: Source | None) -> MarketData:
    """Return the reader of market data that the option or the config names."""
    from polymarket_agent.config import FeedSource

    if source is Source.CLI or (source is None and config.feed.source is FeedSource.CLI):
        from polymarket_agent.adapters.cli_source import CliMarketData

        return CliMarketData()
    from polymarket_agent.adapters.polymarket.public import PolymarketPublic

    return PolymarketPublic(clob_url=config.feed.clob_url, gamma_url=config.feed.gamma_url)


def _read(config_path: Any, source: Source | None, ask: Callable[[MarketData], Awaitable[list[Any]]]) -> list[Any]:
    async def work() -> list[Any]:
        data = market_data(effective_config(config_path), source)
        try:
            return await ask(data)
        finally:
            await data.aclose()

    return asyncio.run(work())


@_group.command("list")
@command
def list_markets(
    config: ConfigOption = None, source: SourceOption = None, limit: MostOption = 20, as_json: JsonOption = False
) -> None:
    """List open markets, most traded first."""
    from polymarket_agent.ports import MarketQuery

    async def ask(data: MarketData) -> list[dict[str, Any]]:
        return [_row(market) for market in await data.markets(MarketQuery(limit=limit))]

    _show(_read(config, source, ask), as_json=as_json)


@_group.command("search")
@command
def search(
    text: Annotated[str, typer.Argument(help="Words to look for.")],
    config: ConfigOption = None,
    source: SourceOption = None,
    limit: MostOption = 20,
    as_json: JsonOption = False,
) -> None:
    """Search markets by words."""
    from polymarket_agent.ports import MarketQuery

    if not text.strip():
        raise UsageError("there is nothing to search for; give some words")

    async def ask(data: MarketData) -> list[dict[str, Any]]:
        return [_row(market) for market in await data.markets(MarketQuery(text=text, limit=limit))]

    _show(_read(config, source, ask), as_json=as_json)


@_group.command("show")
@command
def show(
    slug: Annotated[str, typer.Argument(help="The market's slug, as `markets list` shows it.")],
    config: ConfigOption = None,
    source: SourceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one market with both books."""
    from polymarket_agent.domain.money import decimal_text
    from polymarket_agent.ports import MarketQuery

    async def ask(data: MarketData) -> list[dict[str, Any]]:
        found = await data.markets(MarketQuery(slugs=(slug,), open_only=False, limit=1))
        if not found:
            raise UsageError(
                f"there is no market '{slug}'", hint="find one with: polymarket-agent markets search WORDS"
            )
        row = _row(found[0])
        books: dict[str, dict[str, list[list[str]]]] = {}
        row["books"] = books
        for outcome in found[0].outcomes:
            book = await data.order_book(outcome.asset_id)
            books[outcome.label] = {
                "bids": [[decimal_text(p), decimal_text(s)] for p, s in book.bids(5)],
                "asks": [[decimal_text(p), decimal_text(s)] for p, s in book.asks(5)],
            }
        return [row]

    row = _read(config, source, ask)[0]
    if as_json:
        print_json(row)
        return
    books = row.pop("books")
    for key, value in row.items():
        typer.echo(f"{key:<18}{safe_text(str(value))}")
    for label, book in books.items():
        typer.echo(f"\n{safe_text(label)}: bid shares | ask shares")
        for index in range(max(len(book["bids"]), len(book["asks"]))):
            buy = book["bids"][index] if index < len(book["bids"]) else ["", ""]
            sell = book["asks"][index] if index < len(book["asks"]) else ["", ""]
            typer.echo(f"{buy[0]:>8} {buy[1]:>14} | {sell[0]:<8} {sell[1]}")


def _row(market: Market) -> dict[str, Any]:
    from polymarket_agent.clock import iso
    from polymarket_agent.domain.money import decimal_text

    return {
        "slug": market.slug,
        "question": market.question,
        "outcomes": [outcome.label for outcome in market.outcomes],
        "state": market.state.value,
        "accepting_orders": market.accepting_orders,
        "tick_size": decimal_text(market.tick_size),
        "min_order_shares": decimal_text(market.min_order_size),
        "taker_fee_rate": decimal_text(market.fees.rate),
        "fees_assumed": market.fees_assumed,
        "neg_risk": market.neg_risk,
        "protocol": market.version.value,
        "ends": iso(market.end_at_ms) if market.end_at_ms is not None else None,
        "volume_usdc": decimal_text(market.volume),
        "condition_id": market.condition_id,
        "asset_ids": list(market.asset_ids),
    }


def _show(rows: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        print_json(rows)
    else:
        columns = ("slug", "question", "outcomes", "tick_size", "taker_fee_rate", "ends", "volume_usdc")
        print_table(rows, columns, empty="no markets were found")
