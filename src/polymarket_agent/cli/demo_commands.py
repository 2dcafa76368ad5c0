"""The demo: a live agent on the local exchange, with what goes wrong in live trading, and the books compared at the end."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from polymarket_agent.cli.common import RUNS_FOLDER, JsonOption, command, print_json, print_table, safe_text
from polymarket_agent.errors import AgentError, UsageError

if TYPE_CHECKING:
    from polymarket_agent.cli.demo_books import Comparison

__all__ = ["register"]

_CLIENTS = ("unified", "clob", "direct")
_LOOK_S = 1.0
_SETTLE_S = 25.0
_END_S = 25.0
_START_S = 25.0


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(demo)


@command
def demo(
    seconds: Annotated[float, typer.Option(min=4, max=3_600, help="How long each of the two lives trades.")] = 10.0,
    seed: Annotated[int, typer.Option(help="Of the local exchange.")] = 1,
    client: Annotated[str, typer.Option(help="Which client carries the orders: unified, clob or direct.")] = "unified",
    as_json: JsonOption = False,
) -> None:
    """Trade live on a local exchange with a throwaway key, through faults and a kill -9; then compare the books."""
    if client not in _CLIENTS:
        raise UsageError(f"--client {client} is not one of {', '.join(_CLIENTS)}")
    result = asyncio.run(_Demo(seconds, seed, client, quiet=as_json).run())
    if as_json:
        print_json(result)
    if not result["equal"]:
        raise AgentError("the ledger and the exchange differ", hint="this is a defect; please report it with the seed")


class _Demo:
    def __init__(self, seconds: float, seed: int, client: str, *, quiet: bool) -> None:
        self._seconds, self._seed, self._client, self._quiet = seconds, seed, client, quiet
        self._folder = RUNS_FOLDER / "demo"
        self._ledger = self._folder / "live.db"
        self._config = self._folder / "live.yaml"
        self._began = time.monotonic()
        self._lives = 0

    def _say(self, text: str = "") -> None:
        if not self._quiet:
            typer.echo(text)

    def _step(self, what: str, text: str) -> None:
        self._say(f"{time.monotonic() - self._began:5.1f} s  {what:<10} {text}")

    async def run(self) -> dict[str, Any]:
        """Play it; returns what the end showed."""
        from polymarket_agent.cli.demo_setup import FAULTS, prepare
        from polymarket_agent.cli.local_exchange import LocalExchange

        self._folder.mkdir(parents=True, exist_ok=True)
        for path in self._folder.glob("live.*"):
            path.unlink()
        faults = self._folder / "faults.yaml"
        faults.write_text(FAULTS, encoding="utf-8")
        async with LocalExchange(seed=self._seed, faults=faults) as exchange:
            account = prepare(exchange.urls, self._config, self._ledger, self._client)
            self._step("exchange", f"{exchange.urls['clob_url']}  throwaway key, {account['collateral']} pUSD")
            self._step("faults", "one answer will be lost, one settlement will fail, then the agent is killed")
            environment = {
                **os.environ,
                "POLYMARKET_PRIVATE_KEY": account["private_key"],
                "POLYMARKET_FUNDER": account["wallet"],
                "POLYMARKET_SIGNATURE_TYPE": str(account["signature_type"]),
            }
            await self._live(environment, "first life", end=self._kill)
            await self._live(environment, "second life", end=self._settle_and_stop)
            return await self._compare(exchange.urls, account["wallet"])

    async def _live(self, environment: dict[str, str], name: str, *, end: Any) -> None:
        self._lives += 1
        words = ["run", "--config", str(self._config), "--live", "--json"]
        log = self._folder / f"live.{name.split(maxsplit=1)[0]}.log"
        with log.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", "from polymarket_agent.cli import main; main()", *words),
                env=environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
            self._step(name, f"the agent starts (process {process.pid}) and compares the books before it trades")
            try:
                await self._until_active(process, log)
                ends = time.monotonic() + self._seconds
                while time.monotonic() < ends:
                    await self._still_runs(process, log)
                    await asyncio.sleep(min(_LOOK_S, max(0.05, ends - time.monotonic())))
                    self._step("", self._progress())
                await end(process, log)
            finally:
                if process.returncode is None:
                    process.kill()
                    await process.wait()

    async def _until_active(self, process: asyncio.subprocess.Process, log: Path) -> None:
        from polymarket_agent.cli.demo_books import state_of

        ends = time.monotonic() + _START_S
        while (state := state_of(self._ledger, self._lives)) != "ACTIVE":
            await self._still_runs(process, log)
            if time.monotonic() > ends:
                raise AgentError(f"the agent did not become ACTIVE; it is {state}", hint=f"see {log}")
            await asyncio.sleep(0.1)
        self._step("", "ACTIVE: twice in a row nothing differed")

    async def _still_runs(self, process: asyncio.subprocess.Process, log: Path) -> None:
        if process.returncode is not None:
            raise AgentError(f"the agent ended by itself: {_why(log)}", hint=f"see {log}")

    def _progress(self) -> str:
        from polymarket_agent.cli.demo_books import progress_of

        return progress_of(self._ledger)

    async def _kill(self, process: asyncio.subprocess.Process, log: Path) -> None:
        del log
        process.kill()
        await process.wait()
        self._step("kill -9", self._progress())

    async def _settle_and_stop(self, process: asyncio.subprocess.Process, log: Path) -> None:
        """Take off what is open, wait until every fill is final, and end."""
        from polymarket_agent.cli.demo_books import unsettled_of
        from polymarket_agent.clock import SystemClock
        from polymarket_agent.ledger.control import post_command

        post_command(self._ledger, "halt", "the demo ends", "demo", SystemClock().now_ms())
        self._step("halt", "no more orders; what is open is cancelled, and the last fills settle")
        ends = time.monotonic() + _SETTLE_S
        while unsettled_of(self._ledger) and time.monotonic() < ends:
            await self._still_runs(process, log)
            await asyncio.sleep(0.1)
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), _END_S)
        except TimeoutError as error:
            raise AgentError("the agent did not end", hint=f"see {log}") from error
        self._step("stop", f"the agent ended with exit code {process.returncode}")

    async def _compare(self, urls: dict[str, Any], wallet: str) -> dict[str, Any]:
        from polymarket_agent.cli.demo_books import compare, exchange_books

        books = await exchange_books(urls["admin_url"], wallet)
        found: Comparison = compare(self._ledger, books)
        self._say()
        self._say("What went wrong, and what became of it")
        for line in found.stories:
            self._say(f"  {line}")
        self._say()
        if not self._quiet:
            print_table(found.plain()["rows"], ("what", "exchange", "ledger", "difference"), empty="nothing to compare")
        verdict = "EQUAL, to the base unit" if found.equal else "DIFFERENT"
        self._say(f"\nledger and exchange: {verdict}      more: polymarket-agent report --db {self._ledger}")
        return found.plain()


def _why(log: Path) -> str:
    """Return the error that an agent ended with, or its last line."""
    text = log.read_text(encoding="utf-8", errors="replace").strip()
    begins = text.rfind('{\n  "error"')
    with contextlib.suppress(ValueError):
        return safe_text(str(json.JSONDecoder().raw_decode(text[begins:])[0]["error"]))[:300]
    return safe_text(" ".join(text.splitlines()[-1:]))[:300]
