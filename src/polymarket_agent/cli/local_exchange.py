"""Starts the local exchange as a process of its own, so that an agent meets it over real sockets."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from polymarket_agent.errors import AgentError

if TYPE_CHECKING:
    from polymarket_agent.config import Config

__all__ = ["LocalExchange"]

_START_S = 20.0
_STOP_S = 10.0
_FIRST_LINE_BYTES = 1_000_000


class LocalExchange:
    """`async with LocalExchange(...) as exchange:` runs the sandbox on a free port of loopback until the block ends.

    Args:
        seed: of its markets and traders.
        speed: how many of its seconds pass in one of ours.
        scenario: which markets there are.
        faults: a plan of what goes wrong.
    """

    def __init__(
        self, *, seed: int = 1, speed: float = 1.0, scenario: str = "fast", faults: Path | None = None
    ) -> None:
        self._words = [
            "--json",
            "--until-eof",
            "--port",
            "0",
            "--seed",
            str(seed),
            "--speed",
            str(speed),
            "--scenario",
            scenario,
            *(("--faults", str(faults)) if faults is not None else ()),
        ]
        self._process: asyncio.subprocess.Process | None = None
        self.urls: dict[str, Any] = {}

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", "from polymarket_agent.cli import main; main()", "sandbox", *self._words),
            stdin=asyncio.subprocess.PIPE,  # never written to: it ends when this process does, and the exchange with it
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            limit=_FIRST_LINE_BYTES,
            start_new_session=True,  # Ctrl-C is for the agent; it then stops the exchange itself
        )
        try:
            self.urls = await self._first_line()
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        del kind, error, trace
        await self._stop()

    def configured(self, settings: Config) -> Config:
        """Return a config whose market data comes from this exchange."""
        urls = {name: self.urls[name] for name in ("clob_url", "gamma_url", "market_ws_url")}
        return settings.model_copy(update={"feed": settings.feed.model_copy(update=urls)})

    async def _first_line(self) -> dict[str, Any]:
        assert self._process is not None
        assert self._process.stdout is not None
        hint = "try it by itself: polymarket-agent sandbox"
        try:
            line = await asyncio.wait_for(self._process.stdout.readline(), _START_S)
            said: dict[str, Any] = json.loads(line)
        except (TimeoutError, ValueError) as error:
            raise AgentError("the local exchange did not start", hint=hint) from error
        if "clob_url" not in said:
            raise AgentError(
                f"the local exchange did not start: {said.get('error', 'it said nothing of use')}", hint=hint
            )
        return said

    async def _stop(self) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            await asyncio.wait_for(process.communicate(), _STOP_S)
        except TimeoutError:
            process.kill()
            await process.communicate()
