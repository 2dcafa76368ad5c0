"""What a person sees while the sandbox runs: how to connect, markets, accounts, faults."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table
from rich.text import Text

from polymarket_agent.cli.common import safe_text
from polymarket_agent.clock import iso
from polymarket_agent.domain.market import MarketState
from polymarket_agent.domain.money import decimal_text, display

if TYPE_CHECKING:
    from polymarket_agent.sandbox.server import Sandbox

__all__ = ["connect_text", "render"]

_MARKET_ROWS = 16


def connect_text(sandbox: Sandbox) -> str:
    """Return how to connect, for people."""
    lines = [f"{name.removesuffix('_url').replace('_', ' '):<10}{url}" for name, url in sandbox.urls.items()]
    lines.append("")
    lines.append("accounts (throwaway keys derived from the seed: worthless, never fund them on a real chain)")
    lines += [
        f"  type {account.signature_type}  wallet {account.wallet}  key {account.private_key}"
        for account in sandbox.accounts
    ]
    return "\n".join(lines)


def render(sandbox: Sandbox) -> Group:
    """Return the view of this instant."""
    return Group(_header(sandbox), Text(), _markets(sandbox), Text(), _accounts(sandbox))


def _header(sandbox: Sandbox) -> Text:
    venue = sandbox.venue
    text = Text()
    text.append("SANDBOX ", style="bold")
    text.append(f"{sandbox.urls['clob_url'].removesuffix('/clob')}  ")
    text.append(
        f"{iso(venue.now_ms())[:19].replace('T', ' ')} UTC  x{sandbox.speed:g}  mode {venue.exchange.mode.value}\n"
    )
    sent = sandbox.markets.messages + sandbox.users.messages
    text.append(f"trades {len(venue.records.trades):,}  streams {len(sandbox.sockets)}  messages {sent:,}  ")
    faults = venue.injector.counts()
    text.append(f"faults {venue.injector.total}", style="yellow" if faults else "")
    for name, count in list(faults.items())[:4]:
        text.append(f"  {safe_text(name)} {count}", style="yellow")
    return text


def _markets(sandbox: Sandbox) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("market", "state", "bid", "ask", "last", "volume"):
        table.add_column(name, justify="left" if name in ("market", "state") else "right", no_wrap=True)
    listings = sorted(sandbox.venue.listings(), key=lambda each: each.market.state is MarketState.RESOLVED)
    for listing in listings[:_MARKET_ROWS]:
        book, state = listing.book, listing.oracle or listing.market.state.value
        bid = decimal_text(book.best_bid) if book.bids else "-"
        ask = decimal_text(book.best_ask) if book.asks else "-"
        name = safe_text(listing.market.question)[:48]
        table.add_row(name, state, bid, ask, book.last_trade_price or "-", display(listing.volume, 0))
    return table


def _accounts(sandbox: Sandbox) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("account", "type", "cash", "reserved", "positions"):
        table.add_column(name, justify="left" if name in ("account", "positions") else "right", no_wrap=True)
    exchange = sandbox.exchange
    for account in sandbox.accounts:
        balance, reserved = exchange.balance(account.wallet, None)
        held = [f"{display(size, 1)} {asset_id[:6]}…" for asset_id, size in exchange.positions(account.wallet).items()]
        table.add_row(
            account.wallet, str(account.signature_type), display(balance), display(reserved), ", ".join(held[:3])
        )
    return table
