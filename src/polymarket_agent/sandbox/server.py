"""The sandbox on a socket: one port of 127.0.0.1, every service behind a prefix, and a driver that keeps time going."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from aiohttp import web

from polymarket_agent.clock import SystemClock
from polymarket_agent.domain.money import Usdc, decimal_text
from polymarket_agent.errors import UsageError
from polymarket_agent.sandbox import (
    admin,
    routes_clob_account,
    routes_clob_keys,
    routes_clob_reads,
    routes_clob_trade,
    routes_data,
    routes_gamma,
    routes_relayer,
)
from polymarket_agent.sandbox.auth import Keyring
from polymarket_agent.sandbox.boundary import Boundary, guard
from polymarket_agent.sandbox.crowd import Actor, Crowd
from polymarket_agent.sandbox.exchange import Exchange
from polymarket_agent.sandbox.fault_plan import FaultPlan
from polymarket_agent.sandbox.faults import FaultInjector
from polymarket_agent.sandbox.model import Refused
from polymarket_agent.sandbox.policy import Policy
from polymarket_agent.sandbox.routes_common import MAX_BODY, VENUE, reply
from polymarket_agent.sandbox.scenarios import build
from polymarket_agent.sandbox.sockets import Sockets
from polymarket_agent.sandbox.streams import MarketHub
from polymarket_agent.sandbox.streams_user import UserHub
from polymarket_agent.sandbox.venue import Venue, VenueClock
from polymarket_agent.sandbox.wallets import Wallet

if TYPE_CHECKING:
    from polymarket_agent.ports import Clock

__all__ = ["HOST", "Account", "Sandbox", "in_thread"]

HOST = "127.0.0.1"
_LONGEST_SLEEP_S = 0.05
_SHORTEST_SLEEP_S = 0.001
_START_WITHIN_S = 30.0

MakeActors = Callable[[int], Sequence[Actor]]


@dataclass(frozen=True, slots=True)
class Account:
    """A funded, approved account. Its key follows from the seed, so everybody has it: it is worth nothing."""

    private_key: str
    address: str
    wallet: str
    signature_type: int
    collateral: Usdc

    def plain(self) -> dict[str, Any]:
        """Return the account as JSON tells it."""
        return {
            "private_key": self.private_key,
            "address": self.address,
            "wallet": self.wallet,
            "signature_type": self.signature_type,
            "collateral": decimal_text(self.collateral),
        }


class Sandbox:
    """A Polymarket of one's own.

    Args:
        seed: of markets, crowd, keys and dice; the same seed makes the same history.
        scenario: which markets there are and what happens to them.
        port: 0 for any that is free.
        speed: how fast the venue's time runs against the wall's.
        plan: what goes wrong.
        collateral: what each account begins with.
        host: only loopback is taken.
        policy: of the exchange, where the venue is not documented.
        actors: makes who acts besides the faults, given the start in ms; the scenario's crowd by default.

    Raises:
        UsageError: a host that is not 127.0.0.1, a speed that is none, an unknown scenario.
    """

    def __init__(  # noqa: PLR0913 - one argument an option of the command
        self,
        *,
        seed: int = 1,
        scenario: str = "default",
        port: int = 0,
        speed: float = 1.0,
        plan: FaultPlan | None = None,
        collateral: Usdc = Usdc(10_000_000_000),
        host: str = HOST,
        policy: Policy | None = None,
        actors: MakeActors | None = None,
        clock: Clock | None = None,
    ) -> None:
        if host != HOST:
            raise UsageError(f"the sandbox is bound to {HOST} and to nothing else, not to {host}")
        if not 0 < speed <= 10_000:
            raise UsageError(f"a speed of {speed} is none; 1 is real time, 60 a minute a second")
        self.seed = seed
        self.speed = speed
        self._port = port
        time = VenueClock(clock or SystemClock(), speed)
        start_ms = time.now_ms()
        injector = FaultInjector(plan or FaultPlan(), start_ms=start_ms)
        exchange = Exchange(policy or Policy(salt=str(seed)))
        self.venue = Venue(exchange, Keyring(seed), time, injector)
        injector.attach(exchange)
        exchange.advance(start_ms)
        makers = actors or (lambda at_ms: [Crowd(seed, build(scenario, seed, at_ms))])
        self.venue.actors = [*makers(start_ms), injector]
        self.accounts = tuple(self._account(kind, collateral) for kind in range(4))
        self.venue.turn()
        self.markets = MarketHub(self.venue)
        self.users = UserHub(self.venue, self._owner_of)
        self.venue.listeners = [self.markets.take, self.users.take]
        self.sockets = Sockets(injector, self.venue.now_ms)
        self._runner: web.AppRunner | None = None
        self._driver: asyncio.Task[None] | None = None
        self.urls: dict[str, str] = {}

    @property
    def exchange(self) -> Exchange:
        """The core."""
        return self.venue.exchange

    def _account(self, signature_type: int, collateral: Usdc) -> Account:
        wallet = Wallet.from_seed(self.seed, f"account-{signature_type}", signature_type)
        self.exchange.fund(wallet.address, collateral)
        self.venue.chain.approve_all(wallet.address)
        if signature_type:
            self.venue.chain.deploy(wallet.address)
        return Account(wallet.private_key, wallet.eoa, wallet.address, signature_type, collateral)

    def _owner_of(self, auth: object) -> str | None:
        found = self.venue.keyring.websocket_owner(auth)
        return None if isinstance(found, Refused) else found.api_key

    def connection(self) -> dict[str, Any]:
        """Return what a program needs to connect."""
        return {
            **self.urls,
            "accounts": [account.plain() for account in self.accounts],
            "seed": self.seed,
            "warning": "throwaway keys derived from the seed: worthless, public, never to be funded on a real chain",
        }

    def _app(self) -> web.Application:
        app = web.Application(middlewares=[guard, Boundary(self.venue).faults], client_max_size=MAX_BODY)
        app[VENUE] = self.venue
        for routes in (
            routes_clob_reads,
            routes_clob_trade,
            routes_clob_account,
            routes_clob_keys,
            routes_gamma,
            routes_data,
            routes_relayer,
            admin,
        ):
            app.router.add_routes(routes.ROUTES)
        app.router.add_get("/ws/market", self._market_socket)
        app.router.add_get("/ws/user", self._user_socket)
        app.router.add_get("/admin/connection", self._connection)
        return app

    async def _connection(self, _: web.Request) -> web.Response:
        return reply(self.connection())

    async def _market_socket(self, request: web.Request) -> web.WebSocketResponse:
        return await self.sockets.serve(request, "market", self.markets)

    async def _user_socket(self, request: web.Request) -> web.WebSocketResponse:
        return await self.sockets.serve(request, "user", self.users)

    async def start(self) -> None:
        """Open the port and let time run.

        Raises:
            UsageError: the port is taken.
        """
        self._runner = web.AppRunner(self._app(), access_log=None, handle_signals=False, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, HOST, self._port)
        try:
            await site.start()
        except OSError as error:
            await self._runner.cleanup()
            raise UsageError(
                f"port {self._port} of {HOST} cannot be had: {error.strerror}", hint="--port 0 takes any that is free"
            ) from error
        port = self._runner.addresses[0][1]
        base, sockets = f"http://{HOST}:{port}", f"ws://{HOST}:{port}"
        self.urls = {
            **{f"{name}_url": f"{base}/{name}" for name in ("clob", "gamma", "data", "relayer", "rpc")},
            "market_ws_url": f"{sockets}/ws/market",
            "user_ws_url": f"{sockets}/ws/user",
            "geoblock_url": f"{base}/api/geoblock",
            "admin_url": f"{base}/admin",
        }
        # It ends in `stop`, or with an error that `stop` raises; a group would need a task of its own to live in.
        self._driver = asyncio.ensure_future(self._drive())  # noqa: TID251

    async def _drive(self) -> None:
        while True:
            now_ms = self.venue.turn()
            due_ms = self.venue.next_due_ms()
            wait_s = _LONGEST_SLEEP_S if due_ms is None else (due_ms - now_ms) / 1000 / self.speed
            await asyncio.sleep(min(_LONGEST_SLEEP_S, max(_SHORTEST_SLEEP_S, wait_s)))

    @property
    def failed(self) -> bool:
        """Whether time has stopped because of an error, which `stop` raises."""
        return self._driver is not None and self._driver.done()

    async def stop(self) -> None:
        """Close every connection and the port."""
        driver, self._driver = self._driver, None
        try:
            if driver is not None:
                driver.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await driver
        finally:
            self.sockets.close_all()
            if self._runner is not None:
                await self._runner.cleanup()
                self._runner = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()


@contextlib.contextmanager
def in_thread(**options: Any) -> Iterator[Sandbox]:
    """Run a sandbox beside synchronous code, in a thread with its own event loop; for tests and small programs.

    The sandbox object belongs to that thread: read its `urls` and `accounts`, and use its admin port for the rest.
    """
    sandbox = Sandbox(**options)
    ready = threading.Event()
    failures: list[Exception] = []
    loop = asyncio.new_event_loop()
    done = asyncio.Event()

    async def work() -> None:
        async with sandbox:
            ready.set()
            await done.wait()

    def run() -> None:
        try:
            loop.run_until_complete(work())
        except Exception as error:  # noqa: BLE001 - carried to the thread that waits
            failures.append(error)
        finally:
            ready.set()
            loop.close()

    thread = threading.Thread(target=run, name="sandbox", daemon=True)
    thread.start()
    ready.wait(_START_WITHIN_S)
    try:
        if failures:
            raise failures[0]
        yield sandbox
    finally:
        if thread.is_alive():
            loop.call_soon_threadsafe(done.set)
            thread.join(_START_WITHIN_S)
    if failures:
        raise failures[0]
