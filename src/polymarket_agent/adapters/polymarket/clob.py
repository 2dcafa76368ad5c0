"""`VenueGateway` over the official client `py-clob-client-v2`. The only importer of `py_clob_client_v2`.

The client makes headers, paths and bodies. It never gets the private key: our own signer logs in and signs. What it
sends goes through `clob_door.py`, and its answers are read raw, so nothing of what it guesses is used (a version that
cannot be read is 2 to it; a list whose cursors go in a circle never ends).
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from typing import Any, TypeVar

from polymarket_agent.adapters.polymarket import gateway_common as common
from polymarket_agent.adapters.polymarket.account_answers import parse_open_orders, parse_order
from polymarket_agent.adapters.polymarket.account_state import (
    AssetBalance,
    parse_balance,
    parse_cancel,
    parse_closed_only,
    parse_time,
    parse_version,
)
from polymarket_agent.adapters.polymarket.account_trades import parse_trades
from polymarket_agent.adapters.polymarket.clob_door import Door
from polymarket_agent.adapters.polymarket.clob_lanes import AddressOnly, Lane, log_in, order_fields
from polymarket_agent.adapters.polymarket.clob_positions import positions_of
from polymarket_agent.adapters.polymarket.gateway_errors import without_answer
from polymarket_agent.adapters.polymarket.gateway_heard import Renewal, heartbeat_id_of
from polymarket_agent.adapters.polymarket.outcomes import no_answer, not_sent
from polymarket_agent.adapters.polymarket.reader import HttpReader
from polymarket_agent.adapters.polymarket.signer import OrderSigner
from polymarket_agent.domain.levels import Side
from polymarket_agent.domain.market import AssetId
from polymarket_agent.domain.order import OrderId
from polymarket_agent.domain.venue import (
    AccountFlags,
    Balances,
    CancelOutcome,
    HeldPosition,
    Leg,
    OrderSnapshot,
    OrderTicket,
    SignedOrder,
    SubmitOutcome,
    VenueFacts,
    WalletIdentity,
)
from polymarket_agent.errors import LiveLockedError, VenueUnavailableError
from polymarket_agent.keys import ApiCredentials, Secret
from polymarket_agent.ports import Clock, RateBudget

__all__ = ["TESTED_VERSIONS", "ClobGateway"]

TESTED_VERSIONS = ("1.2.1",)
INSTALL = f"pip install py-clob-client-v2=={TESTED_VERSIONS[-1]}"

T = TypeVar("T")

_CHAIN_ID = 137
_ORDER_THREADS, _SWIFT_THREADS, _READ_THREADS = 4, 2, 4


class ClobGateway:
    """One wallet at the venue over `py-clob-client-v2`; see `ports.VenueGateway`.

    Args:
        urls: `clob_url`, `data_url`, perhaps `geoblock_url`; others are not needed.
        key: of the signer. The client never sees it.
        identity: whose orders these are.
        signer: where the key is not simply the wallet's own; made of key and identity else.
        clock: for the time between asking and answering, and for the login.
    """

    name = "py-clob-client-v2"

    def __init__(
        self,
        urls: Mapping[str, str],
        key: Secret,
        identity: WalletIdentity,
        clock: Clock,
        *,
        signer: OrderSigner | None = None,
    ) -> None:
        self.identity = identity
        self.budget = RateBudget()
        self._urls = dict(urls)
        self._clock = clock
        self._signer = signer or OrderSigner(key, identity)
        self._credentials: ApiCredentials | None = None
        self._lanes: tuple[Lane, ...] = ()  # orders, cancels and heartbeats, reads
        self._data = HttpReader(self._urls["data_url"])
        self._renewal = Renewal(clock)
        self._heartbeat_id = ""
        self._beating = asyncio.Lock()

    async def connect(self) -> VenueFacts:
        """Create or derive API credentials and read the venue's order version and time; see `VenueGateway`."""
        await self.aclose()
        common.spare_loopback(self._urls)
        common.hush_client_logs()
        sizes = {"orders": _ORDER_THREADS, "swift": _SWIFT_THREADS, "reads": _READ_THREADS}
        self._lanes = tuple(self._lane(name, threads) for name, threads in sizes.items())
        try:
            self._credentials = await self._log_in()
            signed_in = await self._read("/version", lambda client: client.get_version(), parse_version)
            common.check_order_version(signed_in)
            asked_ms = self._clock.now_ms()
            server_ms = await self.server_time_ms()
        except BaseException:
            await self.aclose()
            raise
        return VenueFacts(
            order_version=signed_in,
            server_ms=server_ms,
            asked_ms=(asked_ms + self._clock.now_ms()) // 2,
            api_key_id=self._credentials.key_id,
        )

    @property
    def credentials(self) -> ApiCredentials:
        """The API credentials in use, for the channel of our own orders."""
        if self._credentials is None:
            raise VenueUnavailableError("the gateway is not connected", hint="connect first")
        return self._credentials

    def _lane(self, name: str, threads: int) -> Lane:
        client = _library().ClobClient(
            self._urls["clob_url"],
            _CHAIN_ID,
            signature_type=self.identity.kind.value,
            funder=self.identity.wallet,
            retry_on_error=False,
        )
        client.signer = AddressOnly(self.identity.signer)
        client._l1_headers = lambda nonce=None: self._signer.l1_headers(self._clock.now_ms() // 1000, nonce or 0)  # noqa: SLF001 - pinned
        return Lane(client, threads, f"clob-{name}", Door(self.budget, self._clock, self._renewal))

    async def _log_in(self) -> ApiCredentials:
        found = await log_in(self._lanes[-1], self.identity)
        for lane in self._lanes:
            lane.client.set_api_creds(
                _library().ApiCreds(found.key_id, found.secret.reveal(), found.passphrase.reveal())
            )
        return found

    def sign(self, ticket: OrderTicket, *, salt: int, timestamp_ms: int) -> SignedOrder:
        """Sign a ticket with our own signer; see `VenueGateway`."""
        return self._signer.sign(ticket, salt=salt, timestamp_ms=timestamp_ms)

    async def submit(self, order: SignedOrder) -> SubmitOutcome:
        """POST an order once and say what the answer proves; see `VenueGateway`."""
        ticket = order.ticket
        if not self._lanes or self._credentials is None:
            return not_sent("the gateway is not connected")
        wire, kind = _wire_order(order), ticket.time_in_force.value
        heard, error = await self._lanes[0].carry(lambda client: client.post_order(wire, kind, ticket.post_only))
        failed = no_answer("nothing was heard") if error is None else without_answer(error)
        return heard.outcome(order.order_id) or failed

    async def cancel(self, order_ids: Sequence[OrderId]) -> CancelOutcome:
        """Ask for cancellations of some orders."""
        answers = [
            await self._read("a cancel", functools.partial(_cancel, order_ids=part), parse_cancel, lane=1)
            for part in common.batches(order_ids)
        ]
        return common.joined(answers)

    async def cancel_all(self) -> CancelOutcome:
        """Ask for the cancellation of every order of this API key."""
        return await self._read("a cancel of everything", lambda client: client.cancel_all(), parse_cancel, lane=1)

    async def order(self, order_id: OrderId) -> OrderSnapshot | None:
        """Return an order, None when the venue says null or that it knows no such order."""
        heard, error = await (await self._ready()).carry(lambda client: client.get_order(order_id))
        if heard.says_no_order:
            return None
        if error is not None or heard.body is None:
            raise heard.failure("an order", error)
        return parse_order(heard.body)

    async def open_orders(self) -> Sequence[OrderSnapshot]:
        """Return all open orders of the wallet, every page."""

        def page(client: Any, cursor: str) -> object:
            return client.get_open_orders(only_first_page=True, next_cursor=cursor)

        found = await (await self._ready()).pages("the list of open orders", page, parse_open_orders)
        return common.of_wallet(found, self.identity.wallet)

    async def legs(self, since_s: int) -> Sequence[Leg]:
        """Return our part of every trade matched at or after a Unix second, oldest first."""
        # A second earlier, because the documents do not say whether the bound itself is included.
        wanted = _library().TradeParams(after=max(0, since_s - 1))

        def page(client: Any, cursor: str) -> object:
            return client.get_trades(wanted, only_first_page=True, next_cursor=cursor)

        ours = functools.partial(parse_trades, wallet=self.identity.wallet, api_key_id=self.credentials.key_id)
        return common.once(await (await self._ready()).pages("the list of trades", page, ours), since_s)

    async def balances(self, asset_ids: Sequence[AssetId]) -> Balances:
        """Return cash, allowances, and shares of these assets as the venue has them cached."""
        cash, *shares = await common.each_of([functools.partial(self._balance, each) for each in (None, *asset_ids)])
        return common.balances_of(cash, dict(zip(asset_ids, shares, strict=True)))

    async def _balance(self, asset_id: AssetId | None) -> AssetBalance:
        asked = _balance_of(asset_id)
        return await self._read("a balance", lambda client: client.get_balance_allowance(asked), parse_balance)

    async def refresh_balances(self, asset_ids: Sequence[AssetId]) -> None:
        """Make the venue read the chain again for cash and these assets."""
        await common.each_of([functools.partial(self._refresh, each) for each in (None, *asset_ids)])

    async def _refresh(self, asset_id: AssetId | None) -> None:
        asked = _balance_of(asset_id)
        await self._read("a refresh of a balance", lambda client: client.update_balance_allowance(asked), len)

    async def positions(self) -> Sequence[HeldPosition]:
        """Return everything that the wallet holds, by the data service, which may lag. The client does not know it."""
        return await positions_of(self._data, self.identity.wallet)

    async def server_time_ms(self) -> int:
        """Return the venue's clock (whole seconds there)."""
        return await self._read("/time", lambda client: client.get_server_time(), parse_time)

    async def account_flags(self) -> AccountFlags:
        """Ask whether this account is closed-only and whether this place is blocked."""
        closed_only = await self._read("the flags", lambda client: client.get_closed_only_mode(), parse_closed_only)
        blocked, country = await common.blocked_country(self._urls.get("geoblock_url"))
        return AccountFlags(closed_only=closed_only, blocked=blocked, country=country)

    async def heartbeat(self) -> None:
        """Send one order heartbeat with the id of the one before; a wrong one is mended with the one that is expected."""
        async with self._beating:
            sent, self._heartbeat_id = self._heartbeat_id, ""  # should this fail, the next one asks for the expected id
            lane = await self._ready(1)
            heard, error = await lane.carry(lambda client: client.post_heartbeat(sent))
            expected = heartbeat_id_of(heard)
            if heard.status == 400 and expected is not None:
                heard, error = await lane.carry(lambda client: client.post_heartbeat(expected))
                expected = heartbeat_id_of(heard)
            if error is not None or not expected:
                raise heard.failure("a heartbeat", error)
            self._heartbeat_id = expected

    async def aclose(self) -> None:
        """Let go of connections and threads. May be called more than once."""
        lanes, self._lanes, self._credentials = self._lanes, (), None
        for lane in lanes:
            lane.close()
        await self._data.aclose()

    async def _ready(self, lane: int = 2) -> Lane:
        """Return a lane; credentials that were refused are renewed first."""
        if not self._lanes:
            raise VenueUnavailableError("the gateway is not connected", hint="connect first")
        if self._renewal.is_due():
            self._credentials = await self._log_in()
        return self._lanes[lane]

    async def _read(self, what: str, call: Callable[[Any], object], parse: Callable[[bytes], T], lane: int = 2) -> T:
        return await (await self._ready(lane)).read(what, call, parse)


def _cancel(client: Any, *, order_ids: Sequence[OrderId]) -> object:
    if len(order_ids) == 1:
        return client.cancel_order(_library().OrderPayload(orderID=order_ids[0]))
    return client.cancel_orders(list(order_ids))


def _balance_of(asset_id: AssetId | None) -> Any:
    kind = "COLLATERAL" if asset_id is None else common.asset_type_of(asset_id)
    return _library().BalanceAllowanceParams(asset_type=kind, token_id=asset_id)


def _wire_order(order: SignedOrder) -> Any:
    from py_clob_client_v2.order_utils.model.order_data_v2 import SignedOrderV2

    sides = _library().Side
    return SignedOrderV2(**order_fields(order), side=sides.BUY if order.ticket.side is Side.BUY else sides.SELL)


def _library() -> Any:
    """Return the client library.

    Raises:
        LiveLockedError: it is not installed, or as a version whose private parts we do not know.
    """
    try:
        import py_clob_client_v2
    except ImportError as error:
        raise LiveLockedError("py-clob-client-v2 is not installed", hint=INSTALL) from error
    if (found := version("py-clob-client-v2")) not in TESTED_VERSIONS:
        raise LiveLockedError(f"py-clob-client-v2 {found} is not a version that this program knows", hint=INSTALL)
    return py_clob_client_v2
