"""The config that `setup` writes from a few answers. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Answers", "config_text"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What the person wants. Amounts are decimal text in USDC; the config's own reader judges them.

    Attributes:
        search: words that the markets are found by; "" for the most traded.
        per_market: what one market may lose.
        keystore: the encrypted key, None when the key comes from the environment.
    """

    live: bool = False
    search: str = ""
    markets: str = "10"
    daily_loss: str = "25"
    per_market: str = "50"
    database: str = "polymarket-agent.db"
    keystore: Path | None = None


def config_text(answers: Answers) -> str:
    """Return the config file, with a comment on every line that a beginner may want to change."""
    return "\n".join(
        [*_head(answers), *_risk(answers), *_feed(answers), *_live(answers), *_strategies(answers), "...", ""]
    )


def _head(answers: Answers) -> list[str]:
    mode = "live " if answers.live else "paper"
    note = "real orders, but only together with --live on the command line" if answers.live else "no real orders"
    return [
        "---",
        "# Written by: polymarket-agent setup. Every key is explained in docs/configuration.md.",
        f"mode: {mode}          # {note}",
        f"database: {_text(answers.database)}   # the ledger: every order, fill and cent",
        "",
    ]


def _risk(answers: Answers) -> list[str]:
    orders = "2" if answers.live else "20"
    lines = [
        "risk:",
        f"  max_daily_loss: {answers.daily_loss}       # USDC a UTC day; then it only reduces",
        f"  max_position_size: {answers.per_market}    # USDC that one market may lose",
        f"  max_open_orders: {orders}",
    ]
    if answers.live:
        return [
            *lines,
            f"  max_order_size: {answers.per_market}       # USDC of one order; raise it when you trust what you see",
            "",
        ]
    return [*lines, "  max_markets: 10", "  entries_per_minute: 6", "  entries_per_hour: 60", ""]


def _feed(answers: Answers) -> list[str]:
    lines = ["feed:", f"  limit: {answers.markets}              # markets watched at most"]
    if answers.search:
        return [*lines, f"  search: {_text(answers.search)}", ""]
    return [*lines, "  # search: bitcoin     # without it: the most traded", ""]


def _live(answers: Answers) -> list[str]:
    if not answers.live:
        return ["paper:", "  starting_balance: 1000   # USDC that do not exist", ""]
    if answers.keystore is None:
        return []  # the key comes from the environment
    return ["live:", f"  keystore: {_text(str(answers.keystore))}   # encrypted; the key itself stands nowhere", ""]


def _strategies(answers: Answers) -> list[str]:
    kinds = ("signal_trader",) if answers.live else ("signal_trader", "market_maker", "arbitrageur", "technical")
    return ["strategies:", *(f"  - kind: {kind}" for kind in kinds)]


def _text(value: str) -> str:
    """Return a text as YAML takes it whatever is in it: JSON's form of a string is YAML's too."""
    return json.dumps(value, ensure_ascii=False)
